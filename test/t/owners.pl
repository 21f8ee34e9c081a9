#-------------------------------------------------------------------------
#
# owners.pl
#		Owners and grantees are roles: who owns a model after roles were
#		dropped, made again or renamed, and after rows came from elsewhere.
#
# ../../sql/rights.sql has what one cluster can show by itself.
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

my $node = new_server('owners', streaming => 'logical');
my $place = PostgreSQL::Test::Utils::tempdir();

# What a role may do with the model.
sub rights
{
	my ($where, $role, $database) = @_;
	my %ask = (
		sees => q{SELECT count(*) FROM mobilebert.models WHERE name = 'private'},
		uses => q{SELECT count(mobilebert.embed('a text', 'private'))},
		owns => q{SELECT count(*) FROM mobilebert.revoke_model('private', 'nobody')});
	my @may;

	for my $what (sort keys %ask)
	{
		my ($status, $out) =
		  $where->psql($database || 'postgres', "SET ROLE $role; $ask{$what}");
		push @may, $what if $status == 0 && $out eq '1';
	}
	return join(' ', @may);
}

# So it is everywhere: the owner, a grantee, another role.
sub rights_are
{
	my ($where, $database, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( join(', ', map { "$_: " . rights($where, $_, $database) }
		  sort grep { $_ } keys %$expected),
		join(', ', map { "$_: $expected->{$_}" } sort keys %$expected),
		$name);
	return;
}

value(
	$node, q{
	CREATE ROLE alice;
	CREATE ROLE gina;
	CREATE ROLE other;
	CREATE ROLE mallory CREATEROLE LOGIN;
	GRANT pg_read_server_files TO alice;
	SET ROLE alice;
	SELECT mobilebert.import_model('private', '}
	  . golden('one-layer-one-head') . q{');
	SELECT mobilebert.revoke_model('private', 'public');
	SELECT mobilebert.grant_model('private', 'gina')});
my %as_made = (alice => 'owns sees uses', gina => 'sees uses', other => '');
rights_are($node, undef, \%as_made, 'owner, grantee and another');

my $dump = "$place/dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
sub restored
{
	my ($where, $database, @options) = @_;

	value($where, "CREATE DATABASE $database");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$where->command_ok(
		[
			'pg_restore', '--exit-on-error', '-d', $database, @options, $dump
		],
		"restored: $database");
	return;
}

# --------------------------------------------------------------------------
# The same cluster
# --------------------------------------------------------------------------

restored($node, 'same');
rights_are($node, 'same', \%as_made, 'a restore into the same cluster');

# DROP ROLE, and whoever may make roles makes it again and takes it
my $listening = session($node);
my $use = q{SELECT count(mobilebert.embed('a text', 'private'))};
is(ask($listening, "SET ROLE gina; $use"), 1, 'a session of the grantee');
value($node, 'DROP OWNED BY alice; DROP ROLE alice, gina');
value(
	$node, q{
	SET SESSION AUTHORIZATION mallory;
	CREATE ROLE alice;
	CREATE ROLE gina;
	GRANT alice, gina TO mallory});
rights_are(
	$node, undef,
	{ alice => '', gina => '', mallory => '', other => '' },
	'roles made again under the names of dropped ones get nothing');
rights_are($node, 'same', { alice => '', gina => '', mallory => '' },
	'in no database');
like(ask($listening, $use), qr/ERROR/, 'nor in a session of before');
$listening->quit;
fails_like(
	$node, q{SET ROLE alice; SELECT mobilebert.drop_model('private')},
	'42501',
	'must be owner of model "private".*The role that owned model "private" is gone.*set_model_owner\(\'private\'',
	'the error says so');
restored($node, 'later');
rights_are($node, 'later', { alice => '', gina => '', mallory => '' },
	'a dump from before does not bring them back');
is( value(
		$node,
		q{SELECT mobilebert.set_model_owner('private', 'alice');
		SELECT mobilebert.revoke_model('private', 'gina');
		SELECT mobilebert.grant_model('private', 'gina');
		SELECT owner FROM mobilebert.models}),
	"\n\n\nalice",
	'a superuser sets it right');
rights_are($node, undef, { %as_made, mallory => 'owns sees uses' },
	'and then they have it');

# renamed: the same role; a dump with the old name means nobody
value($node, 'ALTER ROLE alice RENAME TO alicia; CREATE ROLE alice');
rights_are(
	$node, undef,
	{ alicia => 'owns sees uses', alice => '', gina => 'sees uses' },
	'a role that is renamed keeps its model');
is(value($node, 'SELECT owner FROM mobilebert.models'),
	'alicia', 'the view shows its name of today');
value($node, 'DROP DATABASE later; ALTER ROLE alice RENAME TO alice2');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
restored($node, 'later');
rights_are($node, 'later', { alicia => '', alice2 => '', gina => 'sees uses' },
	'not after a restore that finds another name');
value($node, 'ALTER ROLE gina RENAME TO gaia; ALTER ROLE other RENAME TO gina');
is( value(
		$node, q{
		SELECT mobilebert.set_model_owner(m.name, r.now) FROM mobilebert.model m,
			mobilebert.role_now(m.owner, m.owner_oid, m.owner_cluster) AS r(now) WHERE r.now <> m.owner;
		SELECT mobilebert.grant_model(m.name, r.now) FROM mobilebert.model m JOIN mobilebert.model_grant g ON g.model_id = m.id,
			mobilebert.role_now(g.grantee, g.grantee_oid, g.grantee_cluster) AS r(now) WHERE r.now <> g.grantee;
		SELECT owner FROM mobilebert.model;
		SELECT grantee FROM mobilebert.model_grant}),
	"\n\nalicia\ngaia", 'what README gives writes the names of today');
value($node, 'DROP DATABASE later');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
restored($node, 'later');
rights_are($node, 'later',
	{ alicia => 'owns sees uses', alice2 => '', gaia => 'sees uses', gina => '' },
	'which a dump has then');
value($node, 'ALTER ROLE alicia RENAME TO alice; ALTER ROLE gina RENAME TO other;
	ALTER ROLE gaia RENAME TO gina');
rights_are($node, undef, \%as_made, 'renamed back');

# --------------------------------------------------------------------------
# Rows of another cluster
# --------------------------------------------------------------------------

# An identifier that is not this cluster's, as pg_upgrade leaves it.
sub foreign
{
	my ($owner_oid, $grantee_oid) = @_;

	value(
		$node, qq{
		ALTER TABLE mobilebert.model DISABLE TRIGGER role_arrived;
		ALTER TABLE mobilebert.model_grant DISABLE TRIGGER role_arrived;
		UPDATE mobilebert.model SET owner = 'alice', owner_oid = $owner_oid, owner_cluster = 1;
		UPDATE mobilebert.model_grant SET grantee = 'gina', grantee_oid = $grantee_oid, grantee_cluster = 1;
		ALTER TABLE mobilebert.model ENABLE ALWAYS TRIGGER role_arrived;
		ALTER TABLE mobilebert.model_grant ENABLE ALWAYS TRIGGER role_arrived});
	return;
}

my %mean = map { $_ => value($node, "SELECT '$_'::regrole::oid") } qw(alice gina);
foreign(@mean{qw(alice gina)});
rights_are($node, undef, \%as_made,
	'after pg_upgrade: the roles with the OIDs and the names');
foreign(@mean{qw(gina alice)});
rights_are($node, undef, { alice => '', gina => '', mallory => '' },
	'not those with the names alone');
foreign(@mean{qw(alice gina)});
value($node, 'ALTER ROLE alice RENAME TO alicia; ALTER ROLE gina RENAME TO gaia');
rights_are($node, undef, { alicia => '', gaia => '' }, 'nor the OIDs alone');
value($node, 'ALTER ROLE alicia RENAME TO alice; ALTER ROLE gaia RENAME TO gina');
is( value(
		$node,
		q{SELECT mobilebert.rename_model('private', 'other');
		SELECT mobilebert.rename_model('other', 'private');
		ALTER ROLE alice RENAME TO alicia}),
	"\n",
	'changed and renamed');
rights_are($node, undef, { alicia => 'owns sees uses', gina => 'sees uses' },
	'the first change makes it a row of this cluster');
value($node, 'ALTER ROLE alicia RENAME TO alice');

# a change does not look for a name that was somebody else's
foreign(1, 1);
value(
	$node, q{SELECT mobilebert.rename_model('private', 'other');
	SELECT mobilebert.rename_model('other', 'private')});
rights_are($node, undef, { alice => '', gina => '' },
	'who is nobody stays nobody');
is( value(
		$node, q{
		SELECT mobilebert.set_model_owner(m.name, m.owner) FROM mobilebert.model m
		WHERE m.owner_cluster <> (SELECT system_identifier FROM pg_control_system());
		SELECT mobilebert.grant_model(m.name, g.grantee) FROM mobilebert.model m
			JOIN mobilebert.model_grant g ON g.model_id = m.id
		WHERE g.grantee_cluster <> (SELECT system_identifier FROM pg_control_system())}
	),
	"\n",
	'what README gives sets all rows right');
rights_are($node, undef, \%as_made, 'they have it again');

# --------------------------------------------------------------------------
# Another cluster: restore, then replication
# --------------------------------------------------------------------------

$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, 'postgres' ], 'pg_dump');
my $elsewhere = new_server('elsewhere');
value(
	$elsewhere, q{
	CREATE ROLE mallory CREATEROLE LOGIN;
	CREATE ROLE filler1; CREATE ROLE filler2;
	CREATE ROLE alice; CREATE ROLE other});
restored($elsewhere, 'there');
rights_are(
	$elsewhere, 'there',
	{ alice => 'owns sees uses', other => '', mallory => '' },
	'by name in another cluster');
value(
	$elsewhere, q{
	SET SESSION AUTHORIZATION mallory;
	CREATE ROLE gina;
	GRANT gina TO mallory});
rights_are($elsewhere, 'there', { gina => '', mallory => '' },
	'a role that came after the rows gets nothing');
value($elsewhere, q{DROP ROLE alice; CREATE ROLE alice});
rights_are($elsewhere, 'there', { alice => '' },
	'and one made again neither');

restored($elsewhere, 'raw', '--section=pre-data');
$elsewhere->command_ok(
	[
		'pg_restore', '--data-only', '--disable-triggers', '--exit-on-error',
		'-d', 'raw', $dump
	],
	'restored without triggers');
rights_are($elsewhere, 'raw', { alice => '', gina => '' },
	'rows that no trigger saw mean nobody by name');

# a subscriber, where alice is another role than on the publisher
my $subscriber = $elsewhere;
my @tables = map { "mobilebert.$_" }
  qw(model model_file tensor tensor_chunk model_tensor model_grant task_default);
value($node, 'CREATE PUBLICATION models FOR TABLE ' . join(', ', @tables));
value(
	$subscriber, q{
	CREATE SUBSCRIPTION models CONNECTION '}
	  . $node->connstr . q{ dbname=postgres' PUBLICATION models});
$subscriber->wait_for_subscription_sync($node, 'models');
rights_are($subscriber, undef, { %as_made, mallory => 'sees uses' },
	'by name on a subscriber');
value($subscriber, 'DROP ROLE alice; CREATE ROLE alice');
value($node, q{SELECT mobilebert.rename_model('private', 'renamed');
	SELECT mobilebert.rename_model('renamed', 'private')});
$node->wait_for_catchup('models');
rights_are($subscriber, undef, { alice => '' },
	'a change there does not give it to a role made again here');
value($node, q{SELECT mobilebert.set_model_owner('private', 'other');
	SELECT mobilebert.revoke_model('private', 'gina')});
$node->wait_for_catchup('models');
rights_are($subscriber, undef, { alice => '', gina => '', other => 'owns sees uses' },
	'an owner that was set there and a right that was taken back there');
value($subscriber, 'DROP SUBSCRIPTION models');

unharmed($node);
unharmed($subscriber);
done_testing();
