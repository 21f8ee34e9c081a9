#!/bin/sh
#-------------------------------------------------------------------------
#
# enrich.sh
#		CALL mobilebert.enrich() beside a SELECT that computes the same.
#
#	test/bench/enrich.sh [ROWS [ROUNDS]]
#
# ROWS (default 100000) short texts (6 to 16 words), ROUNDS (default 10) parts of
# them in turn: SELECT count(embed(body)), then enrich with its default batch,
# each in a new session, with the model minilm and one process.  Printed are the
# median rates in rows a second and the median of the ratios of neighbours in
# time: 1 is the rate of the SELECT, and writing costs what is below 1.
#
# The connection is taken from PGHOST and the like.
#
#-------------------------------------------------------------------------
set -eu
rows=${1:-100000}
rounds=${2:-10}
part=$((rows / rounds))

psql -X -q -v ON_ERROR_STOP=1 -v rows="$rows" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mobilebert;
SELECT count(mobilebert.import_model('minilm'))
FROM (SELECT WHERE NOT EXISTS (SELECT FROM mobilebert.models WHERE name = 'minilm')) t \g /dev/null
SELECT mobilebert.prewarm('minilm') \g /dev/null
DROP TABLE IF EXISTS bench_enrich;
CREATE TABLE bench_enrich (id int PRIMARY KEY, body text, embedding real[]);
INSERT INTO bench_enrich
SELECT g, (SELECT string_agg((ARRAY['time', 'year', 'people', 'way', 'day', 'man', 'thing', 'woman', 'life', 'child', 'world',
	'school', 'state', 'family', 'student', 'group', 'country', 'problem', 'hand', 'part'])[1 + (g * 31 + i * 17 + g / (i + 1)) % 20], ' ')
	FROM generate_series(1, 6 + g % 11) i)
FROM generate_series(1, :rows) g;
VACUUM ANALYZE bench_enrich;
SQL

# timed SQL: seconds that the last statement took
timed()
{
	psql -X -q -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' \
		-c 'SET max_parallel_workers_per_gather = 0' -c 'SET mobilebert.cache_size = 0' \
		-c '\timing on' -c "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -1
}

round=0
while [ "$round" -lt "$rounds" ]; do
	range="id > $((round * part)) AND id <= $(((round + 1) * part))"
	echo "$(timed "SELECT count(mobilebert.embed(body, 'minilm')) FROM bench_enrich WHERE $range")" \
		"$(timed "CALL mobilebert.enrich('bench_enrich', 'embedding', 'mobilebert.embed(body, ''minilm'')', filter => '$range')")"
	round=$((round + 1))
done | perl -ne '
	my ($select, $enrich) = split;
	push @select, '"$part"' * 1000 / $select;
	push @enrich, '"$part"' * 1000 / $enrich;
	push @ratio, $select / $enrich;
	sub median { my @s = sort { $a <=> $b } @_; $s[@s / 2] }
	END {
		print "SELECT rows/s | enrich rows/s | ratio\n";
		printf "%.0f | %.0f | %.3f\n", median(@select), median(@enrich), median(@ratio);
	}'
