"""Many scores in one row of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "ledger_block",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("n_held", sa.Integer(), nullable=False),
        sa.Column("case_ids", sa.Text(), nullable=False),
        sa.Column("salts", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_block"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_ledger_block_seq"),
    )


def downgrade() -> None:
    op.drop_table("ledger_block")
