"""Batches: how far they were when somebody was last told, and whether their rows are still kept."""

import sqlalchemy as sa
from alembic import op

revision = "0009_batch_course"
down_revision = "0008_batch_money"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches", sa.Column("told_rows", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("batches", sa.Column("told_at", sa.DateTime(timezone=True)))
    op.add_column("batches", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.add_column("batches", sa.Column("is_erased", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_batches_kept",
        "batches",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL AND NOT is_erased"),
    )
    op.create_index("ix_batches_source", "batches", ["source_key"])


def downgrade() -> None:
    op.drop_index("ix_batches_source", "batches")
    op.drop_index("ix_batches_kept", "batches")
    for name in ("is_erased", "erased_at", "told_at", "told_rows"):
        op.drop_column("batches", name)
