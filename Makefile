.DEFAULT_GOAL := help
.PHONY: help demo build vet setup fabric test race fuzz soak pages bench

help: ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: ## show on this machine what Antiphon does (needs Go alone)
	go run ./cmd/antiphon demo

build: ## build everything
	go build ./...

vet: ## formatting and go vet
	@test -z "$$(gofmt -l . | grep -v node_modules)" || { gofmt -l . | grep -v node_modules; exit 1; }
	go vet ./...

setup: ## install what the tests need (Debian packages when root)
	.ci/setup

fabric: ## build the programs of Hyperledger Fabric, minutes the first time
	@.ci/fabric

pages: setup ## bundle the browser's modules into templates/static
	npm run --silent --prefix templates/assets check
	npm run --silent --prefix templates/assets build

test: setup fabric vet ## run every test, and short fuzzing
	.ci/bundles
	npm run --silent --prefix templates/assets test
	npm run --silent --prefix templates/assets test:browser
	go test -shuffle=on -timeout 30m ./...
	.ci/fuzz 1000x

race: setup fabric ## run the Go tests with the race detector
	go test -race -timeout 60m ./...

fuzz: ## fuzz every parser with 200,000 inputs
	.ci/fuzz 200000x

soak: setup ## send an instance what it gets in a day, good and hostile, and see what is left; HOURS=24
	ANTIPHON_SOAK_HOURS=$(or $(HOURS),24) go test -count 1 -v -timeout 12h -run '^TestSoak$$' ./cmd/antiphon

bench: setup fabric ## measure speed and memory against their floors, some 10 minutes; ARGS="--only seal --json"
	go run ./internal/testkit/bench $(ARGS)
