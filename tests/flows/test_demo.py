"""The demo, small: it walks every street and says where everything lies."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from risk.__main__ import main


def test_the_demo_walks_from_an_extract_to_two_mondays_and_leaves_the_environment_as_it_was(
    tmp_path: Path, risk_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    with pytest.raises(SystemExit) as end:
        main(["demo", "--cases", "600", "--out", str(tmp_path / "demo")])
    told = capsys.readouterr()
    assert end.value.code == 0, told.err
    assert {k: os.environ.get(k) for k in ("RISK_HOME", "RISK_CPR_KEY")} == {
        k: before.get(k) for k in ("RISK_HOME", "RISK_CPR_KEY")
    }
    for week in ("2026-W46", "2026-W47"):
        assert (tmp_path / "demo/lists" / week / "worklist.xlsx").is_file()
    assert (tmp_path / "demo/report/report.html").is_file()
    assert (tmp_path / "demo/home/store-dev.db").is_file()  # for the staff's page
    assert "no case in it is real" in told.out
    named = re.findall(r"^  the (?:service|runs) +(?:RISK_HOME=\S+ )?(\S+) ", told.out, flags=re.MULTILINE)
    assert [Path(command).name for command in named] == ["risk", "mlflow"]
    assert all(shutil.which(command) for command in named)  # as they stand there, from this folder
