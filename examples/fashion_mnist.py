# %% [markdown]
# # On-device training: from Keras to one file that goes on learning
#
# The flow of TensorFlow's tutorial
# [On-Device Training](https://www.tensorflow.org/lite/examples/on_device_training/overview) on Fashion-MNIST, with
# stock packages: a network is trained in Keras, becomes **one .tflite that trains**, and goes on learning there, with
# LiteRT and with the NumPy reference. The file holds builtin operators only.
#
# | signature | takes | gives |
# |---|---|---|
# | `train` | images, labels | the loss; every weight moves by a step |
# | `infer` | images | probabilities and logits |
# | `save` | | every variable |
# | `restore` | every variable | |
#
# This is a notebook and a script at once: `python examples/fashion_mnist.py --help`. It needs the data set's four files
# (MIT licence, Zalando SE): `apt-get install dataset-fashion-mnist`, or `--data FOLDER`.

# %%
import argparse
import os
from pathlib import Path

# On busy cores BLAS's threads wait for one another: with two of them a step of 6 ms took 50.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from tflite_transfer import TrainingModel
from tflite_transfer.errors import DataError
from tflite_transfer.idx import read_idx
from tflite_transfer.plots import plot_losses, plot_predictions
from tflite_transfer.prediction import ranked
from tflite_transfer.reference.head import cross_entropy

parser = argparse.ArgumentParser(description="Fashion-MNIST: trained in Keras, then on by the .tflite made of it.")
parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"), help="the four files")
parser.add_argument("--out", type=Path, default=Path("out/fashion_mnist"), help="folder for what is made")
parser.add_argument("--backend", nargs="+", default=["numpy", "tflite"], choices=("numpy", "tflite"))
parser.add_argument("--samples", type=int, default=60_000, help="training images, the first so many")
parser.add_argument("--batch_size", type=int, default=100)
parser.add_argument("--epochs", type=int, default=100, help="in Keras")
parser.add_argument("--device_epochs", type=int, default=50, help="on each backend")
given = parser.parse_args([] if "get_ipython" in globals() else None)
for option in ("samples", "batch_size", "epochs", "device_epochs"):
    if getattr(given, option) < 1:
        parser.error(f"--{option} must be at least 1")

# %% [markdown]
# ## Data
# Grey pictures of 28 x 28 bytes, which become numbers from 0 to 1; ten classes.

# %%
try:
    train_images, train_labels, test_images, test_labels = (
        read_idx(given.data / f"{part}-ubyte.gz")
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    )
except DataError as e:
    parser.error(f"{e} The files come with apt-get install dataset-fashion-mnist; --data names another folder of them.")
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
x, y = train_images[: given.samples].astype(np.float32) / 255, train_labels[: given.samples]
x_test = test_images.astype(np.float32) / 255
x_last, y_last = x[-given.batch_size :], np.eye(10, dtype=np.float32)[y[-given.batch_size :]]
if given.out.exists() and not given.out.is_dir():
    parser.error(f"--out {given.out} is no folder")
given.out.mkdir(parents=True, exist_ok=True)
print(f"{len(x):,} images to train, {len(x_test):,} to test")


# %% [markdown]
# ## Pre-training in Keras
# In the order of the files, as in the tutorial. Two losses are told: the mean over an epoch, which is drawn below, and
# that of the last batch after it. The tutorial prints the last batch's before its step: 0.428 in epoch 10, 0.230 in
# epoch 100. Other first weights move these by a few hundredths.


# %%
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import keras
except ImportError:
    parser.error("Keras is needed to train at first: pip install '.[convert]'")

RATE = 0.01


def tell(epoch: int, epochs: int, loss: float, last_logits: object) -> None:
    """Ten lines a training."""
    if epoch % max(1, epochs // 10) == 0:
        print(f"  epoch {epoch}: loss {loss:.6f}, last batch {cross_entropy(np.asarray(last_logits), y_last):.3f}")


keras.utils.set_random_seed(1)
network = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ]
)
network.compile(keras.optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
told = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: tell(epoch + 1, given.epochs, logs["loss"], network(x_last))
)
print("pre-training, Keras")
settings = {"shuffle": False, "verbose": 0}
history = network.fit(x, y, given.batch_size, given.epochs, callbacks=[told], **settings)
losses = {"pre-training, Keras": history.history["loss"]}
network.save(given.out / "fashion.keras")

# %% [markdown]
# ## One file that trains
# `make_trainable` differentiates the .tflite graph itself and writes gradients, optimizer and variables behind it. The
# optimizer is the same SGD: it keeps nothing between steps, so the hand-over loses nothing.

# %%
from tflite_transfer.converter import SGD, TrainingOptions, make_trainable

options = TrainingOptions("categorical_crossentropy", SGD(RATE), class_names=CLASSES, batch_size=given.batch_size)
file = make_trainable(network, given.out / "fashion.tflite", options, overwrite=True)
print(f"{file.name}: {file.stat().st_size:,} bytes")
devices = {backend: TrainingModel(file, backend=backend) for backend in given.backend}

# %% [markdown]
# The converted file gives what Keras gave, on either backend:

# %%
original = np.asarray(network(x_test))
before = {backend: model.infer(x_test)["logits"] for backend, model in devices.items()}
for backend, logits in before.items():
    apart, same = np.abs(logits - original).max(), np.mean(logits.argmax(1) == original.argmax(1))
    print(
        f"{backend} against Keras: logits reach {np.abs(original).max():.1f} and differ by {apart:.1e} at most,",
        end=" ",
    )
    print(f"the same class for {same:.2%} of the test images")

# %% [markdown]
# ## Training on, on the device
# With the same images again, as in the tutorial, whose loss goes from 0.223 to 0.198; on a phone they would be others.

# %%
for backend, model in devices.items():
    print(f"on device, {backend}")
    losses[f"on device, {backend}"] = model.fit(
        x,
        y,
        given.device_epochs,
        shuffle=False,
        on_loss=lambda e, loss, m=model: tell(e, given.device_epochs, loss, m.infer(x_last)["logits"]),
    )
plot_losses(losses, given.out / "loss.png", after={name: given.epochs for name in losses if "device" in name})
Image.open(given.out / "loss.png")

# %% [markdown]
# ## Save, and restore into a fresh interpreter
# A new interpreter has the weights of the pre-training; `restore` brings back what the device learned.

# %%
restored = {}
for backend, model in devices.items():
    model.save(given.out / f"{backend}.safetensors")
    fresh = TrainingModel(file, backend=backend)
    fresh.restore(given.out / f"{backend}.safetensors")
    restored[backend] = fresh.infer(x_test)
    same = np.array_equal(restored[backend]["logits"], model.infer(x_test)["logits"])
    was, now = (np.mean(z.argmax(1) == test_labels) for z in (before[backend], restored[backend]["logits"]))
    print(f"{backend}: restored with {'the same' if same else 'OTHER'} bits, test accuracy {was:.4f} -> {now:.4f}")

# %% [markdown]
# ## Predictions
# Green where right, red where wrong.

# %%
pictures = list(test_images[:24])
probabilities = restored[given.backend[0]]["output"][: len(pictures)]
truths = [CLASSES[label] for label in test_labels[: len(pictures)]]
plot_predictions(pictures, [ranked(p, CLASSES)[0] for p in probabilities], truths, given.out / "predictions.png")
Image.open(given.out / "predictions.png")
