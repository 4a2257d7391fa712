# Crucible. One Makefile for the whole tree; everything it makes lies under build/.
#   make               build/crucible-ls (the libraries it needs: .ci/deps build installs them)
#   make run           install what is missing, build, replay ten seconds of typing (FILE=...)
#   make test          units, fuzz corpora, protocol suite (T=name: only units with that name)
#   make check         format, layers, gcc and clang with -Werror, clang-tidy, cppcheck
#   make fuzz          each fuzz target for FUZZ_SECONDS (60)
#   make test-engines  with a real llama-server, where there is one (ENGINE_DIR=... MODEL=...)
#   make bench-traffic what typing costs a model server, each mechanism off in turn (TRACES=..., ARGS=...)
#   make bench-upstream   the way to a model server beside libcurl alone, and with faults
#   make bench-engines queueing and ordering with a real llama-server (ENGINE_DIR, MODEL)
#   make chaos         DURATION=30m of typing while the model server breaks every two seconds
#   make bench | format | install | clean | help
#
# SANITIZE=address,undefined | thread   a build of its own (build/asan, build/tsan), tests too
# CC=... WERROR=1 V=1 (show commands) PREFIX=/usr/local DESTDIR=

VERSION := 0.1.0
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
comma := ,
DIR_address,undefined := /asan
DIR_thread := /tsan
BUILD ?= build$(if $(SANITIZE),$(or $(DIR_$(SANITIZE)),/$(subst $(comma),-,$(SANITIZE))))

JOBS := $(if $(filter-out 0,$(MAKELEVEL))$(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
MAKEFLAGS += $(JOBS)
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-6s %s\n' $(1) $(2))

# Libraries: asked for when the first file is compiled, since `make run` may install them before.
PACKAGES := libuv libcurl sqlite3
FOUND = $(shell pkg-config --exists $(PACKAGES) 2>/dev/null && echo yes)
once = $(eval $(1) := $(2))$($(1))
PKG_CFLAGS = $(call once,PKG_CFLAGS,$(if $(FOUND),,$(error libuv, libcurl or SQLite is missing: .ci/deps build \
    installs what it takes))$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)) $(BREW:%=-I%)))
BREW = $(wildcard /opt/homebrew/include)
PKG_LIBS = $(call once,PKG_LIBS,$(shell pkg-config --libs $(PACKAGES)) -lm)
TEST_LIBS = $(call once,TEST_LIBS,$(or $(shell pkg-config --libs cmocka),-lcmocka))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
    -Wwrite-strings -Wundef -Wvla -Wformat=2 $(if $(WERROR),-Werror)
taken = $(shell $(CC) -Werror $(1) -fsyntax-only -x c /dev/null >/dev/null 2>&1 && echo '$(1)')
ifdef SANITIZE
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LDMODE := -fsanitize=$(SANITIZE)
else
MODE = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE $(HARDEN)
HARDEN = $(call once,HARDEN,$(call taken,-fcf-protection) $(call taken,-ftrivial-auto-var-init=zero) \
    $(call taken,-ffile-prefix-map=$(CURDIR)=.))
LDMODE := $(if $(filter Linux,$(shell uname)),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
endif
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DCRUCIBLE_VERSION='"$(VERSION)"' -I. -include core/base/banned.h \
    -pthread $(WARNINGS) $(MODE) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(LDMODE) $(LDFLAGS)

SOURCES := $(shell find core lsp providers -name '*.c')
LIBRARY := $(BUILD)/libcrucible.a
BINARY := $(BUILD)/crucible-ls
UNITS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(shell find tests/unit -name '*$(T)*_test.c'))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TRAFFIC := $(BUILD)/tests/bench/traffic/traffic
REACH := $(BUILD)/tests/bench/upstream/upstream
REPLAYS := $(FUZZERS:%=$(BUILD)/tests/fuzz/replay_%)

.PHONY: all run test units fuzzers check fuzz bench bench-traffic bench-upstream bench-engines chaos test-engines format install clean help
.SECONDARY:
all: $(BINARY)
	@:

$(BINARY): $(BUILD)/lsp/main.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(LIBRARY): $(patsubst %.c,$(BUILD)/%.o,$(filter-out lsp/main.c,$(SOURCES)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(LIBRARY)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(LIBRARY)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/fuzz/libfuzzer_%: $(BUILD)/tests/fuzz/fuzz_%.o $(LIBRARY)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

$(REACH): $(BUILD)/tests/bench/upstream/upstream.o $(LIBRARY)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(TRAFFIC): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/traffic/*.c)) $(LIBRARY)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

run: export DEMO = $(patsubst ~/%,$(HOME)/%,$(or $(FILE),core/report/stats.c))
run:
	@.ci/deps build
	@$(MAKE) --no-print-directory all
	@$(BINARY) demo "$$DEMO"

units: $(UNITS) $(if $(T),,$(REPLAYS) $(TRAFFIC) $(REACH) $(BINARY))
	@:

test:
	@.ci/deps build test
	@$(MAKE) --no-print-directory units
	@tests/run $(BUILD) $(if $(T),units,units corpora protocol) -- $(sort $(UNITS))

check:
	@.ci/deps build test check
	@tests/check/run

fuzzers: $(FUZZERS:%=$(BUILD)/tests/fuzz/libfuzzer_%)
fuzz:
	@.ci/deps build fuzz
	@$(MAKE) --no-print-directory fuzzers CC=clang BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS) $(FUZZERS)

bench: all
	@tests/bench/run $(BINARY)

bench-traffic: $(TRAFFIC)
	@tests/bench/traffic/run $(TRAFFIC) $(ARGS)

bench-upstream: all $(REACH)
	@.ci/deps build test
	@tests/run $(BUILD) reach

bench-engines: all
	@tests/bench/engines/run $(LIBRARY)

chaos: export DURATION ?= 30m
chaos: all
	@.ci/deps build test
	@tests/run $(BUILD) chaos

test-engines:
	@.ci/deps build test
	@$(MAKE) --no-print-directory all
	@ENGINE_DIR='$(ENGINE_DIR)' tests/run $(BUILD) engines

format:
	clang-format -i $$(find core lsp providers tests -name '*.[ch]')

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/crucible-ls

clean:
	rm -rf build

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

-include $(shell find $(addprefix $(BUILD)/,core lsp providers tests) -name '*.d' -type f 2>/dev/null)
