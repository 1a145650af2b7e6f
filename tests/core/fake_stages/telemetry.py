"""02: nothing is known."""

from pathlib import Path

from workers.contract import artefacts
from workers.contract.artefacts import Telemetry
from workers.contract.events import Report
from workers.contract.job import TelemetryInputs
from workers.contract.params import TelemetryParams


def run(inputs: TelemetryInputs, params: TelemetryParams, out: Path, report: Report) -> None:
    """Say so."""
    text = Telemetry(recording=inputs.recording.id).model_dump_json()
    (out / artefacts.TELEMETRY).write_text(text)
