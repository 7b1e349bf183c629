"""The audit log: append-only, hash-chained, signed, without biometrics or names; verified offline."""

from lfr.audit.chain import GENESIS, INSTALLATION_CHAIN, append, checkpoint, entry_hash, force_chain, seal_chain
from lfr.audit.export import export_chain
from lfr.audit.verify import Anchor, Verdict, read_anchor, verify_export

__all__ = [
    "GENESIS",
    "INSTALLATION_CHAIN",
    "Anchor",
    "Verdict",
    "append",
    "checkpoint",
    "entry_hash",
    "export_chain",
    "force_chain",
    "read_anchor",
    "seal_chain",
    "verify_export",
]
