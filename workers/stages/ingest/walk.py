"""Find footage below what the operator named, in natural order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from natsort import natsort_keygen, ns

from workers.contract import layout
from workers.contract.dive import Problem
from workers.contract.errors import ErrorCode, UsageError
from workers.media.gopro import (
    SPHERE_SUFFIXES,
    Place,
    is_proxy,
    is_skipped_folder,
    is_still,
    is_video,
    place_of,
)

natural = natsort_keygen(alg=ns.IGNORECASE)

MIN_STILLS = 3
MIN_STILLS_BESIDE_VIDEO = 16
"""Fewer pictures beside video are taken on deck, not on the survey."""


@dataclass(frozen=True)
class Video:
    """A file that looks like a video."""

    path: Path
    place: Place


@dataclass(frozen=True)
class Stills:
    """The pictures of one folder."""

    folder: Path
    paths: tuple[Path, ...]
    place: Place


@dataclass(frozen=True)
class Found:
    """Everything below one or more roots, each file once; ``problems`` are the things left out."""

    videos: tuple[Video, ...]
    stills: tuple[Stills, ...]
    problems: tuple[Problem, ...]


def find(roots: Sequence[Path], mission: Path | None) -> Found:
    """Walk what was named.

    Args:
        roots: absolute paths of files and folders.
        mission: a folder to stay out of (except for its ``footage``).

    Raises:
        UsageError: a root does not exist.
    """
    videos: list[Video] = []
    stills: list[Stills] = []
    problems: list[Problem] = []
    seen: set[tuple[int, int]] = set()
    for root in roots:
        if not root.exists():
            cause = f"{root} does not exist."
            raise UsageError(cause, "Check the path; is the card or disk plugged in?")
        for folder, names in _folders(root, mission, problems):
            named = [folder / name for name in names if _is_wanted(name) or folder / name == root]
            paths = [path for path in named if _is_new(path, seen, problems)]
            pictures = [path for path in paths if is_still(path.name)]
            odd = [path for path in paths if path.suffix.lower() in SPHERE_SUFFIXES or is_proxy(path.name)]
            others = {*pictures, *odd}
            films = [path for path in paths if path not in others]
            videos += [Video(path, place_of(path, root)) for path in films]
            enough = MIN_STILLS_BESIDE_VIDEO if films else MIN_STILLS if root.is_dir() else 1
            if len(pictures) >= enough:
                stills.append(Stills(folder, tuple(pictures), place_of(pictures[0], root)))
            elif pictures:
                problems.append(_too_few(folder, pictures, beside_video=bool(films)))
            problems += [_not_flat(path) for path in odd]
    return Found(tuple(videos), tuple(stills), tuple(problems))


def _folders(root: Path, mission: Path | None, problems: list[Problem]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below a root with the names of its files; links are followed, loops are not."""
    if not root.is_dir():
        yield root.parent, [root.name]
        return

    def unreadable(error: OSError) -> None:
        problems.append(_unreadable(Path(error.filename), error))

    been: set[str] = set()
    for folder, subfolders, names in os.walk(root, onerror=unreadable, followlinks=True):
        here = Path(folder)
        been.add(os.path.realpath(folder))
        subfolders[:] = sorted(
            (
                name
                for name in subfolders
                if not is_skipped_folder(name)
                and not _is_own_work(here / name, mission)
                and os.path.realpath(here / name) not in been
            ),
            key=natural,
        )
        yield here, sorted(names, key=natural)


def _is_own_work(folder: Path, mission: Path | None) -> bool:
    """Is it something this program wrote, for this mission or another? Frames under ``work`` are no footage."""
    if folder.name not in (layout.WORK.name, layout.PRODUCTS.name, "inputs"):
        return False
    return folder.parent == mission or (folder.parent / layout.MISSION_SQLITE).exists()


def _is_wanted(name: str) -> bool:
    """Footage by its name, or worth a word."""
    return is_video(name) or is_still(name) or Path(name).suffix.lower() in SPHERE_SUFFIXES


def _is_new(path: Path, seen: set[tuple[int, int]], problems: list[Problem]) -> bool:
    """Can it be read, and was it not met before, by another root or link?"""
    try:
        path.name.encode("utf-8")
        stat = path.stat()
    except UnicodeEncodeError:
        readable = os.fsencode(path).decode("utf-8", "backslashreplace")
        problems.append(
            _problem(readable, f"The name of {readable} is not UTF-8.", "Rename it, then run again.")
        )
        return False
    except OSError as error:
        problems.append(_unreadable(path, error))
        return False
    new = (stat.st_dev, stat.st_ino) not in seen
    seen.add((stat.st_dev, stat.st_ino))
    return new


def _too_few(folder: Path, pictures: Sequence[Path], *, beside_video: bool) -> Problem:
    where = f"beside video in {folder}" if beside_video else f"in {folder}"
    cause = f"{len(pictures)} still{'s' if len(pictures) > 1 else ''} {where} left out: too few for a survey."
    return _problem(
        str(pictures[0]), cause, "To use them, give their folder by itself, with at least 3 stills in it."
    )


def _not_flat(path: Path) -> Problem:
    if is_proxy(path.name):
        cause, hint = f"{path} is a proxy or thumbnail, not footage.", "Give the camera's full-size file."
    else:
        cause = f"{path} is 360-degree footage, which cannot be used as it is."
        hint = "Export it as flat MP4 looking straight down, and give that."
    return Problem(subject=str(path), code=ErrorCode.FILE_NOT_VIDEO, cause=cause, hint=hint)


def _unreadable(path: Path, error: OSError) -> Problem:
    return _problem(
        str(path), f"{path} cannot be read: {error.strerror or error}.", "Check the card, cable or rights."
    )


def _problem(subject: str, cause: str, hint: str) -> Problem:
    return Problem(subject=subject, code=ErrorCode.FILE_UNREADABLE, cause=cause, hint=hint)
