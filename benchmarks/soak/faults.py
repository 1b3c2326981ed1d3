"""The faults: each disturbs one pipeline at a moment of chance, and says what was wrong after it, if anything was.

`seconds` is how long the undisturbed pipeline takes, `wanted` what came of it.
"""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.soak.pipeline import Pipeline, result_of, unreadable

LATE = 1.3  # times the undisturbed duration: some are let run to their end
SMALL_DISK = 12_000_000  # bytes
LEAST_LEFT, MOST_LEFT = 50_000, 4_000_000  # bytes that a full disk has left when a pipeline begins on it
STOPPED_SECONDS = 2.0

Fault = Callable[[Pipeline, Mapping[str, Any], float, random.Random], list[str]]


def kill_again_and_again(
    pipeline: Pipeline, wanted: Mapping[str, Any], seconds: float, chance: random.Random, kills: int
) -> tuple[int, list[str]]:
    """SIGKILL at random moments until it ends in between, or so many; how often, and what was wrong."""
    done, wrong = 0, []
    while True:
        process = pipeline.start()
        try:
            ended = pipeline.ended(process, None if done >= kills else chance.uniform(0.0, LATE * seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pipeline.errors.pop(process.pid).unlink()
            done += 1
            wrong += unreadable(pipeline.run)
            continue
        if ended.code != 0:
            return done, [*wrong, f"after {done} kills it ended with {ended.code}: {ended.said[-2000:]}"]
        return done, [*wrong, *_differences(pipeline, wanted)]


def killed(pipeline: Pipeline, wanted: Mapping[str, Any], seconds: float, chance: random.Random) -> list[str]:
    """SIGKILL, once at least."""
    process = pipeline.start()
    time.sleep(chance.uniform(0.0, seconds))
    process.kill()
    process.wait()
    return [*unreadable(pipeline.run), *_finished(pipeline, wanted)]


def told_to_end(pipeline: Pipeline, wanted: Mapping[str, Any], seconds: float, chance: random.Random) -> list[str]:
    """SIGHUP, as of a closed terminal, or SIGTERM."""
    process = pipeline.start()
    time.sleep(chance.uniform(0.0, seconds))
    process.send_signal(chance.choice([signal.SIGHUP, signal.SIGTERM]))
    ended = pipeline.ended(process)
    wrong = ["it ended with a traceback: " + ended.said[-2000:]] if "Traceback" in ended.said else []
    return [*wrong, *unreadable(pipeline.run), *_finished(pipeline, wanted)]


def stopped(pipeline: Pipeline, wanted: Mapping[str, Any], seconds: float, chance: random.Random) -> list[str]:
    """SIGSTOP, and SIGCONT after a while."""
    process = pipeline.start()
    time.sleep(chance.uniform(0.0, seconds))
    process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    process.send_signal(signal.SIGCONT)
    ended = pipeline.ended(process)
    return [ended.said[-2000:]] if ended.code else _differences(pipeline, wanted)


def two_writers(pipeline: Pipeline, wanted: Mapping[str, Any], seconds: float, chance: random.Random) -> list[str]:
    """The same command twice at once: one does it, the other is told so, or finds it done."""
    first = pipeline.start()
    time.sleep(chance.uniform(0.0, seconds / 2))
    second = pipeline.ended(pipeline.start())
    one = pipeline.ended(first)
    wrong = [
        f"it ended with {ended.code}: {ended.said[-2000:]}"
        for ended in (one, second)
        if ended.code and not (ended.in_one_sentence and "another process is at work" in ended.said)
    ]
    if one.code and second.code:
        wrong.append("both were refused")
    return [*wrong, *_differences(pipeline, wanted)]


def cut_short(
    pipeline: Pipeline,
    wanted: Mapping[str, Any],  # noqa: ARG001  every fault is called alike
    seconds: float,  # noqa: ARG001  every fault is called alike
    chance: random.Random,
) -> list[str]:
    """A file of the finished run is cut at a random length: the same command mends it, or says what is wrong."""
    if pipeline.finish().code:
        return ["the undisturbed pipeline failed"]
    path = chance.choice(sorted(path for path in pipeline.folder.rglob("*") if path.is_file() and path.stat().st_size))
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))
    again = pipeline.finish()
    if again.code and not again.in_one_sentence:
        return [f"{path.name} was cut, and it ended with {again.code}: {again.said[-2000:]}"]
    return []


def full_disk(
    pipeline: Pipeline,
    wanted: Mapping[str, Any],
    seconds: float,  # noqa: ARG001  every fault is called alike
    chance: random.Random,
) -> list[str]:
    """A disk that fills up at some moment; with room again the same command goes on."""
    with small_disk(pipeline.folder.parent) as disk:
        on_disk = Pipeline(pipeline.alg, disk / pipeline.folder.name, pipeline.more)
        filler = disk / "filler"
        filler.write_bytes(bytes(SMALL_DISK - chance.randrange(LEAST_LEFT, MOST_LEFT)))
        ended = on_disk.finish()
        wrong = unreadable(on_disk.run)
        if ended.code and not (ended.in_one_sentence and "no space left on device" in ended.said):
            wrong.append(f"it ended with {ended.code}: {ended.said[-2000:]}")
        filler.unlink()
        return [*wrong, *_finished(on_disk, wanted)]


FAULTS: Mapping[str, Fault] = {
    "killed": killed,
    "told to end": told_to_end,
    "stopped": stopped,
    "two writers": two_writers,
    "file cut short": cut_short,
    "full disk": full_disk,
}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes in memory.

    Raises:
        PermissionError: only root can mount one.
    """
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        raise PermissionError("a small file system cannot be mounted here: it takes root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=False)
        shutil.rmtree(disk, ignore_errors=True)


def _finished(pipeline: Pipeline, wanted: Mapping[str, Any]) -> list[str]:
    """Go on to the end; what is wrong then."""
    ended = pipeline.finish()
    if ended.code:
        return [f"the same command ended with {ended.code}: {ended.said[-2000:]}"]
    return _differences(pipeline, wanted)


def _differences(pipeline: Pipeline, wanted: Mapping[str, Any]) -> list[str]:
    """How the result differs from an undisturbed one's, and what cannot be read of it."""
    wrong, found = unreadable(pipeline.run), result_of(pipeline.run)
    differing = [part for part in wanted if found[part] != wanted[part]]
    wrong += [f"{pipeline.alg}: {part} differ from the undisturbed run's" for part in differing]
    left = [path.name for path in pipeline.folder.rglob(".*.partial")]
    return [*wrong, *(f"{name} was left behind" for name in left)]
