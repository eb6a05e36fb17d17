"""What a notebook shows of an error of ours: the user's lines, the message and the hint."""

from __future__ import annotations

import traceback

import pytest

from batonpass.core.errors import BatonpassError, CheckpointMismatchError, UsageError
from batonpass.core.snippets.inputs import Target


def shown(error: BatonpassError) -> str:
    """What IPython prints."""
    return "\n".join(error._render_traceback_())


def raise_of_the_users_own() -> None:
    raise KeyError("weight")


def translate() -> None:
    try:
        raise_of_the_users_own()
    except KeyError as error:
        raise CheckpointMismatchError("does not fit", hint="look at the model") from error


def clean_up_and_fail() -> None:
    try:
        raise_of_the_users_own()
    finally:
        raise UsageError("too late")


def say_something_else() -> None:
    try:
        raise_of_the_users_own()
    except KeyError:
        raise UsageError("instead") from None


def test_lines_from_inside_are_left_out():
    with pytest.raises(UsageError) as caught:
        Target.parse("nowhere")
    said = shown(caught.value)
    assert 'Target.parse("nowhere")' in said
    assert "inputs.py" not in said
    assert "ValueError" not in said
    assert said.endswith(f"UsageError: {caught.value.message}\n  What to do: {caught.value.hint}")


def test_an_error_of_the_users_own_that_it_came_of_stands_above_it():
    with pytest.raises(CheckpointMismatchError) as caught:
        translate()
    said = shown(caught.value)
    assert "in raise_of_the_users_own" in said
    assert said.index("KeyError: 'weight'") < said.index("CheckpointMismatchError: does not fit")


def test_an_error_that_was_on_its_way_already_is_not_lost():
    with pytest.raises(UsageError) as caught:
        clean_up_and_fail()
    assert "KeyError: 'weight'" in shown(caught.value)


def test_what_was_hidden_on_purpose_stays_hidden():
    with pytest.raises(UsageError) as caught:
        say_something_else()
    assert "KeyError" not in shown(caught.value)


def test_frames_without_a_module_and_rings_of_causes_do_no_harm():
    first, second = UsageError("first"), UsageError("second")
    first.__cause__, second.__cause__ = second, first
    assert shown(first) == "UsageError: first"
    nameless = {"error": UsageError("nameless"), "__name__": None}
    with pytest.raises(UsageError) as caught:
        exec("raise error", nameless)
    assert shown(caught.value).endswith("UsageError: nameless")
    assert traceback.format_exception(caught.value), "Python's own way still shows all"
