"""Files that appear whole or not at all: links, full disks, names, two writers; and what is refused before any work."""

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ptde_core.base.errors import FILE_SYSTEM, StorageError, storage_error
from ptde_core.storage import whole_file
from ptde_core.storage.checkpoint import save_checkpoint
from ptde_core.storage.evaluation_file import add_entries
from ptde_core.storage.run_folder import write_json
from ptde_core.storage.whole_file import LEAST_ROOM, check_output, clear_partials, replacing, write_text

WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "checkpoint": lambda path: save_checkpoint(path, "teacher", {}),
    "evaluation": lambda path: add_entries(path, []),
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which nothing can be synced any more."""

    def no_room(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole_file.os, "fsync", no_room)


@pytest.mark.parametrize("kind", ["text", "json", "checkpoint"])
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(kind: str, tmp_path: Path, full: None) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(StorageError, match=r"cannot use .*file: no space left on device; make room there"):
        WRITERS[kind](path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", WRITERS)
def test_no_link_is_followed(kind: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("old")
    for name in ("file", "file.partial", ".file.partial"):
        (tmp_path / name).symlink_to(precious)
    if kind == "evaluation":  # which reads what it adds to
        (tmp_path / "file").unlink()
    WRITERS[kind](tmp_path / "file")
    assert precious.read_text() == "old"
    assert not (tmp_path / "file").is_symlink()


def test_what_fails_inside_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as file:
        file.write(b"half" * (1 // 0))
    assert names(tmp_path) == []


def test_a_new_file_replaces_none_even_if_it_appears_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(StorageError, match=r"file exists; use it, move it away"), replacing(path, new=True):
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["file"]
    write_text(path, "ours")
    assert path.read_text() == "ours"


def test_two_writers_of_one_file_leave_one_whole(tmp_path: Path) -> None:
    texts = [letter * 100_000 for letter in "ab"]
    threads = [
        threading.Thread(target=lambda text=text: [write_text(tmp_path / "f", text) for _ in range(10)])
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "f").read_text() in texts
    assert names(tmp_path) == ["f"]


def test_others_may_read_it_as_the_user_has_said(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "f", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("ü" * 127), "")
    with pytest.raises(StorageError, match="file name too long; give a shorter name"):
        write_text(tmp_path / ("ü" * 128), "")


def _taken(folder: Path) -> Path:
    (folder / "taken").write_text("")
    return folder / "taken" / "file"


def _device(folder: Path) -> Path:
    return Path("/dev/null")


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (_taken, "taken: not a directory"),
        (lambda folder: folder, "is a directory"),
        (_device, "it is a device or a pipe"),
        (_pipe, "it is a device or a pipe"),
        (lambda folder: folder / ("x" * 300), "file name too long"),
        (lambda folder: folder / ("x" * 300) / "file", "file name too long"),
        (lambda folder: Path("/proc/1/nothing/file"), "cannot use"),
    ],
)
def test_an_output_that_cannot_be_is_refused_beforehand(
    place: Callable[[Path], Path], says: str, tmp_path: Path
) -> None:
    path = place(tmp_path)
    before = names(tmp_path)
    with pytest.raises(StorageError, match=says):
        check_output(path)
    assert names(tmp_path) == before


def test_an_output_that_is_there_is_refused_where_it_must_be_new(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    check_output(path, new=True)
    assert names(tmp_path) == []
    write_text(path, "")
    check_output(path)
    with pytest.raises(StorageError, match="file exists"):
        check_output(path, new=True)


def test_too_little_room_and_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="no space left"):
        check_output(tmp_path / "file", room=2**80)
    check_output(tmp_path / "file", room=LEAST_ROOM)
    monkeypatch.setattr(whole_file.os, "access", lambda *given: False)
    with pytest.raises(StorageError, match="permission denied; give another path"):
        check_output(tmp_path / "file")


def test_what_killed_writers_left_is_cleared(tmp_path: Path) -> None:
    for name in (".file.0123abcd.partial", "file.partial", "file"):
        (tmp_path / name).touch()
    clear_partials(tmp_path)
    assert names(tmp_path) == ["file", "file.partial"]


def test_an_error_names_its_own_file_and_every_kind_says_what_to_do() -> None:
    told = storage_error(OSError(errno.EROFS, "Read-only file system", "/mnt/x"), "elsewhere")
    assert str(told).startswith("cannot use /mnt/x: read-only file system; give another path, or mount it")
    for number in (errno.EDQUOT, errno.EXDEV):
        assert number in FILE_SYSTEM
        assert "same command goes on" in str(storage_error(OSError(number, "no"), "f"))
