"""What one epoch holds is divided among processes so that its steps see the same samples whatever their number, and nobody is given
everybody's data in silence.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
from torch.utils.data.distributed import DistributedSampler
from training.relay import Session

from batonpass.core.training import rebuilt, split
from batonpass.core.training.data import open_source
from batonpass.core.training.order import DrawnOrder, IndexedOrder
from batonpass.core.training.ranks import World
from batonpass.core.training.split import SplitOrder, order_seed, warning


def data(samples: int) -> TensorDataset:
    return TensorDataset(torch.arange(samples))


def share(samples: int, processes: int, rank: int, batch: int | None = 2, **options: bool) -> SplitOrder:
    drop_last = options.pop("drop_last", False)
    return SplitOrder(DistributedSampler(data(samples), processes, rank, **options), batch, drop_last=drop_last)


@given(
    st.integers(1, 30),
    st.integers(1, 4),
    st.integers(1, 5) | st.none(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
def test_any_batch_of_any_process_is_found_at_once_and_is_the_samplers_own(
    samples, processes, batch, drop, shuffle, epoch
):
    for rank in range(processes):
        sampler = DistributedSampler(data(samples), processes, rank, shuffle=shuffle)
        drawn = DrawnOrder(torch.utils.data.BatchSampler(sampler, batch, drop) if batch else sampler, 7)
        found = SplitOrder(sampler, batch, drop_last=drop and batch is not None)
        expected = list(drawn.iterate(epoch, 0))
        assert list(found.iterate(epoch, 0)) == expected
        assert found.batches == len(expected)
        assert list(found.iterate(epoch, len(expected) // 2)) == expected[len(expected) // 2 :]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2))
def test_with_as_many_samples_in_a_step_the_same_ones_make_it_up_whatever_the_number_of_processes(
    many, few, size, epoch
):
    in_a_step = many * few * size
    samples = 3 * in_a_step
    for batch in range(3):
        one = share(samples, many, 0, in_a_step // many).keys(epoch, batch)
        other = share(samples, few, few - 1, in_a_step // few).keys(epoch, batch)
        alone = share(samples, 1, 0, in_a_step).keys(epoch, batch)
        assert one == other == alone


def test_the_keys_of_a_batch_are_those_that_the_processes_read():
    orders = [share(21, 2, rank, 3) for rank in range(2)]
    for batch in range(orders[0].batches):
        read = [key for order in orders for key in list(order.iterate(1, 0))[batch]]
        assert sorted(read) == sorted(orders[0].keys(1, batch))


def loader(**options: object) -> DataLoader:
    return DataLoader(data(20), batch_size=2, **options)


def test_a_loader_that_divides_nothing_is_named_and_a_divided_one_is_not(monkeypatch):
    assert warning(loader(shuffle=True)) == ""
    monkeypatch.setattr(split, "here", lambda: World(0, 2))
    assert "the same batches" in warning(loader())
    assert "all of the data, 2 times" in warning(loader(shuffle=True))
    assert warning(loader(sampler=DistributedSampler(data(20), 2, 0))) == ""
    assert warning([1, 2]) == ""


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": WeightedRandomSampler([1.0] * 20, 20)}])
def test_a_shuffled_loader_gives_each_process_an_order_of_its_own(options, monkeypatch):
    orders = []
    for rank in range(2):
        monkeypatch.setattr(rebuilt, "here", lambda rank=rank: World(rank, 2))
        orders.append([b.tolist() for (b,) in open_source(loader(**options), 5).open(0, 0)])
    assert orders[0] != orders[1]


def test_a_sampler_of_the_users_own_draws_the_same_in_every_process():
    class Own(torch.utils.data.Sampler):
        def __iter__(self):
            return iter(range(20))

    assert order_seed(loader(sampler=Own()), 5, 1) == order_seed(loader(sampler=Own()), 5, 0) == 5


def test_a_resume_with_smaller_batches_goes_on_at_the_same_sample_and_says_so(tmp_path):
    class Small(Session):
        def body(self, batch, **_):
            self.state.setdefault("read", []).extend(batch[0].tolist())
            self.optimizer.step()

    def play(size: int, *, goal: int) -> Small:
        session = Small(tmp_path / "run", goal=goal, save_at=lambda step: step == 3, die_after=None)
        (tmp_path / "run").mkdir(exist_ok=True)
        session.restore()
        for batch in session.loop.steps(
            DataLoader(data(24), batch_size=size, sampler=DistributedSampler(data(24), 1, 0))
        ):
            session.body(batch)
        return session

    first = play(4, goal=3)
    second = play(2, goal=9)
    assert sorted(second.state["read"]) == list(range(24))
    assert second.state["read"][:12] == first.state["read"]
    assert second.loop.doubts == ["batches of 4 samples then, 2 now: going on at the same sample"]


def test_the_order_of_one_process_is_found_by_arithmetic_and_counts_for_itself():
    assert IndexedOrder(10, 2, drop_last=False, shuffle_seed=1).parts == 1
