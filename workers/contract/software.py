"""Which version of this program is running."""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "cosmaqc"


def software_version() -> str:
    """The installed version; ``source`` when it runs from a source tree that was never installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "source"
