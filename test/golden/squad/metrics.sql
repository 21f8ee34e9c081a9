--
-- metrics.sql
--		Exact match and F1 of answers, as SQuAD's evaluation defines them.
--
-- To be read by psql; the functions go to pg_temp.  An answer is compared
-- after lower-casing, without ASCII punctuation and without articles; of several
-- gold answers the best counts.  No answer (NULL) is the empty text.
--
-- Source: transformers' data.metrics.squad_metrics, which is SQuAD's script.
--
CREATE FUNCTION pg_temp.squad_normalize(answer text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT btrim(regexp_replace(regexp_replace(translate(lower(answer COLLATE "und-x-icu"),
			'!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', ''), '\m(a|an|the)\M', ' ', 'g'), '\s+', ' ', 'g'))
$$;

CREATE FUNCTION pg_temp.squad_exact(answer text, gold text[]) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
	SELECT max((pg_temp.squad_normalize(coalesce(answer, '')) = pg_temp.squad_normalize(g))::int)
	FROM unnest(gold) AS g
$$;

-- twice the common words by all words, words counted as often as they come
CREATE FUNCTION pg_temp.squad_f1(answer text, gold text) RETURNS float8
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN '' IN (a, g) THEN (a = g)::int
		ELSE 2.0 * (SELECT count(*) FROM (
				SELECT w, row_number() OVER (PARTITION BY w) FROM regexp_split_to_table(a, ' ') AS w
				INTERSECT
				SELECT w, row_number() OVER (PARTITION BY w) FROM regexp_split_to_table(g, ' ') AS w) AS common)
			/ (cardinality(regexp_split_to_array(a, ' ')) + cardinality(regexp_split_to_array(g, ' '))) END
	FROM (SELECT pg_temp.squad_normalize(coalesce(answer, '')) AS a, pg_temp.squad_normalize(gold) AS g) AS n
$$;

CREATE FUNCTION pg_temp.squad_f1(answer text, gold text[]) RETURNS float8
LANGUAGE sql IMMUTABLE AS $$
	SELECT max(pg_temp.squad_f1(answer, g)) FROM unnest(gold) AS g
$$;
