--
-- zero_shot and best_label by a model that embeds
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set nli :abs_srcdir '/test/golden/checkpoint/nli-3-entail-first'
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT mobilebert.best_label('x', '{a,b}');
SELECT name FROM mobilebert.import_model('minilm');
SELECT array_agg((mobilebert.import_model(n, p)).name) AS models FROM (VALUES ('nli', :'nli'), ('tiny', :'tiny')) AS v(n, p);

-- scores: softmax of 20 times the cosines, or the cosines
SELECT rank, label, round(score::numeric, 3) AS score FROM mobilebert.zero_shot('Prices rose again last month.', '{economy,sport,music}', 'minilm');
SELECT rank, label, round(score::numeric, 3) AS score FROM mobilebert.zero_shot('Prices rose again last month.', '{economy,sport,music}', 'minilm', multi_label => true);
SELECT bool_and(score = mobilebert.cosine_similarity(mobilebert.embed('Prices rose.', 'minilm'), mobilebert.embed('about ' || label, 'minilm'))) AS same_bits
FROM mobilebert.zero_shot('Prices rose.', '{economy,sport,music}', 'minilm', 'about {}', true);
SELECT bool_and(abs(z.score - exp(20 * c.score::float8) / s.sum) < 1e-6) AS softmax, abs(sum(z.score) - 1) < 1e-6 AS together
FROM mobilebert.zero_shot('Prices rose.', '{economy,sport,music}', 'minilm') AS z JOIN mobilebert.zero_shot('Prices rose.', '{economy,sport,music}', 'minilm', multi_label => true) AS c USING (label),
	(SELECT sum(exp(20 * score::float8)) FROM mobilebert.zero_shot('Prices rose.', '{economy,sport,music}', 'minilm', multi_label => true)) AS s;
SELECT score = mobilebert.cosine_similarity(mobilebert.embed('x', 'minilm'), mobilebert.embed('sport', 'minilm')) AS alone FROM mobilebert.zero_shot('x', '{sport}', 'minilm');

-- the default model: of classifiers, or where there is none of embeddings
SELECT z = n AS vectors FROM (SELECT array_agg(z) AS z FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}') AS z) AS z, (SELECT array_agg(z) AS n FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}', 'minilm') AS z) AS n;
SELECT mobilebert.best_label('Prices rose.', '{economy,sport}');
SELECT mobilebert.set_default_model('classify', 'nli');
SELECT z = n AS entailment FROM (SELECT array_agg(z) AS z FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}') AS z) AS z, (SELECT array_agg(z) AS n FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}', 'nli') AS z) AS n;
SELECT mobilebert.set_default_model('classify', NULL);
SELECT mobilebert.best_label('x', '{a}', NULL);
SELECT mobilebert.default_model('zero_shot') AS of_embed;
SELECT mobilebert.set_default_model('zero_shot', 'tiny');
SELECT mobilebert.default_model('zero_shot') AS zero_shot, mobilebert.default_model('embed') AS embed;
SELECT mobilebert.best_label('Prices rose.', '{economy,sport}') = mobilebert.best_label('Prices rose.', '{economy,sport}', 'tiny') AS named;
SELECT z = n AS vectors FROM (SELECT array_agg(z) AS z FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}') AS z) AS z, (SELECT array_agg(z) AS n FROM mobilebert.zero_shot('Prices rose.', '{economy,sport}', 'tiny') AS z) AS n;
SELECT mobilebert.set_default_model('zero_shot', NULL);

-- descriptions stand in the template, by both kinds of models
SELECT rank, label, round(score::numeric, 3) AS score FROM mobilebert.zero_shot('The invoice is overdue.', '{A,B}', 'minilm', descriptions => '{a bill that somebody has to pay,animals and pets}');
SELECT model, array_agg(d.label ORDER BY d.rank) = array_agg(upper(left(l.label, 1)) ORDER BY l.rank) AND bool_and(d.score = l.score) AS same
FROM unnest('{minilm,nli}'::text[]) AS model, LATERAL mobilebert.zero_shot('Some text.', '{S,M,art}', model, '<{}>', descriptions => '{sport,music,NULL}') AS d
	JOIN LATERAL mobilebert.zero_shot('Some text.', '{sport,music,art}', model, '<{}>') AS l USING (rank)
WHERE d.label <> 'art' GROUP BY model ORDER BY model;
SELECT * FROM mobilebert.zero_shot('x', '{a,b}', 'minilm', descriptions => '{a}');
SELECT * FROM mobilebert.zero_shot('x', '{a,b}', 'nli', descriptions => '{}');
SELECT * FROM mobilebert.zero_shot('x', '{a,NULL}', 'minilm', descriptions => '{{a,b}}');
SELECT rank, label, score IS NULL AS none FROM mobilebert.zero_shot('b', '{a,NULL,b}', 'minilm', descriptions => '{first,second,b}');

-- NULL, empty, options
SELECT mobilebert.best_label(NULL, '{a}', 'minilm'), mobilebert.best_label('x', NULL, 'minilm'), mobilebert.best_label('x', '{NULL}', 'minilm');
SELECT count(*) FROM mobilebert.zero_shot(NULL, '{a}', 'minilm');
SELECT rank, label, score FROM mobilebert.zero_shot('x', '{NULL,NULL}', 'minilm');
SELECT mobilebert.best_label('', '{a}', 'minilm');
SELECT mobilebert.best_label('x', '{}', 'minilm');
SELECT mobilebert.best_label('x', '{a}', 'minilm', 'no place');
SELECT mobilebert.best_label('x', '{a}', 'minilm', '{} {}');
SELECT mobilebert.best_label('x', '{a}', 'minilm', max_length => 2);
SELECT z.score = mobilebert.cosine_similarity(mobilebert.embed('a b c', 'minilm'), mobilebert.embed('d', 'minilm')) AS cut FROM mobilebert.zero_shot('a b c d e f', '{d}', 'minilm', max_length => 5) AS z;
SELECT mobilebert.best_label('x', '{a}', 'minilm', overflow => 'cut');
SELECT mobilebert.best_label('x', '{a}', 'minilm', stride => 300);
SELECT mobilebert.best_label(repeat('a ', 300), '{a}', 'minilm', overflow => 'error');
SELECT mobilebert.best_label('x', ARRAY['a', repeat('a ', 300)], 'minilm', overflow => 'error');
SELECT count(mobilebert.best_label(repeat('a ', n), '{a,b}', 'minilm')) FROM generate_series(253, 256) AS n;
SELECT z.score = mobilebert.cosine_similarity(mobilebert.embed(repeat('a b ', 300), 'minilm', overflow => 'window', stride => 9), mobilebert.embed('c', 'minilm')) AS windows
FROM mobilebert.zero_shot(repeat('a b ', 300), '{c}', 'minilm', overflow => 'window', stride => 9) AS z;
-- of equal scores the later label comes first
SELECT array_agg(label ORDER BY rank) FROM mobilebert.zero_shot('Some text.', ARRAY['Music', 'music', 'MUSIC'], 'minilm');
SELECT count(*), count(DISTINCT label) FROM mobilebert.zero_shot('Some text.', (SELECT array_agg('label ' || i) FROM generate_series(1, 2000) AS i), 'tiny');

-- in a select list calls are batched; labels of all kinds, with and without the cache
CREATE TABLE letter (id int PRIMARY KEY, body text, kinds text[]);
INSERT INTO letter SELECT n, CASE WHEN n % 13 > 0 THEN 'letter ' || n % 40 || repeat(' with more', n % 5) END, ARRAY['a ' || n % 3, 'b', 'c ' || n % 2] FROM generate_series(1, 200) AS n;
EXPLAIN (COSTS OFF) SELECT id, mobilebert.best_label(body, '{post,music}', 'tiny') FROM letter;
CREATE FUNCTION labels(batching text, cache text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('mobilebert.enable_batching', batching, true), set_config('mobilebert.cache_size', cache, true);
	EXECUTE $q$SELECT string_agg(concat_ws(' ', a, b, c, d, e), ',' ORDER BY id) FROM (SELECT id,
		mobilebert.best_label(body, '{post,music}', 'tiny') AS a,
		mobilebert.best_label(body, '{post,music}', 'tiny', '<{}>', descriptions => '{by hand,NULL}') AS b,
		mobilebert.best_label(body, kinds, 'tiny') AS c,
		mobilebert.best_label(body, kinds, CASE id % 2 WHEN 0 THEN 'tiny' ELSE 'nli' END) AS d,
		mobilebert.best_label(body, '{post,music}', 'tiny', overflow => CASE id % 2 WHEN 0 THEN 'window' END) AS e FROM letter) AS s$q$ INTO result;
	RETURN result;
END $$;
SELECT labels('off', '0') AS alone \gset
SELECT length(:'alone') > 1000 AS long, batching, cache, labels(batching, cache) = :'alone' AS same FROM unnest('{off,on}'::text[]) AS batching, unnest('{0,4MB}'::text[]) AS cache ORDER BY 2, 3;
SELECT bool_and(l IS NOT DISTINCT FROM z.label) AS rows FROM (SELECT id, body, kinds, mobilebert.best_label(body, kinds, 'tiny') AS l FROM letter) AS s LEFT JOIN LATERAL mobilebert.zero_shot(body, kinds, 'tiny') AS z ON z.rank = 1;
-- stored
CREATE TABLE kept (id int, body text, kind text GENERATED ALWAYS AS (mobilebert.best_label(body, '{post,music}', 'tiny', descriptions => '{by hand,NULL}')) STORED);
INSERT INTO kept SELECT id, body FROM letter;
CREATE INDEX kept_kind ON kept (mobilebert.best_label(body, '{a,b,c}', 'tiny'));
SELECT bool_and(kind IS NOT DISTINCT FROM mobilebert.best_label(body, '{post,music}', 'tiny', descriptions => '{by hand,NULL}')) AS generated FROM kept;
SET enable_seqscan = off;
SELECT count(*) = (SELECT count(*) FROM letter WHERE mobilebert.best_label(body || '', '{a,b,c}', 'tiny') = 'a') AS indexed FROM kept WHERE mobilebert.best_label(body, '{a,b,c}', 'tiny') = 'a';
RESET enable_seqscan;
-- labels that change while an expression lives, and an error between
DO $$
DECLARE
	l text[];
	found text;
BEGIN
	FOREACH l SLICE 1 IN ARRAY '{{post,music},{music,post},{a,b},{post,music}}'::text[] LOOP
		found := mobilebert.best_label('A letter.', l, 'tiny');
		IF found <> (SELECT label FROM mobilebert.zero_shot('A letter.', l, 'tiny') WHERE rank = 1) THEN
			RAISE 'labels %', l;
		END IF;
		BEGIN
			found := mobilebert.best_label('', l, 'tiny');
		EXCEPTION WHEN invalid_parameter_value THEN
			NULL;
		END;
	END LOOP;
END $$;
-- a model that is exchanged within a transaction
BEGIN;
CREATE FUNCTION scored() RETURNS real LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT score FROM mobilebert.zero_shot('A letter.', '{post}', 'other')); END $$;
SELECT name FROM mobilebert.import_model('other', :'tiny');
SELECT scored() = score AS first FROM mobilebert.zero_shot('A letter.', '{post}', 'tiny');
SELECT mobilebert.drop_model('other');
SELECT name FROM mobilebert.import_model('other', :'nli');
SELECT scored() = score AS second FROM mobilebert.zero_shot('A letter.', '{post}', 'nli');
ROLLBACK;
-- rights
CREATE ROLE regress_labeller;
SELECT mobilebert.revoke_model('minilm', 'public');
SET ROLE regress_labeller;
SELECT mobilebert.best_label('x', '{a}', 'minilm');
SELECT mobilebert.best_label('x', '{a}');
RESET ROLE;
DROP ROLE regress_labeller;
DROP TABLE letter, kept;
DROP FUNCTION labels;
SELECT count(mobilebert.drop_model(name)) FROM mobilebert.models;
