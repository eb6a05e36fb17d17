"""`bp.watch`, `bp.restore` and `bp.adopt`, as a notebook calls them."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from watch.trainers import hf_folder, safetensors, torch_zip

import batonpass as bp
from batonpass.core.errors import UsageError


def test_watch_mirrors_in_the_background_and_restore_brings_it_back(tmp_path):
    with bp.watch(tmp_path / "out", run="cats", store=tmp_path / "drive", every_s=0.02, say=lambda _: None) as watch:
        hf_folder(tmp_path / "out", 300)
        watch.log(300, {"loss": 0.5})
        deadline = time.monotonic() + 30
        while watch.status().durable is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    back = bp.restore("cats", store=tmp_path / "drive", to=tmp_path / "back")
    assert (back / "checkpoint-300" / "model.safetensors").read_bytes() == safetensors(300)
    assert (back / "manifest.json").is_file()


def test_watching_again_in_one_kernel_closes_the_first_watch(tmp_path):
    said = []
    first = bp.watch(tmp_path / "out", run="cats", store=tmp_path / "drive", every_s=0.02, say=said.append)
    second = bp.watch(tmp_path / "out", run="cats", store=tmp_path / "drive", every_s=0.02, say=said.append)
    assert first.run_id == second.run_id
    assert any("closing that session first" in line for line in said)
    assert second.stop()


@pytest.mark.parametrize("name", ["old model (1).pt", "weights.safetensors", "notes.unknown"])
def test_an_adopted_file_comes_back_as_it_was(tmp_path, name):
    content = safetensors(1) if name.endswith("safetensors") else torch_zip(1)
    (tmp_path / name).write_bytes(content)
    adopted = bp.adopt(tmp_path / name, run="cats", store=tmp_path / "drive")
    assert adopted.proven
    back = bp.restore("cats", store=tmp_path / "drive", to=tmp_path / "back")
    assert (back / name).read_bytes() == content
    assert (tmp_path / name).read_bytes() == content


def test_an_adopted_folder_comes_back_whole(tmp_path):
    (tmp_path / "ckpt" / "sub").mkdir(parents=True)
    (tmp_path / "ckpt" / "a.pt").write_bytes(torch_zip(1))
    (tmp_path / "ckpt" / "sub" / "b.txt").write_text("hello")
    bp.adopt(tmp_path / "ckpt", run="cats", store=tmp_path / "drive")
    back = bp.restore("cats", store=tmp_path / "drive", to=tmp_path / "back")
    assert (back / "ckpt" / "sub" / "b.txt").read_text() == "hello"


def test_adopting_under_a_name_that_is_there_changes_nothing(tmp_path):
    (tmp_path / "a.pt").write_bytes(torch_zip(1))
    bp.adopt(tmp_path / "a.pt", run="cats", store=tmp_path / "drive")
    before = sorted(p.as_posix() for p in (tmp_path / "drive").rglob("*"))
    with pytest.raises(UsageError):
        bp.adopt(tmp_path / "a.pt", run="cats", store=tmp_path / "drive")
    assert sorted(p.as_posix() for p in (tmp_path / "drive").rglob("*")) == before


def test_a_cut_off_file_is_not_adopted_and_nothing_is_created(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safetensors(1)[:-5])
    with pytest.raises(bp.BatonpassError, match="not whole"):
        bp.adopt(tmp_path / "a.safetensors", run="cats", store=tmp_path / "drive")
    assert not (tmp_path / "drive").exists()


def test_importing_the_front_door_loads_nothing_heavy(tmp_path):
    code = (
        "import sys, batonpass, batonpass.watching, batonpass.restoring, batonpass.adopting, batonpass.__main__\n"
        "heavy = {'torch', 'pyarrow', 'numpy', 'googleapiclient', 'apscheduler', 'streamlit', 'requests'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
