"""The example of docs/examples/many_gpus.py in a process that can die at a chosen place, forget something, and tells what it read.

Started by torchrun as `ranks_training.py FOLDER`, with a plan (JSON) in RANKS_PLAN; see `Plan` in test_ranks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.utils.data import DataLoader, TensorDataset

import batonpass as bp
from batonpass import following, run
from batonpass.core.training import gathering, part, ranks, snapshot

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "many_gpus.py"
STORE = Path(sys.argv[1])
PLAN: dict[str, Any] = json.loads(os.environ["RANKS_PLAN"])
RANK = int(os.environ["RANK"])


def note(what: str, value: object) -> None:
    (STORE.parent / f"{what}-{RANK}.json").write_text(json.dumps(value))


def die(where: str) -> None:
    """Leave a proof, then the machine is gone."""
    note(f"died-{where}", os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)


class Recorded(TensorDataset):
    """Remembers which samples were read, in order."""

    read: list[int] = []  # noqa: RUF012  # of this process

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        self.read.append(index)
        return super().__getitem__(index)


def recorded(make_loader: Any) -> Any:
    def make() -> DataLoader:
        plain = make_loader()
        return DataLoader(Recorded(*plain.dataset.tensors), batch_size=plain.batch_size, sampler=plain.sampler)

    return make


class Watched(run.Run):
    """The lead's run: asks for a save at `save_at`, and dies in the body of `die_at` once that checkpoint is on the store."""

    def log(self, **values: Any) -> None:
        super().log(**values)
        if self.step == PLAN.get("save_at") or PLAN.get("save_each"):
            self.save()
        if self.step == PLAN.get("die_at"):
            assert self._saver.wait(30)
            assert self._active.service.drain(30)
            if PLAN["die"] == "body":
                die("body")
            self.save()


def deadly(capture_own: Any) -> Any:
    """In the others: dies in the middle of the save that was asked for at `die_at`."""

    def capture(attached: Any, position: dict[str, Any], loader_state: Any) -> bytes:
        if position["step"] >= PLAN["die_at"]:
            die("save")
        return capture_own(attached, position, loader_state)

    return capture


def forgetful(receive: Any) -> Any:
    """In the others: the random streams do not come back."""

    def received(*arguments: Any) -> Any:
        loaded = receive(*arguments)
        loaded.trainer["rng"] = None
        return loaded

    return received


def broken(act: Any) -> Any:
    """An error at the end of it, once `break_at` steps are done."""

    def acted(*arguments: Any) -> Any:
        done = act(*arguments)
        if bp_step() >= PLAN["break_at"]:
            note("broke", os.getpid())
            raise ValueError("broken on purpose")
        return done

    return acted


def bp_step() -> int:
    return len(Recorded.read) // PLAN["samples_per_step"]


def marked(make_model: Any) -> Any:
    """A buffer that never changes and is another one in each process, large enough for the shard of what stands still."""

    def make(*arguments: Any, **options: Any) -> Any:
        model = make_model(*arguments, **options)
        model.register_buffer("mark", torch.full((300_000,), float(PLAN["mark"]) if PLAN["mark"] else float(RANK)))
        MARKED.append(model)
        return model

    return make


MARKED: list[torch.nn.Module] = []


def deaf(follower: Any) -> list[torch.Tensor]:
    """One of the others: it trains on, and never gives what a save needs of it."""
    follower._gone = True
    return []


def change(example: Any) -> None:
    """What the plan breaks, marks or watches."""
    if "mark" in PLAN:
        example.make_model = marked(example.make_model)
    run.Run = Watched
    if PLAN.get("die") == "save":
        following.capture_own = deadly(following.capture_own)
    if PLAN.get("deaf"):
        ranks.Channel.__init__.__kwdefaults__["answer_s"] = 1.0
        following.Follower._contribute = deaf
    if PLAN.get("break") == "parts":
        following.find_parts = broken(following.find_parts)
    if PLAN.get("break") == "whole" and PLAN["rank"] == RANK:
        part.whole = snapshot.whole = gathering.whole = broken(part.whole)
    if PLAN.get("break") == "apply":
        following.apply = broken(following.apply)
    if PLAN.get("forget"):
        following.receive_checkpoint = forgetful(following.receive_checkpoint)


def main() -> None:
    spec = importlib.util.spec_from_file_location("many_gpus", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.make_loader = recorded(example.make_loader)
    change(example)
    if PLAN.get("start"):
        example.bp.start = lambda name, **options: START(name, **options, **PLAN["start"])
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    try:
        example.train(str(STORE), shard=PLAN.get("shard", False))
    except bp.BatonpassError as error:
        note("error", [type(error).__name__, error.message])
        raise
    note("read", Recorded.read)
    note("mark", [float(value) for model in MARKED for value in (model.mark.min(), model.mark.max())])
    if PLAN.get("deaf"):
        distributed.barrier()  # it did not wait for the lead, and one that ends early may cut off the other's last step
    distributed.destroy_process_group()


START = bp.start

if __name__ == "__main__":
    main()
