-- What README "Rights" says of default models in functions that run as their
-- owner: the caller's setting chooses among the owner's models
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set half :abs_srcdir '/test/golden/checkpoint/store-f16'
SELECT name FROM mobilebert.import_model('definer_tiny', :'tiny');
SELECT name FROM mobilebert.import_model('definer_half', :'half');
SELECT mobilebert.set_default_model('embed', 'definer_tiny');
SELECT mobilebert.revoke_model('definer_half', 'public');
CREATE ROLE regress_definer_boss;
CREATE ROLE regress_definer_caller;
SELECT mobilebert.grant_model('definer_half', 'regress_definer_boss');

CREATE SCHEMA definer;
GRANT ALL ON SCHEMA definer TO PUBLIC;
SET ROLE regress_definer_boss;
CREATE FUNCTION definer.steered(body text) RETURNS real[] SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
LANGUAGE sql STABLE AS 'SELECT mobilebert.embed(body)';
CREATE FUNCTION definer.set_empty(body text) RETURNS real[] SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET mobilebert.default_model = ''
LANGUAGE sql STABLE AS 'SELECT mobilebert.embed(body)';
CREATE FUNCTION definer.named(body text) RETURNS real[] SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
LANGUAGE sql STABLE AS $$SELECT mobilebert.embed(body, 'definer_tiny')$$;
SET ROLE regress_definer_caller;
CREATE TEMP TABLE before AS SELECT definer.steered('a') AS steered, definer.set_empty('a') AS set_empty, definer.named('a') AS named;
SET mobilebert.default_model = 'definer_half';
SELECT mobilebert.embed('a');
SELECT definer.steered('a') = steered AS steered, definer.set_empty('a') = set_empty AS set_empty, definer.named('a') = named AS named, set_empty = named AS same FROM before;
RESET mobilebert.default_model;

RESET ROLE;
DROP SCHEMA definer CASCADE;
DROP TABLE before;
SELECT mobilebert.drop_model('definer_tiny');
SELECT mobilebert.drop_model('definer_half');
DROP ROLE regress_definer_boss, regress_definer_caller;
