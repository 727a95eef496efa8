"""Binary tables on which density estimators are compared, with the splits that the papers use.

References:
    Learning Markov network structure with decision trees (Lowd and Davis, 2010),
    https://doi.org/10.1109/ICDM.2010.128
    The neural autoregressive distribution estimator (Larochelle and Murray, 2011),
    https://proceedings.mlr.press/v15/larochelle11a
"""

from __future__ import annotations

from chainrule.data.dataset import SPLITS, Dataset, check_levels
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import RowsFormat
from chainrule.data.named import files
from chainrule.data.read.table import read_levels

URL = "https://raw.githubusercontent.com/arranger1044/DEBD/master/datasets"

COLUMNS = {"nltcs": 16, "plants": 69, "jester": 100, "dna": 180, "mushrooms": 112}

# The host publishes no checksums: these are the SHA-256 of the copies the project's numbers were measured on,
# of train, valid and test.
HASHES = {
    "nltcs": (
        "e547a7aedad1dd2f7177030881ab1b92c7e24ae5464c71a0f1f89daecaf52b30",
        "93bbbf5c6febdc9bc6e5b5bfab636f4dc0685ab2896d24b23dd267794c3bfcf6",
        "f9ffa6b74b27dc03bee3203d157ee31079e80b13be40d0c0093d635c25aed523",
    ),
    "plants": (
        "1fb1219ff94068d12a563f9e81f8889a1885f41e867884cff608669300c6848f",
        "47834ed318b2d74f48e4b083226ef47fd446d41986012ceae19d230574821b34",
        "95f53c033cd1d86467aec2610dc5bfe014534206c2da4919f73bcab246ab8755",
    ),
    "jester": (
        "dd93578c3359d5b234bb278bf0901c5215d83b910f7d51d7c91951a0a4c244cd",
        "91df833941e189265345898d3f63211560c2456df599f34beee8e95381ee7524",
        "346044fb561cf18f284f7e9d5896178b03048991b6ebb6f7482885fccbc16082",
    ),
    "dna": (
        "bb8de0ca4b6ad9b610036b7a302962ebecd4b504354b14c02c7d0bee48d207d9",
        "4b0fc89cda5eaf5c75926e281afb6af99de194a546070d5b81b524ba251f4f3f",
        "fec3ae7b26804020a9c43c99828441c5e08bb76b23719368a74ad2b09af99100",
    ),
    "mushrooms": (
        "465c712c066bbbee3ccceded24bbe42b4c379df67b524e28cce9bf3a8b83f27b",
        "5a067e6854df71623415e6adc8e913cbff766637a324788882ba800907aa5385",
        "313c5f04b5d0a18bee2f2ffa264be265d09f5362aad6f714637acd9552f81aa0",
    ),
}


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The table ``name``, of 0 and 1, with its published split."""
    check_levels(name, levels, 2, f"{name} is binary")
    shape = (COLUMNS[name],)
    splits = {}
    for split, checksum in zip(SPLITS, HASHES[name], strict=True):
        file = f"{name}.{split}.data"
        path = files.find(f"tabular/{name}/{file}", f"{URL}/{name}/{file}", f"sha256:{checksum}")
        values = read_levels(path, levels=2)
        if values.shape[1:] != shape:
            raise ValueError(f"{path}: expected {shape[0]} columns, got {values.shape[1]}")
        splits[split] = ArrayExamples(values, shape)
    return Dataset(name, description, RowsFormat(2), splits, {"name": name, "binarisation": description})
