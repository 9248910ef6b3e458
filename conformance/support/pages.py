"""A small server of fixed pages, which counts how often each was asked for."""

import http.server
import threading
from collections import Counter


class Pages:
    """Serves `pages` (path to bytes, or to a function that gives them) on a free port of this machine."""

    def __init__(self, pages=None):
        self.pages, self.asked = dict(pages or {}), Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked[self.path] += 1
                page = outer.pages.get(self.path)
                body = page() if callable(page) else page
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
