"""Transfers side by side: as many as the store bears, in order, and none left running when the first has failed."""

from __future__ import annotations

import threading

import pytest

from batonpass.sync.crew import Crew


@pytest.fixture
def crew():
    made = Crew(3)
    yield made
    made.close()


class Gate:
    """Work that waits until the test lets it go, and knows how many ran at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, item):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.open.wait(20)
        with self.lock:
            self.inside -= 1
        return item * 10


def run_in_thread(work):
    out: list = []
    thread = threading.Thread(target=lambda: out.append(work()))
    thread.start()
    return thread, out


def poll(condition):
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return True
        waiting.wait(0.01)
    return False


def test_results_come_in_the_order_of_the_items_and_so_many_run_at_once_as_there_are_streams(crew):
    gate = Gate()
    thread, out = run_in_thread(lambda: crew.each(gate, range(7)))
    assert poll(lambda: gate.inside == 3)
    gate.open.set()
    thread.join(20)
    assert out == [[0, 10, 20, 30, 40, 50, 60]]
    assert gate.most == 3


def test_after_a_store_asked_for_less_one_runs_at_a_time_and_then_slowly_more(crew):
    crew.slow_down()
    gate = Gate()
    thread, out = run_in_thread(lambda: crew.each(gate, range(4)))
    assert poll(lambda: gate.inside == 1)
    assert crew.limit == 1
    gate.open.set()
    thread.join(20)
    assert out == [[0, 10, 20, 30]]
    assert crew.limit == 3


def test_the_first_error_begins_nothing_more_and_comes_when_what_runs_has_ended(crew):
    began = []
    gate = Gate()

    def work(item):
        began.append(item)
        if item == 1:
            raise ValueError("one")
        return gate(item)

    def attempt():
        with pytest.raises(ValueError, match="one"):
            crew.each(work, range(9))
        return gate.inside

    thread, out = run_in_thread(attempt)
    assert poll(lambda: 1 in began)
    gate.open.set()
    thread.join(20)
    assert out == [0]
    assert len(began) < 9
    assert crew.each(lambda n: n, [1, 2]) == [1, 2]


def test_a_crew_of_one_works_on_the_callers_own_thread():
    here = threading.current_thread()
    assert Crew(1).each(lambda _: threading.current_thread() is here, [1, 2]) == [True, True]


def test_no_items_are_no_work(crew):
    assert crew.each(lambda n: n, []) == []
