"""Settings of the store of packages: what its library cannot take is refused before it is asked."""

from __future__ import annotations

import pytest

from driftline.schemas.settings import SettingsError, load


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "http://minio:99999"),
        ("ENDPOINT", "http://a:b:c"),
        ("ENDPOINT", "https://[::1"),
        ("ENDPOINT", 'http://"x"'),
        ("REGION", "us-east-1\n"),
        ("REGION", ""),
        ("ACCESS_KEY", "a\n"),
    ],
)
def test_what_no_store_can_be_asked_with_is_one_sentence(name: str, value: str) -> None:
    """The library of stores panics at these; the sentence names the setting."""
    with pytest.raises(SettingsError, match=f"DRIFTLINE_PACKAGES_{name} is"):
        load({f"DRIFTLINE_PACKAGES_{name}": value})


@pytest.mark.parametrize(
    "address", ["https://[::1]:9000", "http://127.0.0.1:65535", "https://s3.example.com/base", ""]
)
def test_addresses_of_stores_are_taken(address: str) -> None:
    """With a port, of IPv6, with a path, or none at all."""
    assert load({"DRIFTLINE_PACKAGES_ENDPOINT": address}).packages.endpoint == address
