"""``python -m grading``: release assignments to students, and grade what they hand in."""

import argparse
import sys
from pathlib import Path

from grading import command
from grading.source import SourceError


def parser():
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m grading", description=__doc__)
    commands = result.add_subparsers(dest="command", required=True)
    one = commands.add_parser("release", help="write the students' notebooks beside their sources")
    one.add_argument("sources", nargs="*", type=Path, help="assignment.ipynb files; all by default")
    two = commands.add_parser("exam", help="draw an examination and its key from the bank")
    two.add_argument(
        "out", type=Path, help="folder for paper and key, .md to edit and .html to print"
    )
    two.add_argument("--chapters", nargs="+", required=True, help="such as 03 04")
    two.add_argument("--points", type=int, required=True)
    two.add_argument("--seed", type=int, default=1, help="another seed, another paper")
    command.add_parser(commands)
    return result


def release(options):
    """Write the students' notebooks."""
    from grading.release import release_all

    release_all(options.sources)


def exam(options):
    """Write a paper and its key."""
    from grading.exam import draw, printed, read_bank, write

    questions = draw(read_bank(), options.chapters, options.points, options.seed)
    for path in write(questions, options.out):
        print(f"{path}   to print: {printed(path)}")


COMMANDS = {"release": release, "exam": exam, "grade": command.grade}


def main(arguments=None):
    """Run a command; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options) or 0
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
