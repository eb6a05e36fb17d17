"""What checkpoints are worth: one module per promise, beside named rivals."""
