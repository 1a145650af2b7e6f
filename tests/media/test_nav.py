"""Nav logs as they come, and whether they can be relied on."""

from pathlib import Path

import numpy as np
import pytest

from workers.contract.errors import NavUnreadable
from workers.media.nav import read_nav, vehicles_in
from workers.media.nav_judgement import assess, remarks


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def straight(rows: int = 60, header: str = "timestamp_utc,lat_deg,lon_deg") -> str:
    lines = [f"2026-05-12T09:{n // 60:02d}:{n % 60:02d}Z,{43.1 + 4e-6 * n:.9f},5.9" for n in range(rows)]
    return "\n".join([header, *lines]) + "\n"


def test_a_rendered_dive_is_read_whole(shared: Path) -> None:
    track = read_nav(shared / "dives" / "complete" / "AUV01_nav.csv")
    assert len(track.utc_s) == track.rows == track.distinct_positions == 186
    assert track.clock == "utc"
    assert track.dropped == {}
    assert track.altitude_m is not None
    assert np.median(track.altitude_m) == pytest.approx(1.6, abs=0.1)
    assert track.depth_m is not None
    assert track.heading_deg is not None
    assert assess(track) is None
    assert remarks(track) == ()


@pytest.mark.parametrize("dive", ["complete", "one_leg_missing", "turbid_spell"])
def test_rendered_dives_are_accepted(shared: Path, dive: str) -> None:
    assert assess(read_nav(shared / "dives" / dive / "AUV01_nav.csv")) is None


def test_the_sparus_log_is_refused_with_its_figures(shared: Path) -> None:
    track = read_nav(shared / "data" / "auv_sparus" / "sparus_snippet.csv")
    assert track.x_m is not None
    assert track.lat_deg is None
    refused = assess(track)
    assert refused is not None
    assert "12 distinct positions in 50 rows" in refused
    assert "0.55 m" in refused


def test_a_rov_log_with_us_dates_and_altimeter_is_accepted_with_remarks(shared: Path) -> None:
    track = read_nav(shared / "data" / "rov_nav_csv" / "2022-08-15_11-57-51.csv")
    assert track.clock == "assumed_utc"
    assert track.utc_s[0] == 1660564671.0
    assert track.columns["altitude_m"] == "avg_dist"
    assert track.depth_m is not None
    assert np.nanmax(track.depth_m) > 5.0
    assert any("zone" in note for note in track.notes)
    assert assess(track) is None
    assert any("rounded to 0.57 m" in remark for remark in remarks(track))


def test_an_altimeter_log_in_mm_has_altitudes_and_no_place(shared: Path) -> None:
    track = read_nav(shared / "data" / "rov_nav_csv" / "20220815-113029403.csv")
    assert not track.has_position
    assert track.altitude_m is not None
    assert 0.5 < np.median(track.altitude_m) < 6.0
    assert assess(track) == "It holds no positions, only altitudes."


def test_a_vehicle_that_never_got_a_new_fix_is_refused(shared: Path) -> None:
    refused = assess(read_nav(shared / "data" / "rov_nav_csv" / "2022-08-15 09-46-44 vehicle1.csv"))
    assert refused is not None
    assert "1 distinct" in refused


def test_distance_travelled_is_not_taken_for_altitude(shared: Path) -> None:
    assert read_nav(shared / "data" / "gopro_gpmd_payloads" / "hero05.csv").altitude_m is None


def test_epoch_times_in_any_unit_are_told_by_their_size(tmp_path: Path) -> None:
    for factor in (1, 10**3, 10**6, 10**9):
        rows = "\n".join(f"{(1778578200 + n) * factor},43.1{n},5.9" for n in range(3))
        track = read_nav(write(tmp_path / "n.csv", f"ts,lat,lon\n{rows}\n"))
        assert track.utc_s.tolist() == [1778578200.0, 1778578201.0, 1778578202.0]
        assert track.clock == "utc"


def test_seconds_from_a_start_that_is_not_stated_are_relative(tmp_path: Path) -> None:
    track = read_nav(write(tmp_path / "n.csv", "time_s,x_m,y_m\n0.0,0,0\n0.5,1,0\n"))
    assert track.clock == "relative"
    assert track.utc_s.tolist() == [0.0, 0.5]


def test_offsets_are_honoured(tmp_path: Path) -> None:
    text = "time,lat,lon\n2026-05-12T11:30:00+02:00,43,5\n2026-05-12T09:30:01Z,43.1,5\n"
    track = read_nav(write(tmp_path / "n.csv", text))
    assert track.utc_s.tolist() == [1778578200.0, 1778578201.0]
    assert track.clock == "utc"
    assert track.notes == ()


def test_a_toml_file_maps_columns_units_and_zone(tmp_path: Path) -> None:
    write(
        tmp_path / "n.toml",
        'delimiter = "|"\ntime_zone = "+02:00"\ntime_format = "%d/%m/%Y %H:%M:%S"\n'
        '[columns]\ntime = "Quand"\nlat = "A"\nlon = "B"\ndepth = "C"\nheading = "D"\n'
        '[units]\ndepth = "ft"\nheading = "rad"\n',
    )
    track = read_nav(
        write(tmp_path / "n.csv", "Quand|A|B|C|D\n12/05/2026 11:30:00|43.1|5.9|100|3.14159265\n")
    )
    assert track.utc_s.tolist() == [1778578200.0]
    assert track.clock == "utc"
    assert track.depth_m is not None
    assert track.depth_m[0] == pytest.approx(30.48)
    assert track.heading_deg is not None
    assert track.heading_deg[0] == pytest.approx(180.0)


def test_eastings_get_a_place_through_their_epsg(tmp_path: Path) -> None:
    write(tmp_path / "n.toml", "epsg = 32631\n")
    track = read_nav(
        write(tmp_path / "n.csv", "timestamp_utc,easting,northing\n2026-05-12T09:30:00,736000,4776000\n")
    )
    assert track.x_m is None
    assert track.lat_deg is not None
    assert track.lat_deg[0] == pytest.approx(43.1, abs=0.05)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_and_semicolons_with_decimal_commas_are_read(tmp_path: Path, encoding: str) -> None:
    text = "Zeit UTC;Höhe;Latitude;Longitude\r\n;;;\r\n"
    text += "2026-05-12 09:30:00;1;43,5;5,25\r\n"
    write(tmp_path / "n.toml", '[columns]\ntime = "Zeit UTC"\n')
    track = read_nav(write(tmp_path / "n.csv", text, encoding))
    assert track.lat_deg is not None
    assert track.lat_deg.tolist() == [43.5]


def test_bad_rows_are_dropped_and_counted_and_the_rest_is_sorted(tmp_path: Path) -> None:
    text = "timestamp_utc,lat,lon,depth_m\n"
    text += "2026-05-12T09:30:02,43.2,5.9,3\n2026-05-12T09:30:01,43.1,5.9,\n2026-05-12T09:30:01,43.15,5.9,1\n"
    text += "nonsense,43.1,5.9,1\n2026-05-12T09:30:03,NA,5.9,1\n2026-05-12T09:30:04,0,0,1\n"
    text += "2026-05-12T09:30:05,97.0,5.9,1\n2026-05-12T09:30:06,43.2,5."
    track = read_nav(write(tmp_path / "n.csv", text))
    assert track.lat_deg is not None
    assert track.lat_deg.tolist() == [43.1, 43.2]
    assert track.depth_m is not None
    assert np.isnan(track.depth_m[0])
    assert track.rows == 8
    assert track.dropped == {"no time": 2, "no position": 3, "same time twice": 1}


def test_a_log_of_two_vehicles_is_read_by_vehicle(tmp_path: Path) -> None:
    text = (
        "vehicle,timestamp_utc,lat,lon\nAUV02,2026-05-12T09:30:00,43.2,5\nAUV01,2026-05-12T09:30:00,43.1,5\n"
    )
    path = write(tmp_path / "n.csv", text)
    assert vehicles_in(path) == ("AUV02", "AUV01")
    track = read_nav(path, "AUV01")
    assert track.lat_deg is not None
    assert track.lat_deg.tolist() == [43.1]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a,b,c\n1,2,3\n", "recognised: none"),
        ("time,lat,lon\n", "no rows"),
        ("time,lat,lon\nnever,43,5\n", "no time"),
        ("", "recognised: none"),
        ("\0\1\2\x89PNG\n\x1a", "recognised: none"),
    ],
)
def test_what_cannot_be_understood_says_what_was_seen(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(NavUnreadable, match=word):
        read_nav(write(tmp_path / "n.csv", text))


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ("[columns\n", "TOML"),
        ('[columns]\nlatitude = "lat"\n', "latitude"),
        ('[columns]\nlat = "Breite"\n', "Breite"),
        ('[units]\ndepth = "fathoms"\n', "fathoms"),
        ('time_zone = "Mars/Olympus"\n', "Mars"),
        ("speed = 3\n", "speed"),
    ],
)
def test_a_wrong_toml_file_is_named_with_what_is_wrong(tmp_path: Path, toml: str, word: str) -> None:
    write(tmp_path / "n.toml", toml)
    with pytest.raises(NavUnreadable, match=word):
        read_nav(write(tmp_path / "n.csv", "time,lat,lon\n2026-05-12T09:30:00,43,5\n"))


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NavUnreadable, match=r"nav\.csv"):
        read_nav(tmp_path / "nav.csv")


def test_positions_rounded_to_a_metre_or_more_are_refused(tmp_path: Path) -> None:
    lines = [
        f"2026-05-12T{9 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z,{43.1 + 5e-6 * n:.5f},5.9"
        for n in range(300)
    ]
    refused = assess(read_nav(write(tmp_path / "n.csv", "time,lat,lon\n" + "\n".join(lines))))
    assert refused is not None
    assert "rounded to 1.1 m" in refused


def test_teleporting_positions_are_refused(tmp_path: Path) -> None:
    lines = [f"2026-05-12T09:30:{n:02d}Z,{43.1 + 0.001 * (n % 2) + 1e-7 * n:.7f},5.9" for n in range(60)]
    refused = assess(read_nav(write(tmp_path / "n.csv", "time,lat,lon\n" + "\n".join(lines))))
    assert refused is not None
    assert "faster than 5 m/s" in refused


def test_a_straight_leg_is_accepted(tmp_path: Path) -> None:
    assert assess(read_nav(write(tmp_path / "n.csv", straight()))) is None
