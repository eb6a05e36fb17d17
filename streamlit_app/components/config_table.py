"""The config that a run was started with, as a table of plain text, and what differs from other runs'."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, plural

DEEPEST = 6
MOST_ROWS = 1000


def show_config(run: RunStory) -> None:
    """One setting a row."""
    if not run.files.info.config:
        st.caption('Nothing was given. `bp.start("...", config={"learning_rate": 0.001})` fills this place.')
        return
    rows = [{"Setting": plain(k, limit=80), "Value": v} for k, v in flat_config(run.files.info.config).items()]
    st.dataframe(rows[:MOST_ROWS], hide_index=True, alt=f"The config of {plain(run.name, limit=60)}")
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {count(MOST_ROWS)} of {count(len(rows))} settings.")


def show_config_diff(configs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """The settings in which runs differ; `configs` as (plain name of the run, its config)."""
    differing, same = diff_configs(configs)
    if not differing:
        said = (
            f"No setting differs; {plural(same, 'setting')} {'is' if same == 1 else 'are'} the same."
            if same
            else "No config was given."
        )
        st.caption(said)
        return
    st.dataframe(
        differing[:MOST_ROWS], hide_index=True, alt=f"{plural(len(differing), 'setting')} in which the runs differ"
    )
    if same:
        st.caption(escaped(f"{plural(same, 'setting')} {'is' if same == 1 else 'are'} the same in all of them."))


def diff_configs(configs: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[list[dict[str, str]], int]:
    """A row for each setting that is not the same everywhere, with a cell per run, and how many are. Pure."""
    flat = [(name, flat_config(config)) for name, config in configs]
    keys = dict.fromkeys(key for _, each in flat for key in each)
    rows = [
        {"Setting": plain(key, limit=80), **{name: each.get(key, "not set") for name, each in flat}} for key in keys
    ]
    differing = [row for row, key in zip(rows, keys, strict=True) if len({each.get(key) for _, each in flat}) > 1]
    return differing, len(rows) - len(differing)


def flat_config(config: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings by their dotted names, values as text: lists and what is too deep as JSON.

    >>> flat_config({"a": {"b": 1}, "c": [1, 2]})
    {'a.b': '1', 'c': '[1, 2]'}
    """
    return dict(_leaves(config, "", 0))


def _leaves(config: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            yield from _leaves(value, f"{name}.", depth + 1)
        else:
            yield name, plain(value if isinstance(value, str) else json.dumps(value, default=str), limit=300)
