"""Every reader of files fed with broken ones: it must say in one sentence what is wrong, and raise nothing else.

`python -m benchmarks.fuzz checkpoint --inputs 100000` breaks whole files at random. With `--coverage` atheris steers
the bytes by what they make the reader do (`pip install atheris`). The tests try some dozens of the same inputs. A
reader that takes more than 20 s of processor time ends the process, which says where it was and leaves the file. Many
inputs are best tried in parts, each of another seed.
"""

import argparse
import faulthandler
import gc
import gzip
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.from_checkpoint import restore, spec_to_plain
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import KEY, MadeFrom, World
from ptde_core.base.setting_fields import read_settings_file
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.envs.small_games import build_game
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import read_run_config, train_teacher_settings
from ptde_core.storage.checkpoint import identity, load_checkpoint, save_checkpoint
from ptde_core.storage.config_file import write_config
from ptde_core.storage.curve_file import read_curve
from ptde_core.storage.episode_file import (
    Widths,
    read_contents,
    read_local_rows,
    read_origin,
    write_episodes,
)
from ptde_core.storage.evaluation_file import Evaluation, read_evaluation
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.provenance_file import add_sitting, read_provenance
from ptde_core.storage.replay_buffer import ReplayJournal
from ptde_core.storage.replay_file import Mind, Replay, ReplayEpisode, ReplayHeader, read_replay, write_replay
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import read_state, write_status

WORLD = World(environment="game", version="1", map="personal-signal")
LONGEST = 20  # seconds of processor time that reading a small file may take
COLLECTED = MadeFrom(stage="collect", world=WORLD, settings={"episodes": 3}, parents={"teacher": "abc"})
WIDTHS = Widths(agents=2, actions=3, obs=4, info=6)
MAP = """terrain = [
  "######",
  "#....#",
  "#....#",
  "######",
]
limit = 20
allies = [{ type = "marine", count = 1, x = 1.5, y = 1.5 }]
enemies = [{ type = "marine", count = 1, x = 3.5, y = 1.5 }]
enemy_order = { kind = "attack_units" }
"""


@dataclass(frozen=True)
class Reader:
    """One kind of file: how a whole one is written to a path, and how one is read."""

    write: Callable[[Path], object]
    read: Callable[[Path], object]


def teacher_content(seed: int = 1) -> dict[str, Any]:
    """The content of a whole teacher's checkpoint, on a small game."""
    settings = train_teacher_settings({"env": "game", "map": "personal-signal", "hidden_size": 4, "info_size": 4})
    env = build_game("personal-signal", 1)
    learner = build_learner(settings, env.spec, seed)
    networks = learner.result.state_dict()
    return {
        "settings": settings.model_dump(),
        "env": spec_to_plain(env.spec),
        "networks": networks,
        "training_networks": learner.networks(),
        "teacher_id": identity(networks),
        "counters": {"env_steps": 10, "episodes": 1, "updates": 0},
        "kept": "last",
        KEY: training_made_from(settings, env.spec.world).plain(),
    }


def an_episode(seed: int = 3, length: int = 3) -> Episode:
    """One with the widths of `WIDTHS`."""
    chance = np.random.default_rng(seed)
    return Episode(
        seed=seed,
        obs=chance.normal(size=(length + 1, 2, 4)).astype(np.float32),
        state=chance.normal(size=(length + 1, 5)).astype(np.float32),
        available=np.ones((length + 1, 2, 3), np.bool_),
        actions=chance.integers(3, size=(length, 2)).astype(np.int16),
        reward=chance.normal(size=length).astype(np.float32),
        terminated=True,
        won=True,
    )


def write_rows(path: Path) -> None:
    """A whole file of episodes, with the widths of `WIDTHS`."""
    episodes = [an_episode(k) for k in range(3)]
    z = [np.zeros((3, 2, 6), np.float32) for _ in episodes]
    names = {"obs": list("abcd"), "state": list("vwxyz"), "action": ["stop", "north", "south"]}
    write_episodes(path, episodes, z, z, {"teacher_id": "abc", "map": "3m"}, names, COLLECTED, with_state=True)


def write_a_replay(path: Path) -> None:
    """A whole replay."""
    header = ReplayHeader(
        backend="game",
        backend_version="1",
        map="personal-signal",
        names={"teacher": "QMIX_SGI"},
        role="teacher",
        z="mean",
        head="values",
        checkpoint="teacher.pt",
        teacher_id="a",
        policy_id="a",
        train_seed=1,
        env_steps=1,
        evaluation_seed=0,
        code="ptde",
        action_names=("a", "b", "c"),
        state_names=tuple("vwxyz"),
    )
    one = an_episode()
    mind = Mind(np.zeros((3, 2, 3), np.float32), np.zeros((3, 2, 6), np.float16))
    played = ReplayEpisode(1, True, True, one.actions, one.available[:-1], one.reward, one.state, {"teacher": mind})
    write_replay(path, Replay(header, (played,)))


def _read_episodes(path: Path) -> None:
    read_origin(path)
    read_local_rows(path, WIDTHS)
    read_contents(path, with_rows=True)


def _write_journal(path: Path) -> None:
    journal = ReplayJournal(path.parent)
    journal.append([an_episode()], keep=1)
    (path.parent / journal.segments[0][0]).replace(path)


def _read_journal(path: Path) -> None:
    segment = path.with_name("episodes-000001.npz")
    segment.write_bytes(path.read_bytes())
    ReplayJournal(path.parent).load([(segment.name, 1)])


def _in_run(name: str, read: Callable[[RunFolder], object]) -> Callable[[Path], object]:
    """A reader of the file of that name in a run folder."""

    def read_it(path: Path) -> object:
        (path.parent / name).write_bytes(path.read_bytes())
        return read(RunFolder(path.parent))

    return read_it


SETTINGS = train_teacher_settings({"env": "game", "map": "personal-signal"})


def _made_from() -> MadeFrom:
    return training_made_from(SETTINGS, WORLD)


def _write_a_config(path: Path) -> None:
    write_config(path, SETTINGS.model_dump(), _made_from())


def _write_status(path: Path) -> None:
    write_status(RunFolder(path.parent), "finished", env_steps=3, seconds=1.0, training="a", log="b")
    RunFolder(path.parent).status.replace(path)


def _read_map(path: Path) -> None:
    own = path.with_suffix(".toml")
    own.write_bytes(path.read_bytes())
    load_map(own)


def _read_packed_curve(path: Path) -> None:
    packed = path.with_name("curve.csv.gz")  # packed after it was broken: what gzip refuses tells nothing of the reader
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    read_curve(packed)


READERS: Mapping[str, Reader] = {
    "checkpoint": Reader(
        lambda path: save_checkpoint(path, "teacher", teacher_content()),
        lambda path: restore(load_checkpoint(path, "teacher", "student")),
    ),
    "episodes": Reader(write_rows, _read_episodes),
    "replay": Reader(write_a_replay, read_replay),
    "journal": Reader(_write_journal, _read_journal),
    "metrics": Reader(
        lambda path: path.write_text('{"env_steps": 10, "test_win_rate": 0.5}\n{"env_steps": 20, "td_loss": NaN}\n'),
        read_metrics,
    ),
    "curve": Reader(
        lambda path: path.write_text("env_steps,td_loss,test_win_rate\n10,,0.5\n20,nan,\n"), _read_packed_curve
    ),
    "status": Reader(_write_status, _in_run("status.json", read_state)),
    "config": Reader(
        _write_a_config,
        _in_run("config.json", read_run_config),
    ),
    "evaluation": Reader(lambda path: write_json(path, Evaluation().model_dump()), read_evaluation),
    "provenance": Reader(lambda path: add_sitting(path, _made_from(), 1), read_provenance),
    "settings": Reader(lambda path: path.write_text("map = '8m'\n[distill]\nsteps = 5\n"), read_settings_file),
    "map": Reader(lambda path: path.write_text(MAP), _read_map),
}
"""All readers of files that may come from others."""


def refused(reader: Reader, path: Path, data: bytes) -> bool:
    """Whether the reader says in one sentence what is wrong with these bytes; False: it can read them.

    Any other exception is a fault, and is not caught here.
    """
    path.write_bytes(data)
    try:
        reader.read(path)
    except PtdeError:
        return True
    return False


def broken(whole: bytes, chance: random.Random) -> bytes:
    """A whole file, broken in one of the ways of bad disks and bad people: bits, bytes, lengths, pieces, the end."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) or 1)
        match chance.randrange(7):
            case 0:
                data[at : at + 1] = bytes([data[at] ^ 1 << chance.randrange(8)]) if data else b"x"
            case 1:
                data[at : at + 1] = bytes([chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))])
            case 2:
                size = chance.choice((2, 4, 8))
                data[at : at + size] = chance.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**16 - 1)).to_bytes(8, "little")[
                    :size
                ]
            case 3:
                del data[at : at + chance.choice((1, 2, 8, 100))]
            case 4:
                data[at:at] = data[at : at + chance.choice((1, 8, 100))]
            case 5:
                data[at:at] = chance.choice((b"[" * 500, b"9" * 400, b"NaN", b"1e999", b"\xff\x00", b"\x1b[2J", b'"'))
            case 6 if chance.random() < 0.1:
                del data[at:]
    return bytes(data)


def main(words: list[str] | None = None) -> None:
    """Break files until so many have been tried, or one has raised something else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=sorted(READERS))
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coverage", action="store_true", help="steered by atheris, from the file's bytes")
    options = parser.parse_args(words)
    reader = READERS[options.reader]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        reader.write(path)
        whole, tried, said, began = path.read_bytes(), 0, 0, time.monotonic()
        if options.coverage:
            _steered(reader, path, whole, options.inputs)  # ends the process
        chance = random.Random(options.seed)
        faulthandler.register(signal.SIGPROF, chain=True)  # says where it was, and then ends the process
        gc.freeze()  # what was imported is not looked through again and again
        for tried in range(1, options.inputs + 1):
            data = broken(whole, chance)
            signal.setitimer(signal.ITIMER_PROF, LONGEST)
            try:
                said += refused(reader, path, data)
            except BaseException:
                Path(f"fuzz-{options.reader}-{options.seed}-{tried}").write_bytes(data)
                raise
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(f"{options.reader}: {tried:,} inputs, {said:,} refused, {time.monotonic() - began:.0f} s")


def _steered(reader: Reader, path: Path, whole: bytes, inputs: int) -> None:
    import atheris  # not among our packages: --coverage alone needs it

    corpus = path.with_name("corpus")
    corpus.mkdir()
    (corpus / "whole").write_bytes(whole)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(corpus), f"-runs={inputs}"], lambda data: refused(reader, path, data))
    atheris.Fuzz()


if __name__ == "__main__":
    h5py._errors.silence_errors()
    main()
