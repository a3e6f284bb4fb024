"""The model card of an evolved loss: what it is, how to use it, what to expect of it (Markdown)."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2

from epg_tf.tasks.family import TaskFamily
from epg_tf.text import interval

_TEMPLATE = """\
# A loss {{ made }} on {{ tasks }}

A loss function of {{ thousands(num_parameters) }} parameters, {{ made }}, after
[Evolved Policy Gradients](https://arxiv.org/abs/1802.04821) (Houthooft et al. 2018) with epg_tf.
An agent that descends it learns tasks of the family {{ tasks }}
{%- if sees_reward %} from what it does and from its rewards{% else %}
 without being shown any reward{% endif %}.
{% if "taught" in made %}

It was taught first, {{ taught_where }}: fitted so that its gradient with respect to the policy's
output is in each step, on average over agents that lived with it, that of a hand-made surrogate
({{ provenance.guide }}), which knows the reward. Teaching is epg_tf's, not the paper's.
{% endif %}
{% if provenance.guidance %}

While it evolved, agents descended {{ "%g" % (1 - provenance.guidance) }} times this loss plus
{{ "%g" % provenance.guidance }} times a hand-made surrogate ({{ provenance.guide }}), which needs
the reward. It was not selected for teaching on its own.
{% endif %}

`saved_model.pb` and `variables/` are a SavedModel, which plain TensorFlow loads. `loss.json` says
to programs what this card says to people. `operative_config.gin` is the config of the run.

## The tasks

{% for text in about_family %}
{{ text }}

{% endfor %}
The values in force:

| setting | value |
|---|---|
{% for name, value in family_settings %}
| `{{ name }}` | {{ value }} |
{% endfor %}
| MuJoCo steps per environment step | {{ family.frame_skip }} |
| time limit | {{ family.time_limit }} environment steps |

## What the loss sees

The newest {{ buffer_size }} steps of an agent, oldest first, after every {{ steps_per_update }}.

| input (float32) | shape | normalised | what |
|---|---|---|---|
{% for input in inputs %}
| `{{ input.name }}` | {{ input.shape }} | {{ "yes" if input.normalised else "no" }} | \
{{ input.meaning }} |
{% endfor %}

{% if not_seen %}
**It does not see the {{ not_seen | join(", nor the ") }}.**
{% endif %}

## How to use it

```python
import tensorflow as tf

loss = tf.saved_model.load(".")  # this folder
inputs = {
{% for input in inputs %}
    "{{ input.name }}": tf.{{ "ones" if input.name == "mask" else "zeros" }}({{ input.shape }}),
{% endfor %}
}
with tf.GradientTape() as tape:
    tape.watch(inputs)
    value = loss.loss(**inputs)
gradient = tape.gradient(value, [{{ trained }}])
```

Where the zeros are, put the steps of your agent, its policy's output on them and its memory; the
gradient goes on into what they are made of. There are two functions, both differentiable:

* `loss`: the mean over the {{ steps_per_update }} newest steps;
* `per_step_loss`: a number for each of the {{ buffer_size }} steps, oldest first; the loss of a
  minibatch is the mean over its steps.

They take one agent, as above, or several, with an axis of agents in front of every input.

The loss was evolved for agents that live as follows; the names are those of `loss.json`, and their
values are in the table.

* **Policy.** {{ policy.rule }} {{ policy.initialisation_rule }}
{% if memory.trained %}
* **Memory.** {{ memory.rule }}
{% endif %}
* **Normalisation.** {{ normalisation.rule }}
{% if buffer_size > steps_per_update %}
* **Buffer.** As long as an agent has lived for less than buffer_size steps, these stand at the end
  of the buffer; before them `mask` is 0, and any finite numbers will do.
{% endif %}
* **Learning.** {{ inner_update.rule }} A lifetime has num_updates updates.
* **Optimiser.** {{ inner_update.optimizer_rule }}

| name | value |
|---|---|
{% for name, value in numbers %}
| `{{ name }}` | {{ value }} |
{% endfor %}

epg_tf's `examples/use_evolved_loss.py` does all of it in some 80 lines. With epg_tf itself,
`python -m epg_tf.evaluate --loss FOLDER --root_dir OUT` trains agents with it.

## Scores

{% if scores %}
Fresh agents on {{ num_tasks }} held-out tasks, {{ num_seeds }} per task, after
{{ scores.num_updates }} updates of {{ scores.steps_per_update }} steps: interquartile means with
95 % bootstrap intervals.

| | final return | mean over the lifetime | P(better than PPO) | updates to reach PPO |
|---|---|---|---|---|
{% for row in score_rows %}
| {{ row | join(" | ") }} |
{% endfor %}

Made by `{{ scores.command }}`.
{% else %}
Not evaluated.
{% endif %}

## How it was made

| | |
|---|---|
| made | {{ made }} |
| epochs | {{ known(provenance.epoch) }} |
| lifetimes per epoch | {{ provenance.num_workers }} |
| environment steps | {{ known(provenance.env_steps) }} |
| seed | {{ provenance.seed }} |
| guidance in the last epoch (alpha in Eq. 6) | {{ provenance.guidance }} |
| crc32 of the parameters | {{ phi_crc32 }} |
| exported with | {{ versions }} |

{% if provenance.command %}
Where epg_tf is installed, this evolves it again, from this folder:

```
{{ provenance.command }}
```

{% endif %}
The config:

```
{{ config_text | trim }}
```

## Limits

* It is for observations and actions in this order and in these units. Another robot needs another
  loss.
{% if not sees_reward %}
* What is worth doing is in its parameters. For another reward, evolve another loss.
{% endif %}
* It was selected with the agent above and for lifetimes of
  {{ provenance.num_updates | default(inner_update.num_updates) }} updates.
  What it teaches other agents, or later on, is not known but for the scores.
* It was selected for the mean over agents. A single one may fail.
* It was evolved in simulation, for actions without bounds. It is no controller of a real machine.

## Licence

Apache-2.0, as epg_tf.
"""


def model_card(description: Mapping[str, Any], family: TaskFamily, config_text: str) -> str:
    """The card of an exported loss.

    Args:
        description: What its `loss.json` holds, `provenance` and `scores` (or None) included.
        family: The tasks that it was evolved on.
        config_text: The config of its run, as gin.

    Returns:
        Markdown.
    """
    scores = description["scores"]
    methods = scores["methods"] if scores else {}
    some_method: Mapping[str, Any] = next(iter(methods.values()), {})
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_TEMPLATE).render(
        **description,
        made=description["provenance"].get("made", "evolved"),
        taught_where=_taught_where(description["provenance"].get("taught_epochs")),
        tasks=_name(description["family"]),
        about_family=_about(family),
        family_settings=list(_settings(description["family"])),
        numbers=list(_numbers(description)),
        trained=", ".join(f'inputs["{i["name"]}"]' for i in description["inputs"] if i["trained"]),
        versions=", ".join(f"{n} {v}" for n, v in description["provenance"]["versions"].items()),
        num_tasks=some_method.get("num_tasks"),
        num_seeds=some_method.get("num_seeds"),
        score_rows=[_score_row(scores["labels"][name], of) for name, of in methods.items()],
        config_text=config_text,
        thousands=lambda number: f"{number:,}",
        known=lambda number: "not known" if number is None else f"{number:,}",
    )


def _taught_where(num_epochs: int | None) -> str:
    return f"in {num_epochs} epochs" if num_epochs else "in the run that its own started from"


def _name(family: Mapping[str, Any]) -> str:
    """The name of a family, and of the one that it wraps."""
    wrapped = [_name(value) for value in family["settings"].values() if _is_family(value)]
    return f"{family['name']}({', '.join(wrapped)})" if wrapped else family["name"]


def _is_family(value: Any) -> bool:
    return isinstance(value, Mapping) and "settings" in value


def _about(family: TaskFamily) -> list[str]:
    """What docstrings say of a family, of the one that it wraps, and of those that they name."""
    classes: list[type] = [type(family)]
    texts = []
    wrapped = getattr(family, "family", None)
    if isinstance(wrapped, TaskFamily):
        classes.append(type(wrapped))
    for described in classes:  # which grows
        text, _, _ = (inspect.getdoc(described) or "").partition("\nAttributes:\n")
        texts.append(text.strip())
        for name in re.findall(r"`(\w+)`", text):
            named = getattr(sys.modules[described.__module__], name, None)
            if isinstance(named, type) and issubclass(named, TaskFamily) and named not in classes:
                classes.append(named)
    return texts


def _settings(family: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values, those of a wrapped family after the wrapper's."""
    for name, value in family["settings"].items():
        if _is_family(value):
            yield f"{family['name']}.{name}", value["name"]
            yield from _settings(value)
        else:
            yield f"{family['name']}.{name}", value


def _numbers(description: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the rules name, as paths in the description and values."""
    for name in ("buffer_size", "steps_per_update"):
        yield name, description[name]
    for part in ("policy", "memory", "normalisation", "inner_update"):
        for name, value in description[part].items():
            if not name.endswith("rule"):
                shown = ", ".join(map(str, value)) if isinstance(value, list) else value
                yield f"{part}.{name}", shown


def _score_row(label: str, scores: Mapping[str, Any]) -> tuple[str, ...]:
    intervals = [
        interval(*(scores[f"{of}_{name}"] for name in ("iqm", "low", "high")))
        for of in ("final", "auc")
    ]
    updates = scores["updates_to_reach_ppo"]
    probability = f"{scores['probability_over_ppo']:.2f}"
    return (label, *intervals, probability, "never" if updates is None else f"{updates:,}")
