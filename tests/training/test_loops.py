"""What counts as a step, where its boundary lies, and what becomes of bodies and tails that were left early."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
import torch
from training.relay import DiedError, Plan, Session, accumulated, flat, legacy, make_loader, nested

from batonpass.core.errors import UsageError


def session(folder, **options) -> Session:
    folder.mkdir(exist_ok=True)
    return Session(folder, **({"goal": 20, "save_at": lambda _: False, "die_after": None} | options))


def said(run: Session, words: str) -> bool:
    return any(words in line for line in run.lines)


def test_the_flat_loop_crosses_epochs_up_to_the_goal_and_len_counts_down(tmp_path):
    run = session(tmp_path / "a")
    batches = run.loop.steps(make_loader())
    assert len(batches) == 20
    seen = []
    for batch in batches:
        seen.append((run.loop.step, run.loop.epoch, run.loop.batch, len(batches)))
        run.body(batch)
    assert seen[0] == (1, 0, 0, 19)
    assert seen[8] == (9, 1, 0, 11)
    assert seen[-1] == (20, 2, 3, 0)
    assert run.boundaries == list(range(1, 21))
    assert (run.loop.finished_steps, run.loop.epoch_progress) == (20, 2.5)


def test_the_flat_loop_without_a_goal_says_what_to_write(tmp_path):
    with pytest.raises(UsageError, match=r"goal_steps=N.*run\.epochs"):
        session(tmp_path / "a", goal=None).loop.steps(make_loader())


def test_a_second_pass_under_a_plain_range_prints_the_one_line_fix_once(tmp_path):
    run = session(tmp_path / "a", goal=5)
    for _ in range(4):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
    assert run.loop.finished_steps == 5
    assert [("run.epochs(E)" in line) for line in run.lines].count(True) == 1


def test_the_nested_loop_ends_with_its_epochs_or_the_goal(tmp_path):
    run = session(tmp_path / "a", goal=None)
    nested(run, make_loader())
    assert (run.loop.finished_steps, run.loop.epoch) == (24, 3)
    run = session(tmp_path / "b", goal=10)
    nested(run, make_loader())
    assert (run.loop.finished_steps, run.loop.epoch, run.loop.batch) == (10, 1, 2)
    assert [t[0] for t in run.state["tails"]] == [0, 1]
    assert said(run, "the goal of 10 steps is reached")


def test_an_inner_loop_tells_its_remaining_batches(tmp_path):
    run = session(tmp_path / "a", goal=10)
    lengths = []
    epochs = run.loop.epochs(3)
    assert len(epochs) == 3
    for _ in epochs:
        batches = run.loop.steps(make_loader())
        lengths.append(len(batches))
        for batch in batches:
            run.body(batch)
    assert lengths == [8, 2]


def test_with_accumulation_a_short_last_group_is_a_step_of_its_own(tmp_path):
    run = session(tmp_path / "a", goal=None)
    steps, applied = [], []
    for _ in run.loop.epochs(1):
        for batch in run.loop.steps(make_loader(), accumulate=3):
            steps.append(run.loop.step)
            applied.append(run.loop.completes_step)
            run.body(batch, apply_it=run.loop.completes_step, parts=3)
    assert steps == [1, 1, 1, 2, 2, 2, 3, 3]
    assert applied == [False, False, True] * 2 + [False, True]
    assert run.loop.finished_steps == 3


def test_a_loader_of_unknown_length_also_has_its_short_last_group(tmp_path):
    class Stream:
        def __iter__(self):
            return iter(list(make_loader(shuffle=False)))

    run = session(tmp_path / "a", goal=None)
    accumulated(run, Stream(), epochs=2)
    assert run.loop.finished_steps == 6


def test_a_goal_inside_a_flat_accumulation_is_counted_to_the_body(tmp_path):
    run = session(tmp_path / "a", goal=4)
    batches = run.loop.steps(make_loader(), accumulate=3)
    assert len(batches) == 11
    bodies = 0
    for batch in batches:
        bodies += 1
        assert len(batches) == 11 - bodies
        run.body(batch, apply_it=run.loop.completes_step, parts=3)
    assert (bodies, run.loop.finished_steps) == (11, 4)


@pytest.mark.parametrize("tail_ran", [False, True], ids=["before the tail", "after the tail"])
def test_killed_round_an_epochs_tail_it_runs_exactly_once(tail_ran, tmp_path):
    def train(run: Session, loader) -> None:
        died = run.die_after is not None
        for epoch in run.loop.epochs(3):
            torch.rand(2)
            for batch in run.loop.steps(loader):
                run.body(batch)
            if died and epoch == 1 and not tail_ran:
                raise DiedError
            run.tail()
            if died and epoch == 1:
                run.save_at = lambda step: step == 16  # asked for inside the tail
                assert not run.loop.at_boundary

    expected = Plan(nested, make_loader)
    digest = expected.run(tmp_path / "whole")
    plan = Plan(train, make_loader)
    save_at = (lambda _: False) if tail_ran else (lambda step: step == 16)
    assert plan.run(tmp_path / "relay", save_at=save_at, deaths=(17 if tail_ran else 99,)) == digest
    assert plan.sessions[-1].state["tails"] == expected.sessions[-1].state["tails"]
    assert said(plan.sessions[-1], "only what follows them runs") is not tail_ran


def test_a_save_asked_for_in_the_tail_waits_for_the_next_epochs_start(tmp_path):
    run = session(tmp_path / "a", goal=None)
    seen = []
    for _ in run.loop.epochs(2):
        for batch in run.loop.steps(make_loader()):
            assert not run.loop.at_boundary
            run.body(batch)
        seen.append((run.loop.at_boundary, len(run.boundaries)))
    assert seen == [(False, 8), (False, 17)]
    assert len(run.boundaries) == 18
    assert run.loop.at_boundary


def test_break_at_the_top_gives_the_batch_again_and_says_so(tmp_path):
    loader = make_loader()
    expected = session(tmp_path / "a")
    flat(expected, loader)
    wanted = expected.digest()
    run = session(tmp_path / "b")
    for batch in run.loop.steps(loader):
        if run.loop.step == 6:
            refused = batch
            break
        run.body(batch)
        if run.loop.step % 5 == 0:
            run.scheduler.step()
    assert run.loop.body_open
    again = run.loop.steps(loader)
    assert said(run, "batch 6 of epoch 1 was left before the optimizer stepped: the batch is given again")
    for number, batch in enumerate(again):
        assert number or torch.equal(batch[0], refused[0])
        run.body(batch)
        if run.loop.step % 5 == 0:
            run.scheduler.step()
    assert run.digest() == wanted


def test_break_after_the_optimizer_stepped_counts(tmp_path):
    loader = make_loader()
    expected = session(tmp_path / "a")
    flat(expected, loader)
    wanted = expected.digest()
    run = session(tmp_path / "b")
    for batch in run.loop.steps(loader):
        run.body(batch)
        if run.loop.step == 4:
            break
    assert run.loop.finished_steps == 3
    batches = run.loop.steps(loader)
    assert run.loop.finished_steps == 4
    assert said(run, "after the optimizer had stepped: it counts")
    for batch in batches:
        run.body(batch)
        if run.loop.step % 5 == 0:
            run.scheduler.step()
    assert run.digest() == wanted


def test_finish_after_the_last_body_was_left_early_counts_it(tmp_path):
    run = session(tmp_path / "a")
    for batch in run.loop.steps(make_loader()):
        run.body(batch)
        if run.loop.step == 4:
            break
    run.loop.settle()
    assert (run.loop.finished_steps, run.loop.at_boundary, run.boundaries) == (4, True, [1, 2, 3, 4])


def test_a_step_that_the_loss_scale_skipped_counts(tmp_path):
    run = session(tmp_path / "a")
    for x, y in run.loop.steps(make_loader()):
        run.body((x * float("inf"), y))
        break
    run.loop.settle()
    assert run.scaler.get_scale() == 32.0
    assert run.loop.finished_steps == 1


def press_stop(*_drawn) -> None:
    raise KeyboardInterrupt


def interrupted_between_backward_and_step(run: Session, loader, at: int) -> None:
    with suppress(KeyboardInterrupt):
        for batch in run.loop.steps(loader):
            if run.loop.step == at:
                run.scaler.scale(run.model(batch[0]).sum()).backward()
                raise KeyboardInterrupt
            run.body(batch)
            if run.loop.step % 5 == 0:
                run.scheduler.step()


def test_a_body_cut_between_backward_and_step_goes_back_to_the_last_checkpoint(tmp_path):
    loader = make_loader()
    expected = session(tmp_path / "a")
    flat(expected, loader)
    wanted = expected.digest()
    run = session(tmp_path / "b", save_at=lambda step: step == 4)
    interrupted_between_backward_and_step(run, loader, at=7)
    flat(run, loader)
    assert said(run, "continuing from the last checkpoint, step 4")
    assert run.boundaries[:8] == [1, 2, 3, 4, 5, 6, 5, 6]
    assert run.digest() == wanted
    assert not run.loop.doubts


def test_without_a_checkpoint_such_a_cut_is_partial_and_the_batch_comes_again(tmp_path):
    loader = make_loader()
    run = session(tmp_path / "a")
    interrupted_between_backward_and_step(run, loader, at=3)
    flat(run, loader)
    assert said(run, "PARTIAL")
    assert run.loop.finished_steps == 20
    assert len(run.state["labels"]) == 20
    run.save()
    later = session(tmp_path / "a")
    later.restore()
    assert later.report.label == "PARTIAL"
    assert any("cut before the optimizer stepped" in m for m in later.report.missing)


def test_an_interrupt_that_left_no_traces_takes_the_streams_back(tmp_path):
    def train(run: Session, *, stop: bool) -> None:
        stopped = False
        while run.loop.finished_steps < 20:
            try:
                for batch in run.loop.steps(loader):
                    if stop and not stopped and run.loop.step == 5:
                        stopped = True
                        press_stop(torch.rand(3), legacy.random_sample(), random.random())
                    run.body(batch)
            except KeyboardInterrupt:
                pass

    loader = make_loader()
    digests = []
    for stop in (False, True):
        run = session(tmp_path / str(stop))
        train(run, stop=stop)
        digests.append(run.digest())
    assert digests[0] == digests[1]


def test_an_epoch_left_by_break_is_over_and_the_next_one_begins(tmp_path):
    run = session(tmp_path / "a", goal=None)
    epochs = []
    for epoch in run.loop.epochs(3):
        epochs.append(epoch)
        for batch in run.loop.steps(make_loader()):
            if run.loop.batch == 3:
                break
            run.body(batch)
    assert epochs == [0, 1, 2]
    assert run.loop.finished_steps == 9
    assert said(run, "epoch 1 was left after 3 batches: the next one begins")
    assert said(run, "its batch was not trained on")


def test_the_cell_run_again_continues_the_epoch_it_was_stopped_in(tmp_path):
    loader = make_loader()
    expected = session(tmp_path / "a", goal=None)
    nested(expected, loader)
    wanted = expected.digest()
    run = session(tmp_path / "b", goal=None)
    with suppress(KeyboardInterrupt):
        for _ in run.loop.epochs(3):
            torch.rand(2)
            for batch in run.loop.steps(loader):
                if run.loop.step == 12:
                    raise KeyboardInterrupt
                run.body(batch)
            run.tail()
    again = run.loop.epochs(3)
    assert len(again) == 2
    for epoch in again:
        if epoch != 1:
            torch.rand(2)
        for batch in run.loop.steps(loader):
            run.body(batch)
        run.tail()
    assert run.digest() == wanted


def test_a_tail_left_before_the_scheduler_stepped_runs_again_and_says_so(tmp_path):
    run = session(tmp_path / "a", goal=None)
    for _ in run.loop.epochs(2):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
        break
    for _ in run.loop.epochs(2):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
        run.tail()
    assert said(run, "it runs again")
    assert [t[0] for t in run.state["tails"]] == [0, 1]
    assert run.loop.finished_steps == 16


def test_a_tail_left_after_the_scheduler_stepped_goes_back_to_the_checkpoint_before_it(tmp_path):
    loader = make_loader()
    expected = session(tmp_path / "a", goal=None)
    nested(expected, loader, epochs=2)
    wanted = expected.digest()
    run = session(tmp_path / "b", goal=None, save_at=lambda step: step == 8)
    with suppress(KeyboardInterrupt):
        for _ in run.loop.epochs(2):
            torch.rand(2)
            for batch in run.loop.steps(loader):
                run.body(batch)
            run.scheduler.step()
            raise KeyboardInterrupt
    nested(run, loader, epochs=2)
    assert run.state["tails"] == expected.state["tails"]
    assert run.digest() == wanted


def test_early_stopping_in_the_tail_then_finish_does_not_run_that_tail_again(tmp_path):
    run = session(tmp_path / "a", goal=None)
    for _ in run.loop.epochs(5):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
        run.tail()
        if len(run.state["tails"]) == 2:
            break
    run.loop.settle()
    run.save()
    later = session(tmp_path / "a", goal=None)
    later.restore()
    assert next(later.loop.epochs(5)) == 2
    assert len(run.state["tails"]) == 2


def test_a_reached_goal_at_resume_gives_an_empty_loop_that_says_why(tmp_path):
    Plan(flat, make_loader, 6).run(tmp_path / "a", save_at=lambda step: step == 6)
    run = session(tmp_path / "a", goal=6)
    run.restore()
    assert list(run.loop.steps(make_loader())) == []
    assert said(run, "the goal of 6 steps is reached: nothing is left to train")


def test_a_goal_moved_on_continues_as_if_it_had_been_there_from_the_start(tmp_path):
    expected = Plan(flat, make_loader, 13).run(tmp_path / "whole")
    Plan(flat, make_loader, 6).run(tmp_path / "a", save_at=lambda step: step == 6)
    run = session(tmp_path / "a", goal=13, machine=5)
    run.restore()
    flat(run, make_loader())
    assert run.digest() == expected


def test_a_second_inner_loop_in_one_epoch_is_empty_and_says_how_to_validate(tmp_path):
    run = session(tmp_path / "a", goal=None)
    for _ in run.loop.epochs(1):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
        assert list(run.loop.steps(make_loader())) == []
    assert said(run, "for batch in val_loader")


def test_an_older_loop_cannot_go_on_beside_a_newer_one(tmp_path):
    run = session(tmp_path / "a")
    older = run.loop.steps(make_loader())
    run.body(next(older))
    run.body(next(run.loop.steps(make_loader())))
    with pytest.raises(UsageError, match="replaced by a newer one"):
        next(older)


def test_a_generator_that_is_used_up_is_an_error_not_an_endless_loop(tmp_path):
    run = session(tmp_path / "a")
    batches = list(make_loader())
    with pytest.raises(UsageError, match="DataLoader"):
        flat(run, (b for b in batches))
    assert run.loop.finished_steps == 8


def test_an_empty_loader_is_an_error_that_names_the_causes(tmp_path):
    run = session(tmp_path / "a")
    with pytest.raises(UsageError, match="drop_last"):
        next(run.loop.steps([]))


def test_a_generator_goes_on_after_break_and_gives_the_open_batch_again(tmp_path):
    run = session(tmp_path / "a", goal=8)
    source = (b for b in list(make_loader()))
    for batch in run.loop.steps(source):
        if run.loop.step == 3:
            refused = batch
            break
        run.body(batch)
    again = run.loop.steps(source)
    first = next(again)
    assert first is refused
    run.body(first)
    for batch in again:
        run.body(batch)
    assert run.loop.finished_steps == 8


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_a_senseless_accumulation_is_refused(tmp_path, value):
    with pytest.raises(UsageError):
        session(tmp_path / "a").loop.steps(make_loader(), accumulate=value)


def test_a_refusal_by_the_host_leaves_everything_as_it_was(tmp_path):
    run = session(tmp_path / "a")
    run.on_enter = lambda: (_ for _ in ()).throw(UsageError("held elsewhere"))
    with pytest.raises(UsageError, match="held elsewhere"):
        run.loop.steps(make_loader())
    assert (run.loop.finished_steps, run.loop.body_open) == (0, False)


def test_finish_at_the_last_body_of_an_epoch_leaves_its_tail_to_the_next_session(tmp_path):
    run = session(tmp_path / "a", goal=None)
    for epoch in run.loop.epochs(3):
        for batch in run.loop.steps(make_loader()):
            run.body(batch)
            if run.loop.step == 16:
                break
        if epoch == 1:
            break
        run.tail()
    run.loop.settle()
    run.save()
    later = session(tmp_path / "a", goal=None)
    later.restore()
    nested(later, make_loader())
    assert [t[0] for t in later.state["tails"]] == [0, 1, 2]
