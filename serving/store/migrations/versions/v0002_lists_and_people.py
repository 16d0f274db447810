"""The weekly lists, what staff say of them, who may sign in, and a record of who did what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _indexes(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    _people()
    _lists()
    op.create_table(
        "feedback",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        _text("at", 32),
        _text("by", 64),
        sa.Column("list_id", NUMBER, nullable=False),
        _text("case_id", 64),
        _text("person_key", 128),
        _text("kind", 16),
        _text("reason", 32),
        _text("model_version", 64),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["list_id"], ["worklist.id"], name="fk_feedback_list_id"),
    )
    _indexes("feedback", "at", "list_id", "case_id", "person_key")
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        _text("at", 32),
        _text("by", 64),
        _text("act", 32),
        _text("subject", 128),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    _indexes("audit", "at", "act", "subject")


def _people() -> None:
    op.create_table(
        "account",
        _text("name", 64),
        _text("role", 16),
        _text("office", 255),
        _text("team", 255),
        _text("language", 2),
        _text("password", 255),
        _text("created_at", 32),
        _text("disabled_at", 32),
        sa.PrimaryKeyConstraint("name", name="pk_account"),
    )
    op.create_table(
        "sign_in_failure",
        _text("name_hash", 64),
        sa.Column("n", sa.Integer(), nullable=False),
        _text("at", 32),
        _text("locked_until", 32),
        sa.PrimaryKeyConstraint("name_hash", name="pk_sign_in_failure"),
    )
    _indexes("sign_in_failure", "at")
    op.create_table(
        "web_session",
        _text("token_hash", 64),
        _text("name", 64),
        _text("opened_at", 32),
        _text("seen_at", 32),
        sa.PrimaryKeyConstraint("token_hash", name="pk_web_session"),
        sa.ForeignKeyConstraint(["name"], ["account.name"], name="fk_web_session_name"),
    )
    _indexes("web_session", "name", "seen_at")


def _lists() -> None:
    op.create_table(
        "worklist",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        _text("week", 8),
        _text("office", 255),
        _text("team", 255),
        sa.Column("revision", sa.Integer(), nullable=False),
        _text("as_of", 10),
        _text("made_at", 32),
        _text("made_by", 64),
        _text("model_version", 64),
        _text("policy_version", 64),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("row_hashes", sa.LargeBinary(), nullable=False),
        _text("prev_hash", 64),
        _text("hash", 64),
        sa.PrimaryKeyConstraint("id", name="pk_worklist"),
        sa.UniqueConstraint("week", "office", "team", "revision", name="uq_worklist_place"),
    )
    _indexes("worklist", "made_at")
    op.create_table(
        "worklist_case",
        sa.Column("list_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        _text("case_id", 64),
        _text("person_key", 128),
        _text("salt", 32),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "place", name="pk_worklist_case"),
        sa.ForeignKeyConstraint(["list_id"], ["worklist.id"], name="fk_worklist_case_list_id"),
    )
    _indexes("worklist_case", "case_id", "person_key")


def downgrade() -> None:
    for table in ("audit", "feedback", "worklist_case", "worklist", "web_session", "sign_in_failure", "account"):
        op.drop_table(table)
