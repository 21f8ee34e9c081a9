#-------------------------------------------------------------------------
#
# import_large.pl
#		A model of hundreds of megabytes: what its import tells while it runs,
#		what memory it takes, and how fast it is; what its first use tells.
#
# Most of it is a word table of zeros, which takes no room on the disk until it
# is stored.  The bounds are some times what was measured with a model of 1.3
# GB.  Linux only.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'this system has no /proc/self/status'
  unless -r '/proc/self/status';

my $words = 1 << 20;
my $width = 64;
my $table = 'mobilebert.embeddings.word_embeddings.weight';
my $node = new_server('import_large');
my $place = PostgreSQL::Test::Utils::tempdir();
my %shape = (
	hidden_size => $width,
	embedding_size => $width,
	intra_bottleneck_size => $width,
	intermediate_size => $width,
	num_hidden_layers => 1,
	num_feedforward_networks => 1,
	vocabulary => [ words(100) ],
	dtype => 'F32');
my $small = build_model("$place/small", %shape);
my $large = build_model("$place/large", %shape);
my $tensors = read_weights($large);

# The table comes last, and the file is made as long as that.
delete $tensors->{$table};
my $end = 0;
$end += length $_->{data} for values %$tensors;
write_weights(
	"$large/model.safetensors",
	$tensors,
	sub {
		$_[0]{$table} = {
			dtype => 'F32',
			shape => [ $words, $width ],
			data_offsets => [ $end, $end + 4 * $words * $width ]
		};
	});
truncate("$large/model.safetensors",
	(-s "$large/model.safetensors") + 4 * $words * $width)
  or die "could not lengthen the weights: $!";
edit_json("$large/config.json", sub { $_[0]{vocab_size} = $words });

# buffers of the server are not what is looked at
$node->append_conf('postgresql.conf', "shared_buffers = '8MB'");
$node->restart;

# One import: what it says, and the most memory its process ever had, in MB.
sub import_of
{
	my ($name, $directory) = @_;
	my ($status, $out, $said) = $node->psql('postgres',
		qq{SELECT (mobilebert.import_model('$name', '$directory')).size;
		SELECT (regexp_match(pg_read_file('/proc/self/status'),
			'VmHWM:\\s+(\\d+) kB'))[1]::int / 1024});

	is($status, 0, "$name is imported") or diag($said);
	my ($size, $memory) = split /\n/, $out;
	return ($size, $memory, $said);
}

my ($small_size, $usual, $silent) = import_of('small', $small);
my $start = time;
my ($size, $most, $said) = import_of('large', $large);
my $seconds = time - $start;
my $megabytes = int($size / 2**20);

cmp_ok($megabytes, '>=', 256, 'the large model is large');
unlike($silent, qr/NOTICE/, 'a small model is imported silently');
like(
	$said,
	qr/NOTICE:\ \ model\ "large"\ has\ $megabytes\ MB\ of\ weights\n
	   .*DETAIL:\ \ They\ are\ read\ and\ stored\ 1\ MB\ at\ a\ time\.
	   \ \ In\ use\ they\ take\ $megabytes\ MB\ of\ memory/x,
	'a large one says how large, and what memory it will take');

# A line a second; how many depends on the machine.
my @lines = $said =~ /model "large": (\d+ of $megabytes MB (?:read|stored))\n/g;
cmp_ok(scalar(@lines), '<=', $seconds, 'at most a line a second');
ok($seconds < 4 || @lines > 0, 'and one now and then');
diag(sprintf('%d MB in %.1f s, %.0f MB a minute', $megabytes, $seconds,
		60 * $megabytes / $seconds));
cmp_ok($most - $usual, '<', 32,
	'a large model takes no more memory than a small one: '
	  . "$most MB, $usual MB");
is( value(
		$node, q{SELECT count(*) FROM mobilebert.tensor_chunk
			WHERE length(data) > 1024 * 1024}),
	0, 'no piece is over 1 MB');

# --------------------------------------------------------------------------
# The first use, which makes the image: it is held up for over a second
# --------------------------------------------------------------------------

# The words of a session that makes a model ready, and its answer
sub ready
{
	my ($name, $held) = @_;
	my $holder = session($node);
	my $user = session($node);

	ask($holder, 'BEGIN; LOCK TABLE mobilebert.tensor_chunk') if $held;
	$user->{stdin} .=
	  "SELECT mobilebert.prewarm('$name') > 0;\n\\echo finished\n";
	$user->{run}->pump_nb;
	if ($held)
	{
		$node->poll_query_until('postgres',
			q{SELECT count(*) = 1 FROM pg_locks
				WHERE NOT granted AND relation = 'mobilebert.tensor_chunk'::regclass})
		  or die 'no first use waits';
		sleep 2;
		ask($holder, 'ROLLBACK');
	}
	$user->{run}->pump until $user->{stdout} =~ /finished\n/;
	my $said = $user->{stderr};
	like($user->{stdout}, qr/^t$/m, "$name is made ready");
	$_->quit for $holder, $user;
	return $said;
}
is(ready('small', 1), '', 'the first use of a small model is silent');
like(
	ready('large', 1),
	qr/NOTICE:  model "large" is made ready for its first use: \d+ of $megabytes MB\n/,
	'that of a large one tells how far it is');
is(ready('large', 0), '', 'the next use finds it');

# --------------------------------------------------------------------------
# What others see: an import that waits for a lock, and nothing after it
# --------------------------------------------------------------------------

my $seen = q{SELECT count(*), min(phase), bool_and(bytes_total > 10000),
	bool_and(bytes_done < bytes_total AND started_at <= now()
		AND database = current_database() AND role = current_user
		AND pid <> pg_backend_pid())
	FROM mobilebert.import_progress};
my $holder = session($node);
my $importer = session($node);

ask($holder, 'BEGIN; LOCK TABLE mobilebert.tensor IN SHARE MODE');
edit_json("$small/config.json", sub { $_[0]{pad_token_id} = 1 });
my $changed = read_weights($small);
$_->{data} = pack('f<*', map { $_ + 1 } unpack('f<*', $_->{data}))
  for values %$changed;
write_weights("$small/model.safetensors", $changed);
$importer->{stdin} .=
  "SELECT (mobilebert.import_model('again', '$small')).name;\n"
  . "\\echo finished\n";
$importer->{run}->pump_nb;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM mobilebert.import_progress
		WHERE phase = 'storing'})
  or die 'no import is seen';
is(value($node, $seen), '1|storing|t|t', 'an import under way is seen');
value($node, 'CREATE ROLE stranger');
is( value(
		$node,
		'SET ROLE stranger; SELECT count(*) FROM mobilebert.import_progress'),
	'0',
	'but not by a stranger');
ask($holder, 'ROLLBACK');
$importer->{run}->pump until $importer->{stdout} =~ /finished\n/;
like($importer->{stdout}, qr/^again$/m, 'it goes on when it may');
is(value($node, 'SELECT count(*) FROM mobilebert.import_progress'),
	'0', 'nothing is under way');
$_->quit for $holder, $importer;

done_testing();
