# Every target sets up what it needs in .venv; nothing else has to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test bench bench-tables bench-compressors bench-tasks bench-anomalies results-tables docs clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

# Fits MADE and NADE on the digits that scikit-learn ships, and draws what they learnt.
demo: install
	$(BIN)/python examples/digits.py --out runs/demo

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# Speed on this machine, into results/.
bench: install
	$(BIN)/python benchmarks/speed.py --out results
	$(BIN)/python benchmarks/growth.py --out results
	$(BIN)/python benchmarks/text.py --out results
	$(BIN)/python benchmarks/memory.py --out results
	$(BIN)/python benchmarks/images.py --out results
	$(BIN)/python benchmarks/audio.py --out results
	$(BIN)/python benchmarks/mixed.py --out results

# Wine in ten folds (half an hour), and the picture of densities of two variables.
bench-tables: install
	$(BIN)/python benchmarks/tables.py --out results
	$(BIN)/python benchmarks/densities.py --out results

# Lossless compressors on the test images; for the folder see recipes/cifar10-jpeg.
bench-compressors: install
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/compressors.py --out results

# How well classes are told, hidden units describe, hidden pixels are completed, what the models of text write, those of images draw and that of digits says; the last four by the runs of recipes.
bench-tasks: install
	$(BIN)/python benchmarks/classes.py --out results
	$(BIN)/chainrule reproduce mnist/made
	$(BIN)/chainrule reproduce mnist/eonade-2-layers
	$(BIN)/python benchmarks/completion.py --out results
	for recipe in names wikitext2 shakespeare; do $(BIN)/chainrule reproduce $$recipe/lstm; done
	$(BIN)/python benchmarks/writing.py --out results
	for recipe in pixel-cnn gated-pixel-cnn pixel-cnn-plus-plus pixel-cnn-classes; do $(BIN)/chainrule reproduce mnist/$$recipe; done
	$(BIN)/python benchmarks/pictures.py --out results
	$(BIN)/chainrule reproduce fsdd/wavenet
	$(BIN)/python benchmarks/listening.py --out results

# Anomalies, attacks and purification on grey MNIST and others, an hour and a half with its two runs.
bench-anomalies: install
	for recipe in pixel-cnn background; do $(BIN)/chainrule reproduce mnist-grey/$$recipe; done
	$(BIN)/chainrule attack-eval runs/mnist-grey/pixel-cnn --background runs/mnist-grey/background -n 500 --attacks '[fgsm, bim, pgd, deepfool, cw, bpda]' --purify-epsilon 0.4 --out results/benchmark-attacks
	$(BIN)/python benchmarks/strange.py --out results

# The tables of README.md and docs/results.md, from results/.
results-tables: install
	$(BIN)/python tools/tables

# The documentation, into build/docs. Warnings are errors.
docs: install
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -q docs build/docs

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
