"""From cards and folders to an inventory."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.clips import make_clip, make_still
from tests.stages.ingesting import Site
from workers.contract.errors import ErrorCode, NavUnreadable, NoFootage, UsageError
from workers.contract.words import Side
from workers.media import checksums, gpmf
from workers.stages.ingest import given

DCIM = Path("DCIM/100GOPRO")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "mission")


def film(folder: Path, *names: str, seed: int = 0, frames: int = 8, start: str = "2026-05-12T09:30") -> Path:
    """Clips of different contents, two seconds each."""
    for number, name in enumerate(names):
        make_clip(
            folder / name, seed=100 * seed + number, frames=frames, creation_time=f"{start}:{2 * number:02d}Z"
        )
    return folder


# ------------------------------------------------------------------ cameras and recordings


def test_a_rendered_dive_becomes_two_cameras_of_one_vehicle(site: Site, shared: Path) -> None:
    dive = shared / "dives" / "one_leg_missing"
    nav = [(None, dive / "AUV01_nav.csv")]
    found = site.ingest(dive / "AUV01", nav=nav, aoi=dive / "aoi.geojson")
    assert [(c.id, c.vehicle, c.side) for c in found.cameras] == [
        ("AUV01-PORT", "AUV01", Side.PORT),
        ("AUV01-STBD", "AUV01", Side.STARBOARD),
    ]
    assert site.chapters() == {
        "AUV01-PORT_0012": [(1, 0.0), (2, 60.0)],
        "AUV01-STBD_0015": [(1, 0.0), (2, 60.0)],
    }
    assert [recording.start_utc_s for recording in found.recordings] == [1778578199.0, 1778578201.0]
    assert [(log.vehicle, log.refused) for log in found.nav] == [("AUV01", None)]
    assert found.aoi is not None
    assert found.problems == ()


def test_chapters_follow_their_number_and_not_the_alphabet(site: Site, tmp_path: Path) -> None:
    names = [
        "GX010012.MP4",
        "GX020012.MP4",
        "GX010013.MP4",
        "GX100012.MP4",
        *(f"GX0{n}0012.MP4" for n in range(3, 10)),
    ]
    film(tmp_path / "AUV01" / "PORT" / DCIM, *names)
    site.ingest(tmp_path / "AUV01")
    chapters = site.chapters()
    assert [number for number, _ in chapters["AUV01-PORT_0012"]] == list(range(1, 11))
    assert [start for _, start in chapters["AUV01-PORT_0012"]] == [2.0 * n for n in range(10)]
    assert chapters["AUV01-PORT_0013"] == [(1, 0.0)]


def test_old_names_start_with_gopr(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "CAM", "GOPR0012.MP4", "GP010012.MP4")
    site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-CAM_0012": [(0, 0.0), (1, 2.0)]}
    assert site.problems() == {}


def test_a_missing_chapter_is_flagged_and_leaves_room_for_its_length(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", "GX020012.MP4", "GX040012.MP4")
    found = site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 2.0), (4, 6.0)]}
    assert found.recordings[0].missing_chapters == (3,)
    assert site.problems() == {"AUV01-PORT_0012": "chapter_missing"}
    assert "GX030012.MP4" in found.problems[0].hint


def test_a_missing_first_chapter_is_flagged(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX020012.MP4")
    found = site.ingest(tmp_path / "AUV01")
    assert found.recordings[0].missing_chapters == (1,)
    assert site.chapters() == {"AUV01-PORT_0012": [(2, 0.0)]}


def test_the_same_names_in_two_cameras_stay_apart(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT" / DCIM, "GX010001.MP4", seed=1)
    film(tmp_path / "AUV01" / "STBD" / DCIM, "GX010001.MP4", seed=2)
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0001", "AUV01-STBD_0001"]


def of_serial(monkeypatch: pytest.MonkeyPatch, serials: dict[str, str]) -> None:
    """Pretend that clips whose path contains a word carry GPMF with a serial."""
    clip_probe = gpmf.identify

    def identify(paths: list[Path]) -> dict[Path, gpmf.Gpmf]:
        return {p: gpmf.Gpmf(serial=s) for p in paths for word, s in serials.items() if word in str(p)}

    assert clip_probe is not identify
    monkeypatch.setattr("workers.media.video.has_gpmf", lambda _: True)
    monkeypatch.setattr(gpmf, "identify", identify)


def test_folders_of_one_name_with_different_serials_are_different_cameras(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_serial(monkeypatch, {"card1": "C000000001111", "card2": "C000000002222"})
    film(tmp_path / "card1" / "AUV01" / "PORT", "GX010012.MP4", seed=1)
    film(tmp_path / "card2" / "AUV01" / "PORT", "GX020012.MP4", seed=2)
    found = site.ingest(tmp_path / "card1" / "AUV01", tmp_path / "card2" / "AUV01")
    assert [(c.id, c.serial) for c in found.cameras] == [
        ("AUV01-PORT", "C000000001111"),
        ("AUV01-PORT-2222", "C000000002222"),
    ]
    assert len(found.recordings) == 2


def test_one_serial_in_two_folders_is_one_camera(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_serial(monkeypatch, {"card": "C000000001111"})
    film(tmp_path / "card1" / "AUV01" / "PORT", "GX010012.MP4", seed=1)
    film(tmp_path / "card2" / "AUV01" / "port_b", "GX020012.MP4", seed=2)
    found = site.ingest(tmp_path / "card1" / "AUV01", tmp_path / "card2" / "AUV01")
    assert [camera.id for camera in found.cameras] == ["AUV01-PORT"]
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 2.0)]}


def test_a_camera_that_counts_from_one_again_makes_a_recording_of_its_own(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "1" / "AUV01" / "PORT", "GX010001.MP4", "GX020001.MP4", seed=1)
    film(tmp_path / "2" / "AUV01" / "PORT", "GX010001.MP4", seed=2)
    site.ingest(tmp_path / "1" / "AUV01")
    site.ingest(tmp_path / "2" / "AUV01")
    film(tmp_path / "3" / "AUV01" / "PORT", "GX010001.MP4", seed=3)
    site.ingest(tmp_path / "3" / "AUV01")
    assert {name: len(chapters) for name, chapters in site.chapters().items()} == {
        "AUV01-PORT_0001": 2,
        "AUV01-PORT_0001-2": 1,
        "AUV01-PORT_0001-3": 1,
    }


# ------------------------------------------------------------------ what is not footage, and damage


def test_proxies_and_litter_are_not_footage_and_not_worth_a_word(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT" / DCIM, "GX010012.MP4")
    for name in ("GL010012.LRV", "GL010012.MP4", "GX010012.THM", "._GX010012.MP4", ".DS_Store", "notes.txt"):
        (folder / name).write_bytes(b"litter")
    film(tmp_path / "AUV01" / "PORT" / "Proxies", "GX010012.MP4", seed=3)
    (tmp_path / "AUV01" / "PORT" / "MISC").mkdir()
    (tmp_path / "AUV01" / "PORT" / "MISC" / "version.txt").write_text("{,}")
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0012"]
    assert site.problems() == {}


def test_every_damaged_file_is_named_and_the_rest_goes_on(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", "GX020012.MP4", "GX030012.MP4")
    (folder / "GX010020.MP4").touch()
    (folder / "GX010021.MP4").write_text("these are notes")
    content = (folder / "GX020012.MP4").read_bytes()
    (folder / "GX020012.MP4").write_bytes(content[: len(content) // 2])
    make_clip(folder / "GX010022.MP4", frames=40, index_first=True, seed=9)
    content = (folder / "GX010022.MP4").read_bytes()
    (folder / "GX010022.MP4").write_bytes(content[: int(0.7 * len(content))])
    found = site.ingest(tmp_path / "AUV01")
    assert site.problems() == {
        "GX010020.MP4": "file_empty",
        "GX010021.MP4": "file_not_video",
        "GX010022.MP4": "file_truncated",
        "GX020012.MP4": "file_no_moov",
        "AUV01-PORT_0012": "chapter_missing",
    }
    assert all(problem.cause and problem.hint for problem in found.problems)
    assert site.chapters()["AUV01-PORT_0012"] == [(1, 0.0), (3, 4.0)]
    assert 0 < found.recording("AUV01-PORT_0022").chapters[0].frame_count < 40


def test_after_a_chapter_that_was_cut_off_the_next_starts_where_it_did(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "AUV01" / "PORT"
    make_clip(folder / "GX010012.MP4", frames=40, index_first=True, seed=1)
    content = (folder / "GX010012.MP4").read_bytes()
    (folder / "GX010012.MP4").write_bytes(content[: len(content) // 2])
    make_clip(folder / "GX020012.MP4", seed=2)
    site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 10.0)]}
    site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 10.0)]}


def test_a_proxy_that_is_named_is_refused_as_one(site: Site, tmp_path: Path) -> None:
    proxy = make_clip(tmp_path / "GL010012.MP4").rename(tmp_path / "GL010012.LRV")
    with pytest.raises(NoFootage, match="proxy"):
        site.ingest(proxy)


def test_photos_taken_on_deck_beside_the_video_are_left_out_with_a_word(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    make_still(folder / "GOPR0013.JPG")
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0012"]
    assert site.problems() == {"GOPR0013.JPG": "file_unreadable"}


def test_two_files_of_one_number_and_chapter_are_two_recordings(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GH010012.MP4", "GX010012.MP4")
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0012", "AUV01-PORT_0012-2"]


def test_chapters_join_across_the_folders_of_a_card(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT" / "DCIM" / "100GOPRO", "GX010012.MP4", seed=1)
    film(tmp_path / "AUV01" / "PORT" / "DCIM" / "101GOPRO", "GX020012.MP4", seed=2)
    site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 2.0)]}


def test_nothing_usable_names_what_was_found(site: Site, tmp_path: Path) -> None:
    (tmp_path / "AUV01").mkdir()
    (tmp_path / "AUV01" / "GX010001.MP4").touch()
    with pytest.raises(NoFootage, match="0 bytes"):
        site.ingest(tmp_path / "AUV01")


def test_a_path_that_does_not_exist_is_a_usage_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        site.ingest(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["dive\none", 'a"b', "Tauchgang Süd", "深海", "-rf", "a;b&c"])
def test_hostile_names_are_only_names(site: Site, tmp_path: Path, name: str) -> None:
    film(tmp_path / "x" / name / "PORT" / DCIM, "GX010012.MP4")
    found = site.ingest(tmp_path / "x" / name)
    camera = found.cameras[0]
    assert camera.vehicle == name
    assert all(letter.isascii() and (letter.isalnum() or letter in "-._") for letter in camera.id)
    assert found.recordings[0].chapters[0].files[0].path.exists()


def test_a_name_that_is_not_utf8_is_named(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    shutil.copy(folder / "GX010012.MP4", os.fsdecode(os.fsencode(folder) + b"/GX01001\xff.MP4"))
    found = site.ingest(tmp_path / "AUV01")
    assert len(found.recordings) == 1
    assert "not UTF-8" in found.problems[0].cause


def test_links_that_go_round_in_circles_end(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    (folder / "loop").symlink_to(tmp_path / "AUV01")
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0012"]


# ------------------------------------------------------------------ running it again


def test_running_it_again_changes_nothing_and_reads_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", "GX020012.MP4")
    first = site.ingest(tmp_path / "AUV01")
    monkeypatch.setattr(checksums, "checksum_of", lambda *_: pytest.fail("it was read again"))
    assert site.ingest(tmp_path / "AUV01") == first


def test_a_chapter_that_turns_up_later_joins_its_recording(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", "GX020012.MP4", "GX030012.MP4")
    (folder / "GX020012.MP4").rename(tmp_path / "kept")
    site.ingest(tmp_path / "AUV01")
    assert site.problems() == {"AUV01-PORT_0012": "chapter_missing"}
    (tmp_path / "kept").rename(folder / "GX020012.MP4")
    found = site.ingest(tmp_path / "AUV01")
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0), (2, 2.0), (3, 4.0)]}
    assert found.recordings[0].missing_chapters == ()
    assert site.problems() == {}


def test_another_camera_later_leaves_the_first_as_it_was(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", seed=1)
    first = site.ingest(tmp_path / "AUV01" / "PORT")
    film(tmp_path / "AUV01" / "STBD", "GX010012.MP4", seed=2)
    second = site.ingest(tmp_path / "AUV01" / "STBD")
    assert second.recordings[0] == first.recordings[0]
    assert [camera.id for camera in second.cameras] == ["AUV01-PORT", "AUV01-STBD"]


def test_footage_that_moved_is_recognised_by_its_content(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "old" / "AUV01" / "PORT", "GX010012.MP4")
    site.ingest(tmp_path / "old" / "AUV01")
    (tmp_path / "old").rename(tmp_path / "new")
    found = site.ingest(tmp_path / "new" / "AUV01")
    assert [c.files[0].path for c in found.recordings[0].chapters] == [
        tmp_path / "new/AUV01/PORT/GX010012.MP4"
    ]
    assert site.problems() == {}


def test_a_copy_of_a_chapter_is_named_and_used_once(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    shutil.copy(folder / "GX010012.MP4", folder / "GX010012 (1).MP4")
    site.ingest(tmp_path / "AUV01")
    assert list(site.chapters()) == ["AUV01-PORT_0012"]
    assert site.problems() == {"GX010012 (1).MP4": "file_duplicate"}


def test_a_file_that_was_repaired_loses_its_problem(site: Site, tmp_path: Path) -> None:
    folder = film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", "GX010013.MP4")
    whole = (folder / "GX010013.MP4").read_bytes()
    (folder / "GX010013.MP4").write_bytes(whole[: len(whole) // 2])
    site.ingest(tmp_path / "AUV01")
    assert site.problems() == {"GX010013.MP4": "file_no_moov"}
    (folder / "GX010013.MP4").write_bytes(whole)
    site.ingest(tmp_path / "AUV01")
    assert site.problems() == {}


@pytest.mark.parametrize("again", ["in its place", "from elsewhere"])
def test_a_chapter_that_was_cut_off_gives_way_to_the_whole_one(
    site: Site, tmp_path: Path, again: str
) -> None:
    folder = tmp_path / "AUV01" / "PORT"
    clip = make_clip(folder / "GX010012.MP4", frames=40, index_first=True)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    site.ingest(tmp_path / "AUV01")
    if again == "from elsewhere":
        clip = tmp_path / "copy" / "AUV01" / "PORT" / "GX010012.MP4"
        clip.parent.mkdir(parents=True)
    clip.write_bytes(whole)
    found = site.ingest(clip.parents[1])
    assert site.chapters() == {"AUV01-PORT_0012": [(1, 0.0)]}
    assert found.recordings[0].chapters[0].frame_count == 40


# ------------------------------------------------------------------ copies from a card


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("NOT TESTED: there is no second file system (/dev/shm)")
    folder = other / f"cosmaqc-{os.getpid()}" / "AUV01-PORT"
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder.parent)


def copies(site: Site) -> list[str]:
    return sorted(path.name for path in (site.mission / "footage").rglob("*") if path.is_file())


def test_a_card_is_copied_into_the_mission_once(site: Site, card: Path) -> None:
    film(card / DCIM, "GX010012.MP4", "GX020012.MP4")
    shutil.copy(card / DCIM / "GX020012.MP4", card / DCIM / "copy.MP4")
    found = site.ingest(card)
    files = [chapter.files[0].path for chapter in found.recordings[0].chapters]
    assert [path.parts[0] for path in files] == ["footage", "footage"]
    assert (site.mission / files[0]).read_bytes() == (card / DCIM / "GX010012.MP4").read_bytes()
    assert site.problems() == {"copy.MP4": "file_duplicate"}
    assert site.heard.done[-1][0] == site.heard.done[-1][1]
    assert copies(site) == ["GX010012.MP4", "GX020012.MP4"]
    assert site.ingest(card).recordings == found.recordings
    assert copies(site) == ["GX010012.MP4", "GX020012.MP4"]


def test_a_copy_that_was_broken_off_is_begun_again(site: Site, card: Path) -> None:
    film(card / DCIM, "GX010012.MP4")
    partial = site.mission / "footage" / "2026-05-12" / "AUV01-PORT" / "GX010012.MP4.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"half of it")
    site.ingest(card)
    assert copies(site) == ["GX010012.MP4"]


# ------------------------------------------------------------------ stills


def test_a_folder_of_stills_is_one_recording_in_natural_order(site: Site, tmp_path: Path) -> None:
    for number in (1, 2, 10, 11):
        make_still(
            tmp_path / "run" / f"left_{number}.jpg", seed=number, taken=f"2026:05:12 09:30:{number:02d}"
        )
    found = site.ingest(tmp_path / "run")
    recording = found.recordings[0]
    assert recording.stills
    assert [file.path.stem for file in recording.chapters[0].files] == [
        "left_1",
        "left_2",
        "left_10",
        "left_11",
    ]
    assert recording.chapters[0].times_s == (0.0, 1.0, 9.0, 10.0)
    assert recording.duration_s > 10.0
    assert recording.start_utc_s == 1778578201.0


def test_a_folder_of_stills_that_grew_is_still_one_recording(site: Site, tmp_path: Path) -> None:
    for number in range(4):
        make_still(tmp_path / "run" / f"a_{number}.jpg", seed=number)
    site.ingest(tmp_path / "run")
    make_still(tmp_path / "run" / "a_4.jpg", seed=4)
    found = site.ingest(tmp_path / "run")
    assert [len(recording.chapters[0].files) for recording in found.recordings] == [5]


def test_stills_that_were_wiped_from_the_card_are_not_forgotten(site: Site, card: Path) -> None:
    for number in range(5):
        make_still(card / f"a_{number}.jpg", seed=number)
    site.ingest(card)
    (card / "a_4.jpg").unlink()
    found = site.ingest(card)
    assert [len(recording.chapters[0].files) for recording in found.recordings] == [5]


def test_the_gps_of_drone_stills_becomes_a_nav_log(site: Site, shared: Path) -> None:
    found = site.ingest(shared / "data" / "drone_brighton_beach")
    assert [(log.vehicle, log.rows, log.refused) for log in found.nav] == [("drone_brighton_beach", 18, None)]
    assert "EXIF" in found.nav[0].notes[0]
    assert "altitude_m" not in found.nav[0].columns
    assert found.recordings[0].start_utc_s == found.nav[0].start_utc_s


@pytest.mark.parametrize(("folder", "count"), [("rov_gopro12_downward", 25), ("rov_haltbrekken", 54)])
def test_real_folders_of_stills_are_whole(site: Site, shared: Path, folder: str, count: int) -> None:
    found = site.ingest(shared / "data" / folder)
    assert [len(recording.chapters[0].files) for recording in found.recordings] == [count]
    assert found.problems == ()


# ------------------------------------------------------------------ nav, area, rig

STRAIGHT = "timestamp_utc,lat,lon\n" + "".join(
    f"2026-05-12T09:30:{n:02d}Z,{43.1 + 4e-6 * n},5.9\n" for n in range(60)
)


def nav(path: Path, text: str = STRAIGHT) -> Path:
    path.write_text(text)
    return path


def test_nav_goes_to_its_vehicle_by_label_by_file_name_or_by_being_the_only_one(
    site: Site, tmp_path: Path
) -> None:
    film(tmp_path / "d" / "AUV01" / "PORT", "GX010012.MP4", seed=1)
    log = nav(tmp_path / "log.csv")
    assert [n.vehicle for n in site.ingest(tmp_path / "d", nav=[(None, log)]).nav] == ["AUV01"]
    film(tmp_path / "d" / "AUV02" / "PORT", "GX010012.MP4", seed=2)
    with pytest.raises(NavUnreadable, match="AUV01, AUV02"):
        site.ingest(tmp_path / "d", nav=[(None, log)])
    named = nav(tmp_path / "auv02_nav.csv")
    found = site.ingest(tmp_path / "d", nav=[("AUV01", log), (None, named)])
    assert [n.vehicle for n in found.nav] == ["AUV01", "AUV02"]


def test_nav_is_copied_as_it_is_with_its_toml(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    log = nav(tmp_path / "log é.csv", STRAIGHT.replace("lat", "Breite", 1))
    log.with_suffix(".toml").write_text('[columns]\nlat = "Breite"\n')
    found = site.ingest(tmp_path / "AUV01", nav=[(None, log)])
    stored = site.mission / found.nav[0].path
    assert stored.read_bytes() == log.read_bytes()
    assert stored.with_suffix(".toml").read_bytes() == log.with_suffix(".toml").read_bytes()
    assert site.ingest(tmp_path / "AUV01", nav=[(None, log)]).nav == found.nav


def test_a_better_nav_log_replaces_the_one_before(site: Site, tmp_path: Path, shared: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    held = "timestamp_utc,lat,lon\n" + "".join(f"2026-05-12T09:30:{n:02d}Z,43.1,5.9\n" for n in range(60))
    refused = site.ingest(tmp_path / "AUV01", nav=[(None, nav(tmp_path / "log.csv", held))])
    assert refused.nav[0].refused is not None
    assert site.problems() == {"log.csv": "nav_refused"}
    better = site.ingest(tmp_path / "AUV01", nav=[(None, nav(tmp_path / "log.csv"))])
    assert [(log.refused, log.path.name) for log in better.nav] == [(None, "log_2.csv")]
    assert site.problems() == {}


def test_an_altimeter_log_goes_beside_the_track(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    rows = "".join(f"2026-05-12T09:30:{n:02d}Z,1600\n" for n in range(60))
    altimeter = nav(tmp_path / "ping.csv", f"timestamp_utc,altitude_mm\n{rows}")
    found = site.ingest(tmp_path / "AUV01", nav=[(None, nav(tmp_path / "log.csv")), (None, altimeter)])
    assert [(log.path.name, log.refused is None) for log in found.nav] == [
        ("log.csv", True),
        ("ping.csv", False),
    ]


def test_the_sparus_log_is_kept_and_refused(site: Site, shared: Path) -> None:
    folder = shared / "data" / "auv_sparus"
    found = site.ingest(folder / "sparus_snippet.mp4", nav=[(None, folder / "sparus_snippet.csv")])
    assert found.nav[0].refused is not None
    assert "12 distinct positions in 50 rows" in found.nav[0].refused
    assert [problem.code for problem in found.problems] == [ErrorCode.NAV_REFUSED]


def test_a_nav_log_for_a_vehicle_without_footage_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    with pytest.raises(NavUnreadable, match=r"given for AUV1, but the footage is of AUV01"):
        site.ingest(tmp_path / "AUV01", nav=[("AUV1", nav(tmp_path / "log.csv"))])


def test_the_work_of_another_mission_is_no_footage(site: Site, tmp_path: Path) -> None:
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4")
    other = tmp_path / "AUV01" / "mission"
    film(other / "work" / "frames", "GX010099.MP4", seed=5)
    (other / "mission.sqlite").touch()
    found = site.ingest(tmp_path / "AUV01")
    assert [recording.number for recording in found.recordings] == ["0012"]


def test_a_rig_follows_cameras_that_come_later(site: Site, tmp_path: Path) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text(
        '[cameras."AUV01-PORT"]\nlever_m = [0, 0.15, 0]\n[cameras."AUV01-STBD"]\nlever_m = [0, -0.15, 0]\n'
    )
    film(tmp_path / "AUV01" / "PORT", "GX010012.MP4", seed=1)
    first = site.ingest(tmp_path / "AUV01", rig=rig)
    assert first.rig is not None
    assert len(first.rig.mounts) == 1
    assert site.problems() == {"rig.toml": "rig_unreadable"}
    film(tmp_path / "AUV01" / "STBD", "GX010012.MP4", seed=2)
    second = site.ingest(tmp_path / "AUV01")
    assert second.rig is not None
    assert len(second.rig.mounts) == 2
    assert site.problems() == {}


def test_files_are_never_seen_half_written(tmp_path: Path) -> None:
    given.write_whole(tmp_path / "inputs" / "a", b"content")
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == ["a"]
