"""Routes: where alerts go, as the alert worker's own file says; deployments only name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from driftline.schemas.deployment import Name
from driftline.schemas.sources import SettingsError, nearest, read_document
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

Meta = msgspec.Meta
Address = Annotated[
    str,
    Meta(
        description="an address that begins with http:// or https://", pattern=r"\Ahttps?://[!-~]{1,2000}\Z"
    ),
]
KEYS: Final = ("webhook", "alertmanager", "secret_file", "secret_env", "everything")
LEAST_SECRET_CHARS: Final = 16
MOST_ROUTES: Final = 50


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver.

    Attributes:
        name: how the contacts of deployments call it.
        kind: `webhook` or `alertmanager`.
        url: its address; of Alertmanager the one that `/api/v2/alerts` is added to.
        secret: what webhooks are signed with; empty bytes sign nothing.
        everything: whether it hears of every alert, whatever the contacts say.
    """

    name: str
    kind: str
    url: str
    secret: bytes = b""
    everything: bool = False

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"Route({self.name!r}, {self.kind!r}, {self.url!r})"


def read_routes(path: Path, env: Mapping[str, str]) -> dict[str, Route]:
    """Read a file of routes, one table each.

    Args:
        path: the file.
        env: the variables that `secret_env` names.

    Raises:
        SettingsError: it cannot be read, or says something that is not allowed, in one sentence.
    """
    document = read_document(path)
    if len(document) > MOST_ROUTES:
        raise SettingsError(f"{path} has {len(document)} routes; at most {MOST_ROUTES} are allowed")
    return {name: _route(path, name, table, env) for name, table in document.items()}


def _route(path: Path, name: str, table: object, env: Mapping[str, str]) -> Route:
    place = f"{path}: route {name!r}"
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        allowed = "1 to 200 printable characters, without a space at an end"
        raise SettingsError(f"{place} has a name that no contact can have; give it {allowed}") from error
    if not isinstance(table, dict):
        raise SettingsError(f"{place} is {table!r} and must be a table, [{name}]")
    for key in table:
        if key not in KEYS:
            raise SettingsError(f"{place} has the unknown key {key!r}{nearest(key, KEYS)}")
    kinds = [kind for kind in ("webhook", "alertmanager") if kind in table]
    if len(kinds) != 1:
        raise SettingsError(f"{place} must have one of webhook and alertmanager, an address")
    everything = table.get("everything", False)
    if not isinstance(everything, bool):
        raise SettingsError(f"{place}: everything is {everything!r}; it must be true or false")
    try:
        url = msgspec.convert(table[kinds[0]], Address)
    except msgspec.ValidationError as error:
        allowed = "an address that begins with http:// or https://"
        raise SettingsError(f"{place}: {kinds[0]} is {table[kinds[0]]!r}; it must be {allowed}") from error
    _check_address(f"{place}: {kinds[0]}", url)
    secret = _secret(place, table, env)
    if secret and kinds[0] == "alertmanager":
        raise SettingsError(f"{place} has a secret, which only webhooks are signed with: take it away")
    return Route(name=name, kind=kinds[0], url=url, secret=secret, everything=everything)


def _check_address(place: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError as error:
        raise SettingsError(f"{place} is {url!r}, which is no address: {error}") from error
    if not host:
        raise SettingsError(f"{place} is {url!r}, which names no host")
    if user is not None:
        raise SettingsError(f"{place} has a user in its address, which is not supported: take it away")


def _secret(place: str, table: Mapping[str, Any], env: Mapping[str, str]) -> bytes:
    """The secret, from the file or the variable that the route names; never from the file of routes itself."""
    file, variable = table.get("secret_file"), table.get("secret_env")
    if file is None and variable is None:
        return b""
    if file is not None and variable is not None:
        raise SettingsError(f"{place} has secret_file and secret_env; it must have one of them")
    if variable is not None:
        found, where = env.get(str(variable), ""), f"the variable {variable}"
    else:
        where = f"the file {file}"
        try:
            found = read_whole(Path(str(file))).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{place}: {where} with its secret cannot be read: {error}") from error
    if len(found) < LEAST_SECRET_CHARS:
        short = f"holds {len(found)} characters of secret; it must hold {LEAST_SECRET_CHARS} or more"
        raise SettingsError(f"{place}: {where} {short}")
    return found.encode()
