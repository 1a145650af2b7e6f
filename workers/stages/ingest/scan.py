"""One run over the footage that was found: probe, tell cameras apart, take in, and merge with what was before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from natsort import natsorted

from workers.contract.dive import Chapter, FootageFile, Inventory, Problem
from workers.contract.errors import ErrorCode, FootageChanged, FootageUnreadable
from workers.contract.events import Report
from workers.contract.job import IngestInputs
from workers.media import gpmf
from workers.media.checksums import checksum_of_bytes, identity
from workers.media.gopro import parse_name, safe
from workers.media.stills import Still, StillsFolder, read_folder
from workers.media.video import CUT_OFF_HINT, Probe, probe
from workers.stages.ingest.cameras import Cameras, Origin
from workers.stages.ingest.files import Intake, as_problem
from workers.stages.ingest.recordings import Clip, clips_before, group
from workers.stages.ingest.walk import Found, Stills, Video

_REBUILT = frozenset({ErrorCode.CHAPTER_MISSING, ErrorCode.NAV_REFUSED, ErrorCode.RIG_UNREADABLE})
"""Problems that each run finds anew from what it has."""


@dataclass(frozen=True)
class TakenStills:
    """The usable stills of a folder; ``taken_s`` are POSIX seconds by the camera's clock, None without one."""

    vehicle: str
    stills: tuple[Still, ...]
    taken_s: tuple[float, ...] | None


class Scan:
    """What one run finds, on top of the inventory of before.

    Args:
        mission: the mission folder, absolute.
        inputs: what the operator gave.
        found: what lies there.
        report: told of the bytes done.
    """

    def __init__(self, mission: Path, inputs: IngestInputs, found: Found, report: Report) -> None:
        paths = [*(v.path for v in found.videos), *(path for s in found.stills for path in s.paths)]
        total_bytes = sum(path.stat().st_size for path in paths if path.exists())
        self.intake = Intake(mission, inputs.before, inputs.known, report, total_bytes)
        self.cameras = Cameras(inputs.before.cameras)
        self.taken_stills: list[TakenStills] = []
        self.notes: list[str] = []
        self._before = inputs.before
        self._mission = mission
        self._clips = {clip.chapter.checksum: clip for clip in clips_before(inputs.before)}
        self._problems = list(found.problems)
        self._seen: set[str] = set()
        self._looked_at = {str(path) for path in paths}

    def take_videos(self, videos: Sequence[Video]) -> None:
        """Probe headers, tell the cameras apart, then read or copy the files one by one."""
        probes: dict[Path, Probe] = {}
        for video in videos:
            self.intake.advance(0)
            try:
                probes[video.path] = probe(video.path)
            except (FootageUnreadable, OSError) as error:
                self._problems.append(as_problem(video.path, error))
        # of two files with the same content the one with the camera's own name counts: first come, first served
        by_name = sorted(videos, key=lambda video: parse_name(video.path.name) is None)
        usable = [video for video in by_name if video.path in probes]
        headers = gpmf.identify([video.path for video in usable if probes[video.path].has_gpmf])
        origins = [_origin(video, headers.get(video.path)) for video in usable]
        for video, camera in zip(usable, self.cameras.assign(origins), strict=True):
            found = probes[video.path]
            try:
                file = self.intake.take(video.path, video.place, camera, (found.creation_time or "")[:10])
            except (FootageChanged, OSError) as error:
                self._problems.append(as_problem(video.path, error))
                continue
            self._add(video.path, _clip_of_video(video, camera, file, found))
            if found.loss is not None:
                self._problem(video.path, ErrorCode.FILE_TRUNCATED, found.loss, CUT_OFF_HINT)

    def take_stills(self, folders: Sequence[Stills]) -> None:
        """Take in folders of stills, each as one chapter of one recording."""
        reads = []
        for folder in folders:
            self.intake.advance(0)
            read = read_folder(folder.paths)
            self._problems += read.problems
            self.notes += [f"{folder.folder}: {note}" for note in read.notes]
            if read.stills:
                reads.append((folder, read))
        origins = [
            Origin(folder.place, read.stills[0].serial, read.stills[0].model) for folder, read in reads
        ]
        for (folder, read), camera in zip(reads, self.cameras.assign(origins), strict=True):
            kept, files = self._take_files(folder, read, camera)
            if kept.stills:
                self._add_stills(folder.folder, _clip_of_stills(folder, camera, files, kept))
                taken_s = (
                    None if kept.start_utc_s is None else tuple((kept.start_utc_s + kept.times_s).tolist())
                )
                self.taken_stills.append(TakenStills(folder.place.vehicle, kept.stills, taken_s))

    def _take_files(
        self, folder: Stills, read: StillsFolder, camera: str
    ) -> tuple[StillsFolder, list[FootageFile]]:
        """Take in the files of a folder of stills; those that cannot be read are named and left out."""
        files: list[FootageFile] = []
        kept: list[int] = []
        checksums: dict[str, Path] = {}
        for number, still in enumerate(read.stills):
            try:
                file = self.intake.take(still.path, folder.place, camera, _day(read.start_utc_s))
            except (FootageChanged, OSError) as error:
                self._problems.append(as_problem(still.path, error))
                continue
            if file.checksum in checksums:
                self._duplicate(still.path, checksums[file.checksum])
                continue
            checksums[file.checksum] = still.path
            files.append(file)
            kept.append(number)
        times_s = read.times_s[kept]
        offset_s = float(times_s[0]) if kept else 0.0
        start_utc_s = None if read.start_utc_s is None else read.start_utc_s + offset_s
        stills = tuple(read.stills[number] for number in kept)
        return replace(read, stills=stills, times_s=times_s - offset_s, start_utc_s=start_utc_s), files

    def _add_stills(self, path: Path, clip: Clip) -> None:
        """Take in a folder of stills; one that has grown or shrunk since replaces what was known of it.

        A card that was partly wiped does not take away what the mission still has.
        """
        checksums = {file.checksum for file in clip.chapter.files}
        for old in [
            old
            for old in self._clips.values()
            if old.stills and old.chapter.checksum != clip.chapter.checksum
        ]:
            known = {file.checksum for file in old.chapter.files}
            if checksums < known and all((self._mission / file.path).exists() for file in old.chapter.files):
                return
            if checksums & known:
                del self._clips[old.chapter.checksum]
        self._add(path, clip)

    def _add(self, path: Path, clip: Clip) -> None:
        """Take a chapter in, unless its content is there already under another name."""
        checksum = clip.chapter.checksum
        old = self._clips.get(checksum)
        if old is None:
            self._clips = {key: other for key, other in self._clips.items() if not _supersedes(clip, other)}
            self._clips[checksum] = clip
        elif checksum in self._seen or self._is_elsewhere(old.chapter, clip.chapter):
            self._duplicate(path, old.chapter.files[0].path)
        else:  # renamed, moved, or on a disk that was plugged in again
            chapter = old.chapter.model_copy(update={"files": clip.chapter.files})
            self._clips[checksum] = replace(old, chapter=chapter)
        self._seen.add(checksum)

    def _is_elsewhere(self, old: Chapter, new: Chapter) -> bool:
        """Is the old file still there, as it was, under another path?"""
        file = old.files[0]
        if file.path == new.files[0].path:
            return False
        try:
            stat = (self._mission / file.path).stat()
        except OSError:
            return False
        return identity(stat)[2:] == (file.size_bytes, file.mtime_ns)

    def _duplicate(self, path: Path, first: Path) -> None:
        cause = f"{path} has the same content as {first}; it is used once."
        self._problem(path, ErrorCode.FILE_DUPLICATE, cause, "Nothing needs doing.")

    def _problem(self, path: Path, code: ErrorCode, cause: str, hint: str) -> None:
        self._problems.append(Problem(subject=str(path), code=code, cause=cause, hint=hint))

    def inventory(self) -> Inventory:
        """Everything known now; problems of before stay unless their file was looked at again."""
        recordings, missing = group(self._clips.values())
        in_use = {recording.camera for recording in recordings}
        cameras = natsorted((c for c in self.cameras.all() if c.id in in_use), key=lambda camera: camera.id)
        kept = [
            problem
            for problem in self._before.problems
            if problem.code not in _REBUILT and problem.subject not in self._looked_at
        ]
        problems = tuple(dict.fromkeys([*kept, *self._problems, *missing]))
        return self._before.model_copy(
            update={"cameras": tuple(cameras), "recordings": recordings, "problems": problems}
        )


def _supersedes(new: Clip, old: Clip) -> bool:
    """Does a chapter take another's place: the same file with other content, or more of the same recording?

    So a file that was cut off in copying gives way when it is copied again.
    """
    same = (new.camera, new.number, new.chapter.number) == (old.camera, old.number, old.chapter.number)
    same_file = new.chapter.files[0].path == old.chapter.files[0].path
    began = new.chapter.creation_time
    more = began == old.chapter.creation_time and new.chapter.frame_count > old.chapter.frame_count
    return same and not new.stills and (same_file or (began is not None and more))


def _day(start_utc_s: float | None) -> str | None:
    return None if start_utc_s is None else datetime.fromtimestamp(start_utc_s, UTC).date().isoformat()


def _origin(video: Video, header: gpmf.Gpmf | None) -> Origin:
    return Origin(video.place, header.serial if header else None, header.model if header else None)


def _clip_of_video(video: Video, camera: str, file: FootageFile, found: Probe) -> Clip:
    name = parse_name(video.path.name)
    chapter = Chapter(
        number=name.chapter if name else 1,
        files=(file,),
        checksum=file.checksum,
        width=found.width,
        height=found.height,
        fps=float(found.fps),
        frame_count=found.frame_count,
        start_s=0.0,
        duration_s=found.duration_s,
        codec=found.codec,
        creation_time=found.creation_time,
    )
    return Clip(
        camera=camera,
        number=name.number if name else safe(video.path.stem),
        group=str(video.path.parent),
        chapter=chapter,
        promised_s=found.promised_duration_s,
        first=name.first_chapter if name else 1,
    )


def _clip_of_stills(folder: Stills, camera: str, files: Sequence[FootageFile], read: StillsFolder) -> Clip:
    interval_s = 1.0 / read.rate
    chapter = Chapter(
        number=1,
        files=tuple(files),
        checksum=checksum_of_bytes(*(file.checksum.encode() for file in files)),
        width=read.stills[0].width,
        height=read.stills[0].height,
        fps=read.rate,
        frame_count=len(files),
        start_s=0.0,
        duration_s=float(read.times_s[-1]) + interval_s,
        codec=read.stills[0].path.suffix.lower().lstrip("."),
        times_s=tuple(np.round(read.times_s, 6).tolist()),
    )
    lies_flat = folder.folder == folder.place.folder
    return Clip(
        camera=camera,
        number="stills" if lies_flat else safe(folder.folder.name),
        group=str(folder.folder),
        chapter=chapter,
        promised_s=chapter.duration_s,
        first=1,
        stills=True,
        start_utc_s=read.start_utc_s,
    )
