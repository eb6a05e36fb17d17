"""A capped link: how fast content goes, what goes ahead of it, and who is told that it cannot be capped. No real time passes."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core.errors import StoppedError, UsageError
from batonpass.core.settings import read_settings
from batonpass.core.storage import Transfer
from batonpass.sync.drive.pace import BURST_S, Pace, pace_of
from batonpass.sync.drive.upload import MULTIPART_BYTES
from batonpass.sync.sign_in import find_credential
from batonpass.sync.stores import open_store
from batonpass.sync.stores.gdrive import GDriveStore

SIZE_BYTES = 24 << 20
RATE = 1_000_000
KEY = "runs/cats-1f2e3d4c/files/100-model-abababab.safetensors"


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now_s += seconds


def worst_window(trace: list[tuple[float, int]], window_s: float) -> int:
    """The most bytes that went over within so many seconds, from (moment, bytes so far)."""
    return max(after - before for at_s, before in trace for then_s, after in trace if at_s <= then_s <= at_s + window_s)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def capped(drive_settings, clock):
    """A store on the emulator whose link carries 1 MB/s each way, on a clock of ours."""
    made = GDriveStore(
        "batonpass",
        find_credential(drive_settings),
        drive_settings.drive_endpoint,
        up=Pace(RATE, clock=clock, sleep=clock.sleep),
        down=Pace(RATE, clock=clock, sleep=clock.sleep),
    )
    yield made
    made.close()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(os.urandom(SIZE_BYTES))
    return path


@given(rate=st.floats(1e3, 1e9), blocks=st.lists(st.integers(1, 4 << 20), min_size=1, max_size=50))
def test_never_more_than_the_rate_and_a_tenth_of_a_second(rate, blocks):
    """Whatever the blocks are, at any moment since the beginning."""
    clock = Clock()
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    sent = 0
    for block in blocks:
        pace.take(block, lambda: False)
        sent += block
        assert sent <= rate * (clock.now_s - 50.0 + BURST_S) * (1 + 1e-6) + 1
    assert sent >= rate * (clock.now_s - 50.0) * (1 - 1e-6) - 1


def test_a_rest_saves_up_no_more_than_a_tenth_of_a_second():
    clock = Clock()
    pace = Pace(RATE, clock=clock, sleep=clock.sleep)
    clock.now_s += 3600
    pace.take(10 * RATE, lambda: False)
    assert clock.now_s - 3650 == pytest.approx(10 - BURST_S)


def test_threads_share_one_bucket():
    """Eight at once are no faster than one."""
    clock = Clock()
    pace = Pace(RATE, clock=clock, sleep=clock.sleep)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: [pace.take(10_000, lambda: False) for _ in range(100)], range(8)))
    assert clock.now_s - 50 >= 8 * 100 * 10_000 / RATE - BURST_S - 1e-6


def test_an_upload_keeps_to_the_cap_in_every_ten_seconds(capped, clock, emulator, model):
    """Within 2 % over 10 s, no gush; the emulator got each byte once."""
    capped.put("first.json", b"x")
    emulator.control("reset_log")
    began_s, trace = clock.now_s, []
    transfer = Transfer(on_progress=lambda sent, _total: trace.append((clock.now_s, sent)))
    capped.put(KEY, model, transfer=transfer)
    assert clock.now_s - began_s == pytest.approx(SIZE_BYTES / RATE, rel=0.02)
    assert worst_window(trace, 10.0) <= 10 * RATE * 1.02
    assert worst_window(trace, 0.0) <= RATE * BURST_S * 2
    assert SIZE_BYTES <= emulator.log()["bytes_in"] < SIZE_BYTES * 1.01


def test_without_a_cap_no_time_passes(drive_settings, clock, emulator, model):
    """The clock that the other tests trust does see a link that is not held back."""
    free = Pace(None, clock=clock, sleep=clock.sleep)
    store = GDriveStore("batonpass", find_credential(drive_settings), drive_settings.drive_endpoint, up=free, down=free)
    store.put(KEY, model)
    assert clock.now_s == 50.0
    store.close()


def test_a_download_keeps_to_the_cap(capped, drive, clock, model):
    """The same for what comes down."""
    drive.put(KEY, model)
    began_s, trace, to = clock.now_s, [], io.BytesIO()
    capped.fetch(KEY, to, transfer=Transfer(on_progress=lambda sent, _total: trace.append((clock.now_s, sent))))
    assert to.getvalue() == model.read_bytes()
    assert clock.now_s - began_s == pytest.approx(SIZE_BYTES / RATE, rel=0.02)
    assert worst_window(trace, 10.0) <= 10 * RATE * 1.02


def test_small_things_go_ahead_of_a_large_one_and_are_counted(capped, clock, model):
    """A heartbeat in the middle of an upload waits for nothing; the upload ends so much later."""
    small = os.urandom(200_000)
    capped.put("first.json", b"x")
    began_s, waited_s = clock.now_s, []

    def beat(sent: int, _total: int) -> None:
        if sent > SIZE_BYTES / 2 and not waited_s:
            before_s = clock.now_s
            capped.put("heartbeat.json", small)
            assert capped.get("heartbeat.json") == small
            waited_s.append(clock.now_s - before_s)

    capped.put(KEY, model, transfer=Transfer(on_progress=beat))
    assert waited_s == [0.0]
    assert clock.now_s - began_s == pytest.approx((SIZE_BYTES + len(small)) / RATE, abs=2 * BURST_S)


def test_a_full_tail_of_metrics_goes_ahead_of_a_large_file_in_one_request(capped, clock, emulator, model):
    """What is no file on this disk is a session's own: it waits behind no checkpoint, up to what Drive takes at once."""
    large = os.urandom(MULTIPART_BYTES)
    capped.put("first.json", b"x")
    waited_s = []

    def beat(sent: int, _total: int) -> None:
        if sent > SIZE_BYTES / 2 and not waited_s:
            before_s = clock.now_s
            emulator.control("reset_log")
            capped.put("heartbeat.json", large)
            waited_s.append(clock.now_s - before_s)
            assert emulator.log()["by_op"].get("files.insert") == 1
            assert "upload.put" not in emulator.log()["by_op"]

    began_s = clock.now_s
    capped.put(KEY, model, transfer=Transfer(on_progress=beat))
    assert waited_s == [0.0]
    assert clock.now_s - began_s == pytest.approx((SIZE_BYTES + len(large)) / RATE, rel=0.02)


@pytest.mark.parametrize("way", ["up", "down"])
def test_who_waits_for_the_link_can_be_stopped(capped, drive, clock, model, way):
    """Within a moment, not after the file."""
    if way == "down":
        drive.put(KEY, model)
    began_s = clock.now_s
    transfer = Transfer(should_stop=lambda: clock.now_s - began_s > 3.0)
    begin = capped.put if way == "up" else capped.fetch
    with pytest.raises(StoppedError):
        begin(KEY, model if way == "up" else io.BytesIO(), transfer=transfer)
    assert clock.now_s - began_s < 3.5


def test_one_pace_for_each_direction_of_a_process(drive_settings):
    """Two stores with the same cap share the link; arguments win over the environment."""
    environment = {"BATONPASS_MAX_UPLOAD_MBIT_S": "8", "BATONPASS_MAX_DOWNLOAD_MBIT_S": "80.5"}
    caps = read_settings(environment).capped(download_mbit_s=16)
    settings = replace(
        drive_settings, max_upload_mbit_s=caps.max_upload_mbit_s, max_download_mbit_s=caps.max_download_mbit_s
    )
    one, other = open_store("gdrive://one", settings), open_store("gdrive://other", settings)
    assert one._http.up is other._http.up is pace_of("up", 8.0)
    assert one._http.down is other._http.down is pace_of("down", 16.0)
    assert one._http.up.block_bytes == 100_000
    for store in (one, other):
        store.close()


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", "1e-9"])
def test_a_cap_that_no_link_can_have_is_refused(text):
    with pytest.raises(UsageError, match="BATONPASS_MAX_UPLOAD_MBIT_S"):
        read_settings({"BATONPASS_MAX_UPLOAD_MBIT_S": text})
