"""A small body in one request on the loop: signed by botocore's own signer and sent by aiohttp. boto3's client takes
1.2 ms and a thread for it, this 0.3. Whatever goes wrong here, boto3 does it again, and knows what to call it.
"""

import ssl
import time
from urllib.parse import quote

import aiohttp
import yarl
from botocore import auth, awsrequest, credentials, session

LARGEST_BYTES = 1024 * 1024
CONNECT_SECONDS = 3
READ_SECONDS = 20
# After a failure it is left to boto3 for so long: a proxy or a certificate may be only that one's to know.
PAUSE_SECONDS = 30.0


class Puts:
    """One a bucket's line. For one loop."""

    def __init__(self, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._signer = auth.S3SigV4Auth(credentials.Credentials(access_key_id, secret_access_key), "s3", region)
        self._session: aiohttp.ClientSession | None = None
        self._not_before = 0.0

    async def put(self, name: str, key: str, media_type: str, body: bytes) -> bool:
        """Whether the storage has this object now, over whatever was there; else nothing is known. Never raises.
        May be repeated.
        """
        if len(body) > LARGEST_BYTES or time.monotonic() < self._not_before:
            return False
        url = f"{self._endpoint_url}/{name}/{quote(key, safe='/~')}"
        try:
            # What it is sent on to would be asked with GET after a 303; a page found there is no object stored.
            request = self._opened().put(
                yarl.URL(url, encoded=True),
                data=body,
                headers=self._headers(url, media_type, body),
                allow_redirects=False,
            )
            async with request as answer:
                taken = answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            taken = False
        if not taken:
            self._not_before = time.monotonic() + PAUSE_SECONDS
        return taken

    def close(self) -> None:
        """Let go of the connections. May be repeated."""
        if self._session is not None and self._session.connector is not None:
            self._session.connector._close()  # noqa: SLF001 - the public one must be waited for; this is all it does
            self._session.detach()
        self._session = None

    def _headers(self, url: str, media_type: str, body: bytes) -> dict[str, str]:
        request = awsrequest.AWSRequest("PUT", url, headers={"Content-Type": media_type}, data=body)
        self._signer.add_auth(request)
        return dict(request.headers.items())

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=_trusted()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
            )
        return self._session


def _trusted() -> ssl.SSLContext | bool:
    """The authorities that boto3 is told of (AWS_CA_BUNDLE), else those of the machine. Raises OSError."""
    bundle: str | None = session.get_session().get_config_variable("ca_bundle")
    return ssl.create_default_context(cafile=bundle) if bundle else True
