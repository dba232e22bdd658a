"""`client.images`: generate, edit, streamed, slow ones, and failures."""

import openai_session
import steps

client = openai_session.client(max_retries=0)
images = client.images
MODEL = "sandbox/image"

steps.step("generate", lambda: images.generate(model=MODEL, prompt="a heron", size="1024x1024", n=2))
steps.step("url", lambda: images.generate(model=MODEL, prompt="a heron", size="256x256", response_format="url"))
steps.step("format", lambda: images.generate(model=MODEL, prompt="a heron", output_format="webp", quality="auto"))
steps.step("edit", lambda: images.edit(model=MODEL, prompt="at night", image=steps.png()))
steps.step("edit_several", lambda: images.edit(model=MODEL, prompt="both", image=[steps.png(), steps.png(32, 32)]))
steps.step("edit_mask", lambda: images.edit(model=MODEL, prompt="x", image=steps.png(), mask=steps.png()))
steps.step("edit_no_picture", lambda: images.edit(model=MODEL, prompt="x", image=b"this is no picture"))
steps.step("stream", lambda: list(images.generate(model=MODEL, prompt="a heron", size="256x256", stream=True)))
# Longer than the quiet time: only the spaces keep this short read timeout from striking.
slow = client.with_options(timeout=15)
steps.step("slow", lambda: slow.images.generate(model="sandbox/image-async-slow", prompt="a heron"))
steps.step("refused", lambda: images.generate(model="sandbox/image-refuse", prompt="x"))
steps.step(
    "failed", lambda: images.generate(model="sandbox/image-async-fail", prompt="x", extra_body={"deadline_seconds": 30})
)
steps.step("unusable", lambda: images.generate(model="sandbox/image-garbage-output", prompt="x"))
steps.step("unsupported", lambda: images.generate(model=MODEL, prompt="x", background="transparent"))
steps.step("size", lambda: images.generate(model=MODEL, prompt="x", size="17x17"))
