"""The tables of the store. They change only by a migration (:mod:`serving.store.migrations`); a test holds the two together.

Days and instants are ISO 8601 text, so that both databases keep the very characters that were hashed. What is personal of
a case stands in ``ledger_payload``, ``ledger_block``, ``idempotency``, ``worklist_case``, ``feedback`` and
``audit.subject`` and nowhere else: those rows can go while the chains of the ledger and of the lists stay whole.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# A row number that counts by itself is an INTEGER in SQLite and nothing else; the numbers of a chain are given.
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
    Column(
        "kind", String(16), nullable=False
    ),  # "score", "block" of many scores, or "erasure" of earlier rows' payloads
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

# What is personal of the many scores of one row of the chain (:mod:`serving.store.blocks`).
ledger_block = Table(
    "ledger_block",
    metadata,
    Column("seq", NUMBER, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False),
    Column("n_held", Integer, nullable=False),
    Column("case_ids", Text, nullable=False),
    Column("salts", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
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

account = Table(
    "account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("office", String(255), nullable=False),  # empty: none, for those who see no case
    Column("team", String(255), nullable=False),  # empty: not bound to a team
    Column("language", String(2), nullable=False),
    Column("password", String(255), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("disabled_at", String(32), nullable=False),  # empty: not disabled
)

# Failed tries to sign in, by a hash of the name: also names nobody has, so that both behave alike.
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("name_hash", String(64), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("at", String(32), nullable=False, index=True),
    Column("locked_until", String(32), nullable=False),
)

web_session = Table(
    "web_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(64), ForeignKey("account.name"), nullable=False, index=True),
    Column("opened_at", String(32), nullable=False),
    Column("seen_at", String(32), nullable=False, index=True),
)

# The list of one team and week in one revision, without its cases. ``row_hashes`` holds 32 bytes for each row, in order.
worklist = Table(
    "worklist",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("week", String(8), nullable=False),
    Column("office", String(255), nullable=False),
    Column("team", String(255), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("as_of", String(10), nullable=False),
    Column("made_at", String(32), nullable=False, index=True),
    Column("made_by", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("about", Text, nullable=False),
    Column("row_hashes", LargeBinary, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("week", "office", "team", "revision", name="uq_worklist_place"),
)

worklist_case = Table(
    "worklist_case",
    metadata,
    Column("list_id", NUMBER, ForeignKey("worklist.id"), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("case_id", String(64), nullable=False, index=True),
    Column("person_key", String(128), nullable=False, index=True),
    Column("salt", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False, index=True),
    Column("by", String(64), nullable=False),
    Column("list_id", NUMBER, ForeignKey("worklist.id"), nullable=False, index=True),
    Column("case_id", String(64), nullable=False, index=True),
    Column("person_key", String(128), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("model_version", String(64), nullable=False),
)

# Who did or saw what: ``subject`` is the pseudonym of a case or a person, or empty.
audit = Table(
    "audit",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False, index=True),
    Column("by", String(64), nullable=False),
    Column("act", String(32), nullable=False, index=True),
    Column("subject", String(128), nullable=False, index=True),
    Column("detail", Text, nullable=False),
)
