"""What must hold of every service in the compose files, and no schema says: check.py FILE...

Settings are not checked here: the service itself refuses those that it does not know.
"""

import re
import sys
from pathlib import Path

import yaml

# One-shot services and tools end by themselves, and their exit code is their health.
ONE_SHOT = {"init", "migrate", "cli"}
# Ours: the image brings its own health check.
OWN_HEALTH = re.compile(r"api(-\d+)?")
LOOPBACK = "${PUBLISHED_ADDRESS:-127.0.0.1}:"
PUBLISHED_BY = {"compose.yaml": ["api"], "compose.replicas.yaml": ["proxy"]}


def wrong_with(name, service):
    """What is wrong with one service, whatever the others are."""
    if not service.get("read_only"):
        yield "its root file system is not read-only"
    if service.get("cap_drop") != ["ALL"] or (service.get("cap_add") and name != "init"):
        yield "it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    if service.get("privileged") or service.get("network_mode", "none") != "none":
        yield "it is not shut in"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if set(limits) != {"cpus", "memory", "pids"}:
        yield "it has no limit on CPUs, memory and processes"
    if name in ONE_SHOT:
        if service.get("restart") != "no":
            yield "it ends by itself and would be started again"
        return
    if service.get("restart") != "unless-stopped":
        yield "it is not started again after it ended"
    if not OWN_HEALTH.fullmatch(name) and "test" not in service.get("healthcheck", {}):
        yield "it has no health check"


def wrong_references(name, service, document, folder):
    """What a service names and is not there."""
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
            yield f"it waits for {other} in a way that never comes"


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
            yield f"{name}: it is reachable from other machines unless told otherwise"
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    yield from (f"nothing uses the volume {volume}" for volume in sorted(set(document["volumes"]) - used))
    # A password in a compose file is one that everybody has.
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
            print(f"ok   {file}: {len(document['services'])} services, shut in, limited, nothing published but the API")
    for failure in failures:
        print(f"FAIL {failure}")
    sys.exit(1 if failures else 0)


main()
