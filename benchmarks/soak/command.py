"""`python -m benchmarks soak`: so many faults, or so many minutes; a line each. Exit code 1 if anything was wrong."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak import __doc__ as description
from benchmarks.soak.faults import FAULTS, kill_again_and_again
from benchmarks.soak.memory import Watched, watch_training
from benchmarks.soak.pipeline import ALGORITHMS, Pipeline, result_of
from ptde_core.base.provenance import code, machine, packages

KILLS_OF_ONE = 10  # most kills of one pipeline, which then comes to its end; so that all algorithms have their share
FLAT = 0.02  # of the memory of a training whose replay is full


def main(words: Sequence[str]) -> int:
    """Do what was asked for; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks soak", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="SIGKILLs at random moments of pipelines")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="how often each fault is tried")
    parser.add_argument("--fault", choices=list(FAULTS), action="append", help="only this one; repeatable")
    parser.add_argument("--minutes", type=float, default=0.0, metavar="M", help="watch a training for so long")
    parser.add_argument("--map", default="3m", help="of that training")
    parser.add_argument("--alg", choices=ALGORITHMS, action="append", help="only this algorithm; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep what was found there")
    options = parser.parse_args(words)
    if not (options.kills or options.rounds or options.minutes):
        parser.error("say how much: --kills 200, --rounds 20, --minutes 60")
    chance, algorithms = random.Random(options.seed), options.alg or list(ALGORITHMS)
    found: dict[str, Any] = {"code": code(), "machine": machine(), "packages": packages(), "seed": options.seed}
    with tempfile.TemporaryDirectory(prefix="ptde-soak-") as folder:
        wrong: list[str] = []
        if options.kills or options.rounds:
            undisturbed = _undisturbed(algorithms, Path(folder))
            if options.kills:
                found["kills"] = _kill(options.kills, undisturbed, Path(folder), chance, wrong)
            if options.rounds:
                faults = options.fault or list(FAULTS)
                found["faults"] = _disturb(options.rounds, faults, undisturbed, Path(folder), chance, wrong)
        if options.minutes:
            watched = watch_training(options.map, options.minutes, Path(folder))
            found["memory"] = vars(watched)
            wrong += _leaks(watched)
    found["wrong"] = wrong
    for line in wrong:
        print(f"WRONG: {line}", flush=True)
    print("nothing was wrong" if not wrong else f"{len(wrong)} things were wrong", flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if wrong else 0


Undisturbed = dict[str, tuple[dict[str, Any], float]]  # by algorithm: the result, and the seconds that it took


def _undisturbed(algorithms: Sequence[str], folder: Path) -> Undisturbed:
    found: Undisturbed = {}
    for alg in algorithms:
        pipeline = Pipeline(alg, folder / f"whole-{alg}")
        pipeline.finish()  # the first compiles what is not compiled yet
        shutil.rmtree(pipeline.folder, ignore_errors=True)
        began = time.monotonic()
        ended = pipeline.finish()
        if ended.code:
            raise SystemExit(f"the undisturbed pipeline of {alg} failed: {ended.said}")
        found[alg] = result_of(pipeline.run), time.monotonic() - began
        print(f"undisturbed {alg}: {found[alg][1]:.1f} s", flush=True)
    return found


def _kill(
    kills: int, undisturbed: Undisturbed, folder: Path, chance: random.Random, wrong: list[str]
) -> dict[str, int]:
    """Pipelines of all algorithms in turn, until there were so many kills; how many of each."""
    done = dict.fromkeys(undisturbed, 0)
    number = 0
    while sum(done.values()) < kills:
        alg = list(undisturbed)[number % len(undisturbed)]
        pipeline = Pipeline(alg, folder / f"killed-{number}")
        most = min(kills - sum(done.values()), KILLS_OF_ONE)
        more, found = kill_again_and_again(pipeline, *undisturbed[alg], chance, most)
        done[alg] += more
        wrong += found
        number += 1
        shutil.rmtree(pipeline.folder, ignore_errors=True)
        told = "wrong" if found else "as undisturbed"
        print(f"{sum(done.values())} kills, pipeline {number} ({alg}): {told}", flush=True)
    return done


def _disturb(
    rounds: int,
    faults: Sequence[str],
    undisturbed: Undisturbed,
    folder: Path,
    chance: random.Random,
    wrong: list[str],
) -> dict[str, int]:
    """Each fault so often, on all algorithms in turn; how often something was wrong."""
    failed = dict.fromkeys(faults, 0)
    for number in range(rounds):
        for fault in faults:
            alg = list(undisturbed)[number % len(undisturbed)]
            place = folder / f"{fault.replace(' ', '-')}-{number}"
            place.mkdir()
            found = FAULTS[fault](Pipeline(alg, place / "run"), *undisturbed[alg], chance)
            failed[fault] += bool(found)
            wrong += [f"{fault}, {alg}: {line}" for line in found]
            shutil.rmtree(place, ignore_errors=True)
            print(f"round {number + 1}, {fault} ({alg}): {'wrong' if found else 'well'}", flush=True)
    return failed


def _leaks(watched: Watched) -> list[str]:
    wrong = []
    if watched.growth > FLAT:
        wrong.append(f"memory grew by {watched.growth:.1%} once the replay was full")
    if watched.handles_last > watched.handles_first:
        wrong.append(f"open handles grew from {watched.handles_first} to {watched.handles_last}")
    wrong += [f"{name} was left behind" for name in watched.left]
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
