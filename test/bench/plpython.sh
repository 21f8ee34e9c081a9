#!/bin/sh
#-------------------------------------------------------------------------
#
# plpython.sh
#		Beside a Python function in the same server: rows a second, the first
#		call of a connection, memory of its own.
#
#	test/bench/plpython.sh DIRECTORY PACKAGES [ROWS [ROUNDS]]
#
# DIRECTORY has the default model as sentence-transformers reads it; PACKAGES
# is the site-packages directory of an installation of sentence-transformers
# for the server's Python.  Both must be readable for the server, which needs
# plpython3u, and the model minilm registered.  ROWS texts, default 1000, of
# 6 to 60 tokens, ROUNDS rounds, default 5, row by row for Python, in one
# process for both.  The connection is taken from PGHOST and the like, and must
# lead to this machine; everything goes to schema plpython_bench and the model
# minilm_bench_int8, which are dropped in the end.
#
# Ratios are medians over the rounds of Python's time by ours.  Memory is what
# the backend alone has written (Private_Dirty) after a hundred rows, less that
# of a backend that has done nothing.
#
#-------------------------------------------------------------------------
set -eu
directory=${1:?usage: plpython.sh DIRECTORY PACKAGES [ROWS [ROUNDS]]}
packages=${2:?usage: plpython.sh DIRECTORY PACKAGES [ROWS [ROUNDS]]}
rows=${3:-1000}
rounds=${4:-5}

sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1
}

sql <<EOF
SET client_min_messages = error;
DROP SCHEMA IF EXISTS plpython_bench CASCADE;
CREATE EXTENSION IF NOT EXISTS plpython3u;
CREATE SCHEMA plpython_bench;
SET search_path = plpython_bench;
SELECT setseed(0.5) \g /dev/null
CREATE TABLE word AS
SELECT row_number() OVER (ORDER BY token_id) AS n, token AS word
FROM mobilebert.vocabulary('minilm') WHERE token ~ '^[a-z]{3,9}\$'
ORDER BY token_id LIMIT 5000;
CREATE TABLE length AS
SELECT n, 4 + floor(random() * 55)::int AS words
FROM generate_series(1, $rows) AS n;
CREATE TABLE text AS SELECT n AS id, (
	SELECT string_agg(word, ' ') FROM generate_series(1, words) AS i,
		LATERAL (SELECT 1 + (hashint8(n * 1000::int8 + i)::int8 & 2147483647) %
			5000 AS pick) AS p
		JOIN word ON word.n = pick) AS body
FROM length;
CREATE FUNCTION embed(body text) RETURNS real[] LANGUAGE plpython3u AS \$\$
if 'model' not in GD:
    import sys
    sys.path.insert(0, '$packages')
    import torch
    torch.set_num_threads(1)
    from sentence_transformers import SentenceTransformer
    GD['model'] = SentenceTransformer('$directory', device='cpu')
return GD['model'].encode(body, normalize_embeddings=True).tolist()
\$\$;
CREATE TABLE result (what text, round int, seconds float8);
SELECT mobilebert.create_variant('minilm_bench_int8', 'minilm', 'int8')
\g /dev/null
SELECT mobilebert.prewarm('minilm'), mobilebert.prewarm('minilm_bench_int8')
\g /dev/null
EOF

# call WHAT: the expression over body
call()
{
	case $1 in
		python) echo "plpython_bench.embed(body)" ;;
		fp32) echo "mobilebert.embed(body, 'minilm')" ;;
		int8) echo "mobilebert.embed(body, 'minilm_bench_int8')" ;;
	esac
}

# timed WHAT ROUND: a new connection, its first call, then all rows
timed()
{
	sql <<EOF
SET search_path = plpython_bench;
SET client_min_messages = error;
SET mobilebert.cache_size = 0;
SET max_parallel_workers_per_gather = 0;
SELECT clock_timestamp() AS start \\gset
SELECT count($(call "$1")) FROM (SELECT body FROM text LIMIT 1) AS s
\\g /dev/null
INSERT INTO result SELECT '$1 first', $2,
	extract(epoch FROM clock_timestamp() - :'start'::timestamptz);
SELECT clock_timestamp() AS start \\gset
SELECT count($(call "$1")) FROM text \\g /dev/null
INSERT INTO result SELECT '$1', $2,
	extract(epoch FROM clock_timestamp() - :'start'::timestamptz);
EOF
}

# memory EXPRESSION: kB of the backend's own after computing it for 100 rows
memory()
{
	sql <<EOF
SELECT count($1) FROM (SELECT body FROM plpython_bench.text LIMIT 100) AS s
\\g /dev/null
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! awk '/^Private_Dirty/ {sum += \$2} END {print sum}' /proc/\$PID/smaps_rollup
EOF
}

round=1
while [ "$round" -le "$rounds" ]; do
	for what in python fp32 int8; do
		timed $what $round
	done
	round=$((round + 1))
done

idle=$(memory 1)
for what in python fp32 int8; do
	echo "$what: $(($(memory "$(call $what)") - idle)) kB of its own"
done
psql -X -q -v ON_ERROR_STOP=1 <<'EOF'
\pset footer off
SET search_path = plpython_bench;
SELECT o.what,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY o.seconds))::numeric, 4)
		AS seconds,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY p.seconds / o.seconds)
		)::numeric, 1) AS times_python
FROM result o JOIN result p ON p.round = o.round AND p.what =
	CASE WHEN o.what LIKE '% first' THEN 'python first' ELSE 'python' END
GROUP BY o.what ORDER BY o.what LIKE '% first', o.what;
SET client_min_messages = error;
SELECT mobilebert.drop_model('minilm_bench_int8') \g /dev/null
DROP SCHEMA plpython_bench CASCADE;
EOF
