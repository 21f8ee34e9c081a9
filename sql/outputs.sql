--
-- hidden_states, attentions, logits
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set pretraining :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
\set sequence :abs_srcdir '/test/golden/checkpoint/store-bf16'
SELECT name FROM mobilebert.import_model('minilm');

-- rows by layer and token
SELECT layer, count(*) AS tokens, string_agg(token, ' ' ORDER BY token_no) AS text, min(cardinality(state)) AS width, max(cardinality(state)) AS width
FROM mobilebert.hidden_states('Hello, embeddings') GROUP BY layer ORDER BY layer;
SELECT layer, token_no, token, round(state[1]::numeric, 2) AS first
FROM mobilebert.hidden_states('hi there', 'minilm', layer => -1);
-- they come in that order
SELECT bool_and((layer, token_no) > (last_layer, last_token)) AS ordered
FROM (SELECT layer, token_no, lag(layer) OVER w AS last_layer, lag(token_no) OVER w AS last_token
	FROM mobilebert.hidden_states('hi there') WITH ORDINALITY AS h(layer, token_no, token, state, n) WINDOW w AS (ORDER BY n)) AS s;
-- a layer alone, all layers, raw ids: the same bits
CREATE TEMP TABLE a AS SELECT * FROM mobilebert.hidden_states('A text, some tokens', 'minilm', pair => 'and another');
CREATE TEMP TABLE b AS SELECT h.* FROM generate_series(0, 6) AS l, LATERAL mobilebert.hidden_states('A text, some tokens', 'minilm', pair => 'and another', layer => l) AS h;
CREATE TEMP TABLE c AS SELECT * FROM mobilebert.hidden_states(mobilebert.encode('A text, some tokens', 'minilm', pair => 'and another'), 'minilm',
	token_type_ids => (SELECT array_agg(type_id ORDER BY token_no) FROM mobilebert.tokens('A text, some tokens', 'minilm', pair => 'and another')));
SELECT count(*), count(*) FILTER (WHERE a.state = b.state AND a.token = b.token) AS one_layer, count(*) FILTER (WHERE a.state = c.state AND a.token = c.token) AS of_ids
FROM a JOIN b USING (layer, token_no) JOIN c USING (layer, token_no);
-- mean pooling of the last layer is what embed gives
SELECT mobilebert.l2_distance(array_agg(m ORDER BY f), mobilebert.embed('Hello, embeddings', 'minilm', 'mean', false)) < 1e-4 AS mean
FROM (SELECT f, avg(x::float8)::real AS m FROM mobilebert.hidden_states('Hello, embeddings', 'minilm', layer => -1), unnest(state) WITH ORDINALITY AS u(x, f) GROUP BY f) AS s;

-- a long text: windows, each token once and in order
SELECT stride, count(*), string_agg(token, ' ' ORDER BY token_no) = array_to_string(ARRAY['[CLS]'] || mobilebert.tokenize(repeat('one two three ', 200)) || ARRAY['[SEP]'], ' ') AS each_once
FROM (VALUES (0), (7), (200)) AS v(stride), LATERAL mobilebert.hidden_states(repeat('one two three ', 200), 'minilm', layer => 1, stride => v.stride)
GROUP BY stride ORDER BY stride;
-- the states of a token are those of the window where it stands farther inside
CREATE TEMP TABLE whole AS SELECT * FROM mobilebert.hidden_states(repeat('one two three four ', 75), 'minilm', layer => -1, stride => 54);
CREATE TEMP TABLE windows AS
SELECT t.window_no, t.first + h.token_no AS token_no, h.state
FROM (SELECT window_no, window_no * 200 AS first, array_agg(token_id ORDER BY token_no) AS ids
		FROM mobilebert.tokens(repeat('one two three four ', 75), 'minilm', max_length => 256, stride => 54) GROUP BY window_no) AS t,
	LATERAL mobilebert.hidden_states(t.ids, 'minilm', layer => -1) AS h;
SELECT window_no, count(*) AS tokens, min(token_no) AS first, max(token_no) AS last
FROM whole JOIN windows USING (token_no) WHERE whole.state = windows.state GROUP BY window_no ORDER BY window_no;
-- in several passes: the same bits, by layer first and token
SET mobilebert.batch_tokens = 100000;
CREATE TEMP TABLE one_pass AS SELECT * FROM mobilebert.hidden_states(repeat('one two three four ', 150), 'minilm', stride => 30) WITH ORDINALITY AS h(layer, token_no, token, state, n);
RESET mobilebert.batch_tokens;
CREATE TEMP TABLE passes AS SELECT * FROM mobilebert.hidden_states(repeat('one two three four ', 150), 'minilm', stride => 30) WITH ORDINALITY AS h(layer, token_no, token, state, n);
SELECT count(*), count(*) FILTER (WHERE a = b) AS same, bool_and(a.n = a.layer * 602 + a.token_no + 1) AS ordered FROM one_pass AS a JOIN passes AS b USING (n);
SELECT count(*), count(*) FILTER (WHERE a.state = b.state AND a.token = b.token) AS same
FROM mobilebert.hidden_states(repeat('one two three four ', 150), 'minilm', layer => 4, stride => 30) AS a JOIN passes AS b USING (layer, token_no);
-- so a long text needs no more memory than one window
SELECT mobilebert.memory_needed('minilm', 256) / 1024 + 1 AS kb \gset
SELECT set_config('mobilebert.memory_limit', :'kb', false) <> '' AS set;
SELECT count(*) FROM mobilebert.hidden_states(repeat('one two three four ', 150), 'minilm', stride => 30);
-- how much is needed depends on the instruction set
SET mobilebert.memory_limit = '64kB';
\set VERBOSITY sqlstate
SELECT count(*) FROM mobilebert.hidden_states(repeat('one two three four ', 150), 'minilm');
SELECT count(*) FROM mobilebert.hidden_states(array_fill(101, ARRAY[200]), 'minilm');
SELECT count(*) FROM mobilebert.attentions('some tokens more than that');
\set VERBOSITY default
RESET mobilebert.memory_limit;
-- pairs are windowed over their first text
SELECT count(*), string_agg(token, ' ' ORDER BY token_no) FILTER (WHERE token_no > 400) AS tail
FROM mobilebert.hidden_states(repeat('word ', 400), 'minilm', pair => 'a second text', layer => 0);
SELECT mobilebert.hidden_states('word', 'minilm', pair => repeat('word ', 300));
SELECT mobilebert.hidden_states(repeat('word ', 300), 'minilm', overflow => 'error');
SELECT count(*) FROM mobilebert.hidden_states(repeat('word ', 300), 'minilm', layer => 0, overflow => 'truncate');
SELECT mobilebert.hidden_states('x', 'minilm', layer => 7);
SELECT mobilebert.hidden_states('x', 'minilm', overflow => 'cut');
SELECT mobilebert.hidden_states('x', 'no such model');
SELECT count(*) FROM mobilebert.hidden_states(NULL::text);
SELECT count(*) FROM mobilebert.hidden_states(NULL::int[], 'minilm');
SELECT count(*) FROM mobilebert.hidden_states('', 'minilm', layer => 0);

-- attentions: probabilities over all tokens
SELECT count(*), count(DISTINCT layer) AS layers, count(DISTINCT head) AS heads, count(DISTINCT token_no) AS tokens, min(cardinality(weights)) AS weights,
	bool_and(abs((SELECT sum(w::float8) FROM unnest(weights) AS w) - 1) < 1e-5 AND 0 <= ALL (weights)) AS probabilities
FROM mobilebert.attentions('Hello, embeddings');
SELECT count(*), count(*) FILTER (WHERE a.weights = b.weights) AS same_bits
FROM mobilebert.attentions('Hello, embeddings', 'minilm', pair => 'again') AS a
	JOIN mobilebert.attentions('Hello, embeddings', 'minilm', pair => 'again', layer => -2, head => 3) AS b USING (layer, head, token_no);
SELECT layer, head, token_no, array_agg(w = 0 ORDER BY n) AS unseen
FROM mobilebert.attentions('{101,7592,102,0,0}'::int[], 'minilm', attention_mask => '{1,1,1,0,0}', layer => 0, head => 11), unnest(weights) WITH ORDINALITY AS u(w, n)
GROUP BY 1, 2, 3 ORDER BY 3;
SELECT count(*), bool_and(cardinality(weights) = 202) AS wide FROM mobilebert.attentions(repeat('word ', 200), 'minilm', layer => 5);
SELECT mobilebert.attentions('x', 'minilm', layer => 6);
SELECT mobilebert.attentions('x', 'minilm', head => 12);
SELECT mobilebert.attentions('x', 'minilm', head => -1);
SELECT mobilebert.attentions(repeat('word ', 300));
SELECT mobilebert.attentions(array_fill(101, ARRAY[1000000]), 'minilm');
SELECT mobilebert.hidden_states(array_fill(101, ARRAY[513]), 'minilm');
SELECT count(*) FROM mobilebert.attentions(NULL);

-- logits of the base model are its last hidden state
SELECT count(*), count(*) FILTER (WHERE l.logits = h.state) AS same_bits
FROM mobilebert.logits('Hello, embeddings', 'minilm', pair => 'again') AS l
	JOIN mobilebert.hidden_states('Hello, embeddings', 'minilm', pair => 'again', layer => -1) AS h USING (token_no);
SELECT count(*) FROM mobilebert.logits('Hello');
SELECT count(*) FROM mobilebert.logits('Hello', 'minilm', head => 'base');
SELECT mobilebert.logits('Hello', 'minilm', head => 'ner');
SELECT mobilebert.logits('Hello', 'minilm', head => 'body');
SELECT mobilebert.logits(repeat('word ', 300));

-- logits of heads, against transformers
SELECT tasks FROM mobilebert.import_model('pretraining', :'pretraining');
SELECT tasks FROM mobilebert.import_model('ner', :'ner');
SELECT tasks FROM mobilebert.import_model('sequence', :'sequence');
SELECT count(*), min(cardinality(logits)) AS width, max(cardinality(logits)) AS width,
	max(mobilebert.l2_distance(logits, l)) < 1e-4 AS equal
FROM mobilebert.logits(U&'caf\00E9 Zo\00EB lives in \00E9a near Saint-\00C9tienne.', 'ner') LEFT JOIN (VALUES
	(0, '{2.7908964,-2.0534506,-3.163432,-1.5610237,-0.50451994,-2.3216705,-2.714828}'::real[]),
	(24, '{0.16957808,-0.77602667,-1.0158777,0.55939126,-2.1893091,-3.0268312,-1.0539564}')) AS v(token_no, l) USING (token_no);
SELECT token_no, mobilebert.l2_distance(logits, '{0.90177613,-1.2732173}') < 1e-4 AS equal FROM mobilebert.logits('PostgreSQL runs the model inside the database.', 'sequence');
SELECT token_no, mobilebert.l2_distance(logits, '{2.5252919,0.575415106}') < 1e-4 AS equal FROM mobilebert.logits('The man worked as a [MASK].', 'pretraining', head => 'next_sentence');
SELECT count(*), min(cardinality(logits)) AS width, max(cardinality(logits)) AS width, bool_and(logits[argmax + 1] = (SELECT max(x) FROM unnest(logits) AS x)) AS argmax,
	max(mobilebert.l2_distance(ARRAY[logits[1], logits[2], logits[32], logits[724]], l)) < 1e-4 AS equal
FROM mobilebert.logits('The man worked as a [MASK].', 'pretraining', head => 'fill_mask') LEFT JOIN (VALUES
	(0, 407, '{1.16587929,1.91832293,-1.59674087,-5.47061721}'::real[]), (1, 561, '{-4.08469317,5.11047377,-2.46685114,-5.77841025}'),
	(3, 144, '{-1.67158878,0.841506426,1.38649779,-0.0409006909}'), (8, 479, '{3.13381612,2.85207353,0.0566574375,-0.643043544}')) AS v(token_no, argmax, l) USING (token_no);
-- by default the only head; of two neither
SELECT (SELECT array_agg(logits ORDER BY token_no) FROM mobilebert.logits('x', 'ner')) = (SELECT array_agg(logits ORDER BY token_no) FROM mobilebert.logits('x', 'ner', head => 'ner')) AS ner,
	(SELECT array_agg(logits ORDER BY token_no) FROM mobilebert.logits('x', 'pretraining')) = (SELECT array_agg(logits ORDER BY token_no) FROM mobilebert.logits('x', 'pretraining', head => 'base')) AS base;
SELECT mobilebert.logits('x', 'ner', head => 'classify');
SELECT mobilebert.logits('x', 'sequence', head => 'choose');
SELECT mobilebert.logits('x', 'sequence', head => 'fill_mask');
SELECT count(mobilebert.drop_model(n)) FROM unnest('{pretraining,ner,sequence}'::text[]) AS n;

SELECT mobilebert.drop_model('minilm');
