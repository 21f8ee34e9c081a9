--
-- loss, for every head
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set pre :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set yesno :abs_srcdir '/test/golden/checkpoint/store-bf16'
\set yesno_config :yesno '/config.json'
\set yesno_tokenizer :yesno '/tokenizer.json'
\set yesno_weights :yesno '/model.safetensors'
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
\set one_config :one '/config.json'
\set one_tokenizer :one '/tokenizer.json'
\set one_weights :one '/model.safetensors'
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
SELECT name, tasks FROM mobilebert.import_model('pre', :'pre');
SELECT name, tasks, labels FROM mobilebert.import_model('yesno', :'yesno');
SELECT name, tasks, labels FROM mobilebert.import_model('one', :'one');
SELECT name, tasks, labels FROM mobilebert.import_model('ner', :'ner');
-- the same weights under other names make a model of another kind
SELECT name, tasks FROM mobilebert.import_model('choice',
	pg_read_file(:'one_config')::jsonb || '{"architectures": ["MobileBertForMultipleChoice"]}',
	pg_read_file(:'one_tokenizer'), pg_read_binary_file(:'one_weights'));
SELECT name, tasks FROM mobilebert.import_model('multi',
	pg_read_file(:'yesno_config')::jsonb || '{"problem_type": "multi_label_classification"}',
	pg_read_file(:'yesno_tokenizer'), pg_read_binary_file(:'yesno_weights'));
SELECT name, tasks FROM mobilebert.import_model('qa',
	pg_read_file(:'yesno_config')::jsonb || '{"architectures": ["MobileBertForQuestionAnswering"]}',
	pg_read_file(:'yesno_tokenizer'),
	decode(replace(encode(pg_read_binary_file(:'yesno_weights'), 'hex'), encode('classifier.', 'hex'), encode('qa_outputs.', 'hex')), 'hex'));

-- what transformers 4.57.6 gives
SELECT round(mobilebert.loss('A good film.', 'yesno', 1)::numeric, 4) AS number, round(mobilebert.loss('A good film.', 'yesno', 'yes')::numeric, 4) AS name,
	round(mobilebert.loss('{A good film.,It was a very long and dull evening.}'::text[], 'yesno', '{1,0}'::int[])::numeric, 4) AS batch;
SELECT round(mobilebert.loss('A good film.', 'multi', '{0,1}'::real[])::numeric, 4) AS several_labels;
SELECT mobilebert.loss('A good film.', 'multi', '{0,0.25}'::double precision[]) = mobilebert.loss('A good film.', 'multi', '{0,0.25}'::real[]) AS double,
	mobilebert.loss('A good film.', 'multi', ARRAY[0,0.25]) = mobilebert.loss('A good film.', 'multi', '{0,0.25}'::real[]) AS numeric,
	mobilebert.loss('{A good film.}'::text[], 'multi', '{{0,0.25}}'::double precision[]) = mobilebert.loss('A good film.', 'multi', '{0,0.25}'::real[]) AS batch;
SELECT round(mobilebert.loss('A good film.', 'one', 0.5)::numeric, 4) AS regression, round(mobilebert.loss('{A good film.,It was a very long and dull evening.}'::text[], 'one', '{0.5,-1}'::real[])::numeric, 4) AS batch;
SELECT round(mobilebert.loss('The man [MASK] as a [MASK].', 'pre', '{-100,-100,-100,221,-100,-100,363,-100,-100}'::int[])::numeric, 4) AS tokens,
	round(mobilebert.loss('The man [MASK] as a [MASK].', 'pre', 'The man was as a man.')::numeric, 4) AS truth,
	round(mobilebert.loss('The man [MASK] as a [MASK].', 'pre', '{-100,-100,-100,221,-100,-100,363,-100,-100}'::int[], next_sentence_label => 0)::numeric, 4) AS pretraining;
SELECT round(mobilebert.loss('The man went out.', 'pre', 1, pair => 'He came back.')::numeric, 4) AS next_sentence;
SELECT round(mobilebert.loss(words => '{John,lives,in,Saint-Denis}', model => 'ner', tags => '{B-PER,O,O,B-LOC}')::numeric, 4) AS tags,
	round(mobilebert.loss('John lives in Saint-Denis', 'ner', '{-100,1,0,0,5,-100,-100,-100,-100,-100,-100,-100,-100}'::int[])::numeric, 4) AS tokens;
SELECT round(mobilebert.loss('Who is it?', 'It is the old man of the sea.', 'qa', 9, 10)::numeric, 4) AS positions,
	round(mobilebert.loss('Who is it?', 'It is the old man of the sea.', 'qa', 'old man', 10)::numeric, 4) AS answer;
SELECT round(mobilebert.loss('The man sat down. He', '{was tired and wanted to rest.,flew.}', 'choice', 1)::numeric, 4) AS choice;

SELECT mobilebert.loss('Who?', 'Zoë Müller, the café owner.', 'qa', 'café', 16) = mobilebert.loss('Who?', 'Zoë Müller, the café owner.', 'qa', min(token_no), max(token_no)) AS characters
FROM mobilebert.tokens('Who?', 'qa', pair => 'Zoë Müller, the café owner.') WHERE sequence_no = 1 AND start_offset >= 16 AND end_offset <= 20;

-- the classifier's own scores say the same
SELECT abs(mobilebert.loss(t, 'yesno', label) + ln(score)) < 1e-5 AS equal FROM unnest('{"",Some text.,✈}'::text[]) AS t, LATERAL mobilebert.classify(t, 'yesno');
SELECT abs(mobilebert.loss('A man.', 'pre', 0, 'Another.') + ln(mobilebert.next_sentence('A man.', 'Another.', 'pre'))) < 1e-5 AS equal;
SELECT choice_no, abs(mobilebert.loss('The man', '{a,b c d,e}', 'choice', choice_no) + ln(score)) < 1e-5 AS padded FROM mobilebert.choose('The man', '{a,b c d,e}', 'choice') ORDER BY 1;
SELECT choice_no, abs(mobilebert.loss('The man', '{a,b c d,e}', 'choice', choice_no, padding => false) + ln(score)) < 1e-5 AS alone FROM mobilebert.choose('The man', '{a,b c d,e}', 'choice', padding => false) ORDER BY 1;
-- and the loss of masked words
SELECT abs(mobilebert.loss('The [MASK] sat.', 'pre', 'The man sat.') + log_probability) < 1e-5 AS equal FROM mobilebert.token_log_probability('The man sat.', 'pre') WHERE token = 'man';
-- a table
CREATE TABLE review (body text, sentiment text, stars real);
INSERT INTO review VALUES ('A good film.', 'yes', 4), ('A dull one.', 'no', 1.5), (NULL, 'no', 2), ('Not labelled.', NULL, NULL);
SELECT count(mobilebert.loss(body, 'yesno', sentiment)), round(avg(mobilebert.loss(body, 'yesno', sentiment))::numeric, 4) AS classes, round(avg(mobilebert.loss(body, 'one', stars))::numeric, 4) AS stars FROM review;
DROP TABLE review;
-- batches: the longest text is as alone; all are the mean
SELECT abs(mobilebert.loss('{a b,c d}'::text[], 'yesno', '{0,1}'::int[]) - (mobilebert.loss('a b', 'yesno', 0) + mobilebert.loss('c d', 'yesno', 1)) / 2) < 1e-6 AS same_length,
	mobilebert.loss('{a,c d}'::text[], 'yesno', '{-100,1}'::int[]) = mobilebert.loss('c d', 'yesno', 1) AS longest,
	mobilebert.loss('{a,c d}'::text[], 'yesno', '{0,-100}'::int[]) = mobilebert.loss('a', 'yesno', 0) AS shorter;
SELECT mobilebert.loss('{a,b c}'::text[], 'yesno', '{-100,1}'::int[], pair => '{x,y}') = mobilebert.loss('b c', 'yesno', 1, pair => 'y') AS pairs;
SELECT abs(mobilebert.loss('{a,b}'::text[], 'pre', '{{-100,221,-100},{-100,363,-100}}'::int[]) - (mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[]) + mobilebert.loss('b', 'pre', '{-100,363,-100}'::int[])) / 2) < 1e-5 AS tokens,
	abs(mobilebert.loss('{a,b}'::text[], 'pre', '{0,1}'::int[], pair => '{c,d}') - (mobilebert.loss('a', 'pre', 0, 'c') + mobilebert.loss('b', 'pre', 1, 'd')) / 2) < 1e-6 AS next_sentences;
SELECT abs(mobilebert.loss('{p,q}'::text[], '{{a,b},{c,d}}', 'choice', choice_no => '{1,2}') - (mobilebert.loss('p', '{a,b}', 'choice', 1) + mobilebert.loss('q', '{c,d}', 'choice', 2)) / 2) < 1e-6 AS choices;
SELECT abs(mobilebert.loss('{a,b}'::text[], 'multi', '{{0,1},{1,0.5}}'::real[]) - (mobilebert.loss('a', 'multi', '{0,1}'::real[]) + mobilebert.loss('b', 'multi', '{1,0.5}'::real[])) / 2) < 1e-6 AS several_labels;

-- how calls with untyped literals are read
SELECT mobilebert.loss('a', 'yesno', 'yes') = mobilebert.loss('a', 'yesno', label => 'yes') AS name, mobilebert.loss('a', 'one', '2') AS text;
SELECT mobilebert.loss('{a}'::text[], 'ner', '{O}');
SELECT mobilebert.loss('a', 'one', 2) = mobilebert.loss('a', 'one', 2.0) AS number, mobilebert.loss('a', 'one', 2::smallint) = mobilebert.loss('a', 'one', target => '2') AS small,
	mobilebert.loss('a', 'one', 2) = mobilebert.loss('a', 'one', targets => '{2}') AS targets, mobilebert.loss('a', 'one', 2::bigint) = mobilebert.loss('a', 'one', 2::real) AS big;
SELECT mobilebert.loss('a', 'pre', labels => '{-100,221,-100}') = mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[]) AS labels;
SELECT mobilebert.loss('a', 'one', 2, pair => '') = mobilebert.loss('a', 'one', 2) AS empty_pair;

-- what is not counted, and nothing: NaN as in torch
SELECT mobilebert.loss('a', 'yesno', -100) AS class, mobilebert.loss('a', 'pre', '{-100,-100,-100}'::int[]) AS tokens, mobilebert.loss('a', 'pre', 'a') AS no_mask, mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[], next_sentence_label => -100) AS pretraining,
	mobilebert.loss('q', 'a b', 'qa', 2, 9999) AS answer, mobilebert.loss('p', '{a,b}', 'choice', -100) AS choice, mobilebert.loss('{}'::text[], 'yesno', '{}'::int[]) AS nothing;
SELECT mobilebert.loss('q', 'a b', 'qa', -7, 2) = mobilebert.loss('q', 'a b', 'qa', 0, 2) AS clamped;
SELECT mobilebert.loss(NULL, 'yesno', 1), mobilebert.loss('a', 'yesno', NULL::int), mobilebert.loss('a', 'yesno', NULL), mobilebert.loss('a', 'no such model', NULL::real), mobilebert.loss('a', 'pre', NULL::int[]),
	mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[], next_sentence_label => NULL) = mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[]), mobilebert.loss('q', NULL, 'qa', 1, 2), mobilebert.loss('q', 'c', 'qa', NULL, 2), mobilebert.loss('p', NULL, 'choice', 1), mobilebert.loss(NULL::text[], 'yesno', '{1}'::int[]);
SELECT mobilebert.loss('a', NULL, 1);

-- labels that cannot be
SELECT mobilebert.loss('a', 'yesno', 2);
SELECT mobilebert.loss('a', 'yesno', -1);
SELECT mobilebert.loss('a', 'yesno', 'maybe');
SELECT mobilebert.loss('a', 'yesno', 0.5);
SELECT mobilebert.loss('a', 'multi', 1);
SELECT mobilebert.loss('a', 'multi', '{1}'::real[]);
SELECT mobilebert.loss('a', 'multi', '{1,NULL}'::real[]);
SELECT mobilebert.loss('a', 'pre', '{-100,221}'::int[]);
SELECT mobilebert.loss('a', 'pre', '{-100,724,-100}'::int[]);
SELECT mobilebert.loss('a', 'pre', '{-100,NULL,-100}'::int[]);
SELECT mobilebert.loss('a [MASK]', 'pre', 'a');
SELECT mobilebert.loss('[MASK]', 'pre', 'a', pair => 'b');
SELECT mobilebert.loss('a', 'pre', '{-100,221,-100}'::int[], next_sentence_label => 2);
SELECT mobilebert.loss('{a,b}'::text[], 'ner', tags => '{O}');
SELECT mobilebert.loss('{a,b}'::text[], 'ner', tags => '{O,B-MISC}');
SELECT mobilebert.loss('{a,NULL}'::text[], 'ner', tags => '{O,O}');
SELECT mobilebert.loss('{{a,b}}'::text[], 'ner', tags => '{O,O}');
SELECT mobilebert.loss('q', 'It is the old man.', 'qa', 'old man', 9);
SELECT mobilebert.loss('q', 'It is the old man.', 'qa', 'old man', -1);
SELECT mobilebert.loss('q', 'It is the old man.', 'qa', '', 1);
SELECT mobilebert.loss('q', 'It is the old man.', 'qa', 'old man', 2147483647);
SELECT mobilebert.loss('p', '{a,b}', 'choice', 0);
SELECT mobilebert.loss('p', '{a,b}', 'choice', 3);
SELECT mobilebert.loss('p', '{}', 'choice', 1);
SELECT mobilebert.loss('p', '{a,NULL}', 'choice', 1);
SELECT mobilebert.loss('{p,q}'::text[], '{a,b}', 'choice', choice_no => '{1,1}');
SELECT mobilebert.loss('{p,q}'::text[], '{{a,b}}', 'choice', choice_no => '{1,1}');
SELECT mobilebert.loss('{p}'::text[], '{{a},{b}}', 'choice', choice_no => '{1}');
SELECT mobilebert.loss('{p,q}'::text[], '{}', 'choice', choice_no => '{1,1}');
SELECT mobilebert.loss('{a,b}'::text[], 'yesno', '{1}'::int[]);
SELECT mobilebert.loss('{a,b}'::text[], 'yesno', '{1,NULL}'::int[]);
SELECT mobilebert.loss('{a,b}'::text[], 'yesno', '{1,0}'::int[], pair => '{c}');
SELECT mobilebert.loss('{a,b c}'::text[], 'ner', '{{-100,0,-100,0},{-100,0,0,-100}}'::int[]);
SELECT mobilebert.loss('{a,b c}'::text[], 'ner', '{{-100,0,-100},{-100,0,0}}'::int[]);
SELECT mobilebert.loss('{a,b c}'::text[], 'ner', '{{-100,0},{-100,-100},{-100,0},{0,-100}}'::int[]);
-- heads
SELECT mobilebert.loss('a', 'ner', 1);
SELECT mobilebert.loss('a', 'yesno', '{1}'::int[]);
SELECT mobilebert.loss('a', 'yesno', 1, head => 'next_sentence');
SELECT mobilebert.loss('a', 'yesno', 1, head => 'ner');
SELECT mobilebert.loss('a', 'ner', '{1,2,3}'::int[], next_sentence_label => 1);
SELECT mobilebert.loss('q', 'c', 'ner', 1, 1);
SELECT mobilebert.loss('p', '{c}', 'ner', 1);
SELECT mobilebert.loss('a', 'ner', '{-100,0,-100}'::int[], head => 'ner') = mobilebert.loss('a', 'ner', '{-100,0,-100}'::int[]) AS named;
-- too long
SELECT mobilebert.loss(repeat('a ', 127), 'yesno', 1);
SELECT mobilebert.loss('q', repeat('a ', 500000), 'qa', 1, 1);
SELECT mobilebert.loss(array_fill('a'::text, ARRAY[127]), 'ner', array_fill('O'::text, ARRAY[127]));

SELECT count(mobilebert.drop_model(n)) FROM unnest('{pre,yesno,one,ner,choice,multi,qa}'::text[]) AS n;
