"""``risk intake``: extracts of an office into a register."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from risk.errors import IntakeError
from risk.options import DAY


@click.command("intake")
@click.argument("mapping")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, metavar="REGISTER", type=click.Path(path_type=Path), help="Folder of the register."
)
@click.option("--extract-on", type=DAY, help="The extract holds what was recorded before this day.")
@click.option("--allow-rejected", default=0, show_default=True, metavar="N", type=click.IntRange(min=0),
              help="End well with up to N rejected rows.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the load report as JSON.")
def command(
    mapping: str, files: tuple[Path, ...], out: Path, extract_on: date | None, allow_rejected: int, as_json: bool
) -> None:
    """Read an office's extracts (CSV, XLSX, Parquet) into a register, with a load report.

    MAPPING is the name of a shipped mapping (danish_kmd, kentucky_michigan_injury) or the path of a TOML file of your own.
    FILE... are the cases file and, if there are any, facts files; which is which is seen from their headings.

    The register folder gets load_report.md, load_report.json and rejected.csv. CPR numbers become keyed hashes; the key, at
    least 32 bytes, comes from the environment variable RISK_CPR_KEY.

    When rows were rejected the register holds the others, and the command ends with an error (status 5) unless
    --allow-rejected lets that many pass.
    """
    from risk.intake import intake, key_from, read_mapping, write_intake
    from risk.intake.report import counted
    from risk.register import check_place

    read = read_mapping(mapping)
    key = key_from() if read.needs_cpr_key else None
    check_place(out, is_synthetic=False)
    result = intake(read, files, key=key, extract_on=extract_on)
    write_intake(result, out)
    report = result.report
    if as_json:
        click.echo(report.as_json(), nl=False)
    else:
        click.echo(
            f"{counted(report.n_cases, 'case')} and {counted(report.n_facts, 'fact')}, as known before {report.extract_on}: {out}"
        )
        for kind, counts in (("cases", report.cases), ("facts", report.facts)):
            if counts.read:
                click.echo(
                    f"{kind}: {counted(counts.read, 'row')} read, {counts.kept} kept, {counts.rejected} rejected, "
                    f"{counts.duplicates} duplicates, {counts.totals} totals, {counts.later} not known yet"
                )
        click.echo(f"report: {out / 'load_report.md'}")
    if report.n_rejected > allow_rejected:
        why = "; ".join(f"{f.what} ({f.n}: {f.where()})" for f in report.rejected[:3])
        more = f"; {len(report.rejected) - 3} more reasons" if len(report.rejected) > 3 else ""
        raise IntakeError(
            f"{counted(report.n_rejected, 'row')} rejected: {why}{more}. The others are in {out}; read load_report.md and "
            f"rejected.csv there, mend the extract, or let them pass with --allow-rejected {report.n_rejected}"
        )
