"""conftest.py - the fixtures of the protocol suite; without a server it is skipped as a whole."""
import os

import pytest

import client
from fixtures import *  # noqa: F403  pytest finds fixtures by their names here


def pytest_collection_modifyitems(items):
    if not os.access(client.BINARY, os.X_OK):
        for item in items:
            if "tests/lsp/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=f"{client.BINARY} isn't built"))
