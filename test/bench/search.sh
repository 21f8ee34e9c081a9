#!/bin/sh
#-------------------------------------------------------------------------
#
# search.sh
#		Exact search over stored vectors: cosine_similarity() beside pgvector's
#		<=>, on the same rows and server.
#
#	test/bench/search.sh [ROWS [ROUNDS]]
#
# ROWS (default 1000000) vectors of 384 numbers, once as real[] and once as
# vector; the ten nearest to one of them, ROUNDS (default 7) times in turn, in
# one process and in parallel.  "embed" is the search for a text, whose vector
# the model minilm has to compute first.  Printed are medians in milliseconds and
# the median of the ratios of neighbours in time: above 1, pgvector took longer.
#
# The connection is taken from PGHOST and the like.  The server needs both
# extensions, and shared_buffers for both tables (4 GB for a million rows), or
# the kernel's cache is measured as well.
#
#-------------------------------------------------------------------------
set -eu
rows=${1:-1000000}
rounds=${2:-7}

psql -X -q -v ON_ERROR_STOP=1 -v rows="$rows" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mobilebert;
CREATE EXTENSION IF NOT EXISTS vector;
SELECT count(mobilebert.import_model('minilm'))
FROM (SELECT WHERE NOT EXISTS (SELECT FROM mobilebert.models WHERE name = 'minilm')) t \g /dev/null
DROP TABLE IF EXISTS bench_ours, bench_theirs;
CREATE UNLOGGED TABLE bench_ours (id int, e real[]);
CREATE UNLOGGED TABLE bench_theirs (id int, e vector(384));
-- slices of one row of random numbers: what is compared costs the same
INSERT INTO bench_ours
SELECT g, numbers[1 + g * 7 % 5000 : 384 + g * 7 % 5000]
FROM (SELECT array_agg((random() - 0.5)::real) AS numbers FROM generate_series(1, 5400)) n,
	generate_series(1, :rows) g;
INSERT INTO bench_theirs SELECT id, e::vector FROM bench_ours;
VACUUM (ANALYZE, FREEZE) bench_ours, bench_theirs;
SQL

file=$(mktemp)
trap 'rm -f "$file"' EXIT
{
	cat <<'SQL'
SET jit = off;
SELECT e AS ours FROM bench_ours WHERE id = 77 \gset
SELECT e AS theirs FROM bench_theirs WHERE id = 77 \gset
\timing on
SQL
	round=0
	while [ "$round" -le "$rounds" ]; do
		for workers in 0 2; do
			cat <<SQL
\\echo round $round $workers ours
SET max_parallel_workers_per_gather = $workers;
SELECT id FROM bench_ours ORDER BY mobilebert.cosine_similarity(e, :'ours') DESC LIMIT 10 \\g /dev/null
\\echo round $round $workers theirs
SET max_parallel_workers_per_gather = $workers;
SELECT id FROM bench_theirs ORDER BY e <=> :'theirs' LIMIT 10 \\g /dev/null
\\echo round $round $workers embed
SET max_parallel_workers_per_gather = $workers;
SELECT id FROM bench_ours ORDER BY mobilebert.cosine_similarity(e, mobilebert.embed('a query in words')) DESC LIMIT 10 \\g /dev/null
SQL
		done
		round=$((round + 1))
	done
} >"$file"

# the first round warms up; of each pair of times the second is the query's
psql -X -q -v ON_ERROR_STOP=1 -f "$file" | perl -ne '
	if (/^round (\d+) (\d) (\w+)/) { ($round, $workers, $what, $n) = ($1, $2, $3, 0) }
	elsif (/^Time: ([\d.]+) ms/ && $n++ == 1 && $round > 0) { $t{$workers}{$what}[$round - 1] = $1 }
	sub median { my @s = sort { $a <=> $b } @_; $s[@s / 2] }
	END {
		print "workers | cosine_similarity ms | <=> ms | ratio | with embed ms | ratio\n";
		for $w (sort keys %t) {
			my ($ours, $theirs, $embed) = map { $t{$w}{$_} } qw(ours theirs embed);
			printf "%d | %.0f | %.0f | %.2f | %.0f | %.2f\n", $w, median(@$ours), median(@$theirs),
				median(map { $theirs->[$_] / $ours->[$_] } 0 .. $#$ours), median(@$embed),
				median(map { $theirs->[$_] / $embed->[$_] } 0 .. $#$ours);
		}
	}'
