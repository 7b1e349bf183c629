"""The HTTP client that a field unit imports; it needs no other part of lfr."""
