"""Running ingest as a worker does: in the mission folder, with a report that remembers."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.contract.dive import Inventory
from workers.contract.job import IngestInputs, KnownFile
from workers.contract.params import IngestParams
from workers.stages import ingest


@dataclass
class Heard:
    """What a stage reported."""

    done: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, done: int, *, of: int) -> None:
        """Progress."""
        self.done.append((done, of))

    def figure(self, name: str, value: float, unit: str = "") -> None:
        """A figure."""

    def warn(self, code: str, text: str) -> None:
        """A warning."""
        self.warnings.append((code, text))


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, as a worker does in its mission."""
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Site:
    """A mission folder that footage is ingested into, run after run."""

    def __init__(self, mission: Path) -> None:
        self.mission = mission
        self.inventory = Inventory()
        self.known: tuple[KnownFile, ...] = ()
        self.heard = Heard()

    def ingest(
        self,
        *footage: Path,
        nav: Sequence[tuple[str | None, Path]] = (),
        aoi: Path | None = None,
        rig: Path | None = None,
    ) -> Inventory:
        """Run the stage on top of what was before."""
        inputs = IngestInputs(
            footage=footage, nav=tuple(nav), aoi=aoi, rig=rig, before=self.inventory, known=self.known
        )
        self.heard = Heard()
        out = self.mission / "work" / "ingest"
        out.mkdir(parents=True, exist_ok=True)
        with inside(self.mission):
            ingest.run(inputs, IngestParams(), out, self.heard)
        self.inventory = Inventory.model_validate_json((out / "inventory.json").read_bytes())
        self.known = tuple(
            KnownFile.model_validate(entry) for entry in json.loads((out / "known.json").read_bytes())
        )
        return self.inventory

    def chapters(self) -> dict[str, list[tuple[int, float]]]:
        """Numbers and starts of all chapters by recording."""
        return {r.id: [(c.number, c.start_s) for c in r.chapters] for r in self.inventory.recordings}

    def problems(self) -> dict[str, str]:
        """Codes of the problems by the name of what they speak of."""
        return {Path(p.subject).name: p.code.value for p in self.inventory.problems}
