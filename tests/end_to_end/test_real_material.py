"""Real footage goes through, each ending in a verdict whose reasons are true."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Outcome

Run = Callable[..., Outcome]


def registered_share(outcome: Outcome) -> float:
    with (outcome.mission / "products" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    registered: list[bool] = [row["registered"] == "1" for row in rows]
    return float(sum(registered) / len(rows))


def test_a_reef_clip_without_nav_cannot_be_told_for_want_of_scale(
    tmp_path: Path, run: Run, shared: Path
) -> None:
    outcome = run(tmp_path / "m", shared / "data" / "gopro_reef_underwater" / "reef_clip.mp4")
    assert (outcome.code, outcome.word) == (11, "cannot_tell"), outcome.output
    assert outcome.verdict is not None
    assert outcome.verdict["scale"]["source"] == "none"
    assert {"no_scale", "no_aoi"} <= outcome.codes
    assert registered_share(outcome) >= 0.9


def test_a_nav_log_that_hardly_moves_is_refused_with_its_figures(
    tmp_path: Path, run: Run, shared: Path
) -> None:
    folder = shared / "data" / "auv_sparus"
    outcome = run(tmp_path / "m", folder / "sparus_snippet.mp4", "--nav", folder / "sparus_snippet.csv")
    assert (outcome.code, outcome.word) == (11, "cannot_tell"), outcome.output
    assert outcome.verdict is not None
    assert outcome.verdict["scale"]["source"] != "nav"
    assert "refused" in outcome.verdict["scale"]["detail"]
    assert "12" in outcome.verdict["scale"]["detail"]
    assert any(problem["code"] == "nav_refused" for problem in outcome.verdict["left_out"])


@pytest.mark.parametrize("clip", ["karma.mp4", "max-heromode.mp4"])
def test_clips_with_odd_telemetry_end_in_a_verdict(tmp_path: Path, run: Run, shared: Path, clip: str) -> None:
    outcome = run(tmp_path / "m", shared / "data" / "gopro_gpmf_parser" / clip)
    assert outcome.word == "cannot_tell", outcome.output
    assert "no_scale" in outcome.codes


@pytest.mark.campaign
@pytest.mark.parametrize("folder", ["rov_gopro12_downward", "rov_haltbrekken", "drone_brighton_beach"])
def test_folders_of_stills_end_in_a_verdict(tmp_path: Path, run: Run, shared: Path, folder: str) -> None:
    outcome = run(tmp_path / "m", shared / "data" / folder)
    assert outcome.word == "cannot_tell", outcome.output
    assert "no_aoi" in outcome.codes
    assert registered_share(outcome) > 0.3
    if folder == "drone_brighton_beach":
        assert outcome.verdict is not None
        assert outcome.verdict["scale"]["source"] == "nav"
        assert registered_share(outcome) >= 0.9
