"""Where user data goes: the platform's data folder, never the source tree."""

import sys
from collections.abc import Mapping
from pathlib import Path


def data_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The app's folder below the platform's data folder (XDG on Linux)."""
    home = Path(environment.get("HOME") or Path.home())
    if platform == "darwin":
        return home / "Library" / "Application Support" / "cosmaqc"
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "cosmaqc"
    given = Path(environment.get("XDG_DATA_HOME") or "")
    # the XDG specification: a relative path is to be ignored
    return (given if given.is_absolute() else home / ".local" / "share") / "cosmaqc"
