"""What all processes must know about endpoints: who is not to be asked now, and when to read the catalog again."""

import sqlalchemy as sa

from shared.db.tables import metadata

endpoint_holds = sa.Table(
    "endpoint_holds",
    metadata.metadata,
    # An endpoint (`model@provider`) that throttles us, or a provider that rejects one of our keys.
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("credential", sa.SmallInteger, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    # Tells whether the key is still the same one.
    sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
    sa.Column("noted_at", metadata.Moment, nullable=False),
    sa.Column("until_at", metadata.Moment, nullable=False),
)

catalog_reloads = sa.Table(
    "catalog_reloads",
    metadata.metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("wished_at", metadata.Moment, nullable=False),
)
