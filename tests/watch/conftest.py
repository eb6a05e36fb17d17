"""A watch whose looks are made by hand."""

from __future__ import annotations

import pytest

from batonpass.core.settings import Settings
from batonpass.sync.pruning import Keep
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store
from batonpass.sync.watching import Watch, WatchOptions


@pytest.fixture
def output(tmp_path):
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


@pytest.fixture
def watch(tmp_path, output):
    """Makes watches of the output folder that look only when told to; they are closed at the end."""
    made = []

    def make(name="cats", **options):
        settings = Settings(home=tmp_path / "home", lease_s=0.2)
        said = []
        options = WatchOptions(every_s=0.02, keep=Keep(last=50), say=said.append, **options)
        each = Watch(
            open_store(str(tmp_path / "drive"), settings), output, name, account="", settings=settings, options=options
        )
        each.said = said
        made.append(each)
        return each

    yield make
    for each in made:
        each.close(timeout_s=5)


@pytest.fixture
def listed(tmp_path):
    """What the store lists of a run: (step, names) in order of publication, over all sessions."""

    def read(name="cats"):
        store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
        run = read_run(store, find_run_folder(store, name))
        return [(c.step, c) for s in run.sessions for c in s.session.checkpoints]

    return read


def settle(watch):
    """Look until nothing waits."""
    import time

    deadline = time.monotonic() + 20
    while watch.poll():
        assert time.monotonic() < deadline, watch.said
        watch.active.service.drain(5)


@pytest.fixture
def look():
    return settle
