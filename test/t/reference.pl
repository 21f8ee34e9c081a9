#-------------------------------------------------------------------------
#
# reference.pl
#		Every head and pipeline through SQL against Hugging Face.
#
#	prove test/t/reference.pl
#	REFERENCE=../shared/reference prove -v test/t/reference.pl
#	TASKS=fill-mask,pretraining prove test/t/reference.pl
#
# A case is a line of expected/TASK.jsonl: inputs and options of a call, and
# what Hugging Face gave in float32 and float64.  Labels, words, offsets, ranks
# and strings must be equal; numbers may differ from the float64 ones by twice
# what torch's own float32 differs at most (spread.json), measured as it is or
# relative to the largest number of the case.  A call that Hugging Face refuses
# must be refused.  By default the cases of test/golden/model run; with
# REFERENCE those of that folder, all of them.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use File::Temp ();
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use List::Util qw(max);
use Mobilebert;
use Test::More;

my $bound = 2;
my $folder = $ENV{REFERENCE} || "$FindBin::RealBin/../golden/model";
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $work = File::Temp->newdir('mobilebert.XXXXXX', TMPDIR => 1);
chmod 0755, $work;

# ---------------------------------------------------------------------------
# Calls
# ---------------------------------------------------------------------------

sub quoted
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	if (ref $value eq 'ARRAY')
	{
		return 'ARRAY[' . join(', ', map { quoted($_) } @$value) . ']';
	}
	return $value ? 'true' : 'false' if JSON::PP::is_bool($value);
	$value =~ s/'/''/g;
	$value =~ s/\\/\\\\/g;
	return "E'$value'";
}

sub texts { my $value = quoted(@_); return "$value\::text[]"; }
sub ints { my $value = quoted(@_); $value =~ s/E'([-\d]+)'/$1/g; return "$value\::int[]"; }

# name => value, with commas, for what is there
sub named
{
	my %arguments = @_;

	return join('',
		map { ", $_ => $arguments{$_}" }
		grep { defined $arguments{$_} } sort keys %arguments);
}

sub given
{
	my ($options, @names) = @_;

	return map { $_ => quoted($options->{$_}) }
	  grep { exists $options->{$_} } @names;
}

# All rows of a function as a JSON array, in order.
sub rows
{
	my ($call) = @_;

	return "SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM $call AS r";
}

sub truncation
{
	my ($options) = @_;

	return (overflow => $options->{truncation} ? "'truncate'" : "'error'",
		given($options, 'max_length'));
}

# The form of loss() for a head; lists of texts are a padded batch.
sub loss_arguments
{
	my ($i, $head, $model) = @_;
	my ($text, $pair, $labels) = @$i{qw(text text_pair labels)};
	my $given = $labels->{labels};
	my $batch = ref $text eq 'ARRAY';
	my $input = $batch ? texts($text) : quoted($text);

	if ($head eq 'ForQuestionAnswering')
	{
		return join(', ', $input, quoted($pair), $model,
			map { $labels->{$_}[0] } qw(start_positions end_positions));
	}
	if ($head eq 'ForMultipleChoice')
	{
		return join(', ', $input, texts($pair), $model,
			ints([ map { $_ + 1 } @$given ]));
	}
	if ($head eq 'ForSequenceClassification')
	{
		my $value = quoted($batch ? $given : $given->[0]);
		my $type = ref $given->[0] || $value =~ /\./ ? 'real' : 'int';

		$value =~ s/E'([-\d.]+)'/$1/g;
		$value .= "::$type\[]" if $value =~ /^ARRAY/;
		return "$input, $model, $value";
	}
	if ($head eq 'ForNextSentencePrediction')
	{
		return "$input, $model, $given->[0], pair => " . quoted($pair);
	}
	return "$input, $model, " . ints($given->[0])
	  . named(next_sentence_label => ($labels->{next_sentence_label} || [])->[0]);
}

# Ids, types and mask of a case that says them or is padded, as arguments.
sub raw_ids
{
	my ($i, $o, $expected) = @_;
	my @ids = @{ $expected->{input_ids} };
	my @types = @{ $i->{token_type_ids} || [ (0) x @ids ] };
	my @mask = @{ $i->{attention_mask} || [ (1) x @ids ] };

	# padded: all that ends the row like its last token, which is [PAD] then
	if ($o->{pad_to} && !$i->{attention_mask})
	{
		my $pad = $o->{pad_id};
		for (my $n = $#ids; $n > 0 && $ids[$n] == $pad; $n--)
		{
			$mask[$n] = 0;
		}
	}
	return (ints(\@ids), ints(\@types), ints(\@mask));
}

# What a case calls: SQL that gives one JSON value.
my %call = (
	'hidden_states' => sub {
		my ($i, $o, $model, $expected) = @_;
		my ($call, $pooler);

		if (!exists $i->{input_ids} && !exists $o->{pad_to})
		{
			my $pair = exists $i->{text_pair} ? ', pair => ' . quoted($i->{text_pair}) : '';
			$call = "mobilebert.hidden_states(${\quoted($i->{text})}, $model$pair, "
			  . "overflow => 'error')";
		}
		if ($expected->{input_ids})
		{
			my ($ids, $types, $mask) = raw_ids($i, $o, $expected);
			my $arguments = "token_type_ids => $types, attention_mask => $mask";

			$call ||= "mobilebert.hidden_states($ids, $model, $arguments)";
			# a pair's types are not in the file
			$pooler = "mobilebert.embed($ids, $model, pooling => 'pooler', "
			  . "normalized => false, $arguments)"
			  if $expected->{pooler_output} && !exists $i->{text_pair};
		}
		$pooler ||= 'NULL::real[]';
		my $rows = ints($expected->{rows} || [0]);
		return qq{
			WITH h AS MATERIALIZED (SELECT * FROM $call),
			n AS (SELECT max(token_no) + 1 AS tokens FROM h)
			SELECT jsonb_build_object(
				'pooler', (SELECT $pooler),
				'norms', (SELECT jsonb_agg(norm ORDER BY layer) FROM
					(SELECT layer, sqrt(sum((SELECT sum(x::float8 * x)
						FROM unnest(state) AS x))) AS norm
					FROM h GROUP BY layer) AS l),
				'hidden_states', (SELECT jsonb_agg(states ORDER BY layer) FROM
					(SELECT layer, jsonb_agg(to_jsonb(state) ORDER BY u.o) AS states
					FROM n CROSS JOIN unnest($rows) WITH ORDINALITY AS u (r, o)
					JOIN h ON h.token_no = CASE WHEN r < 0 THEN r + tokens ELSE r END
					GROUP BY layer) AS l))};
	},
	'attentions' => sub {
		my ($i, $o, $model, $expected) = @_;
		my $pair = exists $i->{text_pair} ? ', pair => ' . quoted($i->{text_pair}) : '';
		my ($ids, $types, $mask) = raw_ids($i, $o, $expected);

		return rows(exists $o->{pad_to}
			? "mobilebert.attentions($ids, $model, token_type_ids => $types, "
			  . "attention_mask => $mask)"
			: "mobilebert.attentions(${\quoted($i->{text})}, $model$pair)");
	},
	'embeddings' => sub {
		my ($i, $o, $model, $expected) = @_;
		my ($ids, $types, $mask) = raw_ids($i, $o, $expected);
		my $length = $o->{max_length};
		my $input = $length
		  ? "mobilebert.encode(${\quoted($i->{text})}, $model, "
		  . "truncation => 'longest_first', max_length => $length)"
		  : $ids;

		$mask = 'NULL' if $length;
		return 'SELECT jsonb_build_object(' . join(', ', map {
			my ($pooling, $normalized) = /^(.*?)(_normalized)?$/;
			"'$_', mobilebert.embed($input, $model, pooling => '$pooling', "
			  . 'normalized => ' . ($normalized ? 'true' : 'false')
			  . ", attention_mask => $mask)"
		} grep { $_ ne 'input_ids' } sort keys %$expected) . ')';
	},
	'text-classification' => sub {
		my ($i, $o, $model) = @_;
		my %pair = exists $i->{text_pair} ? (pair => quoted($i->{text_pair})) : ();
		my %padding = $o->{padding} ? (padding => 'true') : ();
		my $text = quoted($i->{text});
		my %top_k = $o->{return_all_scores} ? () : exists $o->{top_k}
		  ? (top_k => quoted($o->{top_k})) : (top_k => 1);
		my $call = sub {
			rows("mobilebert.classify($text, $model"
				  . named(%pair, %padding, truncation($o), @_) . ')');
		};
		return sprintf q{SELECT jsonb_build_object('result', (%s), 'logits', (%s))},
		  $call->(%top_k, given($o, 'function_to_apply')),
		  $call->(function_to_apply => "'none'");
	},
	'token-classification' => sub {
		my ($i, $o, $model) = @_;
		my $input = $i->{words} ? texts($i->{words}) : quoted($i->{text});
		my $strategy = $o->{aggregation_strategy} || 'none';

		return rows("mobilebert.ner($input, $model"
			  . named(
				aggregation_strategy => quoted($strategy),
				overflow => exists $o->{stride} ? undef : "'truncate'",
				exists $o->{ignore_labels}
				? (ignore_labels => texts($o->{ignore_labels})) : (),
				given($o, 'stride', 'delimiter')) . ')');
	},
	'token_logits' => sub {
		my ($i, $o, $model) = @_;

		return rows("mobilebert.logits(${\quoted($i->{text})}, $model, "
			  . "head => 'ner')");
	},
	'qa_logits' => sub {
		my ($i, $o, $model) = @_;

		return rows("mobilebert.logits(${\quoted($i->{text})}, $model, pair => "
			  . quoted($i->{text_pair})
			  . ", head => 'answer', overflow => 'truncate', max_length => $o->{max_length})");
	},
	'fill-mask' => sub {
		my ($i, $o, $model) = @_;
		my $targets = $o->{targets};
		$targets = [$targets] if defined $targets && !ref $targets;

		return rows("mobilebert.fill_mask(${\quoted($i->{text})}, $model"
			  . named(
				given($o, 'top_k'),
				targets => $targets && texts($targets),
				truncation($o->{tokenizer_kwargs} || {})) . ')');
	},
	'question-answering' => sub {
		my ($i, $o, $model) = @_;

		return rows("mobilebert.answer(${\quoted($i->{question})}, "
			  . "${\quoted($i->{context})}, $model"
			  . named(map { $_ => quoted($o->{$_}) } keys %$o) . ')');
	},
	'zero-shot-classification' => sub {
		my ($i, $o, $model) = @_;
		my $labels = $i->{candidate_labels};

		# one string with commas, as the pipeline takes apart: here an array
		$labels = [ grep { length } map { s/^\s+|\s+$//gr } split(/,/, $labels) ]
		  unless ref $labels;
		return rows("mobilebert.zero_shot(${\quoted($i->{sequence})}, "
			  . "${\texts($labels)}, $model"
			  . named(given($o, 'hypothesis_template', 'multi_label')) . ')');
	},
	'next_sentence' => sub {
		my ($i, $o, $model) = @_;
		my ($a, $b) = map { quoted($_) } @$i{qw(text text_pair)};
		my $options = named(truncation($o));

		return "SELECT jsonb_build_object('probability', "
		  . "mobilebert.next_sentence($a, $b, $model$options), 'logits', "
		  . "(SELECT logits FROM mobilebert.logits($a, $model, pair => $b, "
		  . "head => 'next_sentence'$options)))";
	},
	'multiple_choice' => sub {
		my ($i, $o, $model) = @_;
		my $call = "(${\quoted($i->{prompt})}, ${\texts($i->{choices})}, $model"
		  . named(given($o, 'padding')) . ')';

		return "SELECT jsonb_build_object('rows', ("
		  . rows("mobilebert.choose$call")
		  . "), 'best', mobilebert.best_choice$call)";
	},
	'pretraining' => sub {
		my ($i, $o, $model) = @_;
		my $columns = ints([ map { $_ + 1 } @{ $o->{columns} } ]);
		my $pair = exists $i->{text_pair} ? ', pair => ' . quoted($i->{text_pair}) : '';

		return qq{
			WITH p AS MATERIALIZED (
				SELECT * FROM mobilebert.pretraining(${\quoted($i->{text})},
					$model$pair, positions => ${\ints($o->{positions})})),
			row AS MATERIALIZED (
				SELECT n, ARRAY(SELECT unnest(prediction_logits[n:n])) AS l
				FROM p, generate_series(1, array_length(prediction_logits, 1)) AS n),
			largest AS MATERIALIZED (
				SELECT n, (SELECT max(x) FROM unnest(l) AS x) AS m FROM row)
			SELECT jsonb_build_object(
				'seq_relationship_logits', (SELECT seq_relationship_logits FROM p),
				'prediction_logits', (SELECT jsonb_agg(
					(SELECT jsonb_agg(l[c] ORDER BY o)
					 FROM unnest($columns) WITH ORDINALITY AS u (c, o)) ORDER BY n)
					FROM row),
				'max', (SELECT jsonb_agg(m ORDER BY n) FROM largest),
				'argmax', (SELECT jsonb_agg(array_position(l, m) - 1 ORDER BY n)
					FROM row JOIN largest USING (n)),
				'logsumexp', (SELECT jsonb_agg((SELECT m + ln(sum(exp(x::float8 - m)))
					FROM unnest(l) AS x) ORDER BY n)
					FROM row JOIN largest USING (n)))};
	},
	'losses' => sub {
		my ($i, $o, $model) = @_;

		return 'SELECT to_jsonb(mobilebert.loss('
		  . loss_arguments($i, $o->{head}, $model) . '))';
	},
);

# ---------------------------------------------------------------------------
# Comparisons: each notes what differs, and numbers by field
# ---------------------------------------------------------------------------

my ($differs, %numbers);

sub same
{
	my ($what, $got, $expected) = @_;

	$got = 'null' unless defined $got;
	$expected = 'null' unless defined $expected;
	$differs ||= "$what is $got, not $expected" if $got ne $expected;
	return;
}

sub number
{
	my ($field, $got, $expected) = @_;

	push @{ $numbers{$field} }, [ $got, $expected ];
	return;
}

sub same_count
{
	my ($got, $expected) = @_;

	same('number of rows', scalar @$got, scalar @$expected);
	return @$got == @$expected;
}

sub all_numbers
{
	my ($field, $got, $expected) = @_;

	return unless same_count($got, $expected);
	number($field, $got->[$_], $expected->[$_]) for 0 .. $#$got;
	return;
}

sub listed { my ($value) = @_; return ref $value eq 'ARRAY' ? $value : [$value]; }

my %compare = (
	'hidden_states' => sub {
		my ($got, $expected) = @_;

		all_numbers('norms', $got->{norms}, $expected->{norms});
		all_numbers('pooler_output', $got->{pooler}, $expected->{pooler_output})
		  if $got->{pooler};
		return unless same_count($got->{hidden_states}, $expected->{hidden_states});
		for my $layer (0 .. $#{ $expected->{hidden_states} })
		{
			my $rows = $expected->{hidden_states}[$layer];

			return unless same_count($got->{hidden_states}[$layer], $rows);
			all_numbers('hidden_states', $got->{hidden_states}[$layer][$_],
				$rows->[$_]) for 0 .. $#$rows;
		}
	},
	'attentions' => sub {
		my ($got, $expected) = @_;
		my @rows = map { map { @$_ } @$_ } @{ $expected->{attentions} };

		return unless same_count($got, \@rows);
		all_numbers('attentions', $got->[$_]{weights}, $rows[$_])
		  for 0 .. $#rows;
	},
	'embeddings' => sub {
		my ($got, $expected) = @_;

		all_numbers($_, $got->{$_}, $expected->{$_})
		  for grep { $_ ne 'input_ids' } keys %$expected;
	},
	'text-classification' => sub {
		my ($got, $expected, $case) = @_;
		my $result = listed($expected->{result});
		my %by_label = map { $_->{label} => $_->{score} } @{ $got->{logits} };
		my @rows = @{ $got->{result} };

		# all scores, unsorted: our order is that of the scores
		if ($case->{options}{return_all_scores})
		{
			$result = [ sort { $b->{score} <=> $a->{score} }
				  map { @{ listed($_) } } @$result ];
		}
		return unless same_count(\@rows, $result);
		for my $n (0 .. $#rows)
		{
			same('rank', $rows[$n]{rank}, $n + 1);
			same('label', $rows[$n]{label}, $result->[$n]{label});
			number('score', $rows[$n]{score}, $result->[$n]{score});
		}
		number('logits', $by_label{ $case->{labels}[$_] },
			$expected->{logits}[$_]) for 0 .. $#{ $expected->{logits} };
	},
	'token-classification' => sub {
		my ($got, $expected) = @_;
		my $result = $expected->{result};

		# words come as a batch of one
		$result = $result->[0] if ref $result->[0] eq 'ARRAY';
		return unless same_count($got, $result);
		for my $n (0 .. $#$got)
		{
			my ($g, $e) = ($got->[$n], $result->[$n]);

			same('entity', $g->{entity},
				defined $e->{entity} ? $e->{entity} : $e->{entity_group});
			same('pieces', $g->{pieces}, $e->{word});
			same('start', $g->{start_offset}, $e->{start});
			same('end', $g->{end_offset}, $e->{end});
			same('token', $g->{token_no}, $e->{index});
			number('score', $g->{score}, $e->{score});
		}
	},
	'token_logits' => sub {
		my ($got, $expected) = @_;

		return unless same_count($got, $expected->{logits});
		all_numbers('logits', $got->[$_]{logits}, $expected->{logits}[$_])
		  for 0 .. $#$got;
	},
	'qa_logits' => sub {
		my ($got, $expected) = @_;

		return unless same_count($got, $expected->{start_logits});
		for my $n (0 .. $#$got)
		{
			number('start_logits', $got->[$n]{logits}[0],
				$expected->{start_logits}[$n]);
			number('end_logits', $got->[$n]{logits}[1],
				$expected->{end_logits}[$n]);
		}
	},
	'fill-mask' => sub {
		my ($got, $expected) = @_;
		my $masks = $expected->{result};
		$masks = [$masks] if ref $masks->[0] ne 'ARRAY';
		my @result = map {
			my $mask = $_;
			map { [ $mask, $_ + 1, $masks->[$mask][$_] ] }
			  0 .. $#{ $masks->[$mask] }
		} 0 .. $#$masks;

		return unless same_count($got, \@result);
		for my $n (0 .. $#$got)
		{
			my ($mask, $rank, $e) = @{ $result[$n] };

			same('mask', $got->[$n]{mask_no}, $mask);
			same('rank', $got->[$n]{rank}, $rank);
			same('token', $got->[$n]{token_id}, $e->{token});
			same('token string', $got->[$n]{token}, $e->{token_str});
			same('sequence', $got->[$n]{sequence}, $e->{sequence});
			number('score', $got->[$n]{score}, $e->{score});
		}
	},
	'question-answering' => sub {
		my ($got, $expected) = @_;
		my $impossible = grep { defined $_->{no_answer_score} } @$got;
		my @result = grep { $_->{score} > 0 } @{ listed($expected->{result}) };

		return unless same_count($got, \@result);
		for my $n (0 .. $#$got)
		{
			my ($g, $e) = ($got->[$n], $result[$n]);

			same('rank', $g->{rank}, $n + 1);
			same('answer', $g->{answer}, $e->{answer});
			same('start', $g->{start_offset}, $e->{start});
			same('end', $g->{end_offset}, $e->{end});
			number('score', $g->{score}, $e->{score});
		}
	},
	'zero-shot-classification' => sub {
		my ($got, $expected) = @_;
		my $e = $expected->{result};

		return unless same_count($got, $e->{labels});
		for my $n (0 .. $#$got)
		{
			same('rank', $got->[$n]{rank}, $n + 1);
			same('label', $got->[$n]{label}, $e->{labels}[$n]);
			number('scores', $got->[$n]{score}, $e->{scores}[$n]);
		}
	},
	'next_sentence' => sub {
		my ($got, $expected) = @_;

		number('probabilities', $got->{probability},
			$expected->{probabilities}[0]);
		all_numbers('logits', $got->{logits}, $expected->{logits});
	},
	'multiple_choice' => sub {
		my ($got, $expected, $case) = @_;
		my $rows = $got->{rows};

		same('best', $got->{best}, $expected->{best} + 1);
		return unless same_count($rows, $expected->{logits});
		for my $n (0 .. $#$rows)
		{
			same('number', $rows->[$n]{choice_no}, $n + 1);
			same('choice', $rows->[$n]{choice}, $case->{inputs}{choices}[$n]);
			number('logits', $rows->[$n]{logit}, $expected->{logits}[$n]);
			number('probabilities', $rows->[$n]{score},
				$expected->{probabilities}[$n]);
		}
	},
	'pretraining' => sub {
		my ($got, $expected) = @_;

		all_numbers($_, $got->{$_}, $expected->{$_})
		  for qw(seq_relationship_logits max logsumexp);
		all_numbers('prediction_logits', $got->{prediction_logits}[$_],
			$expected->{prediction_logits}[$_])
		  for 0 .. $#{ $expected->{prediction_logits} };
		same('argmax', "@{$got->{argmax}}", "@{$expected->{argmax}}");
	},
	'losses' => sub {
		my ($got, $expected) = @_;

		number('loss', $got, $expected->{loss});
	},
);

# ---------------------------------------------------------------------------
# The data
# ---------------------------------------------------------------------------

# A file of the folder, compressed or not.
sub content
{
	my ($path) = @_;

	return file_content("$folder/$path") if -e "$folder/$path";
	return scalar `gzip -dc '$folder/$path.gz'` if -e "$folder/$path.gz";
	return undef;
}

# The directory of a checkpoint; model_max_length: another one than its own.
sub checkpoint
{
	my ($name, $model_max_length) = @_;
	my $from = -d "$folder/checkpoints/$name" ? "$folder/checkpoints/$name"
	  : "$FindBin::RealBin/../golden/checkpoint/$name";
	my $to = "$work/$name" . (defined $model_max_length ? "-$model_max_length" : '');

	mkdir $to or die "could not make $to: $!";
	for my $file (grep { -f } glob("$from/*"))
	{
		my ($base) = $file =~ m{([^/]+?)(?:\.gz)?$};
		my $bytes = $file =~ /\.gz$/ ? `gzip -dc '$file'` : file_content($file);

		write_file("$to/$base", $bytes);
	}
	edit_json("$to/tokenizer_config.json",
		sub { $_[0]->{model_max_length} = $model_max_length + 0 })
	  if defined $model_max_length;
	return $to;
}

# The golden folder has some checkpoints without; golden_model.c runs those.
sub has_tokenizer
{
	my ($name) = @_;

	my @files = glob("$folder/checkpoints/$name/tokenizer_config.json*");

	return !-d "$folder/checkpoints/$name" || @files > 0;
}

sub cases
{
	my ($task) = @_;
	my $lines = content("expected/$task.jsonl");
	my @cases;

	return () unless defined $lines;
	for my $line (split /\n/, $lines)
	{
		my $case = $json->decode($line);
		my $length = $case->{options}{model_max_length};

		next unless has_tokenizer($case->{checkpoint});
		$case->{model} = $case->{checkpoint}
		  . (defined $length ? "-$length" : '');
		push @cases, $case;
	}
	return @cases;
}

# A deviation (the README's table of differences): Hugging Face makes windows of
# 384 tokens also for a model with fewer positions, and then fails.
sub more_windows
{
	my ($case) = @_;

	return $case->{task} eq 'question-answering'
	  && !exists $case->{options}{max_seq_len}
	  && $case->{expected}{error} =~ /^RuntimeError: The size of tensor a/;
}

# What a number is made of, where its own spread says little: torch's error of
# a single loss may be next to nothing by luck, that of its logits is not.
my %source = (
	ForPreTraining => 'pretraining/prediction_logits',
	ForMaskedLM => 'fill-mask/score',
	ForNextSentencePrediction => 'next_sentence/logits',
	ForSequenceClassification => 'text-classification/logits',
	ForMultipleChoice => 'multiple_choice/logits',
	ForTokenClassification => 'token_logits/logits',
	ForQuestionAnswering => 'qa_logits/start_logits');

sub times_spread
{
	my ($allowed, $error, $largest) = @_;

	return 0 if $error == 0;
	return 9**9**9 unless $allowed;
	return $error / max($allowed->{abs}, $allowed->{rel} * $largest);
}

# The largest ratio of our error to torch's over the fields of a case.
sub worst
{
	my ($spread, $case, $tally) = @_;
	my $worst = 0;

	for my $field (keys %numbers)
	{
		my $allowed = $spread->{ $case->{checkpoint} }{"$case->{task}/$field"};
		my ($error, $largest) = (0, 0);

		for my $pair (@{ $numbers{$field} })
		{
			my ($got, $expected) = @$pair;

			if ($expected =~ /N|I/)
			{
				same($field, $got, $expected);
				next;
			}
			$error = max($error, abs($got - $expected));
			$largest = max($largest, abs($expected));
		}
		my $ratio = times_spread($allowed, $error, $largest);
		$tally->{$field} = $ratio if $ratio > ($tally->{$field} || 0);
		if ($ratio > $bound && $case->{task} eq 'losses')
		{
			my $logits = $source{ $case->{options}{head} };

			$ratio = times_spread($spread->{ $case->{checkpoint} }{$logits},
				$error, $largest);
			$tally->{'over it, to that of the logits'} =
			  max($ratio, $tally->{'over it, to that of the logits'} || 0);
		}
		$worst = $ratio if $ratio > $worst;
	}
	return $worst;
}

# ---------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------

my $spread = $json->decode(content('expected/spread.json'));
my $node = new_server('reference');
my (%models, %labels, %pads);

value($node, q{
	CREATE FUNCTION attempt(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE
		result jsonb;
	BEGIN
		EXECUTE query INTO result;
		RETURN result;
	EXCEPTION WHEN OTHERS THEN
		RETURN jsonb_build_object('error', SQLSTATE || ': ' || SQLERRM);
	END $$});

for my $task ($ENV{TASKS} ? split(/,/, $ENV{TASKS}) : sort keys %call)
{
	my @cases = cases($task);
	if (!@cases)
	{
	  SKIP: { skip "$task: golden_model.c compares those of the golden folder", 1 }
		next;
	}
	my ($equal, $refused, $windows, %tally) = (0, 0, 0);
	my @failed;
	my $script = '';

	for my $case (@cases)
	{
		my $model = $case->{model};

		if (!$models{$model}++)
		{
			my $path = checkpoint($case->{checkpoint},
				$case->{options}{model_max_length});
			value($node, "SELECT mobilebert.import_model('$model', '$path')");
			$pads{$model} = value($node,
				"SELECT mobilebert.model_config('$model') ->> 'pad_token_id'");
			$labels{$model} = $json->decode(value($node,
				"SELECT mobilebert.model_config('$model') -> 'id2label'"));
		}
		$case->{labels} = [ map { $labels{$model}{$_} }
			  sort { $a <=> $b } keys %{ $labels{$model} } ];
		$case->{options}{pad_id} = $pads{$model} if $case->{options}{pad_to};
		my $sql = $call{$task}->($case->{inputs}, $case->{options}, "'$model'",
			$case->{expected64} || {});
		utf8::encode($sql) if utf8::is_utf8($sql);
		$script .= "SELECT attempt(\$attempt\$$sql\$attempt\$);\n";
	}
	write_file("$work/script.sql", "SET client_min_messages = error;\n$script");
	my @answers = map { $json->decode($_) }
	  split(/\n/, `psql -X -q -A -t -d '${\$node->connstr('postgres')}' -f '$work/script.sql'`);
	is(scalar @answers, scalar @cases, "$task: " . @cases . ' cases answered');

	for my $n (0 .. $#answers)
	{
		my ($case, $got) = ($cases[$n], $answers[$n]);
		my $error = ref $got eq 'HASH' ? $got->{error} : undef;
		my $why;

		($differs, %numbers) = (undef);
		if (exists $case->{expected}{error})
		{
			$refused++ if $error;
			$windows++ if !$error && more_windows($case);
			$why = 'accepted' unless $error || more_windows($case);
		}
		elsif ($error)
		{
			$why = $error;
		}
		else
		{
			$compare{$task}->($got, $case->{expected64}, $case);
			my $ratio = $differs ? 0 : worst($spread, $case, \%tally);
			$why = $differs;
			$why ||= sprintf 'error of %.2f times the spread', $ratio
			  if $ratio > $bound;
			$equal++ unless $why;
		}
		push @failed, "$case->{id} ($case->{checkpoint}): $why" if $why;
	}
	ok(!@failed, "$task: equal $equal, refused $refused"
		  . ($windows ? ", answered with smaller windows $windows" : ''))
	  or diag(join("\n", map { "  $_" } @failed));
	diag(sprintf '%s: largest ratio to torch\'s spread: %s', $task,
		join(', ', map { sprintf '%s %.2f', $_, $tally{$_} } sort keys %tally));
}
unharmed($node);
done_testing();
