"""What `import workbench` adds to a bare interpreter: `python -m tests.benchmarks.importing`."""

from __future__ import annotations

import subprocess
import sys
import time

ROUNDS = 15


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(seconds("pass"))
        ours.append(seconds("import workbench"))
    print("| | best | median |\n|---|---|---|")
    for name, times in (("bare interpreter", bare), ("with `import workbench`", ours)):
        times.sort()
        print(f"| {name} | {1000 * times[0]:.0f} ms | {1000 * times[len(times) // 2]:.0f} ms |")
    print(
        f"| added | {1000 * (ours[0] - bare[0]):.0f} ms | "
        f"{1000 * (ours[ROUNDS // 2] - bare[ROUNDS // 2]):.0f} ms |"
    )


if __name__ == "__main__":
    main()
