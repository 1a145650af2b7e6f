"""The whole line on small rendered dives: from footage to a verdict that the truth agrees with."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.conftest import Outcome, run_line, score
from workers.contract.products import PRODUCT_FILES
from workers.demo import SMALL, SMALL_COMPLETE, make_demo

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def dive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dive of which one survey leg was not flown."""
    folder = tmp_path_factory.mktemp("small") / "dive"
    make_demo(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def done(dive: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """That dive, once through the line."""
    mission = tmp_path_factory.mktemp("mission") / "m"
    return run_line(mission, dive / "AUV01", "--nav", dive / "AUV01_nav.csv", "--aoi", dive / "aoi.geojson")


def truth_of(dive: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((dive / "truth.json").read_text())
    return truth


def test_a_leg_that_was_not_flown_is_one_certain_gap_that_needs_a_dive(dive: Path, done: Outcome) -> None:
    assert (done.code, done.word) == (10, "not_complete"), done.output
    assert done.verdict is not None
    certain = [gap for gap in done.verdict["gaps"] if gap["certainty"] == "certain"]
    (wanted,) = truth_of(dive)["gaps"]
    (found,) = certain
    lat0, lon0 = truth_of(dive)["origin"]
    k = 111_111.0 * math.cos(math.radians(lat0))
    lon, lat = found["centre_lonlat"]
    off = math.dist(((lon - lon0) * k, (lat - lat0) * 111_111.0), wanted["centre_xy_m"])
    assert found["cause"] == "not_filmed"
    assert abs(found["area_m2"] / wanted["area_m2"] - 1.0) < 0.2
    assert off < 0.4
    assert "waypoints" in found["remedy"]
    assert found["redive_minutes"] > 0.0


def test_every_product_is_there_and_nothing_half_done_is_left(done: Outcome) -> None:
    products = done.mission / "products"
    assert {path.name for path in products.iterdir()} == set(PRODUCT_FILES)
    assert not list(done.mission.rglob(".partial-*"))


def test_the_three_layers_pass_where_the_truth_has_three_clear_views(
    dive: Path, done: Outcome, shared: Path
) -> None:
    assert score(dive, done.mission, shared / "tools" / "score.py") == "holds"


def test_the_report_stands_alone_and_carries_the_answer(done: Outcome) -> None:
    text = (done.mission / "products" / "report.html").read_text()
    assert "NOT COMPLETE" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "<script" not in text


def test_running_again_reuses_everything_and_says_the_same(dive: Path, done: Outcome) -> None:
    before = sorted(str(p) for p in (done.mission / "work").glob("inference/*/*/manifest.json"))
    stamps = [Path(p).stat().st_mtime_ns for p in before]
    again = run_line(done.mission)
    assert again.code == 10, again.output
    assert sorted(str(p) for p in (done.mission / "work").glob("inference/*/*/manifest.json")) == before
    assert [Path(p).stat().st_mtime_ns for p in before] == stamps
    assert done.verdict is not None
    assert again.verdict is not None
    assert again.verdict["gaps"] == done.verdict["gaps"]


def test_the_cloud_view_can_be_cut_anywhere(done: Outcome) -> None:
    cloud = np.load(done.mission / "products" / "cloud_view.npz")
    points = cloud["xyz"]
    assert len(points) > 1000
    some = points[: len(points) // 4]
    assert np.abs(np.median(some, axis=0) - np.median(points, axis=0)).max() < 0.3


def test_a_dive_that_covers_its_area_is_complete(tmp_path: Path, run: Run, shared: Path) -> None:
    make_demo(tmp_path / "dive", SMALL_COMPLETE)
    dive = tmp_path / "dive"
    outcome = run(
        tmp_path / "m", dive / "AUV01", "--nav", dive / "AUV01_nav.csv", "--aoi", dive / "aoi.geojson"
    )
    assert (outcome.code, outcome.word) == (0, "complete"), outcome.output
    assert score(dive, outcome.mission, shared / "tools" / "score.py") == "holds"


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("gap", "codec", "seed"), [("turbid", "h264", 3), ("leg", "hevc", 4), ("turbid", "hevc", 5)]
)
def test_other_small_dives_score_as_their_truth(
    tmp_path: Path, run: Run, shared: Path, gap: str, codec: str, seed: int
) -> None:
    dive = tmp_path / "dive"
    make_demo(dive, replace(SMALL, gap=gap, codec=codec, seed=seed))  # type: ignore[arg-type]
    outcome = run(
        tmp_path / "m", dive / "AUV01", "--nav", dive / "AUV01_nav.csv", "--aoi", dive / "aoi.geojson"
    )
    assert score(dive, outcome.mission, shared / "tools" / "score.py") == "holds"
