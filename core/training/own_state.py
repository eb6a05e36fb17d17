"""What each process of a training on several GPUs has of its own: its random streams, its loader's state, and buffers (batch statistics)
that nothing keeps equal. All else is equal in all of them, or a part of one tensor (see `sharded`).

In `trainer.json` the lead's own stands where that of a single process does; `ranks` lists that of the others, by rank from 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load, save

from batonpass.core.errors import CheckpointError, FormatError
from batonpass.core.training.adapters import StreamAdapter
from batonpass.core.training.attached import Attached
from batonpass.core.training.decoder import Decoder
from batonpass.core.training.encoder import Encoder, Json
from batonpass.core.training.rng import capture_rng, held_streams
from batonpass.core.training.seeds import derive

RNG_FILE = "rng.safetensors"
LOADER_FILE = "loader.safetensors"
RANKS_FILE = "ranks.safetensors"
_SHARDS = ("state", "frozen", "buffers")
"""Where a module's tree holds buffers: the persistent ones, those of them that do not change, and the others."""


def capture_own(attached: Attached, position: dict[str, Any], loader_state: Any) -> bytes:
    """This process's own state and where it stands, as bytes for the lead: JSON, and its tensors as safetensors."""
    encoder = Encoder()
    tree = {
        "rng": encoder.encode(capture_rng(), file=RNG_FILE),
        "loader": encoder.encode(loader_state, file=LOADER_FILE),
        "streams": {name: adapter.capture(encoder, name) for name, adapter in _streams(attached)},
        "buffers": {n: encoder.encode(b, file=f"{n}.safetensors") for n, b in attached.own_buffers().items()},
    }
    head = json.dumps({"tree": tree, "position": whereabouts(position)}).encode()
    tensors = {f"{file}/{name}": t.contiguous() for file, named in encoder.tensors.items() for name, t in named.items()}
    return len(head).to_bytes(8, "little") + head + save({k: t.clone() for k, t in tensors.items()})


def failed_own(error: Exception) -> bytes:
    """In place of `capture_own` where that failed."""
    head = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()
    return len(head).to_bytes(8, "little") + head


def read_own(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """(own state, position), as `capture_own` wrote them; CheckpointError for `failed_own`."""
    end = 8 + int.from_bytes(body[:8], "little")
    head = json.loads(body[8:end])
    if "error" in head:
        raise CheckpointError(f"another process could not give its state: {head['error']}", hint="see that error")
    tensors = load(body[end:])
    tree = Decoder(lambda file, name: tensors[f"{file}/{name}"].clone())
    return {key: tree.decode(value) for key, value in head["tree"].items()}, head["position"]


def whereabouts(position: dict[str, Any]) -> dict[str, Any]:
    """The part of a position that must be the same in every process at a save."""
    return {key: position[key] for key in ("seed", "step", "epoch", "batch", "at")}


def encode_others(encoder: Encoder, others: list[dict[str, Any]], attached: Attached) -> list[Json]:
    """For `ranks` in `trainer.json`; the tensors go to a file of their own. Buffers that are equal to the lead's are left out."""
    mine = attached.own_buffers()
    found = []
    for rank, own in enumerate(others, start=1):
        differing = {
            module: {k: v for k, v in named.items() if not _equal(v, mine.get(module, {}).get(k))}
            for module, named in own["buffers"].items()
        }
        tree = {**own, "buffers": {module: named for module, named in differing.items() if named}}
        found.append(encoder.encode(tree, file=RANKS_FILE, path=str(rank), label=f"process {rank}"))
    return found


def stored_ranks(trainer: dict[str, Any]) -> list[dict[str, Any]]:
    """`ranks` of a `trainer.json`; empty where a single process made it. FormatError when it is no such list."""
    ranks = trainer.get("ranks", [])
    if not isinstance(ranks, list) or not all(isinstance(r, dict) and _is_own(r) for r in ranks):
        raise FormatError(
            "the state of the other processes cannot be read", hint="the checkpoint may be damaged or edited"
        )
    return ranks


def with_own(
    trainer: dict[str, Any], rank: int, seed: int, keep: Callable[[str, str, torch.Tensor], None]
) -> dict[str, Any]:
    """`trainer` as process `rank` (not the lead) is to restore it: its own state in the lead's place.

    A rank that the checkpoint does not know gets streams of its own, derived from `seed`; `keep` is given their tensors.
    """
    ranks = stored_ranks(trainer)
    own = ranks[rank - 1] if rank <= len(ranks) else _fresh(rank, seed, keep)
    objects = dict(trainer.get("objects", {}))
    for name, tree in own["streams"].items():
        if name in objects:
            objects[name] = {**objects[name], "tree": tree}
    for name, buffers in own["buffers"].items():
        if name in objects:
            objects[name] = {**objects[name], "tree": _with_buffers(objects[name]["tree"], buffers)}
    return {**trainer, "rng": own["rng"], "loader": own["loader"], "objects": objects}


def lacking(trainer: dict[str, Any], size: int) -> list[str]:
    """Why `size` processes cannot continue exactly what as many as stored it did; empty where the numbers are equal."""
    ranks = stored_ranks(trainer)
    then = 1 + len(ranks)
    if then == size:
        return []
    what = "the random streams" + (" and batch statistics" if any(r["buffers"] for r in ranks) else "")
    return [
        f"{what} of {then} process{'es' if then > 1 else ''} cannot be those of {size}: dropout and the like draw differently"
    ]


def _fresh(rank: int, seed: int, keep: Callable[[str, str, torch.Tensor], None]) -> dict[str, Any]:
    encoder = Encoder()
    with held_streams(derive(seed, "rank", rank)):
        rng = encoder.encode(capture_rng(), file=RANKS_FILE, path=f"fresh.{rank}")
    for name, tensor in encoder.tensors[RANKS_FILE].items():
        keep(RANKS_FILE, name, tensor)
    return {"rng": rng, "loader": None, "streams": {}, "buffers": {}}


def _with_buffers(tree: Any, buffers: dict[str, Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    shards = {s: tree[s] for s in _SHARDS if isinstance(tree.get(s), dict)}
    return {**tree, **{s: {k: buffers.get(k, v) for k, v in named.items()} for s, named in shards.items()}}


def _is_own(tree: dict[str, Any]) -> bool:
    return {"rng", "loader"} <= tree.keys() and all(
        isinstance(tree.get(part), dict) and all(isinstance(v, dict) for v in tree[part].values())
        for part in ("streams", "buffers")
    )


def _equal(theirs: torch.Tensor, mine: torch.Tensor | None) -> bool:
    return mine is not None and theirs.dtype == mine.dtype and torch.equal(theirs, mine.cpu())


def _streams(attached: Attached) -> list[tuple[str, StreamAdapter]]:
    return [(name, a) for name, a in attached.adapters.items() if isinstance(a, StreamAdapter)]
