"""What the two example servers share: settings, HTTP, and discovery when it is first needed."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SETTINGS = [os.environ.get(name, "") for name in ("ISSUER", "AUDIENCE", "TENANT", "SCOPE")]


def run(discover, verify):
    """Serves `GET /jobs` at LISTEN; prints the address when it is ready."""
    keys = None

    def claims_of(token):
        nonlocal keys
        # The issuer may come up after this server: until it is there no token is good.
        keys = keys or discover()
        return verify(token, keys)

    class Jobs(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two wait for each other

        def do_GET(self):
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                return self.answer(401, {"error": "no token"})
            try:
                claims = claims_of(token)
            except Exception as cause:  # whatever is wrong with a token, it is no good
                return self.answer(401, {"error": "invalid_token", "why": str(cause)})
            return self.answer(200, {"jobs": [], "subject": claims.get("sub")})

        def answer(self, status, body):
            body = json.dumps(body).encode()
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Bearer error="invalid_token"')
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """No log: a token may stand in a line."""

    host, _, port = os.environ.get("LISTEN", "127.0.0.1:9000").rpartition(":")
    listening = ThreadingHTTPServer((host, int(port)), Jobs)
    print(f"http://{host}:{listening.server_port}/jobs", flush=True)
    try:
        listening.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
