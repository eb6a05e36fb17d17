"""`batonpass adopt`, as a process on a real folder store, with the files that people really have."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def old(tmp_path):
    torch.save({"model": {"w": torch.arange(3_000.0)}, "step": 5}, tmp_path / "old.pt")
    return tmp_path / "old.pt"


def test_a_file_becomes_a_run_once(batonpass, tmp_path, old):
    done = batonpass("adopt", old, "cats", "--store", tmp_path / "drive")
    assert done.returncode == 0, done.stderr
    assert "on the store, verified" in done.stdout
    assert "bp.start('cats'" in done.stdout
    again = batonpass("adopt", old, "cats", "--store", tmp_path / "drive")
    assert again.returncode == 2
    assert "there already" in again.stderr
    assert batonpass("restore", "cats", "--store", tmp_path / "drive", "--to", tmp_path / "back").returncode == 0
    assert (tmp_path / "back" / "old.pt").read_bytes() == old.read_bytes()


def flip(content: bytes) -> bytes:
    at = content.index(torch.arange(3_000.0).numpy().tobytes()) + 400
    return content[:at] + bytes([content[at] ^ 64]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("break_it", "words", "torchs"),
    [
        (lambda _content: b"", "empty (0 bytes): the disk was full", EOFError),
        (
            lambda content: content[: len(content) // 2],
            "writing was interrupted, or it was not copied completely",
            (RuntimeError, OSError),
        ),
        (flip, "have changed since it was written", None),
    ],
)
def test_a_broken_file_is_told_in_plain_words_and_nothing_is_created(batonpass, tmp_path, old, break_it, words, torchs):
    """Torch's words for these: none or "Ran out of input", `PytorchStreamReader failed` or "Invalid argument", and not one: it loads the changed weights."""
    old.write_bytes(break_it(old.read_bytes()))
    if torchs is None:
        assert not torch.equal(torch.load(old)["model"]["w"], torch.arange(3_000.0))
    else:
        with pytest.raises(torchs):
            torch.load(old)
    done = batonpass("adopt", old, "cats", "--store", tmp_path / "drive")
    assert done.returncode == 7
    assert words in done.stderr
    assert "What to do" in done.stderr
    assert not (tmp_path / "drive").exists()


def test_what_is_not_there_is_a_wrong_call(batonpass, tmp_path):
    assert batonpass("adopt", tmp_path / "gone.pt", "cats", "--store", tmp_path / "drive").returncode == 2
