#-------------------------------------------------------------------------
#
# fuzz_import.pl
#		1,000 damaged checkpoints: each is imported and used, or refused with a
#		clean error; the server goes on.
#
# A small model's files are damaged one at a time: a bit flipped, a byte
# replaced, a piece cut out, repeated or cut off.  Headers and JSON get most of
# it, because weights may be any numbers.  The damage is the same in each run.
# One session tries them all, so that what a refused import leaves in memory
# would show in the next one.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(product);
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $cases = 1000;
my $place = PostgreSQL::Test::Utils::tempdir_short();
my $node = new_server('fuzz_import');

# The model to damage: all documents, few weights, modules after Pooling.
my $sound = build_model(
	"$place/sound",
	vocabulary => words(100),
	hidden_size => 8,
	embedding_size => 4,
	intra_bottleneck_size => 4,
	intermediate_size => 8,
	num_attention_heads => 2,
	num_hidden_layers => 1,
	num_feedforward_networks => 2,
	max_position_embeddings => 16,
	id2label => { 0 => 'no', 1 => 'yes' });
my $id = 0;
write_file(
	"$sound/tokenizer.json",
	JSON::PP->new->canonical->encode(
		{
			version => '1.0',
			truncation => undef,
			padding => undef,
			added_tokens => [
				map {
					{
						id => $_->[0],
						content => $_->[1],
						single_word => JSON::PP::false,
						lstrip => JSON::PP::false,
						rstrip => JSON::PP::false,
						normalized => JSON::PP::false,
						special => JSON::PP::true
					}
				} [ 0, '[PAD]' ], [ 1, '[UNK]' ], [ 2, '[CLS]' ],
				[ 3, '[SEP]' ], [ 4, '[MASK]' ]
			],
			normalizer => {
				type => 'BertNormalizer',
				clean_text => JSON::PP::true,
				handle_chinese_chars => JSON::PP::true,
				strip_accents => undef,
				lowercase => JSON::PP::true
			},
			pre_tokenizer => { type => 'BertPreTokenizer' },
			post_processor => {
				type => 'BertProcessing',
				sep => [ '[SEP]', 3 ],
				cls => [ '[CLS]', 2 ]
			},
			decoder =>
			  { type => 'WordPiece', prefix => '##', cleanup => JSON::PP::true },
			model => {
				type => 'WordPiece',
				unk_token => '[UNK]',
				continuing_subword_prefix => '##',
				max_input_chars_per_word => 100,
				vocab => { map { ($_ => $id++) } @{ words(100) } }
			}
		}));
edit_json(
	"$sound/tokenizer_config.json",
	sub {
		$_[0]{model_max_length} = 16;
		$_[0]{unk_token} = '[UNK]';
		$_[0]{strip_accents} = undef;
	});

my %sentences = (
	'modules.json' => '[{"idx": 0, "name": "0", "path": "", "type": '
	  . '"sentence_transformers.models.Transformer"}, {"idx": 1, "name": "1", '
	  . '"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}, '
	  . '{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}, '
	  . '{"path": "3_LayerNorm", "type": "sentence_transformers.models.LayerNorm"}, '
	  . '{"path": "4_Normalize", "type": "sentence_transformers.models.Normalize"}]',
	'1_Pooling/config.json' => '{"embedding_dimension": 8, "pooling_mode": '
	  . '["mean", "cls", "lasttoken"], "pooling_mode_max_tokens": true}',
	'2_Dense/config.json' => '{"in_features": 24, "out_features": 6, "bias": true, '
	  . '"activation_function": "torch.nn.modules.activation.Tanh"}',
	'3_LayerNorm/config.json' => '{"dimension": 6}',
	'sentence_bert_config.json' => '{"max_seq_length": 12, "do_lower_case": '
	  . 'true, "modality_config": {"text": {"method": "forward"}}}',
	'config_sentence_transformers.json' => '{"prompts": {"a": "b: "}, '
	  . '"default_prompt_name": "a", "truncate_dim": 3, '
	  . '"similarity_fn_name": "dot"}');
mkdir "$sound/$_" for qw(1_Pooling 2_Dense 3_LayerNorm);
write_file("$sound/$_", $sentences{$_}) for keys %sentences;

sub f32 { return { dtype => 'F32', shape => [@_], data => pack('f<', 0.1) x product(@_) }; }
write_weights("$sound/2_Dense/model.safetensors",
	{ 'linear.weight' => f32(6, 24), 'linear.bias' => f32(6) });
write_weights("$sound/3_LayerNorm/model.safetensors",
	{ 'norm.weight' => f32(6), 'norm.bias' => f32(6) });

# --------------------------------------------------------------------------
# Damage
# --------------------------------------------------------------------------

srand(20251);

my %header = map { $_ => 8 + unpack('Q<', file_content("$sound/$_")) }
  map { "${_}model.safetensors" } '', '2_Dense/', '3_LayerNorm/';

# Where to damage: within the header of weights three times of four.
sub spot
{
	my ($bytes, $file) = @_;
	my $end = length($bytes);

	$end = $header{$file}
	  if $header{$file} && $end > $header{$file} && rand() < 0.75;
	return int(rand($end));
}

my @ways = (
	sub {
		my ($bytes, $at) = @_;
		substr($bytes, $at, 1) ^= chr(1 << int(rand(8)));
		return $bytes;
	},
	sub {
		my ($bytes, $at) = @_;
		my @bytes =
		  (chr(0), chr(255), qw({ } [ ] " \\ : 0 9 -), ',', chr(128), 'e');
		substr($bytes, $at, 1) = $bytes[ rand(@bytes) ];
		return $bytes;
	},
	sub { return substr($_[0], 0, $_[1]) },
	sub {
		my ($bytes, $at) = @_;
		substr($bytes, $at, 1 + int(rand(40))) = '';
		return $bytes;
	},
	sub {
		my ($bytes, $at) = @_;
		substr($bytes, $at, 0) = substr($bytes, $at, 1 + int(rand(40)));
		return $bytes;
	});

my @files = map { basename_of($_) } glob("$sound/*");
my @targets = (
	qw(model.safetensors model.safetensors config.json
	  tokenizer.json tokenizer_config.json vocab.txt
	  2_Dense/model.safetensors 3_LayerNorm/model.safetensors),
	sort keys %sentences);

sub basename_of
{
	return $_[0] =~ s{.*/}{}r;
}

for my $case (1 .. $cases)
{
	my $target = $targets[ $case % @targets ];
	my $bytes = file_content("$sound/$target");
	my $times = rand() < 0.7 ? 1 : 3;

	# tokenizer.json goes before vocab.txt
	my $other = $target eq 'vocab.txt' ? 'tokenizer.json' : 'vocab.txt';

	mkdir "$place/$case" or die "mkdir: $!";
	for my $file (grep { $_ ne $other && $target !~ m{^\Q$_\E(/|$)} } @files)
	{
		symlink("$sound/$file", "$place/$case/$file") or die "symlink: $!";
	}
	for (1 .. $times)
	{
		last if $bytes eq '';
		$bytes = $ways[ rand(@ways) ]->($bytes, spot($bytes, $target));
	}
	if (my ($folder) = $target =~ m{(.*)/})
	{
		mkdir "$place/$case/$folder";
		for my $file (grep { $_ ne $target } map { "$folder/" . basename_of($_) } glob("$sound/$folder/*"))
		{
			symlink("$sound/$file", "$place/$case/$file") or die "symlink: $!";
		}
	}
	write_file("$place/$case/$target", $bytes);
}

# --------------------------------------------------------------------------
# All of them in one session
# --------------------------------------------------------------------------

my $started = value($node, 'SELECT pg_postmaster_start_time()');
my $rows = registry_counts($node);

value(
	$node, qq{
	SELECT mobilebert.import_model('sound', '$sound');
	CREATE TABLE outcome (case_no int, step text, state text, message text);
	DO \$\$
	DECLARE
		step text;
		state text;
		message text;
	BEGIN
		FOR case_no IN 1 .. $cases LOOP
			BEGIN
				step := 'import';
				PERFORM mobilebert.import_model('damaged',
					'$place/' || case_no);
				step := 'embed';
				PERFORM mobilebert.embed(t, 'damaged'),
					mobilebert.encode(t, 'damaged')
				FROM unnest('{"", "bada bodu, gi.", "Ünïcödé 中 x"}'::text[]) t;
				step := 'describe';
				PERFORM mobilebert.model_config('damaged');
				PERFORM mobilebert.drop_model('damaged');
				INSERT INTO outcome VALUES (case_no, 'done');
			EXCEPTION WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
					message = MESSAGE_TEXT;
				INSERT INTO outcome VALUES (case_no, step, state, message);
			END;
		END LOOP;
	END \$\$});

is(value($node, 'SELECT count(*) FROM outcome'),
	$cases, "$cases damaged models were tried");
is( value(
		$node,
		q{SELECT count(DISTINCT step) FROM outcome
			WHERE step IN ('done', 'import')}),
	2,
	'some are used, some refused');
is( value(
		$node, q{SELECT string_agg(format('%s %s %s', case_no, step, message), '; ')
			FROM outcome WHERE state LIKE 'XX%' OR state = '58000'}),
	'',
	'no error is an internal one');
is( value(
		$node, q{SELECT string_agg(format('%s %s %s', case_no, state, message), '; ')
			FROM outcome WHERE step = 'describe'}),
	'',
	'what can be embedded can be described and dropped');
is( value(
		$node, q{SELECT count(*) FROM outcome
			WHERE message = '' OR message ~ '[\n\x01-\x1f]'}),
	0,
	'messages are of one line without control characters');
diag('damaged checkpoints: ' . value(
		$node, q{SELECT string_agg(n || ' ' || what, ', ' ORDER BY n DESC)
		FROM (SELECT count(*) AS n, step || coalesce(' ' || state, '') AS what
			FROM outcome GROUP BY 2) x}));

value($node, q{SELECT mobilebert.drop_model('sound')});
is(registry_counts($node), $rows, 'nothing of them is left in the registry');
is(value($node, 'SELECT pg_postmaster_start_time()'),
	$started, 'the server did not restart');
unharmed($node);

done_testing();
