#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# shipped.pl
#		Models that come with the extension: import_model(name) and
#		import_defaults(), with some small ones put into the share directory
#		beside those that "make install" put there.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use File::Path qw(rmtree);
use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $node = new_server('shipped');
my $share = value($node, q{SELECT setting FROM pg_config WHERE name = 'SHAREDIR'})
  . '/extension/mobilebert';
my @made;

END
{
	my $status = $?;

	rmtree($_) for @made;
	$? = $status;
}

# A model in the share directory: a copy of a golden one, with other members in
# its config.json and, where given, only these tensors.
sub ship
{
	my ($name, $config, $tensors) = @_;

	push @made, copy_model(golden('one-layer-one-head'), "$share/$name");
	edit_json("$share/$name/config.json",
		sub { %{ $_[0] } = (%{ $_[0] }, %$config) });
	write_weights("$share/$name/model.safetensors", $tensors) if $tensors;
	return;
}

# A classifier of the golden model's states: output n has the bias n.
sub classifier
{
	my ($outputs) = @_;

	return {
		'classifier.weight' => {
			dtype => 'F32',
			shape => [ $outputs, 32 ],
			data => pack('f<*', (0) x (32 * $outputs))
		},
		'classifier.bias' => {
			dtype => 'F32',
			shape => [$outputs],
			data => pack('f<*', 1 .. $outputs)
		}
	};
}

sub labels
{
	my (@labels) = @_;

	return (id2label => { map { $_ => $labels[$_] } 0 .. $#labels },
		label2id => { map { $labels[$_] => $_ } 0 .. $#labels });
}

# What import_defaults() says of the models made here, and of minilm.
sub defaults
{
	my ($database, $role) = @_;

	return value(
		$node, ($role ? "SET ROLE $role;" : '')
		  . q{SELECT string_agg(format('%s %s %s', name, imported, default_for), E'\n')
			FROM mobilebert.import_defaults()
			WHERE name IN ('minilm', 'a-tagger', 'b-judge', 'c-labels', 'z-base')},
		$database);
}

# names in the order that is wrong for importing
ship('z-base', { default_for => [ 'fill_mask', 'next_sentence' ] });
ship('a-tagger',
	{ architectures => ['MobileBertForTokenClassification'],
		base => 'z-base', default_for => ['ner'], labels('O', 'B-PER') },
	classifier(2));
ship('b-judge',
	{ architectures => ['MobileBertForSequenceClassification'],
		base => 'z-base', default_for => ['zero_shot'],
		labels('entailment', 'neutral', 'contradiction') },
	classifier(3));
ship('c-labels',
	{ architectures => ['MobileBertForSequenceClassification'],
		base => 'z-base', default_for => ['classify'],
		labels('bad', 'good') },
	classifier(2));
value($node, q{SELECT mobilebert.import_model('minilm')});
is( defaults(), q{z-base t {fill_mask,next_sentence}
a-tagger t {ner}
b-judge t {zero_shot}
c-labels t {classify}
minilm f {embed}},
	'all are imported, bases first, and each is what it is meant for');
is( defaults(), q{z-base f {fill_mask,next_sentence}
a-tagger f {ner}
b-judge f {zero_shot}
c-labels f {classify}
minilm f {embed}},
	'another call finds all there');
is( value($node, q{SELECT string_agg(concat(name, ' ', base), ', ' ORDER BY name)
		FROM mobilebert.models WHERE name ~ '^[a-z]-' AND base IS NOT NULL}),
	'a-tagger z-base, b-judge z-base, c-labels z-base',
	'the models stand on their base');
is( value($node, q{SELECT mobilebert.label('x'), mobilebert.best_label('x', '{a,b}'),
		(SELECT entity FROM mobilebert.ner('x'))}),
	'good|b|PER',
	'functions use the defaults, zero-shot one of its own');

# a delta is what its whole would be
my $whole = read_weights("$share/z-base");
my $few = read_weights("$share/c-labels");
ship('d-whole',
	{ architectures => ['MobileBertForSequenceClassification'],
		labels('bad', 'good') },
	{ %$whole, %$few });
value($node, q{SELECT mobilebert.import_model('d-whole')});
is( value($node, q{SELECT mobilebert.classify('x', 'd-whole') = mobilebert.classify('x', 'c-labels'),
		mobilebert.embed('x', 'd-whole') = mobilebert.embed('x', 'c-labels')}),
	"t|t\nt|t",
	'a model on its base gives what the complete one gives');
rmtree(pop @made);
value($node, q{SELECT mobilebert.drop_model('d-whole')});

# who may use them, and what they may
value(
	$node, q{
	CREATE ROLE reader;
	CREATE ROLE importer;
	CREATE DATABASE other;
	CREATE DATABASE owned OWNER importer});
is(value($node, q{SET ROLE reader; SELECT mobilebert.label('x')}),
	'good', 'everybody may use them');
value($node, q{SELECT mobilebert.revoke_model('z-base', 'public')});
fails_like($node, q{SET ROLE reader; SELECT mobilebert.label('x')},
	'42501', 'c-labels.*stands on a model', 'who has the right to the base as well');
fails_like($node, q{SET ROLE reader; SELECT mobilebert.import_defaults()},
	'42501', 'permission denied for function import_defaults',
	'not everybody may import');
value($node, 'CREATE EXTENSION mobilebert', $_) for qw(other owned);
like(defaults('owned', 'importer'),
	qr/c-labels t \{classify\}/, 'the owner of a database may');
value($node, 'GRANT EXECUTE ON FUNCTION mobilebert.import_defaults() TO reader',
	'other');
like(defaults('other', 'reader'),
	qr/c-labels t \{\}/, 'another role imports, but sets no defaults');
is(defaults('other'), q{z-base f {fill_mask,next_sentence}
a-tagger f {ner}
b-judge f {zero_shot}
c-labels f {classify}
minilm f {embed}}, 'which the owner does for models that are there');

# defaults that were chosen, and a name that is taken
value(
	$node, qq{
	DROP EXTENSION mobilebert CASCADE;
	CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('mine', '${\ golden('one-layer-one-head')}');
	SELECT mobilebert.import_model('a-tagger', '${\ golden('one-layer-one-head')}');
	SELECT mobilebert.set_default_model('fill_mask', 'mine')});
is( defaults(), q{z-base t {next_sentence}
a-tagger f {}
b-judge t {zero_shot}
c-labels t {classify}
minilm t {embed}},
	'a chosen default stays, and so does a model of the same name');
is(value($node, q{SELECT mobilebert.default_model('fill_mask'),
		mobilebert.default_model('ner') IS DISTINCT FROM 'a-tagger'}),
	'mine|t', 'neither is changed');

# zero_shot's default is that of classifiers where it has none, else of embed
is(value($node, q{SELECT mobilebert.set_default_model('zero_shot', NULL);
	SELECT mobilebert.set_default_model('classify', NULL);
	SELECT mobilebert.default_model('zero_shot') = mobilebert.default_model('embed')}),
	"\n\nt", 'zero_shot falls back to the default embedder');
value(
	$node, q{
	SELECT mobilebert.set_default_model('zero_shot', NULL);
	SELECT mobilebert.set_default_model('classify', 'b-judge')});
is(value($node, q{SELECT mobilebert.default_model('zero_shot')}),
	'b-judge', 'zero_shot falls back to the default classifier');
value($node, q{SELECT mobilebert.set_default_model('zero_shot', 'minilm')});
is(value($node, q{SELECT mobilebert.default_model('zero_shot'),
		mobilebert.best_label('A cat.', '{pets,money}') =
		mobilebert.best_label('A cat.', '{pets,money}', 'minilm')}),
	'minilm|t', 'and may be a model that compares vectors');
value($node, q{SELECT mobilebert.set_default_model('zero_shot', 'b-judge')});
value($node, q{SELECT mobilebert.set_default_model('classify', 'c-labels')});
is(value($node, q{SELECT mobilebert.default_model('zero_shot'), mobilebert.label('x')}),
	'b-judge|good', 'each has its own');

# by one name, a model becomes the default of what it is meant for alone
value(
	$node, q{
	DROP EXTENSION mobilebert CASCADE;
	CREATE EXTENSION mobilebert});
fails_like($node, q{SELECT mobilebert.import_model('a-tagger')},
	'42704', 'base model "z-base" does not exist', 'a base comes first');
value(
	$node, qq{
	SELECT mobilebert.import_model('z-base', '$share/z-base');
	SELECT mobilebert.import_model('a-tagger')});
is( value($node, q{SELECT mobilebert.default_model('ner'), mobilebert.default_model('embed') IS NULL}),
	'a-tagger|t',
	'a tagger is not the default of embeddings');
fails_like($node, q{SELECT mobilebert.import_model('../etc')},
	'42704', 'no model "../etc" is shipped', 'no path is a name');

# files that are not as they should be: nothing of a call remains
for my $case (
	[ { default_for => ['dance'] }, '22023', 'unrecognized task: "dance"' ],
	[ { default_for => 3 }, '22000', '"default_for".*is not a list of tasks' ],
	[ { default_for => [3] }, '22000', '"default_for".*is not a list of tasks' ],
	[ { default_for => ['answer'] }, '42809', 'no question-answering head' ],
	[ { base => 'y-broken' }, '42704', 'base model "y-broken" does not exist' ])
{
	my ($config, $code, $message) = @$case;

	ship('y-broken', $config,
		$config->{base} ? classifier(2) : undef);
	fails_like($node, 'SELECT mobilebert.import_defaults()',
		$code, $message, "refused: $message");
	rmtree(pop @made);
}
is(value($node, q{SELECT count(*) FROM mobilebert.models}),
	2, 'a call that fails leaves nothing behind');
unharmed($node);
done_testing();
