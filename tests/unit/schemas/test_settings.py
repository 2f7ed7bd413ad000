"""Settings: where they come from, and the sentence when one is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from driftline.schemas.settings import (
    Kafka,
    Secret,
    Settings,
    SettingsError,
    clickhouse_config,
    consumer_config,
    kafka_config,
    load,
    producer_config,
)
from driftline.schemas.sources import nearest

SASL = {
    "DRIFTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "DRIFTLINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "DRIFTLINE_KAFKA_SASL_USERNAME": "emitter",
    "DRIFTLINE_KAFKA_SASL_PASSWORD": "hunter2",
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, where no driftline.toml lies."""
    monkeypatch.chdir(tmp_path)


def fault(env: dict[str, str], file: Path | None = None) -> str:
    """Return the sentence with which settings are refused."""
    with pytest.raises(SettingsError) as found:
        load(env, file)
    return str(found.value)


def test_defaults_need_nothing() -> None:
    """Without file and variables every setting has its default."""
    assert load({}) == Settings()


def test_every_default_is_a_value_that_is_allowed() -> None:
    """Writing the default of any setting into its variable changes nothing."""
    settings = Settings()
    env = {}
    for section in msgspec.structs.fields(Settings):
        for item in msgspec.structs.fields(section.type):
            value = getattr(getattr(settings, section.name), item.name)
            env[f"DRIFTLINE_{section.name}_{item.name}".upper()] = str(value)
    assert load(env) == settings


def test_every_setting_says_what_is_allowed() -> None:
    """Each field has a description, which its error prints."""
    for section in msgspec.structs.fields(Settings):
        for item in msgspec.structs.fields(section.type):
            assert any(isinstance(each, msgspec.Meta) and each.description for each in item.type.__metadata__)


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    """The file is read first; the environment, nearer to the process, overrides it."""
    file = tmp_path / "mine.toml"
    file.write_text("[kafka]\nbootstrap = 'file:1'\npartitions = 8\n[archive]\nblock_seconds = 2\n")
    settings = load({"DRIFTLINE_KAFKA_BOOTSTRAP": "env:2"}, file)
    assert (settings.kafka.bootstrap, settings.kafka.partitions, settings.archive.block_seconds) == (
        "env:2",
        8,
        2.0,
    )


def test_the_file_is_found(tmp_path: Path) -> None:
    """driftline.toml in the working directory is read, unless DRIFTLINE_CONFIG names another."""
    (tmp_path / "driftline.toml").write_text("[kafka]\npartitions = 2\n")
    (tmp_path / "other.toml").write_text("[kafka]\npartitions = 3\n")
    assert load({}).kafka.partitions == 2
    assert load({"DRIFTLINE_CONFIG": "other.toml"}).kafka.partitions == 3


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        (
            {"DRIFTLINE_KAFKA_BOOTSTRP": "x"},
            "the variable DRIFTLINE_KAFKA_BOOTSTRP is no setting; did you mean DRIFTLINE_KAFKA_BOOTSTRAP?",
        ),
        (
            {"DRIFTLINE_QQ": "x"},
            (
                "the variable DRIFTLINE_QQ is no setting; names are DRIFTLINE_<SECTION>_<FIELD>; "
                "sections: KAFKA, CLICKHOUSE, WORKER, ARCHIVE, ALERTS, LOCAL, OPERATOR, CONTROL, PACKAGES, SERVE, BOARD"
            ),
        ),
        (
            {"DRIFTLINE_WORKER_METRICS_PORT": "99999"},
            "DRIFTLINE_WORKER_METRICS_PORT is '99999'; it must be a port, 0 to 65,535; 0 takes a free one",
        ),
        (
            {"DRIFTLINE_WORKER_CHECKPOINT_SECONDS": "nan"},
            (
                "DRIFTLINE_WORKER_CHECKPOINT_SECONDS is 'nan'; "
                "it must be a number of seconds above 0, at most 86,400"
            ),
        ),
        (
            {"DRIFTLINE_CLICKHOUSE_SECURE": "yes"},
            "DRIFTLINE_CLICKHOUSE_SECURE is 'yes'; it must be true (HTTPS) or false (HTTP)",
        ),
        (
            {"DRIFTLINE_CLICKHOUSE_DATABASE": "a;b"},
            (
                "DRIFTLINE_CLICKHOUSE_DATABASE is 'a;b'; "
                "it must be a letter or underscore, then letters, digits and underscores"
            ),
        ),
        (
            {"DRIFTLINE_CONFIG": "gone.toml"},
            "the settings file gone.toml cannot be read: No such file or directory",
        ),
        (
            {"DRIFTLINE_KAFKA_SASL_PASSWORD": "x"},
            "DRIFTLINE_KAFKA_SASL_PASSWORD has no effect with security_protocol PLAINTEXT; use SASL_SSL",
        ),
        (
            {"DRIFTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
            (
                "DRIFTLINE_KAFKA_SASL_MECHANISM (or kafka.sasl_mechanism in driftline.toml) "
                "is needed with security_protocol SASL_SSL"
            ),
        ),
        (
            {"DRIFTLINE_KAFKA_SSL_CA_LOCATION": "gone.pem"},
            "DRIFTLINE_KAFKA_SSL_CA_LOCATION names gone.pem, which is no file",
        ),
    ],
)
def test_a_wrong_variable_is_one_sentence(env: dict[str, str], sentence: str) -> None:
    """The error names the variable, its value and what is allowed."""
    assert fault(env) == sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[kafka]\nbootstrp = 'x'", "has the unknown key kafka.bootstrp; did you mean bootstrap?"),
        ("[kafak]\na = 1", "has the unknown section [kafak]; did you mean kafka?"),
        ("kafka = 1", "kafka is 1 and must be a section, [kafka]"),
        (
            "[kafka]\npartitions = '4'",
            "kafka.partitions is '4'; it must be a number of partitions, 1 to 10,000",
        ),
        ("[kafka", "is no TOML"),
        ("a = " + "[" * 50_000, "is no TOML"),
        ("a = " + "1" * 5_000, "is no TOML"),
        ('[local]\ndata_dir = "a\\u0000b"', "local.data_dir is 'a\\x00b'; it must be the path of a folder"),
        (f"[alerts]\nroutes = '{'x' * 5_000}'", "which is no file"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """The error names the file and the key."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    sentence = fault({}, file)
    assert str(file) in sentence
    assert words in sentence
    assert "\n" not in sentence


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    """Half a client certificate is refused, for Kafka and for ClickHouse."""
    file = tmp_path / "client.pem"
    file.touch()
    assert "SSL_KEY_LOCATION" in fault({"DRIFTLINE_KAFKA_SSL_CERTIFICATE_LOCATION": str(file)})
    assert "CLIENT_CERTIFICATE" in fault({"DRIFTLINE_CLICKHOUSE_CLIENT_KEY": str(file)})


def test_kubernetes_service_variables_are_let_be() -> None:
    """What Kubernetes sets for a service called driftline is no typo; a clash of names is explained."""
    env = {
        "DRIFTLINE_SERVICE_HOST": "10.0.0.1",
        "DRIFTLINE_PORT": "tcp://",
        "DRIFTLINE_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load(env) == Settings()
    assert "enableServiceLinks" in fault({"DRIFTLINE_CLICKHOUSE_PORT": "tcp://10.0.0.1:8123"})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Neither repr nor an error tells a password."""
    settings = load({**SASL, "DRIFTLINE_CLICKHOUSE_PASSWORD": "hunter3"})
    assert "hunter" not in repr(settings)
    assert repr(Secret("")) == "''"
    file = tmp_path / "mine.toml"
    file.write_text("[kafka]\nsasl_password = 424242")
    assert "424242" not in fault({}, file)


def test_kafka_clients_get_sasl_and_tls(tmp_path: Path) -> None:
    """Every librdkafka client carries the same security options, and none that are empty."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    config = kafka_config(load({**SASL, "DRIFTLINE_KAFKA_SSL_CA_LOCATION": str(authority)}).kafka)
    assert config == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "emitter",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(authority),
    }


def test_producers_place_keys_as_java_does_and_lose_nothing() -> None:
    """Idempotent, acknowledged by all, murmur2; options of the caller come last."""
    config = producer_config(Kafka(), linger_ms=50)
    assert (config["enable.idempotence"], config["acks"]) == (True, "all")
    assert config["partitioner"] == "murmur2_random"
    assert config["linger.ms"] == 50


def test_consumers_commit_only_when_told() -> None:
    """Nothing is committed behind the back of a checkpoint."""
    config = consumer_config(Kafka(), "drift", session_timeout_ms=7_000)
    assert (config["group.id"], config["enable.auto.commit"], config["enable.auto.offset.store"]) == (
        "drift",
        False,
        False,
    )
    assert config["session.timeout.ms"] == 7_000


def test_clickhouse_is_reached_by_tls_when_asked() -> None:
    """`secure` turns to HTTPS and checks the certificate unless told otherwise."""
    plain = clickhouse_config(load({}).clickhouse)
    assert (plain["interface"], "verify" in plain) == ("http", False)
    secure = clickhouse_config(load({"DRIFTLINE_CLICKHOUSE_SECURE": "true"}).clickhouse)
    assert (secure["interface"], secure["verify"]) == ("https", True)


def test_a_file_may_hold_the_value(tmp_path: Path) -> None:
    """DRIFTLINE_<SECTION>_<FIELD>_FILE names a file that holds the value; the end of its last line is none of it."""
    secret = tmp_path / "password"
    secret.write_text("p w\n")
    settings = load({"DRIFTLINE_CLICKHOUSE_PASSWORD_FILE": str(secret)})
    assert str(settings.clickhouse.password) == "p w"
    assert repr(settings.clickhouse.password) == "'***'"


def test_a_value_is_given_once(tmp_path: Path) -> None:
    """A variable and a file for the same setting are refused: nobody could tell which one holds."""
    file = tmp_path / "port"
    file.write_text("1")
    with pytest.raises(
        SettingsError, match="DRIFTLINE_CLICKHOUSE_PORT and DRIFTLINE_CLICKHOUSE_PORT_FILE are both set"
    ):
        load({"DRIFTLINE_CLICKHOUSE_PORT": "2", "DRIFTLINE_CLICKHOUSE_PORT_FILE": str(file)})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            None,
            "DRIFTLINE_CLICKHOUSE_PORT_FILE names '{path}', which cannot be read: No such file or directory",
        ),
        (
            b"\xff",
            "DRIFTLINE_CLICKHOUSE_PORT_FILE names '{path}', which cannot be read: it is no text in UTF-8",
        ),
        (
            b"http",
            "{path}, which DRIFTLINE_CLICKHOUSE_PORT_FILE names, is 'http'; it must be a port, 1 to 65,535",
        ),
    ],
)
def test_a_file_that_holds_no_value_is_named(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    """What is wrong with a file is one sentence that names the variable and the file."""
    path = tmp_path / "port"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        load({"DRIFTLINE_CLICKHOUSE_PORT_FILE": str(path)})
    assert str(error.value) == sentence.format(path=path)


def test_an_unknown_word_is_told_what_there_is() -> None:
    """The end of the sentence names the word it is near to, the first of what there is, or that there is nothing."""
    assert nearest("chrun", ["churn"]) == "; did you mean churn?"
    assert nearest("x", ["b", "a"]) == "; there are a, b"
    assert nearest("churn", []) == "; there is none yet"
    assert nearest("zzz", [f"model-{at:03}" for at in range(300)]).endswith("model-029 and 270 more")
