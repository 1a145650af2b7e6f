"""What has to be computed, what is there already, and why: a pure function of what is known.

Nothing is read or started here, so a plan can be shown before it runs, and replaying from a stage with other
params is planning with other params: equal keys are reused, new keys run.
"""

from collections.abc import Sequence

from cosmaqc_gui.core import keys
from cosmaqc_gui.core.planned import MISSION_UNIT, Action, Dive, Graded, Item, Known, Plan
from cosmaqc_gui.core.segments import segments_of
from workers.contract import layout
from workers.contract.dive import Frozen, Recording, Segment
from workers.contract.job import (
    CoverageInputs,
    FramesInputs,
    InferenceInputs,
    Job,
    QualityInputs,
    SegmentResult,
    StitchInputs,
    TelemetryInputs,
    VerdictInputs,
)
from workers.contract.words import Grade, JobState, Stage


def plan(known: Known) -> Plan:
    """Plan the whole line."""
    segments = segments_of(known.inventory, known.params.ingest)
    telemetry = [_telemetry(known, r) for r in known.inventory.recordings]
    measured = [_measure(known, s) for s in segments]
    dives = _dives(known, segments, measured)
    basis = {s: d.basis for d in dives for s in d.quality}
    items: list[Item] = list(telemetry)
    results = []
    settled = all(t.settled for t in telemetry)
    for segment, (frames, quality) in zip(segments, measured, strict=True):
        graded = known.grades.get(segment.id)
        if graded is not None and graded.basis != basis.get(segment.id):
            graded = None
        inference = _inference(known, segment, frames, quality, graded)
        items += [frames, quality, inference]
        settled = settled and inference.settled
        results.append(_result(segment, frames, inference, graded))
    if known.ingesting:
        items += _mission_waits("waits for footage that is being ingested")
    elif not settled:
        waiting = len({i.unit for i in items if not i.settled})
        items += _mission_waits(f"waits for {waiting} segment{'s' if waiting != 1 else ''}")
    else:
        items += _mission(known, results, telemetry)
    return Plan(tuple(items), segments, tuple(results), dives)


# ---------------------------------------------------------------------- 02 to 05


def _telemetry(known: Known, recording: Recording) -> Item:
    key = keys.telemetry_key(recording, known.params.telemetry)
    return _decide(known, Stage.TELEMETRY, recording.id, key, TelemetryInputs(recording=recording))


def _measure(known: Known, segment: Segment) -> tuple[Item, Item]:
    """03 and 04 of a segment."""
    recording = known.inventory.recording(segment.recording)
    read = recording.model_copy(
        update={"chapters": tuple(c for c in recording.chapters if c.number in segment.chapters)}
    )
    key = keys.frames_key(segment, read, known.params.frames)
    frames = _decide(known, Stage.FRAMES, segment.id, key, FramesInputs(recording=read, segment=segment))
    if frames.output is None:
        return frames, _after(frames, Stage.QUALITY)
    key = keys.quality_key(key, known.params.quality)
    inputs = QualityInputs(frames=layout.output(frames.output))
    return frames, _decide(known, Stage.QUALITY, segment.id, key, inputs)


def _dives(
    known: Known, segments: Sequence[Segment], measured: Sequence[tuple[Item, Item]]
) -> tuple[Dive, ...]:
    """Group segments by the vehicle that ingest found: a later correction must not rank, and so re-key, anew."""
    vehicle = {c.id: c.vehicle for c in known.inventory.cameras}
    dives = []
    for name in dict.fromkeys(vehicle.values()):
        own = [(s, q) for s, (_, q) in zip(segments, measured, strict=True) if vehicle[s.camera] == name]
        quality = {s.id: q.output for s, q in own if q.output is not None}
        complete = all(q.settled for _, q in own)
        basis = keys.digest([[s, j.id] for s, j in sorted(quality.items())]) if complete else None
        dives.append(Dive(name, basis, quality))
    return tuple(dives)


def _inference(known: Known, segment: Segment, frames: Item, quality: Item, graded: Graded | None) -> Item:
    if frames.output is None or quality.output is None:
        return _after(quality, Stage.INFERENCE)
    if graded is None:
        return Item(Stage.INFERENCE, segment.id, Action.WAIT, "waits until the whole dive can be ranked")
    key = keys.inference_key(frames.output.key, graded.usable, known.params.inference)
    inputs = InferenceInputs(frames=layout.output(frames.output), usable=graded.usable)
    item = _decide(known, Stage.INFERENCE, segment.id, key, inputs)
    if graded.grade is Grade.FAIL:
        why = "; ".join(graded.reasons) or "too few usable frames"
        return Item(Stage.INFERENCE, segment.id, Action.SKIP, why, item.job)
    return item


def _result(segment: Segment, frames: Item, inference: Item, graded: Graded | None) -> SegmentResult:
    """The segment as the mission stages see it."""
    state, reason = (
        JobState.QUEUED,
        "its footage is not there" if inference.action is Action.HELD else "unfinished",
    )
    if inference.action is Action.REUSE:
        state, reason = JobState.SUCCEEDED, ""
    elif inference.action is Action.SKIP:
        state, reason = JobState.SKIPPED, inference.why
    elif inference.action is Action.ENDED:
        state, reason = inference.ended or JobState.FAILED, inference.why
    return SegmentResult(
        segment=segment,
        frames=layout.output(frames.output) if frames.output else None,
        inference=layout.output(inference.output) if inference.output else None,
        usable=graded.usable if graded else (),
        grade=graded.grade if graded else None,
        state=state,
        reason=reason or None,
    )


# ---------------------------------------------------------------------- 06 to 08


def _mission(known: Known, results: Sequence[SegmentResult], telemetry: Sequence[Item]) -> list[Item]:
    """The stages of the whole mission, once every segment has come to rest or is held."""
    inventory, params = known.inventory, known.params
    outputs = {t.unit: t.output for t in telemetry if t.output is not None}
    key = keys.stitch_key(
        inventory, known.vehicles, results, [j.key for j in outputs.values()], params.stitch
    )
    inputs: Frozen = StitchInputs(
        inventory=inventory,
        vehicles=known.vehicles,
        segments=tuple(results),
        telemetry={unit: layout.output(job) for unit, job in outputs.items()},
    )
    stitch = _decide(known, Stage.STITCH, MISSION_UNIT, key, inputs)
    if stitch.output is None:
        return [stitch, _after(stitch, Stage.COVERAGE), _after(stitch, Stage.VERDICT)]
    key = keys.coverage_key(key, inventory, params.coverage)
    aoi = inventory.aoi.path if inventory.aoi else None
    inputs = CoverageInputs(stitch=layout.output(stitch.output), aoi=aoi)
    coverage = _decide(known, Stage.COVERAGE, MISSION_UNIT, key, inputs)
    if coverage.output is None:
        return [stitch, coverage, _after(coverage, Stage.VERDICT)]
    unfinished = sum(r.state in {JobState.QUEUED, JobState.CANCELLED} for r in results)
    inputs = VerdictInputs(
        stitch=layout.output(stitch.output),
        coverage=layout.output(coverage.output),
        inventory=inventory,
        segments=tuple(results),
        unfinished=unfinished,
        params=params.model_dump(mode="json"),
    )
    key = keys.verdict_key(key, inventory, unfinished, params)
    return [stitch, coverage, _decide(known, Stage.VERDICT, MISSION_UNIT, key, inputs)]


def _mission_waits(why: str) -> list[Item]:
    stages = (Stage.STITCH, Stage.COVERAGE, Stage.VERDICT)
    return [Item(stage, MISSION_UNIT, Action.WAIT, why) for stage in stages]


# ---------------------------------------------------------------------- one job


def _decide(known: Known, stage: Stage, unit: str, key: str, inputs: Frozen) -> Item:
    job = Job(
        stage=stage,
        unit=unit,
        key=key,
        params=known.params.of(stage).model_dump(mode="json"),
        inputs=inputs.model_dump(mode="json"),
    )
    if job.id in known.done:
        return Item(stage, unit, Action.REUSE, "computed already", job)
    if job.id in known.ended:
        ended = known.ended[job.id]
        return Item(stage, unit, Action.ENDED, ended.cause or ended.state.value, job, ended.state)
    if job.id in known.held:
        return Item(stage, unit, Action.HELD, "its footage is not there", job)
    return Item(stage, unit, Action.RUN, _why(job, known.before.get((stage, unit))), job)


def _after(upstream: Item, stage: Stage) -> Item:
    """A later stage of the same unit, whose inputs do not exist yet."""
    if upstream.action in {Action.ENDED, Action.HELD}:
        return Item(stage, upstream.unit, upstream.action, upstream.why, ended=upstream.ended)
    why = f"after {upstream.stage}"
    if stage is Stage.INFERENCE:
        why += "; reused where the same frames stay usable"
    return Item(stage, upstream.unit, Action.WAIT, why)


def _why(job: Job, before: Job | None) -> str:
    """Why a job runs, against the last one of its stage and unit."""
    if before is None:
        return "not computed yet"
    changes = [
        f"{job.stage}.{name}: {before.params.get(name)} -> {value}"
        for name, value in job.params.items()
        if before.params.get(name) != value
    ]
    if changes:
        return ", ".join(changes)
    if before.key == job.key:
        return "its output is gone"
    return "its inputs or the stage itself changed"
