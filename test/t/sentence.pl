#-------------------------------------------------------------------------
#
# sentence.pl
#		Directories that sentence-transformers saved, through SQL against that
#		library: scores of cross-encoders, embeddings, prompts.
#
#	prove test/t/sentence.pl
#	REFERENCE=../shared/reference prove -v test/t/sentence.pl
#
# Sentence.pm says how they are compared.  By default the cases of
# test/golden/sentence-transformers run; with REFERENCE those of the folder
# families/sentence-transformers in it, all of them.
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

my $folder =
    $ENV{REFERENCE}
  ? "$ENV{REFERENCE}/families/sentence-transformers"
  : "$FindBin::RealBin/../golden/sentence-transformers";
plan skip_all => "there is no folder $folder" unless -d $folder;

my $place = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $place;
my $node = new_server('sentence');
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub st_directory { return directory($folder, $_[0], $place); }

my %cases = cases("$folder/expected.jsonl");
for my $name (sort grep { /^ce-/ } keys %cases)
{
	my $cases = $cases{$name};

	value($node, "SELECT mobilebert.import_model('$name', '" . st_directory($name) . "')");
	unless (ref $cases->[0]{expected}{score})
	{
		compared(
			$node, $place, $name, $cases, 'score',
			sub {
				my ($text, $pair) = map { quoted($_[0]{$_}) } qw(text text_pair);

				return "mobilebert.score($text, '$name', pair => $pair)";
			});
		compared(
			$node, $place, $name, $cases, 'score',
			sub {
				my ($text, $pair) = map { quoted($_[0]{$_}) } qw(text text_pair);

				return "r.score FROM mobilebert.rank($text, ARRAY[$pair], '$name') AS r";
			});
		next;
	}

	# more labels than one give no score, but these have no activation either
	compared(
		$node, $place, $name, $cases, 'score',
		sub {
			my ($text, $pair) = map { quoted($_[0]{$_}) } qw(text text_pair);

			return "to_json(logits) FROM mobilebert.logits($text, '$name', pair => $pair, head => 'classify', overflow => 'truncate')";
		});
	compared(
		$node, $place, $name, $cases,
		'softmax',
		sub {
			my ($text, $pair) = map { quoted($_[0]{$_}) } qw(text text_pair);

			return "json_agg(c.score ORDER BY l.n) FROM mobilebert.models AS m, unnest(m.labels) WITH ORDINALITY AS l(label, n)"
			  . " JOIN mobilebert.classify($text, '$name', pair => $pair, max_length => m.max_tokens) AS c USING (label) WHERE m.name = '$name'";
		});
	fails_like($node, "SELECT mobilebert.score('a', '$name', pair => 'b')",
		'42809', 'no single score', "$name: no score");
}

# --------------------------------------------------------------------------
# Embeddings
# --------------------------------------------------------------------------

for my $name (sort grep { /^st-/ } keys %cases)
{
	value($node, "SELECT mobilebert.import_model('$name', '" . st_directory($name) . "')");
	embedded($node, $place, $name, $cases{$name});
}

# --------------------------------------------------------------------------
# Prompts by their name
# --------------------------------------------------------------------------

# A copy of st-bert-modes with these members of its configuration
sub prompted
{
	my ($name, $config, $pooling) = @_;
	my $copy = copy_model(st_directory('st-bert-modes'), "$place/$name");

	mkdir "$copy/1_Pooling";
	write_file("$copy/1_Pooling/config.json", $json->encode($pooling));
	edit_json(
		"$copy/config_sentence_transformers.json",
		sub { %{ $_[0] } = (%{ $_[0] }, %$config) });
	value($node, "SELECT mobilebert.import_model('$name', '$copy')");
	return;
}
prompted(
	'prompted',
	{
		prompts => { query => 'Ask: ', passage => 'Text: ', 'a b' => "It's: " },
		default_prompt_name => 'passage'
	},
	{ pooling_mode => [ 'mean', 'cls' ] });
prompted('bare', { prompts => {} }, { pooling_mode => [ 'mean', 'cls' ] });

my %same = (
	"mobilebert.embed('t', 'prompted')" => 'Text: ',
	"mobilebert.embed('t', 'prompted', prompt => 'passage')" => 'Text: ',
	"mobilebert.embed('t', 'prompted', prompt => 'query')" => 'Ask: ',
	"mobilebert.embed('t', 'prompted', prompt => 'document')" => '',
	"mobilebert.embed('t', 'prompted', prompt => 'a b')" => "It's: ",
	"mobilebert.embed('t', 'prompted', prompt_text => 'Sort this:')" => 'Sort this:',
	"mobilebert.embed('t', 'prompted', prompt_text => '')" => '',
	"mobilebert.embed_query('t', 'prompted')" => 'Ask: ',
	"mobilebert.embed_document('t', 'prompted')" => '',
	"mobilebert.embed_query('t', 'bare')" => '',
	"mobilebert.embed_document('t', 'bare')" => '',
	"mobilebert.embed('t', 'bare', prompt => 'query')" => '',
	"(SELECT v FROM mobilebert.embed(ARRAY['t'], 'prompted') AS v)" => 'Text: ',
	"(SELECT v FROM mobilebert.embed(ARRAY['t'], 'prompted', prompt => 'query') AS v)" => 'Ask: ');
for my $call (sort keys %same)
{
	my $text = quoted("$same{$call}t");

	is(value($node, "SELECT $call = mobilebert.embed($text, 'bare')"),
		't', "$call: \"$same{$call}\"");
}
is( value(
		$node, q{SELECT mobilebert.similarity('a', 'b', 'prompted') = mobilebert.similarity('Text: a', 'Text: b', 'bare')}),
	't',
	'similarity of texts with the default prompt');
is( value(
		$node, q{SELECT score = mobilebert.cosine_similarity(mobilebert.embed('Text: t', 'bare'), mobilebert.embed('Text: a', 'bare'))
			FROM mobilebert.zero_shot('t', '{a}', 'prompted')}),
	't',
	'labels of one\'s own, with the default prompt before text and label');
is( value(
		$node, q{SELECT r.score = mobilebert.cosine_similarity(mobilebert.embed('Ask: q', 'bare'), mobilebert.embed('d', 'bare'))
			FROM mobilebert.rank('q', '{d}', 'prompted') AS r}),
	't',
	'a ranked list, with the prompts for queries and documents');
for my $similarity (qw(dot euclidean manhattan))
{
	prompted(
		$similarity,
		{ similarity_fn_name => $similarity },
		{ pooling_mode => 'mean' });
	is( value(
			$node,
			"SELECT score = mobilebert.similarity('a b', 'c', '$similarity') FROM mobilebert.rank('a b', '{c}', '$similarity')"),
		't',
		"one by the model's own similarity, $similarity");
}
is( value(
		$node, q{SET mobilebert.default_model = 'prompted';
		SELECT mobilebert.embed_query('t') = mobilebert.embed('Ask: t', 'bare'),
			mobilebert.embed_document('t') = mobilebert.embed('t', 'bare'),
			mobilebert.embed('t') = mobilebert.embed('Text: t', 'bare')}),
	't|t|t',
	'the forms without a model');
fails_like(
	$node,
	q{SELECT mobilebert.embed('t', 'prompted', prompt => 'none')},
	'22023',
	'"prompted" has no prompt "none".*"query", "document".*"passage"',
	'an unknown prompt');
fails_like(
	$node,
	q{SELECT mobilebert.embed('t', 'prompted', prompt => 'query', prompt_text => 'x')},
	'22023',
	'exclude each other',
	'a prompt and its text');
is( value(
		$node, q{SELECT array_agg(mobilebert.embed_query(t, 'prompted') = mobilebert.embed('Ask: ' || t, 'bare', overflow => 'error') ORDER BY n)
			FROM (VALUES (1, 'a'), (2, 'b c'), (3, 'a'), (4, '')) AS v(n, t)}),
	'{t,t,t,t}',
	'rows that are batched');
is( value(
		$node, q{SELECT count(DISTINCT mobilebert.fingerprint(m)),
			mobilebert.model_config('prompted') #>> '{config_sentence_transformers,prompts,query}'
			FROM (VALUES ('prompted'), ('bare')) AS v(m)}),
	'2|Ask: ',
	'fingerprint and model_config have the prompts');
like(
	value(
		$node, q{EXPLAIN (COSTS off) SELECT mobilebert.embed(t, 'prompted', prompt => 'query') FROM (VALUES ('a'), ('b')) AS v(t)}),
	qr/embed\(.*'query'(?!.*Prompts:)/s,
	'EXPLAIN shows the prompt');

# What EXPLAIN says of prompts that calls on t get without naming them
sub unnamed_prompts
{
	my ($calls, $settings) = @_;
	my $plan = value($node, ($settings || '') . "EXPLAIN (COSTS off) SELECT $calls FROM (VALUES ('a'), ('b')) AS v(t)");

	return $plan =~ /Prompts: (.*)/ ? $1 : '';
}
my $passage = q{'Text: ' ("passage" of model "prompted")};
my $query = q{'Ask: ' ("query" of model "prompted")};
my %shown = (
	q{mobilebert.embed(t, 'prompted')} => $passage,
	q{mobilebert.best_label(t, '{a,b}', 'prompted')} => $passage,
	q{mobilebert.embed(t, 'prompted', max_length => 20)} => $passage,
	q{mobilebert.embed(t, 'prompted', prompt_text => '')} => '',
	q{mobilebert.embed(t, 'prompted', prompt => t)} => '',
	q{mobilebert.embed(t, 'bare')} => '',
	q{mobilebert.embed_query(t, 'bare')} => '',
	q{mobilebert.embed_document(t, 'prompted')} => '',
	q{mobilebert.embed_query(t, 'prompted'), mobilebert.embed(t, 'prompted'), mobilebert.similarity(t, t || 'x', 'prompted')} => "$query, $passage",
	q{mobilebert.label(t, 'ce-bert-1')} => '');
is(unnamed_prompts($_), $shown{$_}, "prompts of $_") for sort keys %shown;
is( unnamed_prompts('mobilebert.embed(t)', q{SET mobilebert.default_model = 'prompted'; }),
	$passage,
	'the default prompt of the default model');
value(
	$node, q{SELECT mobilebert.create_classifier('sorted', ROW('prompted', mobilebert.fingerprint('prompted'),
		'single_label_classification', 2, '{mean,cls}', '{a,b}', array_fill(0.1::real, '{2,40}'), '{0,1}',
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::mobilebert.classifier)});
is( unnamed_prompts(q{mobilebert.label(t, 'sorted'), mobilebert.uncertainty(t, 'sorted')}),
	q{'Text: ' ("passage" of model "sorted")},
	'the default prompt of a fitted classifier');
value($node, 'CREATE ROLE stranger');
value($node, q{SELECT mobilebert.revoke_model('prompted', 'public')});
is( unnamed_prompts(q{mobilebert.embed(t, 'prompted')}, 'SET ROLE stranger; '),
	'', 'which is not for those who may not use the model');
is( value(
		$node, q{SELECT array_agg(chunk ORDER BY chunk_no)
			FROM mobilebert.chunk('a b c', 'prompted')}),
	'{"a b c"}',
	'chunks have none');

# chunks with their vectors: the prompt takes room, and stands in no chunk
prompted(
	'library',
	{ prompts => { document => 'Text of it: ', other => 'a' } },
	{ pooling_mode => ['mean'] });
is( value(
		$node, q{SELECT count(*) > 5, bool_and(embedding = mobilebert.embed_document(chunk, 'library', 14)),
			bool_and(embedding = mobilebert.embed('Text of it: ' || chunk, 'bare', 'mean', overflow => 'error')),
			bool_and(mobilebert.count_tokens('Text of it: ' || chunk, 'library') <= 14),
			max(mobilebert.count_tokens('Text of it: ' || chunk, 'library')) > 10,
			bool_and(chunk = substr(t, start_offset + 1, end_offset - start_offset)),
			string_agg(chunk, ' ' ORDER BY chunk_no) = max(t)
		FROM (VALUES (repeat('a b. c d e. ', 20) || 'end')) AS v(t), mobilebert.embed_chunks(t, 'library', 14) AS c}),
	't|t|t|t|t|t|t',
	'embed_chunks has the prompt for documents');
is( value(
		$node, q{SELECT bool_and(c.embedding = mobilebert.embed(c.chunk, 'library', prompt => 'other'))
		FROM mobilebert.embed_chunks(repeat('a b. c d e. ', 20), 'library', 14, prompt => 'other') AS c}),
	't',
	'or another one');
fails_like(
	$node,
	q{SELECT mobilebert.embed_chunks('t', 'library', (SELECT count(*)::int FROM mobilebert.tokens('Text of it: ', 'library')))},
	'22023',
	'"max_tokens".*the template and prompt.s',
	'a window that the prompt fills');
fails_like(
	$node,
	q{SELECT mobilebert.embed_chunks('t', 'library', prompt => 'none')},
	'22023',
	'has no prompt "none"',
	'a prompt that is not there');

# what is not pooled, however the text is read
prompted(
	'excluding',
	{ prompts => { query => 'Ask: ' } },
	{ pooling_mode => [ 'mean', 'cls', 'lasttoken' ], include_prompt => JSON::PP::false() });
is( value(
		$node, q{SELECT v = (SELECT array_agg(x ORDER BY f) FROM (
			SELECT f, avg(x::float8)::real AS x FROM s GROUP BY f
			UNION ALL SELECT 100 + f, x FROM s WHERE token_no = (SELECT min(token_no) FROM s)
			UNION ALL SELECT 200 + f, x FROM s WHERE token_no = (SELECT max(token_no) FROM s)) AS q)
		FROM mobilebert.embed('a b c', 'excluding', prompt => 'query') AS v} =~
		  s/^/WITH s AS (SELECT token_no, f, x FROM mobilebert.hidden_states('Ask: a b c', 'excluding', layer => -1) AS h,
			unnest(state) WITH ORDINALITY AS u(x, f) WHERE token_no >= (SELECT count(*) - 1 FROM mobilebert.tokens('Ask: ', 'excluding')))
			/r),
	't',
	'poolings of the tokens after the prompt');
is( value(
		$node, q{SELECT cardinality(mobilebert.embed(repeat('a b ', 60), 'excluding', prompt => 'query', overflow => 'window')),
			mobilebert.embed('a', 'excluding', prompt => 'query') <> mobilebert.embed('Ask: a', 'excluding'),
			mobilebert.embed('a', 'excluding', prompt => 'query', pooling => 'cls') <> mobilebert.embed('Ask: a', 'excluding', pooling => 'cls')}),
	'60|t|t',
	'windows, and the cache');

# a cross-encoder has its default prompt before the first text
my $asking = copy_model(st_directory('ce-bert-1'), "$place/asking");
edit_json(
	"$asking/config_sentence_transformers.json",
	sub {
		$_[0]{prompts} = { x => 'Ask: ' };
		$_[0]{default_prompt_name} = 'x';
	});
value($node, "SELECT mobilebert.import_model('asking', '$asking')");
is( value(
		$node, q{SELECT mobilebert.score('a', 'asking', pair => 'b') = mobilebert.score('Ask: a', 'ce-bert-1', pair => 'b')}),
	't',
	'the default prompt of a cross-encoder');
is( unnamed_prompts(q{mobilebert.score(t, 'asking', pair => 'b'), mobilebert.label(t, 'asking'), mobilebert.best_label(t, '{a,b}', 'asking')}),
	q{'Ask: ' ("x" of model "asking")},
	'which EXPLAIN shows for score alone');

# --------------------------------------------------------------------------
# Where the activation of a cross-encoder stands
# --------------------------------------------------------------------------

my $count = 0;

# A copy of ce-bert-1 with other members of its two files: the logit, its
# score, and what classify() gives, which knows nothing of them.
sub scores
{
	my ($config, $sentence_config) = @_;
	my $name = 'copy ' . ++$count;
	my $copy = copy_model(st_directory('ce-bert-1'), "$place/$count");

	edit_json("$copy/config.json", sub { %{ $_[0] } = (%{ $_[0] }, %$config) });
	edit_json(
		"$copy/config_sentence_transformers.json",
		sub {
			delete $_[0]{activation_fn};
			%{ $_[0] } = (%{ $_[0] }, %$sentence_config);
		});
	value($node, "SELECT mobilebert.import_model('$name', '$copy')");
	return split /\|/, value(
		$node, qq{SELECT mobilebert.score('a', '$name', pair => 'b', function_to_apply => 'none'),
			mobilebert.score('a', '$name', pair => 'b'),
			(SELECT score FROM mobilebert.classify('a', '$name', pair => 'b')),
			mobilebert.score('a', '$name', pair => 'b', function_to_apply => 'sigmoid'),
			mobilebert.fingerprint('$name')});
}

my $identity = 'torch.nn.modules.linear.Identity';
my $class = 'torch.nn.modules.activation';
my %places = (
	'config_sentence_transformers.json' => [ {}, { activation_fn => $identity } ],
	'sentence_transformers of config.json' =>
	  [ { sentence_transformers => { activation_fn => $identity } }, {} ],
	'sbert_ce_default_activation_function' =>
	  [ { sbert_ce_default_activation_function => $identity }, {} ],
	'that of config.json without model_type' => [
		{ sbert_ce_default_activation_function => $identity },
		{ model_type => undef, activation_fn => "$class.Sigmoid" }
	]);
my %seen;
for my $where (sort keys %places)
{
	my ($logit, $score, $classified, $sigmoid, $hash) =
	  scores(@{ $places{$where} });

	is($score, $logit, "$where: the logit itself");
	is($classified, $sigmoid, 'the pipeline takes the sigmoid all the same');
	isnt($sigmoid, $logit, 'which is another number');
	ok(!$seen{$hash}++, 'and the fingerprint covers it');
}
my ($logit, $score, undef, $sigmoid) = scores({}, {});
is($score, $sigmoid, 'no activation: the sigmoid');
($logit, $score, undef, $sigmoid) =
  scores({ problem_type => 'regression' }, {});
is($score, $sigmoid, 'of a cross-encoder that is a regression as well');
($logit, $score, undef, $sigmoid) =
  scores({ problem_type => 'regression' }, { model_type => undef });
is($score, $logit, 'a regression that is none has the pipeline\'s score');
($logit, $score, undef, $sigmoid) =
  scores({}, { activation_fn => 'somebody.Activation' });
is($score, $sigmoid, 'code that is not torch\'s is not run');
($logit, $score) = scores({}, { activation_fn => "$class.Tanh" });
cmp_ok(abs($score - (exp($logit) - exp(-$logit)) / (exp($logit) + exp(-$logit))),
	'<', 1e-6, 'tanh');

# texts are cut where the library cuts them
is( value(
		$node, q{SELECT mobilebert.score(t, 'ce-bert-1', pair => 'b') = mobilebert.score(t, 'ce-bert-1', pair => 'b', max_length => 64),
			mobilebert.score(t, 'ce-bert-1', pair => 'b') = mobilebert.score(t, 'ce-bert-1', pair => 'b', max_length => 96)
			FROM repeat('a b c ', 40) AS t}),
	't|f',
	'the tokenizer\'s length, not all positions');
my ($same) = (scores({}, { __version__ => { pytorch => '1' } }))[4];
is((scores({}, { __version__ => { pytorch => '2' } }))[4],
	$same, 'who saved it changes no fingerprint');

my $softmax = copy_model(st_directory('ce-bert-1'), "$place/softmax");
edit_json(
	"$softmax/config_sentence_transformers.json",
	sub { $_[0]{activation_fn} = "$class.Softmax" });
fails_like(
	$node, "SELECT mobilebert.import_model('softmax', '$softmax')",
	'0A000', '"activation_fn" of "config_sentence_transformers.json", "torch.*Softmax", is not supported.*Identity, Sigmoid',
	'another activation is refused');

# a variant has the score of its base, and so has a model sent by value
value($node, q{SELECT mobilebert.create_variant('variant', 'copy 1', 'bf16x3')});
is( value(
		$node, q{SELECT mobilebert.score('a', 'variant') = mobilebert.score('a', 'variant', function_to_apply => 'none')}),
	't',
	'a variant keeps the activation');
my ($config, $tokenizer, $sentence_config) = map {
	my $content = file_content("$place/1/$_");

	utf8::decode($content);
	quoted($content);
} qw(config.json tokenizer.json config_sentence_transformers.json);
my $weights = unpack('H*', file_content("$place/1/model.safetensors"));
value(
	$node, qq{SELECT mobilebert.import_model('sent', $config, $tokenizer, '\\x$weights'::bytea,
		tokenizer_config => pg_catalog.convert_from(pg_catalog.pg_read_binary_file('$place/1/tokenizer_config.json'), 'UTF8')::jsonb,
		sentence_transformers => jsonb_build_object('config_sentence_transformers', $sentence_config\::jsonb))});
is( value(
		$node, q{SELECT mobilebert.score('a', 'sent', pair => 'b') = mobilebert.score('a', 'copy 1', pair => 'b')}),
	't',
	'a model sent by value');

unharmed($node);
done_testing();
