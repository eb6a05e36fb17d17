"""Random kill and resume histories, with what an uninterrupted run would have logged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from batonpass.core.lineage import resume_candidates
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.table import MetricTable
from batonpass.core.model import CheckpointListing, Head, Host, ResumeRecord, Session

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def value_of(name, step):
    """What training gives at a step: a function of the step alone, as exact resumes promise."""
    return (step * 7919 % 1009) / 1009 + (100.0 if name == "val" else 0.0)


@dataclass
class History:
    """A run's files while sessions come and go."""

    sessions: list[Session] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    head: Head = field(default_factory=lambda: Head(0, None, "n"))

    @property
    def tables(self):
        return {name: MetricTable.from_rows(rows) for name, rows in self.rows.items()}

    def start(self, *, branch=None):
        """A new session takes the run (or begins a branch) and continues from the best candidate."""
        name = f"s{len(self.sessions)}"
        found = [c for c in resume_candidates(self.head, self.sessions) if not c.passed_over]
        record = None
        if found and branch != "from scratch":
            at = found[0]
            record = ResumeRecord(at.session, at.key, at.step, at.listing.metric_rows)
        term = self.head.term + (branch is None)
        session = Session(
            name, "r", term, "school", Host("colab", "m", "1"), NOW, NOW, branch=branch, resumed_from=record
        )
        self.sessions.append(replace(session, step=record.step if record else 0))
        self.rows[name] = []
        holder = name if branch is None else self.head.holder
        self.head = Head(term, holder, "n", (*self.head.sessions, name))

    def change(self, place, **what):
        self.sessions[place] = replace(self.sessions[place], **what)

    def train(self, steps, *, place=-1, noise=0.0):
        """Train some steps; every third one validates, after the step."""
        session = self.sessions[place]
        rows = self.rows[session.id]
        for step in range(session.step + 1, session.step + steps + 1):
            rows.append(Row(len(rows), step, step / 10, 1e9 + step, "loss", value_of("loss", step) + noise))
            if step % 3 == 0:
                rows.append(Row(len(rows), step, step / 10, 1e9 + step, "val", value_of("val", step) + noise))
        done = session.steps_done + steps
        self.change(place, step=session.step + steps, steps_done=done, rows=len(rows))

    def save(self, *, place=-1):
        """Publish a checkpoint of the last finished step."""
        session = self.sessions[place]
        number = len(session.checkpoints)
        key = f"checkpoints/{session.step}-{session.id}-{number}.json"
        rows = len(self.rows[session.id])
        listing = CheckpointListing(key, session.step, number, 0.0, NOW, NOW, 10, "", rows, 0.0, proven=True)
        self.change(place, checkpoints=(*session.checkpoints, listing))

    def go_back(self, *, place=-1):
        """The loop's cell is run again in the living kernel: back to the last checkpoint, and a record of it."""
        session = self.sessions[place]
        if session.checkpoints:
            step, kept = session.checkpoints[-1].step, session.checkpoints[-1].metric_rows
        else:
            step, kept = (session.resumed_from.step if session.resumed_from else 0), 0
        self.change(place, step=step, rewinds=(*session.rewinds, (len(self.rows[session.id]), kept)))


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["train", "save", "kill", "back", "branch"]), st.integers(1, 9)), min_size=1, max_size=25
)


def play(actions):
    """The history that a list of (action, number) makes; the newest non-branch session holds the run at the end."""
    history = History()
    history.start()
    holder = 0
    for action, number in actions:
        if action == "train":
            history.train(number, place=holder)
        elif action == "save":
            history.save(place=holder)
        elif action == "back":
            history.go_back(place=holder)
        elif action == "kill":
            history.start()
            holder = len(history.sessions) - 1
        else:
            history.start(branch="began offline" if number % 2 else "from scratch")
            history.train(number, noise=1000.0)
            history.save()
    history.train(1, place=holder)
    return history, history.sessions[holder].step
