"""Write requirements.lock and requirements-dev.lock: every package that pip resolves, pinned with ==.

Run it with the oldest Python that the project supports (`make lock`): a package that runs there has
wheels for the newer ones too, not the other way round.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# {purpose}
# Made by `make lock` from pyproject.toml; do not edit. Valid on Python 3.11, 3.12 and 3.13 (Linux, x86_64).
"""


def normalised(name: str) -> str:
    """Return a distribution name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve(requirements: Sequence[str], constraints: Path | None = None) -> dict[str, str]:
    """Ask pip which versions it would install into an empty environment.

    Args:
        requirements: PEP 508 strings.
        constraints: A lock whose pins must be kept.

    Returns:
        Version by normalised name.

    Raises:
        subprocess.CalledProcessError: pip found no set of versions.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    command += ["--only-binary", ":all:", "--report", "-"]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    found = subprocess.run([*command, *requirements], check=True, stdout=subprocess.PIPE, text=True)
    installs = json.loads(found.stdout)["install"]
    return {normalised(item["metadata"]["name"]): item["metadata"]["version"] for item in installs}


def lines(versions: dict[str, str], markers: dict[str, str]) -> str:
    """Render pins, one a line, with the markers that pyproject.toml gives to its own requirements."""
    rows = []
    for name, version in sorted(versions.items()):
        pin = f"{name}=={version.partition('+')[0]}"
        rows.append(f"{pin}; {markers[name]}" if name in markers else pin)
    return "\n".join(rows) + "\n"


def markers_of(requirements: Sequence[str]) -> dict[str, str]:
    """Return the environment marker by normalised name, for the requirements that have one."""
    found = {}
    for requirement in requirements:
        spec, _, marker = requirement.partition(";")
        name = re.match(r"[A-Za-z0-9._-]+", spec)
        if marker and name:
            found[normalised(name.group())] = marker.strip()
    return found


def main() -> None:
    """Resolve and write both locks, or with --check only say whether the written ones still resolve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only resolve the locks on this Python")
    if parser.parse_args().check:
        for lock in ("requirements.lock", "requirements-dev.lock"):
            count = len(resolve(["-r", str(ROOT / lock)]))
            print(f"{lock}: {count} packages resolve on Python {sys.version.split()[0]}")
        return

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime: list[str] = project["dependencies"]
    dev: list[str] = project["optional-dependencies"]["dev"]
    markers = markers_of([*runtime, *dev])

    head = HEADER.format(purpose="What the line needs at run time.")
    text = head + lines(resolve(runtime), markers)
    (ROOT / "requirements.lock").write_text(text, encoding="utf-8")

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as pins:
        pins.write(text)
        pins.flush()
        everything = resolve([*runtime, *dev], constraints=Path(pins.name))
    head = HEADER.format(purpose="Everything: what the line needs, and what tests and checks need.")
    (ROOT / "requirements-dev.lock").write_text(head + lines(everything, markers), encoding="utf-8")
    print(f"locked {len(everything)} packages")


if __name__ == "__main__":
    main()
