#-------------------------------------------------------------------------
#
# restore.pl
#		pg_restore brings models back whatever it does first: several jobs,
#		parts, the data alone, the tables in any order.  A model that is half
#		there is no model; it works as soon as the rest has come.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(shuffle);
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('restore');
my $place = PostgreSQL::Test::Utils::tempdir();
my $tiny = golden('one-layer-one-head');

value(
	$node, q{
	CREATE ROLE guest;
	SELECT mobilebert.import_model('main', '} . golden('store-sharded') . q{');
	SELECT mobilebert.import_model('tiny', '} . $tiny . q{');
	SELECT mobilebert.create_variant('eighth', 'main', 'int8');
	SELECT mobilebert.create_classifier('sorter', (SELECT mobilebert.fit(
			'text ' || g, CASE g % 3 WHEN 0 THEN 'third' ELSE 'other' END, 'tiny')
		FROM generate_series(1, 30) g));
	SELECT mobilebert.revoke_model('tiny', 'public');
	SELECT mobilebert.grant_model('tiny', 'guest');
	SELECT mobilebert.set_default_model('embed', 'main');
	CREATE TABLE notes (body text, vector real[]);
	INSERT INTO notes SELECT b, mobilebert.embed(b)
	FROM unnest('{some words,others}'::text[]) b});
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$place/custom", 'postgres' ],
	'pg_dump in custom form');
$node->command_ok([ 'pg_dump', '-Fd', '-f', "$place/folder", 'postgres' ],
	'pg_dump as a directory');

# What must be the same: rows, and the bits of what the models say.
my $models = 'SELECT name, sha256 FROM mobilebert.models ORDER BY name';
my $vectors = q{
	SELECT md5(string_agg(mobilebert.embed(body)::text
			|| mobilebert.embed(body, 'tiny')::text
			|| mobilebert.embed(body, 'eighth')::text
			|| mobilebert.uncertainty(body, 'sorter')::text, ' ' ORDER BY body)),
		bool_and(vector = mobilebert.embed(body))
	FROM notes};

sub answers
{
	my ($database) = @_;

	return join("\n", registry_counts($node, $database),
		map { value($node, $_, $database) } ($models, $vectors));
}

my $expected = answers('postgres');
my $count = 0;

sub new_database
{
	my ($sql) = @_;
	my $name = 'db' . ++$count;

	value($node, "CREATE DATABASE $name");
	value($node, $sql, $name) if $sql;
	return $name;
}

# The result of pg_restore with these options must be the whole.
sub restores
{
	my ($database, $archive, $name, @runs) = @_;

	for my $options (@runs)
	{
		$node->command_ok(
			[ 'pg_restore', '-d', $database, @$options, "$place/$archive" ],
			"pg_restore @$options");
	}
	is(answers($database), $expected, "$name: same models, same bits");
	return;
}

for my $archive (qw(custom folder))
{
	restores(new_database(), $archive, "$archive, $_ jobs", [ '-j', $_ ])
	  for 1, 2, 4;
}
restores(new_database(), 'folder', 'section by section',
	map { ["--section=$_"] } qw(pre-data data post-data));
restores(
	new_database(),
	'custom',
	'sections in several jobs',
	map { [ "--section=$_", '-j', '3' ] } qw(pre-data data post-data));

my $empty = 'CREATE EXTENSION mobilebert; CREATE TABLE notes (body text, vector real[])';
for my $options ([], [ '-j', 3 ], ['--disable-triggers'],
	[ '-j', 3, '--disable-triggers' ])
{
	restores(new_database($empty),
		'folder', "the data alone @$options", [ '--data-only', @$options ]);
}
for my $jobs (1, 3)
{
	restores('db1', 'custom', "over what is there, $jobs jobs",
		[ '--clean', '--if-exists', '-j', $jobs ]);
}

# --------------------------------------------------------------------------
# The tables' data in any order
# --------------------------------------------------------------------------

my @tables = qw(model model_file model_grant model_tensor task_default tensor
  tensor_chunk);
my ($contents) = run_command([ 'pg_restore', '-l', "$place/custom" ]);
my @list = split(/\n/, $contents);
my %data = map { /TABLE DATA mobilebert (\w+)/ ? ($1 => $_) : () } @list;
is_deeply([ sort keys %data ], \@tables, 'the tables that are dumped');

# A list for pg_restore -L.
sub list_file
{
	write_file("$place/list", join("\n", @_) . "\n");
	return "$place/list";
}

for my $first (0 .. $#tables)
{
	my @order = @tables[ map { ($first + $_) % @tables } 0 .. $#tables ];

	@order = reverse @order if $first % 2;
	my $list = list_file((grep { !/TABLE DATA mobilebert/ } @list),
		map { $data{$_} } @order);
	restores(new_database(), 'custom', "@order", [ '-L', $list ]);
}

# One table after the other, with a session that is there all the time and asks
# after each: no answer before the last row that it needs, and then the right
# one.
my $words = q{SELECT md5(mobilebert.embed('some words', 'tiny')::text)};
my $right = value($node, $words);
my $sort = q{SELECT md5(string_agg(c::text, ' ')) FROM mobilebert.classify('some words', 'sorter') c};
my $sorted = value($node, $sort);
srand(7);
for my $order (\@tables, [ reverse @tables ], map { [ shuffle @tables ] } 1 .. 4)
{
	my $database = new_database('CREATE EXTENSION mobilebert');
	my $session = session($node, $database);
	my %missing = map { $_ => 1 } grep { !/grant|default/ } @tables;
	my @wrong;

	ask($session, $words);
	for my $table (@$order)
	{
		$node->command_ok(
			[
				'pg_restore', '-d', $database, '--data-only', '-L',
				list_file($data{$table}), "$place/custom"
			],
			"data of $table");
		delete $missing{$table};
		my $answer = ask($session, $words);
		my $listed = ask($session, q{SELECT count(*) FROM mobilebert.models});
		my $wanted =
		    $missing{model} ? qr/model "tiny" does not exist/
		  : %missing ? qr/^ERROR: .*model "tiny" is not complete in the registry/
		  : qr/^\Q$right\E$/;

		push @wrong, "after $table: $answer"
		  if $answer !~ $wanted;

		# a classifier shares the image of its base, and still waits for all
		# of its own
		$answer = ask($session, $sort);
		$wanted =
		    $missing{model} ? qr/model "sorter" does not exist/
		  : $missing{model_file} ? qr/^ERROR: .*model "sorter" is not complete in the registry/
		  : %missing ? qr/^(?:ERROR: .*is not complete in the registry|\Q$sorted\E$)/
		  : qr/^\Q$sorted\E$/;
		push @wrong, "after $table: $answer"
		  if $answer !~ $wanted;
		push @wrong, "after $table: $listed models are listed"
		  if $listed ne (%missing ? '0' : '4');
	}
	is_deeply(\@wrong, [], "@$order: a model is there when all of it is");
	$session->quit;
}

# What is missing is said.
sub lacks
{
	my ($database, $sql, $message) = @_;

	fails_like($node, $sql, '55000', $message, $message, $database);
	return;
}

my $half = new_database('CREATE EXTENSION mobilebert');
my $use = q{SELECT mobilebert.embed('some words', 'tiny')};

sub bring
{
	$node->command_ok(
		[
			'pg_restore', '-d', $half, '--data-only', '-L',
			list_file(@data{@_}), "$place/custom"
		],
		"data of @_");
	return;
}

bring('model');
lacks($half, $use, 'is not complete.*DETAIL: +0 of its \d+ files.*HINT: .*restored');
lacks($half, q{SELECT mobilebert.model_config('tiny')},
	'is not complete.*config.json');
lacks($half, q{SELECT mobilebert.create_variant('v', 'tiny', 'bf16')},
	'is not complete.*0 of its \d+ files');
fails_like($node, "SET ROLE guest; $use", '42501', 'permission denied',
	'rights that are not restored are nobody\'s', $half);
bring('model_file');
lacks($half, $use, '0 of its \d+ tensors');
lacks($half, q{SELECT mobilebert.create_variant('v', 'tiny', 'bf16')},
	'0 of its \d+ tensors');
fails_like($node, q{SELECT mobilebert.embed('x')},
	'55000', 'No registered model can do it',
	'no hint names a model that is half there', $half);
bring('model_tensor');
lacks($half, $use, 'tensor "[\w.]+" is missing');
lacks($half, q{SELECT mobilebert.create_variant('v', 'tiny', 'bf16')},
	'tensor "[\w.]+" is missing');
bring('tensor');
lacks($half, $use, 'tensor "[\w.]+" has 0 of \d+ bytes');

# Tensors without bytes are not shared with a new model.
value($node, "SELECT mobilebert.import_model('new', '$tiny')", $half);
is( value(
		$node, q{SELECT md5(mobilebert.embed('some words', 'new')::text)},
		$half),
	$right,
	'an import beside a model that is half there');
value($node, q{SELECT mobilebert.drop_model('new')}, $half);
is( value(
		$node, q{SELECT count(*) > 0, (SELECT count(*) FROM mobilebert.tensor_chunk)
			FROM mobilebert.tensor}, $half),
	't|0',
	'and its drop leaves the other what it has');
bring('tensor_chunk');
bring('model_grant');
is(value($node, "SET ROLE guest; SELECT 1 FROM ($use) x", $half),
	1, 'whole again, with its rights');

# A model that stays half can be dropped, and what belongs to no model goes
# with the next drop.
my $rest = new_database('CREATE EXTENSION mobilebert');
$node->command_ok(
	[
		'pg_restore', '-d', $rest, '--data-only', '-L',
		list_file(@data{ grep { !/tensor/ } @tables }), "$place/custom"
	],
	'a restore without tensors');
value($node, "SELECT mobilebert.drop_model(name) FROM mobilebert.model", $rest);
is(registry_counts($node, $rest), '0|0|0|0|0|0|0', 'can be dropped');
$node->command_ok(
	[
		'pg_restore', '-d', $rest, '--data-only', '-L',
		list_file(@data{ grep { $_ ne 'model' } @tables }), "$place/custom"
	],
	'a restore without models');
is(value($node, 'SELECT count(*) FROM mobilebert.models', $rest),
	0, 'shows none');
value($node, "SELECT mobilebert.import_model('new', '$tiny');
	SELECT mobilebert.drop_model('new')", $rest);
is(registry_counts($node, $rest), '0|0|0|0|0|0|0',
	'what belongs to no model is removed by the next drop');
unharmed($node);

done_testing();
