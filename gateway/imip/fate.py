"""What the next hop said of a letter, as a SCHEDULE-STATUS (RFC 6638 3.2.9, SPEC 5.7)."""

from __future__ import annotations

import re
from typing import Final

QUEUED, TAKEN, DELIVERED = "1.0", "1.1", "1.2"
NO_SUCH_USER, GIVEN_UP, NO_WAY, FORBIDDEN = "3.7", "5.1", "5.2", "5.3"

_ENHANCED = re.compile(r"^5\.(\d{1,3})\.(\d{1,3})\b")  # RFC 3463 2

# RFC 3463 3, RFC 7505 4.2 (5.1.10), RFC 6531 3.2 (5.6.7); the first row that fits
_MEANING: Final = (
    (r"1\.(1|3|6)", NO_SUCH_USER),
    (r"1\.(2|10)", NO_WAY),
    (r"4\.\d+", NO_WAY),
    (r"6\.7", NO_WAY),
    (r"7\.\d+", FORBIDDEN),
)


def of_failure(text: str) -> str:
    """What a refusal means; one without an enhanced status code (RFC 2034) says no more than that it did not arrive."""
    found = _ENHANCED.match(text)
    told = f"{found[1]}.{found[2]}" if found else ""
    return next((code for pattern, code in _MEANING if re.fullmatch(pattern, told)), GIVEN_UP)


__all__ = ["DELIVERED", "FORBIDDEN", "GIVEN_UP", "NO_SUCH_USER", "NO_WAY", "QUEUED", "TAKEN", "of_failure"]
