"""Nav logs of the stitch: several of one vehicle, altimeters beside tracks, refused ones."""

from pathlib import Path

import numpy as np
import pytest

from workers.contract.dive import NavLog
from workers.stages.stitch.logs import read_logs

START = 1_778_578_200.0


def write_log(
    path: Path, start_s: float, rows: int, *, altitude: bool = False, positions: bool = True
) -> Path:
    header = ["timestamp"] + (["latitude_deg", "longitude_deg", "heading_deg"] if positions else [])
    header += ["altitude_m"] if altitude else []
    lines = [",".join(header)]
    for n in range(rows):
        cells = [f"{START + start_s + n:.3f}"]
        cells += [f"{43.1 + n * 4e-6:.8f}", f"{5.9 + np.sin(n / 5) * 1e-5:.8f}", "0.0"] if positions else []
        cells += ["1.50"] if altitude else []
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def nav_log(path: Path, vehicle: str = "AUV01", refused: str | None = None) -> NavLog:
    return NavLog(
        vehicle=vehicle,
        path=path,
        checksum="0",
        rows=1,
        distinct_positions=1,
        start_utc_s=0.0,
        end_utc_s=0.0,
        columns={},
        refused=refused,
    )


def test_two_logs_of_a_vehicle_one_after_the_other_make_one_track(tmp_path: Path) -> None:
    first = write_log(tmp_path / "a.csv", 0.0, 60)
    second = write_log(tmp_path / "b.csv", 600.0, 90)
    found = read_logs([nav_log(second), nav_log(first)])
    track = found.tracks["AUV01"]
    assert len(track.time_s) == 150
    assert (np.diff(track.time_s) > 0).all()
    assert track.covers(np.array([START + 30.0, START + 300.0, START + 650.0])).tolist() == [
        True,
        False,
        True,
    ]


def test_of_two_logs_of_the_same_time_the_fuller_one_counts(tmp_path: Path) -> None:
    whole, part = write_log(tmp_path / "a.csv", 0.0, 90), write_log(tmp_path / "b.csv", 30.0, 20)
    assert len(read_logs([nav_log(part), nav_log(whole)]).tracks["AUV01"].time_s) == 90


def test_an_altimeter_log_lends_its_heights_to_the_track(tmp_path: Path) -> None:
    track = write_log(tmp_path / "a.csv", 0.0, 60)
    ping = write_log(tmp_path / "ping.csv", 0.0, 60, altitude=True, positions=False)
    found = read_logs([nav_log(track), nav_log(ping, refused="no positions")])
    assert found.tracks["AUV01"].median_altitude_m() == pytest.approx(1.5)


def test_a_refused_log_gives_no_track_but_says_why(tmp_path: Path) -> None:
    found = read_logs([nav_log(write_log(tmp_path / "a.csv", 0.0, 60, altitude=True), refused="It jumps.")])
    assert not found.tracks
    assert "refused: It jumps" in found.why_no_nav
    assert found.altimeters[0].median_m == pytest.approx(1.5)
