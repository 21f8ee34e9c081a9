#!/bin/sh
#-------------------------------------------------------------------------
#
# redact.sh
#		What redact masks of labelled personal data: recall and precision of
#		each kind, from SQL.
#
#	test/bench/redact.sh DATA [MODEL [STRATEGY]]
#
# DATA is presidio-research's synth_dataset_v2.json, or that compressed by gzip.
# MODEL is a registered token classifier, by default none: patterns alone.  Its
# labels PER, LOC and ORG are compared with PERSON, places and addresses, and
# ORGANIZATION; STRATEGY is its aggregation_strategy, first by default as in
# redact.  The connection is taken from PGHOST and the like; everything goes to
# temporary tables.
#
# A span of the data is found when one find of its kind covers all of it, and
# touched when one holds a part; it is masked when nothing of it is left,
# whatever the kinds.  A find is right when it holds a part of a span of its
# kind.  Of overlapping finds the longer counts, as in redact.  SHOW=n prints the
# first n of each kind that were not found, and of finds that are wrong.
#
#-------------------------------------------------------------------------
set -eu
data=${1:?usage: redact.sh DATA [MODEL [STRATEGY]]}
model=${2:-}
strategy=${3:-}
show=${SHOW:-0}

contents()
{
	case $data in
		*.gz) gunzip -c "$data" ;;
		*) cat "$data" ;;
	esac
}

# The quotes and backslashes of JSON are none of COPY's in this form.
contents | tr '\n\r' '  ' | psql -X -q -v ON_ERROR_STOP=1 -v model="$model" \
	-v strategy="$strategy" -v show="$show" \
	-c 'CREATE TEMP TABLE redact_bench (content text)' \
	-c "COPY redact_bench FROM STDIN (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" \
	-f /dev/fd/3 3<<'EOF'
\pset footer off
SET client_min_messages = error;
SET mobilebert.cache_size = 0;

CREATE TEMP TABLE sentence AS
SELECT n AS id, j ->> 'full_text' AS body, j -> 'spans' AS spans
FROM redact_bench, json_array_elements(content::json) WITH ORDINALITY AS a(j, n);
DROP TABLE redact_bench;

CREATE TEMP TABLE kind (name text, label text);
INSERT INTO kind VALUES ('EMAIL_ADDRESS', 'EMAIL'), ('DOMAIN_NAME', 'URL'), ('IP_ADDRESS', 'IP'),
	('PHONE_NUMBER', 'PHONE'), ('CREDIT_CARD', 'CREDIT_CARD'), ('IBAN_CODE', 'IBAN'), ('DATE_TIME', 'DATE'),
	('PERSON', 'PER'), ('GPE', 'LOC'), ('STREET_ADDRESS', 'LOC'), ('ORGANIZATION', 'ORG');
CREATE TEMP TABLE gold AS
SELECT id, name, label, (s ->> 'start_position')::int AS start, (s ->> 'end_position')::int AS stop
FROM sentence, json_array_elements(spans) AS s JOIN kind ON kind.name = s ->> 'entity_type';

CREATE TEMP TABLE find AS
SELECT id, (e).entity AS label, (e).start_offset AS start, (e).end_offset AS stop
FROM (SELECT id, unnest(mobilebert.pattern_entities(body)) AS e FROM sentence) AS s;
SELECT :'model' <> '' AS has_model \gset
\if :has_model
INSERT INTO find
SELECT id, (e).entity, (e).start_offset, (e).end_offset
FROM (SELECT id, unnest(mobilebert.entities(body, :'model', coalesce(nullif(:'strategy', ''), 'first'))) AS e FROM sentence) AS s;
\endif
CREATE TEMP TABLE loser AS
SELECT a.ctid AS place FROM find AS a JOIN find AS b ON b.id = a.id AND b.ctid <> a.ctid
	AND a.start < b.stop AND b.start < a.stop
	AND (b.stop - b.start, -b.start, b.ctid < a.ctid) > (a.stop - a.start, -a.start, a.ctid < b.ctid);
DELETE FROM find WHERE ctid IN (SELECT place FROM loser);
ANALYZE find, gold;

CREATE TEMP TABLE judged AS
SELECT g.*, EXISTS (SELECT FROM find AS f WHERE f.id = g.id AND f.label = g.label AND f.start <= g.start AND f.stop >= g.stop) AS found,
	EXISTS (SELECT FROM find AS f WHERE f.id = g.id AND f.label = g.label AND f.start < g.stop AND f.stop > g.start) AS touched,
	(SELECT bool_and(EXISTS (SELECT FROM find AS f WHERE f.id = g.id AND f.start <= c AND f.stop > c)
		OR substr(body, c + 1, 1) ~ '\s')
	 FROM generate_series(g.start, g.stop - 1) AS c) AS masked
FROM gold AS g JOIN sentence USING (id);
CREATE TEMP TABLE right_or_wrong AS
SELECT f.*, EXISTS (SELECT FROM gold AS g WHERE g.id = f.id AND g.label = f.label AND f.start < g.stop AND f.stop > g.start) AS is_right
FROM find AS f;

SELECT label AS kind, spans, finds, round(found, 3) AS recall, round(touched, 3) AS touched, round(masked, 3) AS masked, round(correct, 3) AS precision
FROM (SELECT label, count(*) AS spans, avg(found::int) AS found, avg(touched::int) AS touched, avg(masked::int) AS masked FROM judged GROUP BY label) AS j
	LEFT JOIN (SELECT label, count(*) AS finds, avg(is_right::int) AS correct FROM right_or_wrong GROUP BY label) AS r USING (label)
ORDER BY array_position('{EMAIL,URL,IP,PHONE,CREDIT_CARD,IBAN,DATE,PER,LOC,ORG}', label);

SELECT :show > 0 AS shows \gset
\if :shows
SELECT label AS kind, 'missed' AS what, left(string_agg(DISTINCT part, ' | '), 2000) AS examples
FROM (SELECT label, substr(body, start + 1, stop - start) AS part, row_number() OVER (PARTITION BY label) AS n FROM judged JOIN sentence USING (id) WHERE NOT found) AS s
WHERE n <= :show GROUP BY label
UNION ALL
SELECT label, 'wrong', left(string_agg(DISTINCT part, ' | '), 2000)
FROM (SELECT label, substr(body, start + 1, stop - start) AS part, row_number() OVER (PARTITION BY label) AS n FROM right_or_wrong JOIN sentence USING (id) WHERE NOT is_right) AS s
WHERE n <= :show GROUP BY label
ORDER BY 1, 2;
\endif
EOF
