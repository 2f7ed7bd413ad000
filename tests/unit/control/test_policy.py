"""Policies: what cannot be one, that errors deny, and that a policy nobody could halt under is refused."""

from __future__ import annotations

import pytest
from doubting import Agent
from office import Office
from signed import command, model, signed, trust

from driftline.agents.control.errors import PolicyError
from driftline.agents.control.history import History
from driftline.agents.control.policy import MAX_POLICY_BYTES, Policy, Question, default_policy
from driftline.agents.control.soundness import sound
from driftline.agents.control.trust import first_state
from driftline.deploy.control.policies import explained
from driftline.schemas.control.command import Op
from driftline.schemas.control.trust import Person

OPERATOR = Person(id="p-1", roles=("operator",), keys=("A" * 43 + "=",))
ALL = "permit (principal, action, resource);"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("permit (principal", "unexpected"),
        ("permit (principal, action, resource) when { context.colour == 1 };", "colour"),
        ('permit (principal, action == Action::"destroy", resource);', "destroy"),
        ("permit (principal, action, resource) when { context.tier == 1 };", "not compatible"),
        ("permit (principal == ?principal, action, resource);", "templates"),
        ("/" * (MAX_POLICY_BYTES + 1), "32,768 are allowed"),
        (f"permit (principal, action, resource) when {{ {'(' * 16_000} }};", "nests 16001 brackets"),
        (f"permit (principal, action, resource); // a\r{'(' * 9_000}", "nests 9000 brackets"),
    ],
)
def test_what_cannot_be_a_policy_is_refused_in_words(text: str, said: str) -> None:
    """No Cedar, an attribute or action that there is not, wrong types, templates, too long, too deep: each says so."""
    with pytest.raises(PolicyError, match=said):
        Policy(text)


def test_a_rule_that_errs_denies() -> None:
    """Cedar alone would allow here, for it skips the forbid that overflows; the answer is a denial that says so."""
    text = (
        ALL
        + '@id("greedy") forbid (principal, action, resource) when { context.age_s * 9223372036854775807 > 9 };'
    )
    answer = Policy(text).ask(Question(OPERATOR, "promote", "churn", "low", age_s=2))
    assert not answer.allowed
    assert answer.sentence.startswith("the policy errs, which denies: ")
    assert "overflow" in answer.sentence


def test_a_policy_that_could_err_is_not_sound() -> None:
    """The same rule is found before it is set."""
    text = ALL + "forbid (principal, action, resource) when { context.age_s * 9223372036854775807 > 9 };"
    assert "overflow" in (sound(Policy(text)) or "")


@pytest.mark.parametrize(("minutes", "event"), [(5, "decided"), (9, "decided"), (11, "failed")])
def test_a_rule_about_time_means_the_same_to_controllers_and_agents(minutes: int, event: str) -> None:
    """From the command to its last approval, as both are signed: however late it is decided, both find the same."""
    slow = 'forbid (principal, action == Action::"promote", resource) when { context.age_s > 600 };'
    text = default_policy().text + slow
    assert sound(Policy(text)) is None
    office = Office("medium", History.of(first_state(trust(), text), text))
    office.created()
    office.registered("2")
    office.does("shadow", "ann", model=model("2"))
    value = signed(office.build("promote", model=model("2")), "ann").to_bytes()
    office.now_ms += 8 * 60_000  # it lay there for so long
    asked = office.send(value)[-1]
    approval = signed(
        command("approve", "", at_ms=office.now_ms + (minutes - 8) * 60_000, target=asked.digest), "bob"
    )
    office.now_ms += 5 * 60_000
    assert office.send(approval.to_bytes())[-1].event == event
    Agent(office)


@pytest.mark.parametrize(
    ("op", "rule", "wrong"),
    [
        # Agents ask with no stage.
        (
            "rollback",
            'unless { context.stage == "validated" }',
            "from the stage 'validated' and none from no stage",
        ),
        # And here with this one.
        (
            "promote",
            'when { context.stage == "canary" }',
            "from the stage 'validated' and none from 'canary'",
        ),
        # Which the version has; from others it may come.
        ("promote", 'when { context.stage == "validated" }', None),
    ],
)
def test_what_agents_would_not_believe_is_not_carried_out(op: Op, rule: str, wrong: str | None) -> None:
    """They do not know what stage a model had: both must be allowed, and a policy where they never are is none."""
    text = ALL + f'forbid (principal, action == Action::"{op}", resource) {rule};'
    said = sound(Policy(text))
    assert said is None if wrong is None else wrong in (said or "")
    office = Office("low", History.of(first_state(trust(), ALL), ALL))
    office.created()
    office.registered("2")
    if op == "rollback":
        office.does("promote", "ann", model=model("2"))
    office.desk.history = History.of(first_state(trust(), text), text)
    wanted = model("1" if op == "rollback" else "2")
    refused = office.ask(op, "ann", model=wanted)
    assert (refused.event, refused.refusal and refused.refusal.code) == ("rejected", "forbidden")
    told = explained(
        Policy(text), op, OPERATOR, tier="low", stage="validated", approvers=0, break_glass=False, own=False
    )
    assert (told.answer.allowed, told.lacking) == (False, None)


@pytest.mark.parametrize(
    ("op", "more"), [("promote", ""), ("canary", 'context.stage == "shadow" && '), ("validate", "")]
)
def test_a_policy_that_would_make_somebody_wait_is_not_sound(op: Op, more: str) -> None:
    """What is denied at once is refused: nobody looks at it again later; from whatever stage it is asked."""
    rule = f'forbid (principal, action == Action::"{op}", resource) when {{ {more}context.age_s < 3600 }};'
    assert f"lets {op} at tier low after a while alone" in (sound(Policy(ALL + rule)) or "")


AUDITOR = 'forbid (principal in Role::"auditor", action, resource);'
ONLY = 'forbid (principal, action == Action::"promote", resource) unless { context.stage == "validated" };'
LATE = 'forbid (principal, action == Action::"promote", resource) when { context.age_s < 3600 };'
ERRS = 'forbid (principal, action, resource) when { !(principal in Role::"auditor") && '
ERRS += "context.approvers * 9223372036854775807 > 0 };"


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [(AUDITOR + ONLY, "none from 'canary'"), (AUDITOR + LATE, "after a while alone"), (ERRS, "a rule errs")],
)
def test_a_policy_is_asked_as_each_role_alone(rules: str, wrong: str) -> None:
    """A rule against one role hides from nobody what is wrong with the rules for another."""
    text = ALL + 'permit (principal in Role::"engineer", action, resource);' + rules
    assert wrong in (sound(Policy(text)) or "")


HALT = (
    'permit (principal in Role::"zoe", action in [Action::"halt-rollout", Action::"halt-serving"], resource);'
)


def may(role: str, op: Op, when: str = "") -> str:
    """A rule that lets a role do something."""
    return f'permit (principal in Role :: "{role}", action == Action::"{op}", resource){when};'


def test_a_policy_of_many_roles_is_asked_for_a_halt_as_each() -> None:
    """The last of them may be the only one that halts."""
    assert sound(Policy("".join(may(f"dept-{number}", "register") for number in range(20)) + HALT)) is None


def test_roles_that_are_held_beside_each_other_are_asked_together() -> None:
    """A right for a senior who is an engineer too needs no rule of its own for what an engineer may already."""
    text = HALT + "".join(
        may(role, "promote", f' when {{ context.stage == "{stage}" }}')
        for role, stage in (("engineer", "canary"), ("senior", "shadow"))
    )
    assert sound(Policy(text)) is None
    both = Person(id="p-2", roles=("engineer", "senior"), keys=OPERATOR.keys)
    answer, lacking = Policy(text).decide(Question(both, "promote", "churn", "low", "shadow"))
    assert (answer.allowed, lacking) == (True, 0)


def test_what_only_all_roles_together_are_told_is_found() -> None:
    """Each role alone is denied, and all of them are let after a while alone."""
    rule = may("a", "promote", ' when { principal in Role::"b" && context.age_s > 60 }')
    assert "after a while alone" in (sound(Policy(HALT + rule)) or "")


@pytest.mark.parametrize("stage", ["registered", "rolled_back", "validated", "shadow", "canary", "champion"])
def test_a_rule_that_errs_from_any_stage_is_not_sound(stage: str) -> None:
    """A sum that no number holds is found before a model ever gets there."""
    rule = f'forbid (principal, action, resource) when {{ context.stage == "{stage}" && '
    rule += "9223372036854775807 + context.approvers < 0 };"
    assert "a rule errs" in (sound(Policy(ALL + rule)) or "")


def test_what_is_lacking_and_by_which_rule_belong_together() -> None:
    """Of two answers the one that asks for more is given, whichever came first."""
    two = '@id("two") forbid (principal, action, resource) when { context.stage == "canary" && context.approvers < 2 };'
    one = '@id("one") forbid (principal, action, resource) when { context.stage == "shadow" && context.approvers < 1 };'
    for text in (ALL + two + one, ALL + one + two):
        answer, lacking = Policy(text).decide(Question(OPERATOR, "promote", "churn", "low", "shadow"))
        assert (answer.rules, lacking) == (("two",), 2)


def test_a_policy_under_which_nobody_could_halt_is_not_sound() -> None:
    """Somebody must be able to stop a model of each tier alone; halting after an approval is too late."""
    assert sound(default_policy()) is None
    assert sound(Policy(ALL)) is None
    for text in (
        "",
        ALL
        + 'forbid (principal, action == Action::"halt-serving", resource) when { context.tier == "high" };',
        ALL
        + 'forbid (principal, action == Action::"halt-rollout", resource) when { context.approvers < 1 };',
    ):
        assert "without an approval" in (sound(Policy(text)) or "")


def test_a_policy_is_known_by_its_text() -> None:
    """The digest is the sha256 of the text, so that a space more is another policy."""
    assert Policy(ALL).digest == "70dc852b2e8a27d8bbc7dea7c75fb0f79f634420db4b4ccc0c1c8b6e8a432baa"
    assert Policy(ALL).digest != Policy(ALL + " ").digest


def test_names_are_data_and_never_rules() -> None:
    """A deployment's name with quotes of Cedar in it is a name like any other."""
    answer = Policy(ALL).ask(Question(OPERATOR, "promote", 'a"; permit(principal,action,resource);//', "low"))
    assert (answer.allowed, answer.errors) == (True, ())


def test_a_rule_without_an_id_is_named_by_its_place() -> None:
    """What has no @id is known by Cedar's own name for it."""
    assert Policy(ALL).ask(Question(OPERATOR, "promote", "churn", "low")).rules == ("policy0",)


def test_no_number_of_approvals_turns_a_denial() -> None:
    """Where a role lacks, `lacking` is None, and where nothing lacks it is 0."""
    policy = default_policy()
    assert policy.lacking(Question(OPERATOR, "promote", "churn", "low", "canary")) is None
    assert policy.lacking(Question(OPERATOR, "rollback", "churn", "high")) == 0
