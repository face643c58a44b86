## Each command sets up .venv if need be; times are of two cores, without a GPU.
##
##   make             the whole graph: data, all notebooks but 06, six trainings
##                    15 to 30 min; gives runs/standin: Table II and the figures
##   make install     sets up .venv and nothing else; the others do it if need be
##                    2 to 5 min
##   make test        style, unit tests, all notebooks, the graph in small
##                    15 to 30 min; gives "passed" three times
##   make lab         JupyterLab on the notebooks
##                    seconds; gives an address for the browser
##   make figures     Table II, the figures and the claims from the recorded outputs in data/
##                    1 to 2 min; gives runs/standin/recorded, runs/standin/table_2 and figures
##   make doctor      what is there and what is missing; installs nothing
##                    seconds; gives a table and the next command to type
##   make table-2-all the other rows of Table II: classifier, structured, HOG
##                    1 h; gives runs/standin/table_2: the whole table, CSV, LaTeX
##   make ablation    what each change does: 18 models, three seeds each
##                    2 to 3 h; gives runs/standin/figures/ablation.pdf
##   make pretrain    the weights that stand in for ImageNet, made again
##                    40 min; gives runs/standin/pretrained/standin_vgg16.pt
##   make verify      computes every recorded table and figure's numbers again and names what differs
##                    3 to 6 min
##   make site        the pages for readers without Python, English and Portuguese
##                    1 min, and 1 to 2 min once to install; prints the address of runs/site
##   make record      a finished run goes to data/recorded, notebooks/ and figures/
##                    3 min; this target and the next two write files that git keeps
##   make explorables the data of the site's three pages to try, from the recorded run
##                    2 min; writes below site/; needs the run itself in runs/standin
##   make metadata    how to cite and archive this, written from pyproject.toml
##                    seconds; gives CITATION.cff, codemeta.json, .zenodo.json and
##                    ro-crate-metadata.json
##   make stress      the tests that take longer
##                    10 min; gives "passed"
##   make bench       how fast reading, drawing, scoring, rendering and training are
##                    4 min; gives tables of ratios and runs/bench
##   make clean       removes runs/standin and the caches, keeps .venv
##   make help        this
##
## PROFILE names a file of notebooks/profiles: `make PROFILE=bp4d` is the real data.
## PROCESSES=4 lets four GPUs share each training; without it each has one process.
## GRID=ablation_batch trains the 72 runs of three seeds and three samplers. SLURM="gpus=1
## --executor slurm --jobs 8" runs a grid on a cluster (docs/running.md). If a run of a grid
## fails twice, its table says so, and the other runs go on.
## What would run: .venv/bin/python -m snakemake -n --config profile=standin

OS ?=
ifeq ($(OS),Windows_NT)
$(error Windows is not supported; run make in WSL, the Windows Subsystem for Linux)
endif

PROFILE ?= standin
ifneq ($(words $(PROFILE))$(findstring /,$(PROFILE))$(filter .%,$(PROFILE)),1)
$(error PROFILE="$(PROFILE)" is no name of a file in notebooks/profiles: PROFILE=standin)
endif
# Processes that share each training, one GPU each.
PROCESSES ?= 1
# Options of Snakemake that send a grid's runs to a cluster.
SLURM ?=
# The first Python that is new enough; `make PYTHON=…` names another.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	"$$p" -c '$(NEW_ENOUGH)' 2>/dev/null && { echo "$$p"; break; }; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

VENV := .venv/bin/python
INSTALLED := .venv/.installed
# `$(LOCK) && $$locked COMMAND` runs one command at a time. flock ends with its last holder, even
# a killed one; Snakemake's own lock would stay. After Ctrl-C the last holder takes some seconds.
LOCK = mkdir -p runs && locked= && lock=runs/$(PROFILE).lock && \
	if command -v flock >/dev/null; then \
		flock -n -E 75 $$lock true; code=$$?; \
		case $$code in \
			0) locked="flock -n -E 75 $$lock";; \
			75) echo "make: another make is working on runs/$(PROFILE): waiting up to 20 s" >&2; \
				locked="flock -w 20 -E 75 $$lock";; \
			*) echo "make: no lock (flock returned $$code): do not start a second make beside this one" >&2;; \
		esac; \
	fi
BUSY = { code=$$?; test $$code != 75 || \
	echo "make: another make is still working: wait for it, or stop it" >&2; exit $$code; }
# One training at a time where there is a GPU, as many as there are cores where not.
GPU := $(shell nvidia-smi -L 2>/dev/null | grep -q '^GPU' && echo --resources gpu=1)
# Keep the outputs of a job that fails.
GRAPH = $(LOCK) && $$locked $(VENV) -m snakemake $(if $(SLURM),,--cores all $(GPU)) --nolock --rerun-incomplete \
	--keep-incomplete --quiet host reason \
	--config profile=$(PROFILE) processes=$(PROCESSES)
NOTEBOOK = $(VENV) -m companion.workflow.execute
# The browser that looks at the site in `make test`, if there is one.
CHROMIUM := $(firstword $(foreach n,chromium chromium-browser,$(shell command -v $(n))))
# Two tests at a time, of one thread each, and no progress bars for nbval to compare.
PYTEST = OMP_NUM_THREADS=1 TQDM_DISABLE=1 $(VENV) -m pytest --quiet

# A bar redrawn once a second can be watched, and leaves a log that can be read.
export TQDM_MININTERVAL ?= 1
# glibc keeps the memory that is freed: each step allocates its activations and gradients anew,
# and on fresh pages a step of the default network takes about a tenth longer. Arrays of 32 MiB
# and more are given back: the full hidden layers that `build_model` allocates first, above all.
export MALLOC_MMAP_THRESHOLD_ ?= 33554432
export MALLOC_TRIM_THRESHOLD_ ?= 8589934592
# Set aside what the caller's other work left: packages on PYTHONPATH, pip's target, a cluster's
# profile of Snakemake (SLURM= names its options), the ranks of another training.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT SNAKEMAKE_PROFILE
unexport RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE GROUP_RANK MASTER_ADDR MASTER_PORT
unexport PMI_RANK PMI_SIZE MV2_COMM_WORLD_SIZE OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE
# Jupyter, Snakemake and matplotlib write below the home directory, where that can be written.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/runs/.home
endif

.PHONY: all install test lab figures verify doctor table-2-all ablation pretrain site record explorables metadata stress bench clean help

all: $(INSTALLED)
	@$(GRAPH) || $(BUSY)

install: $(INSTALLED)

# nbval runs the notebooks with the solutions of their exercises. Notebook 01 makes what the
# others read; 03 takes longest, so it starts first.
SOLVED := runs/solved
test: $(INSTALLED) $(if $(CHROMIUM),.venv/.installed_browser)
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m companion.standin standin
	@$(VENV) tests/support/solutions.py $(SOLVED) notebooks/0*.ipynb
	@$(PYTEST) --nbval $(SOLVED)/01*.ipynb
	@$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder --nbval \
		$(foreach n,03 00 04 02 07 08 05 06,$(SOLVED)/$(n)*.ipynb) tests
	@$(VENV) -m companion.workflow.verify
	@$(PYTEST) -n 2 --dist loadfile -m "made or graph"
	@$(if $(CHROMIUM),$(PYTEST) -n0 -m site tests/site,\
		echo "make: the tests of the site are skipped: no chromium on PATH")

lab: $(INSTALLED)
	@$(VENV) -m jupyterlab notebooks

figures: $(INSTALLED)
	@for name in 04_table_2 05_figures 07_icc 08_claims; do \
		$(NOTEBOOK) notebooks/$$name.ipynb runs/$(PROFILE)/recorded/$$name.ipynb \
			-p profile $(PROFILE) || exit 1; \
	done

verify: $(INSTALLED)
	@$(VENV) -m companion.standin standin
	@for name in 01_data_cleaning 04_table_2 05_figures 06_ablation 07_icc 08_claims; do \
		$(NOTEBOOK) notebooks/$$name.ipynb runs/standin/recorded/$$name.ipynb || exit 1; \
	done
	@$(VENV) -m companion.workflow.verify

doctor:
	@python=$(VENV); test -x $$python || python="$(PYTHON)"; \
	$${python:-python3} -m companion.workflow.doctor $(PROFILE) || true

# The runs of a grid, then the notebook that reads them, even if some failed.
define RUN_GRID
@$(GRAPH) grid=$(1) $(SLURM) --keep-going -- grid; code=$$?; \
	test $$code != 75 || (exit 75) || $(BUSY); \
	$(NOTEBOOK) notebooks/$(2).ipynb runs/$(PROFILE)/notebooks/$(1).ipynb \
		-p profile $(PROFILE) -p source runs -p grid $(1) && exit $$code
endef

table-2-all: GRID ?= table_2
table-2-all: $(INSTALLED)
	$(call RUN_GRID,$(GRID),04_table_2)

ablation: GRID ?= ablation
ablation: $(INSTALLED)
	$(call RUN_GRID,$(GRID),06_ablation)

pretrain: $(INSTALLED)
	@$(GRAPH) --forcerun pretrain -- pretrain || $(BUSY)

site: .venv/.installed_site
	@$(VENV) -m companion.workflow.site

record: $(INSTALLED)
	@$(VENV) -m companion.workflow.record $(PROFILE)

# One thread, so that sums come in one order and the files are the same again.
explorables: $(INSTALLED)
	@OMP_NUM_THREADS=1 $(VENV) -m companion.workflow.explorables standin proposed 42

metadata: $(INSTALLED)
	@$(VENV) -m companion.workflow.metadata

stress: $(INSTALLED)
	@$(VENV) -m pytest --quiet -m stress -n 2 --dist loadgroup

bench: $(INSTALLED)
	@$(VENV) tests/scripts/bench_aulib.py
	@$(VENV) tests/scripts/bench_training.py

clean:
	@$(LOCK) && $$locked rm -rf runs/$(PROFILE) .pytest_cache .ruff_cache .hypothesis || $(BUSY)
	@echo "runs/$(PROFILE) is removed"

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# The mark holds the checkout's path, so a moved or copied checkout reinstalls.
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
.PHONY: $(INSTALLED)
endif
$(INSTALLED): pyproject.toml constraints.txt
	@python="$(PYTHON)"; set -e; \
	test ! -e .venv || test -e $@ || test -e .venv/.made_by_make || { \
		echo "make: .venv was made by something else: move it away" >&2; \
		exit 1; }; \
	rm -f $@; \
	"$$python" -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "make: Python 3.11 or later is needed: make PYTHON=/path/to/python" >&2; \
		exit 1; }; \
	$(VENV) -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || \
		"$$python" -m venv --clear .venv; \
	touch .venv/.made_by_make; \
	echo "Installing torch and the rest of pyproject.toml into .venv: minutes, 7 GB"; \
	$(VENV) -m pip install --quiet --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[test]"; \
	echo "$(CURDIR)" > $@

# What an extra of pyproject.toml adds, such as `site`.
.venv/.installed_%: $(INSTALLED)
	@echo "Installing the extra \"$*\" of pyproject.toml into .venv"
	@$(VENV) -m pip install --quiet --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[$*]"
	@touch $@
