"""A run whose machine was taken away: its process trains, publishes, and gets SIGKILL in the middle of a step."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from batonpass.core.errors import BatonpassError
from batonpass.core.model import CheckpointListing
from batonpass.core.settings import read_settings
from batonpass.core.storage import Store
from batonpass.sync.reading import list_run_folders, read_manifest, read_root, read_run
from batonpass.sync.stores import open_store

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("training_process.py")


@dataclass(frozen=True)
class KilledRun:
    """What the store holds after the kill. `newest` is the newest durable checkpoint."""

    url: str
    name: str
    run_id: str
    root_id: str
    newest: CheckpointListing
    folder: str


def train_and_kill(
    name: str, urls: list[str], environment: Mapping[str, str], *, checkpoints: int = 2, deadline_s: float = 90
) -> list[KilledRun]:
    """Train one run on each store in one process, and kill it once each has this many durable checkpoints."""
    env = {**os.environ, **environment, "PYTHONPATH": str(CHECKOUT / ".typelink"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), name, *urls]
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(url, read_settings(env)))) for url in urls]
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until = time.monotonic() + deadline_s
        published = False
        while not published and process.poll() is None and time.monotonic() < until:
            published = all(published_count(store) >= checkpoints for store in stores)
            time.sleep(0.1)
        process.kill()
        said = process.communicate()[0]
        assert published, f"the training did not publish:\n{said}"
        assert process.returncode == -signal.SIGKILL
        return [_look(store, url, name) for store, url in zip(stores, urls, strict=True)]


def _look(store: Store, url: str, name: str) -> KilledRun:
    folder = list_run_folders(store)[0]
    run = read_run(store, folder)
    newest = run.sessions[-1].session.checkpoints[-1]
    return KilledRun(url, name, run.info.run_id, read_root(store).root_id, newest, folder)


def published_count(store: Store) -> int:
    """How many checkpoints the only run on the store lists by now."""
    try:
        folders = list_run_folders(store)
        return len(read_run(store, folders[0]).sessions[-1].session.checkpoints) if folders else 0
    except (BatonpassError, IndexError):  # not there yet, or only half of it
        return 0


def stored_weights(store: Store, run: KilledRun) -> str:
    """Fingerprint of the newest durable checkpoint's weights, read from its plain files: what `fingerprint()` in the training says."""
    from safetensors.numpy import load

    manifest = read_manifest(store, run.newest.key, store_id=run.newest.id)
    tensors = {}
    for entry in manifest.files:
        if entry.name.startswith("model") and entry.name.endswith(".safetensors"):
            tensors |= load(store.get(f"{run.folder}files/{entry.pool}", store_id=entry.id))
    return hashlib.sha256(b"".join(v.tobytes() for _, v in sorted(tensors.items()))).hexdigest()
