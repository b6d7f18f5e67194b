// A proxy that serves another server below a path prefix, as a reverse proxy does.

import { once } from "node:events";
import { createServer, request } from "node:http";

/** Forwards requests below `prefix` to `target`, without the prefix. All others get 404. */
export async function startProxy(target, prefix) {
  const server = createServer((incoming, answer) => {
    if (!incoming.url.startsWith(`${prefix}/`)) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = incoming;
    const forwarded = request(target + incoming.url.slice(prefix.length), { method, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    forwarded.on("error", () => answer.destroy());
    incoming.pipe(forwarded);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const base = `http://127.0.0.1:${server.address().port}${prefix}`;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { base, stop };
}
