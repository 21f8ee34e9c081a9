#!/bin/sh
#-------------------------------------------------------------------------
#
# quality.sh
#		Quality of an embedding model, measured in SQL: STS-B and Cranfield.
#
#	test/bench/quality.sh DATA [MODEL]
#
# DATA holds stsb/stsb-en-{dev,test}.csv (sentence1, sentence2, score) and
# cranfield/cran.all.1400.xml, cran.qry.xml, cranqrel.trec.txt.  MODEL is a
# registered model, default minilm.  The connection is taken from PGHOST and
# the like; everything goes to temporary tables.
#
# STS-B: Spearman's correlation of cosine similarity and gold score.
# Cranfield: nDCG@10 over the queries with a relevant document, binary gain;
# a document is its <text>, a query its <title>; ties go to the lower number.
#
#-------------------------------------------------------------------------
set -eu
data=${1:?usage: quality.sh DATA [MODEL]}
model=${2:-minilm}

psql -X -q -v ON_ERROR_STOP=1 -v model="$model" <<EOF
\\pset footer off
SET client_min_messages = error;
SET mobilebert.cache_size = 0;

CREATE TEMP TABLE dev (a text, b text, gold real);
CREATE TEMP TABLE test (a text, b text, gold real);
\\copy dev FROM '$data/stsb/stsb-en-dev.csv' (FORMAT csv)
\\copy test FROM '$data/stsb/stsb-en-test.csv' (FORMAT csv)

CREATE TEMP TABLE pair AS
SELECT 'dev' AS part, gold, mobilebert.similarity(a, b, :'model') AS cosine FROM dev
UNION ALL
SELECT 'test', gold, mobilebert.similarity(a, b, :'model') FROM test;

-- equal values share the mean of their ranks
WITH ranked AS (
	SELECT part,
		rank() OVER (PARTITION BY part ORDER BY gold)
			+ (count(*) OVER (PARTITION BY part, gold) - 1) / 2.0 AS x,
		rank() OVER (PARTITION BY part ORDER BY cosine)
			+ (count(*) OVER (PARTITION BY part, cosine) - 1) / 2.0 AS y
	FROM pair)
SELECT 'STS-B ' || part AS measure, count(*) AS pairs,
	round(corr(x::float8, y::float8)::numeric, 6) AS spearman
FROM ranked GROUP BY part ORDER BY part;

CREATE TEMP TABLE line (n serial, content text);
\\copy line (content) FROM PROGRAM 'tr "\\\\t\\\\r" "  " <$data/cranfield/cran.all.1400.xml' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
CREATE TEMP TABLE document AS
SELECT m[1]::int AS no, btrim(regexp_replace(m[2], '\\s+', ' ', 'g')) AS body
FROM (SELECT string_agg(content, E'\\n' ORDER BY n) AS all_lines FROM line) f,
	regexp_matches(all_lines, '<docno>\\s*?(\\d+?)\\s*?</docno>.*?<text>(.*?)</text>', 'g') m;
TRUNCATE line RESTART IDENTITY;
\\copy line (content) FROM PROGRAM 'tr "\\\\t\\\\r" "  " <$data/cranfield/cran.qry.xml' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
CREATE TEMP TABLE query AS
SELECT row_number() OVER ()::int AS no, btrim(regexp_replace(m[1], '\\s+', ' ', 'g')) AS body
FROM (SELECT string_agg(content, E'\\n' ORDER BY n) AS all_lines FROM line) f,
	regexp_matches(all_lines, '<title>(.*?)</title>', 'g') m;
CREATE TEMP TABLE relevance (query int, zero int, document int, grade int);
\\copy relevance FROM PROGRAM 'tr -s " \\\\t" "  " <$data/cranfield/cranqrel.trec.txt' (DELIMITER ' ')

ALTER TABLE document ADD vector real[];
ALTER TABLE query ADD vector real[];
UPDATE document SET vector = mobilebert.embed(body, :'model');
UPDATE query SET vector = mobilebert.embed(body, :'model');

WITH good AS (
	SELECT DISTINCT query, document FROM relevance WHERE grade > 0
), top AS (
	SELECT q.no AS query, d.no AS document,
		row_number() OVER (PARTITION BY q.no ORDER BY
			mobilebert.cosine_similarity(d.vector, q.vector) DESC, d.no) AS r
	FROM query q, document d
), gain AS (
	SELECT query, sum(1 / (ln(r + 1) / ln(2.0))) AS dcg
	FROM top JOIN good USING (query, document)
	WHERE r <= 10 GROUP BY query
), ideal AS (
	SELECT query, sum(1 / (ln(r + 1) / ln(2.0))) AS dcg
	FROM (SELECT query, row_number() OVER (PARTITION BY query) AS r FROM good) g
	WHERE r <= 10 GROUP BY query
)
SELECT 'Cranfield' AS measure, (SELECT count(*) FROM document) AS documents,
	count(*) AS queries,
	round(avg(coalesce(gain.dcg, 0) / ideal.dcg)::numeric, 6) AS "nDCG@10"
FROM ideal LEFT JOIN gain USING (query);
EOF
