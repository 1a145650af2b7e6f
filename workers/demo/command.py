"""Make a demo dive, from a recipe or from the command line."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from workers.contract.errors import CosmaError, UsageError
from workers.demo.recipe import DEMO, SMALL, DemoRecipe


def make_demo(folder: Path, recipe: DemoRecipe, progress: Callable[[int, int], None] | None = None) -> None:
    """Render the recipe's dive into a new folder.

    The folder is built beside its place and renamed at the end: it is there whole or not at all.

    Args:
        folder: where the dive goes; its parents are made. ``<folder>/AUV01`` is the footage, beside it the nav log,
            ``aoi.geojson`` and the truth.
        recipe: what to render; the same recipe gives the same frames.
        progress: called with frames done and frames in all.

    Raises:
        UsageError: something is already there, or the recipe has no such leg.
    """
    # av, cv2 and scipy take a second to import: not for a command line that only asks for help
    from workers.demo.seabed import grow
    from workers.demo.survey import fly
    from workers.demo.write import write_dive

    if folder.exists():
        raise UsageError(
            f"{folder} exists already.", "Name a folder that does not exist yet, or remove this one."
        )
    if recipe.gap != "none" and not 0 <= recipe.gap_leg < len(recipe.leg_ys_m):
        raise UsageError(
            f"There is no leg {recipe.gap_leg} of {len(recipe.leg_ys_m)}.", "Choose another gap leg."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        write_dive(partial, recipe, (grow(recipe), fly(recipe)), progress)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.demo", description="Render a demo dive with its truth."
    )
    parser.add_argument("folder", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--gap", choices=("leg", "turbid", "none"), default="leg", help="what leaves a hole")
    parser.add_argument("--seed", type=int, help="another seabed and another swell")
    parser.add_argument("--codec", choices=("h264", "hevc"), default="h264")
    parser.add_argument(
        "--small", action="store_true", help="half a minute of small footage, as the tests use"
    )
    args = parser.parse_args(argv)
    recipe = replace(SMALL if args.small else DEMO, gap=args.gap, codec=args.codec)
    if args.seed is not None:
        if args.seed < 0:
            parser.error("a seed is 0 or more")
        recipe = replace(recipe, seed=args.seed)
    try:
        make_demo(args.folder, recipe, _print_progress)
    except CosmaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(f"\nThe dive is in {args.folder}.\n")
    return 0


def _print_progress(done: int, of: int) -> None:
    if done % 10 == 0 or done == of:
        sys.stderr.write(f"\rframe {done} of {of}")
        sys.stderr.flush()
