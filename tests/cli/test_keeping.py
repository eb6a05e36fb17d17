"""`verify`, `prune`, `forget` and `copy`, as processes on a real folder store."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from cli.test_status_restore import damage, tree_of
from published import joined_session, publish, write_checkpoint

from batonpass.core.model import EndKind
from batonpass.core.settings import Settings
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store


def test_verify_finds_nothing_wrong_with_a_whole_run(batonpass, run_of_two):
    done = batonpass("verify", "cats-v2", "--store", run_of_two.root, "--read", "1/1", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert (tree["checkpoints"], tree["files"], tree["read_files"]) == (2, 4, 4)
    assert tree["findings"] == []


def test_a_flipped_bit_is_found_with_its_step_and_file(batonpass, run_of_two):
    damage(run_of_two, 200)
    done = batonpass("verify", "cats-v2", "--store", run_of_two.root, "--read", "1/1", "--json")
    assert done.returncode == 7
    assert [(f["step"], f["file"]) for f in json.loads(done.stdout)["findings"]] == [(200, "model.safetensors")]


def test_a_missing_and_a_cut_off_file_are_found_without_reading(batonpass, run_of_two):
    files = sorted((run_of_two.path / "files").iterdir())
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1])
    done = batonpass("verify", "cats-v2", "--store", run_of_two.root, "--json")
    assert done.returncode == 7
    assert len(json.loads(done.stdout)["findings"]) == 2


@pytest.mark.parametrize("share", ["0/7", "8/7", "x", "1/0", "-1/2"])
def test_a_share_that_is_none_is_a_wrong_call(batonpass, run_of_two, share):
    assert batonpass("verify", "cats-v2", "--store", run_of_two.root, f"--read={share}").returncode == 2


def test_a_seventh_a_day_reads_everything_in_a_week():
    from fractions import Fraction
    from hashlib import sha256

    from batonpass.sync.verifying import Share

    names = [sha256(str(n).encode()).hexdigest() for n in range(200)]
    for share in (Fraction(1, 7), Fraction(2, 7), Fraction(1, 1)):
        read = [{n for n in names if Share(share, 739_000 + day).holds(n)} for day in range(7)]
        assert set().union(*read) == set(names)
        assert all(len(part) <= 200 * share * 2 for part in read)


def test_prune_dry_run_lists_the_bytes_and_removes_nothing(batonpass, tmp_path):
    made = publish(tmp_path / "drive", tmp_path / "home", steps=(1, 2, 3, 4))
    before = tree_of(made.root)
    done = batonpass("prune", "cats-v2", "--store", made.root, "--keep", 2, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert sorted(v["step"] for v in tree["remove"]) == [1, 2]
    assert tree["freed_bytes"] == sum(len(c) for step in (1, 2) for c in made.contents[step].values())
    assert tree_of(made.root) == before


def test_prune_without_a_holder_removes_and_what_stays_restores(batonpass, tmp_path):
    made = publish(tmp_path / "drive", tmp_path / "home", steps=(1, 2, 3, 4))
    done = batonpass("prune", "cats-v2", "--store", made.root, "--keep", 2)
    assert done.returncode == 0, done.stderr
    assert not (made.root / made.keys[1]).exists()
    assert (made.root / made.keys[4]).exists()
    assert batonpass("restore", "cats-v2", "--store", made.root, "--to", tmp_path / "back").returncode == 0
    assert batonpass("verify", "cats-v2", "--store", made.root, "--read", "1/1").returncode == 0
    again = batonpass("prune", "cats-v2", "--store", made.root, "--keep", 2, "--json")
    assert json.loads(again.stdout)["remove"] == []


def test_the_files_go_with_a_later_prune_and_only_those_that_nothing_needs(batonpass, tmp_path):
    from datetime import timedelta

    from batonpass.core.clock import utc_now
    from batonpass.sync.pruning import Keep, Pruner
    from batonpass.sync.stores.folder import FolderStore

    made = publish(tmp_path / "drive", tmp_path / "home", steps=(1, 2, 3, 4))
    for minutes, files in ((0, 8), (3, 8), (10, 4)):
        store = FolderStore(made.root, now=lambda later=minutes: utc_now() + timedelta(minutes=later))
        Pruner(store, made.folder, None, Keep(last=2), by="cli-test").prune()
        assert len(list((made.path / "files").iterdir())) == files
    assert batonpass("verify", "cats-v2", "--store", made.root, "--read", "1/1").returncode == 0


def test_prune_with_a_living_holder_only_asks_and_the_holder_does_it(batonpass, tmp_path):
    home = os.environ["BATONPASS_HOME"]
    from pathlib import Path

    with joined_session(tmp_path / "drive", Path(home), "cats-v2") as (active, state):
        for step in (1, 2, 3, 4):
            enqueue(active, state, step)
        key = active.joined.writer.record.checkpoints[0].key
        done = batonpass("prune", "cats-v2", "--store", tmp_path / "drive", "--keep", 2)
        assert done.returncode == 0, done.stderr
        assert active.joined.session in done.stdout
        assert (tmp_path / "drive" / key).exists()
        active._pruned_at = -1e9
        enqueue(active, state, 5)
        assert not (tmp_path / "drive" / key).exists()
        assert active.close(EndKind.CLOSED)


def enqueue(active, state, step):
    joined = active.joined
    files = {"model.safetensors": bytes([step]) * 500}
    state["step"] = step
    active.enqueue(
        *write_checkpoint(joined.local.checkpoints, joined.info.run_id, joined.session, step, files, rows=step)
    )
    assert active.service.drain(30)


def test_forget_asks_for_the_name_and_without_it_deletes_nothing(batonpass, run_of_two):
    before = tree_of(run_of_two.root)
    assert batonpass("forget", "cats-v2", "--store", run_of_two.root, stdin="cats\n").returncode == 2
    assert batonpass("forget", "cats-v2", "--store", run_of_two.root, stdin="").returncode == 2
    assert tree_of(run_of_two.root) == before


def test_forget_deletes_everything_of_that_run_and_of_no_other(batonpass, run_of_two, tmp_path):
    other = publish(run_of_two.root, tmp_path / "home", "dogs", seed=1)
    before = tree_of(other.path)
    env = {"BATONPASS_HOME": str(tmp_path / "home")}
    done = batonpass("forget", "cats-v2", "--store", run_of_two.root, stdin="cats-v2\n", env=env)
    assert done.returncode == 0, done.stderr
    assert not run_of_two.path.exists()
    assert tree_of(other.path) == before
    assert not list((tmp_path / "home" / "runs").glob(f"*-{run_of_two.run_id}"))
    assert list((tmp_path / "home" / "runs").glob(f"*-{other.run_id}"))
    assert batonpass("status", "cats-v2", "--store", run_of_two.root).returncode == 3


def test_forget_goes_on_where_it_was_stopped(batonpass, run_of_two):
    shutil.rmtree(run_of_two.path / "sessions")
    (run_of_two.path / "run.json").unlink()
    assert batonpass("forget", run_of_two.run_id, "--yes", "--store", run_of_two.root).returncode == 0
    assert not run_of_two.path.exists()


def test_forget_refuses_while_a_session_holds_the_run(batonpass, tmp_path):
    from pathlib import Path

    home = Path(os.environ["BATONPASS_HOME"])
    with joined_session(tmp_path / "drive", home, "cats-v2") as (active, _):
        done = batonpass("forget", "cats-v2", "--yes", "--store", tmp_path / "drive")
        assert done.returncode == 5
        assert active.joined.session in done.stderr
        assert active.close(EndKind.CLOSED)
    assert batonpass("forget", "cats-v2", "--yes", "--store", tmp_path / "drive").returncode == 0


def test_copy_makes_a_second_store_that_restores_and_a_second_copy_sends_nothing(batonpass, run_of_two, tmp_path):
    done = batonpass("copy", run_of_two.root, tmp_path / "second")
    assert done.returncode == 0, done.stderr
    store = open_store(str(tmp_path / "second"), Settings(home=tmp_path / "h"))
    assert read_run(store, run_of_two.folder).info.run_id == run_of_two.run_id
    assert batonpass("restore", "cats-v2", "--store", tmp_path / "second", "--to", tmp_path / "back").returncode == 0
    assert "copied 0 objects" in batonpass("copy", run_of_two.root, tmp_path / "second").stdout


def test_copy_into_somebody_elses_folder_is_refused(batonpass, run_of_two, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    assert batonpass("copy", run_of_two.root, tmp_path / "photos").returncode == 16
    assert tree_of(tmp_path / "photos") == {"cat.jpg": b"meow"}


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files stands in for a full disk")
@pytest.mark.parametrize(
    "words", [("copy", "drive", "second"), ("restore", "cats-v2", "--store", "drive", "--to", "second")]
)
def test_a_disk_without_room_is_said_and_nothing_is_overwritten_or_half(batonpass, run_of_two, tmp_path, words):
    before = tree_of(run_of_two.root)
    done = batonpass(*words, file_limit=2000)
    assert done.returncode == 14, done.stderr
    assert "Traceback" not in done.stderr
    assert tree_of(run_of_two.root) == before
    assert not [
        name for name in (tree_of(tmp_path / "second") if (tmp_path / "second").exists() else {}) if "model" in name
    ]
    assert batonpass(*words).returncode == 0
