"""Keys, credits, activity and batches."""

import openrouter_session
import steps

client = openrouter_session.client()
keys = client.api_keys
batch = client.batch
TEXT = "sandbox/text-instant"
asked = {"endpoint": "/v1/chat/completions", "model": TEXT}


def line(number, **body):
    turns = {"messages": [{"role": "user", "content": f"Number {number}"}], "max_tokens": 8}
    return {"custom_id": f"row-{number}", "body": turns | body}


def end_of(created, *events):
    steps.until_batch(created.id, *events)
    return batch.get_batches(id=created.id)


made = steps.step("create", lambda: keys.create(name="A partner", limit=1.5, limit_reset="monthly"))
made_id, secret = made.data.hash, made.key
theirs = openrouter_session.client(api_key=secret)
steps.step("spend", lambda: theirs.chat.send(model="sandbox/text", messages=[{"role": "user", "content": "Rivers?"}]))
steps.step("own", theirs.api_keys.get_current_key_metadata)
steps.step("get", lambda: keys.get(hash=made_id))
steps.step("update", lambda: keys.update(hash=made_id, name="Renamed", limit=0.000001))
steps.step("no_credit", lambda: theirs.video_generation.generate(model="sandbox/video", prompt="x", duration=5))
steps.step("no_credit_image", lambda: theirs.images.generate(model="sandbox/image", prompt="x"))
steps.step(
    "no_credit_chat", lambda: theirs.chat.send(model="sandbox/text", messages=[{"role": "user", "content": "x"}])
)
poor = steps.step("no_credit_batch", lambda: theirs.batch.create_batches(**asked, requests=[line(1)]))
steps.step("no_credit_batch_end", lambda: end_of(poor, "batch.validated"))
steps.step("daily", lambda: keys.update(hash=made_id, limit_reset="daily"))
steps.step("lifted", lambda: keys.update(hash=made_id, limit=None))
steps.step("not_admin", theirs.api_keys.list)
steps.step("list", lambda: [key.hash for key in keys.list().data])
steps.step("disable", lambda: keys.update(hash=made_id, disabled=True))
steps.step("disabled", lambda: theirs.models.list().result)
steps.step("enable", lambda: keys.update(hash=made_id, disabled=False))
steps.step("delete", lambda: keys.delete(hash=made_id))
steps.step("list_after", lambda: [key.hash for key in keys.list().data])
steps.step("list_all", lambda: [key.hash for key in keys.list(include_disabled=True).data])
steps.step("unknown", lambda: keys.get(hash="key_nothing"))
steps.step("no_name", lambda: keys.create(name=""))
steps.step("bad_limit", lambda: keys.create(name="x", limit=-1))
steps.note("key", {"hash": made_id, "secret": secret})
steps.step("credits", client.credits.get_credits)
steps.step("activity", lambda: client.analytics.get_user_activity(request={"api_key_hash": made_id}))
steps.step("activity_old", lambda: client.analytics.get_user_activity(request={"date_": "2001-01-01"}))
steps.step("admin", keys.get_current_key_metadata)

ran = steps.step("batch", lambda: batch.create_batches(**asked, requests=[line(n) for n in range(20)]))
steps.step("batch_end", lambda: end_of(ran))
mixed = [line(1), line(2, messages=[]), line(3, temperature="warm")]
steps.step("batch_mixed", lambda: end_of(batch.create_batches(**asked, requests=mixed)))
steps.step("batch_list", lambda: batch.list(limit=1).result)
steps.step("batch_pages", lambda: [found.id for found in batch.list(limit=50, status=["completed"]).result.data])
steps.step("batch_none", lambda: batch.list(created_before="2020-01-01T00:00:00Z").result)
steps.step("batch_endpoint", lambda: batch.create_batches(**asked | {"endpoint": "/v1/embeddings"}, requests=[line(1)]))
steps.step("batch_model", lambda: batch.create_batches(**asked | {"model": "sandbox/nothing"}, requests=[line(1)]))
steps.step("batch_other_model", lambda: batch.create_batches(**asked, requests=[line(1, model="sandbox/text")]))
steps.step("batch_twice", lambda: batch.create_batches(**asked, requests=[line(1), line(1)]))
steps.step("batch_empty", lambda: batch.create_batches(**asked, requests=[]))
steps.step("batch_unknown", lambda: batch.get_batches(id="batch_nothing"))
steps.step("batch_delete", lambda: batch.delete(id=ran.id))
