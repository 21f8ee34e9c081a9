--
-- classify, label, score, zero_shot, best_label
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set yesno :abs_srcdir '/test/golden/checkpoint/store-bf16'
\set nli :abs_srcdir '/test/golden/checkpoint/nli-3-entail-first'
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'

-- without a model, with one of another kind
SELECT mobilebert.label('x');
SELECT name, labels FROM mobilebert.import_model('minilm');
SELECT mobilebert.label('x', 'minilm');
SELECT name, tasks, labels, max_tokens FROM mobilebert.import_model('yesno', :'yesno');
SELECT name, tasks, labels, max_tokens FROM mobilebert.import_model('nli', :'nli');
SELECT name, tasks, labels, max_tokens FROM mobilebert.import_model('one', :'one');
SELECT mobilebert.label('x', 'minilm');
SELECT mobilebert.set_default_model('classify', 'yesno');

-- what transformers 4.57.6 gives
SELECT rank, label, round(score::numeric, 4) AS score FROM mobilebert.classify('I have never been so disappointed by a film.', 'yesno');
SELECT rank, label, round(score::numeric, 4) AS score FROM mobilebert.classify('A dull, slow and badly acted mess.', 'nli');
SELECT rank, label, round(score::numeric, 4) AS score FROM mobilebert.classify('A dull, slow and badly acted mess.', 'nli', pair => 'It was bad.');
SELECT round(mobilebert.score('A dull, slow and badly acted mess.', 'one')::numeric, 4) AS score;
SELECT rank, label, round(score::numeric, 4) AS score FROM mobilebert.zero_shot('Prices rose again last month.', '{economy,sport,music}', 'nli');
SELECT rank, label, round(score::numeric, 4) AS score FROM mobilebert.zero_shot('Prices rose again last month.', '{economy,sport,music}', 'nli', 'The topic is {}.', true);

-- both forms, and the values of one call
SELECT mobilebert.classify(t) = mobilebert.classify(t, 'yesno') AS named,
	mobilebert.label(t) = (SELECT label FROM mobilebert.classify(t) WHERE rank = 1) AS label,
	mobilebert.best_label(t || 'x', '{a,b,c}', 'nli') = (SELECT label FROM mobilebert.zero_shot(t || 'x', '{a,b,c}', 'nli') WHERE rank = 1) AS best
FROM unnest(ARRAY['', '   ', 'Some text.', '✈✈✈', '[MASK][MASK]']) AS t;
SELECT mobilebert.score('Some text.', 'one') = score AS score, rank, label FROM mobilebert.classify('Some text.', 'one');
SELECT z = n AS named, z FROM (SELECT array_agg(label ORDER BY rank) AS z FROM mobilebert.zero_shot('Some text.', '{a,b,c}')) AS d,
	(SELECT array_agg(label ORDER BY rank) AS n FROM mobilebert.zero_shot('Some text.', '{a,b,c}', 'yesno')) AS m;
SELECT mobilebert.best_label('Some text.', '{a,b,c}') = mobilebert.best_label('Some text.', '{a,b,c}', 'yesno') AS named;
SET mobilebert.default_model = 'nli';
SELECT mobilebert.label('Some text.') = mobilebert.label('Some text.', 'nli') AS setting;
RESET mobilebert.default_model;

-- options
SELECT count(*), max(rank) FROM mobilebert.classify('x', 'nli', top_k => 2);
SELECT count(*), max(rank) FROM mobilebert.classify('x', 'nli', top_k => 99);
SELECT mobilebert.classify('x', 'nli', top_k => 0);
SELECT abs(sum(score) - 1) < 1e-6 AS softmax FROM mobilebert.classify('x', 'nli');
SELECT bool_and(abs(s.score - 1 / (1 + exp(-l.score::float8))) < 1e-6) AS sigmoid
FROM mobilebert.classify('x', 'nli', function_to_apply => 'Sigmoid') AS s JOIN mobilebert.classify('x', 'nli', function_to_apply => 'NONE') AS l USING (label);
SELECT bool_and(c.score = l.logits[CASE c.label WHEN 'ENTAILMENT' THEN 1 WHEN 'neutral' THEN 2 ELSE 3 END]) AS logits
FROM mobilebert.classify('x', 'nli', function_to_apply => 'none') AS c, mobilebert.logits('x', 'nli', head => 'classify') AS l;
SELECT abs(mobilebert.score('x', 'one') - 1 / (1 + exp(-mobilebert.score('x', 'one', function_to_apply => 'none')::float8))) < 1e-6 AS sigmoid;
SELECT mobilebert.classify('x', 'nli', function_to_apply => 'default');
SELECT mobilebert.classify('x', 'nli', overflow => 'cut');
SELECT mobilebert.classify('x', 'nli', max_length => 2);
SELECT mobilebert.classify('x', 'nli', stride => 126);
SELECT mobilebert.classify('x', NULL);
SELECT mobilebert.score('x', 'nli');
-- an empty second text is none
SELECT mobilebert.classify('x', 'yesno', pair => '') = mobilebert.classify('x', 'yesno') AS same,
	mobilebert.classify('x', 'yesno', pair => ' ') = mobilebert.classify('x', 'yesno') AS blank;
-- padding shows through the last token's neighbour, unless there is none
SELECT padding, (SELECT score FROM mobilebert.classify('a b c', 'nli', top_k => 1, padding => padding, max_length => n))
	= (SELECT score FROM mobilebert.classify('a b c', 'nli', top_k => 1)) AS same
FROM (VALUES (true, 40), (true, 5), (false, 40)) AS v(padding, n);
-- all options NULL
SELECT mobilebert.classify('Some text.', 'nli', NULL, NULL, NULL, NULL, NULL, NULL, NULL) = mobilebert.classify('Some text.', 'nli') AS same;
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', NULL, NULL, NULL, NULL, NULL) = mobilebert.zero_shot('Some text.', '{a,b}', 'nli') AS same;

-- NULL
SELECT count(*) FROM mobilebert.classify(NULL);
SELECT count(*) FROM mobilebert.classify(NULL, 'nli');
SELECT mobilebert.label(NULL), mobilebert.label(NULL, 'no such model'), mobilebert.score(NULL), mobilebert.best_label(NULL, '{a}'), mobilebert.best_label('a', NULL);
SELECT count(*) FROM mobilebert.zero_shot(NULL, '{a}');
SELECT count(*) FROM mobilebert.zero_shot('a', NULL, 'nli');
-- a NULL label takes no part: the others' scores are those without it
SELECT rank, label, score = (SELECT score FROM mobilebert.zero_shot('Some text.', '{sport,music}', 'nli') AS w WHERE w.label = z.label) AS same
FROM mobilebert.zero_shot('Some text.', '{sport,NULL,music,NULL}', 'nli') AS z;
SELECT * FROM mobilebert.zero_shot('Some text.', '{NULL,NULL}', 'nli');
SELECT mobilebert.best_label('Some text.', '{NULL}', 'nli');

-- zero-shot: what is refused
SELECT mobilebert.zero_shot('Some text.', '{}', 'nli');
SELECT mobilebert.zero_shot('', '{a,b}', 'nli');
SELECT mobilebert.zero_shot('Some text.', '{{a,b},{c,d}}', 'nli');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', 'no place holder');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', '');
SELECT mobilebert.zero_shot('Some text.', ARRAY['{}', 'b'], 'nli', '{}');
SELECT t AS template, (SELECT count(*) FROM mobilebert.zero_shot('Some text.', '{a,b}', 'nli', t)) AS rows
FROM unnest(ARRAY['{}', '{0}', '{0} and {0}', 'Is it {0}? {{yes}}', '{{no place holder}}']) AS t;
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', '{} {}');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', '{name}');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', '{');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', 'example}');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', '{!r}');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', repeat('x', 1024 * 1024) || '{}');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', 'nli', overflow => 'none');
SELECT mobilebert.zero_shot('Some text.', '{a,b}', NULL);

-- one label, several alone, equal labels, empty and blank ones
SELECT mobilebert.zero_shot('Some text.', '{a}', 'nli') = mobilebert.zero_shot('Some text.', '{a}', 'nli', multi_label => true) AS alone;
SELECT bool_and(z.score = o.score) AS alone
FROM mobilebert.zero_shot('Some text.', '{sport,music,art}', 'nli', multi_label => true) AS z, LATERAL mobilebert.zero_shot('Some text.', ARRAY[z.label], 'nli') AS o;
SELECT abs(sum(score) - 1) < 1e-6 AS together FROM mobilebert.zero_shot('Some text.', '{sport,music,art}', 'nli');
SELECT label, count(*), count(DISTINCT score) FROM mobilebert.zero_shot('Some text.', '{a,b,a,"",B,"  "}', 'nli') GROUP BY label ORDER BY count(*) DESC, label COLLATE "C";
-- of equal scores the later label comes first
SELECT array_agg(label ORDER BY rank) FROM mobilebert.zero_shot('Some text.', ARRAY['Music', 'music', 'MUSIC'], 'nli');
-- in passes of any size the same bits
CREATE TEMP TABLE labels AS SELECT array_agg('label ' || i || repeat(' a', i % 7)) AS l FROM generate_series(1, 100) AS i;
CREATE TEMP TABLE whole AS SELECT z.* FROM labels, mobilebert.zero_shot('Some text, not long.', l, 'nli') AS z;
SELECT tokens, count(*) AS labels, count(*) FILTER (WHERE z = w) AS same_bits
FROM (VALUES (1), (50), (100000)) AS b(tokens), labels,
	LATERAL (SELECT set_config('mobilebert.batch_tokens', b.tokens::text, false)) AS s,
	LATERAL mobilebert.zero_shot('Some text, not long.', l, 'nli') AS z JOIN whole AS w USING (rank)
WHERE set_config IS NOT NULL GROUP BY tokens ORDER BY tokens;
RESET mobilebert.batch_tokens;
-- ten thousand labels
SELECT count(*), count(DISTINCT label), abs(sum(score::float8) - 1) < 1e-5 AS together
FROM mobilebert.zero_shot('Some text.', (SELECT array_agg('label ' || i) FROM generate_series(1, 10000) AS i), 'yesno');

-- a classifier that does not know entailment: a warning, once a statement
SELECT count(mobilebert.best_label('text ' || i, '{a,b}', 'yesno')) FROM generate_series(1, 5) AS i;
SELECT count(*) FROM generate_series(1, 5) AS i, LATERAL mobilebert.zero_shot('text ' || i, '{a,b}', 'yesno');

-- too long for the positions: cut with one warning a statement, refused, or windows
SELECT count(mobilebert.label(repeat('a ', n))) FROM generate_series(125, 130) AS n;
SELECT mobilebert.label(repeat('a ', 126), 'yesno', overflow => 'error') IS NOT NULL AS fits;
SELECT mobilebert.label(repeat('a ', 127), 'yesno', overflow => 'error');
SELECT mobilebert.label(repeat('a ', 100), 'yesno', pair => repeat('b ', 26), overflow => 'error');
SELECT mobilebert.classify(repeat('a ', 127), 'yesno') = mobilebert.classify(repeat('a ', 126), 'yesno') AS cut;
SELECT mobilebert.classify(repeat('a ', 100), 'yesno', pair => repeat('b ', 100)) = mobilebert.classify(repeat('a ', 62), 'yesno', pair => repeat('b ', 63)) AS longest_first;
SELECT mobilebert.label(repeat('a ', 127), 'yesno', pair => repeat('b ', 125), overflow => 'window');
-- two windows of a pair weigh as much as they have of the first text
WITH w AS (SELECT label, max(score) FILTER (WHERE n = 127) AS whole, max(score) FILTER (WHERE n = 122) AS one, max(score) FILTER (WHERE n = 5) AS two
	FROM (VALUES (127), (122), (5)) AS v (n), LATERAL mobilebert.classify(repeat('a ', n), 'yesno', pair => 'b b b', overflow => 'window') GROUP BY label)
SELECT count(*) AS labels, bool_and(abs(whole - (123 * one + 7 * two) / 130) < 1e-6) AS weighted FROM w;
SELECT length(repeat('a ', 200000)), mobilebert.label(repeat('a ', 200000));
SELECT mobilebert.score(repeat('a ', 20000), 'one', overflow => 'window') BETWEEN 0 AND 1 AS windows;
SELECT mobilebert.label(repeat('x', 1000000));
SELECT mobilebert.label(repeat(' ', 1000000)) = mobilebert.label('') AS blank;
-- the tokenizer's model_max_length (40 for nli) is for zero-shot alone, as in the pipelines
SELECT mobilebert.label(repeat('a ', 100), 'nli', overflow => 'error') IS NOT NULL AS fits;
SELECT mobilebert.classify(repeat('a ', 100), 'nli', max_length => 40) = mobilebert.classify(repeat('a ', 38), 'nli') AS cut;
-- windows: the mean of scores, weighted by tokens: 11, 10 and 6
CREATE TEMP TABLE words AS SELECT 'a b c d e f g h i j '::text AS a, 'k l m n o p q r s t '::text AS b, 'u v w x y'::text AS c;
SELECT mobilebert.count_tokens(a || b || c, 'nli') AS tokens, max(abs(w.score - (11 * x.score + 10 * y.score + 6 * z.score) / 27)) < 1e-6 AS mean
FROM words, mobilebert.classify(a || b || c, 'nli', overflow => 'window', max_length => 12) AS w
	JOIN mobilebert.classify((SELECT a FROM words), 'nli') AS x USING (label)
	JOIN mobilebert.classify((SELECT b FROM words), 'nli') AS y USING (label)
	JOIN mobilebert.classify((SELECT c FROM words), 'nli') AS z USING (label)
GROUP BY 1;
SELECT stride, count(*), abs(sum(score) - 1) < 1e-6 AS together
FROM (VALUES (0), (5), (9)) AS v(stride), words, mobilebert.classify(a || b || c, 'nli', overflow => 'window', max_length => 12, stride => stride) GROUP BY stride ORDER BY stride;

-- zero-shot: the text alone is cut, for each hypothesis as far as it needs
SELECT bool_and(z.score = s.score) AS cut
FROM mobilebert.zero_shot(repeat('a ', 60), '{b,c}', 'nli', '{}', true) AS z
	JOIN mobilebert.zero_shot(repeat('a ', 36), '{b,c}', 'nli', '{}', true) AS s USING (label);
SELECT mobilebert.zero_shot(repeat('a ', 60), '{sport,music}', 'nli', overflow => 'error');
-- where no cut makes room the pair stays whole, as far as the positions go
SELECT mobilebert.zero_shot('Some text.', ARRAY[repeat('a ', 60)], 'nli', '{}') = mobilebert.zero_shot('Some text.', ARRAY[repeat('a ', 60)], 'nli', '{}', max_length => 100) AS whole;
SELECT mobilebert.zero_shot('Some text.', ARRAY['a', repeat('a ', 130)], 'nli', '{}');
SELECT mobilebert.zero_shot('Some text.', ARRAY['a', repeat('a ', 60)], 'nli', '{}', overflow => 'window');
-- a limit that just holds the template empties both texts, in transformers too
SELECT label, round(score::numeric, 4) AS score FROM mobilebert.zero_shot('Some text here that is longer.', '{economy,sport}', 'nli', multi_label => true, max_length => 3);
SELECT label, round(score::numeric, 4) AS score FROM mobilebert.zero_shot('Some text here that is longer.', '{economy,sport}', 'nli', multi_label => true, max_length => 10);
-- windows, which all labels share: text and template weigh 11 and 12, whatever the label
SELECT bool_and(abs(w.score - (11 * x.score + 12 * y.score) / 23) < 1e-6) AS mean
FROM words, mobilebert.zero_shot(a || b, '{b,c}', 'nli', '{}', max_length => 14, overflow => 'window') AS w
	JOIN mobilebert.zero_shot((SELECT a FROM words), '{b,c}', 'nli', '{}') AS x USING (label)
	JOIN mobilebert.zero_shot((SELECT b FROM words), '{b,c}', 'nli', '{}') AS y USING (label);

SELECT bool_and(x.score = y.score) AS in_any_order
FROM words, mobilebert.zero_shot(a || b, '{b,c d e f,g h}', 'nli', '{}', true, max_length => 16, overflow => 'window') AS x
	JOIN mobilebert.zero_shot((SELECT a || b FROM words), '{c d e f,g h,b}', 'nli', '{}', true, max_length => 16, overflow => 'window') AS y USING (label);
-- the sentences of all labels are held at once
SET mobilebert.memory_limit = '1MB';
SELECT mobilebert.best_label('x', array_fill('a'::text, ARRAY[100]), 'nli', repeat('a ', 10000) || '{}');
RESET mobilebert.memory_limit;

-- usable everywhere a value or rows are
CREATE TABLE review (id int PRIMARY KEY, body text, verdict text GENERATED ALWAYS AS (mobilebert.label(body, 'yesno')) STORED);
INSERT INTO review VALUES (1, 'I have never been so disappointed by a film.'), (2, 'An absolute joy from start to finish!'), (3, NULL);
SELECT id, verdict = mobilebert.label(body) AS same FROM review ORDER BY id;
SELECT id, c.rank, c.label FROM review, LATERAL mobilebert.classify(body, 'nli', top_k => 1) AS c ORDER BY id;
CREATE TABLE verdicts AS SELECT id, z.* FROM review, LATERAL mobilebert.zero_shot(body, '{film,sport}', 'nli') AS z;
SELECT id, count(*) FROM verdicts GROUP BY id ORDER BY id;
CREATE INDEX ON review (mobilebert.score(body, 'one'));
CREATE FUNCTION set_topic() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.topic := mobilebert.best_label(NEW.body, '{film,sport}', 'nli');
	RETURN NEW;
END $$;
ALTER TABLE review ADD topic text;
CREATE TRIGGER set_topic BEFORE INSERT OR UPDATE ON review FOR EACH ROW EXECUTE FUNCTION set_topic();
UPDATE review SET id = id;
SELECT id, topic = (SELECT label FROM verdicts WHERE verdicts.id = review.id AND rank = 1) AS same FROM review ORDER BY id;
-- with row security, as somebody who may read one row
CREATE ROLE regress_reader;
GRANT SELECT ON review TO regress_reader;
ALTER TABLE review ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_row ON review USING (id = 2);
SET ROLE regress_reader;
SELECT id, mobilebert.label(body, 'yesno') = verdict AS same FROM review;
RESET ROLE;
SELECT mobilebert.revoke_model('yesno', 'public');
SET ROLE regress_reader;
SELECT mobilebert.label(body, 'yesno') FROM review;
RESET ROLE;
DROP TABLE review, verdicts;
DROP FUNCTION set_topic();
DROP ROLE regress_reader;

-- configurations: what they say of the outputs decides
CREATE FUNCTION variant(new_name text, changes jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (mobilebert.import_model(new_name, convert_from(c.content, 'UTF8')::jsonb || changes, convert_from(t.content, 'UTF8'),
		pg_read_binary_file(current_setting('test.path') || '/model.safetensors'))).name
	FROM mobilebert.model AS m JOIN mobilebert.model_file AS c ON c.model_id = m.id AND c.file_name = 'config.json'
		JOIN mobilebert.model_file AS t ON t.model_id = m.id AND t.file_name = 'tokenizer.json'
	WHERE m.name = 'nli' $$;
SELECT set_config('test.path', :'nli', false) <> '' AS set;
SELECT variant('multi', '{"problem_type": "multi_label_classification"}');
SELECT mobilebert.classify('x', 'multi') = mobilebert.classify('x', 'nli', function_to_apply => 'sigmoid') AS sigmoid;
SELECT variant('regression', '{"problem_type": "regression"}');
SELECT mobilebert.classify('x', 'regression') = mobilebert.classify('x', 'nli', function_to_apply => 'none') AS logits;
SELECT variant('task', '{"problem_type": "regression", "task_specific_params": {"text-classification": {"problem_type": "single_label_classification", "id2label": {"0": "A", "1": "B", "2": "C"}}, "summarization": {"num_beams": 4}}}');
SELECT array_agg(label ORDER BY label), bool_and(score BETWEEN 0 AND 1) AS softmax FROM mobilebert.classify('x', 'task');
SELECT variant('digits', '{"id2label": {"2": "2", "0": "0", "1": "1"}, "label2id": {"0": 0, "1": 1, "2": 2}}');
SELECT labels FROM mobilebert.models WHERE name = 'digits';
SELECT array_agg(label ORDER BY label) FROM mobilebert.classify('x', 'digits');
SELECT variant('unnamed', '{"id2label": null, "label2id": null, "num_labels": 3}');
SELECT labels FROM mobilebert.models WHERE name = 'unnamed';
SELECT mobilebert.label('x', 'unnamed') ~ '^LABEL_[012]$' AS made_up;
SELECT count(*) FROM mobilebert.zero_shot('x', '{a,b}', 'unnamed');
SELECT variant('gap', '{"id2label": {"0": "first", "1": "second", "7": "seventh"}}');
SELECT labels FROM mobilebert.models WHERE name = 'gap';
SELECT mobilebert.classify('x', 'gap');
SELECT variant('inverted', '{"label2id": null, "id2label": {"0": "no", "1": "other", "2": "Entails"}}');
SELECT variant('last', '{"label2id": {"entailment": -1}}');
SELECT mobilebert.zero_shot('x', '{a,b}', 'last') = mobilebert.zero_shot('x', '{a,b}', 'inverted') AS last;
SELECT variant('wrong', '{"label2id": {"entailment": 3}}');
SELECT mobilebert.label('x', 'wrong') = mobilebert.label('x', 'nli') AS same;
SELECT mobilebert.zero_shot('x', '{a,b}', 'wrong');

SELECT mobilebert.drop_model(name) FROM mobilebert.models;
