"""Files from others: each reader says in one sentence what is wrong, reads nothing outside, allocates nothing huge."""

import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import READERS, WIDTHS, broken, refused, teacher_content, write_rows
from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.base.errors import PtdeError
from ptde_core.base.names import BackendName, GlobalInfo
from ptde_core.base.printable import printable
from ptde_core.base.untrusted import check_regular, parse_json, parse_toml, read_bytes
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.results.per_seed import csv_cell
from ptde_core.results.table import Table, markdown
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.episode_file import read_local_rows
from ptde_core.storage.npz import read_arrays


def test_names_in_files_are_those_of_the_catalogues() -> None:
    assert set(get_args(BackendName)) == set(ENVIRONMENTS)
    assert set(get_args(GlobalInfo)) == set(INFORMATION)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_what_is_whole_and_refuses_what_is_broken(name: str, tmp_path: Path) -> None:
    """What it cannot read it refuses by `PtdeError`: `refused` lets every other exception through."""
    reader, path, chance = READERS[name], tmp_path / "file", random.Random(name)
    reader.write(path)
    whole = path.read_bytes()
    assert not refused(reader, path, whole)
    assert refused(reader, path, b"\x00\n" + whole[: len(whole) // 2])
    for data in (b"", b"\n", b"[", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 3000, b'{"a":' * 3000, b"x = [" * 3000):
        refused(reader, path, data)
    for _ in range(25):
        refused(reader, path, broken(whole, chance))


@pytest.mark.parametrize(
    "name", ["config", "curve", "evaluation", "map", "metrics", "provenance", "settings", "status"]
)
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_at_all(name: str, data: bytes, tmp_path: Path) -> None:
    refused(READERS[name], tmp_path / "file", data)


@pytest.mark.parametrize(
    "text",
    ["[" * 17 + "]" * 17, "9" * 30, "-" + "9" * 30, "NaN", "Infinity", "1e999", '"' + "x" * 100_001 + '"', "{" * 9, ""],
)
def test_json_beyond_our_bounds(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a." * 6000 + "b = 1", "a = " + "9" * 5000, "a = " + "[" * 17 + "]" * 17, "a = 1\na = 2"],
)
def test_toml_beyond_our_bounds(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)


def test_devices_folders_and_long_files_are_no_files_of_ours(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 11)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (
        Path("/dev/zero"),
        tmp_path,
        tmp_path / "loop",
        tmp_path / ("x" * 300),
        Path("a\0b"),
        tmp_path / "long",
    ):
        with pytest.raises(PtdeError):
            read_bytes(path, "thing", 10)
    with pytest.raises(PtdeError, match="no thing at"):
        check_regular(tmp_path / "none", "thing")


def rewritten(path: Path, change: Callable[[bytes], bytes], *, packed: int = zipfile.ZIP_STORED) -> None:
    """The checkpoint with its pickle changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {member.filename: archive.read(member) for member in archive.infolist()}
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(data) if name.endswith("data.pkl") else data)


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (10**11,)


EVIL_PICKLES: dict[str, Callable[[bytes], bytes]] = {
    "a tensor of 8 TB": lambda data: data.replace(b"K\x04\x85q", b"\x8a\x06\x00\x00\x00\x00\x10\x00\x85q"),
    "a tensor that begins behind its memory": lambda data: data.replace(b"QK\x00", b"QK\x7f"),
    "100 GB of bytes": lambda data: pickle.dumps(_Runs(), protocol=2),
    "a place beyond all": lambda data: data[:2] + b"Nr\xff\xff\xff\xff0" + data[2:],
    "a name that is imported": lambda data: b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
    "levels without end": lambda data: b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",
    "twos of twos of twos": lambda data: (
        b"\x80\x02]q\x00"
        + b"".join(b"](h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(40))
        + b"."
    ),
}


@pytest.mark.parametrize("name", EVIL_PICKLES)
def test_a_checkpoint_that_asks_for_more_than_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.pt"
    torch.save({"schema": 1, "kind": "teacher", "w": torch.arange(4.0)}, path)
    before = path.read_bytes()
    rewritten(path, EVIL_PICKLES[name])
    assert path.read_bytes() != before
    with pytest.raises(PtdeError, match="not a readable checkpoint"):
        load_checkpoint(path, "teacher")


def test_a_packed_checkpoint_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "t.pt", "teacher", teacher_content())
    rewritten(tmp_path / "t.pt", bytes, packed=zipfile.ZIP_DEFLATED)
    with pytest.raises(PtdeError, match="compressed"):
        load_checkpoint(tmp_path / "t.pt", "teacher")


def changed(content: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    first, _, rest = place.partition(".")
    return content | {first: changed(content[first], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("settings.alg", "nonsense"),
        ("settings.env", "nonsense"),
        ("settings.global_info", "nonsense"),
        ("settings.hidden_size", 4096),
        ("settings.hidden_size", 10**9),
        ("settings.hidden_size", -1),
        ("settings.hidden_size", "x"),
        ("settings.info_rank", 3),
        ("settings", []),
        ("settings.seed", float("nan")),
        ("env.backend", "nonsense"),
        ("env.n_agents", 10**9),
        ("env.n_agents", 3),
        ("env.obs_size", 10**9),
        ("env.obs_names", ["a"] * 99),
        ("env.episode_limit", 0),
        ("env", None),
        ("networks", {}),
        ("networks", {"w": torch.eye(2)}),
        ("networks", {"w": torch.tensor([float("nan")])}),
        ("networks", [1]),
        ("counters", {"env_steps": -1}),
        ("counters", {}),
        ("counters", {"env_steps": 10, "episodes": 1}),
        ("kept", "../../x"),
        ("teacher_id", 7),
    ],
)
def test_a_checkpoint_whose_content_cannot_be(place: str, value: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "t.pt", "teacher", changed(teacher_content(), place, value))
    with pytest.raises(PtdeError):
        restore(load_checkpoint(tmp_path / "t.pt", "teacher"))


@pytest.mark.parametrize("file", ["/etc/teacher.pt", "../../other/teacher.pt", "", "a\\b"])
def test_a_student_names_no_teacher_outside_its_run(file: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "s.pt", "student", {**teacher_content(), "teacher_file": file})
    with pytest.raises(PtdeError, match="teacher_file"):
        load_checkpoint(tmp_path / "s.pt", "student")


def _replaced(file: Any, name: str, **how: Any) -> None:
    del file[name]
    file.create_dataset(name, **how)


def _external(file: Any, secret: Path) -> None:
    del file["rows/obs"]
    file["rows"].create_dataset("obs", (9, 2, 4), np.float32, external=[(str(secret), 0, 9 * 2 * 4 * 4)])


def _virtual(file: Any, secret: Path) -> None:
    del file["rows/obs"]
    layout = h5py.VirtualLayout((9, 2, 4), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "x", (9, 2, 4))
    file["rows"].create_virtual_dataset("obs", layout)


def _linked(file: Any, secret: Path) -> None:
    del file["rows/obs"]
    file["rows/obs"] = h5py.ExternalLink(str(secret), "/x")


def _soft(file: Any, _: Path) -> None:
    file["elsewhere"] = file["rows/obs"][()]
    del file["rows/obs"]
    file["rows/obs"] = h5py.SoftLink("/elsewhere")


def _lengths(*numbers: int) -> Callable[[Any, Path], None]:
    return lambda file, _: _replaced(file, "episodes/length", data=np.array(numbers))


EVIL_ROWS: dict[str, Callable[[Any, Path], None]] = {
    "external storage": _external,
    "a virtual dataset": _virtual,
    "an external link": _linked,
    "a soft link": _soft,
    "a group that is a link": lambda file, _: (file.move("rows", "r"), file.__setitem__("rows", h5py.SoftLink("/r"))),
    "a narrower view": lambda file, _: _replaced(file, "rows/obs", data=np.zeros((9, 2, 3), np.float32)),
    "fewer agents": lambda file, _: _replaced(file, "rows/available", data=np.ones((9, 1, 3), np.bool_)),
    "a wider z": lambda file, _: _replaced(file, "rows/z_mean", data=np.zeros((9, 2, 7), np.float32)),
    "z that is no number": lambda file, _: _replaced(file, "rows/z_mean", data=np.full((9, 2, 6), np.nan, np.float32)),
    "z whose square is no number": lambda file, _: _replaced(
        file, "rows/z_mean", data=np.full((9, 2, 6), 3e38, np.float32)
    ),
    "a negative deviation": lambda file, _: _replaced(file, "rows/z_sigma", data=np.full((9, 2, 6), -1.0, np.float32)),
    "views whose square is no number": lambda file, _: _replaced(
        file, "rows/obs", data=np.full((9, 2, 4), -3e38, np.float32)
    ),
    "texts": lambda file, _: _replaced(file, "rows/obs", data=np.full((9, 2, 4), b"x")),
    "other numbers": lambda file, _: _replaced(file, "rows/obs", data=np.zeros((9, 2, 4), np.float64)),
    "an action that there is not": lambda file, _: _replaced(
        file, "rows/last_action", data=np.full((9, 2), 3, np.int16)
    ),
    "nothing to do": lambda file, _: _replaced(file, "rows/available", data=np.zeros((9, 2, 3), np.bool_)),
    "10^12 rows": lambda file, _: _replaced(
        file, "rows/obs", shape=(10**12, 2, 4), dtype=np.float32, chunks=(1024, 2, 4)
    ),
    "a length of 10^18": _lengths(3, 3, 10**18),
    "a length below 0": _lengths(-3, 6, 6),
    "no episodes": _lengths(),
}


@pytest.mark.parametrize("name", EVIL_ROWS)
def test_episodes_that_are_not_what_they_should_be(name: str, tmp_path: Path) -> None:
    path, secret = tmp_path / "e.h5", tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.full((9, 2, 4), 42.0, np.float32)
    write_rows(path)
    with h5py.File(path, "a") as file:
        EVIL_ROWS[name](file, secret)
    with pytest.raises(PtdeError, match=r"e\.h5 is not a whole HDF5 file of episodes|e\.h5 can take"):
        read_local_rows(path, WIDTHS)


def test_arrays_that_say_they_are_larger_than_their_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    data = (tmp_path / "a.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        inner = archive.read("x.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", inner.replace(b"(3,), }             ", b"(9999999999999,), } "))
    assert data
    for what in (b"(9999999999999,)",):
        assert what in (tmp_path / "b.npz").read_bytes()
    with pytest.raises(PtdeError, match="another size than it says"):
        read_arrays(tmp_path / "b.npz")
    np.savez_compressed(tmp_path / "c.npz", x=np.zeros(3))
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object))
    for name in "cd":
        with pytest.raises(PtdeError):
            read_arrays(tmp_path / f"{name}.npz")


@given(st.text())
def test_what_is_shown_moves_no_cursor_and_turns_no_text(text: str) -> None:
    shown = printable(text + "\x1b[2J\u202e\n")
    assert not set(shown) & {"\x1b", "\n", "\r", "\u202e", "\u2066", "\x9b", "\u2028"}
    assert printable(shown) == shown


def test_texts_of_files_in_tables_and_cells() -> None:
    table = Table("t\x1b]0;x\x07", ("a|b",), ((("<img src=x onerror=1>",), ("![x](http://y)",), ("a\nb",)),), 1)
    text = markdown(table)
    assert "<img" not in text
    assert "](" not in text
    assert "\x1b" not in text
    assert r"a\\nb" in text, "what is shown is a backslash and an n"
    for cell in ("=1+1", "+1+1", "-1+1", "@x"):
        assert csv_cell(cell) == f"'{cell}"
    assert [csv_cell(cell) for cell in ("-0.5", "+3", 7, "3m", "")] == ["-0.5", "+3", "7", "3m", ""]
