"""Cells, and how values get into them: only ever as Python literals, so that no value can break out of its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Literal

Value = str | int | bool | None | tuple[tuple[str | None, ...], ...]
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:@])")
_ARGUMENT = re.compile(r"^ +\w+=\$(\w+),\n|, \w+=\$(\w+)(?=[,)])", re.MULTILINE)
"""A keyword argument whose whole value is one of ours."""
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One notebook cell. `tags` are the notebook's own cell tags."""

    kind: Literal["code", "markdown"]
    source: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snippet:
    """The cells for one target, in the order in which they are run.

    `title` and `says` are plain text (they hold untrusted names: whoever shows them escapes them). `says` is one sentence per line
    about what will be restored. `target` is the target's name.
    """

    target: str
    cells: tuple[Cell, ...]
    title: str
    says: str

    @property
    def code(self) -> str:
        """All code cells as one text, for a single cell or a script."""
        return "\n\n".join(c.source for c in self.cells if c.kind == "code") + "\n"


def fill(template: str, **values: Value) -> str:
    """The template of that name with every `$value` replaced by the value's Python literal. A keyword argument with nothing to say (None)
    is left out.
    """
    text = resources.files(__package__).joinpath("templates", f"{template}.py.txt").read_text("utf-8")
    text = _ARGUMENT.sub(lambda found: "" if values[found[1] or found[2]] is None else found[0], text)
    return Template(text).substitute({name: repr(value) for name, value in values.items()}).strip("\n")


def code(*parts: str, tags: tuple[str, ...] = ()) -> Cell:
    """A code cell made of filled templates."""
    return Cell("code", "\n\n\n".join(parts), tags)


def plain(text: str, *, limit: int = 80) -> str:
    r"""Any text as one line of inert Markdown: no markup, no HTML, no link, at most `limit` characters.

    >>> plain("cats_v2 <b>")
    'cats\\_v2 &lt;b&gt;'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    cut = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(_HTML.get(c) or _MARKDOWN.sub(r"\\\1", c) for c in cut)
