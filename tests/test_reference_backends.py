"""The reference backends hold the contract, tried as any author would try theirs."""

from __future__ import annotations

from reference_backends import HTTP, MEMORY, NULL, POSTGRES, SQLITE
from reference_backends.in_process import InProcessPlatform
from sessionstore_contract import Backend, contract_tests

platform = InProcessPlatform()

test_null = contract_tests(NULL)
test_memory = contract_tests(MEMORY)
test_sqlite = contract_tests(SQLITE)
test_postgres = contract_tests(POSTGRES)
test_http = contract_tests(HTTP)
test_http_in_process = contract_tests(
    Backend("http-in-process", open=platform.open, storage=platform, profile="durable")
)
