/* mobilebert 1.0 to 1.1 */

-- complain if the script is sourced in psql rather than by ALTER EXTENSION
\echo Use "ALTER EXTENSION mobilebert UPDATE TO '1.1'" to load this file. \quit

-- What mobilebert--1.1.sql has and mobilebert--1.0.sql has not, in its words;
-- test/t/climb.pl compares a database that went this way with a fresh one.

-- ---------------------------------------------------------------------------
-- Functions with further arguments.  Generated columns, indexes, views and
-- functions of users depend on what 1.0 had, so it stays the same object: it
-- gets the arguments of the new one, which goes again.  A stored call holds the
-- arguments that were given; the planner adds defaults from pg_proc, those of
-- the new arguments as well.
-- ---------------------------------------------------------------------------

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

DO LANGUAGE plpgsql $extend$
DECLARE
	old pg_catalog.text;
	added pg_catalog.text;
	kept pg_catalog.regprocedure;
	extended pg_catalog.pg_proc;
BEGIN
	FOR old, added IN VALUES
		('chunk(text, text, integer, integer', 'text'),
		('embed(text, text, text, boolean, integer, text, integer, text, text', 'integer, integer'),
		('embed(text[], text, text, boolean, integer, text, integer, text, text', 'integer, integer'),
		('embed(integer[], text, text, boolean, integer, integer[], integer[]', 'integer'),
		('embed_query(text, text', 'integer, integer'),
		('embed_document(text, text', 'integer, integer'),
		('label(text, text, text, text, integer, integer', 'real'),
		('zero_shot(text, text[], text, text, boolean, integer, text, integer', 'text[]'),
		('best_label(text, text[], text, text, boolean, integer, text, integer', 'text[]')
	LOOP
		kept := pg_catalog.format('mobilebert.%s)', old);
		SELECT p.* INTO STRICT extended
		FROM pg_catalog.pg_proc p
		WHERE p.oid OPERATOR(pg_catalog.=)
			pg_catalog.format('mobilebert.%s, %s)', old, added)::pg_catalog.regprocedure;
		EXECUTE pg_catalog.format('DROP FUNCTION mobilebert.%s, %s)', old, added);
		UPDATE pg_catalog.pg_proc p
		SET pronargs = extended.pronargs,
			pronargdefaults = extended.pronargdefaults,
			proargtypes = extended.proargtypes,
			proallargtypes = extended.proallargtypes,
			proargmodes = extended.proargmodes,
			proargnames = extended.proargnames,
			proargdefaults = extended.proargdefaults
		WHERE p.oid OPERATOR(pg_catalog.=) kept;

		-- Sessions keep expressions of indexes and partition keys with the
		-- defaults filled in: a change of a column makes them read these anew.
		UPDATE pg_catalog.pg_attribute a
		SET attname = a.attname
		FROM pg_catalog.pg_depend d
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
			AND d.refobjid OPERATOR(pg_catalog.=) kept
			AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
			AND a.attrelid OPERATOR(pg_catalog.=) d.objid
			AND a.attnum OPERATOR(pg_catalog.=) 1;
	END LOOP;
END
$extend$;

COMMENT ON FUNCTION mobilebert.chunk(text, text, integer, integer, text) IS
'Slices of a text of at most max_tokens tokens each, the template''s included (default: the model''s limit); split: sentence (default) ends each with the last sentence that fits, and parts what is longer than a slice at the last clause, else white space, else word, else token; paragraph: the same with paragraphs before sentences; word: as many words as fit, parted at white space if possible; neighbours share at most overlap tokens (default 0), whole sentences of them, or with word whole words';

COMMENT ON FUNCTION mobilebert.embed(text, text, text, boolean, integer, text, integer, text, text, integer, integer) IS
'Embedding of a text; pooling: mean, cls, max, mean_sqrt_len_tokens, weightedmean, lasttoken, pooler, or up to eight of them separated by commas, whose vectors follow each other in that order, without the model''s modules after Pooling (Dense, LayerNorm) and its truncate_dim, which only its own pooling has; normalized: divide by the length at last, as the model does where its last module is Normalize; layer: index into hidden_states, negative from the end; overflow: truncate (default), window (stride tokens of overlap, each token counted once), error; prompt: name of the model''s prompt that stands before the text, default: default_prompt_name of its config_sentence_transformers.json; prompt_text: another one, or '''' for none; max_length: tokens of a window, the template''s included (default: as the model says); dimensions: the first so many numbers of the vector, divided by their length where normalized (default: truncate_dim of the model, else all)';

COMMENT ON FUNCTION mobilebert.embed_query(text, text, integer, integer) IS
'Embedding of a query: embed() with prompt => ''query'', without a prompt where the model has none of that name (encode_query of sentence-transformers); max_length and dimensions as in embed()';

COMMENT ON FUNCTION mobilebert.embed_document(text, text, integer, integer) IS
'Embedding of a text that is searched: embed() with prompt => ''document'', without a prompt where the model has none of that name (encode_document of sentence-transformers); max_length and dimensions as in embed()';

COMMENT ON FUNCTION mobilebert.embed(text[], text, text, boolean, integer, text, integer, text, text, integer, integer) IS
'Embeddings of several texts, a row for each in order, packed in common passes; each is bit for bit what embed(text) gives; NULL for NULL';

COMMENT ON FUNCTION mobilebert.embed(integer[], text, text, boolean, integer, integer[], integer[], integer) IS
'Embedding of token ids as they are, as MobileBertModel takes them; types are 0 and the mask 1 by default; tokens with mask 0 are neither attended to nor pooled; dimensions: the first so many numbers of the vector';

COMMENT ON FUNCTION mobilebert.label(text, text, text, text, integer, integer, real) IS
'Best label of a text or pair of texts, as classify() ranks them: MobileBertForSequenceClassification as a value; NULL when its score is lower than min_score; other options as in classify()';

COMMENT ON FUNCTION mobilebert.zero_shot(text, text[], text, text, boolean, integer, text, integer, text[]) IS
'Labels of one''s own for a text, the best first, of equals the later one first; a model with a classifier, of natural language inference, is asked what the text entails (transformers'' zero-shot-classification pipeline), a model without one scores by the cosine between the embeddings of text and label; hypothesis_template: {} or {0} stands for the label, by default This example is {}. for a classifier, else {}; descriptions: what stands in the template for each label, of as many elements, NULL for the label itself; the scores add up to 1 (of a model without a classifier: softmax of 20 times the cosines), or with multi_label, and for a single label, each label has its own: from 0 to 1, or the cosine; a NULL label comes last with a NULL score; overflow: truncate (default; the text alone is cut, or as embed() does it), window (stride tokens of overlap; the mean of the windows'' scores, weighted by the tokens each stands for, or as embed() does it), error; max_length: tokens of a pair, or of a text as embed() has it, the template''s included; an empty text and an empty array are errors';

COMMENT ON FUNCTION mobilebert.best_label(text, text[], text, text, boolean, integer, text, integer, text[]) IS
'The label that zero_shot() ranks first for a text, as a value; options as there';

-- ---------------------------------------------------------------------------
-- Functions that best_answers shares now: the aggregates go on with them under
-- their new names.
-- ---------------------------------------------------------------------------

ALTER FUNCTION mobilebert.best_answers_combine(internal, internal) RENAME TO best_combine;
ALTER FUNCTION mobilebert.best_answers_serialize(internal) RENAME TO best_serialize;
ALTER FUNCTION mobilebert.best_answers_deserialize(bytea, internal) RENAME TO best_deserialize;

CREATE OR REPLACE FUNCTION mobilebert.best_combine(a internal, b internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_combine'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_combine(internal, internal) IS
'Combine function of mobilebert.best_answers and best_matches: the best of two parts of the rows';

CREATE OR REPLACE FUNCTION mobilebert.best_serialize(state internal)
RETURNS bytea
AS 'MODULE_PATHNAME', 'mobilebert_best_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_serialize(internal) IS
'Serialization function of mobilebert.best_answers and best_matches, for parallel workers';

CREATE OR REPLACE FUNCTION mobilebert.best_deserialize(data bytea, state internal)
RETURNS internal
AS 'MODULE_PATHNAME', 'mobilebert_best_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION mobilebert.best_deserialize(bytea, internal) IS
'Deserialization function of mobilebert.best_answers and best_matches, for parallel workers';

-- ---------------------------------------------------------------------------
-- What is said of the rest
-- ---------------------------------------------------------------------------

COMMENT ON COLUMN mobilebert.models.base IS 'Model that it stands on: whose tensors it has by create_variant, create_classifier or "base" in config.json; NULL: none, or one that the current user may not use';
COMMENT ON FUNCTION mobilebert.import_model(text) IS
'Registers a model that is shipped with the extension (minilm, language, qa, ner, nli, sentiment); needs EXECUTE, which the owner of the database has, as all functions that take a name; when the owner of the database does so it becomes the default of the tasks that it is meant for, where there is none yet';
COMMENT ON FUNCTION mobilebert.set_default_model(text, text) IS
'Stores the default model of a task (embed, classify, zero_shot, ner, fill_mask, next_sentence, answer, choose) in this database; NULL removes it, and zero_shot has that of classify then, else that of embed; needs the rights of the database''s owner';
COMMENT ON FUNCTION mobilebert.model_config(text) IS
'Effective configuration: config.json with every default of transformers'' configuration class filled in, num_labels, id2label and label2id, and the derived sizes true_hidden_size, head_size and attention_size; modules: what sentence-transformers runs after Pooling, if anything; config_sentence_transformers: that file, with the prompts, where the model has one';
COMMENT ON FUNCTION mobilebert.chunk(text) IS
'Slices of a text that each fit in one window of the default model and end with a sentence if possible';
COMMENT ON FUNCTION mobilebert.embed(text) IS
'Embedding of a text by the default model, pooled, put through the modules after that (Dense, LayerNorm, Normalize) and cut as its sentence-transformers files say; a text that is too long is cut, with one WARNING a statement (in a parallel query, one a process)';
COMMENT ON TYPE mobilebert.numbers IS
'What functions of vectors take: double precision[], numeric[] and arrays of integers become it by themselves, rounded to real; for columns use real[]';
COMMENT ON CAST (real[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (double precision[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (numeric[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (smallint[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (integer[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON CAST (bigint[] AS mobilebert.numbers) IS 'Argument of a function of vectors';
COMMENT ON FUNCTION mobilebert.score(text, text, text, text, text, integer, integer) IS
'The one output of a classifier for a text or pair of texts: of a cross-encoder with the activation that its files name, else the sigmoid; of another model as it is when its problem_type is regression, else the sigmoid, 0 to 1; of a two-class one that create_classifier made, the score of its second label, "true" for booleans; an error when the classifier has several labels; options as in classify(), and max_length of a cross-encoder is at most the tokenizer''s model_max_length by default (CrossEncoder of sentence-transformers)';
COMMENT ON FUNCTION mobilebert.zero_shot(text, text[]) IS
'Labels of one''s own for a text, the best first, by the default model of zero_shot, a classifier of natural language inference (transformers'' zero-shot-classification pipeline), or where there is none by the default model of embed; a text that is too long is cut, with one WARNING a statement';
COMMENT ON FUNCTION mobilebert.best_label(text, text[]) IS
'The label that zero_shot(input, labels) ranks first, by the same default model';

-- ---------------------------------------------------------------------------
-- What is new
-- ---------------------------------------------------------------------------

CREATE FUNCTION mobilebert.import_defaults(OUT name text, OUT imported boolean, OUT default_for text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'mobilebert_import_defaults'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10;

COMMENT ON FUNCTION mobilebert.import_defaults() IS
'Registers all models that are shipped with the extension, as import_model(name) does each, those that others stand on before these; a row for each: imported, false where a model of that name was there, which stays as it is, and default_for, the tasks whose default it is in this database now; a default that was there stays; an error leaves nothing behind, and is raised where no model is shipped';

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

-- A name is one for all of a database: who takes it decides which weights the
-- calls of others mean.  So taking one needs a right that PUBLIC lacks.
REVOKE ALL ON FUNCTION mobilebert.import_defaults(),
	mobilebert.create_classifier(text, mobilebert.classifier) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mobilebert.import_defaults(),
	mobilebert.create_classifier(text, mobilebert.classifier) TO pg_database_owner;
