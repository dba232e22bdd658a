"""An index of the attempts in doubt: metrics count them and the dashboard lists them."""

import sqlalchemy as sa
from alembic import op

revision = "0007_in_doubt"
down_revision = "0005_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_attempts_in_doubt", "attempts", ["id"], unique=False, postgresql_where=sa.text("status = 'in_doubt'")
    )


def downgrade() -> None:
    op.drop_index(
        "ix_attempts_in_doubt", table_name="attempts", postgresql_where=sa.text("status = 'in_doubt'")
    )
