"""`python -m tests.generated --cases 10000 --seed 1`: more cases, and a table of how they end."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings


def main() -> int:
    """Try the cases and print the table; the status is 1 if anything foreign came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.generated", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="cases of all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases")
    parser.add_argument("--kind", action="append", help="only this kind; may be given again")
    parser.add_argument("--smaller", action="store_true", help="search a smaller example of faults")
    chosen = parser.parse_args()
    os.environ["WORKBENCH_RUNS"] = tempfile.mkdtemp(prefix="workbench-generated-")
    warnings.simplefilter("ignore")
    from tests.generated.kinds import KINDS, cases_of
    from tests.generated.running import count, shown

    n_faults = 0
    print(f"{'kind':<18}{'cases':>8}{'accepted':>10}{'refused':>10}{'foreign':>10}{'seconds':>10}")
    for kind in KINDS:
        if chosen.kind and kind.name not in chosen.kind:
            continue
        began = time.perf_counter()
        counted = count(kind, cases_of(kind, chosen.cases), chosen.seed, smaller=chosen.smaller)
        status, seconds = counted.status, time.perf_counter() - began
        ended = "".join(f"{status[word]:>10}" for word in ("accepted", "refused", "foreign"))
        print(f"{kind.name:<18}{status.total():>8}{ended}{seconds:>10.1f}", flush=True)
        for name, (n, text, example) in counted.faults.items():
            n_faults += n
            print(
                f"    {n} x {name}\n        {text[:400]}\n        {shown(example).strip():.600}",
                flush=True,
            )
    return 1 if n_faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
