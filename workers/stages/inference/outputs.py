"""What every backend hands over, and how it is written: poses, shared points, cloud, figures."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.contract import artefacts
from workers.contract.artefacts import Reconstruction
from workers.contract.errors import ReconstructionFailed
from workers.contract.events import Report
from workers.contract.words import Backend

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Colours = npt.NDArray[np.uint8]

SHARED_FRAMES = 12
SHARED_S = 8.0
"""Points are kept for this many frames, and for this long, at either end of a segment: what a neighbour may share."""


@dataclass(frozen=True)
class Shot:
    """A usable frame: its id, recording time in seconds, stored picture."""

    frame_id: str
    time_s: float
    image: Path


@dataclass(frozen=True)
class Sightings:
    """Points seen in frames: (M,) index of the shot, (M,2) pixel, (M,3) point, (M,) weight."""

    shot: Ints
    pixel: Floats
    xyz: Floats
    weight: Floats


@dataclass(frozen=True)
class Component:
    """Frames that hang together, in a frame of reference and scale of their own.

    ``shots`` (N,) are indices into the shots given; ``camera_to_world`` (N,4,4); ``K`` (N,3,3). ``points`` (P,3)
    with ``colours`` (P,3) make the cloud.
    """

    shots: Ints
    camera_to_world: Floats
    K: Floats
    points: Floats
    colours: Colours
    sightings: Sightings


@dataclass(frozen=True)
class Result:
    """A backend's result: components by falling number of frames, and what is to be told of them."""

    backend: Backend
    versions: dict[str, str]
    shots: Sequence[Shot]
    components: Sequence[Component]
    reprojection_error_px: float | None
    focal_px: float | None
    seconds: float
    warnings: tuple[str, ...] = ()


def write(result: Result, out: Path, report: Report) -> None:
    """Write ``poses.npz``, ``overlap.npz``, ``cloud.ply``, ``cloud_component.npy``, ``reconstruction.json``.

    Raises:
        ReconstructionFailed: the result holds no component.
    """
    if not result.components:
        raise ReconstructionFailed(
            f"{len(result.shots)} usable frames, but no component of enough frames. "
            + " ".join(result.warnings)
        )
    _write_poses(result, out)
    _write_overlap(result, out)
    numbers = [np.full(len(c.points), n) for n, c in enumerate(result.components)]
    _write_ply(
        out / artefacts.CLOUD,
        np.concatenate([c.points for c in result.components]),
        np.concatenate([c.colours for c in result.components]),
    )
    np.save(out / artefacts.CLOUD_COMPONENT, np.concatenate(numbers).astype(np.int32))
    registered = sum(len(c.shots) for c in result.components)
    figures = Reconstruction(
        backend=result.backend,
        versions=result.versions,
        frames_in=len(result.shots),
        frames_registered=registered,
        components=tuple(len(c.shots) for c in result.components),
        reprojection_error_px=result.reprojection_error_px,
        focal_px=result.focal_px,
        seconds=result.seconds,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        warnings=result.warnings,
    )
    (out / artefacts.RECONSTRUCTION).write_text(figures.model_dump_json(indent=2), encoding="utf-8")
    report.figure("registered", registered)
    for warning in result.warnings:
        report.warn("reconstruction", warning)


def _write_poses(result: Result, out: Path) -> None:
    """All registered frames in order of time."""
    shots = np.concatenate([c.shots for c in result.components])
    component = np.concatenate([np.full(len(c.shots), n) for n, c in enumerate(result.components)])
    times = np.array([result.shots[i].time_s for i in shots])
    order = np.argsort(times, kind="stable")
    np.savez(
        out / artefacts.POSES,
        frame_id=np.array([result.shots[i].frame_id for i in shots[order]], dtype=np.str_),
        time_s=times[order],
        camera_to_world=np.concatenate([c.camera_to_world for c in result.components])[order],
        K=np.concatenate([c.K for c in result.components])[order],
        component=component[order].astype(np.int32),
    )


def _write_overlap(result: Result, out: Path) -> None:
    """What is seen in the frames that a neighbouring segment may share."""
    count = len(result.shots)
    times = np.array([shot.time_s for shot in result.shots])
    index = np.arange(count)
    shared = (index < SHARED_FRAMES) | (index >= count - SHARED_FRAMES)
    shared |= (times < times[0] + SHARED_S) | (times > times[-1] - SHARED_S)
    keep = [shared[c.sightings.shot] for c in result.components]
    shot = np.concatenate([c.sightings.shot[k] for c, k in zip(result.components, keep, strict=True)])
    component = [np.full(int(k.sum()), n) for n, k in enumerate(keep)]
    np.savez_compressed(
        out / artefacts.OVERLAP,
        frame_id=np.array([s.frame_id for s in result.shots], dtype=np.str_)[shot],
        pixel=np.concatenate([c.sightings.pixel[k] for c, k in zip(result.components, keep, strict=True)]),
        xyz=np.concatenate([c.sightings.xyz[k] for c, k in zip(result.components, keep, strict=True)]),
        weight=np.concatenate([c.sightings.weight[k] for c, k in zip(result.components, keep, strict=True)]),
        component=np.concatenate(component).astype(np.int32),
    )


def _write_ply(path: Path, points: Floats, colours: Colours) -> None:
    """Binary PLY: x, y, z as float, red, green, blue as uchar."""
    kind = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices = np.empty(len(points), kind)
    vertices["xyz"], vertices["rgb"] = points, colours
    axes = "".join(f"property float {a}\n" for a in "xyz")
    shades = "".join(f"property uchar {c}\n" for c in ("red", "green", "blue"))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{axes}{shades}end_header\n"
    path.write_bytes(header.encode("ascii") + vertices.tobytes())
