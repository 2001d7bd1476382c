"""A token is shown nowhere: not by itself, nor in what others wrote."""

import copy
import json
import logging
import pickle
import traceback
from urllib.parse import quote, quote_plus

import pytest

from streetineq_assets.errors import ImageryError
from streetineq_assets.imagery.exchange import in_query
from streetineq_assets.imagery.tokens import Token, scrubbed, token_of, unsigned

TEXT = "MLY|1234567890|c0ffee+/=~0123"
HIDDEN = Token(TEXT)


def of(environment):
    return token_of("A_TOKEN", environment, title="Anyone", page="https://a.example/tokens")


def test_token_reveals_itself_only_when_asked():
    assert HIDDEN.reveal() == TEXT
    for shown in (str(HIDDEN), repr(HIDDEN), f"{HIDDEN}", f"{[HIDDEN]}", f"{HIDDEN!r:>40}"):
        assert "c0ffee" not in shown


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy])
def test_token_is_not_written(write):
    with pytest.raises(TypeError, match="not written"):
        write(HIDDEN)


@pytest.mark.parametrize(
    "written",
    [
        TEXT,
        quote(TEXT),
        quote(TEXT, safe=""),
        quote_plus(TEXT),
        quote(quote(TEXT, safe=""), safe=""),
        quote(TEXT, safe="").replace("%7C", "%7c").replace("%2B", "%2b"),
    ],
)
def test_token_is_taken_out_however_it_is_written(written):
    text = HIDDEN.scrub(f"Max retries exceeded with url: /images?access_token={written}&limit=3")
    assert text == "Max retries exceeded with url: /images?access_token=[token]&limit=3"


def test_answers_lose_token_and_signatures_at_any_depth():
    answer = {
        "data": [{"id": "1", "url": f"https://a.example/1.jpg?oh=abc&oe=9&x=1&key={quote(TEXT)}"}],
        "paging": {
            "next": f"https://graph.example/images?access_token={quote(TEXT)}&after=b",
            "cursors": {TEXT: [TEXT, 3, None, True, 1.5]},
        },
    }
    clean = scrubbed(answer, HIDDEN)
    assert "c0ffee" not in json.dumps(clean)
    assert clean["data"][0]["url"] == "https://a.example/1.jpg?x=1"
    assert clean["paging"]["next"] == "https://graph.example/images?after=b"
    assert clean["paging"]["cursors"] == {"[token]": ["[token]", 3, None, True, 1.5]}


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://a.example/x?b=1", "https://a.example/x?b=1"),
        ("https://me:secret@a.example/x", "https://a.example/x"),
        ("https://a.example/x?Signature=1&X-Amz-Signature=2", "https://a.example/x"),
        ("https://[a.example/x", "[token]"),
    ],
)
def test_addresses_lose_what_gives_access(address, clean):
    assert unsigned(address) == clean


def test_token_comes_from_its_variable_without_white_space():
    assert of({"A_TOKEN": f" {TEXT}\n"}).reveal() == TEXT


@pytest.mark.parametrize("environment", [{}, {"A_TOKEN": "  "}])
def test_missing_token_is_told_with_the_place_to_get_one(environment):
    with pytest.raises(ImageryError, match=r"Anyone.*A_TOKEN.*https://a\.example/tokens"):
        of(environment)


@pytest.mark.parametrize("text", ["short", "MLY|1 2 3 4 5 6", "MLY|12345\n67890", "MLY|12345é7890"])
def test_what_is_no_token_is_told_without_showing_it(text):
    with pytest.raises(ImageryError, match="A_TOKEN") as caught:
        of({"A_TOKEN": text})
    assert text not in "".join(traceback.format_exception(caught.value))


def test_log_of_addresses_is_without_token(caplog):
    in_query(HIDDEN, "key")
    logger = logging.getLogger("urllib3.connectionpool")
    try:
        with caplog.at_level(logging.DEBUG, logger.name):
            logger.debug('%s "%s %s"', "https://a.example:443", "GET", f"/x?key={quote(TEXT)}")
        assert "GET /x?key=[token]" in caplog.text
        assert "c0ffee" not in caplog.text
    finally:
        logger.filters.clear()
