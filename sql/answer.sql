--
-- answer, best_answer, best_answers
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set checkpoint :abs_srcdir '/test/golden/checkpoint/tok-no-cjk'
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'

-- without a model, with one of another kind
SELECT mobilebert.best_answer('Who?', 'Nobody.');
SELECT count(*) FROM mobilebert.import_model('ner', :'ner');
SELECT mobilebert.best_answer('Who?', 'Nobody.', 'ner');
SELECT tasks, max_tokens FROM mobilebert.import_model('qa', :'checkpoint');
SELECT mobilebert.best_answer('Who?', 'Nobody.', 'ner');
SELECT mobilebert.set_default_model('answer', 'qa');

-- what transformers 4.57.6 gives (random weights: no good answers)
CREATE TEMP TABLE passage (id int, body text);
INSERT INTO passage VALUES
	(1, 'In 1529, Vienna was besieged for the first time; the siege of Vienna was lifted in October.'),
	(2, U&'Caf\00E9 society: \00C9mile Zola wrote Germinal in 1885. GERMINAL is a novel, and germinal a month.'),
	(3, 'Peter lives in Paris. He works for the mayor of Paris.');
SELECT id, rank, answer, round(score::numeric, 4) AS score, start_offset, end_offset, no_answer_score
FROM passage, LATERAL mobilebert.answer('When was the siege?', body, 'qa', 3) ORDER BY id, rank;
SELECT id, rank, answer, round(score::numeric, 4) AS score, start_offset, end_offset
FROM passage, LATERAL mobilebert.answer('When was the siege?', body, 'qa', 4, 3, 4, 20, align_to_words => false) ORDER BY id, rank;
SELECT id, rank, answer, round(score::numeric, 4) AS score, start_offset, end_offset, round(no_answer_score::numeric, 4) AS no_answer
FROM passage, LATERAL mobilebert.answer('When was the siege?', body, 'qa', top_k => 2, handle_impossible_answer => true) ORDER BY id, rank;

-- both forms, the value, NULL options
SELECT id, a = n AS named, a = d AS defaults, (a).answer = mobilebert.best_answer('Where?', body) AS value,
	mobilebert.best_answer('Where?', body) = mobilebert.best_answer('Where?', body, 'qa') AS named_value
FROM passage, LATERAL mobilebert.answer('Where?', body) AS a, LATERAL mobilebert.answer('Where?', body, 'qa') AS n,
	LATERAL mobilebert.answer('Where?', body, 'qa', NULL, NULL, NULL, NULL, NULL, NULL) AS d ORDER BY id;
-- the score of "no answer" stands beside the best answer, which may be it
SELECT id, count(*), bool_and(no_answer_score = s) AS same_margin, count(*) FILTER (WHERE answer = '') AS none, bool_and(mobilebert.best_answer('Where?', body, 'qa', handle_impossible_answer => true) IS NOT DISTINCT FROM nullif(first, '')) AS value
FROM passage, LATERAL (SELECT a.*, max(score) FILTER (WHERE answer = '') OVER () AS s, first_value(answer) OVER (ORDER BY rank) AS first FROM mobilebert.answer('Where?', body, 'qa', 1000, handle_impossible_answer => true) AS a) AS a
GROUP BY id ORDER BY id;

-- answers are slices of the context in order of score, each text but once
SELECT id, count(*) > 20 AS many, bool_and(answer = substr(body, start_offset + 1, end_offset - start_offset)) AS slices, bool_and(score <= before) AS ordered,
	count(*) = count(DISTINCT lower(answer)) AS distinct, min(rank) AS first, max(rank) = count(*) AS last
FROM passage, LATERAL (SELECT a.*, lag(score) OVER (ORDER BY rank) AS before FROM mobilebert.answer('Where?', body, 'qa', 2147483647, max_answer_len => 2147483647) AS a) AS a
GROUP BY id ORDER BY id;
-- with the words whole, and of at most so many tokens
SELECT bool_or(answer ~ '^\w+$') AS words, max(mobilebert.count_tokens(answer, 'qa', add_special_tokens => false)) AS tokens
FROM passage, LATERAL mobilebert.answer('Where?', body, 'qa', 20, max_answer_len => 1, align_to_words => false);

-- windows: as long as the model takes at most, one token over the limit makes two
SELECT n, mobilebert.count_tokens('Where is it?', 'qa', pair => body) AS tokens, a.answer = b.answer AND a.score = b.score AS same
FROM generate_series(119, 122) AS n, LATERAL (SELECT repeat('a ', n) AS body) AS t,
	LATERAL mobilebert.answer('Where is it?', body, 'qa', max_answer_len => 1) AS a, LATERAL mobilebert.answer('Where is it?', body, 'qa', max_answer_len => 1, max_seq_len => 100000, doc_stride => 64) AS b;
SELECT mobilebert.answer('Where is it?', repeat('a b ', 100), 'qa') = mobilebert.answer('Where is it?', repeat('a b ', 100), 'qa', max_seq_len => 128, doc_stride => 64) AS as_positions;
SET mobilebert.batch_tokens = 10;
CREATE TEMP TABLE alone AS SELECT id, a.* FROM passage, LATERAL mobilebert.answer('Where?', repeat(body, 20), 'qa', 9, 12, 5, 30) AS a;
SET mobilebert.batch_tokens = 10000;
SELECT count(*), count(*) FILTER (WHERE (a.id, b) = (a.id, (a.rank, a.answer, a.score, a.start_offset, a.end_offset, a.no_answer_score)) OR a.no_answer_score IS NULL AND a.score = b.score AND a.answer = b.answer AND a.start_offset = b.start_offset) AS same_bits
FROM alone AS a JOIN passage USING (id), LATERAL mobilebert.answer('Where?', repeat(body, 20), 'qa', 9, 12, 5, 30) AS b WHERE a.rank = b.rank;
RESET mobilebert.batch_tokens;
-- a megabyte, in words and in one
SELECT answer, score > 1 AS many_windows, start_offset < 1000 AS first_place FROM mobilebert.answer('Where is it?', repeat('the cat sat on the mat. ', 43691) || 'x', 'qa', doc_stride => 0, max_answer_len => 2, max_seq_len => 40);
SELECT length(answer), start_offset, end_offset FROM mobilebert.answer('Where is it?', repeat('x', 1000000), 'qa');

-- NULL, empty, blank, unknown
SELECT mobilebert.best_answer(NULL, 'x'), mobilebert.best_answer('x', NULL), mobilebert.best_answer(NULL, NULL, 'qa');
SELECT count(*) FROM mobilebert.answer(NULL, 'x');
SELECT count(*) FROM mobilebert.answer('x', NULL, 'qa');
SELECT mobilebert.best_answer('x', 'y', NULL);
SELECT mobilebert.best_answer('', 'x');
SELECT mobilebert.best_answer('x', '');
SELECT * FROM mobilebert.answer('', '', 'qa');
SELECT count(*), count(mobilebert.best_answer('x', E' \t\n')) FROM mobilebert.answer('x', E' \t\n', 'qa', 5);
SELECT rank, answer, start_offset, end_offset, score = no_answer_score AS none FROM mobilebert.answer('x', '   ', 'qa', 5, handle_impossible_answer => true);
SELECT answer = U&'\+01F600' AS emoji, start_offset, end_offset FROM mobilebert.answer(' ', U&'\4E2D\6587 \+01F600', 'qa', max_answer_len => 1);
SELECT count(*) FROM mobilebert.answer('[CLS] [SEP] [MASK]?', 'the [CLS] and [SEP]', 'qa', 50);

-- options
SELECT mobilebert.answer('x', 'y', 'qa', 0);
SELECT mobilebert.answer('x', 'y', 'qa', -1);
SELECT mobilebert.answer('x', 'y', 'qa', max_answer_len => 0);
SELECT mobilebert.answer('x', 'y', 'qa', max_seq_len => 3);
SELECT mobilebert.answer('x', 'y', 'qa', doc_stride => -1);
SELECT mobilebert.answer('x', 'y', 'qa', max_seq_len => 32, doc_stride => 31);
SELECT answer FROM mobilebert.answer('x', 'y', 'qa', max_seq_len => 32, doc_stride => 30);
SELECT mobilebert.answer('x', repeat('y ', 100), 'qa', max_seq_len => 32, doc_stride => 30);
SELECT mobilebert.answer(repeat('x ', 130), 'y', 'qa');
SELECT mobilebert.answer(repeat('x ', 70), repeat('y ', 70), 'qa');
SELECT count(*) FROM mobilebert.answer(repeat('x ', 70), repeat('y ', 70), 'qa', doc_stride => 10);
SELECT mobilebert.best_answer('x', 'y', 'no such model');
SELECT mobilebert.memory_needed('qa', 128) / 1024 AS kb \gset
SELECT set_config('mobilebert.memory_limit', greatest(:kb, 64)::text, false) <> '' AS set;
SELECT count(*) FROM mobilebert.answer('Where is it?', repeat('the cat sat on the mat. ', 400), 'qa', max_seq_len => 64, doc_stride => 8);
RESET mobilebert.memory_limit;

-- in tables
CREATE TEMP TABLE kept AS SELECT id, a.* FROM passage, LATERAL mobilebert.answer('Where?', body) AS a;
SELECT count(*) FROM kept;
CREATE TABLE faq (body text, place text GENERATED ALWAYS AS (mobilebert.best_answer('Where?', body, 'qa')) STORED);
INSERT INTO faq (body) SELECT body FROM passage UNION ALL VALUES (NULL), (' ');
SELECT count(*), count(place), bool_and(place = mobilebert.best_answer('Where?', body)) AS same FROM faq;
CREATE INDEX ON faq (mobilebert.best_answer('Who?', body, 'qa', max_answer_len => 2));
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.answer := mobilebert.best_answer(NEW.question, NEW.body); RETURN NEW; END $$;
CREATE TEMP TABLE asked (question text, body text, answer text);
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON asked FOR EACH ROW EXECUTE FUNCTION fill();
INSERT INTO asked SELECT 'Where?', body FROM passage;
SELECT count(*) FILTER (WHERE answer = mobilebert.best_answer('Where?', body, 'qa')) FROM asked;
DROP TABLE faq;
DROP FUNCTION fill CASCADE;

-- best_answers: what answer() gives for all rows, of which the best are kept
SELECT rank, key, answer, round(score::numeric, 4) AS score, start_offset, end_offset
FROM (SELECT (unnest(mobilebert.best_answers('When was the siege?', body, id::text))).* FROM passage) AS a;
INSERT INTO passage SELECT 100 + n, body || repeat(' more', n) || ' in ' || n FROM passage, generate_series(1, 40) AS n;
INSERT INTO passage VALUES (0, NULL), (NULL, 'A row without a key, but with a body.');
CREATE TEMP VIEW each AS
SELECT k, row_number() OVER (PARTITION BY k ORDER BY a.score DESC, p.id::text COLLATE "C", a.rank, a.start_offset, a.answer COLLATE "C") AS rank, p.id::text AS key, a.answer, a.score, a.start_offset, a.end_offset
FROM (VALUES (1), (3), (10), (1000)) AS v(k), passage AS p, LATERAL mobilebert.answer('When?', body, 'qa', k, 9, 6, 36) AS a;
SELECT k, cardinality(b) AS answers, count(*) FILTER (WHERE e = u) AS same
FROM ((SELECT k, mobilebert.best_answers('When?', body, id::text, 'qa', k, 9, 6, 36, NULL) AS b FROM passage, (VALUES (1), (3), (10), (1000)) AS v(k) GROUP BY k) AS s CROSS JOIN LATERAL unnest(b) AS u)
	JOIN (SELECT k, (rank::int, key, answer, score, start_offset, end_offset)::mobilebert.ranked_answer AS e FROM each) AS e USING (k)
WHERE (e).rank = (u).rank GROUP BY 1, 2 ORDER BY 1;
-- in any order, by parallel workers, per group, over a window
SELECT count(DISTINCT b::text) FROM (
	SELECT mobilebert.best_answers('When?', body, id::text, 'qa', 7 ORDER BY id DESC) AS b FROM passage
	UNION ALL SELECT mobilebert.best_answers('When?', body, id::text, 'qa', 7 ORDER BY length(body)) FROM passage) AS s;
CREATE TABLE shared_passage AS SELECT * FROM passage;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT mobilebert.best_answers('When?', body, id::text, 'qa', 7) FROM shared_passage;
SELECT mobilebert.best_answers('When?', body, id::text, 'qa', 7) AS parallel FROM shared_passage \gset
RESET parallel_setup_cost;
SET max_parallel_workers_per_gather = 0;
SELECT mobilebert.best_answers('When?', body, id::text, 'qa', 7)::text = :'parallel' AS same FROM shared_passage;
RESET max_parallel_workers_per_gather;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP TABLE shared_passage;
SELECT g, (mobilebert.best_answers('When?', body, id::text, 'qa', 1))[1] = (SELECT (mobilebert.best_answers('When?', i.body, i.id::text, 'qa', 1))[1] FROM passage AS i WHERE i.id % 3 = g) AS same
FROM passage, LATERAL (SELECT id % 3) AS s(g) WHERE g IS NOT NULL GROUP BY g ORDER BY g;
SELECT id, (mobilebert.best_answers('When?', body, id::text, 'qa', 1) OVER (ORDER BY id))[1] = (SELECT (mobilebert.best_answers('When?', i.body, i.id::text, 'qa', 1))[1] FROM passage AS i WHERE i.id <= o.id) AS running
FROM passage AS o WHERE id BETWEEN 1 AND 3 ORDER BY id;
-- the question, the model and other options may change from row to row
SELECT mobilebert.best_answers(q, body, id::text, 'qa', 4) = (SELECT array_agg((rank::int, key, answer, score, start_offset, end_offset)::mobilebert.ranked_answer ORDER BY rank) FROM (
	SELECT row_number() OVER (ORDER BY a.score DESC, p.id::text COLLATE "C", a.rank) AS rank, p.id::text AS key, a.answer, a.score, a.start_offset, a.end_offset
	FROM (SELECT *, CASE id % 3 WHEN 0 THEN 'Who?' WHEN 1 THEN 'When?' END AS q FROM passage) AS p, LATERAL mobilebert.answer(q, body, 'qa', 4) AS a LIMIT 4) AS s) AS same
FROM (SELECT *, CASE id % 3 WHEN 0 THEN 'Who?' WHEN 1 THEN 'When?' END AS q FROM passage) AS p;
SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 1 + id % 2) FROM passage;
-- nothing, blanks, errors
SELECT mobilebert.best_answers('Who?', body, id::text, 'qa') FROM passage WHERE false;
SELECT mobilebert.best_answers('Who?', ' ', id::text, 'qa') FROM passage;
SELECT mobilebert.best_answers(NULL, body, id::text) FROM passage;
SELECT mobilebert.best_answers('Who?', '', id::text) FROM passage;
SELECT mobilebert.best_answers('Who?', body, id::text, NULL) FROM passage;
SELECT mobilebert.best_answers('Who?', body, id::text, 'ner') FROM passage;
SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 0) FROM passage;
SELECT cardinality(mobilebert.best_answers('Who?', body, NULL, 'qa', 2)) FROM passage;

SELECT count(mobilebert.drop_model(n)) FROM unnest('{qa,ner}'::text[]) AS n;
