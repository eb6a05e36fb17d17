"""The catalogue is data: these tests hold its shape, its matching and the order it implies."""

from __future__ import annotations

import pytest

from batonpass.core.errors import UsageError
from batonpass.core.gpu.catalogue import catalogue, match_gpu, offer_of, what_provider_hands_out
from batonpass.core.gpu.ranking import parse_precision, peak_tflops, place_among_offers, rank

GIB = 2**30
MIB = 2**20


def entries(*names):
    by_name = {e.name: e for e in catalogue()}
    return [by_name[n] for n in names]


def names(ranked):
    return [e.name for e in ranked]


OLD_FOUR = ("K80", "P100", "T4", "V100 16GB")


def test_every_entry_has_a_source_and_figures_that_are_positive_or_unknown():
    for e in catalogue():
        assert e.source
        assert e.memory_gib > 0
        for figure in (e.bandwidth_gbs, e.fp32_tflops, e.fp16_tensor_tflops):
            assert figure is None or figure > 0
        assert e.native_bf16 == (not e.is_cuda or float(e.compute_capability) >= 8.0)


def test_every_name_is_unique():
    assert len({e.name for e in catalogue()}) == len(catalogue())


@pytest.mark.parametrize(
    ("reported", "memory_mib", "expected"),
    [
        ("Tesla K80", 11441, "K80"),
        ("Tesla P100-PCIE-16GB", 16280, "P100"),
        ("Tesla T4", 15360, "T4"),
        ("Tesla T4", 15109, "T4"),
        ("Tesla V100-SXM2-16GB", 16160, "V100 16GB"),
        ("Tesla V100-SXM2-32GB", 32768, "V100 32GB"),
        ("V100", 32510, "V100 32GB"),
        ("NVIDIA L4", 23034, "L4"),
        ("NVIDIA A100-SXM4-40GB", 40960, "A100 40GB"),
        ("NVIDIA A100-SXM4-80GB", 81920, "A100 80GB"),
        ("NVIDIA A100 80GB PCIe", 81920, "A100 80GB"),
        ("A100", 40536, "A100 40GB"),
        ("A100", 81251, "A100 80GB"),
        ("NVIDIA H100 80GB HBM3", 81559, "H100 SXM"),
        ("NVIDIA H100 PCIe", 81559, "H100 PCIe"),
        ("NVIDIA A10G", 23028, "A10G"),
        ("NVIDIA A10", 23028, "A10"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "RTX PRO 6000 Blackwell Server"),
    ],
)
def test_a_card_is_found_by_the_name_and_memory_that_its_driver_reports(reported, memory_mib, expected):
    found = match_gpu(reported, memory_mib * MIB)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize(
    ("reported", "memory_bytes"),
    [
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 5 * GIB),
        ("NVIDIA A100-SXM4-40GB", 5 * GIB),  # a slice under the card's own name
        ("A100", 0),  # two cards of that name, and no memory to choose by
        ("NVIDIA GeForce GTX 1060 6GB", 6 * GIB),
        ("", 16 * GIB),
        ("<b>T4</b>", 16 * GIB),
    ],
)
def test_what_is_no_card_of_the_catalogue_is_not_taken_for_one(reported, memory_bytes):
    assert match_gpu(reported, memory_bytes) is None


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("amp", ["V100 16GB", "T4", "P100", "K80"]),
        ("fp32", ["V100 16GB", "P100", "T4", "K80"]),
    ],
)
def test_the_order_of_the_old_four_depends_on_the_precision(precision, expected):
    assert names(rank(entries(*OLD_FOUR), precision).ordered) == expected


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("amp", ["H100 SXM", "A100 80GB", "A100 40GB", "L4", "T4"]),
        ("bf16", ["H100 SXM", "A100 80GB", "A100 40GB", "L4"]),
        ("fp32", ["H100 SXM", "L4", "A100 80GB", "A100 40GB", "T4"]),
    ],
)
def test_what_colab_hands_out_is_ranked_and_the_card_without_figures_stays_unknown(precision, expected):
    ranking = rank(what_provider_hands_out("colab"), precision)
    assert names(ranking.ordered) == expected
    assert names(ranking.unknown) == ["RTX PRO 6000 Blackwell Server"]
    assert names(ranking.slow_bf16) == (["T4"] if precision == "bf16" else [])


def test_an_unknown_figure_is_never_invented_from_another_one():
    (a10g,) = entries("A10G")
    assert a10g.fp32_tflops == 31.2
    assert peak_tflops(a10g, "amp") is None
    assert names(rank([a10g], "amp").unknown) == ["A10G"]
    assert rank([a10g], "amp").place(a10g) is None


def test_a_tpu_is_listed_for_its_provider_but_never_ranked():
    tpu = [e for e in what_provider_hands_out("kaggle") if not e.is_cuda]
    assert names(tpu) == ["TPU v3-8", "TPU v5e-8", "TPU v6e-8"]
    ranking = rank(tpu, "bf16")
    assert (ranking.ordered, ranking.unknown) == ((), ())


def test_offers_carry_their_condition_and_leave_out_what_was_removed():
    t4, v100 = entries("T4", "V100 16GB")
    assert offer_of(t4, "colab").note == "free"
    assert offer_of(t4, "kaggle").note == "two of them"
    assert offer_of(v100, "colab") is None
    assert what_provider_hands_out("nowhere") == ()


def test_a_card_that_the_provider_is_not_known_to_hand_out_still_gets_its_place():
    (v100,) = entries("V100 16GB")
    found = place_among_offers(v100, "colab", "amp")
    assert (found.place, found.of) == (5, 6)


def test_precision_is_read_in_its_usual_spellings_and_refused_with_a_hint_otherwise():
    assert [parse_precision(t) for t in ("AMP", "fp16", "bfloat16", " 32-true ")] == ["amp", "amp", "bf16", "fp32"]
    with pytest.raises(UsageError, match="amp"):
        parse_precision("int3")
