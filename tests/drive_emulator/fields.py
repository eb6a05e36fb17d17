"""The language of `fields`: "items(id,labels/trashed),nextPageToken"."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r"[A-Za-z0-9_*]+|[(),/]")


def select(tree: Any, fields: str | None) -> Any:
    """The part of `tree` that `fields` names; all of it when there is none."""
    if not fields:
        return tree
    tokens = _TOKEN.findall(fields)
    return _apply(tree, _read_list(tokens))


def _read_list(tokens: list[str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    while tokens and tokens[0] != ")":
        name = tokens.pop(0)
        if name == ",":
            continue
        wanted[name] = _read_rest(tokens)
    return wanted


def _read_rest(tokens: list[str]) -> dict[str, Any]:
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        return {tokens.pop(0): _read_rest(tokens)}
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        inner = _read_list(tokens)
        tokens.pop(0)
        return inner
    return {}


def _apply(tree: Any, wanted: dict[str, Any]) -> Any:
    if not wanted or "*" in wanted:
        return tree
    if isinstance(tree, list):
        return [_apply(item, wanted) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {name: _apply(tree[name], inner) for name, inner in wanted.items() if name in tree}
