"""Every setting, read from the environment (`GENQUEUE_…`). Only the composition roots read this."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SHIPPED_CATALOG = Path(__file__).parent / "catalog" / "shipped"


class Settings(BaseSettings):
    """One field a variable; the description is the sentence in `.env.example`."""

    model_config = SettingsConfigDict(env_prefix="GENQUEUE_", extra="ignore")

    database_url: SecretStr = Field(
        SecretStr("postgresql+asyncpg://genqueue:genqueue@127.0.0.1:5432/genqueue"),
        description="Postgres 15 or newer, with the asyncpg driver in the URL.",
    )
    database_pool_size: int = Field(10, description="Connections each process keeps to Postgres.")
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis 6.2 or newer, AOF on, noeviction."
    )
    s3_endpoint_url: str = Field("http://127.0.0.1:8333", description="Where we reach the S3 server.")
    s3_public_endpoint_url: str = Field(
        "", description="Where callers reach the S3 server; signed URLs name it. Empty: the same."
    )
    s3_region: str = Field("us-east-1", description="The region used in signatures.")
    s3_bucket: str = Field("genqueue", description="The bucket that holds the outputs.")
    s3_tenant_buckets: dict[str, str] = Field(
        default_factory=dict,
        description="JSON: buckets of their own by tenant id. Move a tenant's objects before you name or unname one.",
    )
    s3_access_key_id: SecretStr = Field(SecretStr(""), description="The S3 access key.")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="The S3 secret key.")
    admin_key: SecretStr = Field(SecretStr(""), description="The key that may do everything; at least 16 characters.")
    public_url: str = Field(
        "http://127.0.0.1:8080", description="The base URL callers use; polling URLs start with it."
    )
    catalog_path: Path = Field(SHIPPED_CATALOG, description="A folder of YAML files: providers, models, endpoints.")
    provider_urls: dict[str, str] = Field(
        default_factory=dict, description="JSON: base URLs by provider name, over those in the catalog."
    )
    provider_keys: dict[str, list[SecretStr]] = Field(
        default_factory=dict, description="JSON: the keys by provider name, one or several each."
    )
    callbacks: Literal["auto", "always", "never"] = Field(
        "auto", description="Let providers call us back at the public URL; auto: unless that is this machine's own."
    )
    callback_secrets: dict[str, list[SecretStr]] = Field(
        default_factory=dict,
        description="JSON: what providers sign their calls with, by provider name (Replicate, OpenRouter: the webhook "
        "secret; fal: `x` of its JWKS keys). Calls without such a signature then come to nothing.",
    )
    sandbox_url: str = Field("http://127.0.0.1:8090", description="Where the sandbox provider listens.")
    allowed_networks: list[str] = Field(
        default_factory=list, description="JSON: private networks (CIDR) that outbound requests may reach."
    )
    allowed_local_networks: list[str] = Field(
        default_factory=list,
        description="JSON: those of allowed_networks that are this machine's or a cloud's metadata, said again.",
    )
    allow_plain_http: bool = Field(
        default=False, description="Let webhooks and providers' result URLs begin with http://."
    )
    outbound_ports: list[int] = Field(
        default=[80, 443], description="JSON: the ports that webhooks and result URLs may name; [] allows all."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Seals webhook secrets in the database; several with commas: the first seals, all open. "
        "Empty: they are stored as they are.",
    )
    max_receivers: int = Field(100, description="How many webhook receivers a tenant may register.")
    webhook_retry_seconds: list[float] = Field(
        default=[5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400],
        description="JSON: the pauses after the first failed try of a delivery, the second, and so on.",
    )
    webhook_concurrency: int = Field(10, description="How many tries one receiver gets at a time.")
    webhook_timeout_seconds: float = Field(20, description="How long one try may take, the answer's body included.")
    event_retention_seconds: int = Field(30 * 86400, description="How long events and their deliveries are kept.")
    max_body_bytes: int = Field(8 * 1024 * 1024, description="The largest request body the API reads.")
    max_output_bytes: int = Field(2 * 1024**3, description="The largest output taken from a provider.")
    signed_url_seconds: int = Field(900, description="How long a signed download URL works.")
    output_retention_seconds: int = Field(30 * 86400, description="How long outputs are kept; 0 keeps them for ever.")
    max_file_bytes: int = Field(512 * 1024**2, description="The largest file a caller may upload.")
    batch_retention_seconds: int = Field(
        30 * 86400,
        description="How long rows and input of a batch that is over are kept, its result files longer; 0: for ever.",
    )
    file_retention_seconds: int = Field(30 * 86400, description="How long uploaded files are kept; 0: for ever.")
    held_quiet_seconds: float = Field(
        45.0,
        description="How long an answer that waits for its job stays silent; then spaces keep its line open.",
    )
    held_answer_seconds: int = Field(600, description="How long an answer may wait for its job.")
    stream_downloads: bool = Field(
        default=False, description="Send output bytes through the API instead of a redirect."
    )
    requests_per_minute: int = Field(
        600, description="Requests a key may send a minute, unless the key says otherwise; 0 is no limit."
    )
    bad_keys_per_minute: int = Field(
        30, description="Bad keys an address may send a minute before it is locked out; 0 is no limit."
    )
    max_queue_length: int = Field(
        1_000_000, description="Queued jobs above which low priorities are turned away, and all at twice that; 0: none."
    )
    max_queue_age_seconds: int = Field(0, description="The same for the age of the oldest queued job; 0: none.")
    fold_retries_seconds: int = Field(
        0, description="Fold re-posts of SDKs that send no Idempotency-Key, for so long; 0 is off."
    )
    cors_origins: list[str] = Field(
        default_factory=list, description="JSON: origins whose pages may call the API from a browser; none by default."
    )
    max_header_bytes: int = Field(32 * 1024, description="The most bytes of headers a request may have.")
    default_deadline_seconds: int = Field(3600, description="How long a job may take when the caller does not say.")
    lease_seconds: int = Field(15, description="How long a silent process keeps its claims.")
    worker_threads: int = Field(
        32, description="Task threads in one worker process, and jobs it has under work at once."
    )
    poll_batch_size: int = Field(500, description="Polls a worker process has in the air at most.")
    worker_slices: int = Field(4, description="Slices of batches one worker process has in hand at once.")
    slice_rows: int = Field(200, description="Rows of a batch one slice keeps in the air.")
    max_batch_bytes: int = Field(1024**3, description="The largest file taken as a batch.")
    max_batch_rows: int = Field(1_000_000, description="The most rows taken in one batch.")
    failpoints: str = Field("", description="For tests: where to die, as in `sent_committed=once,claimed=0.05`.")
    failpoints_path: Path = Field(Path("/tmp"), description="For tests: remembers which failpoints have fired.")  # noqa: S108
    metrics_port: int = Field(0, description="A port where a worker or relay answers Prometheus; 0: none.")
    metrics_host: str = Field("127.0.0.1", description="The address of that port. It asks for no key.")
    task_events: bool = Field(
        default=False, description="Workers tell Flower of each task; that costs half of Celery's throughput."
    )
    tracing_endpoint: str = Field(
        "", description="Where OpenTelemetry traces go (OTLP over HTTP); empty: nowhere. Needs genqueue[tracing]."
    )
    log_format: Literal["json", "console"] = Field("json", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


@lru_cache(maxsize=1)
def load() -> Settings:
    """The settings of this process. Read by composition roots (api, workers, cli) and by nothing else."""
    return Settings()
