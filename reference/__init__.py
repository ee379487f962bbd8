"""The readable definition: .tflite graphs in plain NumPy, and beside it the numba kernels that compute the same."""
