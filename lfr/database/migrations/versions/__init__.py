"""Revisions, each down to the one before."""
