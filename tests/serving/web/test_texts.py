"""Every text of the pages comes from the catalogues, and both languages have it."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest

from serving.language import LANGUAGES, catalogue

ROOT = Path(__file__).parents[3] / "serving"
TEMPLATES = sorted((ROOT / "pages/web").glob("*.html.j2"))
NAMES = {"Risk52"}  # a name is no text


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_fields() -> None:
    danish, english = catalogue("da"), catalogue("en")
    assert danish.keys() == english.keys()
    for key, text in danish.items():
        assert fields(text) == fields(english[key]), key
        assert text.strip(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_part_stands_in_two_files(language: str) -> None:
    parts = [set(tomllib.loads((ROOT / f"texts/{n}.toml").read_text("utf-8"))) for n in (language, f"web.{language}")]
    assert not parts[0] & parts[1]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_template_holds_no_text_of_its_own(path: Path) -> None:
    source = re.sub(r"\{%.*?%\}|\{#.*?#\}", " ", path.read_text("utf-8"), flags=re.S)
    source = re.sub(r"\{\{.*?\}\}", " ", source, flags=re.S)
    for told in re.findall(r'(?:aria-label|title|alt|placeholder|content)="([^"]*[^\W\d_]{2,}[^"]*)"', source):
        assert told in ("width=device-width, initial-scale=1", "noindex"), (
            f"{path.name}: {told!r} is not in the catalogue"
        )
    between = re.sub(r"<[^>]*>", " ", source)
    own = set(re.findall(r"[^\W\d_]{2,}\w*", between)) - NAMES
    assert not own, f"{path.name} says {sorted(own)} without the catalogue"


def keys_in(path: Path) -> set[str]:
    return set(re.findall(r'say\(\s*"([a-z_]+\.[a-z_0-9]+)"', path.read_text("utf-8")))


def test_every_text_that_is_asked_for_by_name_is_there() -> None:
    asked = {key: path.name for path in [*TEMPLATES, *(ROOT / "web").glob("*.py")] for key in keys_in(path)}
    assert len(asked) > 100
    assert not {key: where for key, where in asked.items() if key not in catalogue("da")}


def test_no_text_of_the_pages_is_left_over() -> None:
    sources = "\n".join(p.read_text("utf-8") for p in [*TEMPLATES, *(ROOT / "web").glob("*.py")])
    # The beginning of a key that a code is put behind, in a template ("web_role." ~ role) or in Python (f"web_model.{name}").
    made = tuple(re.findall(r'"(web[a-z_]*\.[a-z_]*)(?:" ~|\{)', sources))
    named = set(re.findall(r"""["'](web[a-z_]*\.[a-z_0-9]+)["']""", sources))
    unused = [k for k in catalogue("da") if k.startswith("web") and k not in named and not k.startswith(made)]
    assert not unused
