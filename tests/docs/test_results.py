"""results/: what lies there is whole and small, says what the manual says, and is what its checkpoints play."""

import importlib.util
import re
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

import ptde_core as ptde
from ptde_core.base.provenance import machine
from ptde_core.experiments.reproduction import cells_held, reproduced
from ptde_core.experiments.reproduction_page import Reproduced, page_text
from ptde_core.experiments.sweeps.cells import seeds_below
from ptde_core.experiments.sweeps.packing import LARGEST_CHECKPOINT
from ptde_core.experiments.sweeps.paper import ALL, Scope, parts_of, sweep_of
from ptde_core.experiments.sweeps.sweep_file import cells_of
from ptde_core.results.gather import Report, report
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder, find_runs
from ptde_core.storage.sums import NAME, read_sums, sha256_of
from ptde_core.storage.zoo import PREFIX, unpacked, zoo_folder, zoo_runs

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
LARGEST = 60_000_000  # bytes of all that lies there
FEW = 6  # episodes that are played again in a moment
ON_ANOTHER_MACHINE = 0.8  # share of the episodes that are the same at least: sums in another order may tip an action
PAGE = ROOT / "docs" / "reproduction.md"
RUNS = sorted(zoo_runs())
# QMIX_SGI first, for it has students; then those of other algorithms and maps.
SOME = sorted(RUNS, key=lambda name: ("SGI" not in name, name.split("/")[::-1]))[:3]


def files() -> list[Path]:
    return [path for path in RESULTS.rglob("*") if path.is_file()]


def test_nothing_but_kept_runs_lies_there_and_every_sum_holds() -> None:
    sums = read_sums(RESULTS)
    there = {path.relative_to(RESULTS).as_posix(): path for path in files()}
    assert set(there) - set(sums) == {NAME, "README.md", "3m.toml"}
    assert {name: sha256_of(there[name].read_bytes()) for name in sums} == sums


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in files()) < LARGEST
    assert max(path.stat().st_size for path in files()) <= LARGEST_CHECKPOINT


def test_it_is_the_zoo_and_every_run_counts() -> None:
    assert zoo_folder() == RESULTS
    assert len(RUNS) == len(find_runs([RESULTS])) > 0
    found = report([RESULTS])
    assert found.left_out == ()
    assert {one.run for section in found.sections for score in section.scores for one in score.seeds} == {
        str(run.path) for run in find_runs([RESULTS])
    }


def seconds(*words: str) -> tuple[float, str]:
    """Seconds of a processor that Python takes for these words, whoever shares it; and what it prints."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return spent() - before, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["full", "paper-table2"])
def test_a_report_takes_less_than_three_seconds_beside_its_libraries(layout: str) -> None:
    libraries, _ = seconds("-c", "import torch, scipy.special")  # 2.1 s where nobody else computes
    words = ("-m", "ptde_cli", "report", "results", "--layout", layout, "--format", "markdown")
    whole, text = seconds(*words)
    if whole - libraries >= 3.0:
        whole, text = seconds(*words)  # now all is in the system's cache
    assert whole - libraries < 3.0
    assert "skirmish (not SMAC), version 8" in text
    if layout == "paper-table2":
        (section,) = report([RESULTS]).sections
        assert text.count("\n| QMIX_SGI ") == 1
        for score in (one for one in section.scores if one.z != "mean" and one.paper and len(one.seeds) < 3):
            (line,) = re.findall(rf"^\| {score.name} +\|.*$", text, re.MULTILINE)
            assert f"({len(score.seeds)} of 3 seeds" in line


@cache
def made_now() -> tuple[list[Reproduced], Report]:
    """What `ptde reproduce all --from results` makes, its figures not drawn."""
    scope = Scope(seeds=seeds_below(RESULTS))
    parts = parts_of(ALL, scope, trains=False)
    file = sweep_of(parts, scope)
    return reproduced(parts, cells_held(cells_of(file), RESULTS, file.out), RESULTS)


def drawn_now() -> list[str]:
    """The pictures that the page's figures have, in their order."""
    return [one.picture for one in made_now()[0] if one.picture]


def test_the_page_is_what_the_command_makes_of_them() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page_text(*made_now()), "make it anew, as results/README.md says"
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert pictures == [f"figures/{name}" for name in drawn_now()]
    assert all((PAGE.parent / name).is_file() for name in pictures)


def test_the_readme_shows_the_same() -> None:
    spec = importlib.util.spec_from_file_location("readme_results", ROOT / "docs/hooks/readme_results.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert hook.BEGIN in readme
    assert hook.readme_with_results(readme, ROOT) == readme, "make it anew: python docs/hooks/readme_results.py"


def check_played_again(name: str, episodes: int | None) -> None:
    """Play a run's kept evaluation again, or its first episodes, and compare them one by one."""
    copy = RunFolder(unpacked(f"{PREFIX}{name}"))
    kept = [entry for entry in read_evaluation(copy.evaluation).entries if (copy.path / entry.checkpoint).is_file()]
    assert kept
    number = episodes or len(kept[0].episodes.seed)
    again = {(one.checkpoint, one.z): one for one in ptde.evaluate(copy, episodes=number)}
    for entry in kept:
        now = again[entry.checkpoint, entry.z].episodes
        columns = [
            list(zip(one.seed, one.won, one.length, one.total_reward, strict=True))[:number]
            for one in (entry.episodes, now)
        ]
        same = [one == other for one, other in zip(*columns, strict=True)]
        least = 1.0 if entry.machine == machine() else ON_ANOTHER_MACHINE
        assert [row[0] for row in columns[0]] == [row[0] for row in columns[1]]
        assert sum(same) >= least * number, f"{entry.name}, z {entry.z}: {sum(same)} of {number} are the same"


@pytest.mark.parametrize("name", SOME)
def test_checkpoints_play_the_kept_episodes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_played_again(name, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", RUNS)
def test_checkpoints_play_the_whole_evaluation(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_played_again(name, None)


@pytest.mark.slow
def test_the_pictures_are_what_the_command_draws(tmp_path: Path) -> None:
    words = ("reproduce", "all", "--from", "results", "--page", tmp_path / "page.md", "--quiet")
    subprocess.run([sys.executable, "-m", "ptde_cli", *map(str, words)], cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    drawn = sorted((tmp_path / "figures").glob("*"))
    assert [picture.name for picture in drawn] == sorted(drawn_now())
    for picture in drawn:
        with Image.open(picture) as now, Image.open(PAGE.parent / "figures" / picture.name) as committed:
            assert now.size == committed.size
            apart = ImageStat.Stat(ImageChops.difference(now.convert("RGB"), committed.convert("RGB"))).mean
            assert max(apart) < 0.5, f"{picture.name} is drawn otherwise now"
