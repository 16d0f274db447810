"""The model in service: opened, checked, swapped when the champion moves, and kept when the registry cannot be read."""

from __future__ import annotations

import contextlib
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from risk import features
from risk.errors import BundleError, RiskError
from serving.inservice import InService
from serving.messages import accepted_attributes, accepted_facts
from serving.sources import Source

HORIZON_WEEKS = 52
PATIENCE = 8.0
LONGEST_START = 20.0  # without a model or a copy of one the first look is given so many seconds more
MOST_LOOKS_LEFT = 19
SLOW = "slow"
log = logging.getLogger("risk.serving")


def check_servable(model: InService) -> None:
    """Refuse a model the messages cannot feed, or that answers another question.

    Raises
    ------
    BundleError
    """
    if model.outcome.horizon_weeks != HORIZON_WEEKS:
        raise BundleError(
            f"the model answers for {model.outcome.horizon_weeks} weeks, the service for {HORIZON_WEEKS}; "
            "score such a model with 'risk score'"
        )
    known, accepted = features.catalogue(), {**accepted_attributes(), **accepted_facts()}
    strange = [n for n in model.meta["features"] if n not in known]
    if strange:
        raise BundleError(f"the model uses the feature {strange[0]!r}, which this version does not have")
    barred = [n for n in model.meta["features"] if not set(known[n].sources) <= set(accepted)]
    if barred:
        raise BundleError(
            f"the model uses {barred[0]!r}, which the service does not ask case systems for; train without it"
        )


@dataclass(frozen=True)
class Seen:
    """What one look at the source found: a model to put in service, nothing new, or what went wrong."""

    fresh: InService | None = None
    trouble: str | None = None
    text: str = ""


class Champion:
    """Holds the model in service; :meth:`refresh` is the only way it changes, and it changes in one step.

    A request takes :attr:`current` once and keeps it to its end, so each answer comes from one model. The source is looked
    at from a thread of its own: one that hangs costs no request anything, and its answer is taken when it comes.

    Parameters
    ----------
    source : where the model comes from
    patience : seconds that a refresh waits for the source, when there is a model to go on with

    Attributes
    ----------
    current : the model in service, None when there is none
    trouble : code of what the last look at the source failed of, None when it did not
    is_copy : the model in service is the copy kept on this machine, because the source could not be read at the start
    n_swaps : how often another model was put in service since the start
    """

    def __init__(self, source: Source, patience: float = PATIENCE) -> None:
        self._source, self._patience = source, patience
        self._lock = threading.Lock()
        self._look: Future[Seen] | None = None
        self._refused: tuple[str, Seen] | None = None
        self._n_refused = self._n_looks_left = 0
        self.current: InService | None = None
        self.trouble: str | None = None
        self.is_copy = False
        self.n_swaps = 0

    def refresh(self) -> bool:
        """Ask the source for its model and put it in service if it is another; True when it changed.

        Whatever goes wrong, the last good model stays: the one in service or, at the start, the copy on this machine. What
        went wrong is logged and kept in :attr:`trouble`.
        """
        with self._lock:
            seen = self._seen(self._patience)
            if seen.trouble is not None and self.current is None:
                self._take_copy()
                if seen.trouble == SLOW and self.current is None:  # nothing to go on with, nothing to lose by waiting
                    seen = self._seen(LONGEST_START)
            if seen.trouble is not None:
                self._keep_on(seen)
                return False
            self.trouble, self.is_copy = None, False
            if seen.fresh is None:
                return False
            self._source.keep(seen.fresh.mark)
            if self.current is not None and self.current.mark == seen.fresh.mark:
                return False
            self._put_in_service(seen.fresh)
            return True

    def _seen(self, patience: float) -> Seen:
        """What the look under way found, begun now if there is none; it goes on when it takes too long."""
        if self._look is None:
            self._look = Future()
            threading.Thread(target=self._run, args=(self._look,), name="champion", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            seen = self._look.result(patience)
            self._look = None
            return seen
        return Seen(trouble=SLOW, text=f"the source of the model did not answer in {self._patience:g} s")

    def _run(self, look: Future[Seen]) -> None:
        try:
            look.set_result(self._found())
        except RiskError as why:
            look.set_result(Seen(trouble=why.code, text=str(why)))
        except (
            BaseException
        ) as why:  # a registry can fail in ways of its own; the model in service is sound all the same
            look.set_result(Seen(trouble="unexpected", text=type(why).__name__))

    def _found(self) -> Seen:
        mark = self._source.mark()
        if self.current is not None and mark == self.current.mark:
            return Seen()
        if self._refused is not None and self._refused[0] == mark and self._n_looks_left > 0:
            self._n_looks_left -= 1  # it was refused and is still the same: it need not be fetched at every look
            return self._refused[1]
        try:
            fresh = InService(self._source.open(mark), mark)
            check_servable(fresh)
        except BundleError as why:
            is_again = self._refused is not None and self._refused[0] == mark
            self._n_refused = self._n_refused + 1 if is_again else 0
            self._n_looks_left = min(2**self._n_refused - 1, MOST_LOOKS_LEFT)
            self._refused = (mark, Seen(trouble=why.code, text=str(why)))
            return self._refused[1]
        self._refused = None
        return Seen(fresh)

    def _put_in_service(self, model: InService) -> None:
        self.n_swaps += self.current is not None
        self.current = model
        log.info("model %s in service (%s)", model.version, model.mark)

    def _keep_on(self, seen: Seen) -> None:
        if self.trouble != seen.trouble:  # say it once, not at every look
            kept = "no model in service" if self.current is None else f"model {self.current.version} stays in service"
            log.error("%s; %s: %s", kept, seen.trouble, seen.text)
        self.trouble = seen.trouble

    def _take_copy(self) -> None:
        try:
            copy = self._source.kept()
            if copy is not None:
                model = InService(copy[1], copy[0])
                check_servable(model)
                self._put_in_service(model)
                self.is_copy = True
        except RiskError as why:
            log.error("the copy of the last good model cannot be used: %s", why)
