"""03: frame ids on one grid, no pictures."""

import json
from pathlib import Path

from tests.core.fake_stages.behaviour import ACTS, perform, read_acts
from workers.contract import artefacts
from workers.contract.dive import frame_id
from workers.contract.events import Report
from workers.contract.job import FramesInputs
from workers.contract.params import FramesParams


def run(inputs: FramesInputs, params: FramesParams, out: Path, report: Report) -> None:
    """Write ``frames.csv`` and pass the acts on."""
    acts = read_acts(inputs.recording)
    perform("frames", acts, report)
    rows = [",".join(artefacts.FRAME_COLUMNS)]
    for chapter in inputs.recording.chapters:
        for n in range(int(chapter.duration_s * params.frames_per_s)):
            time_s = chapter.start_s + n / params.frames_per_s
            if inputs.segment.start_s <= time_s < inputs.segment.end_s:
                name = frame_id(chapter.checksum, int((time_s - chapter.start_s) * 1e6))
                rows.append(
                    f"{name},{time_s},{chapter.number},{time_s - chapter.start_s},{chapter.files[0].path},-"
                )
    (out / artefacts.FRAMES).write_text("\n".join(rows) + "\n")
    sharpness = json.loads(inputs.recording.chapters[0].files[0].path.read_text()).get("sharpness", 100.0)
    (out / ACTS).write_text(json.dumps({"acts": acts, "sharpness": sharpness}))
