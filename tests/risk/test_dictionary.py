from pathlib import Path

from risk import dictionary, schema

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_dictionary_is_the_one_the_declaration_makes() -> None:
    made = dictionary.as_markdown()
    assert (DOCS / "data-dictionary.md").read_text("utf-8") == made, (
        "run 'risk dictionary --out docs/data-dictionary.md'"
    )


def test_every_attribute_stands_in_the_dictionary_with_its_marks() -> None:
    made = dictionary.as_markdown()
    for attribute in schema.attributes().values():
        row = next(
            line for line in made.splitlines() if line.startswith(f"| `{attribute.name}` | `{attribute.danish}`")
        )
        assert f"| {' '.join(attribute.marks) or '-'} | {attribute.use} |" in row
