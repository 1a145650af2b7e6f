"""What the verdict says of the camera clocks."""

from __future__ import annotations

from collections.abc import Sequence

from workers.contract.products import ClockOffset
from workers.stages.stitch.guess import Survey
from workers.stages.stitch.place import Placement
from workers.stages.stitch.solve import clock_sigma


def clock_offsets(
    survey: Survey, placement: Placement | None, names: Sequence[str]
) -> tuple[ClockOffset, ...]:
    """What the verdict says of each recording's clock; ``names``: all recordings."""
    offsets = []
    for name in names:
        camera = survey.recordings[name].camera
        fit = None if placement is None else placement.clocks.get(name)
        if placement is None or fit is None:
            detail = "no nav, or nothing of this recording could be placed on it"
            offsets.append(
                ClockOffset(
                    recording=name,
                    camera=camera,
                    offset_s=None,
                    drift_ppm=None,
                    sigma_s=None,
                    ambiguous=True,
                    detail=detail,
                )
            )
            continue
        r = placement.recordings.index(name)
        sigma = clock_sigma(placement.graph, placement.factor, r)
        offsets.append(
            ClockOffset(
                recording=name,
                camera=camera,
                offset_s=float(placement.state.offset_s[r]),
                drift_ppm=float(placement.state.drift[r] * 1e6),
                sigma_s=max(sigma, fit.sigma_s) if fit.ambiguous else sigma,
                ambiguous=fit.ambiguous,
                detail=fit.detail,
            )
        )
    return tuple(offsets)
