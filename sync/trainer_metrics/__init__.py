"""Brings the numbers that other trainers write into files into a run, as they come: found, followed, told apart from what the run has."""
