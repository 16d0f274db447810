"""One family of errors, and the one table that says what each means to a shell and to HTTP.

A message says what is wrong, where (column, how many rows, at most three row numbers) and what to do about it.
It never holds a personal value: no CPR number, no attribute of a case.
"""

from __future__ import annotations

from collections.abc import Iterable


class RiskError(Exception):
    """Anything a user can mend. Bugs raise builtins instead."""

    code = "risk-error"
    exit_status = 1
    http_status = 500


class CaseDataError(RiskError, ValueError):
    """The cases or facts do not fit the schema, or cannot be true."""

    code = "case-data"
    exit_status = 3
    http_status = 422


class RegisterError(RiskError, ValueError):
    """A register folder is missing, damaged, or written by another schema."""

    code = "register"
    exit_status = 4
    http_status = 500


class IntakeError(RiskError, ValueError):
    """An extract or its mapping cannot be read."""

    code = "intake"
    exit_status = 5
    http_status = 400


class ConfigError(RiskError, ValueError):
    """A policy, plan, outcome definition or setting is not usable."""

    code = "config"
    exit_status = 6
    http_status = 500


class AsOfError(RiskError, ValueError):
    """The as-of or cut date lies where nothing is known."""

    code = "as-of"
    exit_status = 7
    http_status = 422


class TooFewCasesError(RiskError, ValueError):
    """There is too little to learn or judge from: no closed case, one group only, no open case."""

    code = "too-few-cases"
    exit_status = 8
    http_status = 422


class BundleError(RiskError, ValueError):
    """A saved model is damaged, incomplete, or does not fit this version."""

    code = "bundle"
    exit_status = 9
    http_status = 503


class RegistryError(RiskError, LookupError):
    """The model registry has no such model, version or alias, or cannot be reached."""

    code = "registry"
    exit_status = 10
    http_status = 503


class GateError(RiskError, PermissionError):
    """A challenger failed a gate and nobody gave a reason to override it."""

    code = "gate"
    exit_status = 11
    http_status = 409


class OutputError(RiskError, OSError):
    """A file or folder could not be written; what stood there before is untouched."""

    code = "output"
    exit_status = 12
    http_status = 500


class StoreError(RiskError, OSError):
    """The store cannot be reached, written or trusted; nothing was recorded."""

    code = "store"
    exit_status = 13
    http_status = 503


def why_unreadable(why: Exception) -> str:
    """Why a text file could not be read or parsed, in a few words and without the path.

    >>> why_unreadable(FileNotFoundError(2, "No such file or directory", "policy.toml"))
    'No such file or directory'
    """
    if isinstance(why, OSError):
        return why.strerror or type(why).__name__
    return "not a text in UTF-8" if isinstance(why, UnicodeDecodeError) else str(why)


def rows_named(rows: Iterable[int]) -> str:
    """Name at most three row numbers, and how many there are in all.

    >>> rows_named([4, 9, 12, 30])
    '4 rows (rows 4, 9, 12, ...)'
    >>> rows_named([7])
    '1 row (row 7)'
    """
    numbers = [int(r) for r in rows]
    shown = ", ".join(str(r) for r in numbers[:3])
    more = ", ..." if len(numbers) > 3 else ""
    one = len(numbers) == 1
    return f"{len(numbers)} row{'' if one else 's'} (row{'' if one else 's'} {shown}{more})"
