"""One thread of a process that stands still while all others go on."""

import ctypes
import os
import pathlib

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
#: Also of threads that are not the process's first.
WALL = 0x40000000


class FrozenThread:
    """Stops the thread of that name within the block, as a scheduler might that does not let it run."""

    def __init__(self, pid, name):
        tasks = [task for task in pathlib.Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text().strip() == name]
        assert len(tasks) == 1, f"{len(tasks)} threads are called {name}"
        self.thread = int(tasks[0].name)
        self.libc = ctypes.CDLL(None, use_errno=True)

    def _trace(self, request):
        arguments = (ctypes.c_long(request), ctypes.c_long(self.thread), ctypes.c_void_p(), ctypes.c_void_p())
        if self.libc.ptrace(*arguments) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def __enter__(self):
        self._trace(SEIZE)
        self._trace(INTERRUPT)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        self._trace(DETACH)
