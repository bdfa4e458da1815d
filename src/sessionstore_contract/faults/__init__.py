"""The network between a store and its server, the kit's to cut."""

from .proxy import Proxy

__all__ = ["Proxy"]
