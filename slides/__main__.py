"""``python -m slides``: one file of slides for each chapter, made from its page, notebooks and figures."""

import argparse
import sys
from pathlib import Path

import yaml

from grading.files import replace
from slides.chapter import ROOT, chapters, deck
from slides.page import page


def notebooks_of(folder):
    """The chapter's notebooks in the order of the table of contents, without the exercises."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    entries = (entry for part in contents["parts"] for entry in part["chapters"])
    mine = next(e for e in entries if e["file"] == f"chapters/{folder.name}/index")
    files = (ROOT / f"{section['file']}.ipynb" for section in mine.get("sections", ()))
    return [path for path in files if path.exists() and path.stem != "exercises"]


def main(arguments=None):
    """Write the decks asked for, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m slides", description=__doc__)
    parser.add_argument(
        "chapters", nargs="*", help="how their names begin, such as 04; all by default"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "slides")
    options = parser.parse_args(arguments)
    known = chapters()
    chosen = [
        f for f in known if not options.chapters or f.name.startswith(tuple(options.chapters))
    ]
    unknown = [c for c in options.chapters if not any(f.name.startswith(c) for f in known)]
    if unknown:
        parser.error(
            f"no chapter {', '.join(unknown)}; there are {', '.join(f.name for f in known)}"
        )
    for folder in chosen:
        stacks = [stack for stack in deck(folder, notebooks_of(folder)) if stack]
        path = options.out / f"{folder.name}.html"
        replace(path, page(stacks))
        print(f"{path}: {sum(map(len, stacks))} slides, {path.stat().st_size / 2**20:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
