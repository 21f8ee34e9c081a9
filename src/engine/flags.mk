#-------------------------------------------------------------------------
#
# flags.mk
#		How the engine is compiled: the one list of flags by source file.
#
# The Makefile includes it with ENGINE_OBJ = src/engine/, test/engine.mk with
# the folder of its objects, so that tests and benchmarks run the machine code
# that ships.  A name ending in an instruction set is the whole registration
# of a kernel file: kernels/x86/reduced_avx2.c is compiled for AVX2.
#
# Sets MACHINE, and BLAS_INCLUDE, BLAS_LIB and BLAS_LINK for OpenBLAS.  Depends
# on CC.
#
#-------------------------------------------------------------------------
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)

# OpenBLAS without threads where there is such a build: a backend has one
# thread.  The path is kept in what is linked, because another build of the
# same name may stand first on the machine's search path.
comma := ,
BLAS_LIB := $(wildcard /usr/lib/$(MULTIARCH)/openblas-serial)
BLAS_INCLUDE := $(firstword $(wildcard \
	/usr/include/$(MULTIARCH)/openblas-serial \
	/usr/include/$(MULTIARCH)/openblas-pthread /usr/include/openblas))
BLAS_LINK := $(foreach dir,$(BLAS_LIB),-L$(dir) -Wl$(comma)-rpath$(comma)$(dir)) -lopenblas

ENGINE_SOURCES := $(patsubst src/engine/%,%,$(wildcard \
	src/engine/*/*.c src/engine/*/*/*.c))
ENGINE := $(ENGINE_SOURCES:%.c=$(ENGINE_OBJ)%.o)

# Same results from every compiler: no fused multiply-add unless written.
$(ENGINE): override CFLAGS += -std=gnu99 -ffp-contract=off
$(ENGINE): override CPPFLAGS += -Isrc/engine $(BLAS_INCLUDE:%=-isystem %)

# Loops over whole vectors
$(ENGINE_OBJ)kernels/%.o $(ENGINE_OBJ)encoder/heads.o \
	$(ENGINE_OBJ)encoder/pooling.o \
	$(ENGINE_OBJ)learning/%.o: override CFLAGS += -O3

# Instruction sets: only these files, and they run only where base/cpu.c says
# so.  Each set includes those before it.  NEON needs no flags.
ifneq ($(filter x86_64%,$(MACHINE)),)
AVX2 := -mavx2 -mfma -mf16c
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl
VNNI := $(AVX512) -mavx512vnni
AMX := $(VNNI) -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16
$(ENGINE_OBJ)kernels/x86/%_avx2.o: override CFLAGS += $(AVX2)
$(ENGINE_OBJ)kernels/x86/%_avx512.o: override CFLAGS += $(AVX512)
$(ENGINE_OBJ)kernels/x86/%_vnni.o: override CFLAGS += $(VNNI)
$(ENGINE_OBJ)kernels/x86/%_amx.o: override CFLAGS += $(AMX)
endif
ifneq ($(filter aarch64% arm64%,$(MACHINE)),)
DOTPROD := -march=armv8.2-a+dotprod
I8MM := $(DOTPROD)+i8mm
BF16 := $(I8MM)+bf16
$(ENGINE_OBJ)kernels/arm/%_dotprod.o: override CFLAGS += $(DOTPROD)
$(ENGINE_OBJ)kernels/arm/%_i8mm.o: override CFLAGS += $(I8MM)
$(ENGINE_OBJ)kernels/arm/%_bf16.o: override CFLAGS += $(BF16)
endif
