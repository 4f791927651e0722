# What there is to do; `make` alone lists it. On a fresh machine only git, make, python3 and python3-venv are needed.
.DEFAULT_GOAL := help
.PHONY: help run test check messages bench clean
VENV := .venv
# Containers often set it. Every one of some 200 processes of the tests would compile all it imports, which takes longer
# than all else in its start.
export PYTHONDONTWRITEBYTECODE :=
MANAGE := $(VENV)/bin/python manage.py
# Only `make run HOST=…`: some shells export a HOST of their own. PORT and PMONITOR_DATA_DIR count from anywhere.
HOST_OPTION := $(if $(filter command line,$(origin HOST)),--host $(HOST))

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start everything here: make run [PORT=9000] [HOST=0.0.0.0] [ARGS="--no-agent --data-dir …"]
	@scripts/environment requirements.txt
	@exec $(MANAGE) quickstart $(HOST_OPTION) $(ARGS)

test: ## run all tests: make test [ARGS="-x tests/frame"]
	@scripts/environment requirements-dev.txt
	@scripts/test-needs
	$(VENV)/bin/python -m pytest --numprocesses 4 --no-loadscope-reorder $(ARGS)

check: ## lint, formatting, types, migrations, deployment settings, translations
	@scripts/environment requirements-dev.txt
	@scripts/check

messages: ## collect the pages' texts into locale/ and compile them (needs gettext)
	$(MANAGE) makemessages --all --no-location --ignore '.venv/*' --ignore 'var/*'
	$(MANAGE) compilemessages --ignore '.venv/*' --verbosity 0

bench: ## measure, beside the floors and the peers installed here
	@scripts/environment requirements-dev.txt
	$(VENV)/bin/python -m bench $(ARGS)

clean: ## remove the environment and what tests left; data/ stays
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis
