#-------------------------------------------------------------------------
#
# Reference.pm
#		The cases that Hugging Face has answered, and the SQL that asks the
#		same; for reference.pl, and for test/bench/compare.sh.
#
# A case is a line of expected/TASK.jsonl in the folder REFERENCE (of the
# environment), by default test/golden/model.  $call{TASK} makes its SQL, which
# gives one JSON value: json and not jsonb, which would lose the sign of a zero.
#
#-------------------------------------------------------------------------
package Reference;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use JSON::PP;
use List::Util qw(max);
use Mobilebert;

our @EXPORT = qw(%call cases checkpoint content);

my $folder = $ENV{REFERENCE} || abs_path(dirname(__FILE__) . '/../golden/model');
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

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

	return "SELECT coalesce(json_agg(to_json(r)), '[]') FROM $call AS r";
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

# Types of a padded pair: 1 from behind the first [SEP] to the last token.
sub pair_types
{
	my ($ids, $mask) = @_;
	my $last = max(grep { $mask->[$_] } 0 .. $#$ids);
	my $type = 0;

	return map {
		my $own = $mask->[$_] ? $type : 0;
		$type = 1 if $ids->[$_] == $ids->[$last];
		$own;
	} 0 .. $#$ids;
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
		@types = pair_types(\@ids, \@mask)
		  if exists $i->{text_pair} && !$i->{token_type_ids};
	}
	return (ints(\@ids), ints(\@types), ints(\@mask));
}

# What a case calls: SQL that gives one JSON value.
our %call = (
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
			SELECT json_build_object(
				'pooler', (SELECT $pooler),
				'norms', (SELECT json_agg(norm ORDER BY layer) FROM
					(SELECT layer, sqrt(sum((SELECT sum(x::float8 * x)
						FROM unnest(state) AS x))) AS norm
					FROM h GROUP BY layer) AS l),
				'hidden_states', (SELECT json_agg(states ORDER BY layer) FROM
					(SELECT layer, json_agg(to_json(state) ORDER BY u.o) AS states
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
		return 'SELECT json_build_object(' . join(', ', map {
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
		return sprintf q{SELECT json_build_object('result', (%s), 'logits', (%s))},
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

		return "SELECT json_build_object('probability', "
		  . "mobilebert.next_sentence($a, $b, $model$options), 'logits', "
		  . "(SELECT logits FROM mobilebert.logits($a, $model, pair => $b, "
		  . "head => 'next_sentence'$options)))";
	},
	'multiple_choice' => sub {
		my ($i, $o, $model) = @_;
		my $call = "(${\quoted($i->{prompt})}, ${\texts($i->{choices})}, $model"
		  . named(given($o, 'padding')) . ')';

		return "SELECT json_build_object('rows', ("
		  . rows("mobilebert.choose$call")
		  . "), 'best', mobilebert.best_choice$call)";
	},
	'discriminator' => sub {
		my ($i, $o, $model) = @_;

		return rows("mobilebert.logits(${\quoted($i->{text})}, $model, "
			  . "head => 'replaced_token')");
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
			SELECT json_build_object(
				'seq_relationship_logits', (SELECT seq_relationship_logits FROM p),
				'prediction_logits', (SELECT json_agg(
					(SELECT json_agg(l[c] ORDER BY o)
					 FROM unnest($columns) WITH ORDINALITY AS u (c, o)) ORDER BY n)
					FROM row),
				'max', (SELECT json_agg(m ORDER BY n) FROM largest),
				'argmax', (SELECT json_agg(array_position(l, m) - 1 ORDER BY n)
					FROM row JOIN largest USING (n)),
				'logsumexp', (SELECT json_agg((SELECT m + ln(sum(exp(x::float8 - m)))
					FROM unnest(l) AS x) ORDER BY n)
					FROM row JOIN largest USING (n)))};
	},
	'losses' => sub {
		my ($i, $o, $model) = @_;

		return 'SELECT to_json(mobilebert.loss('
		  . loss_arguments($i, $o->{head}, $model) . '))';
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

# Makes a copy of a checkpoint below a directory, and returns its path;
# model_max_length: another one than its own.
sub checkpoint
{
	my ($work, $name, $model_max_length) = @_;
	my $from = -d "$folder/checkpoints/$name" ? "$folder/checkpoints/$name"
	  : "$Mobilebert::golden/$name";
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

1;
