--
-- merge: calls of MERGE in common passes, with the same results
--
SELECT current_setting('server_version_num')::int < 150000 AS no_merge \gset
\if :no_merge
\quit
\endif
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT name FROM mobilebert.import_model('tiny', :'tiny');
SET mobilebert.default_model = 'tiny';
SET mobilebert.cache_size = 0;
CREATE TABLE texts (id int PRIMARY KEY, body text);
INSERT INTO texts
SELECT n, CASE WHEN n % 11 > 0 THEN 'text ' || n % 70 || repeat(' and more', n % 6) END
FROM generate_series(1, 299) AS n;
ANALYZE texts;
CREATE TABLE vectors (id int, v real[]);
CREATE UNIQUE INDEX ON vectors (id);
CREATE TABLE alone AS SELECT id, mobilebert.embed(body) AS v FROM texts LIMIT 0;
SET mobilebert.enable_batching = off;
INSERT INTO alone SELECT id, mobilebert.embed(body) FROM texts;
RESET mobilebert.enable_batching;
CREATE FUNCTION agree() RETURNS text LANGUAGE sql AS $$
SELECT count(*) || ' of ' || (SELECT count(*) FROM vectors)
FROM vectors JOIN alone USING (id) WHERE vectors.v IS NOT DISTINCT FROM alone.v $$;
CREATE FUNCTION nodes(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	line text;
	n int := 0;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		n := n + (line LIKE '%MobilebertBatch%')::int;
	END LOOP;
	RETURN n;
END $$;

-- where each row certainly has the call, and from a source as it is
INSERT INTO vectors SELECT id, NULL FROM texts WHERE id % 2 = 0;
SELECT nodes('MERGE INTO vectors USING texts ON texts.id = vectors.id
WHEN MATCHED THEN UPDATE SET v = mobilebert.embed(texts.body)
WHEN NOT MATCHED THEN INSERT VALUES (texts.id, mobilebert.embed(texts.body))');
MERGE INTO vectors USING texts ON texts.id = vectors.id
WHEN MATCHED THEN UPDATE SET v = mobilebert.embed(texts.body)
WHEN NOT MATCHED THEN INSERT VALUES (texts.id, mobilebert.embed(texts.body));
SELECT agree();
SELECT nodes('MERGE INTO vectors USING texts ON texts.id = vectors.id
WHEN MATCHED AND texts.id > 5 THEN UPDATE SET v = mobilebert.embed(texts.body)
WHEN NOT MATCHED THEN INSERT VALUES (texts.id, mobilebert.embed(texts.body))');
SELECT nodes('MERGE INTO vectors USING texts ON texts.id = vectors.id
WHEN NOT MATCHED THEN INSERT VALUES (texts.id, mobilebert.embed(texts.body))');
UPDATE vectors SET v = NULL;
MERGE INTO vectors USING (SELECT id, mobilebert.embed(body) AS e FROM texts OFFSET 0) AS s ON s.id = vectors.id
WHEN MATCHED AND s.id > 5 THEN UPDATE SET v = e
WHEN MATCHED THEN UPDATE SET v = e;
SELECT agree();

DROP TABLE texts, vectors, alone;
DROP FUNCTION nodes, agree;
SELECT mobilebert.drop_model('tiny');
