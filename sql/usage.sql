--
-- results of tasks in statements of all kinds: tables, row security, cursors, transactions, recursion, memory
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set yesno :abs_srcdir '/test/golden/checkpoint/store-bf16'
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
\set qa :abs_srcdir '/test/golden/checkpoint/tok-no-cjk'
\set pre :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set one :abs_srcdir '/test/golden/checkpoint/sequence-1-plain'
\set one_config :one '/config.json'
\set one_tokenizer :one '/tokenizer.json'
\set one_weights :one '/model.safetensors'
SELECT array_agg((mobilebert.import_model(n, p)).name) AS models FROM (VALUES ('yesno', :'yesno'), ('ner', :'ner'), ('qa', :'qa'), ('pre', :'pre')) AS v(n, p);
SELECT name FROM mobilebert.import_model('choice', pg_read_file(:'one_config')::jsonb || '{"architectures": ["MobileBertForMultipleChoice"]}',
	pg_read_file(:'one_tokenizer'), pg_read_binary_file(:'one_weights'));
CREATE TABLE letter (id int PRIMARY KEY, owner text, body text);
INSERT INTO letter SELECT n, CASE n % 2 WHEN 0 THEN 'regress_even' ELSE 'regress_odd' END, 'Peter wrote letter ' || n || ' in Paris.' FROM generate_series(1, 6) AS n;
INSERT INTO letter VALUES (7, 'regress_odd', NULL);

-- every scalar form that names a model is immutable, and so good for generated columns, checks and indexes
CREATE TABLE kept (id int, body text,
	label text GENERATED ALWAYS AS (mobilebert.label(body, 'yesno')) STORED,
	best_label text GENERATED ALWAYS AS (mobilebert.best_label(body, '{post,music}', 'yesno', max_length => 40)) STORED,
	like_label text GENERATED ALWAYS AS (mobilebert.best_label(body, '{post,music}', 'pre')) STORED,
	entities mobilebert.entity[] GENERATED ALWAYS AS (mobilebert.entities(body, 'ner', 'none')) STORED,
	word_entities mobilebert.entity[] GENERATED ALWAYS AS (mobilebert.entities(regexp_split_to_array(body, ' '), 'ner')) STORED,
	redacted text GENERATED ALWAYS AS (mobilebert.redact(body, 'ner', '{PER}', '[{} {#}]', 0.1, '{EMAIL}', 'first')) STORED,
	masked text GENERATED ALWAYS AS (mobilebert.redact(body, NULL, patterns => '{EMAIL}')) STORED,
	token text GENERATED ALWAYS AS (mobilebert.best_token('[MASK] ' || body, 'pre')) STORED,
	perplexity real GENERATED ALWAYS AS (mobilebert.pseudo_perplexity(body, 'pre')) STORED,
	follows real GENERATED ALWAYS AS (mobilebert.next_sentence(body, 'It came.', 'pre')) STORED,
	choice int GENERATED ALWAYS AS (mobilebert.best_choice(body, '{a,b c}', 'choice')) STORED,
	answer text GENERATED ALWAYS AS (mobilebert.best_answer('Where?', body, 'qa')) STORED,
	loss real GENERATED ALWAYS AS (mobilebert.loss(body, 'yesno', 1)) STORED,
	query real[] GENERATED ALWAYS AS (mobilebert.embed_query(body, 'pre')) STORED,
	document real[] GENERATED ALWAYS AS (mobilebert.embed_document(body, 'pre')) STORED,
	short real[] GENERATED ALWAYS AS (mobilebert.l2_normalize(mobilebert.embed(body, 'pre', max_length => 12, dimensions => 3))) STORED,
	predictions real[] GENERATED ALWAYS AS ((mobilebert.pretraining(body, 'pre', positions => '{0}')).prediction_logits) STORED,
	CHECK (mobilebert.label(body, 'yesno', overflow => 'error') IS NOT NULL OR body IS NULL));
INSERT INTO kept SELECT id, body FROM letter;
SELECT count(*), count(label), count(best_label), count(like_label), count(entities), count(word_entities), count(redacted), count(masked), count(token), count(perplexity), count(follows), count(choice), count(answer), count(loss), count(query), count(document), count(short), count(predictions) FROM kept;
SELECT bool_and(label = mobilebert.label(body, 'yesno')) AS label, bool_and(answer = mobilebert.best_answer('Where?', body, 'qa')) AS answer, bool_and(entities = mobilebert.entities(body, 'ner', 'none')) AS entities,
	bool_and(redacted = mobilebert.redact(body, 'ner', '{PER}', '[{} {#}]', 0.1, '{EMAIL}', 'first')) AS redacted, bool_and(masked = body) AS masked,
	bool_and(follows = mobilebert.next_sentence(body, 'It came.', 'pre')) AS follows, bool_and(perplexity = mobilebert.pseudo_perplexity(body, 'pre')) AS perplexity FROM kept;
SELECT bool_and(array(SELECT (e).word FROM unnest(entities) AS e) = array(SELECT substr(body, (e).start_offset + 1, (e).end_offset - (e).start_offset) FROM unnest(entities) AS e)) AS slices FROM kept;
CREATE INDEX ON kept (mobilebert.next_sentence(body, 'b', 'pre')) WHERE mobilebert.label(body, 'yesno') = 'yes';
-- the forms with the default model are not
CREATE TABLE wrong (body text, answer text GENERATED ALWAYS AS (mobilebert.best_answer('Where?', body)) STORED);
CREATE INDEX ON kept (mobilebert.label(body));
SELECT p.oid::regprocedure AS not_immutable FROM pg_proc AS p WHERE pronamespace = 'mobilebert'::regnamespace AND prosupport <> 0 AND (provolatile = 'i') <> ('model' = ANY (proargnames));
SELECT p.oid::regprocedure AS not_parallel_safe FROM pg_proc AS p WHERE pronamespace = 'mobilebert'::regnamespace AND (prosupport <> 0 OR prokind = 'a') AND proparallel <> 's';
SELECT p.oid::regprocedure AS not_described FROM pg_proc AS p WHERE pronamespace = 'mobilebert'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;

-- triggers, also for a whole statement; RETURNING; ON CONFLICT; UPDATE
CREATE TABLE tagged (id int PRIMARY KEY, body text, label text, entities mobilebert.entity[], pair real, choice int);
CREATE FUNCTION tag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.label := mobilebert.label(NEW.body, 'yesno');
	NEW.entities := mobilebert.entities(NEW.body, 'ner');
	NEW.pair := mobilebert.next_sentence(NEW.body, 'It came.', 'pre');
	NEW.choice := mobilebert.best_choice(NEW.body, '{a,b c}', 'choice');
	RETURN NEW;
END $$;
CREATE FUNCTION report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'best: %', (SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 1) IS NOT NULL FROM changed);
	RETURN NULL;
END $$;
CREATE TRIGGER tag BEFORE INSERT OR UPDATE ON tagged FOR EACH ROW EXECUTE FUNCTION tag();
CREATE TRIGGER report AFTER INSERT ON tagged REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION report();
INSERT INTO tagged SELECT id, body FROM letter RETURNING id, label = mobilebert.label(body, 'yesno') AS label, pair = mobilebert.next_sentence(body, 'It came.', 'pre') AS pair;
INSERT INTO tagged VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = mobilebert.best_answer('Who?', tagged.body, 'qa') RETURNING label = mobilebert.label(body, 'yesno') AS label;
UPDATE tagged SET body = (SELECT token FROM mobilebert.fill_mask('[MASK] ' || tagged.body, 'pre', 1)) WHERE id < 3;
SELECT bool_and(t.entities = k.word_entities OR t.id < 3 OR cardinality(t.entities) > 0) AS entities, bool_and(t.choice = k.choice OR t.id < 3) AS choice FROM tagged AS t JOIN kept AS k USING (id) WHERE t.body IS NOT NULL;

-- CREATE TABLE AS, a materialized view, sets in the select list, LIMIT
CREATE TABLE found AS SELECT id, n.* FROM letter, LATERAL mobilebert.ner(body, 'ner') AS n;
CREATE MATERIALIZED VIEW asked AS SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 3) AS best FROM letter;
REFRESH MATERIALIZED VIEW asked;
SELECT pg_typeof(best), cardinality(best) FROM asked;
SELECT f = l AS same FROM (SELECT count(*) AS f FROM found) AS f, (SELECT count(*) AS l FROM (SELECT id, mobilebert.ner(body, 'ner') FROM letter) AS s) AS l;
SELECT id, mobilebert.classify(body, 'yesno', top_k => 2) IS NOT NULL AS c, mobilebert.answer('Who?', body, 'qa', 3) IS NOT NULL AS a FROM letter WHERE id IN (1, 7);
SELECT id, n.label IS NOT NULL AS label FROM letter LEFT JOIN LATERAL (SELECT label FROM mobilebert.classify(body, 'yesno') LIMIT 1) AS n ON true ORDER BY id LIMIT 2;
SELECT count(*) FROM (SELECT mobilebert.fill_mask('[MASK]', 'pre', 724) LIMIT 3) AS s;

-- row security: no function sees a row that its caller does not
CREATE ROLE regress_even;
CREATE ROLE regress_odd;
ALTER TABLE letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON letter USING (owner = current_user);
CREATE POLICY polite ON letter AS RESTRICTIVE FOR INSERT WITH CHECK (mobilebert.label(body, 'yesno') IS NOT NULL);
GRANT SELECT, INSERT ON letter TO regress_even, regress_odd;
SET ROLE regress_even;
SELECT array_agg(id ORDER BY id) AS labels FROM letter WHERE mobilebert.label(body, 'yesno') IS NOT NULL;
SELECT array_agg(DISTINCT id) AS entities FROM letter, LATERAL mobilebert.ner(body, 'ner', ignore_labels => '{}') AS n;
SELECT array_agg(DISTINCT (a).key) AS answers FROM (SELECT unnest(mobilebert.best_answers('Who?', body, id::text, 'qa', 1000)) AS a FROM letter) AS s;
INSERT INTO letter VALUES (8, 'regress_even', 'One more.'), (10, 'regress_odd', 'One more.');
INSERT INTO letter VALUES (8, 'regress_even', NULL);
SET ROLE regress_odd;
SELECT array_agg(id ORDER BY id) AS labels FROM letter WHERE mobilebert.label(body, 'yesno') IS NOT NULL;
RESET ROLE;
-- a model that is revoked is so at once, in every task
SELECT count(mobilebert.revoke_model(n, 'public')) FROM unnest('{yesno,qa,pre,ner,choice}'::text[]) AS n;
SET ROLE regress_even;
SELECT mobilebert.classify('x', 'yesno');
SELECT mobilebert.best_label('x', '{a}', 'yesno');
SELECT mobilebert.entities('x', 'ner');
SELECT mobilebert.redact('x', 'ner');
SELECT mobilebert.best_token('[MASK]', 'pre');
SELECT mobilebert.next_sentence('x', 'y', 'pre');
SELECT mobilebert.choose('x', '{y}', 'choice');
SELECT mobilebert.answer('x', 'y', 'qa');
SELECT mobilebert.best_answers('x', 'y', 'z', 'qa');
SELECT mobilebert.best_matches('x', 'y', 'z', 'qa');
SELECT mobilebert.rank('x', '{y}', 'pre');
SELECT mobilebert.loss('x', 'yesno', 1);
SELECT mobilebert.pretraining('x', 'pre');
RESET ROLE;

-- cursors, forwards and back, and after the transaction
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id, a.rank, a.answer FROM letter, LATERAL mobilebert.answer('Who?', body, 'qa', 2) AS a ORDER BY id, rank;
FETCH 3 FROM c;
COMMIT;
FETCH BACKWARD 2 FROM c;
MOVE ALL FROM c;
FETCH PRIOR FROM c;
CLOSE c;
-- a model that is renamed, dropped or replaced while a statement runs
BEGIN;
DECLARE c CURSOR FOR SELECT n, mobilebert.label('text ' || n, 'yesno') IS NOT NULL AS label FROM generate_series(1, 5) AS n;
FETCH 1 FROM c;
SELECT name FROM mobilebert.import_model('other', :'yesno');
SELECT mobilebert.drop_model('other');
FETCH 1 FROM c;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT name FROM mobilebert.import_model('other', :'yesno');
SELECT mobilebert.label('x', 'other') = mobilebert.label('x', 'yesno') AS same;
SELECT mobilebert.rename_model('yesno', 'renamed');
SELECT mobilebert.label('x', 'yesno');
ROLLBACK TO s;
SELECT mobilebert.label('x', 'yesno') IS NOT NULL AS back;
SELECT mobilebert.label('x', 'other');
ROLLBACK;
SELECT name FROM mobilebert.import_model('swapped', :'qa');
CREATE FUNCTION swap(n int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF n = 3 THEN
		PERFORM mobilebert.rename_model('swapped', 'old');
		PERFORM mobilebert.rename_model('qa', 'swapped');
		PERFORM mobilebert.drop_model('old');
	END IF;
	RETURN 'Peter lives in house ' || n;
END $$;
SELECT mobilebert.best_answers('Where?', swap(n), n::text, 'swapped', 100)::text = (SELECT mobilebert.best_answers('Where?', 'Peter lives in house ' || m, m::text, 'swapped', 100)::text FROM generate_series(1, 5) AS m) AS same FROM generate_series(1, 5) AS n;
SELECT mobilebert.rename_model('swapped', 'qa');

-- errors that are caught, one call inside another
CREATE FUNCTION tried(t text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN mobilebert.label(t, 'yesno', overflow => 'error');
EXCEPTION WHEN program_limit_exceeded THEN
	RETURN 'too long';
END $$;
SELECT array_agg(tried(repeat('a ', n * 40)) ORDER BY n) = ARRAY[mobilebert.label(repeat('a ', 40), 'yesno'), mobilebert.label(repeat('a ', 80), 'yesno'), mobilebert.label(repeat('a ', 120), 'yesno'), 'too long', 'too long'] AS tried FROM generate_series(1, 5) AS n;
CREATE FUNCTION within(n int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT (mobilebert.best_answers('Where?', 'Peter lives in house ' || m, m::text, 'qa', 1))[1].answer FROM generate_series(1, n) AS m) || ' ' || tried(repeat('a ', n * 40));
END $$;
CREATE TEMP TABLE inner_texts AS SELECT n, within(n) AS w FROM generate_series(1, 6) AS n;
SELECT mobilebert.best_answers('Where?', within(n), n::text, 'qa', 9)::text = (SELECT mobilebert.best_answers('Where?', w, m::text, 'qa', 9)::text FROM inner_texts AS i(m, w)) AS same FROM generate_series(1, 6) AS n;

-- what a call takes it gives back before the statement ends
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';
CREATE FUNCTION growth(call text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format('SELECT max(used) - min(used) FROM (SELECT CASE WHEN n IN (200, 1200) THEN used() END AS used
		FROM generate_series(1, 1200) AS n, LATERAL (SELECT count(x) AS rows FROM %s AS x) AS s WHERE rows >= 0 OFFSET 0) AS s', call) INTO result;
	RETURN result;
END $$;
SET mobilebert.cache_size = 0;
SELECT call AS leaks FROM unnest(ARRAY[
	$q$mobilebert.classify('text ' || n, 'yesno')$q$,
	$q$mobilebert.zero_shot('text ' || n, '{a,b}', 'yesno')$q$,
	$q$mobilebert.zero_shot('text ' || n, '{a,b}', 'pre')$q$,
	$q$mobilebert.zero_shot('text', ARRAY['a ' || n, 'b'], 'pre')$q$,
	$q$mobilebert.rank('text', ARRAY['a ' || n, 'b'], 'pre')$q$,
	$q$mobilebert.rank('text ' || n, ARRAY['a', 'b'], 'choice')$q$,
	$q$mobilebert.ner('text ' || n, 'ner')$q$,
	$q$mobilebert.ner(ARRAY['text', n::text], 'ner', 'average')$q$,
	$q$mobilebert.fill_mask('[MASK] ' || n, 'pre', 2)$q$,
	$q$mobilebert.token_log_probability('a ' || n, 'pre')$q$,
	$q$mobilebert.choose('text ' || n, '{a,b}', 'choice')$q$,
	$q$mobilebert.answer('Who?', 'text ' || n, 'qa', 3)$q$,
	$q$mobilebert.logits('text ' || n, 'pre')$q$,
	$q$mobilebert.chunk('A text. ' || n || '. A text.', 'pre', 9)$q$,
	$q$mobilebert.embed_chunks('A text. ' || n || '. A text.', 'pre', 9)$q$,
	$q$unnest(mobilebert.entities('text ' || n, 'ner'))$q$,
	$q$unnest(ARRAY[mobilebert.redact('text ' || n, 'ner', patterns => '{EMAIL}')])$q$,
	$q$unnest(ARRAY[mobilebert.redact('text 10.0.0.1 ' || n, NULL, patterns => '{EMAIL,IP}', replacement => '{#}')])$q$,
	$q$unnest(ARRAY[mobilebert.redact('text 10.0.0.1 ' || n, mobilebert.pattern_entities('text 10.0.0.1 ' || n))])$q$,
	$q$unnest(ARRAY[mobilebert.highlight('text 10.0.0.1 ' || n, mobilebert.pattern_entities('text 10.0.0.1 ' || n))])$q$,
	$q$unnest(ARRAY[mobilebert.label('text ' || n, 'yesno')])$q$,
	$q$unnest(ARRAY[mobilebert.loss('text ' || n, 'yesno', 'yes')])$q$,
	$q$unnest(ARRAY[mobilebert.best_answer('Who?', 'text ' || n, 'qa')])$q$,
	$q$unnest(ARRAY[mobilebert.next_sentence('text ' || n, 'b', 'pre')])$q$]) AS call
WHERE growth(call) > 200000;
RESET mobilebert.cache_size;

DROP MATERIALIZED VIEW asked;
DROP TABLE letter, kept, tagged, found;
DROP FUNCTION tag, report, swap, within, tried, used, growth;
DROP ROLE regress_even, regress_odd;
SELECT count(mobilebert.drop_model(n)) FROM unnest('{yesno,ner,qa,pre,choice}'::text[]) AS n;
