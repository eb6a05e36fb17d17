"""Callbacks for other trainers: they log the trainer's numbers into a run, mirror its output folder, add to its checkpoints what these
lack for an exact resume, and resume.

Each module imports its trainer only when its class is made.
"""
