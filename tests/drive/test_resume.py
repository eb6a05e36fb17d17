"""An upload that a killed process left behind, and how much memory an upload and a download take."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

from batonpass.core.storage import Transfer

KEY = "runs/cats-1f2e3d4c/files/100-model-abababab.safetensors"


def run_child(code: str, *args: str, settings) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "BATONPASS_DRIVE_TOKEN": settings.drive_token,
        "BATONPASS_DRIVE_ENDPOINT": settings.drive_endpoint,
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *args],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


KILLED = """
    import json, os, signal, sys
    from pathlib import Path
    from batonpass.core.storage import Transfer
    from batonpass.sync.stores import open_store

    path, journal, key = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    store = open_store("gdrive://batonpass")
    store.put("first.json", b"x")
    (new_id,) = store.new_ids(1)

    def note(token):
        journal.write_text(json.dumps({"token": token, "id": new_id}))

    def progress(sent, total):
        if sent > 0.8 * total:
            os.kill(os.getpid(), signal.SIGKILL)

    store.put(key, path, store_id=new_id, transfer=Transfer(on_token=note, on_progress=progress))
"""


def test_the_next_process_continues_a_killed_ones_upload(drive, drive_settings, emulator, tmp_path):
    """SIGKILL at 80 %: the next process sends only what is missing, under the same id."""
    body = os.urandom(1 << 20) * 24
    path, journal = tmp_path / "model", tmp_path / "journal"
    path.write_bytes(body)
    child = run_child(KILLED, str(path), str(journal), KEY, settings=drive_settings)
    assert child.returncode == -signal.SIGKILL, child.stderr
    left = json.loads(journal.read_text())
    assert not [f for f in emulator.files() if f["id"] == left["id"]]
    info = drive.put(KEY, path, store_id=left["id"], transfer=Transfer(token=left["token"]))
    assert info.id == left["id"]
    assert drive.get(KEY) == body
    assert emulator.log()["bytes_in"] <= 1.01 * len(body) + 256 * 1024


def test_an_upload_that_had_finished_is_only_asked_about(drive, emulator, tmp_path):
    """The process died after the last byte: the next one gets Drive's answer and sends nothing."""
    path = tmp_path / "model"
    path.write_bytes(os.urandom(1 << 20) * 6)
    tokens: list[str | None] = []
    first = drive.put(KEY, path, transfer=Transfer(on_token=tokens.append))
    emulator.control("reset_log")
    again = drive.put(KEY, path, store_id=first.id, transfer=Transfer(token=tokens[0]))
    assert again.id == first.id
    assert emulator.log()["bytes_in"] < 10_000


MEMORY = """
    import json, resource, sys
    from pathlib import Path
    from batonpass.sync.stores import open_store

    store = open_store("gdrive://batonpass")
    store.put("small.json", b"x")
    store.get("small.json")
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store.put("large.bin", Path(sys.argv[1]))
    up = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open(sys.argv[1] + ".back", "wb") as to:
        store.fetch("large.bin", to)
    down = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"up": up - idle, "down": down - idle}))
    store.close()
"""


def test_memory_does_not_grow_with_the_file(drive_settings, tmp_path):
    """192 MiB up and down cost at most 24 MiB above a process that did the same with one byte."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(192 << 20)
    child = run_child(MEMORY, str(path), settings=drive_settings)
    assert child.returncode == 0, child.stderr
    used_kib = json.loads(child.stdout)
    assert max(used_kib.values()) < 24 * 1024, used_kib
    assert (tmp_path / "large.back").stat().st_size == 192 << 20
