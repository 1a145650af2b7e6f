"""The command line: ``cosmaqc run | plan | demo``."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from workers.contract.errors import CosmaError, UsageError
from workers.contract.software import software_version

NO_WINDOW = """The window is not part of this version of COSMA QC. Check a dive from the command line:

  cosmaqc run FOOTAGE... --mission DIR [--nav [VEHICLE=]FILE] [--aoi FILE]
  cosmaqc demo               a made-up dive with a known hole, through the whole line
  cosmaqc --help
"""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    main_parser = argparse.ArgumentParser(
        prog="cosmaqc",
        description="Is the seabed we came for covered? If not: where is the hole, why, and what fixes it?",
    )
    main_parser.add_argument("--version", action="version", version=f"cosmaqc {software_version()}")
    commands = main_parser.add_subparsers(dest="command", metavar="command")
    run = commands.add_parser(
        "run", help="run the line on footage, or go on with a mission", epilog=EXIT_CODES
    )
    run.add_argument(
        "footage",
        nargs="*",
        type=Path,
        metavar="FOOTAGE",
        help="a card, a folder, a video, a folder of stills",
    )
    run.add_argument(
        "--nav", action="append", default=[], metavar="[VEHICLE=]FILE", help="a vehicle's nav log (CSV)"
    )
    run.add_argument("--aoi", type=Path, metavar="FILE", help="area of interest (GeoJSON, KML or CSV)")
    run.add_argument("--rig", type=Path, metavar="FILE", help="how the cameras sit on the vehicles (TOML)")
    plan = commands.add_parser("plan", help="what a run would compute, what it would reuse, and why")
    demo = commands.add_parser("demo", help="make the demo dive and run the line on it")
    demo.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where dive and mission go")
    demo.add_argument("--small", action="store_true", help="half a minute of small footage")
    for command in (run, plan):
        command.add_argument("--mission", type=Path, required=True, metavar="DIR", help="the mission folder")
        command.add_argument(
            "--set",
            action="append",
            default=[],
            dest="changes",
            metavar="stage.param=value",
            help="set a param",
        )
    for command in (run, demo):
        command.add_argument("--config", type=Path, metavar="FILE", help="the operator's settings (TOML)")
    return main_parser


EXIT_CODES = (
    "Exit status: 0 complete, 10 not complete, 11 cannot tell, 2 bad input or usage, 3 no verdict could be "
    "written, 4 another engine holds the mission, 130 stopped."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    sys.excepthook = _last_words
    options = parser().parse_args(argv)
    if options.command is None:
        print(NO_WINDOW, file=sys.stderr, end="")
        return 2
    try:
        return _run(options)
    except CosmaError as error:  # what was given makes no sense; the engine's own errors are told by the app
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    from cosmaqc_gui import app
    from cosmaqc_gui.core.folders import data_folder
    from cosmaqc_gui.core.mission import parse_set
    from cosmaqc_gui.core.settings import load_settings
    from cosmaqc_gui.core.wishes import IngestRequest

    if options.command == "plan":
        return app.show_plan(options.mission.absolute(), parse_set(options.changes))
    settings = load_settings(options.config, os.environ)
    if options.command == "demo":
        folder = options.folder or data_folder(os.environ) / "demo"
        return app.run_demo(folder.absolute(), settings, small=options.small)
    request = IngestRequest(
        footage=tuple(_existing(p) for p in options.footage),
        nav=tuple(_nav(text) for text in options.nav),
        aoi=_existing(options.aoi) if options.aoi else None,
        rig=_existing(options.rig) if options.rig else None,
    )
    return app.run_line(options.mission.absolute(), request, parse_set(options.changes), settings)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path} does not exist.", "Check the path; quote it when it holds spaces.")
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The name of {path!r} is not UTF-8.", "Rename it, or give a folder above it."
        ) from error
    return path.absolute()


def _nav(text: str) -> tuple[str | None, Path]:
    """``VEHICLE=FILE`` or ``FILE``; a file whose name holds an equals sign is still a file."""
    vehicle, equals, file = text.partition("=")
    if equals and vehicle and not Path(text).exists():
        return vehicle, _existing(Path(file))
    return None, _existing(Path(text))


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A defect of this program: say so, and end with CONTRACT's status for "no verdict could be written"."""
    logging.getLogger(__name__).critical("uncaught", exc_info=(kind, error, trace))
    traceback.print_exception(kind, error, trace)
    print("This is a defect of COSMA QC. Keep the mission folder and report it.", file=sys.stderr, flush=True)
    os._exit(130 if issubclass(kind, KeyboardInterrupt) else 3)


if __name__ == "__main__":
    sys.exit(main())
