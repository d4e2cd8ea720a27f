"""The text of config.toml becomes values, or one error that names every fault."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, Endpoint, Listener, PolicyRule, Server, accounts_of, parse
from gateway.errors import ConfigError

SMALLEST = '[gateway]\ndomains = ["example.org"]\n'


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="c")
    return caught.value.problems


def test_the_smallest_configuration_stands_on_the_defaults() -> None:
    config = parse(SMALLEST)
    assert config.listeners == (Listener(),)
    assert config.listeners[0].listen == Endpoint(host="127.0.0.1", port=2525)
    assert config.listeners[0].role == "incoming"
    assert config.servers == (Server(),)
    assert config.delivery.service_address == "calendar@example.org"
    assert config.watch.settle_deleted == timedelta(minutes=5)
    assert config.gateway.database == "sqlite:////var/lib/imip-gateway/gateway.sqlite3"
    assert config.gateway.secret_key_path == Path("/var/lib/imip-gateway/secret.key")


def test_defaults_that_follow_from_other_keys_follow_them() -> None:
    config = parse(
        """
        [gateway]
        domains = ["Bücher.example", "example.net"]
        public_url = "https://cal.example.net/"
        [watch]
        settle = "2s"
        [[account]]
        address = "Alice@example.net"
        """
    )
    assert config.delivery.service_address == "calendar@xn--bcher-kva.example"
    assert config.watch.settle_deleted == timedelta(seconds=20)
    assert config.gateway.public_url == "https://cal.example.net"
    assert config.accounts[0].username == "alice"
    assert config.accounts[0].booking.who == ("@xn--bcher-kva.example", "@example.net")


def test_a_domain_has_a_language() -> None:
    config = parse(
        SMALLEST
        + '[letters]\nanswers = "0s"\nlanguages = { "Example.FR" = "fr", "bücher.example" = "pt_BR" }'
    )
    assert config.letters.languages == {"example.fr": "fr", "xn--bcher-kva.example": "pt-BR"}
    assert config.letters.answers == timedelta()
    assert parse(SMALLEST + '[watch]\nsettle = "7s"').letters.answers == timedelta(seconds=7)
    assert parse(SMALLEST + '[watch]\nsettle = "0s"').letters.answers == timedelta(seconds=1)
    (problem,) = faults(SMALLEST + '[letters]\nlanguages = { "no domain" = "fr" }')
    assert "[letters] languages" in problem
    assert "a table is expected" in faults(SMALLEST + '[letters]\nlanguages = "fr"')[0]


def test_no_settle_time_is_a_settle_time() -> None:
    config = parse(SMALLEST + '[watch]\nsettle = "30s"\nsettle_deleted = "0s"')
    assert config.watch.settle_deleted == timedelta()


def test_empty_text_switches_the_web_off() -> None:
    assert parse(SMALLEST + '[web]\nlisten = ""').web.listen is None


def test_a_whole_configuration_is_read() -> None:
    config = parse(
        SMALLEST
        + """
        [[listener]]
        protocol = "lmtp"
        listen = "unix:/run/imip.sock"
        trusted_networks = ["10.0.0.0/8", "fd00::/8"]
        starttls = { cert = "a.pem", key = "b.pem" }
        [[listener]]
        listen = "[::1]:0"
        [[server]]
        name = "dav"
        url = "https://dav.example.org/"
        timeout = "5s"
        [[account]]
        address = "alice@example.org"
        server = "dav"
        default_alarm = "-15m"
        freebusy = { who = "nobody" }
        policy = "wary"
        [account.booking]
        mode = "none"
        [[policy]]
        name = "wary"
        rules = [{ domain = ["example.com", "Example.NET"], method = "REQUEST", known = false, action = "hold" }]
        """
    )
    lmtp, smtp = config.listeners
    assert lmtp.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert lmtp.starttls
    assert not smtp.starttls
    assert str(lmtp.listen), str(smtp.listen) == ("unix:/run/imip.sock", "[::1]:0")
    account = config.accounts[0]
    assert (account.default_alarm, account.freebusy.who, account.booking.mode) == ("-PT15M", "nobody", "none")
    assert config.server(account.server).timeout == timedelta(seconds=5)
    assert config.policy(account.policy).rules == (
        PolicyRule(domain=("example.com", "example.net"), method=("REQUEST",), known=False, action="hold"),
    )


def test_an_account_without_policy_has_the_default_one() -> None:
    assert parse(SMALLEST).policy("").rules == ()
    config = parse(SMALLEST + '[[policy]]\nname = "default"\nrules = [{ action = "hold" }]')
    assert config.policy("").rules == (PolicyRule(action="hold"),)


def test_every_fault_is_told_at_once_with_table_key_and_nearest_name() -> None:
    assert faults(
        """
        [gateway]
        domains = ["example.org"]
        procesess = 2
        [trsut]
        [watch]
        burst = 3
        settle = "soon"
        [[server]]
        name = "main"
        [[account]]
        adress = "x@example.org"
        [[account]]
        address = "bob@example.org"
        server = "mian"
        booking = { mode = "accept" }
        [[policy]]
        rules = [{ action = "stor" }]
        """
    ) == (
        'c:4: [gateway] procesess: unknown key; did you mean "processes"?',
        'c:5: [trsut]: unknown table; did you mean "trust"?',
        "c:7: [watch] burst: must be a table",
        'c:8: [watch] settle: "soon" is not a duration such as "30s", "10m", "72h", "2d"',
        'c:12: [[account]] 1 adress: unknown key; did you mean "address"?',
        "c:11: [[account]] 1 address: is required",
        (
            'c:16: [[account]] 2 booking mode: "accept" is not one of "accept-if-free", "decline-if-busy", "automatic",'
            ' "accept-always", "decline-always", "none"; did you mean "accept-always"?'
        ),
        (
            'c:18: [[policy]] 1 rules 1 action: "stor" is not one of "store", "hold", "ignore", "refuse", "accept",'
            ' "decline", "tentative", "accept-if-free", "decline-if-busy", "tentative-if-free", "forward";'
            ' did you mean "store"?'
        ),
        'c:15: [[account]] bob@example.org server: there is no [[server]] "mian"; did you mean "main"?',
    )


def test_two_accounts_of_one_login_share_no_calendar() -> None:
    account = '[[account]]\naddress = "%s@example.org"\nusername = "%s"\ncalendar = "/alice/team/"\n'
    assert faults(SMALLEST + account % ("team", "alice") + account % ("crew", "alice")) == (
        (
            'c:10: [[account]] crew@example.org calendar: "/alice/team/" is already a calendar of team@example.org,'
            " who has the same login"
        ),
    )
    parse(SMALLEST + account % ("team", "alice") + account % ("crew", "bob"))
    own = account % ("team", "alice") + 'delegates = ["team@example.org"]\n'
    assert faults(SMALLEST + own) == (
        "c:7: [[account]] team@example.org delegates: holds the account itself",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "[gateway] domains: is required"),
        ("[gateway]\n", "[gateway] domains: is required"),
        ("[gateway]\ndomains = []", "[gateway] domains: must not be empty"),
        ("gateway = 3", "[gateway]: must be a table"),
        (SMALLEST + "listener = 3", "[gateway] listener: unknown key"),
        ("listener = 3\n" + SMALLEST, "[[listener]]: must be an array of tables"),
        ("x = [\n", "not TOML"),
        ("x = " + "9" * 5000, "not TOML"),
        ("x = " + "[" * 5000, "not TOML"),
    ],
)
def test_a_broken_file_is_one_clear_fault(text: str, words: str) -> None:
    assert any(words in one for one in faults(text))


@given(st.text())
def test_any_text_is_a_configuration_or_the_one_error(text: str) -> None:
    try:
        assert isinstance(parse(text), Config)
    except ConfigError as error:
        assert error.problems


TOML = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.datetimes()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(data=st.data())
def test_any_value_at_any_key_is_taken_or_refused(data: st.DataObject) -> None:
    from gateway.config import reader

    table = data.draw(
        st.sampled_from([one for one in reader.FILE.keys.values() if isinstance(one, reader.Table)])
    )
    key = data.draw(st.sampled_from(sorted(table.keys)))
    reading = reader._Reading("c", reader.Lines(""))
    reading.table(table, {key: data.draw(TOML)}, "[x]")
    assert all(one.startswith("c: [x]") for one in reading.problems)


def test_the_accounts_of_a_file_can_be_found() -> None:
    config = parse(SMALLEST + '[[account]]\naddress = "alice@example.org"\naliases = ["al@old.example"]')
    accounts = accounts_of(config)
    assert accounts.find("AL+x@old.example") == config.accounts[0]
    assert accounts.is_gateway_address("calendar+t@example.org") == "t"


def test_no_secret_is_in_a_repr() -> None:
    config = parse(
        """
        [gateway]
        domains = ["example.org"]
        database_url = "postgresql+psycopg://u:s3cret@h/db"
        [delivery]
        smarthost = "smtp://u:s3cret@mail.example.org"
        [directory]
        kind = "sql"
        url = "postgresql://u:s3cret@h/db"
        query = "SELECT 1"
        [[account]]
        address = "a@example.org"
        password = "s3cret"
        """
    )
    assert "s3cret" not in repr(config)
