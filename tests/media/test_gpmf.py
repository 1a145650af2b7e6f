"""Telemetry with its quirks, and contained when it is damaged."""

import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.media.clips import make_clip, make_gpmf_file
from workers.media import gpmf


def test_the_header_of_a_gopro_max_gives_serial_and_settings(shared: Path) -> None:
    clip = shared / "data" / "gopro_gpmf_parser" / "max-heromode.mp4"
    header = gpmf.identify([clip])[clip]
    assert (header.serial, header.model, header.firmware) == (
        "C3353424500199",
        "GoPro Max",
        "H19.03.01.30.00",
    )
    assert header.stabilised is True
    assert header.field_of_view == "W"
    assert header.rolling_shutter_s == pytest.approx(0.0206, abs=1e-4)
    assert header.gps_fix is True


def test_an_underwater_clip_has_gyro_and_exposure_but_neither_serial_nor_fix(shared: Path) -> None:
    found = gpmf.read(shared / "data" / "gopro_reef_underwater" / "reef_clip.mp4")
    assert found is not None
    header, imu = found
    assert imu is not None
    assert header.serial is None
    assert header.model == "HERO10 Black"
    assert header.gps_fix is False
    assert header.imu_samples == len(imu.time_s) == 1397
    assert imu.time_s[-1] == pytest.approx(7.0, abs=0.1)
    assert np.median(np.linalg.norm(imu.accel_m_s2, axis=1)) == pytest.approx(9.81, rel=0.05)
    assert 0.001 < np.abs(imu.gyro_rad_s).max() < 1.0
    assert header.exposure_s_median == pytest.approx(1 / 240, rel=0.01)


def test_karma_holds_two_devices_and_only_the_camera_is_the_camera(shared: Path) -> None:
    found = gpmf.read(shared / "data" / "gopro_gpmf_parser" / "karma.mp4")
    assert found is not None
    header, imu = found
    assert imu is not None
    assert header.model == "HERO5 Black"
    assert header.imu_samples == 4795
    assert any("Karma" in note for note in header.notes)
    assert np.isfinite(imu.accel_m_s2).all()


@pytest.mark.parametrize(
    ("payload", "model", "gps_fix"),
    [
        ("gopro_gpmd_payloads/hero05.bin", None, True),
        ("gopro_gpmd_payloads/hero06.bin", None, True),
        ("gopro_gpmd_payloads/hero06+ble.bin", None, False),
        ("gopro_gpmd_payloads/hero11.bin", "HERO11 Black", True),
        ("gopro_gpmd_payloads/karma.bin", None, False),
        ("gopro_telemetry_js/consecutive1.raw", None, False),
        ("gopro_telemetry_js/mp4header.raw", "HERO7 Black", False),
    ],
)
def test_raw_payloads_of_many_cameras_are_read(
    shared: Path, tmp_path: Path, payload: str, model: str | None, gps_fix: bool
) -> None:
    path = make_gpmf_file(tmp_path / "a.mp4", (shared / "data" / payload).read_bytes())
    found = gpmf.read(path)
    assert found is not None
    assert (found[0].model, found[0].gps_fix) == (model, gps_fix)


def test_a_second_device_over_radio_is_noted_and_not_taken_for_the_camera(
    shared: Path, tmp_path: Path
) -> None:
    payload = (shared / "data" / "gopro_gpmf_parser" / "hero6+ble.raw").read_bytes()
    found = gpmf.read(make_gpmf_file(tmp_path / "a.mp4", payload))
    assert found is not None
    assert found[0].notes == ("The telemetry also holds another device: SENSORB6.",)


def test_a_video_without_telemetry_has_none(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    assert gpmf.read(clip) is None
    assert gpmf.identify([clip]) == {}


def test_names_with_newlines_and_quotes_reach_the_parser(shared: Path, tmp_path: Path) -> None:
    clip = tmp_path / 'a\n"b" é.mp4'
    clip.write_bytes((shared / "data" / "gopro_gpmf_parser" / "max-heromode.mp4").read_bytes())
    assert gpmf.identify([clip])[clip].serial == "C3353424500199"


def test_damaged_telemetry_is_contained(shared: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    paths = []
    for clip in ("karma", "max-heromode"):
        content = (shared / "data" / "gopro_gpmf_parser" / f"{clip}.mp4").read_bytes()
        for number in range(40):
            damaged = bytearray(content)
            for _ in range(rng.choice([10, 100, 1000])):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            path = tmp_path / f"{clip}{number}.mp4"
            path.write_bytes(damaged if number % 4 else damaged[: rng.randrange(len(damaged))])
            paths.append(path)
    for header in gpmf.identify(paths).values():
        assert header.serial is None or header.serial.isprintable()


def test_a_parser_that_dies_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(4)]

    good = json.dumps(asdict(gpmf.Gpmf(serial="S"))).encode() + b"\n"

    def child(batch: list[Path], *, imu: bool) -> bytes:
        return good * next((n for n, path in enumerate(batch) if path == paths[1]), len(batch))

    monkeypatch.setattr(gpmf, "_child", child)
    assert list(gpmf.identify(paths)) == [paths[0], paths[2], paths[3]]
