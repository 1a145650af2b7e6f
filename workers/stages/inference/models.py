"""What is taken from pycolmap's models: components with their poses, sightings and coloured clouds."""

from collections.abc import Sequence

import numpy as np
import pycolmap

from workers.media.features import read_colour
from workers.stages.inference.outputs import Colours, Component, Floats, Ints, Shot, Sightings

MIN_TRACK = 3
MAX_CLOUD_ERROR_PX = 2.0
"""Points of the cloud are seen by this many frames, to this accuracy; two-view points are the outliers."""


def components_of(
    models: Sequence[pycolmap.Reconstruction], shots: Sequence[Shot], min_frames: int
) -> tuple[tuple[Component, ...], tuple[str, ...]]:
    """The models of enough frames, and what is to be told; a frame registered in several stays in the largest."""
    taken: set[int] = set()
    components, dropped = [], []
    for model in models:
        own = sorted(i for i in model.reg_image_ids() if i not in taken)
        if len(own) >= min_frames:
            taken.update(own)
            components.append(_component(model, own, shots))
        elif own:
            dropped.append(len(own))
    warnings = []
    if len(components) > 1:
        warnings.append(f"The track breaks into {len(components)} components.")
    if dropped:
        sizes = ", ".join(str(n) for n in dropped)
        warnings.append(f"Models of {sizes} frames were dropped as too small.")
    return tuple(components), tuple(warnings)


def _component(model: pycolmap.Reconstruction, image_ids: Sequence[int], shots: Sequence[Shot]) -> Component:
    """Poses, sightings and coloured cloud of one model."""
    poses, Ks = [], []
    shot, pixel, point = [], [], []
    for image_id in image_ids:
        image = model.image(image_id)
        poses.append(np.vstack((image.cam_from_world().inverse().matrix(), [0, 0, 0, 1])))
        Ks.append(model.camera(image.camera_id).calibration_matrix())
        for seen in image.get_observation_points2D():
            shot.append(image_id - 1)
            pixel.append(seen.xy)
            point.append(seen.point3D_id)
    points = model.points3D
    ids = np.array(sorted(points), dtype=np.int64)
    xyz = np.array([points[i].xyz for i in ids]).reshape(-1, 3)
    track = np.array([points[i].track.length() for i in ids])
    error = np.array([points[i].error for i in ids])
    row = np.searchsorted(ids, np.array(point, dtype=np.int64))
    # the longer its track and the smaller its error, the surer a point
    weight = (1 - 1 / np.maximum(track, 2)) / (1 + error**2)
    seen_in, at = np.array(shot, dtype=np.int64), np.array(pixel).reshape(-1, 2)
    good = (track >= MIN_TRACK) & (error <= MAX_CLOUD_ERROR_PX)
    return Component(
        shots=np.array(image_ids, dtype=np.int64) - 1,
        camera_to_world=np.array(poses),
        K=np.array(Ks),
        points=xyz[good],
        colours=_colours(shots, seen_in, at, row, len(ids))[good],
        sightings=Sightings(seen_in, at, xyz[row], weight[row]),
    )


def _colours(shots: Sequence[Shot], seen_in: Ints, at: Floats, row: Ints, count: int) -> Colours:
    """Mean colour (RGB) of each point over the frames that see it."""
    total, views = np.zeros((count, 3)), np.zeros(count)
    for n in np.unique(seen_in):
        pixels = read_colour(shots[n].image)
        here = seen_in == n
        x = np.clip(at[here, 0].astype(int), 0, pixels.shape[1] - 1)
        y = np.clip(at[here, 1].astype(int), 0, pixels.shape[0] - 1)
        np.add.at(total, row[here], pixels[y, x])
        np.add.at(views, row[here], 1)
    return (total / np.maximum(views, 1)[:, None]).astype(np.uint8)
