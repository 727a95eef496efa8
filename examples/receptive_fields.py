"""Draws what the conditional of one pixel depends on, in untrained networks of each kind: the rows of their Jacobians.

PixelCNN has a blind spot to the right of the rows above; the gated one and PixelCNN++ have none; the Row LSTM sees a
triangle, the Diagonal BiLSTM whole rows. What is black is seen a thousand times less than the most, or not at all.
"""

import argparse
from functools import partial
from pathlib import Path

import torch

import chainrule
from chainrule import plots
from chainrule.conditionals import Bernoulli
from chainrule.models import GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN

SIZE, ROW, COLUMN = 15, 9, 7

MODELS = {
    "PixelCNN": partial(PixelCNN, hidden_size=32, num_blocks=6, first_kernel_size=3),
    "Gated PixelCNN": partial(GatedPixelCNN, hidden_size=32, num_layers=7, first_kernel_size=3),
    "PixelCNN++": partial(PixelCNNPlusPlus, hidden_size=32, num_blocks=2),
    "Row LSTM": partial(PixelRNN, hidden_size=32, num_layers=3, cell="row", first_kernel_size=3),
    "Diagonal BiLSTM": partial(PixelRNN, hidden_size=32, num_layers=3, first_kernel_size=3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("receptive-fields.png"))
    out = parser.parse_args().out
    torch.manual_seed(0)
    x = torch.bernoulli(torch.full((8, 1, SIZE, SIZE), 0.5))
    fields = {}
    for name, build in MODELS.items():
        model = build(event_shape=(1, SIZE, SIZE), conditional=Bernoulli())
        fields[name] = chainrule.receptive_field(model, x, ROW * SIZE + COLUMN)
    plots.receptive_fields(fields, (ROW, COLUMN), out)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
