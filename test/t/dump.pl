#-------------------------------------------------------------------------
#
# dump.pl
#		The registry is ordinary data: dumped and restored, backed up, and
#		replicated to a hot standby, with the same embeddings bit for bit.
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

my $node = new_server('dump', streaming => 1);
my $place = PostgreSQL::Test::Utils::tempdir();
my $tiny = golden('one-layer-one-head');

value(
	$node, q{
	CREATE ROLE clerk;
	CREATE ROLE guest;
	SELECT mobilebert.import_model('main', '} . golden('store-sharded') . q{');
	SELECT mobilebert.set_default_model('embed', 'main');
	SELECT mobilebert.import_model('tiny', '} . $tiny . q{');
	SELECT mobilebert.import_model('again', '} . $tiny . q{');
	SELECT mobilebert.import_model('lines', '} . golden('tok-only-vocab') . q{');
	SELECT mobilebert.create_variant('eighth', 'main', 'int8');
	SELECT mobilebert.create_classifier('sorter', (SELECT mobilebert.fit(
			'text ' || g, CASE g % 3 WHEN 0 THEN 'one "third"' ELSE 'others' END, 'tiny')
		FROM generate_series(1, 30) g));
	CREATE TABLE kept AS SELECT mobilebert.fit('text ' || g, g::float8, 'main') AS fitted
		FROM generate_series(1, 30) g;
	SELECT mobilebert.revoke_model('tiny', 'public');
	SELECT mobilebert.grant_model('tiny', 'guest');
	SELECT mobilebert.set_default_model('ner', 'lines');
	GRANT pg_read_server_files TO clerk;
	SET ROLE clerk;
	SELECT mobilebert.import_model('clerks', '} . golden('store-f16') . q{');
	RESET ROLE;
	CREATE TABLE passages (id int, body text,
		vector real[] GENERATED ALWAYS AS
			(mobilebert.embed(body, 'main')) STORED);
	INSERT INTO passages VALUES
		(1, 'We the people'), (2, 'Ask not what your country can do'),
		(3, 'Ünïcödé, 中文 and 🙂'), (4, ''), (5, NULL);
	CREATE INDEX ON passages (mobilebert.count_tokens(body, 'main'))});

# What must be the same everywhere.
my @questions = (
	q{SELECT name || ' ' || owner || ' ' || sha256 || ' ' || tasks::text || ' ' || "precision"
		FROM mobilebert.models ORDER BY name},
	q{SELECT name, mobilebert.fingerprint(name) FROM mobilebert.models
		ORDER BY name},
	q{SELECT name, md5(mobilebert.embed('the same text', name)::text)
		FROM mobilebert.models ORDER BY name},
	q{SELECT id, md5(vector::text), vector = mobilebert.embed(body, 'main')
		FROM passages ORDER BY id},
	q{SELECT c, mobilebert.uncertainty('the same text', 'sorter')
		FROM mobilebert.classify('the same text', 'sorter') c},
	q{SELECT md5(fitted::text) FROM kept},
	q{SELECT t, mobilebert.default_model(t)
		FROM unnest('{embed,ner,answer}'::text[]) t},
	q{SELECT grantee, count(*) FROM mobilebert.model_grant GROUP BY 1
		ORDER BY grantee::text COLLATE "C"},
	q{SELECT name, mobilebert.model_config(name) FROM mobilebert.models
		ORDER BY name});

sub answers
{
	my ($where, $database) = @_;

	return join("\n", map { value($where, $_, $database) } @questions);
}

my $expected = answers($node);
like($expected, qr/clerks/, 'models of two owners');

# --------------------------------------------------------------------------
# pg_dump
# --------------------------------------------------------------------------

my $fresh = PostgreSQL::Test::Cluster->new('fresh');
$fresh->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$fresh->start;
# no role guest here: what it may use is restored all the same
value($fresh, 'CREATE ROLE clerk');
value($fresh, 'CREATE DATABASE custom; CREATE DATABASE plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$place/custom", 'postgres' ],
	'pg_dump in custom form');
$fresh->command_ok(
	[ 'pg_restore', '--exit-on-error', '-d', 'custom', "$place/custom" ],
	'pg_restore into a fresh cluster');
is(answers($fresh, 'custom'), $expected, 'same answers');

$node->command_ok([ 'pg_dump', '-f', "$place/plain", 'postgres' ],
	'pg_dump as text');
$fresh->command_ok(
	[ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$place/plain", 'plain' ],
	'read by psql');
is(answers($fresh, 'plain'), $expected, 'same answers');
fails_like(
	$fresh, q{SET ROLE clerk; SELECT mobilebert.embed('x', 'tiny')},
	'42501', 'permission denied for model "tiny"',
	'grants are restored', 'plain');
is( value(
		$fresh,
		q{SELECT mobilebert.drop_model('tiny'), mobilebert.drop_model('again')},
		'plain'),
	'|', 'restored models can be dropped');
is( value(
		$fresh,
		q{SELECT count(*) FROM mobilebert.tensor t
			WHERE NOT EXISTS (SELECT FROM mobilebert.model_tensor m
				WHERE m.tensor_id = t.id)}, 'plain'),
	0,
	'with their tensors');

# pg_dump knows nothing of a table's need for a model while its generated
# columns are computed; where tables may come before schema mobilebert (by
# name, or with several jobs), the registry's data is restored first
value($node, 'CREATE DATABASE early');
value(
	$node, q{
	CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('main', '} . $tiny . q{');
	CREATE SCHEMA archive;
	CREATE TABLE archive.passages (body text, vector real[] GENERATED ALWAYS AS
		(mobilebert.embed(body, 'main')) STORED);
	INSERT INTO archive.passages VALUES ('some'), ('words')}, 'early');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$place/early", 'early' ],
	'pg_dump of generated columns in a schema that comes first');
value($fresh, 'CREATE DATABASE early');
for my $step (
	[ '--section=pre-data' ],
	[ '--section=data', '-n', 'mobilebert' ],
	[ '--section=data', '-N', 'mobilebert', '-j', '2' ],
	[ '--section=post-data' ])
{
	$fresh->command_ok(
		[
			'pg_restore', '--exit-on-error', '-d', 'early', @$step,
			"$place/early"
		],
		"pg_restore @$step");
}
my $vectors = 'SELECT body, vector FROM archive.passages ORDER BY body';
is(value($fresh, $vectors, 'early'), value($node, $vectors, 'early'),
	'same vectors');

# Who may dump: the registry's tables are the extension's owner's.  The owner of
# the database gets the right by one GRANT, which a restore brings back;
# pg_read_all_data has it.
value(
	$node, q{
	CREATE ROLE keeper LOGIN;
	CREATE ROLE backups LOGIN;
	GRANT pg_read_all_data TO backups;
	CREATE DATABASE kept OWNER keeper});
value(
	$node, q{
	CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('secret', '} . $tiny . q{');
	SELECT mobilebert.revoke_model('secret', 'public');
	SET ROLE keeper;
	CREATE TABLE notes (body text);
	INSERT INTO notes VALUES ('some'), ('words')}, 'kept');
# pg_dumpall dumps the other databases too
value($node, 'GRANT SELECT ON passages, kept TO keeper');
value($node, 'GRANT USAGE ON SCHEMA archive TO keeper;
	GRANT SELECT ON archive.passages TO keeper', 'early');

sub dumps
{
	my ($role, @options) = @_;
	my $program = grep({ /role-passwords/ } @options) ? 'pg_dumpall' : 'pg_dump';

	return ($program, '-U', $role, '-f', "$place/kept", @options,
		$program eq 'pg_dump' ? 'kept' : ());
}

my @forms = (
	[], ['--data-only'], [ '-t', 'mobilebert.model' ],
	['--no-role-passwords']);
my @narrow = (
	['--schema-only'],
	[ '-t', 'notes' ],
	['--exclude-table-data=mobilebert.*'],
	[ '--no-role-passwords', '--schema-only' ]);

for my $options (@forms)
{
	$node->command_fails_like(
		[ dumps('keeper', @$options) ],
		qr/permission denied for table model\b/,
		"without a right to the registry: @$options");
}
$node->command_ok([ dumps('keeper', @$_) ], "needs none: @$_") for @narrow;
$node->command_ok([ dumps('backups', @$_) ], "pg_read_all_data: @$_")
  for @forms, @narrow;
for my $database (qw(kept early postgres))
{
	value($node, 'GRANT SELECT ON ALL TABLES IN SCHEMA mobilebert TO keeper',
		$database);
}
$node->command_ok([ dumps('keeper', @$_) ], "by a grant: @$_")
  for @narrow, reverse @forms;
fails_like($node, q{SET ROLE keeper; SELECT mobilebert.embed('x', 'secret')},
	'42501', 'permission denied for model', 'which is no grant of a model',
	'kept');
value($fresh, 'CREATE ROLE keeper; CREATE DATABASE kept');
$fresh->command_ok(
	[ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$place/kept", 'kept' ],
	'what it dumped is restored');
is( value($fresh, q{SELECT mobilebert.fingerprint('secret')}, 'kept'),
	value($node, q{SELECT mobilebert.fingerprint('secret')}, 'kept'),
	'with its model');
is(value($fresh, q{SELECT has_table_privilege('keeper', 'mobilebert.tensor', 'SELECT')}, 'kept'),
	't', 'and the right');
unharmed($fresh);
$fresh->stop;

# --------------------------------------------------------------------------
# Base backup and hot standby
# --------------------------------------------------------------------------

ok(-d $node->data_dir . '/pgsql_tmp_mobilebert', 'there are images');
$node->backup('base');
ok(!-e $node->backup_dir . '/base/pgsql_tmp_mobilebert',
	'a base backup leaves them out');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(value($standby, 'SELECT pg_is_in_recovery()'), 't', 'a hot standby');
is(answers($standby), $expected, 'same answers on it');
fails_like($standby, q{SELECT mobilebert.drop_model('tiny')},
	'25006', 'read-only', 'it cannot change the registry');
fails_like($standby, "SELECT mobilebert.import_model('x', '$tiny')",
	'25006', 'read-only', 'nor import');

my $there = session($standby);
my $use = q{SELECT md5(mobilebert.embed('words', '%s')::text)};
my $result = ask($there, sprintf($use, 'tiny'));
like($result, qr/^\w{32}$/, 'a session on the standby');
value($node, q{SELECT mobilebert.drop_model('tiny')});
$node->wait_for_catchup($standby);
like(
	ask($there, sprintf($use, 'tiny')),
	qr/model "tiny" does not exist/,
	'notices a drop on the primary');
value($node, "SELECT mobilebert.import_model('newer', '$tiny')");
$node->wait_for_catchup($standby);
is(ask($there, sprintf($use, 'newer')), $result, 'and an import');
value($node, q{SELECT mobilebert.revoke_model('newer', 'public')});
$node->wait_for_catchup($standby);
like(
	ask($there, q{SET ROLE clerk; } . sprintf($use, 'newer')),
	qr/permission denied/,
	'and a revoked right');
$there->quit;

$standby->promote;
is(value($standby, sprintf($use, 'newer')), $result, 'after promotion');
is(value($standby, q{SELECT mobilebert.drop_model('newer')}),
	'', 'it may change the registry');
unharmed($standby);
unharmed($node);

done_testing();
