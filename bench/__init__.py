"""Ratios between the backends: ``python -m bench``."""
