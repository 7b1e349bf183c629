"""The audit log: append-only, hash-chained, without biometrics or names."""

from lfr.audit.chain import GENESIS, INSTALLATION_CHAIN, append, checkpoint, entry_hash, force_chain

__all__ = ["GENESIS", "INSTALLATION_CHAIN", "append", "checkpoint", "entry_hash", "force_chain"]
