"""Named texts.

References:
    The unreasonable effectiveness of recurrent neural networks (Karpathy, 2015),
    https://karpathy.github.io/2015/05/21/rnn-effectiveness
    makemore (Karpathy, 2022), https://github.com/karpathy/makemore
    Pointer sentinel mixture models (Merity et al., 2016), https://arxiv.org/abs/1609.07843
"""

from __future__ import annotations

from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.named import files
from chainrule.data.text import load_text
from chainrule.data.vocabulary import Vocabulary

_RAW = "https://raw.githubusercontent.com"

# file, its address, its SHA-256 (of the copy that the project's numbers were measured on), and how it is read
_TEXTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "shakespeare": (
        "tinyshakespeare.txt",
        f"{_RAW}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        {"parts": (0.9, 1.0)},
    ),
    "names": (
        "names.txt",
        f"{_RAW}/karpathy/makemore/master/names.txt",
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        {"documents": True},
    ),
    "wikitext2": (
        "wikitext2.valid.txt",
        f"{_RAW}/pytorch/examples/main/word_language_model/data/wikitext-2/valid.txt",
        "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        {},
    ),
}


def load(
    name: str,
    description: str,
    *,
    documents: bool | None = None,
    vocabulary: str | Vocabulary | None = None,
    window: int | None = None,
) -> Dataset:
    """The text ``name``, with its fixed split; arguments that are None take its usual values. See `load_text`."""
    choices = {"documents": documents, "vocabulary": vocabulary, "window": window}
    options = {key: value for key, value in choices.items() if value is not None}
    file, url, checksum, usual = _TEXTS[name]
    path = files.find(f"text/{file}", url, f"sha256:{checksum}")
    return load_text(path, name=name, description=description, **(usual | options | {"seed": 0}))
