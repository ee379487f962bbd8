"""ONNX Runtime Training: the artifacts that it makes of a graph, and its loop of module and optimizer."""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.training import artifacts, onnxblock
from onnxruntime.training.api import CheckpointState, Module, Optimizer
from protocol import Head, Step, serve

ERRORS = 3  # the least that is logged


def graph(head: Head) -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "ws"], ["z"]), helper.make_node("Add", ["z", "bs"], ["logits"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, head.x.shape)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [len(head.labels), len(head.bs)])
    weights = [numpy_helper.from_array(value, name) for name, value in (("ws", head.ws), ("bs", head.bs))]
    made = helper.make_graph(nodes, "head", [x], [logits], weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def make(head: Head) -> Step:
    onnxruntime.set_default_logger_severity(ERRORS)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    rule = onnxblock.optim.SGD() if head.optimizer == "sgd" else onnxblock.optim.AdamW(eps=1e-8)
    with TemporaryDirectory() as folder:
        loss = artifacts.LossType.CrossEntropyLoss
        artifacts.generate_artifacts(
            graph(head), requires_grad=["ws", "bs"], loss=loss, optimizer=rule, artifact_directory=folder
        )
        place = Path(folder)
        state = CheckpointState.load_checkpoint(place / "checkpoint")
        module = Module(place / "training_model.onnx", state, place / "eval_model.onnx", "cpu", options)
        optimizer = Optimizer(place / "optimizer_model.onnx", module)
    optimizer.set_learning_rate(head.rate)
    module.train()

    def step() -> float:
        loss = module(head.x, head.labels)
        optimizer.step()
        module.lazy_reset_grad()
        return float(loss)

    return step


serve(make)
