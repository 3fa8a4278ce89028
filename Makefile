# Each target works from a fresh clone: it makes .venv from the lock first.
#   make reproduce   the published run: results/full/, ending with claims and paper.pdf
#   make quick       the same rules on small sizes: results/quick/, PDF marked quick, verdicts as expected
#   make quick STUDY=linear   one study, to its verdicts and figures; also with reproduce
#   make verify      reproduce, then compare with published/ (CLAIMS=limits.depth: that alone)
#   make replicate   once more with another seed, against what the first run foretells (SEED=7 MODE=quick)
#   make estimate    what a run costs: jobs, minutes, memory (MODE=quick or large, CLAIMS=limits.depth)
#   make article     results/<MODE>/article.html: paper and supplement as one web page, evidence in it (MODE=quick)
#   make test-article   the article in a headless browser (MODE=full or quick)
#   make test        all tests;   make lint   style, types, workflow;   make clean   remove results
#   make test-faults kills, full disks, damaged files, bad inputs: docs/faults.md says what is tried
#   make audit       the pinned versions against a data base of known vulnerabilities
#   make test-slurm  the workflow on a real Slurm on this machine (SLURM_MODE=quick: its sizes)
#   make crate       results/<MODE>/crate.zip, an RO-Crate of the run (MODE=full or quick)
#   make arxiv       results/<MODE>/arxiv.tar.gz, the paper's TeX so that it compiles alone
#   make shell       a shell in which zeroloss and snakemake are found
#   make diff REV=HEAD~1   results/<MODE>/diff.pdf, text that changed; diff.md, published numbers that moved
#   make notebook    docs/notebook.ipynb: the page docs/notebook.md, its cells run
#   make docs        docs/build/index.html: pages and API documentation, offline
#   make bench       this code beside its peers: benchmarks/results/ (ONLY=w1,w2; ONLY=quick: has it become slower?)
#   make bench-gpu   the same for networks on a GPU: benchmarks/results/gpu.md
# Variables: CORES=2, PYTHON=python3.12, MODE=quick (article, crate, estimate), SNAKEMAKE_FLAGS=-n.

ifndef PYTHON
PYTHON := $(shell command -v python3.11 || command -v python3)
endif
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
MODE ?= full
SLURM_MODE ?= tiny

VENV := .venv
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
BIN := $(VENV)/bin
BENCH := .venv-bench
AUDIT := .venv-audit
DOCS := .venv-docs
AXE := .axe/axe_playwright_python/axe.min.js
SNAKEMAKE = $(BIN)/snakemake --profile workflow/profiles/local --cores $(CORES) $(SNAKEMAKE_FLAGS)

.PHONY: help reproduce quick verify replicate estimate article test test-faults test-article test-report test-slurm \
	crate arxiv diff lint audit bench bench-gpu docs notebook shell clean tex run-full run-quick

help:
	@sed -n '2,24s/^# *//p' Makefile

# The mode is given with --config, of which Snakemake takes the last only.
ifneq (,$(filter --config -C --config=%,$(SNAKEMAKE_FLAGS)))
$(error SNAKEMAKE_FLAGS must not hold --config; call snakemake itself, as docs/running.md says)
endif
# Nothing was run that could be shown, or it lies where the run has said.
IDLE := $(filter -n --dry-run --unlock --configfile --configfiles,$(SNAKEMAKE_FLAGS))

reproduce quick: MODE = $(patsubst reproduce,full,$@)
reproduce: run-full
quick: run-quick
reproduce quick:
	@$(if $(IDLE),,$(BIN)/zeroloss claims --mode $(MODE) $(STUDY:%=--study %))
	@$(if $(IDLE)$(STUDY),,bash workflow/scripts/say-paper.sh results/$(MODE)/paper.pdf)
	@$(if $(IDLE)$(filter reproduce,$@),,$(BIN)/zeroloss claims --mode quick $(STUDY:%=--study %) --check)

run-full run-quick: run-%: $(READY) $(if $(STUDY),,tex)
	@$(SNAKEMAKE) --config mode=$* $(STUDY:%=study=%)

# All claims, or only CLAIMS with no more than the jobs that they rest on.
ifdef CLAIMS
verify: $(READY)
	@$(BIN)/zeroloss verify --run --mode full --cores $(CORES) $(CLAIMS)
else
verify: run-full
	@$(if $(IDLE),,$(BIN)/zeroloss verify --mode full)
endif

# Foretold and sealed before the second run is made; exit status 1 if it differs by more than that.
replicate: $(READY)
	@$(BIN)/zeroloss replicate $(or $(SEED),$(error SEED must be given, such as SEED=7)) --mode $(MODE) --cores $(CORES)

estimate: $(READY)
	@$(BIN)/zeroloss estimate --mode $(MODE) --cores $(CORES) $(CLAIMS)

# The same TeX, by LaTeXML, as one page that needs no network, and Snakemake's own report, to which it links.
article: run-$(MODE)
	@$(SNAKEMAKE) --config mode=$(MODE) --report results/$(MODE)/logs/snakemake.html
	@$(if $(IDLE),,bash workflow/scripts/article.sh results/$(MODE))
	@$(if $(IDLE),,$(BIN)/zeroloss article --mode $(MODE) --page results/$(MODE)/tex/article/article.html \
		--interactive figures.interactive --out results/$(MODE)/article.html)

# The article in a headless Chromium, which is installed where that is possible; .ci/run calls it test-report.
test-report test-article: article $(DEV) $(AXE)
	@bash workflow/scripts/find-chromium.sh install
	@ARTICLE=results/$(MODE)/article.html AXE=$(AXE) $(BIN)/pytest -m browser tests/report $(PYTEST_FLAGS)

# Of the wheel one script is used, whose accessibility rules the page is held to; offline that test is skipped.
$(AXE): tests/report/axe.txt $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
		--target .axe -r $< && touch $@ || echo "axe-core could not be fetched: its test is skipped" >&2

test: $(DEV) tex
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/pytest -n $(CORES) --dist loadfile \
		--no-loadscope-reorder $(PYTEST_FLAGS)

# One run at a time is broken, so that its moments mean something: no -n. The table of docs/faults.md
# is written anew by make test-faults FAULTS_SUMMARY=docs/faults.md.
test-faults: $(DEV)
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/pytest tests/faults -m faults $(PYTEST_FLAGS)
# Slurm is installed where that is possible; where it is not, the test says so and is skipped.
test-slurm: $(DEV) tex
	@bash workflow/scripts/slurm-cluster.sh install
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 SLURM_MODE=$(SLURM_MODE) \
		bash workflow/scripts/slurm-cluster.sh with $(BIN)/pytest -m slurm tests/workflow $(PYTEST_FLAGS)

# One file with results, paper, configuration, environment and manifests of the run.
crate: run-$(MODE)
	@$(if $(IDLE),,$(BIN)/zeroloss crate --mode $(MODE) --out results/$(MODE)/crate.zip)

# What TeX read of the paper, in one folder: it compiles there alone, with pdflatex.
arxiv: run-$(MODE)
	@$(if $(IDLE),,bash workflow/scripts/arxiv.sh results/$(MODE) results/$(MODE)/arxiv.tar.gz)

# Since a commit: the text of the paper, marked, and what moved in published/.
diff: run-$(MODE)
	@$(if $(IDLE),,bash workflow/scripts/diff.sh $(or $(REV),$(error REV must be given, such as REV=HEAD~1)) results/$(MODE))

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

audit:
	@bash workflow/scripts/audit.sh "$(PYTHON)" $(AUDIT)

# A quiet machine measures best: nothing else should run beside it.
bench: $(BENCH)/.ready
	@PYTHONPATH=. $(BENCH)/bin/python -m benchmarks.$(if $(filter quick,$(ONLY)),quick,run$(ONLY:%= --only %)) $(BENCH_FLAGS)

bench-gpu: $(BENCH)/.ready
	@PYTHONPATH=. $(BENCH)/bin/python -m benchmarks.gpu --out benchmarks/results/gpu.md $(BENCH_FLAGS)

# Built offline from docs/ and the docstrings, and every warning is an error.
docs: $(DOCS)/.ready
	@$(DOCS)/bin/sphinx-build -q -W --keep-going -E -b html docs docs/build
	@echo "Documentation: docs/build/index.html"

# Run as a Python session: Jupyter is not needed.
notebook: $(READY)
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/python workflow/scripts/notebook.py docs/notebook.md docs/notebook.ipynb

shell: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $${SHELL:-sh}

clean:
	rm -rf results .snakemake docs/build docs/api

tex:
	@bash workflow/scripts/find-tex.sh install

# The lock pins every version (constraints.txt); the package itself is installed in place, with its engine.
# What tests it is laid on top, and only for them.
$(READY): constraints.txt pyproject.toml $(addprefix src/zeroloss/network/engine/,engine.c library.py)
	@bash workflow/scripts/make-venv.sh "$(PYTHON)" $(VENV) report
	@touch $@

$(DEV): $(READY)
	@bash workflow/scripts/make-venv.sh "$(PYTHON)" $(VENV) dev
	@touch $@

$(BENCH)/.ready: benchmarks/requirements.txt constraints.txt pyproject.toml
	@bash workflow/scripts/make-venv.sh "$(PYTHON)" $(BENCH) benchmarks/requirements.txt
	@touch $@

$(DOCS)/.ready: docs/requirements.txt constraints.txt pyproject.toml
	@bash workflow/scripts/make-venv.sh "$(PYTHON)" $(DOCS) docs/requirements.txt
	@touch $@
