"""The contract, tried on the store of JSON files."""

from jsonfiles import JsonFileStore

from sessionstore_contract import Backend, contract_tests

test_jsonfiles = contract_tests(
    Backend("json-files", open=JsonFileStore, storage="file", adding=["census"])
)
