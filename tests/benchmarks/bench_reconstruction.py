"""Reconstruction of a segment against pycolmap's defaults, on the same frames, on one thread.

``python -m tests.benchmarks.bench_reconstruction [SECONDS]``. Share registered, processor seconds a frame, and camera
centres against the truth of a shared dive after a Sim(3).
"""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycolmap
import pytest

from tests.stages.footage_factory import Heard, recording_of, slice_of
from workers.contract.artefacts import WorkingCamera
from workers.contract.job import InferenceInputs
from workers.contract.params import FramesParams, InferenceParams
from workers.demo.survey import camera_to_world
from workers.stages import frames, inference

Floats = npt.NDArray[np.float64]
SHARED = Path(os.environ.get("COSMAQC_SHARED", Path(__file__).resolve().parents[3] / "shared"))
DIVE, CAMERA = SHARED / "dives/one_leg_missing", "PORT"
SECONDS = 20


@dataclass(frozen=True)
class Placed:
    """Registered frames: times (N,) s, centres (N,3); focal length in pixels."""

    times_s: Floats
    centres: Floats
    focal_px: float


def processor_s() -> float:
    """Of this process so far."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def ours(folder: Path, out: Path, params: InferenceParams) -> Placed:
    """Stage 05."""
    out.mkdir()
    names = tuple(sorted(path.stem for path in (folder / "images").iterdir()))
    inference.run(InferenceInputs(frames=folder, usable=names), params, out, Heard())
    poses = np.load(out / "poses.npz")
    first = poses["component"] == 0
    return Placed(poses["time_s"][first], poses["camera_to_world"][first, :3, 3], float(poses["K"][0, 0, 0]))


def defaults(folder: Path, out: Path, camera: WorkingCamera | None) -> Placed:
    """pycolmap as it comes, one camera for all frames; with our focal prior or its own guess."""
    out.mkdir()
    database = out / "database.db"
    reader = pycolmap.ImageReaderOptions()
    if camera is not None:
        reader.camera_model = "SIMPLE_PINHOLE"
        reader.camera_params = f"{camera.fx},{camera.cx},{camera.cy}"
    extraction = pycolmap.FeatureExtractionOptions(num_threads=1, use_gpu=False)
    matching = pycolmap.FeatureMatchingOptions(num_threads=1, use_gpu=False)
    pycolmap.extract_features(
        database,
        folder / "images",
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=extraction,
    )
    pycolmap.match_sequential(database, matching_options=matching)
    options = pycolmap.IncrementalPipelineOptions(num_threads=1)
    models = pycolmap.incremental_mapping(database, folder / "images", out, options)
    best = max(models.values(), key=lambda model: model.num_reg_images())
    images = sorted((best.image(i) for i in best.reg_image_ids()), key=lambda image: str(image.name))
    times = [int(Path(image.name).stem.rsplit("_", 1)[1]) / 1e6 for image in images]
    centres = [image.projection_center() for image in images]
    return Placed(np.array(times), np.array(centres), float(best.cameras[1].mean_focal_length()))


def true_centres(times_s: Floats) -> Floats:
    """Where the camera was, local metres."""
    vehicle = json.loads((DIVE / "truth.json").read_text())["vehicles"]["AUV01"]
    path = np.array(vehicle["path"])
    path[:, 4] = np.unwrap(path[:, 4])
    offset = tuple(vehicle["cameras"][CAMERA]["offset_body"])
    poses = np.stack([np.interp(times_s, path[:, 0], path[:, n]) for n in range(1, 7)], axis=1)
    return np.array([camera_to_world(pose, offset)[:3, 3] for pose in poses])


def rms_mm(placed: Placed) -> float:
    """Centres against the truth after the best Sim(3)."""
    true = true_centres(placed.times_s)
    sim3 = pycolmap.estimate_sim3d(placed.centres, true)
    assert sim3 is not None
    moved = sim3.scale * placed.centres @ sim3.rotation.matrix().T + sim3.translation
    return float(1000 * np.sqrt(((moved - true) ** 2).sum(axis=1).mean()))


def main(arguments: Sequence[str]) -> str | None:
    """Print the table; a reason when there is nothing to compare on."""
    if not DIVE.is_dir():
        return f"NOT COMPARED: there is no {DIVE}; set COSMAQC_SHARED"
    seconds = float(arguments[0]) if arguments else SECONDS
    os.environ["COSMAQC_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "frames"
        folder.mkdir()
        files = sorted((DIVE / "AUV01" / CAMERA).rglob("*.MP4"))
        frames.run(slice_of(recording_of(files), 0.0, seconds), FramesParams(), folder, Heard())
        camera = WorkingCamera.model_validate_json((folder / "camera.json").read_text())
        count = len(list((folder / "images").iterdir()))
        ways: dict[str, Callable[[Path], Placed]] = {
            "05 inference": lambda out: ours(folder, out, InferenceParams()),
            "05 inference, 1,024 features": lambda out: ours(folder, out, InferenceParams(features=1024)),
            "pycolmap's defaults, our prior": lambda out: defaults(folder, out, camera),
            "pycolmap's defaults": lambda out: defaults(folder, out, None),
        }
        print(
            f"\n{count} frames of {camera.width}x{camera.height}, true focal length {camera.fx:.1f} px, one thread"
        )
        print(f"{'':32s} {'registered':>10s} {'s/frame':>8s} {'RMS mm':>8s} {'focal px':>9s}")
        for n, (way, work) in enumerate(ways.items()):
            used = processor_s()
            placed = work(Path(name) / f"out{n}")
            cost = (processor_s() - used) / count
            share = f"{len(placed.times_s)}/{count}"
            print(
                f"{way:32s} {share:>10s} {cost:8.2f} {rms_mm(placed):8.1f} {placed.focal_px:9.1f}", flush=True
            )
    return None


@pytest.mark.benchmark
def test_bench_reconstruction() -> None:
    reason = main([])
    if reason:
        pytest.skip(reason)


if __name__ == "__main__":
    print(main(sys.argv[1:]) or "")
