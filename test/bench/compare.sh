#!/bin/sh
#-------------------------------------------------------------------------
#
# compare.sh
#		Two states of the project side by side: do they give the same bits,
#		and are they as fast?
#
#	test/bench/compare.sh BEFORE [AFTER]			bits
#	test/bench/compare.sh --speed BEFORE [AFTER]	speed
#
# BEFORE and AFTER are directories with the sources, or revisions of git; AFTER
# is this tree when it is not given.  Each is copied to build/compare, built
# there by its own "make" and kept (60 MB each), so that what did not change is
# not built again.  Nothing is written outside of build and a temporary
# directory; root may call this (test/run/cluster.sh).
#
# Bits.  Each build runs in a server of its own.  For each instruction set that
# the processor has and each precision both answer the same statements, one
# session each and at the same time, and all that comes out is compared line
# by line: floats are printed so that they can be read back exactly, long ones
# as a digest.
#
#	texts		200 passages of test/demo, cut to lengths from 8 to 400 characters:
#				hidden states, batched embeddings, attentions, pooling, windows,
#				tokens and chunks with the shipped model; for a slow instruction
#				set hidden states of the first 20 characters, the rest of 20 texts
#	shape		fewer of them with a model of MobileBERT's shape and random
#				float32 weights
#	heads		the scalar functions of all tasks, batched over rows, with all
#				checkpoints of the reference that can do them
#	cases		all cases of the reference, as test/t/reference.pl asks them
#	images		the weight images that the servers have made, byte by byte
#
# It ends with how many lines were compared and how many differ; the status is
# 1 when one does.  Where some differ, the first is shown of each kind (twenty at
# most); all of them are left in build/compare/differences, and the answers in
# build/compare/answers.
#
# Speed.  Both engines, made of the objects that each tree's "make" has built,
# are loaded into one process and run pass by pass in turn (compare.c); then two
# servers answer statement by statement in turn: row by row, batching, enrich,
# exact search, and making an image.  Printed are the median of the ratios of
# neighbours, after / before, so that above 1 is slower, and how far that median
# went for single copies of the weights in memory, or single rounds.  The status
# is 1 when a ratio is above LIMIT.
#
# From the environment:
#
#	REFERENCE		folder of the reference (../shared/reference); without it the
#					part of it in test/golden/model
#	SETS			instruction sets, default "ref avx2 avx512 vnni amx" as far as
#					both builds have them here; for --speed default "auto"
#	SLOW			instruction sets that get less to do, default "ref", which takes
#					thirty times as long; instructions that software imitates too
#	PRECISIONS		default "fp32 bf16x3 bf16 int8"; for --speed "fp32 int8"
#	PARTS			of bits, "texts shape heads cases images"; of speed,
#					"engine server"
#	COPIES			of the weights in memory, default 8, and rounds of the server
#	PASSES			seconds for a case and copy, default 1.5
#	LIMIT			default 1.02
#	CLOCK			"processor", the default, counts the time that the thread or the
#					server's process has had the processor, which others on the
#					machine disturb less than "wall", the time that passed
#	COPT			further flags of the compiler for both builds, as PGXS has it
#	BUILD			further arguments of make for both builds
#	SUBJECT_BEFORE, SUBJECT_AFTER	absolute path of another file instead of the
#					tree's test/bench/subject.c, for instance what git show gives of
#					an older revision; a tree without one gets this tree's
#
# Bits take about five minutes on two cores that have nothing else to do, speed
# about nine, builds aside.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
here=$PWD
. test/run/cluster.sh

mode=bits
if [ "${1:-}" = --speed ]; then
	mode=speed
	shift
fi
before=${1:?usage: compare.sh [--speed] BEFORE [AFTER]}
after=${2:-$here}
make=${MAKE:-make}
original=${PG_CONFIG:-pg_config}
search_path=$PATH
store=$here/build/compare
case $mode in
	bits)
		sets=${SETS:-ref avx2 avx512 vnni amx}
		precisions=${PRECISIONS:-fp32 bf16x3 bf16 int8}
		parts=${PARTS:-texts shape heads cases images}
		;;
	speed)
		sets=${SETS:-auto}
		precisions=${PRECISIONS:-fp32 int8}
		parts=${PARTS:-engine server}
		;;
esac
export CLOCK="${CLOCK:-processor}" COPIES="${COPIES:-8}" PASSES="${PASSES:-1.5}" LIMIT="${LIMIT:-1.02}"

part()
{
	case " $parts " in
		*" $1 "*) return 0 ;;
	esac
	return 1
}

# ---------------------------------------------------------------------------
# Builds
# ---------------------------------------------------------------------------

# sources WHAT DIRECTORY: the files of a directory or revision, without what
# was built in it
sources()
{
	if [ -d "$1" ]; then
		tar -C "$1" --exclude=./.git --exclude=./build --exclude='*.o' \
			--exclude='*.so' --exclude=./src/exports.map -cf - . | tar -xf - -C "$2"
	elif git rev-parse -q --verify "$1^{commit}" >/dev/null; then
		git archive "$1" | tar -xf - -C "$2"
	else
		echo "compare.sh: \"$1\" is neither a directory nor a revision" >&2
		return 2
	fi
}

# digest DIRECTORY: of the files in it, and of what builds them
digest()
{
	{
		(cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
		echo "${COPT:-} ${BUILD:-}"
		"${CC:-cc}" --version
		"$original" --version --configure
	} | sha256sum | cut -c1-16
}

# build WHAT: sets $tree, where it has been built
build()
{
	new=$store/new.$$
	rm -rf "$new"
	mkdir -p "$new"
	sources "$1" "$new"
	tree=$store/$(digest "$new")
	if [ -e "$tree/built" ]; then
		rm -rf "$new"
		return
	fi
	echo "== building $1"
	rm -rf "$tree"
	mv "$new" "$tree"
	# shellcheck disable=SC2086
	(cd "$tree" && $make -s -j"$(nproc)" ${BUILD:-} >build.log 2>&1) || {
		tail -n 20 "$tree/build.log" >&2
		exit 2
	}
	touch "$tree/built"
}

# library SIDE TREE [SUBJECT]: the tree's objects of the engine as $work/SIDE.so,
# with the same libraries as the module
library()
{
	side=$1
	shift
	subject=${2:-$1/test/bench/subject.c}
	test -e "$subject" || subject=$here/test/bench/subject.c
	echo "{ global: subject_engine; local: *; };" >"$work/subject.map"
	includes=$(cd "$1" && find src/engine test/unit -type d -printf '-I%p ')
	libraries=$(ldd "$1/mobilebert.so" | awk '/openblas|utf8proc/ {print $3}')
	# shellcheck disable=SC2046,SC2086
	(cd "$1" && ${CC:-cc} -std=gnu99 -O2 -fPIC -shared ${COPT:-} $includes \
		-I"$here/test/bench" "$subject" $(find src/engine -name '*.o' | sort) \
		$libraries -lm -Wl,--version-script="$work/subject.map" -o "$work/$side.so")
}

# ---------------------------------------------------------------------------
# Servers
# ---------------------------------------------------------------------------

# server SIDE TREE: an installation and a cluster; their places go to
# cluster_SIDE and host_SIDE
server()
{
	PATH=$search_path
	cluster_begin
	eval "cluster_$1=\$CLUSTER"
	pg_private "$original"
	(cd "$2" && $make -s install PG_CONFIG="$PG_CONFIG") \
		>"$CLUSTER/install.log" 2>&1 || { cat "$CLUSTER/install.log" >&2; exit 2; }
	cluster_start "shared_buffers = 512MB" "jit = off" "autovacuum = off" \
		"max_parallel_workers_per_gather = 0" "statement_timeout = 0"
	eval "host_$1=\$PGHOST config_$1=\$PG_CONFIG"
}

# on SIDE COMMAND...: with the settings of its server
on()
{
	eval "PGHOST=\$host_$1"
	shift
	"$@"
}

finish()
{
	status=$?
	trap - EXIT
	cd /
	for side in before after; do
		eval "CLUSTER=\${cluster_$side:-} PG_CONFIG=\${config_$side:-}"
		cluster_end
	done
	test -z "${work:-}" || rm -rf "$work"
	rm -rf "$store/new.$$"
	exit $status
}

# both COMMAND...: on both servers at once; output goes to $work/SIDE/$name
both()
{
	failed=0
	on before "$@" >"$work/before/$name" 2>&1 &
	first=$!
	on after "$@" >"$work/after/$name" 2>&1 || failed=1
	wait $first || failed=1
	if [ $failed = 1 ]; then
		tail -n 3 "$work/before/$name" "$work/after/$name" >&2
		exit 2
	fi
}

# has SET: do both builds have it on this machine?
has()
{
	for side in before after; do
		on $side psql -X -q -c "LOAD 'mobilebert'" \
			-c "SET mobilebert.instruction_set = '$1'" >/dev/null 2>&1 || return 1
	done
}

# ---------------------------------------------------------------------------
# Bits
# ---------------------------------------------------------------------------

compare_bits()
{
	name=setup
	both psql -X -q -A -t -v ON_ERROR_STOP=1 -f "$work/setup.sql"
	: >"$work/names"
	for set in $sets; do
		if ! has "$set"; then
			echo "$set: not on this machine"
			continue
		fi
		for precision in $precisions; do
			name=$set.$precision
			start=$(date +%s)
			most=1000 few=200
			case " ${SLOW:-ref} " in
				*" $set "*) most=20 few=20 ;;
			esac
			both psql -X -q -A -t -v most=$most -v few=$few -c "LOAD 'mobilebert'" \
				-c "SET mobilebert.instruction_set = '$set'" \
				-f "$work/$precision.sql"
			echo "$name" >>"$work/names"
			echo "$set $precision: $(wc -l <"$work/after/$name") lines," \
				"$(($(date +%s) - start)) s"
		done
	done
	if part images; then
		name=images
		for side in before after; do
			eval "images=\$cluster_$side/data/pgsql_tmp_mobilebert"
			(cd "$images" && echo "== images" && md5sum ./*.image) \
				>"$work/$side/images"
		done
		echo images >>"$work/names"
	fi
	rm -rf "$store/answers"
	mkdir "$store/answers"
	cp -r "$work/before" "$work/after" "$store/answers"
	perl test/bench/compare.pl differences "$work" "$store/differences"
}

# ---------------------------------------------------------------------------
# Speed
# ---------------------------------------------------------------------------

compare_speed()
{
	if part engine; then
		library before "$tree_before" "${SUBJECT_BEFORE:-}"
		library after "$tree_after" "${SUBJECT_AFTER:-}"
		${CC:-cc} -std=gnu99 -O2 test/bench/compare.c -ldl -o "$work/compare"
		for set in $sets; do
			for precision in $precisions; do
				"$work/compare" "$work/before.so" "$work/after.so" \
					"$work/models/mobilebert" "$set" "$precision" \
					"$COPIES" "$PASSES" 8 32 128
				"$work/compare" "$work/before.so" "$work/after.so" \
					"$work/models/minilm" "$set" "$precision" \
					"$COPIES" "$PASSES" 16 128
			done
		done >"$work/engine"
	fi
	if part server; then
		name=setup
		both psql -X -q -A -t -v ON_ERROR_STOP=1 -f "$work/setup.sql"
		# shellcheck disable=SC2154
		PRECISIONS="$precisions" perl test/bench/compare.pl statements "$host_before" "$host_after" \
			"$cluster_before/data" "$cluster_after/data" "$work/server"
	fi
	perl test/bench/compare.pl ratios "$work"
}

# ---------------------------------------------------------------------------

# In braces, so that all of it has been read when it begins.
{
trap finish EXIT
trap 'exit 130' INT TERM
build "$before"
tree_before=$tree
build "$after"
tree_after=$tree
cd "$here"

# What both are to read: models and statements, in a directory that the owner of
# the servers may enter and write.
cluster_begin
work=$CLUSTER
CLUSTER=
mkdir "$work/before" "$work/after" "$work/test" "$work/models"
cp -r test/t test/golden "$work/test"
cp test/bench/compare.pl test/demo/passages.csv weights/minilm/vocab.txt "$work"
cp -r weights/minilm "$work/models/minilm"
cp -r "${REFERENCE:-test/golden/model}" "$work/reference"
chmod -R u+w,a+rX "$work"
test -z "$CLUSTER_USER" || chown -R "$CLUSTER_USER" "$work"
# PostgreSQL's test modules keep their directory when no test has run.
CLUSTER=$work as_user env PG_CONFIG="$original" REFERENCE="$work/reference" \
	TESTDIR="$work" TESTDATADIR="$work/tmp_check" TESTLOGDIR="$work/tmp_check" \
	PARTS="$parts" PRECISIONS="$precisions" perl -I"$work/test/t" \
	-MReference "$work/compare.pl" "make-$mode" "$work"

if [ "$parts" != engine ]; then
	echo "== installing and starting two servers"
	server before "$tree_before"
	server after "$tree_after"
fi
echo "== comparing"
compare_$mode
exit
}
