"""What a recording's telemetry says, in recording time."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.media.clips import make_clip
from tests.stages.ingesting import Heard, Site, inside
from workers.contract.artefacts import IMU, TELEMETRY, Telemetry
from workers.contract.dive import Recording
from workers.contract.errors import FootageChanged, FootageMissing
from workers.contract.job import TelemetryInputs
from workers.contract.params import TelemetryParams
from workers.stages import telemetry


def read(site: Site, recording: Recording) -> tuple[Telemetry, Path]:
    out = site.mission / "out"
    out.mkdir(exist_ok=True)
    with inside(site.mission):
        telemetry.run(TelemetryInputs(recording=recording), TelemetryParams(), out, Heard())
    return Telemetry.model_validate_json((out / TELEMETRY).read_bytes()), out


def test_gyro_of_the_second_chapter_follows_the_first(tmp_path: Path, shared: Path) -> None:
    clip = shared / "data" / "gopro_reef_underwater" / "reef_clip.mp4"
    folder = tmp_path / "AUV01" / "PORT"
    folder.mkdir(parents=True)
    shutil.copy(clip, folder / "GX010012.MP4")
    (folder / "GX020012.MP4").write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    site = Site(tmp_path / "m")
    found, out = read(site, site.ingest(tmp_path / "AUV01").recordings[0])
    with np.load(out / IMU) as imu:
        assert found.imu_samples == len(imu["time_s"]) == 2 * 1397
        assert (np.diff(imu["time_s"]) > 0).all()
        assert imu["time_s"][1397] == pytest.approx(7.040, abs=0.02)
        assert imu["gyro_rad_s"].shape == imu["accel_m_s2"].shape == (2794, 3)
    assert found.model == "HERO10 Black"
    assert found.gps_fix is False


def test_a_plain_video_has_no_telemetry_and_says_so(tmp_path: Path) -> None:
    make_clip(tmp_path / "AUV01" / "PORT" / "GX010012.MP4")
    site = Site(tmp_path / "m")
    found, out = read(site, site.ingest(tmp_path / "AUV01").recordings[0])
    assert found.imu_samples == 0
    assert not (out / IMU).exists()
    assert "no telemetry" in found.notes[0]


def test_stills_give_camera_and_exposure_from_exif(tmp_path: Path, shared: Path) -> None:
    site = Site(tmp_path / "m")
    inventory = site.ingest(shared / "data" / "rov_gopro12_downward")
    found, _ = read(site, inventory.recordings[0])
    assert (found.serial, found.model) == ("C3501325278380", "HERO12 Black")
    assert found.iso_median == 401
    assert found.exposure_s_median == pytest.approx(1 / 501, rel=0.01)


def test_footage_that_vanished_or_changed_is_held(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "AUV01" / "PORT" / "GX010012.MP4")
    site = Site(tmp_path / "m")
    recording = site.ingest(tmp_path / "AUV01").recordings[0]
    clip.rename(tmp_path / "away.mp4")
    with pytest.raises(FootageMissing):
        read(site, recording)
    make_clip(clip, seed=5)
    with pytest.raises(FootageChanged):
        read(site, recording)
