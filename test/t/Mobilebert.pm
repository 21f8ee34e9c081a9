#-------------------------------------------------------------------------
#
# Mobilebert.pm
#		What the tests with a live server share.
#
# Loading this module finds PostgreSQL's own test modules through pg_config
# (PG_CONFIG, else the first on PATH), or Debian's newest where that server came
# without, and sets what they want from the environment, so that "prove
# test/t/*.pl" works by itself, as an ordinary user, wherever the extension is
# installed.  Files of a test go to a temporary directory unless TESTDIR
# (TESTDATADIR from PostgreSQL 16 on) says otherwise.
#
# The second half makes checkpoints: it reads, changes and writes safetensors
# files, and builds models of any size with random weights.
#
#-------------------------------------------------------------------------
package Mobilebert;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname basename);
use File::Copy qw(copy);
use File::Temp ();
use JSON::PP;
use Test::More;

our @EXPORT = qw(
  golden new_server value fails_like registry_counts unharmed file_content
  write_file copy_model edit_json read_weights write_weights build_model
  words text_of session ask median widened
);

our $golden = abs_path(dirname(__FILE__) . '/../golden/checkpoint');
my $temporary;

BEGIN
{
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $pgxs = `$pg_config --pgxs 2>/dev/null`);
	chomp(my $bindir = `$pg_config --bindir 2>/dev/null`);
	my $tests = dirname(dirname($pgxs)) . '/test';
	my @places = ("$tests/perl",
		reverse sort glob('/usr/lib/postgresql/*/lib/pgxs/src/test/perl'));
	# those of PostgreSQL 14 lack some of what is used here
	push @places, shift @places if `$pg_config --version` =~ / 14\b/;
	my ($modules) = grep { -e "$_/PostgreSQL/Test/Cluster.pm" } @places;

	plan skip_all => 'the server does not run as root' if $> == 0;
	plan skip_all => "PostgreSQL's test modules are missing"
	  unless $modules;
	unshift @INC, $modules;
	$ENV{PATH} = "$bindir:$ENV{PATH}";
	$ENV{PG_REGRESS} ||= "$tests/regress/pg_regress";
	if (!$ENV{TESTDIR} && !$ENV{TESTDATADIR})
	{
		$temporary =
		  File::Temp::tempdir('mobilebert.XXXXXX', TMPDIR => 1, CLEANUP => 1);
		$ENV{TESTDIR} = $temporary;
		$ENV{TESTDATADIR} = "$temporary/tmp_check";
		$ENV{TESTLOGDIR} = "$temporary/tmp_check/log";
		mkdir "$temporary/tmp_check";
	}
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# ---------------------------------------------------------------------------
# Servers and sessions
# ---------------------------------------------------------------------------

# The path of a checkpoint in test/golden/checkpoint.
sub golden
{
	my ($name) = @_;

	return "$golden/$name";
}

# A running server with the extension in database postgres, of the version that
# is tested or of another's directory, install_path.
sub new_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		install_path => $options{install_path});

	$node->init(
		allows_streaming => $options{streaming},
		extra => [ '--locale=C', '--encoding=UTF8' ]);
	$node->append_conf('postgresql.conf',
		"max_connections = 50\n"
		  . ($options{conf} || ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION mobilebert');
	return $node;
}

# The result of a query, without psql's settings in the way.
sub value
{
	my ($node, $sql, $database) = @_;

	return $node->safe_psql($database || 'postgres', $sql);
}

# A statement must fail with this SQLSTATE and message.
sub fails_like
{
	my ($node, $sql, $sqlstate, $message, $name, $database) = @_;
	my ($status, $out, $error) = $node->psql($database || 'postgres',
		"\\set VERBOSITY verbose\n$sql");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($error, qr/ERROR:  $sqlstate: .*$message/s, $name);
	return;
}

# Rows of each table of the registry, in one line.
sub registry_counts
{
	my ($node, $database) = @_;

	return value(
		$node, q{
		SELECT (SELECT count(*) FROM mobilebert.model) AS models,
			(SELECT count(*) FROM mobilebert.model_file),
			(SELECT count(*) FROM mobilebert.tensor) AS tensors,
			(SELECT count(*) FROM mobilebert.tensor_chunk),
			(SELECT count(*) FROM mobilebert.model_tensor),
			(SELECT count(*) FROM mobilebert.model_grant),
			(SELECT count(*) FROM mobilebert.task_default)}, $database);
}

# No process of the server ended badly.
sub unharmed
{
	my ($node, $name) = @_;
	my $log = file_content($node->logfile);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	unlike($log, qr/PANIC:|terminated by signal|server process \(PID/,
		$name || 'no process of the server ended badly');
	return;
}

# A session that stays open.
sub session
{
	my ($node, $database) = @_;

	return $node->background_psql($database || 'postgres',
		on_error_stop => 0);
}

# What a session answers, or the first line of its error.
sub ask
{
	my ($session, $sql) = @_;
	my $out = $session->query($sql);
	my $error = $session->{stderr};

	$session->{stderr} = '';
	return $error =~ /(ERROR: .*)/ ? $1 : $out;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;

	return $sorted[ @sorted / 2 ];
}

# ---------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------

sub file_content
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or die "could not open $path: $!";
	local $/ = undef;
	my $content = <$file>;
	close $file;
	return $content;
}

sub write_file
{
	my ($path, $content) = @_;

	unlink $path;
	open(my $file, '>:raw', $path) or die "could not open $path: $!";
	print $file $content;
	close $file or die "could not write $path: $!";
	return;
}

# Copies the files of a model's directory to a new one.
sub copy_model
{
	my ($from, $to) = @_;

	mkdir $to or die "could not make $to: $!";
	for my $file (grep { -f } glob("$from/*"))
	{
		copy($file, "$to/" . basename($file)) or die "could not copy $file: $!";
	}
	return $to;
}

# Lets code change what a JSON file holds.
sub edit_json
{
	my ($path, $code) = @_;
	my $json = JSON::PP->new->canonical->allow_bignum;
	my $content = -e $path ? $json->decode(file_content($path)) : {};

	$code->($content);
	write_file($path, $json->encode($content));
	return;
}

# ---------------------------------------------------------------------------
# Weights: a hash of name => { dtype, shape, data }
# ---------------------------------------------------------------------------

# All tensors of a directory's safetensors files.
sub read_weights
{
	my ($directory) = @_;
	my %tensors;

	for my $file (glob("$directory/*.safetensors"))
	{
		my $bytes = file_content($file);
		my $length = unpack('Q<', $bytes);
		my $header = JSON::PP::decode_json(substr($bytes, 8, $length));

		for my $name (grep { $_ ne '__metadata__' } keys %$header)
		{
			my ($begin, $end) = @{ $header->{$name}{data_offsets} };

			$tensors{$name} = {
				dtype => $header->{$name}{dtype},
				shape => $header->{$name}{shape},
				data => substr($bytes, 8 + $length + $begin, $end - $begin)
			};
		}
	}
	return \%tensors;
}

# Writes one file; change, if given, edits the header before it is written.
sub write_weights
{
	my ($path, $tensors, $change) = @_;
	my %header = (__metadata__ => { format => 'pt' });
	my $at = 0;

	for my $name (sort keys %$tensors)
	{
		my $size = length($tensors->{$name}{data});

		$header{$name} = {
			dtype => $tensors->{$name}{dtype},
			shape => $tensors->{$name}{shape},
			data_offsets => [ $at, $at + $size ]
		};
		$at += $size;
	}
	$change->(\%header) if $change;
	my $json = JSON::PP->new->canonical->encode(\%header);
	$json .= ' ' x (-length($json) % 8);

	unlink $path;
	open(my $file, '>:raw', $path) or die "could not open $path: $!";
	print $file pack('Q<', length($json)), $json;
	print $file $tensors->{$_}{data} for sort keys %$tensors;
	close $file or die "could not write $path: $!";
	return;
}

# The float32 bytes of F16 or BF16 numbers (normal numbers and zeros only).
sub widened
{
	my ($dtype, $data) = @_;
	my @words = unpack('v*', $data);

	return pack('V*', map { $_ << 16 } @words) if $dtype eq 'BF16';
	return pack(
		'V*',
		map {
			my ($sign, $exponent, $fraction) =
			  (($_ & 0x8000) << 16, $_ >> 10 & 31, $_ & 1023);
			# a subnormal number: shift until its leading bit is implied
			if ($exponent == 0 && $fraction != 0)
			{
				$exponent = 1;
				while (!($fraction & 1024))
				{
					$fraction <<= 1;
					$exponent--;
				}
				$fraction &= 1023;
				$sign | ($exponent + 112) << 23 | $fraction << 13;
			}
			else
			{
				$exponent == 0
				  ? $sign
				  : $sign | ($exponent + 112) << 23 | $fraction << 13;
			}
		} @words);
}

# ---------------------------------------------------------------------------
# Models with random weights
# ---------------------------------------------------------------------------

# Shapes of the tensors of a base model without pooler, by name.
sub shapes
{
	my ($c) = @_;
	my ($H, $E, $T, $I) = @$c{
		qw(hidden_size embedding_size intra_bottleneck_size intermediate_size)
	};
	my %shapes = (
		'embeddings.word_embeddings.weight' => [ $c->{vocab_size}, $E ],
		'embeddings.position_embeddings.weight' =>
		  [ $c->{max_position_embeddings}, $H ],
		'embeddings.token_type_embeddings.weight' => [ 2, $H ]);
	my $dense = sub {
		my ($name, $out, $in) = @_;
		$shapes{"$name.weight"} = [ $out, $in ];
		$shapes{"$name.bias"} = [$out];
	};
	my $norm = sub {
		my ($name, $width) = @_;
		$shapes{"$name.LayerNorm.$_"} = [$width] for qw(weight bias);
	};
	my $ffn = sub {
		my ($name) = @_;
		$dense->("$name.intermediate.dense", $I, $T);
		$dense->("$name.output.dense", $T, $I);
		$norm->("$name.output", $T);
	};

	$dense->('embeddings.embedding_transformation', $H, 3 * $E);
	$norm->('embeddings', $H);
	for my $i (0 .. $c->{num_hidden_layers} - 1)
	{
		my $layer = "encoder.layer.$i";

		$dense->("$layer.attention.self.$_", $T, $_ eq 'value' ? $H : $T)
		  for qw(query key value);
		$dense->("$layer.attention.output.dense", $T, $T);
		$norm->("$layer.attention.output", $T);
		for my $part (qw(input attention))
		{
			$dense->("$layer.bottleneck.$part.dense", $T, $H);
			$norm->("$layer.bottleneck.$part", $T);
		}
		$ffn->($layer);
		$ffn->("$layer.ffn.$_") for 0 .. $c->{num_feedforward_networks} - 2;
		$dense->("$layer.output.bottleneck.dense", $H, $T);
		$norm->("$layer.output.bottleneck", $H);
	}
	return \%shapes;
}

# Half-precision numbers of random sign and fraction, all of one exponent.
sub random_halfs
{
	my ($count, $exponent, $seed) = @_;

	srand($seed);
	return pack('v*',
		map { int(rand(2)) << 15 | $exponent << 10 | int(rand(1024)) }
		  1 .. $count);
}

# The same in single precision, the exponent counted as in half.
sub random_singles
{
	my ($count, $exponent, $seed) = @_;

	srand($seed);
	return pack('V*',
		map { int(rand(2)) << 31 | ($exponent + 112) << 23 | int(rand(1 << 23)) }
		  1 .. $count);
}

# Makes a directory with a model of a certain size and random weights.
# Options: the keys of config.json; vocabulary => [words] or a path; seed;
# dtype => F16 (the default) or F32.
# The defaults are the sizes of google/mobilebert-uncased.
sub build_model
{
	my ($directory, %options) = @_;
	my $vocabulary = delete $options{vocabulary};
	my $seed = delete $options{seed} || 1;
	my $dtype = delete $options{dtype} || 'F16';
	my ($bytes, $one) =
	  $dtype eq 'F16' ? (2, pack('v', 0x3bff)) : (4, pack('V', 0x3f7fe000));
	my @lines = ref $vocabulary ? @$vocabulary
	  : split(/\n/, file_content($vocabulary));
	my %config = (
		architectures => ['MobileBertModel'],
		classifier_activation => JSON::PP::false,
		model_type => 'mobilebert',
		hidden_size => 512,
		embedding_size => 128,
		intra_bottleneck_size => 128,
		intermediate_size => 512,
		num_attention_heads => 4,
		num_hidden_layers => 24,
		num_feedforward_networks => 4,
		max_position_embeddings => 512,
		vocab_size => scalar(@lines),
		%options);
	my $shapes = shapes(\%config);
	my $pool = $dtype eq 'F16' ? random_halfs(100_003, 9, $seed)
	  : random_singles(100_003, 9, $seed);
	my %tensors;
	my $at = 0;

	for my $name (sort keys %$shapes)
	{
		my $count = 1;

		$count *= $_ for @{ $shapes->{$name} };
		# a norm's weights are near 1, all others below 2^-5
		my $data =
		  $name =~ /LayerNorm\.weight$/
		  ? $one x $count
		  : substr($pool x (2 + int($count / 100_003)), $bytes * $at,
			$bytes * $count);
		$at = ($at + $count) % 100_003;
		$tensors{"mobilebert.$name"} =
		  { dtype => $dtype, shape => $shapes->{$name}, data => $data };
	}
	mkdir $directory or die "could not make $directory: $!";
	write_weights("$directory/model.safetensors", \%tensors);
	write_file("$directory/config.json",
		JSON::PP->new->canonical->encode(\%config));
	write_file("$directory/vocab.txt", join("\n", @lines) . "\n");
	write_file("$directory/tokenizer_config.json",
		'{"do_lower_case": true, "tokenizer_class": "MobileBertTokenizer"}');
	return $directory;
}

# A vocabulary: special tokens and letters at the places BERT has them, then
# words of one syllable and more.
sub words
{
	my ($count) = @_;
	my @lines = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]');
	my @consonants = qw(b d f g k l m n p r s t v z);
	my @vowels = qw(a e i o u);
	my @syllables = map { my $c = $_; map { "$c$_" } @vowels } @consonants;

	push @lines, ('a' .. 'z'), (map { "##$_" } 'a' .. 'z'), '.', ',';
	for my $first (@syllables)
	{
		push @lines, $first, "##$first";
		push @lines, map { "$first$_" } @syllables;
	}
	return [ @lines[ 0 .. $count - 1 ] ];
}

# A text of so many words that words(...) has as whole tokens, by number.
sub text_of
{
	my ($count, $number) = @_;
	my @all = grep { /^[a-z]{2,}$/ } @{ words(2000) };

	return join(' ',
		map { $all[ ($_ * 7 + $number * 13) % @all ] } 1 .. $count);
}

1;
