"""The metrics of other trainers, read from the bytes they write: one file per kind. Pure; nothing here opens a file."""
