"""Who is at the keyboard: the name that stands beside each change."""

from __future__ import annotations

import os
import pwd

from driftline.deploy.local.errors import StackError
from driftline.schemas.settings import Settings
from driftline.schemas.sources import variable


def operator_name(settings: Settings) -> str:
    """Return the setting operator.name, else the name of the operating system's user.

    The system is asked, not a variable such as USER, which anything may set.

    Raises:
        StackError: there is no setting, and the user has no name, as in some containers.

    """
    if settings.operator.name:
        return settings.operator.name
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError as error:
        raise StackError(
            f"user {number} has no name on this machine: say who you are with {variable('operator', 'name')}"
        ) from error
