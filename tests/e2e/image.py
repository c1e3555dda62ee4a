"""The engine's image, really built and started, by buildah: no engine of containers is needed."""

import fcntl
import json
import os
import pathlib
import signal
import subprocess

from harness import ROOT, Process, binary, wait_until

TAG = "localhost/beatlytica:test"
STORAGE = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}


def buildah(*arguments):
    """Output of a buildah command."""
    ended = subprocess.run(
        ["buildah", *arguments], env={**os.environ, **STORAGE}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"buildah {' '.join(arguments)}: {ended.stderr[-2000:]}"
    return ended.stdout.strip()


def build():
    """Builds the image around the program under test."""
    script = str(ROOT / "scripts" / "image.sh")
    # Another worker's tests may build it, too: both would write the same files.
    with (ROOT / ".cache" / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = subprocess.run([script, binary(), TAG], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr[-3000:]


class Contained(Process):
    """The program in a container: buildah that is killed leaves it behind."""

    def __exit__(self, *_):
        pid = engine_pid(self) if self.poll() is None else None
        if pid:
            os.kill(pid, signal.SIGKILL)
        super().__exit__()


class Container:
    """A container of the image, on the host's network."""

    def __init__(self, *flags):
        self.id = buildah("from", *flags, TAG)
        self.root = pathlib.Path(buildah("mount", self.id))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        buildah("umount", self.id)
        buildah("rm", self.id)

    def config(self):
        """What the image says about how it runs."""
        return json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]

    def start(self, arguments, environment, log, *flags):
        """Starts the program in the container."""
        variables = [part for item in environment.items() for part in ("--env", "=".join(item))]
        command = ["run", *flags, *variables, self.id, "--", "/usr/bin/beatlytica", *arguments]
        return Contained(command, STORAGE, log, program="buildah")


def engine_pid(process):
    """The engine's own process below buildah's, or None while there is none."""
    waiting = [process.child.pid]
    while waiting:
        pid = waiting.pop()
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "beatlytica":
                return pid
            # buildah is written in Go: any of its threads may have started the next process.
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
        except OSError:
            continue
    return None


def stop(process, deadline=60):
    """Ends the engine as a container runtime does, and gives how it ended."""
    os.kill(wait_until(lambda: engine_pid(process), "the engine's process"), signal.SIGTERM)
    return process.wait(deadline)
