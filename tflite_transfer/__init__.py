"""Train .tflite models on the device."""
