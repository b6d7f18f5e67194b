"""Checks that `bench run` and `bench latency` produced every figure without errors.

Usage: check.py FOLDER_OF_RUN FOLDER_OF_LATENCY
"""

import json
import sys
from pathlib import Path

MODES = ["sqlite", "postgres"]
WORKS = ["me", "login", "register", "refresh", "logout", "mixed"]
# Logouts stop when no session is left, which may be early, so there is no rate.
WITHOUT_RATE = ["logout"]
PACED = ["logout", "refresh"]
LIMITS = {"sqlite": ["hello", "hashes"], "postgres": ["hello", "hashes", "rotation"]}


def main(of_run, of_latency):
    for name, mode in modes_of(of_run, WORKS):
        expect(sorted(mode["limits"]), sorted(LIMITS[name]), f"{name}: limits")
        for limit, spread in mode["limits"].items():
            positive(f"{name}: {limit}", median(spread))
        for work in mode["works"]:
            check_work(f"{name}: {work['work']}", work, has_rate=work["work"] not in WITHOUT_RATE)
    chart = (of_run / "chart.svg").read_text()
    if not chart.startswith("<svg"):
        sys.exit(f"the chart is not an SVG: {chart[:80]}")
    for name, mode in modes_of(of_latency, PACED):
        for work in mode["works"]:
            check_work(f"{name}: {work['work']} at a fixed rate", work, has_rate=True)
            for figure in ("wanted", "closed_loop"):
                positive(f"{name}: {work['work']}: {figure}", median(work["fixed"][figure]))
    count = len(WORKS) + len(PACED)
    print(f"bench: {len(MODES)} modes with {count} works each, all figures are complete")


def modes_of(folder, works):
    """Yields the name and the figures of each mode, which has these works."""
    results = json.loads((folder / "results.json").read_text())
    modes = {it["mode"]: it for it in results["modes"]}
    expect(list(modes), MODES, "modes")
    for name, mode in modes.items():
        expect([it["work"] for it in mode["works"]], works, f"{name}: works")
        positive(f"{name}: memory when idle", mode["idle_mib"]["authapi"])
        yield name, mode


def check_work(name, work, has_rate):
    expect(work["errors"], {}, f"{name}: errors")
    if has_rate:
        positive(f"{name}: rate", median(work["rate"]))
    for percentile in ("p50_ms", "p99_ms", "p999_ms"):
        positive(f"{name}: {percentile}", median(work[percentile]))
    positive(f"{name}: memory", median(work["peak_mib"]["authapi"]))


def median(spread):
    return (spread or {}).get("median")


def expect(found, wanted, what):
    if found != wanted:
        sys.exit(f"{what}: {found} instead of {wanted}")


def positive(what, figure):
    if not isinstance(figure, (int, float)) or not figure > 0:
        sys.exit(f"{what}: {figure} is not a positive number")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
