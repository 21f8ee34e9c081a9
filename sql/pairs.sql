--
-- next_sentence, choose, best_choice
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set nsp :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
\set one_config :one '/config.json'
\set one_tokenizer :one '/tokenizer.json'
\set one_weights :one '/model.safetensors'

-- without a model, with one of another kind
SELECT mobilebert.next_sentence('a', 'b');
SELECT mobilebert.choose('a', '{b,c}');
SELECT name, tasks, max_tokens FROM mobilebert.import_model('nsp', :'nsp');
SELECT mobilebert.best_choice('a', '{b,c}', 'nsp');
-- a classifier of one output can be a multiple choice head as well
SELECT name, tasks, max_tokens FROM mobilebert.import_model('choice',
	pg_read_file(:'one_config')::jsonb || '{"architectures": ["MobileBertForMultipleChoice"]}',
	pg_read_file(:'one_tokenizer'), pg_read_binary_file(:'one_weights'));
SELECT mobilebert.next_sentence('a', 'b', 'choice');
SELECT mobilebert.set_default_model('next_sentence', 'nsp'), mobilebert.set_default_model('choose', 'choice');

-- what transformers 4.57.6 gives
SELECT round(mobilebert.next_sentence('The man went out.', 'He came back.')::numeric, 4) AS pair, round(mobilebert.next_sentence('The man went out.', '')::numeric, 4) AS empty;
SELECT choice_no, choice, round(score::numeric, 4) AS score, round(logit::numeric, 4) AS logit FROM mobilebert.choose('The man sat down. He', '{was tired and wanted to rest.,flew.}');
SELECT mobilebert.best_choice('The man sat down. He', '{was tired and wanted to rest.,flew.}');

-- both forms, defaults, the probability is the logits' softmax
SELECT mobilebert.next_sentence(a, b) = mobilebert.next_sentence(a, b, 'nsp') AS named, mobilebert.next_sentence(a, b) = mobilebert.next_sentence(a, b, 'nsp', NULL, NULL) AS defaults,
	abs(mobilebert.next_sentence(a, b) - 1 / (1 + exp(l.logits[2]::float8 - l.logits[1]))) < 1e-6 AS softmax
FROM (VALUES ('One.', 'Two.'), ('', 'x'), ('✈', '✈'), (' ', ' ')) AS v(a, b), LATERAL mobilebert.logits(a, 'nsp', pair => b, head => 'next_sentence') AS l;
SELECT bool_and(d = n) AS named, bool_and(d = o) AS defaults, abs(sum(d.score) - 1) < 1e-6 AS whole
FROM mobilebert.choose('The man', '{a,bb c,d}') AS d JOIN mobilebert.choose('The man', '{a,bb c,d}', 'choice') AS n USING (choice_no) JOIN mobilebert.choose('The man', '{a,bb c,d}', 'choice', NULL, NULL, NULL) AS o USING (choice_no);
-- padding: choices shorter than the longest see a pad token; alone they are what logits() gives
SELECT choice_no, p.logit = a.logit AS same, a.logit = l.logits[1] AS alone
FROM mobilebert.choose('The man', '{a b,a b c d,a,b b b b}') AS p JOIN mobilebert.choose('The man', '{a b,a b c d,a,b b b b}', 'choice', padding => false) AS a USING (choice_no, choice),
	LATERAL mobilebert.logits('The man', 'choice', pair => choice, head => 'choose') AS l ORDER BY choice_no;
-- results do not depend on what shares the pass
SET mobilebert.batch_tokens = 1;
CREATE TEMP TABLE one_by_one AS SELECT * FROM mobilebert.choose('The man', '{a b,a b c d,a,b b b b}');
RESET mobilebert.batch_tokens;
SELECT bool_and(a = o) AS same_bits FROM mobilebert.choose('The man', '{a b,a b c d,a,b b b b}') AS a JOIN one_by_one AS o USING (choice_no);

-- NULL, nothing, subscripts
SELECT mobilebert.next_sentence(NULL, 'a'), mobilebert.next_sentence('a', NULL), mobilebert.next_sentence('a', NULL, 'no such model'), mobilebert.best_choice(NULL, '{a}'), mobilebert.best_choice('a', NULL);
SELECT count(*) FROM mobilebert.choose(NULL, '{a}');
SELECT count(*) FROM mobilebert.choose('a', NULL);
SELECT mobilebert.next_sentence('a', 'b', NULL);
SELECT mobilebert.best_choice('a', '{}'), mobilebert.best_choice('a', '{NULL,NULL}'), mobilebert.best_choice('a', '{NULL,b,NULL}');
SELECT count(*) FROM mobilebert.choose('a', '{}');
SELECT * FROM mobilebert.choose('a', '{NULL,NULL}');
SELECT n.choice_no, n.choice, n.score = w.score AS score, n.logit = w.logit AS logit FROM mobilebert.choose('The man', '{NULL,a,NULL,bb c}') AS n LEFT JOIN mobilebert.choose('The man', '{a,bb c}') AS w USING (choice) ORDER BY n.choice_no;
SELECT choice_no, choice FROM mobilebert.choose('The man', '[-1:1]={a,b,c}');
SELECT mobilebert.best_choice('The man', '[-1:-1]={a}'), mobilebert.best_choice('The man', '{same,same}');
SELECT choice_no, choice, score FROM mobilebert.choose('The man', '{""}');
SELECT mobilebert.choose('The man', '{{a,b},{c,d}}');

-- too long
SELECT mobilebert.next_sentence('a', repeat('b ', 125));
SELECT mobilebert.next_sentence('a', repeat('b ', 124)) IS NOT NULL AS fits;
SELECT mobilebert.next_sentence('a', repeat('b ', 125), 'nsp', overflow => 'truncate') = mobilebert.next_sentence('a', repeat('b ', 124), 'nsp') AS cut;
SELECT mobilebert.next_sentence('a a a a', 'b b b b b b', 'nsp', overflow => 'truncate', max_length => 9) = mobilebert.next_sentence('a a a', 'b b b', 'nsp') AS cut;
SELECT mobilebert.next_sentence('a', 'b', 'nsp', overflow => 'window');
SELECT mobilebert.next_sentence('a', 'b', 'nsp', max_length => 0);
SELECT mobilebert.choose('a', ARRAY['b', repeat('b ', 125)]);
SELECT choice_no, a.score = b.score AS cut FROM mobilebert.choose('a', ARRAY['b', repeat('b ', 125)], 'choice', overflow => 'truncate') AS a JOIN mobilebert.choose('a', ARRAY['b', repeat('b ', 124)], 'choice') AS b USING (choice_no);
SELECT mobilebert.best_choice('a', '{b}', 'choice', overflow => 'window');
SELECT mobilebert.next_sentence(repeat('a ', 500000), 'b');
SELECT mobilebert.next_sentence(repeat('a ', 500000), repeat('b ', 500000), 'nsp', overflow => 'truncate') = mobilebert.next_sentence(repeat('a ', 62), repeat('b ', 63), 'nsp') AS cut;
-- many choices: the rows' ids count
SELECT count(*), count(DISTINCT logit) < 12 AS few FROM mobilebert.choose('a', (SELECT array_agg((n % 10)::text) FROM generate_series(1, 3000) AS n));
SET mobilebert.memory_limit = '1MB';
SELECT mobilebert.best_choice(repeat('a ', 100), (SELECT array_agg('b'::text) FROM generate_series(1, 2000)));
RESET mobilebert.memory_limit;

-- in tables
CREATE TABLE question (id int PRIMARY KEY, prompt text, choices text[],
	best int GENERATED ALWAYS AS (mobilebert.best_choice(prompt, choices, 'choice')) STORED,
	follows real GENERATED ALWAYS AS (mobilebert.next_sentence(prompt, choices[1], 'nsp')) STORED);
INSERT INTO question VALUES (1, 'The man sat down. He', '{was tired and wanted to rest.,flew.}'), (2, NULL, '{a}'), (3, 'One', '{}');
SELECT id, best, round(follows::numeric, 4) AS follows FROM question ORDER BY id;
SELECT id, c.choice_no, c.choice_no = q.best AS best FROM question AS q LEFT JOIN LATERAL mobilebert.choose(prompt, choices) AS c ON true ORDER BY id, c.choice_no;
CREATE TABLE chosen AS SELECT id, c.* FROM question, LATERAL mobilebert.choose(prompt, choices, 'choice') AS c;
SELECT id, count(*) FROM chosen GROUP BY id;
DROP TABLE chosen, question;

SELECT count(mobilebert.drop_model(n)) FROM unnest('{nsp,choice}'::text[]) AS n;
