"""The log on its way out: lines that are made together are written together, so that a request costs no write of its own.

In a running loop of asyncio, lines wait until the loop has done what it is at, then leave in one write. A warning or worse,
and whatever is said outside of a loop, is written at once, with all that waited before it. Nothing waits longer than a turn of
the loop, and what waits at the end is written when logging shuts down.
"""

from __future__ import annotations

import asyncio
import logging
import time


class Lines(logging.StreamHandler):
    """Writes to the standard error stream, the lines of one turn of the loop together."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[str] = []
        self._last: logging.LogRecord | None = None
        self._due: asyncio.AbstractEventLoop | None = None  # the loop that has been asked to flush

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.append(self.format(record))
        except Exception:  # a line that cannot be made is told as logging tells it, and harms no request
            self.handleError(record)
            return
        self._last = record
        loop = _running_loop() if record.levelno < logging.WARNING else None
        if loop is None:
            self.flush()
        elif loop is not self._due:
            self._due = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits."""
        self.acquire()
        try:
            lines, self._waiting, self._due = self._waiting, [], None
            if not lines:
                return
            try:
                self.stream.write(self.terminator.join([*lines, ""]))
                self.stream.flush()
            except (OSError, ValueError):  # no room on the disk, or the stream is closed
                if self._last is not None:
                    self.handleError(self._last)
        finally:
            self.release()


class Line:
    """One kind of line that is told again and again, at the level INFO.

    Where nobody but a :class:`Lines` listens, the record is made once and filled anew: making one for each line costs more
    than writing it. Where somebody else listens too, each line is a record of its own, as ever.
    """

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._record = log.makeRecord(log.name, logging.INFO, "", 0, text, (), None)

    def __call__(self, *values: object) -> None:
        if not self._log.isEnabledFor(logging.INFO):
            return
        listeners = logging.root.handlers
        if len(listeners) != 1 or type(listeners[0]) is not Lines or self._log.handlers or not self._log.propagate:
            self._log.info(self._text, *values)
            return
        record, now = self._record, time.time()
        record.args, record.created, record.msecs = values, now, 1000 * (now % 1)
        listeners[0].handle(record)


class Stamped(logging.Formatter):
    """Formats with a time of day that is worked out once a second."""

    _second, _text = -1, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%d %H:%M:%S", self.converter(second))
        return f"{self._text},{int(record.msecs):03d}"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
