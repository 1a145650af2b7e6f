"""Time left, as a range with its basis: never one number, because nobody knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from workers.contract.words import Stage

TYPICAL_S = {
    Stage.INGEST: 5.0,
    Stage.TELEMETRY: 2.0,
    Stage.FRAMES: 15.0,
    Stage.QUALITY: 15.0,
    Stage.INFERENCE: 150.0,
    Stage.STITCH: 60.0,
    Stage.COVERAGE: 15.0,
    Stage.VERDICT: 15.0,
}
"""Seconds a job on the two-core machine that the demo dive was measured on; believed within a factor of three."""

ENOUGH = 3
"""Jobs of a stage to have seen before its own times are believed."""


@dataclass(frozen=True)
class TimeLeft:
    """Between ``low_s`` and ``high_s`` seconds; ``basis`` says what that rests on."""

    low_s: float
    high_s: float
    basis: str

    @property
    def text(self) -> str:
        """In words, rounded to what is known."""
        low, high = _minutes(self.low_s), _minutes(self.high_s)
        if self.high_s < 60:
            return "less than a minute"
        return f"about {low}-{high} min" if low != high else f"about {high} min"


def time_left(
    remaining: Mapping[Stage, float], took: Mapping[Stage, Sequence[float]], lanes: int
) -> TimeLeft:
    """How long the rest will take.

    Args:
        remaining: jobs still to do by stage; a running one counts for the part of it that is left.
        took: seconds of finished jobs by stage.
        lanes: jobs that run at the same time. A stage with fewer jobs than lanes cannot use them all.
    """
    low = high = 0.0
    seen = 0
    for stage, count in remaining.items():
        if count <= 0:
            continue
        times = took.get(stage, ())
        seen += len(times)
        if len(times) >= ENOUGH:
            mean = fmean(times)
            spread = max(0.15 * mean, 2.0 * pstdev(times) / len(times) ** 0.5)
            each_low, each_high = max(mean - spread, 0.5 * mean), mean + spread
        elif times:
            each_low, each_high = 0.6 * fmean(times), 1.8 * fmean(times)
        else:
            each_low, each_high = TYPICAL_S[stage] / 3.0, TYPICAL_S[stage] * 3.0
        width = max(1.0, min(float(lanes), count))
        low += each_low * count / width
        high += each_high * count / width
    basis = f"from {seen} finished jobs of the stages still to do" if seen else "from typical times"
    return TimeLeft(low, high, basis)


def _minutes(seconds: float) -> int:
    minutes = seconds / 60.0
    if minutes < 10:
        return max(1, round(minutes))
    return round(minutes / 5) * 5
