--
-- create_classifier, and what a classifier on frozen states is good for: label, classify, score, uncertainty
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set yesno :abs_srcdir '/test/golden/checkpoint/store-bf16'
\set nli :abs_srcdir '/test/golden/checkpoint/nli-3-entail-first'
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
SELECT array_agg((mobilebert.import_model(n, p)).name) AS models FROM (VALUES ('yesno', :'yesno'), ('nli', :'nli'), ('one', :'one')) AS v(n, p);
SELECT name FROM mobilebert.import_model('minilm');

-- A classifier by hand: its weights are vectors of words, so that it tells which of them a text is nearest to.
CREATE FUNCTION by_hand(words text[], layer int DEFAULT 6, model text DEFAULT 'minilm', problem text DEFAULT 'single_label_classification', pooling text DEFAULT 'mean', factor real DEFAULT 10) RETURNS mobilebert.classifier LANGUAGE sql AS $$
	SELECT ROW(model, mobilebert.fingerprint(model), problem, layer, ARRAY[pooling], words,
		(SELECT array_agg(ARRAY(SELECT factor * x FROM unnest(mobilebert.embed(w, model, pooling, true, layer)) WITH ORDINALITY AS u(x, i) ORDER BY i) ORDER BY n) FROM unnest(words) WITH ORDINALITY AS v(w, n)),
		(SELECT array_agg(n / 8.0 ORDER BY n) FROM unnest(words) WITH ORDINALITY AS v(w, n)),
		1, 'none', 5, 200, (SELECT array_agg(100 / n ORDER BY n) FROM unnest(words) WITH ORDINALITY AS v(w, n)), (SELECT array_agg(0.95 - n / 100.0 ORDER BY n) FROM unnest(words) WITH ORDINALITY AS v(w, n)), 0.914, 0.884, 0.37, NULL)::mobilebert.classifier $$;
SELECT * FROM mobilebert.create_classifier('topic', by_hand('{animal,food,money}'));
SELECT * FROM mobilebert.create_classifier('middle', by_hand('{animal,food,money}', 3));
SELECT name, tasks, labels, layers, base, precision, sha256 <> mobilebert.fingerprint('minilm') AS own FROM mobilebert.models WHERE base = 'minilm' ORDER BY name;
SELECT mobilebert.label(t, 'topic'), mobilebert.label(t, 'middle') AS middle FROM unnest('{a dog and a cat,bread with cheese,the bank gave us a loan}'::text[]) AS t;
SELECT rank, label, round(score::numeric, 2) AS score FROM mobilebert.classify('The bank gave us a loan.', 'topic');
-- as the default of classify it is none of zero_shot, which takes labels that it does not know
SELECT mobilebert.set_default_model('classify', 'topic'), mobilebert.set_default_model('embed', 'minilm');
SELECT mobilebert.default_model('classify') AS classify, mobilebert.default_model('zero_shot') AS zero_shot, mobilebert.label('The bank gave us a loan.'), mobilebert.best_label('The bank gave us a loan.', '{economy,sport}');
SELECT mobilebert.set_default_model('classify', NULL), mobilebert.set_default_model('embed', NULL);
SELECT c -> 'id2label' AS id2label, c -> 'label2id' AS label2id, c -> 'num_labels' AS num_labels, c -> 'problem_type' AS problem_type, c -> 'hidden_size' AS hidden_size, (c -> 'classifier') - 'fingerprint' AS classifier FROM mobilebert.model_config('topic') AS c;

-- what it computes, from what embed() gives
CREATE VIEW expected AS
SELECT c.name, t, l.n, exp(z.z) / sum(exp(z.z)) OVER (PARTITION BY c.name, t) AS score, w
FROM (VALUES ('topic', by_hand('{animal,food,money}'), 6), ('middle', by_hand('{animal,food,money}', 3), 3)) AS c(name, c, layer),
	unnest('{a dog and a cat,bread with cheese,the bank gave us a loan,"",x}'::text[]) AS t,
	unnest((c.c).labels) WITH ORDINALITY AS l(w, n),
	LATERAL (SELECT sum(x::float8 * (c.c).weights[l.n][i]) + (c.c).bias[l.n] AS z FROM unnest(mobilebert.embed(t, 'minilm', 'mean', true, layer)) WITH ORDINALITY AS v(x, i)) AS z;
SELECT count(*), bool_and(abs(e.score - c.score) < 1e-6) AS same FROM expected AS e, LATERAL mobilebert.classify(e.t, e.name) AS c WHERE c.label = e.w;

-- alone and packed, the same bits; only the layers that it needs
CREATE TABLE body (id int, body text);
INSERT INTO body SELECT n, CASE WHEN n % 17 > 0 THEN (ARRAY['the dog ', 'a loaf of bread ', 'some coins ', 'a letter '])[1 + n % 4] || n || repeat(' and so on', n % 9) END FROM generate_series(1, 150) AS n;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT mobilebert.label(body, 'topic'), mobilebert.classify(body, 'topic'), mobilebert.uncertainty(body, 'middle') FROM body;
SET mobilebert.cache_size = 0;
CREATE TABLE packed AS SELECT id, mobilebert.label(body, 'topic') AS label, mobilebert.uncertainty(body, 'topic') AS uncertainty, mobilebert.label(body, 'middle', min_score => 0.5) AS sure FROM body;
SET mobilebert.enable_batching = off;
SELECT count(*), bool_and(label IS NOT DISTINCT FROM mobilebert.label(body, 'topic')) AS label, bool_and(uncertainty IS NOT DISTINCT FROM mobilebert.uncertainty(body, 'topic')) AS uncertainty, bool_and(sure IS NOT DISTINCT FROM mobilebert.label(body, 'middle', min_score => 0.5)) AS sure FROM packed JOIN body USING (id);
RESET mobilebert.enable_batching;
RESET mobilebert.cache_size;
-- generated columns, indexes, default models
CREATE TABLE kept (body text, label text GENERATED ALWAYS AS (mobilebert.label(body, 'topic')) STORED, doubt real GENERATED ALWAYS AS (mobilebert.uncertainty(body, 'topic')) STORED);
INSERT INTO kept SELECT body FROM body WHERE id < 9;
CREATE INDEX ON kept (mobilebert.label(body, 'topic')) WHERE mobilebert.uncertainty(body, 'topic') < 0.5;
SELECT bool_and(label = mobilebert.label(body, 'topic')) AS label, bool_and(doubt = mobilebert.uncertainty(body, 'topic')) AS doubt FROM kept;
SET mobilebert.default_model = 'topic';
SELECT mobilebert.label('bread') AS label, mobilebert.uncertainty('bread') = mobilebert.uncertainty('bread', 'topic') AS uncertainty, mobilebert.embed('bread') = mobilebert.embed('bread', 'minilm') AS embed;
RESET mobilebert.default_model;

-- min_score, uncertainty
SELECT mobilebert.label(t, 'topic', min_score => m) FROM (VALUES ('bread', NULL::real), ('bread', 0), ('bread', 0.3), ('bread', 1.1), ('bread', 'NaN'), (NULL, 0)) AS v(t, m);
SELECT mobilebert.label('x', 'yesno', min_score => 0) = mobilebert.label('x', 'yesno') AS low, mobilebert.label('x', 'yesno', min_score => 1) AS high;
SELECT m, bool_and(mobilebert.uncertainty(t, m)::real = (SELECT 1 - (max(score) - min(score)) FROM (SELECT score FROM mobilebert.classify(t, m) LIMIT 2) AS best)::real) AS two_best
FROM unnest('{a,Prices rose again last month.,""}'::text[]) AS t, unnest('{topic,yesno,nli}'::text[]) AS m GROUP BY m ORDER BY m;
SELECT name FROM mobilebert.create_classifier('tags', by_hand('{animal,food,money}', problem => 'multi_label_classification'));
SELECT mobilebert.uncertainty(t, 'tags') = (SELECT max((1 - abs(2 * score - 1::real))::real) FROM mobilebert.classify(t, 'tags')) AS least_sure, mobilebert.uncertainty(t, 'one') = (1 - abs(2 * mobilebert.score(t, 'one') - 1::real))::real AS one FROM unnest('{bread,x}'::text[]) AS t;
SELECT sum(score) > 1.2 AS each_alone FROM mobilebert.classify('Bread for a dog, and money.', 'tags');
SELECT mobilebert.uncertainty(NULL, 'topic') AS null, mobilebert.label(NULL::text, 'topic') AS none;
SELECT mobilebert.uncertainty('x', 'minilm');

-- one score: of a number, and of two classes
SELECT name FROM mobilebert.create_classifier('price', by_hand('{money}', problem => 'regression', factor => 1));
SELECT abs(mobilebert.score('bread', 'price') - (mobilebert.cosine_similarity(mobilebert.embed('bread', 'minilm'), mobilebert.embed('money', 'minilm')) + 0.125)) < 1e-5 AS number;
SELECT mobilebert.uncertainty('bread', 'price');
SELECT name FROM mobilebert.create_classifier('spam', by_hand('{ham,spam}'));
SELECT mobilebert.score(t, 'spam') = (SELECT score FROM mobilebert.classify(t, 'spam') WHERE label = 'spam') AS second FROM unnest('{ham,spam,x}'::text[]) AS t;
SELECT mobilebert.score('x', 'topic');
SELECT mobilebert.score('x', 'tags');

-- stored vectors, when the head reads just those
SELECT count(*), bool_and(mobilebert.label(mobilebert.embed(body, 'minilm'), 'topic') = mobilebert.label(body, 'topic')) AS label, bool_and(mobilebert.label(array(SELECT 7 * x FROM unnest(mobilebert.embed(body, 'minilm')) WITH ORDINALITY AS u(x, i) ORDER BY i)::real[], 'topic', 0) = mobilebert.label(body, 'topic')) AS longer FROM body WHERE id <= 40 AND body IS NOT NULL;
SELECT bool_and(v.label = t.label AND abs(v.score - t.score) < 1e-6) AS same FROM mobilebert.classify(mobilebert.embed('bread', 'minilm'), 'topic') AS v JOIN mobilebert.classify('bread', 'topic') AS t USING (rank);
SELECT rank, label FROM mobilebert.classify(mobilebert.embed('bread', 'minilm'), 'topic', top_k => 1, function_to_apply => 'none');
SELECT mobilebert.label(mobilebert.embed('bread', 'minilm'), 'topic', min_score => 1.5) AS unsure, mobilebert.label(NULL::real[], 'topic') AS null;
SELECT mobilebert.label(mobilebert.embed('bread', 'minilm'), 'middle');
SELECT mobilebert.label(mobilebert.embed('bread', 'minilm'), 'yesno');
SELECT mobilebert.label('{1,2}'::real[], 'topic');
SELECT mobilebert.label(array_fill(NULL::real, '{384}'), 'topic');
SELECT mobilebert.label(array_fill('NaN'::real, '{384}'), 'topic');
SELECT mobilebert.classify('{{1},{2}}'::real[], 'topic');
SELECT name FROM mobilebert.create_classifier('cls', by_hand('{a,b}', pooling => 'cls'));
SELECT mobilebert.label(mobilebert.embed('bread', 'minilm'), 'cls');
SELECT mobilebert.label('bread', 'cls') IS NOT NULL AS text;

-- options of calls
SELECT mobilebert.label('bread', 'topic', pair => 'cheese');
SELECT mobilebert.label('bread', 'topic', pair => '') AS no_pair, mobilebert.label(repeat('bread ', 900), 'topic', overflow => 'window', stride => 9) AS windows, mobilebert.label('bread and more bread', 'topic', max_length => 3) AS cut;
SELECT mobilebert.label(repeat('bread ', 900), 'topic', overflow => 'error');
SELECT label, round(score::numeric, 2) AS score FROM mobilebert.classify('bread', 'topic', function_to_apply => 'sigmoid', top_k => 2);

-- what a head on frozen states is not
SELECT mobilebert.best_label('x', '{a,b}', 'topic');
SELECT mobilebert.loss('x', 'topic', 'food');
SELECT mobilebert.logits('x', 'topic', head => 'classify');
SELECT mobilebert.entities('x', 'topic');

-- variants, other precisions, heads on a model that has one itself
SELECT name FROM mobilebert.create_variant('minilm8', 'minilm', 'int8');
SELECT name FROM mobilebert.create_classifier('topic8', by_hand('{animal,food,money}', model => 'minilm8'));
SELECT name, base FROM mobilebert.create_variant('topic_int8', 'topic', 'int8');
SELECT mobilebert.label(t, 'topic8') AS on_variant, mobilebert.label(t, 'topic_int8') AS variant, round(mobilebert.uncertainty(t, 'topic8')::numeric, 1) = round(mobilebert.uncertainty(t, 'topic')::numeric, 1) AS near FROM unnest('{a dog and a cat,the bank gave us a loan}'::text[]) AS t;
SELECT mobilebert.fingerprint('topic8') <> mobilebert.fingerprint('topic_int8') AS differ;
SELECT name FROM mobilebert.create_classifier('over', by_hand('{ja,nein,vielleicht}', 1, 'yesno'));
SELECT name, tasks, labels, base FROM mobilebert.models WHERE name = 'over';
SELECT mobilebert.label('x', 'over') = ANY ('{ja,nein,vielleicht}') AS own, count(*) FROM mobilebert.classify('x', 'over');
SELECT mobilebert.loss('x', 'over', 'yes');

-- the base by its fingerprint, whatever it is called
SELECT mobilebert.rename_model('minilm', 'renamed');
SELECT name FROM mobilebert.create_classifier('later', (SELECT ROW('minilm', mobilebert.fingerprint('renamed'), (c).problem_type, (c).layer, (c).pooling, (c).labels, (c).weights, (c).bias, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::mobilebert.classifier FROM (SELECT by_hand('{a,b}', model => 'renamed') AS c) AS s));
SELECT base FROM mobilebert.models WHERE name = 'later';
SELECT mobilebert.rename_model('renamed', 'minilm');
SELECT mobilebert.create_classifier('none', (SELECT ROW('minilm', repeat('0', 64), (c).problem_type, (c).layer, (c).pooling, (c).labels, (c).weights, (c).bias, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::mobilebert.classifier FROM (SELECT by_hand('{a,b}') AS c) AS s));
SELECT mobilebert.create_classifier('topic', by_hand('{a,b}'));
SELECT mobilebert.create_classifier(NULL, by_hand('{a,b}'));
SELECT mobilebert.create_classifier('none', NULL);

-- values that nobody fitted
CREATE FUNCTION spoilt(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c mobilebert.classifier := by_hand('{a,b}');
BEGIN
	c := CASE split_part(what, ' ', 1)
		WHEN 'null' THEN jsonb_populate_record(c, jsonb_build_object(split_part(what, ' ', 2), NULL))
		ELSE jsonb_populate_record(c, jsonb_build_object(split_part(what, ' ', 1), substr(what, strpos(what, ' ') + 1)::jsonb)) END;
	PERFORM mobilebert.create_classifier('spoilt', c);
	PERFORM mobilebert.label('x', 'spoilt');
	PERFORM mobilebert.drop_model('spoilt');
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT what, spoilt(what) FROM unnest(ARRAY['null base', 'null fingerprint', 'null problem_type', 'null layer', 'null pooling', 'null labels', 'null weights', 'null bias', 'null l2', 'null accuracy',
	'problem_type "none"', 'problem_type "regression"', 'layer 7', 'layer -1', 'layer 2147483647', 'pooling []', 'pooling ["nothing"]', 'pooling ["mean", "cls"]', 'pooling ["pooler"]', 'pooling [null]', 'pooling [["mean"]]',
	'labels ["a"]', 'labels ["a", "a"]', 'labels ["a", "b", "c"]', 'labels ["a", null]', 'labels []', 'labels ["", "\u00e9\"\\"]',
	'weights [[1, 2], [3, 4]]', 'weights [1, 2]', 'weights []', 'weights [[[1]]]', 'bias [1]', 'bias [1, 2, 3]', 'bias ["NaN", 1]', 'bias [1, "Infinity"]', 'bias [null, 1]',
	'l2 "NaN"', 'accuracy "Infinity"', 'f1 [1]', 'f1 [1, "NaN"]', 'support [1, 2, 3]', 'support [1, null]', 'class_weight "x\"y"']) AS what;
SELECT mobilebert.create_classifier('nan', (SELECT ROW((c).base, (c).fingerprint, (c).problem_type, (c).layer, (c).pooling, (c).labels, array_fill('NaN'::real, '{2,384}'), (c).bias, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::mobilebert.classifier FROM (SELECT by_hand('{a,b}') AS c) AS s));

-- rights: those of the classifier and those of all under it, at each use
CREATE ROLE regress_reader;
SET ROLE regress_reader;
SELECT mobilebert.create_classifier('mine', by_hand('{a,b}'));
SELECT mobilebert.label('bread', 'topic');
RESET ROLE;
SELECT mobilebert.grant_model('topic', 'regress_reader');
SET ROLE regress_reader;
SELECT mobilebert.label('bread', 'topic');
RESET ROLE;
SELECT mobilebert.revoke_model('minilm', 'public');
SET ROLE regress_reader;
SELECT mobilebert.label('bread', 'topic');
SELECT mobilebert.label('{1}'::real[], 'topic');
SELECT count(*) FROM mobilebert.models WHERE name = 'topic';
RESET ROLE;
SELECT mobilebert.grant_model('minilm', 'regress_reader');
SET ROLE regress_reader;
SELECT mobilebert.label('bread', 'topic');
SELECT mobilebert.drop_model('topic');
RESET ROLE;
SELECT mobilebert.grant_model('minilm', 'public');

-- the base is dropped: the same owner's classifiers go on
SELECT name FROM mobilebert.import_model('second', :'one');
SELECT name FROM mobilebert.create_classifier('left', by_hand('{a,b}', 1, 'second'));
SELECT mobilebert.label('x', 'left') AS before \gset
SELECT mobilebert.drop_model('second');
SELECT mobilebert.label('x', 'left') = :'before' AS same;
SELECT mobilebert.rename_model('left', 'right');
SELECT mobilebert.label('x', 'right') = :'before' AS renamed;
SELECT mobilebert.drop_model('right');

DROP TABLE body, packed, kept;
DROP VIEW expected;
DROP FUNCTION by_hand, spoilt;
DROP ROLE regress_reader;
SELECT count(mobilebert.drop_model(name)) FROM (SELECT name FROM mobilebert.models WHERE base IS NOT NULL ORDER BY name) AS s;
SELECT count(mobilebert.drop_model(n)) FROM unnest('{minilm,yesno,nli,one}'::text[]) AS n;
