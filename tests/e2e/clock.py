"""A wall clock that the test sets, for a process and all that it starts: an hour need not be waited for."""

import datetime
import mmap
import pathlib
import struct
import subprocess
import time


class Clock:
    """Reads `moment` at first, and then runs on."""

    def __init__(self, folder, moment):
        library, self.file = folder / "clock.so", folder / "clock"
        source = pathlib.Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self.file)}
        self.set(moment)

    def set(self, moment):
        """Sets the clock to a moment."""
        with self.file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page:
            page[:8] = struct.pack("q", int(moment.timestamp() - time.time()))

    def now(self):
        """What it reads, to the second."""
        (ahead,) = struct.unpack("q", self.file.read_bytes())
        return datetime.datetime.fromtimestamp(int(time.time()) + ahead, datetime.UTC)

    def forward(self, **span):
        """Moves it on, by minutes or seconds."""
        self.set(self.now() + datetime.timedelta(**span))
