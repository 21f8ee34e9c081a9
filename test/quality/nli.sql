--
-- nli.sql
--		Accuracy of :model, a classifier of natural language inference: of pairs,
--		and of labels of which nothing was trained on, with two templates.
--
CREATE TEMP TABLE labelled AS
SELECT s AS name, content ->> 'text' AS text, content ->> 'label' AS label
FROM unnest('{dbpedia,snips}'::text[]) AS s, pg_temp.texts(s);

CREATE TEMP TABLE asked AS
SELECT l.*, (SELECT array_agg(DISTINCT label ORDER BY label) FROM labelled AS o WHERE o.name = l.name) AS labels
FROM labelled AS l;

INSERT INTO figure
SELECT :'model', 'mnli accuracy', count(*), 100 * avg((mobilebert.label(content ->> 'premise', :'model',
	pair => content ->> 'hypothesis') = content ->> 'label')::int)
FROM pg_temp.texts('mnli');

INSERT INTO figure
SELECT :'model', name || ' accuracy', count(*), 100 * avg((mobilebert.best_label(text, labels, :'model') = label)::int)
FROM asked GROUP BY name;

INSERT INTO figure
SELECT :'model', name || ' accuracy, about', count(*), 100 * avg((mobilebert.best_label(text, labels, :'model',
	hypothesis_template => 'This text is about {}.') = label)::int)
FROM asked GROUP BY name;

DROP TABLE labelled, asked;
