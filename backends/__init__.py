"""Two ways of running the five files behind one Protocol: ``tflite`` (LiteRT) and ``numpy`` (the reference)."""
