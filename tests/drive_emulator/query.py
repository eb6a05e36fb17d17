"""The language of `q`, as: title = 'cats' and 'root' in parents and not trashed = true."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drive_emulator.answers import DriveError, not_found

Test = Callable[[Any], bool]
_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z]+|!=|<=|>=|[=<>(){}])")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


class Query:
    """A parsed `q`. `folder_of` turns a parent's id (or "root") into a folder's id, or None where there is no such folder."""

    def __init__(self, text: str, folder_of: Callable[[str], str | None]) -> None:
        self.folder_of = folder_of
        self.tokens = _split(text)
        self.matches: Test = self._any() if self.tokens else lambda _file: True
        if self.tokens:
            raise _invalid(" ".join(self.tokens))

    def _take(self, *expected: str) -> str:
        if not self.tokens or (expected and self.tokens[0] not in expected):
            raise _invalid(self.tokens[0] if self.tokens else "the end")
        return self.tokens.pop(0)

    def _any(self) -> Test:
        tests = [self._all()]
        while self.tokens[:1] == ["or"]:
            self._take("or")
            tests.append(self._all())
        return lambda file: any(test(file) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self.tokens[:1] == ["and"]:
            self._take("and")
            tests.append(self._one())
        return lambda file: all(test(file) for test in tests)

    def _one(self) -> Test:
        token = self._take()
        if token == "not":
            inner = self._one()
            return lambda file: not inner(file)
        if token == "(":
            inner = self._any()
            self._take(")")
            return inner
        if token.startswith("'"):
            return self._membership(_text(token))
        return self._comparison(token)

    def _membership(self, value: str) -> Test:
        self._take("in")
        if self._take("parents", "owners") == "owners":
            return lambda file: file.owner == value
        folder = self.folder_of(value)
        if folder is None:
            raise not_found(value)
        return lambda file: folder in file.parents

    def _comparison(self, name: str) -> Test:
        if name == "properties":
            return self._property()
        operator, value = self._take(), self._take()
        if name == "trashed":
            return lambda file: _COMPARE[operator](file.trashed, value == "true")
        text = _text(value)
        name = "title" if name == "name" else name  # its word in v3
        if name == "title" and operator == "contains":
            return lambda file: any(w.startswith(text.casefold()) for w in file.title.casefold().split())
        if name == "title":
            return lambda file: _COMPARE[operator](file.title.casefold(), text.casefold())
        if name == "mimeType":
            return lambda file: _COMPARE[operator](file.mime_type, text)
        raise _invalid(name)

    def _property(self) -> Test:
        """As: properties has { key='a' and value='b' and visibility='PUBLIC' }."""
        self._take("has")
        self._take("{")
        wanted = {}
        while True:
            name = self._take("key", "value", "visibility")
            self._take("=")
            wanted[name] = _text(self._take())
            if self._take("and", "}") == "}":
                break
        return lambda file: any(all(p.get(k) == v for k, v in wanted.items()) for p in file.properties)


def _split(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid(text[at:])
        tokens.append(match[1])
        at = match.end()
    return tokens


def _text(token: str) -> str:
    if not token.startswith("'"):
        raise _invalid(token)
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _invalid(where: str) -> DriveError:
    return DriveError(400, "invalid", f"Invalid Value in q near {where}")
