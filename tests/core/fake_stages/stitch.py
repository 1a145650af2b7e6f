"""06: the segments that have a reconstruction."""

import json
from pathlib import Path

from workers.contract.events import Report
from workers.contract.job import StitchInputs
from workers.contract.params import StitchParams


def run(inputs: StitchInputs, params: StitchParams, out: Path, report: Report) -> None:
    """Count frames."""
    found = {
        s.segment.id: int((s.inference / "cloud.txt").read_text())
        for s in inputs.segments
        if s.inference is not None
    }
    vehicles = {v.camera: [v.vehicle, v.side] for v in inputs.vehicles}
    (out / "stitch.json").write_text(json.dumps({"frames": found, "vehicles": vehicles}))
