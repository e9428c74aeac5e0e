# Versions of the tools that are not libraries of the program.
GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The program needs no cgo. Only the race detector does.
export CGO_ENABLED = 0

# The plugins that need a C compiler, those that need cargo, and all that is a crate.
PLUGINS  = filebox mathbox
CRATES   = counter loganalyzer
RUST     = $(CRATES:%=plugins/%) plugins/sdk/rust tests/sdk/testdata/samples tests/sdk/testdata/user tests/generated/testdata/rust
FUZZTIME ?= 60s
SOAK     ?= 10m

.DEFAULT_GOAL := help
.PHONY: help run build plugins wasm setup test faulty mutants sdk wild languages race isolated modules torture arm64 soak vet lint fuzz bench memcheck clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

run: plugins build ## load the plugins and run docs/examples/hello.star, and with cargo analyze.star, with them
	./bin/nyash $(if $(ISOLATION),--isolation $(ISOLATION)) run docs/examples/hello.star
	$(if $(shell command -v cargo),./bin/nyash $(if $(ISOLATION),--isolation $(ISOLATION)) run docs/examples/analyze.star)

build: ## build the commands into bin/
	go build -trimpath -o bin/ ./cmd/...

plugins: ## build the plugins in plugins/
	@bash .ci/setup cc
	@for p in $(PLUGINS); do $(MAKE) --no-print-directory -s -C plugins/$$p || exit 1; done
	@if ! command -v cargo >/dev/null 2>&1; then echo "plugins: left out for want of cargo: $(CRATES)" >&2; \
	else for p in $(CRATES); do $(MAKE) --no-print-directory -s -C plugins/$$p CARGO='cargo --quiet' || exit 1; done; fi

wasm: ## build the C plugins as WebAssembly modules
	@bash .ci/setup wasm
	@for p in $(PLUGINS); do $(MAKE) --no-print-directory -s -C plugins/$$p wasm || exit 1; done

setup: ## install the tools that building and testing need
	@bash .ci/setup cc c++ valgrind cargo rustfmt wasm

# Packages whose tests take longest come first, so that all processors are busy to the end, and one
# more is tested at a time than there are processors, as many tests wait for a call that hangs. No test
# looks at its own binary's debug information, which takes long to link; lint has vet.
test: TESTFLAGS = -ldflags=-w -vet=off
test: setup plugins ## run all tests
	go test $(TESTFLAGS) -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) ./tools/... ./tests/... ./...
	@echo 'the same through other ways to a plugin'
	@NYASH_TEST_CHANNEL=pipe go test $(TESTFLAGS) -run='^Test(Crash|Context|Load|HostClose)' ./tests/isolation & pipes=$$!; \
	NYASH_TEST_ISOLATION=process go test $(TESTFLAGS) ./loader && NYASH_TEST_TARGET=wasm go test $(TESTFLAGS) -run='^TestBox|^TestBlob' ./loader; status=$$?; \
	wait $$pipes && exit $$status

faulty: setup plugins ## try plugin-tester on every faulty plugin, with NYASH_TEST_ROUNDS=all ten times; `make test` takes a sample
	NYASH_TEST_FAULTY=all go test -count=1 -timeout=2h ./tests/faulty
	NYASH_TEST_FAULTY=all go test -count=1 -run=Vendors ./cmd/nyash
	NYASH_TEST_FAULTY=all go test -count=1 -run=ReplayOfAnswers ./tools/plugintest

mutants: setup ## try plugin-tester on mutants of all good plugins, or of PLUGIN; goes on where it was interrupted; `make test` takes a sample
	NYASH_TEST_MUTANTS=all NYASH_TEST_PLUGIN="$(PLUGIN)" nice -n 10 go test -count=1 -timeout=0 -v -run=TestMutants ./tests/mutants

sdk: setup plugins ## try the SDKs with all sanitizers, valgrind and plugin-tester; `make test` takes a sample
	NYASH_TEST_SDK=all go test -count=1 -timeout=30m ./tests/sdk

languages: setup ## try `nyash new` and the SDKs for Go, and for Zig where it is; `make test` does for C, C++ and Rust
	CGO_ENABLED=1 go test ./plugins/sdk/go/...
	NYASH_TEST_LANGUAGES=all go test -count=1 -timeout=30m -v -run='Nothing|Formatted|Types' ./tests/scaffold

wild: setup plugins ## try plugin-tester on libraries of each generation; `make test` takes a sample
	NYASH_TEST_WILD=all go test -count=1 -timeout=30m ./tests/wild

race: setup plugins ## run all tests under the race detector
	CGO_ENABLED=1 go test -race -timeout=30m ./...

isolated: plugins ## run the loader's tests with every library in a process of its own, reached by CHANNEL, and those of isolation
	NYASH_TEST_ISOLATION=process NYASH_TEST_CHANNEL=$(CHANNEL) go test -v ./loader
	NYASH_TEST_ROUNDS=all NYASH_TEST_CHANNEL=$(CHANNEL) go test -v ./tests/isolation

modules: setup plugins ## run the loader's tests with C plugins as WebAssembly modules, and those of modules; `make test` takes a sample
	NYASH_TEST_TARGET=wasm go test -v ./loader
	NYASH_TEST_ROUNDS=all go test -v ./tests/wasm ./internal/wasm/meter

torture: setup ## call leaf methods under all that disturbs them, for a minute, and for another on arm64 where qemu and a compiler for it are
	NYASH_TEST_TORTURE=1m go test -count=1 -v -run=Torture ./tests/leaf
	@if command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null; then $(MAKE) --no-print-directory arm64; else echo 'left out for want of qemu-aarch64 and aarch64-linux-gnu-gcc: arm64' >&2; fi

arm64: ## the same and the other tests of leaf methods on arm64, in an emulator
	@bash .ci/setup qemu-aarch64 aarch64-linux-gnu-gcc
	GOARCH=arm64 go test -c -o bin/leaf.arm64 ./tests/leaf
	cd tests/leaf && NYASH_TEST_TORTURE=1m NYASH_TEST_CC=aarch64-linux-gnu-gcc NYASH_TEST_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' \
	  qemu-aarch64 -L /usr/aarch64-linux-gnu ../../bin/leaf.arm64 -test.v -test.skip=Elsewhere

soak: plugins ## call plugins that crash at random, for SOAK
	NYASH_SOAK=$(SOAK) go test -count=1 -timeout=0 -v -run=TestSoak ./tests/isolation ./tests/calls

vet: ## vet for every platform that must compile
	go vet ./...
	GOARCH=arm64 go vet ./...
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=windows go vet ./...
	GOOS=freebsd go vet -gcflags=github.com/ebitengine/purego/internal/fakecgo=-std ./...
	cd tests/bench && CGO_ENABLED=1 go vet ./...

lint: vet ## run the linters
	go run $(GOLANGCI_LINT) run ./...
	@bash .ci/setup cargo rustfmt cargo-clippy
	@for c in $(RUST); do (cd $$c && cargo fmt --check && cargo clippy --offline --quiet --locked --all-targets -- -D warnings) || exit 1; done
	@cd plugins/sdk/rust && RUSTDOCFLAGS='-D warnings' cargo doc --offline --quiet --locked --no-deps

fuzz: ## fuzz every decoder, FUZZTIME each: a duration, or a number of runs as 20000x
	go test -run=NONE -fuzz=FuzzDecode -fuzztime=$(FUZZTIME) ./tlv
	go test -run=NONE -fuzz=FuzzEncode -fuzztime=$(FUZZTIME) ./tlv
	go test -run=NONE -fuzz=FuzzArguments -fuzztime=$(FUZZTIME) ./internal/hostbox
	go test -run=NONE -fuzz=FuzzRead -fuzztime=$(FUZZTIME) ./internal/objfile
	go test -run=NONE -fuzz=FuzzPrintable -fuzztime=$(FUZZTIME) ./internal/contract
	go test -run=NONE -fuzz=FuzzEachBlob -fuzztime=$(FUZZTIME) ./internal/contract
	go test -run=NONE -fuzz=FuzzParse -fuzztime=$(FUZZTIME) -fuzzminimizetime=20x ./registry
	go test -run=NONE -fuzz=FuzzDescription -fuzztime=$(FUZZTIME) -fuzzminimizetime=20x ./registry
	go test -run=NONE -fuzz=FuzzManifest -fuzztime=$(FUZZTIME) -fuzzminimizetime=20x ./registry
	go test -run=NONE -fuzz=FuzzLoadOrder -fuzztime=$(FUZZTIME) ./registry
	go test -run=NONE -fuzz=FuzzRing -fuzztime=$(FUZZTIME) ./internal/isolate/shm
	go test -run=NONE -fuzz=FuzzHostCall -fuzztime=$(FUZZTIME) ./internal/isolate/shm
	go test -run=NONE -fuzz=FuzzReceive -fuzztime=$(FUZZTIME) ./internal/isolate/wire
	go test -run=NONE -fuzz=FuzzAnswers -fuzztime=$(FUZZTIME) ./internal/isolate/wire
	go test -run=NONE -fuzz=FuzzPipe -fuzztime=$(FUZZTIME) ./internal/isolate/pipe
	go test -run=NONE -fuzz=FuzzHostile -fuzztime=$(FUZZTIME:000x=0x) -fuzzminimizetime=20x ./tests/wasm
	go test -run=NONE -fuzz=FuzzAnnotate -fuzztime=$(FUZZTIME) ./tools/plugintest
	go test -run=NONE -fuzz=FuzzRewrite -fuzztime=$(FUZZTIME) ./internal/wasm/meter

bench: plugins wasm ## measure, and compare with other ways to load plugins
	go test -run=NONE -bench=. -benchmem ./tlv ./registry ./internal/plan ./internal/hostbox ./loader
	cd tests/bench && CGO_ENABLED=1 go build -o ../../bin/bench . && ../../bin/bench

memcheck: setup plugins ## run FileBox under valgrind
	go test -count=1 -v ./tests/memcheck

clean: ## remove what was built
	rm -rf bin data.txt analyze.log
	rm -rf plugins/sdk/rust/target tests/sdk/testdata/samples/target tests/sdk/testdata/user/target
	@for p in $(PLUGINS) $(CRATES); do $(MAKE) --no-print-directory -s -C plugins/$$p clean || exit 1; done
