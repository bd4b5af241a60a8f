"""The batch that the tests look at: graded once, with small limits."""

import os

import pytest

from grading.sandbox import NoSandbox, check

REQUIRED = "LSTM_BOOK_REQUIRE_SANDBOX"


@pytest.fixture(scope="session")
def sandbox():
    """Bubblewrap, without which there is nothing to test; where it is required that is a failure."""
    try:
        check()
    except NoSandbox as error:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The small assignment."""
    from tests.grading import synthetic

    return synthetic.source(tmp_path_factory.mktemp("source") / "assignment.ipynb")
