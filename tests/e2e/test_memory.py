"""Memory does not grow with the backlog."""

import truth
from harness import replay
from tables import PARTITIONS, TABLES

CEILING = 256 << 20
COPIES = 5


def test_five_million_records_fit_in_256_mib(db, broker, engine, tmp_path):
    """A backlog of 5.5 million listens, default settings; the figure is the kernel's (VmHWM)."""
    files = {table: [truth.input_file(table)] for table in TABLES}
    files["listen_events"] *= COPIES
    replay(broker, tmp_path, files, PARTITIONS)
    big = engine(broker, "memory")
    ended = big.start("run", "--exit-at-end").succeed()
    records = sum(truth.rows(db, table) * len(paths) for table, paths in files.items())
    assert records >= 5_000_000
    print(f"{records} records: peak RSS {ended.peak_rss / 2**20:.1f} MiB, wall {ended.wall:.1f} s, CPU {ended.cpu:.1f} s")
    found = db.execute(f"select count(*) from read_parquet('{big.lake}/lake/v1/listen_events/**/*.parquet')")
    assert found.fetchone()[0] == truth.rows(db, "listen_events") * COPIES
    assert 0 < ended.peak_rss < CEILING, f"peak RSS {ended.peak_rss / 2**20:.1f} MiB"
