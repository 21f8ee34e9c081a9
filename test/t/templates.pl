#-------------------------------------------------------------------------
#
# templates.pl
#		Texts and pairs in windows, with templates in every order.
#
# A tokenizer.json may lay a pair out as "[CLS] B [SEP] A [SEP]", give the
# texts' types the other way round, put special tokens anywhere or nowhere.
# For each such template, what the functions give for a text in several windows
# is compared with a sum written out here: the windows are laid out token by
# token from the template, each goes through the encoder as ids
# (hidden_states), heads are applied with the checkpoint's own weights, and
# each token of the text counts in the window in which it stands farthest
# inside.
#
# Words are single letters, a token each, so that ids can be looked up here.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(max min sum sum0);
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('templates');
my $place = PostgreSQL::Test::Utils::tempdir();
my %special = ('[CLS]' => 101, '[SEP]' => 102, '[MASK]' => 103);

# ---------------------------------------------------------------------------
# Models: a checkpoint with another template
# ---------------------------------------------------------------------------

my %checkpoints = (
	nli => 'nli-3-entail-first', qa => 'tok-no-cjk',
	ner => 'tok-only-vocab', mlm => 'one-layer-one-head');
my %vocabulary;
my %weights;

for my $kind (keys %checkpoints)
{
	my $path = golden($checkpoints{$kind});

	if (-e "$path/tokenizer.json")
	{
		my $json =
		  JSON::PP::decode_json(file_content("$path/tokenizer.json"));
		$vocabulary{$kind} = $json->{model}{vocab};
	}
	else
	{
		my @lines = split(/\n/, file_content("$path/vocab.txt"));
		$vocabulary{$kind} = { map { $lines[$_] => $_ } 0 .. $#lines };
	}
	my $tensors = read_weights($path);
	for my $name (grep { !/encoder|embeddings/ } keys %$tensors)
	{
		$weights{$kind}{$name} = [ unpack('f<*', $tensors->{$name}{data}) ];
	}
}

# "[CLS]:0 A:1" -> pairs of a name and a type
sub template
{
	return map { [ split /:/ ] } split(' ', $_[0]);
}

sub json_template
{
	return [
		map {
			my ($name, $type) = @$_;
			$name =~ /^[AB]$/
			  ? { Sequence => { id => $name, type_id => $type + 0 } }
			  : { SpecialToken => { id => $name, type_id => $type + 0 } }
		} template($_[0])
	];
}

# A directory with the checkpoint and these templates; none: no post-processor.
sub make_model
{
	my ($kind, $name, $single, $pair, $side, $max_length) = @_;
	my $path = copy_model(golden($checkpoints{$kind}), "$place/$name");

	copy_tokenizer($path) unless -e "$path/tokenizer.json";
	edit_json(
		"$path/tokenizer.json",
		sub {
			my ($json) = @_;

			$json->{model}{vocab} = $vocabulary{$kind};
			$json->{post_processor} = defined $single
			  ? {
				type => 'TemplateProcessing',
				single => json_template($single),
				pair => json_template($pair),
				special_tokens => {
					map {
						$_ => {
							id => $_, ids => [ $special{$_} ],
							tokens => [$_]
						  }
					  } keys %special
				}
			  }
			  : undef;
		});
	edit_json(
		"$path/tokenizer_config.json",
		sub {
			my ($json) = @_;

			$json->{truncation_side} = $side || 'right';
			$json->{model_max_length} = $max_length if $max_length;
		});
	return $path;
}

sub copy_tokenizer
{
	my ($path) = @_;

	write_file("$path/tokenizer.json",
		file_content(golden('nli-3-entail-first') . '/tokenizer.json'));
	unlink "$path/vocab.txt";
	return;
}

sub import_model
{
	my ($name, @arguments) = @_;
	my $path = make_model($arguments[0], $name, @arguments[ 1 .. $#arguments ]);

	value($node, "SELECT mobilebert.import_model('$name', '$path')");
	return;
}

# ---------------------------------------------------------------------------
# Windows by hand
# ---------------------------------------------------------------------------

sub letters
{
	my ($count, $first) = @_;

	return [ map { chr(97 + ($_ * 7 + ($first || 0)) % 26) } 0 .. $count - 1 ];
}

# Windows [start, stop) of so many pieces, and the numbers of those that each
# stands for: a piece counts where it is farthest from the window's edges, at
# equal distance in the earlier window.
sub windows
{
	my ($count, $room, $stride, $from_end) = @_;
	my @windows;

	for (my $at = 0; ; $at += $room - $stride)
	{
		my ($start, $stop) = ($at, min($at + $room, $count));

		($start, $stop) = ($count - $stop, $count - $start) if $from_end;
		push @windows, { start => $start, stop => $stop, keep => [] };
		last if $at + $room >= $count;
	}
	# upstream's first is the one that its template gives the types of
	$windows[0]{first} = 1;
	@windows = reverse @windows if $from_end;
	for my $piece (0 .. $count - 1)
	{
		my ($best, $distance);

		for my $window (@windows)
		{
			my $inside = min($piece - $window->{start},
				$window->{stop} - 1 - $piece);

			next if $inside < 0 || defined $distance && $inside <= $distance;
			($best, $distance) = ($window, $inside);
		}
		push @{ $best->{keep} }, $piece;
	}
	return @windows;
}

# The tokens of a window: [id, type, text (-1: template), piece's number].
# later: a text whose types are not the template's.
sub lay_out
{
	my ($kind, $template, $texts, $starts, $later) = @_;
	my @tokens;

	for my $part (template($template))
	{
		my ($name, $type) = @$part;

		if ($name !~ /^[AB]$/)
		{
			push @tokens, [ $special{$name}, $type, -1, -1 ];
			next;
		}
		my $text = $name eq 'A' ? 0 : 1;
		my $words = $texts->[$text];

		$type = $text if defined $later && $later == $text;
		push @tokens,
		  map {
			[
				$special{ $words->[$_] } // $vocabulary{$kind}{ $words->[$_] },
				$type, $text, $_ + $starts->[$text]
			]
		  } 0 .. $#$words;
	}
	return @tokens;
}

# Numbers of template tokens before the first text, and after it.
sub around
{
	my @parts = template($_[0]);
	my ($at) = grep { $parts[$_][0] eq 'A' } 0 .. $#parts;

	return (
		scalar(grep { $_->[0] !~ /^[AB]$/ } @parts[ 0 .. $at - 1 ]),
		scalar(grep { $_->[0] !~ /^[AB]$/ } @parts[ $at + 1 .. $#parts ]));
}

# The last hidden states of such tokens.
sub states
{
	my ($model, @tokens) = @_;
	my $ids = join(',', map { $_->[0] } @tokens);
	my $types = join(',', map { $_->[1] } @tokens);
	my $out = value($node,
		"SELECT state FROM mobilebert.hidden_states('{$ids}'::int[], '$model', '{$types}', -1) ORDER BY token_no"
	);

	return map { [ /[-\d.e]+/g ] } split(/\n/, $out);
}

sub dense
{
	my ($kind, $name, $x) = @_;
	my ($weight, $bias) = map { $weights{$kind}{"$name.$_"} } qw(weight bias);

	return map {
		my $row = $_;
		$bias->[$row] +
		  sum(map { $weight->[ $row * @$x + $_ ] * $x->[$_] } 0 .. $#$x)
	} 0 .. $#$bias;
}

sub softmax
{
	my $top = max(@_);
	my @e = map { exp($_ - $top) } @_;
	my $sum = sum(@e);

	return map { $_ / $sum } @e;
}

sub tanh
{
	return 1 - 2 / (exp(2 * $_[0]) + 1);
}

# logits of the classifier
sub classified
{
	my ($first) = @_;

	return dense('nli', 'classifier',
		[ map { tanh($_) } dense('nli', 'mobilebert.pooler.dense', $first) ]);
}

# All numbers of two lists are near each other.
sub near
{
	my ($got, $wanted, $name, $tolerance) = @_;
	my $worst = @$got == @$wanted && @$got > 0 ? 0 : 9e9;

	$worst = max(
		$worst,
		map {
			abs($got->[$_] - $wanted->[$_]) / max(1, abs($wanted->[$_]))
		} 0 .. $#$wanted) if $worst == 0;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($worst, '<', $tolerance || 2e-5, $name)
	  or diag("got @$got\nwanted @$wanted");
	return;
}

# ---------------------------------------------------------------------------
# Templates
# ---------------------------------------------------------------------------

my @templates = (
	[ 'a_b', '[CLS]:0 A:0 [SEP]:0', '[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1' ],
	[ 'b_a', '[CLS]:0 A:0 [SEP]:0', '[CLS]:0 B:0 [SEP]:0 A:1 [SEP]:1' ],
	[
		'types_swapped', '[CLS]:1 A:1 [SEP]:1',
		'[CLS]:1 A:1 [SEP]:1 B:0 [SEP]:0'
	],
	[
		'b_a_swapped', '[SEP]:0 A:1 [CLS]:0',
		'[CLS]:1 B:1 [SEP]:1 A:0 [SEP]:0'
	],
	[ 'at_the_end', 'A:0 [SEP]:0 [CLS]:1', 'B:1 [SEP]:0 A:0 [SEP]:0 [CLS]:1' ],
	[
		'many', '[SEP]:0 [CLS]:1 A:1 [SEP]:0 [SEP]:1 [SEP]:0',
		'[CLS]:0 [SEP]:1 B:1 [SEP]:0 [SEP]:0 [SEP]:1 A:0'
	],
	[ 'bare', 'A:0', 'A:0 B:1' ],
	[ 'bare_b_a', 'A:1', 'B:1 A:1' ]);

sub check_classify
{
	my ($model, $single, $pair) = @_;
	my $text = letters(23);
	my $second = letters(4, 3);
	my ($t, $s) = ("@$text", "@$second");

	for my $stride (0, 2)
	{
		for my $template ($single, $pair)
		{
			my @around = around($template);
			my $room = 9 - $stride;
			my $limit = $room + sum(@around) + ($template eq $pair ? 4 : 0);
			my @windows = windows(23, $room, $stride);
			my (@sum, $tokens);

			for my $window (@windows)
			{
				my ($from, $to) = @$window{qw(start stop)};
				my @tokens = lay_out('nli', $template,
					[ [ @$text[ $from .. $to - 1 ] ], $second ],
					[ $from, 0 ]);
				my @scores = softmax(classified((states($model, @tokens))[0]));
				my $weight = @{ $window->{keep} };

				$weight += $around[0] if $window == $windows[0];
				$weight += $around[1] if $window == $windows[-1];
				$tokens += $weight;
				$sum[$_] += $weight * $scores[$_] for 0 .. 2;
			}
			my $with = $template eq $pair ? "pair => '$s', " : '';
			near(
				[ split /\n/, value($node, qq{
					SELECT score FROM mobilebert.classify('$t', '$model', $with
						overflow => 'window', stride => $stride, max_length => $limit)
					ORDER BY label <> 'ENTAILMENT', label <> 'neutral'})
				],
				[ map { $_ / $tokens } @sum ],
				"$model: classify"
				  . ($with ? ' a pair' : '')
				  . ", stride $stride, " . @windows . ' windows');
		}
	}
	return;
}

sub check_zero_shot
{
	my ($model, $pair) = @_;
	my $text = letters(17);
	my @labels = ([ 'b' ], [qw(c d e f g)], [qw(k l)]);
	my @around = around($pair);
	my $limit = 8 + 5 + sum(@around);
	my @windows = windows(17, 8, 1);
	my ($t, $l) = ("@$text", join(',', map { "@$_" } @labels));

	for my $alone ('false', 'true')
	{
		my (@sum, $tokens);

		for my $window (@windows)
		{
			my ($from, $to) = @$window{qw(start stop)};
			my $weight = @{ $window->{keep} };
			my @logits = map {
				[
					classified(
						(
							states(
								$model,
								lay_out(
									'nli', $pair,
									[ [ @$text[ $from .. $to - 1 ] ], $_ ],
									[ 0, 0 ]))
						)[0])
				]
			} @labels;
			# the first output is entailment, the last contradiction
			my @scores =
			  $alone eq 'true'
			  ? map { (softmax($_->[2], $_->[0]))[1] } @logits
			  : softmax(map { $_->[0] } @logits);

			$weight += $around[0] if $window == $windows[0];
			$weight += $around[1] if $window == $windows[-1];
			$tokens += $weight;
			$sum[$_] += $weight * $scores[$_] for 0 .. 2;
		}
		near(
			[ split /\n/, value($node, qq{
				SELECT score FROM mobilebert.zero_shot('$t', '{$l}', '$model', '{}',
					$alone, overflow => 'window', stride => 1, max_length => $limit)
				ORDER BY array_position('{$l}'::text[], label)})
			],
			[ map { $_ / $tokens } @sum ],
			"$model: zero_shot, multi_label $alone");
	}
	return;
}

# A window's tokens that count, of all its tokens, in order.
sub kept
{
	my ($window, $windows, @tokens) = @_;
	my ($first) = grep { $tokens[$_][2] == 0 } 0 .. $#tokens;
	my %keep = map { $_ => 1 } @{ $window->{keep} };

	return grep {
			$tokens[$_][2] == 0 ? $keep{ $tokens[$_][3] }
		  : $_ < $first ? $window == $windows->[0]
		  : $window == $windows->[-1]
	} 0 .. $#tokens;
}

sub check_states
{
	my ($model, $single, $pair) = @_;

	# embed: the limit is the tokenizer's
	my $text = letters(70);
	my $t = "@$text";
	my @windows = windows(70, 40 - sum(around($single)), 5);
	my @states;
	my ($n, $tokens) = (0, 0);
	my (%pooled);

	for my $window (@windows)
	{
		my ($from, $to) = @$window{qw(start stop)};
		my @tokens = lay_out('nli', $single, [ [ @$text[ $from .. $to - 1 ] ] ],
			[$from]);
		my @all = states($model, @tokens);

		push @states, @all[ kept($window, \@windows, @tokens) ];
	}
	is(scalar @states, 70 + sum(around($single)),
		"$model: each token counts once");
	$pooled{cls} = $states[0];
	$pooled{lasttoken} = $states[-1];
	for my $i (0 .. 31)
	{
		my @column = map { $_->[$i] } @states;

		$pooled{max}[$i] = max(@column);
		$pooled{mean}[$i] = sum(@column) / @column;
		$pooled{mean_sqrt_len_tokens}[$i] = sum(@column) / sqrt(@column);
		$pooled{weightedmean}[$i] =
		  sum(map { $column[$_] * ($_ + 1) } 0 .. $#column) /
		  sum(1 .. @column);
	}
	for my $pooling (sort keys %pooled)
	{
		near(
			[ value($node, qq{
				SELECT mobilebert.embed('$t', '$model', '$pooling', false,
					overflow => 'window', stride => 5)}) =~ /[-\d.e]+/g
			],
			$pooled{$pooling}, "$model: embed, $pooling");
	}

	# hidden_states of a pair: the positions are the limit
	my $second = letters(9, 4);
	my (@wanted, @ids);

	$text = letters(200);
	@windows = windows(200, 128 - 9 - sum(around($pair)), 11);
	for my $window (@windows)
	{
		my ($from, $to) = @$window{qw(start stop)};
		my @tokens = lay_out('nli', $pair,
			[ [ @$text[ $from .. $to - 1 ] ], $second ],
			[ $from, 0 ]);
		my @all = states($model, @tokens);

		push @wanted, map { @{ $all[$_] } } kept($window, \@windows, @tokens);
	}
	my @whole = lay_out('nli', $pair, [ $text, $second ], [ 0, 0 ]);
	is(scalar @wanted, 32 * @whole, "$model: each token of a pair counts once");
	near(
		[ value($node, qq{
			SELECT state FROM mobilebert.hidden_states('@$text', '$model', '@$second',
				-1, 'window', 11) ORDER BY token_no}) =~ /[-\d.e]+/g
		],
		\@wanted, "$model: hidden_states");
	return;
}

# The windows of ner and answer are Hugging Face's: there a text that goes on
# in a later window has type 0, or 1 if it is the second, whatever the template.
sub check_ner
{
	my ($model, $single, $from_end) = @_;
	my @around = around($single);
	my $text = letters(23);
	my @windows = windows(23, 9, 2, $from_end);
	my $limit = 9 + sum(@around);
	my @names = qw(O B-PER I-PER B-ORG I-ORG B-LOC I-LOC);
	my (@wanted, @labels, @got);

	for my $window (@windows)
	{
		my ($from, $to) = @$window{qw(start stop)};
		my @tokens = lay_out('ner', $single, [ [ @$text[ $from .. $to - 1 ] ] ],
			[$from], $window->{first} ? undef : 0);
		my @all = states($model, @tokens);

		for my $i (grep { $tokens[$_][2] == 0 }
			kept($window, \@windows, @tokens))
		{
			my @scores = softmax(dense('ner', 'classifier', $all[$i]));
			my ($best) = sort { $scores[$b] <=> $scores[$a] } 0 .. 6;

			push @labels, join(' ', $tokens[$i][3] + $around[0], $names[$best]);
			push @wanted, $scores[$best];
		}
	}
	for my $row (
		split /\n/,
		value($node, qq{
			SELECT token_no || ' ' || entity, score FROM mobilebert.ner('@$text', '$model', 'none', '{}', max_length => $limit)
			ORDER BY token_no}))
	{
		push @got, [ split /\|/, $row ];
	}
	is(join(',', map { $_->[0] } @got), join(',', @labels),
		"$model: labels of ner");
	near([ map { $_->[1] } @got ], \@wanted, "$model: scores of ner");
	return;
}

sub check_answer
{
	my ($model, $pair, $from_end) = @_;
	my $question = letters(3, 5);
	my $context = letters(25);
	my $limit = 9 + 3 + sum(around($pair));
	my $null = 1e6;
	my (%answers, @order);

	# windows in Hugging Face's order, which counts for equal scores alone
	for my $window (windows(25, 9, 3, $from_end))
	{
		my ($from, $to) = @$window{qw(start stop)};
		my @tokens = lay_out('qa', $pair,
			[ $question, [ @$context[ $from .. $to - 1 ] ] ],
			[ 0, $from ], $window->{first} ? undef : 1);
		my @logits =
		  map { [ dense('qa', 'qa_outputs', $_) ] } states($model, @tokens);
		my @allowed =
		  map { $_->[2] == 1 || $_->[0] == $special{'[CLS]'} } @tokens;
		my ($start, $end) = map {
			my $which = $_;
			[
				softmax(
					map { $allowed[$_] ? $logits[$_][$which] : -10000 }
					  0 .. $#tokens)
			]
		} 0, 1;

		$null = min($null, $start->[0] * $end->[0]);
		$start->[0] = $end->[0] = 0;
		for my $i (grep { $allowed[$_] } 0 .. $#tokens)
		{
			for my $j (grep { $allowed[$_] } $i .. min($i + 1, $#tokens))
			{
				my $score = $start->[$i] * $end->[$j];
				# from a [CLS] to a word is the text before the word
				my $slice = $tokens[$j][2] < 0 ? ''
				  : $tokens[$i][2] < 0 ? join(' ', @$context[ 0 .. $tokens[$j][3] ])
				  : join(' ', @$context[ $tokens[$i][3] .. $tokens[$j][3] ]);

				$answers{$slice} += $score if $score > 0;
			}
		}
	}
	@order = sort { $answers{$b} <=> $answers{$a} } keys %answers;
	my %got = map { split /\|/ } split /\n/, value($node, qq{
		SELECT answer, score FROM mobilebert.answer('@$question', '@$context', '$model',
			1000, 3, 2, $limit)});
	is(join(',', sort keys %got), join(',', sort @order), "$model: answers");
	near([ map { $got{$_} // 9 } @order ],
		[ @answers{@order} ], "$model: their scores");
	near(
		[ value($node, qq{
			SELECT no_answer_score FROM mobilebert.answer('@$question', '@$context', '$model',
				1, 3, 2, $limit, true)})
		],
		[$null],
		"$model: the score of no answer");

	# where no token holds the answer, the first [CLS] is right, as in run_qa.py
	my @all = lay_out('qa', $pair, [ $question, ['a'] ], [ 0, 0 ]);
	my ($cls) = grep { $all[$_][0] == $special{'[CLS]'} } 0 .. $#all;

	$cls //= 0;
	is( value($node, qq{
			SELECT mobilebert.loss('@$question', 'a  ', '$model', ' '::text, 2)
				= mobilebert.loss('@$question', 'a  ', '$model', $cls, $cls)}),
		't',
		"$model: loss of an answer that no token holds");
	return;
}

sub check_fill_mask
{
	my ($model, $single) = @_;
	my $text = letters(23);
	my $limit = 9 + sum(around($single));
	my $masks = 0;

	$text->[$_] = '[MASK]' for 3, 8, 9, 22;
	my $whole = value($node, qq{
		SELECT mask_no, rank, token_id, score FROM mobilebert.fill_mask('@$text', '$model',
			3, NULL, 'window', 2, $limit) ORDER BY mask_no, rank});
	my $parts = '';

	for my $window (windows(23, 9, 2))
	{
		my ($from, $to) = @$window{qw(start stop)};
		my @part = @$text[ $from .. $to - 1 ];
		my @where = grep { $text->[$_] eq '[MASK]' } $from .. $to - 1;

		for my $n (0 .. $#where)
		{
			next unless grep { $_ == $where[$n] } @{ $window->{keep} };
			$parts .= value($node, qq{
				SELECT $masks, rank, token_id, score FROM mobilebert.fill_mask('@part', '$model', 3)
				WHERE mask_no = $n ORDER BY rank}) . "\n";
			$masks++;
		}
	}
	is($masks, 4, "$model: each mask counts once");
	is("$whole\n", $parts, "$model: fill_mask");
	return;
}

for my $t (@templates)
{
	my ($name, $single, $pair) = @$t;

	import_model("${_}_$name", $_, $single, $pair, 'right', 40)
	  for sort keys %checkpoints;
	check_classify("nli_$name", $single, $pair);
	check_zero_shot("nli_$name", $pair);
	check_states("nli_$name", $single, $pair);
	check_ner("ner_$name", $single);
	check_answer("qa_$name", $pair);
	check_fill_mask("mlm_$name", $single);
	import_model("${_}_left_$name", $_, $single, $pair, 'left', 40)
	  for qw(ner qa);
	check_ner("ner_left_$name", $single, 1);
	check_answer("qa_left_$name", $pair, 1);
}

# No post-processor is as a template without special tokens.
import_model('nli_none', 'nli', undef, undef, 'right', 40);
check_classify('nli_none', 'A:0', 'A:0 B:1');
check_zero_shot('nli_none', 'A:0 B:1');

# ---------------------------------------------------------------------------
# Nothing in a row, and a limit below the template
# ---------------------------------------------------------------------------

fails_like($node, "SELECT mobilebert.$_", '22023', 'text has no tokens',
	"no tokens at all: $_")
  for (
	"embed('', 'nli_none')", "embed('', 'nli_none', 'cls')",
	"label('  ', 'nli_none')", "label('', 'nli_none', ' ')",
	"best_label(' ', '{\"\"}', 'nli_none', '{}')",
	"hidden_states('', 'nli_none')");
is(value($node, "SELECT count(*) FROM mobilebert.ner('', 'ner_bare')"),
	0, 'no entities in them');
is(value($node, "SELECT mobilebert.label('', 'nli_none', 'a') IS NOT NULL"),
	't', 'one text of two is enough');

# A limit that not even the template fits in cuts nothing, as in Hugging Face.
my $template = '[CLS]:0 A:0 [SEP]:0';
my $long = '[CLS]:0 [CLS]:0 B:0 [SEP]:0 A:1 [SEP]:1';

import_model('nli_long', 'nli', $template, $long);
is( value($node, qq{
		SELECT bool_and(c = d) FROM mobilebert.classify('a b c d', 'nli_long', 'e f', max_length => 3) AS c
			JOIN mobilebert.classify('a b c d', 'nli_long', 'e f') AS d USING (rank)}),
	't',
	'a limit below the template cuts nothing');
my ($status, $out, $error) = $node->psql('postgres',
	"SELECT mobilebert.label('a b c d', 'nli_long', 'e f', max_length => 3)");
is($error, '', 'and warns of nothing');
fails_like(
	$node,
	"SELECT mobilebert.label(repeat('a ', 130), 'nli_long', 'e f', max_length => 3)",
	'54000',
	'pair of texts is too long for model "nli_long".*It has 136 tokens, and the model takes 128',
	'but the positions are a limit');
fails_like(
	$node,
	"SELECT mobilebert.label('a b c d', 'nli_long', 'e f', overflow => 'window', max_length => 3)",
	'54000', 'pair of texts is too long',
	'and no windows are that short');

# ---------------------------------------------------------------------------
# What is refused
# ---------------------------------------------------------------------------

my $count = 0;
for my $bad (
	[ 'A:0 A:1', 'A:0 B:1', 'single', 'the sequence A once and no other' ],
	[ 'A:0 B:1', 'A:0 B:1', 'single', 'the sequence A once and no other' ],
	[ '[CLS]:0', 'A:0 B:1', 'single', 'the sequence A once and no other' ],
	map { [ 'A:0', $_, 'pair', 'each of the sequences A and B once' ] } 'A:0',
	'B:0', 'A:0 B:1 A:0', 'B:0 A:1 B:0', '[CLS]:0')
{
	my ($single, $pair, $which, $must) = @$bad;
	my $path = make_model('nli', 'bad' . $count++, $single, $pair);

	fails_like($node, "SELECT mobilebert.import_model('bad', '$path')",
		'0A000', qq{template "$which" in "tokenizer.json" must have $must},
		"refused: $single, $pair");
}

unharmed($node);
$node->stop;
done_testing();
