--
-- ner.sql
--		Strict F1 of entities of :model, a tagger of PER, LOC, ORG and MISC:
--		begin, end and type must be right.
--
-- UNER has no MISC; what is found of that type does not count there.
--
CREATE TEMP TABLE sentence AS
SELECT s AS name, n, pg_temp.strings(content -> 'words') AS words, content -> 'spans' AS spans
FROM unnest('{uner,wikigold,wnut}'::text[]) AS s, pg_temp.texts(s);

CREATE TEMP TABLE gold AS
SELECT name, n, s.type, s.begin, s."end"
FROM sentence, jsonb_to_recordset(spans) AS s (type text, begin int, "end" int);

CREATE TEMP TABLE found AS
SELECT name, n, e.entity AS type, e.start_offset AS begin, e.end_offset AS "end"
FROM sentence, LATERAL mobilebert.ner(words, :'model', aggregation_strategy => 'first') AS e
WHERE name <> 'uner' OR e.entity <> 'MISC';

CREATE TEMP TABLE matched AS
SELECT name, type, (g IS NOT NULL)::int AS gold, (f IS NOT NULL)::int AS found,
	(g IS NOT NULL AND f IS NOT NULL)::int AS agreed
FROM gold AS g FULL JOIN found AS f USING (name, n, type, begin, "end");

INSERT INTO figure
SELECT :'model', concat_ws(' ', name, type, 'f1'), (SELECT count(*) FROM sentence AS s WHERE s.name = m.name),
	100 * 2.0 * sum(agreed) / (sum(gold) + sum(found))
FROM matched AS m GROUP BY GROUPING SETS ((name), (name, type));

DROP TABLE sentence, gold, found, matched;
