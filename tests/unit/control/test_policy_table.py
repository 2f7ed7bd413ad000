"""The packaged policy against a table that was written by hand: who, what, on which tier, with how many approvals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.agents.control.policy import POLICY_OPS, Policy, Question, default_policy
from driftline.schemas.control.trust import Kind, Person

# How many other persons must approve; "-" is never. Models come the ordinary way: a canary was shadowed, what is
# promoted was a canary.
TABLE = """
                          engineer   validator   approver   operator   steward   automation   nobody
register       low        0          -           -          -          -         0            -
register       medium     0          -           -          -          -         0            -
register       high       0          -           -          -          -         0            -
validate       low        -          0           -          -          -         -            -
validate       medium     -          0           -          -          -         -            -
validate       high       -          0           -          -          -         -            -
create         low        0          -           -          -          -         -            -
create         medium     1          -           -          -          -         -            -
create         high       2          -           -          -          -         -            -
shadow         low        0          -           -          -          -         0            -
shadow         medium     0          -           -          -          -         0            -
shadow         high       1          -           -          -          -         1            -
canary         low        0          -           -          -          -         -            -
canary         medium     1          -           -          -          -         -            -
canary         high       1          -           -          -          -         -            -
promote        low        0          -           -          -          -         -            -
promote        medium     1          -           -          -          -         -            -
promote        high       2          -           -          -          -         -            -
rollback       low        0          -           -          0          -         -            -
rollback       medium     0          -           -          0          -         -            -
rollback       high       0          -           -          0          -         -            -
halt-rollout   low        0          0           0          0          -         -            -
halt-rollout   medium     0          0           0          0          -         -            -
halt-rollout   high       0          0           0          0          -         -            -
halt-serving   low        0          0           0          0          -         -            -
halt-serving   medium     0          0           0          0          -         -            -
halt-serving   high       0          0           0          0          -         -            -
resume         low        0          -           -          0          -         -            -
resume         medium     1          -           -          1          -         -            -
resume         high       1          -           -          1          -         -            -
retire         low        0          -           -          -          0         -            -
retire         medium     1          -           -          -          1         -            -
retire         high       2          -           -          -          2         -            -
configure      low        0          -           -          -          -         -            -
configure      medium     0          -           -          -          -         -            -
configure      high       1          -           -          -          -         -            -
approve        low        -          -           0          -          -         -            -
approve        medium     -          -           0          -          -         -            -
approve        high       -          -           0          -          -         -            -
deny           low        -          -           0          -          -         -            -
deny           medium     -          -           0          -          -         -            -
deny           high       -          -           0          -          -         -            -
forget         low        -          -           -          -          1         -            -
forget         medium     -          -           -          -          1         -            -
forget         high       -          -           -          -          1         -            -
acknowledge    low        0          -           -          0          0         -            -
acknowledge    medium     0          -           -          0          0         -            -
acknowledge    high       0          -           -          0          0         -            -
"""
USUAL = {
    "validate": "registered",
    "create": "validated",
    "shadow": "validated",
    "canary": "shadow",
    "promote": "canary",
}

HEAD, *LINES = TABLE.strip().splitlines()
CELLS = [
    (role, line.split()[0], line.split()[1], cell)
    for line in LINES
    for role, cell in zip(HEAD.split(), line.split()[2:], strict=True)
]


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Return the packaged policy."""
    return default_policy()


def person(*roles: str, kind: Kind = "human", deployments: tuple[str, ...] = ("*",)) -> Person:
    """Return somebody with these roles."""
    return Person(id="p-1", roles=roles, keys=("A" * 43 + "=",), kind=kind, deployments=deployments)


def test_the_table_is_whole() -> None:
    """Every op that a policy is asked about stands in the table with every tier and every role."""
    assert {(op, tier) for _, op, tier, _ in CELLS} == {
        (op, tier) for op in POLICY_OPS for tier in ("low", "medium", "high")
    }
    assert len(CELLS) == len(POLICY_OPS) * 3 * 7


@pytest.mark.parametrize("op", POLICY_OPS)
def test_the_policy_is_the_table(policy: Policy, op: str) -> None:
    """For each cell of the op: the number of approvals that are lacking, and none where the table says never."""
    found, wanted = {}, {}
    for role, row_op, tier, cell in CELLS:
        if row_op == op:
            asked = Question(person(role), op, "churn", tier, USUAL.get(op, ""))  # type: ignore[arg-type]
            wanted[role, tier] = None if cell == "-" else int(cell)
            found[role, tier] = policy.lacking(asked)
            assert policy.ask(asked).allowed == (cell == "0")
    assert found == wanted


def test_one_approval_too_few_is_a_denial(policy: Policy) -> None:
    """With one person a promotion of high tier is denied by a rule that names the number, with two it is allowed."""
    asked = Question(person("engineer"), "promote", "churn", "high", "canary", approvers=1, human_approvers=1)
    assert policy.ask(asked).sentence == "denied by the rule 'high-needs-two-approvers'"
    enough = replace(asked, approvers=2, human_approvers=2)
    assert policy.ask(enough).sentence == "allowed by the rule 'engineers-change-models'"


def test_systems_alone_do_not_approve_high_tiers(policy: Policy) -> None:
    """Approving systems are not enough where the tier is high, whatever asks for approvals; one human among them is."""
    found = set()
    for role, op, tier, cell in CELLS:
        if tier == "high" and cell in {"1", "2"} and op != "forget":
            asked = Question(person(role), op, "churn", tier, USUAL.get(op, ""), approvers=int(cell))  # type: ignore[arg-type]
            assert not policy.ask(asked).allowed
            assert policy.ask(replace(asked, human_approvers=1)).allowed
            found.add(op)
    assert found == {"create", "shadow", "canary", "promote", "resume", "retire", "configure"}


@pytest.mark.parametrize(
    ("op", "tier", "stage", "may"),
    [
        ("promote", "low", "validated", "yes"),
        ("promote", "medium", "validated", "no"),
        ("promote", "medium", "shadow", "yes"),
        ("promote", "high", "shadow", "no"),
        ("promote", "high", "canary", "yes"),
        ("promote", "high", "champion", "yes"),
        ("canary", "low", "validated", "yes"),
        ("canary", "medium", "validated", "yes"),
        ("canary", "high", "validated", "no"),
        ("canary", "high", "shadow", "yes"),
    ],
)
def test_the_path_is_as_long_as_the_tier_is_high(
    policy: Policy, op: str, tier: str, stage: str, may: str
) -> None:
    """A step of the path may be left out only where the tier is low enough, whoever approves."""
    asked = Question(person("engineer"), op, "churn", tier, stage, approvers=8, human_approvers=8)  # type: ignore[arg-type]
    assert policy.ask(asked).allowed == (may == "yes")


# What an operator may do with the glass broken, by tier and by the stage of the model; no cell asks for an approval.
BROKEN = """
                    validated   shadow   canary   champion
canary     low      yes         yes      yes      yes
canary     medium   yes         yes      yes      yes
canary     high     no          yes      no       no
promote    low      yes         yes      yes      yes
promote    medium   no          yes      yes      yes
promote    high     no          no       yes      yes
rollback   low      yes         yes      yes      yes
rollback   medium   yes         yes      yes      yes
rollback   high     yes         yes      yes      yes
resume     low      yes         yes      yes      yes
resume     medium   yes         yes      yes      yes
resume     high     yes         yes      yes      yes
"""
STAGES, *BROKEN_LINES = BROKEN.strip().splitlines()


@pytest.mark.parametrize("line", BROKEN_LINES)
def test_broken_glass_lifts_approvals_and_no_stage(policy: Policy, line: str) -> None:
    """An operator needs nobody's approval, and yet each tier's path; engineers and systems break no glass."""
    op, tier, *cells = line.split()
    for stage, cell in zip(STAGES.split(), cells, strict=True):
        asked = Question(person("operator"), op, "churn", tier, stage, break_glass=True)  # type: ignore[arg-type]
        assert policy.lacking(asked) == (0 if cell == "yes" else None)
        assert policy.lacking(replace(asked, person=person("operator", kind="system"))) is None
        assert policy.lacking(replace(asked, person=person("engineer"))) is None


def test_broken_glass_lifts_no_other_op(policy: Policy) -> None:
    """Nothing else asks for fewer approvals because the glass is broken."""
    for op in set(POLICY_OPS) - {"canary", "promote", "rollback", "resume"}:
        for tier in ("low", "medium", "high"):
            asked = Question(person("operator"), op, "churn", tier, USUAL.get(op, ""))  # type: ignore[arg-type]
            assert policy.lacking(replace(asked, break_glass=True)) in (None, policy.lacking(asked))


def test_nobody_judges_own_work(policy: Policy) -> None:
    """Who validates what they registered is denied though the role fits; own approvals come to no policy."""
    answer = policy.ask(Question(person("validator"), "validate", "churn", "low", own=True))
    assert answer.sentence == "denied by the rule 'nobody-judges-own-work'"


def test_roles_end_where_their_scope_does(policy: Policy) -> None:
    """An engineer of one deployment may do nothing in another one, not even halt it."""
    mine = person("engineer", "operator", deployments=("churn",))
    for op in POLICY_OPS:
        asked = Question(mine, op, "fraud", "low", approvers=8, human_approvers=8)
        assert policy.ask(asked).rules == ("within-scope",)
    assert policy.ask(Question(mine, "register", "churn", "low")).allowed
