"""The version of the kit, and apart from it the version of each contract."""

__version__ = "0.1.0"

CONTRACT_VERSION = "1.0"
WIRE_VERSION = "1.0"
