"""Batches: whose key they are charged to, and what is reserved for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_batch_money"
down_revision = "0007_in_doubt"
branch_labels = None
depends_on = None

ADMIN_KEY_ID = "key_00000000000000000000000000"


def upgrade() -> None:
    op.add_column("batches", sa.Column("key_id", sa.Text(), server_default=ADMIN_KEY_ID, nullable=False))
    op.alter_column("batches", "key_id", server_default=None)
    op.add_column("batches", sa.Column("is_test", sa.Boolean(), server_default=sa.false(), nullable=False))
    for name in ("dearest_micros", "held_micros"):
        op.add_column("batches", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    # No single row was priced on its own before: no row was dearer than all of them together.
    op.execute("UPDATE batches SET dearest_micros = most_micros")
    op.add_column(
        "batches",
        sa.Column("budget_ids", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )


def downgrade() -> None:
    for name in ("budget_ids", "held_micros", "dearest_micros", "is_test", "key_id"):
        op.drop_column("batches", name)
