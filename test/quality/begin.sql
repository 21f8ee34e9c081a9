--
-- begin.sql
--		What the files beside it share: texts as rows, figures as rows.
--
-- To be read by psql with the variables data (the directory that data.pl wrote
-- to) and weights (the models' directories), before a file for each model.
--
\set ON_ERROR_STOP 1
\pset footer off
SET client_min_messages = error;
SET mobilebert.cache_size = 0;
SET quality.data = :'data';
SET quality.weights = :'weights';

-- the texts of a set, numbered
CREATE FUNCTION pg_temp.texts(name text, OUT content jsonb, OUT n bigint) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT line::jsonb, n
	FROM string_to_table(pg_read_file(format('%s/%s.jsonl', current_setting('quality.data'), name)), E'\n')
		WITH ORDINALITY AS l (line, n)
	WHERE line <> ''
$$;

CREATE FUNCTION pg_temp.strings(list jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(x ORDER BY n) FROM jsonb_array_elements_text(list) WITH ORDINALITY AS l (x, n)
$$;

-- texts: how many were looked at; value: percent
CREATE TEMP TABLE figure (model text, measure text, texts bigint, value numeric, PRIMARY KEY (model, measure));
