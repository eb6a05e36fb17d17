"""What stands in somebody else's store is only read as far as it stays inside its own run."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from legs import host, leg
from published import publish

from batonpass.core.errors import FormatError
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store

GONE = host(process="4194304-1")


@pytest.fixture
def store(tmp_path: Path):
    return open_store(str(tmp_path / "drive" / "batonpass"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def change(store, key: str, **fields) -> None:
    store.put(key, json.dumps({**json.loads(store.get(key)), **fields}).encode())


def session_key(one) -> str:
    return f"{one.joined.folder}sessions/{one.joined.session}.json"


def made(store, home, name: str):
    """A finished run with one checkpoint."""
    with leg(store, home, name=name, on=GONE) as one:
        one.train(10)
        one.save()
    return one


@pytest.mark.parametrize("run_id", ["x/../../../../victim", "00000000"])
def test_a_run_that_gives_itself_another_id_is_not_opened_and_nothing_outside_is_touched(store, home, tmp_path, run_id):
    precious = tmp_path / "victim" / "photos"
    precious.mkdir(parents=True)
    (precious / "me.jpg").write_bytes(b"me")
    one = made(store, home, "cats")
    change(store, f"{one.joined.folder}run.json", run_id=run_id)
    with pytest.raises(FormatError, match=r"run\.json"):
        publish(Path(store.url), home, "cats", [20])  # its retention would forget what this machine kept of the run
    assert [p.name for p in precious.iterdir()] == ["me.jpg"]


def test_a_root_that_gives_itself_a_path_for_an_id_is_not_opened(store, home):
    made(store, home, "cats")
    change(store, "batonpass.json", root_id="../../elsewhere")
    with pytest.raises(FormatError, match=r"batonpass\.json"), leg(store, home, name="cats"):
        pass


def test_a_session_that_lists_another_runs_checkpoint_is_left_out_and_no_prune_touches_the_other_run(
    store, home, monkeypatch
):
    monkeypatch.setattr("batonpass.sync.pruning.GRACE", timedelta(0))
    dogs = made(store, home, "dogs")
    cats = made(store, home, "cats")
    theirs = json.loads(store.get(session_key(dogs)))["checkpoints"]
    change(store, session_key(cats), checkpoints=[{**theirs[0], "step": 1}])
    before = [info.key for info in store.list_objects(dogs.joined.folder)]
    with leg(store, home, name="cats") as second:
        for _ in range(6):
            second.train(10)
            second.save()
        second.active._pruner.prune()
        second.active._pruner.prune()
        assert any(cats.joined.session in reason for reason in read_run(store, cats.joined.folder).broken)
    assert [info.key for info in store.list_objects(dogs.joined.folder)] == before


@pytest.mark.parametrize(
    "key", ["{dogs}head.json", "batonpass.json", "{cats}run.json", "{cats}checkpoints/../run.json"]
)
def test_a_deletions_file_removes_nothing_but_checkpoints_of_its_own_run(store, home, monkeypatch, key):
    monkeypatch.setattr("batonpass.sync.pruning.GRACE", timedelta(0))
    dogs, cats = made(store, home, "dogs"), made(store, home, "cats")
    key = key.format(dogs=dogs.joined.folder, cats=cats.joined.folder)
    entry = {"key": key, "at": "2020-01-01T00:00:00Z", "removed": True, "files": ["10-model-00000000.bin"]}
    store.put(f"{cats.joined.folder}deletions/them.json", json.dumps({"by": "them", "entries": [entry]}).encode())
    before = {info.key for info in store.list_objects("")}
    with leg(store, home, name="cats") as second:
        second.train(10)
        second.save()
        second.active._pruner.prune()
    assert before <= {info.key for info in store.list_objects("")}


def test_a_session_file_that_speaks_for_another_session_is_left_out(store, home):
    cats = made(store, home, "cats")
    change(store, session_key(cats), id="20200101t000000-000000")
    run = read_run(store, cats.joined.folder)
    assert run.sessions == ()
    assert cats.joined.session in run.broken[0]


def test_a_deletions_file_that_speaks_for_another_writer_is_left_out(store, home):
    cats = made(store, home, "cats")
    store.put(f"{cats.joined.folder}deletions/them.json", json.dumps({"by": cats.joined.session}).encode())
    run = read_run(store, cats.joined.folder)
    assert run.deletions == ()
    assert "them.json" in run.broken[0]


def test_a_damaged_session_file_of_this_machine_is_said_and_keeps_nobody_from_starting(store, home):
    cats = made(store, home, "cats")
    store.put(session_key(cats), b"{")
    with leg(store, home, name="cats", takeover=True) as second:
        assert any(cats.joined.session in line and "could not be sent yet" in line for line in second.said)
