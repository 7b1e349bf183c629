"""Alembic's scripts; `lfr.database.migrate` runs them."""
