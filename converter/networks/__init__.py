"""Networks as functions of their variables, whatever they were read from."""
