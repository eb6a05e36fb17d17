"""The one place where text that came from a store or a user is made safe for Streamlit's Markdown. Names are hostile until shown."""

from __future__ import annotations

import re
import unicodedata

_JOINER = "\N{WORD JOINER}"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+.!|~<>$&^=\-])")
_MAKES_LINKS = re.compile(r"[:@](?=\S)|www(?=\.)", re.IGNORECASE)


def plain(text: object, *, limit: int = 120) -> str:
    r"""`text` on one line and without control characters, cut to `limit` characters: for cells, options, charts and file names.

    >>> plain("a\\nb\\x00")
    'a b'
    """
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(text)[: 4 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escaped(text: object, *, limit: int = 120) -> str:
    r"""`plain`, and every character that Markdown, its emoji, icons, colours, formulas or automatic links would read is disarmed.

    >>> escaped("*bold*")
    '\\\\*bold\\\\*'
    """
    disarmed = _MAKES_LINKS.sub(lambda match: f"{match[0]}{_JOINER}", plain(text, limit=limit))
    return _SPECIAL.sub(r"\\\1", disarmed)


def file_name(name: object, ending: str, *, limit: int = 80) -> str:
    r"""A name for a download: `name` without anything that is a path, a drive or a hidden file on any system, and `ending`.

    >>> file_name("../../etc/passwd", "-metrics.csv"), file_name("\x00..", ".ipynb")
    ('etc-passwd-metrics.csv', 'run.ipynb')
    """
    kept = re.sub(r"[^\w.() -]+|\.\.+", "-", plain(name, limit=limit)).strip("-. ")
    return f"{kept or 'run'}{ending}"


def escaped_lines(text: object, *, limit: int = 4000) -> str:
    """Several lines of user text for Markdown: line ends are kept, everything else as in `escaped`."""
    lines = str(text)[:limit].splitlines()
    return "  \n".join(escaped(line, limit=limit) for line in lines)
