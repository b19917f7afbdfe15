# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over images: their sizes, and one strided view per place in the window."""

from collections.abc import Iterator

from spikewright.learn.tape import Array
from spikewright.sim.errors import FormatError

Pair = tuple[int, int]


def positions(size: Pair, window: Pair, stride: Pair, padding: Pair = (0, 0)) -> Pair:
    """Rows and columns of places for a window: ``(size + 2 padding - window) // stride + 1``.

    Raises
    ------
    FormatError
        If the window is larger than the image.
    """
    rows, columns = (
        (n + 2 * p - w) // s + 1 for n, w, s, p in zip(size, window, stride, padding, strict=True)
    )
    if rows < 1 or columns < 1:
        padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
        raise FormatError(
            f"Window of {window} must fit the padded image of {padded}: make it smaller"
        )
    return rows, columns


def taps(image: Array, window: Pair, stride: Pair, places: Pair) -> Iterator[tuple[Pair, Array]]:
    """For each row and column of the window, the elements of ``image`` that it meets, as a view.

    Parameters
    ----------
    image : (..., rows, columns) ndarray
        Padded already.
    window, stride : (rows, columns)
    places : (rows, columns)
        See :func:`positions`.

    Yields
    ------
    (row, column), (..., *places) ndarray
    """
    for row in range(window[0]):
        for column in range(window[1]):
            yield (
                (row, column),
                image[
                    ...,
                    row : row + stride[0] * (places[0] - 1) + 1 : stride[0],
                    column : column + stride[1] * (places[1] - 1) + 1 : stride[1],
                ],
            )
