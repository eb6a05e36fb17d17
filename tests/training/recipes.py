"""Small trainings, one for each thing that a resume has to bring back: a few lines each, played as relays by `played`."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils
from torch.utils.data import DataLoader, RandomSampler, WeightedRandomSampler
from torch.utils.data.distributed import DistributedSampler
from training.parts import Buckets, CountingByEpoch, EveryThird, Late, Remembering, Tied
from training.relay import Augmented

Body = Callable[[Any, Any], None]
"""Trains on a batch; its second argument is the loop."""


@dataclass
class Training:
    """What one session builds: what it attaches, what it iterates over, and the body of its loop."""

    objects: dict[str, Any]
    body: Body
    loader: Any
    accumulate: int = 1


@dataclass(frozen=True)
class Recipe:
    """`build` makes a session's objects; `forgotten` are those that must be missed when they are left out of a restore."""

    build: Callable[[], Training]
    forgotten: tuple[str, ...] = ()


def net() -> nn.Module:
    """Dropout and batch statistics."""
    return nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3))


def loader(**options: Any) -> DataLoader:
    """Shuffled, with random augmentation."""
    return DataLoader(Augmented(), **({"batch_size": 4, "shuffle": True} | options))


def loss_of(model: nn.Module, batch: Any) -> torch.Tensor:
    """Of a batch of `Augmented`."""
    x, y = batch
    return nn.functional.cross_entropy(model(x), y)


@dataclass
class Plain:
    """The usual training, with one part exchanged."""

    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer] = lambda p: torch.optim.AdamW(p, lr=0.05)
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    data: Callable[[], Iterable[Any]] = loader
    model: Callable[[], nn.Module] = net
    accumulate: int = 1
    scaled: bool = False
    plateau: bool = False
    after: Callable[[dict[str, Any], Any], None] = lambda objects, loop: None
    more: Callable[[dict[str, Any]], dict[str, Any]] = lambda objects: {}
    held: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Training:
        model = self.model()
        objects: dict[str, Any] = {"model": model, "optimizer": self.optimizer(list(model.parameters()))}
        if self.scheduler:
            objects["scheduler"] = self.scheduler(objects["optimizer"])
        if self.scaled:
            objects["scaler"] = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=2)
        objects |= self.more(objects)
        return Training(objects, lambda batch, loop: self._body(objects, batch, loop), self.data(), self.accumulate)

    def _body(self, objects: dict[str, Any], batch: Any, loop: Any) -> None:
        loss = loss_of(objects["model"], batch) / self.accumulate
        if self.scaled and loop.step in {3, 6}:
            loss = loss * float("inf")  # these steps are skipped, and the scale halves
        scaler = objects.get("scaler") or torch.amp.GradScaler("cpu", enabled=False)
        scaler.scale(loss).backward()
        if loop.completes_step:
            scaler.step(objects["optimizer"])
            scaler.update()
            objects["optimizer"].zero_grad()
            if self.scheduler:
                objects["scheduler"].step(*([loss.item()] if self.plateau else []))
            self.after(objects, loop)


def _swa(objects: dict[str, Any]) -> dict[str, Any]:
    return {"ema": swa_utils.AveragedModel(objects["model"], multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.8))}


def _ema_dict(objects: dict[str, Any]) -> dict[str, Any]:
    return {"ema": {k: v.detach().clone() for k, v in objects["model"].state_dict().items()}}


def _ema_copy(objects: dict[str, Any]) -> dict[str, Any]:
    return {"ema": copy.deepcopy(objects["model"]).requires_grad_(requires_grad=False)}


def _average(objects: dict[str, Any], _loop: Any) -> None:
    ema = objects["ema"]
    if isinstance(ema, swa_utils.AveragedModel):
        ema.update_parameters(objects["model"])
        return
    averages = ema if isinstance(ema, dict) else ema.state_dict()
    for name, value in objects["model"].state_dict().items():
        if value.is_floating_point():
            averages[name].lerp_(value.detach(), 0.2)


def _lbfgs() -> Training:
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=3, history_size=4)

    def body(batch: Any, _loop: Any) -> None:
        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            loss.backward()
            return loss

        optimizer.step(closure)

    return Training({"model": model, "optimizer": optimizer}, body, loader())


def _gan() -> Training:
    generator, critic = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 1))
    makes = torch.optim.Adam(generator.parameters(), lr=0.05, betas=(0.5, 0.9))
    judges = torch.optim.RMSprop(critic.parameters(), lr=0.01)

    def body(batch: Any, _loop: Any) -> None:
        fake = generator(torch.randn(len(batch[0]), 4))
        for optimizer, loss in ((judges, critic(fake.detach()).mean() - critic(batch[0]).mean()), (makes, None)):
            optimizer.zero_grad()
            (-critic(fake).mean() if loss is None else loss).backward()
            optimizer.step()

    return Training({"generator": generator, "critic": critic, "makes": makes, "judges": judges}, body, loader())


def _one_optimizer_two_models() -> Training:
    first, second = nn.Linear(8, 5), nn.Linear(5, 3)
    optimizer = torch.optim.Adam([{"params": first.parameters(), "lr": 0.02}, {"params": second.parameters()}], lr=0.1)

    def body(batch: Any, _loop: Any) -> None:
        optimizer.zero_grad()
        loss_of(lambda x: second(first(x).relu()), batch).backward()
        optimizer.step()

    return Training({"first": first, "second": second, "optimizer": optimizer}, body, loader())


def _own_streams() -> Training:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    streams = {
        "noise": torch.Generator().manual_seed(random.randrange(99)),
        "mix": np.random.default_rng(random.randrange(99)),
        "old": np.random.RandomState(random.randrange(99)),
        "dice": random.Random(random.randrange(99)),
    }

    def body(batch: Any, _loop: Any) -> None:
        x, y = batch
        x = x + torch.rand(x.shape, generator=streams["noise"]) * float(streams["mix"].random())
        optimizer.zero_grad()
        (loss_of(model, (x * float(streams["old"].rand()), y)) * streams["dice"].random()).backward()
        optimizer.step()

    return Training({"model": model, "optimizer": optimizer, **streams}, body, loader())


class Wrapped:
    """Every second session wraps the model, as somebody does who tries torch.compile on one machine only."""

    def __init__(self, wrap: Callable[[nn.Module], nn.Module]) -> None:
        self.wrap = wrap
        self.count = 0

    def __call__(self) -> nn.Module:
        self.count += 1
        return net() if self.count % 2 else self.wrap(net())


def _sequential(optimizer: torch.optim.Optimizer) -> Any:
    warm = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3)
    return lr_scheduler.SequentialLR(optimizer, [warm, lr_scheduler.CosineAnnealingLR(optimizer, 9)], milestones=[3])


def _chained(optimizer: torch.optim.Optimizer) -> Any:
    parts = [lr_scheduler.ConstantLR(optimizer, 0.1, total_iters=5), lr_scheduler.ExponentialLR(optimizer, 0.8)]
    return lr_scheduler.ChainedScheduler(parts, optimizer=optimizer)


def _rate(kind: Callable[..., Any], **options: Any) -> Recipe:
    """A learning rate that moves at every step."""
    plateau = kind is lr_scheduler.ReduceLROnPlateau
    return Recipe(Plain(scheduler=lambda o: kind(o, **options), plateau=plateau), ("scheduler",))


def _optimizer(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer], *, has_state: bool = True) -> Recipe:
    return Recipe(Plain(optimizer=make), ("optimizer",) if has_state else ("model",))


_MATRICES = lambda: nn.Sequential(nn.Linear(8, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False))  # noqa: E731  # Muon takes nothing else

RECIPES: dict[str, Recipe] = {
    "scaler": Recipe(Plain(scaled=True), ("scaler",)),
    "average: AveragedModel": Recipe(Plain(more=_swa, after=_average), ("ema",)),
    "average: a dict": Recipe(Plain(more=_ema_dict, after=_average), ("ema",)),
    "average: a copied module": Recipe(Plain(more=_ema_copy, after=_average), ("ema",)),
    "accumulated": Recipe(Plain(accumulate=3), ("optimizer",)),
    "accumulated with a scaler": Recipe(Plain(accumulate=2, scaled=True), ("scaler",)),
    "rate: MultiStepLR": _rate(lr_scheduler.MultiStepLR, milestones=[2, 5, 5, 9], gamma=0.5),
    "rate: ReduceLROnPlateau": _rate(lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.7),
    "rate: OneCycleLR": _rate(lr_scheduler.OneCycleLR, max_lr=0.2, total_steps=40),
    "rate: CosineAnnealingWarmRestarts": _rate(lr_scheduler.CosineAnnealingWarmRestarts, T_0=3),
    "rate: LambdaLR": _rate(lr_scheduler.LambdaLR, lr_lambda=lambda step: 0.9**step),
    "rate: CyclicLR": Recipe(
        Plain(
            optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
            scheduler=lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.2, step_size_up=3),
        ),
        ("scheduler",),
    ),
    "rate: SequentialLR": Recipe(Plain(scheduler=_sequential), ("scheduler",)),
    "rate: ChainedScheduler": Recipe(Plain(scheduler=_chained), ("scheduler",)),
    "rate: SWALR": _rate(swa_utils.SWALR, swa_lr=0.01, anneal_epochs=6),
    "optimizer: LBFGS": Recipe(_lbfgs, ("optimizer",)),
    "optimizer: SGD": _optimizer(lambda p: torch.optim.SGD(p, lr=0.1), has_state=False),
    "optimizer: SGD with momentum": _optimizer(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    "optimizer: Adam with amsgrad": _optimizer(lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True)),
    "optimizer: AdamW, fused": _optimizer(lambda p: torch.optim.AdamW(p, lr=0.05, fused=True)),
    "optimizer: AdamW with a tensor as its rate": _optimizer(
        lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.05), capturable=False, foreach=False)
    ),
    "optimizer: Adafactor": _optimizer(lambda p: torch.optim.Adafactor(p, lr=0.1)),
    "optimizer: Muon": Recipe(Plain(model=_MATRICES, optimizer=lambda p: torch.optim.Muon(p, lr=0.1)), ("optimizer",)),
    "optimizer: Adagrad": _optimizer(lambda p: torch.optim.Adagrad(p, lr=0.1)),
    "optimizer: Adadelta": _optimizer(lambda p: torch.optim.Adadelta(p, lr=1.0)),
    "optimizer: Rprop": _optimizer(lambda p: torch.optim.Rprop(p, lr=0.01)),
    "optimizer: ASGD": _optimizer(lambda p: torch.optim.ASGD(p, lr=0.1, t0=2)),
    "optimizer: NAdam": _optimizer(lambda p: torch.optim.NAdam(p, lr=0.05)),
    "several models and optimizers": Recipe(_gan, ("makes", "judges")),
    "one optimizer over two models": Recipe(_one_optimizer_two_models, ("optimizer",)),
    "streams of one's own": Recipe(_own_streams, ("noise", "mix", "old", "dice")),
    "tied weights": Recipe(Plain(model=Tied), ("model", "optimizer")),
    "state that comes late": Recipe(Plain(model=Late), ("model", "optimizer")),
    "data: an iterable dataset with a state": Recipe(Plain(data=lambda: DataLoader(Remembering(), batch_size=4))),
    "data: the same, in threes with a rest": Recipe(
        Plain(data=lambda: DataLoader(Remembering(), batch_size=4), accumulate=3)
    ),
    "data: a sampler of one's own": Recipe(Plain(data=lambda: loader(shuffle=None, sampler=EveryThird()))),
    "data: a sampler that is told the epoch": Recipe(
        Plain(data=lambda: loader(shuffle=None, sampler=CountingByEpoch()))
    ),
    "data: a batch sampler of one's own": Recipe(Plain(data=lambda: DataLoader(Augmented(), batch_sampler=Buckets()))),
    "data: weighted": Recipe(
        Plain(data=lambda: loader(shuffle=None, sampler=WeightedRandomSampler([1.0, 3.0] * 15, 30)))
    ),
    "data: with replacement": Recipe(
        Plain(data=lambda: loader(shuffle=None, sampler=RandomSampler(Augmented(), replacement=True, num_samples=26)))
    ),
    "data: the share of one rank": Recipe(
        Plain(data=lambda: loader(shuffle=None, sampler=DistributedSampler(Augmented(), 2, 1)))
    ),
    "wrapped: torch.compile": Recipe(Plain(model=Wrapped(lambda m: torch.compile(m, backend="eager"))), ("model",)),
    "wrapped: DataParallel": Recipe(Plain(model=Wrapped(nn.DataParallel)), ("model",)),
}
