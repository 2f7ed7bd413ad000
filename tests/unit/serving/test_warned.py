"""What libraries warn of while an agent answers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from driftline.deploy.serving.warned import LOGGER, MOST, Once, warn_once


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Warnings and their logger are as they were; whatever ran before in this process captures none."""
    logging.captureWarnings(capture=False)
    logger = logging.getLogger(LOGGER)
    filters = list(logger.filters)
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    logger.filters[:] = filters


def test_a_warning_of_every_request_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Python passes all on where no filter is left, as two predicting threads leave it; another text is told."""
    warn_once()
    warn_once()
    for request in range(5):
        warnings.resetwarnings()
        warnings.warn("each request", UserWarning, stacklevel=1)
        if request:
            warnings.warn(f"that of request {request // 3}", UserWarning, stacklevel=1)
    told = [one.getMessage() for one in caplog.records if one.name == LOGGER]
    assert [
        said in text
        for said, text in zip(("UserWarning: each", "that of request 0", "of request 1"), told, strict=True)
    ] == [True] * 3


def test_texts_that_never_repeat_are_bounded() -> None:
    """A warning with a number in it does not fill the memory."""
    once = Once()
    records = [logging.makeLogRecord({"msg": str(number)}) for number in range(MOST + 1)]
    assert [once.filter(one) for one in records] == [True] * MOST + [False]
