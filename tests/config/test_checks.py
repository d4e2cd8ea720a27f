"""Keys that contradict each other are found, each with its place."""

from __future__ import annotations

import pytest

from gateway.config import parse
from gateway.errors import ConfigError

HEAD = '[gateway]\ndomains = ["example.org"]\n'
ALICE = '[[account]]\naddress = "alice@example.org"\n'
ROOM = '[[account]]\naddress = "room@example.org"\nkind = "room"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (HEAD + "processes = 2", "[gateway] processes: more than one process needs PostgreSQL"),
        (
            HEAD + '[[listener]]\nprotocol = "lmtp"\nlisten = "10.0.0.1:25"',
            "1 protocol: lmtp is never spoken on port 25",
        ),
        (HEAD + '[[listener]]\nstarttls = { cert = "a.pem" }', "1 starttls: needs both cert and key"),
        (HEAD + '[[listener]]\nafter = "relay"', "1 relay_to: is required"),
        (HEAD + '[[listener]]\nrelay_to = "smtp://x:25"', "1 relay_to: has no effect"),
        (
            HEAD + '[[listener]]\nafter = "render"\nrelay_to = "smtp://x:25"',
            '1 after: "render" is for role "outgoing"',
        ),
        (HEAD + "[[listener]]\nauth_required = true", '1 auth_required: is for role "outgoing"'),
        (
            HEAD + '[[listener]]\nafter = "relay"\nrelay_to = "smtp://localhost:2525"',
            "1 relay_to: is this listener itself",
        ),
        (
            HEAD + "[[listener]]\n[[listener]]\n",
            "[[listener]] 2 listen: 127.0.0.1:2525 is already the address of",
        ),
        (HEAD + '[[listener]]\nlisten = "127.0.0.1:8025"', "[web] listen: 127.0.0.1:8025 is already"),
        (HEAD + '[[listener]]\nmax_message = "30MB"', "1 max_message: is more than [limits] mail"),
        (HEAD + '[delivery]\nsmarthost = "smtp://127.0.0.1:2525"', "[delivery] smarthost: is listener 1"),
        (HEAD + '[[listener]]\nlisten = "127.0.0.1:25"', "[delivery] smarthost: is listener 1"),
        (
            HEAD + '[delivery]\nservice_address = "calendar@example.net"',
            '[delivery] service_address: "example.net" is not one of [gateway] domains',
        ),
        (
            HEAD + f'[delivery]\nservice_address = "{"c" * 39}@example.org"',
            "service_address: more than 38 octets before the @",
        ),
        (HEAD + '[delivery]\nservice_address = "cal+x@example.org"', 'service_address: must not hold "+"'),
        (HEAD + '[[server]]\nname = "a"\n[[server]]\nname = "a"', '[[server]] name: "a" is used twice'),
        (
            HEAD + '[[server]]\nimpersonate = "{user}*admin"',
            "main impersonate: needs the password_file",
        ),
        (HEAD + '[[policy]]\nname = "a"\n[[policy]]\nname = "a"', '[[policy]] name: "a" is used twice'),
        (HEAD + ALICE + 'server = "mein"', 'server: there is no [[server]] "mein"; did you mean "main"?'),
        (HEAD + ALICE + 'policy = "strict"', 'policy: there is no [[policy]] "strict"'),
        (HEAD + ALICE + 'password = "x"\npassword_file = "y"', "password_file: is given beside password"),
        (
            HEAD + '[[account]]\naddress = "a@exampel.org"',
            "is not one of [gateway] domains (an alias may be); did you mean",
        ),
        (HEAD + ALICE + ALICE, 'address: "alice@example.org" is already an address of alice@example.org'),
        (HEAD + ALICE + ROOM + 'aliases = ["Alice@example.org"]', 'aliases: "alice@example.org" is already'),
        (HEAD + ALICE + 'aliases = ["calendar@example.org"]', "is the service address of the gateway"),
        (
            HEAD + ALICE + 'booking = { members = ["room@example.org"] }',
            'booking members: is for kind "collection"',
        ),
        (
            HEAD
            + ROOM
            + '[[account]]\naddress = "rooms@example.org"\nkind = "collection"\nbooking = { members = ["rome@example.org"] }',
            '"rome@example.org" is no room or resource; did you mean "room@example.org"?',
        ),
        (HEAD + '[directory]\nkind = "sql"\nurl = "x"', '[directory] query: is required with kind = "sql"'),
    ],
)
def test_a_contradiction_is_told_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert len(caught.value.problems) == 1
    assert fault in caught.value.problems[0]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + '[[listener]]\nlisten = "127.0.0.1:0"\n[[listener]]\nlisten = "127.0.0.1:0"',
        HEAD + 'database_url = "postgresql+psycopg://h/db"\nprocesses = 4',
        HEAD + ALICE + 'aliases = ["alice@somewhere.example"]',
        HEAD + '[[listener]]\nprotocol = "lmtp"\nlisten = "unix:/run/lmtp"',
        HEAD
        + ROOM
        + '[[account]]\naddress = "rooms@example.org"\nkind = "collection"\nbooking = { members = ["room@example.org"] }',
        HEAD + '[[server]]\nauth = "header"\nimpersonate = "X-User"',
        HEAD + '[[server]]\nusername = "svc"\npassword_file = "p"\nimpersonate = "{user}*svc"',
    ],
)
def test_what_only_looks_like_one_is_taken(text: str) -> None:
    assert parse(text)
