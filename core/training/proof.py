"""The part of the resume proof that concerns data: whether it is what it was, and the next batch holds the same samples."""

from __future__ import annotations

from typing import Any

from batonpass.core.training.data import Source
from batonpass.core.training.data_words import describe_differences
from batonpass.core.training.fingerprint import digest_keys, fingerprint_differences
from batonpass.core.training.position import Position

OTHER_DRAW = (
    "not the same data: the sampler drew other batches than before, so its order depends on something that is not stored: "
    "let it shuffle by the epoch that set_epoch(epoch) tells it, or by the random streams"
)
"""What a sampler that counts its own passes leads to."""


def next_digest(position: Position, source: Source) -> str | None:
    """A hash of the keys of the batch that comes next; None where they cannot be known in advance."""
    over = position.at == "tail" and position.whole_epoch
    epoch, batch = (position.epoch + 1, 0) if over else (position.epoch, position.batch)
    if source.batches is not None and batch >= source.batches:
        return None
    keys = source.next_keys(epoch, batch)
    return None if keys is None else digest_keys(keys)


def data_doubts(then: dict[str, Any], position: Position, source: Source, fingerprint: dict[str, Any]) -> list[str]:
    """What tells that the data is not what it was at the checkpoint with the data position `then`, one clause each, at most three."""
    found = []
    if "fingerprint" in then:
        found = describe_differences(fingerprint_differences(then["fingerprint"], fingerprint))
    if "batch_size" in then and then["batch_size"] != source.batch_size:
        found.append(f"batches of {then['batch_size']} samples then, {source.batch_size} now")
    expected, digest = then.get("next"), next_digest(position, source)
    if not found and expected is not None and digest is not None and expected != digest:
        found.append(
            "the next batch holds other samples than it would have held: the order of the data, or its number of samples, is another one"
        )
    return [f"not the same data: {f}" for f in found[:3]]


def data_verdict(then: dict[str, Any], position: Position, source: Source, doubts: list[str]) -> str:
    """Of `ResumeProof.data`: "other" where there are doubts, "same" where the next batch's keys were compared, else empty."""
    if doubts:
        return "other"
    return "same" if then.get("next") is not None and next_digest(position, source) is not None else ""
