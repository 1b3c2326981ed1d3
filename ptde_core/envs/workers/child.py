"""Inside an engine's process: build the engine, then reset and step it as the pool asks, until the pool is gone."""

import os
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block
from ptde_core.envs.workers.engine import Engine, MakeEngine, Records
from ptde_core.envs.workers.memory import group_gigabytes

# What is asked begins with one of these; a reset goes on with the seed, a recording with the path.
STEP, RESET, RECORD, CLOSE = b"step:", b"reset:", b"record:", b"close:"
DONE = b"done"  # the one answer that is given at every step, hence not pickled: `Done`


@dataclass(frozen=True)
class Job:
    """The first message to a new process: what builds the engine, its row of E, the memory that it may grow to."""

    make: MakeEngine
    row: int
    n_envs: int
    gigabytes: float


@dataclass(frozen=True)
class Ready:
    """The engine is built."""

    spec: EnvSpec
    pid: int


@dataclass(frozen=True)
class Done:
    """The reset or step is done; what it brought stands in the shared memory."""


@dataclass(frozen=True)
class Outgrown:
    """The engine holds more memory than it may: no episode was started, and it wants to be replaced."""


@dataclass(frozen=True)
class Refused:
    """The engine cannot be had on this machine, and the user can mend that: a `PtdeError`."""

    problem: str
    fix: str


@dataclass(frozen=True)
class Failed:
    """The engine raised something; its traceback as text."""

    trace: str


Reply = Ready | Done | Outgrown | Refused | Failed


def serve(connection_fd: int, memory: int) -> None:
    """Do what is asked until told to close, or until nobody is there to ask."""
    connection = Connection(connection_fd)
    try:
        job: Job = connection.recv()
        engine = job.make()
        try:
            _play(engine, job, connection, memory)
        finally:
            engine.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # ptde has gone; the guard ends the rest
    except PtdeError as error:
        connection.send(Refused(error.problem, error.fix))
    except Exception:
        connection.send(Failed(traceback.format_exc()))


def _play(engine: Engine, job: Job, connection: Connection, memory: int) -> None:
    row = job.row
    block = Block(memory, engine.spec, job.n_envs)
    view = block.view(row)
    connection.send(Ready(engine.spec, os.getpid()))
    fresh = True  # a new engine is never too large, or none would ever play
    while (message := connection.recv_bytes()) != CLOSE:
        if message == STEP:
            outcome = engine.step(block.actions[row].copy(), view)
            block.reward[row], block.terminated[row], block.truncated[row], block.won[row] = outcome
        elif message.startswith(RESET):
            _forget_output()
            if not fresh and group_gigabytes(os.getpgrp()) > job.gigabytes:
                connection.send(Outgrown())
                continue
            engine.reset(int.from_bytes(message.removeprefix(RESET), "little"), view)
            fresh = False
        else:
            assert isinstance(engine, Records), f"{engine.spec.backend} records nothing"
            engine.save_recording(Path(os.fsdecode(message.removeprefix(RECORD))))
        connection.send_bytes(DONE)


def _forget_output() -> None:
    """Empty the file that the engine prints into: only its last words matter, and a training lasts for weeks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.ftruncate(sys.stdout.fileno(), 0)
