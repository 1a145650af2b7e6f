"""Folders of stills: order, times, damage."""

from pathlib import Path

import numpy as np
import pytest

from tests.media.clips import make_still
from workers.contract.errors import ErrorCode
from workers.media.stills import read_folder, read_still


def test_stills_are_in_natural_order(tmp_path: Path) -> None:
    paths = [make_still(tmp_path / f"run_{number}.jpg", seed=number) for number in (10, 2, 1, 11)]
    read = read_folder(paths)
    assert [still.path.stem for still in read.stills] == ["run_1", "run_2", "run_10", "run_11"]


def test_times_come_from_exif(tmp_path: Path) -> None:
    paths = [
        make_still(tmp_path / f"{n}.jpg", taken=f"2026:05:12 09:30:{3 * n:02d}", seed=n) for n in range(4)
    ]
    read = read_folder(paths)
    assert read.times_s.tolist() == [0.0, 3.0, 6.0, 9.0]
    assert read.start_utc_s == 1778578200.0
    assert read.rate == pytest.approx(1 / 3)


def test_times_come_from_names_where_exif_has_none(tmp_path: Path) -> None:
    paths = [make_still(tmp_path / f"2024_10_08_10-39-{second}.png", seed=second) for second in (55, 58)]
    read = read_folder(paths)
    assert read.times_s.tolist() == [0.0, 3.0]
    assert read.start_utc_s == 1728383995.0


def test_stills_without_any_time_are_a_second_apart_and_that_is_said(tmp_path: Path) -> None:
    read = read_folder([make_still(tmp_path / f"a_{n}.jpg", seed=n) for n in range(3)])
    assert read.times_s.tolist() == [0.0, 1.0, 2.0]
    assert read.start_utc_s is None
    assert "no times" in read.notes[0]


def test_stills_of_the_same_second_keep_their_order_in_time(tmp_path: Path) -> None:
    seconds = [0, 0, 0, 1, 5]
    paths = [
        make_still(tmp_path / f"{n}.jpg", taken=f"2026:05:12 09:30:{s:02d}", seed=n)
        for n, s in enumerate(seconds)
    ]
    times_s = read_folder(paths).times_s
    assert (np.diff(times_s) > 0).all()
    assert times_s[[0, 3, 4]].tolist() == [0.0, 1.0, 5.0]


def test_where_names_contradict_the_times_the_times_decide(tmp_path: Path) -> None:
    late = make_still(tmp_path / "a_1.jpg", taken="2026:05:12 09:30:09", seed=1)
    early = make_still(tmp_path / "a_2.jpg", taken="2026:05:12 09:30:00", seed=2)
    read = read_folder([late, early])
    assert [still.path for still in read.stills] == [early, late]
    assert "contradicts" in read.notes[0]


def test_damaged_and_odd_stills_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    good = [make_still(tmp_path / f"a_{n}.jpg", seed=n) for n in range(3)]
    cut = make_still(tmp_path / "cut.jpg", seed=7)
    cut.write_bytes(cut.read_bytes()[:-200])
    empty, text = tmp_path / "empty.jpg", tmp_path / "text.png"
    empty.touch()
    text.write_text("no picture")
    odd = make_still(tmp_path / "odd.jpg", size=(32, 32))
    read = read_folder([*good, cut, empty, text, odd])
    assert len(read.stills) == 3
    assert {Path(p.subject).name: p.code for p in read.problems} == {
        "cut.jpg": ErrorCode.FILE_TRUNCATED,
        "empty.jpg": ErrorCode.FILE_EMPTY,
        "text.png": ErrorCode.FILE_UNREADABLE,
        "odd.jpg": ErrorCode.FILE_UNREADABLE,
    }


def test_real_stills_give_their_camera_time_and_place(shared: Path) -> None:
    rov = read_still(shared / "data" / "rov_gopro12_downward" / "2024_10_08_10-39-58.jpg")
    assert (rov.serial, rov.model) == ("C3501325278380", "HERO12 Black")
    assert rov.taken_s == pytest.approx(1728409198.361)  # 10:39:58 at -07:00
    drone = read_still(shared / "data" / "drone_brighton_beach" / "DJI_0018.jpg")
    assert drone.lat_deg == pytest.approx(46.8426071)
    assert drone.lon_deg == pytest.approx(-91.9945599)


def test_a_real_folder_taken_every_three_seconds(shared: Path) -> None:
    read = read_folder(list((shared / "data" / "rov_gopro12_downward").glob("*.jpg")))
    assert len(read.stills) == 25
    assert read.times_s[-1] == pytest.approx(72.0, abs=1.0)
    assert read.problems == ()
