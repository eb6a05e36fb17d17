"""Batonpass lets a training run outlive its machines."""

__version__ = "0.1.0"
