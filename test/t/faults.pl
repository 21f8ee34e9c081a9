#-------------------------------------------------------------------------
#
# faults.pl
#		Disks that refuse and servers that die: an import while the tables'
#		disk is full, a data directory that became read-only, and crashes at
#		moments of chance.  What was committed is whole afterwards, what was not
#		has left nothing behind.
#
# refuse.c is preloaded into the server and makes its disk refuse.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# from errno.h, as Linux numbers them
my $ENOSPC = 28;
my $EACCES = 13;
my $EROFS = 30;

my $seed = $ENV{SEED} || 16;
my $rounds = $ENV{ROUNDS} || 12;
my $place = PostgreSQL::Test::Utils::tempdir();
my $tiny = golden('one-layer-one-head');
my $embed = q{SELECT md5(mobilebert.embed('some of the words', '%s')::text)};

my $node = new_server('faults', conf => "restart_after_crash = on\n");
my $images = $node->data_dir . '/pgsql_tmp_mobilebert';

# A server that is stopped at the end must find its disk again.
END
{
	unlink "$place/refuse" if defined $place;
}

sub image_files
{
	my @files = glob("$images/*");

	return @files;
}

# No row of the registry is without its model or its use, no tensor in part.
sub fits_together
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( value(
			$node, q{
		SELECT (SELECT count(*) FROM mobilebert.model_file f WHERE NOT EXISTS
				(SELECT FROM mobilebert.model m WHERE m.id = f.model_id)),
			(SELECT count(*) FROM mobilebert.model_tensor f WHERE NOT EXISTS
				(SELECT FROM mobilebert.model m WHERE m.id = f.model_id)),
			(SELECT count(*) FROM mobilebert.model_grant f WHERE NOT EXISTS
				(SELECT FROM mobilebert.model m WHERE m.id = f.model_id))}),
		'0|0|0',
		"$name: no row without its model");
	return;
}

# ---------------------------------------------------------------------------
# The disk refuses
# ---------------------------------------------------------------------------

SKIP:
{
	my $compiler = $ENV{CC} || 'cc';
	my $library = "$place/refuse.so";

	skip 'no C compiler, or not Linux', 27
	  if $^O ne 'linux'
	  || system("$compiler -shared -fPIC -O1 -o $library "
		  . "$FindBin::RealBin/refuse.c -ldl") != 0;

	local $ENV{LD_PRELOAD} = $library;
	local $ENV{REFUSE} = "$place/refuse";
	my $refuse = sub { write_file("$place/refuse", "$_[0] $_[1]\n") };
	my $accept = sub { unlink "$place/refuse" };
	my ($before, $vector, $status, $out, $error);

	$node->restart;
	# the preloaded library is for the server alone
	delete local $ENV{LD_PRELOAD};
	value(
		$node, qq{
		SELECT mobilebert.import_model('tiny', '$tiny');
		CREATE TABLE lines AS SELECT n AS id, 'line ' || n AS body,
			NULL::real[] AS vector FROM generate_series(1, 2000) n;
		ALTER TABLE lines ADD PRIMARY KEY (id)});
	$before = registry_counts($node);
	$vector = value($node, sprintf($embed, 'tiny'));

	# the tables' disk is full
	$refuse->($ENOSPC, '/base/');
	fails_like($node, q{SELECT mobilebert.import_model('minilm')},
		'53100', 'No space left on device', 'an import on a full disk');
	is(registry_counts($node), $before, 'has left no row');
	is(value($node, sprintf($embed, 'tiny')), $vector,
		'another model goes on working');
	fails_like(
		$node,
		q{CALL mobilebert.enrich('lines', 'vector',
			$$mobilebert.embed(body, 'tiny')$$, batch_rows => 500)},
		'53100',
		'No space left on device',
		'enrich on a full disk');
	# the default of a task needs a row, which has room in its page or has not
	is(value($node, q{SELECT count(*) FROM mobilebert.models}),
		1, 'models are listed');
	$accept->();
	value($node, q{SELECT mobilebert.import_model('minilm')});
	isnt(value($node, sprintf($embed, 'minilm')),
		'', 'with room again the import works');
	value(
		$node, q{CALL mobilebert.enrich('lines', 'vector',
			$$mobilebert.embed(body, 'tiny')$$, batch_rows => 500)});
	is(value($node, 'SELECT count(*) FROM lines WHERE vector IS NULL'),
		0, 'and enrich ends what it had begun');
	my $large = value($node, sprintf($embed, 'minilm'));

	# temporary files have no room
	$refuse->($ENOSPC, '/pgsql_tmp/');
	fails_like(
		$node, q{
		SET work_mem = '64kB';
		SELECT count(*) FROM (SELECT * FROM mobilebert.tokens(
			repeat('some of the words ', 20000), 'tiny') OFFSET 0) t},
		'53100',
		'No space left on device',
		'a result that does not fit into work_mem, and no room on disk');
	is(value($node, sprintf($embed, 'tiny')), $vector, 'the next statement works');
	$accept->();

	# No directory takes a new file: images are made in private memory.
	for my $kind ('with', 'without')
	{
		unlink image_files() if $kind eq 'without';
		rmdir $images if $kind eq 'without';
		my @files = image_files();
		$refuse->($EACCES, $node->data_dir);
		is(value($node, sprintf($embed, 'minilm')),
			$large, "directories that take no file, $kind images: same result");
		is( value(
				$node, q{SELECT count(*) FROM (SELECT * FROM lines LIMIT 200) l
				WHERE mobilebert.embed(body, 'tiny') = vector}),
			200,
			'and of many rows');
		is("@{[image_files()]}", "@files", 'no file came or went');
		$accept->();
	}

	# The whole data directory becomes read-only.  A server cannot open a table
	# then, so new sessions are refused; one that has its files open goes on.
	# Nothing waits to be written, or the server's own processes would end it.
	value($node, q{SELECT mobilebert.prewarm('tiny')});
	my $session = session($node);
	is(ask($session, sprintf($embed, 'tiny')), $vector, 'a session');
	value($node, 'VACUUM (FREEZE)');
	value($node, 'CHECKPOINT');
	is(ask($session, sprintf($embed, 'tiny')), $vector, 'its files are open');
	$refuse->($EROFS, $node->data_dir);
	is(ask($session, sprintf($embed, 'tiny')),
		$vector, 'goes on when the data directory became read-only');
	like(ask($session, sprintf($embed, 'minilm')),
		qr/^(\Q$large\E|ERROR: .*Read-only file system)$/,
		'and gets a result or a clean error of another model');
	$accept->();
	is(ask($session, sprintf($embed, 'minilm')), $large, 'writable again');
	$session->quit;
	is(value($node, q{SELECT mobilebert.prewarm('minilm') > 0}),
		't', 'writable again');
	unharmed($node, 'no process minded');

	# no room for the log of changes: the server ends itself, as it does
	# without us, and comes back to what was committed
	$before = registry_counts($node);
	$refuse->($ENOSPC, '/pg_wal/');
	($status, $out, $error) = $node->psql('postgres',
		q{SELECT mobilebert.create_variant('v', 'minilm', 'int8')});
	isnt($status, 0, 'a commit that cannot be logged');
	$accept->();
	$ENV{LD_PRELOAD} = $library;
	$node->stop('immediate', fail_ok => 1);
	$node->_update_pid(0);
	$node->start;
	delete $ENV{LD_PRELOAD};
	is(registry_counts($node), $before, 'did not happen');
	is(value($node, sprintf($embed, 'minilm')), $large, 'the model is whole');
	fits_together('after it');
	value($node, q{SELECT mobilebert.drop_model(name) FROM mobilebert.models});
	is(registry_counts($node), '0|0|0|0|0|0|0', 'all of it can be dropped');
}
$node->restart;

# ---------------------------------------------------------------------------
# Crashes at moments of chance
# ---------------------------------------------------------------------------

my @steps = (
	q{SELECT mobilebert.import_model('minilm')},
	q{SELECT mobilebert.drop_model('minilm')},
	q{SELECT mobilebert.create_variant('v', 'minilm', 'int8')},
	q{SELECT mobilebert.drop_model('v')},
	q{SELECT mobilebert.rename_model('tiny', 'renamed')},
	q{SELECT mobilebert.rename_model('renamed', 'tiny')},
	q{SELECT mobilebert.grant_model('minilm', 'pg_monitor')},
	q{SELECT mobilebert.set_default_model('embed', 'minilm')},
	q{SELECT mobilebert.prewarm('minilm')},
	q{SELECT mobilebert.prewarm('v')},
	q{CALL mobilebert.enrich('line', 'vector',
		$$mobilebert.embed(body, 'still')$$, batch_rows => 50)},
	q{UPDATE line SET vector = NULL WHERE id % 3 = 0});

srand($seed);
value(
	$node, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.import_model('still', '$tiny');
	CREATE TABLE line AS SELECT n AS id, 'line ' || n AS body,
		NULL::real[] AS vector FROM generate_series(1, 300) n;
	ALTER TABLE line ADD PRIMARY KEY (id)});
my $still = value($node, sprintf($embed, 'still'));
value($node, q{SELECT mobilebert.import_model('minilm')});
my %known = (
	minilm => value($node, sprintf($embed, 'minilm')),
	map { $_ => $still } qw(tiny renamed still));
value($node, q{SELECT mobilebert.create_variant('v', 'minilm', 'int8')});
$known{v} = value($node, sprintf($embed, 'v'));

my ($whole, $right) = (0, 0);
for my $round (1 .. $rounds)
{
	my $script = join('',
		map { $steps[ rand @steps ] . ";\n" } 1 .. 40);
	my $log = "$place/psql.$round";

	write_file("$place/script.$round", $script);
	my $child = fork();
	if ($child == 0)
	{
		open(STDOUT, '>', $log);
		open(STDERR, '>&', \*STDOUT);
		exec('psql', '-X', '-q', '-f', "$place/script.$round",
			'-d', $node->connstr('postgres'));
	}
	sleep(rand(0.6));
	if ($round % 2)
	{
		$node->stop('immediate');
		waitpid($child, 0);
		$node->start;
	}
	else
	{
		# one process of the server is killed, all others end with it
		my $pid = value($node,
			q{SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'psql'
				AND pid <> pg_backend_pid() AND backend_type = 'client backend'});

		kill('KILL', $pid) if $pid;
		waitpid($child, 0);
		for (1 .. 200)
		{
			last
			  if $node->psql('postgres', 'SELECT 1', timeout => 10) == 0;
			sleep(0.1);
		}
	}

	my %now = map { split(/\|/, $_) } split(/\n/,
		value($node, q{SELECT name, md5(mobilebert.embed('some of the words',
			name)::text) FROM mobilebert.models}));
	$right++ if !grep { $now{$_} ne ($known{$_} || '') } keys %now;
	$whole++
	  if value(
		$node, q{SELECT count(*) FROM mobilebert.models m WHERE mobilebert.fingerprint(m.name) <> m.sha256
			OR mobilebert.model_config(m.name) IS NULL}) eq '0'
	  && exists $now{still};
}
is($right, $rounds, "$rounds crashes: every model gives what it gave before");
is($whole, $rounds, 'and is whole');
fits_together('after the crashes');
is( value(
		$node, q{SELECT count(*) FROM line WHERE vector IS NOT NULL
			AND vector <> mobilebert.embed(body, 'still')}),
	0,
	'rows that enrich had done are right');
value(
	$node, q{CALL mobilebert.enrich('line', 'vector',
		$$mobilebert.embed(body, 'still')$$)});
is(value($node, 'SELECT count(*) FROM line WHERE vector IS NULL'),
	0, 'and it ends what is left');
value($node, q{SELECT mobilebert.drop_model(name) FROM mobilebert.models});
is(registry_counts($node), '0|0|0|0|0|0|0', 'all of it can be dropped');
is(scalar(grep { /\.tmp/ } image_files()), 0, 'no half-made image is left');

done_testing();
