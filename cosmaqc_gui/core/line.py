"""The line of one mission while an engine works on it: plans, queues what is planned, ranks dives, publishes."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cosmaqc_gui.core import outputs, publish, snapshot
from cosmaqc_gui.core.jobs import Ended, Jobs, unit_of
from cosmaqc_gui.core.mission import Mission
from cosmaqc_gui.core.plan import plan
from cosmaqc_gui.core.planned import MISSION_UNIT, Action, Dive, Graded, Item, Known, Plan
from cosmaqc_gui.core.store import Body
from workers.contract import artefacts, layout
from workers.contract.dive import Inventory
from workers.contract.errors import ErrorCode
from workers.contract.job import Job, KnownFile
from workers.contract.params import QualityParams
from workers.contract.products import VERDICT
from workers.contract.words import Grade, Hold, JobState, Stage

log = logging.getLogger(__name__)

PRIORITY = {
    Stage.INGEST: 0,
    Stage.TELEMETRY: 10,
    # before frames: what is begun is brought to a grade before more disk is used
    Stage.QUALITY: 20,
    Stage.FRAMES: 30,
    Stage.INFERENCE: 40,
    Stage.STITCH: 50,
    Stage.COVERAGE: 50,
    Stage.VERDICT: 50,
}
"""Lower goes first."""

KEEP_EVERY = 500
"""Events between two kept snapshots."""

MISSION_STAGES = outputs.MISSION_STAGES
LASTING = {
    ErrorCode.RECONSTRUCTION_FAILED,
    ErrorCode.TOO_FEW_FRAMES,
    ErrorCode.FILE_EMPTY,
    ErrorCode.FILE_TRUNCATED,
    ErrorCode.FILE_NO_MOOV,
    ErrorCode.FILE_NOT_VIDEO,
    ErrorCode.FILE_NO_FRAMES,
    ErrorCode.FILE_UNREADABLE,
}
"""Failures that lie in the footage: the same job would end in the same way when the line is started again."""


class SegmentRank(Protocol):
    """What ranking says of a segment."""

    @property
    def grade(self) -> Grade:
        """The footage grade."""

    @property
    def usable(self) -> tuple[str, ...]:
        """Ids of the usable frames."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not better."""


class Ranking(Protocol):
    """How the frames of a dive are ranked (:mod:`cosmaqc_gui.core.grade`)."""

    def read_quality(self, path: Path) -> Sequence[Any]:
        """The rows of a ``quality.csv``."""

    def grade_dive(
        self, quality: Mapping[str, Sequence[Any]], params: QualityParams
    ) -> Mapping[str, SegmentRank]:
        """Rank the frames of one vehicle's segments."""


class Line:
    """Keeps queue, plan and snapshot of a mission in step.

    Args:
        mission: the open mission.
        jobs: its queue.
        ranking: how frames are ranked.
    """

    def __init__(self, mission: Mission, jobs: Jobs, ranking: Ranking) -> None:
        self.mission = mission
        self.jobs = jobs
        self.store = jobs.store
        self.ranking = ranking
        self.done = outputs.existing(mission.path)
        self.before = jobs.newest()
        self.snapshot = snapshot.load(self.store)
        self.plan = Plan((), (), (), ())
        self._grades: dict[str, Graded] = {}
        self._rows: dict[str, Sequence[Any]] = {}
        self._published = ""
        self._kept_seq = self.snapshot.seq

    # ------------------------------------------------------------------ what happened

    def finished(self, job: Job, output: Path) -> None:
        """A job has its output; called within the transaction that says so."""
        if job.stage is Stage.INGEST:
            folder = self.mission.path / output
            inventory = Inventory.model_validate_json((folder / artefacts.INVENTORY).read_bytes())
            known = json.loads((folder / artefacts.KNOWN).read_bytes())
            self.store.append("inventory", job.unit, inventory.model_dump(mode="json"))
            self.store.remember_files(KnownFile.model_validate(k) for k in known)
        self.done.add(job.id)
        self.before[job.stage, job.unit] = job

    def refresh(self) -> None:
        """Fold new events into the snapshot; keep it now and then."""
        self.snapshot = snapshot.fold(self.snapshot, self.store.events_after(self.snapshot.seq))
        if self.snapshot.seq - self._kept_seq >= KEEP_EVERY:
            self.keep()

    def keep(self) -> None:
        """Keep the snapshot in the store."""
        snapshot.save(self.store, self.snapshot)
        self._kept_seq = self.snapshot.seq

    # ------------------------------------------------------------------ planning

    @property
    def ingesting(self) -> bool:
        """Whether footage is still to be ingested."""
        return self.jobs.any_of(Stage.INGEST) or any(
            c.verb == "add_footage" for c in self.store.open_controls()
        )

    def replan(self) -> Plan:
        """Plan anew from what is known now, and bring the queue in line with it.

        Raises:
            OSError: the disk is full; calling again goes on where it stopped.
        """
        self.refresh()
        ingesting = self.ingesting
        ended = self.jobs.ended()
        self.plan = plan(self._known(ended, ingesting=ingesting))
        to_grade = self.plan.to_grade(self._grades)
        for dive in to_grade:
            self._rank(dive)
        if to_grade:
            self.plan = plan(self._known(ended, ingesting=ingesting))
        if self.snapshot.inventory.recordings:
            self._apply(self.plan)
            if not ingesting:
                self._publish(self.plan)
        self.refresh()
        return self.plan

    def preview(self) -> Plan:
        """What would be done, without doing any of it."""
        known = self._known(self.jobs.ended(), ingesting=self.ingesting)
        planned = plan(known)
        grades = {**self._grades}
        for dive in planned.to_grade(grades):
            grades.update(self._graded(dive))
        self._grades = grades
        return plan(self._known(self.jobs.ended(), ingesting=self.ingesting))

    def _known(self, ended: Mapping[str, Ended], *, ingesting: bool) -> Known:
        inventory = self.snapshot.inventory
        held = {i for i, (_, hold) in self.jobs.states().items() if hold is Hold.CARD_MISSING}
        return Known(
            inventory=inventory,
            params=self.mission.params,
            vehicles=tuple(self.snapshot.vehicle_of(c.id) for c in inventory.cameras),
            done=self.done,
            ended=ended,
            held=held,
            grades=self._grades,
            before=self.before,
            ingesting=ingesting,
        )

    def _rank(self, dive: Dive) -> None:
        """Rank a dive's frames, and say so."""
        graded = self._graded(dive)
        body: Body = {
            segment: {"grade": g.grade.value, "usable": len(g.usable), "reasons": list(g.reasons)}
            for segment, g in graded.items()
        }
        before = self.snapshot.grades
        if any(s not in before or before[s].model_dump(mode="json") != b for s, b in body.items()):
            self.store.append("graded", dive.vehicle, {"basis": dive.basis, "grades": body})
        self._grades.update(graded)

    def _graded(self, dive: Dive) -> dict[str, Graded]:
        assert dive.basis is not None
        for job in dive.quality.values():
            if job.id not in self._rows:
                path = self.mission.path / layout.output(job) / artefacts.QUALITY
                self._rows[job.id] = self.ranking.read_quality(path)
        rows = {segment: self._rows[job.id] for segment, job in dive.quality.items()}
        ranks = self.ranking.grade_dive(rows, self.mission.params.quality)
        return {s: Graded(r.grade, tuple(r.usable), tuple(r.reasons), dive.basis) for s, r in ranks.items()}

    def _apply(self, planned: Plan) -> None:
        """Queue what is to run, write down what needs no run, withdraw what nobody asks for any more."""
        states = self.jobs.states()
        wanted = set()
        for item in planned.items:
            if item.job is None:
                continue
            state = states.get(item.job.id, (None, None))[0]
            wanted.add(item.job.id)
            if item.action is Action.RUN and state not in {JobState.QUEUED, JobState.RUNNING}:
                self.jobs.enqueue(item.job, PRIORITY[item.stage], item.why)
            elif item.action is Action.REUSE and state not in {JobState.SUCCEEDED, JobState.RUNNING}:
                self.jobs.record(item.job, JobState.SUCCEEDED, "job_reused", {})
            elif item.action is Action.SKIP and state is not JobState.SKIPPED:
                self.jobs.record(item.job, JobState.SKIPPED, "job_skipped", {"why": item.why})
            elif item.action in {Action.REUSE, Action.SKIP}:
                self._name_again(item)
        stale = [
            job_id
            for job_id, (state, _) in states.items()
            if state is JobState.QUEUED and job_id not in wanted and unit_of(job_id)[0] is not Stage.INGEST
        ]
        self.jobs.withdraw(stale, "superseded")

    def _name_again(self, item: Item) -> None:
        """An older key became the current one again: the cell has to show that one."""
        assert item.job is not None
        cell = self.snapshot.cell(item.stage, item.unit)
        if cell is not None and cell.job != item.job.id:
            skipped = item.action is Action.SKIP
            state = JobState.SKIPPED if skipped else JobState.SUCCEEDED
            kind = "job_skipped" if skipped else "job_reused"
            self.jobs.record(item.job, state, kind, {"why": item.why})

    def superseded(self, running: Sequence[str]) -> list[str]:
        """Running jobs whose result nobody asks for any more."""
        wanted = {i.job.id for i in self.plan.items if i.job is not None}
        return [j for j in running if j not in wanted and unit_of(j)[0] is not Stage.INGEST]

    # ------------------------------------------------------------------ the end of the line

    @property
    def verdict_job(self) -> Job | None:
        """The job that holds the verdict on all that is known now, once there is one."""
        if not self.plan.items or self.plan.items[-1].stage is not Stage.VERDICT:
            return None
        return self.plan.items[-1].output

    def _publish(self, planned: Plan) -> None:
        job = self.verdict_job
        if job is None or job.key == self._published:
            return
        path = publish.publish(self.mission.path, job)
        answer = {
            "key": job.key,
            "verdict": json.loads(path.read_bytes())["verdict"],
            "unfinished": job.inputs["unfinished"],
        }
        last = self.snapshot.answer
        if last is None or last.model_dump(mode="json") != answer:
            self.store.append("verdict", VERDICT, answer)
        self._published = job.key
        keep = {i.job.id for i in planned.items if i.job is not None and i.unit == MISSION_UNIT}
        outputs.prune(self.mission.path, keep)
        self.done = {j for j in self.done if j in keep or unit_of(j)[0] not in MISSION_STAGES}

    def forget_passing_failures(self) -> None:
        """At the start of an engine: what failed for a reason outside the footage is tried again."""
        self.jobs.forget_ended(
            lambda job_id, ended: (
                ended.code not in LASTING or unit_of(job_id)[0] in {*MISSION_STAGES, Stage.INGEST}
            )
        )
