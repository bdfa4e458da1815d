"""The contract, tried on the SQLAlchemy store, on each of its databases."""

from mariadb_server import MariaDbStorage
from sqlstore import SqlStore, open_file

from sessionstore_contract import Backend, contract_tests

test_on_sqlite = contract_tests(
    Backend("sqlalchemy-sqlite", open=open_file, storage="file", adding=["census"])
)
test_on_postgres = contract_tests(
    Backend("sqlalchemy-postgres", open=SqlStore, storage="postgres", adding=["census"])
)
test_on_mariadb = contract_tests(
    Backend("sqlalchemy-mariadb", open=SqlStore, storage=MariaDbStorage(), adding=["census"])
)
