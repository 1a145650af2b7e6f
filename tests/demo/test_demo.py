"""The demo dive: the same from the same recipe, true to its own truth, and laid out as the shared dives are."""

import csv
import hashlib
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from workers.contract.errors import UsageError
from workers.demo import DEMO, SMALL, SMALL_COMPLETE, DemoRecipe, main, make_demo
from workers.demo.render import Pinhole, Renderer, project
from workers.demo.seabed import RELIEF_M_PER_PX, grow
from workers.demo.survey import camera_to_world, fly
from workers.demo.truth import count_views, describe

TINY = replace(
    SMALL, area_m=(1.5, 4.1), size_px=(160, 90), fps=2.0, chapter_s=5.0, texture_m_per_px=0.02, speed_mps=1.0
)  # fmt: skip


@pytest.fixture(scope="module")
def dive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "dive"
    make_demo(folder, TINY)
    return folder


def truth_of(recipe: DemoRecipe) -> dict[str, Any]:
    seabed, survey = grow(replace(recipe, texture_m_per_px=0.05)), fly(recipe)
    return describe(recipe, survey, count_views(recipe, seabed, survey))


def checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def frame_count(path: Path) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def test_that_the_same_recipe_gives_the_same_bytes(dive: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "again", TINY)
    assert checksums(tmp_path / "again") == checksums(dive)


def test_that_another_seed_gives_another_seabed(dive: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "other", replace(TINY, seed=TINY.seed + 1))
    first, other = checksums(dive), checksums(tmp_path / "other")
    assert {name for name in first if first[name] == other[name]} == {"aoi.geojson"}


def test_that_chapters_carry_gopro_names_and_each_its_own_clock_in_whole_seconds(dive: Path) -> None:
    found = {}
    for path in dive.rglob("*.MP4"):
        with av.open(path) as container:
            found[path.relative_to(dive).as_posix()] = (
                container.metadata["creation_time"],
                container.streams.video[0].frames,
            )
    port, starboard = ("AUV01/PORT/DCIM/100GOPRO/GX0{}0012.MP4", "AUV01/STBD/DCIM/100GOPRO/GX0{}0015.MP4")
    in_all = len(fly(TINY).frame_times_s(TINY.fps))
    assert found == {
        # 1.3 s slow and 2.4 s fast, fractions cut off
        port.format(1): ("2026-05-12T09:29:58.000000Z", 10),
        port.format(2): ("2026-05-12T09:30:03.000000Z", in_all - 10),
        starboard.format(1): ("2026-05-12T09:30:02.000000Z", 10),
        starboard.format(2): ("2026-05-12T09:30:07.000000Z", in_all - 10),
    }


@pytest.mark.parametrize(("codec", "name"), [("h264", "h264"), ("hevc", "hevc")])
def test_that_the_codec_is_the_one_asked_for(codec: Any, name: str, tmp_path: Path) -> None:
    make_demo(tmp_path / "dive", replace(TINY, codec=codec, area_m=(0.5, 0.5), leg_spacing_m=0.5, gap="none"))
    with av.open(next((tmp_path / "dive").rglob("*.MP4"))) as container:
        assert container.streams.video[0].codec_context.name == name


def test_that_the_nav_log_speaks_as_the_vehicle_flew(dive: Path) -> None:
    with (dive / "AUV01_nav.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "timestamp_utc", "latitude_deg", "longitude_deg", "depth_m", "altitude_m",
        "heading_deg", "pitch_deg", "roll_deg",
    ]  # fmt: skip
    path = np.array(json.loads((dive / "truth.json").read_text())["vehicles"]["AUV01"]["path"])
    nav = {name: np.array([float(row[name]) for row in rows]) for name in list(rows[0])[1:]}
    stamps = [datetime.fromisoformat(row["timestamp_utc"]) for row in rows]
    start = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    assert [(stamp - start).total_seconds() for stamp in stamps] == path[:, 0].tolist()
    turned = (nav["heading_deg"] + np.degrees(path[:, 4]) - 90 + 180) % 360 - 180
    assert np.abs(turned).max() < 0.02
    assert nav["pitch_deg"] == pytest.approx(np.degrees(path[:, 5]), abs=0.02)
    assert nav["roll_deg"] == pytest.approx(np.degrees(path[:, 6]), abs=0.02)
    assert nav["depth_m"] == pytest.approx(18.0 - path[:, 3], abs=0.002)
    north_m = (nav["latitude_deg"] - 43.1) * 111_111.0 - path[:, 2]
    east_m = (nav["longitude_deg"] - 5.9) * 111_111.0 * math.cos(math.radians(43.1)) - path[:, 1]
    assert 0.02 < np.std(np.concatenate([north_m, east_m])) < 0.04


def test_that_a_missing_leg_leaves_one_gap_where_it_was_not_flown() -> None:
    truth = truth_of(SMALL)
    assert [gap["cause"] for gap in truth["gaps"]] == ["not filmed"]
    (gap,) = truth["gaps_any_cause"]
    assert gap["area_m2"] >= 1.0
    assert gap["centre_xy_m"][1] == pytest.approx(SMALL.leg_ys_m[1], abs=0.3)
    assert truth["vehicles"]["AUV01"]["skipped_leg"] == 1
    assert 1 not in np.array(truth["vehicles"]["AUV01"]["path"])[:, 7]


def test_that_a_milky_leg_leaves_a_gap_that_was_filmed() -> None:
    truth = truth_of(replace(SMALL, gap="turbid"))
    assert truth["filmed_3plus"] == 1.0
    assert [gap["cause"] for gap in truth["gaps"]] == ["unusable"]
    assert truth["gaps_any_cause"][0]["area_m2"] >= 1.0
    begin, end = truth["vehicles"]["AUV01"]["turbid"]
    assert end - begin == SMALL.turbid_s


@pytest.mark.parametrize("recipe", [SMALL_COMPLETE, replace(SMALL, gap="none"), replace(DEMO, gap="none")])
def test_that_without_a_gap_every_cell_is_seen_three_times(recipe: DemoRecipe) -> None:
    truth = truth_of(recipe)
    assert truth["clear_3plus"] == 1.0
    assert truth["gaps_any_cause"] == []


def test_that_the_counted_views_belong_to_the_area(dive: Path) -> None:
    with np.load(dive / "truth_coverage.npz") as views:
        assert views["filmed_views"].shape == (82, 30)  # rows are y: 4.1 m by 1.5 m in cells of 5 cm
        assert np.array_equal(views["filmed_views"], views["clear_views"])


def test_that_milky_frames_lose_their_detail() -> None:
    recipe = replace(SMALL, gap="turbid")
    renderer = Renderer(grow(recipe), Pinhole.of(recipe), recipe.seed)
    pose = camera_to_world(fly(recipe).at(np.array([1.0]))[0], (0.0, 0.15, 0.0))
    clear, milky = (
        renderer.frame(pose, np.random.default_rng(0), milky).astype(np.float64).mean(axis=2)
        for milky in (False, True)
    )
    assert milky.std() < 0.5 * clear.std()


def test_that_a_rendered_pixel_shows_the_ground_it_projects_from() -> None:
    """A red mark painted on the seabed appears where the pinhole says, from both cameras and at any heading."""
    recipe = replace(SMALL, size_px=(640, 360))
    seabed, survey, camera = grow(recipe), fly(recipe), Pinhole.of(recipe)
    for mount in recipe.cameras:
        for time_s in (3.0, 9.0, 20.0):
            pose = survey.at(np.array([time_s]))[0]
            matrix = camera_to_world(pose, mount.offset_body_m)
            x_m, y_m = pose[0] + 0.35, pose[1] + 0.2
            mark = seabed_with_mark(seabed, x_m, y_m)
            ground_m = float(seabed.ground_m(*np.array([x_m, y_m], np.float32).reshape(2, 1, 1))[0, 0])
            seen = camera.matrix @ matrix[:3, :3].T @ (np.array([x_m, y_m, ground_m]) - matrix[:3, 3])
            frame = Renderer(mark, camera, 0).frame(matrix, np.random.default_rng(0), milky=False)
            rows, columns = np.nonzero(frame[..., 2] > 1.2 * frame[..., 1])
            middle = [columns.mean() + 0.5, rows.mean() + 0.5]
            assert middle == pytest.approx(list(seen[:2] / seen[2]), abs=0.5)


def seabed_with_mark(seabed: Any, x_m: float, y_m: float) -> Any:
    texture = np.full_like(seabed.texture_bgr, 100)
    rows, columns = np.mgrid[0 : texture.shape[0], 0 : texture.shape[1]] * seabed.texture_m_per_px
    texture[np.hypot(columns + seabed.west_m - x_m, rows + seabed.south_m - y_m) < 0.03] = (0, 0, 255)
    return replace(seabed, texture_bgr=texture)


def test_that_an_image_has_starboard_on_its_right_and_aft_at_its_bottom() -> None:
    pose = np.array([0.0, 0.0, 1.6, 0.0, 0.0, 0.0])  # heading east
    camera = Pinhole(640, 360, 368.0)
    starboard, aft = np.array([0.0, -1.0, 0.0]), np.array([-0.5, 0.0, 0.0])
    u, v, w = camera.matrix @ camera_to_world(pose, (0.0, 0.0, 0.0))[:3, :3].T @ (starboard - pose[:3])
    assert u / w > 500
    assert v / w == pytest.approx(180)
    u, v, w = camera.matrix @ camera_to_world(pose, (0.0, 0.0, 0.0))[:3, :3].T @ (aft - pose[:3])
    assert u / w == pytest.approx(320)
    assert v / w > 270


def test_that_pitch_is_nose_down_and_roll_is_starboard_down() -> None:
    pitched = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.0])
    assert camera_to_world(pitched, (1.0, 0.0, 0.0))[2, 3] < 0  # the nose
    rolled = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.1])
    assert camera_to_world(rolled, (0.0, -1.0, 0.0))[2, 3] < 0  # the starboard side


def test_that_no_slope_is_so_steep_that_a_camera_cannot_see_behind_it() -> None:
    relief = grow(replace(DEMO, texture_m_per_px=0.05)).relief_m
    slope = np.hypot(*np.gradient(relief, RELIEF_M_PER_PX))
    corner = math.hypot(*DEMO.size_px) / 2 / DEMO.focal_px
    assert slope.max() * corner < 1.0


def test_that_points_behind_or_beside_the_camera_are_not_in_view() -> None:
    matrix = camera_to_world(np.array([0.0, 0.0, 1.6, 0.0, 0.0, 0.0]), (0.0, 0.0, 0.0))
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 1.3, 0.0], [0.0, 1.5, 0.0], [0.9, 0.0, 0.0]])
    assert project(points, matrix, Pinhole.of(SMALL)).tolist() == [True, False, True, False, False]


def test_that_an_existing_folder_is_refused_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(UsageError):
        make_demo(tmp_path / "mine", TINY)
    assert main([str(tmp_path / "mine")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "kept"


def test_that_a_stopped_rendering_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "dive", TINY, stop)
    assert list(tmp_path.iterdir()) == []


def test_that_progress_counts_every_frame_of_both_cameras_once(tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    make_demo(
        tmp_path / "dive",
        replace(TINY, area_m=(0.5, 0.5), leg_spacing_m=0.5, gap="none"),
        lambda *n: counts.append(n),
    )
    of = counts[0][1]
    assert counts == [(n, of) for n in range(1, of + 1)]
    assert of == sum(frame_count(path) for path in tmp_path.rglob("*.MP4"))
