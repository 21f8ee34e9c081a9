#-------------------------------------------------------------------------
#
# modules.pl
#		Models of sentence-transformers with modules after Pooling: against the
#		library, in all forms and precisions, and what is refused.
#
# Sentence.pm says how they are compared.  Models are folders of
# test/golden/sentence-transformers/modules over st-bert-modes beside that.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Sentence;
use Test::More;

my $folder = "$FindBin::RealBin/../golden/sentence-transformers";
my $place = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $place;
my $node = new_server('modules');

sub imports
{
	my ($name, $directory) = @_;

	return value($node, "SELECT mobilebert.import_model('$name', '$directory')");
}

# --------------------------------------------------------------------------
# Against the library
# --------------------------------------------------------------------------

my $base = "$folder/st-bert-modes";
my %cases = cases("$folder/modules.jsonl");
for my $name (sort keys %cases)
{
	imports($name, overlaid($base, "$folder/modules/$name", "$place/$name"));
	embedded($node, $place, $name, $cases{$name});
}

# --------------------------------------------------------------------------
# The width of a vector, and what options do
# --------------------------------------------------------------------------

# many: mean and max; LayerNorm, Dense 12, Normalize, Dense 64, LayerNorm,
# Normalize, of which 50 are kept
my $many = 'st-modules-many';
my $unit = 'st-modules-unit-dense-unit';
imports('plain', $base);
is( value(
		$node, qq{SELECT cardinality(mobilebert.embed('a b', m)), cardinality(mobilebert.embed_query('a b', m)),
			cardinality(mobilebert.embed_document('a b', m)),
			(SELECT string_agg(cardinality(v)::text, ' ') FROM mobilebert.embed(ARRAY['a', 'b', 'a'], m) AS v),
			cardinality(mobilebert.embed(mobilebert.encode('a b', m), m)),
			cardinality(mobilebert.embed('a b', m, pooling => 'mean,max')),
			cardinality(mobilebert.embed('a b', m, pooling => 'cls'))
			FROM (VALUES ('$many')) AS x(m)}),
	'50|50|50|50 50 50|50|40|20',
	'the last Dense decides, unless a pooling is asked for');
is( value(
		$node, qq{SELECT bool_and(c.embedding = mobilebert.embed_document(c.chunk, '$many')), max(cardinality(c.embedding))
			FROM mobilebert.embed_chunks('one two. three four. ' || repeat('a b c. ', 40), '$many') AS c}),
	't|50',
	'vectors of chunks');
is( value(
		$node, qq{SELECT bool_and(r.score = mobilebert.cosine_similarity(mobilebert.embed_query('a b', '$many'), mobilebert.embed_document((ARRAY['c', 'd e', 'a'])[r.document_no], '$many')))
			FROM mobilebert.rank('a b', ARRAY['c', 'd e', 'a'], '$many') AS r}),
	't',
	'a ranking');
is( value(
		$node, qq{SELECT mobilebert.embed('a b', '$many', pooling => 'mean,max', normalized => false) = mobilebert.embed('a b', 'plain', pooling => 'mean,max'),
			mobilebert.embed('a b', '$many', pooling => 'mean,max') = mobilebert.embed('a b', 'plain', pooling => 'mean,max', normalized => true)}),
	't|t',
	'what is pooled otherwise goes through no module');
is( value(
		$node, qq{SELECT abs(mobilebert.inner_product(a, a) - 1) < 1e-6, abs(mobilebert.inner_product(b, b) - 1) > 0.1,
			mobilebert.cosine_similarity(a, b) > 0.999999
			FROM mobilebert.embed('a b', '$unit') AS a, mobilebert.embed('a b', '$unit', normalized => false) AS b}),
	't|t|t',
	'normalized is about the Normalize at the end');
is( value(
		$node, qq{SELECT abs(mobilebert.inner_product(a, a) - 1) > 1e-3, abs(mobilebert.inner_product(b, b) - 1) < 1e-6
			FROM mobilebert.embed('a b', '$many') AS a, mobilebert.embed('a b', '$many', normalized => true) AS b}),
	't|t',
	'a vector that is cut is normalised again when asked for');
is( value(
		$node, qq{SELECT mobilebert.similarity('a b', 'c', '$many') = mobilebert.cosine_similarity(mobilebert.embed('a b', '$many'), mobilebert.embed('c', '$many')),
			mobilebert.similarity('a b', 'c', 'st-modules-dense-norm') = -mobilebert.l2_distance(mobilebert.embed('a b', 'st-modules-dense-norm'), mobilebert.embed('c', 'st-modules-dense-norm'))}),
	't|t',
	'similarity');
is( value(
		$node, qq{SELECT cardinality(mobilebert.embed('a b', '$many', layer => 1)),
			mobilebert.embed('a b', '$many', layer => 1) <> mobilebert.embed('a b', '$many')}),
	'50|t',
	'states of another layer go through the modules');
is( value(
		$node, qq{SELECT cardinality(mobilebert.embed(t, '$many', overflow => 'window')),
			mobilebert.embed(t, '$many', overflow => 'window') <> mobilebert.embed(t, '$many')
			FROM repeat('a b c ', 60) AS t}),
	'50|t',
	'a text in windows');
is( value(
		$node, qq{SET mobilebert.cache_size = 1000;
			SELECT mobilebert.embed('x y', '$many') = mobilebert.embed('x y' || left(gen_random_uuid()::text, 0), '$many'),
			cardinality(mobilebert.embed('x y', '$many', pooling => 'mean,max'))}),
	't|40',
	'kept results');

is( value(
		$node, qq{SELECT mobilebert.model_config('$many') -> 'modules' = '[{"type": "LayerNorm", "dimension": 40},
			{"type": "Dense", "in_features": 40, "out_features": 12, "bias": true, "activation_function": "silu"},
			{"type": "Dropout"}, {"type": "Normalize"},
			{"type": "Dense", "in_features": 12, "out_features": 64, "bias": true, "activation_function": "sigmoid"},
			{"type": "LayerNorm", "dimension": 64}, {"type": "Normalize"}]',
			mobilebert.model_config('plain') ? 'modules'}),
	't|f',
	'model_config lists them');

# --------------------------------------------------------------------------
# Precisions, and rows in a batch
# --------------------------------------------------------------------------

for my $precision (qw(fp32 bf16x3 bf16 int8))
{
	my $name = "$many $precision";

	value($node, "SELECT mobilebert.create_variant('$name', '$many', '$precision')");
	is( value(
			$node, qq{SELECT count(*), bool_and(a.v = b.v) FROM
				(SELECT n, mobilebert.embed(t, '$name') AS v FROM texts) AS a
				JOIN (SELECT n, v FROM texts, mobilebert.embed(ARRAY[t], '$name') AS v) AS b USING (n)}
			  =~ s/^/WITH texts AS MATERIALIZED (SELECT n, repeat(chr(97 + n % 26) || ' ', 1 + n * 7 % 40) AS t FROM generate_series(1, 60) AS n) /r),
		'60|t',
		"$precision: the same bits alone and in a batch");
	cmp_ok(
		value(
			$node, "SELECT mobilebert.cosine_similarity(mobilebert.embed('the text', '$name'), mobilebert.embed('the text', '$many'))"),
		'>', 0.99,
		"$precision: near the vector of fp32");
}
is( value(
		$node, qq{SELECT mobilebert.embed('a', '$many fp32') = mobilebert.embed('a', '$many'),
			(SELECT dimension FROM mobilebert.models WHERE name = '$many int8'),
			mobilebert.fingerprint('$many fp32') = mobilebert.fingerprint('$many')}),
	't|50|t',
	'a variant has the modules of its base');

# --------------------------------------------------------------------------
# Fingerprints
# --------------------------------------------------------------------------

my $count = 0;

# A copy of st-modules-dense-norm that code has changed
sub changed
{
	my ($code, $model) = @_;
	my $copy = overlaid($base, "$folder/modules/" . ($model || 'st-modules-dense-norm'),
		"$place/copy" . ++$count);

	$code->($copy);
	return $copy;
}

sub json_change
{
	my ($file, $code) = @_;

	return changed(sub { edit_json("$_[0]/$file", $code) });
}

my %seen;
for my $change (
	[ 'nothing', sub { } ],
	[
		'the weights',
		sub {
			my $tensors = read_weights("$_[0]/2_Dense");

			$_->{data} = pack('f<*', map { -$_ } unpack('f<*', $_->{data}))
			  for values %$tensors;
			write_weights("$_[0]/2_Dense/model.safetensors", $tensors);
		}
	],
	[
		'the activation',
		sub {
			edit_json("$_[0]/2_Dense/config.json",
				sub { $_[0]{activation_function} = 'torch.nn.modules.activation.Tanh' });
		}
	],
	[
		'a Normalize',
		sub {
			edit_json("$_[0]/modules.json",
				sub { push @{ $_[0] }, { path => 'n', type => 'x.Normalize' } });
		}
	])
{
	my $copy = changed($change->[1]);

	imports("copy $count", $copy);
	ok( !$seen{ value($node, "SELECT mobilebert.fingerprint('copy $count')") }++,
		"$change->[0]: a fingerprint of its own");
	isnt(
		value($node, "SELECT mobilebert.embed('a', 'copy $count')"),
		value($node, "SELECT mobilebert.embed('a', 'st-modules-dense-norm')"),
		"$change->[0]: other numbers") if $change->[0] ne 'nothing';
}
is( value($node, "SELECT mobilebert.fingerprint('copy 1')"),
	value($node, "SELECT mobilebert.fingerprint('st-modules-dense-norm')"),
	'the same model has the same');

# the folder's name does not matter, nor does a Dropout
my $moved = changed(
	sub {
		my ($copy) = @_;

		rename "$copy/2_Dense", "$copy/my dense" or die;
		edit_json("$copy/modules.json", sub { $_[0][2]{path} = 'my dense' });
	});
imports('moved', $moved);
is( value(
		$node, q{SELECT mobilebert.embed('a', 'moved') = mobilebert.embed('a', 'st-modules-dense-norm')}),
	't',
	'a folder of any name');

# --------------------------------------------------------------------------
# dimensions, and a classifier that was fitted on what is pooled
# --------------------------------------------------------------------------

is( value(
		$node, qq{SELECT mobilebert.embed('a b', '$many', dimensions => 64, normalized => false) IS NOT NULL,
			cardinality(mobilebert.embed('a b', '$many', dimensions => 64)), cardinality(mobilebert.embed_query('a b', '$many', dimensions => 3)),
			mobilebert.embed('a b', '$many', dimensions => 7, normalized => false) = (mobilebert.embed('a b', '$many', normalized => false))[1:7],
			(SELECT abs(mobilebert.inner_product(v, v) - 1) < 1e-6 FROM mobilebert.embed('a b', '$many', dimensions => 7) AS v)}),
	't|64|3|t|t',
	'dimensions of what the last Dense gives');
fails_like(
	$node,
	"SELECT mobilebert.embed('a', '$many', dimensions => 65)",
	'22023',
	'Legal values are 1 to 64',
	'and no more than that');

# a Dense as wide as the states
my $square = changed(
	sub {
		my ($copy) = @_;
		my ($dense, $norm) = map { read_weights("$copy/$_") } qw(2_Dense 3_LayerNorm);

		$dense->{'linear.weight'} = {
			dtype => 'F32',
			shape => [ 20, 20 ],
			data => substr($dense->{'linear.weight'}{data}, 0, 1600)
		};
		$_ = { dtype => 'F32', shape => [20], data => substr($_->{data}, 0, 80) }
		  for values %$norm;
		write_weights("$copy/2_Dense/model.safetensors", $dense);
		write_weights("$copy/3_LayerNorm/model.safetensors", $norm);
		edit_json("$copy/2_Dense/config.json", sub { $_[0]{out_features} = 20 });
		edit_json("$copy/3_LayerNorm/config.json", sub { $_[0]{dimension} = 20 });
	});
imports('square', $square);
value(
	$node, q{SELECT mobilebert.create_classifier('fitted', ROW('square', mobilebert.fingerprint('square'),
		'single_label_classification', 2, '{cls}', '{a,b}', array_fill(0.1::real, '{2,20}'), '{0,1}',
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::mobilebert.classifier)});
is(value($node, q{SELECT mobilebert.label('a text', 'fitted')}),
	'b', 'a classifier on states goes with modules');
fails_like(
	$node,
	q{SELECT mobilebert.label(mobilebert.embed('a text', 'square'), 'fitted')},
	'42809',
	'fitted on what is pooled, without the model\'s modules',
	'but not on vectors that went through them');

# --------------------------------------------------------------------------
# Refusals
# --------------------------------------------------------------------------

my $rows = registry_counts($node);

sub refused
{
	my ($copy, $state, $message, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return fails_like($node, "SELECT mobilebert.import_model('refused', '$copy')",
		$state, $message, $name);
}

sub dense { my ($code) = @_; return json_change('2_Dense/config.json', $code); }

refused(dense(sub { $_[0]{in_features} = 21 }),
	'22000', 'module 2, Dense: "in_features" is 21, but the vector before it has 20 numbers',
	'in_features that do not fit');
refused(dense(sub { $_[0]{out_features} = 32 }),
	'22000', 'module 3, LayerNorm: "dimension" is 33',
	'out_features that the next module does not fit');
refused(
	changed(
		sub {
			edit_json("$_[0]/2_Dense/config.json", sub { $_[0]{out_features} = 34 });
			edit_json("$_[0]/3_LayerNorm/config.json", sub { $_[0]{dimension} = 34 });
		}),
	'22000',
	'tensor "modules.2.linear.weight" has shape \[33, 20\], but the configuration needs \[34, 20\]',
	'a weight of another shape');
refused(dense(sub { $_[0]{out_features} = 1e9 }),
	'54000', 'module 2, Dense: "out_features"', 'a hostile size');
refused(dense(sub { $_[0]{out_features} = -5 }),
	'(22000|54000)', '"out_features"', 'a negative size');
refused(dense(sub { delete $_[0]{out_features} }),
	'22000', '"out_features" is missing', 'a size that is missing');
refused(dense(sub { $_[0]{bias} = JSON::PP::true() }),
	'22000', 'tensor "modules.2.linear.bias" is missing', 'a bias that is missing');
refused(
	changed(
		sub {
			edit_json("$_[0]/3_Dense/config.json", sub { $_[0]{bias} = JSON::PP::false() });
		},
		$unit),
	'22000',
	'tensor "linear.bias" in file ".*3_Dense/model.safetensors" is not one of the module Dense',
	'a bias too many');
refused(dense(sub { $_[0]{activation_function} = 'torch.nn.modules.activation.Softplus' }),
	'0A000', '"activation_function" "torch.nn.modules.activation.Softplus" is not supported.*SiLU',
	'another activation');
refused(dense(sub { $_[0]{activation_function} = 'somebody.Code' }),
	'0A000', '"somebody.Code" is not supported', 'code');
refused(dense(sub { $_[0]{module_input_name} = 'token_embeddings' }),
	'0A000', '"module_input_name" "token_embeddings" is not supported.*vectors of tokens',
	'a Dense of tokens');
refused(dense(sub { $_[0]{gate} = JSON::PP::true() }),
	'0A000', '"gate" is not known', 'a key that nobody knows');
refused(
	changed(
		sub {
			rename "$_[0]/2_Dense/model.safetensors", "$_[0]/2_Dense/pytorch_model.bin" or die;
		}),
	'0A000',
	'weights in "pytorch_model.bin" are not read.*2_Dense.*convert.py',
	'weights of PyTorch');
refused(
	changed(sub { unlink "$_[0]/2_Dense/model.safetensors" or die }),
	'58P01', '2_Dense" has no "model.safetensors"', 'no weights');
refused(
	changed(sub { unlink "$_[0]/3_LayerNorm/config.json" or die }),
	'58P01',
	'3_LayerNorm/config.json" does not exist.*"modules.json" says that the module LayerNorm is there',
	'no configuration');
refused(
	json_change('modules.json', sub { delete $_[0][2]{path} }),
	'22000', '"modules.json" has no folder for the module Dense', 'no folder');
refused(
	json_change('modules.json', sub { $_[0][2]{path} = '../2_Dense' }),
	'22000', 'not a folder of the model', 'a folder elsewhere');
refused(
	json_change('modules.json', sub { @{ $_[0] }[ 1, 2 ] = @{ $_[0] }[ 2, 1 ] }),
	'0A000', 'module "Dense" stands at the wrong place', 'a Dense before Pooling');
refused(
	json_change(
		'modules.json',
		sub { push @{ $_[0] }, map { { path => "n$_", type => 'x.Normalize' } } 1 .. 7 }),
	'54000', 'over 8 modules after Pooling', 'too many modules');
refused(
	changed(
		sub {
			my $tensors = read_weights("$_[0]/2_Dense");

			write_weights("$_[0]/2_Dense/model.safetensors", $tensors,
				sub { $_[0]{'linear.weight'}{dtype} = 'I32' });
		}),
	'0A000', 'tensor "modules.2.linear.weight" has type I32', 'a type that is not read');
refused(
	changed(
		sub {
			write_file("$_[0]/2_Dense/model.safetensors",
				substr(file_content("$_[0]/2_Dense/model.safetensors"), 0, -4));
		}),
	'22000', '2_Dense/model.safetensors', 'a file that is cut off');

# the Transformer's own file cannot hold them, and by value there is no place
my $smuggled = changed(
	sub {
		my $tensors = read_weights($_[0]);
		my $dense = read_weights("$_[0]/2_Dense");

		$tensors->{"modules.2.$_"} = $dense->{$_} for keys %$dense;
		write_weights("$_[0]/model.safetensors", $tensors);
		write_weights("$_[0]/2_Dense/model.safetensors", {});
	});
refused($smuggled, '22000', 'tensor "modules.2.linear.weight" is missing',
	'weights in another file');
my ($config, $tokenizer, $modules) = map {
	my $content = file_content("$smuggled/$_");

	utf8::decode($content);
	quoted($content);
} qw(config.json tokenizer.json modules.json);
my $weights = unpack('H*', file_content("$smuggled/model.safetensors"));
fails_like(
	$node, qq{SELECT mobilebert.import_model('refused', $config, $tokenizer, '\\x$weights'::bytea,
		sentence_transformers => jsonb_build_object('modules', $modules\::jsonb, 'pooling', '{}'::jsonb))},
	'0A000', 'module LayerNorm is imported from a directory only.*import_model\(name, path\)',
	'a model sent by value');
is(registry_counts($node), $rows, 'nothing of them is in the registry');

unharmed($node);
done_testing();
