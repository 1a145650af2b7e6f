"""A job: one stage on one unit, as JSON on disk; and what each stage is given.

Paths are relative to the mission folder, which is the worker's current directory, or absolute for footage that
lies elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue

from workers.contract import CONTRACT_VERSION
from workers.contract.dive import Frozen, Inventory, Recording, Segment
from workers.contract.params import CODE_VERSION
from workers.contract.words import Grade, JobState, Side, Stage

KEY_DIGITS = 12


def key_of(stage: Stage, params: Frozen, inputs: Iterable[str]) -> str:
    """The key of a stage's output: H(stage, code version, params, keys of its inputs), 64 hex digits.

    ``inputs`` are the keys of upstream outputs and the checksums of files, in an order that is part of the key.
    """
    text = json.dumps(
        [stage.value, CODE_VERSION[stage], params.model_dump(mode="json"), list(inputs)],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()


class Job(Frozen):
    """One stage on one unit. ``inputs`` fits the stage's Inputs model, ``params`` its Params model."""

    contract: int = CONTRACT_VERSION
    stage: Stage
    unit: str
    key: str
    params: dict[str, JsonValue]
    inputs: dict[str, JsonValue]

    @property
    def id(self) -> str:
        """``<stage>/<unit>/<key12>``, also the output's path below ``work/``."""
        return f"{self.stage}/{self.unit}/{self.key[:KEY_DIGITS]}"


class KnownFile(Frozen):
    """A checksum taken earlier, valid while device, inode, size and mtime stay the same."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    checksum: str


class IngestInputs(Frozen):
    """What the operator named, as absolute paths.

    ``nav`` pairs a vehicle (None: the only one, or taken from the file name) with a file. ``before`` is the
    inventory to merge into.
    """

    footage: tuple[Path, ...]
    nav: tuple[tuple[str | None, Path], ...] = ()
    aoi: Path | None = None
    rig: Path | None = None
    before: Inventory = Inventory()
    known: tuple[KnownFile, ...] = ()


class TelemetryInputs(Frozen):
    """One recording."""

    recording: Recording


class FramesInputs(Frozen):
    """One segment of a recording; ``recording`` holds only the chapters that the segment reads."""

    recording: Recording
    segment: Segment


class QualityInputs(Frozen):
    """A frames output folder."""

    frames: Path


class InferenceInputs(Frozen):
    """A frames output folder and the ids of its usable frames."""

    frames: Path
    usable: tuple[str, ...]


class SegmentResult(Frozen):
    """What is known of a segment when the mission stages run.

    ``frames`` and ``inference`` are output folders or None; ``state`` is the state of its last job (inference,
    or the one that failed); ``reason`` says why there is no reconstruction.
    """

    segment: Segment
    frames: Path | None
    inference: Path | None
    usable: tuple[str, ...]
    grade: Grade | None
    state: JobState
    reason: str | None = None


class VehicleOf(Frozen):
    """Vehicle and side of a camera, as corrected; enters keys from 06 on only."""

    camera: str
    vehicle: str
    side: Side


class StitchInputs(Frozen):
    """All segments of the mission, its nav and its rig; ``telemetry`` maps recording ids to output folders."""

    inventory: Inventory
    vehicles: tuple[VehicleOf, ...]
    segments: tuple[SegmentResult, ...]
    telemetry: dict[str, Path]


class CoverageInputs(Frozen):
    """A stitch output folder and the AOI file, if any."""

    stitch: Path
    aoi: Path | None


class VerdictInputs(Frozen):
    """Stitch and coverage output folders, and what the verdict must mention."""

    stitch: Path
    coverage: Path
    inventory: Inventory
    segments: tuple[SegmentResult, ...]
    unfinished: int
    params: dict[str, JsonValue]


INPUTS_OF: dict[Stage, type[Frozen]] = {
    Stage.INGEST: IngestInputs,
    Stage.TELEMETRY: TelemetryInputs,
    Stage.FRAMES: FramesInputs,
    Stage.QUALITY: QualityInputs,
    Stage.INFERENCE: InferenceInputs,
    Stage.STITCH: StitchInputs,
    Stage.COVERAGE: CoverageInputs,
    Stage.VERDICT: VerdictInputs,
}
"""What each stage is given."""
