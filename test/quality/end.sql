--
-- end.sql
--		The figures beside those of Hugging Face on the same texts, which
--		weights/train/figures.py wrote; an error where they are farther apart
--		than 0.2 points.
--
CREATE TEMP TABLE expected AS
SELECT model, cell[1] AS measure, cell[2]::bigint AS texts, cell[3]::numeric AS value
FROM (SELECT DISTINCT model FROM figure) AS m,
	string_to_table(pg_read_file(format('%s/%s/figures.tsv', current_setting('quality.weights'), model), 0, 1000000, true), E'\n') AS line,
	string_to_array(line, E'\t') AS cell
WHERE line <> '';

CREATE TEMP TABLE compared AS
SELECT f.model, f.measure, f.texts, round(f.value, 2) AS sql, e.value AS hugging_face,
	round(abs(f.value - e.value), 2) AS difference
FROM figure AS f LEFT JOIN expected AS e USING (model, measure, texts);

SELECT * FROM compared ORDER BY model, measure;

DO $$
DECLARE
	apart text;
BEGIN
	SELECT string_agg(format('%s of %s', measure, model), ', ') INTO apart
	FROM compared WHERE difference > 0.2;
	IF apart IS NOT NULL THEN
		RAISE 'farther than 0.2 points from Hugging Face: %', apart;
	END IF;
END $$;
