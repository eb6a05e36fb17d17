"""The checkout as these tests see it: its Python files, their modules, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "src/batonpass": "batonpass",
    "core": "batonpass.core",
    "sync": "batonpass.sync",
    "streamlit_app": "batonpass.streamlit_app",
}
"""Folder -> the import package it is."""


class Import(NamedTuple):
    """One imported module, as far as the source names it: "batonpass.core.naming", "google.auth"."""

    module: str
    line: int


def python_files() -> list[Path]:
    """Every Python file of the package, relative to the checkout, without what a build left behind."""
    found = [path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.py")]
    return sorted(path.relative_to(CHECKOUT) for path in found)


def imports_of(source: str) -> Iterator[Import]:
    """Every import of a source text, wherever it stands; `import_module("...")` with a literal name counts as one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if base == "batonpass":  # `from batonpass import core` is about core
                yield from (Import(f"batonpass.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield Import(base, node.lineno)
        elif isinstance(node, ast.Call) and _is_import_module(node.func) and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(name.value, node.lineno)


def _is_import_module(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")
