"""The first tables: the ledger of scores, what callers may repeat without harm, and their keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        _text("kind", 16),
        _text("score_id", 32),
        _text("at", 32),
        _text("caller", 255),
        _text("office", 64),
        _text("request_id", 64),
        _text("model_version", 64),
        _text("as_of", 10),
        _text("status", 32),
        _text("input_hash", 64),
        _text("output_hash", 64),
        sa.Column("detail", sa.Text(), nullable=False),
        _text("prev_hash", 64),
        _text("hash", 64),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger"),
        sa.UniqueConstraint("score_id", name="uq_ledger_score_id"),
    )
    op.create_index("ix_ledger_at", "ledger", ["at"])
    op.create_table(
        "ledger_payload",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        _text("case_id", 64),
        _text("salt", 32),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_payload"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_ledger_payload_seq"),
    )
    op.create_index("ix_ledger_payload_case_id", "ledger_payload", ["case_id"])
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", NUMBER, nullable=False),
        _text("hash", 64),
        _text("seal", 64),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_head"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "idempotency",
        _text("caller", 255),
        _text("key", 64),
        _text("at", 32),
        _text("request_hash", 64),
        sa.Column("first_seq", NUMBER, nullable=False),
        sa.Column("last_seq", NUMBER, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"])
    op.create_table(
        "api_key",
        _text("prefix", 16),
        _text("secret_hash", 64),
        _text("system", 64),
        _text("office", 64),
        _text("scopes", 255),
        _text("created_at", 32),
        _text("expires_at", 32),
        _text("revoked_at", 32),
        sa.PrimaryKeyConstraint("prefix", name="pk_api_key"),
    )


def downgrade() -> None:
    for table in ("api_key", "idempotency", "ledger_head", "ledger_payload", "ledger"):
        op.drop_table(table)
