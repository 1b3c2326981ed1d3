"""The front door from Python: the pipeline's verbs, and a trained policy in a loop of one's own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ptde_core as ptde
from ptde_core import api
from ptde_core.base.seeding import episode_seeds
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.policy import Exploration
from ptde_core.rollout.play import play
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

SMALL = {"env": "game", "steps": 300, "batch_episodes": 8, "test_episodes": 0, "epsilon_steps": 200}


def test_the_verbs_of_the_pipeline(tmp_path: Path) -> None:
    run = ptde.train_teacher("personal-signal", out=tmp_path / "run", **SMALL)
    assert run.teacher.is_file()
    data = ptde.collect(run, episodes=8)
    assert data == run.episodes
    student = ptde.distill(run, "recurrent", steps=20, dagger_rounds=0)
    assert student == run.path / "students" / "recurrent.pt"
    entries = ptde.evaluate(run, episodes=16)
    assert [(entry.policy, entry.z, len(entry.episodes.won)) for entry in entries] == [
        ("teacher", "sampled", 16),
        ("teacher", "mean", 16),
        ("student", "student", 16),
    ]
    assert "QMIX_ASGKD" in ptde.render(ptde.report(run))
    with pytest.raises(ptde.PtdeError, match="already holds a run"):
        ptde.train_teacher("personal-signal", out=run.path, **SMALL)
    assert ptde.train_teacher("personal-signal", out=run.path, resume=True, **SMALL) == run


@pytest.mark.parametrize(
    ("alg", "z"), [("qmix", "sampled"), ("qmix", "mean"), ("mappo", "sampled"), ("copa", "sampled"), ("csrl", "mean")]
)
def test_a_loaded_policy_plays_the_episodes_that_an_evaluation_plays(alg: str, z: str, tmp_path: Path) -> None:
    """Row by row and bit by bit, though its rows begin their episodes at different times."""
    small = {key: value for key, value in SMALL.items() if key not in ("batch_episodes", "epsilon_steps")}
    run = ptde.train_teacher("personal-signal", alg, out=tmp_path / "run", **small)
    seeds = episode_seeds(0, "evaluate", 0, 6)
    policy = ptde.load_policy(run, z)
    env = ptde.make_env("personal-signal", 2, env="game")
    expected = list(play(env, policy._policy, seeds, Exploration(z=z)))
    policy.reset(2)
    waiting = [int(seed) for seed in seeds]
    at, actions_of = {}, {int(seed): [] for seed in seeds}
    while waiting or at:
        for row in range(2):
            if row not in at and waiting and (row == 0 or len(waiting) < 6):  # the second row begins later
                at[row] = waiting.pop(0)
                env.reset(np.array([at[row]], np.uint64), np.array([row]))
                policy.begin(row, at[row])
        if 1 not in at and len(waiting) == 5:
            env.reset(np.array([0], np.uint64), np.array([1]))  # something to look at
        actions = policy.act(env.obs, env.available, env.state if policy.reads_state else None)
        env.step(actions)
        for row in list(at):
            actions_of[at[row]].append(actions[row].tolist())
            if env.terminated[row] or env.truncated[row]:
                del at[row]
    for episode in expected:
        assert actions_of[episode.seed] == episode.actions.tolist()


def test_run_goes_on_and_its_result_is_shown_as_the_command_shows_it(tmp_path: Path) -> None:
    later = {"collect": {"episodes": 8}, "distill": {"steps": 20}, "evaluate": {"episodes": 8}}
    entries = ptde.run("personal-signal", recipes=["paper"], out=tmp_path / "run", **SMALL, **later)
    assert [entry.policy for entry in entries] == ["teacher", "teacher", "student"]
    assert [len(entry.episodes.won) for entry in entries] == [8, 8, 8]
    assert ptde.run("personal-signal", recipes=["paper"], out=tmp_path / "run", **SMALL, **later) == entries
    assert ptde.tables(entries)[0].rows[-1][0] == "QMIX_ASGKD"
    assert "Explained" in ptde.tables(entries, "recipes")[0].columns
    assert ptde.render(entries).startswith("## personal-signal")
    assert ptde.render(entries, "html").startswith("<!DOCTYPE html>")
    assert len(json.loads(ptde.render(entries, "json"))["policies"]) == 3
    with pytest.raises(ptde.PtdeError, match="no layout named 'per-run'"):
        ptde.tables(entries, "per-run")
    with pytest.raises(ptde.PtdeError, match="no format named 'csv'"):
        ptde.render(entries, "csv")
    with pytest.raises(ptde.PtdeError, match="collect = 3 names a stage"):
        ptde.run("personal-signal", collect=3, **SMALL)


def test_several_seeds_and_recipes(tmp_path: Path) -> None:
    runs = ptde.train_teachers([3, 5], "personal-signal", out=tmp_path, **SMALL)
    assert [run.path for run in runs] == [tmp_path / "seed3", tmp_path / "seed5"]
    assert all(run.teacher.is_file() for run in runs)
    students = ptde.distill(runs[0], ["paper", "recurrent"], steps=20, dagger_rounds=0)
    assert students == [runs[0].student, runs[0].students / "recurrent.pt"]
    first = ptde.evaluate(runs[0].teacher, episodes=4, only_missing=True)
    both = ptde.evaluate(runs[0].teacher, students[0], episodes=4, only_missing=True)
    assert [entry.policy for entry in both] == ["teacher", "teacher", "student"]
    assert both[:2] == first
    found = ptde.compare(*runs)
    assert ptde.tables(found)[0].title == "Settings that differ"
    assert json.loads(ptde.render(found, "json"))["runs"] == [str(run.path) for run in runs]
    for wrong, told in (
        ({"seeds": [1, 1]}, "name a seed twice"),
        ({"seeds": []}, "name no seed"),
        ({"seeds": [1], "seed": 2}, "seed = 2 and several seeds are both given"),
        ({"seeds": [-1]}, "seed = -1"),
    ):
        with pytest.raises(ptde.PtdeError, match=told):
            ptde.train_teachers(map="personal-signal", out=tmp_path / "none", **SMALL, **wrong)
    with pytest.raises(ptde.PtdeError, match="wandb logs one run"):
        ptde.run("personal-signal", seeds=[1, 2], wandb=True, out=tmp_path / "none", **SMALL)
    with pytest.raises(ptde.PtdeError, match="--out names one student, and there are 2 recipes"):
        ptde.distill(runs[0], ["paper", "recurrent"], out=tmp_path / "one.pt")
    assert not (tmp_path / "none").exists()


def test_resuming_takes_what_the_run_was_begun_with(tmp_path: Path) -> None:
    run = ptde.train_teacher("personal-signal", out=tmp_path / "run", **SMALL, learning_rate=2e-3)
    ptde.train_teacher(out=run.path, resume=True, steps=400)
    held = json.loads(run.config.read_text())
    assert (held["learning_rate"], held["steps"], held["map"]) == (2e-3, 400, "personal-signal")


def test_pictures_and_information(trained_run: RunFolder, tmp_path: Path) -> None:
    pictures = ptde.visualize(trained_run, formats=["html"], out=tmp_path / "drawn")
    assert pictures == [tmp_path / "drawn" / "play.html"]
    found = ptde.inspect(trained_run, episodes=2, directions=2, out=tmp_path / "information")
    assert (tmp_path / "information" / "information.svg").is_file()
    assert ptde.tables(found)[0].title.startswith("What the z of QMIX_SGI")
    assert ptde.render(found, "latex").startswith("\\begin{table}")
    with pytest.raises(ptde.PtdeError, match="cannot use"):
        ptde.inspect(trained_run, episodes=2, out="/dev/null/there")
    drawn = ptde.curves(trained_run, out=[tmp_path / "a.png", tmp_path / "b.svg"], unfinished=True)
    assert list(drawn.maps) == ["personal-signal"]
    assert (tmp_path / "a.png").is_file()
    assert (tmp_path / "b.svg").is_file()


def test_a_student_acts_without_the_state(trained_run: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(trained_run.path, run.path)  # which tests leave as it is
    student = ptde.load_policy(ptde.distill(run, steps=20))
    assert not student.reads_state
    env = ptde.make_env("personal-signal", 3, env="game")
    env.reset(np.arange(3, dtype=np.uint64))
    student.reset(3)
    first = student.act(env.obs, env.available)
    assert first.shape == (3, env.spec.n_agents)
    student.reset(3)
    assert np.array_equal(student.act(env.obs, env.available), first), "reset forgets all"


def test_wrong_inputs_are_told(trained_run: RunFolder) -> None:
    policy, env = ptde.load_policy(trained_run), ptde.make_env("personal-signal", 2, env="game")
    with pytest.raises(ptde.PtdeError, match=r"has not been reset; call reset\(n\)"):
        policy.act(env.obs, env.available, env.state)
    policy.reset(2)
    with pytest.raises(ptde.PtdeError, match="state is missing"):
        policy.act(env.obs, env.available)
    with pytest.raises(ptde.PtdeError, match=r"obs has the shape \(1, 2, \d+\)"):
        policy.act(env.obs[:1], env.available, env.state)
    for available in (np.zeros_like(env.available), env.available[:1]):
        with pytest.raises(ptde.PtdeError, match=r"agent 0 of row 0 has no available action|available has the shape"):
            policy.act(env.obs, available, env.state)
    for n in (0, 1.5, "a", True):
        with pytest.raises(ptde.PtdeError, match=f"n = {n!r} is not a whole number from 1"):
            policy.reset(n)
    for row in (2, -1, "a"):
        with pytest.raises(ptde.PtdeError, match=f"row = {row!r} is not a whole number from 0 to 1"):
            policy.begin(row)
    with pytest.raises(ptde.PtdeError, match="seed = -1 is not a whole number"):
        policy.reset(2, seed=-1)


def test_lists_strings_paths_and_numpy_numbers_are_taken_too(trained_run: RunFolder, tmp_path: Path) -> None:
    assert ptde.RunFolder(str(trained_run.path)) == trained_run
    policy, env = ptde.load_policy(trained_run, "mean"), ptde.make_env("personal-signal", np.int64(2), env="game")
    env.reset(np.arange(2, dtype=np.uint64))
    policy.reset(np.int64(2))
    actions = policy.act(env.obs, env.available, env.state)
    policy.reset(2)
    assert np.array_equal(policy.act(env.obs.tolist(), env.available.tolist(), env.state.tolist()), actions)
    runs = ptde.train_teachers(np.arange(1, 3), "personal-signal", out=str(tmp_path), **SMALL)
    assert [run.path.name for run in runs] == ["seed1", "seed2"]
    again = ptde.train_teacher("personal-signal", seed=1, out=runs[0], resume=True, **SMALL)
    assert again == runs[0]
    with pytest.raises(ptde.PtdeError, match=r"nowhere\.toml"):
        ptde.make_env(tmp_path / "nowhere.toml")
    with pytest.raises(ptde.PtdeError, match=r"nowhere\.toml"):
        ptde.train_teacher(tmp_path / "nowhere.toml", out=tmp_path / "none")


OF_PLACES = (ptde.collect, ptde.distill, ptde.evaluate, ptde.export, ptde.report, ptde.visualize, ptde.inspect)
OF_PLACES += (ptde.curves, ptde.load_policy)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda run: ptde.export(run, "tflite"), "no export format named 'tflite'"),
        (lambda run: ptde.export(run, "npz", z="median"), "no kind of z named 'median'"),
        (lambda run: ptde.load_policy(run, "median"), "no kind of z named 'median'; did you mean 'mean'?"),
        (lambda run: ptde.visualize(run, formats=["bmp"]), "no format named 'bmp'"),
        (lambda run: ptde.visualize(run, episode=-1), "episode = -1 is not a whole number from 0"),
        (lambda run: ptde.report(run, seed=-1), "seed = -1 is not a whole number from 0 to 4294967295"),
        (lambda run: ptde.report(run, episodes=0), "episodes = 0 is not a whole number from 1"),
        (lambda run: ptde.compare(run, run, seed=1.5), "seed = 1.5 is not a whole number"),
        (lambda run: ptde.distill(run, ["paper", "paper"]), "paper, paper: a recipe is there twice"),
        (lambda run: ptde.distill(run, []), r"recipe = \[\] names no recipe"),
        (lambda run: ptde.curves(run, out="curves.bmp"), "names no kind of picture"),
        (lambda run: ptde.render(ptde.report(run), "pdf"), "no report format named 'pdf'"),
        (lambda run: ptde.render(ptde.report(run), layout=None), "no layout named None"),
        (lambda run: ptde.export(run, None), "no export format named None"),
        (lambda run: ptde.distill(run, None), r"recipe = \[None\] names no recipe"),
        (lambda run: ptde.distill(run, data="none.h5"), "no file of episodes at none.h5"),
        (lambda run: ptde.distill(run, data=run.path), "is a folder, where a file of episodes should be"),
        (lambda run: ptde.collect(run, out=3), "3 is no path"),
        *((lambda run, verb=verb: verb(None), "None is no path") for verb in OF_PLACES),
        *((lambda run, verb=verb: verb([run]), r"\[RunFolder\(.* is no path") for verb in OF_PLACES),
        (lambda _: ptde.compare("runs", 3), "3 is no path"),
        (lambda _: ptde.curves("runs", out=[3]), "3 is no path"),
        (lambda _: ptde.train_teacher("3m", out=3), "3 is no path"),
        (lambda _: ptde.evaluate(), "no policy is given"),
        (lambda _: ptde.inspect(), "no teacher is given"),
        (lambda _: ptde.visualize(), "no run, checkpoint or replay is given"),
        (lambda run: ptde.visualize(run, formats="bmp"), "no format named 'bmp'"),
        (lambda _: ptde.run("3m", recipes="gold"), "no recipe named 'gold'"),
        (lambda _: ptde.train_teachers(3, "3m"), "seeds = 3 is no list of seeds"),
        (lambda _: ptde.run("3m", seeds="12"), "seeds = '12' is no list of seeds"),
        (lambda _: ptde.train_teachers(np.array([2, 2]), "3m"), "name a seed twice"),
        (lambda _: ptde.train_teachers([1, "1"], "3m"), r"the seeds \[1, 1\] name a seed twice"),
        (lambda _: ptde.train_teachers([[1]], "3m"), r"seed = \[1\] "),
        (lambda _: ptde.train_teachers([True], "3m"), "seed = True "),
        *((lambda _, seeds=seeds: ptde.run("3m", seeds=seeds), "is no list of seeds") for seeds in ({1: 2}, b"12")),
        (lambda _: ptde.train_teacher("3m", on_update=3), "on_update = 3 is no function"),
        *((lambda _, n=n: ptde.make_env("3m", n), f"n_envs = {n!r} is not a whole") for n in (0, -1, 2.5, "4", True)),
        (lambda _: ptde.make_env(5), "name = 5 is no map"),
        (lambda _: ptde.make_env("3m", env=None), "no environment named None"),
        (lambda _: ptde.make_env("3m", env=["game"]), "no environment named .*game"),
        (lambda run: ptde.tables(ptde.report(run), ["full"]), "no layout named .*full"),
        (lambda run: ptde.render(ptde.report(run), ["json"]), "no report format named .*json"),
        (lambda run: ptde.export(run, ["npz"]), "no export format named .*npz"),
        (lambda _: ptde.run("3m", recipes=5), "recipes = 5 is no name and no list of names"),
        (lambda run: ptde.visualize(run, formats=5), "formats = 5 is no name and no list of names"),
        (lambda run: ptde.visualize(run, moments=5), "moments = 5 is no list of steps"),
        *((lambda run, verb=verb: verb("a\0b"), "is no path; leave out") for verb in OF_PLACES),
        *((lambda run, verb=verb: verb("a" * 5000), "name too long") for verb in OF_PLACES),
        *((lambda _, out=out: ptde.train_teacher("3m", out=out), "is no path") for out in ("", "x\0y")),
        *((lambda _, found=found: ptde.tables(found), "is no result") for found in (None, 5, "x", [3])),
        *((lambda _, found=found: ptde.render(found), "is no result") for found in (None, 5, "x", [3])),
    ],
)
def test_a_mistake_is_told_as_to_the_command_line(
    trained_run: RunFolder, wrong: Callable[[RunFolder], object], told: str
) -> None:
    with pytest.raises(ptde.PtdeError, match=told):
        wrong(trained_run)


def test_importing_loads_no_torch_and_all_names_are_there() -> None:
    program = "import sys, ptde_core; assert 'torch' not in sys.modules; print(*sorted(n for n in dir(ptde_core)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(api.__all__) <= set(done.stdout.split())
    assert all(getattr(ptde, name) for name in api.__all__)
    assert set(ptde.__all__) == {*api.__all__, "__version__"}  # what `help` shows
    assert {name for name in dir(ptde) if not name.startswith("_")} == set(api.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ptde.nothing


def test_reports_and_mistakes_load_no_torch(trained_run: RunFolder) -> None:
    program = (
        "import sys, ptde_core as ptde\n"
        "found = ptde.report(sys.argv[1])\n"
        "ptde.render(found), ptde.tables(found)\n"
        "for wrong in (lambda: ptde.train_teacher(nothing=1), lambda: ptde.distill('t.pt', steps=-1),\n"
        "              lambda: ptde.evaluate('t.pt', episodes=0), lambda: ptde.run(recipes=['x'])):\n"
        "    try: wrong()\n"
        "    except ptde.PtdeError: continue\n"
        "    sys.exit('not refused')\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(trained_run.path)], check=False)
    assert done.returncode == 0


def test_it_is_the_command_lines_training(tmp_path: Path) -> None:
    run = ptde.train_teacher("personal-signal", out=tmp_path / "api", **SMALL)
    other = RunFolder(tmp_path / "stage")
    train_teacher(game_settings(**SMALL, learning_rate=1e-3, test_every=10_000, target_every_episodes=200), other)
    assert run.config.read_text() == other.config.read_text()


VERBS = {
    "train_teacher": ("personal-signal",),
    "train_teachers": ([1, 2], "personal-signal"),
    "run": ("personal-signal",),
    **dict.fromkeys(("collect", "distill", "evaluate", "export", "curves", "visualize", "inspect"), ("run",)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_told_is_refused_before_anything_begins(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ptde.PtdeError, match="listen = None is no function"):
        getattr(ptde, verb)(*VERBS[verb], listen=None)
    assert not [*tmp_path.iterdir()]
