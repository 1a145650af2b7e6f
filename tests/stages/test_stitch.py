"""06 on made missions: clocks, places, trust."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.stages.mission_factory import PORT, STBD, Fault, NavPlan, Plan
from tests.stages.mission_run import Seen, look
from workers.contract.dive import CameraMount, Rig
from workers.contract.params import StitchParams
from workers.contract.words import ScaleSource, VerdictWord

SURVEY = Plan(area_m=(7.0, 4.0), legs_y_m=(0.3, 1.5, 2.7, 3.9))
BLOCK = Plan(area_m=(7.0, 4.0), legs_y_m=tuple(1.2 * k for k in range(10)), film=(60.0, 125.0))


def sure_errors(seen: Seen) -> float:
    """RMS error of the frames that count, metres."""
    return float(np.sqrt((seen.centre_error_m[seen.sure] ** 2).mean()))


@pytest.mark.parametrize("error_s", [-4.0, 0.4, 2.7, 9_000.0])
def test_a_wrong_camera_clock_is_found_within_a_tenth_of_a_second(error_s: float, tmp_path: Path) -> None:
    cameras = (replace(PORT, clock_error_s=error_s), replace(STBD, clock_error_s=-error_s))
    seen = look(replace(SURVEY, cameras=cameras), tmp_path)
    found = {offset.camera: offset for offset in seen.stitch.clock_offsets}
    for camera, true in (("AUV01-PORT", error_s), ("AUV01-STBD", -error_s)):
        assert found[camera].offset_s == pytest.approx(true, abs=0.1)
        assert not found[camera].ambiguous
    assert sure_errors(seen) < 0.03


def test_a_recording_without_a_clock_is_tied_to_nav_by_its_track(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, cameras=(replace(PORT, has_clock=False), STBD)), tmp_path)
    assert seen.sure.all()
    assert sure_errors(seen) < 0.03


def test_a_straight_leg_in_the_middle_of_the_log_has_an_ambiguous_clock_and_doubtful_frames(
    tmp_path: Path,
) -> None:
    plan = replace(SURVEY, legs_y_m=(1.0,), area_m=(16.0, 2.0), film=(12.0, 24.0), wobble_deg=0.0)
    seen = look(plan, tmp_path)
    assert all(offset.ambiguous for offset in seen.stitch.clock_offsets)
    assert not seen.sure.any()
    assert seen.word is VerdictWord.CANNOT_TELL


def test_a_dive_of_many_segments_has_a_sure_clock_though_its_chain_has_drifted(tmp_path: Path) -> None:
    plan = Plan(area_m=(40.0, 4.5), legs_y_m=(0.3, 1.5, 2.7, 3.9), segment_s=30.0, points_per_m2=30.0)
    seen = look(plan, tmp_path)
    assert not any(offset.ambiguous for offset in seen.stitch.clock_offsets)
    assert sure_errors(seen) < 0.04
    assert seen.word is VerdictWord.COMPLETE


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_part_of_a_regular_lawn_mower_is_never_placed_on_the_wrong_legs_for_sure(
    seed: int, tmp_path: Path
) -> None:
    seen = look(replace(BLOCK, seed=seed, wobble_deg=0.3), tmp_path)
    wrong = seen.centre_error_m > 0.5
    assert not (wrong & seen.sure).any()
    assert seen.word is not VerdictWord.COMPLETE


def test_an_ambiguous_clock_makes_no_hole_certain(tmp_path: Path) -> None:
    seen = look(replace(BLOCK, wobble_deg=0.0, area_m=(7.0, 5.0)), tmp_path)
    assert any(offset.ambiguous for offset in seen.stitch.clock_offsets)
    assert not any(gap.stays for gap in seen.coverage.gaps)
    assert seen.word is VerdictWord.CANNOT_TELL
    assert "clock_ambiguous" in seen.codes


def test_the_lever_arm_of_each_camera_is_recovered_across_the_track(tmp_path: Path) -> None:
    far = (replace(PORT, lever_m=(0.0, 0.4, 0.0)), replace(STBD, lever_m=(0.0, -0.4, 0.0)))
    assert sure_errors(look(replace(SURVEY, cameras=far), tmp_path)) < 0.04


def test_a_rig_file_gives_the_lever_arm_along_the_track(tmp_path: Path) -> None:
    cameras = tuple(replace(one, lever_m=(0.6, one.lever_m[1], 0.1)) for one in (PORT, STBD))
    mounts = tuple(CameraMount(camera=f"AUV01-{one.name}", lever_m=one.lever_m) for one in cameras)
    seen = look(replace(SURVEY, cameras=cameras), tmp_path, rig=Rig(mounts=mounts))
    assert sure_errors(seen) < 0.03


@pytest.mark.parametrize("nose_down", [False, True])
def test_pitch_is_taken_in_either_sign(nose_down: bool, tmp_path: Path) -> None:
    seen = look(replace(SURVEY, wobble_deg=4.0, nav=NavPlan(nose_down_positive=nose_down)), tmp_path)
    assert any("pitch" in warning for warning in seen.stitch.warnings) is nose_down
    assert seen.sure.all()
    assert np.quantile(seen.ground_error_m[seen.sure], 0.95) < 0.06


@pytest.mark.parametrize(
    "nav",
    [
        NavPlan(attitude=False),
        NavPlan(heading_error_deg=12.0),
        NavPlan(depth=False, altitude=False),
        NavPlan(interval_s=1.0),
        NavPlan(gaps=((20.0, 32.0),)),
    ],
    ids=["no attitude", "compass off", "no depth, no altitude", "one fix a second", "a break in the log"],
)
def test_poorer_logs_still_place_every_frame(nav: NavPlan, tmp_path: Path) -> None:
    seen = look(replace(SURVEY, nav=nav), tmp_path)
    assert seen.sure.mean() > 0.97
    assert sure_errors(seen) < 0.06
    assert seen.word is VerdictWord.COMPLETE


def test_without_a_heading_places_are_right_and_the_clock_is_near(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, nav=NavPlan(heading=False, attitude=False)), tmp_path)
    for offset, camera in zip(seen.stitch.clock_offsets, (PORT, STBD), strict=True):
        assert offset.offset_s is not None
        # Course stands for heading and lags in turns: some of it is taken up by the clock.
        assert offset.ambiguous or abs(offset.offset_s - camera.clock_error_s) < 0.5
    assert sure_errors(seen) < 0.04


@pytest.mark.parametrize("turn_deg", [90.0, 180.0, -90.0])
def test_a_camera_mounted_turned_is_found_and_said(turn_deg: float, tmp_path: Path) -> None:
    seen = look(replace(SURVEY, cameras=(replace(PORT, mount_deg=(0.0, 0.0, turn_deg)), STBD)), tmp_path)
    assert any("AUV01-PORT seems to be mounted turned" in warning for warning in seen.stitch.warnings)
    assert seen.sure.all()
    assert np.quantile(seen.ground_error_m, 0.95) < 0.06


def test_a_broken_seam_leaves_two_components_and_both_are_placed(tmp_path: Path) -> None:
    fault = Fault("broken_seam", 50.0, 70.0, camera="AUV01-PORT")
    seen = look(replace(SURVEY, faults=(fault,)), tmp_path)
    assert len(seen.component_of("AUV01-PORT")) == 2
    assert len(seen.component_of("AUV01-STBD")) == 1
    assert any(seam.broken for seam in seen.stitch.seams)
    assert seen.sure.all()
    assert sure_errors(seen) < 0.03


def test_both_sides_of_a_spell_without_reconstruction_are_placed(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, faults=(Fault("unregistered", 25.0, 35.0, camera="AUV01-PORT"),)), tmp_path)
    assert len(seen.component_of("AUV01-PORT")) == 2
    registered = seen.frames["registered"]
    assert seen.sure[registered].all()
    assert set(seen.frames["source"][~registered]) == {"nav"}


def test_a_spurious_component_of_a_wrong_scale_never_counts(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, faults=(Fault("spurious", 30.0, 34.1, 2.5, "AUV01-PORT"),)), tmp_path)
    few = seen.frames["component"] == min(seen.stitch.components, key=lambda part: part.frames).id
    assert 8 <= few.sum() <= 9
    assert not (few & seen.sure).any()


def test_single_frames_far_off_do_not_count_and_do_not_condemn_their_piece(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, faults=(Fault("outliers", 20.0, 30.0, 1.0),)), tmp_path)
    off = seen.centre_error_m > 0.5
    assert off.sum() >= 12
    assert not (off & seen.sure).any()
    assert seen.sure[~off].mean() > 0.95


def test_a_jump_inside_a_component_is_stated_as_uncertain(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, faults=(Fault("jump", 30.0, 40.0, 0.6),)), tmp_path)
    sigma = seen.frames["place_sigma_m"]
    assert (seen.centre_error_m < 2.5 * sigma).mean() > 0.95
    assert float(np.median(sigma)) > 0.1


@pytest.mark.parametrize("attitude", [True, False])
def test_pictures_that_look_elsewhere_do_not_count(attitude: bool, tmp_path: Path) -> None:
    plan = replace(SURVEY, nav=NavPlan(attitude=attitude), faults=(Fault("tilted", 30.0, 38.0, 30.0),))
    seen = look(plan, tmp_path)
    assert not (seen.sure & (seen.ground_error_m > 0.5)).any()


@pytest.mark.parametrize("walk_m", [0.0, 0.1])
def test_stated_sigmas_hold(walk_m: float, tmp_path: Path) -> None:
    ratios = []
    for seed in range(4):
        nav = NavPlan(noise_m=0.05, walk_m=walk_m, walk_s=4.0, interval_s=1.0)
        seen = look(replace(SURVEY, seed=seed, nav=nav), tmp_path / str(seed))
        errors = seen.ground_error_m / seen.frames["place_sigma_m"]
        ratios.append(errors[np.isfinite(errors)])
    assert np.quantile(np.concatenate(ratios), 0.95) < 2.5


def test_usbl_noise_of_metres_ends_in_cannot_tell_and_not_in_a_crash(tmp_path: Path) -> None:
    nav = NavPlan(noise_m=1.0, walk_m=1.0, walk_s=10.0, interval_s=1.0)
    seen = look(replace(SURVEY, nav=nav), tmp_path)
    assert seen.word is VerdictWord.CANNOT_TELL


def test_a_vehicle_without_nav_is_not_placed_and_makes_no_hole_certain(tmp_path: Path) -> None:
    plan = replace(SURVEY, area_m=(7.0, 7.0), legs_y_m=(0.5, 2.0, 3.5, 5.0, 6.5, 8.0), vehicles=2)
    one = replace(plan, navs=(NavPlan(), NavPlan(given=False)), legs_y_m=(0.5, 3.5, 1.5, 5.5, 2.0, 7.0))
    seen = look(one, tmp_path)
    second = seen.frames["vehicle"] == "AUV02"
    assert not (second & seen.sure).any()
    assert set(seen.frames["source"][second]) == {"none"}
    assert seen.sure[~second].all()
    assert not any(gap.stays for gap in seen.coverage.gaps)


def test_without_nav_and_altitude_there_is_no_scale(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, nav=NavPlan(given=False)), tmp_path)
    assert seen.stitch.scale.source is ScaleSource.NONE
    assert seen.word is VerdictWord.CANNOT_TELL
    assert seen.reasons[0].code == "no_scale"


def test_a_typed_altitude_gives_a_scale_but_no_place_and_no_certain_hole(tmp_path: Path) -> None:
    plan = replace(SURVEY, nav=NavPlan(given=False))
    seen = look(plan, tmp_path, StitchParams(typed_altitude_m=1.6))
    assert seen.stitch.scale.source is ScaleSource.TYPED
    assert not seen.stitch.placed
    assert seen.word is VerdictWord.CANNOT_TELL


def test_a_refused_log_gives_at_most_its_altitude_and_the_reason_is_told(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, nav=NavPlan(refused="it repeats one fix")), tmp_path)
    assert seen.stitch.scale.source is ScaleSource.ALTITUDE
    assert "it repeats one fix" in seen.stitch.scale.detail
    assert seen.word is VerdictWord.CANNOT_TELL


def test_a_site_on_the_antimeridian_is_placed_as_any_other(tmp_path: Path) -> None:
    seen = look(replace(SURVEY, lon_lat=(180.0 - 3e-5, -17.0)), tmp_path)
    assert sure_errors(seen) < 0.03
    assert seen.coverage.asked_area_m2 == pytest.approx(28.0, rel=0.01)
    assert seen.word is VerdictWord.COMPLETE


def test_clouds_in_doubt_do_not_shape_the_seabed(tmp_path: Path) -> None:
    fault = Fault("spurious", 30.0, 34.1, 3.0, "AUV01-PORT")
    look(replace(SURVEY, faults=(fault,)), tmp_path)
    surface = np.load(tmp_path / "stitch" / "surface.npz")
    assert float(np.ptp(surface["height_m"])) < 1.0
