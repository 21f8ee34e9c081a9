#-------------------------------------------------------------------------
#
# engine.mk
#		Builds the engine without a server: unit tests, fuzz targets and
#		the bench.
#
#	make -f test/engine.mk OUT=build/unit unit
#	make -f test/engine.mk OUT=build/sanitized SANITIZE=address,undefined \
#		TILES=software unit
#	make -f test/engine.mk OUT=build/fuzz SANITIZE=address,undefined fuzz
#	make -f test/engine.mk OUT=build/unit bench
#	make -f test/engine.mk OUT=build/libfuzzer CC=clang-14 LIBFUZZER=1 \
#		SANITIZE=address,undefined fuzz
#
# From the top directory; $(OUT) gets one program for each file of test/unit
# and test/fuzz.  Fuzz targets are linked with test/fuzz/driver.c, which runs
# them over the corpus and random mutations of it, or with LIBFUZZER=1 with
# clang's libFuzzer.  With SANITIZE the first finding ends the program.
#
# With TILES=software the kernels for AMX run on every processor with AVX-512,
# VNNI and bf16, as "amx" and first choice: test/unit/software_tiles.h has tiles
# in C, in which sanitizers see what is read and written.  With SANITIZE or
# without; one $(OUT) for each choice of options.
#
# The engine cross-compiles for aarch64 with Debian's gcc-aarch64-linux-gnu,
# given OpenBLAS and utf8proc of arm64, and what comes out runs under qemu-user:
# test/run/arm64.sh does all of that.
#
#-------------------------------------------------------------------------
OUT ?= build/unit
CC ?= gcc
SANITIZE ?=
TILES ?=
LIBFUZZER ?=

ENGINE_OBJ := $(OUT)/
include src/engine/flags.mk

# Beside the engine's own flags those that the server gives to extensions, for
# the machine code is to be that of the library; sanitizers apart.
PG_CONFIG ?= pg_config
ifeq ($(MACHINE),$(shell gcc -dumpmachine 2>/dev/null))
SERVER_CFLAGS := $(filter -O% -f%,$(shell $(PG_CONFIG) --cflags 2>/dev/null))
SERVER_CPPFLAGS := $(filter -D%,$(shell $(PG_CONFIG) --cppflags 2>/dev/null))
endif
ifneq ($(SANITIZE),)
SERVER_CPPFLAGS := $(filter-out -D_FORTIFY_SOURCE%,$(SERVER_CPPFLAGS))
endif
ifneq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
WARNINGS = -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

CFLAGS = $(or $(SERVER_CFLAGS),-O2) -g -fPIC \
	-Wall -Wextra -Wdeclaration-after-statement -Wvla -Wmissing-prototypes \
	-Wpointer-arith $(WARNINGS)
CPPFLAGS = $(SERVER_CPPFLAGS) -Isrc/engine -Itest/unit
LDLIBS = $(BLAS_LINK) -lutf8proc -lm

# What must hold inside the engine is looked at where tests look closely.
ifneq ($(SANITIZE)$(TILES),)
CPPFLAGS += -DMB_ASSERTIONS
endif

ifeq ($(TILES),software)
CPPFLAGS += -include test/unit/software_tiles.h
endif

ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -fno-var-tracking
# Unrolled kernels with a check at each access take gcc minutes at -O2.
$(OUT)/kernels/%.o: override CFLAGS += -O1
endif

# Tests of the tiles themselves
$(OUT)/test_tiles.o: CFLAGS += $(AMX)

UNIT := $(patsubst test/unit/%.c,$(OUT)/%,$(wildcard test/unit/*.c))
FUZZ := $(patsubst test/fuzz/%.c,$(OUT)/%,$(wildcard test/fuzz/fuzz_*.c))

ifneq ($(LIBFUZZER),)
CFLAGS += -fsanitize=fuzzer-no-link
FUZZ_MAIN = -fsanitize=fuzzer
else
FUZZ_MAIN = $(OUT)/driver.o
endif

unit: $(UNIT)
fuzz: $(FUZZ)
bench: $(OUT)/bench
count: $(OUT)/count

$(OUT)/%.o: src/engine/%.c | $(OUT)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.o: test/fuzz/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.o: test/unit/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(UNIT): $(OUT)/%: $(OUT)/%.o $(OUT)/libengine.a
	$(CC) $(CFLAGS) $< $(OUT)/libengine.a $(LDLIBS) -o $@

$(OUT)/%.o: test/bench/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/bench: $(OUT)/bench.o $(OUT)/libengine.a
	$(CC) $(CFLAGS) $< $(OUT)/libengine.a $(LDLIBS) -o $@

$(OUT)/count.o: CPPFLAGS += $(BLAS_INCLUDE:%=-isystem %)
$(OUT)/count: $(OUT)/count.o $(OUT)/libengine.a
	$(CC) $(CFLAGS) $< $(OUT)/libengine.a $(LDLIBS) -o $@

$(FUZZ): $(OUT)/%: $(OUT)/%.o $(OUT)/libengine.a \
		$(filter-out -%,$(FUZZ_MAIN))
	$(CC) $(CFLAGS) $< $(FUZZ_MAIN) $(OUT)/libengine.a $(LDLIBS) \
		-o $@

$(OUT)/libengine.a: $(ENGINE)
	rm -f $@
	$(AR) rcs $@ $^

$(OUT):
	mkdir -p $@

.PHONY: unit fuzz bench count
.SECONDARY:
-include $(wildcard $(OUT)/*.d $(OUT)/*/*.d $(OUT)/*/*/*.d)
