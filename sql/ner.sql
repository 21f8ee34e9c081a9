--
-- ner and entities
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
\set sequence :abs_srcdir '/test/golden/checkpoint/store-bf16'
SELECT mobilebert.ner('x');
SELECT name, max_tokens FROM mobilebert.import_model('ner', :'ner');
SELECT name FROM mobilebert.import_model('sequence', :'sequence');
SELECT mobilebert.set_default_model('ner', 'ner');

-- strategies; pieces is what Hugging Face calls word
SELECT entity, round(score::numeric, 4) AS score, word, start_offset, end_offset, token_no, pieces
FROM mobilebert.ner('Angela Merkel met Zoë in Paris.');
SELECT entity, round(score::numeric, 4) AS score, word, start_offset, end_offset, token_no, pieces
FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'none');
SELECT s, string_agg(format('%s(%s)', entity, word), ' ' ORDER BY start_offset) AS found, sum(token_no) AS token_nos
FROM unnest('{none,simple,first,average,max}'::text[]) AS s, LATERAL mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', s)
GROUP BY s ORDER BY array_position('{none,simple,first,average,max}', s);
SELECT count(*) AS any_case FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'Average');
-- labels to leave out: groups by their name, tokens by the whole label
SELECT entity, count(*) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', ignore_labels => '{}') GROUP BY 1 ORDER BY 1;
SELECT entity, count(*) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', ignore_labels => '{PER,NULL,B-LOC}') GROUP BY 1 ORDER BY 1;
SELECT entity, count(*) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'none', '{PER,B-LOC,O}') GROUP BY 1 ORDER BY 1;
-- each word is the slice of the text
SELECT count(*), count(*) FILTER (WHERE word = substr(t, start_offset + 1, end_offset - start_offset)) AS slices
FROM (VALUES (U&'Zoe\0308 and\200B \00C9TIENNE \4E2D\570B \+01F600 stay'), (E'  two\tlines\nof  text ')) AS v(t),
	LATERAL mobilebert.ner(t, 'ner', 'none', '{}');

-- words that were split before
SELECT entity, word, start_offset, end_offset, pieces FROM mobilebert.ner('{Angela,Merkel,"",met,Zoë}'::text[], 'ner', 'first', '{}');
SELECT string_agg(word, '|') AS words, max(end_offset) AS last FROM mobilebert.ner('{Angela,Merkel,met,Zoë}'::text[], 'ner', 'first', '{}', delimiter => '––');
SELECT string_agg(word, '|') AS words, max(end_offset) AS last FROM mobilebert.ner('{Angela,Merkel,met,Zoë}'::text[], 'ner', 'first', '{}', delimiter => '');
SELECT count(*) FROM mobilebert.ner('{Angela,Merkel}'::text[]);
SELECT count(*) FROM mobilebert.ner('{}'::text[], 'ner', ignore_labels => '{}');
SELECT count(*) FROM mobilebert.ner('{"",""}'::text[], 'ner', ignore_labels => '{}');
SELECT mobilebert.ner('{a,NULL}'::text[], 'ner');
SELECT mobilebert.ner('{{a},{b}}'::text[], 'ner');

-- the same as one value
SELECT e.entity, round(e.score::numeric, 3) AS score, e.word, e.start_offset, e.end_offset, e.token_no, e.pieces
FROM unnest(mobilebert.entities('Zoë in Paris', 'ner', 'max')) AS e;
SELECT (e).word, (e).start_offset FROM unnest(mobilebert.entities('Angela Merkel met Zoë in Paris.')) AS e LIMIT 2;
SELECT mobilebert.entities('Angela Merkel met Zoë in Paris.', 'ner', 'none') = array_agg(n::mobilebert.entity) AS same
FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'none') AS n;
SELECT mobilebert.entities('{Zoë,in,Paris}'::text[]) = mobilebert.entities('Zoë in Paris') AS words;
SELECT mobilebert.entities('Zoë in Paris', 'ner', ignore_labels => '{O,PER,LOC,ORG}') AS nothing, mobilebert.entities('') AS empty, mobilebert.entities(NULL::text) AS null_text, mobilebert.entities(NULL::text[], 'ner') AS null_words;

-- too long: windows, one after another, or cut
SELECT repeat('Angela Merkel met Zoë in Paris. ', 40) AS long \gset
SELECT mobilebert.count_tokens(:'long', 'ner') AS tokens;
SELECT count(*), max(end_offset), count(*) FILTER (WHERE start_offset < previous) AS overlaps
FROM (SELECT *, lag(end_offset) OVER (ORDER BY start_offset) AS previous FROM mobilebert.ner(:'long', 'ner')) AS n;
SELECT count(*) AS of_default_stride FROM mobilebert.ner(:'long', 'ner') AS a JOIN mobilebert.ner(:'long', 'ner', stride => (128 - 2) / 4) AS b ON a = b;
SELECT count(*) <> 0 AS other_strides_differ FROM (SELECT * FROM mobilebert.ner(:'long', 'ner') EXCEPT SELECT * FROM mobilebert.ner(:'long', 'ner', stride => 0)) AS d;
SELECT count(*), count(DISTINCT token_no), min(token_no), max(token_no) FROM mobilebert.ner(:'long', 'ner', 'none', '{}');
SELECT count(*), max(end_offset) < length(:'long') AS cut FROM mobilebert.ner(:'long', 'ner', ignore_labels => '{}', overflow => 'truncate');
SELECT count(*) FROM mobilebert.ner(:'long', 'ner', overflow => 'error');
SELECT count(*), max(end_offset) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'none', '{}', overflow => 'truncate', max_length => 10);
SELECT count(*) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'none', '{}', max_length => 3);
SELECT count(*) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', ignore_labels => '{}', max_length => 10, stride => 7);
-- packed with other windows or alone: the same bits
SET mobilebert.batch_tokens = 100000;
CREATE TEMP TABLE packed AS SELECT * FROM mobilebert.ner(:'long', 'ner', 'average', stride => 40);
RESET mobilebert.batch_tokens;
SELECT count(*) > 100 AS many, count(*) = (SELECT count(*) FROM packed) AS same
FROM (SELECT * FROM mobilebert.ner(:'long', 'ner', 'average', stride => 40) INTERSECT ALL SELECT * FROM packed) AS i;
-- a megabyte
SELECT count(*), max(end_offset) FROM mobilebert.ner(repeat('x', 1000000), 'ner', ignore_labels => '{}');
SELECT count(*), max(end_offset) FROM mobilebert.ner(repeat(' ', 1000000), 'ner', ignore_labels => '{}');

-- a cancel is heard at any length
SET statement_timeout = '200ms';
SELECT count(*) FROM mobilebert.ner(repeat('Angela Merkel met Zoë in Paris. ', 31250), 'ner');
RESET statement_timeout;

-- where values can stand
CREATE TEMP TABLE mail (body text, found mobilebert.entity[] GENERATED ALWAYS AS (mobilebert.entities(body, 'ner', 'first')) STORED);
INSERT INTO mail VALUES ('Angela Merkel met Zoë in Paris.'), (NULL), ('');
SELECT body, cardinality(found) AS found FROM mail ORDER BY body;
CREATE TEMP TABLE mention AS SELECT m.body, n.* FROM mail AS m, LATERAL mobilebert.ner(m.body) AS n;
SELECT count(*) FROM mention;
CREATE FUNCTION pg_temp.fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.names := (SELECT array_agg((e).word) FROM unnest(mobilebert.entities(NEW.body)) AS e); RETURN NEW; END$$;
CREATE TEMP TABLE letter (body text, names text[]);
CREATE TRIGGER fill BEFORE INSERT ON letter FOR EACH ROW EXECUTE FUNCTION pg_temp.fill();
INSERT INTO letter VALUES ('Zoë in Paris') RETURNING names;
CREATE TEMP TABLE refused (body text, found mobilebert.entity[] GENERATED ALWAYS AS (mobilebert.entities(body)) STORED);

-- errors, and what is none
SELECT mobilebert.ner('x', 'ner', 'best');
SELECT mobilebert.ner('x', 'ner', 'none', stride => 3);
SELECT mobilebert.ner('x', 'ner', stride => 126);
SELECT mobilebert.ner('x', 'ner', stride => -1);
SELECT mobilebert.ner('x', 'ner', stride => 8, max_length => 10);
SELECT mobilebert.ner('x', 'ner', max_length => 2);
SELECT mobilebert.ner('x', 'ner', overflow => 'cut');
SELECT mobilebert.ner('x', 'sequence');
SELECT mobilebert.ner('x', 'no such model');
SELECT mobilebert.ner('x', NULL);
SELECT count(*) AS all_default FROM mobilebert.ner('Zoë in Paris', 'ner', NULL, NULL, NULL, NULL, NULL);
SELECT count(*) FROM mobilebert.ner(NULL::text);
SELECT count(*) FROM mobilebert.ner(NULL::text, 'ner', 'best');
SELECT count(*) FROM mobilebert.ner('', 'ner', ignore_labels => '{}');
SELECT count(*) FROM mobilebert.ner(E' \t\n', 'ner', ignore_labels => '{}');
-- unknown characters: the token is what stands there
\pset format unaligned
SELECT word, start_offset, pieces FROM mobilebert.ner(U&'\2603 \+01F600\2603', 'ner', 'none', '{}');
\pset format aligned
-- a special token that is typed in the text counts as a word
SELECT word, token_no, pieces FROM mobilebert.ner('a [SEP] b', 'ner', 'none', '{}');

SELECT count(mobilebert.drop_model(n)) FROM unnest('{ner,sequence}'::text[]) AS n;
