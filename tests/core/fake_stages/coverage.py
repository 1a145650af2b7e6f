"""07: passes on what the stitch said."""

from pathlib import Path

from workers.contract.events import Report
from workers.contract.job import CoverageInputs
from workers.contract.params import CoverageParams


def run(inputs: CoverageInputs, params: CoverageParams, out: Path, report: Report) -> None:
    """Copy."""
    (out / "coverage.json").write_text((inputs.stitch / "stitch.json").read_text())
