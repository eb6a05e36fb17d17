"""The only opener of stores and the only cache of the app. A page gets what was read last, at once, with its age; reading again happens
in the background and costs what is new: sealed segments are kept on this computer for good, ended sessions are not asked again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from batonpass.core import naming
from batonpass.core.errors import BatonpassError, NotFoundError, StoreUnreachableError
from batonpass.core.model import Account, Annotations, FileEntry, Manifest, Root, Segment
from batonpass.core.snippets.inputs import WheelFile
from batonpass.core.storage import Store
from batonpass.streamlit_app.access import guarded, refuse_download, refuse_when_read_only
from batonpass.streamlit_app.condition import StoreCondition, read_condition
from batonpass.streamlit_app.curves import RunCurves, read_curves
from batonpass.streamlit_app.editing import edit_file, write_note
from batonpass.streamlit_app.fetching import Fetching
from batonpass.streamlit_app.herald import Herald
from batonpass.streamlit_app.kept_curves import KeptCurves
from batonpass.streamlit_app.local_cache import LocalCache
from batonpass.streamlit_app.marks import Marks
from batonpass.streamlit_app.overview import Overview, RunStory, read_overview
from batonpass.streamlit_app.parsed import ParsedSegments
from batonpass.streamlit_app.problem import Problem
from batonpass.streamlit_app.proving import NewestProver
from batonpass.streamlit_app.vanishing import check_not_vanished
from batonpass.sync.agent import put_agent
from batonpass.sync.packing import unpacked
from batonpass.sync.reading import fetch_segment, read_manifest
from batonpass.sync.root import open_root

POLL_S = 15.0
"""The youngest that data is when it is read again."""
DEEP_POLL_S = 60.0
"""New runs, notes and accounts are looked for at most this often."""
MANIFESTS = 50
"""So many are remembered."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows: the last story read, how old it is, and why there is no newer one."""

    overview: Overview | None
    age_s: float
    problem: Problem | None = None


class Repository:
    """One store as the app sees it. Thread-safe; shared by every tab that looks at the same store."""

    def __init__(
        self,
        open_it: Callable[[], Store],
        cache: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
        prover: NewestProver | None = None,
        herald: Herald | None = None,
        first_wait_s: float = 60.0,
        named: str = "",
    ) -> None:
        """`open_it` opens the store when it is first needed; `cache` is a folder of this store's own, or None to keep nothing. `prover`
        and `herald` hear of each story that was read. `first_wait_s` is how long a page waits for what is not known yet. `named` is how
        the user calls the store, for as long as it could not be opened.
        """
        self.prover = prover
        self.herald = herald
        self.condition = StoreCondition()
        """The space that is left and what a syncing program made, as of the last deep reading."""
        self._open_it = open_it
        self._cache = LocalCache(cache)
        self._clock = clock
        self._poll_s = poll_s
        self._store: Store | None = None
        self._reading = threading.Lock()
        self._first_wait_s = first_wait_s
        self._overview, age_s = self._cache.load_overview()
        self._unkept = False
        self._read_at = clock() - age_s
        self._tried_at = float("-inf")
        self._deep_at = float("-inf")
        self._problem: Problem | None = None
        self._named = named
        self._put = Marks()
        """What this process itself has put there, for a list that lags."""
        self._fetching = Fetching(first_wait_s)
        self._manifests: dict[str, Manifest] = {}
        self._curves = KeptCurves()
        self._parsed = ParsedSegments(self.segment)

    def view(self) -> View:
        """What is known now. A reading that is due goes on in the background. Only where nothing is known at all is it waited for, and
        only for a moment: a far store is then still being read, and there is neither a story nor a problem.
        """
        is_new = self._overview is None and self._problem is None
        if self._clock() - self._tried_at >= self._poll_s:
            self.read_soon(wait_s=self._first_wait_s if is_new else 0.0)
        return View(self._overview, max(0.0, self._clock() - self._read_at), self._problem)

    def read_soon(self, *, deep: bool = False, wait_s: float | None = None) -> None:
        """Read in the background, unless that goes on already, and wait for it only for a moment (`wait_s`; None: as for what is new)."""
        if not self._reading.locked():
            reading = threading.Thread(
                target=self.refresh, kwargs={"deep": deep}, name="batonpass-app-reading", daemon=True
            )
            reading.start()
            reading.join(self._first_wait_s if wait_s is None else wait_s)

    def refresh(self, *, deep: bool = False) -> View:
        """Read now and wait for it. A store that fails leaves the last story in place and a `problem` in the view."""
        with self._reading:
            self._tried_at = self._clock()
            deep = deep or self._clock() - self._deep_at >= DEEP_POLL_S
            try:
                overview = read_overview(self._opened(), self._overview, deep=deep)
                check_not_vanished(self._opened(), self._overview, overview)
            except BatonpassError as error:
                self._problem = Problem.of(error)
            else:
                changed = self._overview is None or overview.fingerprint != self._overview.fingerprint
                for run in overview.runs:  # who sees the new story finds the curves ready
                    self._curves.renew(run.files.folder, _version(run), partial(self._stitch, run))
                self._overview, self._read_at, self._problem = overview, self._clock(), None
                self._deep_at = self._clock() if deep else self._deep_at
                self._unkept |= changed
                if self._unkept and deep:  # not at every beat: a store of many runs is a long story
                    self._cache.keep_overview(overview)
                    self._unkept = False
                if deep:
                    self.condition = read_condition(self._opened(), overview)
                if self.prover is not None:
                    self.prover.consider(self._opened(), overview)
                if self.herald is not None:
                    self.herald.consider(overview, self.condition, mount=not self.proves_arrival)
        return View(self._overview, max(0.0, self._clock() - self._read_at), self._problem)

    def segment(self, segment: Segment) -> bytes:
        """A sealed segment, from this computer when it was read before. FormatError when its bytes are not the promised ones."""
        return self._cache.segment(segment, lambda wanted: fetch_segment(self._opened(), wanted))

    def curves(self, run: RunStory) -> RunCurves:
        """Every metric of a run, stitched; kept until one of its sessions has something new. StillReadingError as long as that takes."""
        folder, version = run.files.folder, _version(run)
        kept = self._curves.look(folder, version)
        if kept is not None:
            return kept
        bring = partial(self._curves.get, folder, version, partial(self._stitch, run))
        return self._fetching.get(("curves", folder, version), "what was logged", bring)

    def manifest(self, key: str, *, store_id: str | None = None) -> Manifest:
        """One checkpoint's manifest, which never changes. StillReadingError as long as it is on its way."""
        if key not in self._manifests:
            read = partial(read_manifest, store_id=store_id)
            found = self._fetching.get(("manifest", key), "the list of its files", lambda: read(self._opened(), key))
            self._manifests = {**dict([*self._manifests.items()][-MANIFESTS:]), key: found}
        return self._manifests[key]

    def checkpoint_file(self, folder: str, entry: FileEntry) -> bytes:
        """One file of a checkpoint, whole and unpacked. FormatError where it does not unpack to what its manifest promises."""
        refuse_download()
        stored = self._opened().get(naming.pool_file(folder, entry.pool), store_id=entry.id)
        return unpacked(entry, stored)

    def through(self, work: Callable[[Store], T]) -> T:
        """Something that is done with the store itself, as checking bytes; `refresh` afterwards where it changed something."""
        return work(self._opened())

    def forget_here(self, run: RunStory) -> None:
        """Drop what this computer keeps of a run's metrics."""
        refuse_when_read_only("Forgetting a run")
        self._curves.drop(run.files.folder)
        self._cache.drop_segments(segment for f in run.files.sessions for segment in f.session.segments)

    def add_account_note(self, label: str, text: str, replaces: str | None = None) -> None:
        """A note on an account. Its file is made first, because notes are found by it."""
        refuse_when_read_only("Writing notes")
        if self._overview is None or all(a.account.label != label for a in self._overview.accounts):
            self.edit_account(label, lambda account: account)
        self.add_note(naming.account_notes_folder(label), text, replaces)

    def add_note(self, prefix: str, text: str, replaces: str | None = None) -> None:
        """Write a note as a file of its own under `prefix`, and read the store again. StoreError where it cannot be written."""
        refuse_when_read_only("Writing notes")
        write_note(self._opened(), prefix, text, replaces)
        self.refresh(deep=True)

    def edit_annotations(self, folder: str, change: Callable[[Annotations], Annotations]) -> None:
        """Change what the user says about a run, on top of what stands there now. ConflictError when another app was faster twice."""
        self._edit(naming.annotations_file(folder), Annotations(), change)

    def edit_account(self, label: str, change: Callable[[Account], Account]) -> None:
        """Change what the user says about an account, on top of what stands there now."""
        self._edit(naming.account_file(label), Account(label), change)

    def agent(self) -> WheelFile | None:
        """The agent's wheel as it lay on the store at the last deep reading; None where there is none. StoreUnreachableError before that."""
        return self._marks().agent or self._put.agent

    def agent_there(self) -> bool | None:
        """Whether a cell can install the agent from this store; None when the store has not answered yet."""
        try:
            return self.agent() is not None
        except BatonpassError:
            return None

    def put_agent(self) -> None:
        """Build the agent's wheel from the installed files, put it on the store, and see it arrive. An empty store is made ours
        first: a folder that holds only a wheel would be taken for somebody else's.
        """
        refuse_when_read_only("Putting the agent on the store")
        root = open_root(self._opened(), create=True)
        self._put = Marks(root=root, agent=put_agent(self._opened()))
        self.refresh(deep=True)

    @property
    def proves_arrival(self) -> bool:
        """Whether the store answers from where the bytes finally live; True where it has not been opened yet."""
        return self._store is None or self._store.properties.proves_arrival

    @property
    def url(self) -> str:
        """The string that opens the store again; as the user calls it where it is far and has not been opened yet."""
        far = self._store is None and "://" in self._named
        return self._named if far else self._opened().url

    def root(self) -> Root:
        """What marks the store as ours. NotFoundError where no run was ever created on it, StoreUnreachableError before it was read."""
        root = self._marks().root or self._put.root
        if root is None:
            raise NotFoundError("this store bears no mark of ours yet", hint="It is made with the first run.")
        return root

    def _marks(self) -> Marks:
        if self._overview is None or self._overview.marks is None:
            problem = self._problem or Problem("the store is still being read", "It comes by itself in a moment.")
            raise StoreUnreachableError(problem.message, hint=problem.hint)
        return self._overview.marks

    def _stitch(self, run: RunStory) -> RunCurves:
        return read_curves(run, self._parsed.read)

    def _edit(self, key: str, default: T, change: Callable[[T], T]) -> None:
        refuse_when_read_only("Changing what is noted")
        edit_file(self._opened(), key, default, change)
        self.refresh(deep=True)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = guarded(self._open_it())
        return self._store


def _version(run: RunStory) -> tuple[str | None, ...]:
    """Another one whenever the curves of a run may be others."""
    return (run.files.head_version, *(part for s in run.files.sessions for part in (s.session.id, s.info.version)))
