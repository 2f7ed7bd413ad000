"""Certificates of a stack on one machine: an authority that signs the servers' and is then forgotten.

Its private key is never written: nobody can sign another server for who trusts it. Near their end all are made anew.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from driftline.deploy.access.files import write_private

AUTHORITY: Final = "ca.pem"
SERVERS: Final = ("kafka", "clickhouse")
DAYS: Final = 397
"""How long they hold: what browsers take at most (CA/Browser Forum, Baseline Requirements 6.3.2)."""
RENEW_DAYS: Final = 30
_BACK: Final = dt.timedelta(hours=1)
_KEY_FILE: Final = serialization.PrivateFormat.PKCS8
_PEM: Final = serialization.Encoding.PEM


def ensure(folder: Path, address: str, now: dt.datetime) -> bool:
    """Make the authority and a certificate with its key for each server, unless they hold for a month yet.

    Args:
        folder: a private one; `ca.pem`, and `<server>.pem` with certificate and key, lie there.
        address: IP address of the servers.
        now: the time, UTC.

    Returns:
        Whether they were made.

    Raises:
        AccessError: the folder cannot be written.
    """
    if all(_holds(folder / name, now) for name in (AUTHORITY, *map(file_name, SERVERS))):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "driftline, this machine")])
    authority = (
        _begin(name, key, now)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    for server in SERVERS:
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server)])
        # Its own name is what it is called where each server has a host of its own, as in docker-compose.yml.
        names = [
            x509.IPAddress(ipaddress.ip_address(address)),
            x509.DNSName("localhost"),
            x509.DNSName(server),
        ]
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        signed = (
            _begin(subject, own, now)
            .issuer_name(name)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        private = own.private_bytes(_PEM, _KEY_FILE, serialization.NoEncryption())
        write_private(folder / file_name(server), (private + signed.public_bytes(_PEM)).decode())
    write_private(folder / AUTHORITY, authority.public_bytes(_PEM).decode())
    return True


def file_name(server: str) -> str:
    """The file of a server's certificate and key."""
    return f"{server}.pem"


def _holds(path: Path, now: dt.datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return found.not_valid_after_utc - now > dt.timedelta(days=RENEW_DAYS)


def _begin(subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(now + dt.timedelta(days=DAYS))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
