"""Find the running local stack: the settings of every command that is run beside one."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from driftline.deploy.access.files import file_of, with_role
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.state import StackState, read_state, supervisor_lives
from driftline.schemas.access import OPERATOR
from driftline.schemas.settings import Settings, load
from driftline.schemas.sources import BY_FILE, variable

_ADDRESSES: Final = {"kafka": variable("kafka", "bootstrap"), "clickhouse": variable("clickhouse", "host")}


def settings_here(
    env: Mapping[str, str],
    cwd: Path,
    *,
    required: bool = True,
    role: str = OPERATOR,
    needs: Collection[str] = ("kafka", "clickhouse"),
) -> Settings:
    """Return the settings, with the addresses of the local stack that runs below `cwd`.

    An address that a variable or the TOML file gives is kept; so is that of a part that is "outside". Of a secured
    stack come the users of a role too.

    Args:
        env: variables, as in os.environ.
        cwd: where driftline.toml and the data directory are looked for.
        required: raise when an address is needed and no local stack runs.
        role: who asks, as in `driftline.schemas.access`.
        needs: parts whose addresses are needed.

    Raises:
        SettingsError: a setting is wrong.
        StackError: `required`, no local stack runs and no address is given.
        AccessError: the stack is secured, and this user may not read the role's file.

    """
    settings = load_here(env, cwd)
    directory = data_directory(settings, cwd)
    elsewhere = parts_elsewhere(settings, env, cwd)
    kafka_here, clickhouse_here = "kafka" not in elsewhere, "clickhouse" not in elsewhere
    if not kafka_here and not clickhouse_here:
        return settings
    state = running_state(directory)
    if state is None:
        lacking = [_ADDRESSES[part] for part in _ADDRESSES if part in needs and part not in elsewhere]
        if required and lacking:
            directory.check_readable()
            raise StackError(
                f"no local stack runs in {str(directory.root)!r}: start it with 'driftline up', "
                f"or give addresses with {' and '.join(lacking)}"
            )
        return settings
    settings = at(settings, state, kafka=kafka_here, clickhouse=clickhouse_here)
    if not state.secure:
        return settings
    known = with_role(settings, directory.access, role)
    return msgspec.structs.replace(
        settings,
        kafka=known.kafka if kafka_here else settings.kafka,
        clickhouse=known.clickhouse if clickhouse_here else settings.clickhouse,
    )


def load_here(env: Mapping[str, str], cwd: Path) -> Settings:
    """Return the settings as given, without looking for a stack."""
    return load(env, _file(env, cwd))


def data_directory(settings: Settings, cwd: Path) -> DataDirectory:
    """Return the data directory of the settings; a relative one lies below `cwd`."""
    return DataDirectory((cwd / settings.local.data_dir).absolute())


def running_state(directory: DataDirectory) -> StackState | None:
    """Return the state of the stack that runs in a directory, None when none runs."""
    state = read_state(directory.state_file)
    return state if state is not None and supervisor_lives(state) else None


def at(settings: Settings, state: StackState, *, kafka: bool, clickhouse: bool) -> Settings:
    """Return the settings with the addresses of a state in place of those parts'."""
    if kafka:
        part = msgspec.structs.replace(settings.kafka, bootstrap=state.bootstrap)
        settings = msgspec.structs.replace(settings, kafka=part)
    if clickhouse:
        access = msgspec.structs.replace(
            settings.clickhouse, host=state.clickhouse_host, port=state.clickhouse_port
        )
        settings = msgspec.structs.replace(settings, clickhouse=access)
    return settings


def as_role(settings: Settings, role: str) -> Settings:
    """Return the settings of a secured local stack with the users of a role; any others as they are.

    Raises:
        AccessError: the role's file cannot be used.

    """
    return with_role(settings, _access(settings), role) if settings.local.secure else settings


def role_file(settings: Settings, role: str) -> Path | None:
    """Return the file that names a child process its role on a secured local stack; None on any other."""
    return file_of(_access(settings), role) if settings.local.secure else None


def _access(settings: Settings) -> Path:
    return DataDirectory(Path(settings.local.data_dir).absolute()).access


def _file(env: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the settings file as `load` would find it from `cwd`."""
    if env.get("DRIFTLINE_CONFIG"):
        return cwd / env["DRIFTLINE_CONFIG"]
    beside = cwd / "driftline.toml"
    return beside if beside.is_file() else None


def parts_elsewhere(settings: Settings, env: Mapping[str, str], cwd: Path) -> set[str]:
    """Return which of "kafka" and "clickhouse" commands do not look for in the local stack.

    They are those that settings call "outside", and those whose address a variable or the TOML file gives.
    """
    outside = {part for part in ("kafka", "clickhouse") if getattr(settings.local, part) == "outside"}
    file = _file(env, cwd)
    fields = (("kafka", "bootstrap"), ("clickhouse", "host"), ("clickhouse", "port"))
    document: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    return outside | {
        part
        for part, name in fields
        if {variable(part, name), variable(part, name) + BY_FILE} & env.keys()
        or name in document.get(part, {})
    }
