"""Names are hostile until shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as strategy

from batonpass.streamlit_app.components.text import escaped, escaped_lines, plain


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("*a* _b_ `c`", r"(?<!\\)[*_`]"),
        ("[x](http://evil.example)", r"(?<!\\)\[|http://"),
        ("https://evil.example", r"https://"),
        ("www.evil.example", r"www\\?\."),
        ("me@evil.example", r"@e"),
        ("<script>alert(1)</script>", r"(?<!\\)<"),
        (":material/home: :tada: :red[x]", r":(?=[a-z])"),
        ("$x$ and $$y$$", r"(?<!\\)\$"),
        ("# head", r"(?<!\\)#"),
        ("| a | b |", r"(?<!\\)\|"),
    ],
)
def test_what_markdown_would_read_is_disarmed(name: str, forbidden: str) -> None:
    assert not re.search(forbidden, escaped(name))


@given(strategy.text(max_size=500))
def test_any_text_becomes_one_line_without_control_characters_and_not_too_long(name: str) -> None:
    shown = plain(name, limit=40)
    assert len(shown) <= 40
    assert shown == " ".join(shown.split())
    assert all(c.isprintable() or c == " " for c in shown)


@given(strategy.text(max_size=300))
def test_no_special_character_is_left_without_its_backslash(name: str) -> None:
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>$|#~]", escaped(name))


def test_lines_of_a_note_stay_lines() -> None:
    assert escaped_lines("one\ntwo *2*") == "one  \ntwo \\*2\\*"
