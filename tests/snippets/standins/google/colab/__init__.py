"""A stand-in for Colab's own module, in a test's kernel only: the names and the errors that the cells meet, nothing else."""
