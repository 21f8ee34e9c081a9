--
-- CALL mobilebert.enrich(): one session (several, and what ends a call by
-- force, are in test/t/enrich.pl)
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set VERBOSITY terse
SELECT name FROM mobilebert.import_model('enrich_tiny', :'tiny');

-- counts how often each row of a table was updated
CREATE TABLE touched (what text, id int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.touched VALUES (TG_TABLE_NAME, NEW.id); RETURN NEW; END $$;

-- a model; the same as row by row
CREATE TABLE note (id int PRIMARY KEY, body text, v real[], failure text) WITH (autovacuum_enabled = off);
INSERT INTO note SELECT g, CASE WHEN g % 10 <> 3 THEN 'text ' || g END FROM generate_series(1, 300) g;
CREATE TRIGGER touch AFTER UPDATE ON note FOR EACH ROW EXECUTE FUNCTION touch();
SET client_min_messages = warning;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''enrich_tiny'')', batch_rows => 77) \gset
\echo :rows_done :rows_null :rows_failed :rows_left
SELECT :seconds > 0 AS seconds, abs(:rate * :seconds - 300) < 1 AS rate;
SELECT count(v) AS enriched, bool_and(v IS NOT DISTINCT FROM mobilebert.embed(body, 'enrich_tiny')) AS same FROM note;
SELECT count(*) AS updates, count(DISTINCT id) AS rows FROM touched;

-- nothing is done again but what is still NULL, unless the filter says so
TRUNCATE touched;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''enrich_tiny'')', filter => 'body IS NOT NULL') \gset
SELECT count(*) AS updates FROM touched;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''enrich_tiny'')', 'body IS NOT NULL OR id > 0 -- comment') \gset
SELECT count(*) AS updates FROM touched;

-- max_rows, and going on
UPDATE note SET v = NULL;
TRUNCATE touched;
CALL mobilebert.enrich('note', 'v', 'ARRAY[id]', max_rows => 120, batch_rows => 50) \gset
SELECT count(v) AS enriched, count(*) = 120 AS once FROM note, touched t WHERE t.id = note.id;
CALL mobilebert.enrich('note', 'v', 'ARRAY[id]', max_rows => 0) \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[id]', rows_per_second => 100000::double precision) \gset
-- as columns, and nothing to do
CALL mobilebert.enrich('note', 'v', 'ARRAY[id]', max_rows => 0, rows_done => 7) \gdesc
SELECT count(v) AS enriched, bool_and(v = ARRAY[id]::real[]) AS right FROM note;
SELECT count(*) AS updates, count(DISTINCT id) AS rows FROM touched;

-- failures: a WARNING, or a note in a column; later calls pass those rows over
UPDATE note SET v = NULL WHERE id <= 200;
CALL mobilebert.enrich('note', 'v', 'ARRAY[1 / (id % 60)]') \gset
\echo :rows_done :rows_null :rows_failed :rows_left
SELECT count(*) AS failed, count(*) FILTER (WHERE id % 60 <> 0) AS wrong FROM note WHERE v IS NULL;
CALL mobilebert.enrich('note', 'v', 'ARRAY[1 / (id % 60)]', error_column => 'failure') \gset
SELECT id, failure FROM note WHERE v IS NULL ORDER BY id;
TRUNCATE touched;
CALL mobilebert.enrich('note', 'v', 'ARRAY[1 / (id % 60)]', error_column => 'failure') \gset
SELECT count(*) AS updates FROM touched;
UPDATE note SET failure = NULL WHERE id = 60;
CALL mobilebert.enrich('note', 'v', 'ARRAY[id]', error_column => 'failure') \gset
SELECT count(*) AS left FROM note WHERE v IS NULL;
SELECT count(*) FROM note WHERE failure IS NOT NULL AND v IS NOT NULL;
-- what hits every row ends the call
UPDATE note SET v = NULL, failure = NULL;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''no such model'' || id)', error_column => 'failure', batch_rows => 8) \gset
SELECT count(failure) AS noted, count(v) AS enriched FROM note;
-- but not what hits some
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, CASE WHEN id = 17 THEN ''none'' ELSE ''enrich_tiny'' END)', 'body IS NOT NULL') \gset
SELECT id FROM note WHERE v IS NULL AND body IS NOT NULL;

-- serialization failures are tried again, a few times
CREATE SEQUENCE tries;
CREATE FUNCTION unlucky(int, real[]) RETURNS real[] LANGUAGE plpgsql AS
$$ BEGIN IF nextval('tries') <= $1 THEN RAISE serialization_failure; END IF; RETURN $2; END $$;
UPDATE note SET v = NULL;
TRUNCATE touched;
CALL mobilebert.enrich('note', 'v', 'unlucky(4, ARRAY[id])') \gset
SELECT count(v), (SELECT count(*) FROM touched) AS updates FROM note;
SELECT setval('tries', 1), count(*) FROM note WHERE v IS NULL;
UPDATE note SET v = NULL;
CALL mobilebert.enrich('note', 'v', 'unlucky(100, ARRAY[id])') \gset
SELECT count(v) FROM note;

-- other keys, and none; names that need quotes; a hostile search_path
CREATE SCHEMA "Sch""ema";
CREATE FUNCTION "Sch""ema".lying(tid, tid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR "Sch""ema".>= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = "Sch""ema".lying);
CREATE OPERATOR "Sch""ema".= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = "Sch""ema".lying);
CREATE FUNCTION "Sch""ema".count() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
CREATE TABLE "Sch""ema"."Ta'ble" ("Bo""dy" text, "Tar'get" text, "b,c" date, id int, PRIMARY KEY ("Bo""dy", "b,c"));
INSERT INTO "Sch""ema"."Ta'ble" SELECT g, NULL, '2026-01-01', g FROM generate_series(1, 20) g;
SET search_path = "Sch""ema", pg_catalog;
CALL mobilebert.enrich('"Ta''ble"', 'Tar''get', '$q$it''s $q$ || 1 / (id - 3) || "Bo""dy"') \gset
CALL mobilebert.enrich('"Ta''ble"', 'Tar''get', '"Ta''ble".id::text') \gset
RESET search_path;
SELECT count(*) FILTER (WHERE "Tar'get" LIKE 'it''s %') AS first, count(*) FILTER (WHERE "Tar'get" = id::text) AS second FROM "Sch""ema"."Ta'ble";
CREATE TABLE keyless (body text, n int);
INSERT INTO keyless SELECT 'same' FROM generate_series(1, 50);
CALL mobilebert.enrich('keyless', 'n', 'length(body)') \gset
SELECT n, count(*) FROM keyless GROUP BY n;
UPDATE keyless SET n = NULL, body = NULL WHERE ctid = (SELECT min(ctid) FROM keyless);
CALL mobilebert.enrich('keyless', 'n', 'error(body)') \gset

-- partitions of two levels, one of them attached with another order of columns
CREATE TABLE part (id int, body text, v int) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_mid (v int, body text, id int);
ALTER TABLE part ATTACH PARTITION part_mid FOR VALUES FROM (100) TO (200);
CREATE TABLE part_high PARTITION OF part DEFAULT PARTITION BY HASH (body);
CREATE TABLE part_high_0 PARTITION OF part_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_high_1 PARTITION OF part_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO part SELECT g, 'text ' || g FROM generate_series(0, 399) g;
TRUNCATE touched;
CREATE TRIGGER touch AFTER UPDATE ON part FOR EACH ROW EXECUTE FUNCTION touch();
CALL mobilebert.enrich('part', 'v', '1000 / (id - 150)', batch_rows => 30) \gset
SELECT tableoid::regclass, count(*), count(v), bool_and(v = 1000 / (id - 150)) AS right FROM part WHERE id <> 150 GROUP BY 1 ORDER BY 1;
SELECT count(*) AS updates, count(DISTINCT id) AS rows FROM touched;
-- a target that moves rows to other partitions
CREATE TABLE mover (id int, place int) PARTITION BY LIST (place);
CREATE TABLE mover_null PARTITION OF mover FOR VALUES IN (NULL);
CREATE TABLE mover_rest PARTITION OF mover DEFAULT;
INSERT INTO mover SELECT g FROM generate_series(1, 100) g;
CALL mobilebert.enrich('mover', 'place', 'nullif(id, 5)') \gset
SELECT tableoid::regclass, count(*), bool_and(place = id) AS right FROM mover GROUP BY 1 ORDER BY 1;
-- inheritance
CREATE TABLE parent (id int, v int);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent SELECT g FROM generate_series(1, 10) g;
INSERT INTO child SELECT g FROM generate_series(11, 30) g;
CALL mobilebert.enrich('parent', 'v', 'id * 2') \gset
SELECT tableoid::regclass, count(*), bool_and(v = id * 2) AS right FROM parent GROUP BY 1 ORDER BY 1;

-- generated and identity columns, triggers that change rows, constraints
CREATE TABLE various (id int GENERATED ALWAYS AS IDENTITY, body text, n int,
	twice int GENERATED ALWAYS AS (n * 2) STORED, seen int NOT NULL DEFAULT 0, UNIQUE (n) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO various (body) SELECT repeat('x', g) FROM generate_series(1, 40) g;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.seen := OLD.seen + 1; IF NEW.n = 13 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER see BEFORE UPDATE ON various FOR EACH ROW EXECUTE FUNCTION see();
CALL mobilebert.enrich('various', 'n', 'length(body) - (id = 20)::int', batch_rows => 15) \gset
SELECT count(*), count(n), bool_and(twice = 2 * n) AS right, max(seen) AS seen FROM various;
SELECT id FROM various WHERE n IS NULL ORDER BY id;
-- a row that a trigger refuses is computed once a call
SELECT setval('tries', 1) FROM note LIMIT 1;
CALL mobilebert.enrich('various', 'n', 'CASE WHEN nextval(''tries'') > 0 THEN 13 END', filter => 'id = 13') \gset
SELECT last_value AS computed FROM tries;
CALL mobilebert.enrich('various', 'twice', '1') \gset
CALL mobilebert.enrich('various', 'id', '1') \gset

-- the caller's rights, and row security
CREATE ROLE regress_enrich;
CREATE TABLE guarded (id int PRIMARY KEY, owner name, v int, other int);
INSERT INTO guarded SELECT g, CASE WHEN g % 2 = 0 THEN 'regress_enrich' ELSE 'somebody' END FROM generate_series(1, 100) g;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner = current_user);
SET ROLE regress_enrich;
CALL mobilebert.enrich('guarded', 'v', 'id') \gset
RESET ROLE;
GRANT SELECT, UPDATE (v) ON guarded TO regress_enrich;
SET ROLE regress_enrich;
CALL mobilebert.enrich('guarded', 'other', 'id') \gset
CALL mobilebert.enrich('guarded', 'v', 'id') \gset
RESET ROLE;
SELECT owner, count(v) FROM guarded GROUP BY 1 ORDER BY 1;

-- arguments
CREATE VIEW a_view AS SELECT * FROM note;
CALL mobilebert.enrich('a_view', 'v', '1') \gset
CALL mobilebert.enrich('nothing', 'v', '1') \gset
CALL mobilebert.enrich('note', 'w', '1') \gset
CALL mobilebert.enrich('note', 'ctid', '1') \gset
CALL mobilebert.enrich('note', 'v', 'no_function(body)') \gset
CALL mobilebert.enrich('note', 'v', 'true') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]), id = (2') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1] FROM pg_class') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1], 2') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]; DROP TABLE note') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1] /*') \gset
CALL mobilebert.enrich('note', 'v', '$1') \gset
CALL mobilebert.enrich('note', 'v', '') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', 'true) OR (true') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', 'body') \gset
CALL mobilebert.enrich('note', 'v', 'max(id)') \gset
CALL mobilebert.enrich('note', NULL, '1') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', batch_rows => 0) \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', max_rows => -1) \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', rows_per_second => 0) \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', error_column => 'v') \gset
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]', error_column => 'none') \gset
BEGIN;
CALL mobilebert.enrich('note', 'v', 'ARRAY[1]') \gset
ROLLBACK;
-- PL/pgSQL wants a variable for each column that comes back
DO $$ BEGIN CALL mobilebert.enrich('keyless', 'n', '7'); END $$;
DO $$
DECLARE
	done bigint; nulls bigint; failed bigint; "left" bigint; seconds float8; rate float8;
BEGIN
	CALL mobilebert.enrich('keyless', 'n', '7', rows_done => done, rows_null => nulls, rows_failed => failed, rows_left => "left", seconds => seconds, rate => rate);
	RAISE WARNING '% done, % stay NULL, % failed, % left, %', done, nulls, failed, "left", seconds >= 0 AND rate > 0;
END $$;
SELECT count(*) FROM keyless WHERE n IS NULL;
SELECT count(*) FROM mobilebert.enrichment_progress;

DROP TABLE note, touched, keyless, part, mover, parent, various, guarded CASCADE;
DROP FUNCTION touch, see, unlucky;
DROP SEQUENCE tries;
DROP SCHEMA "Sch""ema" CASCADE;
DROP ROLE regress_enrich;
SELECT mobilebert.drop_model('enrich_tiny');
