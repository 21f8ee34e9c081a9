--
-- Keeping vectors up to date: generated columns, triggers, stale rows, and
-- changing the model without downtime (the recipes of the README)
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set half :abs_srcdir '/test/golden/checkpoint/store-f16'
SELECT name FROM mobilebert.import_model('keep_old', :'tiny');
SELECT name FROM mobilebert.import_model('keep_new', :'half');
SELECT coalesce(mobilebert.default_model('embed'), '') AS before \gset
SET client_min_messages = warning;

-- a generated column
CREATE TABLE review (id int, body text, v real[] GENERATED ALWAYS AS (mobilebert.embed(body, 'keep_old')) STORED);
INSERT INTO review VALUES (1, 'good'), (2, NULL);
UPDATE review SET body = 'bad' WHERE id = 1;
SELECT id, v = mobilebert.embed('bad', 'keep_old') AS current FROM review ORDER BY id;
CREATE TABLE unstable (body text, v real[] GENERATED ALWAYS AS (mobilebert.embed(body)) STORED);

-- a trigger that computes at once
CREATE TABLE note (id int PRIMARY KEY, body text, v real[], made_by text);
CREATE FUNCTION note_embed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := mobilebert.embed(NEW.body, 'keep_old');
	NEW.made_by := mobilebert.fingerprint('keep_old');
	RETURN NEW;
END $$;
CREATE TRIGGER note_embed BEFORE INSERT OR UPDATE OF body ON note FOR EACH ROW EXECUTE FUNCTION note_embed();
INSERT INTO note SELECT g, 'note ' || g FROM generate_series(1, 50) g;
UPDATE note SET body = 'changed' WHERE id <= 5;
SELECT bool_and(v = mobilebert.embed(body, 'keep_old')) AS current, count(DISTINCT made_by) AS models FROM note;
DROP TRIGGER note_embed ON note;

-- a trigger that leaves it to enrich()
CREATE FUNCTION note_outdated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := NULL;
	RETURN NEW;
END $$;
CREATE TRIGGER note_outdated BEFORE UPDATE OF body ON note FOR EACH ROW EXECUTE FUNCTION note_outdated();
UPDATE note SET body = 'changed again' WHERE id <= 10;
INSERT INTO note SELECT g, 'note ' || g FROM generate_series(51, 60) g;
SELECT count(*) AS waiting FROM note WHERE v IS NULL;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''keep_old'')') \gset
SELECT count(*) FILTER (WHERE v IS NULL) AS waiting, bool_and(v = mobilebert.embed(body, 'keep_old')) AS current FROM note;
-- what a catch-up finds quickly, and uses
CREATE INDEX note_waiting ON note (id) WHERE v IS NULL;
INSERT INTO note SELECT g, 'note ' || g FROM generate_series(61, 70) g;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''keep_old'')') \gset

-- stale rows are a plain WHERE
UPDATE note SET made_by = mobilebert.fingerprint('keep_old') WHERE made_by IS NULL;
UPDATE note SET made_by = mobilebert.fingerprint('keep_new'), v = mobilebert.embed(body, 'keep_new') WHERE id % 7 = 0;
SELECT count(*) AS stale FROM note WHERE made_by IS DISTINCT FROM mobilebert.fingerprint('keep_new');

-- another model: a new column beside the old one, filled while all goes on
SELECT mobilebert.set_default_model('embed', 'keep_old');
CREATE VIEW search AS SELECT id, v, mobilebert.embed('a question') AS q FROM note;
ALTER TABLE note ADD COLUMN v_new real[];
CREATE OR REPLACE FUNCTION note_outdated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := NULL;
	NEW.v_new := NULL;
	RETURN NEW;
END $$;
CALL mobilebert.enrich('note', 'v_new', 'mobilebert.embed(body, ''keep_new'')', max_rows => 30) \gset
UPDATE note SET body = 'changed meanwhile' WHERE id <= 3;
CALL mobilebert.enrich('note', 'v', 'mobilebert.embed(body, ''keep_old'')') \gset
SELECT count(mobilebert.cosine_similarity(v, q)) AS searchable FROM search;
CALL mobilebert.enrich('note', 'v_new', 'mobilebert.embed(body, ''keep_new'')') \gset
-- the swap, all at once
BEGIN;
DROP VIEW search;
ALTER TABLE note RENAME v TO v_old;
ALTER TABLE note RENAME v_new TO v;
SELECT mobilebert.set_default_model('embed', 'keep_new');
CREATE OR REPLACE FUNCTION note_outdated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := NULL;
	RETURN NEW;
END $$;
CREATE VIEW search AS SELECT id, v, mobilebert.embed('a question') AS q FROM note;
COMMIT;
ALTER TABLE note DROP COLUMN v_old;
SELECT count(*), bool_and(v = mobilebert.embed(body, 'keep_new')) AS current FROM note;
SELECT bool_and(mobilebert.cosine_similarity(v, q) = mobilebert.cosine_similarity(v, mobilebert.embed('a question', 'keep_new'))) AS searchable FROM search;

DROP VIEW search;
DROP TABLE note, review;
DROP FUNCTION note_embed, note_outdated;
SELECT mobilebert.set_default_model('embed', nullif(:'before', ''));
SELECT mobilebert.drop_model('keep_old'), mobilebert.drop_model('keep_new');
