#!/bin/sh
#-------------------------------------------------------------------------
#
# sentences.sh
#		Sentences a second of all-MiniLM-L6-v2 in SQL, beside other libraries.
#
#	test/bench/sentences.sh SENTENCES [DIRECTORY PYTHON [ENGINE...]]
#
# SENTENCES is a file with one a line (published: the 2,758 of STS-B's test
# set, both columns).  Makes a throw-away cluster, and embeds them with the
# shipped model, or with DIRECTORY, the model as sentence-transformers writes
# it, in fp32, bf16 and int8.  Each ENGINE (sentence-transformers, fastembed,
# llama.cpp; sentences.py) has its turn in the same rounds, run by PYTHON;
# sentences.py's head says which files they want.  All have one thread, on
# processor CPU (default 0).  ROUNDS rounds, default 5; medians of seconds, and
# of the ratios within a round of each to fp32 in SQL.
#
#-------------------------------------------------------------------------
set -eu
sentences=$(realpath "${1:?usage: sentences.sh SENTENCES [DIRECTORY PYTHON [ENGINE...]]}")
directory=${2:-weights/minilm}
python=${3:-}
test $# -le 3 && shift $# || shift 3
directory=$(realpath "$directory")
cd "$(dirname "$0")/../.."
. test/run/cluster.sh

trap 'cluster_end' EXIT
trap 'exit 1' INT TERM
cluster_begin
pg_private "${PG_CONFIG:-pg_config}"
${MAKE:-make} -s install PG_CONFIG="$PG_CONFIG"
cluster_start
cp -r "$directory" "$CLUSTER/model"
chmod -R a+rX "$CLUSTER/model"

psql -X -q -v ON_ERROR_STOP=1 <<SQL
\o /dev/null
CREATE EXTENSION mobilebert;
SELECT mobilebert.import_model('fp32', '$CLUSTER/model');
SELECT mobilebert.create_variant(p, 'fp32', p) FROM unnest('{bf16,int8}'::text[]) AS p;
SELECT mobilebert.prewarm(name) FROM mobilebert.models;
CREATE TABLE sentence (id int GENERATED ALWAYS AS IDENTITY, body text);
CREATE TABLE result (round int, engine text, seconds float8);
\copy sentence (body) FROM '$sentences' (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
SQL

# sql MODEL: seconds of a statement over all rows, after one that warms up
sql()
{
	taskset -c "${CPU:-0}" psql -X -q -A -t -v ON_ERROR_STOP=1 <<SQL | tail -1
SET mobilebert.cache_size = 0;
SET max_parallel_workers_per_gather = 0;
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! taskset -cp ${CPU:-0} \$PID > /dev/null
SELECT count(mobilebert.embed(body, '$1')) FROM sentence;
SELECT clock_timestamp() AS start \\gset
SELECT count(mobilebert.embed(body, '$1')) FROM sentence \\g /dev/null
SELECT extract(epoch FROM clock_timestamp() - :'start'::timestamptz);
SQL
}

round=1
while [ "$round" -le "${ROUNDS:-5}" ]; do
	for engine in fp32 bf16 int8 "$@"; do
		case $engine in
			fp32|bf16|int8) seconds=$(sql "$engine") ;;
			*) seconds=$(taskset -c "${CPU:-0}" "$python" test/bench/sentences.py \
				"$engine" "$directory" "$sentences" | awk 'END {print $NF}') ;;
		esac
		psql -X -q -c "INSERT INTO result VALUES ($round, '$engine', $seconds)"
	done
	round=$((round + 1))
done
psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
\pset footer off
SELECT r.engine, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY
		(SELECT count(*) FROM sentence) / r.seconds))::numeric) AS a_second,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY r.seconds / own.seconds)
		)::numeric, 2) AS time_by_fp32
FROM result AS r JOIN result AS own ON own.round = r.round AND own.engine = 'fp32'
GROUP BY r.engine ORDER BY 2 DESC;
SQL
