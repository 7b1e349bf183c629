"""The governed store's ground: tables, transactions, encryption at rest and key files."""

from lfr.database.encryption import DataKey
from lfr.database.engine import Database
from lfr.database.keys import FileKeyStore, KeyStore, MasterKey, SigningKey
from lfr.database.store import Store, create_store, open_store

__all__ = [
    "DataKey",
    "Database",
    "FileKeyStore",
    "KeyStore",
    "MasterKey",
    "SigningKey",
    "Store",
    "create_store",
    "open_store",
]
