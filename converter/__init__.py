"""Makes the five .tflite files: head, optimizer and initialize written here, the base spliced from an existing model.

TensorFlow is needed only where the base is a Keras model or a SavedModel.
"""
