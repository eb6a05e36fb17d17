"""This machine and this process, on the real system."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from batonpass.core.errors import BatonpassError
from batonpass.core.settings import read_settings
from batonpass.sync import machine


def in_new_process(code, **env):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    return done.stdout.strip()


HOST = "from batonpass.sync.machine import describe_host as d; h = d(); print(h.machine, h.process)"


def test_two_processes_on_one_machine_have_one_machine_and_two_processes():
    first, second = in_new_process(HOST).split(), in_new_process(HOST).split()
    assert first[0] == second[0] == machine.describe_host().machine
    assert first[1] != second[1]


def test_another_home_means_another_machine_because_its_salt_is_another(tmp_path):
    assert in_new_process(HOST, BATONPASS_HOME=str(tmp_path)).split()[0] != machine.describe_host().machine


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_copied_home_on_another_boot_container_or_host_is_another_machine(monkeypatch, tmp_path):
    home = read_settings().home
    here = machine.describe_host().machine
    copied = tmp_path / "copy"
    shutil.copytree(home, copied)
    assert machine.salted_hash(copied, machine.machine_marks()) == here
    monkeypatch.setattr(socket, "gethostname", lambda: "another-container")
    assert machine.salted_hash(copied, machine.machine_marks()) != here


def test_no_raw_value_of_the_machine_stands_in_the_host():
    text = repr(machine.describe_host())
    for raw in machine.machine_marks().split("\n"):
        assert raw
        assert raw not in text


def test_the_host_states_real_amounts():
    host = machine.describe_host()
    assert host.provider in {"other", "colab", "kaggle"}
    assert host.cpu_count >= 1
    assert host.ram_bytes > 2**28
    assert host.disk_free_bytes >= 0
    assert re.fullmatch(r"\d+-\d+", host.process)


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
def test_the_salt_is_private_and_stays():
    first = machine.describe_host().machine
    salt = read_settings().home / machine.SALT_FILE
    assert salt.stat().st_mode & 0o077 == 0
    assert machine.describe_host().machine == first
    assert [p.name for p in salt.parent.iterdir()] == [machine.SALT_FILE]


def test_a_salt_made_by_another_process_in_the_same_moment_wins_for_both(tmp_path):
    path = tmp_path / machine.SALT_FILE
    path.write_text("theirs")
    machine._create_once(path, "ours")
    assert path.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == [machine.SALT_FILE]


def test_a_filesystem_without_hard_links_gets_its_salt_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    machine._create_once(tmp_path / "salt", "ours")
    assert (tmp_path / "salt").read_text() == "ours"


def test_a_home_that_cannot_be_written_is_said_with_a_hint(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BatonpassError, match="BATONPASS_HOME"):
        machine.describe_host(read_settings({"BATONPASS_HOME": str(blocked / "home")}))


def test_this_process_lives():
    assert machine.process_lives(machine.process_mark())


def test_a_killed_process_is_gone_even_before_its_parent_has_collected_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = machine.process_mark(child.pid)
    try:
        assert machine.process_lives(mark)
        os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and left as a zombie
            assert Path(f"/proc/{child.pid}").exists() or sys.platform != "linux"
        assert not machine.process_lives(mark)
    finally:
        child.kill()
        child.communicate()
    assert not machine.process_lives(mark)


def test_a_pid_that_was_given_out_again_is_not_the_old_process():
    pid, started = machine.process_mark().split("-")
    assert not machine.process_lives(f"{pid}-{int(started) - 10}")


@pytest.mark.parametrize("mark", ["", "-", "abc-def", "12", "1-2-3", "-5-7", "\u0661-\u0662"])
def test_a_mark_that_cannot_be_read_proves_nothing(mark):
    assert machine.process_lives(mark)


def test_a_pid_beyond_every_system_is_gone():
    assert not machine.process_lives("99999999999999999999-1")


def test_versions_name_python_and_ours_and_import_nothing():
    code = (
        "import sys; from batonpass.sync.machine import versions; v = versions();"
        "assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules); print(sorted(v))"
    )
    found = in_new_process(code)
    assert "'python'" in found
    assert "'cuda'" not in found


def test_versions_tell_cuda_once_torch_is_loaded_with_it(monkeypatch):
    from types import SimpleNamespace as Space

    torch = Space(
        __version__="2.11.0+cu128",
        version=Space(cuda="12.8"),
        backends=Space(cudnn=Space(version=lambda: 91002)),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = machine.versions()
    assert (found["cuda"], found["cudnn"]) == ("12.8", "91002")
