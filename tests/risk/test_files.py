import errno
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from risk import files
from risk.errors import OutputError
from risk.files import whole_file, whole_folder

whole_week = partial(whole_folder, ours=("list",))


@pytest.fixture
def two_days_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    later = time.time() + 2 * 24 * 3600
    return lambda: monkeypatch.setattr(files.time, "time", lambda: later)


def write_week(folder: Path, text: str) -> None:
    with whole_week(folder) as made:
        (made / "list").write_text(text)


def test_a_file_that_fails_while_being_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as made:
            made.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["list.csv"]


def test_a_whole_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with whole_folder(tmp_path / "week", ("one.txt", "two.txt")) as made:
            (made / f"{text}.txt").write_text(text)
    assert [p.name for p in (tmp_path / "week").iterdir()] == ["two.txt"]


def test_what_a_spreadsheet_leaves_beside_an_open_file_does_not_stop_the_next_writing(tmp_path: Path) -> None:
    for name in (".~lock.worklist.xlsx#", "~$worklist.xlsx", "Thumbs.db"):
        (tmp_path / name).touch()
    with whole_folder(tmp_path, ("worklist.xlsx",)) as made:
        (made / "worklist.xlsx").touch()
    assert [p.name for p in tmp_path.iterdir()] == ["worklist.xlsx"]


@pytest.mark.parametrize("door", [whole_file, partial(whole_folder, ours=("list",))], ids=["file", "folder"])
def test_a_full_disk_is_told_as_such_and_the_old_output_stays(door: Callable, tmp_path: Path) -> None:
    place = tmp_path / "out"
    with door(place) as made:
        (made if made.is_file() else made / "list").write_text("old")

    def fill() -> None:
        with door(place):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left on device.*untouched"):
        fill()
    assert (place if place.is_file() else place / "list").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("door", [whole_file, whole_week], ids=["file", "folder"])
def test_what_a_killed_writer_left_is_cleared_away_after_a_day(
    door: Callable, tmp_path: Path, two_days_later: Callable[[], None]
) -> None:
    (tmp_path / ".out.half_12x").mkdir()
    (tmp_path / ".out.half_12x" / "cases.parquet").write_text("half")
    (tmp_path / ".out.half_34y").write_text("half")
    for kept in (".out.txt", ".outer.half_12x", ".out.half_12x.new"):
        (tmp_path / kept).write_text("somebody's own")
    with door(tmp_path / "out") as made:
        (made if made.is_file() else made / "list").write_text("new")
    assert (tmp_path / ".out.half_12x").is_dir()
    assert (tmp_path / ".out.half_34y").is_file()
    two_days_later()
    with door(tmp_path / "out") as made:
        (made if made.is_file() else made / "list").write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.half_12x.new", ".out.txt", ".outer.half_12x", "out"]


def test_a_folder_that_a_killed_writer_had_moved_aside_is_put_back(
    tmp_path: Path, two_days_later: Callable[[], None]
) -> None:
    write_week(tmp_path / "week", "the last whole list")
    (tmp_path / "week").rename(tmp_path / ".week.abcd1234.old")
    two_days_later()
    with pytest.raises(RuntimeError), whole_week(tmp_path / "week"):
        raise RuntimeError("and it fails again")
    assert (tmp_path / "week" / "list").read_text() == "the last whole list"


def test_a_folder_moved_aside_is_not_put_back_over_a_newer_one(
    tmp_path: Path, two_days_later: Callable[[], None]
) -> None:
    write_week(tmp_path / "week", "older")
    (tmp_path / "week").rename(tmp_path / ".week.abcd1234.old")
    write_week(tmp_path / "week", "newer")
    two_days_later()
    with pytest.raises(RuntimeError), whole_week(tmp_path / "week"):
        raise RuntimeError
    assert (tmp_path / "week" / "list").read_text() == "newer"
    assert [p.name for p in tmp_path.iterdir()] == ["week"]


@pytest.mark.parametrize("door", [whole_file, whole_week], ids=["file", "folder"])
def test_a_link_is_followed_and_stays_a_link(door: Callable, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "disk" / "out")
    for text in ("one", "two"):
        with door(tmp_path / "latest") as made:
            (made if made.is_file() else made / "list").write_text(text)
    assert (tmp_path / "latest").is_symlink()
    out = tmp_path / "disk" / "out"
    assert (out if out.is_file() else out / "list").read_text() == "two"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["disk", "latest"]


def test_a_device_a_pipe_or_a_socket_is_never_replaced(tmp_path: Path) -> None:
    pipe, door = tmp_path / "pipe", tmp_path / "door"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(door))
        for place in (pipe, door, Path(os.devnull)):
            with pytest.raises(OutputError, match="is a device or a pipe"), whole_file(place):
                pytest.fail("nothing may be written")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["door", "pipe"]


def test_a_mounted_place_cannot_be_replaced_and_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files.os.path, "ismount", lambda place: Path(place) == tmp_path)
    with pytest.raises(OutputError, match=r"is a mounted place.*name a folder inside it"):
        files.check_folder(tmp_path, ())
