"""Long campaigns of real deaths and real faults against the emulated Drive; the suite runs a short slice of each."""
