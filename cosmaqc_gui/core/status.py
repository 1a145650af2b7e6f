"""How far a mission is, in numbers and in one line of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosmaqc_gui.core.eta import TimeLeft, time_left
from cosmaqc_gui.core.jobs import unit_of
from cosmaqc_gui.core.planned import Action, Plan
from cosmaqc_gui.core.snapshot import Snapshot
from workers.contract.words import JobState, Stage


@dataclass(frozen=True)
class Status:
    """``stages`` maps a stage to (units at rest, units); ``waiting`` are sentences about what holds work up."""

    stages: Mapping[Stage, tuple[int, int]]
    running: Mapping[str, float]
    failed: int
    waiting: tuple[str, ...]
    left: TimeLeft

    @property
    def text(self) -> str:
        """The progress line."""
        parts = []
        for stage, (done, of) in self.stages.items():
            if of and (done < of) and (done or any(unit_of(j)[0] is stage for j in self.running)):
                parts.append(f"{stage.number:02d} {stage} {done}/{of}")
        for job_id, share in self.running.items():
            stage = unit_of(job_id)[0]
            if stage in {Stage.INGEST, Stage.STITCH, Stage.COVERAGE, Stage.VERDICT}:
                parts = [p for p in parts if f" {stage} " not in p] + [
                    f"{stage.number:02d} {stage} {share:.0%}"
                ]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.waiting:
            parts.extend(self.waiting)
        elif self.stages:
            parts.append(f"{self.left.text} left ({self.left.basis})")
        return " · ".join(parts)


def status_of(
    plan: Plan, snapshot: Snapshot, running: Mapping[str, float], waiting: Sequence[str], lanes: int
) -> Status:
    """Count what is done and guess what is left.

    Args:
        plan: the current plan.
        snapshot: the current snapshot.
        running: share done of each running job, by id.
        waiting: sentences about what holds work up.
        lanes: jobs that run at the same time.
    """
    stages: dict[Stage, tuple[int, int]] = {}
    remaining: dict[Stage, float] = {}
    held = 0
    for item in plan.items:
        done, of = stages.get(item.stage, (0, 0))
        stages[item.stage] = (done + item.at_rest, of + 1)
        if item.action is Action.HELD:
            held += item.job is not None
        elif not item.at_rest:
            share = running.get(item.job.id, 0.0) if item.job else 0.0
            remaining[item.stage] = remaining.get(item.stage, 0.0) + 1.0 - share
    took: dict[Stage, list[float]] = {}
    failed = 0
    for name, cell in snapshot.cells.items():
        stage = Stage(name.split("/", 1)[0])
        if cell.state is JobState.SUCCEEDED and cell.seconds:
            took.setdefault(stage, []).append(cell.seconds)
        failed += cell.state is JobState.FAILED and stage is not Stage.INGEST  # that was said at once
    sentences = list(waiting)
    if held:
        sentences.append(f"{held} segment{'s wait' if held > 1 else ' waits'} for footage that is not there")
    return Status(stages, dict(running), failed, tuple(sentences), time_left(remaining, took, lanes))
