#-------------------------------------------------------------------------
#
# race.pl
#		Sessions that import, drop, rename, grant, roll back and use models, all
#		at once and by chance: every statement gives a right result or a clean
#		error, and no row or file is left over.
#
# Two checkpoints go by four names, so whatever a session gets from a name is
# one of two known vectors.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = 8;
my $seconds = 8;
my $node = new_server('race');
my $place = PostgreSQL::Test::Utils::tempdir();
my $first = golden('one-layer-one-head');
my $second = golden('store-f16');

value(
	$node, qq{
	CREATE TABLE outcome (what text, state text, message text);
	CREATE TABLE known AS SELECT 0 AS id, ''::text AS vector LIMIT 0;
	SELECT mobilebert.import_model('a', '$first');
	INSERT INTO known SELECT 1, mobilebert.embed('some words', 'a')::text;
	SELECT mobilebert.import_model('b', '$second');
	INSERT INTO known SELECT 2, mobilebert.embed('some words', 'b')::text;
	CREATE ROLE other;
	CREATE TABLE lines AS SELECT 'some words' AS body
		FROM generate_series(1, 50);
	ALTER TABLE lines SET (parallel_workers = 2);
	-- one step by chance; the outcome is written down, also when it fails
	CREATE PROCEDURE step() LANGUAGE plpgsql AS \$\$
	DECLARE
		names text[] := '{a,b,c,d}';
		name text := names[1 + floor(random() * 4)];
		what text := (ARRAY['import', 'import', 'drop', 'rename', 'use', 'use',
			'use', 'parallel', 'rollback', 'grant', 'many', 'view'])
			[1 + floor(random() * 12)];
		state text := '00000';
		message text;
	BEGIN
		BEGIN
			CASE what
			WHEN 'import' THEN
				PERFORM mobilebert.import_model(name,
					CASE WHEN random() < 0.5 THEN '$first' ELSE '$second' END);
				PERFORM mobilebert.embed('more words', name);
			WHEN 'drop' THEN
				PERFORM mobilebert.drop_model(name);
			WHEN 'rename' THEN
				PERFORM mobilebert.rename_model(name,
					names[1 + floor(random() * 4)]);
			WHEN 'use' THEN
				IF NOT EXISTS (SELECT FROM known WHERE
					vector = mobilebert.embed('some words', name)::text)
				THEN
					message := 'unknown vector';
				END IF;
			WHEN 'parallel' THEN
				IF (SELECT count(*) FROM lines WHERE mobilebert.embed(body, name)::text
					NOT IN (SELECT vector FROM known)) > 0
				THEN
					message := 'unknown vector';
				END IF;
			WHEN 'rollback' THEN
				PERFORM mobilebert.drop_model(name);
				PERFORM mobilebert.import_model(name, '$second');
				PERFORM mobilebert.embed('more words', name);
				RAISE EXCEPTION SQLSTATE 'MB001';
			WHEN 'grant' THEN
				PERFORM mobilebert.grant_model(name, 'other');
				PERFORM mobilebert.revoke_model(name, 'other');
			WHEN 'many' THEN
				PERFORM mobilebert.embed(ARRAY['a', 'b', 'some words'], name);
			WHEN 'view' THEN
				PERFORM mobilebert.model_config(m.name), mobilebert.fingerprint(m.name)
				FROM mobilebert.models m;
			END CASE;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
				message = MESSAGE_TEXT;
		END;
		INSERT INTO outcome VALUES (what, state, message);
	END \$\$});
write_file("$place/script", "CALL step();\n");
$node->command_ok(
	[
		'pgbench', '-n', '-c', $clients, '-j', 2, '-T', $seconds, '-f',
		"$place/script", 'postgres'
	],
	"$clients sessions for $seconds s");

cmp_ok(value($node, 'SELECT count(*) FROM outcome'),
	'>', 200, 'many steps were made');
is( value(
		$node, q{SELECT count(DISTINCT what) FROM outcome WHERE state = '00000'
			OR what = 'rollback' AND state = 'MB001'}),
	9,
	'each kind with success');
is( value(
		$node, q{SELECT DISTINCT what, state, message FROM outcome
			WHERE message = 'unknown vector'
				OR state NOT IN ('00000', 'MB001', '42704', '42710')}),
	'',
	'no other errors than models that are missing or there');
diag('steps: ' . value(
		$node, q{SELECT string_agg(what || ' ' || n, ', ' ORDER BY what) FROM
			(SELECT what, count(*) || '/' || count(*) FILTER (WHERE state <> '00000')
				AS n FROM outcome GROUP BY 1) x}));

# what is left fits together, once a drop has looked for tensors that an import
# held while their last model went, and that was rolled back
value($node, "SELECT mobilebert.import_model('last', '$first');
	SELECT mobilebert.drop_model('last')");
is( value(
		$node, q{SELECT count(*) FROM mobilebert.tensor t
			WHERE NOT EXISTS (SELECT FROM mobilebert.model_tensor m
				WHERE m.tensor_id = t.id)
			OR bytes <> (SELECT sum(length(data)) FROM mobilebert.tensor_chunk c
				WHERE c.tensor_id = t.id)}),
	0,
	'all tensors are used and whole');
value($node, q{SELECT mobilebert.drop_model(name) FROM mobilebert.models});
is(registry_counts($node), '0|0|0|0|0|0|0', 'all of it can be dropped');

my $images = $node->data_dir . '/pgsql_tmp_mobilebert';
is(scalar(grep { /\.tmp/ } glob("$images/*")), 0, 'no temporary file');
utime time - 100, time - 100, glob("$images/*");
value($node, "SELECT mobilebert.import_model('a', '$first');
	SELECT mobilebert.prewarm('a')");
is(scalar(grep { /\.image$/ } glob("$images/*")), 1, 'one image is left');
unharmed($node);

done_testing();
