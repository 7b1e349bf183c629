"""Work on a data scientist's Ray: embedding data sets, and experiments."""

from lfr.training.embedding import ray_executor

__all__ = ["ray_executor"]
