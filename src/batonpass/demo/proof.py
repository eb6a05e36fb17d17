"""The demo's proofs: every checkpoint that the store calls durable restores whole, and the final weights are the uninterrupted run's."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from batonpass.core.storage import Store
from batonpass.sync.reading import list_run_folders, read_run
from batonpass.sync.restore import fetch_checkpoint


@dataclass(frozen=True, slots=True)
class Durability:
    """What the store promised at one moment, and how much of it held."""

    promised: int
    restored: int
    newest_step: int
    bytes_checked: int

    @property
    def holds(self) -> bool:
        """Every promise was kept."""
        return self.promised == self.restored


def check_durable(store: Store) -> Durability:
    """Restore every durable checkpoint of every run into an empty folder and compare each file's sha256 with its manifest."""
    promised = restored = newest = checked = 0
    for folder in list_run_folders(store):
        run = read_run(store, folder)
        for seen in run.sessions:
            for listing in seen.session.checkpoints:
                if listing.key in run.deleted:
                    continue  # taken back before its first byte was removed
                promised += 1
                newest = max(newest, listing.step)
                with tempfile.TemporaryDirectory() as empty:
                    path, manifest = fetch_checkpoint(store, folder, listing, Path(empty) / "restored")
                    whole = all(_sha256(path / entry.name) == entry.sha256 for entry in manifest.files)
                    restored += whole
                    checked += manifest.size_bytes
    return Durability(promised, restored, newest, checked)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
