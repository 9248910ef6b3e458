"""A small server of fixed pages, which counts how often each was asked for."""

import http.server
import threading
from collections import Counter, namedtuple

# What a page that decides for itself answers: a status, headers, and a body where there is one.
Answer = namedtuple("Answer", "status headers body")
JSON = {"Content-Type": "application/json"}


def fixed(page):
    return Answer(404, JSON, b"") if page is None else Answer(200, JSON, page)


class Pages:
    """Serves `pages` on a free port of this machine: path to bytes, or to a function of a request's headers that
    gives an Answer."""

    def __init__(self, pages=None):
        self.pages, self.asked = dict(pages or {}), Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked[self.path] += 1
                page = outer.pages.get(self.path)
                answer = page(self.headers) if callable(page) else fixed(page)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                # A 304 has no body, and says nothing of its length.
                if answer.status != 304:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_):
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
