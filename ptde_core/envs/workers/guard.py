"""The parent process of an engine: it makes sure that no process and no file of the engine is left behind.

    python -m ptde_core.envs.workers.guard CONNECTION MEMORY LIFELINE FOLDER

It starts a session of its own, so that Ctrl-C reaches ptde alone, and forks: the child becomes the engine, and this
process waits. LIFELINE is a pipe whose other end only ptde holds open. When ptde ends, also by kill -9, or closes it,
the guard kills the engine and every process that the engine has started (StarCraft II is a program of its own), also a
stopped one (SIGSTOP). Then it deletes FOLDER, which holds the temporary files of the engine and its programs.
"""

import os
import select
import shutil
import signal
import sys
import time

SWEEPING_SECONDS = 10.0  # after these the folder is deleted in any case


def main() -> None:
    """Become an engine and its guard; the arguments are inherited file descriptors."""
    connection, memory, lifeline = map(int, sys.argv[1:4])
    alive, held_by_engine = os.pipe()
    engine = os.fork()  # before numpy is loaded: a fork does not take threads along
    if engine == 0:
        os.close(lifeline)
        os.close(alive)
        from ptde_core.envs.workers.child import serve

        serve(connection, memory)
        return
    for descriptor in (connection, memory, held_by_engine):
        os.close(descriptor)
    select.select([lifeline, alive], [], [])
    os.kill(engine, signal.SIGKILL)
    os.waitpid(engine, 0)
    group = os.getpgrp()
    ready, held_by_sweeper = os.pipe()
    if os.fork() == 0:
        os.setsid()  # leave the group, which is killed next
        os.close(held_by_sweeper)
        _sweep(group, sys.argv[4])
        return
    os.close(held_by_sweeper)
    os.read(ready, 1)
    os.killpg(group, signal.SIGKILL)  # what the engine had started, and this process with it


def _sweep(group: int, folder: str) -> None:
    """Delete the folder once no process of the group is left to write into it; the caller is not in the group."""
    deadline = time.monotonic() + SWEEPING_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            break
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
