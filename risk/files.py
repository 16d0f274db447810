"""Writing without half-written results: everything is made under a temporary name and renamed when it is whole."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from risk.errors import OutputError

# What a place refuses, at opening or in the middle of writing; any other OSError is about something else.
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EISDIR, errno.ENOTDIR}
# What a process that was killed left under its temporary name is cleared away by the next one, but not before this age:
# somebody may still be writing it.
_LEFT_BEHIND_S = 24 * 3600.0
_RETIRED = ".old"
# What office programs and file managers leave beside a file somebody looks at.
_LEFT_BY_OTHERS = (".~lock.*", "~$*", ".DS_Store", "Thumbs.db", "desktop.ini")


def check_folder(folder: Path, ours: Collection[str]) -> None:
    """Refuse a folder that holds something else than what was written there before: writing replaces the whole folder.

    Parameters
    ----------
    ours : names of files and folders that may be replaced

    Raises
    ------
    OutputError
        When it is a file or a mounted place, holds anything else, or cannot be looked into.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder")
    if os.path.ismount(os.path.realpath(folder)):
        raise OutputError(f"{folder} is a mounted place, which cannot be replaced as a whole; name a folder inside it")
    try:
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    except OSError as why:
        raise OutputError(f"cannot look into {folder} ({why.strerror}); choose another folder") from None
    others = [n for n in names if n not in ours and not any(fnmatch(n, left) for left in _LEFT_BY_OTHERS)]
    if others:
        raise OutputError(
            f"{folder} holds {len(others)} other file{'s' * (len(others) > 1)} ({others[0]}) that would be lost; "
            f"choose a new folder, or move {'them' if len(others) > 1 else 'it'} away"
        )


@contextmanager
def whole_folder(folder: Path, ours: Collection[str]) -> Iterator[Path]:
    """Yield an empty folder beside ``folder`` that takes its place when the block ends well.

    What stood at ``folder`` stays untouched when the block fails, and is gone only after the new folder is in place. A link
    is followed. What an earlier writer that was killed left beside it is cleared away after a day.

    Parameters
    ----------
    ours : names that may stand in ``folder`` and be replaced

    Raises
    ------
    OutputError
        When the place cannot be written to, ``folder`` is a file or a mounted place, or it holds anything but ``ours``.
    """
    folder = Path(os.path.realpath(folder))
    _clear_leftovers(folder)
    check_folder(folder, ours)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as why:
        raise OutputError(f"cannot write in {folder.parent} ({why.strerror}); choose another folder") from None
    retired = made.with_name(made.name + _RETIRED)
    try:
        yield made
        made.chmod(0o755)
        if folder.exists():
            os.rename(folder, retired)
        try:
            os.rename(made, folder)
        except OSError:
            if retired.exists():
                os.rename(retired, folder)
            raise
    except OSError as why:
        _refuse(folder, why)
        raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that is renamed over it when the block ends well.

    A link is followed. What an earlier writer that was killed left beside it is cleared away after a day.

    Raises
    ------
    OutputError
        When the place cannot be written to, or ``path`` is a folder, a device or a pipe.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is a device or a pipe, which cannot be replaced by a whole file; name a file")
    _clear_leftovers(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as why:
        raise OutputError(f"cannot write in {path.parent} ({why.strerror}); choose another place") from None
    made = Path(name)
    try:
        yield made
        made.chmod(0o644)
        os.replace(made, path)
    except OSError as why:
        _refuse(path, why)
        raise
    finally:
        made.unlink(missing_ok=True)


def _clear_leftovers(place: Path) -> None:
    """Remove what writers that were killed left of ``place``; a result they had moved aside is put back if there is no newer."""
    temporary = re.compile(rf"\.{re.escape(place.name)}\.[a-z0-9_]{{8}}(?P<retired>{re.escape(_RETIRED)})?")
    with suppress(OSError):  # a place that cannot be looked into is told of when it is written to
        for left in sorted(place.parent.iterdir()):
            known = temporary.fullmatch(left.name)
            if known is None or time.time() - left.lstat().st_ctime < _LEFT_BEHIND_S:
                continue
            if known["retired"] and not place.exists():
                left.rename(place)
            elif left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _refuse(place: Path, why: OSError) -> None:
    if why.errno in _REFUSED and not isinstance(why, OutputError):
        raise OutputError(f"cannot write {place} ({why.strerror}); what stood there is untouched") from None
