"""What goes into the key of each stage's output, and what does not.

Not in a key: where footage lies, what it is called, who asks, how many threads work on it. Vehicle and side of a
camera enter from 06 on only, so that correcting them later repeats no reconstruction.
"""

import hashlib
import json
from collections.abc import Sequence

from pydantic import JsonValue

from workers.contract.dive import Chapter, Inventory, Recording, Segment
from workers.contract.job import SegmentResult, VehicleOf, key_of
from workers.contract.params import (
    CoverageParams,
    FramesParams,
    InferenceParams,
    Params,
    QualityParams,
    StitchParams,
    TelemetryParams,
)
from workers.contract.words import Stage


def digest(value: JsonValue) -> str:
    """A short name for a value's content."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def telemetry_key(recording: Recording, params: TelemetryParams) -> str:
    """02: the recording's chapters."""
    return key_of(Stage.TELEMETRY, params, [_chapter(c) for c in recording.chapters])


def frames_key(segment: Segment, read: Recording, params: FramesParams) -> str:
    """03: the segment's span and the chapters that it reads, no others."""
    span = [f"{t:.6f}" for t in (segment.start_s, segment.own_end_s, segment.end_s)]
    return key_of(Stage.FRAMES, params, [segment.id, *span, *(_chapter(c) for c in read.chapters)])


def quality_key(frames: str, params: QualityParams) -> str:
    """04: the frames."""
    return key_of(Stage.QUALITY, params, [frames])


def inference_key(frames: str, usable: Sequence[str], params: InferenceParams) -> str:
    """05: the frames and which of them are usable; not the ranking that found them."""
    return key_of(Stage.INFERENCE, params, [frames, *usable])


def stitch_key(
    inventory: Inventory,
    vehicles: Sequence[VehicleOf],
    results: Sequence[SegmentResult],
    telemetry: Sequence[str],
    params: StitchParams,
) -> str:
    """06: reconstructions (or why there is none), nav, rig, camera clocks, vehicle and side of the cameras."""
    return key_of(
        Stage.STITCH,
        params,
        [
            digest([r.model_dump(mode="json") for r in results]),
            digest(
                [[r.id, r.camera, r.start_utc_s, *map(_chapter, r.chapters)] for r in inventory.recordings]
            ),
            digest([n.model_dump(mode="json", exclude={"path"}) for n in inventory.nav]),
            digest(inventory.rig.model_dump(mode="json") if inventory.rig else None),
            digest([v.model_dump(mode="json") for v in sorted(vehicles, key=lambda v: v.camera)]),
            *telemetry,
        ],
    )


def coverage_key(stitch: str, inventory: Inventory, params: CoverageParams) -> str:
    """07: the stitch and the area of interest."""
    aoi = "none" if inventory.aoi is None else f"{inventory.aoi.source}:{inventory.aoi.checksum}"
    return key_of(Stage.COVERAGE, params, [stitch, aoi])


def verdict_key(coverage: str, inventory: Inventory, unfinished: int, params: Params) -> str:
    """08: the coverage, and all that the verdict must mention."""
    return key_of(
        Stage.VERDICT,
        params.verdict,
        [
            coverage,
            digest([p.model_dump(mode="json") for p in inventory.problems]),
            digest([[r.id, list(r.missing_chapters)] for r in inventory.recordings]),
            digest([[c.id, c.serial, c.model] for c in inventory.cameras]),
            digest(params.model_dump(mode="json")),
            str(unfinished),
        ],
    )


def _chapter(chapter: Chapter) -> str:
    """A chapter's content, and where it lies in its recording: both decide which frames are sampled."""
    times = digest(list(chapter.times_s)) if chapter.times_s else ""
    return f"{chapter.number}:{chapter.checksum}:{chapter.start_s:.6f}:{chapter.duration_s:.6f}:{times}"
