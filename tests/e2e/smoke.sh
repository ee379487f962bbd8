#!/usr/bin/env bash
# The main job with an installed wheel, away from the checkout: smoke.sh BIN DEMO WORK
set -euo pipefail
bin=$1 demo=$2 work=$3
mkdir -p "$work" && cd "$work"
! "$bin/python" -c "import tensorflow" 2>/dev/null || { echo "TensorFlow is installed here" >&2; exit 1; }
"$bin/tflite-transfer-convert" --base_tflite="$demo/base.tflite" --head_softmax --num_classes=4 --optimizer=adam \
  --class_names=Bag,Sneaker,T-shirt,Trouser --out_model_dir=model
for backend in numpy tflite; do
  "$bin/tflite-transfer" train model "$demo/photos/train" --backend "$backend" --epochs 20 --seed 1 \
    --state "$backend.safetensors" --json >"$backend.json"
  "$bin/tflite-transfer" evaluate model "$demo/photos/test" --backend "$backend" --state "$backend.safetensors" \
    --json --json_out "$backend.evaluate.json"
  "$bin/tflite-transfer" predict model "$demo"/photos/test/Bag/00.png --backend "$backend" --state "$backend.safetensors"
done
"$bin/python" - <<'PY'
import json
for backend in ("numpy", "tflite"):
    accuracy = json.load(open(f"{backend}.evaluate.json"))["accuracy"]
    assert accuracy >= 0.92, (backend, accuracy)
print("smoke test passed")
PY
