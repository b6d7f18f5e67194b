// A reverse proxy in front of other servers.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { createServer as createTlsServer } from "node:https";

/**
 * Starts a proxy on a free loopback port. `route` returns the URL to which a request is forwarded,
 * or nothing for a 404. The proxy passes a response on after `deliver`. With `tls`, a key and a
 * certificate, it terminates TLS.
 */
export async function startProxy({ route, deliver = () => {}, tls }) {
  const handle = (incoming, outgoing) => {
    const url = route(incoming);
    if (!url) {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, headers, socket } = incoming;
    const clients = [headers["x-forwarded-for"], socket.remoteAddress].filter(Boolean).join(", ");
    const options = { method, headers: { ...headers, "x-forwarded-for": clients } };
    const forwarded = request(url, options, async (response) => {
      await deliver(incoming, response);
      outgoing.writeHead(response.statusCode, response.rawHeaders);
      response.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  };
  const server = tls ? createTlsServer(tls, handle) : createServer(handle);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port: server.address().port, stop };
}
