--
-- fit, classification_report: from labelled rows to a classifier
--
\pset null '(null)'
-- figures of numbers are not the same on all processors
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT name FROM mobilebert.import_model('minilm');
CREATE TABLE ticket (id int PRIMARY KEY, body text, label text);
INSERT INTO ticket
SELECT row_number() OVER (ORDER BY k, n, v), format(t, (ARRAY['a lamp', 'two chairs', 'the blue shirt', 'my new phone', 'a garden table', 'some books', 'the kettle', 'a pair of shoes'])[n]), label
FROM (VALUES (1, 'billing', ARRAY['I was charged twice for %s.', 'Please send me the invoice for %s.', 'The price of %s on my bill is wrong.']),
	(2, 'delivery', ARRAY['Where is the parcel with %s?', 'The courier did not bring %s.', 'When will %s arrive at my house?']),
	(3, 'damage', ARRAY['I got %s and it is broken.', 'There is a crack in %s.', 'It stopped working after a day: %s.'])) AS v(k, label, templates),
	unnest(templates) WITH ORDINALITY AS u(t, v), generate_series(1, 8) AS n;
SELECT count(*) FROM ticket;

-- a classifier, and what it says of rows that it has not seen
SELECT name, labels, "rows", layer > 2 AS layer, accuracy, macro_f1, majority, weakest FROM mobilebert.create_classifier('triage', (SELECT mobilebert.fit(body, label, 'minilm') FROM ticket WHERE label IS NOT NULL));
SELECT mobilebert.label(t, 'triage') FROM unnest('{"My receipt has the wrong amount.",The postman never came.,The glass is cracked.}'::text[]) AS t;
SELECT name, labels, tasks, base FROM mobilebert.models WHERE name = 'triage';
SELECT label, round("precision"::numeric, 2) AS precision, round(recall::numeric, 2) AS recall, round(f1::numeric, 2) AS f1, support, predicted
FROM unnest((SELECT mobilebert.classification_report(label, mobilebert.label(body, 'triage')) FROM ticket));
CREATE TEMP TABLE fitted AS SELECT mobilebert.fit(body, label, 'minilm') AS c FROM ticket;
SELECT (c).base, (c).fingerprint = mobilebert.fingerprint('minilm') AS fingerprint, (c).problem_type, (c).layer BETWEEN 3 AND 6 AS layer, (c).pooling, (c).labels, array_dims((c).weights) AS weights, array_dims((c).bias) AS bias, (c).l2 > 0 AS l2, (c).class_weight, (c).folds, (c)."rows", (c).support, array_dims((c).f1) AS f1, (c).accuracy > 0.9 AS accuracy, (c).macro_f1 > 0.9 AS macro_f1, round((c).majority::numeric, 3) AS majority, (c).r2 FROM fitted;

-- the same rows, the same bits: in any order, in any passes, by any number of workers
SELECT mobilebert.fit(body, label, 'minilm' ORDER BY md5(body)) = c AS shuffled FROM ticket, fitted GROUP BY c;
SET mobilebert.batch_tokens = 7;
SELECT mobilebert.fit(body, label, 'minilm' ORDER BY id DESC) = c AS alone FROM ticket, fitted GROUP BY c;
RESET mobilebert.batch_tokens;
CREATE TABLE shared_ticket AS TABLE ticket;
ALTER TABLE shared_ticket SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT mobilebert.fit(body, label, 'minilm') FROM shared_ticket;
SELECT mobilebert.fit(body, label, 'minilm')::text = (SELECT c::text FROM fitted) AS parallel FROM shared_ticket;
SELECT mobilebert.fit(body, ARRAY[label, left(label, 1)], 'minilm')::text AS tags FROM shared_ticket \gset
SELECT mobilebert.fit(body, length(label)::float8, 'minilm', '{"layer": -1}')::text AS number FROM shared_ticket \gset
SET max_parallel_workers_per_gather = 0;
SELECT mobilebert.fit(body, ARRAY[left(label, 1), label], 'minilm')::text = :'tags' AS tags, mobilebert.fit(body, length(label)::float8, 'minilm', '{"layer": 6}')::text = :'number' AS number FROM shared_ticket;
RESET max_parallel_workers_per_gather;
SELECT mobilebert.classification_report(label, nullif(left(label, 6), 'damage'))::text AS report FROM shared_ticket \gset
EXPLAIN (COSTS OFF) SELECT mobilebert.classification_report(label, left(label, 6)) FROM shared_ticket;
SET max_parallel_workers_per_gather = 0;
SELECT mobilebert.classification_report(label, nullif(left(label, 6), 'damage') ORDER BY md5(body))::text = :'report' AS report FROM shared_ticket;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
-- rows with NULL take no part; groups; FILTER
SELECT mobilebert.fit(b, l, 'minilm') = c AS same FROM fitted, (SELECT body, label FROM ticket UNION ALL VALUES (NULL, 'x'), ('x', NULL), (NULL, NULL)) AS v(b, l) GROUP BY c;
SELECT half, (mobilebert.fit(body, label, 'minilm', '{"layer": 4}') FILTER (WHERE label <> 'damage')).labels FROM ticket, (VALUES (1), (2)) AS h(half) WHERE id % 2 = half - 1 GROUP BY half ORDER BY half;

-- the kinds of labels
CREATE TYPE mood AS ENUM ('good', 'bad');
SELECT (mobilebert.fit(body, label = 'damage', 'minilm', '{"layer": 4}')).labels AS boolean, (mobilebert.fit(body, (CASE WHEN label = 'damage' THEN 'bad' ELSE 'good' END)::mood, 'minilm', '{"layer": 4}')).labels AS enum FROM ticket;
SELECT name, labels FROM mobilebert.create_classifier('is_damage', (SELECT mobilebert.fit(body, label = 'damage', 'minilm') FROM ticket));
SELECT mobilebert.score('It fell and broke.', 'is_damage') > 0.5 AS broken, mobilebert.score('Who pays the bill?', 'is_damage') < 0.5 AS whole, mobilebert.label('It fell and broke.', 'is_damage');
SELECT name, labels, accuracy > 0.8 AS accuracy FROM mobilebert.create_classifier('tags', (SELECT mobilebert.fit(body, CASE WHEN label = 'billing' THEN '{}' WHEN body ~ 'book|shirt' THEN ARRAY[label, 'soft', 'soft'] ELSE ARRAY[label] END, 'minilm') FROM ticket));
SELECT label, score > 0.5 AS yes FROM mobilebert.classify('The book has a crack.', 'tags') ORDER BY label;
SELECT name, labels, "rows", accuracy, weakest FROM mobilebert.create_classifier('length', (SELECT mobilebert.fit(body, CASE label WHEN 'damage' THEN 10 WHEN 'billing' THEN 5 ELSE 0 END, 'minilm', '{"layer": -1}') FROM ticket));
SELECT mobilebert.score('There is a crack in the glass.', 'length') > 7 AS high, mobilebert.score('When does the parcel arrive?', 'length') < 3 AS low;
SELECT (mobilebert.fit(body, 1e9 + id, 'minilm')).r2 < 1 AS large FROM ticket;

-- options
SELECT (f).layer, (f).pooling, (f).l2, (f).class_weight, (f).folds FROM (SELECT mobilebert.fit(body, label, 'minilm', '{"layer": -3, "pooling": "cls,max", "l2": 0.5, "class_weight": "balanced", "folds": 3}') AS f FROM ticket) AS s;
SELECT mobilebert.fit(body, label, 'minilm', NULL) = c AS null_options, mobilebert.fit(body, label, 'minilm', '{"layer": null, "pooling": null, "l2": null, "class_weight": null, "folds": null}') = c AS nulls, mobilebert.fit(body, label, 'minilm', '{"pooling": "mean", "folds": 5}') = c AS defaults FROM ticket, fitted GROUP BY c;
-- what is fitted on is what is read later: a number with next to no penalty goes through all points, whatever the layer, pooling, precision and prompt
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
\set one_config :one '/config.json'
\set one_tokenizer :one '/tokenizer.json'
\set one_weights :one '/model.safetensors'
SELECT count(mobilebert.import_model(n, pg_read_file(:'one_config')::jsonb, pg_read_file(:'one_tokenizer'), pg_read_binary_file(:'one_weights'), sentence_transformers => jsonb_build_object(
	'modules', '[{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]'::jsonb,
	'pooling', jsonb_build_object('pooling_mode_mean_tokens', true, 'include_prompt', i),
	'config_sentence_transformers', '{"prompts": {"q": "query and more: "}, "default_prompt_name": "q"}'::jsonb)))
FROM (VALUES ('prompted', true), ('excluded', false)) AS v(n, i);
SELECT name FROM mobilebert.create_variant('minilm8', 'minilm', 'int8');
CREATE FUNCTION goes_through(model text, options jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	result boolean;
BEGIN
	PERFORM mobilebert.create_classifier('through', (SELECT mobilebert.fit(body || repeat(' and so on', id), id % 7, model, '{"l2": 1e-7}'::jsonb || options) FROM ticket WHERE id % 9 = 0 OR id = 71));
	SELECT bool_and(abs(mobilebert.score(body || repeat(' and so on', id), 'through') - id % 7) < 0.05) INTO result FROM ticket WHERE id % 9 = 0 OR id = 71;
	PERFORM mobilebert.drop_model('through');
	RETURN result;
END $$;
SET client_min_messages = error;
SELECT m, o FROM unnest('{minilm,minilm8,prompted,excluded}'::text[]) AS m, unnest(ARRAY['{}', '{"layer": 0}', '{"layer": 1}', '{"layer": -1}', '{"pooling": "cls", "layer": -1}', '{"pooling": "max", "layer": 1}', '{"pooling": "lasttoken,weightedmean"}', '{"pooling": "pooler"}']) AS o
WHERE NOT goes_through(m, o::jsonb);
SET client_min_messages = warning;
SELECT (mobilebert.fit(body, label, 'minilm', jsonb_build_object('layer', (c).layer, 'l2', (c).l2))).weights = (c).weights AS alone FROM ticket, fitted GROUP BY c;

CREATE FUNCTION tried(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM mobilebert.fit(body, label, 'minilm', options) FROM ticket;
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN sqlerrm || '; ' || detail || hint;
END $$;
SELECT o, tried(o::jsonb) FROM unnest(ARRAY['{"layers": 3}', '[]', '3', '{"layer": 7}', '{"layer": -8}', '{"layer": 1.5}', '{"layer": "last"}', '{"layer": 1e9}', '{"pooling": 1}', '{"pooling": "nothing"}', '{"layer": 2, "pooling": "pooler"}',
	'{"l2": 0}', '{"l2": -1}', '{"l2": "NaN"}', '{"class_weight": "heavy"}', '{"class_weight": true}', '{"folds": 1}', '{"folds": 21}', '{"folds": 2.5}']) AS o;
SELECT left(tried('{"folds": 1e400}'), 37) AS tried;
SELECT mobilebert.fit(body, id::float8, 'minilm', '{"class_weight": "balanced"}') FROM ticket;
SELECT mobilebert.fit(body, label, CASE WHEN id > 50 THEN 'triage' ELSE 'minilm' END) FROM ticket;
SELECT mobilebert.fit(body, label, 'minilm', CASE WHEN id > 50 THEN '{}'::jsonb END) FROM ticket;

-- what cannot be fitted
\set VERBOSITY default
SELECT mobilebert.fit(body, label, 'minilm') FROM ticket WHERE false;
SELECT mobilebert.fit(body, NULL::text, 'minilm') FROM ticket;
SELECT mobilebert.fit(body, 'same'::text, 'minilm') FROM ticket;
SELECT mobilebert.fit(body, '{}'::text[], 'minilm') FROM ticket;
SELECT mobilebert.fit(body, ARRAY[label, NULL], 'minilm') FROM ticket;
SELECT mobilebert.fit(body, ARRAY[[label]], 'minilm') FROM ticket;
SELECT mobilebert.fit(body, 'NaN'::float8, 'minilm') FROM ticket;
SELECT mobilebert.fit(body, '-Infinity'::float8, 'minilm') FROM ticket;
SELECT mobilebert.fit(body, id * 1e38, 'minilm', '{"layer": 6}') FROM ticket;
SELECT mobilebert.fit(body, id::float8, 'minilm', '{"layer": 6, "l2": 1e-300}') FROM ticket;
SELECT mobilebert.fit(body, ARRAY(SELECT n::text FROM generate_series(1, 65537) AS n), 'minilm') FROM ticket;
SELECT mobilebert.fit(body, label, NULL) FROM ticket;
SELECT mobilebert.fit(body, label, 'nowhere') FROM ticket;
SELECT mobilebert.fit(body, label, 'triage') FROM ticket;
SELECT (mobilebert.fit('x', label, 'minilm')).labels AS one_text FROM ticket;
SET mobilebert.memory_limit = '1MB';
SELECT mobilebert.fit(body || n, label, 'minilm') FROM ticket, generate_series(1, 3) AS n;
RESET mobilebert.memory_limit;

-- what is told beside it
\set VERBOSITY default
RESET client_min_messages;
SELECT (mobilebert.fit(body, CASE WHEN id % 2 = 0 THEN label WHEN id % 3 = 0 THEN ' ' || upper(label) ELSE label END, 'minilm', '{"layer": 4}')).labels FROM ticket;
SELECT (mobilebert.fit(body, CASE WHEN id = 1 THEN 'once' ELSE label END, 'minilm', '{"layer": 4}')).support FROM ticket;
SELECT (mobilebert.fit(body, label, 'minilm', '{"layer": 4}')).folds FROM ticket WHERE id IN (1, 30, 60);
SELECT (mobilebert.fit(body, CASE WHEN id % 8 = 0 THEN 'odd' ELSE 'other' END, 'minilm', '{"layer": 6}')).majority FROM ticket;
SET client_min_messages = error;
SELECT (mobilebert.fit(body, (id * 7919 % 13)::float8, 'minilm', '{"layer": 6}')).r2 < 0 AS bad FROM ticket;
RESET client_min_messages;

-- reports of any two columns
SELECT label, round("precision"::numeric, 4) AS precision, round(recall::numeric, 4) AS recall, round(f1::numeric, 4) AS f1, support, predicted
FROM unnest((SELECT mobilebert.classification_report(a, p) FROM (VALUES ('a', 'a'), ('a', 'b'), ('b', 'b'), ('b', NULL), ('c', 'a'), (NULL, 'a'), ('a', 'd')) AS v(a, p)));
SELECT mobilebert.classification_report(a, a) FROM (VALUES (NULL::text)) AS v(a);
-- a window asks for each of its rows, and nothing of that stays
SET mobilebert.memory_limit = '4MB';
SELECT count(*), max(array_length(r, 1)) FROM (SELECT mobilebert.classification_report((n % 100)::text, (n % 101)::text) OVER (ORDER BY n) AS r FROM generate_series(1, 3000) AS n) AS s;
RESET mobilebert.memory_limit;

DROP TABLE ticket, shared_ticket, fitted;
DROP TYPE mood;
DROP FUNCTION tried, goes_through;
SELECT count(mobilebert.drop_model(name)) FROM (SELECT name FROM mobilebert.models WHERE base IS NOT NULL ORDER BY name) AS s;
SELECT count(mobilebert.drop_model(n)) FROM unnest('{minilm,prompted,excluded}'::text[]) AS n;
