# SPDX-License-Identifier: Apache-2.0
"""The Bitwuzla wheel as the program that SymbiYosys expects: SMT-LIB in, answers out.

Its own parser miscounts ``push`` and ``pop`` when it is given one command at a time, so these two
go to the solver directly.
"""

import sys

import bitwuzla


def main() -> None:
    """Answer commands until the input ends."""
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.configure_auto_print_model(False)
    command, depth = "", 0
    for line in sys.stdin:
        command += line
        depth += line.count("(") - line.count(")")
        if depth > 0 or not command.strip():
            continue
        match command.strip():
            case "(push 1)":
                parser.bitwuzla().push(1)
            case "(pop 1)":
                parser.bitwuzla().pop(1)
            case "(exit)":
                return
            case _:
                parser.parse(command, False, False)
        command, depth = "", 0
        sys.stdout.flush()


if __name__ == "__main__":
    main()
