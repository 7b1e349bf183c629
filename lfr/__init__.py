"""Live facial recognition under control: from research to authorised deployment.

Importing this package loads nothing heavy; import the layer you need, for
example ``lfr.vision`` or ``lfr.pipeline``. The layers are listed in the
README and held by import-linter.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
