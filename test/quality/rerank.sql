--
-- rerank.sql
--		What :model, a classifier with one output, makes of the passages that
--		minilm finds first for a query.
--
-- Natural Questions: mean of 1 / rank of the question's paragraph among 20, 0
-- where it is not among them.  Cranfield: nDCG@10 of 50, binary gain.
--
CREATE TEMP TABLE passage AS
SELECT s AS name, (content ->> 'number')::int AS number, content ->> 'passage' AS passage,
	mobilebert.embed(content ->> 'passage', 'minilm') AS vector
FROM unnest('{natural,cranfield}'::text[]) AS s, pg_temp.texts(s || '-passages');

CREATE TEMP TABLE query AS
SELECT s AS name, n, content ->> 'query' AS query, mobilebert.embed(content ->> 'query', 'minilm') AS vector,
	ARRAY(SELECT r::int FROM jsonb_array_elements_text(content -> 'relevant') AS r) AS relevant
FROM unnest('{natural,cranfield}'::text[]) AS s, pg_temp.texts(s);

CREATE TEMP TABLE candidate AS
SELECT q.name, q.n, q.query, p.passage, p.number = ANY (q.relevant) AS relevant, p.number, p.place AS before
FROM query AS q, LATERAL (SELECT p.number, p.passage, row_number() OVER (ORDER BY near DESC, p.number) AS place
	FROM (SELECT p.number, p.passage, mobilebert.cosine_similarity(p.vector, q.vector) AS near
		FROM passage AS p WHERE p.name = q.name
		ORDER BY near DESC, p.number LIMIT CASE q.name WHEN 'natural' THEN 20 ELSE 50 END) AS p) AS p;

CREATE TEMP TABLE ranked AS
SELECT *, row_number() OVER (PARTITION BY name, n ORDER BY score DESC, number) AS after
FROM (SELECT *, mobilebert.score(query, :'model', pair => passage) AS score FROM candidate) AS c;

INSERT INTO figure
SELECT :'model', 'natural mrr, ' || o.name, count(*), 100 * avg(coalesce(
	(SELECT max(1.0 / CASE o.name WHEN 'embeddings' THEN before ELSE after END)
	FROM ranked AS r WHERE r.name = q.name AND r.n = q.n AND r.relevant), 0))
FROM query AS q, (VALUES ('embeddings'), ('reranked')) AS o (name)
WHERE q.name = 'natural' GROUP BY o.name
UNION ALL
SELECT :'model', 'cranfield ndcg@10, ' || o.name, count(*), 100 * avg(coalesce(
	(SELECT sum(1 / log(2.0, place + 1)) FROM (SELECT CASE o.name WHEN 'embeddings' THEN before ELSE after END AS place
		FROM ranked AS r WHERE r.name = q.name AND r.n = q.n AND r.relevant) AS p WHERE place <= 10), 0)
	/ (SELECT sum(1 / log(2.0, i + 1)) FROM generate_series(1, least(10, cardinality(q.relevant))) AS i))
FROM query AS q, (VALUES ('embeddings'), ('reranked')) AS o (name)
WHERE q.name = 'cranfield' GROUP BY o.name;

DROP TABLE passage, query, candidate, ranked;
