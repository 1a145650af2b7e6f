"""The words that are compared: every value that is stored, sent or shown by its name."""

from enum import StrEnum


class Stage(StrEnum):
    """The stages of the line, in order; one word in enum, module, folder, column and command line."""

    INGEST = "ingest"
    TELEMETRY = "telemetry"
    FRAMES = "frames"
    QUALITY = "quality"
    INFERENCE = "inference"
    STITCH = "stitch"
    COVERAGE = "coverage"
    VERDICT = "verdict"

    @property
    def number(self) -> int:
        """Place in the line, from 1 (ingest) to 8 (verdict)."""
        return list(Stage).index(self) + 1


class JobState(StrEnum):
    """Did the computation work."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Hold(StrEnum):
    """Why queued work waits; not a state."""

    PAUSED = "paused"
    NO_SPACE = "no_space"
    CARD_MISSING = "card_missing"
    HOST_MISSING = "host_missing"
    WAITING_UNTIL = "waiting_until"


class Grade(StrEnum):
    """Is the footage of a segment good."""

    PASS = "pass"  # noqa: S105 - a footage grade, not a password
    DEGRADED = "degraded"
    FAIL = "fail"


class VerdictWord(StrEnum):
    """The three answers."""

    COMPLETE = "complete"
    NOT_COMPLETE = "not_complete"
    CANNOT_TELL = "cannot_tell"


class Certainty(StrEnum):
    """How sure a gap is: certain holds a 3x3 box of cells, possible three failing cells in a line."""

    CERTAIN = "certain"
    POSSIBLE = "possible"


class Cause(StrEnum):
    """Why a cell fails, in the order in which causes are asked for."""

    NOT_FILMED = "not_filmed"
    UNUSABLE = "unusable"
    NOT_RECONSTRUCTED = "not_reconstructed"
    STITCH_DOUBTFUL = "stitch_doubtful"


class ScaleSource(StrEnum):
    """Where metres come from, best first."""

    NAV = "nav"
    BASELINE = "baseline"
    ALTITUDE = "altitude"
    TYPED = "typed"
    NONE = "none"


class AoiSource(StrEnum):
    """What "100 %" refers to."""

    FILE = "file"
    DRAWN = "drawn"
    TRACK_HULL = "track_hull"


class Side(StrEnum):
    """Where on its vehicle a camera sits."""

    PORT = "port"
    STARBOARD = "starboard"
    UNKNOWN = "unknown"


class Backend(StrEnum):
    """What reconstructs a segment: pycolmap on the CPU, or lingbot-map on a CUDA host."""

    COLMAP = "colmap"
    LINGBOT = "lingbot"
