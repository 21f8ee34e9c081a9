--
-- redact, highlight and pattern_entities
--
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'
\set sequence :abs_srcdir '/test/golden/checkpoint/store-bf16'
SELECT mobilebert.redact('x');
SELECT name FROM mobilebert.import_model('ner', :'ner');
SELECT name FROM mobilebert.import_model('sequence', :'sequence');
SELECT mobilebert.set_default_model('ner', 'ner');

-- patterns alone
SELECT mobilebert.redact('Write to joe@example.com or call +41 44 668 18 00.', NULL, patterns => '{EMAIL,PHONE}');
SELECT mobilebert.redact('Write to joe@example.com or call +41 44 668 18 00.', NULL, patterns => '{email,NULL}');
SELECT mobilebert.redact('Card 4111 1111 1111 1111, not 4111 1111 1111 1112; IBAN DE89 3704 0044 0532 0130 00 since 2004-04-16, from 10.0.0.1 and 2001:db8::1, see https://example.com/a.', NULL, patterns => '{CREDIT_CARD,IBAN,DATE,IP,URL}');
SELECT e.* FROM unnest(mobilebert.pattern_entities('Zoë: zoe@example.com, https://joe@example.com/2004-04-16')) AS e;
SELECT cardinality(mobilebert.pattern_entities('a@b.cc 10.0.0.1', '{IP}')) AS one, mobilebert.pattern_entities('nothing') AS none, mobilebert.pattern_entities('a@b.cc', '{}') AS no_pattern, mobilebert.pattern_entities(NULL) AS null_text;
-- the longer wins; of equal ones the first kind
SELECT mobilebert.redact('See https://joe@example.com/2004-04-16 now', NULL, patterns => '{EMAIL,URL,DATE}');
SELECT mobilebert.redact('See https://joe@example.com/2004-04-16 now', NULL, patterns => '{EMAIL,DATE}');
-- templates
SELECT t, mobilebert.redact('joe@example.com, ann@example.com, joe@example.com, 10.0.0.1', NULL, replacement => t, patterns => '{EMAIL,IP}')
FROM unnest(ARRAY['[{}]', '[{} {#}]', '<{#}>', '', '***', '{{{}}}', NULL]) AS t;
SELECT mobilebert.redact('joe@example.com', NULL, replacement => 'a { b', patterns => '{EMAIL}');
SELECT mobilebert.redact('no address', NULL, replacement => '{label}', patterns => '{EMAIL}');
SELECT mobilebert.redact('joe@example.com', NULL, replacement => '{0}', patterns => '{EMAIL}');

-- a model: what ner finds is replaced
SELECT mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner'),
	mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner', '{LOC}') AS loc,
	mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner') = mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner', aggregation_strategy => 'first') AS whole_words,
	mobilebert.redact('Angela Merkel met Zoë in Paris.') = mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner') AS of_default;
SELECT s, entity, word, start_offset FROM unnest('{simple,first,average,max}'::text[]) AS s, LATERAL mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', s);
-- the same as taking the slices that ner gives, for texts of all kinds and each strategy
CREATE FUNCTION by_hand(t text, m text, strategy text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	e record;
	result text := '';
	at int := 0;
BEGIN
	FOR e IN SELECT * FROM mobilebert.ner(t, m, strategy) ORDER BY start_offset LOOP
		result := result || substr(t, at + 1, e.start_offset - at) || '[' || regexp_replace(e.entity, '^[BI]-', '') || ']';
		at := e.end_offset;
	END LOOP;
	RETURN result || substr(t, at + 1);
END $$;
SELECT s, count(*), count(*) FILTER (WHERE mobilebert.redact(t, 'ner', aggregation_strategy => s) = by_hand(t, 'ner', s)) AS same,
	count(*) FILTER (WHERE mobilebert.redact(t, 'ner', aggregation_strategy => s) = mobilebert.redact(t, mobilebert.entities(t, 'ner', s))) AS stored
FROM unnest('{simple,first,average,max,none}'::text[]) AS s,
	unnest(ARRAY['Angela Merkel met Zoë in Paris.', '', '   ', U&'Zoe\0308 and\200B \00C9TIENNE \4E2D\570B \+01F600 stay', E'  two\tlines\nof  text ', 'Peter wrote to {Ann} <b> and [SEP]',
		repeat('Angela Merkel met Zoë in Paris. ', 40)]) AS t
GROUP BY s ORDER BY s;
-- long texts are read in windows, to the end
SELECT length(r) < length(t) AS shorter, right(r, 20) AS last, r = by_hand(t, 'ner', 'first') AS same
FROM (SELECT t, mobilebert.redact(t, 'ner', aggregation_strategy => 'first') AS r FROM (SELECT repeat('Angela Merkel met Zoë in Paris. ', 100) AS t) AS s) AS s;
-- scores: from the highest on nothing is left
SELECT mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner', min_score => 1) AS none,
	mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner', min_score => 0) = mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner') AS all,
	mobilebert.redact('joe@example.com', NULL, min_score => 1, patterns => '{EMAIL}') AS patterns_stay;
SELECT mobilebert.redact('Angela Merkel met Zoë in Paris.', 'ner', min_score => (SELECT max(score) FROM mobilebert.ner('Angela Merkel met Zoë in Paris.', 'ner', 'max')), aggregation_strategy => 'max') ~ '^[^[]*\[[^[]*$' AS one;
-- patterns beside a model: labels restrict the model alone
SELECT mobilebert.redact('Zoë (zoe@example.com)', 'ner', '{}', patterns => '{EMAIL}');
SELECT mobilebert.redact('', 'ner') AS empty, mobilebert.redact(NULL, 'ner') AS null_text, mobilebert.redact(NULL) AS null_default, mobilebert.redact('', NULL, patterns => '{IP}') AS empty_pattern, mobilebert.redact(NULL, NULL::text) AS nothing;

-- entities that are stored, in any order, overlapping or not
CREATE FUNCTION e(label text, s int, f int, word text DEFAULT NULL, score real DEFAULT 1) RETURNS mobilebert.entity LANGUAGE sql AS
	$$SELECT ROW(label, score, word, s, f, NULL, NULL)::mobilebert.entity$$;
SELECT n, mobilebert.redact('Zoë met <Ann> in Bern & Zoë left', a) AS redact, mobilebert.highlight('Zoë met <Ann> in Bern & Zoë left', a) AS highlight
FROM (VALUES (1, ARRAY[e('PER', 0, 3, 'Zoë'), e('PER', 9, 12, 'Ann'), e('LOC', 17, 21, 'Bern'), e('PER', 24, 27, 'Zoë')]),
	(2, ARRAY[e('PER', 24, 27), e('LOC', 17, 21), e('PER', 9, 12), e('PER', 0, 3)]),
	(3, ARRAY[e('A', 0, 12), e('B', 4, 7), e('C', 9, 21)]),		-- nested and overlapping, equal lengths
	(4, ARRAY[e('A', 0, 12), e('B', 9, 22)]),
	(5, ARRAY[e('A', 0, 3), e('B', 0, 3)]),
	(6, ARRAY[e('B', 0, 3), e('A', 0, 3)]),
	(7, ARRAY[e('A', 3, 3), e('B', 32, 32)]),		-- empty ones
	(8, ARRAY[e('A', 0, 32)]),
	(9, ARRAY[e('A', 0, 3), e('B', 3, 8)]),
	(10, ARRAY[]::mobilebert.entity[])) AS v(n, a) ORDER BY n;
SELECT mobilebert.redact('Zoë met Ann, Zoë left', ARRAY[e('PER', 0, 3), e('PER', 8, 11), e('PER', 13, 16)], replacement => '[{} {#}]');
SELECT mobilebert.redact('Zoë in Bern', ARRAY[e('PER', 0, 3, NULL, 0.5), e('LOC', 7, 11, NULL, 0.9)], min_score => 0.7) AS score,
	mobilebert.redact('Zoë in Bern', ARRAY[e('PER', 0, 3), e('LOC', 7, 11)], '{LOC,NULL,X}') AS labels,
	mobilebert.redact('Zoë in Bern, 10.0.0.1', ARRAY[e('PER', 0, 3)], patterns => '{IP}') AS patterns,
	mobilebert.redact('Zoë', NULL::mobilebert.entity[]) AS not_known, mobilebert.redact(NULL, ARRAY[e('PER', 0, 3)]) AS null_text;
-- those of another text are refused, and so is what is none; the text is not quoted
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', 0, 3), e('PER', 0, 4)]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', -1, 2)]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', 2, 1)]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', 0, 2147483647)]);
SELECT mobilebert.redact('Ann', ARRAY[e('PER', 0, 3, 'Zoë')]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', 0, 3, 'zoë')]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', 0, 3, 'Zo')]);
SELECT mobilebert.redact('Zoë', ARRAY[e(NULL, 0, 3)]);
SELECT mobilebert.redact('Zoë', ARRAY[e('PER', NULL, 3)]);
SELECT mobilebert.redact('Zoë', ARRAY[NULL]::mobilebert.entity[]);
SELECT mobilebert.redact('Zoë', ARRAY[[e('PER', 0, 1)], [e('PER', 0, 1)]]);
SELECT mobilebert.highlight('Zoë', ARRAY[e('PER', 0, 4)]);
SELECT mobilebert.highlight('Ann', ARRAY[e('PER', 0, 3, 'Zoë')]);
SELECT mobilebert.highlight('Zoë', ARRAY[NULL]::mobilebert.entity[]);

-- HTML: nothing of the text or of a label is markup
SELECT mobilebert.highlight('<script>"a" & ''b''</script>', ARRAY[e('"><script>', 8, 11)]);
SELECT mobilebert.highlight('Zoë & Ann', ARRAY[e('PER', 0, 3), e('PER', 6, 9)], '<b>', '</b>'),
	mobilebert.highlight('Zoë & Ann', ARRAY[e('PER', 0, 3), e('PER', 6, 9)], '<a href="#{}-{#}">', '</a>') AS numbers,
	mobilebert.highlight('Zoë', ARRAY[e('PER', 0, 3)], '', '') AS escaped_only,
	mobilebert.highlight('a < b', '{}'::mobilebert.entity[]) AS nothing, mobilebert.highlight('x', NULL::mobilebert.entity[]) AS not_known, mobilebert.highlight(NULL, ARRAY[e('PER', 0, 3)]) AS null_text;
SELECT mobilebert.highlight('Zoë', ARRAY[e('PER', 0, 3)], '<b style="{color}">');
SELECT mobilebert.highlight('Mail joe@example.com', mobilebert.pattern_entities('Mail joe@example.com'));
-- an answer's offsets
SELECT mobilebert.highlight('In 1529, <Vienna> was besieged', 3, 7) AS answer, mobilebert.highlight('In 1529', 3, 7, '*', '*') AS starred, mobilebert.highlight('a & b', NULL::int, NULL::int) AS no_answer,
	mobilebert.highlight('a & b', 0, 0) AS none, mobilebert.highlight(NULL::text, 0, 1) AS null_text;
SELECT mobilebert.highlight('In 1529', 3, 8);
SELECT mobilebert.highlight('In 1529', -1, 3);
SELECT mobilebert.highlight('In 1529', 4, 3);

-- errors
SELECT mobilebert.redact('x', 'ner', '{PER,DOG}');
SELECT mobilebert.redact('x', 'ner', '{B-PER}');
SELECT mobilebert.redact('x', 'ner', '{PER,EMAIL}');
SELECT mobilebert.redact('x', 'ner', '{O}');
SELECT mobilebert.redact('x', 'ner', patterns => '{EMAIL,SSN}');
SELECT mobilebert.pattern_entities('x', '{SSN}');
SELECT mobilebert.redact('x', mobilebert.entities('x', 'ner'), patterns => '{SSN}');
SELECT mobilebert.redact('x', NULL);
SELECT mobilebert.redact('x', NULL, patterns => '{}');
SELECT mobilebert.redact('x', NULL, '{PER}', patterns => '{EMAIL}');
SELECT mobilebert.redact('x', 'ner', min_score => 1.5);
SELECT mobilebert.redact('x', 'ner', min_score => 'NaN');
SELECT mobilebert.redact('x', 'ner', aggregation_strategy => 'best');
SELECT mobilebert.redact('x', NULL, patterns => '{IP}', aggregation_strategy => 'best');
SELECT mobilebert.redact('x', 'sequence');
SELECT mobilebert.redact('x', 'no such model');

-- where values can stand
CREATE TEMP TABLE mail (id int, body text,
	masked text GENERATED ALWAYS AS (mobilebert.redact(body, NULL, patterns => '{EMAIL,IP}')) STORED,
	found mobilebert.entity[] GENERATED ALWAYS AS (mobilebert.entities(body, 'ner', 'first')) STORED,
	html text GENERATED ALWAYS AS (mobilebert.highlight(body, mobilebert.pattern_entities(body))) STORED);
INSERT INTO mail VALUES (1, 'Zoë <zoe@example.com> from 10.0.0.1'), (2, NULL), (3, '');
SELECT id, masked, html FROM mail ORDER BY id;
CREATE INDEX ON mail (mobilebert.redact(body, NULL, patterns => '{EMAIL}'));
CREATE INDEX ON mail (mobilebert.redact(body, 'ner'));
CREATE INDEX ON mail (mobilebert.redact(body));
CREATE TEMP VIEW masked AS SELECT id, mobilebert.redact(body, found) AS body FROM mail;
SELECT count(*), count(body) FROM masked;
SELECT bool_and(mobilebert.redact(body, found) = mobilebert.redact(body, 'ner', aggregation_strategy => 'first')) AS same FROM mail;
-- the model of a row
SELECT id, mobilebert.redact(body, CASE WHEN id > 1 THEN 'ner' END, patterns => '{EMAIL}') FROM mail ORDER BY id;
-- the planner knows that patterns are cheap
CREATE FUNCTION cost(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END $$;
SELECT cost($$SELECT mobilebert.redact(body, NULL, patterns => '{EMAIL}') FROM mail$$) < 20 AS patterns, cost($$SELECT mobilebert.redact(body, found) FROM mail$$) < 20 AS stored,
	(SELECT procost FROM pg_proc WHERE oid = 'mobilebert.redact(text)'::regprocedure) AS declared;
DROP FUNCTION cost;
-- arrays of very many entities, in each other and side by side
SELECT length(mobilebert.redact(repeat('x', 100000), array_agg(e('A', n / 2, 100000 - n / 2)))) AS nested FROM generate_series(1, 99999) AS n;
SELECT length(mobilebert.redact(repeat('xy', 50000), array_agg(e('A', 2 * n, 2 * n + 1)), replacement => '{#}')) AS beside, length(mobilebert.highlight(repeat('<', 100000), array_agg(e('A', 0, 2 * n)))) AS marked FROM generate_series(0, 49999) AS n;
-- 10 MB of digits, and texts that end nowhere, in time
SET statement_timeout = '60s';
SELECT n, length(mobilebert.redact(repeat(p, 10000000 / length(p)), NULL, patterns => '{EMAIL,URL,IP,PHONE,CREDIT_CARD,IBAN,DATE}', replacement => '')) AS left
FROM (VALUES (1, '1'), (2, '4111 '), (3, 'a@')) AS v(n, p);
-- and a cancel is heard
SET statement_timeout = '20ms';
SELECT length(mobilebert.redact(repeat('1', 100000000), NULL, patterns => '{EMAIL,URL,IP,PHONE,CREDIT_CARD,IBAN,DATE}'));
RESET statement_timeout;

DROP VIEW masked;
DROP TABLE mail;
DROP FUNCTION by_hand, e;
SELECT count(mobilebert.drop_model(n)) FROM unnest('{ner,sequence}'::text[]) AS n;
