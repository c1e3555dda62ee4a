"""Faults of the machine: disk and folder under a real engine with a real broker."""

import errno
import os
import re
import shutil
import subprocess

import pytest

from faults import PATIENCE, Lake
from harness import wait_until


class Disk:
    """A file system of a few MiB in memory."""

    def __init__(self, folder):
        self.folder = folder

    def remount(self, mode):
        """`ro` or `rw`; busy as long as a file is being written."""
        wait_until(lambda: subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], capture_output=True).returncode == 0, mode, 10)

    def fill(self):
        """Leaves no room; gives the file that takes it."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as output, pytest.raises(OSError) as full:
            while True:
                output.write(bytes(4096))
        assert full.value.errno == errno.ENOSPC
        return ballast


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        assert not os.environ.get("CI"), mounted.stderr
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_full_and_then_read_only(cluster, disk, tmp_path):
    """Room made again is enough; a disk that is mounted read-only stops the partitions, and a start on it says why."""
    cluster.create("disk", 2)
    cluster.send("disk", range(500))
    lake = Lake(cluster, tmp_path / "engine", "disk", url=disk.folder / "lake")
    with lake.start("run") as process:
        lake.catches_up()
        ballast = disk.fill()
        cluster.send("disk", range(500, 1000))
        wait_until(lambda: re.search(r"the disk that holds \S+ is full", process.log.read_text()), "the full disk in the log", PATIENCE)
        assert lake.get("/api/v1/charts/songs?window=24h"), "no answer while the disk is full"
        ballast.unlink()
        lake.catches_up()
        disk.remount("ro")
        cluster.send("disk", range(1000, 1500))
        wait_until(lambda: all((lake.line(number) or {}).get("refused") for number in range(2)), "the refusal", PATIENCE)
        assert "is mounted read-only; mount it writable" in lake.line(0)["refused"], lake.line(0)
        assert lake.get("/api/v1/charts/songs?window=24h"), "no answer while the disk is read-only"
        process.stop(PATIENCE)
    refused = lake.start("run")
    assert refused.wait(PATIENCE).code == 1, refused.tail()
    assert "Read-only file system" in refused.tail().splitlines()[-1], refused.tail()
    disk.remount("rw")
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()


def test_the_folder_is_deleted_under_the_engine(cluster, tmp_path):
    """Nothing is begun anew in its place; put back, it is gone on with, and without it a new start fills a new lake."""
    cluster.create("folder", 2)
    cluster.send("folder", range(500))
    lake = Lake(cluster, tmp_path / "engine", "folder")
    away = tmp_path / "away"
    with lake.start("run") as process:
        lake.catches_up()
        lake.lake.rename(away)
        cluster.send("folder", range(500, 1000))
        wait_until(lambda: "was deleted or unmounted under the engine; put it back" in process.log.read_text(), "the log to say so", PATIENCE)
        assert not lake.lake.exists(), "a lake without its beginning"
        assert lake.get("/api/v1/charts/songs?window=24h"), "no answer without the folder"
        away.rename(lake.lake)
        lake.catches_up()
        lake.judge()
        # At once: what the engine writes meanwhile would be in the way.
        shutil.rmtree(lake.lake.rename(tmp_path / "gone"))
        cluster.send("folder", range(1000, 1500))
        wait_until(lambda: process.log.read_text().count("under the engine; put it back") > 4, "the log to say so again", PATIENCE)
        assert not lake.lake.exists()
        process.stop(PATIENCE)
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()
