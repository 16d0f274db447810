"""The commands of the README work as they stand, one after the other, on an extract made up for the purpose."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest

from risk.__main__ import COMMANDS, main
from risk.synthetic import synthesise
from risk.synthetic.danish import write_danish

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """Every ``risk ...`` line of the page's code blocks, as a shell would split it."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("risk ")]


def test_the_readme_walks_from_an_extract_to_lists_and_scores(
    tmp_path: Path, risk_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register, _ = synthesise(700, 3, extract_on=date(2026, 11, 16))
    office = tmp_path / "office"
    write_danish(register, office)
    monkeypatch.chdir(office)
    monkeypatch.setenv("RISK_CPR_KEY", "k" * 32)
    given = [c for c in commands(ROOT / "README.md") if c[0] != "serve"]  # served and asked in test_serve_flow
    assert [c[0] for c in given] == ["intake", "train", "promote", "list", "score"]
    for words in given:
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0, (words, capsys.readouterr().err)
    assert (office / "scores.parquet").is_file()
    assert (risk_home / "lists/2026-W47/worklist.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_names_only_commands_and_files_that_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for words in commands(page):
        assert words[0] in COMMANDS or words[0].startswith("--"), words
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
