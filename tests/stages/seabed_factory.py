"""A frames folder of rendered seabed with known poses: what quality and reconstruction are tested on."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from workers.contract import artefacts
from workers.contract.artefacts import WorkingCamera
from workers.demo.recipe import SMALL
from workers.demo.render import Pinhole, Renderer
from workers.demo.seabed import grow
from workers.demo.survey import camera_to_world

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Track:
    """A straight pass: pictures (H,W,3) BGR, true camera-to-world (N,4,4), the camera."""

    pictures: tuple[Picture, ...]
    camera_to_world: npt.NDArray[np.float64]
    camera: WorkingCamera


def film(
    count: int, *, spacing_m: float = 0.13, milky: frozenset[int] = frozenset(), seabed: int = SMALL.seed
) -> Track:
    """``count`` frames along a gently swaying pass over a small seabed of that seed; ``milky`` ones are blurred."""
    pinhole = Pinhole.of(SMALL)
    renderer = Renderer(grow(replace(SMALL, seed=seabed)), pinhole, seabed)
    n = np.arange(count)
    pose = np.stack(
        [
            0.2 + spacing_m * n,
            1.5 + 0.1 * np.sin(n / 3),
            1.6 + 0.06 * np.sin(n / 4 + 1),
            0.04 * np.sin(n / 5),
            0.05 * np.sin(n / 2),
            0.05 * np.cos(n / 3),
        ],
        axis=1,
    )
    cameras = np.array([camera_to_world(one, (0.0, 0.0, 0.0)) for one in pose])
    pictures = tuple(
        renderer.frame(cameras[i], np.random.default_rng([seabed, i]), i in milky) for i in range(count)
    )
    camera = WorkingCamera(
        width=pinhole.width_px,
        height=pinhole.height_px,
        fx=pinhole.focal_px,
        fy=pinhole.focal_px,
        cx=pinhole.width_px / 2,
        cy=pinhole.height_px / 2,
    )
    return Track(pictures, cameras, camera)


def write_frames(
    folder: Path, pictures: tuple[Picture, ...] | list[Picture], camera: WorkingCamera
) -> tuple[str, ...]:
    """The pictures as an output folder of 03, two a second; their frame ids."""
    (folder / artefacts.IMAGES).mkdir(parents=True)
    ids = tuple(f"{'c' * 16}_{500_000 * n:012d}" for n in range(len(pictures)))
    with (folder / artefacts.FRAMES).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(artefacts.FRAME_COLUMNS)
        for n, (name, picture) in enumerate(zip(ids, pictures, strict=True)):
            image = f"{artefacts.IMAGES}/{name}.jpg"
            cv2.imwrite(str(folder / image), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
            rows.writerow([name, f"{n / 2:.6f}", 1, f"{n / 2:.6f}", "a.mp4", image])
    (folder / artefacts.CAMERA).write_text(camera.model_dump_json())
    return ids
