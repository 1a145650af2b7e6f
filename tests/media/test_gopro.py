"""What names on a card say."""

from pathlib import Path

import pytest

from workers.contract.words import Side
from workers.media.gopro import (
    camera_id,
    is_skipped_folder,
    is_still,
    is_video,
    parse_name,
    place_of,
    safe,
    side_of,
)


@pytest.mark.parametrize(
    ("name", "chapter", "number", "first"),
    [
        ("GX010012.MP4", 1, "0012", 1),
        ("gh120034.mp4", 12, "0034", 1),
        ("GOPR1234.MP4", 0, "1234", 0),
        ("GP011234.MP4", 1, "1234", 0),
        ("GXAB0007.MP4", 2, "0007", 2),
    ],
)
def test_gopro_names_give_chapter_and_file_number(name: str, chapter: int, number: str, first: int) -> None:
    parsed = parse_name(name)
    assert parsed is not None
    assert (parsed.chapter, parsed.number, parsed.first_chapter) == (chapter, number, first)


@pytest.mark.parametrize(
    "name", ["reef_clip.mp4", "GX10012.MP4", "GX0100123.MP4", "GOPR12345.MP4", "DJI_0018.MP4"]
)
def test_other_names_are_not_taken_for_gopro_names(name: str) -> None:
    assert parse_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "GL010012.LRV",
        "GX010012.THM",
        "GL010012.MP4",
        "._GX010012.MP4",
        ".hidden.mp4",
        "notes.txt",
        "GX010012",
    ],
)
def test_proxies_thumbnails_hidden_files_and_sidecars_are_not_footage(name: str) -> None:
    assert not is_video(name)
    assert not is_still(name)


@pytest.mark.parametrize("name", ["Proxies", "MISC", ".Trashes", "__MACOSX", "System Volume Information"])
def test_folders_of_proxies_and_systems_are_skipped(name: str) -> None:
    assert is_skipped_folder(name)


CARD = "DCIM/100GOPRO/GX010012.MP4"


@pytest.mark.parametrize(
    ("root", "file", "vehicle", "camera"),
    [
        ("/d/AUV01", f"/d/AUV01/PORT/{CARD}", "AUV01", "PORT"),
        ("/d", f"/d/AUV01/PORT/{CARD}", "AUV01", "PORT"),
        ("/d", "/d/site/AUV02/STBD/GX010012.MP4", "AUV02", "STBD"),
        ("/d/AUV01/PORT", f"/d/AUV01/PORT/{CARD}", "AUV01", "PORT"),
        ("/d/AUV01/PORT/DCIM/100GOPRO", f"/d/AUV01/PORT/{CARD}", "AUV01", "PORT"),
        (f"/d/AUV01/PORT/{CARD}", f"/d/AUV01/PORT/{CARD}", "AUV01", "PORT"),
        ("/d", "/d/AUV01/GX010012.MP4", "AUV01", "CAM"),
        ("/media/op/AUV01-PORT", f"/media/op/AUV01-PORT/{CARD}", "AUV01", "PORT"),
        ("/media/op/UNTITLED", f"/media/op/UNTITLED/{CARD}", "UNTITLED", "CAM"),
        ("/data/reef/clip.mp4", "/data/reef/clip.mp4", "reef", "CAM"),
        ("/data/rov_haltbrekken", "/data/rov_haltbrekken/a_1.jpg", "rov_haltbrekken", "CAM"),
    ],
)
def test_vehicle_and_camera_come_from_the_folders(root: str, file: str, vehicle: str, camera: str) -> None:
    place = place_of(Path(file), Path(root))
    assert (place.vehicle, place.camera) == (vehicle, camera)


def test_all_dcim_folders_of_a_card_belong_to_one_camera_folder() -> None:
    root = Path("/d/AUV01")
    folders = {
        place_of(root / "PORT" / "DCIM" / name / "GX010012.MP4", root).folder
        for name in ("100GOPRO", "101GOPRO")
    }
    assert folders == {root / "PORT"}


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("PORT", Side.PORT),
        ("stbd", Side.STARBOARD),
        ("cam_left", Side.PORT),
        ("StarboardCam", Side.STARBOARD),
        ("R", Side.STARBOARD),
        ("report", Side.UNKNOWN),
        ("portable", Side.UNKNOWN),
        ("left-right-pair", Side.UNKNOWN),
    ],
)
def test_the_side_comes_from_whole_words(name: str, side: Side) -> None:
    assert side_of(name) == side


@pytest.mark.parametrize(
    "name", ["AUV 01\n", 'a"b', "Été", "深海", "x" * 200, "../..", "con:aux", "\udcff", ""]
)
def test_ids_hold_only_what_every_file_system_takes(name: str) -> None:
    made = safe(name)
    assert made
    assert len(made) <= 40
    assert all(letter.isascii() and (letter.isalnum() or letter in "-._") for letter in made)
    assert not made.startswith((".", "-"))


def test_different_names_never_get_the_same_id() -> None:
    names = ["深海", "深水", "a b", "a:b", "a/b", "A-B", "Été", "Ete"]
    assert len({safe(name).lower() for name in names}) == len(names)


def test_camera_ids_differ_by_more_than_case() -> None:
    first = camera_id("AUV01", "PORT", frozenset())
    assert camera_id("AUV01", "port", frozenset({first})).lower() != first.lower()
    assert camera_id("AUV01", "PORT", frozenset({first}), "0199") == "AUV01-PORT-0199"
