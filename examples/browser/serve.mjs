// Serves the example on http://localhost:5173, with Node.js alone. For development, not for use.
//
// AUTH_BASE_URL is where the page finds the service: a URL, or a path like /auth, the default, for
// which this server is the proxy. AUTH_SERVICE is the service behind that path, AUTH_REFRESH is
// `cookie` or `memory`, and PORT is this server's port.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { fileURLToPath } from "node:url";

const here = new URL(".", import.meta.url);
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8" };
const FILES = {
  "/": new URL("index.html", here),
  "/app.js": new URL("app.js", here),
  "/authapi-client.js": new URL("../../clients/typescript/dist/index.js", here),
};

/** Starts the server and returns it once it listens. */
export async function serve({ port, baseUrl, refresh, service }) {
  const config = `export const config = ${JSON.stringify({ baseUrl, refresh })};\n`;
  const authOrigin = baseUrl.startsWith("/") ? "" : ` ${new URL(baseUrl).origin}`;
  const server = createServer(async (incoming, outgoing) => {
    const path = new URL(incoming.url, "http://localhost").pathname;
    if (baseUrl.startsWith("/") && path.startsWith(`${baseUrl}/`)) {
      forward(incoming, outgoing, service, incoming.url.slice(baseUrl.length));
      return;
    }
    const body = path === "/config.js" ? config : FILES[path] && (await readFile(FILES[path]));
    outgoing.writeHead(body ? 200 : 404, {
      "Content-Type": TYPES[path.endsWith(".js") ? "js" : "html"],
      // Scripts of other origins do not run, and scripts of the page reach only the service.
      "Content-Security-Policy": `default-src 'self'; connect-src 'self'${authOrigin}; img-src data:; frame-ancestors 'none'`,
      "Cache-Control": "no-store",
    });
    outgoing.end(body);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Forwards a request to the service, as a reverse proxy does. */
function forward(incoming, outgoing, service, url) {
  const client = incoming.socket.remoteAddress;
  const headers = { ...incoming.headers, "x-forwarded-for": [incoming.headers["x-forwarded-for"], client].filter(Boolean).join(", ") };
  const sent = request(service, { path: url, method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  sent.on("error", () => outgoing.writeHead(502).end());
  incoming.pipe(sent);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(FILES["/authapi-client.js"])) {
    console.error("The client is not built: npm ci --prefix clients/typescript && npm run build --prefix clients/typescript");
    process.exit(1);
  }
  const { PORT = "5173", AUTH_BASE_URL = "/auth", AUTH_REFRESH = "cookie", AUTH_SERVICE = "http://127.0.0.1:8000" } = process.env;
  await serve({ port: Number(PORT), baseUrl: AUTH_BASE_URL, refresh: AUTH_REFRESH, service: AUTH_SERVICE });
  console.log(`http://localhost:${PORT}`);
}
