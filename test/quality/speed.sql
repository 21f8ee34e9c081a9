--
-- speed.sql
--		Milliseconds a text of each shipped model: "model number" a line.
--
-- To be read by psql after begin.sql, unaligned and with tuples only.  One
-- session without workers, results not kept, 100 texts of a held-out set in one
-- statement, after the model was used once: the better of two.  The time is the
-- processor's, as others may use the machine.
--
SET max_parallel_workers_per_gather = 0;

CREATE TEMP TABLE timed (model text, "set" text, call text);
INSERT INTO timed VALUES
	('minilm', 'sst2', $$mobilebert.embed(content ->> 'text')$$),
	('sentiment', 'sst2', $$mobilebert.label(content ->> 'text')$$),
	('ner', 'uner', $$mobilebert.entities(pg_temp.strings(content -> 'words'), 'ner')$$),
	('nli', 'dbpedia', $$mobilebert.best_label(content ->> 'text', '{company,school,artist,athlete,politician,vehicle,building,mountain,village,animal,plant,album,film,book}')$$),
	('qa', 'squad1', $$mobilebert.best_answer(content ->> 'question', content ->> 'context')$$),
	('language', 'next', $$mobilebert.next_sentence(content ->> 'first', content ->> 'second')$$);

CREATE FUNCTION pg_temp.processor_ms() RETURNS float8 LANGUAGE sql AS $$
	SELECT (f[12]::float8 + f[13]::float8) * 10 FROM regexp_split_to_array(
		regexp_replace(pg_read_file('/proc/self/stat', 0, 1000), '^.*\) ', ''), ' ') AS f $$;

DO $$
DECLARE
	t timed;
	started float8;
	best float8;
	spent float8;
	texts bigint;
BEGIN
	FOR t IN SELECT * FROM timed WHERE model IN (SELECT name FROM mobilebert.models) LOOP
		CREATE TEMP TABLE sample AS SELECT content FROM pg_temp.texts(t."set") LIMIT 100;
		best := NULL;
		FOR i IN 1 .. 3 LOOP
			started := pg_temp.processor_ms();
			EXECUTE format('SELECT count(%s) FROM sample', t.call) INTO texts;
			spent := (pg_temp.processor_ms() - started) / (SELECT count(*) FROM sample);
			IF i > 1 THEN
				best := least(best, spent);
			END IF;
		END LOOP;
		DROP TABLE sample;
		PERFORM set_config('quality.speed', coalesce(current_setting('quality.speed', true), '')
			|| format(E'%s %s\n', t.model, round(best::numeric, CASE WHEN best < 10 THEN 1 ELSE 0 END)), false);
	END LOOP;
END $$;
SELECT rtrim(current_setting('quality.speed'), E'\n');
