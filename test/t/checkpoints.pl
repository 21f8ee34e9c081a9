#-------------------------------------------------------------------------
#
# checkpoints.pl
#		Checkpoints as third parties publish them, and several heads in one
#		file.
#
# What is found in the wild: labels that are numbers, with gaps, in the order
# of strings; label2id in an order of its own; no labels at all; a class in
# "architectures" that is not the head's; parameters for tasks;
# model_max_length of 1e30; a tokenizer.json that remembers the truncation and
# padding of a training run; no tokenizer.json; tensor names without
# "mobilebert.".  Each is made from a small checkpoint of test/golden, whose
# results are known.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Math::BigInt;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('checkpoints');
my $place = PostgreSQL::Test::Utils::tempdir();
my $long = join(' ', ('a text of many words') x 12);

# A copy of a checkpoint, to be changed.
sub copy_of
{
	my ($name, $copy) = @_;

	return copy_model(golden($name), "$place/$copy");
}

sub imports
{
	my ($name) = @_;

	return value($node,
		"SELECT (mobilebert.import_model('$name', '$place/$name')).tasks");
}

# Labels with their scores, as classify gives them.
sub classified
{
	my ($model, $text) = @_;

	return value($node,
		"SELECT rank, label, score FROM mobilebert.classify('$text', '$model')");
}

sub logits
{
	my ($model, $head) = @_;

	return value($node,
		"SELECT array_agg(logits ORDER BY token_no) FROM mobilebert.logits('some text', '$model', head => '$head')");
}

# float32 numbers that repeat after a while
sub numbers
{
	my ($count, $seed) = @_;

	return pack('f<*', map { (($_ * 37 + $seed) % 101 - 50) / 100 } 1 .. $count);
}

# Rows of numbers as the weight and bias of a dense layer.
sub add_dense
{
	my ($tensors, $name, $out, $in, $seed) = @_;

	$tensors->{"$name.weight"} = {
		dtype => 'F32', shape => [ $out, $in ],
		data => numbers($out * $in, $seed)
	};
	$tensors->{"$name.bias"} =
	  { dtype => 'F32', shape => [$out], data => numbers($out, $seed + 1) };
	return;
}

sub set_weights
{
	my ($name, $tensors) = @_;

	unlink glob("$place/$name/model*");
	write_weights("$place/$name/model.safetensors", $tensors);
	return;
}

for my $name (qw(nli-3-entail-first store-bf16 sequence-1-plain))
{
	value($node,
		"SELECT mobilebert.import_model('$name', '${\golden($name)}')");
}

# ---------------------------------------------------------------------------
# The tokenizer's files
# ---------------------------------------------------------------------------

my $expected = classified('store-bf16', $long);

copy_of('store-bf16', 'trained');
edit_json("$place/trained/tokenizer.json", sub {
	my ($tokenizer) = @_;

	$tokenizer->{truncation} = {
		direction => 'Right', max_length => 8, strategy => 'LongestFirst',
		stride => 0
	};
	$tokenizer->{padding} = {
		strategy => { Fixed => 128 }, direction => 'Right',
		pad_to_multiple_of => undef, pad_id => 0, pad_type_id => 0,
		pad_token => '[PAD]'
	};
});
edit_json("$place/trained/tokenizer_config.json",
	sub { $_[0]->{model_max_length} =
		Math::BigInt->new('1000000000000000019884624838656') });
imports('trained');
is(classified('trained', $long), $expected,
	'stored truncation and padding are not applied');
is(value($node, "SELECT max_tokens FROM mobilebert.models WHERE name = 'trained'"),
	128, 'model_max_length 1e30 limits nothing');
is(value($node, "SELECT array_length(mobilebert.encode('x', 'trained'), 1)"),
	3, 'nor are ids padded');

copy_of('store-bf16', 'slow');
my $vocabulary = JSON::PP::decode_json(
	file_content("$place/slow/tokenizer.json"))->{model}{vocab};
write_file("$place/slow/vocab.txt", join('',
	map { my $token = $_; utf8::encode($token); "$token\n" }
	sort { $vocabulary->{$a} <=> $vocabulary->{$b} } keys %$vocabulary));
unlink "$place/slow/tokenizer.json";
imports('slow');
is(classified('slow', $long), $expected, 'vocab.txt without tokenizer.json');
unlink "$place/slow/tokenizer_config.json", "$place/slow/special_tokens_map.json";
value($node, q{SELECT mobilebert.drop_model('slow')});
imports('slow');
is(classified('slow', $long), $expected, 'vocab.txt alone');

# ---------------------------------------------------------------------------
# Names of tensors
# ---------------------------------------------------------------------------

copy_of('store-bf16', 'bare');
my $weights = read_weights(golden('store-bf16'));
ok((grep { /^mobilebert\./ } keys %$weights), 'the original has the prefix');
set_weights('bare', { map { s/^mobilebert\.//r => $weights->{$_} } keys %$weights });
is(imports('bare'), '{embed,pooler}',
	'names without the prefix are a base model, whatever else there is');
is(value($node, q{SELECT mobilebert.embed('some text', 'bare') = mobilebert.embed('some text', 'store-bf16')}),
	't', '... with the same embeddings');

# ---------------------------------------------------------------------------
# Labels
# ---------------------------------------------------------------------------

# As the model luna-ner has them: numbers of which some are left out, so that
# label 36 is called "37", with keys in the order of strings.
my @numbers = grep { !/^(?:36|54|94)$/ } 0 .. 110;
my $width = read_weights(golden('sequence-1-plain'))->{'classifier.weight'}{shape}[1];

for my $class (qw(MobileBertForSequenceClassification MobileBertForTokenClassification))
{
	my $task = $class =~ /Sequence/ ? 'classify' : 'ner';
	my $name = "numbers-$task";

	copy_of('sequence-1-plain', $name);
	edit_json("$place/$name/config.json", sub {
		my ($config) = @_;

		$config->{architectures} = [$class];
		$config->{id2label} = { map { $_ => "$numbers[$_]" } 0 .. $#numbers };
		$config->{label2id} = { map { $numbers[$_] => $_ } 0 .. $#numbers };
	});
	my $tensors = read_weights(golden('sequence-1-plain'));
	add_dense($tensors, 'classifier', scalar @numbers, $width, 5);
	set_weights($name, $tensors);
	like(imports($name), qr/\b$task\b/, "$class with labels that are numbers");
	is(value($node, "SELECT labels[1] || ' ' || labels[37] || ' ' || labels[108] FROM mobilebert.models WHERE name = '$name'"),
		'0 37 110', '... goes by the keys of id2label');
}
is(value($node, q{
	SELECT count(*), bool_and(c.label::int = n.label AND c.score = l.logits[n.i])
	FROM mobilebert.classify('some text', 'numbers-classify', function_to_apply => 'none') AS c,
		mobilebert.logits('some text', 'numbers-classify', head => 'classify') AS l,
		(SELECT i, i - 1 + (i > 36)::int + (i > 53)::int + (i > 92)::int FROM generate_series(1, 108) AS i) AS n(i, label)
	WHERE n.label = c.label::int}),
	'108|t', 'each score has its own label');
is(value($node, q{SELECT mobilebert.label('some text', 'numbers-classify') = label FROM mobilebert.classify('some text', 'numbers-classify', top_k => 1)}),
	't', 'and the best one is the best');

copy_of('sequence-1-plain', 'many');
edit_json("$place/many/config.json", sub {
	$_[0]->{id2label} = { map { $_ => "label $_" } 0 .. 9999 };
	delete $_[0]->{label2id};
});
my $many = read_weights(golden('sequence-1-plain'));
add_dense($many, 'classifier', 10_000, $width, 9);
set_weights('many', $many);
imports('many');
is(value($node, q{
	SELECT count(*), count(DISTINCT label), bool_and(score <= before) FILTER (WHERE rank > 1), abs(sum(score) - 1) < 1e-4
	FROM (SELECT *, lag(score) OVER (ORDER BY rank) AS before FROM mobilebert.classify('some text', 'many')) AS s}),
	'10000|10000|t|t', 'ten thousand labels');
is(value($node, q{SELECT string_agg(label || rank, ' ' ORDER BY rank) FROM mobilebert.classify('some text', 'many', top_k => 3)}),
	value($node, q{SELECT string_agg('label ' || n - 1 || r, ' ' ORDER BY r) FROM
		(SELECT n, row_number() OVER (ORDER BY l DESC, n) AS r FROM mobilebert.logits('some text', 'many', head => 'classify'), unnest(logits) WITH ORDINALITY AS u(l, n)) AS s WHERE r <= 3}),
	'the best few of them, equals by number');

# label2id in the order of the file: the first that starts with "entail"
sub entailment
{
	my ($name, $label2id) = @_;
	my $config = file_content(golden('nli-3-entail-first') . '/config.json');

	copy_of('nli-3-entail-first', $name);
	$config =~ s/"label2id": \{[^}]*\}/"label2id": $label2id/
	  or die 'there is no label2id';
	write_file("$place/$name/config.json", $config);
	imports($name);
	return value($node,
		"SELECT label, score FROM mobilebert.zero_shot('some text', '{sport,music}', '$name', multi_label => true)");
}

my $first = entailment('first', '{"entailment": 0, "other": 1, "contradiction": 2}');
my $last = entailment('last', '{"contradiction": 0, "entailment": 2}');
isnt($first, $last, 'entailment decides');
is(entailment('order', '{"neutral": 1, "entailment_no": 2, "entailment": 0}'),
	$last, 'the first entailment of the file counts, not that of the alphabet');
is(entailment('case', '{"b": 1, "ENTAILED": 0, "entailment": 2}'), $first,
	'in any case');
is(value($node, q{SELECT label, score FROM mobilebert.zero_shot('some text', '{sport,music}', 'nli-3-entail-first', multi_label => true)}),
	$first, 'as in the original');

# none
copy_of('store-bf16', 'nameless');
edit_json("$place/nameless/config.json",
	sub { delete @{ $_[0] }{qw(id2label label2id)} });
imports('nameless');
is(classified('nameless', $long),
	$expected =~ s/\byes\b/LABEL_1/r =~ s/\bno\b/LABEL_0/r,
	'without id2label there are two labels, and their names are made up');

# parameters for a task; the head of a class that "architectures" does not name
copy_of('store-bf16', 'specific');
edit_json("$place/specific/config.json", sub {
	$_[0]->{task_specific_params} = {
		'summarization' => { num_beams => 4 },
		'text-classification' => { problem_type => 'multi_label_classification' }
	};
});
imports('specific');
is(classified('specific', $long),
	value($node, "SELECT * FROM mobilebert.classify('$long', 'store-bf16', function_to_apply => 'sigmoid')"),
	'parameters of the pipeline override the configuration');

# ---------------------------------------------------------------------------
# Several heads in one file
# ---------------------------------------------------------------------------

my $pretraining = golden('one-layer-one-head');
my $all = read_weights($pretraining);
my $hidden = $all->{'mobilebert.embeddings.LayerNorm.weight'}{shape}[0];
my @heads = qw(fill_mask next_sentence classify answer);
my %own = (
	fill_mask => qr/^cls\.predictions\./, next_sentence => qr/^cls\.seq_relationship\./,
	classify => qr/^classifier\./, answer => qr/^qa_outputs\./);
my %class = (
	fill_mask => 'MaskedLM', next_sentence => 'NextSentencePrediction',
	classify => 'SequenceClassification', answer => 'QuestionAnswering');

add_dense($all, 'classifier', 2, $hidden, 3);
add_dense($all, 'qa_outputs', 2, $hidden, 4);
add_dense($all, 'mobilebert.pooler.dense', $hidden, $hidden, 6)
  unless $all->{'mobilebert.pooler.dense.weight'};
copy_of('one-layer-one-head', 'all');
set_weights('all', $all);
is(imports('all'),
	'{embed,pooler,fill_mask,next_sentence,classify,answer}',
	'one file does all it has heads for');
for my $head (@heads)
{
	copy_of('one-layer-one-head', $head);
	edit_json("$place/$head/config.json",
		sub { $_[0]->{architectures} = ["MobileBertFor$class{$head}"] });
	set_weights($head, {
		map { $_ => $all->{$_} }
		grep { my $name = $_; $name =~ $own{$head} || $name !~ /^(?:cls|classifier|qa_outputs)\./ }
		  keys %$all });
	imports($head);
	is(logits('all', $head), logits($head, $head),
		"$head there is as in a file of its own");
	is(value($node, "SELECT array_remove(array_remove(tasks, 'embed'), 'pooler') FROM mobilebert.models WHERE name = '$head'"),
		"{$head}", "... which does nothing else");
}
is(classified('all', 'some text'), classified('classify', 'some text'),
	'and so are labels');
fails_like($node, q{SELECT * FROM mobilebert.classify('some text', 'answer')},
	'42809', 'model "answer" has no sequence-classification head',
	'a head that is not there is missed');

unharmed($node);
done_testing();
