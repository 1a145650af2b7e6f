"""An engine over the fake stages, for tests; as a program, one that can be killed.

``python fake_line.py MISSION FOOTAGE...`` runs the engine in a process of its own and prints how it ended.
"""

import csv
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmaqc_gui.core.drivers.local import LocalDriver
from cosmaqc_gui.core.engine import Engine, Listener, Outcome
from cosmaqc_gui.core.settings import Settings
from cosmaqc_gui.core.status import Status
from cosmaqc_gui.core.wishes import IngestRequest
from workers.contract.errors import CosmaError
from workers.contract.params import QualityParams
from workers.contract.words import Grade

ROOT = Path(__file__).parents[2]


def fake_driver(mission: Path) -> LocalDriver:
    """Workers that load the fake stages."""
    return LocalDriver(mission, stages="tests.core.fake_stages", python_path=(ROOT,))


@dataclass(frozen=True)
class Rank:
    grade: Grade
    usable: tuple[str, ...]
    reasons: tuple[str, ...]


class Ranking:
    """A frame is usable when it is at least half as sharp as the dive's sharpest."""

    def read_quality(self, path: Path) -> Sequence[Any]:
        with path.open() as stream:
            return [(row["frame_id"], float(row["sharpness"])) for row in csv.DictReader(stream)]

    def grade_dive(self, quality: Mapping[str, Sequence[Any]], params: QualityParams) -> Mapping[str, Rank]:
        sharpest = max((sharpness for rows in quality.values() for _, sharpness in rows), default=0.0)
        ranks = {}
        for segment, rows in quality.items():
            usable = tuple(name for name, sharpness in rows if sharpness >= 0.5 * sharpest)
            failed = len(usable) < params.fail_below_frames
            reasons = (f"{len(usable)} usable frames",) if failed else ()
            ranks[segment] = Rank(Grade.FAIL if failed else Grade.PASS, usable, reasons)
        return ranks


class Heard(Listener):
    """Keeps what the engine said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.texts: list[str] = []

    def status(self, status: Status) -> None:
        self.texts.append(status.text)

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


SETTINGS = Settings(free_space_floor_mib=0, retry_delay_s=0.05, lanes=2)


def film(folder: Path, name: str, seconds: float = 60.0, **told: Any) -> Path:
    """Write a footage file; ``name`` is ``<vehicle>/<camera>/GX010012.MP4``."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seconds": seconds, "name": name, **told}))
    return path


def engine(mission: Path, listener: Listener | None = None, settings: Settings = SETTINGS) -> Engine:
    return Engine(mission, settings, fake_driver, Ranking(), listener or Listener())


def run(mission: Path, *footage: Path, settings: Settings = SETTINGS, **given: Any) -> Outcome:
    """Run an engine in this process until all is at rest."""
    changes = given.pop("changes", {})
    return engine(mission, given.pop("listener", None), settings).run(
        IngestRequest(footage=footage, **given), changes
    )


def read_verdict(mission: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((mission / "products" / "verdict.json").read_text())
    return loaded


def main() -> int:
    mission, *footage = (Path(a) for a in sys.argv[1:])
    running = engine(mission)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: running.stop())
    try:
        outcome = running.run(IngestRequest(footage=tuple(footage)), {})
    except CosmaError as error:
        print(error.code)
        return 4
    print("stopped" if outcome.stopped else outcome.verdict)
    return 130 if outcome.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
