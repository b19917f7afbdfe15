# SPDX-License-Identifier: Apache-2.0
"""Element-wise primitives whose input takes few values, each result looked up."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from spikewright.sim.emulation.exact import INT64, Range, exact_type
from spikewright.sim.emulation.kernels import Array, Call, Kernel, Site
from spikewright.sim.primitive import Primitive, Tensors

MOST_VALUES = 1 << 16
"""Values of the input up to which all results are worked out beforehand."""


class TableKernel(Kernel):
    """One look into a table, built with the primitive's own ``step``."""

    def __init__(self, primitive: Primitive, tensors: Tensors, given: Sequence[Range]):
        super().__init__(primitive, tensors, given)
        (x,) = given
        self.table: Array | None = None
        self.lo = x.lo
        if x.hi - x.lo < MOST_VALUES:
            codes = np.arange(x.lo, x.hi + 1)
            _, (results,) = primitive.step(tensors, {}, codes[None])
            self.outputs = (exact_type(int(abs(results).max())),)
            self.table = results[0].astype(self.outputs[0])

    def emit(self, site: Site, inputs: list[Array], outputs: list[Array]) -> Iterator[Call]:
        if self.table is None:
            yield from super().emit(site, inputs, outputs)
            return
        (x,), (y,) = inputs, outputs
        place = site.scratch("place", x.shape, INT64)
        yield partial(np.subtract, x, self.lo, place, casting="unsafe")
        yield partial(np.take, self.table, place, None, y, "clip")
