"""`ptde doctor`: what it says of this machine and of machines that lack things or have the wrong ones."""

import sys
from pathlib import Path

import pytest

from ptde_core.stages.doctor import Finding, doctor_table, examine, healthy
from tests.cli.conftest import Type


def finding(what: str, folder: Path, **environment: str) -> Finding:
    return next(one for one in examine(folder, environment) if one.what == what)


def test_this_machine_is_in_order(ptde: Type) -> None:
    ended = ptde("doctor")
    assert ended.code == 0, ended.out
    assert "all that ptde needs is there" in ended.out
    for word in ("Python", "torch", "GPU", "football", "smac", "StarCraft II", "PettingZoo"):
        assert word in ended.out


def test_a_wrong_limit_is_in_the_way(ptde: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTDE_ENGINE_SECONDS", "soon")
    ended = ptde("doctor")
    assert ended.code == 1
    assert "unset PTDE_ENGINE_SECONDS" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(("inside", "verdict"), [("facade", "wrong"), ("env", "absent")])
def test_the_smac_of_pypi_is_known_for_what_it_is(
    inside: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "smac" / inside).mkdir(parents=True)
    (tmp_path / "smac" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "smac", raising=False)
    found = finding("smac", tmp_path)
    assert found.verdict == verdict
    assert ("pip uninstall --yes smac" in found.mend) == (verdict == "wrong")
    assert ("git+https://github.com/oxwhirl/smac.git" in found.mend) == (verdict == "wrong")


def test_the_game_and_its_maps(tmp_path: Path) -> None:
    assert "no game at" in finding("StarCraft II", tmp_path, SC2PATH=str(tmp_path)).found
    (tmp_path / "Versions" / "Base75689").mkdir(parents=True)
    assert "no SMAC maps" in finding("StarCraft II", tmp_path, SC2PATH=str(tmp_path)).found
    (tmp_path / "Maps" / "SMAC_Maps").mkdir(parents=True)
    (tmp_path / "Maps" / "SMAC_Maps" / "3m.SC2Map").touch()
    whole = finding("StarCraft II", tmp_path, SC2PATH=str(tmp_path))
    assert whole.verdict == "ok"
    assert "Base75689" in whole.found


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    found = finding("runs", tmp_path / "nowhere")
    assert found.verdict == "wrong"
    assert "nowhere" in found.found
    assert not healthy([found])


def test_every_lack_that_can_be_mended_says_how(tmp_path: Path) -> None:
    findings = examine(tmp_path, {"SC2PATH": str(tmp_path)})
    assert all(one.mend for one in findings if one.verdict != "ok" and one.what != "GPU")
    assert len(doctor_table(findings).groups[0]) == len(findings)
