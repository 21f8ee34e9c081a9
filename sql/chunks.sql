--
-- embed_chunks, and a table of chunks that is kept up to date
--
SELECT name FROM mobilebert.import_model('minilm');
CREATE TABLE book (id int PRIMARY KEY, body text);
INSERT INTO book VALUES
	(1, (SELECT string_agg(format('In chapter %s nothing happens. Mr. %s goes home, and finds it empty.', n, n * 7), E'\n\n' ORDER BY n) FROM generate_series(1, 40) AS n)),
	(2, 'A short one.'), (3, ''), (4, NULL), (5, '短。更短。');

-- each chunk is what chunk() gives, each vector what embed_document() gives of it
SELECT count(*) AS chunks, count(DISTINCT id) AS books,
	bool_and(c.embedding = mobilebert.embed_document(c.chunk)) AS same_bits,
	bool_and(c.embedding = mobilebert.embed(c.chunk)) AS no_prompt,
	bool_and(c.chunk = substr(b.body, c.start_offset + 1, c.end_offset - c.start_offset)) AS slices
FROM book AS b, mobilebert.embed_chunks(b.body) AS c;
SELECT o.split, o.max_tokens, o.overlap, o.n, count(*) AS chunks, bool_and(c.chunk = k.chunk AND c.start_offset = k.start_offset AND c.end_offset = k.end_offset) AS cut,
	bool_and(c.embedding = mobilebert.embed_document(c.chunk, 'minilm', o.max_tokens, o.n)) AS same_bits, min(cardinality(c.embedding)) AS dimension
FROM (VALUES ('sentence', 40, 20, NULL), ('paragraph', 64, 0, 8), ('word', 20, 5, NULL), (NULL, NULL, NULL, 384)) AS o(split, max_tokens, overlap, n), book AS b,
	mobilebert.embed_chunks(b.body, 'minilm', o.max_tokens, o.overlap, o.split, o.n) AS c
	JOIN LATERAL mobilebert.chunk(b.body, 'minilm', o.max_tokens, o.overlap, o.split) AS k USING (chunk_no)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;
-- however passes are packed
SET mobilebert.cache_size = 0;
SELECT tokens, count(*) AS chunks, md5(string_agg(c.embedding::text, ' ' ORDER BY chunk_no)) = first_value(md5(string_agg(c.embedding::text, ' ' ORDER BY chunk_no))) OVER (ORDER BY tokens) AS same_bits
FROM unnest('{1,300,100000}'::int[]) AS tokens, LATERAL (SELECT set_config('mobilebert.batch_tokens', tokens::text, false)) AS s(x),
	LATERAL mobilebert.embed_chunks((SELECT body FROM book WHERE id = 1 AND x <> ''), 'minilm', 48) AS c
GROUP BY tokens ORDER BY tokens;
RESET mobilebert.batch_tokens;
RESET mobilebert.cache_size;
SELECT count(*) AS empty FROM mobilebert.embed_chunks(E' \n') AS c;
SELECT count(*) AS "null" FROM mobilebert.embed_chunks(NULL, 'minilm');
SELECT id, (mobilebert.embed_chunks(body, 'minilm', 30)).chunk_no FROM book WHERE id IN (2, 4, 5) ORDER BY 1, 2;
-- errors, a model without room
SELECT mobilebert.embed_chunks('x', 'minilm', 2);
SELECT mobilebert.embed_chunks('x', 'minilm', 257);
SELECT mobilebert.embed_chunks('x', 'minilm', 6, 4);
SELECT mobilebert.embed_chunks('x', 'minilm', split => 'page');
SELECT mobilebert.embed_chunks('x', 'minilm', dimensions => 385);
SELECT mobilebert.embed_chunks('x', 'no such model');
SELECT proname, pronargs, provolatile, proparallel, proisstrict, proretset FROM pg_proc WHERE pronamespace = 'mobilebert'::regnamespace AND proname IN ('chunk', 'embed_chunks') ORDER BY 1, 2;

-- A table of chunks: a trigger cuts, and keeps what did not change; enrich embeds
CREATE TABLE book_chunk (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	book_id int REFERENCES book ON DELETE CASCADE, start_offset int, chunk text, embedding real[]);
CREATE INDEX ON book_chunk (book_id);
CREATE FUNCTION book_chunks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	WITH had AS (DELETE FROM book_chunk WHERE book_id = NEW.id RETURNING chunk, embedding)
	INSERT INTO book_chunk (book_id, start_offset, chunk, embedding)
	SELECT NEW.id, c.start_offset, c.chunk, (SELECT had.embedding FROM had WHERE had.chunk = c.chunk LIMIT 1)
	FROM mobilebert.chunk(NEW.body, 'minilm', max_tokens => 64) AS c;
	RETURN NULL;
END $$;
CREATE TRIGGER chunks AFTER INSERT OR UPDATE OF body ON book FOR EACH ROW EXECUTE FUNCTION book_chunks();
UPDATE book SET body = body;
SELECT book_id, count(*) AS chunks, count(embedding) AS embedded FROM book_chunk GROUP BY 1 ORDER BY 1;
SET client_min_messages = warning;
CALL mobilebert.enrich('book_chunk', 'embedding', 'mobilebert.embed_document(chunk, ''minilm'')') \gset
\echo :rows_done
RESET client_min_messages;
UPDATE book SET body = replace(body, 'In chapter 3 nothing', 'Then nothing') WHERE id = 1;
UPDATE book SET body = NULL WHERE id = 2;
DELETE FROM book WHERE id = 5;
INSERT INTO book VALUES (6, 'One more book.');
SELECT book_id, count(*) > 5 AS many, count(*) - count(embedding) AS to_do FROM book_chunk GROUP BY 1 ORDER BY 1;
SET client_min_messages = warning;
CALL mobilebert.enrich('book_chunk', 'embedding', 'mobilebert.embed_document(chunk, ''minilm'')') \gset
\echo :rows_done
RESET client_min_messages;
SELECT count(*) = (SELECT count(*) FROM book_chunk) AS same, bool_and(k.embedding = mobilebert.embed_document(k.chunk)) AS right
FROM book AS b CROSS JOIN LATERAL mobilebert.chunk(b.body, 'minilm', 64) AS c LEFT JOIN book_chunk AS k ON k.book_id = b.id AND k.start_offset = c.start_offset AND k.chunk = c.chunk;

DROP TABLE book, book_chunk;
DROP FUNCTION book_chunks;
SELECT mobilebert.drop_model('minilm');
