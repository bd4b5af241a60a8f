"""``python -m benchmarks``: run suites, print their tables, write their files."""

import argparse
import sys
import time

from benchmarks import plan, record, suites


def size(text):
    """A size from its text, such as 16x64x32x64."""
    try:
        parts = [int(part) for part in text.split("x")]
        if len(parts) != 4 or min(parts) < 1:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"a size is BxTxIxH, four positive integers such as 16x64x32x64; got {text!r}"
        ) from None
    return plan.Size(*parts)


def parser():
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = result.add_argument
    add("--only", nargs="+", choices=plan.SUITES, default=plan.SUITES, help="suites to run")
    add("--sizes", nargs="+", type=size, help="BxTxIxH; those of the performance page by default")
    add("--seconds", type=float, help="time for each comparison (4)")
    add("--rounds", type=int, help="rounds of each comparison at the least (5)")
    add("--repeats", type=int, help="processes for each measurement of memory (3)")
    add("--quick", action="store_true", help="the three smaller sizes, a second each")
    add("--out", default=record.RESULTS, help="folder of the results")
    return result


def main(arguments=None):
    """Run what is asked for."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    usual = (1.0, 3, 1, plan.QUICK_SIZES) if options.quick else (4.0, 5, 3, plan.SIZES)
    for name, value in zip(("seconds", "rounds", "repeats", "sizes"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    command = " ".join(["python -m benchmarks", *arguments])
    begin = time.time()
    for suite in options.only:
        facts = record.circumstances(command)
        rows = suites.run(suite, options)
        if rows:
            print(f"==> {record.write(options.out, suite, rows, facts).name}", flush=True)
    print(f"Measured in {time.time() - begin:.0f} s.")


if __name__ == "__main__":
    main()
