--
-- Search: the text that is looked for is computed once
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set half :abs_srcdir '/test/golden/checkpoint/store-f16'
\set VERBOSITY terse
SELECT name FROM mobilebert.import_model('search_tiny', :'tiny');
SELECT name FROM mobilebert.import_model('search_half', :'half');
SET mobilebert.default_model = 'search_tiny';
SET mobilebert.cache_size = 0;
CREATE TABLE passage (id int, body text, v real[]);
INSERT INTO passage SELECT g, 'passage ' || g FROM generate_series(1, 200) g;
UPDATE passage SET v = mobilebert.embed(body);
ANALYZE passage;
-- too long on purpose: each time it is computed counts as a text cut
SELECT repeat('long text ', 400) AS query \gset
SELECT count(*) FROM (SELECT id FROM passage ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed(:'query')) DESC LIMIT 10) t;
SELECT count(mobilebert.inner_product(mobilebert.embed(:'query'), v)) FROM passage;
PREPARE search(text) AS SELECT count(*) FROM (SELECT id FROM passage ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed($1)) DESC LIMIT 10) t;
SET plan_cache_mode = force_generic_plan;
EXECUTE search(:'query');
RESET plan_cache_mode;
PREPARE named(text) AS SELECT count(*) FROM (SELECT id FROM passage ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed($1, 'search_tiny')) DESC LIMIT 10) t;
SET plan_cache_mode = force_generic_plan;
EXECUTE named(:'query');
RESET plan_cache_mode;
-- the nearest to a passage is the passage itself
SELECT id, mobilebert.cosine_similarity(v, mobilebert.embed('passage 17')) > 0.9999 AS same
FROM passage ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed('passage 17')) DESC LIMIT 1;
SELECT bool_and(mobilebert.cosine_similarity(v, mobilebert.embed('passage 17')) = mobilebert.cosine_similarity(mobilebert.embed('passage 17'), v)) AS symmetric FROM passage;
SELECT count(mobilebert.cosine_similarity(v, mobilebert.embed(NULL))) FROM passage;
-- an expression that is used again looks whether something changed
DO $$
DECLARE
	t text;
	e real[];
	f real[];
BEGIN
	FOREACH t IN ARRAY ARRAY['one', 'two', NULL, 'two'] LOOP
		e := mobilebert.embed(t);
		IF e IS DISTINCT FROM (SELECT mobilebert.embed(u) FROM unnest(ARRAY[t]) u) THEN
			RAISE 'wrong vector for %', t;
		END IF;
	END LOOP;
	FOREACH t IN ARRAY ARRAY['search_half', 'search_tiny', 'search_half'] LOOP
		PERFORM set_config('mobilebert.default_model', t, false);
		e := mobilebert.embed('same words');
		IF e <> (SELECT mobilebert.embed(u, t) FROM unnest(ARRAY['same words']) u) THEN
			RAISE 'wrong model instead of %', t;
		END IF;
		f := e;
		f[1] := 42;
		IF f = e OR e[1] = 42 THEN
			RAISE 'shared array';
		END IF;
	END LOOP;
	PERFORM set_config('mobilebert.default_model', 'search_tiny', false);
	PERFORM mobilebert.rename_model('search_tiny', 'search_other'), mobilebert.rename_model('search_half', 'search_tiny');
	e := mobilebert.embed('same words');
	IF e <> f AND f[1] <> 42 OR e <> (SELECT mobilebert.embed(u, 'search_tiny') FROM unnest(ARRAY['same words']) u) THEN
		RAISE 'renaming was not noticed';
	END IF;
END $$;

-- hybrid: by words and by meaning, joined by reciprocal rank
WITH words AS (
	SELECT id, row_number() OVER (ORDER BY ts_rank(to_tsvector('simple', body), q) DESC, id) AS rank
	FROM passage, plainto_tsquery('simple', 'passage 42') q WHERE to_tsvector('simple', body) @@ q LIMIT 50
), meaning AS (
	SELECT id, row_number() OVER (ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed('passage 42', 'search_other')) DESC) AS rank
	FROM passage ORDER BY rank LIMIT 50
)
SELECT id, round(coalesce(1.0 / (60 + words.rank), 0) + coalesce(1.0 / (60 + meaning.rank), 0), 5) AS score
FROM words FULL JOIN meaning USING (id) ORDER BY score DESC LIMIT 1;

DROP TABLE passage;
SELECT mobilebert.drop_model('search_other'), mobilebert.drop_model('search_tiny');
