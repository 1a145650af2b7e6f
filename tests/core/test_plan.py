"""Planning: what reruns, what is reused, and why."""

from dataclasses import replace

import pytest

from cosmaqc_gui.core.jobs import Ended
from cosmaqc_gui.core.plan import plan
from cosmaqc_gui.core.planned import Action, Graded, Known, Plan
from tests.core.footage import inventory, recording, stills
from workers.contract.dive import Inventory
from workers.contract.job import VehicleOf
from workers.contract.params import FramesParams, InferenceParams, Params, QualityParams, VerdictParams
from workers.contract.words import Grade, JobState, Side, Stage

FIRST = "AUV01-PORT_0012_01_000"
LAST = "AUV01-PORT_0012_01_001"


def settle(known: Known) -> Known:
    """Let everything that the plan wants be computed, until nothing is left."""
    for _ in range(20):
        planned = plan(known)
        done = {*_set(known.done), *(i.job.id for i in planned.to_run if i.job)}
        grades = {**known.grades}
        for dive in planned.to_grade(grades):
            assert dive.basis is not None
            for segment, job in dive.quality.items():
                grades[segment] = Graded(Grade.PASS, (f"{job.unit}-1", f"{job.unit}-2"), (), dive.basis)
        if planned.at_rest:
            return known
        known = replace(known, done=frozenset(done), grades=grades)
    raise AssertionError("the plan never comes to rest")


def _set(done: object) -> frozenset[str]:
    assert isinstance(done, frozenset)
    return done


@pytest.fixture
def settled() -> Known:
    return settle(Known(inventory(recording([130])), Params()))


def reruns(planned: Plan) -> set[tuple[Stage, str]]:
    """What a plan does not reuse."""
    return {(i.stage, i.unit) for i in planned.items if i.action is not Action.REUSE}


def of_stages(*stages: Stage) -> set[tuple[Stage, str]]:
    return {(s, u) for s in stages for u in ((FIRST, LAST) if s.number in {3, 4, 5} else ("mission",))}


MISSION = (Stage.STITCH, Stage.COVERAGE, Stage.VERDICT)


def test_that_a_finished_mission_needs_nothing(settled: Known) -> None:
    assert reruns(plan(settled)) == set()


def test_that_changing_a_quality_threshold_reuses_frames_and_reruns_quality(settled: Known) -> None:
    changed = replace(settled, params=Params(quality=QualityParams(sharpness_fraction=0.3)))
    assert reruns(plan(changed)) == of_stages(Stage.QUALITY, Stage.INFERENCE, *MISSION)


def test_that_quality_with_the_same_usable_frames_reuses_inference(settled: Known) -> None:
    changed = replace(settled, params=Params(quality=QualityParams(sharpness_fraction=0.3)))
    after = settle(changed)
    inference = {i for i in _set(after.done) if i.startswith("inference/")}
    assert inference == {i for i in _set(settled.done) if i.startswith("inference/")}


def test_that_changing_a_frames_param_reruns_all_but_telemetry(settled: Known) -> None:
    changed = replace(settled, params=Params(frames=FramesParams(frames_per_s=3.0)))
    assert reruns(plan(changed)) == of_stages(Stage.FRAMES, Stage.QUALITY, Stage.INFERENCE, *MISSION)


def test_that_changing_an_inference_param_reuses_frames_and_quality(settled: Known) -> None:
    changed = replace(settled, params=Params(inference=InferenceParams(features=4096)))
    assert reruns(plan(changed)) == of_stages(Stage.INFERENCE, *MISSION)


def test_that_changing_a_verdict_param_reruns_the_verdict_alone(settled: Known) -> None:
    changed = replace(settled, params=Params(verdict=VerdictParams(complete_fraction=0.9)))
    assert reruns(plan(changed)) == of_stages(Stage.VERDICT)


def test_that_correcting_a_vehicle_reruns_from_stitch_only(settled: Known) -> None:
    vehicle = VehicleOf(camera="AUV01-PORT", vehicle="AUV02", side=Side.STARBOARD)
    assert reruns(plan(replace(settled, vehicles=(vehicle,)))) == of_stages(*MISSION)


def test_that_a_new_aoi_reruns_from_coverage_only(settled: Known) -> None:
    from pathlib import Path

    from workers.contract.dive import Aoi
    from workers.contract.words import AoiSource

    aoi = Aoi(path=Path("inputs/aoi.geojson"), checksum="a" * 16, source=AoiSource.FILE)
    changed = replace(settled, inventory=settled.inventory.model_copy(update={"aoi": aoi}))
    assert reruns(plan(changed)) == of_stages(Stage.COVERAGE, Stage.VERDICT)


def test_that_a_later_chapter_rekeys_only_the_segment_that_reads_into_it(settled: Known) -> None:
    longer = replace(settled, inventory=inventory(recording([130, 60])))
    new = "AUV01-PORT_0012_02_000"
    frames = {u for s, u in reruns(plan(longer)) if s is Stage.FRAMES}
    assert frames == {LAST, new}


def test_that_another_cameras_footage_rekeys_nothing(settled: Known) -> None:
    more = replace(
        settled, inventory=inventory(recording([130]), recording([60], camera="AUV02-PORT", tag="b"))
    )
    planned = plan(more)
    assert planned.item(Stage.INFERENCE, FIRST).action is Action.REUSE
    assert {u for s, u in reruns(planned) if s is Stage.FRAMES} == {"AUV02-PORT_0012_01_000"}


def test_that_moving_the_footage_rekeys_nothing(settled: Known) -> None:
    text = settled.inventory.model_dump_json().replace("/card/", "/other/place/")
    moved = replace(settled, inventory=Inventory.model_validate_json(text))
    assert reruns(plan(moved)) == set()


def test_that_inference_waits_until_the_whole_dive_can_be_ranked() -> None:
    known = Known(inventory(recording([130])), Params())
    frames = {i.job.id for i in plan(known).to_run if i.job}
    known = replace(known, done=frozenset(frames))
    one = plan(known).item(Stage.QUALITY, FIRST).job
    assert one is not None
    planned = plan(replace(known, done=frozenset({*frames, one.id})))
    assert planned.item(Stage.INFERENCE, FIRST).action is Action.WAIT
    assert planned.dives[0].basis is None


def test_that_vehicles_are_ranked_apart() -> None:
    known = Known(inventory(recording([60]), recording([60], camera="AUV02-PORT", tag="b")), Params())
    known = replace(known, done=frozenset(i.job.id for i in plan(known).to_run if i.job))
    one = plan(known).item(Stage.QUALITY, "AUV01-PORT_0012_01_000").job
    assert one is not None
    planned = plan(replace(known, done=frozenset({*_set(known.done), one.id})))
    assert [d.vehicle for d in planned.to_grade({})] == ["AUV01"]


def test_that_a_failed_segment_comes_to_rest_and_the_mission_goes_on(settled: Known) -> None:
    job = plan(settled).item(Stage.INFERENCE, FIRST).job
    assert job is not None
    failed = Ended(JobState.FAILED, "reconstruction_failed", "No component.", "Replay.")
    planned = plan(replace(settled, done=_set(settled.done) - {job.id}, ended={job.id: failed}))
    assert planned.item(Stage.INFERENCE, FIRST).action is Action.ENDED
    assert planned.item(Stage.STITCH).action is Action.RUN
    assert [(r.state, r.reason) for r in planned.results] == [
        (JobState.FAILED, "No component."),
        (JobState.SUCCEEDED, None),
    ]


def test_that_a_failed_frames_job_ends_the_later_stages_of_its_segment(settled: Known) -> None:
    job = plan(settled).item(Stage.FRAMES, FIRST).job
    assert job is not None
    failed = Ended(JobState.FAILED, "file_unreadable", "Torn.", "")
    planned = plan(replace(settled, done=_set(settled.done) - {job.id}, ended={job.id: failed}))
    assert planned.item(Stage.INFERENCE, FIRST).action is Action.ENDED
    assert planned.results[0].state is JobState.FAILED


def test_that_a_failed_grade_skips_inference_with_its_reason(settled: Known) -> None:
    basis = plan(settled).dives[0].basis
    assert basis is not None
    grades = {**settled.grades, FIRST: Graded(Grade.FAIL, (), ("3 usable frames",), basis)}
    planned = plan(replace(settled, grades=grades))
    item = planned.item(Stage.INFERENCE, FIRST)
    assert (item.action, item.why) == (Action.SKIP, "3 usable frames")
    assert planned.results[0].state is JobState.SKIPPED
    assert planned.results[0].inference is None


def test_that_missing_footage_holds_its_segment_and_not_the_others(settled: Known) -> None:
    job = plan(settled).item(Stage.FRAMES, FIRST).job
    assert job is not None
    planned = plan(replace(settled, done=_set(settled.done) - {job.id}, held={job.id}))
    assert planned.item(Stage.FRAMES, FIRST).action is Action.HELD
    assert not planned.at_rest
    assert planned.dives[0].basis is not None, "the dive is ranked without the segment"


def test_that_unfinished_segments_are_counted_for_the_verdict(settled: Known) -> None:
    job = plan(settled).item(Stage.INFERENCE, FIRST).job
    assert job is not None
    cancelled = Ended(JobState.CANCELLED, "cancelled", "", "")
    known = settle(replace(settled, done=_set(settled.done) - {job.id}, ended={job.id: cancelled}))
    verdict = plan(known).item(Stage.VERDICT).job
    assert verdict is not None
    assert verdict.inputs["unfinished"] == 1


def test_that_a_plan_says_which_param_changed(settled: Known) -> None:
    before = {(i.stage, i.unit): i.job for i in plan(settled).items if i.job}
    changed = replace(settled, params=Params(quality=QualityParams(min_matches=30)), before=before)
    assert (
        plan(changed).item(Stage.QUALITY, FIRST).why
        == f"quality.min_matches: {Params().quality.min_matches} -> 30"
    )


def test_that_footage_that_is_being_ingested_holds_back_the_mission_stages(settled: Known) -> None:
    planned = plan(replace(settled, ingesting=True))
    assert planned.item(Stage.STITCH).action is Action.WAIT


def test_that_stills_are_planned_like_footage() -> None:
    known = settle(Known(inventory(stills(300)), Params()))
    assert len(plan(known).segments) == 3
