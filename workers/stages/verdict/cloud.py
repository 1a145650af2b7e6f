"""``cloud.ply`` for other programs, and ``cloud_view.npz`` and ``map.npz`` for the window."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from workers.contract.products import Verdict
from workers.contract.survey import MapFrame
from workers.geometry import F64, AnyArray
from workers.stages.verdict.map_drawing import MapScene
from workers.stages.verdict.outlines import rings_of, tracks_of
from workers.stages.verdict.provenance import printable, provenance_json
from workers.stages.verdict.survey import Cloud, Coverage, Survey

SHUFFLE_SEED = 20260512
_PLY_VERTEX = [
    ("x", "<f8"),
    ("y", "<f8"),
    ("z", "<f8"),
    ("red", "u1"),
    ("green", "u1"),
    ("blue", "u1"),
    ("segment", "<i4"),
    ("vehicle", "<i4"),
]
_PLY_WORDS = {"<f8": "double", "u1": "uchar", "<i4": "int"}
_COMMENT_WIDTH = 200  # rply, which Open3D reads PLY with, gives up on header lines over 1,023 bytes


def write_cloud_ply(path: Path, cloud: Cloud, frame: MapFrame, verdict: Verdict) -> None:
    """Binary PLY in full UTM (or local) coordinates; the header names the CRS, segments and vehicles."""
    points = np.zeros(len(cloud.xyz), _PLY_VERTEX)
    offset = (*frame.origin, 0.0)
    for n, axis in enumerate("xyz"):
        points[axis] = cloud.xyz[:, n] + offset[n]
    for n, colour in enumerate(("red", "green", "blue")):
        points[colour] = cloud.rgb[:, n]
    points["segment"], points["vehicle"] = cloud.segment, cloud.vehicle
    header = ["ply", "format binary_little_endian 1.0", *_comments(cloud, frame, verdict)]
    header += [f"element vertex {len(points)}"]
    header += [f"property {_PLY_WORDS[kind]} {name}" for name, kind in _PLY_VERTEX]
    with path.open("wb") as file:
        file.write("\n".join([*header, "end_header", ""]).encode("ascii"))
        points.tofile(file)


def _comments(cloud: Cloud, frame: MapFrame, verdict: Verdict) -> list[str]:
    """Header lines, ASCII: CRS, names of the ids, and the provenance as JSON cut into lines."""
    if frame.epsg is not None:
        lines = [f"crs EPSG:{frame.epsg} (easting, northing, height), metres"]
    elif verdict.scale.source == "none":
        lines = ["crs none: local frame, arbitrary scale"]
    else:
        lines = ["crs none: local frame, metres"]
    lines += [f"segment {n} {_ascii(name)}" for n, name in enumerate(cloud.segment_names)]
    lines += [f"vehicle {n} {_ascii(name)}" for n, name in enumerate(cloud.vehicle_names)]
    text = provenance_json(verdict)
    lines += [f"provenance {text[n : n + _COMMENT_WIDTH]}" for n in range(0, len(text), _COMMENT_WIDTH)]
    return [f"comment {line}" for line in lines]


def _ascii(name: str) -> str:
    escaped = printable(name).encode("ascii", "backslashreplace").decode()
    return textwrap.shorten(escaped, 500, placeholder="...")


def write_cloud_view(path: Path, cloud: Cloud, survey: Survey, verdict: Verdict) -> None:
    """The cloud as the window shows it; see :data:`workers.contract.products.CLOUD_VIEW_ARRAYS`."""
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(cloud.xyz))
    xyz = cloud.xyz[order]
    views = np.zeros(len(xyz), np.uint16)
    if survey.grid is not None:
        views = survey.grid.views_at(xyz[:, :2])
    _save(
        path,
        survey,
        verdict,
        xyz=xyz.astype(np.float32),
        rgb=cloud.rgb[order],
        vehicle=cloud.vehicle[order],
        segment=cloud.segment[order],
        views=views,
        height=xyz[:, 2].astype(np.float32),
        segment_names=_strings(cloud.segment_names),
        vehicle_names=_strings(cloud.vehicle_names),
    )


def write_map(path: Path, scene: MapScene | None, survey: Survey, verdict: Verdict) -> None:
    """All that the window's map needs; see :data:`workers.contract.products.MAP_ARRAYS`."""
    frames, posed = survey.frames, survey.posed
    segment_names = sorted(set(frames.segment.tolist()))
    tracks = tracks_of(survey)
    track_xy, track_line = _joined([track.xy for track in tracks])
    _save(
        path,
        survey,
        verdict,
        **_grid_arrays(survey.grid, survey.coverage.cell_m),
        **_outline_arrays(scene),
        track_xy=track_xy,
        track_line=track_line,
        track_kind=_strings(track.kind for track in tracks),
        track_vehicle=_strings(track.vehicle for track in tracks),
        track_camera=_strings(track.camera for track in tracks),
        frame_id=frames.frame_id[posed],
        frame_xy=frames.centres[posed, :2],
        frame_segment=np.searchsorted(segment_names, frames.segment[posed]).astype(np.int32),
        frame_registered=frames.registered[posed],
        frame_usable=frames.usable[posed],
        segment_names=_strings(segment_names),
    )


def _grid_arrays(grid: Coverage | None, cell_m: float) -> dict[str, AnyArray]:
    """The grid's layers; empty ones without a grid."""
    names = (
        "inside",
        "passes",
        "passes_worst",
        "cause",
        "gap",
        "footprint_views",
        "filmed_views",
        "reconstructed_views",
    )
    kinds = (np.bool_, np.bool_, np.bool_, np.uint8, np.int32, np.uint16, np.uint16, np.uint16)
    layers: dict[str, AnyArray] = {
        name: np.zeros((0, 0), kind) if grid is None else getattr(grid, name).astype(kind)
        for name, kind in zip(names, kinds, strict=True)
    }
    corner = (0.0, 0.0, cell_m) if grid is None else (grid.x0, grid.y0, grid.cell_m)
    return layers | dict(zip(("x0", "y0", "cell_m"), map(np.asarray, corner), strict=True))


def _outline_arrays(scene: MapScene | None) -> dict[str, AnyArray]:
    """Rings of the area of interest and of the gaps."""
    gaps = scene.gaps if scene is not None else ()
    aoi_xy, aoi_ring = _joined(rings_of(scene.aoi) if scene is not None else [])
    rings = [(gap.id, ring) for gap, outline in gaps for ring in rings_of(outline)]
    gap_xy, gap_ring = _joined([ring for _, ring in rings])
    return {
        "aoi_xy": aoi_xy,
        "aoi_ring": aoi_ring,
        "gap_id": np.array([gap.id for gap, _ in gaps], np.int32),
        "gap_cause": _strings(gap.cause.value for gap, _ in gaps),
        "gap_certainty": _strings(gap.certainty.value for gap, _ in gaps),
        "gap_area_m2": np.array([gap.area_m2 for gap, _ in gaps], np.float64),
        "gap_xy": gap_xy,
        "gap_ring": gap_ring,
        "ring_gap_id": np.array([gap_id for gap_id, _ in rings], np.int32),
    }


def _joined(lines: list[F64]) -> tuple[F64, AnyArray]:
    """Points (P,2) of all lines one after the other, and the line's number (P,) of each."""
    if not lines:
        return np.zeros((0, 2)), np.zeros(0, np.int32)
    return np.concatenate(lines), np.repeat(
        np.arange(len(lines), dtype=np.int32), [len(line) for line in lines]
    )


def _strings(names: Any) -> AnyArray:
    """A text array that numpy reads back without pickle."""
    return np.array([str(name) for name in names], dtype=np.str_)


def _save(path: Path, survey: Survey, verdict: Verdict, **arrays: AnyArray) -> None:
    """Write arrays with the frame they are in and the provenance; numpy's archives carry no time of writing."""
    frame = survey.stitch.frame
    np.savez(
        path,
        origin=np.array(frame.origin, np.float64),
        epsg=np.int32(frame.epsg or 0),
        provenance=np.array(provenance_json(verdict)),
        **arrays,  # type: ignore[arg-type]
    )
