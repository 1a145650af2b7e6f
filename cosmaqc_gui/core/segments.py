"""Cuts recordings into segments, the units of the queue.

A slice starts inside one chapter; the stretch that it shares with the next slice may reach into the next chapter.
So a chapter that is copied later changes only the last segment before it.
"""

from collections.abc import Iterator
from itertools import pairwise

from workers.contract.dive import Chapter, Inventory, Recording, Segment
from workers.contract.params import IngestParams

SHORTEST_SHARE = 0.25
"""A rest shorter than this share of a slice (or than twice the overlap) joins the slice before it: alone it would
have too few frames to be reconstructed well."""


def segments_of(inventory: Inventory, params: IngestParams) -> tuple[Segment, ...]:
    """All segments of a mission, by recording, chapter, slice."""
    return tuple(s for recording in inventory.recordings for s in slice_recording(recording, params))


def slice_recording(recording: Recording, params: IngestParams) -> tuple[Segment, ...]:
    """The segments of one recording, in order of time."""
    cut = _cut_stills if recording.stills else _cut_video
    return tuple(cut(recording, params))


def _cut_video(recording: Recording, params: IngestParams) -> Iterator[Segment]:
    chapters = recording.chapters
    shortest_s = max(2.0 * params.overlap_s, SHORTEST_SHARE * params.segment_s)
    for n, chapter in enumerate(chapters):
        following = chapters[n + 1] if n + 1 < len(chapters) else None
        if following is not None and following.number != chapter.number + 1:
            following = None  # a chapter is missing: nothing to share across the hole
        limit_s = chapter.end_s if following is None else following.end_s
        starts = [chapter.start_s]
        while chapter.end_s - (starts[-1] + params.segment_s) >= shortest_s:
            starts.append(starts[-1] + params.segment_s)
        for k, (start_s, own_end_s) in enumerate(pairwise([*starts, chapter.end_s])):
            end_s = min(own_end_s + params.overlap_s, limit_s)
            reads: tuple[int, ...] = (chapter.number,)
            if following is not None and end_s > chapter.end_s:
                reads = (chapter.number, following.number)
            yield _segment(recording, chapter, k, (start_s, own_end_s, end_s), reads)


def _cut_stills(recording: Recording, params: IngestParams) -> Iterator[Segment]:
    shortest = max(2 * params.stills_overlap, int(SHORTEST_SHARE * params.stills_per_segment))
    for chapter in recording.chapters:
        times = chapter.times_s or tuple(chapter.start_s + n / chapter.fps for n in range(len(chapter.files)))
        after_last_s = max(chapter.end_s, times[-1] + 1e-3)
        firsts = [0]
        while len(times) - (firsts[-1] + params.stills_per_segment) >= shortest:
            firsts.append(firsts[-1] + params.stills_per_segment)
        for k, (first, end) in enumerate(pairwise([*firsts, len(times)])):
            reads_to = end + params.stills_overlap
            span = (
                times[first],
                times[end] if end < len(times) else after_last_s,
                times[reads_to] if reads_to < len(times) else after_last_s,
            )
            yield _segment(recording, chapter, k, span, (chapter.number,))


def _segment(
    recording: Recording, chapter: Chapter, k: int, span: tuple[float, float, float], reads: tuple[int, ...]
) -> Segment:
    start_s, own_end_s, end_s = span
    return Segment(
        id=f"{recording.id}_{chapter.number:02d}_{k:03d}",
        camera=recording.camera,
        recording=recording.id,
        chapter=chapter.number,
        slice=k,
        start_s=start_s,
        own_end_s=own_end_s,
        end_s=end_s,
        chapters=reads,
    )
