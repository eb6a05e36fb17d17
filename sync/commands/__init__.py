"""The verbs of the command line, a module each: `add_arguments(parser)` and `run(args) -> int` (the exit code)."""
