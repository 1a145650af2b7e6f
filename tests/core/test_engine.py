"""The engine over the fake line: what it computes, what it reuses, what it does when things go wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cosmaqc_gui.core import snapshot
from cosmaqc_gui.core.engine import Engine, Outcome
from cosmaqc_gui.core.snapshot import Snapshot
from cosmaqc_gui.core.store import Store
from cosmaqc_gui.core.wishes import IngestRequest
from tests.core.fake_line import SETTINGS, Heard, engine, film, read_verdict, run
from workers.contract import layout
from workers.contract.errors import MissionLocked, NoFootage
from workers.contract.words import Grade, JobState, Stage

PATIENCE_S = 60.0
PORT = "AUV01/PORT/GX010012.MP4"
STBD = "AUV01/STBD/GX010015.MP4"
PORT_SEGMENT = "AUV01-PORT_0012_01_000"
STBD_SEGMENT = "AUV01-STBD_0015_01_000"


@pytest.fixture
def mission(tmp_path: Path) -> Path:
    return tmp_path / "mission"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


def look(mission: Path) -> Snapshot:
    with closing(Store(mission / layout.MISSION_SQLITE)) as store:
        return snapshot.load(store)


def ask(mission: Path, verb: str, subject: str = "", **body: str) -> None:
    with closing(Store(mission / layout.MISSION_SQLITE)) as store:
        store.add_control(verb, subject, {**body})


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def has(mission: Path, stage: Stage, unit: str, state: JobState) -> bool:
    if not (mission / layout.MISSION_SQLITE).exists():
        return False
    cell = look(mission).cell(stage, unit)
    return cell is not None and cell.state is state


@contextmanager
def working(work: Engine, *footage: Path) -> Iterator[list[Outcome]]:
    """An engine in a thread of its own; stopped at the end when it has not ended by then."""
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(work.run(IngestRequest(footage=footage), {})))
    thread.start()
    try:
        yield outcomes
    finally:
        work.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def outputs(mission: Path) -> dict[str, int]:
    """Inode of every output folder: a folder that was computed again has another one."""
    return {
        str(p.parent.relative_to(mission)): p.parent.stat().st_ino
        for p in (mission / "work").rglob(layout.MANIFEST)
        if "ingest" not in p.parts
    }


def test_that_a_run_ends_in_a_published_verdict(mission: Path, card: Path) -> None:
    film(card, PORT, 130)
    film(card, STBD)
    outcome = run(mission, card)
    assert outcome.verdict == mission / "products" / "verdict.json"
    assert read_verdict(mission)["verdict"] == "complete"
    assert (mission / "products" / "report.html").exists()
    assert not list(mission.rglob(".partial-*"))


def test_that_a_second_run_computes_nothing_again(mission: Path, card: Path) -> None:
    film(card, PORT, 130)
    run(mission, card)
    before = outputs(mission)
    run(mission, card)
    run(mission)
    assert outputs(mission) == before


def test_that_a_failed_segment_does_not_end_the_batch(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "inference", "do": "fail"}])
    film(card, STBD)
    run(mission, card)
    verdict = read_verdict(mission)
    assert verdict["verdict"] == "not_complete"
    assert verdict["segments"]["by_state"] == {"failed": 1, "succeeded": 1}
    cell = look(mission).cell(Stage.INFERENCE, PORT_SEGMENT)
    assert cell is not None
    assert (cell.code, bool(cell.hint)) == ("reconstruction_failed", True)


def test_that_a_failure_that_lies_in_the_footage_is_not_tried_again_by_the_next_run(
    mission: Path, card: Path
) -> None:
    path = film(card, PORT, acts=[{"at": "inference", "do": "fail"}])
    run(mission, card)
    run(mission)
    assert Path(f"{path}.0.tally.inference").read_bytes() == b"x"


def test_that_a_defect_is_tried_again_by_the_next_run(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "inference", "do": "crash", "times": 1}])
    run(mission, card)
    assert read_verdict(mission)["verdict"] == "not_complete"
    run(mission)
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_a_worker_that_dies_is_tried_again(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "quality", "do": "die", "times": 2}])
    run(mission, card)
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_a_worker_that_somebody_kills_is_tried_more_often_than_one_that_crashes(
    mission: Path, card: Path
) -> None:
    film(card, PORT, acts=[{"at": "quality", "do": "die", "signal": 9, "times": 5}])
    run(mission, card)
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_a_worker_that_keeps_dying_fails_after_three_attempts(mission: Path, card: Path) -> None:
    path = film(card, PORT, acts=[{"at": "quality", "do": "die"}])
    run(mission, card)
    assert Path(f"{path}.0.tally.quality").read_bytes() == b"xxx"
    cell = look(mission).cell(Stage.QUALITY, PORT_SEGMENT)
    assert cell is not None
    assert (cell.state, cell.code) == (JobState.FAILED, "worker_died")


def test_that_blurred_footage_fails_its_grade_and_skips_inference(mission: Path, card: Path) -> None:
    film(card, PORT, sharpness=10.0)
    film(card, STBD, sharpness=100.0)
    run(mission, card)
    now = look(mission)
    assert now.grades[PORT_SEGMENT].grade is Grade.FAIL
    cell = now.cell(Stage.INFERENCE, PORT_SEGMENT)
    assert cell is not None
    assert (cell.state, cell.cause) == (JobState.SKIPPED, "0 usable frames")


def test_that_added_footage_ranks_the_dive_anew_and_reruns_only_what_changed(
    mission: Path, card: Path
) -> None:
    film(card, PORT, sharpness=30.0)
    film(card, STBD, sharpness=60.0)
    run(mission, card)
    before = outputs(mission)
    assert read_verdict(mission)["verdict"] == "complete"
    film(card, "AUV01/STBD/GX010016.MP4", sharpness=100.0)
    run(mission, card)
    after = outputs(mission)
    assert look(mission).grades[PORT_SEGMENT].grade is Grade.FAIL, "against the sharper footage it is blurred"
    kept = {p for p in before if "/mission/" not in p}
    assert {p: after[p] for p in kept} == {p: before[p] for p in kept}
    new = {p.split("/")[1] for p in after.keys() - before.keys() if "0016" not in p}
    assert new == {"stitch", "coverage", "verdict"}


def test_that_changing_a_param_is_kept_in_the_mission_and_reuses_what_it_can(
    mission: Path, card: Path
) -> None:
    film(card, PORT)
    run(mission, card)
    before = outputs(mission)
    run(mission, changes={"verdict": {"complete_fraction": 0.9}})
    new = outputs(mission).keys() - before.keys()
    assert [p.split("/")[1] for p in new] == ["verdict"]
    assert "complete_fraction = 0.9" in (mission / layout.MISSION_TOML).read_text()


def test_that_superseded_outputs_of_the_mission_stages_are_removed(mission: Path, card: Path) -> None:
    film(card, PORT)
    run(mission, card)
    film(card, STBD)
    run(mission, card)
    for stage in ("stitch", "coverage", "verdict"):
        assert len(list((mission / "work" / stage / "mission").glob("*/manifest.json"))) == 1


def test_that_correcting_a_camera_reruns_from_stitch_only(mission: Path, card: Path) -> None:
    film(card, PORT)
    run(mission, card)
    before = outputs(mission)
    ask(mission, "set_camera", "AUV01-PORT", vehicle="AUV02", side="starboard")
    run(mission)
    new = {p.split("/")[1] for p in outputs(mission).keys() - before.keys()}
    assert new == {"stitch", "coverage", "verdict"}
    assert look(mission).vehicle_of("AUV01-PORT").vehicle == "AUV02"


def test_that_an_unreadable_aoi_is_refused_with_its_cause(mission: Path, card: Path, tmp_path: Path) -> None:
    film(card, PORT)
    bad = tmp_path / "aoi.geojson"
    bad.write_text("nothing")
    refused = run(mission, card, aoi=bad).refused
    assert refused is not None
    assert refused.code == "aoi_unreadable"
    good = tmp_path / "good.geojson"
    good.write_text("polygon")
    assert run(mission, card, aoi=good).verdict is not None


def test_that_a_mission_without_footage_is_refused(mission: Path, card: Path) -> None:
    with pytest.raises(NoFootage):
        run(mission)
    card.mkdir()
    refused = run(mission, card).refused
    assert refused is not None
    assert refused.code == "no_footage"


def test_that_a_second_engine_is_refused(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "frames", "do": "sleep", "s": 60}])
    with working(engine(mission), card):
        wait(lambda: has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.RUNNING))
        with pytest.raises(MissionLocked, match=r"process \d+"):
            run(mission, card)


def test_that_a_stopped_engine_goes_on_where_it_was(mission: Path, card: Path) -> None:
    path = film(card, PORT, acts=[{"at": "inference", "do": "sleep", "s": 60, "times": 1}])
    with working(engine(mission), card) as outcomes:
        wait(Path(f"{path}.0.tally.inference").exists)
    assert outcomes == [Outcome(stopped=True)]
    assert not list(mission.rglob(".partial-*"))
    before = outputs(mission)
    cell = look(mission).cell(Stage.INFERENCE, PORT_SEGMENT)
    assert cell is not None
    assert (cell.state, cell.attempt) == (JobState.QUEUED, 0)
    run(mission)
    assert read_verdict(mission)["verdict"] == "complete"
    assert before.items() <= outputs(mission).items()


def test_that_footage_that_was_taken_out_is_waited_for(mission: Path, card: Path) -> None:
    path = film(card, PORT)
    film(card, STBD, acts=[{"at": "ingest", "do": "sleep", "s": 1}])
    heard = Heard()
    with working(engine(mission, heard), card) as outcomes:
        wait(lambda: has(mission, Stage.INGEST, "scan-0001", JobState.RUNNING))
        time.sleep(0.7)
        away = path.rename(path.with_suffix(".away"))
        wait((mission / "products" / "verdict.json").exists)
        assert read_verdict(mission)["verdict"] == "cannot_tell", "the others are finished; this one is not"
        assert not outcomes
        assert any("is not there" in s for s in heard.sentences)
        away.rename(path)
        wait(lambda: bool(outcomes))
    assert read_verdict(mission)["verdict"] == "complete"
    cell = look(mission).cell(Stage.FRAMES, PORT_SEGMENT)
    assert cell is not None
    assert cell.attempt == 0, "a missing card is no attempt"


def test_that_a_cancelled_job_leaves_the_rest_running_and_can_be_retried(mission: Path, card: Path) -> None:
    path = film(card, PORT, acts=[{"at": "inference", "do": "sleep", "s": 60, "times": 1}])
    film(card, STBD, acts=[{"at": "inference", "do": "sleep", "s": 2}])
    with working(engine(mission), card) as outcomes:
        wait(Path(f"{path}.0.tally.inference").exists)
        cell = look(mission).cell(Stage.INFERENCE, PORT_SEGMENT)
        assert cell is not None
        ask(mission, "cancel", cell.job)
        wait(lambda: has(mission, Stage.INFERENCE, PORT_SEGMENT, JobState.CANCELLED))
        ask(mission, "retry", cell.job)
        wait(lambda: bool(outcomes))
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_a_cancelled_segment_makes_the_verdict_say_cannot_tell(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "inference", "do": "sleep", "s": 60}])
    film(card, STBD)
    with working(engine(mission), card) as outcomes:
        wait(lambda: has(mission, Stage.INFERENCE, PORT_SEGMENT, JobState.RUNNING))
        cell = look(mission).cell(Stage.INFERENCE, PORT_SEGMENT)
        assert cell is not None
        ask(mission, "cancel", cell.job)
        wait(lambda: bool(outcomes))
    assert read_verdict(mission)["verdict"] == "cannot_tell"


def test_that_a_paused_engine_starts_nothing_new_until_it_is_resumed(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "frames", "do": "sleep", "s": 1}])
    with working(engine(mission), card) as outcomes:
        wait(lambda: has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.RUNNING))
        ask(mission, "pause")
        wait(lambda: has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.SUCCEEDED))
        time.sleep(1)
        assert has(mission, Stage.QUALITY, PORT_SEGMENT, JobState.QUEUED)
        assert look(mission).paused
        ask(mission, "resume")
        wait(lambda: bool(outcomes))
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_stop_after_this_finishes_what_runs(mission: Path, card: Path) -> None:
    film(card, PORT, acts=[{"at": "frames", "do": "sleep", "s": 1}])
    with working(engine(mission), card) as outcomes:
        wait(lambda: has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.RUNNING))
        ask(mission, "stop_after_this")
        wait(lambda: bool(outcomes))
    assert outcomes == [Outcome(stopped=True)]
    assert has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.SUCCEEDED)


def test_that_footage_given_while_the_engine_works_joins_the_mission(mission: Path, card: Path) -> None:
    film(card / "a", PORT, acts=[{"at": "frames", "do": "sleep", "s": 1}])
    film(card / "b", STBD)
    with working(engine(mission), card / "a") as outcomes:
        wait(lambda: has(mission, Stage.FRAMES, PORT_SEGMENT, JobState.RUNNING))
        with closing(Store(mission / layout.MISSION_SQLITE)) as store:
            request = IngestRequest(footage=(card / "b",)).model_dump(mode="json")
            store.add_control("add_footage", "", request)
        wait(lambda: bool(outcomes))
    assert read_verdict(mission)["segments"]["by_state"] == {"succeeded": 2}


def test_that_an_output_removed_by_hand_is_computed_again(mission: Path, card: Path) -> None:
    import shutil

    film(card, PORT)
    run(mission, card)
    shutil.rmtree(mission / "work" / "quality")
    run(mission)
    assert len(list((mission / "work" / "quality").rglob(layout.MANIFEST))) == 1


def test_that_settings_do_not_rekey_anything(mission: Path, card: Path) -> None:
    film(card, PORT, 130)
    run(mission, card)
    before = outputs(mission)
    run(mission, settings=SETTINGS.model_copy(update={"lanes": 1, "worker_memory_mib": 4096}))
    assert outputs(mission) == before


def test_that_a_job_left_from_an_interrupted_run_is_dropped_when_the_params_changed(
    mission: Path, card: Path
) -> None:
    """It is claimed before the first plan, and must not be claimed over and over once nobody asks for it."""
    film(card, PORT, acts=[{"at": "inference", "do": "sleep", "s": 4}])
    with working(engine(mission), card):
        wait(lambda: has(mission, Stage.INFERENCE, PORT_SEGMENT, JobState.RUNNING))
        cell = look(mission).cell(Stage.INFERENCE, PORT_SEGMENT)
    assert cell is not None
    outcome = run(mission, changes={"inference": {"features": 1024}})
    assert outcome.verdict is not None
    with closing(Store(mission / layout.MISSION_SQLITE)) as store:
        events = [event.kind for event in store.events_after(0) if event.subject == cell.job]
    assert events.count("job_started") <= 2
    assert events[-1] == "job_withdrawn"
