"""Who sent this mail, and how sure are we: evidence becomes a verdict on the sender (SPEC 3.1, 3.2).

Everything that decides a certainty lives in this file. What the sender may say about a meeting is `itip.decide`'s
question; what the owner wants done about it is `policy`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace

from gateway.ical.address import Address, domain
from gateway.imip.read import Mail
from gateway.itip.model import Certainty, Verdict

# Best first: a doubt about a part lowers a verdict by one step (SPEC 2.2), contradiction stays.
_STEPS = (Certainty.PROVEN, Certainty.LIKELY, Certainty.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSettings:
    """The `[trust]` table. `organizational` maps a domain to its organizational domain (RFC 7489 3.2), by the public suffix list."""

    authserv_ids: frozenset[str] = frozenset()  # lower case
    border_hops: int = 1
    trusted_networks_are: Certainty = Certainty.UNKNOWN
    spam_header: tuple[str, str] | None = None  # name and value, lower case
    organizational: Callable[[str], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One resinfo of an Authentication-Results field (RFC 8601 2.2); names lower case."""

    method: str
    result: str
    properties: dict[str, str]


_OURS = re.compile(r"\bby\s+\S+\s+\(imip-gateway\)", re.IGNORECASE)
# RFC 3848 and RFC 6531 4.3: the protocols whose last letter says that the client has authenticated
_LOGGED_IN = re.compile(r"(?:E|UTF8)(?:SMTP|LMTP)S?A|LMTPS?A", re.IGNORECASE)
_WITH = re.compile(r"\bwith\s+([^\s;]+)", re.IGNORECASE)
_WRITTEN = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>')  # addresses, which a stranger may word
_AUTHENTICATED = re.compile(
    r"\(Authenticated sender: ([^()\s]+)\)"
)  # Postfix: smtpd_sasl_authenticated_header
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"\s*(?:({_STRING})|([^\s;=()\"]+)|([;=]))")
_COMMENT = re.compile(rf"({_STRING})|\((?:[^()\\]|\\.)*\)")


def judge(mail: Mail, *, trusted: bool, user: Address | None, settings: TrustSettings) -> Verdict:
    """The verdict on the sender of one mail. `trusted`: it came from `trusted_networks`; `user`: who logged in by SASL."""
    if user is not None and mail.sender == user:
        return Verdict(sender=user, certainty=Certainty.PROVEN, reasons=("sasl",))
    if mail.sender is None:
        # RFC 6047 3 and RFC 7489 6.6.1: a mail with several authors, or none, has no author to go by
        return Verdict(sender=None, certainty=Certainty.UNKNOWN, reasons=("no-single-from",))
    if _is_spam(mail, settings):
        return Verdict(sender=mail.sender, certainty=Certainty.UNKNOWN, reasons=("spam",))
    results = tuple(trusted_results(mail, settings))
    if results:
        certainty, reason = _weigh(results, mail.sender, settings)
    elif trusted:
        certainty, reason = settings.trusted_networks_are, "trusted-network"
    else:
        certainty, reason = Certainty.UNKNOWN, "no-evidence"
    return Verdict(sender=mail.sender, certainty=certainty, reasons=(reason,))


def lower(verdict: Verdict, doubts: tuple[str, ...]) -> Verdict:
    """The verdict for a part that gives reason to doubt: one step less sure, however many the doubts."""
    if not doubts or verdict.certainty not in _STEPS:
        return verdict
    step = min(_STEPS.index(verdict.certainty) + 1, len(_STEPS) - 1)
    return replace(verdict, certainty=_STEPS[step], lowered=tuple(sorted({*verdict.lowered, *doubts})))


def trusted_results(mail: Mail, settings: TrustSettings) -> Iterator[Result]:
    """Results of our own border: only those above its own Received lines, and only of a configured authserv-id.

    RFC 8601 5 warns of forged fields: what stands below the lowest line that the border wrote, strangers wrote. The line
    that we put on top ourselves is not the border's.
    """
    hops = 0
    for place, (name, value) in enumerate(mail.headers):
        if name == "received":
            if place == 0 and _OURS.search(value):
                continue
            hops += 1
            if hops >= settings.border_hops:
                return  # below the border's own lowest line stands what strangers wrote, forged results among it
        elif name == "authentication-results":
            yield from _results(value, settings)


def login(mail: Mail, settings: TrustSettings) -> str | None:
    """Who logged in to submit the mail, by the word of the server that handed it over; "" where it names nobody.

    None: it does not say that anybody has. Whatever stands below its own Received line, the sender wrote.
    """
    near = _one_hop(settings)
    for one in trusted_results(mail, near):
        if one.method == "auth" and one.result == "pass":
            return one.properties.get("smtp.auth", "")
    lines = (value for place, (name, value) in enumerate(mail.headers) if _is_border(name, value, place))
    top = next(lines, "") if near.border_hops else ""
    kept = _WRITTEN.sub(" ", top)
    # the name that a client gives in EHLO stands before the server's own words: the last one counts
    protocols = _WITH.findall(_COMMENT.sub(lambda found: found.group(1) or " ", kept))
    if not protocols or not _LOGGED_IN.fullmatch(protocols[-1]):
        return None
    named = _AUTHENTICATED.search(top)
    return named.group(1) if named else ""


def is_authors(mail: Mail, who: Set[Address], settings: TrustSettings) -> bool:
    """Whether DMARC proves that one of these addresses wrote it, by the word of the server that handed it over."""
    verdict = judge(mail, trusted=False, user=None, settings=_one_hop(settings))
    return verdict.certainty is Certainty.PROVEN and verdict.sender in who


def _one_hop(settings: TrustSettings) -> TrustSettings:
    return replace(settings, border_hops=min(settings.border_hops, 1))


def _is_border(name: str, value: str, place: int) -> bool:
    return name == "received" and not (place == 0 and _OURS.search(value))


def _weigh(results: tuple[Result, ...], sender: Address, settings: TrustSettings) -> tuple[Certainty, str]:
    """DMARC decides alone where it spoke; else an aligned DKIM or SPF pass makes the sender likely."""
    author = domain(sender)
    dmarc = [one for one in results if one.method == "dmarc"]
    if any(one.result == "fail" for one in dmarc):
        return Certainty.CONTRADICTED, "dmarc-fail"
    if any(one.result == "pass" and _domain(one, "header.from") == author for one in dmarc):
        return Certainty.PROVEN, "dmarc-pass"
    for method, names in (("dkim", ("header.d", "header.i")), ("spf", ("smtp.mailfrom", "smtp.helo"))):
        for one in results:
            if one.method != method or one.result != "pass":
                continue
            signer = next((found for name in names if (found := _domain(one, name))), "")
            if signer and settings.organizational(signer) == settings.organizational(author):
                return Certainty.LIKELY, f"{method}-pass"
    return Certainty.UNKNOWN, "nothing-aligned"


def _domain(result: Result, name: str) -> str:
    value = result.properties.get(name, "")
    return value.lower().rpartition("@")[2].rstrip(".")


def _is_spam(mail: Mail, settings: TrustSettings) -> bool:
    if settings.spam_header is None:
        return False
    wanted, value = settings.spam_header
    return any(name == wanted and found.lower().startswith(value) for name, found in mail.headers)


def _results(field: str, settings: TrustSettings) -> Iterator[Result]:
    tokens = _tokens(field)
    clauses = list(_clauses(tokens))
    if not clauses or not clauses[0]:
        return
    authserv = clauses[0][0].lower()
    if authserv not in settings.authserv_ids:
        return
    for clause in clauses[1:]:
        found = _resinfo(clause)
        if found is not None:
            yield found


def _tokens(field: str) -> list[str]:
    """Words, `=` and `;`; quoted strings whole, comments gone (they nest, and may hold anything)."""
    bare = field[:16_384]
    for _ in range(5):
        bare = _COMMENT.sub(lambda found: found.group(1) or " ", bare)
    words = []
    place = 0
    while found := _TOKEN.match(bare, place):
        if found.end() == place:
            break
        quoted, word, mark = found.groups()
        words.append(re.sub(r"\\(.)", r"\1", quoted[1:-1]) if quoted else word or mark)
        place = found.end()
    return words


def _clauses(tokens: list[str]) -> Iterator[list[str]]:
    clause: list[str] = []
    for word in tokens:
        if word == ";":
            yield clause
            clause = []
        else:
            clause.append(word)
    yield clause


def _resinfo(clause: list[str]) -> Result | None:
    pairs = [
        (clause[place - 1].lower(), clause[place + 1])
        for place in range(1, len(clause) - 1)
        if clause[place] == "="
    ]
    if not pairs:
        return None
    method, result = pairs[0]
    return Result(
        method=method.partition("/")[0],
        result=result.lower(),
        properties=dict(reversed(pairs[1:])),  # the first of a name counts
    )
