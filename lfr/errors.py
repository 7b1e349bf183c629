"""The one error tree.

::

    LfrError                     anything lfr refuses or cannot do
    ├── InputError               what the caller gave cannot be used
    │   ├── ImageError           an image is missing, broken, too large or of no known kind
    │   ├── SourceError          a video, camera or stream cannot be opened or broke off
    │   ├── FaceError            an image does not hold the one usable face that was asked for
    │   ├── WatchlistError       a watchlist, or one image in it, cannot be used
    │   ├── ManifestError        a manifest of images is malformed
    │   └── SettingsError        a setting, option or environment variable is wrong
    ├── ModelError               a model cannot be loaded or run as asked
    │   ├── WeightsError         a weight file is missing or is not the one that was pinned
    │   ├── RuntimeUnavailableError   the runtime, device or precision asked for is not here
    │   └── ModelMismatchError   templates of two different models met
    └── RefusedError             a safeguard says no, whatever the input

Every message says what is wrong and where, in one line, and what to do
where that is not obvious. The command line prints it and exits with 2.
"""

__all__ = [
    "FaceError",
    "ImageError",
    "InputError",
    "LfrError",
    "ManifestError",
    "ModelError",
    "ModelMismatchError",
    "RefusedError",
    "RuntimeUnavailableError",
    "SettingsError",
    "SourceError",
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


class RefusedError(LfrError):
    """A safeguard says no, whatever the input."""
