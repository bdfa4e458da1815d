"""The version of the kit, and apart from it the version of the contract."""

__version__ = "0.1.0"

CONTRACT_VERSION = "1.0"
