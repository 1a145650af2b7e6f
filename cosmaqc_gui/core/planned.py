"""What a plan is made of: what is known, and every stage on every unit with what is wanted of it."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cosmaqc_gui.core.jobs import Ended
from workers.contract.dive import Inventory, Segment
from workers.contract.job import Job, SegmentResult, VehicleOf
from workers.contract.params import Params
from workers.contract.words import Grade, JobState, Stage

MISSION_UNIT = "mission"


class Action(StrEnum):
    """What the plan wants of one stage on one unit."""

    REUSE = "reuse"
    RUN = "run"
    WAIT = "wait"
    HELD = "held"
    SKIP = "skip"
    ENDED = "ended"


@dataclass(frozen=True)
class Item:
    """One stage on one unit.

    ``job`` is None while its inputs, and so its key, are not known; ``ended`` says how a job, or the one before it,
    came to rest without an output.
    """

    stage: Stage
    unit: str
    action: Action
    why: str
    job: Job | None = None
    ended: JobState | None = None

    @property
    def at_rest(self) -> bool:
        """Whether nothing more will happen here under this plan."""
        return self.action in {Action.REUSE, Action.SKIP, Action.ENDED}

    @property
    def settled(self) -> bool:
        """At rest, or held for footage that is not there: nothing else should wait for it."""
        return self.at_rest or self.action is Action.HELD

    @property
    def output(self) -> Job | None:
        """The job whose output can be used, if it exists."""
        return self.job if self.action is Action.REUSE else None


@dataclass(frozen=True)
class Graded:
    """A segment's grade; ``basis`` names the dive's quality outputs that it was ranked among."""

    grade: Grade
    usable: tuple[str, ...]
    reasons: tuple[str, ...]
    basis: str


@dataclass(frozen=True)
class Known:
    """All that planning depends on.

    Attributes:
        inventory: what was filmed.
        params: the params of the line.
        vehicles: vehicle and side of each camera, as corrected.
        done: ids of jobs whose output exists.
        ended: jobs that failed or were cancelled, by id.
        held: ids of jobs whose footage is not there at the moment.
        grades: by segment id.
        before: the last job of a stage on a unit, whatever its key; only to say why something reruns.
        ingesting: footage is being ingested, so the mission's stages wait for more segments.
    """

    inventory: Inventory
    params: Params
    vehicles: tuple[VehicleOf, ...] = ()
    done: Container[str] = frozenset()
    ended: Mapping[str, Ended] = field(default_factory=dict)
    held: Container[str] = frozenset()
    grades: Mapping[str, Graded] = field(default_factory=dict)
    before: Mapping[tuple[Stage, str], Job] = field(default_factory=dict)
    ingesting: bool = False


@dataclass(frozen=True)
class Dive:
    """The segments of one vehicle, which are ranked together.

    ``basis`` names the quality outputs to rank; None while some are still to come. ``quality`` maps segment ids to
    the jobs whose outputs they are.
    """

    vehicle: str
    basis: str | None
    quality: Mapping[str, Job]


@dataclass(frozen=True)
class Plan:
    """Every stage on every unit, in the order of the line."""

    items: tuple[Item, ...]
    segments: tuple[Segment, ...]
    results: tuple[SegmentResult, ...]
    dives: tuple[Dive, ...]

    @property
    def to_run(self) -> tuple[Item, ...]:
        """What can be queued now."""
        return tuple(i for i in self.items if i.action is Action.RUN)

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to run and nothing to wait for."""
        return all(i.at_rest for i in self.items)

    def item(self, stage: Stage, unit: str = MISSION_UNIT) -> Item:
        """One stage on one unit; KeyError when the plan has none."""
        for item in self.items:
            if item.stage is stage and item.unit == unit:
                return item
        raise KeyError((stage, unit))

    def to_grade(self, grades: Mapping[str, Graded]) -> tuple[Dive, ...]:
        """Dives whose segments have all come to rest and are not ranked yet."""
        return tuple(
            dive
            for dive in self.dives
            if dive.basis is not None
            and any(s not in grades or grades[s].basis != dive.basis for s in dive.quality)
        )
