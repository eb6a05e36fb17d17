"""A run that the first release wrote (tests/golden/format-1, made by make_format_1.py) is read by every later one: nobody's store grows old."""

from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from golden.make_format_1 import GOAL, build, fingerprint
from house.checkout import CHECKOUT

import batonpass as bp
from batonpass.core import naming
from batonpass.core.codec import decode
from batonpass.core.errors import CorruptCheckpointError
from batonpass.core.lineage import Role, legs, resume_candidates
from batonpass.core.metrics.segments import decode_segment
from batonpass.core.metrics.tail import decode_tail
from batonpass.core.model import Account, EndKind, Note
from batonpass.core.storage import Store
from batonpass.core.training.attached import Attached
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.demo.proof import check_durable
from batonpass.sync.proof import prove
from batonpass.sync.reading import find_run_folder, read_manifest, read_root, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store

EXAMPLE = CHECKOUT / "tests/golden/format-1"
EXPECTED = json.loads((EXAMPLE / "expected.json").read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy: the frozen one is never written to."""
    return shutil.copytree(EXAMPLE / "store", tmp_path / "store")


@pytest.fixture
def store(root: Path) -> Store:
    return open_store(root)


@pytest.fixture
def run(store):
    return read_run(store, EXPECTED["folder"])


def rows_of(store: Store, session) -> list:
    sealed = [row for s in session.segments for row in decode_segment(store.get(s.key), key=s.key)]
    return sealed + [row for row in decode_tail(session.tail) if row.row >= len(sealed)]


def test_the_example_is_small_and_holds_nothing_but_the_format():
    files = [path for path in EXAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60_000
    for path in files:
        if path.name != "expected.json":
            naming.check_key(path.relative_to(EXAMPLE / "store").as_posix())


def test_the_run_is_found_by_name_slug_and_id_and_reads_whole(store, run):
    for wanted in ("Golden / example", "golden-example", EXPECTED["run_id"]):
        assert find_run_folder(store, wanted) == EXPECTED["folder"]
    assert len(read_root(store).root_id) == 12
    assert run.broken == ()
    assert run.info.config == {"lr": 0.05, "tags": ["a", None]}
    assert run.info.goal_steps == GOAL


def test_what_the_user_wrote_is_there(store, run):
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert (run.annotations.title, run.annotations.tags, run.annotations.deadline) == ("An example", ("demo",), now)
    (entry,) = store.list_objects(naming.notes_folder(run.folder))
    assert decode(Note, store.get(entry.key)).text == "first line\n<b>not bold</b> ü"
    account = decode(Account, store.get(naming.account_file("school")))
    assert (account.plan, account.price, account.currency, account.units_seen_at) == ("Pro", 11.79, "EUR", now)


def test_the_sessions_tell_one_story(run):
    first, second = (each.session for each in run.sessions)
    assert [first.id, second.id] == EXPECTED["sessions"] == list(run.head.sessions)
    assert (first.end.kind, second.end.kind) == (EndKind.CLOSED, EndKind.FINISHED)
    assert (second.resumed_from.session, second.resumed_from.step, second.resumed_from.label) == (first.id, 4, "EXACT")
    assert (first.term, second.term) == (1, 2)
    assert [leg.role for leg in legs(run.head, [first, second])] == [Role.TRUNK, Role.TRUNK]


def test_every_logged_value_is_read_from_segment_and_tail(store, run):
    for each, losses in zip(run.sessions, EXPECTED["losses"], strict=True):
        rows = rows_of(store, each.session)
        assert [row.row for row in rows] == list(range(each.session.rows))
        assert [row.value for row in rows if row.name == "loss"] == losses
    odd = [row.value for row in rows_of(store, run.sessions[0].session) if row.name == "odd"]
    assert odd[0] == -math.inf
    assert math.isnan(odd[1])


def test_the_checkpoint_to_resume_is_found_and_the_one_asked_to_go_is_passed_over(run):
    sessions = [each.session for each in run.sessions]
    found = resume_candidates(run.head, sessions, deleted=run.deleted)
    assert [(c.session, c.step, bool(c.passed_over)) for c in found] == [
        (EXPECTED["sessions"][1], 9, False),
        (EXPECTED["sessions"][0], 4, True),
    ]
    assert run.deleted == {EXPECTED["deleted"]}


def test_every_byte_that_a_manifest_names_is_there(store, run):
    for each in run.sessions:
        for listing in each.session.checkpoints:
            for file in read_manifest(store, listing.key).files:
                key = naming.pool_file(run.folder, file.pool)
                assert prove(store, key, size_bytes=file.size_bytes, sha256=file.sha256, md5=file.md5)


@pytest.mark.parametrize("index", [0, 1])
def test_each_checkpoint_restores_to_the_weights_it_was_made_of(store, run, tmp_path, index):
    (listing,) = run.sessions[index].session.checkpoints
    folder, _ = fetch_checkpoint(store, run.folder, listing, tmp_path / "back")
    parts = build()
    attached = Attached()
    attached.add(model=parts["model"], optimizer=parts["optimizer"], scheduler=parts["scheduler"])
    report = apply(read_checkpoint(folder), attached)
    assert report.missing == ()
    assert fingerprint(parts["model"]) == EXPECTED["weights"][index]
    assert attached.state["best"] == min(EXPECTED["losses"][index])


def test_a_byte_changed_in_the_example_is_noticed(root, store, run, tmp_path):
    (listing,) = run.sessions[1].session.checkpoints
    (file,) = root.rglob("9-model-*.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(CorruptCheckpointError):
        fetch_checkpoint(store, run.folder, listing, tmp_path / "back")


def test_the_demos_proof_asks_for_what_is_durable_and_not_for_what_is_being_removed(root, store):
    (root / EXPECTED["deleted"]).unlink()
    found = check_durable(store)
    assert (found.promised, found.restored, found.newest_step) == (1, 1, GOAL)


def test_todays_release_goes_on_with_the_run(root, capsys):
    parts = build()
    run = bp.start("Golden / example", store=root, run_id=EXPECTED["run_id"], goal_steps=GOAL + 3, save_every_s=1e6)
    run.attach(**{name: part for name, part in parts.items() if name != "loader"})
    assert run.step == GOAL
    assert fingerprint(parts["model"]) == EXPECTED["weights"][1]
    for inputs, target in run.steps(parts["loader"]):
        parts["optimizer"].zero_grad()
        torch.nn.functional.mse_loss(parts["model"](inputs), target).backward()
        parts["optimizer"].step()
        parts["scheduler"].step()
    assert run.finish()
    assert run.step == GOAL + 3
    assert "continuing at step 10 of 12; nothing lost" in capsys.readouterr().out


def test_the_page_on_the_format_opens_a_checkpoint_without_batonpass(root, monkeypatch):
    text = (CHECKOUT / "docs/FORMAT.md").read_text()
    code = "\n".join(block.split("```")[0] for block in text.split("```python\n")[1:])
    code = code.replace("runs/cats-v2-1f2e3d4c", EXPECTED["folder"].rstrip("/"))
    code = code.replace("20261123t083953-1f2e3d", EXPECTED["sessions"][1])
    monkeypatch.chdir(root)
    found: dict = {}
    exec(code, found)
    trained = found["weights"]["trained.weight"]
    assert trained.shape == (4, 4)
