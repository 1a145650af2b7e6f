"""The worker's command line: ``python -m workers run | probe | inspect | overlay | demo | version``."""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from workers.contract import CONTRACT_VERSION
from workers.contract.errors import CosmaError
from workers.contract.software import software_version

COMMANDS = {
    "run": "run one job of a mission",
    "probe": "this machine's processors, memory, disk and GPUs, as JSON",
    "inspect": "what a card, footage or nav file holds, from its headers",
    "overlay": "a frame with its features, quality and registration, as PNG",
    "demo": "make the demo dive",
    "version": "version of this program and of the contract it speaks",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    lines = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m workers",
        description="What computes, one command a process.\n\n" + lines,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command")
    command = parser.parse_args(arguments[:1]).command
    rest = arguments[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if command == "version":
        print(f"cosmaqc workers {software_version()}, contract {CONTRACT_VERSION}")
        return 0
    try:
        if command == "run":
            return _run(rest)
        result = importlib.import_module(f"workers.{command}").main(rest)
    except CosmaError as error:
        print(error, file=sys.stderr)
        return 2
    return int(result or 0)


def _run(argv: Sequence[str]) -> int:
    from workers.runner import STAGES, run_job_file

    parser = argparse.ArgumentParser(prog="python -m workers run")
    parser.add_argument("job", type=Path, help="the job's JSON file")
    parser.add_argument("--mission", type=Path, required=True, help="the mission folder")
    parser.add_argument("--stages", default=STAGES, help="package that the stages are loaded from")
    options = parser.parse_args(argv)
    return run_job_file(options.job, options.mission, options.stages)


if __name__ == "__main__":
    sys.exit(main())
