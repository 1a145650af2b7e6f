"""05 inference: poses against rendered truth, components, what neighbours share, and how it stops."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycolmap
import pytest

from tests.stages.footage_factory import Heard, recording_of, slice_of
from tests.stages.seabed_factory import Picture, Track, film, write_frames
from workers.contract.artefacts import Reconstruction, WorkingCamera
from workers.contract.errors import BadJob, Cancelled, ReconstructionFailed, TooFewFrames
from workers.contract.job import InferenceInputs
from workers.contract.params import FramesParams, InferenceParams
from workers.contract.words import Backend
from workers.media.features import extract, match
from workers.stages import frames, inference
from workers.stages.inference import colmap, outputs

Floats = npt.NDArray[np.float64]
QUICK = InferenceParams(features=1024, threads=1)


def reconstruct(
    folder: Path, pictures: Sequence[Picture], camera: WorkingCamera, params: InferenceParams = QUICK
) -> Heard:
    """Frames folder in, inference output in ``folder / "out"``."""
    names = write_frames(folder / "frames", list(pictures), camera)
    (folder / "out").mkdir()
    heard = Heard()
    inference.run(InferenceInputs(frames=folder / "frames", usable=names), params, folder / "out", heard)
    return heard


def figures(folder: Path) -> Reconstruction:
    return Reconstruction.model_validate_json((folder / "out" / "reconstruction.json").read_text())


def pixels_by_frame(overlap: Path) -> dict[str, set[tuple[float, float]]]:
    """Where each frame of an ``overlap.npz`` sees points."""
    seen = np.load(overlap)
    pixels: dict[str, set[tuple[float, float]]] = {}
    for name, (x, y) in zip(seen["frame_id"].tolist(), seen["pixel"].tolist(), strict=True):
        pixels.setdefault(name, set()).add((x, y))
    return pixels


def aligned(poses: Floats, true: Floats) -> Floats:
    """Camera centres (N,3) in the frame of the truth, after the Sim(3) over centres and a point before each camera.

    A straight pass has its centres in a line; the points give it its turn about that line.
    """
    scale = np.linalg.norm(true[-1, :3, 3] - true[0, :3, 3]) / np.linalg.norm(
        poses[-1, :3, 3] - poses[0, :3, 3]
    )
    ours = np.vstack((poses[:, :3, 3], poses[:, :3, 3] + poses[:, :3, 2] / scale))
    theirs = np.vstack((true[:, :3, 3], true[:, :3, 3] + true[:, :3, 2]))
    sim3 = pycolmap.estimate_sim3d(ours, theirs)
    assert sim3 is not None
    moved = sim3.scale * poses[:, :3, 3] @ sim3.rotation.matrix().T + sim3.translation
    return np.asarray(moved, dtype=np.float64)


@pytest.fixture(scope="module")
def track() -> Track:
    """A clear pass of 2.3 m."""
    return film(19)


@pytest.fixture(scope="module")
def done(track: Track, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its reconstruction, from a prior that is 5 % off."""
    folder = tmp_path_factory.mktemp("pass")
    off = track.camera.model_copy(update={"fx": track.camera.fx * 1.05, "fy": track.camera.fy * 1.05})
    reconstruct(folder, track.pictures, off)
    return folder


def test_that_all_frames_of_a_clear_pass_are_placed_within_centimetres(done: Path, track: Track) -> None:
    poses = np.load(done / "out" / "poses.npz")
    assert poses["frame_id"].tolist() == sorted(poses["frame_id"].tolist())
    assert len(poses["frame_id"]) == 19
    assert poses["time_s"] == pytest.approx(np.arange(19) / 2)
    assert set(poses["component"].tolist()) == {0}
    errors = aligned(poses["camera_to_world"], track.camera_to_world) - track.camera_to_world[:, :3, 3]
    assert np.sqrt((errors**2).sum(axis=1).mean()) < 0.02


def test_that_the_principal_point_stays_and_the_focal_length_is_found(done: Path, track: Track) -> None:
    K = np.load(done / "out" / "poses.npz")["K"]
    assert (K[0] == K).all()
    assert K[0, 0, 2] == track.camera.cx
    assert K[0, 1, 2] == track.camera.cy
    assert K[0, 0, 0] == pytest.approx(track.camera.fx, rel=0.08)


def test_that_the_cloud_is_coloured_and_numbered(done: Path) -> None:
    content = (done / "out" / "cloud.ply").read_bytes()
    head, _, body = content.partition(b"end_header\n")
    count = int(head.split(b"element vertex ")[1].split()[0])
    cloud = np.frombuffer(body, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))
    assert len(cloud) == count > 200
    assert len(np.load(done / "out" / "cloud_component.npy")) == count
    assert 20 < cloud["rgb"].mean() < 200


def test_that_sightings_lie_where_their_points_project(done: Path) -> None:
    poses, seen = np.load(done / "out" / "poses.npz"), np.load(done / "out" / "overlap.npz")
    row = {name: n for n, name in enumerate(poses["frame_id"].tolist())}
    at = np.array([row[name] for name in seen["frame_id"].tolist()])
    local = np.einsum(
        "nji,nj->ni", poses["camera_to_world"][at, :3, :3], seen["xyz"] - poses["camera_to_world"][at, :3, 3]
    )
    image = np.einsum("nij,nj->ni", poses["K"][at], local)
    misses = np.linalg.norm(image[:, :2] / image[:, 2:] - seen["pixel"], axis=1)
    assert np.median(misses) < 0.5
    assert (seen["weight"] > 0).all()
    assert (seen["weight"] <= 1).all()


def test_that_figures_tell_what_came_out(done: Path) -> None:
    told = figures(done)
    assert (told.frames_in, told.frames_registered, told.components) == (19, 19, (19,))
    assert told.reprojection_error_px is not None
    assert told.reprojection_error_px < 1
    assert told.backend is Backend.COLMAP
    assert set(told.versions) == {"pycolmap", "opencv"}


def test_that_neighbours_see_a_shared_frame_in_the_same_pixels(
    track: Track, done: Path, tmp_path: Path
) -> None:
    names = write_frames(tmp_path / "frames", list(track.pictures), track.camera)
    (tmp_path / "out").mkdir()
    inputs = InferenceInputs(frames=tmp_path / "frames", usable=names[9:])
    inference.run(inputs, QUICK, tmp_path / "out", Heard())
    one, two = (pixels_by_frame(folder / "out" / "overlap.npz") for folder in (done, tmp_path))
    assert min(len(one[name] & two[name]) for name in names[9:]) > 50


def test_that_a_break_in_the_track_leaves_two_components_and_loses_no_side_of_it(
    track: Track, tmp_path: Path
) -> None:
    elsewhere = film(10, seabed=77)
    heard = reconstruct(tmp_path, [*track.pictures[:10], *elsewhere.pictures], track.camera)
    assert figures(tmp_path).components == (10, 10)
    assert any("2 components" in text for _, text in heard.warnings)
    component = np.load(tmp_path / "out" / "poses.npz")["component"]
    assert len(set(component[:10].tolist())) == 1
    assert set(component.tolist()) == {0, 1}


def test_that_identical_frames_are_a_failure_with_a_name(track: Track, tmp_path: Path) -> None:
    with pytest.raises(ReconstructionFailed):
        reconstruct(tmp_path, [track.pictures[0]] * 10, track.camera)


def test_that_featureless_frames_are_a_failure_with_a_name(track: Track, tmp_path: Path) -> None:
    with pytest.raises(ReconstructionFailed):
        reconstruct(tmp_path, [np.full_like(track.pictures[0], 90)] * 10, track.camera)


def test_that_too_few_frames_are_not_tried(track: Track, tmp_path: Path) -> None:
    with pytest.raises(TooFewFrames):
        reconstruct(tmp_path, track.pictures[:7], track.camera)


def test_that_only_usable_frames_are_read(track: Track, tmp_path: Path) -> None:
    names = write_frames(tmp_path, list(track.pictures), track.camera)
    for name in names[:4]:
        (tmp_path / "images" / f"{name}.jpg").unlink()
    shots = inference.read_shots(InferenceInputs(frames=tmp_path, usable=names[4:]))
    assert tuple(shot.frame_id for shot in shots) == names[4:]


def test_that_a_backend_which_is_not_here_is_a_bad_job(track: Track, tmp_path: Path) -> None:
    with pytest.raises(BadJob):
        reconstruct(tmp_path, track.pictures, track.camera, InferenceParams(backend=Backend.LINGBOT))


def test_that_a_reconstruction_stops_when_asked(track: Track, tmp_path: Path) -> None:
    names = write_frames(tmp_path / "frames", list(track.pictures), track.camera)
    (tmp_path / "out").mkdir()
    heard = Heard(stop_at=25, stop_with=Cancelled("stop"))
    with pytest.raises(Cancelled):
        inference.run(
            InferenceInputs(frames=tmp_path / "frames", usable=names), QUICK, tmp_path / "out", heard
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_that_pycolmap_is_stopped_by_a_tick_that_raises() -> None:
    ended = threading.Event()

    def work(token: pycolmap.CancellationToken) -> None:
        while not token.is_cancelled:
            time.sleep(0.01)
        ended.set()

    def tick() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        colmap.cancellable(work, tick)
    assert ended.is_set()


def test_that_pairs_reach_the_next_frames_and_doubling_distances() -> None:
    pairs = set(colmap.sequential_pairs(40, 3))
    assert {b for a, b in pairs if a == 0} == {1, 2, 3, 4, 8, 16, 32}
    assert all(a < b < 40 for a, b in pairs)


def test_that_the_same_picture_gives_the_same_features_and_one_a_pixel(track: Track) -> None:
    gray = np.ascontiguousarray(track.pictures[0][..., 1])
    one, two = extract(gray, 500), extract(gray.copy(), 500)
    assert (one.keypoints == two.keypoints).all()
    assert (one.descriptors == two.descriptors).all()
    assert len(np.unique(one.keypoints[:, :2], axis=0)) == len(one.keypoints) <= 500


def test_that_matches_are_mutual_and_distinct() -> None:
    a = np.eye(128, dtype=np.float32)[:5]
    b = np.vstack((a[[3, 1]], a[1]))  # two candidates for 1: the ratio test turns it down
    assert match(a, b).tolist() == [[3, 0]]
    assert match(a[:1], b).shape == (0, 2)


def test_that_no_component_is_a_failure_that_says_how_many_frames_there_were(tmp_path: Path) -> None:
    shots = [outputs.Shot(str(n), float(n), tmp_path) for n in range(9)]
    result = outputs.Result(Backend.COLMAP, {}, shots, (), None, None, 0.0)
    with pytest.raises(ReconstructionFailed, match="9 usable frames"):
        outputs.write(result, tmp_path, Heard())


@pytest.mark.slow
def test_that_nine_tenths_of_the_reef_clip_are_registered(shared: Path, tmp_path: Path) -> None:
    recording = recording_of([shared / "data/gopro_reef_underwater/reef_clip.mp4"])
    (tmp_path / "frames").mkdir()
    (tmp_path / "out").mkdir()
    frames.run(slice_of(recording, 0.0, 8.0), FramesParams(), tmp_path / "frames", Heard())
    names = tuple(path.stem for path in (tmp_path / "frames" / "images").iterdir())
    inputs = InferenceInputs(frames=tmp_path / "frames", usable=names)
    inference.run(inputs, InferenceParams(), tmp_path / "out", Heard())
    assert figures(tmp_path).frames_registered >= 0.9 * len(names)
