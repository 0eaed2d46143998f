"""Record trainings and replay samplers on them, or run samplers and other tools on real ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.compression.peers.environments import DEFAULT
from tests.benchmarks.tuning.problems import PROBLEMS

SAMPLERS = ("random", "tpe", "gp", "grid", "cmaes")


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
    comparing = actions.add_parser("against", help="other tools, in environments of their own")
    comparing.add_argument("--tools", nargs="*", default=["workbench", "optuna", "flaml"])
    comparing.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    comparing.add_argument("--seconds", type=float, default=600, help="time of each search")
    comparing.add_argument("--environments", type=Path, default=DEFAULT, help="used again")
    comparing.add_argument("--folder", type=Path, default=Path("runs/against"))
    comparing.add_argument("--table", type=Path, help="another table than the one that is kept")
    living = actions.add_parser("live", help="samplers on real trainings of digits")
    living.add_argument("--samplers", nargs="*", default=list(SAMPLERS), choices=SAMPLERS)
    living.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    living.add_argument("--n-trials", type=int, default=12)
    living.add_argument("--table", type=Path, help="another table than the one that is kept")
    counting = actions.add_parser("workers", help="trials of one process and of two")
    counting.add_argument("--seconds", type=float, default=60, help="time of each search")
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
    elif given.action == "against":
        from tests.benchmarks.tuning.against import TABLE, against

        given.table = given.table or TABLE
        against(**{name: value for name, value in vars(given).items() if name != "action"})
    elif given.action == "live":
        from tests.benchmarks.tuning.live import TABLE, live

        given.table = given.table or TABLE
        live(**{name: value for name, value in vars(given).items() if name != "action"})
    elif given.action == "workers":
        from tests.benchmarks.tuning.workers import workers

        print(workers(given.seconds))
    else:
        from tests.benchmarks.tuning.overhead import compared

        print(compared(given.sampler))


if __name__ == "__main__":
    main()
