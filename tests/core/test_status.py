"""Progress in words, and time left as a range."""

from dataclasses import replace

from cosmaqc_gui.core.eta import time_left
from cosmaqc_gui.core.plan import plan
from cosmaqc_gui.core.planned import Known
from cosmaqc_gui.core.report_text import plan_text
from cosmaqc_gui.core.snapshot import Snapshot
from cosmaqc_gui.core.status import status_of
from tests.core.footage import inventory, recording
from workers.contract.params import Params
from workers.contract.words import Stage


def test_that_time_left_is_a_range_that_narrows_with_what_was_seen() -> None:
    blind = time_left({Stage.INFERENCE: 10}, {}, 2)
    some = time_left({Stage.INFERENCE: 10}, {Stage.INFERENCE: [100.0]}, 2)
    many = time_left({Stage.INFERENCE: 10}, {Stage.INFERENCE: [100.0] * 5}, 2)
    assert blind.low_s < some.low_s < many.low_s < 500 < many.high_s < some.high_s < blind.high_s
    assert (blind.basis, many.basis) == (
        "from typical times",
        "from 5 finished jobs of the stages still to do",
    )


def test_that_more_lanes_need_less_time_but_not_for_a_single_job() -> None:
    took = {Stage.INFERENCE: [100.0] * 5}
    assert time_left({Stage.INFERENCE: 10}, took, 4).high_s < time_left({Stage.INFERENCE: 10}, took, 2).high_s
    assert time_left({Stage.INFERENCE: 1}, took, 4) == time_left({Stage.INFERENCE: 1}, took, 1)


def test_that_time_left_reads_as_a_range_in_minutes() -> None:
    assert time_left({Stage.INFERENCE: 30}, {Stage.INFERENCE: [100.0] * 5}, 1).text == "about 40-60 min"
    assert time_left({}, {}, 1).text == "less than a minute"


def test_that_the_progress_line_counts_segments_by_stage() -> None:
    known = Known(inventory(recording([130])), Params())
    one = plan(known).to_run[1].job
    assert one is not None
    planned = plan(replace(known, done={one.id}))
    running = {i.job.id: 0.5 for i in planned.to_run if i.job and i.stage is Stage.QUALITY}
    text = status_of(planned, Snapshot(), running, [], 2).text
    assert text.startswith("03 frames 1/2 · 04 quality 0/2 · about")


def test_that_held_work_is_said_in_place_of_a_time() -> None:
    known = Known(inventory(recording([60])), Params())
    job = plan(known).to_run[1].job
    assert job is not None
    text = status_of(plan(replace(known, held={job.id})), Snapshot(), {}, [], 2).text
    assert text.endswith("1 segment waits for footage that is not there")


def test_that_a_plan_reads_stage_by_stage() -> None:
    text = plan_text(plan(Known(inventory(recording([130])), Params())))
    assert text.splitlines()[:4] == [
        "02 telemetry: 1 to run",
        "   to run (1): not computed yet",
        "03 frames: 2 to run",
        "   to run (2): not computed yet",
    ]
