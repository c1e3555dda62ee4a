"""Faults of the machine under a real engine with a real broker."""

import shutil
import signal

from faults import PATIENCE, Lake
from harness import wait_until


def stop(process):
    """SIGTERM, and the clean end that must follow."""
    process.send(signal.SIGTERM)
    process.succeed(PATIENCE)


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
        shutil.rmtree(lake.lake)
        cluster.send("folder", range(1000, 1500))
        wait_until(lambda: process.log.read_text().count("under the engine; put it back") > 4, "the log to say so again", PATIENCE)
        assert not lake.lake.exists()
        process.send(signal.SIGTERM)
        process.succeed(PATIENCE)
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()
