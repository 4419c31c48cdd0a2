.DEFAULT_GOAL := help
.PHONY: help setup test vet build bench

help: ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

build: ## build everything
	go build ./...

vet: ## formatting and go vet
	@test -z "$$(gofmt -l . | grep -v node_modules)" || { gofmt -l . | grep -v node_modules; exit 1; }
	go vet ./...

setup: ## install what the tests need (Debian packages when root)
	.ci/setup

test: setup vet ## run every test
	go test -shuffle=on ./...

bench: setup ## measure speed and memory against their floors, some 10 minutes; ARGS="--only seal --json"
	go run ./internal/testkit/bench $(ARGS)
