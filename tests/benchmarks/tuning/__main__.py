"""Record real trainings, replay samplers on them, and time the overhead of a trial."""

from __future__ import annotations

import argparse

from tests.benchmarks.tuning.problems import PROBLEMS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tuning", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record", help="record the trainings that a table lacks")
    recording.add_argument("problem", choices=PROBLEMS)
    recording.add_argument("--limit", type=int, help="most trainings of this call")
    given = parser.parse_args()
    if given.action == "record":
        from tests.benchmarks.tuning.recording import record

        record(PROBLEMS[given.problem], given.limit)


if __name__ == "__main__":
    main()
