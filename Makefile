# The two commands: `make demo` (`make demo-helm`: with the chart) and `make test`. Everything that is needed beside Rust, Go,
# a C compiler and make is fetched by cargo and go and kept under ${XDG_CACHE_HOME:-~/.cache}/unkey-operator/.
.DEFAULT_GOAL := help
CARGO ?= cargo
# The tests on real parts wait more than they work: more at a time than there are cores of a small machine.
RUST_TEST_THREADS ?= 6

.PHONY: help
help: ## Print this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 18

.PHONY: demo
demo: ## See it work: a real control plane, the Unkey emulator, the operator, kubectl. KEEP=1 leaves it running; API_URL=… ROOT_KEY_FILE=… uses a real Unkey
	@$(CARGO) build -q -p controlplane
	@$(CARGO) run -q -p controlplane -- servers > /dev/null & servers=$$!; trap 'kill $$servers 2> /dev/null' EXIT; \
	    $(CARGO) build --workspace --bins && wait $$servers
	@$(CARGO) run -q -p demo -- $(if $(KEEP),--keep) $(if $(API_URL),--api-url '$(API_URL)') $(if $(ROOT_KEY_FILE),--root-key-file '$(ROOT_KEY_FILE)')

.PHONY: demo-helm
demo-helm: ## See the Helm chart work: two replicas, a crash of the leader, an upgrade without a gap, an uninstall that deletes no identity
	@$(CARGO) build --workspace --bins
	@$(CARGO) run -q -p demo --bin demo-helm

.PHONY: check
check: ## Run the tests that need no Go tool, in less than 2 minutes: unit tests, simulation, model (quick bounds), client, emulator, repository
	@$(CARGO) test -q -p unkey-text -p unkey -p unkey-operator-api -p unkey-operator-core -p unkey-emulator
	@$(CARGO) test -q --lib --test repo

.PHONY: test
test: tools ## Run all tests
	@RUST_TEST_THREADS=$(RUST_TEST_THREADS) $(CARGO) test --workspace

.PHONY: matrix
matrix: ## Run the tests that need a cluster on the oldest and the newest Kubernetes, in turn (an hour or more the first time); VERSIONS='1.32' SUITES='cluster' choose
	@RUST_TEST_THREADS=$(RUST_TEST_THREADS) CARGO='$(CARGO)' .ci/matrix

.PHONY: cuts
cuts: tools ## Cut and crash every pair of requests of every workflow on the real parts (two hours); CUTS=all/NAME+NAME plays these workflows, CUTS='NAME,…' repeats cases
	@CUTS='$(or $(CUTS),all)' $(CARGO) test --test fault_injection

.PHONY: soak
soak: tools ## Change the leader LEADER_CHANGES=200 times under churn (`make test`: 20)
	@LEADER_CHANGES=$${LEADER_CHANGES:-200} $(CARGO) test --test cluster leader::changes_of_leader -- --nocapture

.PHONY: fuzz
fuzz: tools ## Put FUZZ_CHAINS=10000 chains of generated specs through a real API server; FUZZ_SEED searches others, FUZZ_ONLY=n runs one again
	@FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} FUZZ_CHAINS=$${FUZZ_CHAINS:-10000} $(CARGO) test --test fuzz every_spec -- --nocapture

# Fewer rows, smaller or shorter, as in: make bench ROWS=changes,limit N=100 RUNS=1
MEASURED := $(if $(ROWS),--only $(ROWS)) $(if $(N),--objects $(N)) $(if $(RUNS),--runs $(RUNS)) $(if $(SECONDS),--seconds $(SECONDS))

.PHONY: bench
bench: tools ## Measure speed and cost against a bare loop of the same requests (15 minutes, on an idle machine)
	@$(CARGO) bench -q --bench cluster -- $(MEASURED)

.PHONY: bench-full
bench-full: tools ## The same with 10,000 and 100,000 objects, under churn, noise and at rest (2 hours)
	@$(CARGO) bench -q --bench event --bench heap
	@$(CARGO) bench -q --bench cluster -- --full $(MEASURED)

.PHONY: mutants
mutants: ## Change the deciding code in some 900 small ways, one at a time: a unit or property test has to notice. Hours
	@.ci/mutants

.PHONY: model
model: explore cuts ## All that is enumerated and too long for `make test`: the two below

.PHONY: explore
explore: ## Explore the deep bounds of the model: millions of states, up to half an hour (docs/contributing/model.md)
	@MODEL_BOUNDS=deep $(CARGO) test -p unkey-operator-core --test model -- --nocapture --test-threads 1

.PHONY: nonsense
nonsense: tools ## Simulate, explore the quick bounds, read statuses of 0.1 and inject every single fault with a program whose messages mean nothing
	@$(CARGO) test -p unkey-operator-core --features nonsense-messages --test simulation --test model
	@RUST_TEST_THREADS=$(RUST_TEST_THREADS) $(CARGO) test --features unkey-operator-core/nonsense-messages --test compat --test fault_injection

.PHONY: contract
contract: ## Replay recorded answers of a real Unkey against BASE_URL, with ROOT_KEY, READONLY_KEY, CLEAN_KEY; against the emulator without
	@$(CARGO) test -p unkey-emulator --test contract -- --nocapture

.PHONY: lint
lint: ## Check format, lints, docs, licences of dependencies
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items -q
	@.ci/deny

.PHONY: docs
docs: ## Build the documentation as a book, target/book/docs/index.html, and check its links
	@.ci/docs

.PHONY: generate
generate: ## Write the generated files anew: the definition of Identity, the chart's copies of it and of the policies, docs/reference, the chart README's table and its golden renders
	@$(CARGO) run -q -- crd > crds/identities.unkey.com.yaml.new && mv crds/identities.unkey.com.yaml.new crds/identities.unkey.com.yaml
	@cp crds/identities.unkey.com.yaml charts/unkey-operator/files/
	@rm -rf charts/unkey-operator/files/policies && cp -r examples/admission charts/unkey-operator/files/policies
	@UPDATE_GOLDEN=1 $(CARGO) test -q --test repo as_generated
	@UPDATE_GOLDEN=1 $(CARGO) test -q --test chart golden

.PHONY: compat
compat: tools ## Write the fixtures of this version: what it leaves in a cluster, for all versions to come to read (tests/compat/README.md)
	@COMPAT_RECORD=1 $(CARGO) test --test compat of_the_form

.PHONY: image
image: ## Build the image with Docker, for this machine, as unkey-operator:dev; IMAGE=name:tag names it
	@docker buildx build --load --tag $(or $(IMAGE),unkey-operator:dev) .

# Where the programs of a user are.
PREFIX ?= $(HOME)/.local

.PHONY: install-plugin
install-plugin: ## Install the plugin, so that `kubectl unkey` works, and its completion into PREFIX/bin, by default ~/.local/bin
	@$(CARGO) build --release --locked --bin unkey-operator
	@mkdir -p '$(PREFIX)/bin'
	@install -m 0755 '$(or $(CARGO_TARGET_DIR),target)/release/unkey-operator' '$(PREFIX)/bin/kubectl-unkey'
	@ln -sf kubectl-unkey '$(PREFIX)/bin/kubectl_complete-unkey'
	@case ":$$PATH:" in \
	    *':$(PREFIX)/bin:'*) echo 'Installed kubectl-unkey and kubectl_complete-unkey into $(PREFIX)/bin. Try: kubectl unkey list' ;; \
	    *) echo 'Installed kubectl-unkey and kubectl_complete-unkey into $(PREFIX)/bin. Put that folder on PATH, so that kubectl finds them' ;; \
	esac

.PHONY: release-check
release-check: ## Check release readiness; TAG=v0.2.0: of this very commit under that tag (docs/contributing/release.md)
	@CARGO='$(CARGO)' .ci/release-check $(TAG)

.PHONY: tools
tools: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl, helm and promtool, once
	@$(CARGO) build -q -p controlplane
	@$(CARGO) run -q -p controlplane -- tools > /dev/null
	@$(CARGO) run -q -p controlplane -- helm > /dev/null
	@$(CARGO) run -q -p controlplane -- promtool > /dev/null
