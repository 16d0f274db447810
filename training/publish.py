"""What happens to a training run once it is done: report, MLflow, registration, and the first champion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import registry
from risk.home import home as risk_home
from risk.register import Register
from training import promotion, tracking
from training.promotion import Promotion
from training.report import Report, write_report
from training.results import TrainingRun
from training.tracking import Logged

PROOF = ("beats_baseline", "calibrated")


@dataclass(frozen=True)
class Published:
    """A run that was kept: its report, its place in MLflow, and its promotion when it became the first champion."""

    run: TrainingRun
    report: Report
    logged: Logged
    promotion: Promotion | None


def publish(
    run: TrainingRun,
    register: Register,
    *,
    report_folder: Path | None = None,
    is_registered: bool = True,
    by: str | None = None,
    home: Path | None = None,
) -> Published:
    """Write the report, log the run, register the bundle as challenger, and make it champion if it is the first good one.

    A model takes the empty place of the champion only when it is proven (:func:`is_proven`); an occupied place is only ever
    taken by ``risk promote``.

    Parameters
    ----------
    report_folder : Path or None
        ``RISK_HOME/reports/<as-of>-<bundle version>`` when None.
    by : str or None
        Who is written in the ledger; the user of this machine when None.

    Raises
    ------
    OutputError
        When the report or the ledger cannot be written.
    RegistryError
        When the model store cannot be reached.
    """
    folder = report_folder or (home or risk_home()) / "reports" / f"{run.as_of.isoformat()}-{run.bundle.version}"
    report = write_report(run, register, folder)
    logged = tracking.log_run(run, report, register=is_registered, home=home)
    promoted = None
    if logged.version is not None and is_proven(run) and not _has_champion(home):
        promoted = promotion.promote(str(logged.version), by=by, home=home)
    return Published(run, report, logged, promoted)


def is_proven(run: TrainingRun) -> bool:
    """Whether no gate failed, and the gates that need a backtest were asked: "not applicable" is no proof."""
    statuses = {gate.name: gate.status for gate in run.gates}
    return not run.failed and all(statuses.get(name) == "passed" for name in PROOF)


def _has_champion(home: Path | None) -> bool:
    return any(registry.CHAMPION in version.aliases for version in registry.versions(home))
