--
-- embed and similarity: values against a stored reference, options, overflow
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT mobilebert.embed('x');
SELECT mobilebert.embed('x', mobilebert.default_model('embed'), pooling => 'cls');
SELECT name, dimension, max_tokens FROM mobilebert.import_model('minilm');

-- the first numbers of sentence-transformers/all-MiniLM-L6-v2
SELECT mobilebert.l2_distance((mobilebert.embed('hello world'))[1:6], '{-0.0345,0.0311,0.0067,0.0261,-0.0394,-0.1603}') < 2e-4 AS equal;
SELECT cardinality(mobilebert.embed('hello world')) AS dimension,
	round(mobilebert.inner_product(mobilebert.embed('hello world'), mobilebert.embed('hello world'))::numeric, 5) AS squared_norm;
SELECT mobilebert.similarity('A man is eating food.', 'A man eats something.') > 0.8 AS near,
	mobilebert.similarity('A man is eating food.', 'The stock market fell.') < 0.2 AS far,
	abs(mobilebert.similarity('same', 'same', 'minilm') - 1) < 1e-6 AS same;

-- both forms, raw ids, several at once: the same bits
SELECT mobilebert.embed(t) = mobilebert.embed(t, 'minilm') AS named,
	mobilebert.embed(t) = mobilebert.embed(mobilebert.encode(t), 'minilm') AS ids,
	mobilebert.embed(t) = (SELECT v FROM mobilebert.embed(ARRAY['other', t, 'text']) WITH ORDINALITY AS u(v, n) WHERE n = 2) AS packed
FROM unnest(ARRAY['', 'x', 'A longer text, to be packed with others.']) AS t;
SET mobilebert.cache_size = 0;
CREATE TEMP TABLE texts AS
SELECT n, repeat('word ', n % 7) || 'number ' || n / 2 AS t FROM generate_series(1, 60) AS n;
CREATE TEMP TABLE alone AS SELECT n, mobilebert.embed(t) AS v FROM texts;
SELECT tokens, count(*) AS texts, count(*) FILTER (WHERE a.v = u.v) AS same_bits
FROM (VALUES (1), (100), (100000)) AS b(tokens),
	LATERAL (SELECT set_config('mobilebert.batch_tokens', b.tokens::text, false)) AS s,
	LATERAL mobilebert.embed((SELECT array_agg(t ORDER BY n) FROM texts WHERE b.tokens > 0), 'minilm') WITH ORDINALITY AS u(v, n)
	JOIN alone a USING (n)
GROUP BY tokens ORDER BY tokens;
RESET mobilebert.batch_tokens;
RESET mobilebert.cache_size;
-- with a cache, with one that is too small, and without
SET mobilebert.cache_size = '8kB';
SELECT count(*) FILTER (WHERE a.v = mobilebert.embed(t)) AS same_bits FROM texts JOIN alone a USING (n);
RESET mobilebert.cache_size;
SELECT count(*) FILTER (WHERE a.v = mobilebert.embed(t)) AS same_bits FROM texts JOIN alone a USING (n);
SELECT count(*) FILTER (WHERE a.v = mobilebert.embed(t)) AS same_bits FROM texts JOIN alone a USING (n);

-- NULL: no text, no vector; a NULL option is its default
SELECT mobilebert.embed(NULL::text), mobilebert.embed(NULL, 'minilm'), mobilebert.similarity('a', NULL);
SELECT n, v IS NULL AS null FROM mobilebert.embed(ARRAY['a', NULL, 'b', NULL]) WITH ORDINALITY AS u(v, n) ORDER BY n;
SELECT count(*) FROM mobilebert.embed('{}'::text[]);
SELECT count(*) FROM mobilebert.embed(NULL::text[]);
SELECT mobilebert.embed('a', 'minilm', NULL, NULL, NULL, NULL, stride => NULL) = mobilebert.embed('a') AS defaults;
SELECT mobilebert.embed('a', NULL);
-- options with the default model
SELECT mobilebert.embed('a', mobilebert.default_model('embed'), pooling => 'cls') = mobilebert.embed('a', 'minilm', pooling => 'cls') AS named;

-- pooling, normalisation and layers against the hidden states themselves
CREATE TEMP TABLE states AS
SELECT * FROM mobilebert.hidden_states('A text of several tokens.', 'minilm');
CREATE TEMP TABLE pooled AS
SELECT layer, p.pooling, array_agg(p.value::real ORDER BY f) AS v
FROM (SELECT layer, f, array_agg(x ORDER BY token_no) AS x FROM states, unnest(state) WITH ORDINALITY AS u(x, f) GROUP BY 1, 2) AS s,
	LATERAL (
		SELECT 'mean' AS pooling, avg(y::float8) AS value FROM unnest(x) AS y
		UNION ALL SELECT 'cls', x[1]
		UNION ALL SELECT 'max', max(y) FROM unnest(x) AS y
		UNION ALL SELECT 'mean_sqrt_len_tokens', sum(y::float8) / sqrt(count(*)) FROM unnest(x) AS y
		UNION ALL SELECT 'weightedmean', sum(y::float8 * i) / sum(i) FROM unnest(x) WITH ORDINALITY AS w(y, i)
		UNION ALL SELECT 'lasttoken', x[cardinality(x)]) AS p
GROUP BY 1, 2;
SELECT pooling, count(*) AS layers,
	max(mobilebert.l2_distance(v, mobilebert.embed('A text of several tokens.', 'minilm', pooling, false, layer))) < 1e-4 AS equal,
	max(mobilebert.l2_distance(v, mobilebert.embed('A text of several tokens.', 'minilm', pooling, false, layer - 7))) < 1e-4 AS from_the_end
FROM pooled GROUP BY 1 ORDER BY 1;
SELECT count(*), bool_and(abs(x) < 1) AS tanh, count(*) FILTER (WHERE x = 0) AS zeros FROM unnest(mobilebert.embed('a', 'minilm', 'pooler', false)) AS x;
SELECT mobilebert.embed('a', 'minilm', 'mean, cls,mean', false) = mobilebert.embed('a', 'minilm', 'mean', false) || mobilebert.embed('a', 'minilm', 'cls', false) || mobilebert.embed('a', 'minilm', 'mean', false) AS concatenated;
SELECT mobilebert.embed('{101,2023,102}', 'minilm', pooling => 'cls', attention_mask => '{0,1,0}') = mobilebert.embed('{101,2023,102}', 'minilm', pooling => 'lasttoken', attention_mask => '{0,1,0}') AS the_one_attended_to;
SELECT mobilebert.embed('a', 'minilm', 'cls,cls,cls,cls,cls,cls,cls,cls,cls');
SELECT round(mobilebert.inner_product(v, v)::numeric, 4) AS squared_norm FROM mobilebert.embed('a', 'minilm', 'mean,cls,max', normalized => true) AS v;

-- bad options
SELECT mobilebert.embed('a', 'minilm', 'median');
SELECT mobilebert.embed('a', 'minilm', '');
SELECT mobilebert.embed('a', 'minilm', layer => 7);
SELECT mobilebert.embed('a', 'minilm', layer => -8);
SELECT mobilebert.embed('a', 'minilm', 'pooler', layer => 0);
SELECT mobilebert.embed('a', 'minilm', overflow => 'cut');
SELECT mobilebert.embed('a', 'minilm', stride => -1);
SELECT mobilebert.embed('a', 'minilm', stride => 254);
SELECT mobilebert.embed('a', 'no such model');
SELECT mobilebert.embed('{}'::int[], 'minilm');
SELECT mobilebert.embed('{101,NULL}'::int[], 'minilm');
SELECT mobilebert.embed('{101,30522}'::int[], 'minilm');
SELECT mobilebert.embed('{101,102}'::int[], 'minilm', token_type_ids => '{0}');
SELECT mobilebert.embed('{101,102}'::int[], 'minilm', token_type_ids => '{0,2}');
SELECT mobilebert.embed('{101,102}'::int[], 'minilm', attention_mask => '{1,2}');
SELECT mobilebert.embed('{101,102}'::int[], 'minilm', attention_mask => '{0,0}');
SELECT mobilebert.embed(array_fill(101, ARRAY[513]), 'minilm');

-- masked tokens neither count nor are seen
SELECT round(mobilebert.cosine_similarity(mobilebert.embed('{101,7592,102}'::int[], 'minilm'),
	mobilebert.embed('{101,7592,102,2088,2088}'::int[], 'minilm', attention_mask => '{1,1,1,0,0}'))::numeric, 5) AS same;

-- overflow: cut with one warning a statement, refused, or read in windows
SELECT cardinality(mobilebert.embed(repeat('word ', 300)));
SELECT count(mobilebert.embed(repeat('word ', n))) FROM generate_series(250, 260) AS n;
SELECT count(*) FROM mobilebert.embed(ARRAY[repeat('word ', 300), 'word', repeat('word ', 300)]);
SELECT mobilebert.similarity(repeat('word ', 300), 'word');
SELECT mobilebert.similarity('word', repeat('word ', 300), 'minilm');
SELECT mobilebert.embed(repeat('word ', 300), 'minilm', overflow => 'error');
SELECT mobilebert.embed(repeat('word ', 254), 'minilm', overflow => 'error') IS NOT NULL AS just_fits;
-- a cut text is noted again when it comes again
SELECT cardinality(mobilebert.embed(repeat('word ', 300)));
-- nothing is said when the statement fails
SELECT 1 / (n - 251), mobilebert.embed(repeat('word ', 300 + n)) IS NULL FROM generate_series(251, 252) AS n;
CREATE TEMP TABLE long AS SELECT string_agg('sentence ' || n, ', ' ORDER BY n) AS t FROM generate_series(1, 200) AS n;
SET mobilebert.batch_tokens = 300;
SELECT s.stride, p.pooling, mobilebert.l2_distance(p.v, mobilebert.embed(long.t, 'minilm', p.pooling, false, overflow => 'window', stride => s.stride)) < 1e-3 AS equal
FROM long, (VALUES (0), (100)) AS s(stride), LATERAL (
	SELECT q.pooling, array_agg(q.value::real ORDER BY f) AS v
	FROM (SELECT f, array_agg(x ORDER BY token_no) AS x
		FROM mobilebert.hidden_states(long.t, 'minilm', layer => -1, stride => s.stride), unnest(state) WITH ORDINALITY AS u(x, f) GROUP BY 1) AS h,
		LATERAL (
			SELECT 'mean' AS pooling, avg(y::float8) AS value FROM unnest(x) AS y
			UNION ALL SELECT 'cls', x[1]
			UNION ALL SELECT 'max', max(y) FROM unnest(x) AS y
			UNION ALL SELECT 'mean_sqrt_len_tokens', sum(y::float8) / sqrt(count(*)) FROM unnest(x) AS y
			UNION ALL SELECT 'weightedmean', sum(y::float8 * i) / sum(i) FROM unnest(x) WITH ORDINALITY AS w(y, i)
			UNION ALL SELECT 'lasttoken', x[cardinality(x)]) AS q
	GROUP BY 1) AS p
ORDER BY 1, 2;
CREATE TEMP TABLE windowed AS
SELECT mobilebert.embed(t, 'minilm', overflow => 'window', stride => 50) AS v FROM long;
SET mobilebert.batch_tokens = 100000;
SET mobilebert.cache_size = 0;
SELECT v = mobilebert.embed(t, 'minilm', overflow => 'window', stride => 50) AS same_bits FROM windowed, long;
RESET mobilebert.batch_tokens;
RESET mobilebert.cache_size;

-- a window of max_length tokens
SELECT mobilebert.embed(t, 'minilm', max_length => 6) = mobilebert.embed(mobilebert.encode(t, 'minilm', max_length => 6), 'minilm') AS cut,
	mobilebert.embed(t, 'minilm', max_length => 100000, overflow => 'error') = mobilebert.embed(t) AS all
FROM (VALUES ('one two three four five six seven')) AS v(t);
SELECT count(*) AS rows, count(DISTINCT e) AS vectors, bool_and(e = mobilebert.embed('one two', 'minilm', max_length => 4, overflow => 'error')) AS cut
FROM mobilebert.embed('{one two three,one two,one two four,one two three}'::text[], 'minilm', max_length => 4) AS e;
SELECT mobilebert.embed_query('one two three', 'minilm', max_length => 4) = mobilebert.embed('one two') AS query,
	mobilebert.embed_document('one two three', 'minilm', 4) = mobilebert.embed('one two') AS document;
SELECT mobilebert.l2_distance(mobilebert.embed('one two three four', 'minilm', 'cls', max_length => 4, overflow => 'window'), mobilebert.embed('one two', 'minilm', 'cls')) AS first_window;
SELECT mobilebert.embed('one two', 'minilm', max_length => 3, overflow => 'error');
SELECT mobilebert.embed('one two', 'minilm', max_length => 2);
SELECT mobilebert.embed('one two three', 'minilm', max_length => 4, stride => 2);
-- the first numbers, divided by their length where the whole is
SELECT n, mobilebert.embed('a', 'minilm', dimensions => n) = mobilebert.l2_normalize(v[1:n]) AS divided,
	mobilebert.embed('a', 'minilm', normalized => false, dimensions => n) = (mobilebert.embed('a', 'minilm', normalized => false))[1:n] AS plain,
	mobilebert.embed('a', 'minilm', normalized => true, dimensions => n) = mobilebert.embed('a', 'minilm', dimensions => n) AS asked,
	mobilebert.embed(mobilebert.encode('a'), 'minilm', dimensions => n) = mobilebert.embed('a', 'minilm', dimensions => n) AS ids,
	(SELECT e FROM mobilebert.embed('{b,a}'::text[], 'minilm', dimensions => n) WITH ORDINALITY AS u(e, i) WHERE i = 2) = mobilebert.embed('a', 'minilm', dimensions => n) AS packed,
	mobilebert.embed_query('a', 'minilm', dimensions => n) = mobilebert.embed('a', 'minilm', dimensions => n) AS query,
	mobilebert.embed_document('a', 'minilm', dimensions => n) = mobilebert.embed('a', 'minilm', dimensions => n) AS document,
	mobilebert.embed('a', 'minilm') = v AS whole
FROM (SELECT mobilebert.embed('a') AS v) AS e, unnest('{1,5,383}'::int[]) AS n;
SELECT mobilebert.embed('a', 'minilm', dimensions => 384) = mobilebert.embed('a') AS all,
	cardinality(mobilebert.embed('a', 'minilm', 'cls,mean', dimensions => 500)) AS of_two;
SELECT mobilebert.embed('a', 'minilm', dimensions => 0);
SELECT mobilebert.embed('a', 'minilm', dimensions => 385);
SELECT mobilebert.embed('a', 'minilm', 'cls,mean', dimensions => 769);
SELECT mobilebert.embed(ARRAY['a'], 'minilm', dimensions => 385);
SELECT mobilebert.embed('{101,102}'::int[], 'minilm', dimensions => 385);
SELECT mobilebert.embed_query('a', 'minilm', dimensions => -1);

-- memory is refused before it is taken
-- how much is needed depends on the instruction set
SET mobilebert.memory_limit = '100kB';
\set VERBOSITY sqlstate
SELECT mobilebert.embed('something new');
SELECT mobilebert.embed(repeat('something ', 1000), 'minilm', overflow => 'window');
SELECT mobilebert.embed(ARRAY[NULL, 'something new']);
SELECT mobilebert.embed(array_fill(101, ARRAY[300]), 'minilm');
\set VERBOSITY default
-- of many texts that come again, those that fit are kept; the rest runs again
SELECT name FROM mobilebert.import_model('tiny', :'tiny');
SET mobilebert.memory_limit = '96kB';
SET mobilebert.cache_size = 0;
SELECT count(*) AS rows, count(DISTINCT v) AS vectors, bool_and(v = mobilebert.embed(t, 'tiny')) AS same_bits
FROM (SELECT array_agg(t ORDER BY copy, n) AS texts FROM (
		SELECT copy, n, repeat('a ', n % 13) || n AS t FROM generate_series(1, 3) AS copy, generate_series(1, 700) AS n
		UNION ALL SELECT copy, 0, NULL FROM generate_series(1, 3) AS copy) AS s) AS a,
	LATERAL (SELECT v, texts[i] AS t FROM mobilebert.embed(texts, 'tiny') WITH ORDINALITY AS u(v, i)) AS e;
RESET mobilebert.cache_size;
RESET mobilebert.memory_limit;
SELECT mobilebert.drop_model('tiny');

-- generated columns and index expressions need the model's name
CREATE TEMP TABLE docs (id int, body text, v real[] GENERATED ALWAYS AS (mobilebert.embed(body, 'minilm')) STORED);
INSERT INTO docs VALUES (1, 'A cat sat on the mat.'), (2, 'Parliament passed the law.'), (3, NULL);
UPDATE docs SET body = 'A kitten was sitting on the rug.' WHERE id = 1;
SELECT id FROM docs WHERE v IS NOT NULL ORDER BY mobilebert.cosine_similarity(v, mobilebert.embed('a cat')) DESC;
CREATE TEMP TABLE docs2 (body text, v real[] GENERATED ALWAYS AS (mobilebert.embed(body)) STORED);
SELECT proname, pronargs, provolatile, proparallel, proisstrict FROM pg_proc
WHERE pronamespace = 'mobilebert'::regnamespace AND proname IN ('embed', 'similarity')
ORDER BY 1, 2, proargtypes::text COLLATE "C";

DROP TABLE docs;
SELECT mobilebert.drop_model('minilm');
