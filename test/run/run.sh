#!/bin/sh
#-------------------------------------------------------------------------
#
# run.sh
#		Runs the tests; "make test" calls it.
#
#	test/run/run.sh [PART...]
#
# PART is one or more of
#
#	border		the border between engine and server, and the layout
#	unit		the engine without a server, golden data included
#	sanitized	the same with the address and undefined-behaviour sanitizers,
#				golden comparison on AMX alone; tiles are software (engine.mk),
#				so that processors with AVX-512 and bf16 have the kernels for
#				AMX as well
#	fuzz		a short run of each fuzz target, sanitized
#	regress		pg_regress
#	server		test/t, each with servers of its own
#	readme		the examples of README.md
#	arm64		the engine for aarch64 under qemu, where its packages can be had
#				(arm64.sh); as one of several parts, some of it
#
# and without any, all of them.  Each test program becomes one small script in
# build/suite, and one run of prove goes through them and counts: those of the
# engine side by side, one a processor, then the server's one after the other.
# Flags for prove are taken from PROVE_FLAGS ("-j1": no two at a time).  The
# exit status is that of prove.  TESTS chooses among them by patterns of their
# names: TESTS='server-cancel unit-*'.
# The server's parts run with the models of MODELS_DIR (Makefile):
# "make readme MODELS_DIR=../other".  "UPDATE=1 make readme" writes outputs that
# differ into README.md.
#
# The server's parts install the extension into a private copy of PostgreSQL
# (cluster.sh) and run there: of the one that PG_CONFIG names, whoever made it.
# OLD_PG_CONFIG names an older one from which server-upgrade upgrades.  Root
# may call this: the servers, and all tests, then run as an ordinary user in a
# copy of the tree.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
. test/run/cluster.sh

make=${MAKE:-make}
top=$PWD
engine="$make -s -j$(nproc) -f test/engine.mk"
sanitized="$engine OUT=build/sanitized SANITIZE=address,undefined TILES=software"
suite=build/suite
parts=${*:-border unit sanitized fuzz regress server readme arm64}
number=0

# chosen NAME: does one of the patterns in TESTS match, if there are any?
chosen()
{
	test -n "${TESTS:-}" || return 0
	set -f
	for pattern in $TESTS; do
		case $1 in
			$pattern) set +f; return 0 ;;
		esac
	done
	set +f
	return 1
}

# item NAME COMMAND: adds a test script; they run in the order of adding.
item()
{
	chosen "$1" || return 0
	number=$((number + 1))
	script=$suite/$(printf '%02d' $number)-$1
	printf '#!/bin/sh\n%s\n' "$2" >"$script"
	chmod +x "$script"
}

# wanted PART...: has one of them been asked for?
wanted()
{
	for one in "$@"; do
		case " $parts " in
			*" $one "*) return 0 ;;
		esac
	done
	return 1
}

# programs DIRECTORY PATTERN...: names of the C programs there, sorted
programs()
{
	directory=$1
	shift
	for pattern in "$@"; do
		for file in "$directory"/$pattern.c; do
			test ! -e "$file" || basename "$file" .c
		done
	done
}

add_border()
{
	# Tests may run in a copy, where git knows nothing.
	git ls-files >build/tracked 2>/dev/null || true
	item border 'exec perl test/run/border.pl --tracked build/tracked mobilebert.so'
}

add_unit()
{
	$engine OUT=build/unit unit
	for name in $(programs test/unit 'test_*'); do
		item "unit-${name#test_}" "exec build/unit/$name"
	done
	test -e test/golden/model || return 0
	golden='exec build/unit/golden_model'
	for name in fp32 bf16x3 bf16 int8; do
		item "golden-$name" "$golden --precision $name test/golden/model"
		item "golden-families-$name" \
			"$golden --precision $name test/golden/families"
	done
}

add_sanitized()
{
	$sanitized unit
	for name in $(programs test/unit 'test_*'); do
		item "sanitized-${name#test_}" "exec build/sanitized/$name"
	done
	test -e test/golden/model || return 0
	for name in fp32 bf16x3 bf16 int8; do
		golden="exec build/sanitized/golden_model --precision $name"
		item "sanitized-golden-$name" "$golden test/golden/model amx"
		item "sanitized-golden-families-$name" \
			"$golden test/golden/families amx"
	done
}

add_fuzz()
{
	$sanitized fuzz
	for name in $(programs test/fuzz 'fuzz_*'); do
		item "fuzz-${name#fuzz_}" "exec perl test/run/fuzz.pl build/sanitized/$name"
	done
}

add_server()
{
	for file in test/t/*.pl; do
		test ! -e "$file" ||
			item "server-$(basename "$file" .pl)" "exec perl -Itest/t $file"
	done
}

add_arm64()
{
	status=0
	extent=
	test "$parts" = arm64 || extent=short
	test/run/arm64.sh build || status=$?
	if [ $status = 77 ]; then
		item arm64 "echo '1..0 # SKIP no cross compiler, qemu or libraries'"
		return
	fi
	test $status = 0 || exit $status
	test/run/arm64.sh list $extent >build/arm64/list
	while read -r name command; do
		item "arm64-$name" "exec test/run/arm64.sh run $command"
	done <build/arm64/list
}

# pg_private_old: an older PostgreSQL beside the one that is tested.
pg_private_old()
{
	tested=${PG_CONFIG:-pg_config}
	pg_private "$OLD_PG_CONFIG"
	OLD_PG_CONFIG=$PG_CONFIG
	PG_CONFIG=$tested
	export OLD_PG_CONFIG
}

# install_old: the extension for that, built in a tree of its own.
install_old()
{
	mkdir "$CLUSTER/old"
	tar -cf - --exclude=./.git --exclude=./build . | tar -xf - -C "$CLUSTER/old"
	$make -s -j"$(nproc)" -C "$CLUSTER/old" all PG_CONFIG="$OLD_PG_CONFIG"
	$make -s -C "$CLUSTER/old" install PG_CONFIG="$OLD_PG_CONFIG"
	rm -rf "$CLUSTER/old"
}

# copy_tree: continues in a copy that CLUSTER_USER can read and write.
copy_tree()
{
	mkdir "$CLUSTER/tree"
	tar -cf - --exclude=./.git . | tar -xf - -C "$CLUSTER/tree"
	chown -R "$CLUSTER_USER" "$CLUSTER/tree"
	cd "$CLUSTER/tree"
}

finish()
{
	status=$?
	trap - EXIT
	test -z "${UPDATE:-}" || test "$PWD" = "$top" ||
		cat README.md >"$top/README.md"
	cd /
	cluster_end
	exit $status
}

for part in $parts; do
	case $part in
		border|unit|sanitized|fuzz|regress|server|readme|arm64) ;;
		*) echo "run.sh: there is no part \"$part\"" >&2; exit 2 ;;
	esac
done

test "$parts" = arm64 || test/run/deps.sh test
echo "== building"
! wanted border regress server readme || $make -s -j"$(nproc)" all
rm -rf $suite
mkdir -p $suite
! wanted border || add_border
! wanted unit || add_unit
! wanted sanitized || add_sanitized
! wanted fuzz || add_fuzz
! wanted regress || item regress 'exec perl test/run/regress.pl'
! wanted server || add_server
! wanted readme || item readme 'exec perl test/run/readme.pl README.md'
! wanted arm64 || add_arm64

trap finish EXIT
trap 'exit 130' INT TERM
cluster_begin
if wanted regress server readme; then
	echo "== installing into a private copy of PostgreSQL"
	test -z "${OLD_PG_CONFIG:-}" || pg_private_old
	pg_private "${PG_CONFIG:-pg_config}"
	$make -s install PG_CONFIG="$PG_CONFIG" >"$CLUSTER/install.log" 2>&1 ||
		{ cat "$CLUSTER/install.log" >&2; exit 1; }
	test -z "${OLD_PG_CONFIG:-}" || install_old >"$CLUSTER/install.log" 2>&1 ||
		{ cat "$CLUSTER/install.log" >&2; exit 1; }
	test -z "$CLUSTER_USER" || chown -R "$CLUSTER_USER" "$CLUSTER/pg"
fi
! wanted regress readme || cluster_start
test -z "$CLUSTER_USER" || copy_tree

if [ "$number" = 0 ]; then
	echo "run.sh: no test is named like \"${TESTS:-}\"" >&2
	exit 2
fi
# Engine's tests share the processors; the server's have them for themselves,
# since some watch how soon a cancel is answered.
cat >$suite/rules.yml <<EOF
---
seq:
  - par: $suite/*-{unit,golden,sanitized,fuzz,arm64}-*
  - seq: $suite/*
EOF
echo "== testing${PG_CONFIG:+ with $("$PG_CONFIG" --version)}"
# shellcheck disable=SC2086
as_user env HARNESS_RULESFILE=$suite/rules.yml \
	prove --exec '' -j"$(nproc)" ${PROVE_FLAGS:-} $suite/[0-9]*
