"""A snippet as a notebook file (nbformat 4.5), written as plain JSON."""

from __future__ import annotations

import json
from typing import Any

from batonpass.core.snippets.cells import Cell, Snippet
from batonpass.core.snippets.inputs import Target

_GPU: dict[str, dict[str, Any]] = {
    Target.COLAB: {"accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []}},
    Target.COLAB_MOUNT: {"accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []}},
    Target.KAGGLE: {"kaggle": {"accelerator": "nvidiaTeslaT4", "isGpuEnabled": True, "isInternetEnabled": True}},
}
"""Opens the notebook with a GPU chosen, where the provider reads that from the file."""


def to_notebook(snippet: Snippet) -> bytes:
    """The snippet as the bytes of an `.ipynb` file, UTF-8. The same snippet gives the same bytes."""
    tree = {
        "cells": [_cell(number, cell) for number, cell in enumerate(snippet.cells, start=1)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **_GPU.get(snippet.target, {}),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(tree, indent=1) + "\n").encode("ascii")


def _cell(number: int, cell: Cell) -> dict[str, Any]:
    lines = cell.source.split("\n")
    tree: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": f"batonpass-{number}",
        "metadata": {"tags": list(cell.tags)} if cell.tags else {},
        "source": [*(f"{line}\n" for line in lines[:-1]), lines[-1]],
    }
    if cell.kind == "code":
        tree |= {"execution_count": None, "outputs": []}
    return tree
