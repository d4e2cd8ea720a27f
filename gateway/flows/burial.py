"""Before a job is given up: whether it may be, and who hears of it (SPEC 9.3).

A copy that was deleted to be written anew (`flows/anew`) must not be left so: that job goes on until the object is there.
Who mailed what was to be rendered learns that nobody got it; once, also where the job is released and given up again.
"""

from __future__ import annotations

from gateway.accounts import Accounts
from gateway.errors import GatewayError
from gateway.flows import anew
from gateway.flows.relay import Relay
from gateway.flows.rendering import RENDER
from gateway.ports import Calendars, Job, JobKind, NewJob, Plan, Plans, unpack_mail

UNTAKEN = "5.3.0 the calendar of the sender did not take the meeting; nobody was invited"
UNREAD = "5.3.0 the mail could not be read, and was not passed on"


class Burial:
    """Is asked by the worker."""

    def __init__(self, *, accounts: Accounts, plans: Plans, calendars: Calendars, relay: Relay) -> None:
        self._accounts = accounts
        self._plans = plans
        self._calendars = calendars
        self._relay = relay

    async def may(self, job: Job) -> bool:
        """Whether it leaves the calendar whole."""
        plan = await self._plans.open_plan(job)
        return plan is None or not anew.begun(plan) or await self._is_there(plan)

    def begins(self, job: Job) -> tuple[NewJob, ...]:
        """What is to be done when it is buried."""
        if job.payload.get("told"):
            return ()
        if job.payload.get("source") == RENDER:
            return self._relay.undelivered(unpack_mail(job.payload["mail"], job.body), UNTAKEN)
        if job.kind is JobKind.MAIL and job.payload["peer"]["after"] == RENDER:
            return self._relay.undelivered(unpack_mail(job.payload, job.body), UNREAD)
        return ()

    async def _is_there(self, plan: Plan) -> bool:
        account = self._accounts.find(plan.account)
        if account is None:
            return True
        try:
            return await self._calendars.get(account, plan.href) is not None
        except GatewayError:
            return False


__all__ = ["UNREAD", "UNTAKEN", "Burial"]
