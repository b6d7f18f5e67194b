"""Counts and prints the results of checks."""

import re


class Checks:
    """Counts passed and failed checks, and prints a line for each."""

    def __init__(self):
        self.passed = self.failed = 0

    def note(self, held, what, why=""):
        self.passed += held
        self.failed += not held
        print(f"{'ok  ' if held else 'FAIL'} {what}{': ' + why if why and not held else ''}", flush=True)

    def accepts(self, what, check):
        """Passes if `check` does not raise."""
        try:
            check()
            self.note(True, what)
        except Exception as error:  # any exception of a library is a failed check, not a crash
            self.note(False, what, f"{type(error).__name__}: {error}")

    def refuses(self, what, reason, check):
        """Passes if `check` raises an error that matches the regular expression `reason`."""
        try:
            check()
            self.note(False, what, "it was accepted")
        except Exception as error:  # libraries have no common error
            said = f"{type(error).__name__}: {error}"
            self.note(re.search(reason, said, re.IGNORECASE) is not None, what, said)
