#-------------------------------------------------------------------------
#
# mobilebert: MobileBERT inside PostgreSQL
#
#	make demo				everything, and a tour of what the models do
#	make test				everything, and all tests
#	make && make install	the extension alone
#	make installcheck		pg_regress against a running server that has it
#	make bench				the engine's speed on this machine
#	make dist, make deb		the archive for PGXN; packages for Debian
#	make quality			figures of the shipped models, from SQL
#	make unit				a part of the tests: border, unit, sanitized, fuzz,
#							regress, server, readme, arm64
#
# PG_CONFIG names the server to build for.
#
#-------------------------------------------------------------------------

EXTENSION = mobilebert
# The version stands in the control file; archives and packages add PATCH.
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" mobilebert.control)
PATCH = 0
MODULE_big = mobilebert

# ENGINE, the engine's objects, and how each is compiled
ENGINE_OBJ := src/engine/
include src/engine/flags.mk
ADAPTER = $(patsubst %.c,%.o,$(wildcard src/pg/*.c src/pg/*/*.c))

OBJS = $(ENGINE) $(ADAPTER)
DATA = $(wildcard sql/mobilebert--*.sql)
MODELS_DIR = weights
MODELS = $(notdir $(patsubst %/,%,$(dir $(wildcard $(MODELS_DIR)/*/config.json))))

REGRESS = $(basename $(notdir $(filter-out sql/mobilebert--%,$(wildcard sql/*.sql))))
REGRESS_OPTS = --inputdir=. --load-extension=mobilebert
# pg_regress says so itself from PostgreSQL 15 on.
export PG_ABS_SRCDIR = $(CURDIR)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
PG_INCLUDE := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)
SERVER := $(word 2,$(shell $(PG_CONFIG) --version 2>/dev/null))

# The server's headers are not ours to clean: no warnings about their macros.
# What an object was made of is written beside it, to make it anew by.
PG_CPPFLAGS = -isystem $(PG_INCLUDE) -DMOBILEBERT_VERSION='"$(EXTVERSION)"' \
	-MMD -MP
PG_CFLAGS = -Wall -Wextra
# The server may have been built by gcc: its flags are not all known to clang.
ifneq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
PG_CFLAGS += -Wno-unknown-warning-option
endif
SHLIB_LINK = $(BLAS_LINK) -lutf8proc -lm -Wl,--version-script=src/exports.map

EXTRA_CLEAN = $(OBJS:.o=.d) src/exports.map build results regression.diffs regression.out tmp_check

# Bitcode for inlining serves small functions that queries call by the million.
override with_llvm = no

ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
endif

.DEFAULT_GOAL := all

# Each side includes its own headers by their path inside it; of the engine
# the adapter includes engine/engine.h, which needs the engine's.
$(ADAPTER): override CPPFLAGS += -Isrc/pg -Isrc -Isrc/engine

$(OBJS): Makefile src/engine/flags.mk build/server
$(ADAPTER): mobilebert.control
-include $(OBJS:.o=.d)

# Objects are of one version of the server; for another all are made anew.
ifneq ($(shell cat build/server 2>/dev/null),$(SERVER))
.PHONY: build/server
endif
build/server:
	mkdir -p build && echo '$(SERVER)' >$@

# Only what SQL calls is visible outside of the library: what any script of any
# version names, as databases in which the extension was not updated call that.
$(shlib): src/exports.map
src/exports.map: $(DATA)
	{ echo '{ global: Pg_magic_func; _PG_init;'; \
	  sed -n "s/.*'MODULE_PATHNAME', '\(mobilebert_[a-z0-9_]*\)'.*/\1; pg_finfo_\1;/p" $(DATA) | sort -u; \
	  echo 'local: *; };'; } >$@

# Models that import_model(name) and import_defaults() find: MODELS chooses.
install: install-models
.PHONY: install-models
install-models:
	for model in $(MODELS); do \
	  (cd $(MODELS_DIR) && find $$model -type d) | while read dir; do \
	    $(MKDIR_P) '$(DESTDIR)$(datadir)/extension/mobilebert/'$$dir || exit 1; done; \
	  (cd $(MODELS_DIR) && find $$model -type f) | while read file; do \
	    $(INSTALL_DATA) $(MODELS_DIR)/$$file '$(DESTDIR)$(datadir)/extension/mobilebert/'$$file || exit 1; done; \
	done

uninstall: uninstall-models
.PHONY: uninstall-models
uninstall-models:
	rm -rf '$(DESTDIR)$(datadir)/extension/mobilebert'

# Neither needs a built extension, nor PostgreSQL to begin with: they install
# what is missing, where they may.
.PHONY: demo test
demo:
	MAKE='$(MAKE)' test/demo/demo.sh
test:
	MAKE='$(MAKE)' test/run/run.sh

# Parts of the tests by themselves; see test/run/run.sh.
.PHONY: border unit sanitized fuzz regress server readme arm64
border unit sanitized fuzz regress server readme arm64:
	MAKE='$(MAKE)' test/run/run.sh $@

# What others install: the archive for PGXN, and Debian's packages, in build/.
.PHONY: dist deb
dist:
	test/package/dist.sh $(EXTVERSION).$(PATCH)
deb:
	MAKE='$(MAKE)' test/package/deb.sh $(EXTVERSION).$(PATCH)

# How good the models are: test/quality/run.sh has the variables.
.PHONY: quality
quality:
	MAKE='$(MAKE)' test/quality/run.sh

# The engine's speed by itself, then with a server; see test/bench/RESULTS.md.
BENCH_MODEL = weights/minilm
BENCH_TOKENS = 8 16 32 128 512
.PHONY: bench
bench:
	$(MAKE) -s -f test/engine.mk OUT=build/unit bench
	for n in $(BENCH_TOKENS); do \
	  build/unit/bench --parts $(BENCH_MODEL) 1 $$n || exit 1; done
	MAKE='$(MAKE)' test/bench/run.sh
