#!/bin/sh
#-------------------------------------------------------------------------
#
# demo.sh
#		A tour of what the shipped models do, in a throw-away PostgreSQL.  "make
#		demo" runs it from the top directory.
#
# It installs missing packages, builds the extension, installs it into a
# private copy of PostgreSQL, makes a cluster there and imports all models.
# Then it loads and embeds the inaugural addresses of US presidents, asks five
# questions by meaning, and shows a statement for each further task that has a
# model.  Nothing is left behind, unless DEMO_KEEP=1 asks for the cluster to
# stay.
#
#	DEMO_SESSIONS	sessions that embed at once; the number of processors, 4
#					at most
#	WEIGHTS			directory of the models, default weights
#	PG_CONFIG		the PostgreSQL to use, default pg_config
#	NO_COLOR		set: no colours; without it they depend on the terminal
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
. test/run/cluster.sh

heading=
statement=
plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	heading=$(printf '\033[1;32m')
	statement=$(printf '\033[36m')
	plain=$(printf '\033[0m')
fi

# say TEXT...: a heading
say()
{
	echo "$heading== $*$plain"
}

# seconds: since the epoch, with a fraction
seconds()
{
	date +%s.%N
}

# elapsed START: seconds since START, with one digit after the point
elapsed()
{
	awk -v a="$1" -v b="$(seconds)" 'BEGIN { printf "%.1f", b - a }'
}

run_sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# embed_all: embeds in several sessions and tells how it goes.
embed_all()
{
	sessions=${DEMO_SESSIONS:-$(nproc)}
	test -n "${DEMO_SESSIONS:-}" || test "$sessions" -le 4 || sessions=4
	begin=$(seconds)
	workers=
	ticks=0
	while [ "$sessions" -gt 0 ]; do
		run_sql -c 'CALL embed_passages(20)' &
		workers="$workers $!"
		sessions=$((sessions - 1))
	done
	for worker in $workers; do
		while kill -0 "$worker" 2>/dev/null; do
			sleep 0.2
			ticks=$((ticks + 1))
			test $((ticks % 15)) -ne 0 || progress
		done
		wait "$worker"
	done
	progress
}

# progress: a line about all sessions together, every three seconds.
progress()
{
	run_sql -v seconds="$(elapsed "$begin")" -f test/demo/progress.sql
}

finish()
{
	status=$?
	trap - EXIT
	cluster_end
	exit $status
}

test/run/deps.sh build
say "building"
${MAKE:-make} -s all
trap finish EXIT
trap 'exit 130' INT TERM
after_build=$(seconds)

say "installing into a private copy of PostgreSQL"
cluster_begin
pg_private "${PG_CONFIG:-pg_config}"
${MAKE:-make} -s install PG_CONFIG="$PG_CONFIG" \
	MODELS_DIR="${WEIGHTS:-weights}" >"$CLUSTER/install.log" 2>&1 ||
	{ cat "$CLUSTER/install.log" >&2; exit 1; }

say "starting a cluster: $("$PG_CONFIG" --version)"
cluster_start

say "creating the extension, importing the models"
run_sql -f test/demo/setup.sql >"$CLUSTER/setup.log"
run_sql -c "SELECT string_agg(name, ', ' ORDER BY name) FROM mobilebert.models"
for table in 'passages (id, president, year, passage)' review news; do
	run_sql -c "\\copy $table from 'test/demo/${table%% *}.csv' (format csv, header)"
done

say "embedding $(run_sql -c 'SELECT count(*) FROM passages') passages"
embed_all

say "asking"
run_sql -f test/demo/questions.sql
psql -X -q -v heading="$heading" -v statement="$statement" -v plain="$plain" \
	-f test/demo/tour.sql
say "done in $(elapsed "$after_build") s after the build"

if [ "${DEMO_KEEP:-0}" = 1 ]; then
	trap - EXIT
	bin=$(dirname "$PG_CONFIG")
	as=${CLUSTER_USER:+setpriv --reuid=$CLUSTER_USER --clear-groups }
	cat <<EOF

The cluster is still running.  Connect and ask:
    $bin/psql -h $PGHOST -p $PGPORT -U $PGUSER
    SELECT ask('Who may vote?');
Remove it:
    $as$bin/pg_ctl -D $CLUSTER/data -m fast stop && rm -r $CLUSTER
EOF
else
	echo "The cluster is removed; DEMO_KEEP=1 make demo leaves it running."
fi
