"""The text of ClickHouse's config.xml and users.xml for one server on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from driftline.deploy.local.ports import LOOPBACK
from driftline.streams.clickhouse import users

READY_USER = "driftline-ready"
"""Asks whether the server is ours, with the nonce as its password: who takes the port meanwhile learns nothing."""


@dataclass(frozen=True, slots=True)
class ClickHouseAccess:
    """How a server is secured.

    Attributes:
        inner_port: where the engine listens, behind the door with TLS.
        certificate: file of the certificate and its key.
        authority: file of who signed it.
        database: of the tables.
        passwords: role → password.

    """

    inner_port: int
    certificate: Path
    authority: Path
    database: str
    passwords: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClickHouseOptions:
    """What may differ between two local servers.

    Attributes:
        http_port: port of the only interface that is opened.
        nonce: a word of this start; the server that answers must know it.
        user: name of the one user.
        password: its password, "" for none.
        memory_bytes: cap on the memory of the server.
        access: users by role and TLS; None for the one user.
        database: that of driftline's tables.
        board_password: of the user that the board asks as; "" for no such user.

    """

    http_port: int
    nonce: str
    user: str = "default"
    password: str = ""
    memory_bytes: int = 4 * 1024**3
    access: ClickHouseAccess | None = None
    database: str = "driftline"
    board_password: str = ""


def config_xml(options: ClickHouseOptions, users_file: str) -> str:
    """Return the server's configuration."""
    port = options.http_port if options.access is None else options.access.inner_port
    return f"""<clickhouse>
  <logger><level>warning</level><console>0</console></logger>
  <listen_host>{LOOPBACK}</listen_host>
  <http_port>{port}</http_port>
  <users_config>{escape(users_file)}</users_config>
  <max_server_memory_usage>{options.memory_bytes}</max_server_memory_usage>
  <mark_cache_size>{128 * 1024**2}</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <max_concurrent_queries>64</max_concurrent_queries>
  <keep_alive_timeout>30</keep_alive_timeout>
  <timezone>UTC</timezone>
  <macros><driftline_nonce>{escape(options.nonce)}</driftline_nonce></macros>{_IMPROVED}
</clickhouse>
"""


_IMPROVED = """
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
    <table_engines_require_grant>true</table_engines_require_grant>
    <settings_constraints_replace_previous>true</settings_constraints_replace_previous>
  </access_control_improvements>"""


def users_xml(options: ClickHouseOptions) -> str:
    """Return the users, from loopback only, with limits on memory and time: one and the board's, or one a role."""
    if options.access is not None:
        return _users_by_role(options, options.access)
    secret = _secret(options.password) if options.password else "<no_password/>"
    board = (
        [_user_of_role(users.role(users.BOARD), options.database, options.board_password)]
        if options.board_password
        else []
    )
    made = "\n".join([_user(options.user, secret, "default", None), *board])
    return f"""<clickhouse>
  <profiles>
    <default>
      <max_memory_usage>{options.memory_bytes * 3 // 4}</max_memory_usage>
      <max_execution_time>600</max_execution_time>
      <async_insert>0</async_insert>
    </default>
{_profile(users.role(users.BOARD))}
  </profiles>
  <quotas><default/></quotas>
  <users>
{made}
  </users>
</clickhouse>
"""


def _users_by_role(options: ClickHouseOptions, access: ClickHouseAccess) -> str:
    """Users of the table of roles, one that asks whether the server is ours, and the engine's own session.

    The engine begins a session as `default`, without a password, and nothing else may: a second one is one too many.
    """
    profiles = "\n".join(_profile(role) for role in users.ROLES)
    made = [
        _user("default", "<no_password/>", "session", ("SYSTEM LISTEN ON *.*",)),
        _user(READY_USER, _secret(options.nonce), "session", ("SELECT ON system.one",)),
    ]
    made += [_user_of_role(role, access.database, access.passwords[role.name]) for role in users.ROLES]
    lines = "\n".join(made)
    return f"""<clickhouse>
  <profiles>
    <default><async_insert>0</async_insert></default>
    <session><max_sessions_for_user>1</max_sessions_for_user></session>
{profiles}
  </profiles>
  <quotas><default/></quotas>
  <users>
{lines}
  </users>
</clickhouse>
"""


def _profile(role: users.ClickHouseRole) -> str:
    """The limits of a role as a profile: a client may set them lower, never higher and never to none."""
    held = list(users.settings_of(role.limits))
    values = "".join(f"<{name}>{value}</{name}>" for name, value, _ in held)
    bounds = "".join(
        f"<{name}>{f'<min>1</min><max>{value}</max>' if may_lower else '<const/>'}</{name}>"
        for name, value, may_lower in held
    )
    return f"    <{role.name}><profile>default</profile>{values}<constraints>{bounds}</constraints></{role.name}>"


def _user_of_role(role: users.ClickHouseRole, database: str, password: str) -> str:
    grants = tuple(users.granted(role, database))
    return _user(users.user_of(role.name, database), _secret(password), role.name, grants)


def _user(name: str, secret: str, profile: str, grants: tuple[str, ...] | None) -> str:
    queries = "".join(f"<query>GRANT {escape(grant)}</query>" for grant in grants or ())
    granted = "" if grants is None else f"\n      <grants>{queries}</grants>"
    return f"""    <{name}>
      {secret}
      <networks><ip>{LOOPBACK}</ip></networks>
      <profile>{profile}</profile>
      <quota>default</quota>{granted}
    </{name}>"""


def _secret(password: str) -> str:
    return f"<password_sha256_hex>{users.digest_of(password)}</password_sha256_hex>"
