"""A card's content and its two forms: plain text, and HTML that stands alone in a notebook's output.

The HTML has no script and loads nothing. Every value is escaped. Colours are inherited, so that it reads in light and dark alike.
"""

from __future__ import annotations

import html
import importlib
import sys
import textwrap
from dataclasses import dataclass
from typing import Literal

Tone = Literal["calm", "good", "warning", "bad"]

_ACCENT: dict[Tone, str] = {"calm": "#6b7fa3", "good": "#2f9e63", "warning": "#d08a1d", "bad": "#cf4b4b"}
_BOX = (
    "font:14px/1.5 system-ui,sans-serif;box-sizing:border-box;max-width:46rem;margin:8px 0;padding:10px 16px;"
    "border:1px solid rgba(128,128,128,.4);border-left:5px solid {accent};border-radius:8px;overflow-wrap:anywhere"
)
_ROWS = "display:grid;grid-template-columns:minmax(5.5rem,max-content) minmax(0,1fr);gap:2px 14px;margin:6px 0 0"
_CODE = "margin:4px 0 0;padding:6px 10px;border-radius:6px;background:rgba(128,128,128,.15);color:inherit;white-space:pre-wrap"
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Card:
    """One card, ready to be shown. `html` is a fragment that needs nothing around it."""

    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a card says: rows of (label, value), sentences, and (sentence, code to copy or nothing) pairs. All of it may be untrusted text."""

    title: str
    tone: Tone
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    snippets: tuple[tuple[str, str], ...] = ()


def render(sheet: Sheet) -> Card:
    """Both forms of one sheet."""
    return Card(_text(sheet), _html(sheet))


def show(card: Card) -> None:
    """Display the HTML in a notebook, print the text anywhere else. IPython is not imported where it is not in use."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        print(card.text)  # noqa: T201  # this is what the function is for
        return
    both = {"text/html": card.html, "text/plain": card.text}  # a saved notebook is also read where HTML is not shown
    importlib.import_module("IPython.display").display(both, raw=True)


def _text(sheet: Sheet) -> str:
    width = max((len(label) for label, _ in sheet.rows), default=0)
    lines = [f"batonpass: {_visible(sheet.title)}"]
    for label, value in sheet.rows:
        lines += _wrapped(f"  {label:<{width}}  ", _visible(value))
    for note in sheet.notes:
        lines += _wrapped("  ! ", _visible(note))
    for sentence, code in sheet.snippets:
        lines += _wrapped("  ", _led(sentence, code))
        lines += [f"      {_visible(line)}" for line in code.splitlines()]
    return "\n".join(lines)


def _wrapped(lead: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]


def _visible(text: str) -> str:
    """One line without control characters: a name from a store must not move the terminal's cursor or fake a second line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _html(sheet: Sheet) -> str:
    parts = [
        f'<div role="group" aria-label="batonpass" style="{_BOX.format(accent=_ACCENT[sheet.tone])}">',
        f'<div style="font-weight:600">{_escaped(sheet.title)}</div>',
    ]
    if sheet.rows:
        cells = "".join(
            f'<div style="opacity:.75">{_escaped(label)}</div><div>{_escaped(value)}</div>'
            for label, value in sheet.rows
        )
        parts.append(f'<div style="{_ROWS}">{cells}</div>')
    parts += [f'<div style="margin-top:6px">⚠ {_escaped(note)}</div>' for note in sheet.notes]
    for sentence, code in sheet.snippets:
        body = "\n".join(_escaped(line) for line in code.splitlines())
        block = f'<pre style="{_CODE}">{body}</pre>' if body else ""
        parts.append(f'<div style="margin-top:6px">{html.escape(_led(sentence, code))}{block}</div>')
    return "".join((*parts, "</div>"))


def _led(sentence: str, code: str) -> str:
    return _visible(sentence) + (":" if code else ".")


def _escaped(text: str) -> str:
    return html.escape(_visible(text))
