--
-- Tokenizer functions
--
SET client_encoding = 'UTF8';
\pset null '(null)'
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT name FROM mobilebert.import_model('minilm');

-- word pieces; special tokens typed in the text are recognised or not
SELECT mobilebert.tokenize('Hello, embeddings! don''t [MASK]');
SELECT mobilebert.tokenize('Hello [MASK]', 'minilm', split_special_tokens => true);
SELECT mobilebert.tokenize(''), mobilebert.tokenize(NULL);

-- ids, with and without the template
SELECT mobilebert.encode('Hello world');
SELECT mobilebert.encode('Hello world', 'minilm', add_special_tokens => false);
SELECT mobilebert.encode('Hello', 'minilm', pair => 'world');
-- an empty second text is a second text, NULL is none
SELECT mobilebert.encode('Hello', 'minilm', pair => '');
SELECT mobilebert.encode('Hello', 'minilm', pair => NULL);
SELECT mobilebert.encode(''), mobilebert.encode(NULL);

-- truncation: max_length alone means longest_first, but not with padding
SELECT mobilebert.encode('one two three four', 'minilm', max_length => 4);
SELECT mobilebert.encode('one two three four', 'minilm', max_length => 4, truncation => 'none');
SELECT mobilebert.encode('one two three four', 'minilm', max_length => 4, truncation_side => 'left');
SELECT mobilebert.encode('one two three', 'minilm', pair => 'four five', max_length => 7, truncation => t)
FROM unnest(ARRAY['longest_first', 'only_first', 'only_second']) WITH ORDINALITY AS u(t, n) ORDER BY n;
SELECT mobilebert.encode('one', 'minilm', max_length => 5, padding => 'max_length');
SELECT mobilebert.encode('one', 'minilm', max_length => 5, padding => 'max_length', padding_side => 'left');
SELECT mobilebert.encode('one two three', 'minilm', padding => 'longest', pad_to_multiple_of => 4);
SELECT mobilebert.encode('one two three four', 'minilm', max_length => 4, padding => 'longest');

-- every option has its legal values
SELECT mobilebert.encode('x', 'minilm', truncation => 'longest');
SELECT mobilebert.encode('x', 'minilm', padding => 'left');
SELECT mobilebert.encode('x', 'minilm', truncation_side => 'up');
SELECT mobilebert.encode('x', 'minilm', max_length => -1);
SELECT mobilebert.encode('x', 'minilm', pad_to_multiple_of => 0);
SELECT mobilebert.encode('one two', 'minilm', max_length => 3, truncation => 'only_second');
SELECT mobilebert.encode('x', 'no such model');
SELECT mobilebert.encode('x', NULL);

-- everything about the tokens; offsets in characters of the text
SELECT * FROM mobilebert.tokens('Héllo 中embeddings', 'minilm', pair => 'Ünd?');
SELECT * FROM mobilebert.tokens(NULL);
-- what is cut off follows in windows
SELECT window_no, string_agg(token, ' ' ORDER BY token_no) AS tokens, min(start_offset) FILTER (WHERE word_no IS NOT NULL) AS start_offset
FROM mobilebert.tokens('one two three four five six seven', 'minilm', max_length => 5, stride => 1)
GROUP BY window_no ORDER BY window_no;
SELECT window_no, token_no, token, attention, special
FROM mobilebert.tokens('one two three', 'minilm', max_length => 4, truncation => 'longest_first', padding => 'max_length')
WHERE window_no = 1;
SELECT mobilebert.tokens('one two three four', 'minilm', max_length => 4, stride => 3);
-- input that comes in words
SELECT token, word_no, start_offset, end_offset, sequence_no
FROM mobilebert.tokens(ARRAY['New York', '', 'embeddings'], 'minilm', pair => ARRAY['so', 'what']);
SELECT mobilebert.tokens(ARRAY['a', NULL]);

-- the same numbers by other ways
SELECT mobilebert.count_tokens('Hello world'),
	mobilebert.count_tokens('Hello', 'minilm', pair => 'world'),
	mobilebert.count_tokens('Hello world', 'minilm', add_special_tokens => false),
	mobilebert.count_tokens(''), mobilebert.count_tokens(NULL);
SELECT bool_and(mobilebert.count_tokens(t) = cardinality(mobilebert.encode(t))
	AND mobilebert.count_tokens(t) = (SELECT count(*) FROM mobilebert.tokens(t))
	AND mobilebert.count_tokens(t) = cardinality(mobilebert.tokenize(t)) + 2) AS consistent
FROM unnest(ARRAY['', ' ', 'a', 'The quick brown fox.', repeat('many words ', 500), 'e' || chr(769) || 'é ﬁ ' || chr(8203)]) AS t;

-- back to text
SELECT mobilebert.decode(mobilebert.encode('Hello, it''s a WORLD.'));
SELECT mobilebert.decode(mobilebert.encode('Hello, it''s a WORLD.'), 'minilm', skip_special_tokens => true);
SELECT mobilebert.decode(mobilebert.encode('Hello, it''s a WORLD.'), 'minilm', true, clean_up_tokenization_spaces => true);
SELECT mobilebert.decode('{}') = '' AS empty, mobilebert.decode('{7592,999999,-1}') AS unknown, mobilebert.decode(NULL);
SELECT mobilebert.decode('{1,NULL}');
SELECT mobilebert.decode('{{1,2},{3,4}}');

-- chunks: whole sentences, within the limit, template included
SELECT * FROM mobilebert.chunk('Mr. A. Smith paid 3.50 for it. "Why?" he asked. He went home (at last). Then, when all was said, nothing else happened there, e.g. no rain.', 'minilm', 20);
SELECT * FROM mobilebert.chunk('One. Two. Three. Four. Five.', 'minilm', 8, 4);
SELECT * FROM mobilebert.chunk(E'# Title\nIt begins. It goes on.\n\nA second one. Short.\n\nA third.', 'minilm', 14, split => 'paragraph');
SELECT chunk_no, chunk, tokens FROM mobilebert.chunk('這是第一句。這是第二句！「第三句。」第四，很長很長很長。', 'minilm', 12);
-- a sentence, a word that is longer than a chunk
SELECT chunk, tokens, mobilebert.count_tokens(chunk) FROM mobilebert.chunk('See https://www.example.com/a/b/c?d=e, which is incomprehensibilities itself.', 'minilm', 5);
SELECT mobilebert.chunk('한국', 'minilm', 4, 0, 'Sentence');
SELECT mobilebert.chunk('x', 'minilm', split => 'line');
-- chunks of whole words
SELECT * FROM mobilebert.chunk('Don''t cut inside a word, please. The quick brown fox jumps over the lazy dog.', 'minilm', 8, 2, 'word');
SELECT * FROM mobilebert.chunk('中文文本没有空格所以只能逐字切分', 'minilm', 8, 2, 'word');
SELECT * FROM mobilebert.chunk('a b c', 'minilm', max_tokens => 3, split => 'word');
SELECT count(*) FROM mobilebert.chunk(' ');
SELECT mobilebert.chunk('one incomprehensibilities', 'minilm', 5, split => 'word');
SELECT mobilebert.chunk('x', 'minilm', 2);
SELECT mobilebert.chunk('x', 'minilm', 1000);
SELECT mobilebert.chunk('x', 'minilm', 6, 4);
-- a model whose limit leaves no room beside its template
SELECT name, max_tokens FROM mobilebert.import_model('narrow', pg_read_file(:'tiny' || '/config.json')::jsonb, pg_read_file(:'tiny' || '/tokenizer.json'),
	pg_read_binary_file(:'tiny' || '/model.safetensors'), tokenizer_config => '{"model_max_length": 2}');
SELECT mobilebert.chunk('x', 'narrow');
SELECT mobilebert.drop_model('narrow');
-- for a long text: each fits, is a slice, reaches further than the one before,
-- and no word is lost
CREATE TEMP TABLE prose AS
SELECT string_agg(format('Sentence %s, about don''t-touch things (and %s) -- unforeseeable ones!', n, n * 7919), ' ' ORDER BY n) AS t
FROM generate_series(1, 300) AS n;
CREATE TEMP TABLE sizes(max_tokens int, overlap int);
INSERT INTO sizes VALUES (12, 0), (17, 5), (40, 39 - 2), (64, 10), (256, 0), (256, 100);
SELECT by AS split, s.max_tokens, s.overlap,
	bool_and(c.tokens <= s.max_tokens) AS fits,
	bool_and(c.tokens = mobilebert.count_tokens(c.chunk)) AS counted,
	bool_and(c.chunk = substr(p.t, c.start_offset + 1, c.end_offset - c.start_offset)) AS slices,
	bool_and(coalesce(c.end_offset > c.last_end AND c.start_offset > c.last_start, true)) AS progress,
	bool_and(coalesce(CASE WHEN s.overlap = 0 THEN c.start_offset >= c.last_end ELSE true END, true)) AS overlap_kept,
	bool_and(coalesce(c.start_offset <= c.last_end OR substr(p.t, c.last_end + 1, c.start_offset - c.last_end) = ' ', true)) AS nothing_lost,
	min(c.start_offset) = 0 AND max(c.end_offset) = length(p.t) AS whole,
	bool_and(c.chunk ~ '^Sentence.*!$') AS sentences
FROM sizes s, prose p, unnest('{word,sentence,paragraph}'::text[]) AS by, LATERAL (
	SELECT *, lag(end_offset) OVER w AS last_end, lag(start_offset) OVER w AS last_start
	FROM mobilebert.chunk(p.t, 'minilm', s.max_tokens, s.overlap, by) WINDOW w AS (ORDER BY chunk_no)) c
GROUP BY by, s.max_tokens, s.overlap, p.t ORDER BY 1, 2, 3;

-- the vocabulary
SELECT mobilebert.token_id('[MASK]'), mobilebert.token_id('hello', 'minilm'), mobilebert.token_id('Hello'), mobilebert.token_id(NULL);
SELECT mobilebert.token_text(103), mobilebert.token_text(7592, 'minilm'), mobilebert.token_text(-1), mobilebert.token_text(30522), mobilebert.token_text(NULL);
SELECT count(*), min(token_id), max(token_id), count(DISTINCT token) FROM mobilebert.vocabulary('minilm');
SELECT * FROM mobilebert.vocabulary('minilm') WHERE special ORDER BY token_id;

-- only the form that names the model is IMMUTABLE, and all are safe in parallel
SELECT proname, provolatile, proparallel, count(*)
FROM pg_proc WHERE pronamespace = 'mobilebert'::regnamespace
	AND proname IN ('tokenize', 'encode', 'decode', 'tokens', 'count_tokens', 'chunk', 'token_id', 'token_text', 'vocabulary')
GROUP BY 1, 2, 3 ORDER BY 1, 2;

SELECT mobilebert.drop_model('minilm');
