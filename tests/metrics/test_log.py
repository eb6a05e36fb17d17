"""The metric log keeps every number, never disturbs the loop, and says what it could not keep."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from batonpass.core.metrics import log as log_module
from batonpass.core.metrics.log import MetricLog
from batonpass.core.metrics.logfile import read_rows
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.scalar import to_scalar


@pytest.fixture
def log(tmp_path):
    metrics = MetricLog(tmp_path / "deep" / "metrics.jsonl")
    yield metrics
    metrics.close()


def wait_until(condition, deadline_s=20.0):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_every_value_becomes_a_row_with_its_number(log):
    log.log(1, 0.5, {"loss": 2.5, "lr": 1}, at=10.0)
    log.log(2, 1.0, {"loss": float("nan"), "gap": -math.inf}, at=11.0)
    assert log.flush(20)
    rows = log.read()
    assert rows[:2] == [Row(0, 1, 0.5, 10.0, "loss", 2.5), Row(1, 1, 0.5, 10.0, "lr", 1.0)]
    assert math.isnan(rows[2].value)
    assert rows[3] == Row(3, 2, 1.0, 11.0, "gap", -math.inf)
    assert log.rows == 4
    assert log.newest["loss"] != log.newest["loss"]
    assert log.read(3) == rows[3:]


@pytest.mark.parametrize(
    "value", [True, 7, 0.25, np.float32(0.25), np.int8(-3), np.bool_(1), np.array(0.5), np.float16(2)]
)
def test_numbers_of_many_kinds_are_taken(log, value):
    log.log(1, 0.0, {"x": value})
    assert log.flush(20)
    assert [r.value for r in log.read()] == [float(value)]


def test_tensors_are_read_when_they_are_logged_and_may_change_afterwards(log):
    torch = pytest.importorskip("torch")
    loss = torch.tensor(1.5, requires_grad=True)
    log.log(1, 0.0, {"a": loss, "b": torch.tensor(3, dtype=torch.int64), "c": torch.tensor(0.5, dtype=torch.bfloat16)})
    with torch.no_grad():
        loss.mul_(100)
    assert log.flush(20)
    assert [r.value for r in log.read()] == [1.5, 3.0, 0.5]


class Explosive:
    def __getattribute__(self, name):
        raise RuntimeError("boom")


@pytest.mark.parametrize(
    "value",
    [None, "1.5", b"1", [1.0], {}, 1j, np.zeros(1), np.str_("1.5"), np.complex64(1), object(), Explosive, 10**400],
)
def test_what_is_no_number_is_counted_and_its_neighbours_are_kept(log, value):
    log.log(1, 0.0, {"bad": Explosive() if value is Explosive else value, "good": 1.0})
    assert log.flush(20)
    assert [r.name for r in log.read()] == ["good"]
    assert log.dropped == 1
    assert "'bad'" in log.last_reason


@pytest.mark.parametrize(
    ("step", "epoch", "values", "at"),
    [
        ("1", 0.0, {"x": 1.0}, None),
        (1.5, 0.0, {"x": 1.0}, None),
        (2**70, 0.0, {"x": 1.0}, None),
        (1, None, {"x": 1.0}, None),
        (1, math.nan, {"x": 1.0}, None),
        (1, 0.0, {"x": 1.0}, "noon"),
        (1, 0.0, {"x": 1.0}, math.inf),
        (1, 0.0, None, None),
        (1, 0.0, {3: 1.0}, None),
        (1, 0.0, {"": 1.0}, None),
        (1, 0.0, {"x" * 201: 1.0}, None),
        (1, 0.0, {"\ud800": 1.0}, None),
    ],
)
def test_a_call_that_means_nothing_is_counted_and_never_raises(log, step, epoch, values, at):
    log.log(step, epoch, values, at)
    assert (log.rows, log.dropped) == (0, 1)
    assert log.last_reason


def test_names_that_look_like_markup_or_json_survive(log):
    names = ['say "hi"', "a\nb", "</script>", "größe", "a\\"]
    log.log(1, 0.0, dict.fromkeys(names, 1.0))
    assert log.flush(20)
    assert [r.name for r in log.read()] == names


def test_the_number_of_different_names_is_bounded(log, monkeypatch):
    monkeypatch.setattr(log_module, "NAMES_LIMIT", 2)
    log.log(1, 0.0, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert (log.rows, log.dropped) == (2, 1)


def test_a_log_opened_again_continues_its_row_numbers(tmp_path):
    path = tmp_path / "m.jsonl"
    for start in (0, 2):
        log = MetricLog(path)
        assert log.rows == start
        log.log(1, 0.0, {"a": 1.0, "b": 2.0})
        log.close()
    assert [r.row for r in read_rows(path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("torn", [b"[4", b'[4,1,0.0,1.0,"a",1.0]', b"\xff\x00garbage"])
def test_a_torn_last_line_is_cut_and_nothing_else(tmp_path, torn):
    path = tmp_path / "m.jsonl"
    log = MetricLog(path)
    log.log(1, 0.0, {"a": 1.0})
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert [r.row for r in read_rows(path)] == [0]
    again = MetricLog(path)
    assert path.read_bytes() == whole
    assert again.rows == 1
    again.close()


def test_damaged_lines_in_the_middle_are_passed_over(tmp_path):
    path = tmp_path / "m.jsonl"
    bad = (
        b'{}\nnull\n[1]\n[1,1,0,0,"a","huge"]\n[-1,1,0,0,"a",1]\n[1.5,1,0,0,"a",1]\n[1,1,0,0,5,1]\n'
        + b"[" * 9999
        + b"\n"
    )
    path.write_bytes(b'[0,1,0,0,"a",1]\n' + bad + b'[1,2,0,0,"a","NaN"]\n')
    assert [r.row for r in read_rows(path)] == [0, 1]
    assert read_rows(tmp_path / "none.jsonl") == []


def test_a_later_part_is_read_without_reading_the_whole_file(tmp_path):
    path = tmp_path / "m.jsonl"
    for _ in range(2):
        log = MetricLog(path)
        for step in range(3000):
            log.log(step, 0.0, {"some-long-name-of-a-metric": 0.1, "b": 1.0}, at=1.0)
        assert log.flush(30)
        assert len(log._file._index) > 3
        for first in (0, 1, 2999, 4242, log.rows - 1, log.rows):
            assert [r.row for r in log.read(first)] == list(range(first, log.rows))
        log.close()


def test_threads_share_one_log_and_no_row_number_is_given_twice(log):
    def work():
        for step in range(500):
            log.log(step, 0.0, {"a": 1.0, "b": 2.0})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(30)
    assert [r.row for r in log.read()] == list(range(4000))


def test_a_closed_log_counts_what_comes_too_late(log):
    log.close()
    log.log(1, 0.0, {"a": 1.0})
    assert (log.dropped, log.last_reason) == (1, "the log is closed")
    log.close()


class Device:
    """A tensor on some GPU, as far as the log looks at it; its event finishes when told."""

    shape = ()
    type = "cuda"
    device = property(lambda self: self)

    def __init__(self, value, stream):
        self.value, self.stream = value, stream

    def detach(self):
        return self

    def is_complex(self):
        return False

    def to(self, where, *, non_blocking):
        assert (where, non_blocking) == ("cpu", True)
        return Device(self.value, self.stream)

    def item(self):
        assert self.stream["done"], "waited for the GPU"
        if self.stream.get("broken"):
            raise RuntimeError("CUDA error: device-side assert triggered")
        return self.value


@pytest.fixture
def gpu(monkeypatch):
    stream = {"done": False}

    class Event:
        def record(self, of):
            assert of is stream

        def query(self):
            return stream["done"]

    cuda = SimpleNamespace(Event=Event, current_stream=lambda _device: stream)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return stream


def test_a_value_on_a_gpu_is_never_waited_for(log, gpu):
    log.log(1, 0.0, {"loss": Device(4.0, gpu), "lr": 0.1})
    assert log.rows == 2
    assert not log.flush(0.05)
    gpu["done"] = True
    assert log.flush(20)
    assert [r.value for r in log.read()] == [4.0, 0.1]
    assert log.newest["loss"] == 4.0


def test_a_broken_gpu_costs_its_value_and_nothing_else(log, gpu):
    gpu.update(done=True, broken=True)
    log.log(1, 0.0, {"loss": Device(4.0, gpu), "lr": 0.1})
    assert log.flush(20)
    assert [(r.row, r.name) for r in log.read()] == [(1, "lr")]
    assert log.dropped == 1
    assert "device-side assert" in log.last_reason


def test_other_devices_are_copied_and_read_by_the_drainer():
    torch = pytest.importorskip("torch")
    with pytest.raises((NotImplementedError, RuntimeError)):
        to_scalar(torch.tensor(1.0, device="meta")).take()


def test_a_full_disk_is_shown_and_retried_and_memory_stays_bounded(log, monkeypatch):
    full = {"yes": True}
    real = log._file._file

    class Disk:
        def write(self, data):
            if full["yes"]:
                real.write(data[: len(data) // 2])
                raise OSError(28, "No space left on device")
            return real.write(data)

        def __getattr__(self, name):
            return getattr(real, name)

    log._file._file = Disk()
    monkeypatch.setattr(log_module, "WAITING_LIMIT", 3)
    for step in range(4):
        log.log(step, 0.0, {"a": 1.0})
    assert (log.rows, log.dropped) == (3, 1)
    wait_until(lambda: log.failed_writes >= 2)
    assert "No space left" in log.trouble
    full["yes"] = False
    assert log.flush(20)
    wait_until(lambda: not log.trouble)
    assert [(r.row, r.step) for r in log.read()] == [(0, 0), (1, 1), (2, 2)]
    assert log._file.path.read_bytes().count(b"\n") == 3


LIMITED = """
import resource, sys, json
from pathlib import Path
from batonpass.core.metrics.log import MetricLog
log = MetricLog(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for step in range(100):
    log.log(step, 0.0, {"loss": 0.5}, at=1.0)
first = log.flush(1.0)
trouble = log.trouble
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(json.dumps([first, bool(trouble), log.flush(20), [r.row for r in log.read()] == list(range(100))]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_file_that_the_system_will_not_let_grow_is_retried_until_it_may(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "m")], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [False, True, True, True], done.stderr


KILLED = """
import sys, time
from pathlib import Path
from batonpass.core.metrics.log import MetricLog
log = MetricLog(Path(sys.argv[1]))
step = 0
while True:
    step += 1
    log.log(step, 0.0, {"loss": 1.0 / step})
    if step % 50 == 0:
        print(step, time.time(), flush=True)
    time.sleep(0.001)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_what_was_logged_a_second_before_a_kill_survives_it(tmp_path):
    path = tmp_path / "m.jsonl"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    logged = []
    while not logged or logged[-1][1] - logged[0][1] < 2.0:
        step, at = child.stdout.readline().split()
        logged.append((int(step), float(at)))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    rows = read_rows(path)
    safe = max(step for step, at in logged if at <= logged[-1][1] - 1.0)
    assert len(rows) >= safe
    assert [r.row for r in rows] == list(range(len(rows)))
    assert [r.step for r in rows] == [r.row + 1 for r in rows]


def test_importing_the_log_loads_no_numpy_torch_or_pyarrow():
    code = (
        "import sys, batonpass.core.metrics.log, batonpass.core.lineage\n"
        "sys.exit(str({'numpy', 'torch', 'pyarrow'} & set(sys.modules)) if {'numpy', 'torch', 'pyarrow'} & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr


def test_a_path_that_cannot_be_a_file_is_an_oserror_at_once(tmp_path):
    with pytest.raises(OSError, match="directory"):
        MetricLog(Path(tmp_path))
