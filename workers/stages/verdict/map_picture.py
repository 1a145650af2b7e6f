"""``coverage.png`` with its world file, and the map figures of the report."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from workers.contract.products import Gap, Verdict
from workers.contract.survey import MapFrame
from workers.contract.words import Certainty
from workers.stages.verdict.map_drawing import (
    DOUBTFUL_COLOUR,
    TRACK_COLOURS,
    VIEW_LABELS,
    MapScene,
    draw_aoi,
    draw_cells,
    draw_map,
    view_colours,
)
from workers.stages.verdict.provenance import printable, provenance_json

PICTURE_PIXELS = 2000
"""The longer side of ``coverage.png`` comes as near to this as whole pixels a cell allow."""
MOST_PIXELS_A_CELL = 24
_DPI = 128  # a power of two: pixels / dpi * dpi gives the pixels back without a rounding error
_FIGURE_DPI = 180
_STYLE: Any = {
    "text.parse_math": False,
    "hatch.linewidth": 1.0,
    "font.family": "DejaVu Sans",
    "axes.unicode_minus": False,
}
LAYERS = (
    ("footprint_views", "Footprint: all sampled frames"),
    ("filmed_views", "Filmed: usable frames"),
    ("reconstructed_views", "Reconstructed"),
)
_GAPS_IN_LEGEND = 8


def write_coverage_png(folder: Path, scene: MapScene, frame: MapFrame, verdict: Verdict) -> None:
    """Write ``coverage.png``, an equal block of pixels a cell and nothing around it, and ``coverage.pgw``."""
    rows, columns = scene.grid.inside.shape
    block = max(1, min(MOST_PIXELS_A_CELL, PICTURE_PIXELS // max(rows, columns)))
    figure = Figure(figsize=(columns * block / _DPI, rows * block / _DPI), dpi=_DPI)
    with mpl.rc_context(_STYLE):
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        draw_map(axes, scene, line_pt=1.0)
        (folder / "coverage.png").write_bytes(_png(figure, {"Comment": provenance_json(verdict)}))
    pixel = scene.grid.cell_m / block
    west, _, _, north = scene.grid.extent
    upper_left = (west + frame.origin[0] + pixel / 2, north + frame.origin[1] - pixel / 2)
    numbers = (pixel, 0.0, 0.0, -pixel, *upper_left)
    (folder / "coverage.pgw").write_text("".join(f"{number:.15g}\n" for number in numbers), encoding="ascii")


def map_figure(scene: MapScene, width_in: float, *, placed: bool) -> bytes:
    """The report's map as PNG: legend below, scale bar, north arrow when there is a north, gaps with their cause."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure_of_map(scene, width_in)
        draw_map(axes, scene, line_pt=0.8)
        _scale_bar(figure, axes, scene, placed=placed)
        figure.legend(
            handles=_legend(scene),
            loc="upper center",
            bbox_to_anchor=(0.5, axes.get_position().y0 - 0.42 / figure.get_figheight()),
            ncols=3 if width_in > 5 else 2,
            frameon=False,
            fontsize=9.5,
            handlelength=1.6,
            columnspacing=1.2,
        )
        return _png(figure)


def layers_figure(scene: MapScene, width_in: float) -> bytes:
    """The three layers of view counts side by side, or one below the other where the page is narrow, as PNG."""
    across = 3 if width_in > 5 else 1
    west, east, south, north = scene.grid.extent
    shape = min(2.0, max(0.3, (north - south) / (east - west)))
    down = math.ceil(len(LAYERS) / across)
    figure = Figure(figsize=(width_in, down * (width_in / across * shape + 0.35)), dpi=_FIGURE_DPI)
    top = 1 - 0.3 / figure.get_figheight()
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=top, wspace=0.05)
    with mpl.rc_context(_STYLE):
        for n, (name, title) in enumerate(LAYERS, start=1):
            axes = figure.add_subplot(down, across, n)
            draw_cells(axes, scene, getattr(scene.grid, name), judged=False)
            draw_aoi(axes, scene, line_pt=0.5)
            axes.set_title(title, fontsize=9.5)
        return _png(figure)


def _figure_of_map(scene: MapScene, width_in: float) -> tuple[Figure, Axes]:
    """A figure with room for the map above and the legend below."""
    west, east, south, north = scene.grid.extent
    margin = 0.12
    shape = (north - south) / (east - west)
    width = min(width_in - 2 * margin, 1.3 * width_in / shape)
    height = width * shape
    entries = len(_legend(scene))
    below = 0.55 + 0.21 * math.ceil(entries / (3 if width_in > 5 else 2))
    figure = Figure(figsize=(width_in, height + below + margin), dpi=_FIGURE_DPI)
    total = figure.get_figheight()
    axes = figure.add_axes((0.5 - width / width_in / 2, below / total, width / width_in, height / total))
    return figure, axes


def _legend(scene: MapScene) -> list[Patch | Line2D]:
    """Handles in reading order: views, doubtful cells, area, tracks, gaps."""
    handles: list[Patch | Line2D] = [
        Patch(fc=colour, ec="black", lw=0.5, label=_views_label(label, n, scene.needed))
        for n, (colour, label) in enumerate(zip(view_colours(scene.needed), VIEW_LABELS, strict=True))
    ]
    grid = scene.grid
    if (grid.inside & ~grid.passes & (grid.reconstructed_views >= min(scene.needed, 5))).any():
        handles.append(Patch(fc=DOUBTFUL_COLOUR, ec="black", lw=0.5, label="enough, but place doubtful"))
    handles.append(Line2D([], [], color="black", lw=1.5, ls=(0, (4, 2)), label="area of interest"))
    for n, vehicle in enumerate(dict.fromkeys(track.vehicle for track in scene.tracks)):
        colour = TRACK_COLOURS[n % len(TRACK_COLOURS)]
        handles.append(Line2D([], [], color=colour, lw=1.2, label=f"track {_short(printable(vehicle))}"))
    ranked = [gap for gap, _ in scene.gaps]
    handles += [_gap_handle(gap) for gap in ranked[:_GAPS_IN_LEGEND]]
    if len(ranked) > _GAPS_IN_LEGEND:
        handles.append(
            Line2D([], [], lw=0, label=f"{len(ranked) - _GAPS_IN_LEGEND} more gaps: see the table")
        )
    return handles


def _views_label(label: str, n: int, needed: int) -> str:
    """How many views a colour stands for; the first of either kind says which kind it is."""
    kind = ": too few" if n == 0 else ": enough" if n == needed else ""
    return f"{label} view{'' if n == 1 else 's'}{kind}"


def _gap_handle(gap: Gap) -> Patch:
    certain = gap.certainty is Certainty.CERTAIN
    return Patch(
        fc="white",
        ec="black",
        lw=1.2,
        ls="-" if certain else (0, (2.0, 1.5)),
        hatch="////" if certain else None,
        label=f"gap {gap.id}: {gap.cause.replace('_', ' ')}" + ("" if certain else " (possible)"),
    )


def _scale_bar(figure: Figure, axes: Axes, scene: MapScene, *, placed: bool) -> None:
    """Below the map: a bar of a round length, about a quarter of its width, grid north if any, and the cell."""
    west, east, _, _ = scene.grid.extent
    length = round_length((east - west) / 4)
    box = axes.get_position()
    share = length / (east - west) * box.width
    y = box.y0 - 0.2 / figure.get_figheight()
    thick = 0.06 / figure.get_figheight()
    for n, colour in enumerate(("black", "white")):
        half = Rectangle((box.x0 + n * share / 2, y), share / 2, thick, fc=colour, ec="black", lw=0.8)
        half.set_transform(figure.transFigure)
        figure.add_artist(half)
    figure.text(box.x0 + share + 0.01, y + thick / 2, f"{length:g} m", va="center", fontsize=10)
    if placed:
        figure.text(0.5, y + thick / 2, "▲ N", va="center", ha="center", fontsize=10, fontweight="bold")
    label = f"cell {scene.grid.cell_m:.3g} m"
    figure.text(box.x1, y + thick / 2, label, va="center", ha="right", fontsize=10)


def round_length(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"


def _png(figure: Figure, text: dict[str, str] | None = None) -> bytes:
    """The figure's pixels as PNG, the same bytes for the same figure."""
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", metadata={"Software": "COSMA QC", **(text or {})})
    return file.getvalue()
