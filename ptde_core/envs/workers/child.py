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
from ptde_core.envs.workers.engine_contract import Engine, MakeEngine, Records
from ptde_core.envs.workers.engine_memory import group_gigabytes

# A request is one of these bytes; a reset is followed by a message with the seed, a recording by one with the path.
STEP, RESET, RECORD, CLOSE = b"s", b"e", b"r", b"c"
# An answer is one of these; the second is followed by a message with the reply.
DONE, OTHER = b"d", b"o"


@dataclass(frozen=True)
class Job:
    """The first message to a new process: the function that builds the engine, its row, and its limit of memory."""

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
    """The reset or step is done; its results are in the shared memory."""


@dataclass(frozen=True)
class Outgrown:
    """The engine takes more memory than it may: no episode was started, and it must be replaced."""


@dataclass(frozen=True)
class Refused:
    """The engine cannot be used on this machine, which the user can correct: the words of a `PtdeError`."""

    problem: str
    fix: str


@dataclass(frozen=True)
class Failed:
    """The engine raised something; its traceback as text.

    `passing`: the next try may succeed, for a connection failed and not the code.
    """

    trace: str
    passing: bool = False


Reply = Ready | Done | Outgrown | Refused | Failed


def serve(connection_fd: int, memory: int) -> None:
    """Answer requests until told to close, or until the pool is gone."""
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
        _answer(connection, Refused(error.problem, error.fix))
    except Exception as error:
        _answer(connection, Failed(traceback.format_exc(), isinstance(error, ConnectionError | TimeoutError)))


def _answer(connection: Connection, reply: Reply) -> None:
    os.write(connection.fileno(), OTHER)
    connection.send(reply)


def _play(engine: Engine, job: Job, connection: Connection, memory: int) -> None:
    row, descriptor = job.row, connection.fileno()
    block = Block(memory, engine.spec, job.n_envs)
    view = block.view(row)
    _answer(connection, Ready(engine.spec, os.getpid()))
    fresh = True  # a new engine is never replaced for its memory, or none would ever play
    # A single byte takes a third of the time of a message.
    while (asked := os.read(descriptor, 1)) not in {CLOSE, b""}:
        if asked == STEP:
            outcome = engine.step(block.actions[row].copy(), view)
            block.reward[row], block.terminated[row], block.truncated[row], block.won[row] = outcome
        elif asked == RESET:
            seed: int = connection.recv()
            _forget_output()
            if not fresh and group_gigabytes(os.getpgrp()) > job.gigabytes:
                _answer(connection, Outgrown())
                continue
            engine.reset(seed, view)
            fresh = False
        else:
            path: Path = connection.recv()
            assert isinstance(engine, Records), f"{engine.spec.backend} records nothing"
            engine.save_recording(path)
        os.write(descriptor, DONE)


def _forget_output() -> None:
    """Empty the file of the engine's output, of which only the end matters: a training can last for weeks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.ftruncate(sys.stdout.fileno(), 0)
