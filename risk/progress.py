"""A progress bar for whatever takes longer than two seconds; silent when nobody watches a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 2.0


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
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from steps
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    if total is None and isinstance(steps, Sized):
        total = len(steps)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(text, total=total)
    start = threading.Timer(PATIENCE_SECONDS, bar.start)
    start.daemon = True
    start.start()
    try:
        for step in steps:
            yield step
            bar.advance(task)
    finally:
        start.cancel()
        start.join()
        bar.stop()
