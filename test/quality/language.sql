--
-- language.sql
--		Masked words and next sentences of :model, on paragraphs of Wikipedia.
--
CREATE TEMP TABLE guess AS
SELECT content ->> 'word' AS word, ARRAY(SELECT token FROM mobilebert.fill_mask(content ->> 'text', :'model', top_k => 5)
	ORDER BY rank) AS tokens
FROM pg_temp.texts('masked');

INSERT INTO figure
SELECT :'model', 'masked top 1', count(*), 100 * avg((word = tokens[1])::int) FROM guess
UNION ALL
SELECT :'model', 'masked top 5', count(*), 100 * avg((word = ANY (tokens))::int) FROM guess;

INSERT INTO figure
SELECT :'model', 'next sentence accuracy', count(*), 100 * avg(((mobilebert.next_sentence(content ->> 'first',
	content ->> 'second', :'model', overflow => 'truncate') > 0.5) = (content ->> 'follows')::boolean)::int)
FROM pg_temp.texts('next');

DROP TABLE guess;
