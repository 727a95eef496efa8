"""Sequence models whose conditionals may be mixed with those of n-grams.

References:
    Empirical evaluation and combination of advanced language modeling techniques (Mikolov et al., 2011): a network and
    n-grams, interpolated, https://www.isca-archive.org/interspeech_2011/mikolov11_interspeech.html
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from chainrule.abilities import PartlyCounted
from chainrule.batch import Batch
from chainrule.nn.conditional_tables import listed_values
from chainrule.nn.ends import up_to_end
from chainrule.nn.kneser_ney import KneserNey, best_share
from chainrule.sequence import SequenceModel
from chainrule.state import State


class NgramMixture(SequenceModel, PartlyCounted):
    """A network mixed with n-grams, which `count` reads from the training text in seconds.

    p(x_t | x_<t) = (1 - s) p_network(x_t | x_<t) + s p_ngram(x_t | x_{t-order}, ..., x_{t-1})

    In training mode, and until something is counted, the conditionals are the network's alone: n-grams know the text
    that they have counted. A subclass calls `set_ngrams`, keeps the last values in its state, and gives its parameters
    by way of `mixed`.
    """

    ngram: KneserNey | None
    _values: Tensor
    share: Tensor

    def set_ngrams(self, order: int | None, share: float) -> None:
        """Take n-grams of the last ``order`` values, if any, at a ``share``.

        Raises:
            ValueError: If the share is out of range, or the values can't be listed.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"ngram_share expects a number from 0 to 1, got {share}")
        self.ngram = None
        if order is not None:
            values = listed_values(self.conditional, "ngram_order")
            self.ngram = KneserNey(order, len(values))
            self.register_buffer("_values", values, persistent=False)
            self.register_buffer("share", torch.tensor(share))

    @property
    def counted_ngrams(self) -> KneserNey | None:
        """The n-grams, if they have counted something."""
        return self.ngram if self.ngram is not None and self.ngram.counted else None

    def no_recent(self, batch_size: int) -> Tensor | None:
        """The last values' indices at the beginning, ``(B, order)``: -1; None without n-grams."""
        return None if self.ngram is None else torch.full((batch_size, self.ngram.order), -1, device=self.device)

    def recent_of(self, recent: Tensor | None, past: Tensor, steps: int) -> Tensor | None:
        """The last values' indices and those of ``past`` ``(B, k)``, as many as n-grams need for the last steps."""
        if self.ngram is None or recent is None:
            return None
        return torch.cat([recent, self._value_indices(past)], dim=1)[:, 1 - steps - self.ngram.order :]

    def mixed(self, parameters: Tensor, past: Tensor | None) -> Tensor:
        """The parameters ``(B, k, num_parameters)`` of the network's conditionals, mixed with the n-grams'."""
        if past is None or self.training or (ngram := self.counted_ngrams) is None:
            return parameters
        network = self.conditional.log_probs(self.conditional.distribution(parameters))
        mixed = torch.logaddexp((1 - self.share).log() + network, self.share.log() + ngram(past))
        return self.conditional.parameters_of(mixed)

    @property
    def counts(self) -> bool:
        return self.ngram is not None

    @torch.no_grad()
    def count(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Set the n-grams from all ``(x, context)`` of the training examples, read once, each from its beginning.

        Raises:
            ValueError: If the model has no n-grams, or there are no examples, or some are not of this model.
        """
        if self.ngram is None:
            raise ValueError("count expects a network with an ngram_order, got None")
        self.ngram.count(self._value_indices(row) for x, _ in batches for row in self._examples(x))

    @torch.no_grad()
    def fit_share(self, batches: Iterable[Batch]) -> None:
        """Set the share of the n-grams to that of the highest likelihood, by expectation maximisation.

        Args:
            batches: The batches of a validation; see `chainrule.batch.BatchSource.batches`.

        Raises:
            ValueError: If nothing has been counted, or there are no examples, or some are not of this model.
        """
        if self.ngram is None or not self.ngram.counted:
            raise ValueError("fit_share expects n-grams that have counted the training examples, got none")
        training, pairs = self.training, [self.empty(2, 0).double()]
        self.eval()
        state: State = None
        previous: Tensor | None = None
        for batch in batches:
            x = self.check(batch.x)
            sequence = x if self.any_length else self.order.flatten(x)
            if not batch.continues:
                state, previous = self.start(len(x), self.check_context(batch.context, len(x))), None
            pair = []
            for share in (0.0, 1.0):
                self.share.fill_(share)
                conditionals, after = self.advance(state, previous, sequence)
                pair.append(conditionals.log_prob(sequence).flatten().double().exp())
            pairs.append(torch.stack(pair))
            state, previous = after, sequence[:, -1]
        self.train(training)
        self.share.fill_(best_share(torch.cat(pairs, dim=1)))

    def _value_indices(self, x: Tensor) -> Tensor:
        return torch.searchsorted(self._values.to(x.dtype), x.contiguous())

    def _examples(self, x: Tensor) -> Iterable[Tensor]:
        """The sequences of the examples ``x``, without what follows their end."""
        x = self.check(x)
        sequences = x if self.any_length else self.order.flatten(x)
        if self.end_symbol is None:
            return sequences.unbind(0)
        return [row[own] for row, own in zip(sequences, up_to_end(sequences, self.end_symbol), strict=True)]
