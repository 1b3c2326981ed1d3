"""Every section of `python -m benchmarks`, and every peer that is installed, yields figures above zero."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from benchmarks import beside, gpu, peers
from benchmarks.__main__ import SECTIONS, main
from benchmarks.figures import Figure
from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import cores


@pytest.mark.slow
@pytest.mark.parametrize("section", [name for name in SECTIONS if name != peers.SECTION])
def test_each_section_measures(section: str) -> None:
    check(SECTIONS[section](True))


@pytest.mark.slow
@pytest.mark.parametrize("name", peers.PEERS)
def test_each_peer_measures(name: str) -> None:
    if not peers.installed(name):
        pytest.skip(f"no {name} in {peers.FOLDER}: {peers.PEERS[name].install}")
    check(peers.PEERS[name].measure(True))


def check(measured: Iterable[Figure]) -> None:
    figures = list(measured)
    assert figures
    assert all(figure.value > 0 or figure.unit == peers.WIN_RATE for figure in figures)
    assert len({figure.key for figure in figures}) == len(figures), "--compare tells figures apart by their key"


def test_a_training_on_a_gpu_finds_the_memory_that_the_updates_left(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def train(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        done.append("trained")
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setattr(subprocess, "run", train)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("given back"))
    assert not list(gpu._training("QMIX", "none", 1, torch.device("cuda"), 100))
    assert done == ["given back", "trained"]


def test_peers_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", "peers"])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert "pip install jaxmarl==0.2.0" in said.out
    assert "pip install -e '.[pettingzoo]' benchmarl==1.5.2" in said.out
    assert f"no peers in {tmp_path}; the lines above install them" in said.err


def test_a_peer_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\necho Traceback >&2\necho 'ImportError: no benchmarl' >&2\nexit 1\n")
    python.chmod(0o755)
    (tmp_path / "lib" / "python3.11" / "site-packages" / "benchmarl").mkdir(parents=True)
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    assert [line.split()[0] for line in peers.left_out()] == ["jaxmarl", "pymarl2"]
    with pytest.raises(PtdeError, match=r"benchmarl_qmix\.py failed: ImportError: no benchmarl"):
        list(peers.measure(True))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or cores() < 2, reason="it takes Linux and two cores")
def test_a_source_beside_itself() -> None:
    players = beside.Player(beside.HERE), beside.Player(beside.HERE)
    found, best = beside.ratios(players, "3m", pairs=1, seconds=0.01)
    for player in players:
        player.end()
    assert len(found) == 1
    assert found[0] > 0
    assert best > 0
