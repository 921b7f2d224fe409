"""Cairn's release build, and a throw-away Postgres cluster."""
import glob
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ADMIN = ("admin@example.org", "kill-test-password-7")
BINARY = pathlib.Path(__file__).resolve().parents[2] / "target" / "release" / "cairn"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Cairn:
    """The server, on the same port and database through all its lives."""

    def __init__(self, folder, url):
        self.folder, self.url, self.port, self.process = folder, url, free_port(), None
        self.binary = os.environ.get("CAIRN_BIN", str(BINARY))

    def start(self):
        environment = {**os.environ, "DATABASE_URL": self.url, "CAIRN_LISTEN": f"127.0.0.1:{self.port}", "CAIRN_ADMIN_EMAIL": ADMIN[0],
                       "CAIRN_ADMIN_PASSWORD": ADMIN[1], "CAIRN_ACCESS_TOKEN_SECONDS": "86400", "RUST_LOG": "warn"}
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve"], env=environment, stdout=log, stderr=log)
        patience = time.time() + 60
        while time.time() < patience and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"the server did not start; see {self.folder}/log")

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        if self.process:
            self.process.wait()


class Postgres:
    """A cluster on a loopback port, as durable as Postgres is by default."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or list(filter(None, [shutil.which("initdb")]))
        if not found:
            raise SystemExit("Postgres's server binaries (initdb, pg_ctl) are not on this machine")
        self.bin, self.port = os.path.dirname(found[-1]), free_port()
        self.folder = tempfile.mkdtemp(prefix="cairn-kill-pg-")
        self.user = None
        if os.getuid() == 0:  # Postgres does not run as root.
            self.user = "postgres"
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "cairn", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        self.url = f"postgres://cairn@127.0.0.1:{self.port}/postgres"

    def run(self, program, *arguments):
        return subprocess.run([f"{self.bin}/{program}", *arguments], check=True, cwd="/", user=self.user, text=True,
                              group="postgres" if self.user else None, extra_groups=[] if self.user else None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def start(self):
        # pg_ctl's child keeps the output open, so nothing may wait for its end.
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        arguments = ["-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", options, "start"]
        subprocess.run([f"{self.bin}/pg_ctl", *arguments], check=True, cwd="/", user=self.user, group="postgres" if self.user else None,
                       extra_groups=[] if self.user else None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, mode):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", mode, "stop")

    def count(self, sql):
        return int(self.run("psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(self.port), "-U", "cairn", "-d", "postgres", "-c", sql))

    def close(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
