"""Finding metrics by a pattern, among names that came from someone else's store."""

from __future__ import annotations

from collections.abc import Sequence

from batonpass.core.errors import UsageError

LONGEST_PATTERN = 100
"""Characters of a pattern that are looked at; a longer one is refused."""
LONGEST_NAME = 300
"""Characters of each name that are searched."""


def find_names(names: Sequence[str], pattern: str) -> list[str]:
    """The names in which `pattern` is found, in their order: a regular expression in RE2's syntax, upper and lower case alike.

    RE2 needs time in proportion to the text, whatever pattern a link brings along (https://swtch.com/~rsc/regexp/regexp1.html); so
    it knows no backreferences. UsageError for what is no pattern.
    """
    import pyarrow as pa  # noqa: PLC0415  # a heavy library, and most readers never search
    import pyarrow.compute as pc  # noqa: PLC0415

    if len(pattern) > LONGEST_PATTERN:
        raise UsageError(f"a pattern has at most {LONGEST_PATTERN} characters", hint="a part of the name is enough")
    texts = pa.array([_searchable(name) for name in names], pa.string())
    try:
        found = pc.match_substring_regex(texts, _searchable(pattern), ignore_case=True)
    except (pa.ArrowException, ValueError) as error:
        raise UsageError(
            "that is not a pattern", hint="loss|accuracy finds both; ^val finds what begins with val"
        ) from error
    return [name for name, hit in zip(names, found.to_pylist(), strict=True) if hit]


def _searchable(text: str) -> str:
    """Without lone surrogates, which no text that is searched can hold."""
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text[:LONGEST_NAME])
