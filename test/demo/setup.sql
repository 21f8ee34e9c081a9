--
-- setup.sql
--		The tables of the demonstration, and a function that searches one.
--
CREATE EXTENSION mobilebert;

SELECT mobilebert.import_defaults();

CREATE TABLE passages (
	id			integer PRIMARY KEY,
	president	text NOT NULL,
	year		integer NOT NULL,
	passage		text NOT NULL,
	embedding	real[]
);

CREATE TABLE review (
	id			integer PRIMARY KEY,
	body		text NOT NULL
);

CREATE TABLE news (
	id			integer PRIMARY KEY,
	day			date NOT NULL,
	body		text NOT NULL
);

-- Embeds what has no embedding yet, a batch a transaction.  Several sessions
-- may call it at once: each takes rows that no other one holds.
CREATE PROCEDURE embed_passages(batch integer)
LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		UPDATE passages SET embedding = mobilebert.embed(passage)
		WHERE id IN (SELECT id FROM passages WHERE embedding IS NULL
					 ORDER BY id LIMIT batch FOR UPDATE SKIP LOCKED);
		EXIT WHEN NOT FOUND;
		COMMIT;
	END LOOP;
END
$$;

-- The passages nearest to a question, by the cosine of the embeddings.
CREATE FUNCTION nearest(question text, how_many integer DEFAULT 3)
RETURNS TABLE (similarity real, year integer, president text, passage text)
LANGUAGE sql STABLE AS $$
	WITH asked AS MATERIALIZED (SELECT mobilebert.embed(question) AS e)
	SELECT mobilebert.cosine_similarity(p.embedding, asked.e) AS similarity,
		   p.year, p.president, p.passage
	FROM passages p, asked
	ORDER BY similarity DESC, p.id
	LIMIT how_many
$$;

-- The same for people: a line a passage, and the time it took.
CREATE FUNCTION ask(question text)
RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	started		timestamptz := clock_timestamp();
	lines		text[];
BEGIN
	SELECT array_agg(format('  %s  %s %s: %s ...',
							to_char(n.similarity, 'FM0.000'), n.year,
							n.president, left(n.passage, 100)))
	INTO lines
	FROM nearest(question) n;
	RETURN NEXT format('%s   (%s ms)', question,
					   round(1000 * extract(epoch FROM clock_timestamp()
											- started)::numeric, 1));
	RETURN QUERY SELECT unnest(lines);
END
$$;
