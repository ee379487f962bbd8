"""The errors of this project; see ``TransferError`` for the family tree."""

from tflite_transfer.reference.tflite.errors import *  # noqa: F403
