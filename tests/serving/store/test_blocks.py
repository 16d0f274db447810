"""Many scores in one row of the ledger: found one by one, erased one by one, and every change is told."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from risk.errors import StoreError
from serving.store.blockrows import kept_block
from serving.store.blocks import (
    HASH,
    SALT,
    Block,
    BlockPayload,
    block_hash,
    packed,
    place_of,
    row_hashes,
    score_id_of,
    unpacked,
    without,
)
from serving.store.blocktext import Template, header_of, inputs, outputs
from serving.store.engine import Store, open_store
from serving.store.erasing import erase_scores, erase_scores_before
from serving.store.ledger import Entry, Repeatable, Seals, Submission, append, begin_chain, block_entry, find
from serving.store.persons import erase_person, export_person
from serving.store.tables import idempotency, ledger, ledger_block
from serving.store.verify import verify

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BLOCK_ID = "ab" * 12
_FIRST = ('{"row":', ',"case_id":"', '","score_id":"')
TEMPLATES = [
    Template((*_FIRST, '","status":"scored","p":', ',"why":', "}"), ("i0", "case", "score", "n2", "c0")),
    Template((*_FIRST, '","status":"abstained"}'), ("i0", "case", "score")),
]
HEADER = header_of(
    date(2026, 11, 23),
    TEMPLATES,
    [["industry", "category", ["trade", "other"]], ["has_union", "flag", []], ["weekly_hours", "number", []]],
    [["form_received", "flag", []]],
)


def made_block(n: int, seed: int = 1, name: str = "SYN") -> Block:
    """``n`` made-up rows: the third of every four abstained, texts some of which only one row has, 0 to 2 facts each."""
    rng = np.random.default_rng(seed)
    given_ = np.column_stack(
        [np.full(n, 20300.0), np.full(n, 20330.0), rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random(n)]
    )
    given_[rng.random((n, 5)) < 0.2] = np.nan
    given_[:, :2] = 20300.0, 20330.0
    sizes = rng.integers(0, 3, n)
    facts = np.column_stack([np.zeros(sizes.sum()), rng.integers(20330, 20400, sizes.sum()), np.ones(sizes.sum())])
    shape = (np.arange(n) % 4 == 2).astype(float)
    numbers = np.column_stack([np.arange(n) * 2.0, shape, rng.random(n)])
    pieces = ['"shared"', *(f'"only of {i}"' for i in range(n))]
    codes = np.where(rng.random(n) < 0.5, 0, np.arange(n) + 1).reshape(n, 1)
    return Block(
        HEADER, np.arange(n), [f"{name}{i:04d}" for i in range(n)], given_, np.cumsum(sizes), facts, numbers, codes, pieces
    )  # fmt: skip


def entry_of(block: Block, block_id: str = BLOCK_ID, at: str = "2026-11-23T10:00:00.000000Z") -> Entry:
    return block_entry(
        block, block_id=block_id, at=at, caller="key:abc", office="Nordby", request_id="r", model_version="m", as_of="2026-11-23"
    )  # fmt: skip


def write(store: Store, seals: Seals, *entries: Entry, repeatable: Repeatable | None = None) -> None:
    with store.writing() as connection:
        append(connection, [Submission(list(entries), repeatable)], seals)


@pytest.fixture
def filled(begun: Store, seals: Seals, entry: Callable[..., Entry]) -> Store:
    """A single score, a block of nine, a single score, a block of five."""
    write(begun, seals, entry(1), entry_of(made_block(9)))
    write(begun, seals, entry(2), entry_of(made_block(5, 2, "OTHER"), "cd" * 12))
    return begun


def count(store: Store, table: Any = ledger_block) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_every_score_of_a_block_is_found_by_an_id_of_its_own_as_it_was_told(filled: Store) -> None:
    block = made_block(9)
    told, asked = outputs(block, BLOCK_ID), inputs(block)
    assert len(set(told)) == 9
    for i in range(9):
        past = find(filled, score_id_of(BLOCK_ID, i))
        assert past is not None
        assert (past.seq, past.input, past.output, past.link.office) == (2, asked[i], told[i], "Nordby")
        assert json.loads(told[i])["score_id"] == score_id_of(BLOCK_ID, i)
    other = find(filled, score_id_of("cd" * 12, 4))
    assert other is not None
    assert json.loads(other.output or "")["case_id"] == "OTHER0004"


def test_an_id_that_names_no_row_of_a_block_finds_nothing(filled: Store) -> None:
    for row in (-1, 9, 10**6):
        assert find(filled, score_id_of(BLOCK_ID, row)) is None
    assert find(filled, "ef" * 16) is None
    assert place_of(BLOCK_ID + "00000000") == (BLOCK_ID + "00000000", -1)


def test_a_row_says_its_numbers_as_python_writes_them_and_its_facts_in_words() -> None:
    block = made_block(1)
    strange = [0.0, 1.0, 1e-5, 0.1 + 0.2, 5e-324, 1e16, 123456.0, 1 / 3, np.nan]
    block = replace(
        Block(
            block.header, np.arange(9), ["SYN0000"] * 9, np.repeat(block.given, 9, axis=0), np.arange(1, 10),
            np.array([[0.0, 20331.0, 1.0]] * 9), np.column_stack([np.arange(9.0), np.zeros(9), strange]),
            np.zeros((9, 1), dtype=np.int64), block.pieces,
        )
    )  # fmt: skip
    for text, number in zip(outputs(block, BLOCK_ID), strange, strict=True):
        assert f'"p":{"null" if number != number else repr(number)},"why":"shared"}}' in text
    [asked] = json.loads(inputs(block)[0])["cases"]
    assert (asked["opened_on"], asked["registered_on"]) == (
        "2025-07-31",
        "2025-08-30",
    )  # date -d "1970-01-01 20300 days"
    assert asked["facts"] == [{"known_on": "2025-08-31", "name": "form_received", "value": True}]


def test_a_chain_with_blocks_is_whole_and_counts_their_scores(filled: Store, seals: Seals) -> None:
    found = verify(filled, seals)
    assert (found.faults, found.n_rows, found.n_payloads, found.n_erased) == ([], 4, 16, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 50), st.data())
def test_whatever_rows_go_the_others_are_told_and_proved_as_before(n: int, seed: int, data: st.DataObject) -> None:
    block = made_block(n, seed)
    salts = random.Random(seed).randbytes(SALT * n)
    kept, covers = packed(block, salts)
    told, asked, gone = outputs(block, BLOCK_ID), inputs(block), set[int]()
    for _ in range(2):
        now = data.draw(st.sets(st.integers(0, n - 1)))
        kept, rows = without(kept, [f"SYN{i:04d}" for i in now])
        assert set(rows) == now - gone
        gone |= now
        left = unpacked(kept)
        stay = [i for i in range(n) if i not in gone]
        assert left.rows.tolist() == stay
        if stay:
            assert outputs(left, BLOCK_ID) == [told[i] for i in stay]
            assert inputs(left) == [asked[i] for i in stay]
        here = row_hashes(left, kept.salts)
        assert here == b"".join(kept.hashes[HASH * i : HASH * i + HASH] for i in stay)
        assert block_hash(left.header, kept.hashes) == covers
        used = {f'"only of {i - 1}"' for i in block.codes[stay, 0].tolist() if i} if stay else set()
        assert {p for p in left.pieces if p.startswith('"only')} == used  # nothing of who went stays


def changed(store: Store, **values: Any) -> None:
    with store.writing() as connection:
        connection.execute(update(ledger_block).where(ledger_block.c.seq == 2).values(**values))


def kept(store: Store, seq: int = 2) -> BlockPayload:
    with store.reading() as connection:
        found = kept_block(connection, seq)
    assert found is not None
    return found


@pytest.mark.parametrize("column", ["n_held", "case_ids", "salts", "hashes", "body"])
def test_an_edited_part_of_a_block_is_found(filled: Store, seals: Seals, column: str) -> None:
    before, rng = getattr(kept(filled), column), random.Random(3)
    for _ in range(1 if column == "n_held" else 12):
        if column == "n_held":
            changed(filled, n_held=before + 1)
        elif column == "case_ids":
            place = rng.randrange(len(before))
            changed(filled, case_ids=before[:place] + ("x" if before[place] != "x" else "y") + before[place + 1 :])
        else:
            place = rng.randrange(len(before))
            changed(
                filled,
                **{column: before[:place] + bytes([before[place] ^ 1 << rng.randrange(8)]) + before[place + 1 :]},
            )
        assert verify(filled, seals).n_faults > 0, column
    for cut in (0, 1, len(before) // 2) if column != "n_held" else ():
        changed(filled, **{column: before[:cut]})
        assert verify(filled, seals).n_faults > 0, (column, cut)


@pytest.mark.parametrize("part", ["given", "facts", "numbers", "codes", "pieces", "header", "fact_ends", "case_ids"])
def test_a_block_packed_anew_with_another_content_is_found(filled: Store, seals: Seals, part: str) -> None:
    block, payload = made_block(9), kept(filled)
    other: dict[str, Any] = {
        "given": block.given * 1.5, "facts": block.facts * 2, "numbers": block.numbers[:, ::-1],
        "codes": (block.codes + 1) % 9, "pieces": [p.replace("of", "off") for p in block.pieces], "header": HEADER + " ",
        "fact_ends": np.minimum(block.fact_ends + 1, block.fact_ends[-1]), "case_ids": block.case_ids[::-1],
    }  # fmt: skip
    anew, _ = packed(replace(block, **{part: other[part]}), payload.salts)
    changed(filled, body=anew.body, case_ids=anew.case_ids)
    assert verify(filled, seals).n_faults > 0
    changed(filled, hashes=anew.hashes)  # and with hashes that fit
    assert verify(filled, seals).n_faults > 0


def test_two_rows_of_a_block_that_changed_places_are_found(filled: Store, seals: Seals) -> None:
    block, payload = made_block(9), kept(filled)
    swapped = block.only([1, 0, *range(2, 9)])
    salts = payload.salts[SALT : 2 * SALT] + payload.salts[:SALT] + payload.salts[2 * SALT :]
    anew, _ = packed(replace(swapped, rows=np.arange(9)), salts)
    changed(filled, **vars(anew))
    assert verify(filled, seals).faults == ["row 2: the block was changed after it was written"]


def test_a_row_gone_without_a_record_is_found(filled: Store, seals: Seals) -> None:
    left, rows = without(kept(filled), ["SYN0003"])
    assert rows == [3]
    changed(filled, **vars(left))
    assert verify(filled, seals).faults == ["row 2: score 4 of the block is gone, and no erasure is on record"]


def test_a_block_gone_without_a_record_or_in_a_wrong_place_is_found(filled: Store, seals: Seals) -> None:
    whole = kept(filled)
    with filled.writing() as connection:
        connection.execute(delete(ledger_block).where(ledger_block.c.seq == 2))
    assert verify(filled, seals).faults == ["row 2: the payload is gone, and no erasure is on record"]
    with filled.writing() as connection:
        connection.execute(ledger_block.insert(), {"seq": 1, **vars(whole)})
    assert "payload 1 belongs to no row" in verify(filled, seals).faults


def test_one_case_is_erased_from_blocks_and_single_rows_and_the_chain_says_so(
    begun: Store, seals: Seals, entry: Callable[..., Entry]
) -> None:
    answer = Repeatable("key:abc", "again", "h", "the answer")
    write(begun, seals, entry(1, case_id="SYN0003"), entry_of(made_block(9)), repeatable=answer)
    write(begun, seals, entry_of(made_block(5, 2), "cd" * 12))
    anchor = verify(begun, seals).anchor
    assert erase_person(begun, "SYN0003", "the person asked", "admin", NOW, lambda: seals).n_scores == 3
    found = verify(begun, seals, anchor=anchor)
    assert (found.faults, found.n_rows, found.n_payloads, found.n_erased) == ([], 4, 12, 3)
    gone, there = find(begun, score_id_of(BLOCK_ID, 3)), find(begun, score_id_of(BLOCK_ID, 4))
    assert gone is not None
    assert there is not None
    assert (gone.input, gone.output) == (None, None)
    assert there.output == outputs(made_block(9), BLOCK_ID)[4]
    assert count(begun, idempotency) == 0
    assert erase_person(begun, "SYN0003", "again", "admin", NOW, lambda: seals).n_scores == 0
    # Another one, later: two records speak of one block.
    assert erase_person(begun, "SYN0008", "asked", "admin", NOW, lambda: seals).n_scores == 1
    assert verify(begun, seals, anchor=anchor).faults == []
    with begun.reading() as connection:
        details = connection.execute(select(ledger.c.detail).where(ledger.c.kind == "erasure")).scalars().all()
    assert [json.loads(d).get("emptied") for d in details] == [{"2": [3], "3": [3]}, {"2": [8]}]


def test_a_case_whose_id_is_part_of_another_one_is_not_taken_for_it(begun: Store, seals: Seals) -> None:
    write(begun, seals, entry_of(made_block(12)))
    for pseudonym in ("SYN000", "YN0001", "SYN0001\nSYN0002"):
        assert export_person(begun, pseudonym, "admin", NOW)["cases"] == []
        assert erase_person(begun, pseudonym, "asked", "admin", NOW, lambda: seals).n_scores == 0
    found = verify(begun, seals)
    assert (found.n_rows, found.n_payloads) == (1, 12)


def test_a_persons_scores_in_blocks_are_given_out_beside_the_single_ones(
    begun: Store, seals: Seals, entry: Callable[..., Entry]
) -> None:
    write(begun, seals, entry_of(made_block(9)), entry(1, case_id="SYN0002"))
    single, many = reversed(export_person(begun, "SYN0002", "admin", NOW)["scores"])
    assert list(many) == list(single)
    assert (many["seq"], many["status"], many["score_id"]) == (1, "abstained", score_id_of(BLOCK_ID, 2))
    assert many["output"] == json.loads(outputs(made_block(9), BLOCK_ID)[2])
    assert many["input"] == json.loads(inputs(made_block(9))[2])


def test_retention_lets_go_of_whole_blocks_and_counts_their_scores(begun: Store, seals: Seals) -> None:
    write(begun, seals, entry_of(made_block(9), at="2026-11-01T10:00:00.000000Z"))
    write(begun, seals, entry_of(made_block(5), "cd" * 12))
    with begun.writing() as connection:
        assert erase_scores(connection, lambda: seals, ["SYN0001"], "asked", "admin", NOW) == 2
        assert erase_scores_before(connection, lambda: seals, datetime(2026, 11, 5, tzinfo=UTC), "admin", NOW) == 8
        assert erase_scores_before(connection, lambda: seals, datetime(2026, 11, 5, tzinfo=UTC), "admin", NOW) == 0
    found = verify(begun, seals)
    assert (found.faults, found.n_payloads) == ([], 4)
    assert find(begun, score_id_of(BLOCK_ID, 0)).output is None  # type: ignore[union-attr]  # it is there, erased


def test_a_damaged_block_is_told_and_not_half_erased(filled: Store, seals: Seals) -> None:
    changed(filled, body=b"")
    with pytest.raises(StoreError, match="row 2 of the ledger cannot be read"):
        find(filled, score_id_of(BLOCK_ID, 0))
    with pytest.raises(StoreError, match="cannot be read"):
        erase_person(filled, "SYN0001", "asked", "admin", NOW, lambda: seals)


def test_nothing_of_a_row_erased_from_a_block_stays_in_the_files(tmp_path: Path, seals: Seals) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    begin_chain(store, seals)
    write(store, seals, entry_of(made_block(40, name="FINDME")))
    old = kept(store, 1)

    def holds(text: bytes) -> bool:
        return any(text in f.read_bytes() for f in tmp_path.iterdir())

    assert holds(b"FINDME0001")
    assert holds(old.body[40:90])
    erase_person(store, "FINDME0001", "the person asked", "admin", NOW, lambda: seals)
    assert not holds(b"FINDME0001")
    assert not holds(old.body[40:90])
    assert holds(b"FINDME0002")
    store.close()


def test_a_text_with_a_line_break_is_not_packed() -> None:
    with pytest.raises(ValueError, match="line break"):
        packed(replace(made_block(2), pieces=["a", "b\nc", "d"]), bytes(32))
