"""Inside an engine's process: build the engine, then reset and step it as the pool asks, until the pool is gone."""

import os
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block
from ptde_core.envs.workers.engine import Engine, MakeEngine

STEP = b"step"
CLOSE = b"close"


@dataclass(frozen=True)
class Job:
    """The first message to a new process."""

    make: MakeEngine
    row: int
    n_envs: int


@dataclass(frozen=True)
class Ready:
    """The engine is built."""

    spec: EnvSpec
    pid: int


@dataclass(frozen=True)
class Done:
    """The reset or step is done; what it brought stands in the shared memory."""


@dataclass(frozen=True)
class Refused:
    """The engine cannot be had on this machine, and the user can mend that: a `PtdeError`."""

    problem: str
    fix: str


@dataclass(frozen=True)
class Failed:
    """The engine raised something; its traceback as text."""

    trace: str


Reply = Ready | Done | Refused | Failed


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
    while (message := connection.recv_bytes()) != CLOSE:
        if message == STEP:
            outcome = engine.step(block.actions[row].copy(), view)
            block.reward[row], block.terminated[row], block.truncated[row], block.won[row] = outcome
        else:
            _forget_output()
            engine.reset(int.from_bytes(message, "little"), view)
        connection.send(Done())


def _forget_output() -> None:
    """Empty the file that the engine prints into: only its last words matter, and a training lasts for weeks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.ftruncate(sys.stdout.fileno(), 0)
