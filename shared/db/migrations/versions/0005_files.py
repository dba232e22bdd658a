"""Files that callers uploaded, and the form in which a job's own events are posted."""

import sqlalchemy as sa
from alembic import op

revision = "0005_files"
down_revision = "0004_batches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index("ix_files_tenant", "files", ["tenant_id", "id"], unique=False)
    op.create_index(
        "ix_files_expires",
        "files",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


    op.add_column("jobs", sa.Column("webhook_format", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("format", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "format")
    op.drop_column("jobs", "webhook_format")
    op.drop_table("files")
