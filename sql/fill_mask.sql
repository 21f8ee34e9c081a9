--
-- fill_mask, best_token, token_log_probability, pseudo_perplexity, pretraining
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set mlm :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set yesno :abs_srcdir '/test/golden/checkpoint/store-bf16'
\set mlm_config :mlm '/config.json'
\set mlm_tokenizer :mlm '/tokenizer.json'
\set mlm_weights :mlm '/model.safetensors'

-- without a model, with one of another kind
SELECT mobilebert.fill_mask('[MASK]');
SELECT mobilebert.pretraining('x');
SELECT name, tasks FROM mobilebert.import_model('yesno', :'yesno');
SELECT mobilebert.best_token('[MASK]', 'yesno');
SELECT name, tasks, max_tokens FROM mobilebert.import_model('mlm', :'mlm');
SELECT mobilebert.best_token('[MASK]', 'yesno');
SELECT mobilebert.pretraining('x', 'yesno');
SELECT mobilebert.best_token('[MASK]', NULL);
SELECT mobilebert.set_default_model('fill_mask', 'mlm');

-- what transformers 4.57.6 gives
SELECT mask_no, rank, token, token_id, round(score::numeric, 4) AS score, sequence FROM mobilebert.fill_mask('The man worked as a [MASK].', 'mlm', top_k => 3);
SELECT mask_no, rank, token, token_id, round(score::numeric, 4) AS score, sequence FROM mobilebert.fill_mask('[MASK] and [MASK]', 'mlm', top_k => 2);
SELECT mask_no, rank, token, token_id, round(score::numeric, 6) AS score, sequence FROM mobilebert.fill_mask('The man worked as a [MASK].', 'mlm', targets => '{the,man,unbelievable,##ing}');
SELECT token_no, token, round(log_probability::numeric, 3) AS log_probability FROM mobilebert.token_log_probability('The man worked as a man.');
SELECT abs(mobilebert.pseudo_perplexity('The man worked as a man.') / exp(-avg(log_probability)) - 1) < 1e-5 AS mean FROM mobilebert.token_log_probability('The man worked as a man.');
-- special and padding tokens vanish from the sequence of a single mask
SELECT token, sequence FROM mobilebert.fill_mask('[UNK] a [MASK] [PAD]b', 'mlm', top_k => 1);

-- both forms; best_token is the first row; the softmax is over the whole vocabulary
SELECT count(*) FROM mobilebert.fill_mask('a [MASK]');
SELECT bool_and(d = n) AS named FROM mobilebert.fill_mask('a [MASK]') AS d JOIN mobilebert.fill_mask('a [MASK]', 'mlm') AS n USING (rank);
SELECT bool_and(d = n) AS defaults FROM mobilebert.fill_mask('a [MASK]') AS d JOIN mobilebert.fill_mask('a [MASK]', 'mlm', NULL, NULL, NULL, NULL, NULL) AS n USING (rank);
SELECT mobilebert.best_token('a [MASK]') = token AS first, mobilebert.best_token('a [MASK]', 'mlm') = token AS named FROM mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 1);
SELECT count(*), count(DISTINCT token_id), bool_and(score >= lead) AS ordered, abs(sum(score) - 1) < 1e-5 AS whole
FROM (SELECT *, lead(score, 1, 0::real) OVER (ORDER BY rank) FROM mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 724)) AS f;
-- targets keep the probability they have among all tokens
SELECT f.rank, f.token, f.score = a.score AS same FROM mobilebert.fill_mask('a [MASK]', 'mlm', targets => '{man,the,of,man}') AS f
	JOIN mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 724) AS a USING (token_id) ORDER BY f.rank;
-- a target is taken as it stands, or else for its first token; one without tokens is passed over
SELECT token FROM mobilebert.fill_mask('a [MASK]', 'mlm', targets => '{MAN,Café-bar,"",[SEP],✈}') ORDER BY token_id;
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', targets => '{""," "}');
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', targets => '{}');
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', targets => '{the,NULL}');
SELECT count(*) FROM mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 10000000, targets => '{the,man}');
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 725);
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', top_k => 0);
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', overflow => 'cut');
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', max_length => 2);

-- no mask, several, NULL, nothing but blanks, unknown characters
SELECT mobilebert.fill_mask('no mask');
SELECT mobilebert.fill_mask('[mask]');
SELECT mobilebert.fill_mask('');
SELECT mobilebert.fill_mask(E' \t\n');
SELECT mobilebert.best_token('[MASK] and [MASK]');
SELECT mobilebert.best_token('no mask');
SELECT mobilebert.best_token(NULL), mobilebert.best_token(NULL, 'no such model'), mobilebert.pseudo_perplexity(NULL), mobilebert.pretraining(NULL);
SELECT count(*) FROM mobilebert.fill_mask(NULL);
SELECT count(*) FROM mobilebert.fill_mask(NULL, 'mlm');
SELECT count(*) FROM mobilebert.token_log_probability(NULL);
SELECT mask_no, sequence FROM mobilebert.fill_mask('✈✈ [MASK]✈[MASK]', 'mlm', top_k => 1);
SELECT t, mobilebert.pseudo_perplexity(t) AS perplexity, (SELECT count(*) FROM mobilebert.token_log_probability(t)) AS tokens FROM unnest('{"","  "}'::text[]) AS t;
SELECT token_no, token FROM mobilebert.token_log_probability('✈ [MASK]');

-- too long: an error by default, cut, or in windows
SELECT mobilebert.fill_mask(repeat('a ', 126) || '[MASK]');
SELECT count(*) FROM mobilebert.fill_mask(repeat('a ', 125) || '[MASK]');
SELECT mobilebert.fill_mask(repeat('a ', 126) || '[MASK]', 'mlm', overflow => 'truncate');
SELECT count(*) FROM mobilebert.fill_mask('[MASK] ' || repeat('a ', 126), 'mlm', overflow => 'truncate');
SELECT sequence FROM mobilebert.fill_mask('a b c [MASK] d e f', 'mlm', top_k => 1, targets => '{man}', overflow => 'truncate', max_length => 6);
SELECT mobilebert.fill_mask('a b c [MASK] d e f', 'mlm', overflow => 'truncate', max_length => 5);
SELECT mask_no, rank, sequence FROM mobilebert.fill_mask('a [MASK] c d [MASK] f [MASK]', 'mlm', targets => '{man}', overflow => 'window', max_length => 6);
SELECT mask_no, rank, sequence FROM mobilebert.fill_mask('a [MASK] c d [MASK] f [MASK]', 'mlm', targets => '{man}', overflow => 'window', max_length => 6, stride => 2);
SELECT mobilebert.fill_mask('a [MASK]', 'mlm', overflow => 'window', max_length => 6, stride => 4);
-- only windows with a mask run: a text of 1 MB
SELECT mask_no, rank, length(sequence) AS length FROM mobilebert.fill_mask(repeat('a ', 250000) || '[MASK] ' || repeat('b ', 250000), 'mlm', targets => '{man}', overflow => 'window');
SELECT mask_no, rank, token, token_id, round(score::numeric, 3) AS score, sequence FROM mobilebert.fill_mask(repeat('a', 1000000) || ' [MASK]');
SELECT mobilebert.token_log_probability(repeat('a ', 127));
SELECT mobilebert.pseudo_perplexity(repeat('a ', 127));
SET mobilebert.memory_limit = '1MB';
SELECT mobilebert.fill_mask(repeat('[MASK]', 300), 'mlm', top_k => 724, overflow => 'window', max_length => 20);
RESET mobilebert.memory_limit;

-- a tokenizer may know tokens for which the model has no row, also under the mask
SELECT tasks FROM mobilebert.import_model('more', pg_read_file(:'mlm_config')::jsonb,
	regexp_replace(pg_read_file(:'mlm_tokenizer'), '"vocab": {', '"vocab": {"zebra": 724, "zebras": 1000000,'), pg_read_binary_file(:'mlm_weights'));
SELECT mobilebert.encode('zebra [MASK] zebras', 'more');
SELECT mobilebert.pseudo_perplexity('zebra', 'more');
SELECT mobilebert.token_log_probability('zebras', 'more');
SELECT mobilebert.fill_mask('zebra [MASK]', 'more');
SELECT mobilebert.fill_mask('[MASK]', 'more', targets => '{zebras}');
SELECT mobilebert.loss('[MASK]', 'more', 'zebra', head => 'fill_mask');
SELECT mobilebert.drop_model('more');

-- results do not depend on what shares the pass
CREATE TEMP TABLE alone AS SELECT * FROM mobilebert.token_log_probability('The man worked as a man, and so on.');
SET mobilebert.batch_tokens = 1;
SELECT count(*), bool_and(a.log_probability = b.log_probability) AS same_bits FROM alone AS a JOIN mobilebert.token_log_probability('The man worked as a man, and so on.') AS b USING (token_no);
RESET mobilebert.batch_tokens;

-- in tables
CREATE TABLE sentence (id int PRIMARY KEY, body text, filling text GENERATED ALWAYS AS (mobilebert.best_token(body, 'mlm')) STORED);
INSERT INTO sentence VALUES (1, 'The [MASK] was old.'), (2, NULL), (3, 'One [MASK] more.');
SELECT id, filling = mobilebert.best_token(body) AS same FROM sentence ORDER BY id;
INSERT INTO sentence VALUES (4, 'no mask');
SELECT id, f.rank, f.token = s.filling AS same FROM sentence AS s LEFT JOIN LATERAL mobilebert.fill_mask(body, 'mlm', top_k => 1) AS f ON true ORDER BY id;
CREATE TABLE filled AS SELECT id, f.* FROM sentence, LATERAL mobilebert.fill_mask(body) AS f;
SELECT id, count(*) FROM filled GROUP BY id ORDER BY id;
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := replace(NEW.body, '[MASK]', mobilebert.best_token(NEW.body)); RETURN NEW; END $$;
CREATE TABLE note (body text);
CREATE TRIGGER fill BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION fill();
INSERT INTO note VALUES ('The [MASK] was old.') RETURNING body NOT LIKE '%[MASK]%' AS filled;
DROP TABLE note, filled, sentence;
DROP FUNCTION fill();

-- pretraining: both outputs, as logits() has them one by one
SELECT array_dims(prediction_logits), array_dims(seq_relationship_logits) FROM mobilebert.pretraining('The man', 'mlm');
SELECT array_dims(prediction_logits), d = mobilebert.pretraining('The man', 'mlm') AS named FROM mobilebert.pretraining('The man') AS d;
SELECT n, ARRAY(SELECT unnest(prediction_logits[n:n])) = logits AS same
FROM mobilebert.pretraining('The man', 'mlm', pair => 'and his [MASK]', positions => '{0,-1,3,3}') AS p, unnest('{0,7,3,3}'::int[]) WITH ORDINALITY AS u(position, n)
	JOIN mobilebert.logits('The man', 'mlm', pair => 'and his [MASK]', head => 'fill_mask') ON token_no = position ORDER BY n;
SELECT p.seq_relationship_logits = l.logits AS same, prediction_logits
FROM mobilebert.pretraining('The man', 'mlm', pair => 'and his', positions => '{}') AS p, mobilebert.logits('The man', 'mlm', pair => 'and his', head => 'next_sentence') AS l;
-- an empty second text is none
SELECT (mobilebert.pretraining('The man', 'mlm', pair => '')).seq_relationship_logits = (mobilebert.pretraining('The man', 'mlm')).seq_relationship_logits AS same,
	(SELECT logits FROM mobilebert.logits('The man', 'mlm', pair => '', head => 'next_sentence')) = (mobilebert.pretraining('The man', 'mlm')).seq_relationship_logits AS logits;
SELECT mobilebert.pretraining('The man', 'mlm', positions => '{4}');
SELECT mobilebert.pretraining('The man', 'mlm', positions => '{0,-5}');
SELECT mobilebert.pretraining('The man', 'mlm', positions => '{0,NULL}');
SELECT mobilebert.pretraining('The man', 'mlm', positions => '{{0},{1}}');
SELECT mobilebert.pretraining(repeat('a ', 127), 'mlm');
-- refused before the pass: beyond the limit, and beyond what an array can hold
SET mobilebert.memory_limit = '2MB';
SELECT array_dims(prediction_logits) FROM mobilebert.pretraining('x', 'mlm', positions => array_fill(0, ARRAY[600]));
SELECT mobilebert.pretraining('x', 'mlm', positions => array_fill(0, ARRAY[800]));
RESET mobilebert.memory_limit;
SELECT mobilebert.pretraining('x', 'mlm', positions => array_fill(0, ARRAY[400000]));

SELECT count(mobilebert.drop_model(n)) FROM unnest('{mlm,yesno}'::text[]) AS n;
