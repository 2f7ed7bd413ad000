"""The table of commands: what `driftline --help` shows without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command: its name, the extra of the distribution it needs (or none), and its line in the help.

    The command itself is the attribute `command` of `driftline.deploy.cli.<module>`.
    """

    name: str
    extra: str
    help: str

    @property
    def module(self) -> str:
        """Full name of the module that holds the command."""
        return "driftline.deploy.cli." + self.name.replace("-", "_")

    @property
    def install(self) -> str:
        """The line that installs what the command needs."""
        return f"pip install 'driftline[{self.extra}]'"


COMMANDS: tuple[CommandEntry, ...] = (
    CommandEntry("up", "local", "Start Kafka, ClickHouse, the workers and the board on this machine."),
    CommandEntry("down", "local", "Stop the local stack, cleanly and in order."),
    CommandEntry("status", "local", "Show components, ports, lag and rows; fail when something is down."),
    CommandEntry("doctor", "local", "Say what is missing or misconfigured, and how to mend it."),
    CommandEntry("healthy", "local", "Say whether what listens on a port here is well."),
    CommandEntry("migrate", "streams", "Bring the ClickHouse tables up to date."),
    CommandEntry("access", "streams", "Make users, ACLs and grants, by role, for Kafka and ClickHouse."),
    CommandEntry("worker", "streams", "Run one worker in the foreground."),
    CommandEntry("profile", "local", "Build a reference profile from a table, or publish one."),
    CommandEntry("deployment", "local", "Say what a deployment is judged by and who hears of it."),
    CommandEntry("emit", "local", "Send the rows of a table as predictions."),
    CommandEntry("windows", "local", "Show which features drifted, when and how sure that is."),
    CommandEntry("labels", "local", "Show how much of the truth has come, and labels without a prediction."),
    CommandEntry(
        "health", "local", "Show how often a deployment is asked, how it answers, and whether it fell quiet."
    ),
    CommandEntry("advice", "local", "Say whether a model needs retraining, and whether a candidate helps."),
    CommandEntry("changes", "local", "Show when the error, the scores or a feature began to lie elsewhere."),
    CommandEntry("alerts", "local", "Show which alerts fire, and say that somebody knows of one."),
    CommandEntry("replay", "local", "Count windows again from the log or the archive, beside the live ones."),
    CommandEntry("emitters", "local", "Hold what emitters say of their rows against what is stored."),
    CommandEntry("dead-letter", "local", "List refused messages, or send them again once mended."),
    CommandEntry("trust", "control", "Begin an installation: who holds which key and which role; change it."),
    CommandEntry("keys", "control", "Make, list and revoke keys."),
    CommandEntry("policy", "control", "Check, explain and set who may do what."),
    CommandEntry(
        "controller", "serving", "Run the controller: decide commands, write the audit and what serves."
    ),
    CommandEntry("register", "control", "Make a model known to a deployment."),
    CommandEntry("validate", "control", "Say that a registered version is fit for use."),
    CommandEntry("create", "control", "Let a version be the first champion of a deployment."),
    CommandEntry("shadow", "control", "Let a version be asked beside the champion, unheard."),
    CommandEntry("canary", "control", "Let a version answer a share of callers, step by step."),
    CommandEntry("promote", "control", "Make a version the champion."),
    CommandEntry("rollback", "control", "Let an earlier champion answer again."),
    CommandEntry("halt", "control", "Stop a rollout, or stop serving: one signer, no approval."),
    CommandEntry("resume", "control", "Let go on what was halted."),
    CommandEntry("retire", "control", "Take a version, or a deployment, out for good."),
    CommandEntry("pending", "control", "Show what waits for approvals and reviews."),
    CommandEntry("approve", "control", "Approve what waits."),
    CommandEntry("deny", "control", "Deny what waits."),
    CommandEntry("acknowledge", "control", "Say, signed, that you know of an alert."),
    CommandEntry("forget", "control", "Remove what a prediction was asked."),
    CommandEntry("log-reset", "control", "Let the controller go on with another topic of commands."),
    CommandEntry("board", "local", "Serve the board: the dashboards as a page, without Grafana."),
    CommandEntry("dashboards", "local", "Write the dashboards for Grafana."),
    CommandEntry("rules", "local", "Write the rules of Prometheus and the routes of Alertmanager."),
    CommandEntry("serve", "serving", "Answer with models, and swap them without losing a request."),
    CommandEntry("model", "serving", "Make a package of a model, verify it, push it to a store."),
    CommandEntry("audit", "control", "Read, verify, export and witness the history of every change."),
    CommandEntry(
        "compare-versions", "local", "Put two versions side by side, performance on the same labelled rows."
    ),
    CommandEntry("trace", "local", "Say which version made a prediction, of what, and who put it there."),
    CommandEntry(
        "history", "serving", "Show who changed what in a deployment, who approved, and what stood when."
    ),
    CommandEntry(
        "inventory", "serving", "List every deployment: whose it is, how it was looked at, what serves."
    ),
    CommandEntry("compare", "local", "Compare two tables without Kafka: the same figures and verdicts."),
    CommandEntry("seed", "demo", "Begin an installation to try things in, with the demo's model."),
    CommandEntry("demo", "demo", "Replay the flights of 2013 through the whole road."),
    CommandEntry("plan", "", "Say what machines, partitions and disks a load needs."),
    CommandEntry("completion", "", "Print what makes a shell complete commands and options."),
)

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("demo", "up", "status", "doctor", "down"),
    "Your data": ("compare", "profile", "emit", "deployment"),
    "What it tells": (
        "windows", "labels", "health", "advice", "changes", "alerts", "emitters", "compare-versions", "replay", "trace",
    ),
    "Change what serves": (
        "model", "register", "validate", "create", "shadow", "canary", "promote", "rollback", "halt", "resume",
        "retire", "pending", "approve", "deny",
    ),
    "Who did what": ("history", "inventory", "audit", "acknowledge", "forget"),
    "Who may do what": ("trust", "keys", "policy", "access", "seed", "log-reset"),
    "Run it": (
        "plan", "migrate", "worker", "controller", "serve", "board", "healthy", "dead-letter", "dashboards", "rules",
        "completion",
    ),
}  # fmt: skip
"""Sections of `driftline --help`; a command of none stands under a section of its own."""

BY_NAME: dict[str, CommandEntry] = {entry.name: entry for entry in COMMANDS}
