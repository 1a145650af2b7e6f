"""The queue: the job table of the store. Each change appends its event in the same transaction.

A row is a job that could run now: the planner queues a job only when its inputs exist. States and holds are those
of :mod:`workers.contract.words`; a hold waits, it is not a state.
"""

import json
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from cosmaqc_gui.core.store import Body, Store
from workers.contract.job import Job
from workers.contract.words import Hold, JobState, Stage

LONGEST_WAIT_S = 3600.0
"""No job is made to wait longer than this: one that seems to has seen the computer's clock being set back."""

_CLAIMABLE = "state = 'queued' AND (hold IS NULL OR hold = 'waiting_until') AND (not_before_s <= ? OR not_before_s > ?)"
_COLUMNS = "id, stage, unit, key, state, hold, not_before_s, attempt, priority, body"


@dataclass(frozen=True)
class QueuedJob:
    """A row of the job table. ``attempt`` counts the workers that died on it under a living engine."""

    job: Job
    state: JobState
    hold: Hold | None
    not_before_s: float
    attempt: int
    priority: int


@dataclass(frozen=True)
class Ended:
    """How a job that gave no output came to rest."""

    state: JobState
    code: str
    cause: str
    hint: str


class Jobs:
    """The queue of one mission.

    Args:
        store: the mission's store.
        owner: who claims: the engine's name in the leases.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self.store = store
        self.owner = owner

    # ------------------------------------------------------------------ planning side

    def enqueue(self, job: Job, priority: int, why: str) -> None:
        """Queue a job, or queue it again with its attempts forgotten."""
        with self.store.transaction():
            self.store.connection.execute(
                "INSERT INTO job(id, stage, unit, key, state, priority, body) VALUES (?, ?, ?, ?, 'queued', ?, ?) "
                "ON CONFLICT(id) DO UPDATE SET state = 'queued', hold = NULL, not_before_s = 0, attempt = 0, "
                "priority = excluded.priority, body = excluded.body",
                (job.id, job.stage.value, job.unit, job.key, priority, job.model_dump_json()),
            )
            self.store.append("job_queued", job.id, {"why": why})

    def record(self, job: Job, state: JobState, kind: str, body: Body) -> None:
        """Write down a job that needs no run: reused or skipped."""
        with self.store.transaction():
            self.store.connection.execute(
                "INSERT INTO job(id, stage, unit, key, state, body) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT(id) DO UPDATE SET state = excluded.state, hold = NULL, body = excluded.body",
                (job.id, job.stage.value, job.unit, job.key, state.value, job.model_dump_json()),
            )
            self.store.append(kind, job.id, body)

    def withdraw(self, job_ids: Iterable[str], why: str) -> None:
        """Take queued jobs out that nothing asks for any more."""
        with self.store.transaction():
            for job_id in job_ids:
                done = self.store.connection.execute(
                    "DELETE FROM job WHERE id = ? AND state = 'queued'", (job_id,)
                )
                if done.rowcount:
                    self.store.append("job_withdrawn", job_id, {"why": why})

    def with_state(self, *states: JobState) -> list[QueuedJob]:
        """Rows in any of these states, in queue order."""
        marks = ",".join("?" * len(states))
        rows = self.store.connection.execute(
            f"SELECT {_COLUMNS} FROM job WHERE state IN ({marks}) ORDER BY priority, rowid",  # noqa: S608 - marks only
            [s.value for s in states],
        )
        return [_row(r) for r in rows]

    def states(self) -> dict[str, tuple[JobState, Hold | None]]:
        """State and hold of every job, by id."""
        rows = self.store.connection.execute("SELECT id, state, hold FROM job")
        return {r["id"]: (JobState(r["state"]), Hold(r["hold"]) if r["hold"] else None) for r in rows}

    def any_of(self, stage: Stage) -> bool:
        """Whether a job of that stage is queued or running."""
        row = self.store.connection.execute(
            "SELECT 1 FROM job WHERE stage = ? AND state IN ('queued', 'running') LIMIT 1", (stage.value,)
        ).fetchone()
        return row is not None

    def held(self, hold: Hold) -> list[Job]:
        """Queued jobs with that hold."""
        rows = self.store.connection.execute(
            "SELECT body FROM job WHERE state = 'queued' AND hold = ? ORDER BY priority, rowid", (hold.value,)
        )
        return [Job.model_validate_json(r["body"]) for r in rows]

    def newest(self) -> dict[tuple[Stage, str], Job]:
        """The job of each stage and unit that succeeded last."""
        rows = self.store.connection.execute(
            "SELECT job.body FROM job JOIN (SELECT subject, MAX(seq) AS seq FROM event WHERE kind IN "
            "('job_succeeded', 'job_reused') GROUP BY subject) AS last ON last.subject = job.id ORDER BY last.seq"
        )
        jobs = (Job.model_validate_json(r["body"]) for r in rows)
        return {(job.stage, job.unit): job for job in jobs}

    def forget_ended(self, worth_another_try: Callable[[str, Ended], bool]) -> int:
        """Take failed and cancelled jobs out that are to be planned anew; how many."""
        with self.store.transaction():
            ids = [job_id for job_id, ended in self.ended().items() if worth_another_try(job_id, ended)]
            self.store.connection.executemany("DELETE FROM job WHERE id = ?", [(i,) for i in ids])
            return len(ids)

    def ended(self) -> dict[str, Ended]:
        """Jobs that failed or were cancelled, by id, with the cause from their last event."""
        rows = self.store.connection.execute(
            "SELECT job.id, job.state, (SELECT body FROM event WHERE subject = job.id AND kind IN "
            "('job_failed', 'job_cancelled') ORDER BY seq DESC LIMIT 1) AS body "
            "FROM job WHERE state IN ('failed', 'cancelled')"
        )
        return {r["id"]: ended_from(JobState(r["state"]), r["body"]) for r in rows}

    # ------------------------------------------------------------------ running side

    def claim(self, lease_s: float) -> QueuedJob | None:
        """Take the next job that may run, if there is one; no other claimer gets the same."""
        now = self.store.now()
        with self.store.transaction():
            row = self.store.connection.execute(
                f"""
                UPDATE job SET state = 'running', hold = NULL, lease_owner = ?, lease_until_s = ? WHERE id = (
                    SELECT id FROM job
                    WHERE {_CLAIMABLE}
                    ORDER BY priority, rowid LIMIT 1
                ) RETURNING {_COLUMNS}""",  # noqa: S608 - nothing from outside
                (self.owner, now + lease_s, now, now + LONGEST_WAIT_S),
            ).fetchone()
            if row is None:
                return None
            claimed = _row(row)
            self.store.append("job_started", claimed.job.id, {"attempt": claimed.attempt})
            return claimed

    def claimable(self) -> int:
        """How many jobs could be claimed now."""
        now = self.store.now()
        row = self.store.connection.execute(
            f"SELECT COUNT(*) FROM job WHERE {_CLAIMABLE}",  # noqa: S608 - nothing from outside
            (now, now + LONGEST_WAIT_S),
        ).fetchone()
        return int(row[0])

    def renew(self, lease_s: float) -> None:
        """Keep the leases of this engine's running jobs."""
        self.store.connection.execute(
            "UPDATE job SET lease_until_s = ? WHERE state = 'running' AND lease_owner = ?",
            (self.store.now() + lease_s, self.owner),
        )

    def settle(self, job_id: str, state: JobState, kind: str, body: Body) -> None:
        """A job came to rest."""
        with self.store.transaction():
            self.store.connection.execute(
                "UPDATE job SET state = ?, hold = NULL, lease_owner = NULL WHERE id = ?",
                (state.value, job_id),
            )
            self.store.append(kind, job_id, body)

    def requeue(
        self, job_id: str, why: str, *, hold: Hold | None = None, wait_s: float = 0.0, died: bool = False
    ) -> None:
        """Put a claimed job back, to be tried after ``wait_s`` or once its hold is gone.

        Args:
            job_id: the job.
            why: for the event.
            hold: what it waits for.
            wait_s: earliest next try, from now.
            died: its worker died under this living engine: that counts as an attempt.
        """
        if hold is None and wait_s > 0:
            hold = Hold.WAITING_UNTIL
        with self.store.transaction():
            self.store.connection.execute(
                "UPDATE job SET state = 'queued', hold = ?, not_before_s = ?, attempt = attempt + ?, "
                "lease_owner = NULL WHERE id = ?",
                (hold and hold.value, self.store.now() + wait_s if wait_s else 0.0, int(died), job_id),
            )
            self.store.append("job_requeued", job_id, {"why": why, "hold": hold and hold.value, "died": died})

    # ------------------------------------------------------------------ holds

    def hold_all(self, hold: Hold, why: str) -> int:
        """Hold every queued job that is not held yet; how many."""
        with self.store.transaction():
            rows = self.store.connection.execute(
                "UPDATE job SET hold = ? WHERE state = 'queued' AND (hold IS NULL OR hold = 'waiting_until') "
                "RETURNING id",
                (hold.value,),
            ).fetchall()
            for row in rows:
                self.store.append("job_held", row["id"], {"hold": hold.value, "why": why})
            return len(rows)

    def release(self, hold: Hold, job_ids: Iterable[str] | None = None) -> int:
        """Let jobs go on that were held; how many."""
        wanted = None if job_ids is None else set(job_ids)
        rows = self.store.connection.execute(
            "SELECT id FROM job WHERE state = 'queued' AND hold = ?", (hold.value,)
        ).fetchall()
        ids = [r["id"] for r in rows if wanted is None or r["id"] in wanted]
        if not ids:
            return 0
        with self.store.transaction():
            for job_id in ids:
                self.store.connection.execute("UPDATE job SET hold = NULL WHERE id = ?", (job_id,))
                self.store.append("job_released", job_id, {"hold": hold.value})
        return len(ids)

    # ------------------------------------------------------------------ start of an engine

    def take_over(self, done: Container[str]) -> list[QueuedJob]:
        """Put back what a former engine left running; its attempt is not counted: it was not the job's fault.

        Args:
            done: ids whose output exists all the same (their worker outlived its engine).

        Returns:
            The jobs that were put back.
        """
        back = []
        with self.store.transaction():
            for row in self.with_state(JobState.RUNNING):
                if row.job.id in done:
                    self.settle(row.job.id, JobState.SUCCEEDED, "job_succeeded", {"cached": True})
                else:
                    self.requeue(row.job.id, "engine_restarted")
                    back.append(row)
        return back


def ended_from(state: JobState, body: str | None) -> Ended:
    """Read the body of a ``job_failed`` or ``job_cancelled`` event."""
    fields = json.loads(body) if body else {}
    return Ended(
        state, str(fields.get("code", "")), str(fields.get("cause", "")), str(fields.get("hint", ""))
    )


def _row(row: Mapping[str, object]) -> QueuedJob:
    return QueuedJob(
        job=Job.model_validate_json(str(row["body"])),
        state=JobState(str(row["state"])),
        hold=None if row["hold"] is None else Hold(str(row["hold"])),
        not_before_s=float(str(row["not_before_s"])),
        attempt=int(str(row["attempt"])),
        priority=int(str(row["priority"])),
    )


def unit_of(job_id: str) -> tuple[Stage, str]:
    """Stage and unit that a job id names."""
    stage, unit, _ = job_id.split("/")
    return Stage(stage), unit
