"""What the notebook shows: honest about the GPU, honest about what is safe, and harmless whatever a name contains."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from batonpass.card import Card, machine_card, show, status_card
from batonpass.core.errors import UsageError
from batonpass.core.gpu.advice import TorchBuild
from batonpass.core.model import Gpu, Host
from batonpass.sync import gpu as door

COLAB = Host("colab", "feed", "1-2", "Linux x86_64", 2, 13 * 2**30, 78 * 2**30)
KAGGLE = replace(COLAB, provider="kaggle", cpu_count=4)
HERE = replace(COLAB, provider="other")
CU128 = TorchBuild("2.11.0+cu128", ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"), "12.8")
T4 = Gpu("Tesla T4", 15360 * 2**20, "7.5", usable=True)
EVIL = "</div><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\nbatonpass: safe to close: yes"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(card):
    """The card's text, after its HTML was found whole, without script, and loading nothing."""
    tags = Tags()
    tags.feed(card.html)
    assert tags.open == []
    assert tags.seen <= {"div", "pre"}
    assert "url(" not in card.html
    return card.text


def flat(text):
    return re.sub(r"\s+", " ", text)


def test_the_card_of_a_t4_on_colab_says_what_it_is_and_what_it_means():
    text = flat(checked(machine_card(COLAB, [T4], build=CU128, session_lengths_s=[4200, 12000, 32400])))
    assert "Tesla T4, 15.0 GiB, compute capability 7.5" in text
    assert "bf16 not native" in text
    assert "runs on it (one operation was tried)" in text
    assert "5th of 5 for mixed precision (fp16) at Colab" in text
    assert "no figure for RTX PRO 6000 Blackwell Server" in text
    assert "fp16 with GradScaler" in text
    assert "13.0 GiB RAM, 78.0 GiB disk free" in text
    assert "3 sessions at Colab lasted 1 h 10 min to 9 h, the middle 3 h 20 min; your log, not a promise" in text
    assert "runtime.unassign()" in text


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ("k80", "Tesla K80, 11.2 GiB, compute capability 3.7"),
        ("p100", "Tesla P100-PCIE-16GB, 16.0 GiB"),
        ("v100", "5th of 6 for mixed precision (fp16) at Colab"),
        ("l4", "bf16 native"),
        ("a100_40", "3rd of 5"),
        ("a100_80", "2nd of 5"),
        ("two_t4", "2 x Tesla T4, 15.0 GiB each"),
        ("unsupported", "not in the catalogue, so not ranked"),
        ("lost", "unnamed NVIDIA GPU"),
        ("no_gpu", "GPU none (no NVIDIA driver on this machine)"),
        ("driver_mismatch", "different versions"),
    ],
)
def test_every_recorded_machine_gets_a_card(nvml, reading, words):
    nvml(reading)
    found = door.read_gpus()
    assert words in flat(checked(machine_card(COLAB, found.gpus, gpu_problem=found.problem)))


def test_the_rank_follows_the_precision():
    p100 = Gpu("Tesla P100-PCIE-16GB", 16384 * 2**20, "6.0")
    assert "P100 > T4" in flat(machine_card(KAGGLE, [p100], precision="fp32").text)
    assert "T4 > P100" in flat(machine_card(KAGGLE, [p100], precision="amp").text)
    assert "last for bf16" in flat(machine_card(KAGGLE, [T4], precision="bf16").text)
    with pytest.raises(UsageError):
        machine_card(KAGGLE, [T4], precision="fp7")


def test_a_card_that_this_torch_cannot_use_is_said_in_red_with_what_to_do():
    p100 = Gpu("Tesla P100-PCIE-16GB", 16384 * 2**20, "6.0", usable=False, why_not="no kernel image is available")
    card = machine_card(KAGGLE, [p100], build=CU128)
    assert "cannot use it" in checked(card)
    assert "no kernel image" in card.text
    assert "Ask for another GPU" in card.text
    assert "#cf4b4b" in card.html
    assert "#cf4b4b" not in machine_card(KAGGLE, [T4], build=CU128).html


def test_nothing_is_said_to_have_been_tried_that_was_not():
    untried = replace(T4, usable=None)
    assert "not tried" in machine_card(COLAB, [untried]).text
    assert "holds code for it (not tried)" in machine_card(COLAB, [untried], build=CU128).text


def test_without_a_gpu_there_is_no_advice_on_giving_one_back():
    text = checked(machine_card(COLAB, []))
    assert "unassign" not in text
    assert "Runtime > Change runtime type" in text


def test_on_kaggle_the_polite_way_is_to_stop_the_session():
    text = flat(checked(machine_card(KAGGLE, [T4, T4])))
    assert "stop the session" in text
    assert "google.colab" not in text


def test_on_ones_own_computer_nothing_is_given_back_and_nothing_ranked_against_nobody():
    text = flat(checked(machine_card(HERE, [T4])))
    assert "Not the GPU you want" not in text
    assert "no list of cards is known" in text


def test_history_has_its_n_and_none_is_none():
    said = " ".join(machine_card(COLAB, []).text.split())
    assert "nothing yet; from the next start on, it says how long this run's sessions on Colab lasted" in said
    assert "one session at Colab so far, of 41 s" in machine_card(COLAB, [], session_lengths_s=[41]).text


def test_the_start_line_is_printed_as_it_must_be_pasted():
    line = "run = bp.start('cats', store='/x', run_id='1f2e3d4c', root_id='aabbccddeeff')"
    assert f"\n      {line}\n" in machine_card(COLAB, [T4], start_line=line).text


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        ({"step": 0}, "yes, nothing has been trained yet"),
        ({"step": 12_000, "durable_step": 12_000, "durable_age_s": 41}, "yes, step 12,000, 41 s ago"),
        (
            {"step": 12_012, "durable_step": 12_000, "durable_age_s": 41, "steps_at_risk": 12, "seconds_at_risk": 40},
            "yes, step 12,000, 41 s ago; 12 steps (40 s) would run again",
        ),
        (
            {"step": 12_120, "durable_step": 12_000, "steps_at_risk": 120, "seconds_at_risk": 180},
            "no: 120 steps (3 min) are on this machine only",
        ),
        (
            {"step": 12_000, "durable_step": 12_000, "durable_age_s": 41, "proven": False},
            "not yet: step 12,000 was handed over to the mount 41 s ago and has not been seen elsewhere",
        ),
        (
            {"step": 9, "steps_at_risk": 1, "seconds_at_risk": 1},
            "no: 1 step (1 s) is on this machine only; no checkpoint has reached the store yet",
        ),
    ],
)
def test_safe_to_close_is_answered_by_what_is_durable(facts, headline):
    text = checked(status_card(name="cats", **facts))
    assert f"safe to close: {headline}" in text.splitlines()[0]


def test_work_that_only_a_mount_has_is_never_called_safe():
    for proven in (True, False):
        card = status_card(name="c", step=9, durable_step=9, proven=proven)
        assert ("safe to close: yes" in card.text) is proven
        assert ("#2f9e63" in card.html) is proven


def test_a_goal_a_branch_and_the_services_problems_are_shown():
    text = checked(
        status_card(
            name="cats", step=50, goal_steps=200, durable_step=50, branch="began offline", problems=["Drive is full"]
        )
    )
    for words in ("50 of 200 (25 %)", "began offline", "! Drive is full"):
        assert words in text


@pytest.mark.parametrize(
    "card",
    [
        status_card(name=EVIL, step=1, branch=EVIL, problems=[EVIL]),
        machine_card(replace(COLAB, provider=EVIL, system=EVIL), [Gpu(EVIL, 1, "7.5", usable=False, why_not=EVIL)]),
        machine_card(COLAB, [], gpu_problem=EVIL, start_line=EVIL),
    ],
)
def test_a_hostile_name_stays_text(card):
    checked(card)
    assert "\x1b" not in card.text + card.html
    forged = [line for line in card.text.splitlines() if line.startswith("batonpass: safe to close: yes")]
    assert forged == []


def test_outside_a_notebook_the_text_is_printed(capsys):
    show(Card("plain words", "<div>rich</div>"))
    assert capsys.readouterr().out == "plain words\n"


@pytest.mark.kernel
def test_in_a_notebook_the_html_is_displayed_with_the_text_beside_it():
    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell(
        "from batonpass.card import Card, show\nshow(Card('plain words', '<div>rich</div>'))"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data == {"text/html": "<div>rich</div>", "text/plain": "plain words"}


def test_showing_a_card_in_a_plain_process_does_not_import_ipython():
    code = "import sys; from batonpass.card import Card, show; show(Card('a', 'b')); print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["a", "False"]
