"""Log lines of one turn of the loop leave in one write, and none is lost."""

from __future__ import annotations

import asyncio
import io
import logging
import time

import pytest

from serving.lines import Line, Lines, Stamped


class Paper(io.StringIO):
    """A stream that keeps each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def handler(paper: Paper) -> Lines:
    made = Lines()
    made.setStream(paper)
    return made


@pytest.fixture
def log(handler: Lines) -> logging.Logger:
    made = logging.Logger("risk.serving.test", logging.INFO)
    made.addHandler(handler)
    return made


def test_lines_of_one_turn_are_one_write_in_their_order(log: logging.Logger, paper: Paper) -> None:
    async def turns() -> None:
        log.info("one")
        log.info("two %d", 2)
        assert paper.writes == []
        await asyncio.sleep(0)
        log.info("three")
        await asyncio.sleep(0)

    asyncio.run(turns())
    assert paper.writes == ["one\ntwo 2\n", "three\n"]


def test_a_warning_leaves_at_once_behind_what_waited(log: logging.Logger, paper: Paper) -> None:
    async def turn() -> None:
        log.info("one")
        log.warning("two")
        assert paper.writes == ["one\ntwo\n"]

    asyncio.run(turn())
    assert paper.writes == ["one\ntwo\n"]


def test_outside_of_a_loop_nothing_waits(log: logging.Logger, paper: Paper) -> None:
    log.info("one")
    assert paper.writes == ["one\n"]


def say_as_the_last_thing_of_a_loop(log: logging.Logger, text: str) -> None:
    loop = asyncio.new_event_loop()

    def last() -> None:
        loop.stop()  # ends after this turn
        log.info(text)

    loop.call_soon(last)
    loop.run_forever()
    loop.close()


def test_what_waits_when_the_loop_ends_is_written_at_the_end(log: logging.Logger, handler: Lines, paper: Paper) -> None:
    say_as_the_last_thing_of_a_loop(log, "the last line")
    assert paper.writes == []
    handler.flush()  # as logging.shutdown does when the process ends
    assert paper.writes == ["the last line\n"]


def test_a_loop_that_ended_with_a_line_waiting_does_not_hold_up_the_next_one(log: logging.Logger, paper: Paper) -> None:
    async def say() -> None:
        log.info("two")

    say_as_the_last_thing_of_a_loop(log, "one")
    asyncio.run(say())
    assert paper.writes == ["one\ntwo\n"]


def test_a_stream_that_cannot_be_written_is_told_and_breaks_nothing(
    log: logging.Logger, handler: Lines, paper: Paper, capsys: pytest.CaptureFixture[str]
) -> None:
    paper.close()
    paper.write = lambda text: io.StringIO.write(paper, text)  # type: ignore[method-assign]  # one paper only
    log.info("one")
    assert "ValueError" in capsys.readouterr().err


def test_the_time_is_that_of_the_record_to_the_millisecond() -> None:
    ours, plain = Stamped("7 %d "), logging.Formatter("%(asctime)s 7 %%d %(levelname)s %(name)s: %(message)s")
    now = time.time()
    for at in (now, now + 0.004, now + 1.0, now + 3600.0, now - 86_400.0):
        record = logging.LogRecord("x", logging.INFO, "", 0, "said", (), None)
        record.created, record.msecs = at, int((at - int(at)) * 1000) + 0.0
        assert ours.format(record) == plain.format(record)
        assert ours.line(record, at, "said") == plain.format(record)


@pytest.mark.parametrize("formatter", [Stamped("7 "), logging.Formatter("%(levelname)s %(name)s: %(message)s")])
def test_a_line_told_again_and_again_looks_like_any_other(
    formatter: logging.Formatter, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, listener = Paper(), Lines()
    listener.setStream(paper)
    listener.setFormatter(formatter)
    monkeypatch.setattr(logging.root, "handlers", [listener])
    monkeypatch.setattr("serving.lines.time.time", lambda: 1_800_000_000.125)
    log = logging.getLogger("risk.serving.test.again")
    log.setLevel(logging.INFO)
    told = Line(log, "%s took %.1f ms")
    told("one", 1.26)
    told("two", 2.0)
    log.info("%s took %.1f ms", "two", 2.0)
    monkeypatch.setattr(logging.root, "handlers", [listener, logging.NullHandler()])
    told("three", 3.0)
    log.setLevel(logging.WARNING)
    told("four", 4.0)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_800_000_000))
    begin = f"{stamp},125 7 " if isinstance(formatter, Stamped) else ""
    ends = ["one took 1.3 ms", "two took 2.0 ms", "two took 2.0 ms", "three took 3.0 ms"]
    assert paper.writes == [f"{begin}INFO risk.serving.test.again: {end}\n" for end in ends]


def test_who_listens_to_the_log_itself_or_filters_it_gets_records(monkeypatch: pytest.MonkeyPatch) -> None:
    paper, listener = Paper(), Lines()
    listener.setStream(paper)
    listener.setFormatter(Stamped())
    monkeypatch.setattr(logging.root, "handlers", [listener])
    log = logging.getLogger("risk.serving.test.filtered")
    log.setLevel(logging.INFO)
    seen: list[str] = []

    def refuse(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        return False

    listener.addFilter(refuse)
    Line(log, "%d asked")(3)
    assert (seen, paper.writes) == (["3 asked"], [])


def test_a_line_told_again_bears_the_time_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    paper, listener = Paper(), Lines()
    listener.setStream(paper)
    listener.setFormatter(Stamped())
    monkeypatch.setattr(logging.root, "handlers", [listener])
    log = logging.getLogger("risk.serving.test.timed")
    log.setLevel(logging.INFO)
    told = Line(log, "")
    for now in (1_800_000_000.125, 1_800_000_059.5):
        monkeypatch.setattr("serving.lines.time.time", lambda now=now: now)
        told()
    assert [text[17:23] for text in paper.writes] == ["00,125", "59,500"]
