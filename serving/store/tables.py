"""The tables of the store. They change only by a migration (:mod:`serving.store.migrations`); a test holds the two together.

Days and instants are ISO 8601 text, so that both databases keep the very characters that were hashed. What is personal
stands in ``ledger_payload`` and ``idempotency`` and nowhere else: those rows can go while the chain stays whole.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

# A row number that counts by itself is an INTEGER in SQLite and nothing else; here all numbers are given.
NUMBER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # "score", or "erasure" of earlier rows' payloads
    Column("score_id", String(32), nullable=False, unique=True),
    Column("at", String(32), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("office", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("as_of", String(10), nullable=False),
    Column("status", String(32), nullable=False),
    Column("input_hash", String(64), nullable=False),
    Column("output_hash", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_ledger_at", "at"),
)

ledger_payload = Table(
    "ledger_payload",
    metadata,
    Column("seq", NUMBER, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False),
    Column("case_id", String(64), nullable=False, index=True),
    Column("salt", String(32), nullable=False),
    Column("input", Text, nullable=False),
    Column("output", Text, nullable=False),
)

# One row: how many rows the chain has and how it ends, sealed with a key that is not in the database.
ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("n", NUMBER, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller", String(255), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("at", String(32), nullable=False, index=True),
    Column("request_hash", String(64), nullable=False),
    Column("first_seq", NUMBER, nullable=False),
    Column("last_seq", NUMBER, nullable=False),
    Column("body", Text, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("prefix", String(16), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("office", String(64), nullable=False),  # empty: every office
    Column("scopes", String(255), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("revoked_at", String(32), nullable=False),  # empty: not revoked
)
