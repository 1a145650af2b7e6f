"""The rendered dives with their truth, by the acceptance command; and what is said when something is missing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Outcome, score

Run = Callable[..., Outcome]

pytestmark = pytest.mark.campaign


@pytest.mark.parametrize("name", ["complete", "one_leg_missing", "turbid_spell"])
def test_the_verdict_agrees_with_the_truth(tmp_path: Path, run: Run, shared: Path, name: str) -> None:
    dive = shared / "dives" / name
    outcome = run(
        tmp_path / "m", dive / "AUV01", "--nav", dive / "AUV01_nav.csv", "--aoi", dive / "aoi.geojson"
    )
    assert outcome.code == (0 if name == "complete" else 10), outcome.output
    assert score(dive, outcome.mission, shared / "tools" / "score.py") == "holds"


def test_without_nav_there_is_no_scale_then_nav_then_an_area_are_added(
    tmp_path: Path, run: Run, shared: Path
) -> None:
    dive, mission = shared / "dives" / "one_leg_missing", tmp_path / "m"
    bare = run(mission, dive / "AUV01", "--aoi", dive / "aoi.geojson")
    assert (bare.code, bare.word) == (11, "cannot_tell"), bare.output
    assert "no_scale" in bare.codes
    assert bare.verdict is not None
    assert bare.verdict["scale"]["source"] == "none"
    with_nav = run(mission, "--nav", dive / "AUV01_nav.csv")
    assert with_nav.code == 10, with_nav.output
    assert score(dive, mission, shared / "tools" / "score.py") == "holds"


def test_without_an_area_it_is_never_complete(tmp_path: Path, run: Run, shared: Path) -> None:
    dive = shared / "dives" / "complete"
    outcome = run(tmp_path / "m", dive / "AUV01", "--nav", dive / "AUV01_nav.csv")
    assert outcome.word in ("cannot_tell", "not_complete"), outcome.output
    assert outcome.verdict is not None
    assert outcome.verdict["aoi_source"] == "track_hull"
    assert "no_aoi" in outcome.codes


@pytest.mark.parametrize("kept", ["GX01", "GX02"])
def test_with_half_its_chapters_missing_it_is_not_complete(
    tmp_path: Path, run: Run, shared: Path, kept: str
) -> None:
    dive = shared / "dives" / "one_leg_missing"
    for source in (dive / "AUV01").rglob(f"{kept}*.MP4"):
        target = tmp_path / "half" / source.relative_to(dive)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    outcome = run(
        tmp_path / "m",
        tmp_path / "half" / "AUV01",
        "--nav",
        dive / "AUV01_nav.csv",
        "--aoi",
        dive / "aoi.geojson",
    )
    assert outcome.verdict is not None
    if kept == "GX01":
        assert (outcome.code, outcome.word) == (10, "not_complete"), outcome.output
    else:
        # Twelve seconds of one straight leg: the clock cannot be tied to nav, and all pictures side by side might do.
        assert outcome.word in ("not_complete", "cannot_tell"), outcome.output
        assert any(problem["code"] == "chapter_missing" for problem in outcome.verdict["left_out"])
