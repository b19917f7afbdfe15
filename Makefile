# SPDX-License-Identifier: Apache-2.0
# `make` alone lists the targets. Nothing needs root: everything comes from PyPI into two folders,
# .venv (with pynq, which allows only NumPy 1.26) and .venv-test (NumPy 2, without pynq).
# PYTHON=/path/to/python chooses the interpreter; ARGS='...' is handed to the command.

EXTRAS := rtl,synthesis,fast,demo
PYTEST := bin/python -m pytest

# A test may run make itself: it must not inherit this make's flags.
unexport MAKEFLAGS MFLAGS
# Two installations at once would share build files.
.NOTPARALLEL:
.PHONY: help demo test test-pynq test-slow formal mutation lint bench bench-learning bench-gateware bench-nef clean .data .venv .venv-dev .venv-test

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

demo: .venv ## Train, quantize, generate, verify and run a network on the simulated board
	.venv/bin/spikewright demo $(ARGS)

test: .venv-test ## Run the quick tests (NumPy 2, without pynq)
	.venv-test/$(PYTEST) -n 2 --dist worksteal -m "not slow" $(ARGS)

test-pynq: .venv-dev ## Run the tests that need pynq (NumPy 1.26, the environment of the demo)
	.venv/$(PYTEST) -m pynq $(ARGS)

test-slow: .venv-test ## Run the tests of over half a minute each
	.venv-test/$(PYTEST) -n 2 --dist worksteal -m slow $(ARGS)

formal: .venv-test ## Prove the gateware's components (ARGS='--only Lif', --quick, --json FILE, --jobs N)
	PYTHONPATH=tests .venv-test/bin/python -m formal $(ARGS)

mutation: .venv-test ## Plant faults in the cores and count those that the tests find (ARGS='--core lif --count 50')
	PYTHONPATH=tests .venv-test/bin/python -m mutation $(ARGS)

lint: .venv-test ## Check style, format and types
	.venv-test/bin/python -m ruff check .
	.venv-test/bin/python -m ruff format --check .
	.venv-test/$(PYTEST) -q tests/test_packaging.py -k types

bench: .venv-test ## Time the emulator beside its peers (benchmarks/training.py needs PyTorch and snnTorch besides)
	.venv-test/bin/python benchmarks/emulator.py $(ARGS)

bench-learning: .data .venv-test ## Train what docs/learning.md tells of, two hours (DATA=folder of mnist.npz, kin8nm.txt and JapaneseVowels_*.ts)
	.venv-test/bin/python benchmarks/quantization.py --data $(DATA)/mnist.npz
	.venv-test/bin/python benchmarks/spiking.py --data $(DATA)/mnist.npz
	.venv-test/bin/python benchmarks/kickback.py --data $(DATA)/mnist.npz --kin8nm $(DATA)/kin8nm.txt
	.venv-test/bin/python benchmarks/sequences.py --train $(DATA)/JapaneseVowels_TRAIN.ts --test $(DATA)/JapaneseVowels_TEST.ts

bench-gateware: .venv-test ## Compare the gateware with its reference figures (hours; ARGS=--quick: minutes)
	.venv-test/bin/python benchmarks/gateware.py --against benchmarks/reference/gateware.json $(ARGS)

bench-nef: .venv-test ## Measure what docs/nef.md tells of, beside Nengo and Brian2 (hours with the placements of nef_gateware.py)
	.venv-test/bin/python benchmarks/nef.py
	.venv-test/bin/python benchmarks/nef_curves.py
	.venv-test/bin/python benchmarks/nef_nengo.py
	.venv-test/bin/python benchmarks/nef_speed.py
	.venv-test/bin/python benchmarks/nef_gateware.py

clean: ## Remove the environments, caches and the demo's output
	rm -rf .venv .venv-test demo build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.data:
	@test -d "$(DATA)" || { echo 'Name the folder of the data: make bench-learning DATA=folder'; exit 2; }

.venv:
	@sh .ci/environment .venv pynq,$(EXTRAS)

.venv-dev:
	@sh .ci/environment .venv pynq,$(EXTRAS),dev

.venv-test:
	@sh .ci/environment .venv-test $(EXTRAS),dev
