"""The zoo: names become copies here, nothing goes into the package, and a file that is not the kept one is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import ptde_core as ptde
from ptde_core.base.errors import PtdeError
from ptde_core.results.zoo_table import zoo_table
from ptde_core.storage import zoo
from ptde_core.storage.sums import read_sums, update_sums
from ptde_core.storage.zoo import COPIES, in_place, unpacked, zoo_runs
from tests.cli.conftest import Type
from tests.cli.conftest import ptde as typing
from tests.kept_runs import kept_runs

__all__ = ["kept_runs", "typing"]  # fixtures
NAME = "personal-signal/QMIX_SGI/seed1"
INNER = f"game/{NAME}"
FILES = {"config.json", "provenance.json", "status.json", "evaluation.json", "curve.csv.gz", "teacher.pt", "student.pt"}


@pytest.fixture
def held(kept_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo of two runs, and an empty current folder; the zoo is as it was when the test ends."""
    monkeypatch.setattr(zoo, "zoo_folder", lambda: kept_runs)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in kept_runs.rglob("*") if path.is_file()}
    yield kept_runs
    assert {path: path.read_bytes() for path in kept_runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("spelling", [NAME, INNER, f"{NAME}/"])
@pytest.mark.parametrize("inner", ["", "teacher.pt", "student.pt"])
def test_a_name_becomes_a_copy(held: Path, spelling: str, inner: str) -> None:
    name = f"zoo:{spelling.rstrip('/')}/{inner}" if inner else f"zoo:{spelling}"
    assert in_place(name) == held / INNER / inner
    assert unpacked(name) == COPIES / INNER / inner
    assert {path.name for path in (COPIES / INNER).iterdir()} == FILES
    assert (COPIES / INNER / "teacher.pt").read_bytes() == (held / INNER / "teacher.pt").read_bytes()
    assert list(Path().iterdir()) == [COPIES]


def test_other_paths_stay_as_they_are(tmp_path: Path) -> None:
    for path in (tmp_path, Path("runs/zoo:x"), Path("./zoo")):
        assert unpacked(path) == in_place(path) == path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("zoo:personal-signal/QMIX/seed9", "no run in the zoo named 'personal-signal/QMIX/seed9'; did you mean"),
        ("zoo:", "no run in the zoo named ''; `ptde zoo` lists them: personal-signal/QMIX/seed1, personal-"),
        ("zoo:x", "no run in the zoo named 'x'; `ptde zoo` lists them"),
        ("zoo:../README.md", "no run in the zoo named '../README.md'"),
        ("zoo:/etc/passwd", "no run in the zoo named 'etc/passwd'"),
        (
            f"zoo:{NAME}/students/recurrent.pt",
            f"zoo:{NAME} has no students/recurrent.pt; it has student.pt, teacher.pt",
        ),
        (f"zoo:{NAME}/../../QMIX/seed1", f"zoo:{NAME} has no ../../QMIX/seed1"),
        (f"zoo:{NAME}/config.json", f"zoo:{NAME} has no config.json"),
    ],
)
def test_unknown_names_get_one_sentence(held: Path, typing: Type, name: str, sentence: str) -> None:
    for words in (("evaluate", name), ("visualize", name), ("inspect", name), ("export", name), ("report", name)):
        ended = typing(*words)
        assert (ended.code, ended.out) == (2, "")
        assert sentence in ended.err
        assert ended.err.count("\n") == 1
    with pytest.raises(PtdeError):
        ptde.load_policy(name)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_a_file_that_is_another_is_refused(held: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    broken = Path("broken")
    shutil.copytree(held, broken)
    file = broken / INNER / "student.pt"
    data = file.read_bytes()
    file.unlink() if how == "gone" else file.write_bytes(data[:-1] if how == "cut" else data[:-1] + b"x")
    monkeypatch.setattr(zoo, "zoo_folder", lambda: broken)
    for reads in (in_place, unpacked, ptde.load_policy, lambda name: zoo_table()):
        with pytest.raises(PtdeError, match=r"student\.pt.*install ptde anew"):
            reads(f"zoo:{NAME}")


def test_a_copy_keeps_its_evaluations_and_refuses_other_checkpoints(held: Path) -> None:
    copy = unpacked(f"zoo:{NAME}")
    (copy / "evaluation.json").write_text("mine")
    assert unpacked(f"zoo:{NAME}") == copy
    assert (copy / "evaluation.json").read_text() == "mine"
    (copy / "teacher.pt").write_bytes(b"mine")
    with pytest.raises(PtdeError, match=f"teacher.pt is another file than was kept: .* move or delete {copy}"):
        unpacked(f"zoo:{NAME}")
    assert (copy / "teacher.pt").read_bytes() == b"mine"


def test_a_folder_that_is_a_link_is_not_written_through(held: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = unpacked(f"zoo:{NAME}")
    for link in (copy, *copy.parents[:-1]):  # the run itself, and all folders above it up to zoo/
        shutil.rmtree(link)
        link.symlink_to(elsewhere)
        with pytest.raises(PtdeError, match=f"cannot use {link}: it is a link"):
            unpacked(f"zoo:{NAME}")
        link.unlink()
        link.mkdir()
    assert not list(elsewhere.iterdir())


def test_a_folder_in_the_run_that_is_a_link_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, elsewhere = tmp_path / "kept" / INNER, tmp_path / "elsewhere"
    for path in (kept / "config.json", kept / "students" / "recurrent.pt"):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    update_sums(tmp_path / "kept", [kept])
    monkeypatch.setattr(zoo, "zoo_folder", lambda: tmp_path / "kept")
    monkeypatch.chdir(tmp_path)
    elsewhere.mkdir()
    (COPIES / INNER).mkdir(parents=True)
    (COPIES / INNER / "students").symlink_to(elsewhere)
    with pytest.raises(PtdeError, match="students: it is a link"):
        unpacked(f"zoo:{NAME}")
    assert not list(elsewhere.iterdir())
    assert not (COPIES / INNER / "config.json").exists()


def test_every_command_takes_such_names(held: Path, typing: Type) -> None:
    ended = typing("evaluate", f"zoo:{NAME}", "--episodes", "4", "-q")
    assert ended.code == 0, ended.err
    assert "QMIX_SGI" in ended.out
    assert "QMIX_ASGKD" in ended.out
    for words in (
        ("inspect", f"zoo:{NAME}", "--episodes", "2"),
        ("visualize", f"zoo:{NAME}", "--format", "html", "--format", "curves"),
        ("export", f"zoo:{NAME}/student.pt", "--format", "npz"),
        ("compare", f"zoo:{NAME}", "zoo:personal-signal/QMIX/seed1"),
        ("report", f"zoo:{NAME}"),
    ):
        ended = typing(*words)
        assert ended.code == 0, ended.err
    made = {path.name for path in (COPIES / INNER).rglob("*")}
    assert {"play.html", "learning_curves.png", "information.png", "student.npz"} <= made
    assert list(Path().iterdir()) == [COPIES]


def test_from_python(held: Path) -> None:
    policy = ptde.load_policy(f"zoo:{NAME}/student.pt")
    policy.reset()
    assert not policy.reads_state
    assert list(Path().iterdir()) == [], "what is only read is not copied"
    (entry,) = [one for one in ptde.evaluate(f"zoo:{NAME}", episodes=2) if one.policy == "student"]
    assert len(entry.episodes.won) == 2
    assert list(Path().iterdir()) == [COPIES]


def test_the_list_says_what_each_won(held: Path, typing: Type) -> None:
    ended = typing("zoo")
    assert ended.code == 0, ended.err
    table = zoo_table()
    assert [row[0] for row in table.rows] == [
        "ptde evaluate zoo:personal-signal/QMIX/seed1/teacher.pt",
        f"ptde evaluate zoo:{NAME}/teacher.pt",
        f"ptde evaluate zoo:{NAME}/student.pt",
    ]
    assert all(row[5].endswith("/8") for row in table.rows)
    assert list(Path().iterdir()) == []


def test_a_ptde_without_a_zoo_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typing: Type) -> None:
    monkeypatch.setattr(zoo, "PACKAGE", tmp_path / "ptde_core")
    assert zoo_runs() == {}
    for words in (("zoo",), ("evaluate", "zoo:3s_vs_5z/QMIX_SGI/seed1")):
        ended = typing(*words)
        assert ended.code == 2
        assert "this ptde has no zoo; install it from a clone with its results/" in ended.err


def test_sums_keep_what_is_not_written_anew(tmp_path: Path) -> None:
    for name in ("a/one", "b/two"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    update_sums(tmp_path, [tmp_path / "a", tmp_path / "b"])
    before = read_sums(tmp_path)
    assert list(before) == ["a/one", "b/two"]
    (tmp_path / "a/one").write_text("another")
    (tmp_path / "b/two").write_text("broken")
    update_sums(tmp_path, [tmp_path / "a"])
    after = read_sums(tmp_path)
    assert after["a/one"] != before["a/one"]
    assert after["b/two"] == before["b/two"], "a sum that is there says what the file should be"


@pytest.mark.parametrize("line", ["x", "0" * 63 + "  a", "0" * 64 + " a", "0" * 64 + "  ../a", "0" * 64 + "  /a"])
def test_a_broken_list_of_sums_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{line}\n")
    with pytest.raises(PtdeError, match="is not a list of SHA-256 sums"):
        read_sums(tmp_path)
