"""Lints the OpenAPI document, and uses clients that generators make of it.

Usage: run.py BINARY CARGO_TARGET. Runs in a virtual environment with requirements.txt, in whose
parent folder cargo builds the Rust client. Each generator must succeed without a warning, and its
client completes the flow of flow.ts, flow.py and progenitor/src/main.rs on the real service.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from service import service

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "generated"
TOOLS = HERE / "node_modules" / ".bin"
LIMIT = 600  # seconds for one step
PASSWORD = "seven sober walruses 42"
SETTINGS = {
    "AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING": "true",
    "AUTHAPI_PASSWORD__MEMORY_KIB": "64",
    "AUTHAPI_PASSWORD__ITERATIONS": "1",
    "AUTHAPI_LOG__LEVEL": "warn",
}
ENVIRONMENT = os.environ | {
    # openapi-python-client formats its output with ruff.
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "NO_PROXY": "127.0.0.1",
    "NO_COLOR": "1",
    "PYTHONPATH": str(GENERATED / "python"),
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "REDOCLY_TELEMETRY": "off",
}
WARNING = re.compile(r"warn|⚠|deprecated", re.IGNORECASE)


class Steps:
    """Runs commands, prints a line for each, and counts those that failed."""

    def __init__(self):
        self.failed = 0

    def run(self, what, *command, quiet=False, **options):
        """Runs a command, which must succeed and, if `quiet`, print no warning."""
        started = time.monotonic()
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "text": True}
        try:
            ran = subprocess.run(command, cwd=HERE, env=ENVIRONMENT, timeout=LIMIT, **streams, **options)
            held, output = ran.returncode == 0 and not (quiet and WARNING.search(ran.stdout)), ran.stdout
        except subprocess.TimeoutExpired as error:
            held, output = False, f"no result within {LIMIT} s\n{error.stdout or ''}"
        self.failed += not held
        print(f"{'ok  ' if held else 'FAIL'} {what}, {time.monotonic() - started:.0f} s", flush=True)
        if not held:
            print(output, flush=True)
        return held


def write_documents(binary):
    """Writes the documents of the binary: 3.1, 3.0, and the part of 3.0 that progenitor supports."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    for name, options in {"openapi.json": [], "openapi-3.0.json": ["--version", "3.0"]}.items():
        written = subprocess.run([binary, "openapi", *options], check=True, stdout=subprocess.PIPE, text=True)
        (GENERATED / name).write_text(written.stdout, encoding="utf-8")
    command = ["jq", "--from-file", "progenitor/document.jq", "generated/openapi-3.0.json"]
    reduced = subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    (GENERATED / "progenitor.json").write_text(reduced.stdout, encoding="utf-8")


def lint(steps):
    for document in ["openapi.json", "openapi-3.0.json"]:
        file = f"generated/{document}"
        steps.run(f"redocly: {document}", TOOLS / "redocly", "lint", "--extends=recommended-strict", file)
        options = ["--ruleset", "spectral.yaml", "--fail-severity", "hint"]
        steps.run(f"spectral: {document}", TOOLS / "spectral", "lint", *options, file)


def typescript(steps):
    """Generates types, compiles the flow with them, and returns the command that runs it."""
    generate = [TOOLS / "openapi-typescript", "generated/openapi.json", "--output", "generated/schema.ts"]
    if steps.run("openapi-typescript generates", *generate, quiet=True):
        if steps.run("the flow with openapi-fetch compiles", TOOLS / "tsc"):
            return ["node", GENERATED / "typescript" / "flow.js"]
    return None


def python(steps):
    """Generates a package, and returns the command that runs the flow with it."""
    output = GENERATED / "python" / "authapi_client"
    output.parent.mkdir()
    generate = [Path(sys.executable).parent / "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning"]
    generate += ["--path", "generated/openapi.json", "--output-path", output]
    if steps.run("openapi-python-client generates", *generate, quiet=True):
        return [sys.executable, "flow.py"]
    return None


def rust(steps, target):
    """Generates and compiles a client, and returns the command that runs the flow with it."""
    manifest = ["--manifest-path", "progenitor/Cargo.toml", "--target-dir", target]
    if steps.run("progenitor generates, and the flow compiles", "cargo", "build", "--locked", "--quiet", *manifest, quiet=True):
        return [target / "debug" / "progenitor-flow"]
    return None


def main():
    binary, target = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    steps = Steps()
    write_documents(binary)
    lint(steps)
    flows = {"openapi-fetch": typescript(steps), "openapi-python-client": python(steps), "progenitor": rust(steps, target)}
    with service(binary, settings=SETTINGS) as running:
        running.command("users", "create", "--login", "root", "--role", "admin", "--role", "user", given=f"{PASSWORD}\n")
        for number, (name, command) in enumerate(flows.items()):
            if command:
                steps.run(f"{name} completes the flow", *command, running.base, f"reader-{number}", "root", PASSWORD)
    print("failed" if steps.failed else "passed")
    sys.exit(1 if steps.failed else 0)


main()
