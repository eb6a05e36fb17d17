"""How a resume went, in words that a beginner understands; and the record behind them, read by old and new releases."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from batonpass.core.codec import decode, encode
from batonpass.core.model import Host, ResumeProof, ResumeRecord, Session
from batonpass.core.resumption import HINT, is_defect, proof_words, resume_in_short, resume_words

SAME = ResumeProof("same", 1, 1201, 1201, "loss", 0.123456789, 0.123456789)
OTHER = ResumeProof("same", 3, 1201, 1203, "loss", 0.52, 0.51, differs_at=1203)


def record(label: str = "EXACT") -> ResumeRecord:
    return ResumeRecord("s", "checkpoints/1200-s-1.json", 1200, 9, label=label)


def test_one_step_and_several_are_said_with_the_value_of_the_first():
    assert resume_words(record(), SAME) == "EXACT: step 1,201 reproduced bit for bit (loss 0.123457)"
    several = ResumeProof("same", 20, 1201, 1220, "loss", "NaN", "NaN")
    assert resume_words(record(), several) == "EXACT: steps 1,201 to 1,220 reproduced bit for bit (loss NaN)"


def test_a_table_has_it_in_short():
    assert resume_in_short(record(), SAME) == "EXACT, 1 step compared"
    assert resume_in_short(record("SAME DATA"), OTHER) == "SAME DATA, differs at 1,203"
    assert resume_in_short(record(), None) == "EXACT"
    assert resume_in_short(record(""), None) == "not finished"


def test_a_difference_is_a_defect_only_where_the_bits_were_promised():
    assert proof_words(record(), OTHER).startswith("step 1,203 is not what it was: loss 0.51 then, 0.52 now")
    assert HINT in proof_words(record(), OTHER)
    for label in ("SAME DATA", "PARTIAL"):
        assert "expected" in proof_words(record(label), OTHER)
        assert HINT not in proof_words(record(label), OTHER)
    defects = [is_defect(record(label), OTHER) for label in ("EXACT", "SAME DATA", "PARTIAL")]
    assert defects == [True, False, False]
    assert not is_defect(record(), SAME)
    assert not is_defect(record(), None)


def test_values_that_look_the_same_in_six_digits_are_shown_in_full():
    close = ResumeProof("same", 1, 5, 5, "loss", 0.1234567, 0.1234568, differs_at=5)
    assert "loss 0.1234568 then, 0.1234567 now" in proof_words(record(), close)


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (None, "nothing has been compared yet"),
        (ResumeProof(), "nothing has been compared yet"),
        (ResumeProof("same"), "the next batch held the samples that it would have held; no step has been compared yet"),
        (ResumeProof(note="nothing was recorded"), "nothing was recorded"),
    ],
)
def test_what_has_not_been_seen_is_not_claimed(proof, words):
    assert proof_words(record(), proof) == words


def test_before_the_restore_is_through_there_is_nothing_to_say():
    assert resume_words(record(label=""), None) == ""


def test_the_proof_goes_through_the_sessions_file_and_an_older_file_has_none():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    session = Session("s", "r", 1, "school", Host("colab", "m", "1"), now, now, resume_proof=OTHER)
    assert decode(Session, encode(session)).resume_proof == OTHER
    older = json.loads(encode(session))
    del older["resume_proof"]
    assert decode(Session, json.dumps(older).encode()).resume_proof is None
