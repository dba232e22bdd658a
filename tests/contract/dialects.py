"""Every dialect the contract is tried in. A new adapter is one line here."""

from tests.contract.servers import (
    anthropic,
    black_forest_labs,
    comfyui,
    fal,
    google,
    kling,
    luma,
    minimax,
    openai_compatible,
    openrouter,
    replicate,
    runway,
    sandbox,
    stability,
    together,
)

ALL = (
    anthropic.DIALECT,
    black_forest_labs.DIALECT,
    comfyui.DIALECT,
    fal.DIALECT,
    google.DIALECT,
    kling.DIALECT,
    luma.DIALECT,
    minimax.DIALECT,
    openai_compatible.DIALECT,
    openrouter.DIALECT,
    replicate.DIALECT,
    runway.DIALECT,
    sandbox.DIALECT,
    stability.DIALECT,
    together.DIALECT,
)
