# SPDX-License-Identifier: Apache-2.0
"""A network as a TOML file of layers.

::

    [network]
    shape = [1, 28, 28]

    [[layer]]
    kind = "Conv2d"
    kernels = 8
    size = 3

    [[layer]]
    kind = "Flatten"

    [[layer]]
    kind = "Dense"
    n_out = 10

What follows from the layer before (``n_in``, ``channels``, ``size``) may be left out.
"""

import difflib
import inspect
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from spikewright.learn.layers import LAYERS, BatchNorm, Layer, Shape
from spikewright.learn.layers.sequences import Recurrent
from spikewright.learn.options import check_name, choices
from spikewright.network_file import structure
from spikewright.sim.errors import FileError, FormatError, ProgramError

if TYPE_CHECKING:
    from spikewright.network import Network

OPTIONS: dict[str, Any] = {
    "shape": Sequence[int],
    "dt": float,
    "steps": int,
    "encoding": str,
    "readout": str,
    "seed": int,
    "initialiser": str,
}
"""Options of the network, with their types."""

ARRAYS = ("weight", "bias")
"""Arguments of layers that a file has no place for."""

KINDS = {
    int: "an integer",
    float: "a number",
    str: "text",
    bool: "true or false",
    Sequence[int]: "a list of integers",
}
"""Types of options, in words."""


def load(path: str | Path, kind: type["Network"], *, seed: int = 0) -> "Network":
    """Read a network of class ``kind``.

    Parameters
    ----------
    path : path
    kind : type
    seed : int
        Where the file gives none.

    Raises
    ------
    FileError
        If the file is missing or not TOML.
    FormatError
        If a layer cannot take what the layer before it makes.
    ProgramError
        If an option is unknown, wrong or missing.
    """
    if not Path(path).is_file():
        raise FileError(f"There is no file {path}: check its name")
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not TOML: {error}") from error
    return build(tables, kind, seed=seed)


def build(tables: Mapping[str, Any], kind: type["Network"], *, seed: int = 0) -> "Network":
    """Make a network of tables as a TOML file has them: ``network`` and a list ``layer``.

    Parameters
    ----------
    tables : mapping
    kind : type
    seed : int
        Where the tables give none.

    Raises
    ------
    FormatError, ProgramError
        As :func:`load`.
    """
    for name in tables:
        check_name("Table of a network file", name, ("network", "layer"))
    options, layers = tables.get("network", {}), tables.get("layer", [])
    if not isinstance(options, dict):
        raise ProgramError("Options of a network file must be one table [network]")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise ProgramError("Layers of a network file must be tables [[layer]]")
    _check_options("Table [network]", options, OPTIONS)
    made: list[Layer] = []
    shape = tuple(options["shape"]) if "shape" in options else None
    for position, layer in enumerate(layers):
        made.append(_layer(position, layer, shape))
        shape = _after(position, made[-1], shape)
    return kind(made, **{"seed": seed, **options})


def dump(network: "Network") -> str:
    """Write a network as TOML, without its weights: :func:`load` makes one of the same structure.

    Parameters
    ----------
    network : Network
    """
    parts = structure(network)
    tables = [("[network]", parts["options"])]
    tables += [("[[layer]]", layer) for layer in parts["layers"]]
    # Text, numbers and lists of them are the same in JSON and in TOML.
    return "\n".join(
        "".join([f"{head}\n", *(f"{k} = {json.dumps(v)}\n" for k, v in table.items())])
        for head, table in tables
    )


def _layer(position: int, table: Mapping[str, Any], shape: Shape | None) -> Layer:
    """Make one layer, with what follows from the shape before it."""
    if "kind" not in table:
        raise ProgramError(f'Layer {position} must have a kind, such as kind = "Dense"')
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in LAYERS:
        raise ProgramError(f"Layer {position} has the unknown kind {kind!r}: {_nearest(kind)}")
    make, what = LAYERS[kind], f"Layer {position}, {kind},"
    parameters = inspect.signature(make, eval_str=True).parameters
    types = {name: p.annotation for name, p in parameters.items() if name not in ARRAYS}
    options = {name: value for name, value in table.items() if name != "kind"}
    _check_options(what, options, types)
    options = {**_inferred(make, types, options, shape), **options}
    for name, parameter in parameters.items():
        if name not in options and parameter.default is parameter.empty:
            raise ProgramError(
                f"{what} must have the option {name}: it follows from the layer before only if "
                "[network] has a shape"
                if shape is None
                else f"{what} must have the option {name}"
            )
    try:
        layer: Layer = make(**options)
    except (FormatError, ProgramError) as error:
        raise type(error)(f"Layer {position} cannot be: {error}") from error
    return layer


def _inferred(
    make: type, types: Mapping[str, Any], options: Mapping[str, Any], shape: Shape | None
) -> dict[str, int]:
    """Sizes that follow from the shape before; wrong where the layer cannot follow at all."""
    if not shape:
        return {}
    if "channels" in types:
        return {"channels": shape[0]}
    if issubclass(make, Recurrent):
        return {"n_in": shape[-1] - bool(options.get("masked"))}
    if "n_in" in types:
        return {"n_in": math.prod(shape)}
    # The size of a kernel or a window is no size of the layer, and may be two integers.
    if types.get("size") is int:
        return {"size": shape[0] if make is BatchNorm else math.prod(shape)}
    return {}


def _after(position: int, layer: Layer, shape: Shape | None) -> Shape | None:
    """Shape after a layer; None if it is not known."""
    if shape is None and layer.n_in is not None:
        shape = (layer.n_in,)
    try:
        return None if shape is None else layer.out_shape(shape)
    except FormatError as error:
        raise FormatError(f"Layer {position} cannot follow: {error}") from error


def _nearest(kind: Any) -> str:
    """Layer that may have been meant, or all."""
    lower = {name.lower(): name for name in LAYERS}
    near = difflib.get_close_matches(str(kind).lower(), lower, 1)
    return f"did you mean {lower[near[0]]}?" if near else f"it must be {choices(LAYERS)}"


def _check_options(what: str, options: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Refuse options that are unknown, or of another type than their own."""
    for name, value in options.items():
        if not types:
            raise ProgramError(f"{what} takes no options, and {name!r} was given")
        if name not in types:
            raise ProgramError(f"{what} has no option {name!r}: it takes {choices(types)}")
        kinds = [kind for kind in get_args(types[name]) if kind in KINDS] or [types[name]]
        if types[name] == Sequence[int]:
            kinds = [types[name]]
        if not any(_is(value, kind) for kind in kinds):
            words = " or ".join(KINDS[kind] for kind in kinds)
            raise ProgramError(f"{what} needs {words} as {name}, not {value!r}")


def _is(value: Any, kind: Any) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind == Sequence[int]:
        return isinstance(value, list) and all(_is(item, int) for item in value)
    return isinstance(value, (int, float) if kind is float else kind)
