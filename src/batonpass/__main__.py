"""`python -m batonpass`: the command line."""
