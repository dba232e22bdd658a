"""Keeping the bucket in order: making it, and clearing what killed uploads left in it."""

from __future__ import annotations

import functools
from datetime import datetime

from botocore import exceptions

from shared.storage import bucket, troubles


async def drop_stale_uploads(place: bucket.Bucket, before: datetime) -> int:
    """See `objects.Objects.drop_stale_uploads`."""
    return sum([await place.run(functools.partial(_drop, place, name, before)) for name in place.names])


def _drop(place: bucket.Bucket, name: str, before: datetime) -> int:
    dropped = 0
    for page in place.client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            if upload["Initiated"] < before:
                place.client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
                dropped += 1
    return dropped


async def ensure_bucket(place: bucket.Bucket) -> None:
    """See `objects.Objects.ensure_bucket`."""
    for name in place.names:
        try:
            await place.run(functools.partial(place.client.head_bucket, Bucket=name))
        except troubles.ObjectMissingError:
            await place.run(functools.partial(_make_bucket, place, name))


def _make_bucket(place: bucket.Bucket, name: str) -> None:
    try:
        if place.region == "us-east-1":
            # Amazon refuses a location constraint that names its default region.
            place.client.create_bucket(Bucket=name)
        else:
            place.client.create_bucket(
                Bucket=name,
                CreateBucketConfiguration={"LocationConstraint": place.region},  # type: ignore[typeddict-item]
            )
    except exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
