# Targets are thin: what they do is in the .NET command line or in scripts/.
.DEFAULT_GOAL := help
.PHONY: help build test check fmt bench chaos docs seeds run publish

SEEDS ?= 100000
FIRST_SEED ?= 1

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-7s %s\n", $$1, $$2 }'

build: ## build everything, warnings are errors
	dotnet build Postrider.slnx -c Release

test: ## the fast tests; needs the .NET SDK alone and says what it skipped
	scripts/test

check: ## what CI runs: install what is missing, build, all tests, nothing skipped, format
	scripts/prerequisites
	POSTRIDER_CHECK=1 scripts/test
	dotnet format Postrider.slnx --no-restore --verify-no-changes

fmt: ## format the sources
	dotnet format Postrider.slnx

bench: ## the whole-system benchmark, side by side with Postfix (root; about 30 minutes)
	scripts/prerequisites postfix wrk postgresql
	dotnet build src/Postrider -c Release
	dotnet run -c Release --project bench/Postrider.Benchmarks -- whole-system $(ARGS)

chaos: ## faults against the built product, each with its control; ROWS=1,9 only these, FULL=1 for hours
	scripts/prerequisites postgresql e2fsprogs mount gcc libfaketime iproute2 nftables
	dotnet build src/Postrider -c Release
	dotnet run -c Release --project tests/Postrider.Chaos -- run --together 6 $(if $(FULL),--full) $(ARGS) \
		--demonstration docs/reliability-full.json \
		$(if $(ROWS),--rows $(ROWS)) $(if $(ROWS)$(filter --engine --controls,$(ARGS)),,--report docs/reliability-report --readme README.md)

docs: ## write docs/api-reference.md anew from the OpenAPI document
	POSTRIDER_WRITE_DOCS=1 dotnet run -c Release --project tests/Postrider.EndToEnd -- -class '*ApiReferenceTests'

seeds: ## simulated histories with every fault: make seeds SEEDS=1000000 FIRST_SEED=1
	SEEDS=$(SEEDS) FIRST_SEED=$(FIRST_SEED) dotnet run -c Release --project tests/Postrider.Engine.Tests -- \
		-class Postrider.Engine.Tests.Simulation.SimulationTests -showliveoutput

publish: ## the program for a machine without .NET (linux-x64): artifacts/publish; docs/deploy.md
	dotnet publish src/Postrider -c Release -r linux-x64 --self-contained -o artifacts/publish

run: ## run it here: SQLite in ./data, mail kept in the capture inbox
	dotnet run --project src/Postrider
