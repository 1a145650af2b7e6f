"""01: every ``*.MP4`` below what was given is a chapter; ``<vehicle>/<camera>/GX<chapter><number>.MP4``."""

import json
from pathlib import Path

import xxhash

from tests.core.fake_stages.behaviour import perform
from workers.contract import artefacts
from workers.contract.dive import Aoi, Camera, Chapter, FootageFile, Inventory, Recording
from workers.contract.errors import AoiUnreadable, NoFootage
from workers.contract.events import Report
from workers.contract.job import IngestInputs, KnownFile
from workers.contract.params import IngestParams
from workers.contract.words import AoiSource, Side


def run(inputs: IngestInputs, params: IngestParams, out: Path, report: Report) -> None:
    """Write inventory and checksums."""
    if inputs.aoi is not None and "polygon" not in inputs.aoi.read_text():
        raise AoiUnreadable(f"{inputs.aoi} holds no polygon.")
    found = {
        p for given in inputs.footage for p in ([given] if given.is_file() else sorted(given.rglob("*.MP4")))
    }
    known = {c.files[0].path for r in inputs.before.recordings for c in r.chapters}
    if not found and not known:
        raise NoFootage("No footage was found.")
    by_recording: dict[tuple[str, str, str], list[Path]] = {}
    for path in sorted(found | known):
        vehicle, camera = path.parent.parent.name, path.parent.name
        by_recording.setdefault((vehicle, camera, path.stem[4:8]), []).append(path)
    cameras: dict[str, Camera] = {}
    recordings = []
    acts = []
    for (vehicle, side, number), paths in by_recording.items():
        camera_id = f"{vehicle}-{side}"
        cameras[camera_id] = Camera(id=camera_id, vehicle=vehicle, side=Side.UNKNOWN)
        chapters = []
        start_s = 0.0
        for path in paths:
            chapters.append(_chapter(path, start_s))
            start_s = chapters[-1].end_s
            acts += [
                {**a, "tally": f"{path}.{n}.tally"}
                for n, a in enumerate(json.loads(path.read_text()).get("acts", []))
            ]
        recordings.append(
            Recording(
                id=f"{camera_id}_{number}",
                camera=camera_id,
                number=number,
                stills=False,
                chapters=tuple(chapters),
            )
        )
    perform("ingest", acts, report)
    aoi = inputs.before.aoi
    if inputs.aoi is not None:
        aoi = Aoi(
            path=inputs.aoi, checksum=xxhash.xxh64(inputs.aoi.read_bytes()).hexdigest(), source=AoiSource.FILE
        )
    inventory = Inventory(cameras=tuple(cameras.values()), recordings=tuple(recordings), aoi=aoi)
    (out / artefacts.INVENTORY).write_text(inventory.model_dump_json())
    files = [f for r in recordings for c in r.chapters for f in c.files]
    known_files = [
        KnownFile(
            device=f.device, inode=f.inode, size_bytes=f.size_bytes, mtime_ns=f.mtime_ns, checksum=f.checksum
        )
        for f in files
    ]
    (out / artefacts.KNOWN).write_text(json.dumps([k.model_dump(mode="json") for k in known_files]))


def _chapter(path: Path, start_s: float) -> Chapter:
    status = path.stat()
    content = path.read_bytes()
    file = FootageFile(
        path=path,
        size_bytes=status.st_size,
        checksum=xxhash.xxh64(content).hexdigest(),
        device=status.st_dev,
        inode=status.st_ino,
        mtime_ns=status.st_mtime_ns,
    )
    seconds = float(json.loads(content)["seconds"])
    return Chapter(
        number=int(path.stem[2:4]),
        files=(file,),
        checksum=file.checksum,
        width=64,
        height=48,
        fps=4.0,
        frame_count=int(seconds * 4),
        start_s=start_s,
        duration_s=seconds,
        codec="none",
    )
