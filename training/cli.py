"""``risk train`` and ``risk promote``."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risk.options import DAY

if TYPE_CHECKING:
    from models.bundle import Bundle
    from training.promotion import Promotion
    from training.publish import Published


@click.command()
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--as-of", metavar="DATE", required=True, type=DAY, help="Learn from what was known before this day.")
@click.option("--plan", metavar="PLAN", help="A plan in a TOML file, or a shipped one by name [default: default].")
@click.option(
    "--report-dir", type=click.Path(path_type=Path), help="Folder of the report [default: in RISK_HOME/reports]."
)
@click.option("--no-register", is_flag=True, help="Log the run in MLflow, but do not register its model.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def train(
    register: Path, as_of: date, plan: str | None, report_dir: Path | None, no_register: bool, as_json: bool
) -> None:
    """Learn from REGISTER: backtest, gates, report, MLflow run, registration.

    The model is registered as challenger. The first model that was judged and failed no gate becomes champion at once;
    after that only 'risk promote' moves the champion. A failed gate does not make this command fail: it is said, and
    'risk promote' refuses the model.
    """
    from risk.files import check_folder
    from risk.progress import telling
    from risk.register import read_register
    from training.plan import read_plan
    from training.publish import publish
    from training.report import FILES
    from training.run import train as train_run

    chosen_plan, known = read_plan(plan), read_register(register)
    if report_dir is not None:
        check_folder(report_dir, FILES)
    in_service = champion()
    with telling() as told:
        run = train_run(
            known, as_of, chosen_plan, champion=in_service, progress=lambda text, share: told(text, 0.95 * share)
        )
        told("report and registration", 0.95)
        published = publish(run, known, report_folder=report_dir, is_registered=not no_register)
    click.echo(json.dumps(as_facts(published), indent=1) if as_json else in_words(published))


@click.command()
@click.argument("version", default="challenger", metavar="[VERSION]")
@click.option(
    "--override", metavar="REASON", help="Promote in spite of failed gates; the reason is kept with the model."
)
@click.option("--by", metavar="NAME", help="Who does it [default: the user of this machine].")
@click.option("--list", "is_list", is_flag=True, help="Show all versions and past promotions, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the line of the ledger as JSON.")
def promote(version: str, override: str | None, by: str | None, is_list: bool, as_json: bool) -> None:
    """Make VERSION (a number, or 'challenger') the champion, if it failed no gate.

    The champion before it keeps the alias 'previous'. To roll back, promote the older version by its number. Who did it,
    when and why is added to RISK_HOME/promotions.jsonl and written on the version.
    """
    from dataclasses import asdict

    from training import promotion

    if is_list:
        click.echo(overview())
        return
    line = promotion.promote(version, by=by, override=override)
    click.echo(json.dumps(asdict(line), indent=1, ensure_ascii=False) if as_json else promoted_in_words(line))


def champion() -> Bundle | None:
    """The bundle in service; None when there is none yet. A damaged one is an error, not none."""
    from models import registry

    registry.client(create=True)  # a store that does not answer is found out before minutes of training, not after
    holder = next((v for v in registry.versions() if registry.CHAMPION in v.aliases), None)
    return registry.open_version(holder) if holder else None


def in_words(published: Published) -> str:
    """What was found, in a few lines."""
    from training.publish import is_proven

    run, version = published.run, published.logged.version
    lines = [f"{run.learner_name}, learned from what was known before {run.as_of}. {run.choice}"]
    lines += [f"  {line}" for line in auc_lines(published)]
    if run.backtest.is_empty:
        lines.append(f"  not judged: {run.backtest.note}")
    elif len(lines) == 1:
        lines.append("  not judged: at no age of case were there enough cases")
    statuses = [gate.status for gate in run.gates]
    told = ", ".join(f"{statuses.count(s)} {s}" for s in ("passed", "failed", "not applicable") if s in statuses)
    lines.append(f"gates: {told or 'none asked'}")
    lines += [f"  FAILED {g.number} {g.name}: {g.text}" for g in run.failed]
    lines += [f"warning: {text}" for text in run.warnings]
    lines.append(f"report: {published.report.html}")
    store = published.logged.tracking_uri
    lines.append(f"runs: mlflow ui --backend-store-uri {store}" if store.startswith("sqlite:") else f"runs: {store}")
    if version is None:
        lines.append("not registered, as asked")
    elif published.promotion is not None:
        lines.append(f"registered as version {version} and, being the first that passed its gates, made champion")
        lines.append("next: risk list REGISTER --as-of MONDAY")
    elif run.failed:
        lines.append(
            f"registered as version {version}, challenger; 'risk promote' refuses it because of its failed gates"
        )
        lines.append("next: read the report, then mend the data or the plan and train again")
    else:
        lines.append(f"registered as version {version}, challenger" + ("" if is_proven(run) else "; it is not proven"))
        lines.append(f"next: read the report, then risk promote {version} --by NAME")
    return "\n".join(lines)


def auc_lines(published: Published) -> list[str]:
    """AUC of the chosen learner per landmark, beside what the age of a case alone gives."""
    from training.figures import landmark_label
    from training.report import metric_tables, number

    out = []
    for table in metric_tables(published.report.summary):
        mine = table["by"].get(published.run.learner_name, {}).get("auc")
        base = table["by"].get("baseline", {}).get("auc")
        if mine is not None and mine["value"] is not None:
            ends = f" ({number(mine['low'])} to {number(mine['high'])})" if mine["low"] is not None else ""
            beside = f", age of case alone {number(base['value'])}" if base is not None else ""
            out.append(f"{landmark_label(table['landmark']):<14} AUC {number(mine['value'])}{ends}{beside}")
    return out


def as_facts(published: Published) -> dict[str, Any]:
    """The same for machines."""
    run, facts = published.run, published.report.summary
    chosen = (row for row in facts["backtest"]["metrics"] if row["origin"] is None and row["metric"] == "auc")
    return {
        "learner": run.learner_name,
        "as_of": run.as_of.isoformat(),
        "bundle_version": run.bundle.version,
        "version": published.logged.version,
        "is_champion": published.promotion is not None,
        "run_id": published.logged.run_id,
        "tracking_uri": published.logged.tracking_uri,
        "report": str(published.report.html),
        "report_json": str(published.report.json),
        "auc": [
            {k: row[k] for k in ("landmark", "learner", "value", "low", "high")}
            for row in chosen
            if row["learner"] in (run.learner_name, "baseline")
        ],
        "gates": [{k: gate[k] for k in ("number", "name", "status", "value", "limit")} for gate in facts["gates"]],
        "gates_failed": [gate.name for gate in run.failed],
        "warnings": list(run.warnings),
    }


def promoted_in_words(line: Promotion) -> str:
    """A promotion in a line or three."""
    before = f"; version {line.from_version} is kept as 'previous'" if line.from_version else ""
    said = [f"version {line.to_version} (bundle {line.bundle_version}) is champion{before}"]
    if line.override_reason:
        said.append(f"in spite of failed gates ({', '.join(line.gates_failed)}): {line.override_reason}")
    if line.from_version:
        said.append(f"to go back: risk promote {line.from_version}")
    return "\n".join(said)


def overview() -> str:
    """All versions, newest first, and the ledger, oldest first."""
    from models import registry
    from training import promotion

    lines = [
        f"version {v.number:>3}  {v.tags.get('as_of', ''):<10}  {v.tags.get('learner', ''):<10}  "
        f"gates {v.tags.get('gates', 'not known'):<9}  {', '.join(v.aliases)}".rstrip()
        for v in registry.versions()
    ]
    for p in promotion.ledger():
        why = f", failed {', '.join(p.gates_failed)}: {p.override_reason}" if p.override_reason else ""
        done = "" if p.state == "promoted" else f" ({p.state})"
        lines.append(f"{p.at}  {p.from_version or '-'} -> {p.to_version} by {p.by}{why}{done}")
    return "\n".join(lines) or "no version is registered yet"
