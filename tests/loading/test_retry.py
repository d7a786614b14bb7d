"""What errors mean, and how long to wait after them: pure functions."""

import zlib
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loading.loader_bench import http_error
from napari_octree.loading.retry import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    TRANSIENT_ATTEMPTS,
    UNKNOWN_ATTEMPTS,
    Verdict,
    delay_s,
    judge,
)
from napari_octree.sources.errors import ShapeMismatchError, SourceError


def named(name, text=""):
    """Return an error of a library that may not be installed."""
    return type(name, (Exception,), {})(text)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (OSError("broken pipe"), TRANSIENT_ATTEMPTS),
        (ConnectionRefusedError(), TRANSIENT_ATTEMPTS),
        (TimeoutError(), TRANSIENT_ATTEMPTS),
        # tensorstore
        (ValueError("UNAVAILABLE: no route"), TRANSIENT_ATTEMPTS),
        (RuntimeError("DEADLINE_EXCEEDED: slow"), TRANSIENT_ATTEMPTS),
        (ValueError("ABORTED: generation mismatch"), TRANSIENT_ATTEMPTS),
        (ValueError("PERMISSION_DENIED: no"), 1),
        (ValueError("UNAUTHENTICATED: who?"), 1),
        # obstore, aiohttp, httpx, botocore, http.client
        (RuntimeError("error sending request for url (http://here)"), TRANSIENT_ATTEMPTS),
        (RuntimeError("operation timed out"), TRANSIENT_ATTEMPTS),
        (RuntimeError("Read timeout on endpoint URL"), TRANSIENT_ATTEMPTS),
        (RuntimeError("Connection reset by peer"), TRANSIENT_ATTEMPTS),
        (RuntimeError("connection refused"), TRANSIENT_ATTEMPTS),
        (RuntimeError("connection closed before message completed"), TRANSIENT_ATTEMPTS),
        (RuntimeError("Connection error."), TRANSIENT_ATTEMPTS),
        (RuntimeError("incomplete message"), TRANSIENT_ATTEMPTS),
        (RuntimeError("Server disconnected without sending a response."), TRANSIENT_ATTEMPTS),
        (RuntimeError("the service is temporarily overloaded"), TRANSIENT_ATTEMPTS),
        (RuntimeError("Access Denied."), 1),
        (RuntimeError("AccessDenied"), 1),
        # Truncated answers, whose text may name the status of the answer's beginning.
        (named("ClientPayloadError", "400, message: not enough data"), TRANSIENT_ATTEMPTS),
        (named("ServerDisconnectedError"), TRANSIENT_ATTEMPTS),
        (named("IncompleteRead", "HTTP 404"), TRANSIENT_ATTEMPTS),
        (named("ContentLengthError", "HTTP 400"), TRANSIENT_ATTEMPTS),
        # What is not there, or not as announced.
        (FileNotFoundError(), 1),
        (IsADirectoryError(), 1),
        (NotADirectoryError(), 1),
        (PermissionError(), 1),
        (SourceError("asked for a block of (8, 8), got one of (7, 8)"), 1),
        (ShapeMismatchError("a chunk of shape (7, 8), where (8, 8) was announced"), 1),
        # What may be damaged, or anything else.
        (RuntimeError("error during blosc decompression: -1"), UNKNOWN_ATTEMPTS),
        (zlib.error("incorrect data check"), UNKNOWN_ATTEMPTS),
        (EOFError(), UNKNOWN_ATTEMPTS),
        (ZeroDivisionError(), UNKNOWN_ATTEMPTS),
        (KeyboardInterrupt(), UNKNOWN_ATTEMPTS),
    ],
)
def test_what_errors_mean(error, attempts):
    verdict = judge(error)
    assert verdict == Verdict(type(error).__name__, attempts)
    assert verdict.transient == (attempts == TRANSIENT_ATTEMPTS)


PERMANENT = [400, 401, 402, 403, 404, 405, 410, 416, 451]
TRANSIENT = [408, 409, 425, 429, 500, 502, 503, 504, 507]


def with_status(status):
    """The same answer as the errors of several libraries tell it."""
    botocore = RuntimeError()
    botocore.response = {"ResponseMetadata": {"HTTPStatusCode": status}}
    aiohttp, gcsfs, requests = RuntimeError(), OSError(), OSError()
    aiohttp.status = status
    gcsfs.code = status
    requests.response = SimpleNamespace(status_code=status, headers={})
    return [
        http_error(status),
        aiohttp,
        gcsfs,
        requests,
        botocore,
        ValueError(f'UNAVAILABLE: Error reading "c/0/0": HTTP response code: {status}'),
        OSError(f"HTTP {status}"),
        OSError(f'Request failed with status "{status}": no'),
        OSError(f"server returned an error status code {status}"),
    ]


@pytest.mark.parametrize(
    ("status", "attempts"),
    [(s, 1) for s in PERMANENT] + [(s, TRANSIENT_ATTEMPTS) for s in TRANSIENT],
)
def test_what_answers_of_a_server_mean(status, attempts):
    for error in with_status(status):
        assert judge(error) == Verdict(f"HTTP {status}", attempts)


@pytest.mark.parametrize("number", [200, 302, 999])
def test_a_number_that_is_no_error_of_http_says_nothing(number):
    own, foreign = RuntimeError(f"HTTP {number}"), RuntimeError()
    foreign.status, foreign.code = number, str(number)
    for error in (own, foreign):
        assert judge(error) == Verdict("RuntimeError", UNKNOWN_ATTEMPTS)


def test_the_cause_of_an_error_counts_too():
    error = FileNotFoundError("http://here")
    error.__cause__ = http_error(503, retry_after=10**6)
    verdict = judge(error)
    assert verdict.transient
    assert verdict.cause == "HTTP 503"
    assert verdict.retry_after_s > LONGEST_DELAY_S


def test_what_was_being_handled_counts_too():
    error = RuntimeError("no chunk")
    error.__context__ = PermissionError()
    assert judge(error) == Verdict("RuntimeError", UNKNOWN_ATTEMPTS - 1)


def test_damaged_data_are_told_before_what_was_being_handled():
    error = zlib.error("incorrect data check")
    error.__context__ = PermissionError()
    assert judge(error) == Verdict("error", UNKNOWN_ATTEMPTS)


def test_errors_that_cause_each_other_are_judged():
    one, two = RuntimeError(), RuntimeError()
    one.__cause__, two.__cause__ = two, one
    assert judge(one) == Verdict("RuntimeError", UNKNOWN_ATTEMPTS)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("7", 7),
        ("-7", 0),
        ("Wed, 21 Oct 2015 07:28:07 GMT", 7),
        ("Wed, 21 Oct 2015 07:28:07 -0000", 7),
        ("Wed, 21 Oct 2015 09:28:07 +0200", 7),
        ("Wednesday, 21-Oct-15 07:28:07 GMT", 7),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_retry_after_may_be_a_number_or_a_date(date, seconds):
    now = datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
    assert judge(http_error(503, retry_after=date), lambda: now).retry_after_s == seconds


def test_a_retry_after_that_is_no_text_is_left_alone():
    """What headers hold is the library's choice; judging an error must not raise another."""
    error = http_error(503)
    error.headers = {"Retry-After": ["7"]}
    assert judge(error) == Verdict("HTTP 503", TRANSIENT_ATTEMPTS, None)


@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_retry_after_is_found_where_libraries_keep_it(name):
    aiohttp, requests, botocore = RuntimeError(), RuntimeError(), RuntimeError()
    aiohttp.status, aiohttp.headers = 503, {name: "7"}
    requests.response = SimpleNamespace(status_code=503, headers={name: "7"})
    botocore.response = {"ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {name: "7"}}}
    for error in (aiohttp, requests, botocore):
        assert judge(error).retry_after_s == 7


@given(st.integers(1, 30), st.none() | st.floats(0, 1e9), st.integers())
def test_delays_of_retries_are_bounded(attempt, retry_after_s, seed):
    verdict = Verdict("", TRANSIENT_ATTEMPTS, retry_after_s)
    asked = min(retry_after_s or 0, LONGEST_DELAY_S)
    backoff = min(FIRST_DELAY_S * 2 ** (attempt - 1), LONGEST_DELAY_S)
    waited = delay_s(attempt, verdict, Random(seed))
    assert asked + backoff / 2 <= waited <= asked + backoff <= 120


def test_retries_do_not_come_back_in_one_wave():
    jitter = Random(0)
    verdict = Verdict("", TRANSIENT_ATTEMPTS)
    assert len({delay_s(3, verdict, jitter) for _ in range(20)}) == 20
