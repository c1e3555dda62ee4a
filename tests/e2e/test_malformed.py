"""Records that do not decode."""

from harness import replay
from tables import TABLES

GOOD = '{"ts":1714953612000,"userId":7,"sessionId":1,"level":"free","success":true}\n'


def test_a_mostly_malformed_partition_stops_loudly(broker, engine, tmp_path):
    """A few are set aside; when most of them are malformed, going on would bury the fault."""
    none, few, most = (tmp_path / f"{name}.jsonl" for name in ("none", "few", "most"))
    none.touch()
    few.write_text((GOOD * 9 + "{broken\n") * 200)
    most.write_text((GOOD + "{broken\n" * 3) * 1000)
    replay(broker, tmp_path, {**{table: [none] for table in TABLES}, "auth_events": [few]}, 1)
    stopped = engine(broker, "malformed")
    stopped.start("run", "--exit-at-end").succeed(60)
    assert "1800 rows" in stopped.verify("--kafka")

    replay(broker, tmp_path, {"auth_events": [most]}, 1)
    process = stopped.start("run", "--exit-at-end")
    ended = process.wait(30)
    said = process.tail().splitlines()[-1]
    assert ended.code == 1, process.tail()
    assert said.startswith("error: auth_events[0]: ") and "offset " in said, said
    assert "of the last 1000 records" in said and "decode.reject_limit_share" in said, said
    # What was taken before is whole.
    stopped.verify("--kafka")
