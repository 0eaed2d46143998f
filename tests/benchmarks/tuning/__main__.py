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
    replaying = actions.add_parser("replay", help="replay samplers on the recorded tables")
    replaying.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=PROBLEMS)
    replaying.add_argument("--methods", nargs="*", default=["grid", "random", "tpe", "gp"])
    actions.add_parser("curse", help="the winner's curse of the recorded tables")
    timing = actions.add_parser("overhead", help="seconds of trials that cost nothing")
    timing.add_argument("--sampler", default="tpe")
    given = parser.parse_args()
    if given.action == "record":
        from tests.benchmarks.tuning.recording import record

        record(PROBLEMS[given.problem], given.limit)
    elif given.action == "replay":
        from tests.benchmarks.tuning.replaying import replays

        replays(given.problems, given.methods)
    elif given.action == "curse":
        from tests.benchmarks.tuning.replaying import curses

        curses(list(PROBLEMS))
    else:
        from tests.benchmarks.tuning.overhead import compared

        print(compared(given.sampler))


if __name__ == "__main__":
    main()
