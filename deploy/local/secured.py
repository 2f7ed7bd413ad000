"""What makes a local stack a secured one: certificates, passwords, and users with ACLs and grants by role."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.deploy.access import certificates, clickhouse, files, kafka
from driftline.deploy.local.clickhouse_config import ClickHouseAccess
from driftline.deploy.local.datadir import DataDirectory, Identity
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_config import BROKER, BrokerAccess
from driftline.deploy.local.ports import LOOPBACK
from driftline.schemas.settings import Local, Secret, Settings

_BROKER_FILE = "broker.password"


def settled(directory: DataDirectory, identity: Identity, local: Local) -> Identity:
    """Settle whether a stack is secured: new data as it is wished, other data as it was begun.

    Raises:
        StackError: data that was begun without users is to be secured, or a part of the stack runs elsewhere.

    """
    is_new = directory.is_new()
    if local.secure and not is_new and not identity.secure:
        raise StackError(
            f"the data in {str(directory.root)!r} was begun without users and TLS, and cannot be secured later: "
            "choose another with --data-dir"
        )
    secure = local.secure if is_new else identity.secure
    if secure and "outside" in (local.kafka, local.clickhouse):
        raise StackError(
            "a stack with a part that is outside cannot be secured from here: give that part users with "
            "'driftline access', and leave --secure out"
        )
    return msgspec.structs.replace(identity, secure=secure)


class Secured:
    """The users and certificates of one local stack."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        """Make what is not there yet in `folder`, of which nobody else may read anything.

        Raises:
            AccessError: others can, or it cannot be written.
            StackError: the broker's password is gone, and its data knows no other.

        """
        self._folder = folder
        files.private_folder(folder)
        certificates.ensure(folder, LOOPBACK, dt.datetime.now(dt.UTC))
        token = folder / files.BOARD_TOKEN
        if not token.exists():
            files.write_private(token, files.new_password())
        held = folder / _BROKER_FILE
        if not held.exists():
            if not is_new:
                raise StackError(
                    f"{held} is missing, and Kafka's data knows no other password: put it back, or choose another "
                    "--data-dir"
                )
            write_atomically(held, files.new_password().encode())
        self.broker = BrokerAccess(self._certificate("kafka"), self._authority, held.read_text())

    def over(self, settings: Settings) -> Settings:
        """Settings with TLS and SASL, without a user."""
        authority = str(self._authority)
        return msgspec.structs.replace(
            settings,
            kafka=msgspec.structs.replace(
                settings.kafka,
                security_protocol="SASL_SSL",
                sasl_mechanism=files.MECHANISM,
                ssl_ca_location=authority,
            ),
            clickhouse=msgspec.structs.replace(settings.clickhouse, secure=True, verify=True, ca=authority),
        )

    def write(self, settings: Settings) -> None:
        """Write the role files, with the addresses that settings name; passwords that are there stay."""
        files.make(self._folder, settings)

    def server(self, inner_port: int, database: str) -> ClickHouseAccess:
        """How ClickHouse is secured; its engine listens on `inner_port`."""
        given = clickhouse.passwords(self._folder)
        return ClickHouseAccess(inner_port, self._certificate("clickhouse"), self._authority, database, given)

    def set_up(self, settings: Settings) -> None:
        """Set Kafka's users and ACLs, as the one user who may; raises AccessError where Kafka refuses."""
        as_broker = msgspec.structs.replace(
            settings.kafka, sasl_username=BROKER, sasl_password=Secret(self.broker.password)
        )
        kafka.apply(msgspec.structs.replace(settings, kafka=as_broker), kafka.passwords(self._folder))

    def file_of(self, role: str) -> Path:
        """The settings file that names a process its role."""
        return files.file_of(self._folder, role)

    def settings_of(self, role: str, settings: Settings) -> Settings:
        """Settings with the users of a role; raises AccessError for a file that cannot be used."""
        return files.with_role(settings, self._folder, role)

    @property
    def _authority(self) -> Path:
        return self._folder / certificates.AUTHORITY

    def _certificate(self, server: str) -> Path:
        return self._folder / certificates.file_name(server)
