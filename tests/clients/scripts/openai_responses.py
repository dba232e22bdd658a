"""`client.responses`, in the background and waited for."""

import openai_session
import steps

client = openai_session.client(max_retries=0)
responses = client.responses
MODEL = "sandbox/text"


def end_of(response):
    steps.until(response.id)
    return responses.retrieve(response.id)


made = steps.step(
    "create", lambda: responses.create(model=MODEL, input="Rivers?", instructions="Be brief.", background=True)
)
ended = steps.step("retrieve", lambda: end_of(made))
steps.note("output_text", ended.output_text if ended else None)
steps.step("input_items", lambda: list(responses.input_items.list(made.id)))
steps.step("waited", lambda: responses.create(model=MODEL, input=[{"role": "user", "content": "Rivers?"}]))
form = {
    "format": {
        "type": "json_schema",
        "name": "r",
        "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    }
}
steps.step("schema", lambda: responses.create(model=MODEL, input="Rivers?", text=form))
steps.step("failed", lambda: end_of(responses.create(model="sandbox/text-async-fail", input="x", background=True)))
running = responses.create(model="sandbox/text-async-slow", input="x", background=True)
steps.step("cancel", lambda: responses.cancel(running.id))
steps.step("cancelled", lambda: end_of(running))
steps.step("cancel_over", lambda: responses.cancel(made.id))
steps.step("delete", lambda: responses.delete(made.id) or "deleted")
steps.step("retrieve_deleted", lambda: responses.retrieve(made.id))
steps.step("stream", lambda: responses.create(model=MODEL, input="x", stream=True))
