#-------------------------------------------------------------------------
#
# engine.mk
#		Builds the engine without a server: unit tests, fuzz targets and
#		the bench.
#
#	make -f test/engine.mk OUT=build/unit unit
#	make -f test/engine.mk OUT=build/sanitized SANITIZE=address,undefined unit
#	make -f test/engine.mk OUT=build/fuzz SANITIZE=address,undefined fuzz
#	make -f test/engine.mk OUT=build/tiles SANITIZE=address,undefined \
#		TILES=software unit
#	make -f test/engine.mk OUT=build/unit bench
#	make -f test/engine.mk OUT=build/libfuzzer CC=clang-14 LIBFUZZER=1 \
#		SANITIZE=address,undefined fuzz
#
# From the top directory; $(OUT) gets one program for each file of test/unit
# and test/fuzz.  Fuzz targets are linked with test/fuzz/driver.c, which runs
# them over the corpus and random mutations of it, or with LIBFUZZER=1 with
# clang's libFuzzer.  With SANITIZE the first finding ends the program.
#
# With TILES=software the kernels for AMX, "amx", run on every processor with
# AVX-512, VNNI and bf16, on tiles of test/unit/software_tiles.h, so that
# sanitizers see what tiles read and write; with SANITIZE or without.
#
# Other processors have plain C.  The engine cross-compiles for aarch64 with
# Debian's gcc-aarch64-linux-gnu, given libopenblas-serial-dev and
# libutf8proc-dev of arm64, and what comes out runs under qemu-user:
#
#	make -f test/engine.mk CC=aarch64-linux-gnu-gcc OUT=build/arm64 unit
#	qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/test_json
#
# test_forward and test_kernels take minutes.  For golden_model see
# test/golden/model/README.md.
#
#-------------------------------------------------------------------------
OUT ?= build/unit
CC ?= gcc
SANITIZE ?=
TILES ?=
LIBFUZZER ?=

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
# Debian has several OpenBLAS side by side; the one without threads is ours.
BLAS_LIB := $(firstword $(wildcard /usr/lib/$(MULTIARCH)/openblas-serial))
BLAS_INC := $(firstword $(wildcard /usr/include/$(MULTIARCH)/openblas-serial \
	/usr/include/$(MULTIARCH)/openblas-pthread /usr/include/openblas))

# Two roundings where the source has two: gcc would contract them to one.
CFLAGS = -std=gnu99 -O2 -g -fPIC -ffp-contract=off \
	-Wall -Wextra -Wdeclaration-after-statement -Wvla -Wmissing-prototypes \
	-Wpointer-arith
CPPFLAGS = -Isrc/engine -Itest/unit $(BLAS_INC:%=-isystem %)
LDFLAGS = $(BLAS_LIB:%=-L% -Wl,-rpath,%)
LDLIBS = -lopenblas -lutf8proc -lm

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
$(OUT)/kernels/kernels_avx%.o $(OUT)/kernels/reduced_%.o \
	$(OUT)/kernels/quantise_%.o $(OUT)/kernels/%_amx.o \
	$(OUT)/kernels/%_vnni.o: CFLAGS += -O1
endif

# Instruction sets: only these files, and they run only where cpu.c says so.
# Each set includes those before it, as in the Makefile.
ifneq ($(filter x86_64%,$(MACHINE)),)
AVX2 := -mavx2 -mfma -mf16c
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl
VNNI := $(AVX512) -mavx512vnni
AMX := $(VNNI) -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16
$(OUT)/kernels/kernels_avx2.o $(OUT)/kernels/reduced_avx2.o: CFLAGS += $(AVX2)
$(OUT)/kernels/kernels_avx512.o $(OUT)/kernels/quantise_avx512.o \
	$(OUT)/kernels/reduced_avx512.o: CFLAGS += $(AVX512)
$(OUT)/kernels/attention_vnni.o $(OUT)/kernels/reduced_vnni.o: \
	CFLAGS += $(VNNI)
$(OUT)/kernels/attention_amx.o $(OUT)/kernels/reduced_amx.o \
	$(OUT)/kernels/split_amx.o: CFLAGS += $(AMX)
endif

ENGINE := $(patsubst src/engine/%.c,$(OUT)/%.o,$(wildcard src/engine/*/*.c))
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

$(OUT)/%.o: src/engine/%.c | $(OUT)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.o: test/fuzz/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/%.o: test/unit/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(UNIT): $(OUT)/%: $(OUT)/%.o $(OUT)/libengine.a
	$(CC) $(CFLAGS) $< $(OUT)/libengine.a $(LDFLAGS) $(LDLIBS) -o $@

$(OUT)/%.o: test/bench/%.c | $(OUT)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(OUT)/bench: $(OUT)/bench.o $(OUT)/libengine.a
	$(CC) $(CFLAGS) $< $(OUT)/libengine.a $(LDFLAGS) $(LDLIBS) -o $@

$(FUZZ): $(OUT)/%: $(OUT)/%.o $(OUT)/libengine.a \
		$(filter-out -%,$(FUZZ_MAIN))
	$(CC) $(CFLAGS) $< $(FUZZ_MAIN) $(OUT)/libengine.a $(LDFLAGS) $(LDLIBS) \
		-o $@

$(OUT)/libengine.a: $(ENGINE)
	rm -f $@
	$(AR) rcs $@ $^

$(OUT):
	mkdir -p $@

.PHONY: unit fuzz bench
.SECONDARY:
-include $(wildcard $(OUT)/*.d $(OUT)/*/*.d)
