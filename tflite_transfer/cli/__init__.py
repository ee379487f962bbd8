"""The command line: ``tflite-transfer`` with its sub-commands, and ``tflite-transfer-convert``."""
