"""Run the measures in interleaved rounds and print the medians.

python -m bench [MEASURE ...] [--rounds 5] [--scale 1.0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from bench import stage
from bench.measures import MEASURES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("measures", nargs="*", default=list(MEASURES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of mails")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seen: dict[str, dict[str, list[float]]] = {name: {} for name in options.measures}
    for turn in range(options.rounds):
        for name in options.measures:
            sys.stderr.write(f"round {turn + 1} of {options.rounds}: {name}\n")
            with stage.folder() as place:
                for figure, value in MEASURES[name](place, options.scale).items():
                    seen[name].setdefault(figure, []).append(value)
    medians = {
        name: {figure: statistics.median(values) for figure, values in figures.items()}
        for name, figures in seen.items()
    }
    for name, figures in medians.items():
        print(f"\n{name}: {(MEASURES[name].__doc__ or '').strip()}")
        for figure, value in figures.items():
            spread = f"{min(seen[name][figure]):.3g} .. {max(seen[name][figure]):.3g}"
            print(f"  {figure:<24} {value:>10.3g}   ({spread})")
    if options.json:
        facts = {"machine": stage.machine(), "rounds": options.rounds, "scale": options.scale}
        options.json.write_text(json.dumps({**facts, "medians": medians, "all": seen}, indent=1) + "\n")


if __name__ == "__main__":
    main()
