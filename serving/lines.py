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
            text = self.format(record)
        except Exception:  # a line that cannot be made is told as logging tells it, and harms no request
            self.handleError(record)
            return
        self.take(text, record)

    def take(self, text: str, record: logging.LogRecord) -> None:
        """Write a line soon, or at once when its record says so."""
        self.acquire()
        self._waiting.append(text)
        self._last = record
        self.release()
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


class Stamped(logging.Formatter):
    """Begins each line with the time of day, worked out once a second, then ``who``, the level and the name of the log."""

    _second, _text = -1, ""

    def __init__(self, who: str = "") -> None:
        super().__init__(f"%(asctime)s {who.replace('%', '%%')}%(levelname)s %(name)s: %(message)s")
        self._who = who

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return self._stamp(record.created, int(record.msecs))

    def line(self, record: logging.LogRecord, now: float, message: str) -> str:
        """:meth:`format` of a record without a trace, said now."""
        return f"{self._stamp(now, int(now % 1 * 1000))} {self._who}{record.levelname} {record.name}: {message}"

    def _stamp(self, at: float, thousandths: int) -> str:
        second = int(at)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%d %H:%M:%S", self.converter(second))
        return f"{self._text},{thousandths:03d}"


class Line:
    """One kind of line that is told again and again, at the level INFO.

    Where nobody but a :class:`Lines` with a :class:`Stamped` listens, the line goes there as text: to make a record of each,
    and to ask everyone on the way whether he wants it, costs more than writing it. Where somebody else listens too, each line
    is a record, as ever.
    """

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._record = log.makeRecord(log.name, logging.INFO, "", 0, text, (), None)

    def __call__(self, *values: object) -> None:
        if not self._log.isEnabledFor(logging.INFO):
            return
        listeners = logging.root.handlers
        only = listeners[0] if len(listeners) == 1 and not self._log.handlers and self._log.propagate else None
        if type(only) is Lines and type(only.formatter) is Stamped and not only.filters:
            only.take(only.formatter.line(self._record, time.time(), self._text % values), self._record)
        else:
            self._log.info(self._text, *values)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
