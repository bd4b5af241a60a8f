# The book's commands. `make` alone lists them. Each sets up what it needs and is safe to repeat.

PYTHON ?= python3

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python

# One thread each: two processes share the cores, and sums come out in one order.
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Notebooks run without progress bars, which are for people and not to be stored.
QUIET := $(THREADS) TQDM_DISABLE=1
# The code paths of an older x86 processor: what is printed must not depend on the newest instructions.
OLDER_CPU := $(if $(filter x86_64 amd64,$(shell uname -m)),ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Prescott)
NBVAL := $(PY) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=60 -n 2 --dist loadfile -q chapters book

.DEFAULT_GOAL := help
.PHONY: help env env-instructor env-checks book test serve notebooks train bench bench-gpu colab assignments grade exam slides clean

help: ## list the commands
	@echo "Two commands are enough:  make book  builds the book,  make test  checks everything."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

env:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "No '$(PYTHON)' found. The book needs Python 3.11 or newer: install it (python.org, or your"; \
	  echo "system's packages, on Debian or Ubuntu: sudo apt install python3 python3-venv), then run the"; \
	  echo "command again. A Python under another name:  make book PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) tools/setup_env.py $(SETUP)

env-instructor:
	@$(MAKE) --no-print-directory env SETUP=instructor

env-checks:
	@$(MAKE) --no-print-directory env SETUP="instructor gpu"

book: env ## set up the environment and build the book into _build/html
	@$(PY) tools/build_book.py

test: env-checks ## set up the environment and run every check
	@printf '\n==> 1/6  style of the code and of the notebooks (ruff)\n'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@printf '\n==> 2/6  who may import whom (import-linter)\n'
	@$(BIN)/lint-imports
	@printf '\n==> 3/6  the library with its examples, and what the notebooks store (pytest)\n'
	@$(THREADS) $(PY) -m pytest -n 2 -q -m "not slow" --doctest-modules --ignore=tests/site lstm_lib tests
	@printf '\n==> 4/6  every notebook runs again and prints what is stored (nbval)\n'
	@$(QUIET) $(NBVAL)
	@printf '\n==> 5/6  the book builds without a warning (Jupyter Book)\n'
	@$(PY) tools/build_book.py
	@printf '\n==> 6/6  the built pages, as files and in a browser (pytest)\n'
	@$(PY) -m pytest -n 3 --dist loadgroup -q tests/site
	@printf '\nEvery check passed. The book: _build/html/index.html\n'

serve: book ## build the book, serve it on this machine and open it in the browser
	@$(PY) tools/serve_book.py

notebooks: env ## run the notebooks anew and store what they print (NB="a.ipynb b.ipynb" for some)
	@$(QUIET) $(PY) tools/run_notebooks.py $(NB)

train: env ## train anew the networks that the library keeps, hours (NET="shakespeare" for one)
	@$(THREADS) $(PY) -m train $(NET)

bench: env ## measure speed and memory beside torch.nn, quarter of an hour (BENCH="--quick" for less)
	@$(PY) -m benchmarks $(BENCH)
	@printf '\nChapter 7 shows some of these results. To renew it:  make notebooks NB=chapters/07-gpu/launches.ipynb\n'

bench-gpu: ## measure on a GPU, with a PYTHON whose torch knows it (BENCH="--budget 500"); what a session runs: benchmarks/gpu_session.sh
	@PYTHONPATH=. $(PYTHON) -m benchmarks.gpu $(BENCH)

colab: env ## run each notebook alone in a fresh environment, as Colab does (slow)
	@$(QUIET) $(OLDER_CPU) $(PY) -m pytest -q -n 2 -m slow tests/notebooks/test_colab.py
	@printf '\nEach notebook ran alone in a fresh environment and printed what is stored.\n'

assignments: env-instructor ## write the students' notebooks anew from their sources (chapters/*/assignment.ipynb)
	@$(PY) -m grading release

grade: env-instructor ## grade what students handed in, in a sandbox: SUBMISSIONS=folder OUT=folder (ASSIGNMENT=04-lstm-cell)
	@$(if $(and $(SUBMISSIONS),$(OUT)),,echo "Say which folder holds the notebooks and where marks go:  make grade SUBMISSIONS=handed-in OUT=marks"; exit 1)
	@$(THREADS) $(PY) -m grading grade "$(SUBMISSIONS)" "$(OUT)" $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) $(OPTIONS)

exam: env-instructor ## draw an examination and its key: CHAPTERS="03 04" POINTS=20 OUT=folder (SEED=1)
	@$(if $(and $(CHAPTERS),$(POINTS),$(OUT)),,echo 'Say what it is to hold:  make exam CHAPTERS="03 04" POINTS=20 OUT=midterm'; exit 1)
	@$(PY) -m grading exam "$(OUT)" --chapters $(CHAPTERS) --points $(POINTS) --seed $(or $(SEED),1)

slides: env-instructor ## make slides of the chapters, one file each, in _build/slides (CHAPTERS="04 05" for some)
	@$(PY) -m slides $(CHAPTERS)

clean: ## remove the environment, the built book and the caches
	rm -rf .venv _build .pytest_cache .ruff_cache .hypothesis .import_linter_cache lstm_lib.egg-info .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean. Sources are untouched; the next command sets up anew."
