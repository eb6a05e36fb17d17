"""The cells that continue a run on another machine, as text to copy or as a notebook file. Pure: reads no store and no machine."""

from batonpass.core.snippets.cells import Cell, Snippet
from batonpass.core.snippets.day_one import day_one
from batonpass.core.snippets.inputs import CheckpointPick, SnippetInputs, Target, WheelFile
from batonpass.core.snippets.notebook import to_notebook
from batonpass.core.snippets.render import render

__all__ = [
    "Cell",
    "CheckpointPick",
    "Snippet",
    "SnippetInputs",
    "Target",
    "WheelFile",
    "day_one",
    "render",
    "to_notebook",
]
