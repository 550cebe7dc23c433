# SPDX-License-Identifier: MIT
# A front for meson and the scripts: `make help` lists the targets.
# Debian's meson runs under Debian's python3, whatever python3 is in PATH.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
DIR ?= /usr/include
STAGES ?=
OPTIONS ?=
VMS_OPERATIONS ?= 1000000
MINUTES ?= 1440

# What is installed and measured, as Debian builds its packages; src/meson.build asks
# for more where it gains something. To do so everywhere, or when linking, takes up to
# a third of the build's time.
RELEASE := --buildtype=release -Doptimization=2
INSTALLED := $(RELEASE) -Dtests=false -Dbenchmarks=false

# What is only to be seen at work, soon.
SHOWN := --buildtype=plain -Doptimization=0 -Dunited=true -Dtests=false -Dbenchmarks=false
SHOWN_FILES := src/cli/vmspace src/preload/libvmspace-heap.so \
	examples/example-tree examples/example-pool

MESON := meson
NINJA := ninja

.PHONY: all
all: $(BUILD)/build.ninja ## build what is installed: the libraries and the command
	$(NINJA) -C $(BUILD)

$(BUILD)/build.ninja:
	$(MESON) setup $(INSTALLED) --prefix=$(PREFIX) $(BUILD)

.PHONY: static
static: $(BUILD)/build.ninja ## build the command without libraries, for a container's image
	$(NINJA) -C $(BUILD) src/cli/vmspace-static

# The packages come first, so the build cannot be a prerequisite here.
.PHONY: demo
demo: ## install what is missing, build, and show the main things on DIR (/usr/include)
	@scripts/install-packages demo
	@$(MAKE) --no-print-directory shown >$(BUILD)-demo.log 2>&1 || \
		{ cat $(BUILD)-demo.log; exit 1; }
	@scripts/demo $(BUILD)-demo $(DIR)

.PHONY: shown
shown: $(BUILD)-demo/build.ninja
	$(NINJA) -C $(BUILD)-demo $(SHOWN_FILES)

$(BUILD)-demo/build.ninja:
	$(MESON) setup $(SHOWN) $(BUILD)-demo

.PHONY: check
check: ## install what is missing, build every configuration, run all tests
	@scripts/install-packages check || { echo "0 passed, 1 failed"; exit 1; }
	@scripts/check $(STAGES)

.PHONY: lint
lint: ## install what is missing, run clang-tidy, cppcheck and shellcheck
	scripts/install-packages lint
	scripts/lint

.PHONY: soak
soak: bench-build ## run random tests for VMS_OPERATIONS (1000000), and storms of signals
	scripts/soak build-bench $(VMS_OPERATIONS)

.PHONY: soak-pool
soak-pool: bench-build ## run random tests of pools, seed after seed, for MINUTES (1440)
	scripts/soak-pool build-bench $(MINUTES)

.PHONY: file-systems
file-systems: bench-build ## install what is missing, run the tests of mapped files on xfs, btrfs, overlayfs and FUSE
	scripts/file-systems build-bench

.PHONY: bpf-check
bpf-check: ## install what is missing, try limits that the kernel keeps, emulated
	scripts/bpf-check

.PHONY: old-kernel
old-kernel: ## install what is missing, run the tests on Debian's kernel, emulated
	scripts/old-kernel

.PHONY: bench-build
bench-build:
	[ -e build-bench/build.ninja ] || \
		$(MESON) setup $(RELEASE) build-bench
	$(NINJA) -C build-bench

.PHONY: bench
bench: bench-build ## build for speed in build-bench, run the benchmarks, list the larger ones
	@set -e; for program in build-bench/bench/bench-*; do \
		[ ! -f $$program ] || $$program; \
	done
	@echo '# by themselves, with files, groups and options (see the head of each source):'
	@for program in build-bench/bench/*/bench-*; do \
		if [ -f $$program ]; then echo "# $$program"; fi; \
	done

# The packages come first, so the build cannot be a prerequisite here.
.PHONY: bench-growth
bench-growth: ## install what is missing, run growth with every allocator (OPTIONS)
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/growth/run.py --build build-bench $(OPTIONS)

.PHONY: bench-programs
bench-programs: ## the same for other people's programs, bare and preloaded
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/growth/programs.py --build build-bench $(OPTIONS)

.PHONY: bench-commit
bench-commit: ## what 'vmspace limit' costs other people's programs
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/commit/run.py --build build-bench $(OPTIONS)
	bench/commit/refusals.py --build build-bench

.PHONY: bench-sight
bench-sight: ## what 'vmspace maps' and 'vmspace commit' take, beside pmap and smem
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/cli/run.py --build build-bench $(OPTIONS)

.PHONY: bench-top
bench-top: ## what 'vmspace top' takes of a processor, and its first screen
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/top/run.py --build build-bench $(OPTIONS)

.PHONY: bench-trace
bench-trace: ## what 'vmspace trace' costs programs, and 'vmspace report' of many events
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/trace/run.py --build build-bench $(OPTIONS)

.PHONY: bench-sweep
bench-sweep: ## what 'vmspace sweep' finds, beside libfiu's random failures
	scripts/install-packages bench
	$(MAKE) --no-print-directory bench-build
	bench/sweep/run.py --build build-bench $(OPTIONS)

.PHONY: install
install: all ## install below DESTDIR and PREFIX (/usr/local)
	$(MESON) configure $(BUILD) --prefix=$(PREFIX)
	DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD)
	[ -n "$(DESTDIR)" ] || ldconfig

.PHONY: uninstall
uninstall: ## remove what the last `make install` put there
	$(NINJA) -C $(BUILD) uninstall

.PHONY: clean
clean: ## remove every build
	rm -rf $(BUILD) $(BUILD)-demo build-check build-bench

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | \
		awk -F ': ' '{ printf "make %-14s %s\n", $$1, $$2 }'
