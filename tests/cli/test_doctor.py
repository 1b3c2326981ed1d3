"""`ptde doctor`: what it says of this machine and of machines that lack things or have the wrong ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.machine.doctor import Finding, _digits, doctor_table, examine, healthy
from ptde_core.storage.tensorboard_file import tensorboard
from tests.cli.conftest import Type
from tests.hidden_packages import hide_packages

STANDIN = Path(__file__).parents[1] / "standin"


def finding(env: str, what: str, folder: Path, **environment: str) -> Finding:
    """What is said when only `env` is looked at; "game" needs nothing, so what is said of it is ptde's own."""
    found = examine(folder, env or "game", environment)
    return next(one for one in found[env] if one.what == what)


def test_this_machine_is_in_order(ptde: Type) -> None:
    ended = ptde("doctor", "--env", "skirmish")
    assert ended.code == 0, ended.out
    assert "all that is needed is there" in ended.out
    for word in (
        "python 3",
        "torch",
        "GPU",
        "workers",
        "can be written in",
        "3m: ready after",
        "200 steps in",
    ):
        assert word in ended.out
    assert "StarCraft" not in ended.out


def test_a_wrong_limit_is_in_the_way(ptde: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTDE_ENGINE_SECONDS", "soon")
    ended = ptde("doctor", "--env", "game")
    assert ended.code == 1
    assert "unset PTDE_ENGINE_SECONDS" in ended.out
    assert ended.err == ""


def test_an_environment_that_does_not_exist(ptde: Type) -> None:
    ended = ptde("doctor", "--env", "smack")
    assert ended.code == 2
    assert ended.err == "ptde: no environment named 'smack'; did you mean 'smac'?\n"


def test_what_only_some_need_is_in_nobodys_way_until_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptde_core.machine.doctor.ENVIRONMENTS", dict.fromkeys(("smac", "smacv2")))
    hide_packages(monkeypatch)
    everything = examine(tmp_path, None, {"SC2PATH": str(tmp_path)})
    assert healthy(everything)
    assert [one.verdict for one in everything["smac"]] == ["absent"] * 3
    asked = examine(tmp_path, "smac", {"SC2PATH": str(tmp_path)})
    assert not healthy(asked)
    assert all(one.mend for one in asked["smac"])
    table = doctor_table(asked)
    assert any("git+https://github.com/oxwhirl/smac.git" in note for note in table.notes)


@pytest.mark.parametrize("inside", ["facade", "env"])
def test_the_smac_of_pypi_is_known_for_what_it_is(inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smac" / inside).mkdir(parents=True)
    (tmp_path / "smac" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = finding("smac", "smac", tmp_path)
    assert found.verdict == "wrong"
    assert ("pip uninstall --yes smac" in found.mend) == (inside == "facade")
    assert ("pip install pysc2" in found.mend) == (inside == "env")


def test_a_smac_whose_protobuf_is_too_new_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smac" / "env").mkdir(parents=True)
    (tmp_path / "smac" / "__init__.py").touch()
    (tmp_path / "smac" / "env" / "__init__.py").write_text("raise TypeError('Descriptors cannot be created directly.')")
    for needed in ("pysc2", "s2clientprotocol"):
        (tmp_path / needed).mkdir()
        (tmp_path / needed / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = finding("smac", "smac", tmp_path)
    assert (found.verdict, found.mend) == ("wrong", "python -m pip install 'protobuf<3.21'")
    assert "Descriptors cannot be created directly" in found.found


def test_the_game_its_maps_and_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STANDIN)
    place = {"SC2PATH": str(tmp_path)}
    assert "no StarCraft II in" in finding("smac", "StarCraft II", tmp_path, **place).found
    (tmp_path / "Versions" / "Base75689").mkdir(parents=True)
    (tmp_path / "Maps" / "SMAC_Maps").mkdir(parents=True)
    small = ("3m", "8m", "2s3z", "3s5z", "3s_vs_3z", "3s_vs_4z", "3s_vs_5z", "5m_vs_6m", "6h_vs_8z")
    others = ("1c3s5z", "2m_vs_1z", "2s_vs_1sc", "8m_vs_9m", "10m_vs_11m", "25m", "MMM", "MMM2", "bane_vs_bane")
    for name in (*small, *others, "so_many_baneling"):
        (tmp_path / "Maps" / "SMAC_Maps" / f"{name}.SC2Map").touch()
    assert finding("smac", "StarCraft II", tmp_path, **place).found == f"Base75689 in {tmp_path}"
    assert finding("smac", "its maps", tmp_path, **place).found == "missing: 3s5z_vs_3s6z, 3s5z_vs_3s7z"
    (tmp_path / "Maps" / "SMAC_Maps" / "3s5z_vs_3s6z.SC2Map").touch()
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    trial = finding("smac", "trial", tmp_path, **place)
    assert trial.verdict == "ok", trial
    assert trial.found.startswith("3m: ready after")
    assert "smac" not in sys.modules


def test_what_a_training_imports_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding("", "imports", tmp_path).verdict == "ok"
    tensorboard.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)  # as when its protobuf does not suit
    found = finding("", "imports", tmp_path)
    tensorboard.cache_clear()
    assert found.verdict == "wrong"
    assert found.mend == "python -m pip install 'tensorboard>=2.16,<2.21'"


def test_a_training_without_tensorboard_is_refused_before_it_begins(
    ptde: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensorboard.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    ended = ptde("train-teacher", "--env", "game", "--map", "two-step", "--steps", "50")
    tensorboard.cache_clear()
    assert ended.code == 2
    assert "pip install 'tensorboard>=2.16,<2.21'" in ended.err
    assert ended.err.count("\n") == 1


def test_nothing_of_tensorboard_is_imported_for_what_does_not_train(tmp_path: Path) -> None:
    program = "import sys, ptde_core.pipeline.run, ptde_core.machine.doctor; print('tensorboard' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    found = finding("", "runs", tmp_path / "nowhere")
    assert found.verdict == "wrong"
    assert "nowhere" in found.found


def test_an_environment_that_does_not_start_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise PtdeError("engine 0 of 1 broke 5 times in a row", "see docs/explanation/engines.md")

    monkeypatch.setattr("ptde_core.machine.doctor.build_environment", broken)
    found = finding("game", "trial", tmp_path)
    assert (found.verdict, found.mend) == ("wrong", "see docs/explanation/engines.md")


@pytest.mark.parametrize(("took", "shown"), [(0.0881, "0.088"), (9.4, "9.4"), (187.3, "187"), (1200.0, "1,200")])
def test_times_are_told_without_exponents(took: float, shown: str) -> None:
    assert _digits(took) == shown
