"""How much, how fast, how long still: told by threads, by a clock of ours."""

from __future__ import annotations

import io
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from legs import leg

from batonpass.card import status_card
from batonpass.core.progress import Moving, Progress, Rate, read_moving
from batonpass.core.storage import Transfer
from batonpass.sync.commands.printing import ProgressLine
from batonpass.sync.commands.sending import SendingLine
from batonpass.sync.stores import open_store

MIB = 1 << 20


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_a_steady_link_is_measured_and_the_end_foretold(clock):
    progress = Progress(clock=clock)
    progress.begin(512 * MIB)
    for second in range(1, 79):
        clock.now_s += 1
        progress.tell("model.safetensors", second * 4 * MIB, 512 * MIB)
    seen = progress.look()
    assert seen.bytes_per_s == pytest.approx(4 * MIB)
    assert seen.left_s == pytest.approx(50)
    assert seen.words == "model.safetensors 327 MB of 537 MB, 4.2 MB/s, 50 s left"


def test_a_link_that_slows_down_is_noticed_within_the_window(clock):
    """Ten times slower after a minute: 20 s later the old speed is forgotten."""
    rate = Rate(clock=clock)
    count = 0
    for step in (10 * MIB, MIB):
        for _ in range(60 if step > MIB else 20):
            clock.now_s += 1
            count += step
            rate.see(count)
    assert rate.bytes_per_s == pytest.approx(MIB, rel=0.01)


def test_a_link_that_died_is_no_speed(clock):
    progress = Progress(clock=clock)
    progress.begin(100 * MIB)
    for second in range(1, 11):
        clock.now_s += 1
        progress.tell("a", second * MIB, 100 * MIB)
    clock.now_s += 60
    assert progress.look().left_s is None
    assert progress.look().words.endswith(", no byte moves")


def test_what_was_there_before_is_done_but_no_speed(clock):
    """An upload that goes on at 400 of 500 MiB has not sent 400 MiB in its first second."""
    progress = Progress(clock=clock)
    progress.begin(500 * MIB)
    for second in range(1, 11):
        clock.now_s += 1
        progress.tell("a", (400 + second) * MIB, 500 * MIB)
    seen = progress.look()
    assert seen.done_bytes == 410 * MIB
    assert seen.bytes_per_s == pytest.approx(MIB, rel=0.01)


def test_a_file_that_begins_anew_takes_back_what_was_done_and_never_counts_backwards(clock):
    progress = Progress(clock=clock)
    progress.begin(100 * MIB)
    for done in (10, 20, 0, 10):
        clock.now_s += 1
        progress.tell("a", done * MIB, 100 * MIB)
    assert progress.look().done_bytes == 10 * MIB
    assert progress.look().bytes_per_s > 0


def test_several_files_are_one_sum(clock):
    progress = Progress(clock=clock)
    progress.begin(10 * MIB)
    progress.done("known.json", MIB)
    for name in ("a", "b", "c"):
        progress.tell(name, MIB, 3 * MIB)
    progress.done("a", 3 * MIB)
    assert progress.look() == Moving((("b", MIB, 3 * MIB), ("c", MIB, 3 * MIB)), 6 * MIB, 10 * MIB, None)
    assert progress.look().words == "b 1.0 MB of 3.1 MB and 1 more, in all 6.3 MB of 10.5 MB"
    progress.end()
    assert progress.look() == Moving()


def test_eight_threads_tell_at_once():
    """Nothing is lost and nobody looks at half a change."""
    progress = Progress()
    progress.begin(8 * 1000)

    def send(name: str) -> None:
        for done in range(1, 1001):
            progress.tell(name, done, 1000)
            assert progress.look().done_bytes <= 8000
        progress.done(name, 1000)

    threads = [threading.Thread(target=send, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.look() == Moving((), 8000, 8000, progress.look().bytes_per_s)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_what_somebody_elses_file_says_is_read_or_nothing(tree):
    """Any JSON, also in each field's place."""
    assert isinstance(read_moving(tree).words, str)
    good = Moving((("a", 1, 2),), 1, 2, 3.0).as_dict()
    for key in good:
        assert isinstance(read_moving({**good, key: tree}).words, str)


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 1 << 50), st.integers(0, 1 << 50)), max_size=8))
def test_the_sessions_file_carries_it(files):
    seen = Moving(tuple(files), 7, 9, 12.0)
    assert read_moving(json.loads(json.dumps(seen.as_dict()))) == seen


def test_a_session_that_sends_says_so_in_its_file_and_forgets_it_afterwards(tmp_path):
    """Looked at from inside the transfer of the real mirror."""
    store = open_store(str(tmp_path / "drive" / "batonpass"))
    looks: list[Moving] = []
    put = store.put

    def spied(key, body, **options):
        transfer = options.get("transfer")
        if transfer is not None:
            tell = transfer.on_progress

            def told(sent, total):
                tell(sent, total)
                looks.append(read_moving(run.active.service.state()["sending"]))

            options["transfer"] = Transfer(on_progress=told)
        return put(key, body, **options)

    store.put = spied
    with leg(store, tmp_path / "home") as run:
        run.train(10)
        run.save(bytes(3 * MIB))
        assert read_moving(run.active.service.state()["sending"]) == Moving()
    whole = next(look for look in looks if look.files[0][1:] == (3 * MIB, 3 * MIB))
    assert whole.total_bytes >= 3 * MIB
    assert [look.files[0][1] for look in looks if look.files[0][2] == 3 * MIB] == [MIB, 2 * MIB, 3 * MIB]


def test_the_status_card_shows_it():
    words = Moving((("model.safetensors", MIB, 2 * MIB),), MIB, 2 * MIB, 1024.0).words
    assert "1.0 MB of 2.1 MB, 1.0 KB/s, 17 min left" in status_card(name="cats", step=3, sending=words).text
    assert "On its way" not in status_card(name="cats", step=3).text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_of_a_command_has_speed_and_end(clock):
    """And nothing is written where nobody looks."""
    seen, unseen = Terminal(), io.StringIO()
    for stream in (seen, unseen):
        line = ProgressLine("restoring", stream=stream, monotonic=clock)
        for second in range(1, 11):
            clock.now_s += 1
            line.update("model.safetensors", second * MIB, 40 * MIB)
        line.close()
    assert "10.5 MB of 41.9 MB, 1.0 MB/s, 30 s left  model.safetensors" in seen.getvalue()
    assert unseen.getvalue() == ""


SENDING = Moving((("model\x1b[2J.safetensors", MIB, 2 * MIB),), MIB, 2 * MIB, 1024.0)


def test_a_watch_renews_one_line_on_a_terminal_and_takes_it_away_for_others(clock):
    terminal, said = Terminal(), []
    line = SendingLine(lambda text: said.append(text) or terminal.write(f"{text}\n"), stream=terminal, monotonic=clock)
    line.tick(Moving())
    assert terminal.getvalue() == ""
    line.tick(SENDING)
    line.line("batonpass: something else")
    line.tick(SENDING)
    line.tick(Moving())
    words = "sending model?[2J.safetensors 1.0 MB of 2.1 MB, 1.0 KB/s, 17 min left"
    clear = "\r\x1b[2K"
    assert terminal.getvalue() == f"{clear}{words}{clear}batonpass: something else\n{clear}{words}{clear}"
    assert said == ["batonpass: something else"]


def test_in_a_log_a_watch_says_it_once_a_minute_and_not_at_all_when_it_is_quick(clock):
    said: list[str] = []
    line = SendingLine(said.append, stream=io.StringIO(), monotonic=clock)
    for moving in [SENDING] * 50 + [Moving()] + [SENDING] * 130:
        clock.now_s += 1
        line.tick(moving)
    assert len(said) == 2
    assert said[0].startswith("batonpass: sending model")
