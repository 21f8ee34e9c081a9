/* mobilebert 1.1: the extension's objects */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION mobilebert" to load this file. \quit

-- ---------------------------------------------------------------------------
-- CREATE EXTENSION takes a schema as it finds it.  Whoever owns it, or may
-- create in it, could put a function beside ours that fits a caller's types
-- better and runs as that caller, so only an empty schema of a trusted owner
-- will do.  All names are qualified: the schema stands in the search path.
-- ---------------------------------------------------------------------------

DO LANGUAGE plpgsql $check$
DECLARE
	place pg_catalog.oid := 'mobilebert'::pg_catalog.regnamespace;
	untrusted pg_catalog.name;
	inside pg_catalog.text;
BEGIN
	SELECT pg_catalog.pg_get_userbyid(n.nspowner) INTO untrusted
	FROM pg_catalog.pg_namespace n
	WHERE n.oid OPERATOR(pg_catalog.=) place
		AND pg_catalog.pg_get_userbyid(n.nspowner)
			OPERATOR(pg_catalog.<>) CURRENT_USER
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
			WHERE r.oid OPERATOR(pg_catalog.=) n.nspowner AND r.rolsuper);
	IF untrusted IS NOT NULL THEN
		RAISE EXCEPTION 'schema "mobilebert" belongs to role "%"', untrusted
		USING ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = 'Its owner could add functions to it that run as whoever calls the extension''s.',
			HINT = 'Drop or rename the schema, or make it yours: ALTER SCHEMA mobilebert OWNER TO CURRENT_USER.';
	END IF;

	SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
	INTO inside
	FROM pg_catalog.pg_depend d
	WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
		AND d.refobjid OPERATOR(pg_catalog.=) place
		AND NOT (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND d.objid OPERATOR(pg_catalog.=) (SELECT e.oid
				FROM pg_catalog.pg_extension e
				WHERE e.extname OPERATOR(pg_catalog.=) 'mobilebert'))
	ORDER BY 1 USING OPERATOR(pg_catalog.<)
	LIMIT 1;
	IF inside IS NOT NULL THEN
		RAISE EXCEPTION 'schema "mobilebert" is not empty'
		USING ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = 'It has: ' OPERATOR(pg_catalog.||) inside OPERATOR(pg_catalog.||) '.',
			HINT = 'Drop or rename the schema, or move what is in it.';
	END IF;

	SELECT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'public'
		ELSE pg_catalog.pg_get_userbyid(a.grantee) END INTO untrusted
	FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
	WHERE n.oid OPERATOR(pg_catalog.=) place
		AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
		AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner
		AND pg_catalog.pg_get_userbyid(a.grantee)
			OPERATOR(pg_catalog.<>) CURRENT_USER
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
			WHERE r.oid OPERATOR(pg_catalog.=) a.grantee AND r.rolsuper)
	ORDER BY 1 USING OPERATOR(pg_catalog.<)
	LIMIT 1;
	IF untrusted IS NOT NULL THEN
		RAISE EXCEPTION 'role "%" may create objects in schema "mobilebert"', untrusted
		USING ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = 'That role could add functions to it that run as whoever calls the extension''s.',
			HINT = 'REVOKE CREATE ON SCHEMA mobilebert FROM that role.';
	END IF;
END
$check$;

COMMENT ON SCHEMA mobilebert IS
'MobileBERT and the other WordPiece encoders inside the database: models, tokenizer, embeddings and text tasks';

-- ---------------------------------------------------------------------------
-- The registry: ordinary tables, transactional, dumped and replicated.  Only
-- the functions below write them; users read the view mobilebert.models.
-- Roles are kept by name, since a restore must not fail where one is missing,
-- with the OID and the cluster that it is of (its system identifier) beside it,
-- since a name may become another role's; a trigger sets both right in rows
-- that come from another cluster.
-- The tables do not reference each other: pg_restore and the first copy of a
-- subscription fill them in any order and several at once.  So a row may be
-- there before those that it belongs with.  A model says how many files and
-- tensors it has, and is refused until they are there; rows without a model are
-- seen by nobody, and drop_model removes them.
-- Text that C code looks up is COLLATE "C".
-- ---------------------------------------------------------------------------

CREATE TABLE mobilebert.model
(
	id uuid PRIMARY KEY,
	name text COLLATE "C" NOT NULL UNIQUE,
	owner name NOT NULL,
	"precision" text COLLATE "C" NOT NULL,
	parts int NOT NULL,
	task_bits int NOT NULL,
	tasks text[] NOT NULL,
	architecture text,
	layers int NOT NULL,
	hidden_size int NOT NULL,
	dimension int NOT NULL,
	vocabulary_size int NOT NULL,
	max_tokens int NOT NULL,
	parameters bigint NOT NULL,
	multiply_adds bigint NOT NULL,
	size bigint NOT NULL,
	labels text[],
	sha256 bytea NOT NULL CHECK (pg_catalog.octet_length(sha256) OPERATOR(pg_catalog.=) 32),
	image_key bytea NOT NULL CHECK (pg_catalog.octet_length(image_key) OPERATOR(pg_catalog.=) 32),
	created_at timestamptz NOT NULL,
	file_count int NOT NULL,
	tensor_count int NOT NULL,
	owner_oid oid NOT NULL DEFAULT 0,
	owner_cluster bigint NOT NULL DEFAULT 0,
	base_id uuid
);
CREATE INDEX model_image_key ON mobilebert.model (image_key);
CREATE INDEX model_base_id ON mobilebert.model (base_id);

CREATE TABLE mobilebert.model_file
(
	model_id uuid NOT NULL,
	file_name text COLLATE "C" NOT NULL,
	content bytea NOT NULL,
	PRIMARY KEY (model_id, file_name)
);

CREATE TABLE mobilebert.tensor
(
	id uuid PRIMARY KEY,
	sha256 bytea NOT NULL CHECK (pg_catalog.octet_length(sha256) OPERATOR(pg_catalog.=) 32),
	dtype text COLLATE "C" NOT NULL,
	shape bigint[] NOT NULL,
	bytes bigint NOT NULL
);
CREATE INDEX tensor_sha256 ON mobilebert.tensor (sha256);

CREATE TABLE mobilebert.tensor_chunk
(
	tensor_id uuid NOT NULL,
	chunk_no int NOT NULL,
	data bytea NOT NULL,
	PRIMARY KEY (tensor_id, chunk_no)
);
ALTER TABLE mobilebert.tensor_chunk ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE mobilebert.model_file ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE mobilebert.model_tensor
(
	model_id uuid NOT NULL,
	tensor_name text COLLATE "C" NOT NULL,
	tensor_id uuid NOT NULL,
	PRIMARY KEY (model_id, tensor_name)
);
CREATE INDEX model_tensor_tensor_id ON mobilebert.model_tensor (tensor_id);

CREATE TABLE mobilebert.model_grant
(
	model_id uuid NOT NULL,
	grantee name NOT NULL,
	grantee_oid oid NOT NULL DEFAULT 0,
	grantee_cluster bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (model_id, grantee)
);

CREATE TABLE mobilebert.task_default
(
	task text COLLATE "C" PRIMARY KEY,
	model_id uuid NOT NULL
);

COMMENT ON TABLE mobilebert.model IS
'Registered models; written by import_model, drop_model and their kin, read through the view mobilebert.models';
COMMENT ON TABLE mobilebert.model_file IS
'Configuration and tokenizer files of a model, byte for byte as imported';
COMMENT ON TABLE mobilebert.tensor IS
'Tensors, with the SHA-256 of type, shape and bytes; shared by the models that hold the same';
COMMENT ON TABLE mobilebert.tensor_chunk IS
'Bytes of the tensors in pieces of at most 1 MB, little-endian, row-major';
COMMENT ON TABLE mobilebert.model_tensor IS
'Which tensor fills which place of a model (names as in transformers, without the prefix of the base model)';
COMMENT ON TABLE mobilebert.model_grant IS
'Who besides the owner may use a model; public stands for everybody';
COMMENT ON TABLE mobilebert.task_default IS
'Default model of a task in this database, set by set_default_model';

COMMENT ON COLUMN mobilebert.model.owner IS
'Name that the owner had when the row was written, so that a restore needs no role to exist';
COMMENT ON COLUMN mobilebert.model.owner_oid IS
'The owner in cluster owner_cluster; 0: no role there';
COMMENT ON COLUMN mobilebert.model.owner_cluster IS
'System identifier of the cluster that owner_oid is of';
COMMENT ON COLUMN mobilebert.model.base_id IS
'The model whose tensors it has by name (create_variant, "base" in config.json), to which a user needs the right as well; NULL: none';
COMMENT ON COLUMN mobilebert.model_grant.grantee IS
'Name that the role had when the row was written, or public';
COMMENT ON COLUMN mobilebert.model_grant.grantee_oid IS
'The role in cluster grantee_cluster; 0: no role there';
COMMENT ON COLUMN mobilebert.model_grant.grantee_cluster IS
'System identifier of the cluster that grantee_oid is of';

COMMENT ON INDEX mobilebert.model_image_key IS
'Finds whether a weight image still has a model';
COMMENT ON INDEX mobilebert.model_base_id IS
'Finds the models that stand on another';
COMMENT ON INDEX mobilebert.model_tensor_tensor_id IS
'Finds the models that share a tensor';
COMMENT ON INDEX mobilebert.tensor_sha256 IS
'Finds the tensor that an import can share';

SELECT pg_catalog.pg_extension_config_dump('mobilebert.model', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.model_file', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.tensor', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.tensor_chunk', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.model_tensor', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.model_grant', '');
SELECT pg_catalog.pg_extension_config_dump('mobilebert.task_default', '');

REVOKE ALL ON mobilebert.model, mobilebert.model_file, mobilebert.tensor,
	mobilebert.tensor_chunk, mobilebert.model_tensor, mobilebert.model_grant,
	mobilebert.task_default FROM PUBLIC;
GRANT USAGE ON SCHEMA mobilebert TO PUBLIC;

-- Any change of the registry, by whatever way (a restore, replication), makes
-- every session look again.  Row triggers, because logical replication fires
-- no others, and enabled ALWAYS, because it fires only those.  A session that
-- finds them otherwise looks again with each statement (registry.c).
CREATE FUNCTION mobilebert.registry_changed() RETURNS trigger
AS 'MODULE_PATHNAME', 'mobilebert_registry_changed' LANGUAGE C;
COMMENT ON FUNCTION mobilebert.registry_changed() IS
'Trigger on the registry''s tables: makes all sessions forget what they know of models';
REVOKE ALL ON FUNCTION mobilebert.registry_changed() FROM PUBLIC;

CREATE TRIGGER registry_changed
AFTER INSERT OR UPDATE OR DELETE ON mobilebert.model
FOR EACH ROW EXECUTE FUNCTION mobilebert.registry_changed();
CREATE TRIGGER registry_truncated
AFTER TRUNCATE ON mobilebert.model
FOR EACH STATEMENT EXECUTE FUNCTION mobilebert.registry_changed();
ALTER TABLE mobilebert.model ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE mobilebert.model ENABLE ALWAYS TRIGGER registry_truncated;
COMMENT ON TRIGGER registry_changed ON mobilebert.model IS
'Tells all sessions that a model came, changed or went';
COMMENT ON TRIGGER registry_truncated ON mobilebert.model IS
'Tells all sessions that a model came, changed or went';

CREATE TRIGGER registry_changed
AFTER INSERT OR UPDATE OR DELETE ON mobilebert.model_grant
FOR EACH ROW EXECUTE FUNCTION mobilebert.registry_changed();
CREATE TRIGGER registry_truncated
AFTER TRUNCATE ON mobilebert.model_grant
FOR EACH STATEMENT EXECUTE FUNCTION mobilebert.registry_changed();
ALTER TABLE mobilebert.model_grant ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE mobilebert.model_grant ENABLE ALWAYS TRIGGER registry_truncated;
COMMENT ON TRIGGER registry_changed ON mobilebert.model_grant IS
'Tells all sessions that the right to use a model changed';
COMMENT ON TRIGGER registry_truncated ON mobilebert.model_grant IS
'Tells all sessions that the right to use a model changed';

CREATE TRIGGER registry_changed
AFTER INSERT OR UPDATE OR DELETE ON mobilebert.task_default
FOR EACH ROW EXECUTE FUNCTION mobilebert.registry_changed();
CREATE TRIGGER registry_truncated
AFTER TRUNCATE ON mobilebert.task_default
FOR EACH STATEMENT EXECUTE FUNCTION mobilebert.registry_changed();
ALTER TABLE mobilebert.task_default ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE mobilebert.task_default ENABLE ALWAYS TRIGGER registry_truncated;
COMMENT ON TRIGGER registry_changed ON mobilebert.task_default IS
'Tells all sessions that a default model changed';
COMMENT ON TRIGGER registry_truncated ON mobilebert.task_default IS
'Tells all sessions that a default model changed';

-- Rows of other clusters: the role of that name here.  ALWAYS, because that is
-- what a logical subscriber's rows are.
CREATE FUNCTION mobilebert.role_arrived() RETURNS trigger
AS 'MODULE_PATHNAME', 'mobilebert_role_arrived' LANGUAGE C;
COMMENT ON FUNCTION mobilebert.role_arrived() IS
'Trigger on tables that name roles: finds the role of this cluster that a row from another one means';
REVOKE ALL ON FUNCTION mobilebert.role_arrived() FROM PUBLIC;

CREATE TRIGGER role_arrived BEFORE INSERT OR UPDATE ON mobilebert.model
FOR EACH ROW EXECUTE FUNCTION mobilebert.role_arrived('owner');
ALTER TABLE mobilebert.model ENABLE ALWAYS TRIGGER role_arrived;
COMMENT ON TRIGGER role_arrived ON mobilebert.model IS
'Finds the owner of a model that a restore or replication brings';

CREATE TRIGGER role_arrived BEFORE INSERT OR UPDATE ON mobilebert.model_grant
FOR EACH ROW EXECUTE FUNCTION mobilebert.role_arrived('grantee');
ALTER TABLE mobilebert.model_grant ENABLE ALWAYS TRIGGER role_arrived;
COMMENT ON TRIGGER role_arrived ON mobilebert.model_grant IS
'Finds the grantee of a right that a restore or replication brings';

CREATE FUNCTION mobilebert.role_now(role name, role_oid oid, cluster bigint)
RETURNS name
AS 'MODULE_PATHNAME', 'mobilebert_role_now'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.role_now(name, oid, bigint) IS
'Name that the role which a row of the registry means has now; NULL when it is gone or was never here';

CREATE FUNCTION mobilebert.may_see_model(id uuid) RETURNS boolean
AS 'MODULE_PATHNAME', 'mobilebert_may_see_model'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.may_see_model(uuid) IS
'Does the current user own a model, or may use it: what mobilebert.models shows';

CREATE VIEW mobilebert.models WITH (security_barrier) AS
SELECT m.name,
	mobilebert.role_now(m.owner, m.owner_oid, m.owner_cluster) AS owner,
	m.tasks, m.architecture, m.layers, m.hidden_size,
	m.dimension, m.vocabulary_size, m.max_tokens, m.parameters, m.size,
	m."precision", m.labels, pg_catalog.encode(m.sha256, 'hex') AS sha256,
	m.created_at,
	(SELECT b.name FROM mobilebert.model b
		WHERE b.id OPERATOR(pg_catalog.=) m.base_id
			AND mobilebert.may_see_model(b.id)) AS base
FROM mobilebert.model m
WHERE mobilebert.may_see_model(m.id)
	AND m.file_count OPERATOR(pg_catalog.=) (SELECT pg_catalog.count(*)
		FROM mobilebert.model_file f
		WHERE f.model_id OPERATOR(pg_catalog.=) m.id)
	AND m.tensor_count OPERATOR(pg_catalog.=) (SELECT pg_catalog.count(*)
		FROM mobilebert.model_tensor p
		WHERE p.model_id OPERATOR(pg_catalog.=) m.id)
	-- tables are restored as wholes: one tensor stands for all of them
	AND EXISTS (SELECT
		FROM (SELECT p.tensor_id FROM mobilebert.model_tensor p
			WHERE p.model_id OPERATOR(pg_catalog.=) m.id LIMIT 1) one
		WHERE EXISTS (SELECT FROM mobilebert.tensor t
				WHERE t.id OPERATOR(pg_catalog.=) one.tensor_id)
			AND EXISTS (SELECT FROM mobilebert.tensor_chunk c
				WHERE c.tensor_id OPERATOR(pg_catalog.=) one.tensor_id));
COMMENT ON VIEW mobilebert.models IS
'Models that the current user owns or may use, without those whose restore is not complete: name, owner, what they can do, sizes (size in bytes as stored; dimension of embeddings; max_tokens of one window, [CLS] and [SEP] included), labels, and the SHA-256 of weights, configuration and tokenizer';
COMMENT ON COLUMN mobilebert.models.name IS 'Name that functions take as model';
COMMENT ON COLUMN mobilebert.models.owner IS 'Role that may drop, rename and grant it: whoever imported it, or whom it was given to by set_model_owner; NULL when that role is gone or not here';
COMMENT ON COLUMN mobilebert.models.tasks IS 'What it can do: embed, pooler (pooler_output), fill_mask, next_sentence, classify, ner, answer, choose, replaced_token';
COMMENT ON COLUMN mobilebert.models.architecture IS 'Class named first in config.json, NULL when none is';
COMMENT ON COLUMN mobilebert.models.layers IS 'num_hidden_layers';
COMMENT ON COLUMN mobilebert.models.hidden_size IS 'hidden_size: width of a token''s hidden state';
COMMENT ON COLUMN mobilebert.models.dimension IS 'Elements of what embed(input) returns';
COMMENT ON COLUMN mobilebert.models.vocabulary_size IS 'vocab_size: rows of the word table';
COMMENT ON COLUMN mobilebert.models.max_tokens IS 'Tokens of one window at most, [CLS] and [SEP] included';
COMMENT ON COLUMN mobilebert.models.parameters IS 'Number of weights, heads included';
COMMENT ON COLUMN mobilebert.models.size IS 'Bytes of the weights as stored; tensors shared with other models count for each';
COMMENT ON COLUMN mobilebert.models."precision" IS 'Arithmetic of the model: fp32, bf16x3, bf16 or int8';
COMMENT ON COLUMN mobilebert.models.labels IS 'Labels of the classifier by id, NULL where its id2label leaves one out; NULL without a classifier';
COMMENT ON COLUMN mobilebert.models.sha256 IS 'Fingerprint: SHA-256 of weights, configuration, tokenizer and precision, hexadecimal';
COMMENT ON COLUMN mobilebert.models.created_at IS 'When it was imported';
COMMENT ON COLUMN mobilebert.models.base IS 'Model that it stands on: whose tensors it has by create_variant, create_classifier or "base" in config.json; NULL: none, or one that the current user may not use';
GRANT SELECT ON mobilebert.models TO PUBLIC;

CREATE TYPE mobilebert.model_info AS
(
	name text,
	owner name,
	tasks text[],
	architecture text,
	layers int,
	hidden_size int,
	dimension int,
	vocabulary_size int,
	max_tokens int,
	parameters bigint,
	size bigint,
	"precision" text,
	labels text[],
	sha256 text,
	created_at timestamptz,
	base text
);
COMMENT ON TYPE mobilebert.model_info IS
'A row of mobilebert.models, as import_model returns it';

-- ---------------------------------------------------------------------------
-- Models
-- ---------------------------------------------------------------------------

CREATE FUNCTION mobilebert.import_model(name text)
RETURNS mobilebert.model_info
AS 'MODULE_PATHNAME', 'mobilebert_import_shipped'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.import_model(text) IS
'Registers a model that is shipped with the extension (minilm, language, qa, ner, nli, sentiment); needs EXECUTE, which the owner of the database has, as all functions that take a name; when the owner of the database does so it becomes the default of the tasks that it is meant for, where there is none yet';

CREATE FUNCTION mobilebert.import_defaults(OUT name text, OUT imported boolean, OUT default_for text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_import_defaults'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION mobilebert.import_defaults() IS
'Registers all models that are shipped with the extension, as import_model(name) does each, those that others stand on before these; a row for each: imported, false where a model of that name was there, which stays as it is, and default_for, the tasks whose default it is in this database now; a default that was there stays; an error leaves nothing behind, and is raised where no model is shipped';

CREATE FUNCTION mobilebert.import_model(name text, path text, "precision" text DEFAULT 'fp32')
RETURNS mobilebert.model_info
AS 'MODULE_PATHNAME', 'mobilebert_import_directory'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.import_model(text, text, text) IS
'Registers a Hugging Face directory of MobileBERT, BERT, DistilBERT, ELECTRA or MPNet on the server (config.json, tokenizer.json or vocab.txt, model.safetensors or shards); precision: fp32, bf16x3, bf16 or int8, see create_variant; needs the rights of pg_read_server_files';

CREATE FUNCTION mobilebert.import_model(name text, config jsonb, tokenizer text, weights bytea,
	"precision" text DEFAULT 'fp32', tokenizer_config jsonb DEFAULT NULL, sentence_transformers jsonb DEFAULT NULL)
RETURNS mobilebert.model_info
AS 'MODULE_PATHNAME', 'mobilebert_import_bytea'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.import_model(text, jsonb, text, bytea, text, jsonb, jsonb) IS
'Registers a model sent by the client: config.json, the text of tokenizer.json or vocab.txt, the bytes of model.safetensors; optionally tokenizer_config.json, and the sentence-transformers files as one object with the members modules, pooling (the configuration of the module Pooling, whatever its folder), sentence_bert and config_sentence_transformers';

CREATE FUNCTION mobilebert.import_model(name text, config jsonb, tokenizer text, weights oid,
	"precision" text DEFAULT 'fp32', tokenizer_config jsonb DEFAULT NULL, sentence_transformers jsonb DEFAULT NULL)
RETURNS mobilebert.model_info
AS 'MODULE_PATHNAME', 'mobilebert_import_large_object'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.import_model(text, jsonb, text, oid, text, jsonb, jsonb) IS
'The same with the bytes of model.safetensors in a large object that the current user may read';

CREATE FUNCTION mobilebert.create_variant(name text, base text, "precision" text)
RETURNS mobilebert.model_info
AS 'MODULE_PATHNAME', 'mobilebert_create_variant'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.create_variant(text, text, text) IS
'Registers another name for a model that the current user may use, with other arithmetic in the encoder: fp32 (as Hugging Face), bf16x3 (products of 16-bit mantissas in two bfloat16), bf16, or int8 (integers with a scale for each token and each output); the weights are stored once; the variant belongs to the current user, who alone may use it at first, and whoever uses it needs the right to its base as well';

CREATE FUNCTION mobilebert.drop_model(name text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_drop_model'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.drop_model(text) IS
'Removes a model and those of its tensors that no other model shares; owner only; a WARNING lists columns, indexes, views and others that name it, a NOTICE the models that stand on it: those of the same owner go on without it, others are superusers'' alone from then on';

CREATE FUNCTION mobilebert.rename_model(old_name text, new_name text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_rename_model'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.rename_model(text, text) IS
'Gives a model another name; owner only, with EXECUTE; a WARNING lists columns, indexes, views and others that name the old one';

CREATE FUNCTION mobilebert.grant_model(name text, role text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_grant_model'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.grant_model(text, text) IS
'Lets a role (or public) use a model; owner only; a NOTICE says when the model stands on another that the role may not use';

CREATE FUNCTION mobilebert.revoke_model(name text, role text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_revoke_model'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.revoke_model(text, text) IS
'Takes back the right to use a model from a role (or public: every imported model starts with it); owner only';

CREATE FUNCTION mobilebert.set_model_owner(name text, role text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_set_model_owner'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.set_model_owner(text, text) IS
'Gives a model to another role; superusers, and the owner who is a member of that role; who was granted it keeps it';

CREATE FUNCTION mobilebert.set_default_model(task text, name text) RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_set_default_model'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mobilebert.set_default_model(text, text) IS
'Stores the default model of a task (embed, classify, zero_shot, ner, fill_mask, next_sentence, answer, choose) in this database; NULL removes it, and zero_shot has that of classify then, else that of embed; needs the rights of the database''s owner';

CREATE FUNCTION mobilebert.default_model(task text) RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_default_model_name'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.default_model(text) IS
'Name of the model that f(input) uses for a task: the setting mobilebert.default_model when that model can do the task, else the stored default, else NULL; names it where options are given: embed(input, mobilebert.default_model(''embed''), pooling => ''cls'')';

CREATE FUNCTION mobilebert.model_config(name text) RETURNS jsonb
AS 'MODULE_PATHNAME', 'mobilebert_model_config'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.model_config(text) IS
'Effective configuration: config.json with every default of transformers'' configuration class filled in, num_labels, id2label and label2id, and the derived sizes true_hidden_size, head_size and attention_size; modules: what sentence-transformers runs after Pooling, if anything; config_sentence_transformers: that file, with the prompts, where the model has one';

CREATE FUNCTION mobilebert.fingerprint(model text) RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_fingerprint'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.fingerprint(text) IS
'SHA-256 of weights, configuration, tokenizer and precision in hexadecimal digits, to store beside vectors';

CREATE FUNCTION mobilebert.prewarm(name text) RETURNS bigint
AS 'MODULE_PATHNAME', 'mobilebert_prewarm'
LANGUAGE C VOLATILE PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION mobilebert.prewarm(text) IS
'Makes the shared image of a model when it is missing and reads all of it; returns its bytes';

CREATE FUNCTION mobilebert.memory_needed(name text, tokens int) RETURNS bigint
AS 'MODULE_PATHNAME', 'mobilebert_memory_needed'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.memory_needed(text, int) IS
'Bytes of working memory that one pass over so many tokens needs, beside the shared weights; compare with mobilebert.memory_limit';

CREATE FUNCTION mobilebert.build_info(OUT name text, OUT value text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_build_info'
LANGUAGE C STABLE PARALLEL SAFE ROWS 12;
COMMENT ON FUNCTION mobilebert.build_info() IS
'How the library was built and which kernels it uses here: versions, compiler, instruction set, matrix library';

CREATE FUNCTION mobilebert.help(
	topic text DEFAULT NULL,
	OUT topic text,
	OUT name text,
	OUT description text,
	OUT example text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_help'
LANGUAGE C STABLE PARALLEL SAFE ROWS 80;
COMMENT ON FUNCTION mobilebert.help(text) IS
'What there is, a line with an example each, by topic: models, embeddings, classification, search, tables, settings and others; topic: lines of that topic, or of the function, view or setting of that name (default: all); an unknown one is an error that lists the topics; models other than minilm in examples stand for one with such a head';

-- A name is one for all of a database: who takes it decides which weights the
-- calls of others mean.  So taking one needs a right that PUBLIC lacks.
REVOKE ALL ON FUNCTION mobilebert.import_model(text),
	mobilebert.import_defaults(),
	mobilebert.import_model(text, text, text),
	mobilebert.import_model(text, jsonb, text, bytea, text, jsonb, jsonb),
	mobilebert.import_model(text, jsonb, text, oid, text, jsonb, jsonb),
	mobilebert.create_variant(text, text, text),
	mobilebert.rename_model(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mobilebert.import_model(text),
	mobilebert.import_defaults(),
	mobilebert.import_model(text, jsonb, text, bytea, text, jsonb, jsonb),
	mobilebert.import_model(text, jsonb, text, oid, text, jsonb, jsonb),
	mobilebert.create_variant(text, text, text),
	mobilebert.rename_model(text, text) TO pg_database_owner;
GRANT EXECUTE ON FUNCTION mobilebert.import_model(text, text, text),
	mobilebert.rename_model(text, text) TO pg_read_server_files;

CREATE FUNCTION mobilebert.support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_support' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.support(internal) IS
'Planner support: what a call of the network costs, by the size of its model; planning a call loads the library, which then batches calls over rows';
REVOKE ALL ON FUNCTION mobilebert.support(internal) FROM PUBLIC;

--
-- Tokenizer (MobileBertTokenizerFast)
--
-- Every function that reads text has two forms: with the text alone it uses
-- the default model and is STABLE, because the default can change; with the
-- model named it is IMMUTABLE.  An option that is NULL has its default.
--

CREATE FUNCTION mobilebert.tokenize(input text)
RETURNS text[]
AS 'MODULE_PATHNAME', 'mobilebert_tokenize'
LANGUAGE C STABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.tokenize(text) IS
'Word pieces of a text, without special tokens, by the default model''s tokenizer (MobileBertTokenizer.tokenize)';

CREATE FUNCTION mobilebert.tokenize(
	input text,
	model text,
	split_special_tokens boolean DEFAULT NULL
)
RETURNS text[]
AS 'MODULE_PATHNAME', 'mobilebert_tokenize'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.tokenize(text, text, boolean) IS
'Word pieces of a text, without special tokens (MobileBertTokenizer.tokenize); split_special_tokens: take "[MASK]" and the like in the text as plain text';

CREATE FUNCTION mobilebert.encode(input text)
RETURNS integer[]
AS 'MODULE_PATHNAME', 'mobilebert_encode'
LANGUAGE C STABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.encode(text) IS
'Token ids of a text with the template''s special tokens, by the default model''s tokenizer (MobileBertTokenizer.encode)';

CREATE FUNCTION mobilebert.encode(
	input text,
	model text,
	pair text DEFAULT NULL,
	add_special_tokens boolean DEFAULT NULL,
	max_length integer DEFAULT NULL,
	truncation text DEFAULT NULL,
	stride integer DEFAULT NULL,
	padding text DEFAULT NULL,
	pad_to_multiple_of integer DEFAULT NULL,
	truncation_side text DEFAULT NULL,
	padding_side text DEFAULT NULL,
	split_special_tokens boolean DEFAULT NULL
)
RETURNS integer[]
AS 'MODULE_PATHNAME', 'mobilebert_encode'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.encode(text, text, text, boolean, integer, text, integer, text, integer, text, text, boolean) IS
'Token ids of a text or pair of texts (MobileBertTokenizer.encode); truncation: none, longest_first (the default when max_length is given), only_first, only_second; padding: none, longest, max_length; sides: right, left';

CREATE FUNCTION mobilebert.decode(ids integer[])
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_decode'
LANGUAGE C STABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.decode(integer[]) IS
'Text of token ids, by the default model''s tokenizer (MobileBertTokenizer.decode); ids without a token are dropped';

CREATE FUNCTION mobilebert.decode(
	ids integer[],
	model text,
	skip_special_tokens boolean DEFAULT NULL,
	clean_up_tokenization_spaces boolean DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_decode'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.decode(integer[], text, boolean, boolean) IS
'Text of token ids (MobileBertTokenizer.decode); ids without a token are dropped; skip_special_tokens is false by default, clean_up_tokenization_spaces as the model''s tokenizer says';

CREATE FUNCTION mobilebert.tokens(
	input text,
	OUT window_no integer,
	OUT token_no integer,
	OUT token_id integer,
	OUT token text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT word_no integer,
	OUT sequence_no integer,
	OUT type_id integer,
	OUT special boolean,
	OUT attention boolean
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_tokens'
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 50;

COMMENT ON FUNCTION mobilebert.tokens(text) IS
'Tokens of a text by the default model''s tokenizer, with all that MobileBertTokenizerFast returns for them; offsets in characters of the text, end exclusive';

CREATE FUNCTION mobilebert.tokens(
	input text,
	model text,
	pair text DEFAULT NULL,
	add_special_tokens boolean DEFAULT NULL,
	max_length integer DEFAULT NULL,
	truncation text DEFAULT NULL,
	stride integer DEFAULT NULL,
	padding text DEFAULT NULL,
	pad_to_multiple_of integer DEFAULT NULL,
	truncation_side text DEFAULT NULL,
	padding_side text DEFAULT NULL,
	split_special_tokens boolean DEFAULT NULL,
	OUT window_no integer,
	OUT token_no integer,
	OUT token_id integer,
	OUT token text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT word_no integer,
	OUT sequence_no integer,
	OUT type_id integer,
	OUT special boolean,
	OUT attention boolean
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_tokens'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 50;

COMMENT ON FUNCTION mobilebert.tokens(text, text, text, boolean, integer, text, integer, text, integer, text, text, boolean) IS
'Tokens of a text or pair with all that MobileBertTokenizerFast returns; numbers from 0; what truncation cuts off follows as windows 1, 2, ...; word_no and sequence_no are NULL for template and padding tokens, offsets 0';

CREATE FUNCTION mobilebert.tokens(
	words text[],
	OUT window_no integer,
	OUT token_no integer,
	OUT token_id integer,
	OUT token text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT word_no integer,
	OUT sequence_no integer,
	OUT type_id integer,
	OUT special boolean,
	OUT attention boolean
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_tokens_words'
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 50;

COMMENT ON FUNCTION mobilebert.tokens(text[]) IS
'Tokens of a text that comes split in words (is_split_into_words), by the default model''s tokenizer; word_no counts the array''s elements from 0 and offsets are relative to the word';

CREATE FUNCTION mobilebert.tokens(
	words text[],
	model text,
	pair text[] DEFAULT NULL,
	add_special_tokens boolean DEFAULT NULL,
	max_length integer DEFAULT NULL,
	truncation text DEFAULT NULL,
	stride integer DEFAULT NULL,
	padding text DEFAULT NULL,
	pad_to_multiple_of integer DEFAULT NULL,
	truncation_side text DEFAULT NULL,
	padding_side text DEFAULT NULL,
	split_special_tokens boolean DEFAULT NULL,
	OUT window_no integer,
	OUT token_no integer,
	OUT token_id integer,
	OUT token text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT word_no integer,
	OUT sequence_no integer,
	OUT type_id integer,
	OUT special boolean,
	OUT attention boolean
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_tokens_words'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 50;

COMMENT ON FUNCTION mobilebert.tokens(text[], text, text[], boolean, integer, text, integer, text, integer, text, text, boolean) IS
'Tokens of a text or pair that comes split in words (is_split_into_words); word_no counts the array''s elements from 0 and offsets are relative to the word';

CREATE FUNCTION mobilebert.count_tokens(input text)
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_count_tokens'
LANGUAGE C STABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.count_tokens(text) IS
'Number of tokens that the default model sees of a text, the template''s special tokens included';

CREATE FUNCTION mobilebert.count_tokens(
	input text,
	model text,
	pair text DEFAULT NULL,
	add_special_tokens boolean DEFAULT NULL
)
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_count_tokens'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.count_tokens(text, text, text, boolean) IS
'Number of tokens of a text or pair of texts, uncut; the template''s special tokens are counted unless add_special_tokens is false';

CREATE FUNCTION mobilebert.chunk(
	input text,
	OUT chunk_no integer,
	OUT chunk text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT tokens integer
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_chunk'
LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10;

COMMENT ON FUNCTION mobilebert.chunk(text) IS
'Slices of a text that each fit in one window of the default model and end with a sentence if possible';

CREATE FUNCTION mobilebert.chunk(
	input text,
	model text,
	max_tokens integer DEFAULT NULL,
	overlap integer DEFAULT NULL,
	split text DEFAULT NULL,
	OUT chunk_no integer,
	OUT chunk text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT tokens integer
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_chunk'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10;

COMMENT ON FUNCTION mobilebert.chunk(text, text, integer, integer, text) IS
'Slices of a text of at most max_tokens tokens each, the template''s included (default: the model''s limit); split: sentence (default) ends each with the last sentence that fits, and parts what is longer than a slice at the last clause, else white space, else word, else token; paragraph: the same with paragraphs before sentences; word: as many words as fit, parted at white space if possible; neighbours share at most overlap tokens (default 0), whole sentences of them, or with word whole words';

CREATE FUNCTION mobilebert.token_id(input text)
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_token_id'
LANGUAGE C STABLE PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.token_id(text) IS
'Id of a token in the default model''s vocabulary, NULL when it has no such token';

CREATE FUNCTION mobilebert.token_id(input text, model text)
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_token_id'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.token_id(text, text) IS
'Id of a token in the model''s vocabulary, NULL when it has no such token';

CREATE FUNCTION mobilebert.token_text(id integer)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_token_text'
LANGUAGE C STABLE PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.token_text(integer) IS
'Token of an id in the default model''s vocabulary, NULL when there is none';

CREATE FUNCTION mobilebert.token_text(id integer, model text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_token_text'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.token_text(integer, text) IS
'Token of an id in the model''s vocabulary, NULL when there is none';

CREATE FUNCTION mobilebert.vocabulary(
	model text,
	OUT token_id integer,
	OUT token text,
	OUT special boolean
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_vocabulary'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 30000;

COMMENT ON FUNCTION mobilebert.vocabulary(text) IS
'All tokens of a model, added ones included, by id; special: flagged so among the added tokens; token is NULL when the database encoding lacks a character of it';

--
-- Model outputs (MobileBertModel)
--

CREATE FUNCTION mobilebert.embed(input text)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed(text) IS
'Embedding of a text by the default model, pooled, put through the modules after that (Dense, LayerNorm, Normalize) and cut as its sentence-transformers files say; a text that is too long is cut, with one WARNING a statement (in a parallel query, one a process)';

CREATE FUNCTION mobilebert.embed(
	input text,
	model text,
	pooling text DEFAULT NULL,
	normalized boolean DEFAULT NULL,
	layer integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	prompt text DEFAULT NULL,
	prompt_text text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	dimensions integer DEFAULT NULL
)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed(text, text, text, boolean, integer, text, integer, text, text, integer, integer) IS
'Embedding of a text; pooling: mean, cls, max, mean_sqrt_len_tokens, weightedmean, lasttoken, pooler, or up to eight of them separated by commas, whose vectors follow each other in that order, without the model''s modules after Pooling (Dense, LayerNorm) and its truncate_dim, which only its own pooling has; normalized: divide by the length at last, as the model does where its last module is Normalize; layer: index into hidden_states, negative from the end; overflow: truncate (default), window (stride tokens of overlap, each token counted once), error; prompt: name of the model''s prompt that stands before the text, default: default_prompt_name of its config_sentence_transformers.json; prompt_text: another one, or '''' for none; max_length: tokens of a window, the template''s included (default: as the model says); dimensions: the first so many numbers of the vector, divided by their length where normalized (default: truncate_dim of the model, else all)';

CREATE FUNCTION mobilebert.embed_query(input text)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_query'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_query(text) IS
'Embedding of a query by the default model, with the prompt that it has for it; as embed(input) in all else';

CREATE FUNCTION mobilebert.embed_query(
	input text,
	model text,
	max_length integer DEFAULT NULL,
	dimensions integer DEFAULT NULL
)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_query'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_query(text, text, integer, integer) IS
'Embedding of a query: embed() with prompt => ''query'', without a prompt where the model has none of that name (encode_query of sentence-transformers); max_length and dimensions as in embed()';

CREATE FUNCTION mobilebert.embed_document(input text)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_document'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_document(text) IS
'Embedding of a text that is searched by the default model, with the prompt that it has for it; as embed(input) in all else';

CREATE FUNCTION mobilebert.embed_document(
	input text,
	model text,
	max_length integer DEFAULT NULL,
	dimensions integer DEFAULT NULL
)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_document'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_document(text, text, integer, integer) IS
'Embedding of a text that is searched: embed() with prompt => ''document'', without a prompt where the model has none of that name (encode_document of sentence-transformers); max_length and dimensions as in embed()';

CREATE FUNCTION mobilebert.embed(input text[])
RETURNS SETOF real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_array'
LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed(text[]) IS
'Embeddings of several texts by the default model, a row for each in order, packed in common passes; NULL for NULL';

CREATE FUNCTION mobilebert.embed(
	input text[],
	model text,
	pooling text DEFAULT NULL,
	normalized boolean DEFAULT NULL,
	layer integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	prompt text DEFAULT NULL,
	prompt_text text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	dimensions integer DEFAULT NULL
)
RETURNS SETOF real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_array'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed(text[], text, text, boolean, integer, text, integer, text, text, integer, integer) IS
'Embeddings of several texts, a row for each in order, packed in common passes; each is bit for bit what embed(text) gives; NULL for NULL';

CREATE FUNCTION mobilebert.embed(
	input_ids integer[],
	model text,
	pooling text DEFAULT NULL,
	normalized boolean DEFAULT NULL,
	layer integer DEFAULT NULL,
	token_type_ids integer[] DEFAULT NULL,
	attention_mask integer[] DEFAULT NULL,
	dimensions integer DEFAULT NULL
)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_embed_ids'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed(integer[], text, text, boolean, integer, integer[], integer[], integer) IS
'Embedding of token ids as they are, as MobileBertModel takes them; types are 0 and the mask 1 by default; tokens with mask 0 are neither attended to nor pooled; dimensions: the first so many numbers of the vector';

CREATE FUNCTION mobilebert.embed_chunks(
	input text,
	OUT chunk_no integer,
	OUT chunk text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT embedding real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_embed_chunks'
LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_chunks(text) IS
'The slices that chunk(input) gives, each with its embedding as a document by the default model, packed in common passes';

CREATE FUNCTION mobilebert.embed_chunks(
	input text,
	model text,
	max_tokens integer DEFAULT NULL,
	overlap integer DEFAULT NULL,
	split text DEFAULT NULL,
	dimensions integer DEFAULT NULL,
	prompt text DEFAULT NULL,
	OUT chunk_no integer,
	OUT chunk text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT embedding real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_embed_chunks'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.embed_chunks(text, text, integer, integer, text, integer, text) IS
'Slices of a text as chunk() cuts them, each with its embedding, packed in common passes: bit for bit what embed_document(chunk, model, max_tokens, dimensions) gives; the prompt (default: document) counts in max_tokens (default: the model''s limit), and stands in no slice';

CREATE FUNCTION mobilebert.hidden_states(
	input text,
	OUT layer integer,
	OUT token_no integer,
	OUT token text,
	OUT state real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_hidden_states'
LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 500
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.hidden_states(text) IS
'Hidden states of the default model: a row of hidden_size numbers for each layer (0: the embeddings) and token; a text that is too long is read in windows';

CREATE FUNCTION mobilebert.hidden_states(
	input text,
	model text,
	pair text DEFAULT NULL,
	layer integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	OUT layer integer,
	OUT token_no integer,
	OUT token text,
	OUT state real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_hidden_states'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 500
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.hidden_states(text, text, text, integer, text, integer) IS
'Hidden states of MobileBertModel: rows by layer (0: the embeddings; option layer: that one, negative from the end) and token; overflow: window (default; stride tokens of overlap, each token once, a pair is windowed over its first text), truncate, error';

CREATE FUNCTION mobilebert.hidden_states(
	input_ids integer[],
	model text,
	token_type_ids integer[] DEFAULT NULL,
	layer integer DEFAULT NULL,
	attention_mask integer[] DEFAULT NULL,
	OUT layer integer,
	OUT token_no integer,
	OUT token text,
	OUT state real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_hidden_states_ids'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 500
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.hidden_states(integer[], text, integer[], integer, integer[]) IS
'Hidden states of MobileBertModel for token ids as they are; types are 0 and the mask 1 by default';

CREATE FUNCTION mobilebert.attentions(
	input text,
	OUT layer integer,
	OUT head integer,
	OUT token_no integer,
	OUT weights real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_attentions'
LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 5000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.attentions(text) IS
'Attentions of the default model: for each layer, head and token its weights over all tokens, which add up to 1; a text that is too long is an error';

CREATE FUNCTION mobilebert.attentions(
	input text,
	model text,
	pair text DEFAULT NULL,
	layer integer DEFAULT NULL,
	head integer DEFAULT NULL,
	OUT layer integer,
	OUT head integer,
	OUT token_no integer,
	OUT weights real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_attentions'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 5000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.attentions(text, text, text, integer, integer) IS
'Attentions of MobileBertModel: for each layer, head and token its weights over all tokens; numbers from 0, a negative layer counts from the end; a text that is too long is an error';

CREATE FUNCTION mobilebert.attentions(
	input_ids integer[],
	model text,
	token_type_ids integer[] DEFAULT NULL,
	layer integer DEFAULT NULL,
	head integer DEFAULT NULL,
	attention_mask integer[] DEFAULT NULL,
	OUT layer integer,
	OUT head integer,
	OUT token_no integer,
	OUT weights real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_attentions_ids'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 5000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.attentions(integer[], text, integer[], integer, integer, integer[]) IS
'Attentions of MobileBertModel for token ids as they are; a token with mask 0 gets no weight';

CREATE FUNCTION mobilebert.logits(
	input text,
	OUT token_no integer,
	OUT logits real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_logits'
LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 50
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.logits(text) IS
'Raw output of the default model: its last hidden state for each token, or the logits of its head when it has just one';

CREATE FUNCTION mobilebert.logits(
	input text,
	model text,
	pair text DEFAULT NULL,
	head text DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	OUT token_no integer,
	OUT logits real[]
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_logits'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 50
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.logits(text, text, text, text, text, integer) IS
'Raw output of a head, before any softmax: ner, answer, fill_mask and replaced_token (ELECTRA''s discriminator; above 0: more likely replaced than not) give a row for each token, classify, next_sentence and choose one row with token_no 0, base (the model''s last_hidden_state) one for each token; the default is the model''s own head when it has just one, else base; a head that the model lacks is an error, and so is a text of more than max_length tokens (default: the model''s limit) unless overflow is truncate';

CREATE FUNCTION mobilebert.similarity(a text, b text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_similarity'
LANGUAGE C STABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.similarity(text, text) IS
'How alike two texts are by the default model: the cosine of the angle between their embeddings, -1 to 1, or what the model''s files say instead; a text that is too long is an error';

CREATE FUNCTION mobilebert.similarity(a text, b text, model text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_similarity'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.similarity(text, text, text) IS
'How alike two texts are: the cosine of the angle between their embeddings, -1 to 1, or what similarity_fn_name of the model''s config_sentence_transformers.json says: dot (inner product), euclidean or manhattan (the distance, negative); a text that is too long is an error';

--
-- Vectors
--

-- Drivers send lists of numbers as double precision[], and numpy's are of that
-- type.  A second form that took double precision[] itself would make calls
-- with untyped literals, integer[] or numeric[] ambiguous.  So there is a type
-- that arrays of numbers become, and that the parser prefers among arrays:
--   (real[], real[]) and (real[], untyped) take the form with real[], and so
--     does what casts to real[] alone (pgvector's vector);
--   all else takes the form with numbers.
-- Inside it is a real[]; to a driver that asks (asyncpg) an array of real.

CREATE TYPE mobilebert.numbers;

CREATE FUNCTION mobilebert.numbers_in(cstring, oid, integer) RETURNS mobilebert.numbers
AS 'array_in' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.numbers_in(cstring, oid, integer) IS 'Input of the type numbers: as of real[]';

CREATE FUNCTION mobilebert.numbers_out(mobilebert.numbers) RETURNS cstring
AS 'array_out' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.numbers_out(mobilebert.numbers) IS 'Output of the type numbers: as of real[]';

CREATE FUNCTION mobilebert.numbers_recv(internal, oid, integer) RETURNS mobilebert.numbers
AS 'array_recv' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.numbers_recv(internal, oid, integer) IS 'Binary input of the type numbers: as of real[]';

CREATE FUNCTION mobilebert.numbers_send(mobilebert.numbers) RETURNS bytea
AS 'array_send' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mobilebert.numbers_send(mobilebert.numbers) IS 'Binary output of the type numbers: as of real[]';

CREATE TYPE mobilebert.numbers
(
	INPUT = mobilebert.numbers_in,
	OUTPUT = mobilebert.numbers_out,
	RECEIVE = mobilebert.numbers_recv,
	SEND = mobilebert.numbers_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended,
	ELEMENT = real,
	SUBSCRIPT = raw_array_subscript_handler,
	CATEGORY = 'A',
	PREFERRED = true
);
COMMENT ON TYPE mobilebert.numbers IS
'What functions of vectors take: double precision[], numeric[] and arrays of integers become it by themselves, rounded to real; for columns use real[]';

CREATE FUNCTION mobilebert.numbers(anyarray)
RETURNS mobilebert.numbers
AS 'MODULE_PATHNAME', 'mobilebert_numbers'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION mobilebert.numbers(anyarray) IS
'The cast from arrays of numbers (real, double precision, numeric, integers) to the type numbers';

CREATE CAST (real[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
CREATE CAST (double precision[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
CREATE CAST (numeric[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
CREATE CAST (smallint[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
CREATE CAST (integer[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
CREATE CAST (bigint[] AS mobilebert.numbers) WITH FUNCTION mobilebert.numbers(anyarray) AS IMPLICIT;
COMMENT ON CAST (real[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (double precision[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (numeric[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (smallint[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (integer[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (bigint[] AS mobilebert.numbers) IS 'Argument of a function of vectors';

CREATE FUNCTION mobilebert.cosine_similarity(a real[], b real[])
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_cosine_similarity'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.cosine_similarity(real[], real[]) IS
'Cosine of the angle between two vectors of the same length, -1 to 1; NaN when one of them is zero';

CREATE FUNCTION mobilebert.cosine_similarity(a mobilebert.numbers, b mobilebert.numbers)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_cosine_similarity'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.cosine_similarity(mobilebert.numbers, mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers, also one of them beside real[]';

CREATE FUNCTION mobilebert.cosine_distance(a real[], b real[])
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_cosine_distance'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.cosine_distance(real[], real[]) IS
'1 - cosine_similarity of two vectors of the same length, 0 to 2: the smaller, the more alike; NaN when one of them is zero';

CREATE FUNCTION mobilebert.cosine_distance(a mobilebert.numbers, b mobilebert.numbers)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_cosine_distance'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION mobilebert.cosine_distance(mobilebert.numbers, mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers, also one of them beside real[]';

CREATE FUNCTION mobilebert.inner_product(a real[], b real[])
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_inner_product'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;

COMMENT ON FUNCTION mobilebert.inner_product(real[], real[]) IS
'Sum of the products of the elements of two vectors of the same length';

CREATE FUNCTION mobilebert.inner_product(a mobilebert.numbers, b mobilebert.numbers)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_inner_product'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;

COMMENT ON FUNCTION mobilebert.inner_product(mobilebert.numbers, mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers, also one of them beside real[]';

CREATE FUNCTION mobilebert.l2_distance(a real[], b real[])
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_l2_distance'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;

COMMENT ON FUNCTION mobilebert.l2_distance(real[], real[]) IS
'Euclidean distance of two vectors of the same length';

CREATE FUNCTION mobilebert.l2_distance(a mobilebert.numbers, b mobilebert.numbers)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_l2_distance'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;

COMMENT ON FUNCTION mobilebert.l2_distance(mobilebert.numbers, mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers, also one of them beside real[]';

CREATE FUNCTION mobilebert.l2_normalize(vector real[])
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_l2_normalize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;

COMMENT ON FUNCTION mobilebert.l2_normalize(real[]) IS
'A vector divided by its length, so that the inner product of two such vectors is their cosine; one of zeros stays as it is';

CREATE FUNCTION mobilebert.l2_normalize(vector mobilebert.numbers)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_l2_normalize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;

COMMENT ON FUNCTION mobilebert.l2_normalize(mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers';

CREATE FUNCTION mobilebert.centroid_step(state internal, vector real[])
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_centroid_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 15;

COMMENT ON FUNCTION mobilebert.centroid_step(internal, real[]) IS
'Transition function of mobilebert.centroid: takes one vector';

CREATE FUNCTION mobilebert.centroid_step(state internal, vector mobilebert.numbers)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_centroid_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 15;

COMMENT ON FUNCTION mobilebert.centroid_step(internal, mobilebert.numbers) IS
'Transition function of mobilebert.centroid: takes one vector of another type';

CREATE FUNCTION mobilebert.centroid_combine(a internal, b internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_centroid_combine'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.centroid_combine(internal, internal) IS
'Combine function of mobilebert.centroid: the sum of two parts of the rows';

CREATE FUNCTION mobilebert.centroid_serialize(state internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'mobilebert_centroid_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.centroid_serialize(internal) IS
'Serialization function of mobilebert.centroid, for parallel workers';

CREATE FUNCTION mobilebert.centroid_deserialize(data bytea, state internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_centroid_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.centroid_deserialize(bytea, internal) IS
'Deserialization function of mobilebert.centroid, for parallel workers';

CREATE FUNCTION mobilebert.centroid_final(state internal)
RETURNS real[]
AS 'MODULE_PATHNAME', 'mobilebert_centroid_final'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.centroid_final(internal) IS
'Final function of mobilebert.centroid: the mean';

CREATE AGGREGATE mobilebert.centroid(vector real[]) (
	SFUNC = mobilebert.centroid_step,
	STYPE = internal,
	SSPACE = 12000,
	FINALFUNC = mobilebert.centroid_final,
	COMBINEFUNC = mobilebert.centroid_combine,
	SERIALFUNC = mobilebert.centroid_serialize,
	DESERIALFUNC = mobilebert.centroid_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.centroid(real[]) IS
'Mean of vectors of the same length, number by number; added exactly, so that it has the same bits whatever the order of the rows or the number of workers; NULL vectors are passed over; NULL when there is none; NaN where a number is NaN or both infinities come';

CREATE AGGREGATE mobilebert.centroid(vector mobilebert.numbers) (
	SFUNC = mobilebert.centroid_step,
	STYPE = internal,
	SSPACE = 12000,
	FINALFUNC = mobilebert.centroid_final,
	COMBINEFUNC = mobilebert.centroid_combine,
	SERIALFUNC = mobilebert.centroid_serialize,
	DESERIALFUNC = mobilebert.centroid_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.centroid(mobilebert.numbers) IS
'The same for double precision[], numeric[] and arrays of integers';

--
-- Classification (MobileBertForSequenceClassification)
--

CREATE FUNCTION mobilebert.classify(
	input text,
	OUT rank integer,
	OUT label text,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_classify'
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.classify(text) IS
'All labels of the default classifier with their scores for a text, the best first (transformers'' text-classification pipeline); a text that is too long is cut, with one WARNING a statement';

CREATE FUNCTION mobilebert.classify(
	input text,
	model text,
	pair text DEFAULT NULL,
	top_k integer DEFAULT NULL,
	function_to_apply text DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	max_length integer DEFAULT NULL,
	padding boolean DEFAULT NULL,
	OUT rank integer,
	OUT label text,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_classify'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.classify(text, text, text, integer, text, text, integer, integer, boolean) IS
'Labels of a text or pair of texts, the best first, equal scores by the label''s number (transformers'' text-classification pipeline); rank from 1; top_k: rows at most (default all); function_to_apply: sigmoid, softmax, none (default: none for regression, sigmoid for multi_label_classification or one label, else softmax); overflow: truncate (default; longest text first), window (stride tokens of overlap; the mean of the windows'' scores, weighted by the tokens each stands for), error; max_length: tokens of a window, the template''s included; padding: as if the text were padded to a whole window (default false)';

CREATE FUNCTION mobilebert.classify(
	embedding real[],
	model text,
	top_k integer DEFAULT NULL,
	function_to_apply text DEFAULT NULL,
	OUT rank integer,
	OUT label text,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_classify_vector'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500 ROWS 5;

COMMENT ON FUNCTION mobilebert.classify(real[], text, integer, text) IS
'Labels of a text whose embed(input, model) is stored, the best first, without a pass over the model; the length of the vector does not matter; an error unless the model is a classifier that create_classifier made and that was fitted on just that vector; options as in classify() of a text';

CREATE FUNCTION mobilebert.label(input text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_label'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.label(text) IS
'Best label of a text by the default classifier; of equal scores the lower number; a text that is too long is cut, with one WARNING a statement';

CREATE FUNCTION mobilebert.label(
	input text,
	model text,
	pair text DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	max_length integer DEFAULT NULL,
	min_score real DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_label'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.label(text, text, text, text, integer, integer, real) IS
'Best label of a text or pair of texts, as classify() ranks them: MobileBertForSequenceClassification as a value; NULL when its score is lower than min_score; other options as in classify()';

CREATE FUNCTION mobilebert.label(
	embedding real[],
	model text,
	min_score real DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_label_vector'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;

COMMENT ON FUNCTION mobilebert.label(real[], text, real) IS
'Best label of a text whose embed(input, model) is stored, without a pass over the model; the length of the vector does not matter; NULL when the score is lower than min_score; an error unless the model is a classifier that create_classifier made and that was fitted on just that vector: the last layer, the model''s own pooling';

CREATE FUNCTION mobilebert.score(input text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_score'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.score(text) IS
'The one score that the default classifier gives a text; an error when it has several labels; a text that is too long is cut, with one WARNING a statement';

CREATE FUNCTION mobilebert.score(
	input text,
	model text,
	pair text DEFAULT NULL,
	function_to_apply text DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	max_length integer DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_score'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.score(text, text, text, text, text, integer, integer) IS
'The one output of a classifier for a text or pair of texts: of a cross-encoder with the activation that its files name, else the sigmoid; of another model as it is when its problem_type is regression, else the sigmoid, 0 to 1; of a two-class one that create_classifier made, the score of its second label, "true" for booleans; an error when the classifier has several labels; options as in classify(), and max_length of a cross-encoder is at most the tokenizer''s model_max_length by default (CrossEncoder of sentence-transformers)';

CREATE FUNCTION mobilebert.uncertainty(input text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_uncertainty'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.uncertainty(text) IS
'How unsure the default classifier is of a text, as uncertainty() of a named model; a text that is too long is cut, with one WARNING a statement';

CREATE FUNCTION mobilebert.uncertainty(
	input text,
	model text,
	pair text DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	max_length integer DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_uncertainty'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.uncertainty(text, text, text, text, integer, integer) IS
'How unsure a classifier is of a text or pair of texts, 0 to 1: one minus the difference of the two best scores; where labels are scored each alone (multi_label_classification, one label) that of the label nearest to one half, 1 - |2 score - 1|; an error for regression; options as in classify()';

CREATE FUNCTION mobilebert.zero_shot(
	input text,
	labels text[],
	OUT rank integer,
	OUT label text,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_zero_shot'
LANGUAGE C STABLE PARALLEL SAFE COST 300000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.zero_shot(text, text[]) IS
'Labels of one''s own for a text, the best first, by the default model of zero_shot, a classifier of natural language inference (transformers'' zero-shot-classification pipeline), or where there is none by the default model of embed; a text that is too long is cut, with one WARNING a statement';

CREATE FUNCTION mobilebert.zero_shot(
	input text,
	labels text[],
	model text,
	hypothesis_template text DEFAULT NULL,
	multi_label boolean DEFAULT NULL,
	max_length integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	descriptions text[] DEFAULT NULL,
	OUT rank integer,
	OUT label text,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_zero_shot'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.zero_shot(text, text[], text, text, boolean, integer, text, integer, text[]) IS
'Labels of one''s own for a text, the best first, of equals the later one first; a model with a classifier, of natural language inference, is asked what the text entails (transformers'' zero-shot-classification pipeline), a model without one scores by the cosine between the embeddings of text and label; hypothesis_template: {} or {0} stands for the label, by default This example is {}. for a classifier, else {}; descriptions: what stands in the template for each label, of as many elements, NULL for the label itself; the scores add up to 1 (of a model without a classifier: softmax of 20 times the cosines), or with multi_label, and for a single label, each label has its own: from 0 to 1, or the cosine; a NULL label comes last with a NULL score; overflow: truncate (default; the text alone is cut, or as embed() does it), window (stride tokens of overlap; the mean of the windows'' scores, weighted by the tokens each stands for, or as embed() does it), error; max_length: tokens of a pair, or of a text as embed() has it, the template''s included; an empty text and an empty array are errors';

CREATE FUNCTION mobilebert.best_label(input text, labels text[])
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_label'
LANGUAGE C STABLE PARALLEL SAFE COST 300000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_label(text, text[]) IS
'The label that zero_shot(input, labels) ranks first, by the same default model';

CREATE FUNCTION mobilebert.best_label(
	input text,
	labels text[],
	model text,
	hypothesis_template text DEFAULT NULL,
	multi_label boolean DEFAULT NULL,
	max_length integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	descriptions text[] DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_label'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_label(text, text[], text, text, boolean, integer, text, integer, text[]) IS
'The label that zero_shot() ranks first for a text, as a value; options as there';

--
-- Classifiers from labelled rows: a linear head on a model's frozen states
--

CREATE TYPE mobilebert.classifier AS
(
	base text,
	fingerprint text,
	problem_type text,
	layer integer,
	pooling text[],
	labels text[],
	weights real[],
	bias real[],
	l2 double precision,
	class_weight text,
	folds integer,
	"rows" integer,
	support integer[],
	f1 double precision[],
	accuracy double precision,
	macro_f1 double precision,
	majority double precision,
	r2 double precision
);

COMMENT ON TYPE mobilebert.classifier IS
'What fit returns: base and fingerprint, the model that it was fitted on; problem_type, as in a config.json; layer and pooling of the hidden states that it reads, divided by their length; labels in the order of their bytes; weights [label][feature] and bias; l2, class_weight and folds that it was fitted with; rows; and of cross-validation, by label, support (rows that have it) and f1; accuracy, macro_f1, and majority (the accuracy of the most frequent answer), or of a number r2; NULL where there is no such figure';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label text,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, text, text) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label text,
	model text,
	options jsonb
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, text, text, jsonb) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label boolean,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, boolean, text) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label boolean,
	model text,
	options jsonb
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, boolean, text, jsonb) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label anyenum,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, anyenum, text) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label anyenum,
	model text,
	options jsonb
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, anyenum, text, jsonb) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label text[],
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, text[], text) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label text[],
	model text,
	options jsonb
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, text[], text, jsonb) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label double precision,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, double precision, text) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_step(
	state internal,
	input text,
	label double precision,
	model text,
	options jsonb
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.fit_step(internal, text, double precision, text, jsonb) IS
'Transition function of mobilebert.fit: takes one row';

CREATE FUNCTION mobilebert.fit_combine(a internal, b internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_combine'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.fit_combine(internal, internal) IS
'Combine function of mobilebert.fit: two parts of the rows as one';

CREATE FUNCTION mobilebert.fit_serialize(state internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'mobilebert_fit_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.fit_serialize(internal) IS
'Serialization function of mobilebert.fit, for parallel workers';

CREATE FUNCTION mobilebert.fit_deserialize(data bytea, state internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_fit_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.fit_deserialize(bytea, internal) IS
'Deserialization function of mobilebert.fit, for parallel workers';

CREATE FUNCTION mobilebert.fit_final(state internal)
RETURNS mobilebert.classifier
AS 'MODULE_PATHNAME', 'mobilebert_fit_final'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000;

COMMENT ON FUNCTION mobilebert.fit_final(internal) IS
'Final function of mobilebert.fit: cross-validation, and the fit itself';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label text,
	model text
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, text, text) IS
'A classifier from labelled rows: one of the labels for each text; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label text,
	model text,
	options jsonb
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, text, text, jsonb) IS
'A classifier from labelled rows: one of the labels for each text; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier; options, the same in all rows: layer (of the hidden states, negative from the end; default: the best of the last four), pooling (as in embed), l2 (the penalty; default: the best of a grid), class_weight (none, balanced), folds (of cross-validation, 2 to 20, default 5)';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label boolean,
	model text
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, boolean, text) IS
'A classifier from labelled rows: whether or not, as labels "true" and "false"; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label boolean,
	model text,
	options jsonb
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, boolean, text, jsonb) IS
'A classifier from labelled rows: whether or not, as labels "true" and "false"; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier; options, the same in all rows: layer (of the hidden states, negative from the end; default: the best of the last four), pooling (as in embed), l2 (the penalty; default: the best of a grid), class_weight (none, balanced), folds (of cross-validation, 2 to 20, default 5)';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label anyenum,
	model text
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, anyenum, text) IS
'A classifier from labelled rows: one of the labels, which are the enums values as text; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label anyenum,
	model text,
	options jsonb
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, anyenum, text, jsonb) IS
'A classifier from labelled rows: one of the labels, which are the enums values as text; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier; options, the same in all rows: layer (of the hidden states, negative from the end; default: the best of the last four), pooling (as in embed), l2 (the penalty; default: the best of a grid), class_weight (none, balanced), folds (of cross-validation, 2 to 20, default 5)';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label text[],
	model text
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, text[], text) IS
'A classifier from labelled rows: any number of labels for each text (an empty array: none); a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label text[],
	model text,
	options jsonb
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, text[], text, jsonb) IS
'A classifier from labelled rows: any number of labels for each text (an empty array: none); a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier; options, the same in all rows: layer (of the hidden states, negative from the end; default: the best of the last four), pooling (as in embed), l2 (the penalty; default: the best of a grid), class_weight (none, balanced), folds (of cross-validation, 2 to 20, default 5)';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label double precision,
	model text
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, double precision, text) IS
'A model of a number from labelled rows: ridge regression; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier';

CREATE AGGREGATE mobilebert.fit(
	input text,
	label double precision,
	model text,
	options jsonb
) (
	SFUNC = mobilebert.fit_step,
	STYPE = internal,
	SSPACE = 1000000,
	FINALFUNC = mobilebert.fit_final,
	COMBINEFUNC = mobilebert.fit_combine,
	SERIALFUNC = mobilebert.fit_serialize,
	DESERIALFUNC = mobilebert.fit_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.fit(text, double precision, text, jsonb) IS
'A model of a number from labelled rows: ridge regression; a linear head on the frozen states of the model, of the layer and with the penalty that cross-validation chooses; rows with NULL take no part; the same rows give the same bits in any order; for create_classifier; options, the same in all rows: layer (of the hidden states, negative from the end; default: the best of the last four), pooling (as in embed), l2 (the penalty; default: the best of a grid), class_weight (none, balanced), folds (of cross-validation, 2 to 20, default 5)';

CREATE FUNCTION mobilebert.create_classifier(
	name text,
	classifier mobilebert.classifier,
	OUT name text,
	OUT labels integer,
	OUT "rows" integer,
	OUT layer integer,
	OUT accuracy numeric,
	OUT macro_f1 numeric,
	OUT majority numeric,
	OUT weakest text
)
AS 'MODULE_PATHNAME', 'mobilebert_create_classifier'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;

COMMENT ON FUNCTION mobilebert.create_classifier(text, mobilebert.classifier) IS
'Registers what fit returned as a model for label, classify, score and uncertainty; it stands on the model that it was fitted on, whose tensors are stored once, and whose right it takes at each use as well; it belongs to the current user, who alone may use it at first; returns what it was fitted on and how good it was in cross-validation: labels and rows (numbers), layer, accuracy and macro F1, the accuracy of the most frequent answer, and the label of the lowest F1 with its rows; an error when the model that it was fitted on is not here';

-- a name is one for all of a database (see import_model)
REVOKE ALL ON FUNCTION mobilebert.create_classifier(text, mobilebert.classifier) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mobilebert.create_classifier(text, mobilebert.classifier) TO pg_database_owner;

CREATE TYPE mobilebert.report_line AS
(
	label text,
	"precision" double precision,
	recall double precision,
	f1 double precision,
	support bigint,
	predicted bigint
);

COMMENT ON TYPE mobilebert.report_line IS
'A line of classification_report: a label, or accuracy, macro avg and weighted avg at the end; support, rows that have the label; predicted, rows that were given it';

CREATE FUNCTION mobilebert.classification_report_step(
	state internal,
	actual text,
	predicted text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_classification_report_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.classification_report_step(internal, text, text) IS
'Transition function of mobilebert.classification_report: takes one row';

CREATE FUNCTION mobilebert.classification_report_combine(a internal, b internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_classification_report_combine'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.classification_report_combine(internal, internal) IS
'Combine function of mobilebert.classification_report: two parts of the rows as one';

CREATE FUNCTION mobilebert.classification_report_serialize(state internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'mobilebert_classification_report_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.classification_report_serialize(internal) IS
'Serialization function of mobilebert.classification_report, for parallel workers';

CREATE FUNCTION mobilebert.classification_report_deserialize(data bytea, state internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_classification_report_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.classification_report_deserialize(bytea, internal) IS
'Deserialization function of mobilebert.classification_report, for parallel workers';

CREATE FUNCTION mobilebert.classification_report_final(state internal)
RETURNS mobilebert.report_line[]
AS 'MODULE_PATHNAME', 'mobilebert_classification_report_final'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION mobilebert.classification_report_final(internal) IS
'Final function of mobilebert.classification_report: its lines';

CREATE AGGREGATE mobilebert.classification_report(
	actual text,
	predicted text
) (
	SFUNC = mobilebert.classification_report_step,
	STYPE = internal,
	SSPACE = 4000,
	FINALFUNC = mobilebert.classification_report_final,
	COMBINEFUNC = mobilebert.classification_report_combine,
	SERIALFUNC = mobilebert.classification_report_serialize,
	DESERIALFUNC = mobilebert.classification_report_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.classification_report(text, text) IS
'How well predicted labels are the actual ones (scikit-learn''s classification_report): a line for each label in the order of their bytes, then accuracy, macro avg and weighted avg; precision, recall and f1 from 0 to 1, 0 where nothing could be divided; a NULL prediction counts as wrong, rows without an actual label take no part; NULL without rows';

--
-- Masked language model, pairs of texts, choices (MobileBertForMaskedLM,
-- ForNextSentencePrediction, ForMultipleChoice, ForPreTraining)
--

CREATE FUNCTION mobilebert.fill_mask(
	input text,
	OUT mask_no integer,
	OUT rank integer,
	OUT token text,
	OUT token_id integer,
	OUT score real,
	OUT sequence text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_fill_mask'
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.fill_mask(text) IS
'The five most probable tokens for each mask token ("[MASK]") of a text by the default model, with their probability and the text they give; a text without a mask or with too many tokens is an error (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.fill_mask(
	input text,
	model text,
	top_k integer DEFAULT NULL,
	targets text[] DEFAULT NULL,
	overflow text DEFAULT NULL,
	stride integer DEFAULT NULL,
	max_length integer DEFAULT NULL,
	OUT mask_no integer,
	OUT rank integer,
	OUT token text,
	OUT token_id integer,
	OUT score real,
	OUT sequence text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_fill_mask'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.fill_mask(text, text, integer, text[], text, integer, integer) IS
'The top_k (default 5) most probable tokens for each mask token of a text, each mask alone; mask_no from 0, rank from 1, score: probability among the whole vocabulary; targets: only these tokens, or the first token of those the vocabulary lacks; sequence: the text with the token, with special tokens when there are several masks, NULL like token when the database encoding lacks a character; overflow: error (default), truncate (to max_length tokens), window (stride tokens of overlap) (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.best_token(input text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_token'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_token(text) IS
'The most probable token for the only mask token of a text by the default model; no mask, several, or too many tokens are errors (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.best_token(input text, model text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_token'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_token(text, text) IS
'The most probable token for the only mask token of a text; no mask, several, or too many tokens are errors (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.token_log_probability(
	input text,
	OUT token_no integer,
	OUT token text,
	OUT log_probability real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_token_log_probability'
LANGUAGE C STABLE PARALLEL SAFE COST 2000000 ROWS 20
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.token_log_probability(text) IS
'Natural logarithm of the probability that the default model gives to each token of a text when that token is masked; one pass over the text for each of its tokens; token_no as in tokens(); too many tokens are an error (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.token_log_probability(
	input text,
	model text,
	OUT token_no integer,
	OUT token text,
	OUT log_probability real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_token_log_probability'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000000 ROWS 20
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.token_log_probability(text, text) IS
'Natural logarithm of the probability of each token of a text when that token is masked; one pass over the text for each of its tokens; token_no as in tokens(); too many tokens are an error (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.pseudo_perplexity(input text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_pseudo_perplexity'
LANGUAGE C STABLE PARALLEL SAFE COST 2000000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.pseudo_perplexity(text) IS
'How unusual a text is to the default model: exp of the negative mean of token_log_probability(), 1 or more; NULL for a text without tokens (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.pseudo_perplexity(input text, model text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_pseudo_perplexity'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.pseudo_perplexity(text, text) IS
'How unusual a text is to the model: exp of the negative mean of token_log_probability(), 1 or more; NULL for a text without tokens (MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.next_sentence(first text, second text)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_next_sentence'
LANGUAGE C STABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.next_sentence(text, text) IS
'Probability that the second text follows the first by the default model; too many tokens are an error (MobileBertForNextSentencePrediction)';

CREATE FUNCTION mobilebert.next_sentence(
	first text,
	second text,
	model text,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_next_sentence'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.next_sentence(text, text, text, text, integer) IS
'Probability that the second text follows the first; overflow: error (default), truncate (the longer text first, to max_length tokens) (MobileBertForNextSentencePrediction)';

CREATE FUNCTION mobilebert.choose(
	prompt text,
	choices text[],
	OUT choice_no integer,
	OUT choice text,
	OUT score real,
	OUT logit real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_choose'
LANGUAGE C STABLE PARALLEL SAFE COST 400000 ROWS 4
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.choose(text, text[]) IS
'Probability (score) of each continuation of a prompt by the default model, in the order of the array; choice_no: its subscript; NULL choices have no score and no share; too many tokens are an error (MobileBertForMultipleChoice)';

CREATE FUNCTION mobilebert.choose(
	prompt text,
	choices text[],
	model text,
	padding boolean DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	OUT choice_no integer,
	OUT choice text,
	OUT score real,
	OUT logit real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_choose'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000 ROWS 4
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.choose(text, text[], text, boolean, text, integer) IS
'Probability (score) of each continuation of a prompt, in the order of the array; choice_no: its subscript; NULL choices have no score and no share; padding: true (default) as in Hugging Face''s padded batch, where choices shorter than the longest see a pad token, false each alone; overflow: error (default), truncate (the longer text first, to max_length tokens) (MobileBertForMultipleChoice)';

CREATE FUNCTION mobilebert.best_choice(prompt text, choices text[])
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_best_choice'
LANGUAGE C STABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_choice(text, text[]) IS
'Subscript of the most probable continuation of a prompt by the default model; NULL when there is none (MobileBertForMultipleChoice)';

CREATE FUNCTION mobilebert.best_choice(
	prompt text,
	choices text[],
	model text,
	padding boolean DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL
)
RETURNS integer
AS 'MODULE_PATHNAME', 'mobilebert_best_choice'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_choice(text, text[], text, boolean, text, integer) IS
'Subscript of the most probable continuation of a prompt, the first of equals; NULL when there is none; options as of choose() (MobileBertForMultipleChoice)';

CREATE FUNCTION mobilebert.pretraining(
	input text,
	OUT prediction_logits real[],
	OUT seq_relationship_logits real[]
)
RETURNS record
AS 'MODULE_PATHNAME', 'mobilebert_pretraining'
LANGUAGE C STABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.pretraining(text) IS
'Both outputs of the default fill_mask model''s pretraining heads: prediction_logits [tokens][vocabulary_size], seq_relationship_logits [2]; too many tokens are an error (MobileBertForPreTraining)';

CREATE FUNCTION mobilebert.pretraining(
	input text,
	model text,
	pair text DEFAULT NULL,
	positions integer[] DEFAULT NULL,
	OUT prediction_logits real[],
	OUT seq_relationship_logits real[]
)
RETURNS record
AS 'MODULE_PATHNAME', 'mobilebert_pretraining'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.pretraining(text, text, text, integer[]) IS
'Both outputs of the pretraining heads: prediction_logits [positions][vocabulary_size], for all tokens or those at positions (from 0, template included, negative from the end), seq_relationship_logits [2] (0: the second text follows, 1: it does not); too many tokens, and logits beyond mobilebert.memory_limit or the 1 GB of an array, are errors (MobileBertForPreTraining)';

-- Question answering (MobileBertForQuestionAnswering)
--

CREATE FUNCTION mobilebert.answer(
	question text,
	context text,
	OUT rank integer,
	OUT answer text,
	OUT score real,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT no_answer_score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_answer'
LANGUAGE C STABLE PARALLEL SAFE COST 300000 ROWS 1
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.answer(text, text) IS
'The best answer to a question in a context, by the default model: a slice of the context, with its offsets in characters (end exclusive) and its score; no row when the context has no answer; an empty question or context is an error';

CREATE FUNCTION mobilebert.answer(
	question text,
	context text,
	model text,
	top_k integer DEFAULT NULL,
	doc_stride integer DEFAULT NULL,
	max_answer_len integer DEFAULT NULL,
	max_seq_len integer DEFAULT NULL,
	handle_impossible_answer boolean DEFAULT NULL,
	align_to_words boolean DEFAULT NULL,
	OUT rank integer,
	OUT answer text,
	OUT score real,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT no_answer_score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_answer'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000 ROWS 1
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.answer(text, text, text, integer, integer, integer, integer, boolean, boolean) IS
'The top_k (default 1) best answers to a question in a context, best first, as the question-answering pipeline of Hugging Face gives them: slices of the context with offsets in characters (end exclusive); answers of the same text are one, with the sum of their scores; a long context is read in windows of max_seq_len tokens (default 384, at most what the model has positions) that share doc_stride tokens (default 128, at most half a window); max_answer_len: tokens of an answer (default 15); align_to_words (default true): grow answers to whole words; handle_impossible_answer (default false): "no answer", an empty text at 0, takes part in the ranking, and no_answer_score is its score in each row';

CREATE FUNCTION mobilebert.best_answer(question text, context text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_answer'
LANGUAGE C STABLE PARALLEL SAFE COST 300000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_answer(text, text) IS
'The best answer to a question in a context, by the default model; NULL when there is none';

CREATE FUNCTION mobilebert.best_answer(
	question text,
	context text,
	model text,
	doc_stride integer DEFAULT NULL,
	max_answer_len integer DEFAULT NULL,
	max_seq_len integer DEFAULT NULL,
	handle_impossible_answer boolean DEFAULT NULL,
	align_to_words boolean DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_best_answer'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.best_answer(text, text, text, integer, integer, integer, boolean, boolean) IS
'The best answer to a question in a context, with the options of mobilebert.answer; NULL when there is none, or when handle_impossible_answer is true and "no answer" scores higher than any';

CREATE TYPE mobilebert.ranked_answer AS (
	rank integer,
	key text,
	answer text,
	score real,
	start_offset integer,
	end_offset integer
);
COMMENT ON TYPE mobilebert.ranked_answer IS
'An answer of mobilebert.best_answers: rank from 1, the key of its row, the slice of the row''s context with its offsets in characters (end exclusive), and its score';

CREATE FUNCTION mobilebert.best_answers_step(
	state internal,
	question text,
	context text,
	key text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_answers_step'
LANGUAGE C STABLE PARALLEL SAFE COST 300000;

COMMENT ON FUNCTION mobilebert.best_answers_step(internal, text, text, text) IS
'Transition function of mobilebert.best_answers: takes one row';

CREATE FUNCTION mobilebert.best_answers_step(
	state internal,
	question text,
	context text,
	key text,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_answers_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000;

COMMENT ON FUNCTION mobilebert.best_answers_step(internal, text, text, text, text) IS
'Transition function of mobilebert.best_answers: takes one row';

CREATE FUNCTION mobilebert.best_answers_step(
	state internal,
	question text,
	context text,
	key text,
	model text,
	top_k integer
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_answers_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000;

COMMENT ON FUNCTION mobilebert.best_answers_step(internal, text, text, text, text, integer) IS
'Transition function of mobilebert.best_answers: takes one row';

CREATE FUNCTION mobilebert.best_answers_step(
	state internal,
	question text,
	context text,
	key text,
	model text,
	top_k integer,
	doc_stride integer,
	max_answer_len integer,
	max_seq_len integer,
	align_to_words boolean
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_answers_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300000;

COMMENT ON FUNCTION mobilebert.best_answers_step(internal, text, text, text, text, integer, integer, integer, integer, boolean) IS
'Transition function of mobilebert.best_answers: takes one row';

CREATE FUNCTION mobilebert.best_combine(a internal, b internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_combine'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_combine(internal, internal) IS
'Combine function of mobilebert.best_answers and best_matches: the best of two parts of the rows';

CREATE FUNCTION mobilebert.best_serialize(state internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'mobilebert_best_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_serialize(internal) IS
'Serialization function of mobilebert.best_answers and best_matches, for parallel workers';

CREATE FUNCTION mobilebert.best_deserialize(data bytea, state internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_deserialize(bytea, internal) IS
'Deserialization function of mobilebert.best_answers and best_matches, for parallel workers';

CREATE FUNCTION mobilebert.best_answers_final(state internal)
RETURNS mobilebert.ranked_answer[]
AS 'MODULE_PATHNAME', 'mobilebert_best_answers_final'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_answers_final(internal) IS
'Final function of mobilebert.best_answers: the answers in order';

CREATE AGGREGATE mobilebert.best_answers(
	question text,
	context text,
	key text
) (
	SFUNC = mobilebert.best_answers_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_answers_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_answers(text, text, text) IS
'The 5 best answers to a question in the contexts of many rows, by the default model, best first: of what mobilebert.answer with top_k => 5 gives for each row; key names the row in the result; rows without question or context are passed over; NULL when there is no answer';

CREATE AGGREGATE mobilebert.best_answers(
	question text,
	context text,
	key text,
	model text
) (
	SFUNC = mobilebert.best_answers_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_answers_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_answers(text, text, text, text) IS
'The 5 best answers to a question in the contexts of many rows, best first: of what mobilebert.answer with top_k => 5 gives for each row; key names the row in the result; rows without question or context are passed over; NULL when there is no answer';

CREATE AGGREGATE mobilebert.best_answers(
	question text,
	context text,
	key text,
	model text,
	top_k integer
) (
	SFUNC = mobilebert.best_answers_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_answers_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_answers(text, text, text, text, integer) IS
'The top_k (NULL: 5) best answers to a question in the contexts of many rows, best first: of what mobilebert.answer with that top_k gives for each row; equal scores come in the order of their keys';

CREATE AGGREGATE mobilebert.best_answers(
	question text,
	context text,
	key text,
	model text,
	top_k integer,
	doc_stride integer,
	max_answer_len integer,
	max_seq_len integer,
	align_to_words boolean
) (
	SFUNC = mobilebert.best_answers_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_answers_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_answers(text, text, text, text, integer, integer, integer, integer, boolean) IS
'The top_k (NULL: 5) best answers to a question in the contexts of many rows, with the options of mobilebert.answer, each NULL for its default';

-- Search: one query, many documents (CrossEncoder of sentence-transformers, or
-- vectors)
--

CREATE FUNCTION mobilebert.rank(
	query text,
	documents text[],
	OUT rank integer,
	OUT document_no integer,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_rank'
LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10;

COMMENT ON FUNCTION mobilebert.rank(text, text[]) IS
'Documents of an array by how well they fit a query, the best first, by the default model of embeddings; document_no counts them from 1; a text that is too long is cut, with one WARNING a statement; no rows for NULL';

CREATE FUNCTION mobilebert.rank(
	query text,
	documents text[],
	model text,
	top_k integer DEFAULT NULL,
	OUT rank integer,
	OUT document_no integer,
	OUT score real
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_rank'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10;

COMMENT ON FUNCTION mobilebert.rank(text, text[], text, integer) IS
'The top_k (default: all) documents of an array that fit a query best, the best first, equal scores in the order of the array; document_no counts them from 1; a model with a classifier of one output reads query and document together, as score(query, model, pair => document) does (CrossEncoder.rank of sentence-transformers), any other compares embed_query(query, model) with embed_document(document, model), by the cosine or what similarity_fn_name of its files says; NULL documents come last with a NULL score; no rows for NULL and for an empty array';

CREATE TYPE mobilebert.ranked_match AS (
	rank integer,
	key text,
	score real
);
COMMENT ON TYPE mobilebert.ranked_match IS
'A row that mobilebert.best_matches found: rank from 1, the key of the row, and its score';

CREATE FUNCTION mobilebert.best_matches_step(
	state internal,
	query text,
	document text,
	key text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_matches_step'
LANGUAGE C STABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.best_matches_step(internal, text, text, text) IS
'Transition function of mobilebert.best_matches: takes one row';

CREATE FUNCTION mobilebert.best_matches_step(
	state internal,
	query text,
	document text,
	key text,
	model text
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_matches_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.best_matches_step(internal, text, text, text, text) IS
'Transition function of mobilebert.best_matches: takes one row';

CREATE FUNCTION mobilebert.best_matches_step(
	state internal,
	query text,
	document text,
	key text,
	model text,
	top_k integer
)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_matches_step'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION mobilebert.best_matches_step(internal, text, text, text, text, integer) IS
'Transition function of mobilebert.best_matches: takes one row';

CREATE FUNCTION mobilebert.best_matches_final(state internal)
RETURNS mobilebert.ranked_match[]
AS 'MODULE_PATHNAME', 'mobilebert_best_matches_final'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_matches_final(internal) IS
'Final function of mobilebert.best_matches: the rows in order';

CREATE AGGREGATE mobilebert.best_matches(
	query text,
	document text,
	key text
) (
	SFUNC = mobilebert.best_matches_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_matches_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_matches(text, text, text) IS
'The 5 rows whose documents fit a query best, the best first, by the default model of embeddings; key names the row in the result; rows without query or document are passed over; NULL when there is none';

CREATE AGGREGATE mobilebert.best_matches(
	query text,
	document text,
	key text,
	model text
) (
	SFUNC = mobilebert.best_matches_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_matches_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_matches(text, text, text, text) IS
'The 5 rows whose documents fit a query best, the best first; scores are those of mobilebert.rank, and equal ones come in the order of their keys; key names the row in the result; rows without query or document are passed over; NULL when there is none';

CREATE AGGREGATE mobilebert.best_matches(
	query text,
	document text,
	key text,
	model text,
	top_k integer
) (
	SFUNC = mobilebert.best_matches_step,
	STYPE = internal,
	SSPACE = 32000,
	FINALFUNC = mobilebert.best_matches_final,
	COMBINEFUNC = mobilebert.best_combine,
	SERIALFUNC = mobilebert.best_serialize,
	DESERIALFUNC = mobilebert.best_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE mobilebert.best_matches(text, text, text, text, integer) IS
'The top_k (NULL: 5) rows whose documents fit a query best, the best first; scores are those of mobilebert.rank, and equal ones come in the order of their keys; only the best are held, and rows share passes';

-- Token classification (MobileBertForTokenClassification)
--

CREATE TYPE mobilebert.entity AS
(
	entity text,
	score real,
	word text,
	start_offset integer,
	end_offset integer,
	token_no integer,
	pieces text
);

COMMENT ON TYPE mobilebert.entity IS
'What ner finds in a text: entity, its label; score, 0 to 1; word, the slice [start_offset, end_offset) of the text (characters from 0, end exclusive); token_no, the token''s number ([CLS] is 0), NULL unless aggregation_strategy is none; pieces, the word pieces put together, which Hugging Face calls word (NULL when the database encoding lacks a character of them)';

CREATE FUNCTION mobilebert.ner(
	input text,
	OUT entity text,
	OUT score real,
	OUT word text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT token_no integer,
	OUT pieces text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_ner'
LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.ner(text) IS
'Entities in a text by the default model, in order: groups of word pieces of one label (transformers'' TokenClassificationPipeline with aggregation_strategy simple), those of label O left out; a text that is too long is read in overlapping windows; no rows for NULL';

CREATE FUNCTION mobilebert.ner(
	input text,
	model text,
	aggregation_strategy text DEFAULT NULL,
	ignore_labels text[] DEFAULT NULL,
	stride integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	OUT entity text,
	OUT score real,
	OUT word text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT token_no integer,
	OUT pieces text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_ner'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.ner(text, text, text, text[], integer, text, integer) IS
'Entities in a text, in order (transformers'' TokenClassificationPipeline); aggregation_strategy: simple (default; groups of word pieces), first, average, max (groups of words, labelled by their first piece, mean scores, surest piece), none (each word piece, token_no its number); ignore_labels: labels to leave out, default {O}; overflow: window (default; stride tokens of overlap, a quarter of a window by default, of overlapping entities the longer stays), truncate, error; max_length: tokens of a window if the model takes so many, [CLS] and [SEP] included';

CREATE FUNCTION mobilebert.ner(
	words text[],
	OUT entity text,
	OUT score real,
	OUT word text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT token_no integer,
	OUT pieces text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_ner_words'
LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.ner(text[]) IS
'Entities in a text that was split into words before, by the default model; offsets refer to the words joined with blanks';

CREATE FUNCTION mobilebert.ner(
	words text[],
	model text,
	aggregation_strategy text DEFAULT NULL,
	ignore_labels text[] DEFAULT NULL,
	stride integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	delimiter text DEFAULT NULL,
	OUT entity text,
	OUT score real,
	OUT word text,
	OUT start_offset integer,
	OUT end_offset integer,
	OUT token_no integer,
	OUT pieces text
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_ner_words'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000 ROWS 10
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.ner(text[], text, text, text[], integer, text, integer, text) IS
'Entities in a text that was split into words before (is_split_into_words in transformers); words must not be NULL, an empty array gives no rows; offsets refer to the words joined with delimiter (default one blank); other options as for a text';

CREATE FUNCTION mobilebert.entities(input text)
RETURNS mobilebert.entity[]
AS 'MODULE_PATHNAME', 'mobilebert_entities'
LANGUAGE C STABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.entities(text) IS
'What ner(input) finds, as one value; an empty array when there is nothing, NULL for NULL';

CREATE FUNCTION mobilebert.entities(
	input text,
	model text,
	aggregation_strategy text DEFAULT NULL,
	ignore_labels text[] DEFAULT NULL,
	stride integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL
)
RETURNS mobilebert.entity[]
AS 'MODULE_PATHNAME', 'mobilebert_entities'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.entities(text, text, text, text[], integer, text, integer) IS
'What ner with the same arguments finds, as one value, for select lists, generated columns and triggers; an empty array when there is nothing, NULL for NULL';

CREATE FUNCTION mobilebert.entities(words text[])
RETURNS mobilebert.entity[]
AS 'MODULE_PATHNAME', 'mobilebert_entities_words'
LANGUAGE C STABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.entities(text[]) IS
'What ner(words) finds, as one value; NULL for NULL';

CREATE FUNCTION mobilebert.entities(
	words text[],
	model text,
	aggregation_strategy text DEFAULT NULL,
	ignore_labels text[] DEFAULT NULL,
	stride integer DEFAULT NULL,
	overflow text DEFAULT NULL,
	max_length integer DEFAULT NULL,
	delimiter text DEFAULT NULL
)
RETURNS mobilebert.entity[]
AS 'MODULE_PATHNAME', 'mobilebert_entities_words'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.entities(text[], text, text, text[], integer, text, integer, text) IS
'What ner with the same arguments finds, as one value; NULL for NULL';

--
-- Masking and marking of entities
--

CREATE FUNCTION mobilebert.pattern_entities(
	input text,
	patterns text[] DEFAULT NULL
)
RETURNS mobilebert.entity[]
AS 'MODULE_PATHNAME', 'mobilebert_pattern_entities'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.pattern_entities(text, text[]) IS
'What patterns find in a text without a model, by start, with score 1; patterns: some of EMAIL, URL, IP, PHONE, CREDIT_CARD (Luhn), IBAN (modulo 97) and DATE, NULL for all; finds of different patterns may overlap; time is linear in the text; NULL for NULL';

CREATE FUNCTION mobilebert.redact(input text)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_redact'
LANGUAGE C STABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.redact(text) IS
'The text with the entities that the default model finds replaced by their label in brackets, as in [PER]; NULL for NULL';

CREATE FUNCTION mobilebert.redact(
	input text,
	model text,
	labels text[] DEFAULT NULL,
	replacement text DEFAULT NULL,
	min_score real DEFAULT NULL,
	patterns text[] DEFAULT NULL,
	aggregation_strategy text DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_redact'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.redact(text, text, text[], text, real, text[], text) IS
'The text with its entities replaced; model NULL: only what patterns find (an error without them); labels: those of the model''s to replace, without B- and I-, NULL for all; replacement: {} is the label, {#} a number from 1 that equal words of the text share (for each label by itself if {} is there as well), {{ and }} are braces, empty deletes, default [{}]; min_score: entities of the model below it stay, 0 to 1; patterns: some of EMAIL, URL, IP, PHONE, CREDIT_CARD, IBAN, DATE, which need no model; aggregation_strategy as for ner, but by default first, which takes whole words; of overlapping finds the longer gives the label (of equal ones the pattern), and all that was in one of them is replaced; long texts are read in windows as by ner; NULL for NULL';

CREATE FUNCTION mobilebert.redact(
	input text,
	entities mobilebert.entity[],
	labels text[] DEFAULT NULL,
	replacement text DEFAULT NULL,
	min_score real DEFAULT NULL,
	patterns text[] DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_redact_entities'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.redact(text, mobilebert.entity[], text[], text, real, text[]) IS
'The text with entities replaced that were found before, in any order; options as for a model; an entity outside the text, or whose word is not what stands there, is an error: they are those of another text; NULL when the text or the array is NULL';

CREATE FUNCTION mobilebert.highlight(
	input text,
	entities mobilebert.entity[],
	start_sel text DEFAULT NULL,
	stop_sel text DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_highlight'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.highlight(text, mobilebert.entity[], text, text) IS
'HTML of a text in which entities are marked, the text and labels escaped; start_sel and stop_sel stand before and after each as they are, save that {} in them is the label, {#} its number as for redact, {{ and }} braces; defaults <mark class="{}"> and </mark>; of overlapping entities the longer is marked; an entity outside the text, or whose word is not what stands there, is an error; NULL when the text or the array is NULL';

CREATE FUNCTION mobilebert.highlight(
	input text,
	start_offset integer,
	end_offset integer,
	start_sel text DEFAULT NULL,
	stop_sel text DEFAULT NULL
)
RETURNS text
AS 'MODULE_PATHNAME', 'mobilebert_highlight_span'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION mobilebert.highlight(text, integer, integer, text, text) IS
'HTML of a text in which the characters [start_offset, end_offset) are marked, those of an answer for instance, the text escaped; nothing is marked when an offset is NULL or they are equal; defaults of start_sel and stop_sel <mark> and </mark>; offsets outside the text are an error; NULL for NULL';

--
-- Losses: what the classes return when they are given labels
--

CREATE FUNCTION mobilebert.loss(
	input text,
	model text,
	label integer,
	pair text DEFAULT NULL,
	head text DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_label'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, integer, text, text) IS
'Cross entropy of a label for a text or pair: the number of a class (head classify), or 0 where the second text follows and 1 where it does not (head next_sentence); the squared error when the classifier is a regression; -100 is not counted, which gives NaN; head: only where the model has both; NULL label: NULL (MobileBertForSequenceClassification, MobileBertForNextSentencePrediction)';

CREATE FUNCTION mobilebert.loss(
	input text,
	model text,
	label text,
	pair text DEFAULT NULL,
	head text DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_name'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, text, text, text) IS
'Cross entropy of a label by its name (head classify), or of the words that a text has masked, label being the text without masks, of as many tokens (head fill_mask); head: only where the model has both (MobileBertForSequenceClassification, MobileBertForMaskedLM)';

CREATE FUNCTION mobilebert.loss(
	input text,
	model text,
	target double precision,
	pair text DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_target'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, double precision, text) IS
'Squared error of a regression for a text or pair; for a classifier of several labels of which one is asked for, give the label as integer or text (MobileBertForSequenceClassification)';

CREATE FUNCTION mobilebert.loss(
	input text,
	model text,
	targets double precision[],
	pair text DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_targets'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, double precision[], text) IS
'Binary cross entropy for a text or pair, a target from 0 to 1 for each label, or the mean squared error of a regression with several outputs (MobileBertForSequenceClassification)';

CREATE FUNCTION mobilebert.loss(
	input text,
	model text,
	labels integer[],
	pair text DEFAULT NULL,
	head text DEFAULT NULL,
	next_sentence_label integer DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_tokens'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, integer[], text, text, integer) IS
'Mean cross entropy of a label for each token as tokens() shows them, -100 where none is to be counted: classes (head ner), or the true tokens'' ids (head fill_mask); NaN when nothing is counted; next_sentence_label: adds that head''s cross entropy, 0 where the second text follows, 1 where it does not; head: only where the model has both (MobileBertForTokenClassification, MobileBertForMaskedLM, MobileBertForPreTraining)';

CREATE FUNCTION mobilebert.loss(
	words text[],
	model text,
	tags text[]
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_tags'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text[], text, text[]) IS
'Mean cross entropy of the tags of words, by name, each at the first token of its word (MobileBertForTokenClassification)';

CREATE FUNCTION mobilebert.loss(
	question text,
	context text,
	model text,
	start_position integer,
	end_position integer
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_positions'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, text, integer, integer) IS
'Mean of the cross entropies of the first and the last token of an answer, numbered as tokens(question, model, pair => context) does; a number before the tokens counts as 0, one behind them is not counted, and NaN is the loss when one of both is not (MobileBertForQuestionAnswering)';

CREATE FUNCTION mobilebert.loss(
	question text,
	context text,
	model text,
	answer text,
	answer_start integer
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_answer'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text, text, text, integer) IS
'Mean of the cross entropies of the first and the last token of an answer that stands in the context from character answer_start (from 0) on (MobileBertForQuestionAnswering)';

CREATE FUNCTION mobilebert.loss(
	prompt text,
	choices text[],
	model text,
	choice_no integer,
	padding boolean DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_choice'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text, text[], text, integer, boolean) IS
'Cross entropy of the right continuation of a prompt, from 1 on; padding: as in choose() (MobileBertForMultipleChoice)';

CREATE FUNCTION mobilebert.loss(
	input text[],
	model text,
	labels integer[],
	pair text[] DEFAULT NULL,
	head text DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_labels_batch'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text[], text, integer[], text[], text) IS
'Loss of several texts or pairs as one padded batch, in which all but the longest see a pad token: a label for each (head classify, next_sentence), or an array [texts][tokens of the longest] with -100 where none is to be counted (head ner, fill_mask); the mean over all labels (MobileBertForSequenceClassification and others)';

CREATE FUNCTION mobilebert.loss(
	input text[],
	model text,
	targets double precision[],
	pair text[] DEFAULT NULL
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_targets_batch'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text[], text, double precision[], text[]) IS
'Loss of several texts or pairs as one padded batch, in which all but the longest see a pad token: targets [texts] or [texts][outputs]; the mean over all of them (MobileBertForSequenceClassification)';

CREATE FUNCTION mobilebert.loss(
	prompt text[],
	choices text[],
	model text,
	choice_no integer[]
)
RETURNS real
AS 'MODULE_PATHNAME', 'mobilebert_loss_choice_batch'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 400000
SUPPORT mobilebert.support;

COMMENT ON FUNCTION mobilebert.loss(text[], text[], text, integer[]) IS
'Mean loss of several prompts with choices [prompts][choices of each] as one padded batch; choice_no: the right one of each, from 1 on (MobileBertForMultipleChoice)';

-- Tables
--

CREATE PROCEDURE mobilebert.enrich(
	relation regclass,
	target name,
	expression text,
	filter text DEFAULT NULL,
	batch_rows integer DEFAULT 1000,
	error_column name DEFAULT NULL,
	max_rows bigint DEFAULT NULL,
	rows_per_second double precision DEFAULT NULL,
	INOUT rows_done bigint DEFAULT NULL,
	INOUT rows_null bigint DEFAULT NULL,
	INOUT rows_failed bigint DEFAULT NULL,
	INOUT rows_left bigint DEFAULT NULL,
	INOUT seconds double precision DEFAULT NULL,
	INOUT rate double precision DEFAULT NULL
)
AS 'MODULE_PATHNAME', 'mobilebert_enrich'
LANGUAGE C;

COMMENT ON PROCEDURE mobilebert.enrich IS
'Sets a column to an expression over the row, where it is NULL (and the filter holds), with the caller''s rights, batch_rows rows a transaction; several sessions share the work, and a call that ended early is resumed by calling again; a row that fails is passed over with its message in error_column, else with a WARNING; max_rows: end after so many rows; rows_per_second: go no faster; gives back a row: rows_done (enriched), rows_null (stay NULL), rows_failed, rows_left (to other sessions), seconds, and rate (rows a second)';

CREATE FUNCTION mobilebert.enrichment_progress_rows(
	OUT pid integer,
	OUT database oid,
	OUT role oid,
	OUT relation oid,
	OUT attnum smallint,
	OUT started_at timestamptz,
	OUT pass integer,
	OUT batches bigint,
	OUT rows_total bigint,
	OUT rows_done bigint,
	OUT rows_null bigint,
	OUT rows_failed bigint,
	OUT rows_left bigint,
	OUT rows_per_second double precision,
	OUT seconds_left double precision
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_enrichment_progress'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 3;

COMMENT ON FUNCTION mobilebert.enrichment_progress_rows() IS
'What the view mobilebert.enrichment_progress shows, with OIDs in the place of names';

CREATE VIEW mobilebert.enrichment_progress AS
SELECT p.pid, d.datname AS database, r.rolname AS role,
	c.oid::pg_catalog.regclass AS relation, a.attname AS target, p.started_at,
	p.pass, p.batches, p.rows_total, p.rows_done, p.rows_null, p.rows_failed, p.rows_left,
	p.rows_per_second, p.seconds_left
FROM mobilebert.enrichment_progress_rows() p
	LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.database
	LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) p.role
	LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.relation
		AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
	LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
		AND a.attnum OPERATOR(pg_catalog.=) p.attnum;
COMMENT ON VIEW mobilebert.enrichment_progress IS
'Calls of mobilebert.enrich() under way on this server: those of the roles one belongs to, all for pg_read_all_stats; names of tables in other databases are NULL';
COMMENT ON COLUMN mobilebert.enrichment_progress.pid IS 'Process of the session';
COMMENT ON COLUMN mobilebert.enrichment_progress.database IS 'Database of the session';
COMMENT ON COLUMN mobilebert.enrichment_progress.role IS 'Role that logged in';
COMMENT ON COLUMN mobilebert.enrichment_progress.relation IS 'Table that is enriched';
COMMENT ON COLUMN mobilebert.enrichment_progress.target IS 'Column that is filled';
COMMENT ON COLUMN mobilebert.enrichment_progress.started_at IS 'When the first batch began';
COMMENT ON COLUMN mobilebert.enrichment_progress.pass IS 'Passes over the table so far, the one under way included (at most 3)';
COMMENT ON COLUMN mobilebert.enrichment_progress.batches IS 'Transactions committed';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_total IS 'Rows that were to be enriched when the call began';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_done IS 'Rows updated and committed';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_null IS 'Rows that stay NULL: the expression gave NULL, or a trigger refused the update';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_failed IS 'Rows that failed and were passed over';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_left IS 'Rows that were passed over in this pass because other sessions held or had done them';
COMMENT ON COLUMN mobilebert.enrichment_progress.rows_per_second IS 'Rows computed a second since the start';
COMMENT ON COLUMN mobilebert.enrichment_progress.seconds_left IS 'Estimate of the time to go in seconds; NULL before the first batch';
GRANT SELECT ON mobilebert.enrichment_progress TO PUBLIC;

CREATE FUNCTION mobilebert.import_progress_rows(
	OUT pid integer,
	OUT database oid,
	OUT role oid,
	OUT started_at timestamptz,
	OUT phase text,
	OUT bytes_total bigint,
	OUT bytes_done bigint
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_import_progress'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 3;

COMMENT ON FUNCTION mobilebert.import_progress_rows() IS
'What the view mobilebert.import_progress shows, with OIDs in the place of names';

CREATE VIEW mobilebert.import_progress AS
SELECT p.pid, d.datname AS database, r.rolname AS role, p.started_at, p.phase,
	p.bytes_total, p.bytes_done
FROM mobilebert.import_progress_rows() p
	LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.database
	LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) p.role;
COMMENT ON VIEW mobilebert.import_progress IS
'Calls of mobilebert.import_model() under way on this server: those of the roles one belongs to, all for pg_read_all_stats';
COMMENT ON COLUMN mobilebert.import_progress.pid IS 'Process of the session';
COMMENT ON COLUMN mobilebert.import_progress.database IS 'Database of the session';
COMMENT ON COLUMN mobilebert.import_progress.role IS 'Role that logged in';
COMMENT ON COLUMN mobilebert.import_progress.started_at IS 'When the first tensor was read';
COMMENT ON COLUMN mobilebert.import_progress.phase IS 'What is done with the tensors: reading (and hashing), then storing';
COMMENT ON COLUMN mobilebert.import_progress.bytes_total IS 'Bytes of all tensors of the files';
COMMENT ON COLUMN mobilebert.import_progress.bytes_done IS 'Bytes of them that this phase is done with';
GRANT SELECT ON mobilebert.import_progress TO PUBLIC;

--
-- Statistics
--

CREATE FUNCTION mobilebert.stat_models_rows(
	OUT name text,
	OUT calls bigint,
	OUT rows bigint,
	OUT tokens bigint,
	OUT passes bigint,
	OUT microseconds bigint,
	OUT cache_hits bigint,
	OUT truncations bigint,
	OUT errors bigint,
	OUT since timestamptz
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_stat_models'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 10;

COMMENT ON FUNCTION mobilebert.stat_models_rows() IS
'What the view mobilebert.stat_models adds up: a model may have more than one row here';

CREATE FUNCTION mobilebert.stat_reset()
RETURNS void
AS 'MODULE_PATHNAME', 'mobilebert_stat_reset'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION mobilebert.stat_reset() IS
'Sets the counters of mobilebert.stat_models to 0, for all databases of the server; superusers and who was granted it only';
REVOKE ALL ON FUNCTION mobilebert.stat_reset() FROM PUBLIC;

CREATE VIEW mobilebert.stat_models AS
SELECT name, pg_catalog.sum(calls)::bigint AS calls,
	pg_catalog.sum(rows)::bigint AS rows,
	pg_catalog.sum(tokens)::bigint AS tokens,
	pg_catalog.sum(passes)::bigint AS passes,
	pg_catalog.sum(microseconds)::double precision
		OPERATOR(pg_catalog./) 1000 AS total_time,
	pg_catalog.sum(cache_hits)::bigint AS cache_hits,
	pg_catalog.sum(truncations)::bigint AS truncations,
	pg_catalog.sum(errors)::bigint AS errors,
	pg_catalog.min(since) AS since
FROM mobilebert.stat_models_rows() GROUP BY name;
COMMENT ON VIEW mobilebert.stat_models IS
'What the models that the current user may use have done since the server started or mobilebert.stat_reset(); needs mobilebert in shared_preload_libraries, else an error says so; up to 512 models of all databases are counted, and a WARNING says when there are more';
COMMENT ON COLUMN mobilebert.stat_models.name IS 'Model; one that was not used yet has no row';
COMMENT ON COLUMN mobilebert.stat_models.calls IS 'Texts, pairs of texts and arrays of ids that were asked for, those answered from the cache included';
COMMENT ON COLUMN mobilebert.stat_models.rows IS 'Sequences that ran through the network; a text read in windows has several';
COMMENT ON COLUMN mobilebert.stat_models.tokens IS 'Tokens of those sequences';
COMMENT ON COLUMN mobilebert.stat_models.passes IS 'Passes over the network, each of one or more sequences';
COMMENT ON COLUMN mobilebert.stat_models.total_time IS 'Time of the passes in milliseconds';
COMMENT ON COLUMN mobilebert.stat_models.cache_hits IS 'Calls answered from a session''s cache';
COMMENT ON COLUMN mobilebert.stat_models.truncations IS 'Texts that were cut to the model''s limit';
COMMENT ON COLUMN mobilebert.stat_models.errors IS 'Texts that were refused (too long, memory), and passes that failed or were cancelled';
COMMENT ON COLUMN mobilebert.stat_models.since IS 'When counting began';
GRANT SELECT ON mobilebert.stat_models TO PUBLIC;
