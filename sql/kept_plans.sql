-- What README "Rights" says of plans that are kept: a call of nothing but
-- constants is computed when it is planned
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set half :abs_srcdir '/test/golden/checkpoint/store-f16'
SELECT name FROM mobilebert.import_model('kept_half', :'half');
SELECT mobilebert.revoke_model('kept_half', 'public');
CREATE ROLE regress_kept_reader;
CREATE SCHEMA kept;
GRANT ALL ON SCHEMA kept TO PUBLIC;
SELECT mobilebert.grant_model('kept_half', 'regress_kept_reader');
SET ROLE regress_kept_reader;
CREATE FUNCTION kept.constant() RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN RETURN mobilebert.embed('a', 'kept_half') IS NOT NULL; END$$;
CREATE FUNCTION kept.variable(model text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN RETURN mobilebert.embed('a', model) IS NOT NULL; END$$;
PREPARE constant AS SELECT mobilebert.embed('a', 'kept_half') IS NOT NULL AS prepared;
PREPARE variable(text) AS SELECT mobilebert.embed('a', $1) IS NOT NULL AS prepared;
SELECT kept.constant(), kept.variable('kept_half') FROM generate_series(1, 2);
EXECUTE constant;
EXECUTE variable('kept_half');
RESET ROLE;
SELECT mobilebert.revoke_model('kept_half', 'regress_kept_reader');
SET ROLE regress_kept_reader;
SELECT kept.constant();
EXECUTE constant;
SELECT kept.variable('kept_half');
EXECUTE variable('kept_half');
SELECT mobilebert.embed('a', 'kept_half');

-- until the session plans anew
DISCARD PLANS;
SELECT kept.constant();
EXECUTE constant;
RESET ROLE;
DROP SCHEMA kept CASCADE;
SELECT mobilebert.drop_model('kept_half');
DROP ROLE regress_kept_reader;
