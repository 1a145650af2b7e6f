"""05: a name for what would have been reconstructed."""

import json
from pathlib import Path

from tests.core.fake_stages.behaviour import ACTS, perform
from workers.contract.events import Report
from workers.contract.job import InferenceInputs
from workers.contract.params import InferenceParams


def run(inputs: InferenceInputs, params: InferenceParams, out: Path, report: Report) -> None:
    """Write the number of frames."""
    perform("inference", json.loads((inputs.frames / ACTS).read_text())["acts"], report)
    (out / "cloud.txt").write_text(f"{len(inputs.usable)}\n")
