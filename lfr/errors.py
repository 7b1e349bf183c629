"""The one error tree.

::

    LfrError                     anything lfr refuses or cannot do
    ├── InputError               what the caller gave cannot be used
    │   ├── ImageError           an image is missing, broken, too large or of no known kind
    │   ├── SourceError          a video, camera or stream cannot be opened or broke off
    │   ├── FaceError            an image does not hold the one usable face that was asked for
    │   ├── WatchlistError       a watchlist, or one image in it, cannot be used
    │   ├── ManifestError        a manifest of images is malformed
    │   ├── CalibrationError     a calibration file is malformed, or was changed since it was made
    │   ├── EvidenceError        an evidence file was changed, or was not signed by whom it should be
    │   ├── LimitError           larger than a service takes
    │   └── SettingsError        a setting, option or environment variable is wrong
    ├── ModelError               a model cannot be loaded or run as asked
    │   ├── WeightsError         a weight file is missing or is not the one that was pinned
    │   ├── RuntimeUnavailableError   the runtime, device or precision asked for is not here
    │   ├── ModelMismatchError   templates of two different models met
    │   └── TrainingError        training cannot go on; its last good checkpoint is kept
    ├── StoreError               the governed store is not there, or does not hold what was asked for
    │   ├── StoreUnavailableError     the database cannot be reached, is locked, read-only or full
    │   ├── MigrationError       the database's tables are not those of this version
    │   ├── KeyFileError         a key is missing, destroyed, wrong or open to others
    │   ├── RegistryError        the model registry cannot be reached, or a version in it is not what was registered
    │   ├── NotFoundError        there is no such thing, or it belongs to another force
    │   └── ConflictError        what is there does not allow it: sealed, started, adjudicated, the same again
    │       └── PassedOverError  a camera's frame came after a later one was looked at
    ├── ServiceError             a service, or a part of one, is not there or starting again; try again
    │   └── BusyError            more is asked of it at once than it takes; slow down
    └── RefusedError             a safeguard says no, whatever the input
        ├── AccessDeniedError    the key is unknown, expired or revoked, or its role may not do this
        └── NotAuthorisedError   there is no live, authorised deployment that covers this

Every message says what is wrong and where, in one line, and what to do
where that is not obvious. The command line prints it and exits with 2.
"""

__all__ = [
    "AccessDeniedError",
    "BusyError",
    "CalibrationError",
    "ConflictError",
    "EvidenceError",
    "FaceError",
    "ImageError",
    "InputError",
    "KeyFileError",
    "LfrError",
    "LimitError",
    "ManifestError",
    "MigrationError",
    "ModelError",
    "ModelMismatchError",
    "NotAuthorisedError",
    "NotFoundError",
    "PassedOverError",
    "RefusedError",
    "RegistryError",
    "RuntimeUnavailableError",
    "ServiceError",
    "SettingsError",
    "SourceError",
    "StoreError",
    "StoreUnavailableError",
    "TrainingError",
    "WatchlistError",
    "WeightsError",
]


class LfrError(Exception):
    """Anything lfr refuses or cannot do."""


class InputError(LfrError):
    """What the caller gave cannot be used."""


class ImageError(InputError):
    """An image is missing, broken, too large or of no known kind."""


class SourceError(InputError):
    """A video, camera or stream cannot be opened or broke off."""


class FaceError(InputError):
    """An image does not hold the one usable face that was asked for."""


class WatchlistError(InputError):
    """A watchlist, or one image in it, cannot be used."""


class ManifestError(InputError):
    """A manifest of images is malformed."""


class CalibrationError(InputError):
    """A calibration file is malformed, or was changed since it was made."""


class EvidenceError(InputError):
    """An evidence file was changed, or was not signed by whom it should be."""


class LimitError(InputError):
    """Larger than a service takes."""


class SettingsError(InputError):
    """A setting, option or environment variable is wrong."""


class ModelError(LfrError):
    """A model cannot be loaded or run as asked."""


class WeightsError(ModelError):
    """A weight file is missing or is not the one that was pinned."""


class RuntimeUnavailableError(ModelError):
    """The runtime, device or precision asked for is not here."""


class ModelMismatchError(ModelError):
    """Templates of two different models met."""


class TrainingError(ModelError):
    """Training cannot go on; its last good checkpoint is kept."""


class StoreError(LfrError):
    """The governed store is not there, or does not hold what was asked for."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached, is locked, read-only or full."""


class MigrationError(StoreError):
    """The database's tables are not those of this version."""


class KeyFileError(StoreError):
    """A key is missing, destroyed, wrong or open to others."""


class RegistryError(StoreError):
    """The model registry cannot be reached, or a version in it is not what was registered."""


class NotFoundError(StoreError):
    """There is no such thing, or it belongs to another force."""


class ConflictError(StoreError):
    """What is there does not allow it: sealed, started, adjudicated, the same again."""


class PassedOverError(ConflictError):
    """A camera's frame came after a later one was looked at."""


class ServiceError(LfrError):
    """A service, or a part of one, is not there or starting again; try again."""


class BusyError(ServiceError):
    """More is asked of it at once than it takes; slow down."""


class RefusedError(LfrError):
    """A safeguard says no, whatever the input."""


class AccessDeniedError(RefusedError):
    """The key is unknown, expired or revoked, or its role may not do this."""


class NotAuthorisedError(RefusedError):
    """There is no live, authorised deployment that covers this."""
