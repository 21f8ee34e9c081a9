--
-- Registering, describing, renaming and dropping models
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
\set ner :abs_srcdir '/test/golden/checkpoint/tok-only-vocab'

-- the result of an import is its row in the view
SELECT name, owner = current_user AS mine, tasks, architecture,
	layers, hidden_size, dimension, vocabulary_size, max_tokens, parameters,
	size, "precision", labels, sha256 ~ '^[0-9a-f]{64}$' AS hash
FROM mobilebert.import_model('models_tiny', :'tiny');
SELECT (mobilebert.import_model('models_ner', :'ner')).tasks;

SELECT name, tasks, layers, hidden_size, dimension, max_tokens, labels
FROM mobilebert.models WHERE name LIKE 'models\_%' ORDER BY name;

-- the shipped minilm
SELECT name, tasks, architecture, layers, hidden_size, dimension,
	vocabulary_size, max_tokens, parameters, "precision", labels
FROM mobilebert.import_model('minilm');
SELECT pg_catalog.array_length(mobilebert.embed('It is the default.'), 1);
SELECT mobilebert.import_model('minilm');
SELECT mobilebert.import_model('maxilm');

-- configuration, with every default
SELECT key, value FROM pg_catalog.jsonb_each(mobilebert.model_config('models_ner'))
WHERE key IN ('num_labels', 'hidden_size', 'true_hidden_size', 'head_size',
	'attention_size', 'hidden_act', 'normalization_type', 'id2label', 'label2id')
ORDER BY key COLLATE "C";
SELECT mobilebert.model_config('models_tiny') -> 'id2label',
	mobilebert.model_config('models_tiny') -> 'num_labels';
SELECT mobilebert.model_config('models_none');
SELECT mobilebert.model_config(NULL);

-- one content, one fingerprint, and its tensors once
SELECT count(*) AS tensors FROM mobilebert.tensor \gset
SELECT (mobilebert.import_model('models_twin', :'tiny')).name;
SELECT count(*) = :tensors AS stored_once FROM mobilebert.tensor;
SELECT mobilebert.fingerprint('models_twin') = mobilebert.fingerprint('models_tiny'),
	mobilebert.fingerprint('models_ner') = mobilebert.fingerprint('models_tiny'),
	mobilebert.fingerprint('models_twin') =
		(SELECT sha256 FROM mobilebert.models WHERE name = 'models_twin');
SELECT mobilebert.drop_model('models_twin');
SELECT count(*) = :tensors AS still_there FROM mobilebert.tensor;

-- other arithmetic for the same weights
SELECT name, owner = current_user AS mine, tasks, parameters, size, "precision"
FROM mobilebert.create_variant('models_int8', 'models_tiny', 'int8');
SELECT name, "precision" FROM mobilebert.create_variant('models_bf16', 'models_tiny', 'bf16');
SELECT name, "precision" FROM mobilebert.create_variant('models_bf16x3', 'models_bf16', 'bf16x3');
SELECT name, "precision" FROM mobilebert.import_model('models_direct', :'tiny', 'int8');
SELECT count(*) = :tensors AS stored_once FROM mobilebert.tensor;
SELECT name, "precision" FROM mobilebert.models
WHERE name LIKE 'models\_%' ORDER BY name;
SELECT count(DISTINCT mobilebert.fingerprint(name)) AS fingerprints,
	mobilebert.fingerprint('models_int8') = mobilebert.fingerprint('models_direct') AS same
FROM mobilebert.models WHERE name IN ('models_tiny', 'models_int8', 'models_bf16', 'models_bf16x3');
-- near, nearer, nearest; and the same bits alone and packed
SELECT v.name, mobilebert.cosine_similarity(e.exact, e.other) > v.least AS near,
	e.exact <> e.other AS other
FROM (VALUES ('models_int8', 0.99), ('models_bf16', 0.999),
		('models_bf16x3', 0.99999)) v (name, least),
	LATERAL (SELECT mobilebert.embed('An apple a day.', 'models_tiny') AS exact,
		mobilebert.embed('An apple a day.', v.name) AS other) e
ORDER BY v.name COLLATE "C";
SELECT m.name, e.packed = mobilebert.embed('An apple a day.', m.name) AS same
FROM mobilebert.models m,
	mobilebert.embed(ARRAY['One.', 'An apple a day.', 'Two of them.'], m.name)
		WITH ORDINALITY AS e (packed, n)
WHERE m.name LIKE 'models\_%' AND e.n = 2 ORDER BY m.name COLLATE "C";
SELECT mobilebert.embed('x', 'models_int8') = mobilebert.embed('x', 'models_direct') AS same;
-- refused
SELECT mobilebert.create_variant('models_int4', 'models_tiny', 'int4');
SELECT mobilebert.create_variant('models_int8', 'models_tiny', 'int8');
SELECT mobilebert.create_variant('models_other', 'models_none', 'int8');
SELECT mobilebert.create_variant(NULL, 'models_tiny', 'int8');
SELECT mobilebert.create_variant('models_other', NULL, 'int8');
SELECT mobilebert.create_variant('models_other', 'models_tiny', NULL);
SELECT mobilebert.import_model('models_other', :'tiny', 'INT8');
-- the weights stay while one name needs them
SELECT mobilebert.drop_model('models_direct');
SELECT mobilebert.drop_model('models_bf16');
SELECT mobilebert.embed('x', 'models_bf16x3') IS NOT NULL AS works,
	count(*) = :tensors AS still_there FROM mobilebert.tensor;
SELECT mobilebert.drop_model('models_bf16x3');
SELECT mobilebert.drop_model('models_int8');
SELECT mobilebert.fingerprint(name) = sha256 AS unchanged
FROM mobilebert.models WHERE name = 'models_tiny';

-- names
SELECT mobilebert.rename_model('models_tiny', 'Models "T" é');
SELECT name FROM mobilebert.models WHERE name ~ '^Models';
SELECT mobilebert.embed('x', 'models_tiny');
SELECT mobilebert.embed('x', 'Models "T" é') IS NOT NULL AS embeds;
SELECT mobilebert.rename_model('Models "T" é', 'models_ner');
SELECT mobilebert.rename_model('Models "T" é', '');
SELECT mobilebert.rename_model('Models "T" é', NULL);
SELECT mobilebert.rename_model('models_none', 'models_some');
SELECT mobilebert.rename_model('Models "T" é', 'models_tiny');

-- default models
SELECT mobilebert.default_model('embed'), mobilebert.default_model('ner'),
	mobilebert.default_model('EMBED');
SELECT mobilebert.set_default_model('ner', 'models_ner');
SELECT mobilebert.default_model('ner');
SELECT mobilebert.set_default_model('embed', 'models_tiny');
SELECT mobilebert.default_model('embed'),
	mobilebert.embed('text') = mobilebert.embed('text', 'models_tiny') AS used;
SET mobilebert.default_model = 'models_ner';
SELECT mobilebert.default_model('embed'), mobilebert.default_model('fill_mask'),
	mobilebert.embed('text') = mobilebert.embed('text', 'models_ner') AS used;
SET mobilebert.default_model = 'models_none';
SELECT mobilebert.embed('text');
RESET mobilebert.default_model;
SELECT mobilebert.set_default_model('ner', NULL);
-- no default: what is there, and what is not
SELECT mobilebert.ner('x');
SELECT mobilebert.ner('x', mobilebert.default_model('ner'));
SELECT mobilebert.choose('x', '{y}');
SELECT mobilebert.choose('x', '{y}', mobilebert.default_model('choose'));
SELECT mobilebert.choose('x', '{y}', 'minilm');
SELECT mobilebert.default_model('ner');
SELECT mobilebert.set_default_model('dance', 'models_ner');
SELECT mobilebert.set_default_model('ner', 'models_tiny');
SELECT mobilebert.set_default_model('ner', 'models_none');
SELECT mobilebert.default_model('dance');
SELECT mobilebert.set_default_model('embed', 'minilm');

-- the two forms: only the one that names the model is immutable
SELECT proname, provolatile, proparallel, count(*)
FROM pg_catalog.pg_proc
WHERE pronamespace = 'mobilebert'::regnamespace
	AND proname IN ('embed', 'tokenize', 'encode', 'count_tokens')
GROUP BY 1, 2, 3 ORDER BY 1, 2;
CREATE TABLE models_table (body text,
	vector real[] GENERATED ALWAYS AS (mobilebert.embed(body, 'models_tiny')) STORED);
CREATE TABLE models_wrong (body text,
	vector real[] GENERATED ALWAYS AS (mobilebert.embed(body)) STORED);
INSERT INTO models_table VALUES ('a'), (NULL), ('');
SELECT body, pg_catalog.array_length(vector, 1) FROM models_table;

-- every object is described
SELECT pg_catalog.pg_describe_object(classid, objid, objsubid)
FROM pg_catalog.pg_depend d
WHERE refclassid = 'pg_catalog.pg_extension'::regclass
	AND refobjid = (SELECT oid FROM pg_catalog.pg_extension
		WHERE extname = 'mobilebert')
	AND deptype = 'e'
	AND pg_catalog.obj_description(objid,
		classid::regclass::text::name) IS NULL
	AND classid::regclass::text NOT IN ('pg_index', 'pg_rewrite')
	AND NOT (classid = 'pg_catalog.pg_type'::regclass AND EXISTS
		(SELECT FROM pg_catalog.pg_type t WHERE t.oid = objid
			AND (t.typrelid <> 0 OR t.typelem <> 0)))
	AND NOT (classid = 'pg_catalog.pg_class'::regclass AND EXISTS
		(SELECT FROM pg_catalog.pg_class c WHERE c.oid = objid
			AND c.relkind IN ('i', 'c')))
ORDER BY 1;

-- memory, image, build
SELECT mobilebert.memory_needed('models_tiny', 100)
		< mobilebert.memory_needed('models_tiny', 1000) AS grows,
	mobilebert.memory_needed('models_tiny', NULL) IS NULL AS unknown;
SELECT mobilebert.memory_needed('models_tiny', 0);
SELECT mobilebert.prewarm('models_tiny') > 0 AS prewarmed,
	mobilebert.prewarm(NULL) IS NULL AS unknown;
SELECT mobilebert.prewarm('models_none');
SELECT name FROM mobilebert.build_info() ORDER BY name COLLATE "C";

-- the trigger's function is nothing to call
SELECT mobilebert.registry_changed();

-- dropping
BEGIN;
SELECT mobilebert.drop_model('models_tiny');
SELECT mobilebert.embed('x', 'models_tiny');
ROLLBACK;
SELECT mobilebert.embed('x', 'models_tiny') IS NOT NULL AS back;
SELECT mobilebert.drop_model('models_none');
SELECT mobilebert.drop_model(NULL);
SELECT mobilebert.set_default_model('ner', 'models_ner');
SELECT mobilebert.drop_model('models_ner');
SELECT mobilebert.default_model('ner');
DROP TABLE models_table;
SELECT mobilebert.drop_model('models_tiny');
SELECT mobilebert.drop_model('minilm');
SELECT mobilebert.default_model('embed');
SELECT mobilebert.embed('nothing left');
SELECT (SELECT count(*) FROM mobilebert.model) AS models,
	(SELECT count(*) FROM mobilebert.model_file) AS files,
	(SELECT count(*) FROM mobilebert.tensor) AS tensors,
	(SELECT count(*) FROM mobilebert.tensor_chunk) AS chunks,
	(SELECT count(*) FROM mobilebert.model_tensor) AS places,
	(SELECT count(*) FROM mobilebert.model_grant) AS grants,
	(SELECT count(*) FROM mobilebert.task_default) AS defaults;

-- names that do not exist leave nothing behind in the session
DO $$
BEGIN
	FOR i IN 1..200 LOOP
		BEGIN
			PERFORM mobilebert.count_tokens('x', 'models_unknown_' || i);
			RAISE 'a model that does not exist was found';
		EXCEPTION WHEN undefined_object THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT count(*) < 20 AS few FROM pg_backend_memory_contexts
WHERE name = 'mobilebert model name';
