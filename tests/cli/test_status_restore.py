"""`status` and `restore`, as processes on a real folder store."""

from __future__ import annotations

import hashlib
import json

import pytest
from published import publish


def tree_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_status_says_the_state_the_safe_step_and_every_session(batonpass, run_of_two):
    done = batonpass("status", "cats-v2", "--store", run_of_two.root)
    assert done.returncode == 0, done.stderr
    assert "safe: step 200" in done.stdout
    assert run_of_two.session in done.stdout
    assert "closed below the goal" in done.stdout


def test_status_as_json_has_the_documented_keys(batonpass, run_of_two):
    done = batonpass("status", run_of_two.run_id, "--json", env={"BATONPASS_STORE": str(run_of_two.root)})
    tree = json.loads(done.stdout)
    assert tree["run"]["id"] == run_of_two.run_id
    assert tree["safe"]["step"] == 200
    assert [c["step"] for c in tree["checkpoints"]] == [200, 100]
    assert tree["broken"] == []


def test_restore_brings_back_the_newest_checkpoint_byte_for_byte_under_its_own_names(batonpass, run_of_two, tmp_path):
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    found = tree_of(tmp_path / "back")
    manifest = json.loads(found.pop("manifest.json"))
    assert found == run_of_two.contents[200]
    assert {f["name"]: f["sha256"] for f in manifest["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }


def test_restore_of_a_step_brings_back_that_step(batonpass, run_of_two, tmp_path):
    (tmp_path / "back").mkdir()
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--step", 100, "--to", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    found = tree_of(tmp_path / "back")
    del found["manifest.json"]
    assert found == run_of_two.contents[100]


def test_restore_refuses_a_folder_that_holds_anything(batonpass, run_of_two, tmp_path):
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "model.safetensors").write_bytes(b"mine")
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", tmp_path / "back")
    assert done.returncode == 2
    assert "What to do" in done.stderr
    assert tree_of(tmp_path / "back") == {"model.safetensors": b"mine"}


def test_restore_of_a_step_that_was_never_published_names_those_that_were(batonpass, run_of_two, tmp_path):
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--step", 150, "--to", tmp_path / "back")
    assert done.returncode == 2
    assert "200, 100" in done.stderr
    assert not (tmp_path / "back").exists()


def damage(made, step):
    manifest = json.loads((made.root / made.keys[step]).read_text())
    pool = made.path / "files" / manifest["files"][0]["pool"]
    content = bytearray(pool.read_bytes())
    content[100] ^= 1
    pool.write_bytes(bytes(content))
    return pool, bytes(content)


def test_a_corrupt_newest_checkpoint_is_passed_over_and_said_and_left_as_it_is(batonpass, run_of_two, tmp_path):
    pool, damaged = damage(run_of_two, 200)
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", tmp_path / "back")
    assert done.returncode == 0
    assert "step 200 was passed over" in done.stderr
    found = tree_of(tmp_path / "back")
    del found["manifest.json"]
    assert found == run_of_two.contents[100]
    assert pool.read_bytes() == damaged


def test_asking_for_the_corrupt_step_itself_fails_and_leaves_nothing(batonpass, run_of_two, tmp_path):
    damage(run_of_two, 200)
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--step", 200, "--to", tmp_path / "back")
    assert done.returncode == 7
    assert not (tmp_path / "back").exists()


def test_when_every_checkpoint_is_corrupt_nothing_is_restored(batonpass, run_of_two, tmp_path):
    damage(run_of_two, 100)
    damage(run_of_two, 200)
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", tmp_path / "back")
    assert done.returncode == 6
    assert not (tmp_path / "back").exists()


def test_an_unknown_run_is_named_with_those_that_are_there(batonpass, run_of_two):
    done = batonpass("status", "dogs", "--store", run_of_two.root)
    assert done.returncode == 3
    assert f"cats-v2-{run_of_two.run_id}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ['it\'s "quoted" / with \\ slashes', "../../etc/passwd", "-v2", "котики"])
def test_any_name_finds_its_run_and_nothing_else(batonpass, tmp_path, name):
    made = publish(tmp_path / "drive", tmp_path / "home", name)
    done = batonpass("status", "--store", made.root, "--", name)
    assert done.returncode == 0, done.stderr
    assert made.run_id in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drive", "home"]


def test_two_runs_of_one_name_are_both_offered(batonpass, run_of_two):
    twin = run_of_two.path.with_name("cats-v2-00112233")
    import shutil

    shutil.copytree(run_of_two.path, twin)
    done = batonpass("status", "cats-v2", "--store", run_of_two.root)
    assert done.returncode == 4
    assert "00112233" in done.stderr
    assert run_of_two.run_id in done.stderr
    assert batonpass("status", run_of_two.run_id, "--store", run_of_two.root).returncode == 0


def test_a_folder_that_is_not_ours_is_left_alone(batonpass, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    done = batonpass("status", "cats", "--store", tmp_path / "photos")
    assert done.returncode == 16
    assert tree_of(tmp_path / "photos") == {"cat.jpg": b"meow"}


def test_a_store_with_nothing_in_it_says_so_and_creates_nothing(batonpass, tmp_path):
    done = batonpass("status", "cats", "--store", tmp_path / "nowhere")
    assert done.returncode == 12
    assert not (tmp_path / "nowhere").exists()


def test_a_mount_that_is_not_there_is_said(batonpass, tmp_path):
    point = tmp_path / "mount"
    done = batonpass("status", "cats", "--store", point / "MyDrive" / "b", env={"BATONPASS_MOUNT_POINTS": str(point)})
    assert done.returncode == 16
    assert not point.exists()


def test_no_store_at_all_is_a_wrong_call(batonpass):
    done = batonpass("status", "cats")
    assert done.returncode == 2
    assert "BATONPASS_STORE" in done.stderr


def test_what_a_store_says_cannot_drive_the_terminal(batonpass, run_of_two):
    session = run_of_two.path / "sessions" / f"{run_of_two.session}.json"
    session.write_text(session.read_text().replace('"school"', '"\\u001b[2Jschool\\u202e"'))
    done = batonpass("status", "cats-v2", "--store", run_of_two.root)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_who_caps_the_link_is_told_where_that_does_not_hold(batonpass, run_of_two, tmp_path):
    """A folder's bytes are moved by the system or by another program; one line, and the restore goes on."""
    back = tmp_path / "back"
    done = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", back, "--max-download", "8")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the cap on the link does not hold there") == 1
    refused = batonpass("restore", "cats-v2", "--store", run_of_two.root, "--to", tmp_path / "x", "--max-download", "0")
    assert refused.returncode == 2
    assert "megabits" in refused.stderr
