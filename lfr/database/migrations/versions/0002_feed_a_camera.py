"""Let the service read a camera's source itself, and count the frames it was too slow for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXTS = ("feed_id", "feed_source", "feed_by", "feed_state", "feed_reason")


def upgrade() -> None:
    op.add_column("camera", sa.Column("frames_dropped", sa.BigInteger(), nullable=False, server_default="0"))
    for name in _TEXTS:
        op.add_column("camera", sa.Column(name, sa.String(), nullable=True))
    op.add_column("camera", sa.Column("feed_changed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ("feed_changed_at", *_TEXTS, "frames_dropped"):
        op.drop_column("camera", name)
