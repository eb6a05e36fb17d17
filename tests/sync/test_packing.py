"""Packed files on the store: sent once, proven, continued after a kill, restored plain; and what is damaged there is found."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from legs import Leg

from batonpass.core import naming, shuffle
from batonpass.core.codec import decode
from batonpass.core.errors import ConflictError, CorruptCheckpointError, FormatError, StoppedError
from batonpass.core.model import Manifest
from batonpass.core.settings import read_settings
from batonpass.sync import packing
from batonpass.sync.bringing import bring_back
from batonpass.sync.mirror import Mirror
from batonpass.sync.reading import read_manifest, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store
from batonpass.sync.verifying import Share, verify_run

ALL = Share(Fraction(1), 0)


def weights(count: int = 600_000, *, seed: int = 1) -> bytes:
    """A safetensors file of one float32 tensor."""
    body = (np.random.default_rng(seed).standard_normal(count) * 0.02).astype(np.float32).tobytes()
    header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, len(body)]}}).encode()
    return len(header).to_bytes(8, "little") + header + body


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "drive")


@pytest.fixture
def leg(url, tmp_path):
    leg = Leg(open_store(url), tmp_path / "home", compress=True)
    leg.train(3)
    yield leg
    leg.joined.close()


def pool(leg: Leg, manifest: Manifest) -> Path:
    (entry,) = manifest.files
    return Path(leg.joined.store.url) / naming.pool_file(leg.joined.folder, entry.pool)


def published(leg: Leg) -> Manifest:
    listing = leg.joined.writer.record.checkpoints[-1]
    return read_manifest(leg.joined.store, listing.key)


def test_the_store_holds_fewer_bytes_and_the_restored_file_is_plain(leg, tmp_path):
    plain = weights()
    leg.save(plain)
    manifest = published(leg)
    (entry,) = manifest.files
    listing = leg.joined.writer.record.checkpoints[-1]
    assert manifest.format == 2
    assert entry.pool.endswith(".safetensors.zst")
    assert entry.sha256 == hashlib.sha256(plain).hexdigest()
    assert entry.packed.sha256 == hashlib.sha256(pool(leg, manifest).read_bytes()).hexdigest()
    assert listing.size_bytes == entry.packed.size_bytes < 0.9 * len(plain) == 0.9 * listing.plain_size_bytes
    brought = bring_back(leg.joined.store, read_run(leg.joined.store, leg.joined.folder), tmp_path / "back")
    assert {path.name for path in brought.path.iterdir()} == {"model.safetensors", "manifest.json"}
    assert (brought.path / "model.safetensors").read_bytes() == plain
    assert not list((tmp_path / "home").rglob("*.zst")), "the packed copy on this disk is gone"


def test_without_the_switch_and_for_small_or_dense_files_everything_stays_plain(url, tmp_path, leg):
    leg.save(b"small")
    assert published(leg).format == 1
    leg.train(1)
    dense = np.random.default_rng(3).bytes(300_000)
    leg.save(dense)
    (entry,) = published(leg).files
    assert (entry.packed, published(leg).format) == (None, 1)
    assert pool(leg, published(leg)).read_bytes() == dense
    other = Leg(open_store(url), tmp_path / "home 2", name="dogs")
    other.train(1)
    other.save(weights())
    assert published(other).files[0].packed is None
    other.joined.close()


def test_equal_plain_files_are_sent_once_packed_or_not(leg):
    plain = weights()
    leg.save(plain)
    first = published(leg)
    leg.train(1)
    leg.save(plain)
    assert published(leg).files[0].pool == first.files[0].pool
    assert published(leg).files[0].packed == first.files[0].packed
    leg.active.mirror._compress = False
    leg.train(1)
    leg.save(plain)
    assert published(leg).files[0] == first.files[0]
    assert published(leg).format == 2


def test_a_byte_damaged_on_the_store_is_found_and_nothing_is_restored(leg, tmp_path):
    leg.save(weights())
    path = pool(leg, published(leg))
    run = read_run(leg.joined.store, leg.joined.folder)
    assert not verify_run(leg.joined.store, run, share=ALL).findings
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    assert verify_run(leg.joined.store, run, share=ALL).findings
    with pytest.raises(CorruptCheckpointError):
        fetch_checkpoint(leg.joined.store, leg.joined.folder, leg.joined.writer.record.checkpoints[-1], tmp_path / "to")


def test_packed_bytes_that_unpack_to_something_else_are_not_restored(leg, tmp_path, monkeypatch):
    """Both hashes count: the packed bytes are right here, and the plain ones are not."""
    monkeypatch.setattr(packing, "unpack_file", lambda *_, **__: packing.Digest(0, "ab" * 32, ""))
    plain = weights()
    folder, manifest = leg.commit(plain)
    wrong = replace(manifest, files=(replace(manifest.files[0], sha256="ab" * 32),))
    listing = leg.active.mirror.send(folder, wrong)
    monkeypatch.undo()
    with pytest.raises(CorruptCheckpointError, match="unpack"):
        fetch_checkpoint(leg.joined.store, leg.joined.folder, listing, tmp_path / "to")


def test_what_does_not_unpack_to_the_plain_bytes_is_never_sent(leg, monkeypatch):
    monkeypatch.setattr(shuffle, "_shuffled", lambda piece, _width: bytes(len(piece)))
    folder, manifest = leg.commit(weights())
    with pytest.raises(ConflictError, match="does not unpack"):
        leg.active.mirror.send(folder, manifest)
    assert not list(Path(leg.joined.store.url).rglob("*.zst"))
    monkeypatch.undo()
    assert leg.active.mirror.send(folder, manifest).plain_size_bytes


def test_an_older_release_refuses_it_as_newer_and_calls_nothing_damaged(leg, monkeypatch):
    leg.save(weights())
    content = leg.joined.store.get(leg.joined.writer.record.checkpoints[-1].key)
    monkeypatch.setattr(Manifest, "NEWEST_FORMAT", 1)
    with pytest.raises(FormatError, match="newer version") as caught:
        decode(Manifest, content)
    assert "update" in caught.value.hint


def test_another_encoding_is_refused_before_a_byte_is_fetched(leg):
    leg.save(weights())
    entry = published(leg).files[0]
    with pytest.raises(FormatError, match="newer version"):
        packing.check_encoding(replace(entry, packed=replace(entry.packed, encoding="lzma-7")))


def test_a_full_disk_sends_the_plain_file(leg, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "pack", full)
    plain = weights()
    leg.save(plain)
    assert published(leg).files[0].packed is None
    assert pool(leg, published(leg)).read_bytes() == plain


def test_stopping_while_packing_leaves_nothing_half_and_the_next_attempt_sends(leg):
    folder, manifest = leg.commit(weights())
    mirror = leg.active.mirror
    mirror._should_stop = lambda: True
    with pytest.raises(StoppedError):
        mirror.send(folder, manifest)
    assert not [path for path in (folder / ".packed").rglob("*") if path.is_file()]
    mirror._should_stop = lambda: False
    assert mirror.send(folder, manifest).plain_size_bytes


def test_what_was_begun_packed_is_finished_with_the_same_bytes_by_a_session_that_does_not_compress(url, tmp_path, leg):
    folder, manifest = leg.commit(weights())
    path, _ = packing.pack_file(folder, manifest.files[0], md5=False)
    before = path.read_bytes()
    mirror = Mirror(leg.joined.store, leg.joined.folder, leg.joined.journal)
    listing = mirror.send(folder, manifest)
    (entry,) = read_manifest(leg.joined.store, listing.key).files
    assert entry.packed.sha256 == hashlib.sha256(before).hexdigest()


def test_what_was_begun_plain_is_finished_plain(leg):
    folder, manifest = leg.commit(weights())
    Mirror(leg.joined.store, leg.joined.folder, leg.joined.journal).send(folder, manifest)
    again = Mirror(leg.joined.store, leg.joined.folder, leg.joined.journal, compress=True)
    assert again.send(folder, manifest).plain_size_bytes is None


def test_a_restore_that_was_cut_off_continues_in_the_packed_bytes(leg, tmp_path):
    plain = weights()
    leg.save(plain)
    store, listing = leg.joined.store, leg.joined.writer.record.checkpoints[-1]
    (entry,) = published(leg).files
    asked: list[int] = []

    class Cut:
        def __getattr__(self, name):
            return getattr(store, name)

        def fetch(self, key, out, *, store_id=None, offset=0, transfer=None):
            asked.append(offset)
            if len(asked) == 1:
                out.write(store.get(key)[:100_000])
                raise ConflictError("cut", op="fetch", key=key)
            return store.fetch(key, out, store_id=store_id, offset=offset, transfer=transfer)

    with pytest.raises(ConflictError):
        fetch_checkpoint(Cut(), leg.joined.folder, listing, tmp_path / "to")
    target, _ = fetch_checkpoint(Cut(), leg.joined.folder, listing, tmp_path / "to")
    assert asked == [0, 100_000]
    assert (target / entry.name).read_bytes() == plain
    assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "model.safetensors"]


def _die_at(where: str, url: str, home: Path) -> None:
    """In a process of its own: trains, commits, and is killed while it packs or while it sends."""
    leg = Leg(open_store(url), home, compress=True)
    leg.train(3)
    leg.joined.writer.publish()
    folder, manifest = leg.commit(weights())
    mirror = leg.active.mirror

    def die(*_args: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "packing":
        blocks = iter(range(2))
        mirror._go_on = lambda *_: next(blocks, None) is None and die()
    else:
        mirror.on_progress = die
    mirror.send(folder, manifest)
    os._exit(3)


@pytest.mark.parametrize("where", ["packing", "sending"])
def test_a_kill_while_packing_or_sending_loses_nothing_another_process_ships_it(where, url, tmp_path):
    home = tmp_path / "home"
    process = multiprocessing.get_context("spawn").Process(target=_die_at, args=(where, url, home))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert list(home.rglob(".packed"))
    second = Leg(open_store(url), home, compress=True)
    assert any("shipped step 3" in line for line in second.said)
    run = read_run(second.joined.store, second.joined.folder)
    brought = bring_back(second.joined.store, run, tmp_path / "back")
    assert (brought.path / "model.safetensors").read_bytes() == weights()
    assert brought.manifest.files[0].packed
    assert len(list((Path(url) / run.folder / "files").glob("[!.]*"))) == 1
    second.joined.close()


def test_the_switch_is_read_from_the_environment():
    assert read_settings({"BATONPASS_COMPRESS": "1"}).compress
    assert not read_settings({"BATONPASS_COMPRESS": "0"}).compress
    assert not read_settings({}).compress
