--
-- barriers: what calls that are gathered over rows see and tell of rows that their caller may not read
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT name FROM mobilebert.import_model('tiny', :'tiny');
SET mobilebert.cache_size = 0;
SET max_parallel_workers_per_gather = 0;
CREATE ROLE regress_reader;
CREATE ROLE regress_owner;
CREATE TABLE note (id int PRIMARY KEY, owner name, body text);
INSERT INTO note SELECT n, CASE n % 2 WHEN 0 THEN 'regress_reader' ELSE 'regress_owner' END,
	CASE n % 2 WHEN 0 THEN 'open ' ELSE 'secret ' END || n || CASE n WHEN 7 THEN repeat(' long', 600) ELSE '' END FROM generate_series(1, 12) AS n;
-- a function that tells what it is given, and is cheap, so that the planner would have it first
CREATE FUNCTION tell(what text) RETURNS bool COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'seen: %', left(what, 20);
	RETURN true;
END $$;
CREATE VIEW open_note WITH (security_barrier) AS SELECT * FROM note WHERE body LIKE 'open%';
-- a barrier that is itself a call of the network
CREATE VIEW like_note WITH (security_barrier) AS SELECT * FROM note
	WHERE mobilebert.similarity(body, 'open 2', 'tiny') > 0.99999;
GRANT SELECT ON note, open_note, like_note TO regress_reader;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (owner = current_user);

-- row security: a text too long for the model is an error, but not one of a row that is hidden
SELECT id FROM note WHERE mobilebert.embed(body, 'tiny', overflow => 'error') IS NOT NULL ORDER BY id;
SET ROLE regress_reader;
EXPLAIN (COSTS OFF) SELECT id FROM note WHERE mobilebert.embed(body, 'tiny', overflow => 'error') IS NOT NULL;
SELECT id FROM note WHERE mobilebert.embed(body, 'tiny', overflow => 'error') IS NOT NULL ORDER BY id;
SELECT id, mobilebert.embed(body, 'tiny', overflow => 'error') IS NOT NULL AS embedded FROM note ORDER BY id;
SELECT count(mobilebert.count_tokens(body, 'tiny')) AS counted, max(mobilebert.count_tokens(body, 'tiny')) < 20 AS short FROM note;
-- what a call gives is not told of before the row is let through
SELECT id FROM note WHERE tell(body) AND mobilebert.embed(body, 'tiny') IS NOT NULL ORDER BY id;
SELECT id FROM note WHERE tell(id || ' ' || (mobilebert.embed(body, 'tiny') IS NOT NULL)) ORDER BY id LIMIT 1;
RESET ROLE;
SELECT id FROM open_note WHERE mobilebert.embed(body, 'tiny', overflow => 'error') IS NOT NULL ORDER BY id;

-- a view with a barrier, by its owner's rights
UPDATE note SET body = 'secret 7' WHERE id = 7;
SET ROLE regress_reader;
SELECT id FROM open_note WHERE tell(body) AND mobilebert.embed(body, 'tiny') IS NOT NULL ORDER BY id;
SELECT id FROM like_note WHERE tell(body) ORDER BY id;
SELECT id FROM like_note WHERE tell(body) AND mobilebert.embed(body, 'tiny') IS NOT NULL ORDER BY id;
SET mobilebert.enable_batching = off;
SELECT id FROM like_note WHERE tell(body) AND mobilebert.embed(body, 'tiny') IS NOT NULL ORDER BY id;
RESET mobilebert.enable_batching;
-- with and without: the calls of the barrier are gathered, and stay below it
EXPLAIN (COSTS OFF) SELECT id FROM like_note WHERE tell(body) AND mobilebert.embed(body, 'tiny') IS NOT NULL;
RESET ROLE;

-- writing through them
CREATE VIEW checked_note WITH (security_barrier) AS SELECT * FROM note WHERE mobilebert.similarity(body, 'open 2', 'tiny') > 0.99999 WITH CHECK OPTION;
GRANT SELECT, INSERT, UPDATE, DELETE ON checked_note TO regress_reader;
SET ROLE regress_reader;
INSERT INTO checked_note VALUES (20, 'regress_reader', 'something else');
INSERT INTO checked_note VALUES (21, 'regress_reader', 'open 2');
UPDATE checked_note SET body = 'something else' WHERE id = 21;
UPDATE checked_note SET owner = 'x' WHERE id = 21 RETURNING id, mobilebert.embed(body, 'tiny') IS NOT NULL AS embedded;
DELETE FROM checked_note WHERE tell(body) RETURNING id;
RESET ROLE;

-- what is kept of a row is nobody else's: the same text, the right to the model gone
SET mobilebert.cache_size = 1024;
SELECT mobilebert.embed('secret 1', 'tiny') IS NOT NULL AS embedded;
SELECT mobilebert.revoke_model('tiny', 'public');
SET ROLE regress_reader;
SELECT mobilebert.embed('secret 1', 'tiny');
SELECT id FROM open_note WHERE mobilebert.embed(body, 'tiny') IS NOT NULL;
RESET ROLE;

DROP TABLE note CASCADE;
DROP FUNCTION tell;
DROP ROLE regress_reader;
DROP ROLE regress_owner;
SELECT mobilebert.drop_model('tiny');
