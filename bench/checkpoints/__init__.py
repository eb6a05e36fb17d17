"""Comparisons of what a checkpoint brings back."""
