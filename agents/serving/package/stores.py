"""Stores: the one that settings name, a folder or a bucket of S3's kind."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from driftline.agents.serving.package.errors import StoreError, said
from driftline.agents.serving.package.store import Store

if TYPE_CHECKING:
    from driftline.schemas.settings_packages import Packages

TIMEOUT_S: Final = 30
CONNECT_S: Final = 5
RETRIES: Final = 3
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
"""The last label of a host that is read as an address."""


def store_of(settings: Packages, *, make: bool = False, timeout_s: float = TIMEOUT_S) -> Store:
    """Give the store that settings name.

    Args:
        settings: the section [packages].
        make: whether a folder that is not there is made.
        timeout_s: of a bucket: how long a request may take, with its retries, s.

    Raises:
        StoreError: none is named, or the folder is not there.
    """
    if not settings.store:
        raise StoreError(
            "no store of packages is named: set DRIFTLINE_PACKAGES_STORE (or packages.store in driftline.toml) to a "
            "folder or to s3://BUCKET/PREFIX"
        )
    if not settings.store.startswith("s3://"):
        if "://" in settings.store:
            raise StoreError(
                f"the store {settings.store} is of a kind that nobody knows: name a folder, or s3://BUCKET/PREFIX"
            )
        return folder_store(Path(settings.store), make=make)
    bucket, _, prefix = settings.store.removeprefix("s3://").partition("/")
    config: dict[str, Any] = {"region": settings.region, "virtual_hosted_style_request": False}
    if settings.endpoint:
        config["endpoint"] = _address(settings.endpoint)
    if settings.access_key:
        config |= {"access_key_id": settings.access_key, "secret_access_key": str(settings.secret_key)}
    try:
        objects = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            client_options={
                "timeout": timedelta(seconds=timeout_s),
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "allow_http": settings.endpoint.startswith("http://"),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=timeout_s)},
            **config,
        )
    except (BaseError, ValueError) as error:
        raise StoreError(f"the store {settings.store} cannot be used: {said(error)}") from error
    return Store(objects, settings.store)


def _address(endpoint: str) -> str:
    """An endpoint whose host can be one: the library panics at any other; raises StoreError."""
    try:
        host = (urlsplit(endpoint).hostname or "").removesuffix(".")
        if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
            ip_address(host)
        host.encode("ascii").decode("idna")
    except ValueError:
        raise StoreError(f"the endpoint {endpoint} of the store names no machine") from None
    return endpoint


def folder_store(folder: Path, *, make: bool = False) -> Store:
    """Give the store in a folder; raises StoreError when it is not there and is not to be made."""
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            raise StoreError(f"the store of packages {folder} is no folder: name one that is there")
        return Store(LocalStore(folder.resolve()), str(folder), folder.resolve())
    except OSError as error:
        raise StoreError(f"the store of packages {folder} cannot be made: {error.strerror}") from error
