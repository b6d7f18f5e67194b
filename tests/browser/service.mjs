// Runs the service under test: the real binary on a free loopback port, in a temporary folder.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const READY_WITHIN = 30_000; // ms
const STOPPED_WITHIN = 15_000; // ms
const LOG_LINES = 60; // of a service that failed

/**
 * Starts the service with the settings, which are environment variables, and waits until it is
 * ready. `stop` ends the service and removes its folder.
 */
export async function startService(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "authapi-browser-"));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("AUTHAPI_"));
  const child = spawn(process.env.AUTHAPI_BINARY, ["serve"], {
    cwd: folder,
    env: {
      ...Object.fromEntries(inherited),
      // Backtraces would hide the error in the printed log.
      RUST_BACKTRACE: "0",
      AUTHAPI_SERVER__HOST: "127.0.0.1",
      AUTHAPI_SERVER__PORT: String(port),
      AUTHAPI_DATABASE__URL: `sqlite://${folder}/authapi.db`,
      AUTHAPI_KEYS__DIR: join(folder, "keys"),
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
  const ended = once(child, "exit");

  async function stop() {
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN);
    await ended;
    clearTimeout(force);
    await rm(folder, { recursive: true, force: true });
  }

  try {
    await untilReady(base, child);
  } catch (error) {
    await stop();
    throw new Error([error.message, ...log.split("\n").slice(-LOG_LINES)].join("\n"));
  }
  return { base, stop };
}

async function untilReady(base, child) {
  const deadline = Date.now() + READY_WITHIN;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the service ended with status ${child.exitCode}`);
    const answer = await fetch(`${base}/health/ready`).catch(() => null);
    if (answer?.ok) return;
    await pause(100);
  }
  throw new Error(`the service was not ready within ${READY_WITHIN / 1000} s`);
}

/** Returns a loopback port that is free now. */
export async function freePort() {
  const probe = createServer();
  await once(probe.listen(0, "127.0.0.1"), "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
