"""Which store this browser tab looks at: the simulated sample, the one from the environment, or the one chosen in Settings."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from batonpass.core.settings import read_settings
from batonpass.streamlit_app.herald import Herald
from batonpass.streamlit_app.preferences import load_preferences, save_preferences
from batonpass.streamlit_app.proving import NewestProver
from batonpass.streamlit_app.repository import Repository
from batonpass.streamlit_app.sample import write_sample
from batonpass.sync.agent import put_agent
from batonpass.sync.stores import open_store
from batonpass.sync.stores.memory import MemoryStore

FIRST_WAIT_S = 1.0
"""A store that was never seen is waited for so long: what lies near is drawn at once, what lies far is read while the page stands."""
_SAMPLE = "sample"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Choice:
    """The store looked at. `url` is None when there is none yet; `fixed` when the environment names it."""

    url: str | None
    simulated: bool = False
    fixed: bool = False


def current_choice() -> Choice:
    """What this tab looks at. Looking at the sample is a matter of this tab alone, and stays in its address."""
    if st.session_state.get("look") == _SAMPLE or st.query_params.get("look") == _SAMPLE:
        st.session_state["look"] = _SAMPLE
        if st.query_params.get("look") != _SAMPLE:
            st.query_params["look"] = _SAMPLE
        return Choice("sample", simulated=True)
    named = read_settings().store
    return Choice(named or load_preferences().store, fixed=named is not None)


def address_of(run_id: str) -> dict[str, str]:
    """The query of a page's address that leads to a run, in the sample too: what the next page had to add would be one more step back."""
    return {"run": run_id, **({"look": _SAMPLE} if current_choice().simulated else {})}


def look_at_sample() -> None:
    """Show the simulated sample in this tab."""
    st.session_state["look"] = _SAMPLE
    st.session_state.pop("run", None)


def leave_sample() -> None:
    """Back to the user's own store."""
    st.session_state.pop("look", None)
    st.session_state.pop("run", None)
    for key in ("look", "run"):  # what the controls of a page keep in the address stays: it is theirs
        st.query_params.pop(key, None)


def choose_store(url: str) -> None:
    """Look at this store from now on, on this computer."""
    save_preferences(replace(load_preferences(), store=url.strip() or None))
    st.session_state.pop("run", None)


def repository_of(choice: Choice) -> Repository | None:
    """The repository of a choice, shared by all tabs; None when no store is chosen."""
    if choice.simulated:
        return _open_sample()
    return _open(choice.url, str(read_settings().home)) if choice.url else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _open(url: str, home: str) -> Repository:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    prover = NewestProver(Path(home), wanted=lambda: load_preferences().receipts)
    herald = Herald(url)
    cache = Path(home) / "app-cache" / name
    repository = Repository(
        lambda: open_store(url), cache, prover=prover, herald=herald, first_wait_s=FIRST_WAIT_S, named=url
    )
    herald.keep_watch(repository.view)
    return repository


@st.cache_resource(max_entries=1, show_spinner="Writing the simulated sample")
def _open_sample() -> Repository:
    """Its clock stands still, so that its ages stay true however long one looks."""
    now = moment = datetime.now(UTC)
    store = MemoryStore(f"simulated-sample-{next(_numbers)}", now=lambda: moment)

    def put(key: str, body: bytes, at: datetime) -> None:
        nonlocal moment
        moment = at
        store.put(key, body)

    write_sample(put, now=now)
    moment = now
    put_agent(store)  # so that the cell of the first look is a whole one
    return Repository(lambda: store, None)
