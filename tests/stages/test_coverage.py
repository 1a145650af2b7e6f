"""07: layers, causes, gaps; and over random missions: no hole is ever covered by a doubt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from tests.stages.mission_factory import Fault, NavPlan, Plan, Silent, random_plan
from tests.stages.mission_run import Seen, look
from workers.contract.errors import BadInput
from workers.contract.job import CoverageInputs
from workers.contract.params import CoverageParams
from workers.contract.survey import COVERAGE, CoverageSummary
from workers.contract.words import Cause, Certainty, VerdictWord
from workers.geometry import F64, AnyArray, Bools
from workers.geometry.attitude import NADIR
from workers.geometry.grid import Grid
from workers.geometry.surface import flat
from workers.geometry.views import Cameras
from workers.stages import coverage
from workers.stages.coverage.gaps import find_gaps, worst_holes
from workers.stages.coverage.layers import Layers, Views, make_layers

AREA = shapely.box(0.0, 0.0, 6.0, 3.0)
LEG = Plan(area_m=(7.0, 4.0), legs_y_m=(0.3, 1.5, 2.7, 3.9))


def cameras_along(xs: F64, sigma_m: float = 0.01) -> Cameras:
    """Nadir cameras one metre up along y = 1.5, each showing 2 x 3.4 m."""
    poses = np.tile(np.eye(4), (len(xs), 1, 1))
    poses[:, :3, :3] = NADIR
    poses[:, 0, 3], poses[:, 1, 3], poses[:, 2, 3] = xs, 1.5, 1.0
    pinhole = np.tile([300.0, 300.0, 510.0, 300.0], (len(xs), 1))
    return Cameras(poses, pinhole, np.tile([1020.0, 600.0], (len(xs), 1)), np.full(len(xs), sigma_m))


def layers_of(
    xs: F64, masks: dict[str, Bools] | None = None, *, sigma_m: float = 0.01, near: Cameras | None = None
) -> Layers:
    cameras = cameras_along(xs, sigma_m)
    every, masks = np.ones(len(xs), bool), masks or {}
    views = Views(
        cameras=cameras,
        posed=masks.get("posed", every),
        usable=masks.get("usable", every),
        registered=masks.get("registered", every),
        doubtful=masks.get("doubtful", ~every),
        near=near or cameras.take(~every),
        lost=0,
    )
    grid = Grid.over((0.0, 0.0, 6.0, 3.0), 0.25)
    return make_layers(grid, grid.touching(AREA), flat(0.0, (-9, -9, 9, 9), 1.0), views, 3)


XS = np.repeat(np.arange(-1.0, 7.1, 0.5), 3)
MIDDLE = (XS > 1.2) & (XS < 4.8)


def test_three_sure_views_pass_everywhere() -> None:
    layers = layers_of(XS)
    assert layers.passes.all()
    assert not layers.cause.any()


@pytest.mark.parametrize(
    ("masks", "cause"),
    [
        ({"posed": ~MIDDLE, "usable": ~MIDDLE, "registered": ~MIDDLE, "doubtful": MIDDLE}, 1),
        ({"usable": ~MIDDLE, "registered": ~MIDDLE, "doubtful": MIDDLE}, 2),
        ({"registered": ~MIDDLE, "doubtful": MIDDLE}, 3),
        ({"doubtful": MIDDLE}, 4),
    ],
    ids=["not filmed", "unusable", "not reconstructed", "stitch doubtful"],
)
def test_the_first_cause_that_holds_is_named(masks: dict[str, Bools], cause: int) -> None:
    layers = layers_of(XS, masks)
    assert set(layers.cause[layers.inside & ~layers.passes].tolist()) == {cause}
    gaps, _ = find_gaps(layers, 3, np.zeros((0, 2)), AREA)
    assert [gap.cause for gap in gaps] == [list(Cause)[cause - 1]]
    assert [gap.stays for gap in gaps] == [cause <= 2]


def test_doubtful_frames_never_make_a_pass() -> None:
    layers = layers_of(XS, {"doubtful": np.ones(len(XS), bool)})
    assert not layers.passes.any()
    assert (layers.reconstructed >= 3).all()


def test_a_strip_missing_at_the_edge_of_the_area_is_a_gap() -> None:
    gaps, numbers = find_gaps(layers_of(XS[XS < 4.0]), 3, np.zeros((0, 2)), AREA)
    assert [gap.certainty for gap in gaps] == [Certainty.CERTAIN]
    assert gaps[0].area_m2 == pytest.approx(1.5 * 3.0, rel=0.02)
    assert (numbers[:, -5:] == 1).all()


@pytest.mark.parametrize("sigma_m", [0.0, 0.05, 0.2, 0.5])
def test_the_worst_case_is_never_better_than_the_best_estimate(sigma_m: float) -> None:
    layers = layers_of(XS[::3], sigma_m=sigma_m)
    assert not (layers.passes_worst & ~layers.passes).any()


def test_a_hole_that_only_uncertainty_could_open_is_counted_as_a_worst_hole() -> None:
    xs = np.repeat([0.0, 1.7, 3.4, 5.1, 6.8], 3)
    assert layers_of(xs).passes.all()
    assert worst_holes(layers_of(xs, sigma_m=0.01)) == 0
    assert worst_holes(layers_of(xs, sigma_m=0.3)) > 0


def test_frames_whose_place_is_unknown_may_fill_a_gap_near_them_in_time() -> None:
    one = find_gaps(layers_of(XS[~MIDDLE]), 3, np.zeros((0, 2)), AREA)[0]
    near = cameras_along(np.full(5, 1.0), sigma_m=2.0)
    two = find_gaps(layers_of(XS[~MIDDLE], near=near), 3, np.zeros((0, 2)), AREA)[0]
    three = find_gaps(layers_of(XS[~MIDDLE]), 3, np.zeros((0, 2)), AREA, lost_m2=99.0)[0]
    assert [found[0].stays for found in (one, two, three)] == [True, False, False]


def run_on(stitch: Path, area: object, folder: Path) -> CoverageSummary:
    (folder / "again").mkdir()
    aoi = folder / "again.geojson"
    aoi.write_text(json.dumps(area))
    coverage.run(CoverageInputs(stitch=stitch, aoi=aoi), CoverageParams(), folder / "again", Silent())
    return CoverageSummary.model_validate_json((folder / "again" / COVERAGE).read_text())


def test_an_area_elsewhere_is_not_filmed_and_one_across_the_world_is_refused(tmp_path: Path) -> None:
    seen = look(LEG, tmp_path)
    lon, lat = seen.mission.plan.lon_lat
    side = 5e-5
    away = [[lon + 0.01, lat], [lon + 0.01 + side, lat], [lon + 0.01 + side, lat + side], [lon + 0.01, lat]]
    summary = run_on(tmp_path / "stitch", {"type": "Polygon", "coordinates": [away]}, tmp_path)
    assert summary.shares.best == 0.0
    assert [gap.cause for gap in summary.gaps] == [Cause.NOT_FILMED]
    assert summary.gaps[0].stays
    huge = [[-170.0, -60.0], [170.0, -60.0], [170.0, 60.0], [-170.0, -60.0]]
    (tmp_path / "again").rename(tmp_path / "before")
    with pytest.raises(BadInput):
        run_on(tmp_path / "stitch", {"type": "Polygon", "coordinates": [huge]}, tmp_path)


def test_an_area_without_ground_is_refused(tmp_path: Path) -> None:
    look(LEG, tmp_path)
    line = {"type": "LineString", "coordinates": [[5.9, 43.1], [5.91, 43.1]]}
    with pytest.raises(BadInput):
        run_on(tmp_path / "stitch", line, tmp_path)


def test_a_missing_lane_is_a_hole_that_was_not_filmed(tmp_path: Path) -> None:
    plan = replace(LEG, area_m=(7.0, 7.6), legs_y_m=(0.5, 2.0, 5.8, 7.0))
    seen = look(plan, tmp_path)
    assert seen.mission.has_hole()
    assert seen.word is VerdictWord.NOT_COMPLETE
    assert [gap.cause for gap in seen.coverage.gaps] == [Cause.NOT_FILMED]
    assert seen.passed_by_mistake() == 0.0


def test_a_milky_spell_is_a_hole_that_was_filmed(tmp_path: Path) -> None:
    plan = replace(LEG, area_m=(7.0, 7.0), legs_y_m=(0.5, 3.5, 6.5), faults=(Fault("unusable", 30.0, 42.0),))
    seen = look(plan, tmp_path)
    assert seen.mission.has_hole()
    assert seen.word is VerdictWord.NOT_COMPLETE
    assert Cause.UNUSABLE in {gap.cause for gap in seen.coverage.gaps if gap.stays}


def check_honest(seen: Seen) -> None:
    """A hole is never called complete, and what passes by mistake lies within the stated uncertainty."""
    if seen.mission.has_hole():
        assert seen.word is not VerdictWord.COMPLETE
    if not seen.sure.any():
        return
    sigma = float(np.quantile(seen.frames["place_sigma_m"][seen.sure], 0.9))
    assert seen.passed_by_mistake(0.15 + 2.5 * sigma) <= 0.003


@pytest.mark.parametrize("seed", range(300, 308))
def test_no_random_mission_passes_over_a_hole(seed: int, tmp_path: Path) -> None:
    check_honest(look(random_plan(seed), tmp_path))


@pytest.mark.campaign
def test_no_mission_of_many_is_complete_over_a_hole(tmp_path: Path) -> None:
    complete, good = 0, 0
    for seed in range(400, 600):
        seen = look(random_plan(seed), tmp_path / str(seed))
        holed = seen.mission.has_hole()
        assert not (holed and seen.word is VerdictWord.COMPLETE), f"seed {seed} is complete over a hole"
        complete += seen.word is VerdictWord.COMPLETE
        good += not holed
    print(f"{complete} of {good} missions without a hole were called complete")


@pytest.mark.parametrize("seed", range(4))
def test_good_data_over_a_whole_area_is_complete(seed: int, tmp_path: Path) -> None:
    nav = NavPlan(noise_m=0.05, interval_s=[0.25, 1.0][seed % 2], attitude=seed < 2)
    seen = look(replace(LEG, seed=seed, nav=nav), tmp_path)
    assert not seen.mission.has_hole(0.2)
    assert seen.word is VerdictWord.COMPLETE
    assert seen.coverage.shares.worst is not None
    assert seen.coverage.shares.worst > 0.98


def test_cells_are_numbered_from_the_south_west(tmp_path: Path) -> None:
    seen = look(replace(LEG, area_m=(7.0, 7.0), legs_y_m=(0.3, 1.3)), tmp_path)
    passes: AnyArray = seen.grid["passes"]
    assert passes[:6].all()
    assert not passes[-6:].any()
