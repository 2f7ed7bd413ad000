"""TLS and SASL for Faust, from the settings that every other Kafka client uses."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import faust
from faust.types.auth import AuthProtocol

if TYPE_CHECKING:
    from driftline.schemas.settings import Kafka


def credentials(kafka: Kafka) -> Any:  # noqa: ANN401 - faust's credentials, or None
    """Faust credentials of these settings; None where neither TLS nor SASL is asked for."""
    secured = kafka.security_protocol.endswith("SSL")
    context = None
    if secured:
        context = ssl.create_default_context(cafile=kafka.ssl_ca_location or None)
        if kafka.ssl_certificate_location:
            context.load_cert_chain(
                kafka.ssl_certificate_location,
                kafka.ssl_key_location or None,
                str(kafka.ssl_key_password) or None,
            )
    if kafka.security_protocol.startswith("SASL_"):
        credentials = faust.SASLCredentials(
            username=kafka.sasl_username,
            password=str(kafka.sasl_password),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
        credentials.protocol = AuthProtocol.SASL_SSL if secured else AuthProtocol.SASL_PLAINTEXT
        return credentials
    return faust.SSLCredentials(context) if context is not None else None
