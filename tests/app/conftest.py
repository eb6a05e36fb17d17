"""Stores in every condition that a page must bear, and the app on them without a browser."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from batonpass.core import naming
from batonpass.streamlit_app.sample import write_sample

from .live_app import LOOKS, browser

PAGES = ("morning", "run", "machines", "accounts", "resume", "settings")
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[x] $x^2$ `c` www.evil.example \x1b[31m\u202e| \" ' {b}"

AppMaker = Callable[..., AppTest]
PARTS = ("Sessions", "Checkpoints", "Notes", "Config", "Organise")
"""What stands under the tabs of the Run page."""


@pytest.fixture(autouse=True)
def _own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit puts its script in the place of `__main__`, and a process that a later test spawns would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(autouse=True)
def _empty_caches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test opens its stores anew, and waits for the first story however slow the machine is."""
    monkeypatch.setattr("batonpass.streamlit_app.choice.FIRST_WAIT_S", 60.0)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


class Sample:
    """The files of the simulated sample, made anew when its live session would soon be called silent."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, datetime]] = {}
        self.made_at = datetime.min.replace(tzinfo=UTC)

    def fresh(self) -> dict[str, tuple[bytes, datetime]]:
        """Key -> content and time."""
        if datetime.now(UTC) - self.made_at > timedelta(seconds=20):
            self.made_at, self.files = datetime.now(UTC), {}
            write_sample(lambda key, body, at: self.files.__setitem__(key, (body, at)), now=self.made_at)
        return self.files


@pytest.fixture(scope="session")
def sample() -> Sample:
    """One for all tests of this process."""
    return Sample()


@pytest.fixture
def sample_bytes(sample: Sample) -> dict[str, tuple[bytes, datetime]]:
    """The files of the simulated sample: key -> content and time."""
    return sample.fresh()


@pytest.fixture
def store(tmp_path: Path, sample_bytes: dict[str, tuple[bytes, datetime]]) -> Path:
    """The sample's files as a folder store of the user's own."""
    return write_files(tmp_path / "store", sample_bytes)


def write_files(root: Path, files: dict[str, tuple[bytes, datetime]]) -> Path:
    """The files in a folder, each with its time."""
    for key, (body, at) in files.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (at.timestamp(), at.timestamp()))
    return root


@pytest.fixture
def one_session(tmp_path: Path, sample_bytes: dict[str, tuple[bytes, datetime]]) -> Path:
    """A store with one run of one session that has no goal, no GPU, no checkpoint and no metric yet."""
    root = write_files(
        tmp_path / "one", {k: v for k, v in sample_bytes.items() if k == naming.ROOT_FILE or "digits" in k}
    )
    folder = next((root / "runs").iterdir())
    edit(folder / "run.json", goal_steps=None, config={})
    first = json.loads((folder / "head.json").read_text())["sessions"][0]
    edit(folder / "head.json", sessions=[first], holder=first)
    bare = {
        "gpus": [],
        "gpu_samples": [],
        "checkpoints": [],
        "segments": [],
        "tail": {},
        "rows": 0,
        "step": 0,
        "steps_done": 0,
    }
    edit(folder / "sessions" / f"{first}.json", **bare)
    return root


@pytest.fixture
def broken(store: Path) -> Path:
    """Cut JSON, a missing segment, a changed segment, hostile names, absurd numbers, and a run without its main file."""
    cats, digits, speech = sorted((store / "runs").iterdir())
    edit(cats / "run.json", name=HOSTILE, goal_steps=10**40, config={HOSTILE: {"a": [1, None, HOSTILE]}, "big": 1e308})
    edit(min((speech / "sessions").iterdir()), step=10**400)
    edit(cats / "annotations.json", title=HOSTILE, tags=[HOSTILE, ""])
    sessions = sorted((cats / "sessions").iterdir())
    sessions[0].write_bytes(sessions[0].read_bytes()[:700])
    edit(sessions[1], account=HOSTILE, step=10**18, trained_s=1e300, branch=HOSTILE)
    edit(sessions[2], gpus=[{"name": HOSTILE, "memory_bytes": 10**18}])
    tail = [[0, 5, 0.0, 0.0, 0, "NaN"], [1, 6, 0.0, 1e18, 0, "Infinity"], [2, 7, 0.0, -1e18, 1, 1e308]]
    edit(
        sessions[-1],
        tail={"names": ["loss", HOSTILE], "rows": tail},
        end={"kind": "failed with an error", "at": "2026-01-01T00:00:00Z", "detail": HOSTILE},
    )
    segments = sorted((cats / "metrics").iterdir())
    segments[1].unlink()
    segments[2].write_bytes(b"no parquet")
    (digits / "run.json").unlink()
    (speech / "annotations.json").write_text("[1, 2")
    (speech / "notes").mkdir()
    (speech / "notes" / "n.json").write_text("{")
    (store / "accounts" / "x.json").write_text("nonsense")
    edit(next((store / "accounts").glob("school*.json")), label="school", plan=HOSTILE, price=1e300, currency=HOSTILE)
    return store


def edit(path: Path, **changes: object) -> None:
    """Change fields of a JSON file in place; its time stays."""
    at = path.stat().st_mtime
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    os.utime(path, (at, at))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppMaker:
    """Makes the app on a store (a path), on the sample, or on nothing, and opens a page of it, with all parts of the Run page
    opened or just what stands there at first.
    """

    def make(
        store: Path | str | None = None,
        *,
        page: str = "morning",
        look: str | None = None,
        run: str | None = None,
        opened: bool = True,
    ) -> AppTest:
        if store is not None:
            monkeypatch.setenv("BATONPASS_STORE", str(store))
        at = AppTest.from_file(
            str(Path(__file__).resolve().parents[2] / "streamlit_app" / "app.py"), default_timeout=120
        )
        at.context = {"timezone": "Europe/Berlin"}
        if opened:
            at.session_state["parts-opened"] = set(PARTS)
            at.session_state["view-used"] = True
        if look:
            at.query_params["look"] = look
        if run:
            at.query_params["run"] = run
        at.run()
        if page != "morning":
            at = at.switch_page(f"views/{page}.py").run()
        return at

    return make


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a process."""
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def open_tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a tab in a look; tabs of one look share a fresh profile, so that the scripts are loaded once."""
    contexts: dict[str, Any] = {}

    def make(look: str = "light") -> Any:
        if look not in contexts:
            scheme, width, height, scale = LOOKS[look]
            contexts[look] = chromium.new_context(
                color_scheme=scheme,
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                timezone_id="Asia/Tokyo",
                permissions=["clipboard-read", "clipboard-write"],
            )
        for old in contexts[look].pages:
            old.close()
        return contexts[look].new_page()

    yield make
    for context in contexts.values():
        context.close()


def words(at: AppTest) -> str:
    """Everything that the page says, in one text."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success", "metric")
    said = [str(getattr(e, "label", "")) + " " + str(e.value) for kind in kinds for e in at.get(kind)]
    return "\n".join([*said, *(b.label for b in at.button), *(f"{t.value}" for t in at.dataframe)])
