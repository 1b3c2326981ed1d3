import json
import re
import shutil
from pathlib import Path

import pytest

from ptde_core.envs.skirmish.spec import VERSION
from ptde_core.runs.recipes import recipes
from tests.cli.conftest import TINY_FOLDER, TINY_RUN, Ended, Pipeline, Type

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@pytest.fixture
def copied(pipeline: Pipeline, tmp_path: Path) -> Path:
    """A copy of the finished run, to write into, in the current folder of the test."""
    shutil.copytree(pipeline.cwd / "runs", tmp_path / "runs")
    return TINY_FOLDER


def policies(ended: Ended) -> list[dict[str, object]]:
    """What `ptde evaluate --json` says."""
    assert ended.code == 0
    found: list[dict[str, object]] = json.loads(ended.out)["policies"]
    return found


def test_run_leaves_every_file_and_ends_with_the_table(pipeline: Pipeline) -> None:
    assert pipeline.ended.code == 0, pipeline.ended.err
    names = {path.name for path in pipeline.run.iterdir() if path.name[0] != "."}
    assert names == {
        *("config.json", "provenance.json", "status.json", "metrics.jsonl", "tensorboard", "resume"),
        *("teacher.pt", "episodes.h5", "student.pt", "students", "evaluation.json"),
    }
    assert {path.name for path in (pipeline.run / "students").glob("*.pt")} == {"recurrent.pt"}
    shown = pipeline.ended.out
    assert shown.startswith("3m on skirmish (not SMAC)")
    assert re.search(r"QMIX_SGI +sampled +\d/8", shown)
    assert re.search(r"QMIX_SGI +mean +\d/8", shown)
    assert re.search(r"QMIX_ASGKD +student +\d/8", shown)
    assert re.search(r"QMIX_ASGKD \(recipe recurrent\) +student +\d/8", shown)


def test_progress_goes_to_standard_error_as_plain_lines(pipeline: Pipeline) -> None:
    assert not CONTROL.search(pipeline.ended.out + pipeline.ended.err)
    stages = [line.partition(":")[0] for line in pipeline.ended.err.splitlines() if ": done in" in line]
    assert stages == ["train-teacher", "collect", "distill", "distill", "evaluate"]
    assert f"saved {TINY_FOLDER}/teacher.pt (the trained teacher)" in pipeline.ended.err


def test_run_again_skips_what_is_finished(ptde: Type, copied: Path, pipeline: Pipeline) -> None:
    before = (copied / "student.pt").read_bytes()
    ended = ptde(*TINY_RUN, "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == pipeline.ended.out
    assert (copied / "student.pt").read_bytes() == before


def test_run_with_more_steps_goes_on_and_makes_a_student_of_the_longer_teacher(ptde: Type, copied: Path) -> None:
    before = (copied / "student.pt").read_bytes()
    longer = ptde(*TINY_RUN, "--steps", "900", "--no-keep-state")
    assert longer.code == 0, longer.err
    assert re.search(r"train-teacher: .* \(900 env steps, \d{3} done before\)", longer.err)
    assert re.search(r"QMIX_ASGKD +student +\d/8", longer.out)
    assert (copied / "until-0000600" / "student.pt").read_bytes() == before
    assert (copied / "student.pt").exists()
    assert not (copied / "resume").exists()
    fewer = ptde(*TINY_RUN)
    assert (fewer.code, fewer.out) == (2, "")
    assert fewer.err.endswith("is a training of 900 env steps, and 600 are fewer; give as many or more, or choose "
                              "another folder with --out\n")  # fmt: skip
    more = ptde("train-teacher", "--map", "3m", "--resume", "--steps", "1200")
    assert (more.code, more.out) == (2, "")
    assert "has finished its 900 env steps, and what it needs to go on was not kept" in more.err


def test_the_stages_one_by_one_as_each_tells_the_next(ptde: Type, copied: Path, pipeline: Pipeline) -> None:
    for name in ("episodes.h5", "student.pt", "evaluation.json"):
        (copied / name).unlink()
    shutil.rmtree(copied / "students")
    told = ptde("collect", copied / "teacher.pt", "--episodes", "4")
    assert told.out == f"distill a student with: ptde distill {copied}/teacher.pt --data {copied}/episodes.h5\n"
    words = (*told.out.split()[5:], "--recipe", "paper", "--recipe", "recurrent", "--steps", "200")
    told = ptde(*words, "--no-evaluate")
    assert told.out == f"evaluate with: ptde evaluate {copied}/student.pt {copied}/students/recurrent.pt\n"
    told = ptde(*told.out.split()[3:], "--episodes", "8")
    assert told.code == 0
    assert told.out == pipeline.ended.out, "the same stages with the same settings give the same numbers"
    (copied / "evaluation.json").unlink()
    again = ptde(*words, "--episodes", "8", "--quiet")
    assert (again.out, again.err) == (pipeline.ended.out, ""), "distilling ends with the evaluation"


def test_evaluate_as_json_prints_nothing_else(ptde: Type, copied: Path) -> None:
    ended = ptde("evaluate", copied / "student.pt", "--episodes", "4", "--seed", "5", "--json")
    found = policies(ended)
    assert [(one["name"], one["z"]) for one in found] == [
        *(("QMIX_SGI", "sampled"), ("QMIX_SGI", "mean"), ("QMIX_ASGKD", "student"))
    ]
    for one in found:
        played = one["episodes"]
        assert isinstance(played, dict)
        assert (one["wins"], one["played"]) == (sum(played["won"]), 4)
        assert played["seed"] == found[0]["episodes"]["seed"]  # type: ignore[index]  # a dict, as asserted above
    assert "evaluate: done in" in ended.err


def test_quiet_is_quiet(ptde: Type, copied: Path) -> None:
    ended = ptde("evaluate", copied / "student.pt", "--episodes", "4", "--quiet")
    assert ended.err == ""
    assert ended.out.startswith("3m on skirmish")


@pytest.mark.slow
def test_compare_shows_every_recipe_and_report_shows_them_too(ptde: Type, copied: Path) -> None:
    shutil.rmtree(copied / "students")
    words = ("distill", copied / "teacher.pt", "--compare", "--steps", "200", "--episodes", "4")
    words = (*words, "--set", "batch_rows=2048", "--set", "dagger_episodes=2")
    ended = ptde(*words)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("Ways to distill: 3m on skirmish (not SMAC)")
    assert re.search(r"Policy +File +Won +Win rate +(PRR +)?Error +Explained +Same action +Steps +Seconds", ended.out)
    for name in (name for name in recipes() if name != "paper"):
        named = rf"QMIX_ASGKD \(recipe {name}(, DAgger 4x2)?\)"
        assert re.search(rf"{named} +students/{name}\.pt +\d/4 +\d\.\d+ \[", ended.out), name
    again = ptde(*words, "--quiet")
    assert (again.out, again.err) == (ended.out, "")
    two = ptde(*words, "--quiet", "--recipe", "paper", "--recipe", "recurrent-values")
    assert len(re.findall(r"QMIX_ASGKD.* student", two.out)) == 2
    shown = ptde("report").out
    assert "QMIX_ASGKD (recipe recurrent, DAgger 4x2) / QMIX_SGI" in shown
    assert "Parameters of the networks: skirmish (not SMAC)" in shown


def test_distill_takes_a_recipe_by_its_name(ptde: Type, copied: Path) -> None:
    teacher = copied / "teacher.pt"
    wrong = ptde("distill", teacher, "--recipe", "recurent")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "no recipe named 'recurent'; did you mean 'recurrent'?" in wrong.err
    for words in (("--out", "s.pt", "--compare"), ("--no-evaluate", "--compare"), ("--no-evaluate", "--episodes", "3")):
        ended = ptde("distill", teacher, *words)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    told = ptde("distill", teacher, "--set", "recipe=sampled-target", "--steps", "20", "--no-evaluate", "--quiet")
    assert told.out == f"{copied}/students/sampled-target.pt\n"


def test_report_in_every_format(ptde: Type, copied: Path) -> None:
    for name, part in {
        "table": "Win rates on skirmish (not SMAC)",
        "markdown": "| QMIX_ASGKD",
        "csv": f"skirmish,{VERSION},3m,QMIX_ASGKD",
        "json": '"QMIX_ASGKD"',
        "latex": r"QMIX\_ASGKD",
    }.items():
        ended = ptde("report", "--format", name)
        assert (ended.code, ended.err) == (0, "")
        assert part in ended.out
        written = ptde("report", "runs", "--format", name, "--out", f"report.{name}")
        assert (written.code, written.out) == (0, "")
        assert Path(f"report.{name}").read_text() == ended.out
        assert str(copied) not in Path("report.table").read_text(), "a finished, evaluated run is counted"


def test_maps_shows_sizes_limits_and_budgets(ptde: Type) -> None:
    rows = {line.split()[0]: line for line in ptde("maps").out.splitlines() if line.strip()}
    assert rows["3m"].startswith(" 3m")
    assert "3 marine v 3 marine" in rows["3m"]
    assert rows["3s_vs_8z"].split()[-7:] == ["3", "14", "66", "89", "350", "10M", "10M"]


FEW = ("--set", "batch_episodes=2", "--set", "test_episodes=2", "--set", "evaluate.episodes=4")
TINY = ("--steps", "200", *FEW, "--set", "average_weights=0")


@pytest.mark.parametrize(
    ("alg", "rows"), [("csrl", [("CSRL", "exact")]), ("copa", [("COPA", "sampled"), ("COPA", "mean")])]
)
def test_centralized_baselines_are_trained_evaluated_and_reported_but_not_distilled(
    ptde: Type, alg: str, rows: list[tuple[str, str]]
) -> None:
    ended = ptde("run", "--map", "3m", "--alg", alg, *TINY)
    assert ended.code == 0, ended.err
    folder = Path(f"runs/skirmish/3m/{alg.upper()}/seed1")
    assert not (folder / "episodes.h5").exists()
    for name, z in rows:
        assert re.search(rf"{name} +{z} +\d/4", ended.out)
    assert ("the coach sent" in ended.out) == (alg == "copa")
    told = ptde("report", "--format", "csv").out
    assert re.search(rf",{alg.upper()},[^\n]*,centralized,", told), told
    for command in ("collect", "distill"):
        ended = ptde(command, folder / "teacher.pt")
        assert ended.code == 2
        assert f"is a {alg.upper()} teacher, a baseline of centralized execution that is not distilled" in ended.err
        assert ended.err.count("\n") == 1


def test_qplex_goes_through_all_stages(ptde: Type) -> None:
    distilling = ("--set", "collect.episodes=2", "--set", "distill.steps=20")
    ended = ptde("run", "--map", "3m", "--alg", "qplex", *TINY, *distilling)
    assert ended.code == 0, ended.err
    assert re.search(r"QPLEX_SGI +sampled +\d/4", ended.out)
    assert "QPLEX_ASGKD" in ptde("report").out


def test_copa_says_where_there_are_no_units(ptde: Type) -> None:
    ended = ptde("train-teacher", "--alg", "copa", "--env", "game", "--map", "two-step")
    assert ended.code == 2
    assert "COPA's coach needs a state made of units' features" in ended.err
    assert ended.err.count("\n") == 1
