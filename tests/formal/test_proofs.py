# SPDX-License-Identifier: Apache-2.0
"""The quick proofs; `make formal` runs all of them."""

import importlib.util

import pytest

from formal.catalogue import PROOFS
from formal.sby import Proof, run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("z3") is None, reason="z3 is not installed here: see `make formal`"
)


@pytest.mark.parametrize("proof", [p for p in PROOFS if p.quick], ids=str)
def test_everything_stated_holds(proof: Proof) -> None:
    results = run(proof)
    assert results
    assert [(r.name, r.trace) for r in results if not r.holds] == []


def test_names_are_unique() -> None:
    names = [str(proof) for proof in PROOFS]
    assert len(set(names)) == len(names)
