"""Endpoints: their health, who is not to be asked for a while, and the router's decisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_endpoints"
down_revision = "0002_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoint_holds",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("credential", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "credential", "reason", name=op.f("pk_endpoint_holds")),
    )
    op.create_table(
        "catalog_reloads",
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("wished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_catalog_reloads")),
    )
    op.create_index(
        "ix_attempts_in_flight",
        "attempts",
        ["provider", "model", "credential"],
        postgresql_where=sa.text("status IN ('intended', 'sent', 'accepted')"),
    )
    op.create_index(
        "ix_attempts_finished", "attempts", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL")
    )
    op.add_column(
        "requests",
        sa.Column(
            "route",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("requests", "route")
    op.drop_index("ix_attempts_finished", table_name="attempts")
    op.drop_index("ix_attempts_in_flight", table_name="attempts")
    op.drop_table("catalog_reloads")
    op.drop_table("endpoint_holds")
