#-------------------------------------------------------------------------
#
# drivers.pl
#		The examples of README's part "Drivers", each with its driver where that
#		is to be had, and what it prints.
#
# A driver counts as missing, and its examples are skipped, unless
#
#	python3 (or PYTHON) imports psycopg, asyncpg, sqlalchemy, django
#	node finds pg (NODE_PATH)
#	java runs, and JDBC (else /usr/share/java/postgresql.jar) is the driver's file
#
# An example of Django's or JDBC's is a part of a program: the rest is here.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $python = $ENV{PYTHON} || 'python3';
my $jdbc = $ENV{JDBC} || '/usr/share/java/postgresql.jar';
my %ending = (python => 'py', javascript => 'js', java => 'java');
my %present = (
	'psycopg 3' => "$python -c 'import psycopg'",
	'asyncpg' => "$python -c 'import asyncpg'",
	'SQLAlchemy' => "$python -c 'import psycopg, sqlalchemy'",
	'Django' => "$python -c 'import psycopg, django'",
	'node-postgres' => q{node -e 'require("pg")'},
	'JDBC' => "test -r '$jdbc' && java -version");

# The examples: title, language, program, output.
sub examples
{
	my $readme = file_content("$FindBin::RealBin/../../README.md");
	my ($part) = $readme =~ /^## Drivers\n(.*?)^## /ms
	  or die "README.md has no part on drivers";
	my @found;

	while ($part =~ /^### ([^\n]+)\n(.*?)(?=^### |\z)/msg)
	{
		my ($title, $text) = ($1, $2);

		push @found, [ $title, $1, $2, $3 ]
		  while $text =~ /^```(python|javascript|java)\n(.*?)^```\n```\n(.*?)^```\n/msg;
	}
	return @found;
}

# What stands around an example that is a part of a program.
sub program
{
	my ($title, $code) = @_;

	return "import java.sql.*;\n\npublic class Example {\n"
	  . "public static void main(String[] arguments) throws Exception {\n"
	  . "String url = arguments[0];\n$code}\n}\n"
	  if $title eq 'JDBC';
	return <<"PYTHON" . $code if $title eq 'Django';
import django, os
from django.conf import settings
settings.configure(USE_TZ=True, DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"], "NAME": os.environ["PGDATABASE"]}})
django.setup()
PYTHON
	return $code;
}

my @examples = examples();
is(join(', ', map { $_->[0] } @examples),
	'psycopg 3, asyncpg, SQLAlchemy, Django, node-postgres, JDBC',
	'each driver has an example');

my $node = new_server('drivers', conf => "listen_addresses = '127.0.0.1'\n");
my $place = PostgreSQL::Test::Utils::tempdir();

value(
	$node, q{
	SELECT FROM mobilebert.import_defaults();
	CREATE TABLE note (id int PRIMARY KEY, body text, embedding real[]);
	INSERT INTO note (id, body) VALUES
		(1, 'The invoice of March has not been paid yet.'),
		(2, 'Our cat likes to sleep on the warm radiator.'),
		(3, 'Parliament passed the new budget last night.');
	UPDATE note SET embedding = mobilebert.embed(body)});

my $user = value($node, 'SELECT current_user');
local %ENV = (
	%ENV,
	PGHOST => $node->host,
	PGPORT => $node->port,
	PGUSER => $user,
	PGDATABASE => 'postgres',
	PYTHONIOENCODING => 'utf-8',
	PYTHONWARNINGS => 'ignore',
	JAVA_TOOL_OPTIONS => '-Dfile.encoding=UTF-8');

# The same with a table whose vectors are double precision, as Django's are.
for my $type ('real', 'double precision')
{
	value($node, "ALTER TABLE note ALTER embedding TYPE ${type}[]");
	for my $example (@examples)
	{
		my ($title, $language, $code, $expected) = @$example;

	  SKIP:
		{
			my $file = "$place/Example.$ending{$language}";
			my ($out, $error, $command);

			skip "$title is not installed", 1
			  if system("($present{$title}) >$place/found 2>&1") != 0;
			write_file($file, program($title, $code));
			$command =
			    $language eq 'python' ? [ $python, $file ]
			  : $language eq 'javascript' ? [ 'node', $file ]
			  : [ 'java', '-cp', $jdbc, $file,
				'jdbc:postgresql://127.0.0.1:' . $node->port . "/postgres?user=$user" ];
			IPC::Run::run($command, '>', \$out, '2>', \$error);
			is($out, $expected, "$title, a column of $type") or diag($error);
		}
	}
}

# A list without the cast is one text to the server: what README warns of.
is( value(
		$node,
		q{SELECT mobilebert.embed('{"first","second"}') = mobilebert.embed('{"first","second"}'::text)}),
	't',
	'a list without a cast is a text');
unharmed($node);

done_testing();
