"""`ptde data`: what a file of episodes holds, as tables and in other formats, and the page's example."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.storage.episode_file import Contents, read_contents
from ptde_core.viewing.episode_data import data_tables, export_data
from tests.unit.test_storage import NAMES, write
from tests.unit.test_untrusted_files import _replaced


def episodes(folder: Path, *, with_state: bool = True) -> tuple[Path, Contents]:
    path = folder / "episodes.h5"
    write(path, with_state=with_state)
    return path, read_contents(path, with_rows=True)


def test_npz_holds_all_of_it(tmp_path: Path) -> None:
    path, found = episodes(tmp_path)
    out = export_data(path, "npz")
    assert out == tmp_path / "episodes.npz"
    with np.load(out, allow_pickle=False) as file:
        assert json.loads(str(file["about"])) == dict(found.about)
        arrays = {name: file[name] for name in file.files if name != "about"}
    expected: dict[str, Any] = {f"rows_{name}": one for name, one in found.rows.items()}
    expected |= {f"episodes_{name}": one for name, one in found.episodes.items()}
    expected |= {f"names_{name}": np.array(texts) for name, texts in found.names.items()}
    assert arrays.keys() == expected.keys()
    for name, one in expected.items():
        np.testing.assert_array_equal(arrays[name], one)
        assert arrays[name].dtype == one.dtype


def test_parquet_holds_all_of_it(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet: pyarrow is not installed")
    path, found = episodes(tmp_path)
    out = export_data(path, "parquet")
    assert out == tmp_path / "episodes-parquet"
    assert sorted(one.name for one in out.iterdir()) == ["episodes.parquet", "steps.parquet"]
    steps, index = (parquet.read_table(out / f"{name}.parquet") for name in ("steps", "episodes"))
    assert steps["episode"].to_pylist() == [0, 0, 0, 1, 2, 2, 2, 2, 2]
    assert steps["step"].to_pylist() == [0, 1, 2, 0, 0, 1, 2, 3, 4]
    for table, columns in ((steps, found.rows), (index, found.episodes)):
        assert set(columns) <= set(table.column_names)
        for name, one in columns.items():
            back = np.array(table[name].to_pylist(), one.dtype)
            np.testing.assert_array_equal(back, one)
    about = json.loads(steps.schema.metadata[b"ptde"])
    assert about["names"] == NAMES
    assert about["teacher_id"] == "abc"


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_nothing_is_overwritten(form: Any, tmp_path: Path) -> None:
    path, _ = episodes(tmp_path)
    out = tmp_path / "there.npz"
    out.write_text("mine")
    with pytest.raises(PtdeError, match=r"there\.npz already exists; delete it, or give another place with --out"):
        export_data(path, form, out)
    assert out.read_text() == "mine"


def test_without_pyarrow_parquet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = episodes(tmp_path)
    monkeypatch.setattr("ptde_core.viewing.episode_data.find_spec", lambda name: None)
    with pytest.raises(PtdeError, match=r"needs pyarrow, which is not installed; .*ptde\[parquet\]"):
        export_data(path, "parquet")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["episodes.h5"]


def test_the_tables_name_every_array_and_every_number(tmp_path: Path) -> None:
    path, found = episodes(tmp_path)
    facts, arrays, *names = data_tables(path, features=True)
    assert {f"rows/{name}" for name in found.rows} | {f"episodes/{name}" for name in found.episodes} == {
        row[0] for row in arrays.rows
    }
    assert ("rows/obs", "9 x 2 x 4", "float32", "what each agent saw before it acted") in arrays.rows
    assert "not written by ptde" not in {row[3] for row in arrays.rows}
    assert dict(facts.rows)["steps"] == "9, of an episode 1 to 5"
    assert {table.title: [row[0] for row in table.rows] for table in names} == {
        "Observation of an agent": NAMES["obs"],
        "State": NAMES["state"],
        "Actions": NAMES["action"],
    }
    assert len(data_tables(path)) == 2


def test_the_pages_example_makes_transitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of docs/how-to/data.md as they stand there: what each step led to, across the ends of episodes."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python[^\n]*\n(import h5py.*?)```", page, re.DOTALL)
    assert len(block.strip().splitlines()) <= 10
    path, found = episodes(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block, names)
    obs, last = found.rows["obs"], found.episodes["last_obs"]
    expected = np.stack([obs[1], obs[2], last[0], last[1], *obs[5:9], last[2]])
    np.testing.assert_array_equal(names["next_obs"], expected)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(names["obs"], file["rows/obs"][:])


@pytest.mark.parametrize("name", list(NAMES))
def test_the_page_describes_every_array(name: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "data.md").read_text(encoding="utf-8")
    _, found = episodes(tmp_path)
    for array in found.arrays:
        assert f"`{array.name}`" in page
    assert f"`names/{name}`" in page


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_a_link_that_waits_where_a_file_is_made_is_not_followed(form: Any, tmp_path: Path) -> None:
    path, _ = episodes(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("episodes.npz.partial", "episodes-parquet.partial"):
        (tmp_path / name).symlink_to(victim)
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")
    assert export_data(path, form).exists()
    assert victim.read_text() == "mine"


def _column(name: str, values: Any) -> Callable[[Any], None]:
    return lambda file: _replaced(file, name, data=np.asarray(values))


HOSTILE: dict[str, tuple[str, Callable[[Any], object]]] = {
    "lengths whose sum wraps": ("lengths", _column("episodes/length", [2**62] * 4 + [9])),
    "lengths below 0": ("lengths", _column("episodes/length", [-9, 9, 9])),
    "no episode": ("lengths", _column("episodes/length", np.zeros(0, np.int64))),
    "more rows than are counted": (
        "lengths",
        lambda file: _replaced(file, "rows/action", shape=(2**40, 2), dtype="i2", chunks=(1, 2)),
    ),
    "episodes that begin elsewhere": ("do not begin", _column("episodes/start", [0, 2**60, 4])),
    "no start": ("no start", lambda file: file.__delitem__("episodes/start")),
    "no won": ("no won", lambda file: file.__delitem__("episodes/won")),
    "no return": ("no total_reward", lambda file: file.__delitem__("episodes/total_reward")),
    "won that is no truth": ("won is of float64", _column("episodes/won", [np.nan] * 3)),
    "a return with axes": (r"total_reward is \(3, 2\)", _column("episodes/total_reward", np.zeros((3, 2)))),
    "an axis of 0": ("z has not 9", lambda file: file["rows"].create_dataset("z", (9, 0), "f4")),
    "numbers of 16 bytes": ("z is of", lambda file: file["rows"].create_dataset("z", data=np.zeros(9, "g"))),
    "numbers the other way round": ("z is of", lambda file: file["rows"].create_dataset("z", data=np.zeros(9, ">f4"))),
    "records": ("z is of", lambda file: file["rows"].create_dataset("z", data=np.zeros(9, [("a", "f4")]))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_episodes_that_do_not_fit_together_are_neither_shown_nor_exported(name: str, tmp_path: Path) -> None:
    path, _ = episodes(tmp_path)
    says, change = HOSTILE[name]
    with h5py.File(path, "a") as file:
        change(file)
    for ask in (data_tables, lambda path: export_data(path, "npz")):
        with pytest.raises(PtdeError, match=f"is not a whole HDF5 file of episodes .*{says}"):
            ask(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
