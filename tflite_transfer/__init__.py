"""Train .tflite models on the device: transfer learning with LiteRT or with a readable NumPy reference.

>>> from tflite_transfer import TransferLearningModel
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing's own would be imported before the command line can answer Ctrl-C
if TYPE_CHECKING:
    from tflite_transfer.evaluation import Evaluation
    from tflite_transfer.model import TransferLearningModel
    from tflite_transfer.prediction import Prediction
    from tflite_transfer.reference.tflite.errors import TransferError
    from tflite_transfer.training_model import TrainingModel

__version__ = "0.1.0"

__all__ = ["Evaluation", "Prediction", "TrainingModel", "TransferError", "TransferLearningModel", "__version__"]

_HOMES = {  # imported when first asked for: importing the package costs nothing
    "Evaluation": "tflite_transfer.evaluation",
    "Prediction": "tflite_transfer.prediction",
    "TrainingModel": "tflite_transfer.training_model",
    "TransferError": "tflite_transfer.reference.tflite.errors",
    "TransferLearningModel": "tflite_transfer.model",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
