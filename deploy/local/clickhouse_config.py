"""The text of ClickHouse's config.xml and users.xml for one server on loopback."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

from driftline.deploy.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class ClickHouseOptions:
    """What may differ between two local servers.

    Attributes:
        http_port: port of the only interface that is opened.
        nonce: a word of this start; the server that answers must know it.
        user: name of the one user.
        password: its password, "" for none.
        memory_bytes: cap on the memory of the server.

    """

    http_port: int
    nonce: str
    user: str = "default"
    password: str = ""
    memory_bytes: int = 4 * 1024**3


def config_xml(options: ClickHouseOptions, users_file: str) -> str:
    """Return the server's configuration."""
    return f"""<clickhouse>
  <logger><level>warning</level><console>0</console></logger>
  <listen_host>{LOOPBACK}</listen_host>
  <http_port>{options.http_port}</http_port>
  <users_config>{escape(users_file)}</users_config>
  <max_server_memory_usage>{options.memory_bytes}</max_server_memory_usage>
  <mark_cache_size>{128 * 1024**2}</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <max_concurrent_queries>64</max_concurrent_queries>
  <keep_alive_timeout>30</keep_alive_timeout>
  <timezone>UTC</timezone>
  <macros><driftline_nonce>{escape(options.nonce)}</driftline_nonce></macros>
</clickhouse>
"""


def users_xml(options: ClickHouseOptions) -> str:
    """Return the users: one, from loopback only, with limits on memory and time."""
    secret = (
        f"<password_sha256_hex>{hashlib.sha256(options.password.encode()).hexdigest()}</password_sha256_hex>"
        if options.password
        else "<no_password/>"
    )
    return f"""<clickhouse>
  <profiles>
    <default>
      <max_memory_usage>{options.memory_bytes * 3 // 4}</max_memory_usage>
      <max_execution_time>600</max_execution_time>
      <async_insert>0</async_insert>
    </default>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <{options.user}>
      {secret}
      <networks><ip>{LOOPBACK}</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </{options.user}>
  </users>
</clickhouse>
"""
