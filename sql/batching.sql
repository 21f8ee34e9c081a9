--
-- batching: calls of many rows in common passes, with the same results
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT name FROM mobilebert.import_model('tiny', :'tiny');
SET mobilebert.default_model = 'tiny';
SET mobilebert.cache_size = 0;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE texts (id int PRIMARY KEY, kind text, body text, other text);
INSERT INTO texts
SELECT n, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END,
	CASE WHEN n % 11 > 0 THEN 'text ' || n % 70 || repeat(' and more', n % 6) END,
	'other text ' || n % 9
FROM generate_series(1, 300) AS n;
ANALYZE texts;

-- Runs a query without and with batching: how many rows, and are all the same?
CREATE FUNCTION compare(query text, OUT rows int, OUT same bool, OUT nodes int)
LANGUAGE plpgsql AS $$
DECLARE
	alone text[];
	batched text[];
BEGIN
	PERFORM set_config('mobilebert.enable_batching', 'off', true);
	EXECUTE 'SELECT array_agg(q::text) FROM (' || query || ') AS q' INTO alone;
	PERFORM set_config('mobilebert.enable_batching', 'on', true);
	EXECUTE 'SELECT array_agg(q::text) FROM (' || query || ') AS q' INTO batched;
	rows := cardinality(alone);
	same := alone = batched;
	nodes := nodes(query);
END $$;

-- EXPLAIN ANALYZE as all server versions show it, without what the node is not
CREATE FUNCTION explain_analyze(query text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || query LOOP
		CONTINUE WHEN line ~ 'Sort Method|Index Searches|Rows Removed';
		RETURN NEXT regexp_replace(line, 'rows=(\d+)(\.00)?', 'rows=\1');
	END LOOP;
END $$;

CREATE FUNCTION nodes(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	line text;
	n int := 0;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		n := n + (line LIKE '%MobilebertBatch%')::int;
	END LOOP;
	RETURN n;
END $$;

-- The node, its calls, and its figures
EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed(body) FROM texts;
EXPLAIN (COSTS OFF, VERBOSE) SELECT t.id + 1, mobilebert.embed(t.body, 'tiny') FROM texts AS t;
SELECT explain_analyze('SELECT id, mobilebert.embed(body) FROM texts WHERE id <= 120');
SELECT explain_analyze('SELECT id, mobilebert.embed(other) FROM texts WHERE id <= 30');
SET mobilebert.batch_tokens = 20;
SELECT explain_analyze('SELECT id, mobilebert.embed(body) FROM texts WHERE id <= 10');
RESET mobilebert.batch_tokens;
SET mobilebert.enable_batching = off;
EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed(body) FROM texts;
RESET mobilebert.enable_batching;

-- Where calls stand: lists, expressions, conditions, aggregates, joins
SELECT * FROM compare('SELECT id, mobilebert.embed(body) FROM texts');
SELECT * FROM compare('SELECT mobilebert.embed(body) FROM texts ORDER BY id DESC');
SELECT * FROM compare('SELECT id, (mobilebert.embed(body || other))[1:3], mobilebert.similarity(body, other) AS s FROM texts ORDER BY s, id');
SELECT * FROM compare('SELECT mobilebert.cosine_similarity(mobilebert.embed(body), mobilebert.embed(other)) FROM texts');
-- the argument of a window function is not batched; that of a subquery is
SELECT * FROM compare('SELECT avg(mobilebert.similarity(body, other)) OVER () FROM texts');
SELECT * FROM compare('SELECT avg(s) OVER () FROM (SELECT mobilebert.similarity(body, other) AS s FROM texts OFFSET 0) AS t');
SELECT * FROM compare('SELECT id FROM texts WHERE mobilebert.similarity(body, other) > 0.5 AND id % 2 = 0');
SELECT * FROM compare('SELECT id, mobilebert.embed(body) FROM texts WHERE mobilebert.similarity(body, other) > 0.2 AND mobilebert.similarity(kind, other) > 0.2');
SELECT * FROM compare('SELECT kind, avg(mobilebert.similarity(body, other)), count(mobilebert.embed(body)) FROM texts GROUP BY kind ORDER BY kind');
SELECT * FROM compare('SELECT id, mobilebert.embed_query(body) = mobilebert.embed_query(body, ''tiny''), mobilebert.embed_document(body) = mobilebert.embed(body) FROM texts ORDER BY id');
SELECT * FROM compare('SELECT id, mobilebert.best_label(body, ARRAY[''text'', ''more'']), mobilebert.best_label(body, ARRAY[kind, other], ''tiny'') FROM texts ORDER BY id');
SELECT * FROM compare('SELECT kind, max(mobilebert.similarity(body, other)) FILTER (WHERE id > 10), min(id) FILTER (WHERE mobilebert.similarity(body, other) > 0.4) FROM texts GROUP BY ROLLUP (kind) ORDER BY kind');
SELECT * FROM compare('SELECT mobilebert.embed(string_agg(body, '' '' ORDER BY id)) FROM texts GROUP BY id % 50 ORDER BY id % 50');
SELECT * FROM compare('SELECT a.id, b.id, mobilebert.similarity(a.body, b.body) FROM texts a JOIN texts b ON b.id = a.id + 3 ORDER BY a.id');
SELECT * FROM compare('SELECT a.id, b.id FROM texts a JOIN texts b ON b.id < a.id WHERE a.id < 20 AND mobilebert.similarity(a.body, b.other) > 0.4 ORDER BY 1, 2');
SELECT * FROM compare('SELECT a.id, b.id FROM texts a LEFT JOIN texts b ON b.id = a.id + 290 WHERE mobilebert.similarity(a.other, b.other) > 0.5 ORDER BY 1');
SELECT * FROM compare('SELECT id, row_number() OVER (ORDER BY mobilebert.similarity(body, other), id) FROM texts ORDER BY id');
SELECT * FROM compare('SELECT DISTINCT (mobilebert.embed(body))[1] FROM texts ORDER BY 1');
SELECT * FROM compare('WITH e AS MATERIALIZED (SELECT id, mobilebert.embed(body) AS v FROM texts) SELECT a.id, mobilebert.inner_product(a.v, b.v) FROM e a JOIN e b ON b.id = a.id + 1 ORDER BY 1');
SELECT * FROM compare('SELECT mobilebert.embed(body) FROM texts UNION ALL SELECT mobilebert.embed(other) FROM texts');
SELECT * FROM compare('SELECT id, mobilebert.embed(s) FROM texts, unnest(ARRAY[body, other]) AS s');
SELECT * FROM compare('SELECT id, mobilebert.embed(unnest(ARRAY[body, other])) FROM texts');
SELECT * FROM compare('SELECT id, c.chunk, mobilebert.embed_document(c.chunk) FROM texts, mobilebert.chunk(body || ''. '' || other, ''tiny'', 8) AS c');
SELECT * FROM compare('SELECT id, mobilebert.embed(body, ''tiny'', max_length => 6, dimensions => 4), mobilebert.embed_query(body, ''tiny'', 7) FROM texts WHERE id < 50');
EXPLAIN (COSTS OFF, VERBOSE) SELECT mobilebert.embed(body, 'tiny', dimensions => 4, max_length => 6) FROM texts;
SELECT * FROM compare('SELECT id, e FROM texts, LATERAL (SELECT mobilebert.embed(texts.body || n) AS e FROM generate_series(1, 3) AS n) AS s');
SELECT * FROM compare('SELECT id, (SELECT max(mobilebert.similarity(texts.body, b.body)) FROM texts b WHERE b.id < 10) FROM texts WHERE id < 10');
SELECT * FROM compare('SELECT t, mobilebert.embed(body), ctid, tableoid, t.body FROM texts t');
-- (how long a vector is as text depends on the instruction set)
SET client_min_messages = error;
SELECT * FROM compare('SELECT mobilebert.embed(mobilebert.embed(body)::text) FROM texts WHERE id < 20');
RESET client_min_messages;
SELECT * FROM compare('SELECT mobilebert.embed(body, ''tiny'', CASE WHEN id % 2 = 0 THEN ''cls'' ELSE ''mean'' END) FROM texts');
SELECT * FROM compare('SELECT mobilebert.embed(''none'' || body) FROM texts WHERE false');
SELECT * FROM compare('SELECT mobilebert.embed(body) FROM texts OFFSET 290');
SELECT * FROM compare('SELECT * FROM (SELECT id, mobilebert.embed(body) FROM texts ORDER BY id LIMIT 20) AS s ORDER BY id DESC LIMIT 5');

-- redact, with a model and, where that is NULL, without a pass
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
SELECT name FROM mobilebert.import_model('tagger', :'ner');
EXPLAIN (COSTS OFF) SELECT id, mobilebert.redact(body, 'tagger', patterns => '{EMAIL}') FROM texts;
SELECT explain_analyze('SELECT id, mobilebert.redact(other, ''tagger'') FROM texts WHERE id <= 30');
SELECT * FROM compare('SELECT id, mobilebert.redact(body, ''tagger'', patterns => ''{DATE}''), mobilebert.redact(other, ''tagger'', replacement => ''<{#}>'') FROM texts');
SELECT * FROM compare('SELECT id, mobilebert.redact(body || other, CASE WHEN id % 2 = 0 THEN ''tagger'' END, patterns => ''{PHONE}'') FROM texts ORDER BY id');
SELECT mobilebert.drop_model('tagger');

-- Only what is certainly evaluated is lifted
EXPLAIN (COSTS OFF) SELECT CASE WHEN id > 5 THEN mobilebert.embed(body) END FROM texts;
EXPLAIN (COSTS OFF) SELECT id FROM texts WHERE id < 5 OR mobilebert.similarity(body, other) > 0;
EXPLAIN (COSTS OFF) SELECT coalesce(mobilebert.embed(kind), mobilebert.embed(body)) FROM texts;
EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed('one text for all') FROM texts;
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(body || random()) FROM texts;
EXPLAIN (COSTS OFF) SELECT sum(mobilebert.similarity(body, other)) FILTER (WHERE id < 5) FROM texts;
EXPLAIN (COSTS OFF) SELECT mobilebert.embed('a row');
EXPLAIN (COSTS OFF, VERBOSE) SELECT (mobilebert.embed(body))[id], NOT mobilebert.similarity(body, other) > 0 FROM texts;
SELECT id, 1 / (CASE WHEN id = 3 THEN 0 ELSE 1 END), cardinality(mobilebert.embed(body)) FROM texts LIMIT 2;

-- Nothing shows that rows are read ahead
CREATE SEQUENCE read;
SELECT count(*) FROM (SELECT id, nextval('read'), mobilebert.embed(body) FROM texts LIMIT 10) AS s;
SELECT last_value FROM read;
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(body) FROM texts WHERE nextval('read') > 0;
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(body) FROM (SELECT body FROM texts FOR UPDATE) AS s;
EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed(body) FROM texts ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED;
SELECT id, cardinality(mobilebert.embed(body)) FROM texts ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED;

-- A limit: nothing in vain, at most as much again as was used
SELECT explain_analyze('SELECT mobilebert.embed(body) FROM texts LIMIT 10');
SELECT explain_analyze('SELECT id, mobilebert.embed(body) FROM texts ORDER BY other, id OFFSET 3 LIMIT 7');
SELECT explain_analyze('SELECT id FROM texts WHERE mobilebert.similarity(other, other) > 0.5 LIMIT 10');
SELECT explain_analyze('SELECT id, mobilebert.embed(other), nextval(''read'') > 0 FROM texts LIMIT 10');
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(body) FROM texts ORDER BY kind FETCH FIRST 2 ROWS WITH TIES;

-- A row's error is its own
UPDATE texts SET body = repeat('too long ', 500) WHERE id = 201;
CREATE FUNCTION fetched(batching text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	row record;
	n int := 0;
	message text;
BEGIN
	PERFORM set_config('mobilebert.enable_batching', batching, true);
	BEGIN
		FOR row IN EXECUTE query LOOP
			n := n + 1;
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	END;
	RETURN n || ' rows, then ' || message;
END $$;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, cardinality(mobilebert.embed(body, 'tiny', overflow => 'error')) FROM texts ORDER BY id;
MOVE 199 FROM c;
FETCH 1 FROM c;
FETCH 1 FROM c;
ROLLBACK;
SELECT batching, fetched(batching, q)
FROM unnest(ARRAY['off', 'on']) AS batching, (VALUES ('SELECT id, mobilebert.embed(body, ''tiny'', overflow => ''error'') FROM texts ORDER BY id')) AS v(q);
SELECT count(mobilebert.embed(body, 'tiny', overflow => 'error')) FROM texts;
SELECT count(id) FROM (SELECT id, mobilebert.embed(body, 'tiny', overflow => 'error') FROM texts ORDER BY id LIMIT 200) AS s;
SELECT id, cardinality(mobilebert.embed(body)) FROM texts WHERE id IN (200, 201, 202) ORDER BY id;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT cardinality(mobilebert.embed(body)) FROM texts WHERE id IN (1, 2, 3, 4, 5, 6, 201) ORDER BY id;
FETCH 6 FROM c;
CLOSE c;
COMMIT;
DELETE FROM texts WHERE id = 201;

-- Statements that write
CREATE TABLE vectors (id int, v real[]);
CREATE TABLE alone AS SELECT id, mobilebert.embed(body) AS v FROM texts LIMIT 0;
SET mobilebert.enable_batching = off;
INSERT INTO alone SELECT id, mobilebert.embed(body) FROM texts;
RESET mobilebert.enable_batching;
CREATE FUNCTION agree() RETURNS text LANGUAGE sql AS $$
SELECT count(*) || ' of ' || (SELECT count(*) FROM vectors)
FROM vectors JOIN alone USING (id) WHERE vectors.v IS NOT DISTINCT FROM alone.v $$;
EXPLAIN (COSTS OFF) INSERT INTO vectors SELECT id, mobilebert.embed(body) FROM texts;
INSERT INTO vectors SELECT id, mobilebert.embed(body) FROM texts;
SELECT agree();
UPDATE vectors SET v = NULL;
EXPLAIN (COSTS OFF) UPDATE vectors SET v = mobilebert.embed(texts.body) FROM texts WHERE texts.id = vectors.id;
UPDATE vectors SET v = mobilebert.embed(texts.body) FROM texts WHERE texts.id = vectors.id;
SELECT agree();
DROP TABLE vectors;
CREATE TABLE vectors AS SELECT id, mobilebert.embed(body) AS v FROM texts;
SELECT agree();
CREATE MATERIALIZED VIEW seen AS SELECT id, mobilebert.embed(body) AS v FROM texts;
REFRESH MATERIALIZED VIEW seen;
TRUNCATE vectors;
INSERT INTO vectors TABLE seen;
SELECT agree();
DELETE FROM vectors WHERE mobilebert.embed(id::text) IS NULL;
SELECT agree();
COPY (SELECT id, (mobilebert.embed(body))[1] IS NULL FROM texts WHERE id BETWEEN 20 AND 24) TO STDOUT;
-- all in one: WITH ... RETURNING, ON CONFLICT
CREATE UNIQUE INDEX ON vectors (id);
INSERT INTO vectors SELECT id, mobilebert.embed(body) FROM texts ON CONFLICT (id) DO UPDATE SET v = excluded.v;
SELECT agree();
WITH gone AS (DELETE FROM vectors WHERE id <= 100 RETURNING id)
INSERT INTO vectors SELECT id + 1000, mobilebert.embed(body) FROM gone JOIN texts USING (id);
UPDATE vectors SET id = id - 1000 WHERE id > 1000;
SELECT agree();

-- Partitions: a node under each branch
CREATE TABLE parts (id int, body text, v real[]) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (150);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (150) TO (1000);
INSERT INTO parts SELECT id, body FROM texts;
EXPLAIN (COSTS OFF) UPDATE parts SET v = mobilebert.embed(body);
UPDATE parts SET v = mobilebert.embed(body);
TRUNCATE vectors;
INSERT INTO vectors SELECT id, v FROM parts;
SELECT agree();
SELECT * FROM compare('SELECT id, mobilebert.embed(body) FROM parts ORDER BY id');
EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed(body) FROM parts LIMIT 5;

-- Prepared statements, functions, cursors
PREPARE p(int) AS SELECT id, cardinality(mobilebert.embed(body)) FROM texts WHERE id < $1 ORDER BY id;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(4);
EXECUTE p(3);
EXPLAIN (COSTS OFF) EXECUTE p(3);
SET mobilebert.enable_batching = off;
EXECUTE p(3);
RESET mobilebert.enable_batching;
RESET plan_cache_mode;
DO $$
DECLARE
	r record;
	n int := 0;
BEGIN
	FOR r IN SELECT id, mobilebert.embed(body) AS v FROM texts ORDER BY id LOOP
		IF r.v IS DISTINCT FROM (SELECT v FROM alone WHERE alone.id = r.id) THEN
			RAISE 'row % differs', r.id;
		END IF;
		n := n + 1;
	END LOOP;
	RAISE NOTICE '% rows', n;
END $$;
BEGIN;
DECLARE plain CURSOR FOR SELECT id, cardinality(mobilebert.embed(body)) FROM texts ORDER BY id;
FETCH 2 FROM plain;
MOVE 20 FROM plain;
FETCH 1 FROM plain;
DECLARE back SCROLL CURSOR FOR SELECT id, cardinality(mobilebert.embed(body)) FROM texts ORDER BY id;
FETCH LAST FROM back;
FETCH BACKWARD 2 FROM back;
FETCH FIRST FROM back;
DECLARE here CURSOR FOR SELECT id, mobilebert.embed(body) IS NULL FROM texts;
MOVE 14 FROM here;
FETCH FROM here;
DELETE FROM texts WHERE CURRENT OF here RETURNING id;
FETCH FROM here;
DECLARE locked CURSOR FOR SELECT id, mobilebert.embed(body) IS NULL FROM texts WHERE id > 20 FOR UPDATE;
FETCH 3 FROM locked;
UPDATE texts SET kind = 'c' WHERE CURRENT OF locked RETURNING id;
DECLARE held CURSOR WITH HOLD FOR SELECT id, mobilebert.embed(body) FROM texts WHERE id < 50;
COMMIT;
MOVE ALL FROM held;
CLOSE held;

-- Rescans, mark and restore
SET enable_hashjoin = off;
SET enable_material = off;
SELECT * FROM compare('SELECT a.id, b.v FROM texts a, LATERAL (SELECT (mobilebert.embed(b.other))[1] AS v FROM texts b WHERE b.id > a.id ORDER BY b.id LIMIT 3) b WHERE a.id < 20');
SELECT * FROM compare('SELECT a.id FROM texts a WHERE EXISTS (SELECT FROM texts b WHERE b.id > a.id AND mobilebert.similarity(a.other, b.other) > 0.9) ORDER BY 1');
SET enable_nestloop = off;
SELECT * FROM compare('SELECT a.id, b.v FROM texts a JOIN (SELECT id, mobilebert.embed(body) AS v FROM texts) b USING (id) ORDER BY 1');
RESET enable_hashjoin;
RESET enable_material;
RESET enable_nestloop;

-- Rights are asked as for any call
CREATE ROLE batch_reader;
GRANT SELECT ON texts TO batch_reader;
REVOKE EXECUTE ON FUNCTION mobilebert.embed(text) FROM PUBLIC;
SET ROLE batch_reader;
SELECT mobilebert.embed(body) FROM texts;
RESET ROLE;
GRANT EXECUTE ON FUNCTION mobilebert.embed(text) TO PUBLIC;
-- a function of ours with settings of its own is not the same function
ALTER FUNCTION mobilebert.embed(text) SET mobilebert.default_model = 'tiny';
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(body) FROM texts;
ALTER FUNCTION mobilebert.embed(text) RESET mobilebert.default_model;

DROP MATERIALIZED VIEW seen;
DROP TABLE texts, vectors, alone, parts;
DROP SEQUENCE read;
DROP FUNCTION compare, nodes, explain_analyze, fetched, agree;
DROP ROLE batch_reader;
SELECT mobilebert.drop_model('tiny');
