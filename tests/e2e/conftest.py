"""Shared fixtures: the input as tables, and a broker that holds all of it."""

import signal

import pytest

import truth
from faults import Cluster
from harness import Broker, Engine, replay
from tables import PARTITIONS, TABLES

# In the background of a script (`make test &`) it is ignored, and what the tests start would inherit that: no shell traps it then.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--drill", action="store_true", help="the whole alert drill, not only what is quick")
    parser.addoption("--all-points", action="store_true", help="every fault point with every outcome, not a part of them")
    parser.addoption("--record", help="the file in which the whole alert drill writes what it saw")


def pytest_collection_modifyitems(config, items):
    """Of the alert drill every run takes what is marked quick."""
    if not config.getoption("--drill"):
        left = [item for item in items if item.path.stem == "test_alert_drill" and not item.get_closest_marker("quick")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def db():
    """DuckDB with the input loaded and repaired."""
    truth.data_folder()
    connection = truth.connect()
    truth.load(connection)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """A broker whose four topics hold the whole input."""
    truth.data_folder()
    folder = tmp_path_factory.mktemp("loaded")
    with Broker(folder / "kafka") as broker:
        replay(broker, folder, {table: [truth.input_file(table)] for table in TABLES}, PARTITIONS)
        yield broker


@pytest.fixture
def broker(tmp_path):
    """An empty broker."""
    with Broker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A broker for a whole file of faults; each test has topics of its own."""
    with Broker(tmp_path_factory.mktemp("cluster") / "kafka", KAFKA_MIN_SESSION_MS="1000") as broker:
        yield Cluster(broker).prepare()


@pytest.fixture
def engine(tmp_path):
    """Makes engines whose lakes are removed after the test."""
    made = []

    def make(broker, name, **settings):
        made.append(Engine(broker, tmp_path / name, **settings))
        return made[-1]

    yield make
    for each in made:
        each.discard()
