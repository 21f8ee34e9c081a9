#!/bin/sh
#-------------------------------------------------------------------------
#
# arm64.sh
#		Builds the unit tests for aarch64 and runs them under qemu.
#
#	test/run/arm64.sh build [TARGET]
#								cross-compiles them, or another target of
#								engine.mk, into build/arm64
#	test/run/arm64.sh list [short]
#								names what "make arm64", or of that "make test",
#								runs: NAME PROCESSOR PROGRAM ARGUMENTS...
#	test/run/arm64.sh run PROCESSOR PROGRAM ARGUMENTS...
#
# On a Debian machine of another kind.  Packages come from apt (deps.sh);
# OpenBLAS and utf8proc of arm64 are unpacked into build/arm64/root, not
# installed, so that the machine's own packages stay as they are.  "build" exits
# with 77 where something cannot be had, and says what.
#
# PROCESSOR is a model of qemu's (-cpu): cortex-a72 has NEON alone, neoverse-n1
# dot products as well, max all that qemu knows.  Each runs what is different
# for it, max the rest.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."

top=$PWD
out=build/arm64
root=$out/root
triplet=aarch64-linux-gnu
libs=$top/$root/usr/lib/$triplet
make=${MAKE:-make}

# give_up REASON...: this machine cannot; no failure of the code.
give_up()
{
	echo "arm64.sh: $*" >&2
	exit 77
}

# apt_arm64 ARGUMENTS...: apt-get with lists of arm64 beside the machine's own
apt_arm64()
{
	mkdir -p "$top/$out/apt/lists/partial" \
		"$top/$out/apt/cache/archives/partial"
	apt-get -q -q -o APT::Architectures::="$(dpkg --print-architecture)" \
		-o APT::Architectures::=arm64 \
		-o Dir::State::Lists="$top/$out/apt/lists" \
		-o Dir::Cache="$top/$out/apt/cache" \
		-o Acquire::Languages=none -o APT::Sandbox::User= \
		-o Debug::NoLocking=1 "$@"
}

# libraries: OpenBLAS and utf8proc of arm64 in $root
libraries()
{
	test ! -e "$root/complete" || return 0
	rm -rf "$root"
	mkdir -p "$root" "$out/debs"
	apt_arm64 update || return 1
	(cd "$out/debs" && apt_arm64 download libopenblas-serial-dev:arm64 \
		libopenblas0-serial:arm64 libgfortran5:arm64 libutf8proc-dev:arm64) ||
		return 1
	for deb in "$out"/debs/*_arm64.deb; do
		dpkg-deb -x "$deb" "$root" || return 1
	done
	# its library is another package; there is a static one
	rm -f "$root/usr/lib/$triplet/libutf8proc.so"
	touch "$root/complete"
}

build()
{
	command -v dpkg-deb >/dev/null || give_up "this is no Debian system"
	test/run/deps.sh arm64 || give_up "no cross compiler or no qemu"
	libraries || give_up "no OpenBLAS and utf8proc of arm64 from apt"
	$make -s -j"$(nproc)" -f test/engine.mk CC=$triplet-gcc \
		OUT=$out/unit PG_CONFIG=false \
		BLAS_INCLUDE="$root/usr/include/$triplet/openblas-serial $root/usr/include" \
		BLAS_LINK="-L$root/usr/lib/$triplet/openblas-serial -L$root/usr/lib/$triplet -Wl,-rpath-link,$root/usr/lib/$triplet -lopenblas" \
		"${1:-unit}"
}

# of the list, what "make test" runs: each instruction set, two minutes together
short='kernels-neon reduced-dotprod reduced-i8mm golden-fp32-neon
	golden-bf16-bf16 golden-int8-dotprod golden-int8-i8mm
	golden-families-fp32-neon golden-families-bf16-bf16
	golden-families-int8-i8mm'

in_short()
{
	while read -r name command; do
		for one in $short; do
			test "$name" != "$one" || echo "$name $command"
		done
	done
}

list()
{
	echo "kernels-neon cortex-a72 test_kernels neon"
	echo "kernels-dotprod neoverse-n1 test_kernels dotprod"
	echo "kernels-bf16 max test_kernels bf16"
	echo "reduced-neon cortex-a72 test_reduced neon/int8 neon/bf16 neon/bf16x3"
	echo "reduced-dotprod neoverse-n1 test_reduced dotprod/int8"
	echo "reduced-i8mm max test_reduced i8mm/int8"
	echo "reduced-bf16 max test_reduced bf16/bf16 bf16/bf16x3"
	for file in test/unit/test_*.c; do
		name=$(basename "$file" .c)
		case $name in
			test_kernels|test_reduced) ;;
			*) echo "${name#test_} max $name" ;;
		esac
	done
	for precision in fp32 bf16x3 bf16 int8; do
		for one in neon:cortex-a72 dotprod:neoverse-n1 i8mm:max bf16:max; do
			table=${one%:*}
			case $precision-$table in
				fp32-neon|bf16x3-neon|bf16x3-bf16|bf16-neon|bf16-bf16|int8-*)
					echo "golden-$precision-$table ${one#*:} golden_model" \
						"--precision $precision test/golden/model $table"
					echo "golden-families-$precision-$table ${one#*:}" \
						"golden_model --precision $precision" \
						"test/golden/families $table"
					;;
			esac
		done
	done
}

what=${1:-}
test $# = 0 || shift
case $what in
	build) build "$@" ;;
	list)
		if [ "${1:-}" = short ]; then
			list | in_short
		else
			list
		fi
		;;
	run)
		cpu=$1
		program=$2
		shift 2
		qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static)
		exec "$qemu" -cpu "$cpu" -L /usr/$triplet -E \
			LD_LIBRARY_PATH="$libs/openblas-serial:$libs" \
			"$out/unit/$program" "$@"
		;;
	*)
		echo "usage: arm64.sh build|list|run PROCESSOR PROGRAM" >&2
		exit 2
		;;
esac
