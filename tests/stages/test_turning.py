"""Clocks by turn rate inside the stitch: gyros against nav, and cameras against each other."""

from pathlib import Path

import numpy as np
import pytest

from tests.stages.test_gyro import turning
from workers.contract.dive import Recording
from workers.geometry import F64
from workers.stages.stitch.clock import ClockFit
from workers.stages.stitch.navigation import Track
from workers.stages.stitch.turning import Turning, read_turning, settle_clocks

START = 1_778_578_200.0


def recording(name: str, camera: str, start_utc_s: float | None) -> Recording:
    return Recording(
        id=name, camera=camera, number="0001", stills=False, chapters=(), start_utc_s=start_utc_s
    )


def imu(folder: Path, own: F64, true: F64, seed: int) -> Path:
    """A gyro in axes of its own that follows the vehicle's turning about its vertical."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    rate = np.zeros((len(own), 3))
    rate[:, 2] = turning(true, 7)[:, 2]
    axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
    gyro = rate @ axes.T + random.normal(0, 0.002, rate.shape)
    np.savez(folder / "imu.npz", time_s=own, gyro_rad_s=gyro, accel_m_s2=np.zeros_like(gyro))
    return folder


def nav_track(length_s: float) -> Track:
    time_s = np.arange(0.0, length_s, 0.25)
    yaw = np.cumsum(turning(time_s, 7)[:, 2]) * 0.25
    none = np.zeros(len(time_s))
    xyz = np.zeros((len(time_s), 3))
    return Track("AUV01", time_s + START, xyz, xyz, yaw, none, none, True, True, True, None, True)


@pytest.fixture
def two_cameras(tmp_path: Path) -> tuple[dict[str, Recording], dict[str, Path]]:
    """Both filmed from the 30th second on; PORT's clock is 400 s behind, STBD's 5 s ahead."""
    own = np.arange(0.0, 300.0, 1 / 100)
    folders = {"P": imu(tmp_path / "P", own, own + 30.0, 1), "S": imu(tmp_path / "S", own, own + 30.0, 2)}
    recordings = {
        "P": recording("P", "PORT", START + 30.0 - 400.0),
        "S": recording("S", "STBD", START + 30.0 + 5.0),
    }
    return recordings, folders


def test_gyros_tie_cameras_to_nav_and_to_each_other(
    two_cameras: tuple[dict[str, Recording], dict[str, Path]],
) -> None:
    recordings, folders = two_cameras
    found = read_turning(recordings, folders, {"PORT": "AUV01", "STBD": "AUV01"}, {"AUV01": nav_track(500.0)})
    assert found.nav["P"].offset_s == pytest.approx(400.0, abs=0.3)
    assert found.nav["S"].offset_s == pytest.approx(-5.0, abs=0.3)
    assert found.syncs["P", "S"].offset_s == pytest.approx(-405.0, abs=0.05)


def test_an_ambiguous_track_fit_is_settled_by_the_other_camera(
    two_cameras: tuple[dict[str, Recording], dict[str, Path]],
) -> None:
    recordings, folders = two_cameras
    found = read_turning(recordings, folders, {"PORT": "AUV01", "STBD": "AUV01"}, {})
    clocks = {
        "P": ClockFit(400.0, 0.1, 50.0, False, "track"),
        "S": ClockFit(77.0, 20.0, 1.1, True, "straight leg"),
    }
    settled = settle_clocks(clocks, found)
    assert settled["P"] == clocks["P"]
    assert not settled["S"].ambiguous
    assert settled["S"].offset_s == pytest.approx(-5.0, abs=0.1)


def test_a_track_fit_that_the_gyro_contradicts_is_not_sure() -> None:
    sure = ClockFit(10.0, 0.2, 5.0, False, "gyro")
    settled = settle_clocks({"P": ClockFit(40.0, 0.1, 9.0, False, "track")}, Turning(nav={"P": sure}))
    assert settled["P"].ambiguous
    assert settled["P"].sigma_s >= 30.0


def test_two_vehicles_are_not_tied(two_cameras: tuple[dict[str, Recording], dict[str, Path]]) -> None:
    recordings, folders = two_cameras
    assert not read_turning(recordings, folders, {"PORT": "AUV01", "STBD": "AUV02"}, {}).syncs
