"""What works but perhaps not as meant is said, and so is what comes later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import demo_config, later, parse, warnings

HEAD = '[gateway]\ndomains = ["example.org"]\npublic_url = "https://cal.example.org"\n'
ALICE = '[[account]]\naddress = "alice@example.org"\n'
QUIET = HEAD + '[trust]\nauthserv_ids = ["mx.example.org"]\n' + ALICE


def test_a_sound_configuration_is_not_lectured() -> None:
    assert warnings(parse(QUIET)) == ()
    assert later(parse(QUIET)) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + ALICE, "no source of evidence is configured, so every mail from outside will be held"),
        (HEAD + '[trust]\non_unknown = "ignore"\n' + ALICE, "will be ignored"),
        (HEAD + '[trust]\ntrusted_networks_are = "proven"\n' + ALICE, "rejects on DMARC"),
        (QUIET + '[[listener]]\ntrusted_networks = ["0.0.0.0/0"]', "trusts the whole Internet"),
        (QUIET + '[delivery]\nstarttls = "never"\nsmarthost = "smtp://u:p@x:25"', "sent without TLS"),
        (HEAD + '[trust]\nauthserv_ids = ["mx"]\non_unknown = "store"\n' + ALICE, "nobody vouches for"),
        (QUIET.replace("public_url", "#"), "no links to answer by"),
        (HEAD + '[trust]\nauthserv_ids = ["mx"]', "every recipient is unknown"),
        (QUIET + "booking = { capacity = 3 }", 'is for kind "room" or "resource"'),
    ],
)
def test_a_risk_is_one_line(text: str, words: str) -> None:
    found = warnings(parse(text))
    assert len(found) == 1
    assert words in found[0]


def test_a_secret_that_everybody_can_read_is_told() -> None:
    config = replace(parse(QUIET), exposed=(Path("/etc/secret"),))
    assert warnings(config) == ("/etc/secret: holds a secret and can be read by everybody; chmod 640 or 600",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD + "[trust]\nverify = true", "[trust] verify"),
        (QUIET + '[web]\nstatus_token_file = "x"', "[web] status_token_file"),
        (QUIET + 'kind = "collection"', '[[account]] alice@example.org kind = "collection"'),
        (
            QUIET + 'kind = "room"\nbooking = { owner = "bob@example.org" }',
            "[[account]] alice@example.org booking owner",
        ),
        (
            QUIET + '[[policy]]\nrules = [{ action = "accept" }]',
            '[[policy]] "default" rule 1 action = "accept"',
        ),
        (QUIET + '[[policy]]\nrules = [{ action = "store", notify = true }]', "rule 1 notify"),
        (QUIET + '[directory]\nkind = "include"\ninclude = "x"', "[directory]"),
    ],
)
def test_a_key_that_comes_later_says_so_in_one_line(text: str, place: str) -> None:
    assert any(place in one and "comes in a later version" in one for one in later(parse(text)))


@pytest.mark.parametrize("kind", ["room", "resource"])
def test_what_books_by_itself_comes_no_more_later(kind: str) -> None:
    assert later(parse(QUIET + f'kind = "{kind}"\nbooking = {{ mode = "automatic", capacity = 3 }}')) == ()
    assert later(parse(demo_config(Path("var")))) == ()
