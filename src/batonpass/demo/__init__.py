"""The demo: one real training that survives several killed machines, and the proof that nothing was lost."""
