#!/bin/sh
#-------------------------------------------------------------------------
#
# run.sh
#		All benches that need a server, in a throw-away cluster.
#
#	make bench
#	ROWS=1000 test/bench/run.sh		smaller than the full size
#
# Batching with a model of MobileBERT's shape (24 layers, random weights) in
# fp32 and in int8, enrich with the shipped model, and exact search beside
# pgvector where that is installed.  ROWS (default 20000) texts for batching,
# five times as many for enrich, fifty times as many vectors: at full size the
# better part of an hour.  Ratios from one run are worth something, times of
# two are not; test/bench/RESULTS.md keeps what was measured.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
. test/run/cluster.sh
rows=${ROWS:-20000}

trap 'cluster_end' EXIT
trap 'exit 1' INT TERM
cluster_begin
pg_private "${PG_CONFIG:-pg_config}"
${MAKE:-make} -s install PG_CONFIG="$PG_CONFIG"
cluster_start

# The user of the cluster may not be able to read this directory.
cp test/t/Mobilebert.pm weights/minilm/vocab.txt "$CLUSTER"
chmod a+r "$CLUSTER"/Mobilebert.pm "$CLUSTER"/vocab.txt
as_user env PG_CONFIG="$PG_CONFIG" perl -I"$CLUSTER" -MMobilebert \
	-e 'build_model($ARGV[0], vocabulary => $ARGV[1])' \
	"$CLUSTER/mobilebert" "$CLUSTER/vocab.txt"

psql -X -q -v ON_ERROR_STOP=1 -o /dev/null <<SQL
CREATE EXTENSION mobilebert;
SELECT mobilebert.import_model('minilm');
SELECT mobilebert.import_model('mobilebert', '$CLUSTER/mobilebert');
SELECT mobilebert.create_variant('mobilebert_int8', 'mobilebert', 'int8');
SELECT mobilebert.prewarm(name) FROM mobilebert.models;
SQL

for model in mobilebert mobilebert_int8; do
	echo "== batching over rows, $model"
	sh test/bench/batching.sh $model "$rows"
done
echo "== enrich beside SELECT"
sh test/bench/enrich.sh $((rows * 5))
if psql -X -A -t -c "SELECT name FROM pg_available_extensions" |
		grep -qx vector; then
	echo "== exact search beside pgvector"
	sh test/bench/search.sh $((rows * 50))
else
	echo "== exact search: pgvector is not installed"
fi
