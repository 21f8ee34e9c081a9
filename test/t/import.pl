#-------------------------------------------------------------------------
#
# import.pl
#		Every way to register a model, and every way to be refused.
#
# The directories are those of test/golden/checkpoint, and copies of them that
# are changed here.  A refused import must name what is wrong and leave no row.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('import');
my $place = PostgreSQL::Test::Utils::tempdir();
my $copies = 0;

my $embedding = q{SELECT md5(mobilebert.embed('the quick brown fox', '%s')::text)};
my $fingerprint = q{SELECT mobilebert.fingerprint('%s')};

# A fresh copy of a checkpoint.
sub copy_of
{
	my ($name) = @_;

	return copy_model(golden($name), "$place/" . $copies++);
}

# One weight file with changed tensors in place of whatever there was.
sub rewrite
{
	my ($directory, $tensors, $change) = @_;

	unlink glob("$directory/model*");
	write_weights("$directory/model.safetensors", $tensors, $change);
	return $directory;
}

sub imports
{
	my ($name, $directory) = @_;

	return value($node,
		"SELECT (mobilebert.import_model('$name', '$directory')).name");
}

# "base_sha256" of the encoder's tensors but some.
sub base_hash
{
	my ($tensors, $but) = @_;
	my %taken = map { (s/^mobilebert\.//r => $tensors->{$_}) }
	  grep { !$but->{$_} && !/^(cls|classifier|qa_outputs)\./ } keys %$tensors;

	return sha256_hex(join '', map {
		my $tensor = $taken{$_};

		"$_\0" . sha256(join('', map { "$_\0" } $tensor->{dtype}, @{ $tensor->{shape} }, '')
			  . $tensor->{data})
	} sort keys %taken);
}

sub embeds
{
	my ($name) = @_;

	return value($node, sprintf($embedding, $name));
}

# --------------------------------------------------------------------------
# Ways in
# --------------------------------------------------------------------------

is(imports('plain', golden('one-layer-one-head')),
	'plain', 'directory with one weight file and tokenizer.json');
like(embeds('plain'), qr/^\w{32}$/, 'it embeds');

is( value(
		$node, q{SELECT (mobilebert.import_model('minilm')).architecture}),
	'MobileBertModel',
	'the shipped minilm');
is( value($node, q{SELECT pg_catalog.array_length(mobilebert.embed('a'), 1)}),
	384, 'it is the default, and embeds');

# shards against one file with the same tensors
imports('sharded', golden('store-sharded'));
my $whole = copy_of('store-sharded');
rewrite($whole, read_weights($whole));
imports('whole', $whole);
is( value($node, sprintf($fingerprint, 'sharded')),
	value($node, sprintf($fingerprint, 'whole')),
	'shards and one file have one fingerprint');
is(embeds('sharded'), embeds('whole'), 'and one embedding');

# names of old checkpoints against today's
imports('legacy', golden('store-legacy-names'));
my $modern = copy_of('store-legacy-names');
my $old = read_weights($modern);
my %new;
for my $name (keys %$old)
{
	my $today = $name =~ s/\.gamma$/.weight/r =~ s/\.beta$/.bias/r;

	$new{$today} = $old->{$name} unless $name =~ /position_ids|decoder/;
}
ok(scalar(grep { /gamma/ } keys %$old) > 0, 'the old file has old names');
imports('modern', rewrite($modern, \%new));
is(embeds('legacy'), embeds('modern'), 'old and new names');
is( value($node, sprintf($fingerprint, 'legacy')),
	value($node, sprintf($fingerprint, 'modern')),
	'have one fingerprint');

# the prefix of the base model may be missing
my $bare = copy_of('one-layer-one-head');
my $tensors = read_weights($bare);
rewrite(
	$bare,
	{
		map { ($_ =~ s/^mobilebert\.//r => $tensors->{$_}) }
		  grep { /^mobilebert/ } keys %$tensors
	});
imports('bare', $bare);
is(embeds('bare'), embeds('plain'), 'names without "mobilebert."');

# half precision against the same numbers in F32 (and F64 for BF16)
for my $kind ('f16', 'bf16')
{
	my $wide = copy_of("store-$kind");
	my $half = read_weights($wide);

	imports($kind, $wide);
	$half->{$_}{data} = widened($half->{$_}{dtype}, $half->{$_}{data}),
	  $half->{$_}{dtype} = 'F32'
	  for keys %$half;
	imports("$kind-wide", rewrite($wide, $half));
	is(embeds($kind), embeds("$kind-wide"), "$kind is widened exactly");
	next if $kind eq 'f16';
	$half->{$_}{data} = pack('d<*', unpack('f<*', $half->{$_}{data})),
	  $half->{$_}{dtype} = 'F64'
	  for keys %$half;
	imports("$kind-double", rewrite($wide, $half));
	is(embeds("$kind-double"), embeds($kind), 'F64 is narrowed');
}

imports('lines', golden('tok-only-vocab'));
like(embeds('lines'), qr/^\w{32}$/, 'vocab.txt without tokenizer.json');
is( value(
		$node,
		q{SELECT tasks, labels[2] FROM mobilebert.models WHERE name = 'lines'}
	),
	'{embed,ner}|B-PER',
	'tasks and labels of a token classifier');

# the forms for clients: bytea and large object
my $directory = golden('one-layer-one-head');
my $config = file_content("$directory/config.json");
my $tokenizer = file_content("$directory/tokenizer.json");
my $more = file_content("$directory/tokenizer_config.json");
my $weights = unpack('H*', file_content("$directory/model.safetensors"));
value(
	$node, qq{
	CREATE TABLE sent (config jsonb, tokenizer text, weights bytea, more jsonb);
	INSERT INTO sent VALUES (\$x\$$config\$x\$, \$x\$$tokenizer\$x\$,
		'\\x$weights', \$x\$$more\$x\$);
	SELECT mobilebert.import_model('bytes', config, tokenizer, weights,
		tokenizer_config => more) FROM sent;
	SELECT pg_catalog.lo_from_bytea(4711, weights) FROM sent;
	SELECT mobilebert.import_model('object', config, tokenizer, 4711::oid,
		tokenizer_config => more) FROM sent});
is(embeds('bytes'), embeds('plain'), 'weights as bytea');
is(embeds('object'), embeds('plain'), 'weights as large object');

# labels that are numbers, and identifiers that inference has no use for
my $numbers = copy_of('nli-3-entail-first');
edit_json(
	"$numbers/config.json",
	sub {
		$_[0]{id2label} = { 0 => 5, 1 => JSON::PP::true(), 2 => undef };
		delete $_[0]{label2id};
		@{ $_[0] }{qw(pad_token_id eos_token_id)} = (undef, 'x');
	});
imports('numbers', $numbers);
is( value($node, q{SELECT labels FROM mobilebert.models WHERE name = 'numbers'}),
	'{5,true,"null"}', 'labels are their text');
is( value(
		$node, q{SELECT mobilebert.model_config('numbers') -> 'pad_token_id'}),
	'null', 'no padding token');

# padding is with the tokenizer's token, as there: that of config.json is none
my $padded = q{SELECT string_agg(score::text, ' ' ORDER BY rank)
	FROM mobilebert.classify('the quick brown fox', '%s', padding => true)};
my $other = copy_of('nli-3-entail-first');
edit_json("$other/config.json", sub { $_[0]{pad_token_id} = 7 });
imports('other padding', $other);
imports('nli', golden('nli-3-entail-first'));
is( value($node, sprintf($padded, 'numbers')),
	value($node, sprintf($padded, 'nli')),
	'padding without pad_token_id');
is( value($node, sprintf($padded, 'other padding')),
	value($node, sprintf($padded, 'nli')),
	'padding with another pad_token_id');
isnt(
	value($node, sprintf($padded, 'nli')),
	value($node, sprintf($padded, 'nli') =~ s/, padding => true//r),
	'it matters');

# --------------------------------------------------------------------------
# What sentence-transformers wrote beside a checkpoint
# --------------------------------------------------------------------------

# A copy with modules.json and other files: name => content, {} as JSON.
sub sentence_model
{
	my (%files) = @_;
	my $copy = copy_of('one-layer-one-head');

	for my $name (keys %files)
	{
		my ($folder) = "$copy/$name" =~ m{(.*)/};

		mkdir $folder;
		write_file("$copy/$name", JSON::PP->new->encode($files{$name}));
	}
	return $copy;
}

# modules.json; a Pooling is in the folder given
sub modules
{
	my ($pooling, @more) = @_;
	my @modules = ([ '', 'Transformer' ], [ $pooling, 'Pooling' ], @more);

	return (
		'modules.json' => [
			map { { path => $_->[0], type => "sentence_transformers.models.$_->[1]" } }
			  @modules
		]);
}

# Vectors of a model equal those of the plain one with options.
sub pools_like
{
	my ($name, $directory, $options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	imports($name, $directory);
	return is(
		value($node, "SELECT mobilebert.embed('the quick brown fox', '$name')"),
		value(
			$node,
			"SELECT mobilebert.embed('the quick brown fox', 'plain', $options)"),
		"$name: $options");
}

pools_like(
	'elsewhere',
	sentence_model(
		modules('2_Pooling', [ '3_Normalize', 'Normalize' ]),
		'1_Pooling/config.json' => { pooling_mode => 'max' },
		'2_Pooling/config.json' => { pooling_mode => 'cls' }),
	"pooling => 'cls', normalized => true");
pools_like(
	'listed',
	sentence_model(
		modules('1_Pooling'),
		'1_Pooling/config.json' =>
		  { pooling_mode => [ 'mean', 'cls', 'lasttoken' ] }),
	"pooling => 'mean,cls,lasttoken'");
pools_like(
	'flags',
	sentence_model(
		modules('1_Pooling'),
		'1_Pooling/config.json' => {
			pooling_mode_lasttoken => JSON::PP::true(),
			pooling_mode_max_tokens => JSON::PP::true(),
			pooling_mode_cls_token => JSON::PP::false()
		}),
	"pooling => 'max,lasttoken'");
pools_like('no flag',
	sentence_model(modules('1_Pooling'), '1_Pooling/config.json' => {}),
	"pooling => 'mean'");
pools_like('no modules',
	sentence_model('1_Pooling/config.json' => { pooling_mode => 'cls' }),
	"pooling => 'mean'");
is( value(
		$node,
		"SELECT dimension FROM mobilebert.models WHERE name = 'listed'"),
	3 * value(
		$node, "SELECT dimension FROM mobilebert.models WHERE name = 'plain'"),
	'the dimension of a list');
is( value(
		$node, q{SELECT mobilebert.embed('a b', 'plain', pooling => 'mean,cls')
			= mobilebert.embed('a b', 'plain', pooling => 'mean')
			|| mobilebert.embed('a b', 'plain', pooling => 'cls')}),
	't',
	'poolings of the option keep their order');

# versions before 1.0 put everything in a folder of the Transformer
my $folders = sentence_model(
	'modules.json' => [
		{ path => '0_Transformer', type => 'x.Transformer' },
		{ path => '1_Pooling', type => 'x.Pooling' }
	],
	'1_Pooling/config.json' => { pooling_mode => 'cls' },
	'0_Transformer/sentence_roberta_config.json' => { max_seq_length => 60 });
rename "$folders/$_", "$folders/0_Transformer/$_"
  for qw(config.json tokenizer.json tokenizer_config.json model.safetensors);
pools_like('in a folder', $folders, "pooling => 'cls'");
is( value(
		$node,
		"SELECT max_tokens FROM mobilebert.models WHERE name = 'in a folder'"),
	60, 'and its settings, whatever their name');

sub warns
{
	my ($statement, $expected, $name) = @_;
	my ($out, $err) = ('', '');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->psql('postgres', "BEGIN; $statement", stdout => \$out,
		stderr => \$err);
	return $expected eq ''
	  ? is($err, '', $name)
	  : like($err, qr/$expected/s, $name);
}

# a tokenizer that lost its words, as transformers 5 writes it
my $lost = copy_of('one-layer-one-head');
edit_json(
	"$lost/tokenizer.json",
	sub {
		my $vocab = $_[0]{model}{vocab};

		delete @{$vocab}{ grep { !/^\[[A-Z]+\]$/ } keys %$vocab };
	});
warns("SELECT mobilebert.import_model('new', '$lost')",
	q{WARNING: .*tokenizer of model "new" has 5 tokens for 724 rows.*\[UNK\].*published},
	'a tokenizer without words');
warns("SELECT mobilebert.import_model('new', '" . golden('tok-only-vocab') . "')",
	'', 'one that has them');

# numbers that are kept of a vector, and how vectors are compared
sub compares
{
	my ($name, $config, @modules) = @_;

	imports(
		$name,
		sentence_model(
			modules('1_Pooling', @modules),
			'1_Pooling/config.json' => { pooling_mode => 'cls' },
			'config_sentence_transformers.json' => $config));
	return;
}
compares('cut', { truncate_dim => 5 }, [ '2_Normalize', 'Normalize' ]);
is( value(
		$node, q{SELECT mobilebert.embed('a b', 'cut') =
			(mobilebert.embed('a b', 'plain', pooling => 'cls', normalized => true))[1:5],
			(SELECT dimension FROM mobilebert.models WHERE name = 'cut'),
			cardinality(mobilebert.embed('a b', 'cut')),
			mobilebert.embed('a b', 'cut', normalized => false) =
			(mobilebert.embed('a b', 'plain', pooling => 'cls'))[1:5],
			abs(mobilebert.inner_product(v, v) - 1) < 1e-6,
			mobilebert.embed('a b', 'cut', pooling => 'cls') = mobilebert.embed('a b', 'plain', pooling => 'cls', normalized => true),
			(SELECT v FROM mobilebert.embed(ARRAY['a b', 'a b'], 'cut') AS v LIMIT 1) = mobilebert.embed('a b', 'cut'),
			mobilebert.fingerprint('cut') <> mobilebert.fingerprint('plain')
		FROM mobilebert.embed('a b', 'cut', normalized => true) AS v}),
	't|5|5|t|t|t|t|t',
	'truncate_dim cuts what was normalised, unless normalized asks for more');
is( value(
		$node, q{SELECT mobilebert.embed('a b', 'cut', dimensions => 7) =
			mobilebert.embed('a b', 'plain', pooling => 'cls', normalized => true, dimensions => 7),
			mobilebert.embed('a b', 'cut', dimensions => 5) = mobilebert.embed('a b', 'cut', normalized => true),
			mobilebert.embed('a b', 'cut', dimensions => 32) = mobilebert.embed('a b', 'cut', pooling => 'cls'),
			cardinality(mobilebert.embed_document('a b', 'cut', dimensions => 3))}),
	't|t|t|3',
	'dimensions takes the place of truncate_dim');
compares('kept whole', { truncate_dim => 32 });
is( value(
		$node, q{SELECT mobilebert.embed('a b', 'kept whole') = mobilebert.embed('a b', 'plain', pooling => 'cls')}),
	't',
	'a truncate_dim of all');
my %alike = (
	cosine => 'mobilebert.cosine_similarity(a, b)',
	dot => 'mobilebert.inner_product(a, b)',
	euclidean => '-mobilebert.l2_distance(a, b)',
	manhattan => '(SELECT -sum(abs(x - y))::real FROM unnest(a::float8[], b::float8[]) AS u(x, y))');
for my $name (sort keys %alike)
{
	compares($name, { similarity_fn_name => $name, truncate_dim => 7 });
	is( value(
			$node, qq{SELECT mobilebert.similarity('a b', 'c d', '$name') = $alike{$name}
			FROM mobilebert.embed('a b', '$name') AS a, mobilebert.embed('c d', '$name') AS b}),
		't',
		"similarity $name");
}
fails_like(
	$node,
	"SELECT mobilebert.import_model('new', '"
	  . sentence_model(
		modules('1_Pooling'),
		'1_Pooling/config.json' => {},
		'config_sentence_transformers.json' =>
		  { similarity_fn_name => 'jaccard' }) . "')",
	'0A000',
	'"similarity_fn_name" "jaccard".*"manhattan"',
	'another similarity is refused');

# max_seq_length is for vectors: other tasks go by the model's positions
my $short = copy_of('tok-no-cjk');
mkdir "$short/1_Pooling";
write_file("$short/modules.json",
	JSON::PP->new->encode({ modules('1_Pooling') }->{'modules.json'}));
write_file("$short/1_Pooling/config.json", '{}');
write_file("$short/sentence_bert_config.json", '{"max_seq_length": 8}');
imports('short', $short);
imports('long', golden('tok-no-cjk'));
my $context = 'the quick brown fox jumps over the lazy dog in the town';
my $answer = "SELECT mobilebert.answer('who jumps ?', '$context', '%s', top_k => 3)";
is( value($node, sprintf($answer, 'short')),
	value($node, sprintf($answer, 'long')),
	'max_seq_length does not limit answers');
fails_like(
	$node,
	"SELECT mobilebert.embed('$context', 'short', overflow => 'error')",
	'54000', 'the model takes 8', 'it limits vectors');
is( value(
		$node,
		"SELECT max_tokens FROM mobilebert.models WHERE name = 'short'"),
	8, 'and is shown');
my $wide = copy_of('one-layer-one-head');
edit_json("$wide/tokenizer_config.json",
	sub { $_[0]{model_max_length} = 5 });
mkdir "$wide/1_Pooling";
write_file("$wide/modules.json", file_content("$short/modules.json"));
write_file("$wide/1_Pooling/config.json", '{}');
write_file("$wide/sentence_bert_config.json", '{"max_seq_length": 20}');
pools_like('wide', $wide, "pooling => 'mean'");

# do_lower_case is a step before the normalizer, which keeps accents
my $cased = copy_of('one-layer-one-head');
edit_json("$cased/tokenizer_config.json",
	sub { $_[0]{do_lower_case} = JSON::PP::false() });
imports('cased', $cased);
mkdir "$cased/1_Pooling";
write_file("$cased/modules.json", file_content("$short/modules.json"));
write_file("$cased/1_Pooling/config.json", '{}');
write_file("$cased/sentence_bert_config.json", '{"do_lower_case": true}');
imports('lowered', $cased);
is( value(
		$node,
		q{SELECT mobilebert.tokenize('The Fox', 'cased') = mobilebert.tokenize('the fox', 'cased'),
			mobilebert.tokenize('The Fox', 'lowered') = mobilebert.tokenize('the fox', 'cased'),
			mobilebert.tokenize('Thé', 'lowered') = mobilebert.tokenize('thé', 'cased')}),
	'f|t|t',
	'do_lower_case of sentence-transformers');

# the class that config.json names, where tokenizer_config.json has none
my $classed = copy_of('one-layer-one-head');
edit_json("$classed/config.json",
	sub { $_[0]{tokenizer_class} = 'DistilBertTokenizer' });
edit_json("$classed/tokenizer_config.json",
	sub { delete $_[0]{tokenizer_class} });
imports('classed', $classed);
is( value(
		$node, q{SELECT max(type_id) FROM mobilebert.tokens('a', 'classed', pair => 'b')}),
	0, 'a class without token types');
is( value(
		$node, q{SELECT max(type_id) FROM mobilebert.tokens('a', 'plain', pair => 'b')}),
	1, 'where the family has them');

# the forms for clients: pooling's configuration whatever its folder
value(
	$node, q{SELECT mobilebert.import_model('sent list', config, tokenizer,
		weights, tokenizer_config => more, sentence_transformers =>
		'{"modules": [{"path": "", "type": "Transformer"},
			{"path": "7_Pooling", "type": "Pooling"}],
		"pooling": {"pooling_mode": ["mean", "cls", "lasttoken"]}}') FROM sent});
is(embeds('sent list'), embeds('listed'), 'modules and pooling by value');
fails_like(
	$node, q{SELECT mobilebert.import_model('new', config, tokenizer,
		weights, tokenizer_config => more, sentence_transformers =>
		'{"modules": [{"path": "", "type": "Transformer"},
			{"path": "7_Pooling", "type": "Pooling"}]}') FROM sent},
	'22000', 'Pooling.*missing', 'a module Pooling without configuration');
fails_like(
	$node, q{SELECT mobilebert.import_model('new', config, tokenizer,
		weights, tokenizer_config => more, sentence_transformers =>
		'{"1_Pooling": {"pooling_mode": "cls"}}') FROM sent},
	'22023', 'unrecognized member.*1_Pooling.*modules, pooling',
	'a member that is none');

# --------------------------------------------------------------------------
# Tensors are stored once
# --------------------------------------------------------------------------

my $count = 'SELECT count(*), sum(bytes) FROM mobilebert.tensor';
my $before = value($node, $count);
imports('plain again', golden('one-layer-one-head'));
is(value($node, $count), $before, 'the same model again stores no tensor');
is( value(
		$node, q{SELECT count(*) FROM mobilebert.tensor_chunk c
			FULL JOIN mobilebert.model_tensor m USING (tensor_id)
			WHERE m.tensor_id IS NULL OR c.tensor_id IS NULL}), 0, 'no tensor is unused');
value($node, q{SELECT mobilebert.drop_model('plain again')});
is(value($node, $count), $before, 'dropping one of two keeps the tensors');
like(embeds('plain'), qr/^\w{32}$/, 'and the other works');

# a model that differs from a registered one in a layer
my $part = copy_of('store-sharded');
my $all = read_weights($part);
my %few = map { ($_ => $all->{$_}) }
  grep { /encoder\.layer\.2\.output\.bottleneck\.LayerNorm/ } keys %$all;
$_->{data} = pack('f<*', map { $_ * 2 + 1 } unpack('f<*', $_->{data}))
  for values %few;
my $full = copy_of('store-sharded');
imports('full', rewrite($full, { %$all, %few }));
edit_json("$part/config.json", sub { $_[0]{base} = 'sharded' });
$before = value($node, 'SELECT count(*) FROM mobilebert.tensor');
imports('part', rewrite($part, \%few));
is(value($node, 'SELECT count(*) FROM mobilebert.tensor'),
	$before, 'a model with a base stores what differs');
is(embeds('part'), embeds('full'), 'it equals the whole model');
isnt(embeds('part'), embeds('sharded'), 'and differs from its base');
value($node, q{SELECT mobilebert.drop_model('sharded')});
is(embeds('part'), embeds('full'), 'its base may be dropped');

# a base must be one that the importer may use
value(
	$node, q{
	CREATE ROLE partner;
	GRANT pg_read_server_files TO partner;
	SELECT mobilebert.revoke_model('full', 'public')});
edit_json("$part/config.json", sub { $_[0]{base} = 'full' });
fails_like($node,
	"SET ROLE partner; SELECT mobilebert.import_model('new', '$part')",
	'42704', 'base model "full"', 'a base that the importer may not use');
value($node, q{SELECT mobilebert.grant_model('full', 'partner')});
like(
	value(
		$node, "SET ROLE partner;
		SELECT (mobilebert.import_model('partners', '$part')).owner"),
	qr/partner/,
	'and one that he may');

# and, where it is told, the one that the model was made for
my $hash = base_hash({ %$all, %few }, \%few);
edit_json("$part/config.json", sub { $_[0]{base_sha256} = $hash });
imports('of full', $part);
is(value($node, sprintf($fingerprint, 'of full')), value($node, sprintf($fingerprint, 'partners')),
	'a base of the hash that is told');
edit_json("$part/config.json", sub { $_[0]{base_sha256} = base_hash($all, \%few) . '0' });
fails_like($node, "SELECT mobilebert.import_model('new', '$part')",
	'55000', 'not made for this base model "full"', 'a base of another hash');
edit_json("$part/config.json", sub { $_[0]{base_sha256} = 1 });
fails_like($node, "SELECT mobilebert.import_model('new', '$part')",
	'55000', 'not made for this base model "full"', 'a hash that is none');
imports('in one tensor', rewrite(copy_of('store-sharded'), { %$all,
	map { ($_ => { %{ $all->{$_} }, data => "\0" x length $all->{$_}{data} }) }
	  grep { /layer\.0\.output\.dense\.bias$/ } keys %$all }));
edit_json("$part/config.json",
	sub { @{ $_[0] }{qw(base base_sha256)} = ('in one tensor', $hash) });
fails_like($node, "SELECT mobilebert.import_model('new', '$part')",
	'55000', 'not made for this base model "in one tensor"', 'a base that differs in a tensor');

# --------------------------------------------------------------------------
# Ways to be refused
# --------------------------------------------------------------------------

my $rows = registry_counts($node);

# Each must fail with a SQLSTATE and message and leave the registry alone.
sub refused
{
	my ($directory, $sqlstate, $message, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fails_like($node,
		"BEGIN; SELECT mobilebert.import_model('new', '$directory')",
		$sqlstate, $message, $name);
	return;
}

# A copy of the smallest checkpoint, changed by code that gets its path.
sub changed
{
	my ($code) = @_;
	my $copy = copy_of('one-layer-one-head');

	$code->($copy);
	return $copy;
}

# The same with a changed configuration.
sub configured
{
	my (%values) = @_;

	return changed(
		sub {
			edit_json("$_[0]/config.json",
				sub { @{ $_[0] }{ keys %values } = values %values });
		});
}

# The same with other bytes for weights.
sub weights_of
{
	my ($code) = @_;

	return changed(
		sub {
			my $file = "$_[0]/model.safetensors";
			write_file($file, $code->(file_content($file)));
		});
}

# The same with another header before the same data.
sub header_of
{
	my ($header) = @_;

	return weights_of(sub { pack('Q<', length($header)) . $header });
}

my $query = 'encoder.layer.0.attention.self.query.weight';

refused("$place/nothing", '58P01', 'nothing', 'no such directory');
refused('BAAI/bge-small-en-v1.5', '58P01',
	'bge-small.*HINT: .*Hub has to be downloaded first',
	'a name on the Hub: the error says to download it');
SKIP:
{
	skip 'root may read everything', 1 if $> == 0;
	refused(changed(sub { chmod 0, $_[0] }),
		'42501', 'Permission denied.*HINT: .*user that runs the server',
		'a directory that the server may not read: the error says who must');
}
refused(golden('one-layer-one-head') . '/config.json',
	'42809', 'is not a directory', 'a file for a directory');
refused(changed(sub { unlink "$_[0]/config.json" }),
	'58P01', '"config.json"', 'no configuration');
refused(changed(sub { unlink "$_[0]/tokenizer.json" }),
	'58P01', '"tokenizer.json" nor "vocab.txt"', 'no tokenizer');
refused(
	changed(
		sub {
			edit_json("$_[0]/tokenizer.json",
				sub { $_[0]{model} = { type => 'Unigram', vocab => [] } });
		}),
	'0A000', 'Unigram.*DETAIL: .*WordPiece.*SentencePiece',
	'a vocabulary of SentencePiece: the error says which are read');
refused(changed(sub { unlink "$_[0]/model.safetensors" }),
	'58P01', 'has no "model.safetensors"', 'no weights');
refused(
	changed(
		sub {
			rename "$_[0]/model.safetensors", "$_[0]/pytorch_model.bin";
		}),
	'0A000', '"pytorch_model.bin".*weights/convert.py',
	'weights of PyTorch: the error names the converter');
my $pointer = "version https://git-lfs.github.com/spec/v1\n"
  . "oid sha256:4711\nsize 99084\n";
for my $name ('model.safetensors', 'tokenizer.json')
{
	refused(changed(sub { write_file("$_[0]/$name", $pointer) }),
		'22000', "$name.*pointer of git-lfs.*git lfs pull",
		"a pointer of git-lfs for $name");
}
fails_like(
	$node,
	"SELECT mobilebert.import_model('new', config, tokenizer, '$pointer'::text::bytea) FROM sent",
	'22000', '"weights".*pointer of git-lfs',
	'the same as bytea');
refused(
	changed(
		sub {
			rename "$_[0]/model.safetensors", "$_[0]/flax_model.msgpack";
		}),
	'0A000', '"flax_model.msgpack"(?!.*convert.py).*from_flax',
	'weights of Flax, which the converter does not read');

refused(
	sentence_model(
		modules('2_Pooling'),
		'1_Pooling/config.json' => { pooling_mode => 'cls' }),
	'58P01', '2_Pooling/config.json.*Pooling is there',
	'a folder of modules.json that is not there');
refused(
	sentence_model(modules('')),
	'22000', 'no folder for the module Pooling',
	'no folder at all');
refused(sentence_model(modules('../1_Pooling')),
	'22000', '"path"', 'a folder outside');

refused(changed(
		sub {
			my $t = read_weights($_[0]);
			delete $t->{"mobilebert.$query"};
			rewrite($_[0], $t);
		}),
	'22000', quotemeta($query), 'a missing tensor is named');
refused(changed(
		sub {
			my $t = read_weights($_[0]);
			$t->{"mobilebert.$query"}{shape} = [ 8, 32 ];
			rewrite($_[0], $t);
		}),
	'22000', quotemeta($query) . '.*\[8, 32\].*\[16, 16\]',
	'a misshaped tensor is named, with both shapes');
refused(changed(
		sub {
			my $t = read_weights($_[0]);
			$t->{"mobilebert.$query"}{dtype} = 'I32';
			rewrite($_[0], $t);
		}),
	'0A000', quotemeta($query), 'a tensor of integers is named');

refused(configured(hidden_act => 'prelu'),
	'0A000', 'activation "prelu"', 'an activation that is not known');
refused(configured(normalization_type => 'batch_norm'),
	'0A000', 'normalization type "batch_norm"',
	'a normalisation that is not known');
refused(configured(num_hidden_layers => -1),
	'\w{5}', 'num_hidden_layers', 'a negative number of layers');
refused(configured(num_hidden_layers => 1.5),
	'\w{5}', 'num_hidden_layers', 'layers and a half');
refused(configured(num_attention_heads => 0),
	'\w{5}', 'num_attention_heads', 'no attention head');
refused(configured(hidden_size => 1e18),
	'\w{5}', 'hidden_size', 'an impossible size');
refused(configured(hidden_size => 'large'),
	'\w{5}', 'hidden_size', 'a size that is no number');
refused(configured(is_decoder => JSON::PP::true()),
	'\w{5}', 'is_decoder', 'a decoder');
refused(configured(base => 'nobody'),
	'42704', 'base model "nobody"', 'a base that does not exist');
refused(configured(base => 3), '22000', '"base"', 'a base that is no name');
refused(changed(sub { write_file("$_[0]/config.json", '{"a": ') }),
	'22000', 'config.json', 'a configuration cut short');
refused(changed(sub { write_file("$_[0]/config.json", '[' x 100_000) }),
	'\w{5}', 'config.json', 'a configuration of brackets');
refused(changed(sub { write_file("$_[0]/tokenizer.json", '{"model": 3}') }),
	'\w{5}', 'tokenizer.json', 'a tokenizer of the wrong form');
refused(
	changed(
		sub {
			unlink "$_[0]/tokenizer.json";
			write_file("$_[0]/vocab.txt", "a\nb\xff\n");
		}),
	'\w{5}', 'vocab.txt', 'a vocabulary that is not UTF-8');

refused(weights_of(sub { '' }), '22000', 'model.safetensors', 'empty file');
refused(weights_of(sub { substr($_[0], 0, 7) }),
	'22000', 'model.safetensors', 'a file of seven bytes');
refused(weights_of(sub { substr($_[0], 0, 500) }),
	'22000', 'model.safetensors', 'a file cut within the header');
refused(weights_of(sub { substr($_[0], 0, -100) }),
	'22000', 'model.safetensors', 'a file cut within the data');
refused(weights_of(sub { "$_[0]x" }),
	'22000', 'model.safetensors', 'a file with a byte left over');
refused(weights_of(sub { pack('Q<', 2**63) . $_[0] }),
	'22000', 'model.safetensors', 'a header of 2^63 bytes');
refused(weights_of(sub { pack('Q<', ~0) . $_[0] }),
	'22000', 'model.safetensors', 'a header of 2^64 - 1 bytes');
refused(header_of('[]'), '22000', 'model.safetensors', 'a header of a list');
refused(header_of('{"a": ' x 50_000),
	'\w{5}', 'model.safetensors', 'a header of braces');
refused(header_of("{\"a\xff\": 1}"),
	'22000', 'model.safetensors', 'a header that is not UTF-8');
refused(
	header_of('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
		  . '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
	'22000', 'model.safetensors', 'a name that comes twice');
refused(
	header_of('{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],'
		  . '"data_offsets":[0,0]}}'),
	'22000', '"a"', 'a shape that overflows');
refused(
	header_of('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}'),
	'22000', '"a"', 'offsets that go backwards');
refused(header_of('{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}'),
	'\w{5}', 'X9', 'a type that is not known');

# holes and overlaps
for my $shift (-4, 4)
{
	refused(changed(
			sub {
				my $t = read_weights($_[0]);
				my $last = (sort keys %$t)[-1];
				rewrite($_[0], $t,
					sub { $_ += $shift for @{ $_[0]{$last}{data_offsets} } });
			}),
		'22000', 'model.safetensors', "data with a shift of $shift");
}

# what is no ordinary file
for my $file (qw(model.safetensors config.json tokenizer.json))
{
	refused(
		changed(
			sub {
				unlink "$_[0]/$file";
				mkfifo("$_[0]/$file", 0600) or die "mkfifo: $!";
			}),
		'42809', "$file.*not a regular file", "a FIFO for $file");
	refused(
		changed(
			sub {
				unlink "$_[0]/$file";
				mkdir "$_[0]/$file";
			}),
		'42809', "$file.*not a regular file", "a directory for $file");
	refused(
		changed(sub { chmod 0, "$_[0]/$file" }),
		'42501', "$file.*Permission denied", "no right to read $file");
}
refused(changed(sub { chmod 0, $_[0] }),
	'42501', 'Permission denied', 'no right to enter the directory');

# indexes that lie
sub indexed
{
	my ($code) = @_;
	my $copy = copy_of('store-sharded');

	edit_json("$copy/model.safetensors.index.json", $code);
	return $copy;
}

for my $file ('../x.safetensors', '/etc/passwd', '..', '', 7)
{
	refused(indexed(
			sub { $_[0]{weight_map}{"mobilebert.$query"} = $file }),
		'22000', quotemeta($query), "an index that names file \"$file\"");
}
refused(
	indexed(sub { $_[0]{weight_map}{"mobilebert.$query"} = 'gone.safetensors' }),
	'58P01', 'gone.safetensors', 'an index that names a missing file');
refused(
	indexed(
		sub { $_[0]{weight_map}{extra} = 'model-00001-of-00004.safetensors' }),
	'22000', '"extra"', 'an index that names a missing tensor');
refused(indexed(sub { delete $_[0]{weight_map} }),
	'22000', 'weight_map', 'an index without its map');

# arguments
fails_like($node, "SELECT mobilebert.import_model('plain', '$directory')",
	'42710', 'model "plain" already exists', 'a name that is taken');
fails_like($node, "SELECT mobilebert.import_model('', '$directory')",
	'42602', 'name of a model', 'an empty name');
fails_like($node, "SELECT mobilebert.import_model(repeat('x', 201), '$directory')",
	'42602', 'name of a model', 'a name that is too long');
fails_like($node, "SELECT mobilebert.import_model(NULL, '$directory')",
	'22004', 'name of a model', 'no name');
fails_like($node, q{SELECT mobilebert.import_model('new', NULL::text)},
	'22004', 'path', 'no path');
fails_like($node, "SELECT mobilebert.import_model('new', '$directory', 'fp8')",
	'22023', 'fp8.*fp32', 'a precision that is not known: the legal ones are named');
for my $name ('nothing', '../minilm', '/etc', '.', 'a/b', '')
{
	fails_like($node, "SELECT mobilebert.import_model('$name')",
		'42(704|602)', 'model', "no model \"$name\" is shipped");
}
fails_like(
	$node, q{SELECT mobilebert.import_model('new', config, tokenizer,
		substr(weights, 1, 1000)) FROM sent},
	'22000', 'weights', 'bytea cut short');
fails_like(
	$node, q{SELECT mobilebert.import_model('new', config, tokenizer,
		NULL::bytea) FROM sent},
	'22004', 'must not be null', 'no bytea');
fails_like(
	$node, q{SELECT mobilebert.import_model('new', config, tokenizer, 1::oid)
		FROM sent},
	'42704', 'large object 1', 'no such large object');
fails_like(
	$node, q{CREATE ROLE anyone;
		GRANT SELECT ON sent TO anyone;
		GRANT EXECUTE ON FUNCTION mobilebert.import_model(text, jsonb, text, oid, text, jsonb, jsonb) TO anyone;
		SET ROLE anyone;
		SELECT mobilebert.import_model('new', config, tokenizer, 4711::oid)
		FROM sent},
	'42501', 'large object 4711', 'a large object of another role');
fails_like($node,
	"SET ROLE anyone; SELECT mobilebert.import_model('new', '$directory')",
	'42501', 'import', 'a path without the right to read files');

is(registry_counts($node), $rows, 'no refused import left a row');

# Large objects are left as found, also when the import fails: once, the
# server's open relations outlived the statement.
my ($status, $out, $error) = $node->psql(
	'postgres', q{
	\set ON_ERROR_STOP 0
	SELECT (mobilebert.import_model('once', config, tokenizer, 4711::oid,
		tokenizer_config => more)).name FROM sent;
	VACUUM FULL pg_largeobject;
	SELECT mobilebert.import_model('once', config, tokenizer, 4711::oid)
		FROM sent;
	SELECT mobilebert.import_model('twice', jsonb_set(config,
		'{hidden_size}', '3'), tokenizer, 4711::oid) FROM sent;
	VACUUM FULL pg_largeobject;
	SELECT length(pg_catalog.lo_get(4711)) > 0;
	SELECT (mobilebert.import_model('twice', config, tokenizer, 4711::oid,
		tokenizer_config => more)).name FROM sent;
	SELECT mobilebert.drop_model('once'), mobilebert.drop_model('twice')});
is($out, "once\nt\ntwice\n|", 'imports of a large object in one session');
unlike($error, qr/WARNING|server closed/, 'and nothing stays open');
unharmed($node);

done_testing();
