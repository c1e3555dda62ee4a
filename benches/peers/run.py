"""The same topic through the engine and through others, one after another: the same fields, repaired, into Parquet by hour.

Each runs over the whole topic and over a quarter of it; the difference gives the steady state, without start and warm-up. CPU is that of all
processes a peer starts, the broker's not. What each does and does not do stands in docs/performance.md. Run by `make bench-peers`.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from load import DAY_MS, HOUR_MS, TOPICS, Shape, write_events  # noqa: E402
from measure import MEASURED, ROOT, save  # noqa: E402
from tree import run_tree  # noqa: E402

from harness import Broker, binary, replay, variables  # noqa: E402

import duckdb  # noqa: E402

CACHE = ROOT / ".cache" / "peers"
QUARTER = "listen_events_quarter"
OPENED = [
    flag
    for package in ("java.util", "java.lang", "java.nio", "java.time", "java.lang.invoke", "java.util.concurrent", "java.net", "sun.nio.ch")
    for flag in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")
]


def engine(broker, topic, output):
    """The engine itself, everything on."""
    settings = {
        "kafka.brokers": broker.address, "kafka.group_id": f"peer-{topic}", "kafka.topics.listen_events": topic,
        "lake.url": output.as_uri(), "http.listen": "127.0.0.1:0",
    }
    return [binary(), "run", "--exit-at-end"], variables(settings)


def duckdb_file(broker, topic, output):
    """DuckDB reading JSON lines from a local file: no Kafka."""
    source = broker.folder.parent / f"{topic}.jsonl"
    sql = f"""copy (select *, strftime(make_timestamp(ts * 1000), '%Y-%m-%d') as event_date, strftime(make_timestamp(ts * 1000), '%H') as event_hour
        from read_json('{source}', format='newline_delimited')) to '{output}/events' (format parquet, compression zstd, partition_by (event_date, event_hour))"""
    return [sys.executable, "-c", f"import duckdb; duckdb.sql('''{sql}''')"], {}


def flink(what):
    def command(broker, topic, output):
        job = HERE / "flink"
        return [
            "java", "-Xmx2g", *OPENED, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{CACHE}/flink/*", str(job / "Job.java"),
            str(job / "job.sql"), broker.address, topic, str(output), what,
        ], {}

    return command


def spark(what):
    def command(broker, topic, output):
        jars = ",".join(str(jar) for jar in sorted((CACHE / "spark").glob("*.jar")) if "kafka" in jar.name or "commons-pool2" in jar.name)
        python = str(CACHE / "venv" / "bin" / "python")
        return [
            str(CACHE / "venv" / "bin" / "spark-submit"), "--driver-memory", "3g", "--jars", jars,
            str(HERE / "spark" / "job.py"), broker.address, topic, str(output), what,
        ], {"PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python, "SPARK_LOCAL_IP": "127.0.0.1"}

    return command


def bento(broker, topic, output):
    command = [str(CACHE / "bento"), "-c", str(HERE / "bento" / "job.yaml")]
    return command, {"BROKER": broker.address, "TOPIC": topic, "OUTPUT": str(output)}


PEERS = {
    "beatlytica": (engine, "lake/v1/*listen_events*/**/*.parquet"),
    "duckdb": (duckdb_file, "events/**/*.parquet"),
    "flink flat": (flink("flat"), "events/**/*"),
    "flink counts": (flink("counts"), "events/**/*"),
    "bento": (bento, "events/**/*.parquet"),
    "spark flat": (spark("flat"), "events/**/*.parquet"),
    "spark counts": (spark("counts"), "events/**/*.parquet"),
    "spark python repair": (spark("python"), "events/**/*.parquet"),
}


def rows_in(output, pattern):
    """Rows of the Parquet files that a run left, and how many files."""
    files = [str(path) for path in output.glob(pattern) if path.is_file() and not path.name.startswith((".", "_"))]
    return duckdb.sql(f"select sum(num_rows) from (select distinct file_name, num_rows from parquet_file_metadata({files}))").fetchall()[0][0], len(files)


def measure(name, broker, topic, events, folder):
    """One run; its output must hold every row."""
    command, pattern = PEERS[name]
    output = folder / "output"
    output.mkdir()
    arguments, environment = command(broker, topic, output)
    began = time.monotonic()
    cpu, rss = run_tree(arguments, {**os.environ, **environment}, folder / f"{name.replace(' ', '-')}.log")
    wall = time.monotonic() - began
    rows, files = rows_in(output, pattern)
    shutil.rmtree(output)
    assert rows == events, f"{name}: {rows} rows of {events}"
    return {"wall_seconds": wall, "cpu_seconds": cpu, "peak_rss_mib": rss / 2**20, "files": files}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--days", type=int, default=0, help="spread them over so many days instead of an hour")
    parser.add_argument("--peer", choices=PEERS, action="append", help="all of them without")
    parser.add_argument("--json", type=pathlib.Path, default=MEASURED / "peers.json")
    options = parser.parse_args()
    span_ms = options.days * DAY_MS or HOUR_MS
    sizes = {TOPICS[0]: options.events, QUARTER: options.events // 4}
    results = []
    with tempfile.TemporaryDirectory(prefix="beatlytica-peers-") as temporary:
        folder = pathlib.Path(temporary)
        for topic, events in sizes.items():
            write_events(folder / f"{topic}.jsonl", Shape(events, span_ms=span_ms), TOPICS[0], events)
        with Broker(folder / "kafka") as broker:
            (folder / "empty").touch()
            others = {topic: [folder / "empty"] for topic in TOPICS[1:]}
            replay(broker, folder, {topic: [folder / f"{topic}.jsonl"] for topic in sizes} | others, 4)
            for name in options.peer or PEERS:
                whole, quarter = (measure(name, broker, topic, events, folder) for topic, events in sizes.items())
                whole["cpu_microseconds_per_event"] = whole["cpu_seconds"] * 1e6 / options.events
                steady = (whole["cpu_seconds"] - quarter["cpu_seconds"]) * 1e6 / (options.events - options.events // 4)
                results.append({"peer": name, **whole, "steady_microseconds_per_event": steady})
                print(
                    f"{name:20} wall {whole['wall_seconds']:6.1f} s  CPU {whole['cpu_microseconds_per_event']:7.2f} us/event, steady {steady:7.2f}  "
                    f"peak RSS {whole['peak_rss_mib']:7.1f} MiB  {whole['files']} files", flush=True,
                )
    save(options.json, {"events": options.events, "span_ms": span_ms, "results": results})


if __name__ == "__main__":
    main()
