#-------------------------------------------------------------------------
#
# memory.pl
#		What a backend costs that uses a 24-layer model of full size, when others
#		use it already; and what the first call in a connection costs.
#
# Memory is counted as the kernel does for shared pages: each of n processes
# that map a page has an n-th of it (Pss).  Linux only.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'this system has no /proc/PID/smaps_rollup'
  unless -r '/proc/self/smaps_rollup';

my $backends = 20;
my $node = new_server('memory');
my $place = PostgreSQL::Test::Utils::tempdir();
my $share = $node->config_data('--sharedir');
my $deep = build_model("$place/deep",
	vocabulary => "$share/extension/mobilebert/minilm/vocab.txt");
my $text = 'eight words are in this very short text';
my $embed = "SELECT md5(mobilebert.embed('$text', 'deep')::text)";

value($node, "SELECT mobilebert.import_model('deep', '$deep')");
my $expected = value($node, $embed);
my $image = value($node, q{SELECT mobilebert.prewarm('deep')});

# A line of a process's memory account, in MB.
sub account
{
	my ($pid, $line) = @_;
	my ($kilobytes) =
	  file_content("/proc/$pid/smaps_rollup") =~ /^$line:\s+(\d+) kB/m;

	return $kilobytes / 1024;
}

sub pss
{
	return account($_[0], 'Pss');
}

sub sum
{
	my $sum = 0;

	$sum += $_ for @_;
	return $sum;
}

# --------------------------------------------------------------------------
# Memory
# --------------------------------------------------------------------------

my @sessions = map { session($node) } 1 .. $backends;
my @pids = map { ask($_, 'SELECT pg_backend_pid()') } @sessions;
my @idle = map { pss($_) } @pids;

is(ask($sessions[0], $embed), $expected, 'the first backend');
my @one = map { pss($_) } @pids;
is(scalar(grep { ask($_, $embed) eq $expected } @sessions),
	$backends, "$backends backends use the model");
my @all = map { pss($_) } @pids;

# The weights are paid once; a backend that comes later costs the rest.
my $extra = (sum(@all) - sum(@one)) / ($backends - 1);
my $whole = (sum(@all) - sum(@idle)) / $backends;
my $whole_backend = sum(@all) / $backends;

cmp_ok($one[0] - $idle[0], '>', $image / 1024**2 / 2,
	'the first backend pays for the weights');
cmp_ok($extra, '<', 15, 'an extra backend costs less than 15 MB');
cmp_ok($whole_backend, '<', 15, 'so does each of them, weights shared');
diag(
	sprintf(
		'image of %.0f MB, %d backends: %.1f MB an extra backend, '
		  . '%.1f MB each with its part of the image, %.1f MB all in all',
		$image / 1024**2,
		$backends, $extra, $whole, $whole_backend));

# after long texts nothing of the passes stays
ask($sessions[0],
	q{SELECT length(mobilebert.embed(repeat('a ', 600), 'deep')::text)});
ask($sessions[0],
	q{SELECT count(*) FROM mobilebert.embed(
		ARRAY(SELECT repeat('a ', 600) || g FROM generate_series(1, 8) g),
		'deep')});
my $after = pss($pids[0]);
cmp_ok($after - $all[0], '<', 15, 'nor does a long text leave much');
diag(sprintf('after passes of 512 tokens: %.1f MB more', $after - $all[0]));

# nor do many calls, imports and failures
my $tiny = golden('one-layer-one-head');
my $busy = $sessions[1];
my $rounds = q{DO $$BEGIN
	FOR i IN 1 .. %d LOOP
		PERFORM mobilebert.import_model('tiny', '%s');
		PERFORM mobilebert.embed('word ' || j, 'tiny'),
			mobilebert.tokenize('word ' || j, 'tiny')
		FROM generate_series(1, 500) j;
		PERFORM mobilebert.drop_model('tiny');
		BEGIN
			PERFORM mobilebert.import_model('tiny', '%s');
		EXCEPTION WHEN data_exception THEN
		END;
	END LOOP;
END$$};
my $broken = copy_model($tiny, "$place/broken");
my $weights = file_content("$tiny/model.safetensors");
write_file("$broken/model.safetensors", substr($weights, 0, -1));
ask($busy, sprintf($rounds, 5, $tiny, $broken));
my $early = account($pids[1], 'Anonymous');
for (1 .. 4)
{
	like(ask($busy, sprintf($rounds, 10, $tiny, $broken)),
		qr/^$/, 'ten rounds of imports, calls, drops and failures');
}
my $late = account($pids[1], 'Anonymous');
cmp_ok($late - $early, '<', 2, 'leave no memory taken');
diag(sprintf('after 40 rounds: %.1f MB more', $late - $early));
$_->quit for @sessions;

# --------------------------------------------------------------------------
# The first call in a connection
# --------------------------------------------------------------------------

# The server's clock, around two calls with different texts.
my $measure = q{DO $$
	DECLARE
		times timestamptz[];
	BEGIN
		times[1] := clock_timestamp();
		PERFORM mobilebert.embed('eight words are in this very short text', 'deep');
		times[2] := clock_timestamp();
		PERFORM mobilebert.embed('eight words are in that very other text', 'deep');
		times[3] := clock_timestamp();
		RAISE NOTICE 'first % second %',
			1000 * extract(epoch FROM times[2] - times[1]),
			1000 * extract(epoch FROM times[3] - times[2]);
	END $$};
my (@first, @second);
for (1 .. 5)
{
	my ($status, $out, $error) = $node->psql('postgres', $measure);

	$error =~ /first ([\d.]+) second ([\d.]+)/ or die "no times in: $error";
	push @first, $1;
	push @second, $2;
}
my $cost = median(@first) - median(@second);
cmp_ok($cost, '<', 300, 'the first call in a connection');
diag(
	sprintf(
		'embed of %s tokens: first in a connection %.1f ms, second %.1f ms',
		value($node, "SELECT mobilebert.count_tokens('$text', 'deep')"),
		median(@first), median(@second)));
unharmed($node);

done_testing();
