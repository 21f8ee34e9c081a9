--
-- rank, best_matches
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
\set nli :abs_srcdir '/test/golden/checkpoint/nli-3-entail-first'
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT * FROM mobilebert.rank('x', '{a,b}');
SELECT name FROM mobilebert.import_model('minilm');
SELECT array_agg((mobilebert.import_model(n, p)).name) AS models FROM (VALUES ('one', :'one'), ('nli', :'nli'), ('tiny', :'tiny')) AS v(n, p);

CREATE TABLE passage (id int PRIMARY KEY, body text);
INSERT INTO passage VALUES
	(1, 'The invoice of March has not been paid yet.'),
	(2, 'Our cat likes to sleep on the warm radiator.'),
	(3, 'Parliament passed the new budget last night.'),
	(4, 'A reminder: your bill is overdue.'),
	(5, NULL);
SELECT rank, document_no, round(score::numeric, 3) AS score FROM mobilebert.rank('Somebody owes us money', (SELECT array_agg(body ORDER BY id) FROM passage));
SELECT rank, key, round(score::numeric, 3) AS score FROM (SELECT (unnest(mobilebert.best_matches('Somebody owes us money', body, id::text))).* FROM passage) AS m;

-- scores: by vectors, and by a classifier with one output; one with several is none
SELECT model, count(*), bool_and(r.score = CASE model WHEN 'one' THEN mobilebert.score('unpaid', model, pair => p.body)
	ELSE mobilebert.cosine_similarity(mobilebert.embed_query('unpaid', model), mobilebert.embed_document(p.body, model)) END) AS same_bits
FROM unnest('{minilm,tiny,nli,one}'::text[]) AS model, LATERAL mobilebert.rank('unpaid', (SELECT array_agg(body ORDER BY id) FROM passage WHERE id < 5), model) AS r
	JOIN passage AS p ON p.id = r.document_no GROUP BY model ORDER BY model;
-- nor is one that was fitted: it reads no pairs
SELECT name FROM mobilebert.create_classifier('fitted', ROW('minilm', mobilebert.fingerprint('minilm'), 'regression', 6, '{mean}', '{money}', ARRAY[mobilebert.embed('money', 'minilm')],
	'{0}', 1, 'none', 5, 20, '{20}', '{0.9}', NULL, NULL, NULL, 0.5)::mobilebert.classifier);
SELECT bool_and(r.score = v.score) AS by_vectors FROM mobilebert.rank('unpaid', '{a bill,a cat}', 'fitted') AS r JOIN mobilebert.rank('unpaid', '{a bill,a cat}', 'minilm') AS v USING (document_no);
SELECT mobilebert.drop_model('fitted');
SELECT r = o AS named FROM (SELECT array_agg(r) AS r FROM mobilebert.rank('unpaid', '{a bill,a cat}') AS r) AS r, (SELECT array_agg(r) AS o FROM mobilebert.rank('unpaid', '{a bill,a cat}', 'minilm') AS r) AS o;

-- order: ties by number, NULLs last; how many
SELECT rank, document_no, score IS NULL AS none FROM mobilebert.rank('a', ARRAY[NULL, 'b', 'a', NULL, 'b', 'a'], 'minilm');
SELECT rank, document_no FROM mobilebert.rank('a', ARRAY[NULL, 'b', 'a', NULL, 'b', 'a'], 'minilm', top_k => 2);
SELECT rank, document_no FROM mobilebert.rank('a', ARRAY[NULL, 'b', NULL], 'one', 2);
SELECT count(*) FROM mobilebert.rank('a', '{b,c}', 'minilm', 100);
SELECT count(*) FROM mobilebert.rank('a', '{b,c}', 'minilm', NULL);
SELECT * FROM mobilebert.rank('a', '[5:6]={b,a}'::text[], 'minilm', 1);
SELECT * FROM mobilebert.rank('a', '{b}', 'minilm', 0);
SELECT * FROM mobilebert.rank('a', '{b}', 'minilm', -1);
SELECT count(*) FROM mobilebert.rank(NULL, '{b}', 'minilm');
SELECT count(*) FROM mobilebert.rank('a', NULL, 'minilm');
SELECT count(*) FROM mobilebert.rank('a', '{}', 'minilm');
SELECT rank, document_no, score FROM mobilebert.rank('a', '{NULL}', 'minilm');
SELECT * FROM mobilebert.rank('a', '{{b},{c}}', 'minilm');
SELECT * FROM mobilebert.rank('a', '{b}', NULL);
SELECT * FROM mobilebert.rank('a', '{b}', 'no such model');
SELECT count(*), count(score) FROM mobilebert.rank('', '{"",b}', 'minilm');
SELECT count(*), count(score) FROM mobilebert.rank('', '{"",b}', 'one');
-- texts that are too long are cut, with one WARNING
SELECT r.score = s.score AS cut FROM mobilebert.rank('a', ARRAY[repeat('b ', 300), 'c', repeat('d ', 300)], 'minilm') AS r
	JOIN mobilebert.rank('a', ARRAY[repeat('b ', 254), 'c', repeat('d ', 254)], 'minilm') AS s USING (document_no) ORDER BY document_no;
-- in passes of any size the same bits
CREATE TEMP TABLE many AS SELECT i, 'text ' || i % 70 || repeat(' and more', i % 6) AS body FROM generate_series(1, 300) AS i;
CREATE TEMP TABLE whole AS SELECT model, r.* FROM unnest('{tiny,one}'::text[]) AS model, mobilebert.rank('some text', (SELECT array_agg(body ORDER BY i) FROM many), model) AS r;
SELECT model.model, tokens, count(*) FILTER (WHERE r.score = w.score AND r.document_no = w.document_no) AS same
FROM (VALUES (1), (50), (100000)) AS b(tokens), unnest('{tiny,one}'::text[]) AS model(model),
	LATERAL (SELECT set_config('mobilebert.batch_tokens', b.tokens::text, false), set_config('mobilebert.cache_size', '0', false)) AS s(a, b),
	LATERAL mobilebert.rank('some text', (SELECT array_agg(body ORDER BY i) FROM many), model.model) AS r, whole AS w
WHERE s.a IS NOT NULL AND w.model = model.model AND w.rank = r.rank GROUP BY model.model, tokens ORDER BY model.model, tokens;
RESET mobilebert.batch_tokens;
RESET mobilebert.cache_size;

-- best_matches: the first of what rank() gives for all rows
SELECT model, k, cardinality(m) AS matches, count(*) FILTER (WHERE ((u).key, (u).score) = (w.key, w.score)) AS same
FROM (SELECT model, k, mobilebert.best_matches('some text', body, i::text, model, k) AS m FROM many, unnest('{tiny,one}'::text[]) AS model, unnest('{1,3,10,1000}'::int[]) AS k GROUP BY model, k) AS a,
	LATERAL unnest(m) AS u
	JOIN LATERAL (SELECT row_number() OVER (ORDER BY score DESC, document_no::text COLLATE "C") AS n, document_no::text AS key, score FROM whole WHERE whole.model = a.model) AS w ON w.n = (u).rank
GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT (m[1]).key, cardinality(m) AS five FROM (SELECT mobilebert.best_matches('some text', body, 'all', 'tiny', NULL) AS m FROM many) AS s;
-- in any order, by parallel workers, per group, over a window
SELECT count(DISTINCT m::text) FROM (
	SELECT mobilebert.best_matches('some text', body, i::text, 'tiny', 7 ORDER BY i DESC) AS m FROM many
	UNION ALL SELECT mobilebert.best_matches('some text', body, i::text, 'tiny', 7 ORDER BY length(body)) FROM many) AS s;
CREATE TABLE shared_many AS SELECT * FROM many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT mobilebert.best_matches('some text', body, i::text, 'tiny', 7) FROM shared_many;
SELECT mobilebert.best_matches('some text', body, i::text, 'tiny', 7) AS parallel FROM shared_many \gset
RESET parallel_setup_cost;
SET max_parallel_workers_per_gather = 0;
SELECT mobilebert.best_matches('some text', body, i::text, 'tiny', 7)::text = :'parallel' AS same FROM shared_many;
RESET max_parallel_workers_per_gather;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP TABLE shared_many;
SELECT g, (mobilebert.best_matches('some text', body, i::text, 'tiny', 1))[1] = (SELECT (mobilebert.best_matches('some text', o.body, o.i::text, 'tiny', 1))[1] FROM many AS o WHERE o.i % 3 = g) AS same
FROM many, LATERAL (SELECT i % 3) AS s(g) GROUP BY g ORDER BY g;
SELECT i, (mobilebert.best_matches('some text', body, i::text, 'tiny', 1) OVER (ORDER BY i))[1] = (SELECT (mobilebert.best_matches('some text', m.body, m.i::text, 'tiny', 1))[1] FROM many AS m WHERE m.i <= o.i) AS running
FROM many AS o WHERE i <= 3 ORDER BY i;
-- query and model may change from row to row, top_k may not
SELECT mobilebert.best_matches('text ' || i % 3, body, i::text, CASE i % 2 WHEN 0 THEN 'tiny' ELSE 'one' END, 4) = (SELECT array_agg((rank::int, key, score)::mobilebert.ranked_match ORDER BY rank) FROM (
	SELECT row_number() OVER (ORDER BY r.score DESC, m.i::text COLLATE "C") AS rank, m.i::text AS key, r.score
	FROM many AS m, LATERAL mobilebert.rank('text ' || i % 3, ARRAY[body], CASE i % 2 WHEN 0 THEN 'tiny' ELSE 'one' END) AS r ORDER BY rank LIMIT 4) AS s) AS same
FROM many;
SELECT mobilebert.best_matches('text', body, i::text, 'tiny', 1 + i % 2) FROM many;
SELECT mobilebert.best_matches('text', body, i::text, 'tiny', 0) FROM many;
SELECT mobilebert.best_matches('text', body, i::text, NULL) FROM many;
SELECT mobilebert.best_matches('text', body, i::text) FROM many WHERE false;
SELECT mobilebert.best_matches(NULL, body, i::text), mobilebert.best_matches('text', NULL, i::text) FROM many;
SELECT m[1].key, cardinality(m) AS matches FROM (SELECT mobilebert.best_matches('text', body, NULL, 'tiny', 2) AS m FROM many) AS s;
-- the best alone are held
SET mobilebert.memory_limit = '4MB';
SELECT cardinality(mobilebert.best_matches('text', 'a', repeat('key ', 5000) || i, 'tiny', 10)) FROM generate_series(1, 1000) AS i;
SELECT cardinality(mobilebert.best_matches('text', 'a', repeat('key ', 5000) || i, 'tiny', 1000)) FROM generate_series(1, 1000) AS i;
RESET mobilebert.memory_limit;

-- as somebody who may read one row, and not use the model
CREATE ROLE regress_ranker;
GRANT SELECT ON passage TO regress_ranker;
ALTER TABLE passage ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_row ON passage USING (id = 2);
SET ROLE regress_ranker;
SELECT m[1].key, cardinality(m) AS matches FROM (SELECT mobilebert.best_matches('unpaid', body, id::text, 'minilm') AS m FROM passage) AS s;
RESET ROLE;
SELECT count(mobilebert.revoke_model(n, 'public')) FROM unnest('{minilm,one}'::text[]) AS n;
SET ROLE regress_ranker;
SELECT mobilebert.best_matches('unpaid', body, id::text, 'minilm') FROM passage;
SELECT * FROM mobilebert.rank('unpaid', '{a}');
SELECT * FROM mobilebert.rank('unpaid', '{a}', 'one');
RESET ROLE;
DROP TABLE passage;
DROP ROLE regress_ranker;
SELECT count(mobilebert.drop_model(name)) FROM mobilebert.models;
