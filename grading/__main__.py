"""``python -m grading``: release assignments to students, and grade what they hand in."""

import argparse
import sys
from pathlib import Path

from grading.source import SourceError


def parser():
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m grading", description=__doc__)
    commands = result.add_subparsers(dest="command", required=True)
    one = commands.add_parser("release", help="write the students' notebooks beside their sources")
    one.add_argument("sources", nargs="*", type=Path, help="assignment.ipynb files; all by default")
    return result


def main(arguments=None):
    """Run a command; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        from grading.release import release_all

        release_all(options.sources)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
