"""From a trained model to an ordinary inference .tflite."""
