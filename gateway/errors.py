"""The error tree: whose fault it is, and whether trying again can help.

    GatewayError
      PeerError            the other side sent it; permanent
        MalformedMail
        MalformedCalendar
        LimitExceeded      a bound of SPEC 11, the code says which
      BackendError         a server that we use; temporary unless it says otherwise
        BackendUnavailable
        BackendRefused     permanent: wrong password, forbidden, no such collection
          NoFittingCalendar  none takes tasks, or journals
          ObjectRefused      the server does not take this object, whoever asks and however often
        PreconditionFailed the object changed under us; read and decide again
      QueueFull            the door is closed for now (4xx)
      LeaseLost            the job is somebody else's now: stop, write nothing
      ConfigError          the administrator's; every fault at once

`public` is what a peer or a page may see: it never shows a host, a path or a setting. `detail` is for the journal and the log.
An exception that is not in this tree is a bug, and counts as temporary.
"""

from __future__ import annotations


class GatewayError(Exception):
    """An error with a reason code, a text for the peer and a text for us."""

    code = "internal-error"
    public = "internal error"
    temporary = True

    def __init__(self, detail: str = "", *, code: str | None = None, public: str | None = None) -> None:
        super().__init__(detail or public or self.public)
        self.detail = detail or self.public
        if code is not None:
            self.code = code
        if public is not None:
            self.public = public


class PeerError(GatewayError):
    """What the other side sent cannot be used, now or later."""

    code = "malformed-mail"
    public = "message not understood"
    temporary = False


class MalformedMail(PeerError):
    """Not a mail that RFC 5322 and 2045 let us read; the only error that `imip.read` lets out."""


class MalformedCalendar(PeerError):
    """Not calendar text that RFC 5545 lets us read; with LimitExceeded the only error of `ical`."""

    code = "malformed-calendar"
    public = "calendar data not understood"


class LimitExceeded(MalformedCalendar):
    """A bound of SPEC 11 is passed; `code` is `too-large`, `too-many-attendees`, `expansion-limit` and so on."""

    code = "too-large"
    public = "calendar data over a limit"


class BackendError(GatewayError):
    """A server that we use failed us."""

    code = "backend-unavailable"
    public = "temporary failure, try again later"


class BackendUnavailable(BackendError):
    """No answer, 5xx, 429, or a broken answer."""


class BackendRefused(BackendError):
    """The server understood and said no: credentials, rights, a missing collection, a request it cannot take."""

    code = "backend-refused"
    public = "not possible here"
    temporary = False


class NoFittingCalendar(BackendRefused):
    """The account's calendars are for other things: none takes tasks, or none takes journals."""


class ObjectRefused(BackendRefused):
    """The server does not take this object: its form, its size, its times. Nobody can repair that but who wrote it."""


class PreconditionFailed(BackendError):
    """412, 409 or 423: the object is not what we read. `element` is the precondition that the server named, if any."""

    code = "precondition-failed"

    def __init__(self, detail: str = "", *, element: str = "", status: int = 412) -> None:
        super().__init__(detail)
        self.element = element
        self.status = status


class QueueFull(GatewayError):
    """The queue or the disk is full: 452 at the door, never a dropped message."""

    code = "queue-full"
    public = "insufficient system storage"


class LeaseLost(GatewayError):
    """The lease of a job, or of a look at a calendar, ran out and somebody else has taken it, or a person ended it: what was to
    be written is not."""

    code = "lease-lost"


class ConfigError(GatewayError):
    """The configuration cannot be used; `problems` holds every fault that was found."""

    code = "configuration"
    public = "configuration error"
    temporary = False

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
