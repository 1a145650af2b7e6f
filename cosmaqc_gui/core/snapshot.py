"""What is known about a mission at one moment: a fold of its events, frozen.

The window and the command line look at snapshots only. A snapshot is kept in the store now and then; loading one
is the kept one plus the events since. Progress within a job is not in it: that lies in ``events.jsonl`` beside the
output.
"""

from collections.abc import Iterable, Mapping

from pydantic import Field, JsonValue, ValidationError

from cosmaqc_gui.core.jobs import unit_of
from cosmaqc_gui.core.segments import segments_of
from cosmaqc_gui.core.store import Body, Store, StoredEvent
from workers.contract.dive import Frozen, Inventory, Segment
from workers.contract.job import VehicleOf
from workers.contract.params import Params
from workers.contract.words import Grade, Hold, JobState, Side, Stage

FORMAT = 1
"""Raised when a kept snapshot of an older program can no longer be read; the events are then folded anew."""


class Figure(Frozen):
    """A figure that a stage measured."""

    value: float
    unit: str = ""


class Cell(Frozen):
    """One stage on one unit: its newest job."""

    job: str
    state: JobState
    hold: Hold | None = None
    attempt: int = 0
    changed_s: float = 0.0
    seconds: float | None = None
    peak_memory_mib: float | None = None
    figures: dict[str, Figure] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    code: str = ""
    cause: str = ""
    hint: str = ""


class SegmentGrade(Frozen):
    """A segment's footage grade, and how many of its frames are usable."""

    grade: Grade
    usable: int
    reasons: tuple[str, ...] = ()


class Answer(Frozen):
    """The verdict that was published last; ``key`` is its job's."""

    key: str
    verdict: str
    unfinished: int


class Snapshot(Frozen):
    """A mission at the moment of event ``seq``. Cells go by ``<stage>/<unit>``."""

    format: int = FORMAT
    seq: int = 0
    params: Params = Params()
    inventory: Inventory = Inventory()
    vehicles: tuple[VehicleOf, ...] = ()
    cells: dict[str, Cell] = Field(default_factory=dict)
    grades: dict[str, SegmentGrade] = Field(default_factory=dict)
    paused: bool = False
    answer: Answer | None = None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments, by recording, chapter, slice."""
        return segments_of(self.inventory, self.params.ingest)

    def cell(self, stage: Stage, unit: str) -> Cell | None:
        """One stage on one unit, or None when nothing was asked of it yet."""
        return self.cells.get(f"{stage}/{unit}")

    def vehicle_of(self, camera: str) -> VehicleOf:
        """Vehicle and side of a camera, as corrected."""
        for vehicle in self.vehicles:
            if vehicle.camera == camera:
                return vehicle
        found = self.inventory.camera(camera)
        return VehicleOf(camera=camera, vehicle=found.vehicle, side=found.side)

    def counts(self, stage: Stage) -> dict[JobState, int]:
        """Number of units of a stage by state."""
        counts = dict.fromkeys(JobState, 0)
        for name, cell in self.cells.items():
            if name.startswith(f"{stage}/"):
                counts[cell.state] += 1
        return counts


def load(store: Store) -> Snapshot:
    """The mission as it is now: the kept snapshot plus newer events."""
    kept = Snapshot()
    text = store.saved_snapshot()
    if text is not None:
        try:
            kept = Snapshot.model_validate_json(text)
        except ValidationError:
            kept = Snapshot()
        if kept.format != FORMAT:
            kept = Snapshot()
    return fold(kept, store.events_after(kept.seq))


def save(store: Store, snapshot: Snapshot) -> None:
    """Keep a snapshot."""
    store.save_snapshot(snapshot.seq, snapshot.model_dump_json())


def fold(snapshot: Snapshot, events: Iterable[StoredEvent]) -> Snapshot:
    """The snapshot after these events."""
    changes: dict[str, object] = {}
    cells = dict(snapshot.cells)
    grades = dict(snapshot.grades)
    seq = snapshot.seq
    for event in events:
        seq = event.seq
        if event.kind.startswith("job_"):
            _fold_job(cells, event)
        elif event.kind == "graded":
            grades.update(
                {s: SegmentGrade.model_validate(g) for s, g in _mapping(event.body["grades"]).items()}
            )
        else:
            current = snapshot.model_copy(update=changes)
            changes.update(_fold_mission(current, event))
    if seq == snapshot.seq:
        return snapshot
    return snapshot.model_copy(update={**changes, "cells": cells, "grades": grades, "seq": seq})


def _fold_mission(snapshot: Snapshot, event: StoredEvent) -> dict[str, object]:
    body = event.body
    match event.kind:
        case "inventory":
            return {"inventory": Inventory.model_validate(body)}
        case "params":
            return {"params": Params.model_validate(body)}
        case "vehicle_set":
            new = VehicleOf(camera=event.subject, vehicle=str(body["vehicle"]), side=Side(str(body["side"])))
            others = tuple(v for v in snapshot.vehicles if v.camera != event.subject)
            return {"vehicles": (*others, new)}
        case "paused" | "resumed":
            return {"paused": event.kind == "paused"}
        case "verdict":
            return {"answer": Answer.model_validate(body)}
    return {}


def _fold_job(cells: dict[str, Cell], event: StoredEvent) -> None:
    stage, unit = unit_of(event.subject)
    name = f"{stage}/{unit}"
    cell = cells.get(name)
    if cell is None or cell.job != event.subject:
        if event.kind == "job_withdrawn":
            return
        cell = Cell(job=event.subject, state=JobState.QUEUED)
    cells[name] = cell.model_copy(update={**_changes(cell, event), "changed_s": event.time_s})


_STATE_AFTER = {
    "job_queued": JobState.QUEUED,
    "job_requeued": JobState.QUEUED,
    "job_held": JobState.QUEUED,
    "job_released": JobState.QUEUED,
    "job_started": JobState.RUNNING,
    "job_succeeded": JobState.SUCCEEDED,
    "job_reused": JobState.SUCCEEDED,
    "job_failed": JobState.FAILED,
    "job_cancelled": JobState.CANCELLED,
    "job_withdrawn": JobState.CANCELLED,
    "job_skipped": JobState.SKIPPED,
}


def _changes(cell: Cell, event: StoredEvent) -> dict[str, object]:
    """What a job event changes; whatever the former state said about a cause or a hold is gone."""
    body = event.body
    hold = body.get("hold") if event.kind in {"job_held", "job_requeued"} else None
    changes: dict[str, object] = {
        "state": _STATE_AFTER[event.kind],
        "hold": Hold(str(hold)) if hold else None,
        "code": str(body.get("code", "")),
        "cause": str(body.get("cause") or body.get("why") or ""),
        "hint": str(body.get("hint", "")),
        **_figures(body),
    }
    match event.kind:
        case "job_queued":
            changes |= {"attempt": 0, "cause": ""}
        case "job_started":
            changes |= {"warnings": ()}
        case "job_requeued":
            changes |= {"attempt": cell.attempt + int(bool(body.get("died")))}
    return changes


def _figures(body: Body) -> dict[str, object]:
    found: dict[str, object] = {}
    if body.get("figures"):
        found["figures"] = {n: Figure.model_validate(f) for n, f in _mapping(body["figures"]).items()}
    if body.get("warnings"):
        found["warnings"] = tuple(str(w) for w in _list(body["warnings"]))
    # a reused output keeps the seconds that it once took: they still tell how long such a job takes
    if body.get("seconds"):
        found |= {"seconds": body["seconds"], "peak_memory_mib": body.get("peak_memory_mib")}
    return found


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    assert isinstance(value, dict)
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list)
    return value
