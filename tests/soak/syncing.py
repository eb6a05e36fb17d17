"""`python -m soak.syncing HOME FROM_STEP`: a session that trains, commits and mirrors without end, until it is killed."""

from __future__ import annotations

import os
import random
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from legs import Leg, host

from batonpass.core.model import FileEntry
from batonpass.core.storage import ObjectInfo
from batonpass.sync.mirror import Mirror
from batonpass.sync.stores import open_store
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

SMALL, LARGE = 150_000, 6 << 20
"""In one request, and in an upload session."""


def content(step: int) -> bytes:
    """The bytes of the checkpoint of a step, which anybody can make again."""
    draw = random.Random(step)
    return draw.randbytes(draw.choice((SMALL, SMALL, LARGE)))


def be_careless() -> None:
    """List checkpoints whose files were never sent: what the campaign must notice."""

    def pretend(self: Mirror, entry: FileEntry) -> ObjectInfo:
        return ObjectInfo("", entry.size_bytes, "", datetime.now(UTC), id=entry.id, sha256=entry.sha256)

    Mirror._upload = lambda self, _name, _path, artifact: artifact.store_id
    Mirror._look = pretend
    Mirror._check_again = lambda self, entry: None


def main(home: Path, from_step: int) -> None:
    store = RetryStore(open_store("gdrive://batonpass"), backoff=Backoff(first_s=0.01, cap_s=0.1, limit_s=5.0))
    leg = Leg(store, home, on=host("machine-1"), takeover=True)
    leg.step = from_step
    leg.active.start()
    print("joined", flush=True)
    pause = threading.Event()
    while True:
        leg.train(random.randint(1, 5))
        leg.active.enqueue(*leg.commit(content(leg.step)))
        pause.wait(random.uniform(0.0, 0.3))


if __name__ == "__main__":
    if os.environ.get("SOAK_CARELESS"):
        be_careless()
    main(Path(sys.argv[1]), int(sys.argv[2]))
