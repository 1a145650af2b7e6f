"""What the window and the command line ask of the engine: rows of the control table, carried out one by one.

==================  =================================================================================
``add_footage``     body: an :class:`IngestRequest`; ingested one at a time, in order
``set_camera``      subject: camera id; body: ``vehicle``, ``side``. Reruns from 06 on only
``cancel``          subject: job id
``retry``           subject: job id that failed or was cancelled
``pause``           start nothing new; what runs is finished
``resume``          go on
``stop``            stop now; what runs goes back to the queue
``stop_after_this`` finish what runs, then stop
==================  =================================================================================
"""

import logging
import uuid
from pathlib import Path

from cosmaqc_gui.core.line import PRIORITY, Line
from cosmaqc_gui.core.scheduler import Scheduler
from cosmaqc_gui.core.store import Control, Store
from workers.contract.dive import Frozen
from workers.contract.job import IngestInputs, Job, key_of
from workers.contract.words import JobState, Side, Stage

log = logging.getLogger(__name__)


class IngestRequest(Frozen):
    """What the operator named, as absolute paths; ``nav`` pairs a vehicle, or None, with a file."""

    footage: tuple[Path, ...] = ()
    nav: tuple[tuple[str | None, Path], ...] = ()
    aoi: Path | None = None
    rig: Path | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was named."""
        return not (self.footage or self.nav or self.aoi or self.rig)


def ask_to_ingest(store: Store, request: IngestRequest) -> None:
    """Ask for footage to be ingested, unless just that is waiting or half done already."""
    wanted = request.model_dump(mode="json")
    if any(c.verb == "add_footage" and c.body == wanted for c in store.open_controls()):
        return
    rows = store.connection.execute(
        "SELECT body FROM job WHERE stage = ? AND state IN (?, ?)",
        (Stage.INGEST.value, JobState.QUEUED.value, JobState.RUNNING.value),
    )
    for row in rows:
        inputs = Job.model_validate_json(row["body"]).inputs
        if {name: inputs.get(name) for name in wanted} == wanted:
            return
    store.add_control("add_footage", body=wanted)


def forget_stale(store: Store) -> None:
    """At the start of an engine: what was asked of a former one's running, not of the mission, is void."""
    with store.transaction():
        for wish in store.open_controls():
            if wish.verb in {"pause", "resume", "stop", "stop_after_this"}:
                store.control_done(wish.seq)


class Wishes:
    """Carries out what is asked. ``stop`` and ``stop_after_this`` become flags for the engine."""

    def __init__(self, line: Line, scheduler: Scheduler) -> None:
        self.line = line
        self.scheduler = scheduler
        self.stop = False
        self.stop_after_this = False

    def carry_out(self) -> bool:
        """Carry out what is open; whether the plan has to be made anew."""
        changed = False
        store = self.line.store
        for wish in store.open_controls():
            with store.transaction():
                if self._one(wish):
                    store.control_done(wish.seq)
                    changed = True
        return changed

    def _one(self, wish: Control) -> bool:
        """Carry out one wish; False when it has to wait."""
        match wish.verb:
            case "add_footage":
                return self._ingest(wish)
            case "set_camera":
                side = Side(str(wish.body["side"]))
                body = {"vehicle": str(wish.body["vehicle"]), "side": side.value}
                self.line.store.append("vehicle_set", wish.subject, {**body})
            case "cancel":
                self._cancel(wish.subject)
            case "retry":
                self.line.jobs.forget_ended(lambda job_id, _: job_id == wish.subject)
            case "pause" | "resume":
                self.scheduler.paused = wish.verb == "pause"
                self.line.store.append("paused" if self.scheduler.paused else "resumed")
            case "stop":
                self.stop = True
            case "stop_after_this":
                self.stop_after_this = True
            case _:
                log.error("nobody knows what %r means; it is left out", wish.verb)
        return True

    def _ingest(self, wish: Control) -> bool:
        """Queue the ingest, with what is known by then. Its key is a nonce: 01 looks at the world each time."""
        if self.line.jobs.any_of(Stage.INGEST):
            return False
        self.line.refresh()
        request = IngestRequest.model_validate(wish.body)
        inputs = IngestInputs(
            footage=request.footage,
            nav=request.nav,
            aoi=request.aoi,
            rig=request.rig,
            before=self.line.snapshot.inventory,
            known=self.line.store.known_files(),
        )
        params = self.line.mission.params.ingest
        job = Job(
            stage=Stage.INGEST,
            unit=f"scan-{wish.seq:04d}",
            key=key_of(Stage.INGEST, params, [uuid.uuid4().hex]),
            params=params.model_dump(mode="json"),
            inputs=inputs.model_dump(mode="json"),
        )
        self.line.jobs.enqueue(job, PRIORITY[Stage.INGEST], "footage was given")
        return True

    def _cancel(self, job_id: str) -> None:
        if job_id in self.scheduler.running:
            self.scheduler.cancel(job_id, "operator")
        elif self.line.jobs.states().get(job_id, (None, None))[0] is JobState.QUEUED:
            body = {"code": "cancelled", "cause": "cancelled by the operator"}
            self.line.jobs.settle(job_id, JobState.CANCELLED, "job_cancelled", {**body})
