"""Structure from motion on the CPU: OpenCV's SIFT, own matching, pycolmap's verification and incremental mapping."""

import itertools
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pycolmap

from workers.contract.artefacts import WorkingCamera
from workers.contract.events import Report
from workers.contract.params import InferenceParams
from workers.contract.words import Backend
from workers.media.features import Features, equalised, extract, match, read_colour, read_gray
from workers.stages.inference.outputs import Colours, Component, Floats, Result, Shot, Sightings

log = logging.getLogger(__name__)

SEED = 1
MIN_TRACK = 3
MAX_CLOUD_ERROR_PX = 2.0


def reconstruct(
    shots: Sequence[Shot], camera: WorkingCamera, params: InferenceParams, out: Path, report: Report
) -> Result:
    """Register the shots; components by falling number of frames."""
    started = time.perf_counter()
    threads = int(os.environ.get("COSMAQC_THREADS", params.threads))
    pairs = list(sequential_pairs(len(shots), params.match_overlap))
    steps = len(shots) + len(pairs) + len(shots)
    features = []
    for n, shot in enumerate(shots):
        gray = read_gray(shot.image)
        features.append(extract(equalised(gray) if params.clahe else gray, params.features))
        report(n + 1, of=steps)
    with tempfile.TemporaryDirectory(prefix=".colmap-", dir=out) as scratch:
        database = Path(scratch) / "database.db"
        with pycolmap.Database.open(database) as db:
            _write_features(db, shots, features, camera)
            for n, (i, j) in enumerate(pairs):
                found = match(features[i].descriptors, features[j].descriptors)
                if len(found):
                    db.write_matches(i + 1, j + 1, found)
                report(len(shots) + n + 1, of=steps)
        verify = pycolmap.GeometricVerifierOptions()
        verify.num_threads = threads
        pycolmap.geometric_verification(database, verify)
        registered = itertools.count(len(shots) + len(pairs))
        models = _map(database, params, threads, lambda: report(min(next(registered), steps), of=steps))
    components, warnings = _components(models, shots, params)
    errors = [m.compute_mean_reprojection_error() for m in models]
    focals = [c.K[0, 0, 0] for c in components]
    return Result(
        backend=Backend.COLMAP,
        versions={"pycolmap": pycolmap.__version__, "opencv": cv2.__version__},
        shots=shots,
        components=components,
        reprojection_error_px=errors[0] if errors else None,
        focal_px=focals[0] if focals else None,
        seconds=time.perf_counter() - started,
        warnings=warnings,
    )


def sequential_pairs(count: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Pairs of each frame with the next ``overlap`` ones and with those at doubling distances beyond."""
    for i in range(count):
        steps = set(range(1, overlap + 1)) | {2**k for k in range(count.bit_length())}
        yield from ((i, i + step) for step in sorted(steps) if i + step < count)


def _write_features(
    db: pycolmap.Database, shots: Sequence[Shot], features: Sequence[Features], camera: WorkingCamera
) -> None:
    """Fill the database: one shared camera; image ids are shot indices plus one."""
    prior = pycolmap.Camera(
        model="SIMPLE_PINHOLE",
        width=camera.width,
        height=camera.height,
        params=[(camera.fx + camera.fy) / 2, camera.cx, camera.cy],
    )
    prior.has_prior_focal_length = True
    camera_id = db.write_camera(prior)
    sensor = pycolmap.sensor_t(type=pycolmap.SensorType.CAMERA, id=camera_id)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(sensor)
    rig_id = db.write_rig(rig)
    for n, (shot, found) in enumerate(zip(shots, features, strict=True)):
        image = pycolmap.Image(name=shot.image.name, camera_id=camera_id, image_id=n + 1)
        db.write_image(image, use_image_id=True)
        frame = pycolmap.Frame(frame_id=n + 1, rig_id=rig_id)
        frame.add_data_id(pycolmap.data_t(sensor, n + 1))
        db.write_frame(frame, use_frame_id=True)
        db.write_keypoints(n + 1, found.keypoints)


def _map(
    database: Path, params: InferenceParams, threads: int, tick: Callable[[], None]
) -> list[pycolmap.Reconstruction]:
    """Incremental mapping; models by falling number of registered images. ``tick`` is called for each image."""
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = threads
    options.random_seed = SEED
    options.extract_colors = False
    options.min_model_size = 3
    options.ba_refine_focal_length = params.refine_focal
    options.ba_refine_principal_point = False
    options.ba_refine_extra_params = False
    options.mapper.abs_pose_refine_focal_length = False
    options.mapper.abs_pose_refine_extra_params = False
    pycolmap.set_random_seed(SEED)
    found = pycolmap.incremental_mapping(
        database, database.parent, database.parent, options, next_image_callback=tick
    )
    return sorted(found.values(), key=lambda m: -m.num_reg_images())


def _components(
    models: Sequence[pycolmap.Reconstruction], shots: Sequence[Shot], params: InferenceParams
) -> tuple[list[Component], tuple[str, ...]]:
    """The models of enough frames; a frame registered in several stays in the largest."""
    taken: set[int] = set()
    components, dropped = [], []
    for model in models:
        own = sorted(i for i in model.reg_image_ids() if i not in taken)
        if len(own) < params.min_component_frames:
            dropped.append(len(own))
            continue
        taken.update(own)
        components.append(_component(model, own, shots))
    warnings = []
    if len(components) > 1:
        warnings.append(f"The track breaks into {len(components)} components.")
    if dropped:
        sizes = ", ".join(str(n) for n in dropped)
        warnings.append(f"Components of {sizes} frames were dropped as too small.")
    return components, tuple(warnings)


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


def _colours(shots: Sequence[Shot], seen_in: np.ndarray, at: Floats, row: np.ndarray, count: int) -> Colours:
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
