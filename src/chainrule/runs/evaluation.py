"""What a split of a data set says of a model, whatever kind of data it is."""

from __future__ import annotations

import math
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.sequences import Documents, Recordings, Stream
from chainrule.model import AutoregressiveModel
from chainrule.runs import formats
from chainrule.sequence import reads_streams, sequence_model
from chainrule.tasks.evaluate import Evaluation, evaluate, evaluate_sequences, evaluate_stream


def evaluate_split(
    model: AutoregressiveModel, dataset: Dataset, split: str, *, batch_size: int = 256
) -> tuple[Evaluation, dict[str, Any]]:
    """The NLL of a split, and of text the figures per character or byte, as ``chainrule evaluate`` gives them.

    What fills a document up counts for nothing. A stream is one example for a model of sequences, which reads all of it
    with one state; for other models its windows are independent examples, and what does not fill a window is left out.
    A recording is an example, given its length.
    """
    examples = dataset.split(split)
    context = None if model.num_classes is None else dataset.classes(split)
    if isinstance(examples, Recordings):
        evaluation = evaluate_sequences(sequence_model(model), examples.each(), context)
    elif isinstance(examples, Stream) and reads_streams(model):
        evaluation = evaluate_stream(model, examples.symbols)
    else:
        variables = None if isinstance(examples, Stream) else examples.num_variables
        evaluation = evaluate(model, examples, context=context, batch_size=batch_size, variables=variables)
    return evaluation, unit_figures(evaluation, dataset, examples)


def unit_figures(evaluation: Evaluation, dataset: Dataset, examples: Examples) -> dict[str, Any]:
    """Of text, nats, bits and perplexity per character or byte, and how many characters are unknown to the model.

    Of recordings, nats and bits per sample.
    """
    if formats.audio(dataset) is not None:
        nats = evaluation.nats * evaluation.examples / evaluation.variables
        return {"nats_per_sample": nats, "bits_per_sample": nats / math.log(2), "samples": evaluation.variables}
    if formats.series(dataset) is not None:
        return {"nats_per_value": evaluation.nats * evaluation.examples / evaluation.variables}
    if formats.text(dataset) is None:
        return {}
    vocabulary = formats.text(dataset).vocabulary
    nats = evaluation.nats * evaluation.examples / evaluation.variables
    figures = {
        f"nats_per_{vocabulary.unit}": nats,
        f"bits_per_{vocabulary.unit}": nats / math.log(2),
        "perplexity": math.exp(nats),
        f"{vocabulary.unit}s": evaluation.variables,
    }
    if vocabulary.unknown is not None and isinstance(examples, Stream | Documents):
        figures["unknown_characters"] = examples.count(vocabulary.unknown)
    return figures
