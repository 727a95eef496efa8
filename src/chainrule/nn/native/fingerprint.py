"""Notices weights that changed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from torch import Tensor

from chainrule.nn.native.library import library


class Fingerprint:
    """Some words of each tensor, by which it is seen if most of its values changed.

    What changes ``tensor.data``, or a view of it as another library's array, counts in no version of the tensor.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        dense = [tensor for tensor in tensors if tensor.is_contiguous()]
        self.arrays = (ctypes.c_void_p * len(dense))(*(tensor.data_ptr() for tensor in dense))
        self.words = (ctypes.c_int64 * len(dense))(*(tensor.nbytes // 4 for tensor in dense))
        self.value = self._read()

    @property
    def changed(self) -> bool:
        """True if they have other values than at first. The tensors must still lie where they did."""
        return self._read() != self.value

    def _read(self) -> int:
        compiled = library()
        return 0 if compiled is None else int(compiled.chainrule_fingerprint(self.arrays, self.words, len(self.words)))
