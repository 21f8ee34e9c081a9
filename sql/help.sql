--
-- help: what there is; each public function, view and setting has its line
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
SELECT * FROM mobilebert.help('rank');
SELECT topic, name, example FROM mobilebert.help('Cache_Size');
SELECT wanted, array_agg(name) AS names FROM unnest('{mobilebert.chunk,chunk(),"Chunk(text, model)",mobilebert.chunk(text)}'::text[]) WITH ORDINALITY AS w(wanted, n), mobilebert.help(wanted) GROUP BY n, wanted ORDER BY n;
SELECT h = n AS named FROM (SELECT array_agg(h) AS h FROM mobilebert.help('mobilebert.cache_size') AS h) AS h, (SELECT array_agg(h) AS n FROM mobilebert.help('cache_size') AS h) AS n;
SELECT count(*) > 50 AS everything, count(*) = (SELECT count(*) FROM mobilebert.help(NULL)) AS same FROM mobilebert.help();
-- an unknown topic: an error that lists those there are
DO $$
DECLARE
	detail text;
BEGIN
	PERFORM mobilebert.help('gardening');
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE NOTICE '%, topics missing in its detail: %', sqlerrm, (SELECT count(DISTINCT topic) FROM mobilebert.help() WHERE position('"' || topic || '"' IN detail) = 0);
END $$;
\set VERBOSITY terse
SELECT * FROM mobilebert.help('');
\set VERBOSITY default

-- what is missing: a line in src/pg/help/help_lines.c.  Not public are: what
-- needs arguments that SQL cannot give, or is a trigger; what an aggregate, a
-- type, a cast or a view is made of
SELECT DISTINCT p.proname AS no_line_for FROM pg_proc AS p
WHERE p.pronamespace = 'mobilebert'::regnamespace
	AND p.prorettype <> 'trigger'::regtype
	AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[] || p.prorettype)
	AND NOT EXISTS (SELECT FROM pg_aggregate WHERE p.oid IN (aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn))
	AND NOT EXISTS (SELECT FROM pg_type WHERE p.oid IN (typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze))
	AND NOT EXISTS (SELECT FROM pg_cast WHERE castfunc = p.oid)
	AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid = p.oid AND classid = 'pg_rewrite'::regclass)
	AND NOT EXISTS (SELECT FROM mobilebert.help() AS h WHERE h.name = p.proname)
ORDER BY 1;
SELECT relname AS no_line_for FROM pg_class AS c
WHERE relnamespace = 'mobilebert'::regnamespace AND relkind = 'v' AND NOT EXISTS (SELECT FROM mobilebert.help() AS h WHERE h.name = relname) ORDER BY 1;
SELECT name AS no_line_for FROM pg_settings AS s
WHERE name LIKE 'mobilebert.%' AND NOT EXISTS (SELECT FROM mobilebert.help() AS h WHERE h.name = s.name) ORDER BY 1;
-- lines of what there is not
SELECT name AS line_of_nothing FROM mobilebert.help() AS h
WHERE NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'mobilebert'::regnamespace AND proname = h.name)
	AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'mobilebert'::regnamespace AND relkind = 'v' AND relname = h.name)
	AND NOT EXISTS (SELECT FROM pg_settings AS s WHERE s.name = h.name);
-- lines of one topic stand together, are short, and show what they are of
SELECT topic AS parted FROM (SELECT topic, n - row_number() OVER (PARTITION BY topic ORDER BY n) AS block FROM mobilebert.help() WITH ORDINALITY AS h(topic, name, description, example, n)) AS b
GROUP BY topic HAVING count(DISTINCT block) > 1;
SELECT name AS long FROM mobilebert.help() WHERE length(description) > 70 OR length(example) > 120 OR description ~ '[^ -~]' OR example ~ '[^ -~]' OR example ~ ';';
SELECT name AS without_itself FROM mobilebert.help() AS h WHERE position(CASE WHEN name LIKE '%.%' THEN name ELSE 'mobilebert.' || name END IN example) = 0;

-- examples run, on the shipped minilm, tables and models made for them (the
-- statistics need the library preloaded, so that they are planned only)
\set golden :abs_srcdir '/test/golden/checkpoint'
\set sentiment :golden '/nli-3-entail-first'
\set one :golden '/sequence-1-plain'
\set ner :golden '/tok-only-vocab'
\set qa :golden '/tok-no-cjk'
\set language :golden '/one-layer-one-head'
\set one_config :one '/config.json'
\set one_tokenizer :one '/tokenizer.json'
\set one_weights :one '/model.safetensors'
SELECT array_agg((mobilebert.import_model(n, p)).name) AS models FROM (VALUES ('sentiment', :'sentiment'), ('reranker', :'one'), ('ner', :'ner'), ('qa', :'qa'), ('language', :'language')) AS v(n, p);
SELECT name FROM mobilebert.import_model('chooser', pg_read_file(:'one_config')::jsonb || '{"architectures": ["MobileBertForMultipleChoice"]}',
	pg_read_file(:'one_tokenizer'), pg_read_binary_file(:'one_weights'));
CREATE TABLE note (id int PRIMARY KEY, body text, label text, embedding real[]);
INSERT INTO note (id, body) VALUES (1, 'The invoice of March has not been paid yet.'), (2, 'Our cat likes to sleep on the warm radiator.'), (3, 'Parliament passed the new budget last night.');
CREATE TABLE ticket (body text, label text);
INSERT INTO ticket SELECT b, 'money' FROM unnest('{The bill is wrong.,I paid twice.,Send me the invoice.,Refund the payment.,What does it cost?,The price has changed.}'::text[]) AS b;
INSERT INTO ticket SELECT b, 'device' FROM unnest('{The screen is black.,It does not switch on.,The battery is empty.,A key is broken.,The fan is loud.,The cable does not fit.}'::text[]) AS b;
SET client_min_messages = error;
\o /dev/null
\set ECHO none
SELECT CASE topic WHEN 'statistics' THEN 'EXPLAIN ' ELSE '' END || replace(example, '/srv/models/bge-small', :'one')
FROM mobilebert.help() \gexec
\set ECHO all
\o
RESET ALL;
SELECT count(embedding) AS embedded, count(label) AS labelled FROM note;
DROP TABLE note, ticket;
SELECT mobilebert.drop_model('topic');
-- what was made; import_defaults() brought whatever else is shipped
SELECT array_agg(name ORDER BY name) AS made FROM mobilebert.models
WHERE name IN ('minilm', 'sentiment', 'ner', 'qa', 'language') OR name NOT IN (SELECT name FROM mobilebert.import_defaults());
SET client_min_messages = warning;
DO 'BEGIN PERFORM mobilebert.drop_model(name) FROM mobilebert.models; END';
RESET client_min_messages;
