"""The arrows of the house and the guests of each room, read from the import statements."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("risk", "models", "training", "serving")
MAY_IMPORT = {
    "risk": set(),
    "models": {"risk"},
    "training": {"risk", "models"},
    "serving": {"risk", "models"},
}
GUESTS = {
    "risk": {"numpy", "pandas", "pandera", "pydantic", "click", "rich", "python_calamine", "pyarrow"},
    "models": {"numpy", "pandas", "sklearn", "lightgbm", "scipy", "threadpoolctl", "cryptography"},
    "training": {"numpy", "pandas", "pydantic", "matplotlib", "click", "jinja2"},
    "serving": {
        "numpy", "pandas", "pydantic", "pydantic_core", "pydantic_settings", "msgspec", "fastapi", "starlette", "uvicorn", "jinja2", "xlsxwriter",
        "click", "pyarrow", "sqlalchemy", "alembic", "jwt", "prometheus_client", "limits",
    },
}  # fmt: skip
# mlflow is received in these files and nowhere else.
MLFLOW = {"models/registry.py", "models/pyfunc.py", "training/tracking.py"}
# The one composition root names the other rooms as text and imports none of them.
FILES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
# The command at the foot of the description makes the service that it describes.
MAKES_THE_WHOLE = {("serving.description", "serving.api")}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("room", ROOMS)
def test_every_invited_guest_comes(room: str) -> None:
    inside = [path for path in FILES if path.is_relative_to(ROOT / room)]
    assert GUESTS[room] <= {module.split(".")[0] for path in inside for module in imported(path)}


def test_every_requirement_is_imported_somewhere() -> None:
    given = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    wanted = {re.split(r"[\[<>=]", line)[0] for line in given}
    names = {"pyjwt": "jwt", "scikit-learn": "sklearn"}
    found = {module.split(".")[0] for path in FILES for module in imported(path)}
    # The time zones that zoneinfo reads where the machine has none.
    assert {d for d in wanted - {"tzdata"} if names.get(d, d.replace("-", "_")) not in found} == set()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def needs(path: Path, modules: set[str]) -> Iterator[str]:
    """The modules of the house that a file imports anywhere in it, inside a function too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            yield from inner or {node.module} & modules


def test_no_module_needs_one_that_needs_it() -> None:
    modules = {module_of(path) for path in FILES}
    graph = {module_of(path): set(needs(path, modules)) for path in FILES}
    for upper, lower in MAKES_THE_WHOLE:
        graph[upper].remove(lower)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        pytest.fail(f"a circle: {' -> '.join(found.args[1])}")


def test_the_house_has_its_four_rooms_and_no_empty_one() -> None:
    for room in ROOMS:
        assert any(f.is_relative_to(ROOT / room) and f.name != "__init__.py" for f in FILES), room


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_along_the_arrows_and_only_invited_guests(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/")[0]
    for module in imported(path):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top == room:
            continue
        if top in ROOMS:
            assert top in MAY_IMPORT[room], f"{name} imports {module}: against the arrows"
        elif top == "mlflow":
            assert name in MLFLOW, f"{name} imports mlflow; only {', '.join(sorted(MLFLOW))} may"
        else:
            assert top in GUESTS[room], f"{name} imports {module}: not a guest of {room}/"


def test_the_help_of_the_command_imports_no_heavy_library() -> None:
    code = (
        "import sys\nfrom risk.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'pandas', 'numpy', 'lightgbm', 'mlflow', 'fastapi', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Monday" in done.stdout
