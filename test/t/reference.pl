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
use Reference;
use Test::More;

my $bound = 2;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $work = File::Temp->newdir('mobilebert.XXXXXX', TMPDIR => 1);
chmod 0755, $work;

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
	'discriminator' => sub {
		my ($got, $expected) = @_;

		return unless same_count($got, $expected->{logits});
		for my $n (0 .. $#$got)
		{
			my $logit = $got->[$n]{logits}[0];

			number('logits', $logit, $expected->{logits}[$n]);
			number('probabilities', 1 / (1 + exp(-$logit)),
				$expected->{probabilities}[$n]);
		}
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
			my $path = checkpoint($work, $case->{checkpoint},
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
