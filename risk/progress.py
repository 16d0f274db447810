"""A progress bar for whatever takes longer than two seconds; silent when nobody watches a terminal.

One bar at a time: work that is a step of other work, which has a bar already, shows none of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 2.0
_one_bar = threading.Lock()


def progress(steps: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
    """The same steps, one by one, with a bar on the terminal once they have taken two seconds.

    Parameters
    ----------
    steps : iterable
        What is worked through; its length is the length of the bar, where it has one.
    text : str
        What is being done, e.g. ``"fitting"``.
    total : int, optional
        Number of steps, for an iterable without a length.

    Examples
    --------
    >>> list(progress([1, 2, 3], "counting"))
    [1, 2, 3]
    """
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    with _bar(text, total) as update:
        for step in steps:
            yield step
            update(advance=1)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that work is going on that has no steps to count, once it has taken two seconds."""
    with _bar(text, None):
        yield


@contextmanager
def telling() -> Iterator[Callable[[str, float], None]]:
    """Yield a function told in words what is being done and how far it is, as a share from 0 to 1."""
    with _bar("", 1.0, as_share=True) as update:
        yield lambda text, share: update(description=text, completed=share)


@contextmanager
def _bar(text: str, total: float | None, as_share: bool = False) -> Iterator[Callable[..., None]]:
    """A bar that appears when it has to, and the function that moves it on."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or not _one_bar.acquire(blocking=False):
        yield lambda **changed: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    counted: tuple[ProgressColumn, ...] = (SpinnerColumn(),)
    if total is not None:
        counted = (BarColumn(), TaskProgressColumn() if as_share else MofNCompleteColumn())
    bar = Progress(TextColumn("{task.description}"), *counted, TimeElapsedColumn(), console=console, transient=True)
    task = bar.add_task(text, total=total)
    start = threading.Timer(PATIENCE_SECONDS, bar.start)
    start.daemon = True
    start.start()
    try:
        yield lambda **changed: bar.update(task, **changed)
    finally:
        start.cancel()
        start.join()
        bar.stop()
        _one_bar.release()
