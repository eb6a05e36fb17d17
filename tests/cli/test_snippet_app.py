"""`snippet`, `agent put`, `doctor`, `app`, `login`, and the frame round all of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from batonpass.__main__ import VERBS
from batonpass.core import errors

DOCS = Path(__file__).parents[2] / "docs" / "CLI.md"


def test_the_cell_for_this_computer_knows_where_its_sign_in_lies(batonpass, tmp_path):
    """Found by itself, as everywhere else on this computer; the token itself never stands in a cell."""
    asked = [
        "snippet",
        "new run",
        "--new",
        "--for",
        "local",
        "--store",
        tmp_path / "drive",
        "--target-store",
        "gdrive://batonpass",
    ]
    home = tmp_path / "signed-in"
    home.mkdir()
    assert "TOKEN_FILE = None" in batonpass(*asked, env={"BATONPASS_HOME": str(home)}).stdout
    token = home / "drive-token.json"
    token.write_text('{"refresh_token": "a-secret"}')
    said = batonpass(*asked, env={"BATONPASS_HOME": str(home)}).stdout
    assert f"TOKEN_FILE = {str(token)!r}" in said
    assert "a-secret" not in said


def test_a_snippet_needs_the_agent_on_the_store_and_says_how(batonpass, run_of_two):
    done = batonpass("snippet", "cats-v2", "--for", "local", "--store", run_of_two.root)
    assert done.returncode == 2
    assert "batonpass agent put" in done.stderr


def test_agent_put_then_snippet_as_text_notebook_and_json(batonpass, run_of_two, tmp_path):
    put = batonpass("agent", "put", "--store", run_of_two.root)
    assert put.returncode == 0, put.stderr
    assert list((run_of_two.root / "agent").glob("*.whl"))
    text = batonpass("snippet", "cats-v2", "--for", "local", "--store", run_of_two.root)
    assert text.returncode == 0, text.stderr
    compile(text.stdout, "cell", "exec")
    assert run_of_two.run_id in text.stdout
    book = tmp_path / "a.ipynb"
    assert (
        batonpass("snippet", "cats-v2", "--for", "local", "--store", run_of_two.root, "--ipynb", book).returncode == 0
    )
    assert json.loads(book.read_text())["nbformat"] == 4
    again = batonpass("snippet", "cats-v2", "--for", "local", "--store", run_of_two.root, "--ipynb", book)
    assert again.returncode == 2
    tree = json.loads(batonpass("snippet", "cats-v2", "--for", "local", "--store", run_of_two.root, "--json").stdout)
    assert set(tree) == {"target", "title", "says", "cells", "ipynb"}


def test_the_first_days_notebook_carries_the_wheel_itself(batonpass, tmp_path):
    book = tmp_path / "day1.ipynb"
    done = batonpass(
        "snippet", "new run", "--new", "--for", "colab-mount", "--store", tmp_path / "drive", "--ipynb", book
    )
    assert done.returncode == 0, done.stderr
    assert "CARRIED" in book.read_text()
    assert not (tmp_path / "drive").exists()


def test_a_target_that_does_not_exist_is_said(batonpass, run_of_two):
    done = batonpass("snippet", "cats-v2", "--for", "nonsense", "--store", run_of_two.root)
    assert done.returncode == 2
    assert "What to do" in done.stderr


def test_the_torch_snippet_needs_no_agent(batonpass, run_of_two):
    done = batonpass("snippet", "cats-v2", "--for", "torch", "--store", run_of_two.root, "--step", 100)
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "cell", "exec")


def test_doctor_looks_at_a_folder_and_says_what_is_wrong(batonpass, run_of_two, tmp_path):
    done = batonpass("doctor", "--store", run_of_two.root, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    tree = json.loads(done.stdout)
    assert tree["ok"] is True
    assert {"name", "ok", "detail", "hint"} == set(tree["checks"][0])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    assert batonpass("doctor", "--store", "nonsense://x").returncode == 1


def test_login_with_a_file_that_is_no_client_is_a_wrong_call(batonpass, tmp_path):
    (tmp_path / "c.json").write_text("{}")
    done = batonpass("login", "--client-secrets", tmp_path / "c.json", "--to", tmp_path / "token.json")
    assert done.returncode == 2
    assert not (tmp_path / "token.json").exists()


def test_the_app_answers_on_this_computer_only(tmp_path, run_of_two):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "batonpass",
        "app",
        "--no-browser",
        "--port",
        str(port),
        "--store",
        str(run_of_two.root),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        answer = b""
        while answer != b"ok":
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[0]
            with contextlib.suppress(OSError):
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).read()
            time.sleep(0.1)
        listening = Path("/proc/net/tcp")
        if listening.exists():
            assert f"00000000:{port:04X}" not in listening.read_text()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_without_streamlit_the_app_says_the_pip_line(tmp_path):
    code = (
        "import importlib.util as u, sys\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'streamlit' else real(name, *a)\n"
        "from batonpass.__main__ import main\n"
        "sys.exit(main(['app']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install" in done.stderr


def test_help_of_every_verb_is_quick_to_load(batonpass):
    for verb in VERBS:
        done = batonpass(verb, "--help")
        assert done.returncode == 0, done.stderr
    code = (
        "import sys\nfrom batonpass.__main__ import main\n"
        "try:\n main(['--help'])\nexcept SystemExit:\n pass\n"
        "heavy = {'cattrs', 'torch', 'pyarrow', 'numpy', 'requests', 'apscheduler', 'streamlit', 'pydrive2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bug_of_ours_is_a_sentence_and_a_traceback_only_on_request(tmp_path, run_of_two):
    code = (
        "import sys\nfrom batonpass.sync.commands import status\n"
        "status.run = lambda args: 1 / 0\n"
        "from batonpass.__main__ import main\nsys.exit(main(['status', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in done.stderr
    env = {**os.environ, "BATONPASS_DEBUG": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert "Traceback" in done.stderr


def test_an_unreachable_drive_ends_soon_with_its_own_exit_code(batonpass):
    token = json.dumps({"client_id": "a", "client_secret": "b", "refresh_token": "c", "type": "authorized_user"})
    env = {"BATONPASS_DRIVE_TOKEN": token, "BATONPASS_DRIVE_ENDPOINT": "http://127.0.0.1:9"}
    done = batonpass("status", "cats", "--store", "gdrive://batonpass", env=env)
    assert done.returncode in (11, 15), done.stderr
    assert "Traceback" not in done.stderr


def test_the_documented_exit_codes_are_the_real_ones():
    def tree(kind):
        yield kind
        for child in kind.__subclasses__():
            yield from tree(child)

    real = {k.__name__: k.exit_code for k in tree(errors.BatonpassError) if k.__module__ == errors.__name__}
    rows = re.findall(r"^\| (\d+) \| .*? \| (.*?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: int(code) for code, names in rows for name in re.findall(r"`(\w+Error)`", names)}
    assert documented == real


def test_every_verb_has_its_section():
    text = DOCS.read_text(encoding="utf-8")
    assert set(re.findall(r"^### `batonpass (\w+)", text, re.MULTILINE)) == set(VERBS)
