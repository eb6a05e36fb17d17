"""Far more than anybody has: ten thousand sessions of one run, hundreds of runs and names. Every page stands and shows a bounded part."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from batonpass.core.lineage import Role, legs, resume_candidates, trace
from batonpass.streamlit_app.overview import read_overview
from batonpass.sync.stores import open_store

from .conftest import PAGES, AppMaker, words
from .live_app import CHECKOUT
from .tree import check_tree, elements

RUN = "10000000"
LARGEST_PAGE_BYTES = 8_000_000


def stores() -> Any:
    """bench/app/stores.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("bench_app_stores", CHECKOUT / "bench" / "app" / "stores.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of 10,000 sessions, each continued by the next."""
    root = tmp_path_factory.mktemp("many") / "store"
    stores().write_store(root, stores().Size(sessions=10_000, metrics=1, tail_points=1))
    return root


@pytest.fixture(scope="module")
def many_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred runs with forty metrics each."""
    root = tmp_path_factory.mktemp("runs") / "store"
    stores().write_store(root, stores().Size(runs=200, sessions=2, metrics=40, points=3, tail_points=1), live=True)
    return root


@pytest.mark.slow
def test_every_page_bears_a_run_of_ten_thousand_sessions(app: AppMaker, long_run: Path) -> None:
    for page in PAGES:
        at = app(long_run, page=page, run=RUN)
        check_tree(at)
        size = sum(proto.ByteSize() for _, proto in elements(at))
        assert size < LARGEST_PAGE_BYTES, f"{page}: {size:,} bytes"
    assert "10,000 sessions" in words(app(long_run))


@pytest.mark.slow
def test_the_lineage_of_ten_thousand_sessions_has_each_of_them_once(long_run: Path) -> None:
    (run,) = read_overview(open_store(str(long_run))).runs
    sessions = [s.session for s in run.files.sessions]
    assert len(trace(run.files.head, sessions).links) == 10_000
    found = legs(run.files.head, sessions)
    assert [leg.session for leg in found] == [s.id for s in sessions]
    assert {leg.role for leg in found} == {Role.TRUNK}
    candidates = resume_candidates(run.files.head, sessions)
    assert [c.session for c in candidates] == [s.id for s in reversed(sessions)]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_bears_hundreds_of_runs(app: AppMaker, many_runs: Path, page: str) -> None:
    at = app(many_runs, page=page, run=RUN)
    check_tree(at)
    size = sum(proto.ByteSize() for _, proto in elements(at))
    assert size < LARGEST_PAGE_BYTES, f"{page}: {size:,} bytes"


def test_the_same_arguments_write_the_same_store(tmp_path: Path) -> None:
    size = stores().Size(runs=2, sessions=3, metrics=2, points=4, tail_points=2)
    from datetime import UTC, datetime

    now = datetime(2026, 11, 1, tzinfo=UTC)
    for name in ("one", "two"):
        assert stores().write_store(tmp_path / name, size, now=now) == ["10000000", "10000001"]
    files = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "two")
    ]
    assert files[0] == files[1]
