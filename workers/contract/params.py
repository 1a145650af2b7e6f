"""The params of every stage: part of its key, set with ``--set stage.param=value``."""

from typing import Literal

from pydantic import Field

from workers.contract.dive import Frozen
from workers.contract.words import Backend, Stage

CODE_VERSION: dict[Stage, int] = {
    Stage.INGEST: 1,
    Stage.TELEMETRY: 1,
    Stage.FRAMES: 1,
    Stage.QUALITY: 1,
    Stage.INFERENCE: 1,
    Stage.STITCH: 1,
    Stage.COVERAGE: 1,
    Stage.VERDICT: 1,
}
"""Raised when a stage's results change for the same inputs and params: old outputs are then not reused."""


class IngestParams(Frozen):
    """01: how footage is cut into the units of the queue."""

    segment_s: float = Field(60.0, gt=1.0)
    overlap_s: float = Field(4.0, ge=0.0)
    stills_per_segment: int = Field(120, ge=16)
    stills_overlap: int = Field(8, ge=0)


class TelemetryParams(Frozen):
    """02: nothing to set yet."""


class FramesParams(Frozen):
    """03: sampling and the camera model.

    ``hfov_deg`` is the horizontal field of view of the undistorted picture; the prior for the focal length.
    ``lens``: ``linear`` is a pinhole (GoPro's Linear setting); ``wide`` undistorts an equidistant fisheye of
    ``wide_hfov_deg`` with OpenCV's k1..k4; ``brown`` undistorts k1, k2, p1, p2 of ``distortion``.
    """

    frames_per_s: float = Field(2.0, gt=0.0, le=60.0)
    working_width: int = Field(960, ge=160, le=4096)
    jpeg_quality: int = Field(95, ge=50, le=100)
    lens: Literal["linear", "wide", "brown"] = "linear"
    hfov_deg: float = Field(82.0, gt=10.0, lt=150.0)
    wide_hfov_deg: float = Field(118.0, gt=60.0, lt=180.0)
    distortion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class QualityParams(Frozen):
    """04: what is measured, and how frames are ranked within the dive.

    A frame must be found again in a neighbour: ``min_matches`` verified matches, ``min_detail`` of them fine detail.
    All else is compared with the dive's reference, the ``reference_quantile`` of the vehicle's frames that pass this:
    a frame darker than ``brightness_fraction`` of it, with less contrast than ``contrast_fraction`` of it (as it is,
    or set against its own brightness), sharpness for its contrast below ``sharpness_fraction`` of it or detail below
    ``detail_fraction`` of it is unusable. No absolute threshold works across dives.
    """

    measure_width: int = Field(640, ge=160)
    features: int = Field(2000, ge=100)
    min_matches: int = Field(12, ge=0)
    min_detail: float = Field(0.05, ge=0.0, le=1.0)
    reference_quantile: float = Field(0.8, gt=0.0, lt=1.0)
    brightness_fraction: float = Field(0.15, ge=0.0, le=1.0)
    contrast_fraction: float = Field(0.2, ge=0.0, le=1.0)
    sharpness_fraction: float = Field(0.4, ge=0.0, le=1.0)
    detail_fraction: float = Field(0.5, ge=0.0, le=1.0)
    degraded_below: float = Field(0.9, ge=0.0, le=1.0)
    fail_below_frames: int = Field(8, ge=2)


class InferenceParams(Frozen):
    """05: reconstruction of a segment.

    ``match_overlap`` frames after each are matched with it, and those at doubling distances beyond. Where fewer than
    ``clahe_below`` of the frames register, a second attempt raises local contrast first; ``clahe`` does so at once.
    The focal length is refined from the prior: a prior off by 20 % then costs nothing.
    """

    backend: Backend = Backend.COLMAP
    features: int = Field(2048, ge=256)
    match_overlap: int = Field(8, ge=1)
    min_component_frames: int = Field(8, ge=3)
    refine_focal: bool = True
    clahe: bool = False
    clahe_below: float = Field(0.5, ge=0.0, le=1.0)
    threads: int = Field(2, ge=1)
    memory_mib: int = Field(6144, ge=512)


class StitchParams(Frozen):
    """06: seams, place and scale.

    ``nav_sigma_m`` is the assumed standard deviation of one nav position; ``attitude_sigma_deg`` that of an
    attitude including an unknown mount. ``typed_altitude_m`` gives a scale where nothing else does.
    """

    seam_min_inliers: float = Field(0.8, gt=0.0, le=1.0)
    seam_max_residual: float = Field(0.03, gt=0.0)
    nav_sigma_m: float = Field(0.10, gt=0.0)
    attitude_sigma_deg: float = Field(3.0, gt=0.0)
    lever_sigma_m: float = Field(0.5, ge=0.0)
    clock_search_s: float = Field(21600.0, gt=0.0)
    max_place_sigma_m: float = Field(0.25, gt=0.0)
    typed_altitude_m: float | None = Field(None, gt=0.0)
    cloud_voxel_m: float = Field(0.02, gt=0.0)
    refine_with_clouds: bool = True


class CoverageParams(Frozen):
    """07: the smallest hole that matters, and how many views a cell needs."""

    smallest_hole_m: float = Field(0.5, gt=0.0)
    views: int = Field(3, ge=1)

    @property
    def cell_m(self) -> float:
        """Side of a coverage cell: a third of the smallest hole."""
        return self.smallest_hole_m / 3.0


class VerdictParams(Frozen):
    """08: what counts as complete, and the survey speed for re-dives."""

    complete_fraction: float = Field(0.95, gt=0.0, le=1.0)
    hull_is_site: bool = False
    survey_speed_m_s: float = Field(0.5, gt=0.0)


class Params(Frozen):
    """The params of the whole line."""

    ingest: IngestParams = IngestParams()
    telemetry: TelemetryParams = TelemetryParams()
    frames: FramesParams = FramesParams()
    quality: QualityParams = QualityParams()
    inference: InferenceParams = InferenceParams()
    stitch: StitchParams = StitchParams()
    coverage: CoverageParams = CoverageParams()
    verdict: VerdictParams = VerdictParams()

    def of(self, stage: Stage) -> Frozen:
        """The params of one stage."""
        params = getattr(self, stage.value)
        assert isinstance(params, Frozen)
        return params
