"""04: all frames of a file are as sharp as the file says."""

import json
from pathlib import Path

from tests.core.fake_stages.behaviour import ACTS, perform
from workers.contract import artefacts
from workers.contract.events import Report
from workers.contract.job import QualityInputs
from workers.contract.params import QualityParams


def run(inputs: QualityInputs, params: QualityParams, out: Path, report: Report) -> None:
    """Write ``quality.csv``."""
    told = json.loads((inputs.frames / ACTS).read_text())
    perform("quality", told["acts"], report)
    rows = [",".join(artefacts.QUALITY_COLUMNS)]
    frames = (inputs.frames / artefacts.FRAMES).read_text().splitlines()[1:]
    rows += [f"{line.split(',')[0]},{told['sharpness']},100,50,0,99" for line in frames]
    (out / artefacts.QUALITY).write_text("\n".join(rows) + "\n")
    report.figure("sharpness", told["sharpness"])
