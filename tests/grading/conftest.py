"""What tests of grading share: bubblewrap, a small assignment, an empty gradebook."""

import importlib.util
import os
import shutil

import pytest

from grading.sandbox import NoSandbox, check

REQUIRED = "LSTM_BOOK_REQUIRE_SANDBOX"


@pytest.fixture(scope="session", autouse=True)
def one_empty_gradebook(tmp_path_factory):
    """Make the first gradebook as always, and copy it for all others: each takes nbgrader seconds."""
    if importlib.util.find_spec("nbgrader") is None:
        yield
        return
    from grading import gradebook

    first, create = tmp_path_factory.mktemp("gradebook") / "first.db", gradebook.create

    def copy(path):
        if not first.exists():
            create(first)
        shutil.copyfile(first, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradebook, "create", copy)
        yield


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
