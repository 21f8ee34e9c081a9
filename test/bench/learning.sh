#!/bin/sh
#-------------------------------------------------------------------------
#
# learning.sh
#		How good classifiers from labelled rows are, and what fitting costs:
#		fit() and create_classifier() with nothing but defaults, on public data.
#
#	test/bench/learning.sh DATA [PART...]
#
# DATA has the folders sms-spam, snips and clinc150 (each says in its SOURCE.md
# where it comes from).  PART is one or more of sms, snips, clinc, time; without
# any, all of them.  DRAWS is how many times rows are drawn, by a hash of their
# number (default 5).  MODEL is the model, minilm unless set.
#
# Runs in a throw-away server (cluster.sh).  Times are the processor's.  Prints
# a line for each size: what is measured on rows that were not drawn, the same
# by cross-validation of those that were, the mean distance of the two, and the
# layers that were chosen.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
. test/run/cluster.sh

data=$(cd "$1" && pwd)
shift
parts=${*:-sms snips clinc time}
draws=${DRAWS:-5}
model=${MODEL:-minilm}

ask()
{
	psql -Xqv ON_ERROR_STOP=1 -v draws="$draws" -v model="$model" "$@"
}

wanted()
{
	case " $parts " in *" $1 "*) return 0 ;; esac
	return 1
}

trap cluster_end EXIT
cluster_begin
pg_private "${PG_CONFIG:-pg_config}"
${MAKE:-make} -s all PG_CONFIG="$PG_CONFIG"
${MAKE:-make} -s install PG_CONFIG="$PG_CONFIG" >/dev/null
cluster_start "mobilebert.cache_size = '1GB'" "max_parallel_workers_per_gather = 0"

ask >/dev/null <<'SQL'
CREATE EXTENSION mobilebert;
SELECT mobilebert.import_model('minilm');
CREATE TABLE row_of (data text, id int, body text, label text, test boolean);
CREATE TABLE outcome (data text, size int, draw int, accuracy float8, f1 float8, judged float8, layer int);

-- A classifier from the rows drawn: sizes are rows, or rows of each label.
CREATE PROCEDURE judge(wanted text, model text, size int, each boolean, draw int, positive text) LANGUAGE plpgsql AS $$
DECLARE
	info record;
BEGIN
	CREATE TEMP TABLE drawn AS
	SELECT id, body, label FROM (
		SELECT *, row_number() OVER (PARTITION BY CASE WHEN each THEN label END ORDER BY md5(draw || ' ' || id)) AS n
		FROM row_of WHERE data = wanted AND test IS NOT TRUE) AS r
	WHERE n <= size;
	SELECT c.*, (f).accuracy AS judged, (f).f1[array_position((f).labels, positive)] AS judged_f1 INTO info
	FROM (SELECT mobilebert.fit(body, label, model) AS f FROM drawn) AS s, mobilebert.create_classifier('judged', f) AS c;
	INSERT INTO outcome
	SELECT wanted, size, draw, (SELECT l.f1 FROM unnest(r) AS l WHERE l.label = 'accuracy' AND l.precision IS NULL),
		coalesce((SELECT l.f1 FROM unnest(r) AS l WHERE l.label = positive), (SELECT l.f1 FROM unnest(r) AS l WHERE l.label = 'macro avg')),
		info.judged, info.layer
	FROM (SELECT mobilebert.classification_report(label, mobilebert.label(body, 'judged')) AS r
		FROM row_of WHERE data = wanted AND CASE WHEN test IS NULL THEN id NOT IN (SELECT id FROM drawn) ELSE test END) AS s;
	PERFORM mobilebert.drop_model('judged');
	DROP TABLE drawn;
END $$;
SQL

# judge DATA SIZE EACH POSITIVE
judge()
{
	for draw in $(seq "$draws"); do
		ask -c "CALL judge('$1', '$model', $2, $3, $draw, '$4')"
	done
	ask -At -F ' ' -c "SELECT data, size, 'accuracy', round(avg(accuracy)::numeric, 3), 'f1', round(avg(f1)::numeric, 3), 'cross-validated', round(avg(judged)::numeric, 3), 'apart', round(avg(abs(accuracy - judged))::numeric, 3), 'layers', array_agg(layer ORDER BY draw) FROM outcome WHERE data = '$1' AND size = $2 GROUP BY data, size"
}

if wanted sms; then
	ask -c "CREATE TABLE sms (label text, body text)" -c "\\copy sms FROM '$data/sms-spam/sms_spam_dataset.csv' CSV HEADER" \
		-c "INSERT INTO row_of SELECT 'sms', row_number() OVER (ORDER BY md5(body), body, label), body, label, NULL FROM sms"
	for size in 50 200 800; do judge sms $size false 1; done
fi
if wanted snips; then
	ask -c "CREATE TABLE snips (body text, label text)" -c "\\copy snips FROM PROGRAM 'gunzip -c $data/snips/train.tsv.gz' (FORMAT csv, HEADER, DELIMITER E'\\t', QUOTE E'\\b')" \
		-c "INSERT INTO row_of SELECT 'snips', row_number() OVER (ORDER BY md5(body), body, label), body, label, false FROM snips" \
		-c "TRUNCATE snips" -c "\\copy snips FROM '$data/snips/test.tsv' (FORMAT csv, HEADER, DELIMITER E'\\t', QUOTE E'\\b')" \
		-c "INSERT INTO row_of SELECT 'snips', 100000 + row_number() OVER (ORDER BY md5(body), body, label), body, label, true FROM snips"
	for size in 5 10 40; do judge snips $size true ''; done
fi
if wanted clinc || wanted time; then
	ask -c "CREATE TABLE clinc (data jsonb)" -c "\\copy clinc FROM PROGRAM 'gunzip -c $data/clinc150/data_full.json.gz | tr -d \"\\n\"' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\b')" \
		-c "INSERT INTO row_of SELECT 'clinc', row_number() OVER (ORDER BY t, md5(e ->> 0), e ->> 0, e ->> 1), e ->> 0, e ->> 1, t = 'test' FROM clinc, unnest('{train,test}'::text[]) AS t, jsonb_array_elements(data -> t) AS e"
fi
if wanted clinc; then
	for size in 5 20; do judge clinc $size true ''; done
fi
if wanted time; then
	ask -At <<'SQL'
SET mobilebert.cache_size = 0;
-- seconds of the processor that this session took: others may use the machine
CREATE FUNCTION cpu() RETURNS numeric LANGUAGE sql AS $$
	SELECT (f[12]::numeric + f[13]::numeric) / 100 FROM regexp_split_to_array(regexp_replace(pg_read_file('/proc/self/stat', 0, 1000), '^.*\) ', ''), ' ') AS f $$;
-- 10,000 texts of 15 tokens, in 50 groups of intents
CREATE TABLE timed AS
SELECT mobilebert.decode((mobilebert.encode(body || ' ' || body || ' ' || body, :'model'))[2:14], :'model') AS body, 'group ' || dense_rank() OVER (ORDER BY label) % 50 AS label
FROM row_of WHERE data = 'clinc' AND NOT test ORDER BY md5(id::text) LIMIT 10000;
VACUUM ANALYZE timed;
SELECT count(*) AS texts, count(DISTINCT label) AS labels, avg(mobilebert.count_tokens(body, :'model')) AS tokens FROM timed \gset
SELECT mobilebert.prewarm(:'model') \gset
SELECT cpu() AS a \gset
SELECT count(mobilebert.embed(body, :'model')) FROM timed \gset
SELECT cpu() AS b \gset
SELECT (mobilebert.fit(body, label, :'model', '{"layer": -1, "l2": 1}')).layer FROM timed \gset
SELECT cpu() AS c \gset
SELECT (mobilebert.fit(body, label, :'model')).accuracy FROM timed \gset
SELECT cpu() AS d \gset
SELECT 'time', :texts, 'texts of', round(:tokens, 1), 'tokens,', :labels, 'labels: embed', round(:b - :a, 1), 's, fit', round(:d - :c, 1), 's, ratio', round((:d - :c)::numeric / (:b - :a), 2), 'with layer and l2', round((:c - :b)::numeric / (:b - :a), 2);
SQL
fi
