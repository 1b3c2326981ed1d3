import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from ptde_core.algorithms.table_names import student_name
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom, World
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.results.evaluation_table import evaluation_json, evaluation_tables
from ptde_core.results.formats import FORMATS, JSON_SCHEMA, render
from ptde_core.results.gather import Report, report
from ptde_core.results.score import Score
from ptde_core.results.sections import report_tables
from ptde_core.results.table import Table, markdown
from ptde_core.runs.recipes import departures
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.scores.intervals import MeanStd
from ptde_core.scores.tally import Tally
from ptde_core.storage.checkpoint import identity, save_checkpoint
from ptde_core.storage.config_file import write_config
from ptde_core.storage.evaluation_file import (
    TRAINING_ONLY,
    Distilled,
    EvaluationEntry,
    Inference,
    Played,
    ZSource,
    add_entries,
)
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import write_status

GOLDEN = Path(__file__).with_name("golden")
RUNS = Path("runs")


def played(wins: int, episodes: int, evaluation_seed: int = 0) -> Played:
    """The first `wins` of the list are won, with return 20 and length 30; the others lost, return 10, length 60."""
    won = [k < wins for k in range(episodes)]
    return Played(
        seed=[int(one) for one in episode_seeds(evaluation_seed, "evaluate", 0, episodes)],
        won=won,
        total_reward=[20.0 if one else 10.0 for one in won],
        length=[30 if one else 60 for one in won],
    )


OTHER_NETWORKS: dict[ZSource, dict[str, int]] = {
    "none": {TRAINING_ONLY: 20_000},
    "sampled": {"information": 200_000, TRAINING_ONLY: 20_000},
    "mean": {"information": 200_000, TRAINING_ONLY: 20_000},
    "student": {"student": 8_000},
}


def distilled(**changes: Any) -> Distilled:
    """How a student was made; the paper's way but for the changes."""
    quality = {"student_validation_loss": 0.02, "student_explained": 0.9, "student_same_action": 0.95}
    return Distilled(settings=DistillSettings(**changes).model_dump(), quality=quality, steps=500_000, seconds=100.0)


def entry(z: ZSource, wins: int, **changes: Any) -> EvaluationEntry:
    policy = "student" if z == "student" else "teacher"
    name = {"student": "QMIX_ASGKD", "none": "QMIX"}.get(z, "QMIX_SGI")
    facts: dict[str, Any] = {
        "name": name,
        "policy": policy,
        "z": z,
        "alg": "qmix",
        "global_info": "none" if z == "none" else "agent-specific",
        "checkpoint": f"{policy}.pt",
        "teacher_id": "abc",
        "policy_id": f"{policy} abc",
        "parameters": {"trunk": 30_000, "head": 5_000, **OTHER_NETWORKS[z]},
        "distilled": distilled() if policy == "student" else None,
        "backend": "skirmish",
        "backend_version": "1",
        "map": "3m",
        "train_seed": 1,
        "env_steps": 150_020,
        "evaluation_seed": 0,
        "machine": "2 cores, Some CPU, 8 GiB, Linux x86_64",
        "code": "0.1.0+1a2b3c4",
        "episodes": played(wins, 320, changes.get("evaluation_seed", 0)),
        "inference": Inference(seconds=0.9, calls=600, side_by_side=32, threads=1),
    }
    return EvaluationEntry(**{**facts, **changes})


def add_run(name: str, entries: Sequence[EvaluationEntry], **settings: Any) -> RunFolder:
    """A finished run in ./runs."""
    run = RunFolder(RUNS / name)
    first = entries[0] if entries else entry("sampled", 0)
    of_entry = {"map": first.map, "seed": first.train_seed, "alg": first.alg, "global_info": first.global_info}
    decided = {"steps": 150_000, **of_entry, **settings}
    made = MadeFrom(stage="train-teacher", world=first.made_from.world, settings=decided)
    write_config(run.config, {"checkpoint_seconds": 60.0, **decided}, made)
    write_status(run, "finished", env_steps=first.env_steps, seconds=300.0)
    if entries:
        add_entries(run.evaluation, [checkpointed(run, one, made) for one in entries])
    return run


def checkpointed(run: RunFolder, one: EvaluationEntry, of_run: MadeFrom) -> EvaluationEntry:
    """Write the checkpoint of an entry, with weights of its own; the entry with their identity."""
    networks = {"w": torch.tensor(list(f"{one.policy_id} {one.checkpoint}".encode()))}
    parents = {"teacher": one.teacher_id, "episodes": "e"}
    by_itself = MadeFrom(stage="distill", world=one.made_from.world, settings={}, parents=parents)
    content = {
        "networks": networks,
        "teacher_id": one.teacher_id,
        "settings": {
            "alg": one.alg,
            "global_info": one.global_info,
            "env": one.backend,
            "map": one.map,
            "seed": one.train_seed,
            "steps": 150_000,
        },
        "env": {
            "backend": one.backend,
            "version": one.backend_version,
            "map": one.map,
            "n_agents": 1,
            "n_actions": 1,
            "obs_size": 1,
            "state_size": 1,
            "episode_limit": 60,
            "obs_names": ["o"],
            "state_names": ["s"],
            "action_names": ["a"],
        },
        "counters": {"env_steps": one.env_steps},
        "teacher_file": "teacher.pt",
        "kept": "last",
        "made_from": (by_itself if one.distilled else of_run).plain(),
    }
    save_checkpoint(run.path / one.checkpoint, one.policy, content)
    return one.model_copy(update={"policy_id": identity(networks)})


def pipeline(map_name: str, seed: int, sampled: int, mean: int, student: int, **changes: Any) -> list[EvaluationEntry]:
    """A teacher with z sampled and mean, and its student."""
    facts = {"map": map_name, "train_seed": seed, "teacher_id": f"{map_name} {seed}", **changes}
    return [entry("sampled", sampled, **facts), entry("mean", mean, **facts), entry("student", student, **facts)]


def world_1(map_name: str) -> World:
    """What is played on in these tests, whatever skirmish's version is by now."""
    return World(environment="skirmish", version="1", map=map_name)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, "skirmish", replace(ENVIRONMENTS["skirmish"], now=world_1))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    RUNS.mkdir()


def one_run() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))


def many_runs() -> None:
    """Two maps of the paper and 3m; three seeds; a plain QMIX; a second backend; runs that do not count."""
    one_run()
    for seed, (sampled, mean, student) in enumerate([(310, 312, 280), (300, 310, 250), (290, 300, 265)], start=1):
        add_run(f"3s_vs_5z-{seed}", pipeline("3s_vs_5z", seed, sampled, mean, student, env_steps=2_000_100))
    for seed, wins in enumerate([40, 0, 96], start=1):
        add_run(f"qmix-{seed}", [entry("none", wins, map="3s_vs_5z", train_seed=seed, env_steps=2_000_100)])
    add_run("3s_vs_8z", pipeline("3s_vs_8z", 1, 0, 1, 0, env_steps=10_000_000))
    add_run("football", pipeline("academy_counterattack_easy", 1, 260, 270, 230, backend="football"))
    add_run("fresh", [])
    write_status(RunFolder(RUNS / "broken"), "failed", "OSError: disk full")
    write_status(RunFolder(RUNS / "stopped"), "interrupted", "stopped by the user")


def only_score(found: Report, **facts: str) -> Score:
    scores = [score for section in found.sections for score in section.scores]
    (score,) = [one for one in scores if all(getattr(one, key) == value for key, value in facts.items())]
    return score


def check_golden(name: str, text: str) -> None:
    """Compare with the kept text. A wanted change: run with PTDE_REWRITE_GOLDEN=1, and read the diff."""
    path = GOLDEN / name
    if os.environ.get("PTDE_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert nine_digits(text) == nine_digits(path.read_text(encoding="utf-8"))


def nine_digits(text: str) -> str:
    """The last digits of a mean or a quantile are those of a library's version, not ours."""
    return re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda found: f"{float(found[0]):.9g}", text)


def test_a_row_keeps_its_parts() -> None:
    many_runs()
    score = only_score(report([RUNS]), map="3s_vs_5z", name="QMIX_SGI", z="sampled")
    assert [(one.train_seed, one.tally) for one in score.seeds] == [
        (1, Tally(310, 320)),
        (2, Tally(300, 320)),
        (3, Tally(290, 320)),
    ]
    assert score.tally == Tally(900, 960)
    assert score.over_seeds == pytest.approx((0.9375, 10 / 320))  # 290, 300, 310 of 320: deviation 10 episodes
    assert score.paper == MeanStd(0.992, 0.006)
    assert score.iqm == pytest.approx(0.9375)
    assert score.seeds[0].mean_return == pytest.approx((310 * 20 + 10 * 10) / 320)
    assert score.seeds[0].mean_length == pytest.approx((310 * 30 + 10 * 60) / 320)


def test_retention_pools_pairs_and_uses_the_teacher_with_z_sampled() -> None:
    many_runs()
    kept = only_score(report([RUNS]), map="3s_vs_5z", name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.teacher_name == "QMIX_SGI"
    assert (kept.student, kept.teacher) == (Tally(795, 960), Tally(900, 960))
    assert kept.ratio == pytest.approx(795 / 900)
    assert kept.interval is not None
    assert kept.interval.low < 795 / 900 < kept.interval.high
    assert kept.train_seeds == (1, 2, 3)


def test_the_papers_figure_stands_beside_z_sampled_only() -> None:
    many_runs()
    found = report([RUNS])
    assert only_score(found, map="3s_vs_5z", name="QMIX_SGI", z="mean").paper is None
    assert only_score(found, map="3m", name="QMIX_ASGKD").paper is None
    assert only_score(found, map="3s_vs_5z", name="QMIX_ASGKD").paper_retention == 0.894


def test_retention_is_undefined_where_the_teacher_never_wins() -> None:
    many_runs()
    found = report([RUNS])
    kept = only_score(found, map="3s_vs_8z", name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.ratio is None
    assert kept.interval is None
    text = render(found, "markdown")
    assert "No PRR for QMIX_ASGKD on 3s_vs_8z: its teacher won none of 320 episodes." in text


@pytest.mark.parametrize(
    "teacher",
    [
        entry("mean", 300),  # not sampled
        entry("sampled", 300, evaluation_seed=5),
        entry("sampled", 300, episodes=played(300, 321)),
    ],
    ids=["mean", "another seed", "another list"],
)
def test_a_student_is_compared_on_its_own_teachers_episodes_only(teacher: EvaluationEntry) -> None:
    add_run("a", [teacher, entry("student", 280)])
    found = report([RUNS])
    kept = only_score(found, name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.ratio is None
    assert kept.unpaired == (1,)
    assert "was not evaluated with z sampled on the same episodes" in render(found, "markdown")


def test_backends_and_their_versions_never_meet() -> None:
    add_run("a", [entry("sampled", 300)])
    add_run("b", [entry("sampled", 200, backend="smac", backend_version="2", train_seed=2)])
    add_run("c", [entry("sampled", 100, backend="smac", train_seed=3)])
    found = report([RUNS])
    places = [(one.backend, one.version, len(one.scores)) for one in found.sections]
    assert places == [("skirmish", "1", 1), ("smac", "1", 1), ("smac", "2", 1)]
    titles = [table.title for table in report_tables(found)]
    assert titles[0] == "Win rates on skirmish (not SMAC), version 1"
    assert "Win rates on smac, version 1" in titles


def test_runs_of_other_settings_are_another_row() -> None:
    add_run("a", [entry("sampled", 300)], n_envs=8, td_lambda=0.6)
    add_run("b", [entry("sampled", 310, train_seed=2)], n_envs=8, td_lambda=0.6, checkpoint_seconds=5.0)
    add_run("c", [entry("sampled", 100, train_seed=2)], n_envs=8, td_lambda=0.0)
    scores = report([RUNS]).sections[0].scores
    assert [(score.variant, score.tally) for score in scores] == [
        ("td_lambda=0.0", Tally(100, 320)),
        ("td_lambda=0.6", Tally(610, 640)),
    ]


def test_two_students_of_one_run_are_two_rows() -> None:
    add_run("a", [entry("sampled", 300), entry("student", 200), entry("student", 250, checkpoint="recurrent.pt")])
    table = report_tables(report([RUNS]))[0]
    assert [row[1] for row in table.rows] == [
        "QMIX_SGI",
        "QMIX_ASGKD (recurrent.pt)",
        "QMIX_ASGKD (student.pt)",
        "QMIX_ASGKD / QMIX_SGI (recurrent.pt)",
        "QMIX_ASGKD / QMIX_SGI (student.pt)",
    ]


def test_students_that_were_distilled_differently_are_never_pooled() -> None:
    for seed, steps in ((1, 100), (2, 100), (3, 900)):
        made = distilled(steps=steps, seed=seed)
        add_run(f"{seed}", [entry("student", 300, train_seed=seed, teacher_id=f"{seed}", distilled=made)])
    scores = report([RUNS]).sections[0].scores
    assert [(score.variant, [one.train_seed for one in score.seeds]) for score in scores] == [
        ("distill.steps=100", [1, 2]),
        ("distill.steps=900", [3]),
    ]


def test_a_student_that_is_not_the_papers_has_a_name_and_no_figure_of_the_papers() -> None:
    name = student_name("qmix", "agent-specific", departures(DistillSettings(student="recurrent", loss="values")))
    assert name == "QMIX_ASGKD (recurrent, values loss)"
    facts: dict[str, Any] = {"map": "3s_vs_5z", "teacher_id": "3s_vs_5z 1"}
    made = distilled(student="recurrent", loss="values")
    other = entry("student", 290, name=name, checkpoint="students/recurrent-values.pt", distilled=made, **facts)
    add_run("a", [*pipeline("3s_vs_5z", 1, 310, 312, 280), other])
    found = report([RUNS])
    assert only_score(found, name="QMIX_ASGKD").paper is not None
    score = only_score(found, name=name)
    assert (score.variant, score.paper, score.paper_retention) == ("", None, None)
    assert score.seeds[0].distilled == made.model_dump()
    assert [row[1] for row in report_tables(found)[0].rows if row[1].endswith("/ QMIX_SGI")] == [
        "QMIX_ASGKD / QMIX_SGI",
        "QMIX_ASGKD (recurrent, values loss) / QMIX_SGI",
    ]


def test_a_student_that_was_made_before_there_were_recipes_shares_a_row_with_the_papers() -> None:
    for seed in (1, 2):
        made = distilled()
        if seed == 1:
            made = made.model_copy(update={"settings": {k: v for k, v in made.settings.items() if k != "recipe"}})
        add_run(f"{seed}", [entry("student", 300, train_seed=seed, teacher_id=f"{seed}", distilled=made)])
    (score,) = report([RUNS]).sections[0].scores
    assert (score.variant, [one.train_seed for one in score.seeds]) == ("", [1, 2])


def test_a_student_that_recovers_nothing_of_z_is_told_and_one_that_was_fitted_to_values_is_not() -> None:
    def nothing(explained: float, **changes: Any) -> Distilled:
        made = distilled(**changes)
        return made.model_copy(update={"quality": made.quality | {"student_explained": explained}})

    entries = [
        entry("sampled", 300),
        entry("student", 20, distilled=nothing(0.012)),
        entry("student", 280, distilled=nothing(0.06), name="Z", checkpoint="z.pt"),
        entry("student", 280, distilled=nothing(-0.7, loss="values"), name="V", checkpoint="v.pt"),
    ]
    says = "QMIX_ASGKD{} recovers next to nothing of z (explained: 1.2 % of its variance on held-out episodes)"
    (table,) = evaluation_tables(entries)
    assert [note.startswith(says.format("")) for note in table.notes if "next to nothing" in note] == [True]
    add_run("a", entries)
    notes = report_tables(report([RUNS]))[0].notes
    assert [note.startswith(says.format(" on 3m")) for note in notes if "next to nothing" in note] == [True]


def gathered(mean: float, spread: float = 1.0, episodes: int = 40) -> Played:
    """Returns around a mean, half of them above it; nothing is won."""
    total = [mean + (spread if k % 2 else -spread) for k in range(episodes)]
    seeds = [int(one) for one in episode_seeds(0, "evaluate", 0, episodes)]
    return Played(seed=seeds, won=[False] * episodes, total_reward=total, length=[5] * episodes)


def without_wins(seed: int, teacher: float, student: float) -> list[EvaluationEntry]:
    facts: dict[str, Any] = {
        "backend": "pettingzoo",
        "backend_version": "gathering_v0",
        "map": "g",
        "can_be_won": False,
    }
    facts |= {"train_seed": seed, "teacher_id": f"g {seed}"}
    return [
        entry("sampled", 0, episodes=gathered(teacher), **facts),
        entry("student", 0, episodes=gathered(student), **facts),
    ]


def test_where_nothing_can_be_won_everything_is_about_returns() -> None:
    for seed, (teacher, student) in enumerate([(10.0, 8.0), (12.0, 10.0)], start=1):
        add_run(f"g{seed}", without_wins(seed, teacher, student))
    found = report([RUNS])
    (section,) = found.sections
    assert (section.measure, section.aggregates) == ("return", ())
    teacher_score, student_score = section.scores
    assert teacher_score.tally is None
    assert teacher_score.value == pytest.approx(11)
    assert teacher_score.over_seeds == pytest.approx((11, 2**0.5))
    kept = student_score.retention
    assert kept is not None
    assert (kept.student, kept.teacher_return, kept.student_return) == (None, 11, 9)
    assert kept.ratio == pytest.approx(9 / 11)
    assert kept.interval is not None
    assert kept.interval.low < 9 / 11 < kept.interval.high
    for name in ("markdown", "latex", "html"):
        for layout in ("full", "per-run"):
            text = render(found, name, layout)
            words = text.replace("cannot be won", "")
            assert not re.search(r"\b[Ww]in rate|\b[Ww]on\b|\bwins\b|PRR|0/|0\.000", words), text
    text = render(found, "markdown")
    assert "## Returns on pettingzoo, version gathering_v0" in text
    assert re.search(r"\| Return retention +\| QMIX_ASGKD / QMIX_SGI .*\| +81\.8 % \[", text)
    assert "that a training seed of X has a higher mean return than one of Y" in text
    Draft202012Validator(json.loads(JSON_SCHEMA.read_text())).validate(json.loads(render(found, "json")))
    row = list(csv.DictReader(render(found, "csv").splitlines()))[1]
    assert (row["measure"], row["wins"], row["win_rate"], row["prr"]) == ("return", "", "", "")
    assert (row["return"], row["return_retention"]) == ("9", "0.818182")
    assert "win_rate" not in render(found, "marl-eval")


def test_a_return_that_is_not_above_0_has_no_retention_and_the_table_says_so() -> None:
    (table,) = evaluation_tables(without_wins(1, -2.0, -3.0))
    assert table.columns == ("Policy", "z", "Return", "Length")
    assert [row[2][:5] for row in table.rows] == ["-2.00", "-3.00"]
    says = "No Return retention for QMIX_ASGKD: its teacher's mean return is -2.00, not above 0."
    assert says in table.notes
    (table,) = evaluation_tables(without_wins(1, 0.1, 0.05))
    assert table.rows[1][-1] == "50.0 %"
    assert (
        "No interval of the return retention of QMIX_ASGKD: its teacher's mean return is 0.10, too near 0."
        in table.notes
    )
    value = json.loads(evaluation_json(without_wins(1, 10.0, 5.0)))["policies"][1]
    assert (value["wins"], value["win_rate"], value["prr"]) == (None, None, None)
    assert value["return_retention"] == 0.5


def test_a_student_that_won_nothing_is_told_beside_its_interval() -> None:
    (table,) = evaluation_tables([entry("sampled", 3), entry("student", 0)])
    assert "0.0 % [0.0, " in table.rows[1][-1]
    says = (
        "QMIX_ASGKD won none of 320 episodes, its teacher 3: the interval of its PRR says what so few wins leave open"
    )
    assert any(note.startswith(says) for note in table.notes)
    assert not any(
        "won none" in note for note in evaluation_tables([entry("sampled", 3), entry("student", 1)])[0].notes
    )


def test_the_parameters_of_every_network_are_shown() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))
    add_run("plain", [entry("none", 100)])
    (table,) = (one for one in report_tables(report([RUNS])) if one.title.startswith("Parameters"))
    assert table.columns == (
        "Map",
        "Algorithm",
        "trunk",
        "information",
        "student",
        "head",
        "all that act",
        "training only",
    )
    assert table.rows == (
        ("3m", "QMIX_SGI", "30,000", "200,000", "—", "5,000", "235,000", "20,000"),
        ("", "QMIX_ASGKD", "30,000", "—", "8,000", "5,000", "43,000", "—"),
        ("", "QMIX", "30,000", "—", "—", "5,000", "35,000", "20,000"),
    )


def test_an_evaluation_of_an_older_schema_is_not_counted_and_told_how_to_mend() -> None:
    run = add_run("old", [entry("sampled", 300)])
    run.evaluation.write_text(run.evaluation.read_text().replace('"schema_number": 3', '"schema_number": 1'))
    [left_out] = report([RUNS]).left_out
    assert "has schema 1, this ptde reads 3; evaluate anew: `ptde evaluate" in left_out.why


def test_a_half_written_run_is_listed_and_not_counted() -> None:
    run = add_run("whole", [entry("sampled", 300)])
    half = add_run("half", [entry("sampled", 10, train_seed=2)])
    half.status.rename(half.provenance)
    cut = add_run("cut", [entry("sampled", 10, train_seed=3)])
    cut.evaluation.write_text(cut.evaluation.read_text()[:500])
    found = report([RUNS])
    assert [one.run for one in only_score(found, name="QMIX_SGI").seeds] == [str(run.path)]
    assert [(one.run, one.state) for one in found.left_out] == [
        (str(cut.path), "unreadable"),
        (str(half.path), "half-written"),
    ]


def test_a_repeat_of_a_run_is_no_further_seed() -> None:
    old = add_run("z-older", [entry("sampled", 100)])
    write_json(old.status, {"state": "finished", "reason": "", "pid": 1, "time": "2026-01-01T00:00:00+0000"})
    add_run("newer", [entry("sampled", 300)])
    found = report([RUNS])
    assert only_score(found, name="QMIX_SGI").tally == Tally(300, 320)
    assert [(one.run, one.why) for one in found.left_out] == [
        ("runs/z-older", "repeats seed 1 of runs/newer, which is newer")
    ]


def test_what_is_not_finished_or_not_readable_is_listed_and_never_counted() -> None:
    one_run()
    cut = add_run("cut", pipeline("3m", 2, 312, 316, 300))
    cut.evaluation.write_text(cut.evaluation.read_text()[:1000])
    write_status(add_run("failed", pipeline("3m", 3, 312, 316, 300)), "failed", "out of memory")
    write_status(add_run("running", pipeline("3m", 4, 312, 316, 300)), "running")
    write_json(add_run("foreign", pipeline("3m", 5, 312, 316, 300)).status, {"hello": 1})
    add_run("empty", [entry("sampled", 0, episodes=played(0, 0), train_seed=6)])
    found = report([RUNS])
    assert [(one.run, one.state) for one in found.left_out] == [
        ("runs/cut", "unreadable"),
        ("runs/empty", "finished"),
        ("runs/failed", "failed"),
        ("runs/foreign", "unreadable"),
        ("runs/running", "running"),
    ]
    assert [len(score.seeds) for score in found.sections[0].scores] == [1, 1, 1]


def test_only_what_is_below_the_given_folders() -> None:
    many_runs()
    found = report([RUNS / "3s_vs_5z-2"])
    assert {score.map for score in found.sections[0].scores} == {"3s_vs_5z"}
    assert all(len(score.seeds) == 1 for score in found.sections[0].scores)


def test_intervals_depend_on_the_seed_alone() -> None:
    one_run()
    alone = only_score(report([RUNS]), map="3m", name="QMIX_ASGKD").retention
    many_runs()
    among_others = only_score(report([RUNS]), map="3m", name="QMIX_ASGKD").retention
    assert alone == among_others
    assert alone != only_score(report([RUNS], seed=1), map="3m", name="QMIX_ASGKD").retention


def test_no_folder_and_no_runs() -> None:
    with pytest.raises(PtdeError, match="no folder at nowhere"):
        report([Path("nowhere")])
    with pytest.raises(PtdeError, match="no runs below runs; give their folder, or make one, for example `ptde run"):
        report([RUNS])


def test_nothing_but_left_out_runs() -> None:
    add_run("fresh", [])
    found = report([RUNS])
    assert [table.title for table in report_tables(found)] == ["Not counted"]
    assert all(render(found, name) for name in FORMATS)


@pytest.mark.parametrize(
    ("report_format", "ending"),
    [
        ("markdown", "md"),
        ("csv", "csv"),
        ("json", "json"),
        ("latex", "tex"),
        ("html", "html"),
    ],
)
def test_every_format_against_its_golden_file(report_format: str, ending: str) -> None:
    many_runs()
    check_golden(f"report.{ending}", render(report([RUNS]), report_format))


def test_marl_eval_against_its_golden_file() -> None:
    add_run("a", [entry(z, 5, episodes=played(5, 8)) for z in ("sampled", "mean", "student")])
    check_golden("report_marl_eval.json", render(report([RUNS]), "marl-eval"))


@pytest.mark.parametrize(
    ("layout", "title"),
    [
        ("paper-table2", "The paper's Table 2 on skirmish (not SMAC), version 1"),
        ("paper-table3", "The paper's Table 3 on football, version 1"),
        ("per-run", "Every run: football, version 1"),
    ],
)
def test_every_layout_against_its_golden_file(layout: str, title: str) -> None:
    many_runs()
    text = render(report([RUNS]), "markdown", layout)
    assert text.startswith(f"## {title}")
    check_golden(f"report_{layout}.md", text)


def test_a_layout_that_does_not_fit_is_refused() -> None:
    one_run()
    found = report([RUNS])
    with pytest.raises(PtdeError, match="no counted run belongs in paper-table3: they are of skirmish"):
        render(found, "markdown", "paper-table3")
    with pytest.raises(PtdeError, match="csv holds all there is, it has no layout per-run"):
        render(found, "csv", "per-run")
    with pytest.raises(PtdeError, match="no layout named 'paper-table4'"):
        report_tables(found, "paper-table4")


def test_one_run_against_its_golden_file() -> None:
    one_run()
    check_golden("report_one_run.md", render(report([RUNS]), "markdown"))


def test_an_evaluation_against_its_golden_file() -> None:
    tables = evaluation_tables([*pipeline("3m", 1, 312, 316, 300), entry("none", 0, map="8m")])
    check_golden("evaluation.md", "\n".join(markdown(table) for table in tables))


def test_an_evaluation_as_json_says_what_its_table_says() -> None:
    value = json.loads(evaluation_json(pipeline("3m", 1, 312, 316, 300)))
    sampled, _, student = value["policies"]
    assert (sampled["wins"], sampled["played"], sampled["win_rate"], sampled["prr"]) == (312, 320, 0.975, None)
    assert student["prr"] == pytest.approx(300 / 312)
    table = (GOLDEN / "evaluation.md").read_text(encoding="utf-8")
    assert f"[{100 * student['prr_interval']['low']:.1f}, {100 * student['prr_interval']['high']:.1f}]" in table


def test_all_formats_have_a_golden_file() -> None:
    assert set(FORMATS) == {"markdown", "csv", "json", "latex", "html", "marl-eval"}


def test_json_is_strict_and_csv_has_one_line_per_score() -> None:
    many_runs()
    found = report([RUNS])
    scores = [score for section in found.sections for score in section.scores]
    value = json.loads(render(found, "json"))
    assert sum(len(section["scores"]) for section in value["sections"]) == len(scores)
    assert len(render(found, "csv").splitlines()) == 1 + len(scores)


def test_an_unknown_format() -> None:
    one_run()
    with pytest.raises(PtdeError, match="no report format named 'pdf'; choose from markdown, latex, html, csv"):
        render(report([RUNS]), "pdf")


def test_markdown_is_read_as_tables_by_a_markdown_parser() -> None:
    many_runs()
    found = report([RUNS])
    tokens = MarkdownIt().enable("table").parse(render(found, "markdown"))
    tables = report_tables(found)
    assert sum(token.type == "table_open" for token in tokens) == len(tables)
    assert sum(token.type == "td_open" for token in tokens) == sum(len(t.rows) * len(t.columns) for t in tables)


def test_json_holds_to_the_schema_in_the_package() -> None:
    many_runs()
    schema = json.loads(JSON_SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    value = json.loads(render(report([RUNS]), "json"))
    Draft202012Validator(schema).validate(value)
    value["sections"][0]["scores"][0]["tally"]["wins"] = -1
    assert not Draft202012Validator(schema).is_valid(value)


def test_html_is_one_file_without_an_address() -> None:
    many_runs()
    add_run("odd", [entry("none", 3, map="<script>", backend="smac")])
    found = report([RUNS])
    text = render(found, "html")
    assert text.count("<table>") == text.count("</table>") == len(report_tables(found))
    assert not re.search(r"https?:|src=|<script|@import|url\(", text)
    assert "&lt;script&gt;" in text


def test_latex_is_read_by_a_latex_parser_and_every_row_is_as_long_as_its_table() -> None:
    many_runs()
    found = report([RUNS])
    text = render(found, "latex")
    nodes, _, read = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert read == len(text)
    floats = [node for node in nodes if node.isNodeType(LatexEnvironmentNode) and node.environmentname == "table"]
    assert len(floats) == len(report_tables(found))
    for one, table in zip(floats, report_tables(found), strict=True):
        (tabular,) = (n for n in one.nodelist if n.isNodeType(LatexEnvironmentNode) and n.environmentname == "tabular")
        lines = [line for line in tabular.latex_verbatim().splitlines() if line.endswith(r"\\")]
        assert [line.replace(r"\&", "").count("&") for line in lines] == [len(table.columns) - 1] * (
            1 + len(table.rows)
        )


def test_marl_eval_reads_environment_task_algorithm_run_step() -> None:
    many_runs()
    value = json.loads(render(report([RUNS]), "marl-eval"))
    run = value["skirmish 1"]["3s_vs_5z"]["QMIX_SGI"]["seed_2"]
    assert list(run) == ["step_0", "absolute_metrics"]
    assert run["step_0"]["step_count"] == 2_000_100
    assert sum(run["absolute_metrics"]["win_rate"]) == 300
    assert len(run["absolute_metrics"]["return"]) == 320
    names = [name for tasks in value.values() for algorithms in tasks.values() for name in algorithms]
    assert not any("," in name for name in names)  # marl-eval refuses them


def test_inside_the_papers_range_or_outside() -> None:
    many_runs()
    found = report([RUNS])
    # The paper's QMIX_SGI on 3s_vs_5z is 0.992 ± 0.006, ours 0.938; its QMIX 0.128 ± 0.165, ours 0.142.
    assert only_score(found, map="3s_vs_5z", name="QMIX_SGI", z="sampled").beside_paper == "outside"
    assert only_score(found, map="3s_vs_5z", name="QMIX").beside_paper == "inside"
    assert only_score(found, map="3m", name="QMIX_ASGKD").beside_paper is None


def test_over_maps_and_which_is_better() -> None:
    for map_name, worse in (("3m", (100, 120)), ("8m", (200, 220))):
        for seed, wins in enumerate(worse, start=1):
            add_run(f"{map_name}{seed}", [entry("none", wins, map=map_name, train_seed=seed)])
            sgi = entry("sampled", wins + 60, map=map_name, train_seed=seed)
            add_run(f"{map_name}{seed}-sgi", [sgi])
    (section,) = report([RUNS]).sections
    plain = next(one for one in section.aggregates if one.name == "QMIX")
    assert (plain.maps, plain.runs, plain.tally) == (("3m", "8m"), 4, Tally(640, 1280))
    assert plain.mean == pytest.approx((110 + 210) / 2 / 320)
    assert plain.iqm == pytest.approx((120 + 200) / 2 / 320)  # the middle two of four
    assert plain.iqm_interval is not None
    (better,) = section.improvements
    assert (better.better, better.than, better.maps) == ("QMIX_SGI", "QMIX", ("3m", "8m"))
    assert (better.probability, better.interval) == (1.0, (1.0, 1.0))
    assert report([RUNS]) == report([RUNS])


def test_what_a_policy_cost_is_shown() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))
    add_run("3m-2", pipeline("3m", 2, 312, 316, 300))
    write_status(RunFolder(RUNS / "3m-2"), "finished", seconds=100.0, engine_restarts=3)
    table = next(one for one in report_tables(report([RUNS])) if one.title.startswith("What they cost"))
    row = dict(zip(table.columns, table.rows[-1], strict=True))
    assert (row["Algorithm"], row["Training"], row["Engine restarts"]) == ("QMIX_ASGKD", "3.3 min", "3")
    assert row["Env steps/s"] == f"{2 * 150_020 / 400:,.0f}"
    assert (row["Error of z'"], row["Explained"], row["ms per step"]) == ("0.02", "0.900", "1.50")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here; a parser reads the tables above")
def test_latex_compiles(tmp_path: Path) -> None:
    many_runs()
    body = render(report([RUNS]), "latex")
    page = "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "report.tex").write_text(f"{page}{body}\\end{{document}}\n", encoding="utf-8")
    words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "report.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_latex_escapes_and_balances() -> None:
    many_runs()
    text = render(report([RUNS]), "latex")
    body = text.partition("\n")[2]
    assert body.count(r"\begin{") == body.count(r"\end{")
    assert body.count("{") == body.count("}")
    assert r"QMIX\_SGI" in body
    assert text.isascii()
    for line in body.splitlines():
        assert "%" not in line.replace(r"\%", "")
        assert "_" not in line.replace(r"\_", "")


def test_a_table_refuses_rows_of_another_width() -> None:
    with pytest.raises(ValueError, match="not all 2 cells long"):
        Table("t", ("a", "b"), ((("1", "2"), ("3",)),), text_columns=1)
