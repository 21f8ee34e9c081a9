#-------------------------------------------------------------------------
#
# climb.pl
#		From 1.0 to this version: the library serves a database of 1.0 as it is,
#		ALTER EXTENSION UPDATE makes it one of this version, and nothing that
#		users built on 1.0 sees a difference.
#
# Then the objects are those of a fresh installation, one by one: what the update
# script forgets or has otherwise is named here.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('climb');
my $place = PostgreSQL::Test::Utils::tempdir();
my $version = value($node, q{SELECT default_version FROM pg_available_extensions
	WHERE name = 'mobilebert'});

sub installed
{
	my ($where, $database) = @_;

	return value($where, q{SELECT extversion FROM pg_extension
		WHERE extname = 'mobilebert'}, $database);
}

is(installed($node), $version, 'a fresh installation is of this version');

# ---------------------------------------------------------------------------
# A database of 1.0, with everything in use that can be
# ---------------------------------------------------------------------------

value($node, 'CREATE ROLE reader; CREATE ROLE keeper; CREATE DATABASE old');
value(
	$node, q{
	CREATE EXTENSION mobilebert VERSION '1.0';
	SELECT mobilebert.import_model('pre', '} . golden('one-layer-one-head') . q{');
	SELECT mobilebert.import_model('yesno', '} . golden('store-bf16') . q{');
	SELECT mobilebert.import_model('nli', '} . golden('nli-3-entail-first') . q{');
	SELECT mobilebert.import_model('ner', '} . golden('tok-only-vocab') . q{');
	SELECT mobilebert.import_model('qa', '} . golden('tok-no-cjk') . q{');
	SELECT mobilebert.create_variant('eighth', 'pre', 'int8');
	SELECT mobilebert.set_default_model('embed', 'pre');
	SELECT mobilebert.set_default_model('classify', 'nli');
	SELECT mobilebert.set_default_model('answer', 'qa');
	SELECT mobilebert.revoke_model('eighth', 'public');
	SELECT mobilebert.grant_model('eighth', 'reader');

	CREATE TABLE note (id int PRIMARY KEY, body text,
		v real[] GENERATED ALWAYS AS (mobilebert.embed(body, 'pre')) STORED,
		q real[] GENERATED ALWAYS AS (mobilebert.embed_query(body, model => 'pre')) STORED,
		first real[] GENERATED ALWAYS AS
			(mobilebert.embed(body, 'eighth', layer => 0, pooling => 'cls')) STORED,
		yes text GENERATED ALWAYS AS (mobilebert.label(body, 'yesno')) STORED,
		topic text GENERATED ALWAYS AS
			(mobilebert.best_label(body, '{post,music}', 'nli', multi_label => true)) STORED,
		CHECK (mobilebert.label(body, 'yesno', overflow => 'error') IS NOT NULL));
	INSERT INTO note SELECT g, 'Peter wrote letter ' || g || ' in Paris. It came late.'
		FROM generate_series(1, 40) g;
	ALTER TABLE note SET (parallel_workers = 2);
	CREATE INDEX note_yes ON note (mobilebert.label(body, 'yesno'));
	CREATE INDEX note_document ON note (mobilebert.embed_document(body, 'pre'))
		WHERE mobilebert.best_label(body, '{post,music}', 'nli') IS NOT NULL;
	CREATE STATISTICS note_said ON (mobilebert.label(body, 'yesno')), id FROM note;
	ALTER TABLE note ENABLE ROW LEVEL SECURITY;
	CREATE POLICY read ON note FOR SELECT
		USING (mobilebert.label(body, 'yesno') IS NOT NULL);
	CREATE TABLE sorted (body text) PARTITION BY LIST (mobilebert.label(body, 'yesno'));
	CREATE TABLE sorted_yes PARTITION OF sorted FOR VALUES IN ('yes');
	CREATE TABLE sorted_other PARTITION OF sorted DEFAULT;
	INSERT INTO sorted SELECT body FROM note;

	CREATE VIEW piece AS SELECT n.id, c.*, z.label, z.score
		FROM note n, mobilebert.chunk(n.body, 'pre', max_tokens => 12) c,
			mobilebert.zero_shot(n.body, ARRAY['post', 'music'], 'nli') z;
	CREATE MATERIALIZED VIEW vectors AS
		SELECT t.v, ids.v AS ids
		FROM mobilebert.embed(ARRAY['a', 'b c'], 'pre', 'mean') WITH ORDINALITY t(v, n),
			mobilebert.embed('{2,5,6,3}'::int[], 'pre', normalized => true) ids(v);
	CREATE FUNCTION parsed(body text) RETURNS text IMMUTABLE
		BEGIN ATOMIC SELECT mobilebert.label(body, 'yesno', NULL, 'window', stride => 2); END;
	CREATE FUNCTION written(body text) RETURNS real[] LANGUAGE sql IMMUTABLE
		AS $$SELECT mobilebert.embed(body, 'pre', NULL, true)$$;
	CREATE FUNCTION spoken(body text) RETURNS text LANGUAGE plpgsql AS
		$$BEGIN RETURN mobilebert.best_label(body, '{post,music}', 'nli'); END$$;
	CREATE TABLE heard (id int, yes text);
	CREATE RULE heard AS ON INSERT TO heard WHERE mobilebert.label(new.yes, 'yesno') IS NULL
		DO INSTEAD NOTHING}, 'old');
is(installed($node, 'old'), '1.0', 'a database of 1.0');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$place/before", 'old' ],
	'pg_dump of 1.0');

# What users decided of functions that get arguments, and what they see
value(
	$node, q{
	REVOKE ALL ON FUNCTION mobilebert.embed(text, text, text, boolean, int, text, int, text, text) FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION mobilebert.embed(text, text, text, boolean, int, text, int, text, text) TO reader;
	ALTER FUNCTION mobilebert.label(text, text, text, text, int, int) OWNER TO keeper;
	ALTER FUNCTION mobilebert.label(text, text, text, text, int, int) COST 4321;
	GRANT EXECUTE ON FUNCTION mobilebert.best_answers_combine(internal, internal) TO reader}, 'old');

# Answers of all kinds, the same before and after
my @questions = (
	q{SELECT id, md5(v::text), md5(q::text), md5(first::text), yes, topic FROM note ORDER BY id},
	q{SELECT id, v = mobilebert.embed(body, 'pre') AND v = mobilebert.embed(body)
		AND q = mobilebert.embed_query(body) AND yes = mobilebert.label(body, 'yesno')
		FROM note ORDER BY id},
	q{SELECT name, owner, base, sha256, "precision", tasks FROM mobilebert.models ORDER BY name},
	q{SELECT t, mobilebert.default_model(t) FROM unnest('{embed,classify,ner,answer}'::text[]) t},
	q{SELECT * FROM piece ORDER BY id, chunk_no, label},
	q{SELECT md5(string_agg(v::text || ids::text, ' ')) FROM vectors},
	q{SELECT parsed(body), md5(written(body)::text), spoken(body) FROM note WHERE id < 5 ORDER BY id},
	q{SELECT md5(mobilebert.embed('text')::text), md5(mobilebert.embed('text', 'eighth')::text),
		md5(mobilebert.embed('text', 'pre', 'mean,max', false, -1, 'window', 2)::text),
		md5(mobilebert.embed('text', 'pre', prompt_text => 'say: ')::text),
		md5(mobilebert.embed_document('text')::text), md5(mobilebert.embed_document('text', 'pre')::text)},
	q{SELECT md5(string_agg(v::text, ' ')) FROM mobilebert.embed('{a,b}'::text[]) v},
	q{SELECT mobilebert.similarity('a', 'b'), mobilebert.similarity('a', 'b', 'eighth')},
	q{SELECT * FROM mobilebert.chunk('One. Two and three. Four.', 'pre', 6, 1)},
	q{SELECT * FROM mobilebert.chunk('One. Two and three. Four.')},
	q{SELECT * FROM mobilebert.zero_shot('a letter', '{post,music}')},
	q{SELECT * FROM mobilebert.zero_shot('a letter', '{post,music}', 'nli', 'About {}.', true, 30, 'window', 2)},
	q{SELECT mobilebert.best_label('a letter', '{post,music}'), mobilebert.label('a letter'),
		mobilebert.label('a letter', 'nli', 'a pair')},
	q{SELECT * FROM mobilebert.classify('a letter', 'nli')},
	q{SELECT mobilebert.entities(body, 'ner') FROM note WHERE id < 4 ORDER BY id},
	q{SELECT * FROM mobilebert.answer('Where?', 'Peter is in Paris.')},
	q{SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 3) FROM note},
	q{SELECT mobilebert.best_answers('Who?', body, id::text) FROM note},
	q{SELECT * FROM mobilebert.fill_mask('a [MASK]', 'pre')},
	q{SELECT mobilebert.cosine_similarity(v, q), mobilebert.inner_product(v, '{1,2}'::float8[] || v::float8[])
		FROM note WHERE false},
	q{SELECT pg_get_viewdef('piece'::regclass), pg_get_indexdef('note_yes'::regclass),
		pg_get_indexdef('note_document'::regclass), pg_get_functiondef('parsed'::regproc),
		pg_get_partkeydef('sorted'::regclass), pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename = 'heard'},
	q{SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a
		ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = 'note'::regclass ORDER BY a.attnum});

sub answers
{
	my ($where, $database) = @_;

	return [ map { value($where, $_, $database) } @questions ];
}

my $parallel = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;
	SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;};
my $best = q{SELECT mobilebert.best_answers('Who?', body, id::text, 'qa', 3) FROM note};
my $before = answers($node, 'old');
like(value($node, "$parallel EXPLAIN $best", 'old'), qr/Workers Planned: 2/,
	'workers for an aggregate of 1.0');
is(value($node, "$parallel $best", 'old'), value($node, $best, 'old'),
	'give its result');

# A new call does not exist yet.
fails_like($node, q{SELECT mobilebert.label('a', 'yesno', min_score => 0.5)},
	'42883', 'function mobilebert.label', 'no new argument before the update', 'old');
fails_like($node, q{SELECT mobilebert.rank('a', '{b}')},
	'42883', 'function mobilebert.rank', 'no new function', 'old');

# A session that has plans, and indexes' expressions in its cache
my $session = session($node, 'old');
my $scan = q{SELECT count(*) FROM note WHERE mobilebert.label(body, 'yesno') = };
my $partial = q{SELECT count(*) FROM note WHERE mobilebert.embed_document(body, 'pre') = '{1}'
	AND mobilebert.best_label(body, '{post,music}', 'nli') IS NOT NULL};
ask($session, 'SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;');
ask($session, "PREPARE scan(text) AS $scan \$1;");
ask($session, q{PREPARE vector(text) AS SELECT md5(mobilebert.embed($1, 'pre')::text);});
my @used = (
	[ 'EXPLAIN EXECUTE scan(NULL);', qr/note_yes/, 'a prepared statement uses the index' ],
	[ "EXPLAIN $scan 'yes';", qr/note_yes/, 'and a new one' ],
	[ "EXPLAIN $partial;", qr/note_document/, 'a partial index of two calls' ],
	[ q{EXPLAIN SELECT * FROM sorted WHERE mobilebert.label(body, 'yesno') = 'yes';},
		qr/^(?!.*sorted_other).*sorted_yes/s, 'one partition is looked at' ]);
my @kept = (
	q{EXECUTE scan('yes');}, q{EXECUTE vector('text');}, q{SELECT spoken('a letter');},
	q{SELECT parsed('a letter');});
like(ask($session, $_->[0]), $_->[1], "$_->[2], before") for @used;
my @said = map { ask($session, $_) } @kept;
unlike("@said", qr/ERROR/, 'the session has answers');

# Rows of a query that runs on through the update
my $running = session($node, 'old');
ask($running, q{BEGIN; DECLARE rows CURSOR FOR
	SELECT mobilebert.label(body, 'yesno') || md5(mobilebert.embed(body, 'pre')::text) FROM note ORDER BY id;});
my $row = ask($running, 'FETCH rows;');
like($row, qr/[0-9a-f]{32}$/, 'a cursor with its first row');

# ---------------------------------------------------------------------------
# The climb
# ---------------------------------------------------------------------------

value($node, 'BEGIN; ALTER EXTENSION mobilebert UPDATE; ROLLBACK', 'old');
is(installed($node, 'old'), '1.0', 'an update that is rolled back leaves 1.0');
is(value($node, $questions[0], 'old'), $before->[0], 'at work');
value($node, 'ALTER EXTENSION mobilebert UPDATE', 'old');
is(installed($node, 'old'), $version, 'updated');

my $after = answers($node, 'old');
is($after->[$_], $before->[$_], "the same: $questions[$_]") for 0 .. $#questions;
is(value($node, "$parallel $best", 'old'), value($node, $best, 'old'),
	'workers for the aggregate');

like(ask($session, $_->[0]), $_->[1], "$_->[2], after") for @used;
is(ask($session, $kept[$_]), $said[$_], "the session answers as before: $kept[$_]")
  for 0 .. $#kept;
isnt(ask($running, 'FETCH rows;'), $row, 'the cursor goes on');
is(ask($running, 'MOVE ALL rows; COMMIT; SELECT 1;'), '1', 'to its end');
$session->quit;
$running->quit;

is( value(
		$node, q{
		INSERT INTO note VALUES (100, 'Peter wrote letter 1 in Paris. It came late.');
		REFRESH MATERIALIZED VIEW vectors;
		REINDEX TABLE note;
		INSERT INTO sorted VALUES ('a letter');
		INSERT INTO heard VALUES (1, 'yes');
		SELECT a.v = b.v AND a.q = b.q AND a.first = b.first AND a.yes = b.yes AND a.topic = b.topic
		FROM note a, note b WHERE a.id = 1 AND b.id = 100}, 'old'),
	't', 'a new row has the values of an old one');
is(value($node, q{DELETE FROM note WHERE id = 100; SELECT count(*) FROM heard}, 'old'),
	'1', 'the rule is at work');
is(value($node, $questions[5], 'old'), $before->[5],
	'the materialized view has the same rows');

# What users decided
my $embed = 'mobilebert.embed(text, text, text, boolean, int, text, int, text, text, int, int)';
is( value(
		$node, qq{
		SELECT has_function_privilege('reader', '$embed', 'EXECUTE'),
			has_function_privilege('keeper', '$embed', 'EXECUTE'),
			has_function_privilege('reader', 'mobilebert.best_combine(internal, internal)', 'EXECUTE'),
			proowner::regrole, procost
		FROM pg_proc WHERE oid = 'mobilebert.label(text, text, text, text, int, int, real)'::regprocedure}, 'old'),
	't|f|t|keeper|4321', 'rights, owner and cost that users set are kept');
fails_like($node, q{SET ROLE keeper; SELECT mobilebert.embed('a', 'pre')},
	'42501', 'permission denied for function embed', 'a revoked right stays revoked', 'old');
is(value($node, q{SET ROLE reader; SELECT mobilebert.embed('a', 'eighth') IS NOT NULL}, 'old'),
	't', 'a granted one stays granted');
fails_like($node, q{SET ROLE reader; SELECT * FROM mobilebert.import_defaults()},
	'42501', 'permission denied for function import_defaults',
	'what takes names is not for everybody', 'old');

# What is new
is( value(
		$node, q{
		SELECT mobilebert.create_classifier('sorter', (SELECT mobilebert.fit(body,
			CASE id % 2 WHEN 0 THEN 'even' ELSE 'odd' END, 'pre') FROM note));
		SELECT cardinality(mobilebert.embed('a', 'pre', dimensions => 3)),
			cardinality(mobilebert.embed_query('a', 'pre', dimensions => 4)),
			(SELECT count(*) FROM mobilebert.chunk('One. Two.', 'pre', split => 'word')),
			mobilebert.label('a', 'yesno', min_score => 1.1) IS NULL,
			mobilebert.best_label('a', '{b,c}', 'pre', descriptions => '{d,e}') IN ('b', 'c'),
			mobilebert.label('a letter', 'sorter') IN ('even', 'odd'),
			(SELECT count(*) FROM mobilebert.rank('a', '{b,c}')),
			mobilebert.redact('mail a@b.org', NULL, patterns => '{EMAIL}'),
			(SELECT count(*) > 50 FROM mobilebert.help()),
			(SELECT cardinality(mobilebert.centroid(v)) = cardinality(min(v)) FROM note),
			cardinality((SELECT mobilebert.best_matches('a', body, id::text, 'pre', 3) FROM note))}, 'old')
	  =~ s/^.*\n//sr,
	'3|4|1|t|t|t|2|mail [EMAIL]|t|t|3', 'new arguments and new functions');

# ---------------------------------------------------------------------------
# Objects, one by one
# ---------------------------------------------------------------------------

# Every member of the extension with what belongs to it, and all that can be
# said of each, without OIDs.
my $objects = q{
	WITH RECURSIVE member(class, id) AS (
		SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
		WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = 'mobilebert' AND d.deptype = 'e'
		UNION SELECT d.classid, d.objid FROM member m JOIN pg_depend d
			ON d.refclassid = m.class AND d.refobjid = m.id
		WHERE d.deptype IN ('i', 'a')
			AND NOT (d.classid = 'pg_class'::regclass AND (SELECT relnamespace FROM pg_class
				WHERE oid = d.objid) = 'pg_toast'::regnamespace)),
	said(class, id, key, value) AS (
		SELECT class, id, 'comment', obj_description(id, class::regclass::name) FROM member
		UNION ALL SELECT class, id, 'belongs to ' || deptype::text,
			(pg_identify_object(refclassid, refobjid, refobjsubid)).identity
		FROM member JOIN pg_depend d ON d.classid = class AND d.objid = id
		UNION ALL SELECT class, id, 'rights before users', initprivs::text
		FROM member JOIN pg_init_privs ON classoid = class AND objoid = id
		UNION ALL SELECT 'pg_proc'::regclass, oid, 'definition', pg_get_functiondef(oid)
		FROM pg_proc WHERE prokind <> 'a'
		UNION ALL SELECT 'pg_proc'::regclass, oid, 'form', pg_get_function_arguments(oid) || ': ' || pg_get_function_result(oid)
		FROM pg_proc
		UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'function', (to_jsonb(p) - '{oid,pronamespace,prorettype,proargtypes,proallargtypes,proargdefaults}'::text[])::text
		FROM pg_proc p
		UNION ALL SELECT 'pg_proc'::regclass, a.aggfnoid, 'aggregate', (to_jsonb(a) - '{aggfnoid,aggtranstype}'::text[])::text || aggtranstype::regtype
		FROM pg_aggregate a
		UNION ALL SELECT 'pg_type'::regclass, t.oid, 'type', (to_jsonb(t) - '{oid,typnamespace,typrelid,typelem,typarray}'::text[])::text
		FROM pg_type t
		UNION ALL SELECT 'pg_cast'::regclass, c.oid, 'cast', castfunc::regprocedure || castcontext::text || castmethod::text
		FROM pg_cast c
		UNION ALL SELECT 'pg_class'::regclass, c.oid, 'relation', relkind::text || relpersistence::text || relreplident::text
			|| relrowsecurity || concat(relacl, reloptions)
		FROM pg_class c
		UNION ALL SELECT 'pg_class'::regclass, oid, 'view', pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v'
		UNION ALL SELECT 'pg_class'::regclass, oid, 'index', pg_get_indexdef(oid) FROM pg_class WHERE relkind = 'i'
		UNION ALL SELECT 'pg_class'::regclass, attrelid, 'column ' || attnum, concat_ws(' ', attname, format_type(atttypid, atttypmod),
			attcollation::regcollation, attstorage, attnotnull, attgenerated, attacl, col_description(attrelid, attnum))
		FROM pg_attribute WHERE attnum > 0
		UNION ALL SELECT 'pg_constraint'::regclass, oid, 'constraint', pg_get_constraintdef(oid) FROM pg_constraint
		UNION ALL SELECT 'pg_trigger'::regclass, oid, 'trigger', pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger
		UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'default', pg_get_expr(adbin, adrelid) FROM pg_attrdef
		UNION ALL SELECT 'pg_extension'::regclass, e.oid, 'data is dumped of ' || c.id::regclass, c.condition
		FROM pg_extension e, unnest(extconfig, extcondition) c(id, condition) WHERE extname = 'mobilebert')
	SELECT replace(i.type || ' ' || i.identity || ', ' || key || ': ' || value, E'\n', ' ') COLLATE "C"
	FROM (SELECT * FROM member UNION SELECT 'pg_extension'::regclass, oid FROM pg_extension WHERE extname = 'mobilebert') m
		JOIN said USING (class, id), pg_identify_object(class, id, 0) i
	WHERE value <> '' ORDER BY 1};

sub objects
{
	my ($database) = @_;

	return split(/\n/, value($node, $objects, $database));
}

value($node, 'CREATE DATABASE climbed');
value($node, q{CREATE EXTENSION mobilebert VERSION '1.0';
	GRANT CREATE ON SCHEMA mobilebert TO reader;
	SET ROLE reader;
	CREATE FUNCTION mobilebert.l2_normalize(vector real[]) RETURNS real[]
		LANGUAGE sql AS 'SELECT vector'}, 'climbed');
fails_like($node, 'ALTER EXTENSION mobilebert UPDATE',
	'42723', 'function "l2_normalize" already exists',
	'what others put in the schema is not taken over', 'climbed');
value($node, q{DROP FUNCTION mobilebert.l2_normalize(real[]);
	REVOKE CREATE ON SCHEMA mobilebert FROM reader;
	ALTER EXTENSION mobilebert UPDATE}, 'climbed');
my %fresh = map { $_ => 1 } objects('postgres');
my %climbed = map { $_ => 1 } objects('climbed');
cmp_ok(scalar(keys %fresh), '>', 1000, 'much is said of the objects');
is_deeply([ grep { !$climbed{$_} } sort keys %fresh ], [],
	'nothing that a fresh installation has is missing after an update');
is_deeply([ grep { !$fresh{$_} } sort keys %climbed ], [],
	'and nothing is there that it has not');

# ---------------------------------------------------------------------------
# Dumps
# ---------------------------------------------------------------------------

my $there = PostgreSQL::Test::Cluster->new('there');
$there->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$there->start;
value($there, 'CREATE ROLE reader; CREATE ROLE keeper; CREATE DATABASE climbed; CREATE DATABASE old');

value($node, q{SELECT mobilebert.drop_model('sorter')}, 'old');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$place/after", 'old' ],
	'pg_dump after the update');
$there->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'climbed', "$place/after" ],
	'is restored');
is_deeply(answers($there, 'climbed'), $after, 'with the same answers');
is( value($there, qq{SELECT has_function_privilege('reader', '$embed', 'EXECUTE'),
		has_function_privilege('keeper', '$embed', 'EXECUTE')}, 'climbed'),
	't|f', 'and rights');

$there->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'old', "$place/before" ],
	'a dump of 1.0 is restored where this version is');
is(installed($there, 'old'), $version, 'as this version');
is_deeply(answers($there, 'old'), $before, 'with the same answers');

unharmed($node);
unharmed($there);
done_testing();
