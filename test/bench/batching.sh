#!/bin/sh
#-------------------------------------------------------------------------
#
# batching.sh
#		What batching over rows is worth, and what parallel workers add.
#
#	test/bench/batching.sh MODEL [ROWS [ROUNDS]]
#
# MODEL is a registered model; its vocabulary should be English.  ROWS texts of
# each kind, default 20000, and ROUNDS rounds, default 3.  The connection is
# taken from PGHOST and the like; everything goes to schema batching_bench, which
# is dropped in the end.
#
#	short	texts of 6 to 16 tokens
#	mixed	a log-normal mixture with a median near 40 tokens, up to 512
#
# Each round runs the variants one after another on the same rows, without the
# result cache, and what is printed is the median over the rounds of the ratio
# within a round: time of "off" by time of each variant.  So a noisy machine
# spoils a round, not the comparison.
#
#	off			one process, row by row
#	on			one process, batched
#	1, 2		batched, with so many workers and an idle leader
#
# CREATE TABLE AS is timed; that all made the same vectors is checked.
#
#-------------------------------------------------------------------------
set -eu
model=${1:?usage: batching.sh MODEL [ROWS [ROUNDS]]}
rows=${2:-20000}
rounds=${3:-3}

sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 -v model="$model" -v rows="$rows"
}

sql <<'EOF'
SET client_min_messages = error;
DROP SCHEMA IF EXISTS batching_bench CASCADE;
CREATE SCHEMA batching_bench;
SET search_path = batching_bench;
CREATE TABLE word (n serial, word text);
INSERT INTO word (word)
SELECT token FROM mobilebert.vocabulary(:'model')
WHERE token ~ '^[a-z]{3,9}$' ORDER BY token_id LIMIT 5000;
SELECT setseed(0.5);
CREATE TABLE length AS
SELECT 'short' AS kind, n, 4 + floor(random() * 11)::int AS words
FROM generate_series(1, :rows) AS n
UNION ALL
SELECT 'mixed', n, greatest(1, least(510, round(exp(3.65 + 1.0 *
	sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())))))::int
FROM generate_series(1, :rows / 10) AS n;
CREATE TABLE text AS
SELECT kind, n AS id, (
	SELECT string_agg(word, ' ') FROM generate_series(1, words) AS i,
		LATERAL (SELECT 1 + (hashint8(n * 1000::int8 + i)::int8 & 2147483647) % 5000 AS pick) AS p
		JOIN word ON word.n = pick) AS body
FROM length;
CREATE TABLE short AS SELECT id, body FROM text WHERE kind = 'short' ORDER BY id;
CREATE TABLE mixed AS SELECT id, body FROM text WHERE kind = 'mixed' ORDER BY id;
ALTER TABLE short SET (parallel_workers = 2);
ALTER TABLE mixed SET (parallel_workers = 2);
CREATE TABLE result (kind text, round int, variant text, seconds float8, digest text);
VACUUM ANALYZE;
SELECT mobilebert.prewarm(:'model') > 0 AS warm \gset
EOF

# variant KIND ROUND NAME BATCHING WORKERS
variant()
{
	sql <<EOF
SET search_path = batching_bench;
SET client_min_messages = error;
SET mobilebert.cache_size = 0;
SET mobilebert.enable_batching = $4;
SET max_parallel_workers_per_gather = $5;
SET parallel_leader_participation = off;
SET jit = off;
SELECT count(mobilebert.embed(body, '$model')) FROM (SELECT body FROM $1 LIMIT 3) AS s \\g /dev/null
SELECT clock_timestamp() AS start \\gset
CREATE TABLE made AS SELECT id, mobilebert.embed(body, '$model') AS v FROM $1;
INSERT INTO result SELECT '$1', $2, '$3',
	extract(epoch FROM clock_timestamp() - :'start'::timestamptz),
	(SELECT md5(string_agg(md5(v::text), '' ORDER BY id)) FROM made);
DROP TABLE made;
EOF
}

round=1
while [ "$round" -le "$rounds" ]; do
	for kind in short mixed; do
		variant $kind $round off off 0
		variant $kind $round on on 0
		variant $kind $round 1 on 1
		variant $kind $round 2 on 2
	done
	round=$((round + 1))
done

psql -X -q -v ON_ERROR_STOP=1 <<'EOF'
\pset footer off
SET search_path = batching_bench;
SELECT kind, count(*) AS texts, round(avg(mobilebert.count_tokens(body)), 1) AS tokens,
	percentile_disc(0.5) WITHIN GROUP (ORDER BY mobilebert.count_tokens(body)) AS median,
	max(mobilebert.count_tokens(body))
FROM text GROUP BY kind ORDER BY kind DESC;
SELECT r.kind, variant,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds))::numeric, 1) AS seconds,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY alone.seconds_alone / seconds))::numeric, 2) AS times_off,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY batched.seconds_batched / seconds))::numeric, 2) AS times_on,
	bool_and(digest = alone.digest_alone) AS same_bits
FROM result r
	JOIN (SELECT kind, round, seconds AS seconds_alone, digest AS digest_alone FROM result WHERE variant = 'off') alone USING (kind, round)
	JOIN (SELECT kind, round, seconds AS seconds_batched FROM result WHERE variant = 'on') batched USING (kind, round)
GROUP BY r.kind, variant
ORDER BY r.kind DESC, array_position('{off,on,1,2}', variant);
SET client_min_messages = error;
DROP SCHEMA batching_bench CASCADE;
EOF
