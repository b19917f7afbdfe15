# SPDX-License-Identifier: Apache-2.0
"""Every stream that others can wait beside holds a vector; where one does not, programs stop."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from programs import PROGRAMS

from formal.graphs import PROOFS
from formal.sby import run
from spikewright.hw.datapath import Datapath
from spikewright.hw.folding import fold
from spikewright.hw.glue.streams import Buffer, Fork
from spikewright.hw.liveness import Branch, beats_needed, branches
from spikewright.sim.ports import Kind


def buffers(datapath: Datapath) -> dict[str, tuple[int, int]]:
    """Depth and width of a beat in elements, of each buffer between components."""
    found = {}
    parts = [part for part, *_ in Fragment.get(datapath, None).subfragments]
    for fragment, name, _ in (inner for part in parts for inner in part.subfragments):
        owner = (fragment.origins or (None,))[0]
        if isinstance(owner, Buffer) and str(name).startswith("buffer_"):
            fields = dict(iter(owner.layout))
            elements = fields["data"].shape.length if "data" in fields else 1
            found[str(name).removeprefix("buffer_")] = (owner.depth, elements)
    return found


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_branch_holds_what_it_must(name: str, lanes: int) -> None:
    program = PROGRAMS[name]()
    products = {n.name: n.primitive.rows for n in program.nodes if hasattr(n.primitive, "rows")}
    folded = fold(program, {n: min(lanes, rows) for n, rows in products.items()})
    held = buffers(Datapath(program, folded))
    needed = [branch for branch in branches(program) if branch.depth]
    assert {f"{b.reference}_{b.number}".replace(".", "_") for b in needed} == set(held)
    for branch in needed:
        depth, width = held[f"{branch.reference}_{branch.number}".replace(".", "_")]
        assert depth >= beats_needed(branch, program, folded, width), branch


def test_branches_of_a_program() -> None:
    program = PROGRAMS["voltages"]()
    assert [b for b in branches(program) if b.depth] == [
        Branch("lif.spike", 0, 12),
        Branch("lif.spike", 1, 12),
        Branch("lif.v", 0, 11),
        Branch("lif.v", 1, 11),
    ]
    assert program.port("lif.spike").kind is Kind.EVENT


def without_buffers(self: Datapath, m: Any, reference: str, source: Any, *rest: Any) -> list[Any]:
    """Branches that hold nothing."""
    *_, branches_ = rest
    if branches_ <= 1:
        return [source] * branches_
    m.submodules[f"fork_{reference}"] = fork = Fork(source.payload.shape(), branches=branches_)
    wiring.connect(m, source, fork.i)
    return [getattr(fork, f"o{k}") for k in range(branches_)]


@pytest.mark.slow
def test_without_them_it_stops() -> None:
    (proof,) = [proof for proof in PROOFS if proof.shape == "fork and join"]
    # The buffers at the entry take words for some time, though nothing goes on.
    proof = replace(proof, bound=60)
    with patch.object(Datapath, "_branches", without_buffers):
        failed = {r.name for r in run(proof) if not r.holds and r.method.startswith("bounded")}
    assert any(name.startswith("progress within") for name in failed)
