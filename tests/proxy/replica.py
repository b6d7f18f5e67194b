"""A stand-in for a replica: replica.py PORT LOG [--fails].

Writes the method and path of each request to LOG before it responds with 200. With --fails, it
closes the connection to a request for /drop without a response, as a replica does that is killed,
and responds to a request for /late with 408, as a replica does that was paused.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Replica(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log, fails = None, False

    def handle_request(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.path.startswith("/health/"):
            self.log.write(f"{self.command} {self.path}\n")
        if self.fails and self.path.startswith("/drop"):
            self.close_connection = True
            return
        self.send_response(408 if self.fails and self.path.startswith("/late") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # Connections wait in the queue of a paused process.
    request_queue_size = 128

    def handle_error(self, *_):
        """Ignores a connection that the proxy closed before the response."""


def main(port, log, *options):
    Replica.log = open(log, "a", buffering=1, encoding="utf-8")
    Replica.fails = "--fails" in options
    Server(("127.0.0.1", int(port)), Replica).serve_forever()


main(*sys.argv[1:])
