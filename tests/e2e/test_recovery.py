"""The engine's machine is lost; another one goes on with nothing but the settings (docs/operations.md, disaster recovery)."""

import shutil
import signal

from harness import Engine, wait_until
from observing import Load
from test_alerts import QUICK


def test_another_machine_goes_on(broker, tmp_path):
    # The second one waits until the group has given up the first.
    first = Engine(broker, tmp_path / "first", **QUICK, kafka__session_timeout="6s")
    with Load(broker, tmp_path / "load"):
        with first.start("run") as process:
            wait_until(lambda: first.entries() > 16, "uploads", 60)
            process.send(signal.SIGKILL)
            process.wait(30)
        # All that is left of the machine is what was in the bucket, by another path, as another machine sees it.
        bucket = tmp_path / "bucket"
        shutil.copytree(first.lake, bucket)
        first.discard()
        second = Engine(
            broker, tmp_path / "second", **QUICK, lake__url=bucket.as_uri(), kafka__group_id="e2e-first",
            kafka__session_timeout="6s",
        )
        second.lake = bucket
        with second.start("run") as process:
            before = second.entries()
            wait_until(lambda: second.entries() > before + 16, "uploads of the second machine", 90)
            process.stop()
    second.start("run", "--exit-at-end").succeed(60)
    second.verify("--kafka")
