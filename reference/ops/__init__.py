"""The operators, as plain functions of arrays and keyword options; ``table.TABLE`` is the whole of what can run.

An option has the name that the schema gives it. A fused activation is applied once, by the interpreter.
"""
