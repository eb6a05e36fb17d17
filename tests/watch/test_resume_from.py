"""`resume_from` brings the newest durable checkpoint under its own name, and never lets a training begin anew by mistake."""

from __future__ import annotations

import pytest
from watch.trainers import hf_folder

import batonpass as bp
from batonpass.callbacks.mirroring import Mirroring
from batonpass.core.errors import NothingToRestoreError, UsageError
from batonpass.sync.placing import ASIDE


@pytest.fixture
def said():
    return []


@pytest.fixture
def mirroring(tmp_path, said):
    return Mirroring("cats", store=tmp_path / "drive", account=None, keep=5, say=said.append)


@pytest.fixture
def trained(tmp_path, mirroring):
    """A first day that ended at step 500."""
    mirroring.begin(tmp_path / "day1")
    mirroring.log(500, {"loss": 0.5})
    hf_folder(tmp_path / "day1", 500)
    mirroring.end()
    return tmp_path / "day1"


def resume(mirroring, folder, *, from_scratch=False):
    return mirroring.resume_from(folder, from_scratch=from_scratch)


def test_the_first_day_has_nothing_to_resume(mirroring, tmp_path, said):
    assert resume(mirroring, tmp_path / "day1") is None
    assert "NEW" in said[-1]
    assert not (tmp_path / "drive").exists()


def test_another_machine_gets_every_byte_under_its_own_name(mirroring, trained, tmp_path):
    path = resume(mirroring, tmp_path / "day2")
    assert path == tmp_path / "day2" / "checkpoint-500"
    for each in (trained / "checkpoint-500").iterdir():
        assert (path / each.name).read_bytes() == each.read_bytes()


def test_what_lies_there_already_is_used_as_it_is(mirroring, trained):
    inode = (trained / "checkpoint-500" / "model.safetensors").stat().st_ino
    assert resume(mirroring, trained) == trained / "checkpoint-500"
    assert (trained / "checkpoint-500" / "model.safetensors").stat().st_ino == inode


def test_what_stands_in_its_place_is_moved_aside_and_not_mixed_in(mirroring, trained, tmp_path):
    half = tmp_path / "day2" / "checkpoint-500"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    (half / "from_another_life.pt").write_bytes(b"x")
    path = resume(mirroring, tmp_path / "day2")
    assert not (path / "from_another_life.pt").exists()
    assert [p.read_bytes() for p in (tmp_path / "day2" / ASIDE).rglob("model.safetensors")] == [b"half"]


def test_a_call_that_was_cut_off_is_done_again(mirroring, trained, tmp_path):
    """It died when half of the files had been moved to their places."""
    staging = tmp_path / "day2" / ".batonpass-resume"
    staging.mkdir(parents=True)
    (staging / "manifest.json").write_text("{}")
    assert (resume(mirroring, tmp_path / "day2") / "trainer_state.json").exists()
    assert not staging.exists()


def test_a_run_that_was_trained_and_cannot_be_brought_back_is_never_begun_anew(mirroring, trained, tmp_path, said):
    for pool in (tmp_path / "drive").rglob("files/*"):
        pool.write_bytes(b"rotten")
    with pytest.raises(NothingToRestoreError) as caught:
        resume(mirroring, tmp_path / "day2")
    assert "from_scratch=True" in caught.value.hint
    assert resume(mirroring, tmp_path / "day2", from_scratch=True) is None
    assert "as you asked" in said[-1]


def test_a_run_without_any_checkpoint_that_logged_numbers_counts_as_trained(mirroring, tmp_path):
    mirroring.begin(tmp_path / "day1")
    mirroring.log(40, {"loss": 1.0})
    mirroring.end()
    with pytest.raises(NothingToRestoreError):
        resume(mirroring, tmp_path / "day2")


def test_a_store_that_has_lost_the_runs_head_is_not_taken_for_a_new_one(mirroring, trained, tmp_path):
    next((tmp_path / "drive").rglob("head.json")).unlink()
    with pytest.raises(bp.BatonpassError):
        resume(mirroring, tmp_path / "day2")


def test_a_run_of_start_is_refused(mirroring, tmp_path):
    bp.start("cats", store=tmp_path / "drive").finish()
    with pytest.raises(UsageError, match=r"batonpass\.start"):
        resume(mirroring, tmp_path / "day2")


def test_a_training_that_begins_at_zero_where_the_run_was_further_is_told_so(mirroring, trained, tmp_path, said):
    mirroring.begin(tmp_path / "day2")
    mirroring.began_anew()
    mirroring.end()
    assert any("begins from zero" in line and "resume_from()" in line for line in said)


def test_numbers_that_are_reported_twice_at_a_step_are_logged_once(mirroring, tmp_path):
    from watch.test_callbacks import session_of

    mirroring.begin(tmp_path / "day1")
    mirroring.log(3, {"loss": 1.0})
    mirroring.log(3, {"loss": 1.0, "val_loss": 2.0})
    mirroring.end()
    session = session_of(tmp_path / "drive")
    assert [session.tail.names[row[4]] for row in session.tail.rows] == ["loss", "val_loss"]
