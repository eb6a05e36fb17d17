"""Stopped anywhere and resumed on a machine with other random streams, a training ends with the very same bits."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset, WeightedRandomSampler
from training.relay import Augmented, Plan, accumulated, flat, make_loader, nested

STEPS = 20
FORMS = {
    "flat": (flat, STEPS),
    "nested": (nested, None),
    "nested to a goal": (nested, 19),
    "accumulated": (accumulated, None),
}


def always(_step: int) -> bool:
    return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of uninterrupted runs, by form; without workers."""
    digests: dict[str, str] = {}

    def digest(form: str) -> str:
        if form not in digests:
            train, goal = FORMS[form]
            digests[form] = Plan(train, make_loader, goal).run(tmp_path_factory.mktemp("whole") / "a")
        return digests[form]

    return digest


@pytest.mark.parametrize("form", FORMS)
def test_killed_after_every_step_the_final_state_is_the_same(form, whole, tmp_path):
    train, goal = FORMS[form]
    last = 8 if form == "accumulated" else 19
    deaths = tuple(range(1, last))
    plan = Plan(train, make_loader, goal)
    assert plan.run(tmp_path / "relay", deaths=deaths) == whole(form)
    assert all(s.report.label == "EXACT" for s in plan.sessions[1:])
    assert len(plan.sessions) == len(deaths) + 1


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_random_steps_with_rare_checkpoints_the_final_state_is_the_same(form, whole, tmp_path):
    train, goal = FORMS[form]
    rng = random.Random(form)
    for attempt in range(3):
        last = 8 if form == "accumulated" else 19
        deaths = tuple(sorted(rng.sample(range(2, last), 3)))
        every = rng.randint(2, 5)
        plan = Plan(train, make_loader, goal)
        digest = plan.run(
            tmp_path / str(attempt), save_at=lambda step, n=every: step == 1 or step % n == 0, deaths=deaths
        )
        assert digest == whole(form), (deaths, every)


@pytest.mark.parametrize("form", ["flat", "nested"])
def test_the_comparison_notices_streams_that_were_not_restored(form, whole, tmp_path):
    train, goal = FORMS[form]
    plan = Plan(train, make_loader, goal, streams=False)
    assert plan.run(tmp_path / "relay", deaths=(5,)) != whole(form)


@pytest.mark.parametrize("persistent", [False, True])
def test_with_two_workers_the_bits_are_those_without_workers(persistent, whole, tmp_path):
    plan = Plan(nested, lambda: make_loader(2, persistent_workers=persistent))
    assert plan.run(tmp_path / "whole") == whole("nested")
    plan = Plan(nested, lambda: make_loader(2, persistent_workers=persistent, prefetch_factor=3))
    assert plan.run(tmp_path / "relay", deaths=(3, 8, 12)) == whole("nested")


def test_the_number_of_workers_may_change_between_sessions(whole, tmp_path):
    workers = iter([2, 0, 1])
    plan = Plan(flat, lambda: make_loader(next(workers)), STEPS)
    assert plan.run(tmp_path / "relay", deaths=(6, 13)) == whole("flat")


class Batched(Augmented):
    def __getitems__(self, indices):
        return [self[i] for i in indices]


def jumpy(n: int):
    """A batch sampler of the user's own that draws from Python's stream as it goes, and has no length."""

    class Jumpy:
        def __iter__(self):
            for _ in range(n):
                yield [random.randrange(30) for _ in range(3)]

    return Jumpy()


def collate_with_noise(samples):
    x, y = torch.utils.data.default_collate(samples)
    return x + random.random(), y


LOADERS = {
    "straight": lambda: make_loader(shuffle=False),
    "dropping the last": lambda: make_loader(drop_last=True),
    "weighted": lambda: make_loader(shuffle=None, sampler=WeightedRandomSampler([1.0] * 15 + [3.0] * 15, 30)),
    "with replacement": lambda: make_loader(shuffle=None, sampler=RandomSampler(Augmented(), replacement=True)),
    "own batch sampler": lambda: DataLoader(Augmented(), batch_sampler=jumpy(7)),
    "stock batch sampler": lambda: DataLoader(
        Augmented(), batch_sampler=BatchSampler(RandomSampler(Augmented()), 5, drop_last=False)
    ),
    "whole batches at once": lambda: DataLoader(Batched(), batch_size=4, shuffle=True),
    "random collate": lambda: make_loader(collate_fn=collate_with_noise),
    "tensors": lambda: DataLoader(
        TensorDataset(torch.linspace(0, 1, 240).reshape(30, 8), torch.arange(30) % 3), batch_size=4, shuffle=True
    ),
    "a generator of its own": lambda: make_loader(generator=torch.Generator()),
    "a list of batches": lambda: [
        (torch.full((4, 8), float(i)) + torch.arange(4)[:, None], torch.arange(4) % 3) for i in range(7)
    ],
}


class Stream:
    """An iterable of batches that can be read again and again, drawing from all streams."""

    def __iter__(self):
        for i in range(7):
            yield torch.randn(4, 8) + i + random.random(), torch.arange(4) % 3


class Flow(torch.utils.data.IterableDataset):
    def __iter__(self):
        for i in range(28):
            yield torch.randn(8) + i, torch.tensor(i % 3)


class Stateful:
    """Remembers its own position, as torchdata's loader does."""

    def __init__(self):
        self.given = 0

    def __iter__(self):
        while self.given < 7:
            self.given += 1
            yield torch.full((4, 8), float(self.given)) + torch.arange(4)[:, None], torch.arange(4) % 3
        self.given = 0

    def state_dict(self):
        return {"given": self.given}

    def load_state_dict(self, state):
        self.given = state["given"]


@pytest.mark.parametrize("form", ["flat", "nested"])
@pytest.mark.parametrize("kind", LOADERS)
def test_every_kind_of_loader_continues_with_the_same_bits(kind, form, tmp_path):
    train, goal = FORMS[form]
    expected = Plan(train, LOADERS[kind], goal).run(tmp_path / "whole")
    plan = Plan(train, LOADERS[kind], goal)
    assert plan.run(tmp_path / "relay", deaths=(3, 7, 11)) == expected
    assert not plan.sessions[-1].loop.doubts


@pytest.mark.parametrize("form", ["flat", "nested", "accumulated"])
@pytest.mark.parametrize(
    "make", [Stream, lambda: DataLoader(Flow(), batch_size=4), Stateful], ids=["iterable", "flow", "stateful"]
)
def test_what_cannot_be_rebuilt_is_read_on_and_labelled(make, form, tmp_path):
    train, goal = FORMS[form]
    expected = Plan(train, make, goal).run(tmp_path / "whole")
    plan = Plan(train, make, goal)
    assert plan.run(tmp_path / "relay", deaths=(2, 5)) == expected
    assert any("loader" in d for d in plan.sessions[-1].loop.doubts)


def test_each_epoch_has_another_order_and_other_noise(tmp_path):
    session = Plan(nested, make_loader)
    session.run(tmp_path / "a")
    labels = session.sessions[0].state["labels"]
    epochs = [labels[:8], labels[8:16], labels[16:]]
    assert epochs[0] != epochs[1] != epochs[2]
    assert all(sorted(itertools.chain(*e)) == sorted(i % 3 for i in range(30)) for e in epochs)


def test_without_a_seed_of_the_user_one_is_drawn_and_kept(tmp_path):
    from training.relay import Session

    first = Session(tmp_path / "a", goal=9, seed=None, save_at=always, die_after=None)
    other = Session(tmp_path / "b", goal=9, seed=None, save_at=always, die_after=None)
    for session in (first, other):
        session.folder.mkdir()
        flat(session, make_loader())
    assert first.state["labels"] != other.state["labels"]
    again = Session(tmp_path / "a", goal=20, seed=None, save_at=always, die_after=None)
    again.restore()
    assert again.loop.now.seed == first.loop.now.seed
