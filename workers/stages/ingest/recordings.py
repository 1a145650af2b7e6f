"""Group chapters into recordings: one press of the shutter each, in order, with what is missing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from natsort import natsort_keygen, ns

from workers.contract.dive import Chapter, Inventory, Problem, Recording
from workers.contract.errors import ErrorCode

_natural = natsort_keygen(alg=ns.IGNORECASE)

MAX_APART_S = 12 * 3600.0
"""Chapters of one recording are created within this; others of the same number come from another dive."""

_BEFORE = "before:"
_TAKE = re.compile(r"(\d{4})-\d+")
"""A second recording of the same camera and number (a reset camera counts from 1 again) is 0012-2."""

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Clip:
    """A chapter before it has its place in a recording.

    ``group`` keeps together what lies in one folder (or was one recording before). ``first`` is the number that
    the camera gives a first chapter. ``promised_s`` is the length that the file had before it was cut off.
    """

    camera: str
    number: str
    group: str
    chapter: Chapter
    promised_s: float
    first: int
    stills: bool = False
    start_utc_s: float | None = None


def clips_before(inventory: Inventory) -> list[Clip]:
    """The chapters of an earlier inventory, as clips that stay together."""
    clips = []
    for recording in inventory.recordings:
        first = min([recording.chapters[0].number, *recording.missing_chapters])
        for chapter, following in zip(recording.chapters, (*recording.chapters[1:], None), strict=True):
            adjacent = following is not None and following.number == chapter.number + 1
            promised_s = following.start_s - chapter.start_s if following and adjacent else chapter.duration_s
            start_utc_s = recording.start_utc_s if recording.stills else None
            clips.append(
                Clip(
                    camera=recording.camera,
                    number=_TAKE.sub(r"\1", recording.number),
                    group=f"{_BEFORE}{recording.id}",
                    chapter=chapter,
                    promised_s=promised_s,
                    first=first,
                    stills=recording.stills,
                    start_utc_s=start_utc_s,
                )
            )
    return clips


def group(clips: Iterable[Clip]) -> tuple[tuple[Recording, ...], tuple[Problem, ...]]:
    """Recordings in natural order of camera and number, and a problem for each that lacks chapters."""
    takes: dict[tuple[str, str], list[list[Clip]]] = defaultdict(list)
    folders: dict[tuple[str, str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        folders[(clip.camera, clip.number, clip.group)].append(clip)
    for (camera, number, _), members in folders.items():
        for layer in _layers(members):
            _join(takes[(camera, number)], layer)
    usual_s = _usual_lengths(takes)
    recordings: list[Recording] = []
    problems: list[Problem] = []
    used: set[tuple[str, str]] = set()
    for camera, number in sorted(takes, key=lambda key: (_natural(key[0]), _natural(key[1]))):
        for members in takes[(camera, number)]:
            name, count = number, 2
            while (camera, name) in used:
                name, count = f"{number}-{count}", count + 1
            used.add((camera, name))
            recording = _recording(camera, name, members, usual_s.get(camera, 0.0))
            recordings.append(recording)
            if recording.missing_chapters:
                problems.append(_missing(recording))
    return tuple(recordings), tuple(problems)


def _layers(members: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of one folder, each chapter number once a layer (``GX010012`` and ``GH010012`` have the same)."""
    layers: list[list[Clip]] = []
    for clip in members:
        free = (layer for layer in layers if all(c.chapter.number != clip.chapter.number for c in layer))
        layer = next(free, None)
        if layer is None:
            layers.append([clip])
        else:
            layer.append(clip)
    return layers


def _join(takes: list[list[Clip]], members: Sequence[Clip]) -> None:
    """Add a folder's chapters to the recording that lacks them, or as another one of the same number."""
    if not members[0].group.startswith(_BEFORE):
        for take in takes:
            numbers = {clip.chapter.number for clip in take}
            if numbers.isdisjoint(clip.chapter.number for clip in members) and _close(take, members):
                take.extend(members)
                return
    takes.append(list(members))


def _close(one: Sequence[Clip], other: Sequence[Clip]) -> bool:
    times = [t for clip in (*one, *other) if (t := posix_of(clip.chapter.creation_time)) is not None]
    return not times or max(times) - min(times) <= MAX_APART_S


def _usual_lengths(takes: dict[tuple[str, str], list[list[Clip]]]) -> dict[str, float]:
    """How long each camera's full chapters are: the longest that is not a last one, seconds."""
    usual_s: dict[str, float] = defaultdict(float)
    for (camera, _), groups in takes.items():
        for members in groups:
            last = max(clip.chapter.number for clip in members)
            lengths_s = [clip.promised_s for clip in members if clip.chapter.number < last]
            usual_s[camera] = max([usual_s[camera], *lengths_s])
    return usual_s


def _recording(camera: str, number: str, members: Sequence[Clip], usual_s: float) -> Recording:
    """Put chapters in order and on one time axis; a missing one in the middle counts as one of the usual length."""
    clips = sorted(members, key=lambda clip: clip.chapter.number)
    chapters: list[Chapter] = []
    start_s, expected = 0.0, clips[0].chapter.number
    for clip in clips:
        start_s += usual_s * (clip.chapter.number - expected)
        chapters.append(clip.chapter.model_copy(update={"start_s": round(start_s, 6)}))
        start_s += max(clip.promised_s, clip.chapter.duration_s)
        expected = clip.chapter.number + 1
    present = {chapter.number for chapter in chapters}
    first = min(clip.first for clip in clips)
    return Recording(
        id=f"{camera}_{number}",
        camera=camera,
        number=number,
        stills=clips[0].stills,
        chapters=tuple(chapters),
        missing_chapters=tuple(n for n in range(first, max(present)) if n not in present),
        start_utc_s=_start(clips, chapters),
    )


def _start(clips: Sequence[Clip], chapters: Sequence[Chapter]) -> float | None:
    """The camera clock's time at recording time 0, from the first chapter that says."""
    for clip, chapter in zip(clips, chapters, strict=True):
        own = clip.start_utc_s if clip.start_utc_s is not None else posix_of(chapter.creation_time)
        if own is not None:
            return own - chapter.start_s
    return None


def posix_of(creation_time: str | None) -> float | None:
    """POSIX seconds of a container's creation time; None for the zero dates of a camera that lost its clock."""
    try:
        moment = datetime.fromisoformat(creation_time or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() if moment >= _EARLIEST else None


def _missing(recording: Recording) -> Problem:
    missing = ", ".join(str(number) for number in recording.missing_chapters)
    present = ", ".join(str(chapter.number) for chapter in recording.chapters)
    plural = "s" if len(recording.missing_chapters) > 1 else ""
    return Problem(
        subject=recording.id,
        code=ErrorCode.CHAPTER_MISSING,
        cause=f"Chapter{plural} {missing} of recording {recording.id} missing or unreadable (there: {present}).",
        hint=f"Copy {_example(recording)} from the card. If the card has no more, that stretch counts as not filmed.",
    )


def _example(recording: Recording) -> str:
    """The name that the first missing chapter would have."""
    name = Path(recording.chapters[0].files[0].path).name
    old, new = f"{recording.chapters[0].number:02d}{recording.number[:4]}", recording.missing_chapters[0]
    if old in name:
        return name.replace(old, f"{new:02d}{recording.number[:4]}", 1)
    return "it"
