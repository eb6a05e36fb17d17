"""Ours and the rivals against the Drive emulator: one file per measure, `run.py` runs them."""
