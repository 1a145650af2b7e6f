"""08: complete when every segment was reconstructed, cannot tell while some are unfinished."""

import json
from collections import Counter
from pathlib import Path

from workers.contract.events import Report
from workers.contract.job import VerdictInputs
from workers.contract.params import VerdictParams
from workers.contract.products import CoverageShares, Reason, Scale, SegmentCounts, Verdict
from workers.contract.words import AoiSource, JobState, ScaleSource, VerdictWord


def run(inputs: VerdictInputs, params: VerdictParams, out: Path, report: Report) -> None:
    """Write ``verdict.json`` and a report."""
    found = json.loads((inputs.coverage / "coverage.json").read_text())["frames"]
    share = len(found) / max(1, len(inputs.segments))
    word = VerdictWord.COMPLETE if share == 1.0 else VerdictWord.NOT_COMPLETE
    if inputs.unfinished:
        word = VerdictWord.CANNOT_TELL
    verdict = Verdict(
        verdict=word,
        reasons=tuple(
            Reason(code=s.state, text=s.reason or "", segments=(s.segment.id,))
            for s in inputs.segments
            if s.state is not JobState.SUCCEEDED
        ),
        coverage=CoverageShares(best=share, worst=share, filmed=1.0),
        aoi_source=AoiSource.TRACK_HULL if inputs.inventory.aoi is None else AoiSource.FILE,
        scale=Scale(source=ScaleSource.NONE, relative_uncertainty=None, detail="fake"),
        smallest_hole_m=0.5,
        cell_m=0.5 / 3,
        gaps=(),
        segments=SegmentCounts(by_state=dict(Counter(s.state for s in inputs.segments)), by_grade={}),
        clock_offsets=(),
        left_out=inputs.inventory.problems,
        software={},
        params={"frames": sum(found.values())},
        inputs={},
    )
    (out / "verdict.json").write_text(verdict.to_json())
    (out / "report.html").write_text(f"<p>{word}</p>")
