#!/bin/sh
#-------------------------------------------------------------------------
#
# count.sh
#		Instructions of the engine on aarch64, counted by qemu.
#
#	test/bench/count.sh MODEL TOKENS [WORK/SET/PRECISION ...]
#
# Prints for each, in millions: instructions, of these vector and floating-point
# arithmetic, and loads and stores.  WORK is pass, linears or sgemm (count.c).
# Counts come from two runs, so what a program does once is not in them.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."

model=$1
tokens=$2
shift 2
test $# -gt 0 || set -- pass/ref/fp32 pass/ref/openblas/fp32 pass/neon/fp32 \
	linears/ref/fp32 linears/neon/fp32 sgemm/neon/fp32 \
	pass/neon/int8 pass/dotprod/int8 pass/i8mm/int8 pass/neon/bf16 \
	pass/bf16/bf16 pass/neon/bf16x3 pass/bf16/bf16x3

test/run/arm64.sh build count
plugin=build/arm64/count_plugin.so
gcc -O2 -Wall -Wextra -fPIC -shared test/bench/count_plugin.c -o $plugin

# counts WORK SET PRECISION TIMES: three numbers
counts()
{
	QEMU_PLUGIN="file=$PWD/$plugin" test/run/arm64.sh run max count \
		"$2" "$3" "$model" "$tokens" "$1" "$4" 2>&1 |
		sed -n 's/^instructions \([0-9]*\) vector \([0-9]*\) memory \([0-9]*\)$/\1 \2 \3/p'
}

printf '%-28s %12s %12s %12s\n' '' instructions vector memory
for case in "$@"; do
	work=${case%%/*}
	precision=${case##*/}
	set=${case#*/}
	set=${set%/*}
	once=$(counts "$work" "$set" "$precision" 1)
	twice=$(counts "$work" "$set" "$precision" 2)
	echo "$once $twice" | awk -v name="$case" '
		NF == 6 { printf "%-28s %12.1f %12.1f %12.1f\n", name,
			($4 - $1) / 1e6, ($5 - $2) / 1e6, ($6 - $3) / 1e6 }
		NF != 6 { print name ": no counts"; exit 1 }'
done
