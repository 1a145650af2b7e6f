"""01 ingest: from a card or folder to an inventory of cameras and recordings, with nav, area and rig.

Whatever is wrong with one file is a :class:`Problem` and never stops the rest. Running it again adds to the
inventory of before: known content is recognised wherever it lies, new chapters join their recording.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from workers.contract.artefacts import INVENTORY, KNOWN
from workers.contract.dive import Inventory, NavLog, Problem
from workers.contract.errors import NoFootage
from workers.contract.events import Report
from workers.contract.job import IngestInputs
from workers.contract.params import IngestParams
from workers.stages.ingest import given
from workers.stages.ingest.scan import Scan, TakenStills
from workers.stages.ingest.walk import find


def run(inputs: IngestInputs, params: IngestParams, out: Path, report: Report) -> None:
    """Write ``inventory.json`` and ``known.json``. The current directory is the mission folder.

    Raises:
        UsageError: a path does not exist.
        NoFootage: nothing usable was found, now or before.
        NavUnreadable: a nav log cannot be understood.
        AoiUnreadable: the area cannot be understood, or lies elsewhere.
        RigUnreadable: the rig file cannot be understood.
        OSError: the disk is full.
    """
    del params  # how recordings are cut is the planner's business
    found = find(inputs.footage, Path.cwd())
    scan = Scan(Path.cwd(), inputs, found, report)
    scan.take_videos(found.videos)
    scan.take_stills(found.stills)
    inventory = scan.inventory()
    if not inventory.recordings:
        raise _no_footage(inputs, inventory.problems)
    inventory = _with_given(inventory, inputs, scan.taken_stills)
    for warning in (*scan.cameras.warnings, *scan.notes):
        report.warn("footage", warning)
    for problem in inventory.problems:
        if problem not in inputs.before.problems:
            report.warn(problem.code, problem.cause)
    (out / INVENTORY).write_text(inventory.model_dump_json(indent=1), encoding="utf-8")
    known = [entry.model_dump(mode="json") for entry in scan.intake.known.all()]
    (out / KNOWN).write_text(json.dumps(known), encoding="utf-8")
    report.figure("recordings", len(inventory.recordings))
    report.figure("problems", len(inventory.problems))


def _with_given(inventory: Inventory, inputs: IngestInputs, stills: Sequence[TakenStills]) -> Inventory:
    """The inventory with nav, area and rig, and the problems that these have."""
    vehicles = list(dict.fromkeys(camera.vehicle for camera in inventory.cameras))
    logs = given.nav_logs(inputs.nav, vehicles, inputs.before.nav)
    logs = _with_exif(logs, stills)
    aoi = given.area_of_interest(inputs.aoi, inputs.before.aoi, logs)
    rig, rig_problems = given.rig(inputs.rig, inputs.before.rig, inventory.cameras)
    problems = (*inventory.problems, *given.nav_problems(logs, vehicles), *rig_problems)
    return inventory.model_copy(update={"nav": logs, "aoi": aoi, "rig": rig, "problems": problems})


def _with_exif(logs: tuple[NavLog, ...], stills: Sequence[TakenStills]) -> tuple[NavLog, ...]:
    """Logs made of the stills' own GPS, for vehicles without another."""
    by_vehicle: dict[str, list[TakenStills]] = defaultdict(list)
    for taken in stills:
        by_vehicle[taken.vehicle].append(taken)
    for vehicle, folders in by_vehicle.items():
        if any(log.vehicle == vehicle and not given.is_from_exif(log) for log in logs):
            continue
        log = given.nav_from_exif(vehicle, folders)
        if log is not None:
            logs = (*(old for old in logs if old.vehicle != vehicle), log)
    return logs


def _no_footage(inputs: IngestInputs, problems: Sequence[Problem]) -> NoFootage:
    where = ", ".join(str(path) for path in inputs.footage)
    causes = [problem.cause for problem in problems]
    more = f" and {len(causes) - 5} more" if len(causes) > 5 else ""
    listed = "".join(f"\n  {cause}" for cause in causes[:5])
    said = f": {listed}{more}" if causes else "."
    return NoFootage(f"There is no usable footage in {where}{said}")
