"""When a holder is really gone: decided from data, without waiting."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from legs import host

from batonpass.core.model import End, EndKind, Session
from batonpass.core.storage import ObjectInfo
from batonpass.sync.handover import judge_holder
from batonpass.sync.reading import SessionFile

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ELSEWHERE = Session("s", "r", 1, "school", host("machine-2", "1-1"), NOW, NOW)
HERE_ALIVE = replace(ELSEWHERE, host=host())
HERE_DEAD = replace(ELSEWHERE, host=host(process="4194304-1"))
ENDED = replace(ELSEWHERE, end=End(EndKind.STOPPED, NOW))
MINUTE = 60.0


@pytest.mark.parametrize(
    ("session", "silent_s", "proves", "gone"),
    [
        pytest.param(ELSEWHERE, 4 * MINUTE, True, False, id="throttled or full for four minutes is not dead"),
        pytest.param(ELSEWHERE, 6 * MINUTE, True, True, id="six minutes of a store's own silence"),
        pytest.param(ELSEWHERE, 25 * MINUTE, False, False, id="a mount that lags proves nothing"),
        pytest.param(ELSEWHERE, 110 * MINUTE, False, False, id="nor after two hours less ten minutes"),
        pytest.param(ELSEWHERE, 10 * 60 * MINUTE, False, True, id="the next morning, on a mount"),
        pytest.param(ELSEWHERE, -90.0, True, False, id="a clock that is behind"),
        pytest.param(HERE_ALIVE, 24 * 60 * MINUTE, True, False, id="silent all day, but its process lives here"),
        pytest.param(HERE_DEAD, 1.0, True, True, id="fresh, but its process here is gone"),
        pytest.param(ENDED, 1.0, False, True, id="ended"),
        pytest.param(replace(ELSEWHERE, alive=False), 1.0, True, True, id="a watcher beats on after training died"),
    ],
)
def test_a_holder_is_gone_only_when_that_is_known(session, silent_s, proves, gone):
    seen = SessionFile(session, ObjectInfo("k", 1, "v", NOW))
    assert judge_holder(seen, host(), silent_s=silent_s, proves_silence=proves).gone is gone


def test_a_holder_whose_file_has_not_arrived_is_not_called_dead():
    assert not judge_holder(None, host(), silent_s=1e9, proves_silence=True).gone
