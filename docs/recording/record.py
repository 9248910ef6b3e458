#!/usr/bin/env python3
"""Records the session of the first minute: the real program in a terminal, as the picture that README.md shows.

    docs/recording/record.py                         writes docs/recording/session.svg
    TIKTI_BIN=/usr/bin/tikti docs/recording/record.py other.svg
    docs/recording/record.py --check                 writes nothing: is the picture what the program prints now?

With target/debug/tikti, or the one that TIKTI_BIN names. What the program prints is recorded as it is; when it is
shown is decided here, and what differs from run to run (ids, the token, the port) is replaced, so that two runs
give the same bytes. Animated by CSS alone, without a script or a font of its own. Exit code 0 means that every
command was done, and with --check that the picture is the same byte for byte.
"""

import difflib
import html
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import termios

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
TIKTI = os.environ.get("TIKTI_BIN", str(TARGET / "debug" / "tikti"))

COLUMNS = 84
URL = "http://127.0.0.1:8080"
SESSION = [
    f"tikti init --host {URL}",
    "tikti auth login --user root@corp.sys",
    "tikti tenant create --slug codecompany",
    'tikti token exchange --aud backend-worker \\\n'
    '    --scope "jobs:read jobs:write" --tenant codecompany --sub worker-01',
    "tikti token verify --aud backend-worker --scope jobs:read",
]
REPLACED = [
    (r"http://127\.0\.0\.1:\d+", URL),
    (r"\bt-[0-9a-z]{26}", "t-01m80pws9m630v33m52hrbahke"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "019ac0f2-6d1e-7b52-9c3a-5e8f0d7a4b61"),
    (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "01M80PWT2E5V9XJ4Q7RS8ACBDF"),
    (r"\btikti-\d{4}-\d\d-[0-9a-z]{4}\b", "tikti-2026-11-x9zy"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z", "2026-11-26T09:15:00Z"),
    (r"\(in \d+ min\)", "(in 15 min)"),
    # One line of the token is enough to see what it is.
    (r"eyJ[\w-]{20,}\.[\w-]+\.[\w-]+", "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpa3RpLTIwMjYtMTEteDl6eSJ9.eyJpc…"),
]

# Seconds
KEY, ENTER, ANSWER, READ, END = 0.045, 0.35, 0.25, 0.9, 5.0
# Pixels
WIDTH, SIZE, LINE, SIDE, TOP = 8.43, 14, 20, 18, 52
COLOURS = {"32": "#3fb950", "33": "#d29922", "31": "#f85149"}


class Server:
    """`tikti dev` in a folder of its own."""

    def __init__(self, work):
        command = [TIKTI, "dev", "--listen", "127.0.0.1:0", "--data", f"{work}/data", "--output", "json"]
        environment = {"HOME": f"{work}/server", "PATH": os.environ["PATH"]}
        os.mkdir(environment["HOME"])
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.ready = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait()


def run(command, home, typed, **environment):
    """Runs `command` in a terminal; types `typed` where it asks. Gives what the terminal got."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update({"HOME": home, "TERM": "xterm-256color", "PATH": f"{home}/bin:/usr/bin:/bin", **environment})
        os.execv("/bin/sh", ["sh", "-c", f"stty cols {COLUMNS} rows 40; {command}"])
    got = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            part = b""
        if not part:
            break
        got += part
        if typed and got.rstrip().endswith(b":"):
            if termios.tcgetattr(terminal)[3] & termios.ECHO:
                sys.exit(f"{command}: the password would be seen")
            os.write(terminal, typed.encode() + b"\n")
            typed = None
    _, status = os.waitpid(child, 0)
    text = got.decode().replace("\r\n", "\n")
    if status != 0:
        sys.exit(f"{command}: {os.waitstatus_to_exitcode(status)}\n{text}")
    return text


def record():
    """The session: a list of commands, each with the lines that it printed."""
    with tempfile.TemporaryDirectory() as work:
        home = f"{work}/home"
        os.makedirs(f"{home}/bin")
        os.symlink(os.path.realpath(TIKTI), f"{home}/bin/tikti")
        server = Server(work)
        try:
            given = server.ready["apiKey"]
            # As `tikti dev` leaves it on the machine of whoever started it.
            profile = f"currentProfile: dev\nprofiles:\n  dev:\n    baseUrl: {server.ready['url']}\n    apiKey: {given}\n"
            os.mkdir(f"{home}/.tikti", 0o700)
            pathlib.Path(f"{home}/.tikti/config.yaml").write_text(profile)
            os.chmod(f"{home}/.tikti/config.yaml", 0o600)
            shown = []
            for command in SESSION:
                real = command.replace(URL, server.ready["url"])
                typed = server.ready["adminPassword"] if " login " in command else None
                shown.append((command, canonical(run(real, home, typed))))
        finally:
            server.stop()
        return shown


def canonical(text):
    for pattern, made in REPLACED:
        text = re.sub(pattern, made, text)
    return text.rstrip("\n").split("\n")


def spans(line):
    """The line as text of SVG, in the colours that it asked for."""
    made, colour = "", None
    for part in re.split(r"(\x1b\[[\d;]*m)", line):
        if part.startswith("\x1b"):
            colour = COLOURS.get(part[2:-1])
        elif part:
            text = html.escape(part, quote=False)
            made += f'<tspan fill="{colour}">{text}</tspan>' if colour else text
    return made


def timed(session):
    """Each line with when it comes, and how long it is typed (0: it is there at once)."""
    now, lines = 0.6, []
    for command, printed in session:
        for number, line in enumerate(command.split("\n")):
            seconds = len(line) * KEY
            lines.append((now, seconds, f'<tspan fill="#8b949e">{"$" if number == 0 else "&gt;"}</tspan> ', line))
            now += seconds
        now += ENTER
        for line in printed:
            lines.append((now, 0, "", line))
            # A person types the password, which is not seen.
            now += 1.4 if line.startswith("Password of") else 0.03
        now += READ
    return lines, now + END


def svg(session):
    lines, total = timed(session)
    height = TOP + LINE * len(lines) + SIDE
    width = round(COLUMNS * WIDTH + 2 * SIDE)
    styles, texts = [], []
    for number, (begin, seconds, before, line) in enumerate(lines):
        at = 100 * begin / total
        y = TOP + LINE * number
        styles.append(f"@keyframes l{number}{{0%,{at:.2f}%{{visibility:hidden}}{at + 0.01:.2f}%,100%{{visibility:visible}}}}")
        styles.append(f".l{number}{{animation-name:l{number}}}")
        if seconds:
            done = 100 * (begin + seconds) / total
            steps = max(len(line), 1)
            styles.append(
                f"@keyframes k{number}{{0%,{at:.2f}%{{clip-path:inset(0 100% 0 0);"
                f"animation-timing-function:steps({steps})}}{done:.2f}%,100%{{clip-path:inset(0)}}}}"
            )
            styles.append(f".k{number}{{animation-name:k{number}}}")
            x = SIDE + 2 * WIDTH
            text = f'<text class="k{number} t" x="{x:.2f}" y="{y}">{html.escape(line, quote=False)}</text>'
            texts.append(f'<g class="l{number} t"><text x="{SIDE}" y="{y}">{before.strip()}</text>{text}</g>')
        else:
            texts.append(f'<text class="l{number} t" x="{SIDE}" y="{y}">{spans(line)}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="A session with tikti in a terminal">
<style>
text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}}
@media (prefers-reduced-motion:no-preference){{
.t{{animation-duration:{total:.2f}s;animation-iteration-count:infinite}}
{chr(10).join(styles)}
}}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
<circle cx="22" cy="20" r="6" fill="#f85149"/><circle cx="42" cy="20" r="6" fill="#d29922"/><circle cx="62" cy="20" r="6" fill="#3fb950"/>
{chr(10).join(texts)}
</svg>
"""


def check(file, now):
    kept = file.read_text()
    if kept != now:
        names = (str(file), "as recorded now")
        shown = "\n".join(difflib.unified_diff(kept.splitlines(), now.splitlines(), *names, "", "", 0, ""))
        sys.exit(f"{shown}\nif that is meant: docs/recording/record.py")
    print(f"{file}: as it was recorded")


def main():
    arguments = sys.argv[1:]
    is_check = "--check" in arguments
    named = [argument for argument in arguments if argument != "--check"]
    file = pathlib.Path(named[0]) if named else HERE / "session.svg"
    made = svg(record())
    if is_check:
        check(file, made)
        return
    file.write_text(made)
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    main()
