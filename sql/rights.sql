--
-- Who may do what with models
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set half :abs_srcdir '/test/golden/checkpoint/store-f16'

\set DBNAME_BEFORE :DBNAME
CREATE ROLE regress_mobilebert_owner;
CREATE ROLE regress_mobilebert_user;
CREATE ROLE regress_mobilebert_group;
CREATE ROLE regress_mobilebert_member IN ROLE regress_mobilebert_group;
GRANT pg_read_server_files TO regress_mobilebert_owner;

-- a path needs the right to read files on the server
SET ROLE regress_mobilebert_user;
SELECT mobilebert.import_model('rights_tiny', :'tiny');
SELECT mobilebert.import_model('rights_tiny', '/etc');
RESET ROLE;
SET ROLE regress_mobilebert_owner;
SELECT name, owner FROM mobilebert.import_model('rights_tiny', :'tiny');
SELECT name, owner FROM mobilebert.import_model('rights_half', :'half');

-- nobody takes a name who was not granted that: names are one for all
SET ROLE regress_mobilebert_user;
SELECT mobilebert.import_model('minilm');
SELECT mobilebert.import_model('minilm', '{}', '', ''::bytea);
SELECT mobilebert.import_model('minilm', '{}', '', 1::oid);
SELECT mobilebert.create_variant('minilm', 'rights_tiny', 'bf16');
SELECT mobilebert.rename_model('rights_tiny', 'minilm');
RESET ROLE;
GRANT EXECUTE ON FUNCTION mobilebert.import_model(text),
	mobilebert.import_model(text, text, text),
	mobilebert.import_model(text, jsonb, text, bytea, text, jsonb, jsonb),
	mobilebert.import_model(text, jsonb, text, oid, text, jsonb, jsonb),
	mobilebert.create_variant(text, text, text),
	mobilebert.rename_model(text, text) TO regress_mobilebert_user, regress_mobilebert_member;
SET ROLE regress_mobilebert_user;
SELECT mobilebert.import_model('rights_tiny', '{}', '', ''::bytea);
SELECT mobilebert.import_model('rights_new', '{}', '', 1::oid);

-- by default PUBLIC may use it, and only the owner change it
SET ROLE regress_mobilebert_user;
SELECT name, owner FROM mobilebert.models ORDER BY name;
SELECT mobilebert.embed('x', 'rights_tiny') IS NOT NULL AS used;
SELECT mobilebert.drop_model('rights_tiny');
SELECT mobilebert.rename_model('rights_tiny', 'rights_mine');
SELECT mobilebert.grant_model('rights_tiny', 'regress_mobilebert_user');
SELECT mobilebert.revoke_model('rights_tiny', 'public');

-- revoked: neither seen nor used
SET ROLE regress_mobilebert_owner;
SELECT mobilebert.revoke_model('rights_tiny', 'public');
SELECT name FROM mobilebert.models ORDER BY name;
SELECT mobilebert.embed('x', 'rights_tiny') IS NOT NULL AS used;
SET ROLE regress_mobilebert_user;
SELECT name FROM mobilebert.models ORDER BY name;
\set VERBOSITY sqlstate
SELECT mobilebert.embed('x', 'rights_tiny');
SELECT mobilebert.embed(ARRAY['x'], 'rights_tiny');
SELECT mobilebert.embed(ARRAY[1, 2], 'rights_tiny');
SELECT mobilebert.similarity('x', 'y', 'rights_tiny');
SELECT mobilebert.hidden_states('x', 'rights_tiny');
SELECT mobilebert.attentions('x', 'rights_tiny');
SELECT mobilebert.logits('x', 'rights_tiny');
SELECT mobilebert.tokenize('x', 'rights_tiny');
SELECT mobilebert.encode('x', 'rights_tiny');
SELECT mobilebert.decode(ARRAY[1, 2], 'rights_tiny');
SELECT mobilebert.tokens('x', 'rights_tiny');
SELECT mobilebert.count_tokens('x', 'rights_tiny');
SELECT mobilebert.chunk('x', 'rights_tiny', 10);
SELECT mobilebert.token_id('x', 'rights_tiny');
SELECT mobilebert.token_text(1, 'rights_tiny');
SELECT mobilebert.vocabulary('rights_tiny');
SELECT mobilebert.model_config('rights_tiny');
SELECT mobilebert.fingerprint('rights_tiny');
SELECT mobilebert.prewarm('rights_tiny');
SELECT mobilebert.memory_needed('rights_tiny', 10);
SELECT mobilebert.drop_model('rights_tiny');
SET mobilebert.default_model = 'rights_tiny';
SELECT mobilebert.embed('x');
SELECT mobilebert.count_tokens('x');
RESET mobilebert.default_model;
\set VERBOSITY default
SELECT mobilebert.embed('x', 'rights_tiny');

-- planning a query is no way around
EXPLAIN (COSTS OFF) SELECT mobilebert.embed(x, 'rights_tiny')
FROM pg_catalog.unnest(ARRAY['a', 'b']) x;

-- a function that runs as its owner uses the owner's rights
RESET ROLE;
CREATE FUNCTION rights_definer() RETURNS boolean LANGUAGE sql SECURITY DEFINER
RETURN mobilebert.embed('x', 'rights_tiny') IS NOT NULL;
ALTER FUNCTION rights_definer() OWNER TO regress_mobilebert_owner;
SET ROLE regress_mobilebert_user;
SELECT rights_definer();
RESET ROLE;
ALTER FUNCTION rights_definer() OWNER TO regress_mobilebert_user;
\set VERBOSITY terse
SELECT rights_definer();
\set VERBOSITY default

-- granted to a role, directly and by membership
SELECT mobilebert.grant_model('rights_tiny', 'regress_mobilebert_group');
SET ROLE regress_mobilebert_user;
SELECT name FROM mobilebert.create_variant('rights_variant', 'rights_tiny', 'bf16');
SET ROLE regress_mobilebert_member;
-- a variant belongs to who made it, and takes the right to it and to its base
SELECT name, owner FROM mobilebert.create_variant('rights_variant', 'rights_tiny', 'bf16');
SELECT mobilebert.embed('x', 'rights_variant') IS NOT NULL AS used;
SELECT mobilebert.drop_model('rights_tiny');
SET ROLE regress_mobilebert_user;
SELECT mobilebert.embed('x', 'rights_variant');
SELECT mobilebert.drop_model('rights_variant');
SET ROLE regress_mobilebert_group;
SELECT mobilebert.embed('x', 'rights_variant') IS NOT NULL AS used;
SELECT mobilebert.drop_model('rights_variant');
SET ROLE regress_mobilebert_member;
SELECT mobilebert.grant_model('rights_variant', 'regress_mobilebert_group');
SELECT mobilebert.grant_model('rights_variant', 'regress_mobilebert_user');
SELECT mobilebert.grant_model('rights_variant', 'public');
SET ROLE regress_mobilebert_group;
SELECT name, base FROM mobilebert.models WHERE name = 'rights_variant';
SELECT mobilebert.embed('x', 'rights_variant') IS NOT NULL AS used;
SET ROLE regress_mobilebert_user;
SELECT name, base FROM mobilebert.models WHERE name = 'rights_variant';
SELECT mobilebert.embed('x', 'rights_variant');
RESET ROLE;
SELECT mobilebert.revoke_model('rights_tiny', 'regress_mobilebert_group');
SET ROLE regress_mobilebert_member;
SELECT name, base FROM mobilebert.models WHERE name = 'rights_variant';
SELECT mobilebert.embed('x', 'rights_variant');
SELECT mobilebert.grant_model('rights_variant', 'regress_mobilebert_group');
SET ROLE regress_mobilebert_owner;
SELECT mobilebert.grant_model('rights_tiny', 'regress_mobilebert_group');
SET ROLE regress_mobilebert_member;
SELECT mobilebert.drop_model('rights_variant');
SELECT name FROM mobilebert.models ORDER BY name;
SELECT mobilebert.embed('x', 'rights_tiny') IS NOT NULL AS used;
SELECT mobilebert.drop_model('rights_tiny');
SET ROLE regress_mobilebert_user;
SELECT mobilebert.embed('x', 'rights_tiny') IS NOT NULL AS used;
RESET ROLE;
SELECT mobilebert.grant_model('rights_tiny', 'regress_mobilebert_nobody');
SELECT mobilebert.grant_model('rights_none', 'public');
SELECT mobilebert.revoke_model('rights_tiny', 'regress_mobilebert_group');
SET ROLE regress_mobilebert_member;
SELECT mobilebert.embed('x', 'rights_tiny') IS NOT NULL AS used;

-- a name is taken, whoever may see the model
RESET ROLE;
GRANT pg_read_server_files TO regress_mobilebert_user;
SET ROLE regress_mobilebert_user;
SELECT mobilebert.import_model('rights_tiny', :'half');

-- default models are the database owner's to choose
SELECT mobilebert.set_default_model('embed', 'rights_half');
RESET ROLE;
SELECT mobilebert.set_default_model('embed', 'rights_half');
SET ROLE regress_mobilebert_user;
SELECT mobilebert.embed('x') IS NOT NULL AS used;
RESET ROLE;
SET ROLE regress_mobilebert_owner;
SELECT mobilebert.revoke_model('rights_half', 'public');
SET ROLE regress_mobilebert_user;
SELECT mobilebert.embed('x') IS NOT NULL AS used;

-- the registry itself
SELECT count(*) FROM mobilebert.model;
SELECT count(*) FROM mobilebert.tensor_chunk;
INSERT INTO mobilebert.model_grant SELECT;
DELETE FROM mobilebert.task_default;
UPDATE mobilebert.models SET name = 'mine';
SET mobilebert.instruction_set = 'ref';

-- a schema of the user's own does not come between
RESET ROLE;
CREATE SCHEMA rights_trap;
GRANT ALL ON SCHEMA rights_trap TO regress_mobilebert_owner;
SET ROLE regress_mobilebert_owner;
CREATE FUNCTION rights_trap.unnest(anyarray) RETURNS SETOF anyelement
LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION rights_trap.encode(bytea, text) RETURNS text
LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
SET search_path = rights_trap, pg_catalog;
SELECT name FROM mobilebert.import_model('rights_again', :'tiny');
SELECT mobilebert.set_default_model('embed', 'rights_again');
SELECT mobilebert.drop_model('rights_again');
RESET search_path;
RESET ROLE;

-- an owner and a grantee that are gone: nobody's model, for a superuser to drop
CREATE ROLE regress_mobilebert_leaver;
CREATE ROLE regress_mobilebert_guest;
GRANT pg_read_server_files TO regress_mobilebert_leaver;
SET ROLE regress_mobilebert_leaver;
SELECT (mobilebert.import_model('rights_left', :'tiny')).name;
SELECT mobilebert.grant_model('rights_left', 'regress_mobilebert_guest');
SELECT mobilebert.revoke_model('rights_left', 'public');
RESET ROLE;
DROP ROLE regress_mobilebert_leaver, regress_mobilebert_guest;
SELECT name, owner FROM mobilebert.models
WHERE name = 'rights_left';
SET ROLE regress_mobilebert_user;
SELECT name FROM mobilebert.models WHERE name = 'rights_left';
SELECT mobilebert.embed('x', 'rights_left');
SELECT mobilebert.drop_model('rights_left');
RESET ROLE;

-- nor does it fall to a role that is called so later
CREATE ROLE regress_mobilebert_leaver;
CREATE ROLE regress_mobilebert_guest;
SET ROLE regress_mobilebert_leaver;
SELECT name FROM mobilebert.models WHERE name = 'rights_left';
SELECT mobilebert.embed('x', 'rights_left');
SELECT mobilebert.grant_model('rights_left', 'public');
SELECT mobilebert.set_model_owner('rights_left', 'regress_mobilebert_leaver');
SET ROLE regress_mobilebert_guest;
SELECT mobilebert.embed('x', 'rights_left');

-- until it is set right; who was granted it keeps it
RESET ROLE;
SELECT mobilebert.grant_model('rights_left', 'regress_mobilebert_guest');
SELECT mobilebert.set_model_owner('rights_left', 'regress_mobilebert_leaver');
SELECT name, owner FROM mobilebert.models WHERE name = 'rights_left';
SET ROLE regress_mobilebert_guest;
SELECT mobilebert.embed('x', 'rights_left') IS NOT NULL AS used;
SET ROLE regress_mobilebert_leaver;
SELECT mobilebert.embed('x', 'rights_left') IS NOT NULL AS used;

-- a role that is renamed keeps its rights, and the name is free for others
RESET ROLE;
ALTER ROLE regress_mobilebert_guest RENAME TO regress_mobilebert_friend;
ALTER ROLE regress_mobilebert_leaver RENAME TO regress_mobilebert_stayer;
CREATE ROLE regress_mobilebert_guest;
CREATE ROLE regress_mobilebert_leaver;
SELECT name, owner FROM mobilebert.models WHERE name = 'rights_left';
SET ROLE regress_mobilebert_friend;
SELECT mobilebert.embed('x', 'rights_left') IS NOT NULL AS used;
SET ROLE regress_mobilebert_guest;
SELECT mobilebert.embed('x', 'rights_left');
SET ROLE regress_mobilebert_leaver;
SELECT mobilebert.drop_model('rights_left');
SET ROLE regress_mobilebert_stayer;
SELECT mobilebert.grant_model('rights_left', 'regress_mobilebert_guest');
SELECT mobilebert.revoke_model('rights_left', 'regress_mobilebert_guest');
SET ROLE regress_mobilebert_guest;
SELECT mobilebert.embed('x', 'rights_left');
SET ROLE regress_mobilebert_friend;
SELECT mobilebert.embed('x', 'rights_left') IS NOT NULL AS used;
RESET ROLE;
SELECT mobilebert.revoke_model('rights_left', 'regress_mobilebert_friend');
SET ROLE regress_mobilebert_friend;
SELECT mobilebert.embed('x', 'rights_left');

-- who gives a model away owns it and is a member of the other role
SELECT mobilebert.set_model_owner('rights_left', 'regress_mobilebert_friend');
SET ROLE regress_mobilebert_stayer;
\set VERBOSITY sqlstate
SELECT mobilebert.set_model_owner('rights_left', 'regress_mobilebert_friend');
\set VERBOSITY default
SELECT mobilebert.set_model_owner('rights_left', 'public');
RESET ROLE;
GRANT regress_mobilebert_friend TO regress_mobilebert_stayer;
SET ROLE regress_mobilebert_stayer;
SELECT mobilebert.set_model_owner('rights_left', 'regress_mobilebert_friend');
SET ROLE regress_mobilebert_friend;
SELECT name, owner FROM mobilebert.models WHERE name = 'rights_left';
SELECT mobilebert.drop_model('rights_left');
RESET ROLE;
DROP ROLE regress_mobilebert_leaver, regress_mobilebert_guest,
	regress_mobilebert_stayer, regress_mobilebert_friend;

-- the owner of a database may take names in it
CREATE DATABASE regress_mobilebert_owned OWNER regress_mobilebert_member;
\c regress_mobilebert_owned
SET client_min_messages = warning;
CREATE EXTENSION mobilebert;
SET ROLE regress_mobilebert_member;
SELECT count(has_function_privilege(p.oid, 'EXECUTE')) AS functions,
	count(*) FILTER (WHERE NOT has_function_privilege(p.oid, 'EXECUTE')) AS without_right
FROM pg_proc AS p WHERE pronamespace = 'mobilebert'::regnamespace
AND proname IN ('import_model', 'create_variant', 'create_classifier', 'rename_model');
\c :DBNAME_BEFORE
DROP DATABASE regress_mobilebert_owned;

-- a superuser owns everything
SELECT mobilebert.drop_model('rights_tiny');
SELECT mobilebert.drop_model('rights_half');
SELECT mobilebert.default_model('embed');
\set VERBOSITY terse
DROP SCHEMA rights_trap CASCADE;
DROP FUNCTION rights_definer();
DROP OWNED BY regress_mobilebert_user, regress_mobilebert_member;
DROP ROLE regress_mobilebert_owner, regress_mobilebert_user,
	regress_mobilebert_group, regress_mobilebert_member;
