"""Callbacks for other trainers: they log the trainer's numbers into a run and mirror its output folder.

Each module imports its trainer only when its class is made. Today they neither add to the trainer's own checkpoints nor resume them.
"""
