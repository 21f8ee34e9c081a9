#-------------------------------------------------------------------------
#
# install.pl
#		CREATE EXTENSION where there is a schema of the extension's name already:
#		only an empty one of a trusted owner is taken.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $node = new_server('install');
my $create = 'CREATE EXTENSION mobilebert';

value($node, 'CREATE ROLE mallory');

# A database in which somebody was there first.
sub prepared
{
	my ($name, $sql) = @_;

	value($node, "CREATE DATABASE $name");
	value($node, $sql, $name);
	return $name;
}

sub refused
{
	my ($name, $sql, $message, $test) = @_;

	prepared($name, $sql);
	fails_like($node, $create, '55000', "$message.*HINT:", $test, $name);
	is( value($node, q{SELECT count(*) FROM pg_extension
			WHERE extname = 'mobilebert'}, $name),
		0, "$test: nothing is installed");
	return;
}

# The attack: a function that fits varchar better than the extension's.
my $trap = q{CREATE FUNCTION mobilebert.embed(input varchar) RETURNS real[]
	LANGUAGE plpgsql AS $$BEGIN
		RAISE EXCEPTION 'runs as %', current_user; END$$};

refused('foreign_full',
	"CREATE SCHEMA mobilebert AUTHORIZATION mallory; SET ROLE mallory; $trap",
	'schema "mobilebert" belongs to role "mallory"',
	'a schema of another role, with a function in it');
refused('foreign_empty', 'CREATE SCHEMA mobilebert AUTHORIZATION mallory',
	'schema "mobilebert" belongs to role "mallory"',
	'an empty one, into which its owner could put it later');
refused('handed_over',
	"CREATE SCHEMA mobilebert AUTHORIZATION mallory; SET ROLE mallory; $trap;
	RESET ROLE; ALTER SCHEMA mobilebert OWNER TO CURRENT_USER",
	'schema "mobilebert" is not empty.*function embed\(character varying\)',
	'a schema of our own that keeps what another made');
for my $kind (
	'TABLE mobilebert.t ()',
	'TYPE mobilebert.t AS (i int)',
	'DOMAIN mobilebert.t AS int',
	'SEQUENCE mobilebert.t',
	'OPERATOR mobilebert.= (FUNCTION = textlike, LEFTARG = text, RIGHTARG = text)',
	'COLLATION mobilebert.t FROM "C"',
	'TEXT SEARCH DICTIONARY mobilebert.t (TEMPLATE = simple)')
{
	my ($what) = $kind =~ /^(\w+)/;

	refused('with_' . lc($what), "CREATE SCHEMA mobilebert; CREATE $kind",
		'schema "mobilebert" is not empty',
		lc("a schema with a $what"));
}
refused('open_to_one',
	'CREATE SCHEMA mobilebert; GRANT CREATE ON SCHEMA mobilebert TO mallory',
	'role "mallory" may create objects in schema "mobilebert"',
	'a schema in which another may create');
refused('open_to_all',
	'CREATE SCHEMA mobilebert; GRANT ALL ON SCHEMA mobilebert TO PUBLIC',
	'role "public" may create objects in schema "mobilebert"',
	'a schema in which everybody may');

# What must go on working.
value($node, q{
	CREATE ROLE boss SUPERUSER;
	CREATE ROLE user_of_it});
for my $case (
	[ 'empty_own', 'CREATE SCHEMA mobilebert' ],
	[ 'empty_superuser', 'CREATE SCHEMA mobilebert AUTHORIZATION boss' ],
	[ 'used_by', 'CREATE SCHEMA mobilebert; GRANT USAGE ON SCHEMA mobilebert
		TO PUBLIC, user_of_it; GRANT CREATE ON SCHEMA mobilebert TO boss' ],
	[ 'again', "$create; DROP EXTENSION mobilebert" ])
{
	my ($name, $sql) = @$case;

	prepared($name, $sql);
	value($node, $create, $name);
	is( value($node, q{SELECT count(*) FROM mobilebert.models}, $name),
		0, "schema as in database $name: installed");
}
unharmed($node);

done_testing();
