"""The engine on Google Cloud Storage's interface: a fake of it, as a process, that fails now and then."""

import re

import pytest

import truth
from bucket import Fake
from harness import replay

LISTENS, AUTHS = 30_000, 2_000


@pytest.fixture
def troubled():
    """A fake that refuses or cuts 30 of 1000 requests."""
    with Fake("127.0.0.1:0", "30", "7") as fake:
        yield fake


def test_a_bucket_takes_what_a_folder_takes(broker, troubled, engine, tmp_path):
    parts = truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)
    replay(broker, tmp_path, parts, 2)
    gcs = engine(
        broker, "gcs", lake__url="gs://fake-bucket/some/prefix", gcs__endpoint=troubled.endpoint, lake__max_batch_bytes="1MiB"
    )
    gcs.start("run", "--exit-at-end").succeed(180)
    printed = gcs.verify("--kafka")
    rows = re.search(r"(\d+) rows", printed)
    assert rows and int(rows[1]) == LISTENS + AUTHS, printed
    assert f"{LISTENS + AUTHS} records" in printed, printed
    # Nothing is left to do for a second run, which need not wait either: the first has left the group.
    before = printed.splitlines()[-2]
    gcs.start("run", "--exit-at-end").succeed(30)
    assert gcs.verify().splitlines()[-1] == before
