"""What people type: an example or two for each command, shown in its help and in the reference."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "up": ("up --detach", "up --detach --kafka-port 9092 --clickhouse-port 8123"),
    "down": ("down",),
    "board": ("board", "board --port 8600"),
    "status": ("status", "status --json | jq .lag"),
    "doctor": ("doctor", "doctor --prepare"),
    "demo": ("demo", "demo --keep"),
    "access new": ("access new roles", "access new roles --again archive"),
    "access kafka": ("access kafka", "access kafka --apply roles"),
    "access clickhouse": ("access clickhouse", "access clickhouse --apply roles"),
    "healthy": ("healthy 9100", "healthy 8080 --path /v2/health/ready"),
    "rules build": (
        "rules build rules",
        "rules build rules --available 99.95 --quick-ms 50",
        "rules build rules --kubernetes",
    ),
    "rules routes": ("rules routes deploy/alertmanager/teams.toml alertmanager.yml",),
    "seed begin": ("seed begin .",),
    "seed model": ("seed model .",),
    "seed secrets": ("seed secrets .",),
    "completion": (
        "completion bash >> ~/.bashrc",
        "completion fish > ~/.config/fish/completions/driftline.fish",
    ),
    "plan": (
        "plan --events 5000 --features 40 --deployments 100 --labels 0.8",
        "plan --events 200 --deployments 50 --days 365 --json",
    ),
    "compare": ("compare reference.parquet today.parquet", "compare january.csv july.csv --html page.html"),
    "profile build": (
        "profile build reference.parquet --deployment churn --version 1",
        "profile build reference.csv --deployment churn --version 1 --scores held-out",
    ),
    "profile publish": ("profile publish --deployment churn --version 1",),
    "profile show": ("profile show --deployment churn --version 1",),
    "emit": (
        "emit today.parquet --deployment churn --version 1",
        "emit today.csv --deployment churn --version 1 --columns mapping.toml",
    ),
    "deployment apply": ("deployment apply churn.toml", "deployment apply churn.toml --since 2026-01-01"),
    "deployment show": ("deployment show churn",),
    "deployment list": ("deployment list --json",),
    "windows": ("windows churn", "windows churn --resolution 1d --feature age --since 2026-01-01"),
    "labels": ("labels churn", "labels unmatched churn --limit 20"),
    "labels show": ("labels show churn --days 7",),
    "labels unmatched": ("labels unmatched churn --since 2026-01-01",),
    "health": ("health", "health churn --hours 24"),
    "advice": ("advice churn", "advice churn --candidate scores.parquet --resolution 1M"),
    "changes": ("changes churn", "changes churn --feature age --since 2026-01-01"),
    "alerts": ("alerts --open", "alerts churn --limit 20"),
    "alerts ack": ("alerts ack 3f2a --comment 'the feed of prices is late'",),
    "replay": (
        "replay churn --since 2026-01-01 --until 2026-02-01 --floors psi.warn=0.2",
        "replay churn --since 2026-01-01 --until 2026-02-01 --restate",
    ),
    "emitters": ("emitters", "emitters churn --ended-after 60"),
    "compare-versions": ("compare-versions churn 1 2 --resolution 1d",),
    "trace": ("trace 01890a5d-ac96-774b-bcce-b302099a8057", "trace order-4711 --deployment churn --verify"),
    "dead-letter list": ("dead-letter list", "dead-letter list --topic predictions --since 2026-01-01"),
    "dead-letter retry": ("dead-letter retry --id predictions/0/42", "dead-letter retry --all"),
    "model pack": (
        "model pack model.onnx --about about.toml --rows rows.csv --key packer.pem --out churn-2",
    ),
    "model inspect": ("model inspect churn-2",),
    "model verify": ("model verify churn-2 --by KEY --trial",),
    "model push": ("model push churn-2",),
    "register": ("register churn churn-2 --reason 'trained on July'",),
    "validate": ("validate churn 2 report.html --reason 'better on held-out data'",),
    "create": ("create churn 1 --reason 'first model'",),
    "shadow": ("shadow churn 2 --reason 'look at it beside the champion'",),
    "canary": ("canary churn 2 --step 5%:1h:500 --step 50%:6h --reason 'shadow is well'",),
    "promote": ("promote churn 2 --bake 2h --reason 'canary passed'",),
    "rollback": ("rollback churn --reason 'too many refusals since noon'",),
    "halt rollout": ("halt rollout churn --reason 'looking into latency'",),
    "halt serving": ("halt serving churn --instead 1 --reason 'answers nonsense'",),
    "halt local": ("halt local churn --reason 'Kafka is away, answers nonsense'",),
    "resume": ("resume rollout churn --reason 'it was the network'",),
    "retire": (
        "retire churn 1 --reason 'nobody goes back to it'",
        "retire churn --reason 'the product ends'",
    ),
    "pending": ("pending", "pending --deployment churn --follow"),
    "approve": ("approve 5d41402a",),
    "deny": ("deny 5d41402a --reason 'no evidence for the small branches'",),
    "history": ("history churn", "history churn --at 2026-01-31T12:00"),
    "inventory": ("inventory", "inventory --json | jq -r .deployment"),
    "acknowledge": ("acknowledge churn 3f2a --reason 'we know; the feed is late'",),
    "forget": ("forget churn order-4711 --reason 'request of the person, ticket 12'",),
    "audit tail": ("audit tail --last 50", "audit tail --follow --deployment churn"),
    "audit verify": ("audit verify --signatures", "audit verify --export audit-2026"),
    "audit export": ("audit export audit-2026",),
    "audit restore": ("audit restore audit-2026",),
    "audit prove": ("audit prove 17 --output record-17.proof",),
    "audit witness": ("audit witness --key witness.pem --name auditors --store witness",),
    "trust template": ("trust template > trust.toml",),
    "trust init": ("trust init trust.toml",),
    "trust show": ("trust show > trust.toml", "trust show --json"),
    "trust set": ("trust set trust.toml --key root-1.pem --key root-2.pem --reason 'Ada left'",),
    "keys new": ("keys new ada.pem",),
    "keys list": ("keys list", "keys list ada.pem"),
    "keys revoke": ("keys revoke KEYID --key root-1.pem --key root-2.pem --reason 'laptop lost'",),
    "policy show": ("policy show > policy.cedar", "policy show --in-force"),
    "policy check": ("policy check policy.cedar",),
    "policy explain": ("policy explain promote --role approver --tier high --approvers 1",),
    "policy set": (
        "policy set policy.cedar --key root-1.pem --key root-2.pem --reason 'two approvals for medium'",
    ),
    "log-reset": (
        "log-reset 3kZ8xPZkQnGv --key root-1.pem --key root-2.pem --reason 'restored from the mirror'",
    ),
    "migrate": ("migrate", "migrate --json"),
    "worker drift": ("worker drift",),
    "worker accuracy": ("worker accuracy",),
    "worker alerts": ("worker alerts",),
    "worker archive": ("worker archive",),
    "worker challenger": ("worker challenger --model churn-2 --deployment churn --by KEY",),
    "worker retrain": ("worker retrain --commands retrain.toml",),
    "controller": ("controller",),
    "serve": ("serve --port 8080", "serve --package churn-2 --deployment churn --by KEY"),
    "dashboards build": (
        "dashboards build grafana/dashboards",
        "dashboards build grafana/dashboards --runbooks https://ops.example.org/runbooks",
    ),
}
"""Words of a command -> command lines without the name of the program, each as it may be typed."""

WIDTH: Final = 76


def shown(example: str) -> str:
    r"""Write an example as a terminal of 80 columns holds it, broken before options where it is long.

    >>> print(shown("model pack model.onnx --about about.toml --rows rows.csv --key packer.pem --out churn"))
    driftline model pack model.onnx --about about.toml --rows rows.csv \
        --key packer.pem --out churn
    """
    lines = [f"driftline {example}"]
    while len(lines[-1]) > WIDTH:
        at = lines[-1].rfind(" --", 0, WIDTH - 2)
        lines[-1:] = [f"{lines[-1][:at]} \\", f"    {lines[-1][at + 1 :]}"]
    return "\n".join(lines)
