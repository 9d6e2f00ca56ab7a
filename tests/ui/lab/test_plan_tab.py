"""What the planning tab shows of a plan, and where it says what is wrong."""

import pytest

from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.ui.lab.plan_changes import fill_backbone, fill_output_layer, fill_scenario
from mtdemo.ui.lab.plan_view import as_bytes, as_share, summarise
from tests.ui.lab.conftest import PlanForm, cells

EMPTY = ("summary", "groups", "timeline", "parts", "script", "saved")


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-large-uncased"])
def test_every_printed_column_sums_to_its_printed_total(form: PlanForm, backbone: str, scenario: str) -> None:
    form.change(fill_backbone, backbone_=backbone).change(fill_scenario, scenario=scenario)
    form.change(fill_output_layer, new_output_layer=True)
    _, *rows, total = cells(form.shown("parts"))
    for column in (1, 2, 3):
        assert sum(number(row[column]) for row in rows) == number(total[column])
        assert total[column] in form.shown("summary")
    _, *rows, total = cells(form.shown("groups"))
    assert sum(number(row[2]) for row in rows) == number(total[2])


def test_adapters_are_counted_like_everything_else(form: PlanForm) -> None:
    """Published counts: rank 8 on queries and values of a bert-base, and its biases."""
    form.change(fill_backbone, backbone_="bert-base-uncased").change(fill_scenario, scenario="freeze_network")
    layers = [f"layer_{index}" for index in range(12)]
    for selection, n_trainable in (("adapters", 294_912), ("biases", 102_144 - 768)):  # without the embeddings' one norm
        form.change(stack=layers, selection=selection, rank=8, alpha=16, targets=["query", "value"])
        assert f"<dt>Trainable</dt><dd>{n_trainable:,}<small>" in form.shown("summary")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"selection": "adapters", "rank": 0}, "The rank of the adapters must be a whole number from 1 to 256, not 0"),
        ({"selection": "adapters", "targets": []}, "names of the linear layers that get one, and none is chosen"),
        ({"backbone": 7}, "The learning rate of the backbone must be a number from 0 to 1, not 7"),
        ({"ner_head": -1}, "The learning rate of the entity head must be a number from 0 to 1, not -1"),
        ({"warmup_share": 2}, "from 0 to 1, not 2"),
        ({"n_steps": 0}, "from 1 to 10,000, not 0"),
        ({"n_sentences": 0}, "from 1 to 1024, not 0"),
        ({"n_tokens": 9999}, "from 1 to 512, not 9999"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_can_be_trained(
    form: PlanForm, said: dict[str, object], words: str
) -> None:
    form.change(**said)
    wrong = list(said)[-1]
    marked = [name for name in form.controls.fields if form.told(name, "elem_classes")]
    assert marked == [wrong]
    assert words in form.told(wrong, "info")
    assert "No plan." in form.shown("state")
    assert words in form.shown("state")
    assert [form.shown(name) for name in EMPTY] == [""] * len(EMPTY), "nothing of another plan may be left"
    form.change(**dict.fromkeys(said, None) | {"selection": "weights"})
    assert not form.told(wrong, "elem_classes")
    assert form.plan == form.planner.scenario_plan("embedded", "train_everything")


def test_a_target_that_no_layer_has_is_told(form: PlanForm) -> None:
    form.change(selection="adapters", targets=["q"])
    assert "No linear layer of this backbone is called q" in form.shown("state")


def test_an_emptied_field_counts_as_what_the_scenario_says(form: PlanForm) -> None:
    emptied = dict.fromkeys(("classification_head", "layer_decay", "warmup_share", "n_sentences", "n_tokens", "n_steps"))
    form.change(**emptied)
    assert form.plan.optimizer.learning_rate("classification_head") == 3e-3
    assert form.values[form.controls.scenario] == "train_everything"


def test_rates_reach_the_groups(form: PlanForm) -> None:
    form.change(stack=["layer_0", "ner_head"], backbone=1e-4, ner_head=5e-3, weight_decay=0.1)
    rows = {row[0]: row for row in cells(form.shown("groups"))}
    assert rows["backbone, decay"][3:] == ["0.0001", "0.1"]
    assert rows["entity head, decay"][3:] == ["0.005", "0.1"]
    assert rows["entity head, no decay"][3:] == ["0.005", "0"]


def test_the_locks_are_what_is_planned(form: PlanForm) -> None:
    form.change(fill_backbone, backbone_="bert-base-uncased").change(stack=["ner_head"])
    assert [row[0] for row in cells(form.shown("groups"))[1:]] == [
        "entity head, decay", "entity head, no decay", "together",
    ]  # fmt: skip
    assert "3,845" in form.shown("summary")
    assert set(form.plan.frozen) == {"embeddings", *(f"layer_{n}" for n in range(12)), "classification_head"}


def test_lessons_of_a_scenario_are_no_warnings_and_what_a_person_did_is_one(form: PlanForm) -> None:
    form.change(fill_scenario, scenario="freeze_network")
    assert "<ul class=facts><li>Nothing trains" in form.shown("summary")
    form.change(fill_scenario, scenario="freeze_ner_head")
    assert "<li>The entity head is frozen while the backbone under it moves." in form.shown("summary")
    assert 'class="warnings"' not in form.shown("summary")
    form.change(fill_scenario, scenario="train_everything").lock("ner_head")
    assert '<ul class="warnings"><li>The entity head is frozen while' in form.shown("summary")
    form.change(backbone=0.0)
    assert "its learning rate is 0, so it will not move" in form.shown("summary")
    form.change(fill_scenario, scenario="freeze_backbone").change(backbone=1e-3)
    assert "set for what is frozen, and has no effect there: backbone (0.001)" in form.shown("summary")
    form.change(fill_scenario, scenario="train_everything").change(selection="biases", backbone=2e-5)
    assert "the backbone's biases hardly move in a short run" in form.shown("summary")


def test_a_scenario_says_its_rates_and_why(form: PlanForm) -> None:
    form.change(fill_scenario, scenario="low_rank_adapters")
    assert "Learning rates: 0.003 for the backbone, 0.003 for heads. Adapters are learned from" in form.shown("state")
    form.change(fill_scenario, scenario="freeze_backbone")
    assert "Learning rates: 0.003 for heads.</p>" in form.shown("state")
    form.change(fill_scenario, scenario="freeze_network")
    assert "Learning rates" not in form.shown("state")
    form.change(backbone=1e-3)
    assert "Learning rates" not in form.shown("state")


def test_totals_are_figures_of_the_plan(planner: Planner) -> None:
    plan = planner.plan(PlanRequest("bert-base-uncased", "freeze_backbone"))
    assert "108,891,648" in summarise(plan)
    assert "0.55%" in summarise(plan)


def test_cost_knows_what_is_frozen(form: PlanForm) -> None:
    everything = form.shown("summary")
    frozen = form.change(stack=["ner_head"]).shown("summary")
    assert "computes its hidden states <b>once</b>" in frozen
    assert "activations kept <b>none</b>" in frozen
    assert "gradients <b>7.7 kB</b>" in frozen
    assert "once" not in everything
    assert "<dt>Computation</dt><dd>100%<small>" in everything


@pytest.mark.parametrize("part", [0, 1, 5_125, 10**8 - 5_125, 10**8 - 1, 10**8])
def test_a_share_is_0_or_100_only_where_it_is(part: int) -> None:
    written = as_share(part, 10**8)
    assert (written == "0%") == (part == 0)
    assert (written == "100%") == (part == 10**8)
    assert written not in {"0.00%", "100.00%"}
    assert as_share(1, 3) == "33.33%"


def test_a_size_is_never_rounded_to_nothing() -> None:
    written = [as_bytes(number) for number in (1, 4_620, 999_499, 999_999, 90_868_256, 1_340_000_000)]
    assert written == ["1 bytes", "4.62 kB", "999 kB", "1 MB", "90.9 MB", "1.34 GB"]


def test_the_file_is_the_plan_and_the_timeline_is_drawn(form: PlanForm) -> None:
    form.change(stack=["layer_4", "layer_5", "ner_head"], backbone=2e-5, layer_decay=0.5, warmup_share=0.1, n_steps=40)
    rows = {row[0]: row for row in cells(form.shown("timeline"))}
    assert rows["layer 6"][rows["part, at step"].index("4")] == "1e-05"
    assert rows["layer 5"][rows["part, at step"].index("4")] == "5e-06"
    assert set(rows["embeddings, layers 1–4"][1:]) == {"0"}
    assert (form.plan.optimizer.layer_decay, form.plan.warmup_share) == (0.5, 0.1)
    assert set(form.plan.frozen) == {"embeddings", *(f"layer_{n}" for n in range(4)), "classification_head"}
    assert "MultiTaskModel.from_pretrained" in form.shown("script")
