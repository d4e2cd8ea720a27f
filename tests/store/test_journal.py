from __future__ import annotations

from datetime import timedelta

from gateway.ports import Entry

LEASE = timedelta(minutes=5)


def entry(**facts) -> Entry:
    return Entry(**{"job": "j", "kind": "mail", "outcome": "applied", "reason": "invitation-stored"} | facts)


async def claim(store):
    return await store.queue.claim("w", limit=9, lease=LEASE)


async def test_a_line_has_every_field_and_null_for_what_is_absent(store) -> None:
    await store.journal.write([entry()])
    assert await store.journal.story("j") == [
        {
            "time": "2027-03-10T09:30:00.000Z",
            "job": "j",
            "kind": "mail",
            "message_id": None,
            "uid": None,
            "recurrence_id": None,
            "method": None,
            "account": None,
            "sender": None,
            "certainty": None,
            "outcome": "applied",
            "reason": "invitation-stored",
            "notes": [],
            "letters": [],
        }
    ]


async def test_what_is_known_is_told(store) -> None:
    facts = {
        "message_id": "<m@x>",
        "uid": "u",
        "recurrence_id": "20270310T093000Z",
        "method": "REQUEST",
        "account": "alice@example.org",
        "sender": "bob@example.com",
        "certainty": "proven",
    }
    await store.journal.write([entry(**facts, notes=({"code": "repaired", "what": "tzid"},))])
    (line,) = await store.journal.story("u")
    assert {name: line[name] for name in facts} == facts
    assert line["notes"] == [{"code": "repaired", "what": "tzid"}]


async def test_a_story_is_found_by_message_id_with_or_without_brackets_by_uid_and_by_job(store) -> None:
    await store.journal.write(
        [entry(message_id="<m@x>", uid="u"), entry(job="other", message_id="<n@x>", uid="v")]
    )
    for key in ("<m@x>", "m@x", "u", "j"):
        assert [line["job"] for line in await store.journal.story(key)] == ["j"]
    assert await store.journal.story("nothing") == []
    assert await store.journal.story("") == []


async def test_the_oldest_is_told_first(store, clock) -> None:
    await store.journal.write([entry(reason="a"), entry(reason="b")])
    clock.forward(seconds=1)
    await store.journal.write([entry(reason="c")])
    assert [line["reason"] for line in await store.journal.story("j")] == ["a", "b", "c"]


async def test_the_job_of_a_mail_tells_what_came_of_it(store, new_mail, new_job) -> None:
    name = await store.intake.accept(new_mail())
    (mail_job,) = await claim(store)
    await store.queue.finish(mail_job, spawn=[new_job("a"), new_job("b")])
    first, second = await claim(store)
    await store.queue.finish(first, entries=[entry(job=first.id, uid="u", message_id="<m@x>")])
    await store.queue.finish(second, entries=[entry(job=second.id, uid="v")])
    assert [line["job"] for line in await store.journal.story(name)] == [first.id, second.id]
    assert [line["job"] for line in await store.journal.story(second.id)] == [second.id]
    assert [line["job"] for line in await store.journal.story("<m@x>")] == [first.id, second.id]


async def test_writing_for_a_job_that_lives_finds_where_it_began(store, new_mail, new_job) -> None:
    name = await store.intake.accept(new_mail())
    (mail_job,) = await claim(store)
    await store.queue.finish(mail_job, spawn=[new_job("a")])
    (job,) = await claim(store)
    await store.journal.write([entry(job=job.id)])
    assert len(await store.journal.story(name)) == 1
