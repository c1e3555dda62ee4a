"""Lakes that the engine wrote and the marts that the project makes of them."""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Broker, Engine, replay  # noqa: E402
from tables import PARTITIONS, TABLES  # noqa: E402
from truth import connect, input_file, load  # noqa: E402

import scenario  # noqa: E402
from project import Project  # noqa: E402


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One Kafka node for all tests."""
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def built(broker, folder, files, partitions):
    """The project built on the lake of these files' records, and the engine that wrote it."""
    replay(broker, folder, files, partitions)
    engine = Engine(broker, folder / "engine")
    engine.start("run", "--exit-at-end").succeed(600)
    for table in TABLES:
        broker.delete_topic(table)
    project = Project(engine.lake, folder / "marts")
    project.run("build")
    return project, engine


@pytest.fixture(scope="session")
def full(tmp_path_factory, broker):
    """The project built on the whole of Eventsim's output."""
    project, engine = built(broker, tmp_path_factory.mktemp("full"), {table: [input_file(table)] for table in TABLES}, PARTITIONS)
    yield project
    engine.discard()


class Late:
    """The scenario's lake, and the marts as they were when it held the first part only."""

    def __init__(self, broker, folder):
        self.folder = folder
        first, second, self.copies = scenario.write(folder)
        self.engine = Engine(broker, folder / "late")
        replay(broker, folder, first, PARTITIONS)
        self.engine.start("run", "--exit-at-end").succeed(300)
        self.first_lake = folder / "first-lake"
        shutil.copytree(self.engine.lake, self.first_lake)
        self.before = Project(self.engine.lake, folder / "before")
        self.before.run("build")
        replay(broker, folder, second, PARTITIONS)
        self.engine.start("run", "--exit-at-end").succeed(300)
        for table in TABLES:
            broker.delete_topic(table)
        self.rebuilt = Project(self.engine.lake, folder / "rebuilt")
        self.rebuilt.run("build")

    def behind(self, name):
        """A project whose database holds the first part only."""
        project = Project(self.engine.lake, self.folder / name)
        shutil.copy(self.before.database, project.database)
        (project.folder / "target").mkdir()
        shutil.copy(self.before.folder / "target" / "partial_parse.msgpack", project.folder / "target")
        return project


@pytest.fixture(scope="session")
def late(tmp_path_factory, broker):
    """See scenario.py."""
    made = Late(broker, tmp_path_factory.mktemp("scenario"))
    yield made
    made.engine.discard()


@pytest.fixture(scope="session")
def truth(full):
    """The input files in `input`, the built marts in `built`."""
    db = connect()
    load(db)
    db.execute(f"attach '{full.database}' as built (read_only)")
    db.execute("set search_path = 'memory.main'")
    yield db
    db.close()
