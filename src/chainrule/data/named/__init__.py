"""The table of the named data sets: one file for each, or for a family of them. Imports nothing slow."""

from __future__ import annotations

from typing import NamedTuple


class Named(NamedTuple):
    """A named data set.

    Attributes:
        module: The module of this package whose ``load(name, description, ...)`` loads it.
        kind: The kind of its format, as ``"image"``.
        description: One line that says what it is and how it was binarised or split.
    """

    module: str
    kind: str
    description: str


_STREAM_90_10 = "one stream of characters; train its first 90 %, valid and test its last 10 %"
_STREAM = "one stream of characters; split 80/10/10 in its sequence"
_RANDOM = "split 80/10/10 at random, seed 0"

NAMED: dict[str, Named] = {
    "digits": Named(
        "digits", "image", "scikit-learn digits 8x8, binarised by threshold: 1 where the value (0-16) is at least 8"
    ),
    "digits-17": Named("digits", "image", "scikit-learn digits 8x8, 17 levels, not binarised"),
    "mnist": Named("mnist", "image", "MNIST 28x28, static Bernoulli binarisation (one fixed draw, seed 0)"),
    "mnist-dynamic": Named(
        "mnist", "image", "MNIST 28x28, dynamic binarisation: train drawn anew at every access, the rest as mnist"
    ),
    "mnist-threshold": Named(
        "mnist", "image", "MNIST 28x28, binarised by threshold: 1 where the value (0-255) is at least 128"
    ),
    "mnist-grey": Named("mnist", "image", "MNIST 28x28, 256 grey levels, not binarised"),
    "mnist-larochelle": Named(
        "mnist", "image", "MNIST 28x28, Larochelle's static binarisation (.amat files you put in place)"
    ),
    "fashion-mnist": Named("idx", "image", "Fashion-MNIST 28x28, 10 kinds of clothes, 256 grey levels"),
    "kmnist": Named("idx", "image", "KMNIST 28x28, 10 cursive Japanese characters, 256 grey levels"),
    "emnist-letters": Named("idx", "image", "EMNIST 28x28, 26 letters, 256 grey levels"),
    "emnist-balanced": Named("idx", "image", "EMNIST 28x28, 47 digits and letters, equally many, 256 grey levels"),
    "emnist-digits": Named("idx", "image", "EMNIST 28x28, 10 digits, 256 grey levels"),
    "omniglot": Named(
        "omniglot", "image", "Omniglot 28x28, static Bernoulli binarisation of area-averaged ink (one draw, seed 0)"
    ),
    "cifar10": Named("cifar", "image", "CIFAR-10 32x32, 10 kinds of things in colour, 256 levels"),
    "cifar100": Named("cifar", "image", "CIFAR-100 32x32, 100 kinds of things in colour, 256 levels"),
    "silhouettes": Named(
        "silhouettes", "image", "Caltech-101 Silhouettes 28x28, binary; inverted, so that objects are 1"
    ),
    "nltcs": Named("binary_tables", "rows", "National Long Term Care Survey, binary table of 16 columns"),
    "plants": Named("binary_tables", "rows", "Plants, binary table of 69 columns"),
    "jester": Named("binary_tables", "rows", "Jester joke ratings, binary table of 100 columns"),
    "dna": Named("binary_tables", "rows", "DNA splice junctions, binary table of 180 columns"),
    "wine-red": Named("wine", "table", f"Wine quality, 1,599 red wines, 11 real columns; {_RANDOM}"),
    "wine-white": Named("wine", "table", f"Wine quality, 4,898 white wines, 11 real columns; {_RANDOM}"),
    "mushrooms": Named("binary_tables", "rows", "Mushrooms, binary table of 112 columns"),
    "shakespeare": Named("texts", "text", f"tiny-shakespeare, {_STREAM_90_10}"),
    "names": Named("texts", "text", f"32,033 first names, documents of characters; {_RANDOM}"),
    "wikitext2": Named("texts", "text", f"WikiText-2's validation articles, {_STREAM}"),
    "fsdd": Named("fsdd", "audio", "Free Spoken Digit Dataset, 3,000 recordings of six speakers at 8 kHz"),
}
"""The named data sets by their names."""
