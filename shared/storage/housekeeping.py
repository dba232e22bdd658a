"""Keeping the bucket in order: making it, and clearing what killed uploads left in it."""

from __future__ import annotations

from datetime import datetime

from botocore import exceptions

from shared.storage import bucket, troubles


async def drop_stale_uploads(place: bucket.Bucket, before: datetime) -> int:
    """See `objects.Objects.drop_stale_uploads`."""
    return await place.run(lambda: _drop(place, before))


def _drop(place: bucket.Bucket, before: datetime) -> int:
    dropped = 0
    for page in place.client.get_paginator("list_multipart_uploads").paginate(Bucket=place.name):
        for upload in page.get("Uploads", []):
            if upload["Initiated"] < before:
                place.client.abort_multipart_upload(Bucket=place.name, Key=upload["Key"], UploadId=upload["UploadId"])
                dropped += 1
    return dropped


async def ensure_bucket(place: bucket.Bucket) -> None:
    """See `objects.Objects.ensure_bucket`."""
    try:
        await place.run(lambda: place.client.head_bucket(Bucket=place.name))
    except troubles.ObjectMissingError:
        await place.run(lambda: _make_bucket(place))


def _make_bucket(place: bucket.Bucket) -> None:
    try:
        if place.region == "us-east-1":
            # Amazon refuses a location constraint that names its default region.
            place.client.create_bucket(Bucket=place.name)
        else:
            place.client.create_bucket(
                Bucket=place.name,
                CreateBucketConfiguration={"LocationConstraint": place.region},  # type: ignore[typeddict-item]
            )
    except exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
