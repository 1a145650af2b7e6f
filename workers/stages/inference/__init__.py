"""05 inference: camera poses and a sparse cloud of a segment's usable frames."""

import csv
from pathlib import Path

from workers.contract import artefacts
from workers.contract.artefacts import WorkingCamera
from workers.contract.errors import BadJob, TooFewFrames
from workers.contract.events import Report
from workers.contract.job import InferenceInputs
from workers.contract.params import InferenceParams
from workers.contract.words import Backend
from workers.stages.inference.outputs import Shot, write


def run(inputs: InferenceInputs, params: InferenceParams, out: Path, report: Report) -> None:
    """Reconstruct the usable frames with the backend of the params and write what CONTRACT lists.

    Raises:
        BadJob: this worker has no such backend.
        TooFewFrames: fewer usable frames than a component needs.
        ReconstructionFailed: no component of enough frames came out.
    """
    shots = read_shots(inputs)
    if len(shots) < params.min_component_frames:
        raise TooFewFrames(
            f"{len(shots)} usable frames; a reconstruction needs {params.min_component_frames}."
        )
    camera = WorkingCamera.model_validate_json((inputs.frames / artefacts.CAMERA).read_text(encoding="utf-8"))
    if params.backend is not Backend.COLMAP:
        raise BadJob(f"This worker has no backend {params.backend}.")
    from workers.stages.inference import colmap

    write(colmap.reconstruct(shots, camera, params, out, report), out, report)


def read_shots(inputs: InferenceInputs) -> list[Shot]:
    """The usable frames of ``frames.csv``, in its order."""
    usable = set(inputs.usable)
    with (inputs.frames / artefacts.FRAMES).open(newline="", encoding="utf-8") as rows:
        return [
            Shot(row["frame_id"], float(row["recording_time_s"]), inputs.frames / row["image"])
            for row in csv.DictReader(rows)
            if row["frame_id"] in usable
        ]
