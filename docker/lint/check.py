"""Checks rules for every service in the compose files that no schema expresses: check.py FILE...

Settings are not checked, because the service itself rejects unknown ones.
"""

import re
import sys
from pathlib import Path

import yaml

# One-shot services and tools exit by themselves; their exit status replaces a health check.
ONE_SHOT = {"init", "migrate", "cli"}
# Services that run this project's image, which contains a health check.
OWN_HEALTH = re.compile(r"api(-\d+)?")
LOOPBACK = "${PUBLISHED_ADDRESS:-127.0.0.1}:"
PUBLISHED_BY = {"compose.yaml": ["api"], "compose.replicas.yaml": ["proxy"]}


def wrong_with(name, service):
    """Yields the violations of one service by itself."""
    if not service.get("read_only"):
        yield "its root file system is not read-only"
    if service.get("cap_drop") != ["ALL"] or (service.get("cap_add") and name != "init"):
        yield "it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    if service.get("privileged") or service.get("network_mode", "none") != "none":
        yield "it is not isolated: it is privileged or changes its network mode"
    if "ulimits" in service:
        yield "it sets a limit that an engine with lower hard limits refuses"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if set(limits) != {"cpus", "memory", "pids"}:
        yield "it has no limit on CPUs, memory and processes"
    if name in ONE_SHOT:
        if service.get("restart") != "no":
            yield "it exits by itself and must have restart: no"
        return
    if service.get("restart") != "unless-stopped":
        yield "it does not restart after it exits"
    if not OWN_HEALTH.fullmatch(name) and "test" not in service.get("healthcheck", {}):
        yield "it has no health check"


def wrong_references(name, service, document, folder):
    """Yields the references of one service to missing files, volumes, networks and services."""
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            if not (folder / source).is_file():
                yield f"there is no {source}"
        elif source not in document["volumes"]:
            yield f"the volume {source} is not declared"
    for network in service.get("networks", []):
        if network not in document["networks"]:
            yield f"the network {network} is not declared"
    for other, how in service.get("depends_on", {}).items():
        needed = document["services"].get(other)
        if needed is None:
            yield f"there is no {other} to wait for"
        elif (how["condition"] == "service_completed_successfully") != (other in ONE_SHOT):
            yield f"it waits for a condition of {other} that is never met"


def wrong_with_all(document, file):
    services = document["services"]
    for name, service in services.items():
        wrong = [*wrong_with(name, service), *wrong_references(name, service, document, file.parent)]
        yield from (f"{name}: {what}" for what in wrong)
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    if sorted(published) != PUBLISHED_BY[file.name]:
        yield f"ports are published by {sorted(published)}"
    for name, ports in published.items():
        if len(ports) != 1 or not ports[0].startswith(LOOPBACK):
            yield f"{name}: it is reachable from other machines by default"
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    yield from (f"nothing uses the volume {volume}" for volume in sorted(set(document["volumes"]) - used))
    # A password in a compose file would be public.
    for line in file.read_text().splitlines():
        if re.search(r"(PASSWORD|SECRET|TOKEN)[A-Z_]*(?<!_FILE): *[^$\s]|//[^/@\s]*:(?!PASSWORD@)[^/@\s]+@", line):
            yield f"this looks like a secret: {line.strip()}"


def main():
    failures = []
    for file in map(Path, sys.argv[1:]):
        document = yaml.safe_load(file.read_text())
        found = list(wrong_with_all(document, file))
        failures += [f"{file}: {what}" for what in found]
        if not found:
            print(f"ok   {file}: {len(document['services'])} services, isolated, limited, only the API is published")
    for failure in failures:
        print(f"FAIL {failure}")
    sys.exit(1 if failures else 0)


main()
