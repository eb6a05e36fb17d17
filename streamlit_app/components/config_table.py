"""The config that a run was started with, as a table of plain text."""

from __future__ import annotations

import json

import streamlit as st

from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory


def show_config(run: RunStory) -> None:
    """Nested values are written out as JSON."""
    if not run.files.info.config:
        st.caption('Nothing was given. `bp.start("...", config={"learning_rate": 0.001})` fills this place.')
        return
    rows = [{"Setting": plain(k, limit=80), "Value": _value(v)} for k, v in run.files.info.config.items()]
    st.dataframe(rows, hide_index=True, alt=f"The config of {plain(run.name, limit=60)}")


def _value(value: object) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, default=str), limit=300)
