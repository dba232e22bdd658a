"""Images, chats and the catalog."""

import openrouter_session
import steps

client = openrouter_session.client()
IMAGE, TEXT = "sandbox/image", "sandbox/text"
TURNS = [{"role": "user", "content": "Rivers?"}]


def chunks(**fields):
    with client.chat.send(messages=TURNS, stream=True, **fields) as stream:
        return [chunk.model_dump(mode="json") for chunk in stream]


def events(**fields):
    with client.images.generate(prompt="a heron", stream=True, **fields) as stream:
        return [event.model_dump(mode="json") for event in stream]


steps.step("image", lambda: client.images.generate(model=IMAGE, prompt="a heron", size="256x256", n=2))
steps.step(
    "image_shape",
    lambda: client.images.generate(model=IMAGE, prompt="a heron", aspect_ratio="16:9", output_format="webp"),
)
steps.step("image_no_shape", lambda: client.images.generate(model=IMAGE, prompt="a heron", aspect_ratio="21:9"))
steps.step("image_stream", lambda: events(model=IMAGE, size="256x256"))
steps.step(
    "image_slow", lambda: client.images.generate(model="sandbox/image-async-slow", prompt="x", timeout_ms=15_000)
)
steps.step("image_refused", lambda: client.images.generate(model="sandbox/image-refuse", prompt="x"))
steps.step("image_failed", lambda: client.images.generate(model="sandbox/image-garbage-output", prompt="x"))
steps.step(
    "image_routed",
    lambda: client.images.generate(model="sandbox/image-backed", prompt="x", provider={"only": ["sandbox-backup"]}),
)
steps.step("image_models", client.images.list_models)
steps.step("image_endpoints", lambda: client.images.list_model_endpoints(author="sandbox", slug="image"))
steps.step("chat", lambda: client.chat.send(model=TEXT, messages=TURNS, max_tokens=50, temperature=0, seed=7))
steps.step("chat_stream", lambda: chunks(model=TEXT, max_tokens=50, temperature=0, seed=7))
steps.step("chat_models", lambda: client.chat.send(models=["sandbox/text-refuse", TEXT], messages=TURNS))
steps.step(
    "chat_provider",
    lambda: client.chat.send(model=TEXT, messages=TURNS, provider={"only": ["sandbox"], "max_price": {"request": "1"}}),
)
steps.step("chat_nobody", lambda: client.chat.send(model=TEXT, messages=TURNS, provider={"only": ["nobody"]}))
steps.step("chat_refused", lambda: client.chat.send(model="sandbox/text-refuse", messages=TURNS))
steps.step("chat_late", lambda: chunks(model="sandbox/text-async-fail"))
steps.step("models", lambda: client.models.list().result)
steps.step("models_video", lambda: client.models.list(output_modalities="video").result)
steps.step("models_nonsense", lambda: client.models.list(output_modalities="smell").result)
steps.step("count", lambda: client.models.count(output_modalities="all"))
steps.step("models_embeddings", lambda: client.models.list(output_modalities="embeddings").result)
steps.step("model", lambda: client.models.get(author="sandbox", slug="text"))
steps.step("endpoints", lambda: client.endpoints.list(author="sandbox", slug="text"))
steps.step("endpoints_unknown", lambda: client.endpoints.list(author="sandbox", slug="nothing"))
steps.step("providers", client.providers.list)
