"""The README's walk-through: its commands, and the output that it shows.

A line that begins with `#>` is an expected line of output, in which `...` stands for any text.
"""

import re
import subprocess

WALK_WITHIN = 60  # seconds


def differences(readme, base):
    """Runs the walk-through on the service at `base`, prints each difference, and returns their number."""
    walk = walk_in(readme)
    shown = [line.removeprefix("#> ") for line in walk.splitlines() if line.startswith("#> ")]
    assert shown, "the walk-through shows no output"
    printed = paste(walk, base)
    failed = 0
    for index in range(max(len(shown), len(printed))):
        expected = shown[index] if index < len(shown) else "(nothing)"
        found = printed[index] if index < len(printed) else "(nothing)"
        if not matches(expected, found):
            failed += 1
            print(f"expected: {expected}\nprinted:  {found}\n")
    print(f"{len(shown) - failed} passed, {failed} failed")
    return failed


def walk_in(readme):
    """Returns the only shell block of the walk-through."""
    with open(readme, encoding="utf-8") as file:
        section = file.read().split("## Walkthrough", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"expected one shell block, found {len(blocks)}"
    return blocks[0]


def paste(walk, base):
    script = walk.replace("http://127.0.0.1:8000", base)
    assert base in script, "the walk-through does not use the default address"
    done = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, timeout=WALK_WITHIN, check=True
    )
    return done.stdout.splitlines()


def matches(shown, printed):
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, printed) is not None
