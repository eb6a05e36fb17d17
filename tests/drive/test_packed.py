"""A packed checkpoint on Drive: proven by the store's own checksum, and an upload that a kill cut off is continued, not begun again."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from legs import Leg

from batonpass.core import naming
from batonpass.sync.reading import read_manifest, read_run
from batonpass.sync.restore import fetch_checkpoint

TESTS = Path(__file__).resolve().parents[1]
KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path[:0] = [sys.argv[2], sys.argv[2] + "/sync"]
    from legs import Leg
    from test_packing import weights
    from batonpass.sync.stores import open_store

    leg = Leg(open_store("gdrive://batonpass"), Path(sys.argv[1]), compress=True)
    leg.train(3)
    leg.joined.writer.publish()
    folder, manifest = leg.commit(weights(6_000_000))

    def progress():
        moving = leg.active.mirror.progress.look()
        if moving.done_bytes > 0.8 * moving.total_bytes:
            os.kill(os.getpid(), signal.SIGKILL)

    leg.active.mirror.on_progress = progress
    leg.active.mirror.send(folder, manifest)
"""


def test_a_kill_at_four_fifths_of_a_packed_upload_costs_only_the_rest(drive, drive_settings, emulator, tmp_path):
    environment = {
        **os.environ,
        "BATONPASS_DRIVE_TOKEN": drive_settings.drive_token,
        "BATONPASS_DRIVE_ENDPOINT": drive_settings.drive_endpoint,
    }
    home = tmp_path / "home"
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(home), str(TESTS)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    (packed,) = home.rglob("model.safetensors.zst")
    sent = packed.read_bytes()
    leg = Leg(drive, home, compress=True)
    assert any("shipped step 3" in line for line in leg.said)
    assert emulator.log()["bytes_in"] <= 1.02 * len(sent) + 512 * 1024
    (listing,) = (c for s in read_run(drive, leg.joined.folder).sessions for c in s.session.checkpoints)
    (entry,) = read_manifest(drive, listing.key, store_id=listing.id).files
    assert listing.proven
    assert entry.packed is not None
    assert drive.get(naming.pool_file(leg.joined.folder, entry.pool), store_id=entry.id) == sent
    target, _ = fetch_checkpoint(drive, leg.joined.folder, listing, tmp_path / "to")
    assert hashlib.sha256((target / entry.name).read_bytes()).hexdigest() == entry.sha256
    leg.joined.close()
