# SPDX-License-Identifier: Apache-2.0
"""Errors a user can cause: each is a :class:`SpikewrightError` and the builtin it refines.

Every message is one sentence that names the thing, the limit, the value and the fix.
"""


class SpikewrightError(Exception):
    """Base of every error this package raises on purpose."""


class FormatError(SpikewrightError, ValueError):
    """A width, number format or shape that cannot be."""


class ProgramError(SpikewrightError, ValueError):
    """A program whose graph, tensors or options do not fit together."""


class FileError(SpikewrightError, ValueError):
    """A file that is missing, truncated, altered or of an unknown version."""


class DataError(SpikewrightError, ValueError):
    """Samples or labels that do not fit the network."""


class ToolError(SpikewrightError, RuntimeError):
    """An external tool that is missing or failed."""


class DeviceError(SpikewrightError, RuntimeError):
    """A device that refused an access, timed out or holds another design."""


class BoardError(SpikewrightError, ValueError):
    """A board that is unknown or too small."""


class SpikewrightWarning(UserWarning):
    """What a user should know and what stops nothing: the base of this package's warnings."""
