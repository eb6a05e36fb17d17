"""The cache: what is asked again, what is not, and what is shown when the store is away."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.errors import ConflictError, FormatError, StoreUnreachableError
from batonpass.core.model import Annotations, Deletion, Deletions
from batonpass.core.naming import notes_folder
from batonpass.streamlit_app.local_cache import LocalCache
from batonpass.streamlit_app.overview import current_notes, read_overview
from batonpass.streamlit_app.repository import Repository
from batonpass.streamlit_app.standing import read_standing
from batonpass.sync.stores import open_store

from .conftest import edit


class Watched:
    """A store that counts what it is asked, and can be told to be away."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()
        self.away = False
        self.answers = threading.Event()
        """Cleared, every call waits."""
        self.answers.set()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if not callable(real) or name == "now":
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            assert self.answers.wait(30)
            if self.away:
                raise StoreUnreachableError("no answer", op=name, hint="wait")
            self.asked[f"{name} {args[0] if args else ''}"] += 1
            return real(*args, **kwargs)

        return call


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watched(store: Path) -> Watched:
    return Watched(open_store(str(store)))


def make(watched: Watched, cache: Path | None = None, clock: Clock | None = None) -> Repository:
    return Repository(lambda: watched, cache, clock=clock or Clock())  # type: ignore[arg-type,return-value]


def test_a_light_reading_asks_only_for_heads_and_sessions_that_may_move(watched: Watched) -> None:
    first = read_overview(watched)  # type: ignore[arg-type]
    watched.asked.clear()
    read_overview(watched, first, deep=False)  # type: ignore[arg-type]
    asked = " ".join(watched.asked)
    assert "list_objects" not in asked
    assert "run.json" not in asked
    ended = [s.session.id for r in first.runs for s in r.files.sessions if s.session.end is not None]
    assert ended
    assert not any(session in asked for session in ended)
    live = first.runs[0].files.head.holder
    assert f"stat {first.runs[0].files.folder}sessions/{live}.json" in watched.asked
    assert not any(call.startswith("get") and "sessions/" in call for call in watched.asked), (
        "nothing changed, so nothing is fetched"
    )


def test_an_unchanged_store_has_an_unchanged_fingerprint_and_a_new_beat_another(store: Path, watched: Watched) -> None:
    first = read_overview(watched)  # type: ignore[arg-type]
    second = read_overview(watched, first, deep=False)  # type: ignore[arg-type]
    assert first.fingerprint == second.fingerprint
    run = first.runs[0].files
    edit(store / f"{run.folder}sessions/{run.head.holder}.json", step=60_000)
    third = read_overview(watched, second, deep=False)  # type: ignore[arg-type]
    assert third.fingerprint != second.fingerprint


def test_a_checkpoint_whose_removal_was_asked_for_is_offered_no_more_and_the_asking_is_read_once(
    store: Path, watched: Watched
) -> None:
    first = read_overview(watched)  # type: ignore[arg-type]
    run = first.runs[0]
    newest = read_standing(run, first.read_at).newest
    assert newest is not None
    asking = naming.deletions_file(run.files.folder, "laptop")
    (store / asking).parent.mkdir(parents=True, exist_ok=True)
    (store / asking).write_bytes(encode(Deletions("laptop", (Deletion(newest.key, first.read_at),))))
    second = read_overview(watched, first)  # type: ignore[arg-type]
    now = read_standing(second.runs[0], second.read_at).newest
    assert now is not None
    assert now.key != newest.key
    assert all(c.passed_over for c in read_standing(second.runs[0], second.read_at).candidates if c.key == newest.key)
    assert second.fingerprint != first.fingerprint
    watched.asked.clear()
    third = read_overview(watched, second)  # type: ignore[arg-type]
    assert third.runs[0].files.deleted == {newest.key}
    assert not any(call.startswith("get") and "deletions/" in call for call in watched.asked)


def test_a_segment_is_fetched_once_and_then_read_from_this_computer(watched: Watched, tmp_path: Path) -> None:
    repository = make(watched, tmp_path / "cache")
    overview = repository.view().overview
    assert overview is not None
    segment = overview.runs[0].files.sessions[0].session.segments[0]
    assert repository.segment(segment) == repository.segment(segment)
    again = make(watched, tmp_path / "cache")
    again.segment(segment)
    assert watched.asked[f"get {segment.key}"] == 1


def test_a_segment_with_other_bytes_than_listed_is_refused_and_a_spoilt_copy_is_fetched_again(
    watched: Watched, store: Path, tmp_path: Path
) -> None:
    repository = make(watched, tmp_path / "cache")
    overview = repository.view().overview
    assert overview is not None
    first, second = (s.session.segments[0] for s in overview.runs[0].files.sessions[:2])
    good = repository.segment(first)
    kept = next((tmp_path / "cache" / "segments").iterdir())
    kept.write_bytes(b"spoilt")
    assert repository.segment(first) == good
    (store / second.key).write_bytes(b"other bytes")
    with pytest.raises(FormatError):
        repository.segment(second)


def test_the_age_grows_while_the_store_is_away_and_the_story_stays(watched: Watched) -> None:
    clock = Clock()
    repository = make(watched, clock=clock)
    assert repository.view().age_s == 0
    watched.away = True
    clock.now_s += 600
    view = repository.refresh()
    assert view.overview is not None
    assert view.problem is not None
    assert view.age_s == 600
    watched.away = False
    assert repository.refresh().problem is None
    assert repository.view().age_s == 0


def test_a_due_reading_happens_in_the_background_and_the_page_gets_the_old_story_at_once(watched: Watched) -> None:
    clock = Clock()
    repository = make(watched, clock=clock)
    repository.view()
    clock.now_s += 20
    watched.answers.clear()
    assert repository.view().age_s == 20
    watched.answers.set()
    deadline = time.monotonic() + 20
    while repository.view().age_s and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert repository.view().age_s == 0


def test_the_story_is_kept_for_a_start_without_the_store(watched: Watched, tmp_path: Path) -> None:
    make(watched, tmp_path / "cache").view()
    watched.away = True
    view = make(watched, tmp_path / "cache").refresh()
    assert view.problem is not None
    assert view.overview is not None
    assert len(view.overview.runs) == 3


def test_two_laptops_notes_on_one_run_are_both_kept(watched: Watched) -> None:
    one, other = make(watched), make(watched)
    overview = one.view().overview
    assert overview is not None
    other.view()
    folder = overview.runs[0].files.folder
    one.add_note(notes_folder(folder), "from the first")
    other.add_note(notes_folder(folder), "from the second")
    for repository in (one, other):
        seen = repository.refresh(deep=True).overview
        assert seen is not None
        texts = [n.text for n in current_notes(seen.runs[0].notes)]
        assert {"from the first", "from the second"} <= set(texts)


def test_a_changed_note_replaces_the_old_one_and_an_emptied_one_is_gone(watched: Watched) -> None:
    repository = make(watched)
    overview = repository.view().overview
    assert overview is not None
    run = overview.runs[0]
    old = current_notes(run.notes)[0]
    repository.add_note(notes_folder(run.files.folder), "better", replaces=old.id)
    after = repository.view().overview
    assert after is not None
    texts = [n.text for n in current_notes(after.runs[0].notes)]
    assert "better" in texts
    assert old.text not in texts
    newest = next(n for n in current_notes(after.runs[0].notes) if n.text == "better")
    repository.add_note(notes_folder(run.files.folder), "", replaces=newest.id)
    emptied = repository.view().overview
    assert emptied is not None
    assert "better" not in [n.text for n in current_notes(emptied.runs[0].notes)]


def test_an_edit_stands_on_what_another_app_wrote_meanwhile(watched: Watched) -> None:
    one, other = make(watched), make(watched)
    overview = one.view().overview
    assert overview is not None
    other.view()
    folder = overview.runs[0].files.folder
    from dataclasses import replace

    other.edit_annotations(folder, lambda a: replace(a, title="theirs"))
    one.edit_annotations(folder, lambda a: replace(a, archived=True))
    seen = one.view().overview
    assert seen is not None
    assert seen.runs[0].files.annotations == replace(overview.runs[0].files.annotations, title="theirs", archived=True)


def test_an_edit_that_is_overtaken_twice_says_so_and_overwrites_nothing(watched: Watched) -> None:
    one, other = make(watched), make(watched)
    overview = one.view().overview
    assert overview is not None
    folder = overview.runs[0].files.folder
    turns = iter(range(10))

    def overtaken(_: Annotations) -> Annotations:
        other.edit_annotations(folder, lambda _: Annotations(title=f"theirs {next(turns)}"))
        return Annotations(title="mine")

    with pytest.raises(ConflictError):
        one.edit_annotations(folder, overtaken)
    seen = one.refresh(deep=True).overview
    assert seen is not None
    assert seen.runs[0].files.annotations.title == "theirs 1"


def test_a_store_that_was_never_seen_and_takes_its_time_is_neither_a_story_nor_a_problem(watched: Watched) -> None:
    watched.answers.clear()
    repository = Repository(lambda: watched, None, clock=Clock(), first_wait_s=0.05)  # type: ignore[arg-type,return-value]
    view = repository.view()
    assert (view.overview, view.problem) == (None, None)
    assert repository.agent_there() is None, "not asked while it is read"
    watched.answers.set()
    deadline = time.monotonic() + 30
    while repository.view().overview is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert repository.view().overview is not None


def test_a_store_seen_before_is_shown_at_once_though_it_does_not_answer(watched: Watched, tmp_path: Path) -> None:
    make(watched, tmp_path / "cache").view()
    watched.answers.clear()
    repository = make(watched, tmp_path / "cache")
    assert repository.view().overview is not None, "from this computer"
    watched.answers.set()


def test_reading_the_last_story_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "overview.json").write_text("{}")
    cache = LocalCache(tmp_path)
    try:
        for turn_it, is_on in ((gc.disable, False), (gc.enable, True)):
            turn_it()
            assert cache.load_overview() == (None, 0.0)
            assert gc.isenabled() is is_on
    finally:
        gc.enable()
