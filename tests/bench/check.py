"""Checks that a run of the benchmark produced every figure without errors: `check.py FOLDER`."""

import json
import sys
from pathlib import Path

MODES = ["sqlite", "postgres"]
WORKS = ["me", "login", "register", "refresh", "logout", "mixed"]
# Logouts stop when no session is left, which may be early, so there is no rate.
WITHOUT_RATE = ["logout"]
LIMITS = {"sqlite": ["hello", "hashes"], "postgres": ["hello", "hashes", "rotation"]}


def main(folder):
    results = json.loads((folder / "results.json").read_text())
    modes = {it["mode"]: it for it in results["modes"]}
    expect(list(modes), MODES, "modes")
    for name, mode in modes.items():
        expect(sorted(mode["limits"]), sorted(LIMITS[name]), f"{name}: limits")
        expect([it["work"] for it in mode["works"]], WORKS, f"{name}: works")
        positive(f"{name}: memory when idle", mode["idle_mib"]["authapi"])
        for limit, spread in mode["limits"].items():
            positive(f"{name}: {limit}", median(spread))
        for work in mode["works"]:
            check_work(f"{name}: {work['work']}", work)
    chart = (folder / "chart.svg").read_text()
    if not chart.startswith("<svg"):
        sys.exit(f"the chart is not an SVG: {chart[:80]}")
    print(f"bench: {len(MODES)} modes with {len(WORKS)} works each, all figures are complete")


def check_work(name, work):
    expect(work["errors"], {}, f"{name}: errors")
    if work["work"] not in WITHOUT_RATE:
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
    main(Path(sys.argv[1]))
