"""Drawing the coverage map: views in colours, gaps hatched and numbered, area of interest, tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.patheffects import Stroke, withStroke
from shapely import MultiPolygon

from workers.contract.params import CoverageParams
from workers.contract.products import Gap, Verdict
from workers.contract.words import Certainty
from workers.geometry import AnyArray
from workers.stages.verdict.outlines import Track, aoi_outline, gap_outline, rings_of, tracks_of
from workers.stages.verdict.survey import Coverage, Survey

TOO_FEW = ("#D55E00", "#FBDDB5")
ENOUGH = ("#BFD9EC", "#0B4A8F")
"""Vermilion to pale for too few views, pale to deep blue for enough: told apart with every common colour blindness,
and either side orders by lightness."""
DOUBTFUL_COLOUR = "#8F8F8F"
"""Enough views in the pictures, and yet the cell fails: its place is doubtful."""
VIEW_LABELS = ("0", "1", "2", "3", "4", "5+")
MOST_NUMBERS = 40
"""Beyond so many gaps the smaller ones are outlined without a number: the numbers would hide the map."""
TRACK_COLOURS = ("#000000", "#AA3377", "#117733", "#882255")


@dataclass(frozen=True)
class MapScene:
    """What is drawn, in the map frame, metres.

    ``needed``: views that a cell must have; ``gaps``: the certain ones first, the largest first.
    """

    needed: int
    grid: Coverage
    aoi: MultiPolygon
    gaps: tuple[tuple[Gap, MultiPolygon], ...]
    tracks: tuple[Track, ...]


def scene_of(survey: Survey, verdict: Verdict) -> MapScene | None:
    """The scene, or None without a grid."""
    if survey.grid is None:
        return None
    gaps = [(gap, gap_outline(survey, gap.id)) for gap in verdict.gaps]
    drawn = [(gap, outline) for gap, outline in gaps if not outline.is_empty]
    drawn.sort(key=lambda found: (found[0].certainty is not Certainty.CERTAIN, -found[0].area_m2))
    tracks = tuple(tracks_of(survey))
    return MapScene(_needed_views(survey), survey.grid, aoi_outline(survey), tuple(drawn), tracks)


def view_colours(needed: int) -> list[str]:
    """Colours of 0, 1, 2, 3, 4 and 5+ views where ``needed`` views are enough."""
    few = _few(needed)
    return [*_ramp(TOO_FEW, few), *_ramp(ENOUGH, len(VIEW_LABELS) - few)]


def classes_of(scene: MapScene, views: AnyArray, *, judged: bool) -> AnyArray:
    """Colour number (rows, columns) of a layer's cells, worst first; rows from south to north.

    Too few views, then cells that fail in spite of enough views (if ``judged``), then enough views; outside last.
    """
    few = _few(scene.needed)
    classes = np.minimum(views, len(VIEW_LABELS) - 1).astype(np.uint8)
    enough = classes >= few
    classes[enough] += 1
    if judged:
        classes[enough & ~scene.grid.passes] = few
    classes[~scene.grid.inside] = len(VIEW_LABELS) + 1
    return classes


def draw_map(axes: Axes, scene: MapScene, line_pt: float) -> None:
    """Draw the judged map onto axes whose limits become the grid's extent exactly.

    Args:
        axes: where to draw.
        scene: what to draw.
        line_pt: width of the thin lines, points; everything else follows it.
    """
    draw_cells(axes, scene, scene.grid.reconstructed_views, judged=True)
    vehicles = list(dict.fromkeys(track.vehicle for track in scene.tracks))
    with_nav = {track.vehicle for track in scene.tracks if track.kind == "nav"}
    for track in scene.tracks:
        if track.kind == "nav" or track.vehicle not in with_nav:
            colour = TRACK_COLOURS[vehicles.index(track.vehicle) % len(TRACK_COLOURS)]
            axes.plot(
                *track.xy.T,
                color=colour,
                lw=1.4 * line_pt,
                path_effects=_casing(1.4 * line_pt, 1.2),
                zorder=2,
            )
    draw_aoi(axes, scene, line_pt)
    for gap, outline in scene.gaps:
        _draw_gap(axes, gap, outline, line_pt)
    for gap, outline in scene.gaps[:MOST_NUMBERS]:
        _draw_number(axes, gap, outline, line_pt)


def draw_cells(axes: Axes, scene: MapScene, views: AnyArray, *, judged: bool) -> None:
    """Draw a layer and set the axes to the grid's extent, same scale both ways, nothing around it.

    Where the axes have fewer pixels than the grid has cells, a pixel shows the worst of its cells: a hole must not get
    lost in a small picture.
    """
    west, east, south, north = scene.grid.extent
    classes = classes_of(scene, views, judged=judged)
    box = axes.get_window_extent()
    step = max(1, math.ceil(max(views.shape[1] / round(box.width), views.shape[0] / round(box.height))))
    classes = _worst_of_blocks(classes, step)
    rows, columns = classes.shape
    reach = step * scene.grid.cell_m
    extent = (west, west + columns * reach, south, south + rows * reach)
    axes.imshow(
        _palette(scene.needed)[classes], origin="lower", extent=extent, interpolation="nearest", zorder=1
    )
    axes.set(xlim=(west, east), ylim=(south, north), aspect="equal")
    axes.set_axis_off()


def _worst_of_blocks(classes: AnyArray, step: int) -> AnyArray:
    """The lowest class of each block of ``step`` x ``step`` cells; the last blocks are filled up with outside."""
    if step == 1:
        return classes
    rows, columns = (math.ceil(length / step) for length in classes.shape)
    whole = np.full((rows * step, columns * step), len(VIEW_LABELS) + 1, classes.dtype)
    whole[: classes.shape[0], : classes.shape[1]] = classes
    return np.asarray(whole.reshape(rows, step, columns, step).min(axis=(1, 3)))


def draw_aoi(axes: Axes, scene: MapScene, line_pt: float) -> None:
    """Draw the edge of the area of interest, dashed on white."""
    for ring in rings_of(scene.aoi):
        axes.plot(*ring.T, color="white", lw=3.5 * line_pt, zorder=4, solid_joinstyle="miter", clip_on=False)
        axes.plot(*ring.T, color="black", lw=1.8 * line_pt, ls=(0, (5, 2.5)), zorder=4, clip_on=False)


def path_of(area: MultiPolygon) -> Outline:
    """An area with its holes as one path."""
    return Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings_of(area)))


def _draw_gap(axes: Axes, gap: Gap, outline: MultiPolygon, line_pt: float) -> None:
    """Outline a gap, and hatch it when certain."""
    certain = gap.certainty is Certainty.CERTAIN
    path = path_of(outline)
    if certain:
        axes.add_patch(PathPatch(path, fc="none", ec="black", lw=0, hatch="////", zorder=3))
    axes.add_patch(PathPatch(path, fc="none", ec="white", lw=4.0 * line_pt, zorder=5))
    style = "-" if certain else (0, (2.0, 1.5))
    axes.add_patch(PathPatch(path, fc="none", ec="black", lw=2.0 * line_pt, ls=style, zorder=5))


def _draw_number(axes: Axes, gap: Gap, outline: MultiPolygon, line_pt: float) -> None:
    """Put a gap's number into it, or beside it with a leader where it would hide the gap."""
    spot = max(outline.geoms, key=lambda part: part.area).representative_point()
    west, south, east, north = outline.bounds
    corners = axes.transData.transform([(west, south), (east, north), (spot.x, spot.y)])
    wide_pt, high_pt = np.abs(corners[1] - corners[0]) * 72.0 / axes.figure.dpi
    font_pt = 9.0 * line_pt + 2.0
    beside = np.zeros(2)
    if min(wide_pt, high_pt) < 2.5 * font_pt:
        middle = axes.transAxes.transform((0.5, 0.5))
        towards = np.where(corners[2] < middle, 1.0, -1.0)  # towards the middle, where there is room
        beside = towards * (np.array([0.0, high_pt / 2]) + 2.0 * font_pt)
    axes.annotate(
        str(gap.id),
        (spot.x, spot.y),
        xytext=(float(beside[0]), float(beside[1])),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=font_pt,
        fontweight="bold",
        color="black",
        bbox={
            "boxstyle": "round,pad=0.28,rounding_size=0.5",
            "fc": "white",
            "ec": "black",
            "lw": 1.5 * line_pt,
        },
        arrowprops={"arrowstyle": "-", "color": "black", "lw": 1.5 * line_pt} if beside.any() else None,
        zorder=6,
    )


def _casing(line_pt: float, wider: float) -> list[Stroke]:
    """A white edge around a line: it must be seen on pale and on dark cells."""
    return [withStroke(linewidth=line_pt * (1 + wider), foreground="white", alpha=0.8)]


def _few(needed: int) -> int:
    """How many of the colours stand for too few views."""
    return max(1, min(needed, len(VIEW_LABELS) - 1))


def _palette(needed: int) -> AnyArray:
    """RGB (8,3) uint8 of the classes of :func:`classes_of`."""
    colours = view_colours(needed)
    colours.insert(_few(needed), DOUBTFUL_COLOUR)
    return np.array([_rgb(colour) for colour in (*colours, "#FFFFFF")], np.uint8)


def _needed_views(survey: Survey) -> int:
    """How many views a cell needs, from the params of coverage."""
    params = survey.params.get("coverage")
    views = params.get("views") if isinstance(params, dict) else None
    return int(views) if isinstance(views, int | float) else CoverageParams().views


def _ramp(ends: tuple[str, str], count: int) -> list[str]:
    """``count`` colours from one end to the other; the stronger end alone for one."""
    first, last = np.array(_rgb(ends[0]), float), np.array(_rgb(ends[1]), float)
    steps = np.linspace(0.0, 1.0, count) if count > 1 else np.array([float(ends is ENOUGH)])
    mixed = np.rint(first + steps[:, None] * (last - first)).astype(int)
    return ["#{:02X}{:02X}{:02X}".format(*colour) for colour in mixed]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
