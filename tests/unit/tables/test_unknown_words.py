"""Words that are none of the known ones: what a sentence says of those that there are."""

from __future__ import annotations

from driftline.deploy.tables.errors import one_of, unknown_deployment


def test_few_names_are_all_listed() -> None:
    """A person sees what there is to choose from."""
    assert one_of("x", ["1", "2"]) == "it is one of 1, 2"
    assert unknown_deployment("chrun", ["churn"]) == "deployment 'chrun' is not known: it is one of churn"
    assert unknown_deployment("churn", []) == "deployment 'churn' is not known: none has sent anything yet"


def test_of_many_names_the_nearest_is_told() -> None:
    """Three hundred deployments are no sentence; neither is a name of a thousand letters."""
    many = [f"model-{at}" for at in range(300)]
    assert unknown_deployment("modle-7", many) == "deployment 'modle-7' is not known: did you mean 'model-7'?"
    assert unknown_deployment("zzz", many).endswith("model-11 and 288 more")
    assert len(unknown_deployment("x" * 10_000, many)) < 400
