"""The machines as they described themselves: one row per session, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.wording import duration, local, plural

_UNNOTED = "not noted"


def show_hosts(page: Page, sessions: Sequence[Session], ends: Mapping[str, datetime], names: Mapping[str, str]) -> None:
    """The timeline as a table, with the facts of each host."""
    rows = [host_row(page, s, ends[s.id], names.get(s.run_id, "")) for s in reversed(sessions)]
    with st.expander("The same as a table, with memory, disk and processor of each machine", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'session')} with GPU, place, times and host facts")


def host_row(page: Page, session: Session, end: datetime, run: str) -> dict[str, str]:
    """What a session noted of its machine; "not noted" where it did not."""
    gpu = session.gpus[0] if session.gpus else None
    cores = session.host.cpu_count
    return {
        "GPU": gpu_name(session),
        "Where": place(session),
        "Run": run,
        "Began": local(session.started_at, page.zone),
        "Last sign of life": local(end, page.zone),
        "Length": duration((end - session.started_at).total_seconds()),
        "GPU memory, GiB": _gib(gpu.memory_bytes) if gpu else "",
        "Driver": plain(gpu.driver or _UNNOTED, limit=30) if gpu else "",
        "RAM, GiB": _gib(session.host.ram_bytes),
        "Disk free at start, GiB": _gib(session.host.disk_free_bytes),
        "CPU cores": f"{cores:,}" if cores is not None and 0 < cores < 100_000 else _UNNOTED,
        "System": plain(session.host.system, limit=40) or _UNNOTED,
        "Python": plain(session.versions.get("python", _UNNOTED), limit=20),
        "torch": plain(session.versions.get("torch", _UNNOTED), limit=30),
    }


def _gib(size_bytes: int | None) -> str:
    return f"{size_bytes / 2**30:.3g}" if size_bytes is not None and 0 < size_bytes < 2**60 else _UNNOTED
