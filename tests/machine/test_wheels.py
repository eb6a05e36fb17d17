"""Which published torch builds have left which cards behind."""

from __future__ import annotations

import pytest

from batonpass.core.gpu.wheels import oldest_card, wheel_gap

P100, V100, T4, A100, BLACKWELL = "6.0", "7.0", "7.5", "8.0", "12.0"


@pytest.mark.parametrize(
    ("torch", "cuda", "runs", "fails"),
    [
        ("2.7.1+cu126", None, (P100, V100, T4, A100), (BLACKWELL,)),
        ("2.10.0+cu126", "12.6", (P100, V100, T4, A100), (BLACKWELL,)),
        ("2.10.0+cu128", "12.8", (V100, T4, A100, BLACKWELL), (P100,)),
        ("2.11.0+cu128", "12.8", (T4, A100, BLACKWELL), (P100, V100)),
        ("2.12.0", "13.0", (T4, A100, BLACKWELL), (P100, V100)),
        ("2.10.0+cu130", None, (T4, A100, BLACKWELL), (P100, V100)),
    ],
)
def test_a_build_leaves_out_the_cards_that_its_makers_dropped(torch, cuda, runs, fails):
    assert [card for card in (*runs, *fails) if wheel_gap(card, torch, cuda)] == list(fails)


@pytest.mark.parametrize(
    ("torch", "cuda"), [("2.13.0", None), ("2.13.0+cpu", None), ("", ""), ("x" * 400, "9" * 400), ("nan+cu1", "1.")]
)
def test_of_a_build_that_is_not_known_nothing_is_said(torch, cuda):
    assert oldest_card(torch, cuda) is None
    assert wheel_gap(P100, torch, cuda) == ""


def test_the_sentence_names_build_and_card():
    said = wheel_gap(V100, "2.11.0+cu128")
    assert "2.11.0" in said
    assert "12.8" in said
    assert "7.0" in said
