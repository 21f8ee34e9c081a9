--
-- sentiment.sql
--		Accuracy of :model, a classifier of negative, neutral and positive, on
--		sets of two classes: the likelier of negative and positive counts.
--
CREATE TEMP TABLE opinion AS
SELECT s AS name, content ->> 'text' AS text, content ->> 'label' AS label
FROM unnest('{sst2,amazon,imdb}'::text[]) AS s, pg_temp.texts(s);

INSERT INTO figure
SELECT :'model', name || ' accuracy', count(*), 100 * avg((label = best)::int)
FROM (SELECT name, label, (SELECT c.label FROM mobilebert.classify(text, :'model') AS c
		WHERE c.label IN ('negative', 'positive') ORDER BY rank LIMIT 1) AS best
	FROM opinion) AS o
GROUP BY name;

DROP TABLE opinion;
