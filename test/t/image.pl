#-------------------------------------------------------------------------
#
# image.pl
#		Weight images: made once, shared, found again, made anew when they are
#		missing or damaged, removed when their model is gone, and done without
#		when the disk refuses.  What sessions see of each other's changes.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Digest::MD5 qw(md5_hex);
use Mobilebert;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;

# src/pg/models/image_file.c: how long an unknown file is left alone, in seconds
my $grace = 60;

my $node = new_server('image');
my $images = $node->data_dir . '/pgsql_tmp_mobilebert';
my $place = PostgreSQL::Test::Utils::tempdir_short();
my $embed = q{SELECT md5(mobilebert.embed('some of the words', '%s')::text)};
my $large = sprintf($embed, 'minilm');
my $sql = sprintf($embed, 'small');
my $tiny = golden('one-layer-one-head');

sub image_files
{
	return grep { /\.image$/ } glob("$images/*");
}

sub temporary_files
{
	return grep { /\.tmp/ } glob("$images/*");
}

sub inode
{
	return (stat($_[0]))[1];
}

# The log since a mark, and the mark.
sub log_since
{
	my ($mark) = @_;

	return substr(file_content($node->logfile), $mark || 0);
}

sub log_mark
{
	return length(file_content($node->logfile));
}

# --------------------------------------------------------------------------
# Made once
# --------------------------------------------------------------------------

# Twenty sessions wait for a lock, and then all want the image.
value($node, q{SELECT mobilebert.import_model('minilm')});
my $gate = session($node);
ask($gate, 'SELECT pg_advisory_lock(1)');
my @sessions = map { session($node) } 1 .. 20;
$_->{stdin} .= "SELECT pg_advisory_lock_shared(1);\n$large;\n" for @sessions;
$_->{run}->pump_nb for @sessions;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 20 FROM pg_locks
		WHERE locktype = 'advisory' AND NOT granted})
  or die 'sessions do not wait';
ask($gate, 'SELECT pg_advisory_unlock(1)');
my %results = map { ($_ => 1) }
  map { ask($_, 'SELECT 1') =~ /(\w{32})/ ? $1 : 'nothing' } @sessions;
$_->quit for @sessions;
$gate->quit;

my ($expected) = keys %results;
is(scalar(keys %results), 1, 'twenty first users get one result');
like($expected, qr/^\w{32}$/, 'which is an embedding');
is(scalar(image_files()), 1, 'they made one image');
is(scalar(temporary_files()), 0, 'and left no temporary file');

my ($image) = image_files();
my $inode = inode($image);
my $large_size = -s $image;
my $large_expected = $expected;
is(value($node, $large), $expected, 'a new session finds it');
is( value($node, q{SELECT mobilebert.prewarm('minilm')}),
	$large_size, 'prewarm tells its size');

# src/engine/base/pages.c: where the system has large pages, maps can use them.
SKIP:
{
	skip 'this system has no /proc/PID/maps', 1 unless -r '/proc/self/maps';
	my $reader = session($node);
	my $pid = ask($reader, 'SELECT pg_backend_pid()');
	ask($reader, $large);
	my ($start) =
	  file_content("/proc/$pid/maps") =~ /^([0-9a-f]+)-.*\Q$image\E$/m;
	is(hex($start || '1') % (2 << 20),
		0, 'it is mapped where a large page begins');
	$reader->quit;
}

$node->restart;
is(value($node, $large), $expected, 'after a restart');
is(inode($image), $inode, 'the same file is used');

# --------------------------------------------------------------------------
# Made anew
# --------------------------------------------------------------------------

unlink glob("$images/*");
value($node,
	q{SELECT mobilebert.import_model('small', '} . golden('store-f16') . q{')});
$expected = value($node, $sql);
($image) = image_files();
my $sound = file_content($image);
my $size = length($sound);

# Puts other bytes in place of the image, then embeds in a new session.
sub made_anew
{
	my ($name, $bytes, $restart) = @_;

	$node->stop if $restart;
	unlink $image;
	write_file($image, $bytes) if defined $bytes;
	$node->start if $restart;
	my $before = -e $image ? inode($image) : 0;
	is(value($node, $sql), $expected, "image $name: same result");
	isnt(inode($image), $before, "image $name: made anew");
	is(md5_hex(file_content($image)), md5_hex($sound), "with the same bytes");
	return;
}

made_anew('missing', undef, 0);
made_anew('empty', '', 0);
made_anew('cut to half', substr($sound, 0, $size / 2), 0);
made_anew('one byte short', substr($sound, 0, -1), 0);
made_anew('with a byte too many', "${sound}x", 0);
made_anew('of zeros', "\0" x $size, 0);
made_anew('of text', 'garbage ' x ($size / 8), 0);
for my $at (0, 20, 100, 4000)
{
	my $bytes = $sound;

	substr($bytes, $at, 1) ^= "\x04";
	made_anew("with a flipped bit in byte $at", $bytes, 1);
}

my $mark = log_mark();
my $flipped = $sound;
substr($flipped, $size - 12_345, 1) ^= "\x10";
made_anew('with a flipped bit in the weights', $flipped, 1);
like(log_since($mark), qr/checksum/, 'the log tells why');

# an image of another model under the name of this one
value($node, "SELECT mobilebert.import_model('other', '$tiny')");
value($node, q{SELECT mobilebert.prewarm('other')});
my ($other) = grep { $_ ne $image } image_files();
made_anew('of another model', file_content($other), 0);
value($node, q{SELECT mobilebert.drop_model('other')});

# --------------------------------------------------------------------------
# Something else in place of a file
# --------------------------------------------------------------------------

my $precious = "$place/precious";
for my $other_kind (
	[ 'a pipe', sub { mkfifo($_[0], 0600) or die "mkfifo: $!" } ],
	[ 'a link to a file', sub { symlink($precious, $_[0]) or die "symlink: $!" } ],
	[ 'a link to nothing', sub { symlink("$place/nothing", $_[0]) or die "symlink: $!" } ],
	[ 'a link to a device', sub { symlink('/dev/zero', $_[0]) or die "symlink: $!" } ])
{
	my ($name, $make) = @$other_kind;

	for my $suffix ('', '.ok')
	{
		write_file($precious, $suffix eq '' ? $sound : 'precious');
		my $content = file_content($precious);

		# the stamp is looked at with an image that this server has not checked
		value($node, $sql);
		unlink "$image$suffix";
		$make->("$image$suffix");
		is( value($node, "SET statement_timeout = '60s'; $sql"),
			$expected, "$name in place of image$suffix: same result");
		ok(-f "$image$suffix" && !-l "$image$suffix", 'it was replaced');
		ok(file_content($precious) eq $content && !-e "$place/nothing",
			'nothing was written through it');
	}
}

# --------------------------------------------------------------------------
# Removed some time after the model
# --------------------------------------------------------------------------

# Looks at the images as a session does that uses its first model.
sub use_any
{
	value($node, $sql);
	return;
}

sub grow_old
{
	my $then = time - $grace - 1;

	utime $then, $then, @_;
	return;
}

ok(-e $other, 'the image of a dropped model stays at first');
use_any();
ok(-e $other, 'it may belong to a transaction that goes on');
grow_old(glob("$other*"));
use_any();
is(scalar(grep { $_ ne $image } glob("$images/*")),
	scalar(grep { $_ eq "$image.ok" } glob("$images/*")),
	'a while later it is removed with what belongs to it');
grow_old(glob("$images/*"));
use_any();
is(inode($image) || 0, (image_files())[0] ? inode((image_files())[0]) : -1,
	'old images of models that are there are not');

# what a session that was killed left behind, and what one writes that lives
my $maker = session($node);
my $own = ask($maker, 'SELECT pg_backend_pid()');
my ($gone, $alive) = ("$image.tmp.999999999", "$image.tmp.$own");
write_file($_, 'half an image') for $gone, $alive;
use_any();
ok(!-e $gone, 'the temporary file of a dead process is removed');
ok(-e $alive, 'that of a living one is not');
utime time - 7200, time - 7200, $alive;
use_any();
ok(!-e $alive, 'but for one that nobody can be writing any more');
$maker->quit;

# the process id is in use again after a restart
write_file($alive, 'half an image');
utime time - 10, time - 10, $alive;
$node->stop('immediate');
$node->start;
$maker = session($node);
$own = ask($maker, 'SELECT pg_backend_pid()');
rename $alive, "$image.tmp.$own";
is(value($node, $sql), $expected, 'after a crash: same result');
ok(!-e "$image.tmp.$own", 'what was written before the start is removed');
$maker->quit;

# of another database that was dropped
value($node, 'CREATE DATABASE doomed');
value($node, 'CREATE EXTENSION mobilebert', 'doomed');
value($node, "SELECT mobilebert.import_model('m', '$tiny')", 'doomed');
value($node, q{SELECT mobilebert.prewarm('m')}, 'doomed');
my ($doomed) = grep { $_ ne $image } image_files();
grow_old(glob("$doomed*"));
use_any();
ok(-e $doomed, 'another database keeps its images');
value($node, 'CREATE DATABASE copied TEMPLATE doomed');
is( value($node, sprintf($embed, 'm'), 'copied'),
	value($node, sprintf($embed, 'm'), 'doomed'),
	'a copy of a database has its models');
value($node, 'DROP DATABASE copied');
value($node, 'DROP DATABASE doomed');
use_any();
ok(!-e $doomed, 'until it is dropped');

# --------------------------------------------------------------------------
# The disk refuses
# --------------------------------------------------------------------------

sub refuses
{
	my ($name, $query, $result) = @_;
	my $mark = log_mark();

	is(value($node, $query || $sql), $result || $expected,
		"$name: same result");
	like(
		log_since($mark),
		qr/LOG:.*(weight image.*private memory|Is a directory)/s,
		"$name: the log tells what the disk refused");
	is(scalar(temporary_files()), 0, "$name: no temporary file is left");
	return;
}

unlink glob("$images/*");
chmod 0555, $images;
refuses('no right to write');
chmod 0755, $images;

unlink glob("$images/*");
mkdir $image;
mkdir "$image/x";
refuses('a directory under the name of the image');
rmdir "$image/x";
rmdir $image;

unlink glob("$images/*");
rmdir $images;
write_file($images, 'not a directory');
refuses('a file in place of the directory');
unlink $images;

# files of this server may not grow beyond 32 MB (or 64, by the shell)
$node->stop;
system('sh', '-c',
	'ulimit -f 65536; exec pg_ctl -w -s -D "$0" -l "$1" start',
	$node->data_dir, $node->logfile) == 0
  or die 'server does not start';
$node->_update_pid(1);
SKIP:
{
	skip 'the image is smaller than the limit', 3
	  if $large_size <= 65536 * 1024;
	refuses('a full disk', $large, $large_expected);
}
$node->restart;
is(value($node, $sql), $expected, 'the disk accepts again');
ok(-e $image, 'and there is an image');

# --------------------------------------------------------------------------
# What other sessions notice
# --------------------------------------------------------------------------

my $here = session($node);
my $there = session($node);
$embed = q{SELECT md5(mobilebert.embed('words', '%s')::text)};
my $use = sprintf($embed, 'm');
my $absent = qr/model "m" does not exist/;

value($node, 'CREATE ROLE reader; GRANT reader TO CURRENT_USER');
ask($here, 'SET ROLE reader');
like(ask($here, $use), $absent, 'no model yet');
ask($there, "SELECT mobilebert.import_model('m', '$tiny')");
my $first = ask($here, $use);
like($first, qr/^\w{32}$/, 'an imported model is noticed');
ask($there, q{SELECT mobilebert.rename_model('m', 'n')});
like(ask($here, $use), $absent, 'a renamed one, too');
is(ask($here, sprintf($embed, 'n')), $first, 'under its new name');
ask($there, q{SELECT mobilebert.rename_model('n', 'm')});
ask($there, q{SELECT mobilebert.revoke_model('m', 'public')});
like(ask($here, $use), qr/permission denied for model "m"/, 'a revoked one');
ask($there, q{SELECT mobilebert.grant_model('m', 'reader')});
is(ask($here, $use), $first, 'a granted one');
ask($there, q{SELECT mobilebert.drop_model('m')});
like(ask($here, $use), $absent, 'a dropped one');
ask($there,
	'SELECT mobilebert.import_model(\'m\', \'' . golden('store-f16') . '\')');
my $second = ask($here, $use);
isnt($second, $first, 'a replaced one');
like($second, qr/^\w{32}$/, 'works');

# replaced in one transaction
ask($there, "BEGIN; SELECT mobilebert.drop_model('m');
	SELECT mobilebert.import_model('m', '$tiny')");
is(ask($here, $use), $second, 'what is not committed is not noticed');
is(ask($there, $use), $first, 'but seen in its own transaction');
ask($there, 'COMMIT');
is(ask($here, $use), $first, 'what is committed is');

# while a transaction goes on
ask($here, "BEGIN; $use");
ask($there, q{SELECT mobilebert.drop_model('m')});
like(ask($here, $use), $absent, 'a transaction notices that a model went');
ask($here, 'ROLLBACK');

# a default model
ask($there, "SELECT mobilebert.import_model('m', '$tiny')");
my $default = q{SELECT md5(mobilebert.embed('words')::text)};
ask($there, q{SELECT mobilebert.set_default_model('embed', 'm')});
is(ask($here, $default), $first, 'a new default is noticed');
ask($there, q{SELECT mobilebert.set_default_model('embed', 'small')});
is( ask($here, $default),
	ask($here, sprintf($embed, 'small')),
	'and another');

# the extension itself
ask($there, 'DROP EXTENSION mobilebert');
like(ask($here, $use), qr/ERROR/, 'the extension is dropped');
ask($there, 'CREATE EXTENSION mobilebert');
like(ask($here, $use), $absent, 'and made again, without models');
ask($there, "SELECT mobilebert.import_model('m', '$tiny')");
is(ask($here, $use), $first, 'which can be imported again');

# --------------------------------------------------------------------------
# Transactions
# --------------------------------------------------------------------------

ask($there, q{SELECT mobilebert.drop_model('m')});
my $rows = registry_counts($node);
ask($there, "BEGIN; SELECT mobilebert.import_model('m', '$tiny')");
is(ask($there, $use), $first, 'an imported model is used in its own transaction');
is(ask($there, $use), $first, 'again');
ask($there, 'ROLLBACK');
like(ask($there, $use), $absent, 'it is gone after a rollback');
is(registry_counts($node), $rows, 'without a row left');
grow_old(grep { $_ ne $image } glob("$images/*"));
value($node,
	q{SELECT mobilebert.import_model('small', '} . golden('store-f16') . q{')});
use_any();
is(scalar(image_files()), 1, 'and its file is removed later');

# a savepoint
ask($there, "BEGIN; SAVEPOINT s; SELECT mobilebert.import_model('m', '$tiny')");
is(ask($there, $use), $first, 'used within a savepoint');
like(ask($there, "ROLLBACK TO s; $use"), $absent, 'gone when that ends');
ask($there, 'ROLLBACK');

# read only
ask($there, "SELECT mobilebert.import_model('m', '$tiny')");
unlink grep { $_ ne $image } image_files();
is(ask($there, "BEGIN READ ONLY; $use"), $first, 'read-only transaction');
like(
	ask($there, q{SELECT mobilebert.drop_model('m')}),
	qr/read-only transaction/,
	'which cannot change the registry');
ask($there, 'ROLLBACK');

# --------------------------------------------------------------------------
# Two who change the registry: the second waits, and then looks again
# --------------------------------------------------------------------------

# What one session gets whose statement waits for another's transaction.
sub meanwhile
{
	my ($first, $second) = @_;

	ask($there, "BEGIN; $first");
	$here->{stdin} .= "$second;\n";
	$here->{run}->pump_nb;
	$node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted})
	  or die 'the second session does not wait';
	ask($there, 'COMMIT');
	return ask($here, 'SELECT 1');
}

my $import = "SELECT mobilebert.import_model('%s', '$tiny')";
my $based = copy_model($tiny, "$place/based");

edit_json("$based/config.json", sub { $_[0]{base} = 'base' });
my $fewer = read_weights($tiny);
delete @$fewer{ grep { /position_embeddings/ } keys %$fewer };
write_weights("$based/model.safetensors", $fewer);
ask($here, 'RESET ROLE');
like(
	meanwhile(sprintf($import, 'k'), sprintf($import, 'k')),
	qr/model "k" already exists/,
	'one of two importers wins');
is(ask($here, sprintf($embed, 'k')), $first, 'and the model is whole');
ask($here, sprintf($import, 'l'));
like(
	meanwhile(
		q{SELECT mobilebert.rename_model('k', 'one')},
		q{SELECT mobilebert.rename_model('l', 'one')}),
	qr/model "one" already exists/,
	'one of two new names');
like(
	meanwhile(
		q{SELECT mobilebert.drop_model('l')},
		q{SELECT mobilebert.drop_model('l')}),
	qr/model "l" does not exist/,
	'one of two who drop');
ask($here, sprintf($import, 'base'));
like(
	meanwhile(
		q{SELECT mobilebert.drop_model('base')},
		"SELECT mobilebert.import_model('l', '$based')"),
	qr/base model "base" does not exist/,
	'an import loses its base');
ask($here, sprintf($import, 'base'));
like(
	meanwhile(
		q{SELECT mobilebert.drop_model('base')},
		q{SELECT mobilebert.set_default_model('embed', 'base')}),
	qr/model "base" does not exist/,
	'a default loses its model');
value($node, 'CREATE ROLE holder; GRANT pg_read_server_files TO holder');
ask($here, 'SET ROLE holder');
ask($here, sprintf($import, 'held'));
like(
	meanwhile(
		q{SELECT mobilebert.drop_model('held'); } . sprintf($import, 'held'),
		q{SELECT mobilebert.drop_model('held')}),
	qr/must be owner of model "held"/,
	'whoever waits does not drop the model of another');
is( ask($here, sprintf($embed, 'held')), $first, 'it is still there');

# --------------------------------------------------------------------------
# Parallel workers
# --------------------------------------------------------------------------

value(
	$node, q{
	CREATE TABLE lines AS
		SELECT g AS id, 'line ' || g || repeat(' of words', g % 7) AS line
		FROM generate_series(1, 200) g;
	ALTER TABLE lines SET (parallel_workers = 2);
	ANALYZE lines});
my $parallel = q{
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = %d;
	SET parallel_leader_participation = off};
my $all = q{SELECT md5(string_agg(e, ',' ORDER BY id))
	FROM (SELECT id, mobilebert.embed(line, 'm')::text AS e
		FROM lines OFFSET 0) x};

ask($there, sprintf($parallel, 0));
my $serial = ask($there, $all);
ask($there, sprintf($parallel, 2));
like($serial, qr/^\w{32}$/, 'a table without workers');
is(ask($there, $all), $serial, 'the same by parallel workers');
like(ask($there, "EXPLAIN (ANALYZE, TIMING OFF) $all"),
	qr/Workers Launched: [12]/, 'which there were');
ask($there, "BEGIN; SELECT mobilebert.drop_model('m');
	SELECT mobilebert.import_model('m', '$tiny')");
is(ask($there, $all), $serial, 'workers in the transaction of an import');
ask($there, 'COMMIT');

$_->quit for $here, $there;
unharmed($node);

# --------------------------------------------------------------------------
# A process is killed while it writes an image
# --------------------------------------------------------------------------

my $crash = new_server('crash', conf => "restart_after_crash = on\n");
$images = $crash->data_dir . '/pgsql_tmp_mobilebert';
value($crash, q{SELECT mobilebert.import_model('minilm')});
unlink glob("$images/*");
my $victim = session($crash);
$own = ask($victim, 'SELECT pg_backend_pid()');
$victim->{stdin} .= "SELECT mobilebert.prewarm('minilm');\n";
$victim->{run}->pump_nb;
for (1 .. 10_000)
{
	last if grep { -s $_ } temporary_files();
	select(undef, undef, undef, 0.001);
}
my $log = -s $crash->logfile;
kill 'KILL', $own;
my ($half) = temporary_files();
ok(defined $half, 'half an image');
# a query might be answered before the server knows that a process has died
$crash->wait_for_log(qr/ready to accept connections/, $log);
ok(-e $half, 'which stays when the server has come back');
like(value($crash, $large), qr/^\w{32}$/, 'the first use of the model');
ok(!-e $half, 'removes it');

done_testing();
