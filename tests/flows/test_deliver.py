"""A letter leaves at least once under one Message-ID, is tried again while that may help, and ends with a reason."""

from __future__ import annotations

from datetime import timedelta

from gateway.itip.model import Reason


async def one_letter(world, say, *answers) -> None:
    world.outbox.answers.extend(answers)
    world.save(say.meeting())
    await world.settle()


async def state_of(world) -> str:
    (entry,) = [one for one in await world.store.journal.story("m1") if one["kind"] == "change"]
    (letter,) = entry["letters"]
    return letter["state"]


async def test_a_letter_that_was_taken_is_sent_and_leaves_no_job(world, say):
    await one_letter(world, say)
    assert await state_of(world) == "sent"
    assert await world.waiting() == []


async def test_a_4xx_is_tried_again_later_and_later_with_the_same_message_id(world, say):
    busy = say.Sent(state="deferred", code=451, text="greylisted")
    await one_letter(world, say, *[busy] * 5)
    waits = []
    for _ in range(5):
        assert await state_of(world) == "deferred"
        due = await world.store.queue.next_due()
        waits.append((due - world.clock.now()).total_seconds())
        world.clock.moment = due
        await world.work()
    assert await state_of(world) == "sent"
    for number, wait in enumerate(waits):
        assert 0.8 * 60 * 2**number <= wait <= 1.2 * 60 * 2**number
    assert len(world.got()) == 1


async def test_a_4xx_that_never_ends_is_given_up(new_world, say):
    world = await new_world(retry_for=timedelta(hours=3))
    await one_letter(world, say, *[say.Sent(state="deferred", code=451)] * 99)
    for _ in range(12):
        world.clock.forward(hours=1, minutes=13)
        await world.work()
    assert await state_of(world) == "failed"
    assert (await world.told("m1"))[-1] == ("failed", "given-up")
    assert await world.waiting() == []


async def test_a_5xx_is_final(world, say):
    await one_letter(world, say, say.Sent(state="failed", code=550, text="no such user"))
    assert await state_of(world) == "failed"
    assert await world.waiting() == []
    letter, bounce = (await world.store.journal.story("m1"))[-2:]
    assert (letter["kind"], letter["outcome"], letter["reason"]) == ("letter", "failed", "letter-failed")
    assert letter["notes"] == [{"code": "detail", "text": "550 no such user"}]
    assert (bounce["kind"], bounce["reason"]) == ("bounce", "bounced"), "her sender is told"


async def test_one_guests_trouble_is_not_anothers(world, say):
    world.outbox.answers.append(say.Sent(state="failed", code=550))
    world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.settle()
    assert [one.method for one in world.got()] == ["REQUEST", ""], "carol's, and a word to alice"


async def test_a_letter_that_may_not_be_written_fails_with_its_reason(new_world, say):
    world = await new_world(letters=lambda letter, moment: Reason.FROM_REFUSED)
    await one_letter(world, say)
    assert (await world.told("m1"))[-1] == ("failed", "from-refused")
    assert world.got() == []


async def test_a_faulty_mail_never_leaves(new_world, say, composing):
    def broken(letter, moment):
        mail = composing(letter, moment)
        return say.replace(mail, content=mail.content.replace(b"MIME-Version: 1.0\r\n", b""))

    world = await new_world(letters=broken)
    await one_letter(world, say)
    assert world.got() == []
    assert (await world.told("m1"))[-1] == ("failed", "internal-error")


async def test_a_composer_that_breaks_delays_the_letter_and_loses_nothing(new_world, say, composing):
    troubles = [ZeroDivisionError(), ZeroDivisionError()]

    def moody(letter, moment):
        if troubles:
            raise troubles.pop()
        return composing(letter, moment)

    world = await new_world(letters=moody)
    await one_letter(world, say)
    assert world.got() == []
    await world.drain()
    assert len(world.got()) == 1


async def test_a_second_letter_threads_under_the_first(world, say):
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    first, second = world.got()
    assert first.message_id != second.message_id
    assert f"In-Reply-To: {first.message_id}".encode() in second.content


async def test_a_letter_that_a_person_dropped_does_not_leave(world, say):
    await one_letter(world, say, say.Sent(state="deferred", code=451))
    (job,) = await world.store.queue.list_jobs()
    assert await world.store.queue.drop(job["id"])
    await world.drain()
    assert world.got() == []
    assert await state_of(world) == "dropped"
