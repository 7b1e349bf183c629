"""The HTTP interface: routes that call the operations of the packages below, and hold no logic of their own."""

from lfr.serving.api.app import create_app
from lfr.serving.api.service import Cameras, Service

__all__ = ["Cameras", "Service", "create_app"]
