#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# compare.pl
#		What compare.sh asks of two builds, and what it makes of the answers.
#
#	perl -Itest/t -MReference compare.pl make-bits WORK
#	perl -Itest/t -MReference compare.pl make-speed WORK
#		models in WORK/models and statements in WORK/*.sql, for the PARTS and
#		PRECISIONS of the environment; not as root (Mobilebert.pm)
#	perl compare.pl differences WORK FILE
#		of WORK/before/NAME and WORK/after/NAME for each line of WORK/names
#	perl compare.pl statements HOST HOST DATA DATA FILE
#		statements in turn on two servers; the ratios go to FILE
#	perl compare.pl ratios WORK
#		shows WORK/engine and WORK/server
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use IO::Handle ();
use IPC::Open2 qw(open2);

# Statements ask in JSON or text, where floats have as many digits as they need;
# what is longer than this becomes a digest of all of it.
my $longest = 400;

# Characters of the passages that texts are cut to, one after another.
my @lengths = (8, 15, 25, 40, 55, 75, 100, 130, 170, 400);

my %parts = map { $_ => 1 } split ' ', $ENV{PARTS} || '';
my @precisions = split ' ', $ENV{PRECISIONS} || '';

sub write_script
{
	my ($path, @lines) = @_;

	open(my $file, '>:raw', $path) or die "could not open $path: $!";
	print $file map { "$_\n" } @lines;
	close $file or die "could not write $path: $!";
	return;
}

# fp32 is the model itself
sub variant
{
	my ($model, $precision) = @_;

	return $precision eq 'fp32' ? $model : "$model-$precision";
}

# ---------------------------------------------------------------------------
# Models
# ---------------------------------------------------------------------------

sub make_shape
{
	my ($work) = @_;

	Mobilebert::build_model("$work/models/mobilebert",
		vocabulary => "$work/vocab.txt", dtype => 'F32');
	return;
}

# A model under its name, and its variants.
sub import_lines
{
	my ($work, $name, $path) = @_;

	return ("SELECT mobilebert.import_model('$name', '$path') \\g /dev/null",
		map {
			"SELECT mobilebert.create_variant('" . variant($name, $_)
			  . "', '$name', '$_') \\g /dev/null"
		} grep { $_ ne 'fp32' } @precisions);
}

# ---------------------------------------------------------------------------
# Statements for bits
# ---------------------------------------------------------------------------

# Tables and functions of all parts; "mean" has about 20 tokens a text.
sub setup_lines
{
	my ($work) = @_;
	my $lengths = join(',', @lengths);
	my $count = @lengths;

	return (
		'SET client_min_messages = error;',
		'CREATE EXTENSION mobilebert;',
		'CREATE TABLE passage (id int PRIMARY KEY, president text, year int, passage text);',
		"\\copy passage FROM '$work/passages.csv' (FORMAT csv, HEADER)",
		"CREATE TABLE texts AS
		 SELECT n AS id, left(a.passage, ('{$lengths}'::int[])[1 + n % $count]) AS body,
			left(b.passage, 60) AS other
		 FROM generate_series(1, 200) AS n JOIN passage a ON a.id = n * 8
			JOIN passage b ON b.id = n * 8 - 3;",
		"CREATE TABLE long AS
		 SELECT id / 4 AS id, string_agg(passage, ' ' ORDER BY id) AS body
		 FROM passage WHERE id BETWEEN 4 AND 11 GROUP BY id / 4;",
		'VACUUM ANALYZE;',
		"CREATE FUNCTION digest(value text) RETURNS text LANGUAGE sql IMMUTABLE AS
		 \$\$SELECT CASE WHEN length(value) > $longest
			THEN left(value, $longest) || '... ' || md5(value) ELSE value END\$\$;",
		"CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS \$\$
		 DECLARE
			result text;
		 BEGIN
			EXECUTE query INTO result;
			RETURN digest(replace(result, E'\\n', ' '));
		 EXCEPTION WHEN OTHERS THEN
			RETURN 'error ' || SQLSTATE || ': ' || SQLERRM;
		 END \$\$;");
}

# name, batching, statement
sub ask
{
	my ($name, $batching, $sql) = @_;

	return ("\\echo == $name",
		"SET mobilebert.enable_batching = $batching;", "$sql;");
}

# The outputs of the encoder for some rows, alone and batched.
sub output_lines
{
	my ($model, $where) = @_;
	my $m = "'$model'";
	# in the order in which older states gave several poolings, whatever was asked
	my $poolings = 'cls,max,mean,mean_sqrt_len_tokens,weightedmean,lasttoken';

	return (
		ask("$model hidden_states", 'off',
			"SELECT id, (SELECT md5(string_agg(array_send(state), '' ORDER BY layer, token_no))
			 FROM mobilebert.hidden_states(body, $m)) FROM texts WHERE $where ORDER BY id"),
		ask("$model embed, batched", 'on',
			"SELECT id, digest(mobilebert.embed(body, $m)::text) FROM few WHERE $where ORDER BY id"),
		ask("$model poolings", 'off',
			"SELECT id, digest(mobilebert.embed(body, $m, pooling => '$poolings',
			 normalized => false)::text) FROM few WHERE $where AND id % 5 = 0 ORDER BY id"),
		ask("$model poolings, batched", 'on',
			"SELECT id, digest(mobilebert.embed(body, $m, pooling => '$poolings',
			 normalized => false)::text) FROM few WHERE $where AND id % 5 = 1 ORDER BY id"),
		ask("$model first token", 'off',
			"SELECT id, digest(mobilebert.embed(body, $m, pooling => 'cls')::text)
			 FROM few WHERE $where AND id % 5 = 2 ORDER BY id"),
		ask("$model first token, batched", 'on',
			"SELECT id, digest(mobilebert.embed(body, $m, pooling => 'cls')::text)
			 FROM few WHERE $where AND id % 5 = 2 ORDER BY id"),
		ask("$model attentions", 'off',
			"SELECT id, (SELECT md5(string_agg(array_send(weights), '' ORDER BY layer, head, token_no))
			 FROM mobilebert.attentions(body, $m)) FROM few WHERE $where AND id % 10 = 4 ORDER BY id"));
}

sub text_lines
{
	my ($model, $precision) = @_;
	my $m = "'$model'";
	my @lines = (
		output_lines($model, 'true'),
		ask("$model array", 'on',
			"SELECT n, digest(e::text) FROM mobilebert.embed((SELECT array_agg(body ORDER BY id)
			 FROM few WHERE id % 5 = 3), $m) WITH ORDINALITY AS t (e, n)"),
		ask("$model layer", 'on',
			"SELECT id, digest(mobilebert.embed(body, $m, layer => 2, pooling => 'max')::text)
			 FROM few WHERE id % 20 = 5 ORDER BY id"),
		ask("$model windows", 'off',
			"SELECT id, digest(mobilebert.embed(body, $m, pooling => 'max,mean,weightedmean',
			 overflow => 'window', stride => 20, normalized => false)::text) FROM long ORDER BY id"),
		ask("$model windows, batched", 'on',
			"SELECT id, digest(mobilebert.embed(body, $m, overflow => 'window')::text),
			 digest(mobilebert.embed(body, $m)::text) FROM long ORDER BY id"),
		ask("$model hidden states of windows", 'off',
			"SELECT id, (SELECT md5(string_agg(array_send(state), '' ORDER BY token_no))
			 FROM mobilebert.hidden_states(body, $m, layer => -1, stride => 30)) FROM long ORDER BY id LIMIT 1"),
		ask("$model ids and mask", 'off',
			"SELECT id, digest(mobilebert.embed(ids, $m, attention_mask => ARRAY(SELECT (o % 7 <> 3)::int
			 FROM unnest(ids) WITH ORDINALITY AS u (i, o) ORDER BY o), token_type_ids => ARRAY(SELECT (o % 2)::int
			 FROM unnest(ids) WITH ORDINALITY AS u (i, o) ORDER BY o))::text)
			 FROM (SELECT id, mobilebert.encode(body, $m) AS ids FROM few WHERE id % 10 = 6) AS t ORDER BY id"),
		ask("$model similarity", 'on',
			"SELECT id, mobilebert.similarity(body, other, $m) FROM few WHERE id % 10 = 7 ORDER BY id"),
		ask("$model plans", 'on',
			"EXPLAIN (COSTS OFF) SELECT id, mobilebert.embed(body, $m) FROM few"),
		ask("$model distances", 'off',
			"SELECT id, mobilebert.cosine_similarity(a, b), mobilebert.inner_product(a, b),
			 mobilebert.l2_distance(a, b) FROM (SELECT id, mobilebert.embed(body, $m) AS a,
			 mobilebert.embed(other, $m) AS b FROM few WHERE id % 20 = 8) AS t ORDER BY id"),
		ask("$model information", 'off',
			"SELECT mobilebert.fingerprint($m), mobilebert.memory_needed($m, 1),
			 mobilebert.memory_needed($m, 300), mobilebert.prewarm($m), mobilebert.model_config($m)"));

	# chunks of words, which older states gave without being asked
	push @lines,
	  q{SELECT CASE WHEN 'split' = ANY (proargnames) THEN ', split => ''word''' ELSE '' END AS by_words}
	  . q{ FROM pg_proc WHERE pronamespace = 'mobilebert'::regnamespace AND proname = 'chunk' AND pronargs > 1 \gset}
	  if $precision eq 'fp32';
	push @lines,
	  ask("$model tokens", 'off',
		"SELECT id, digest((SELECT string_agg(t::text, ' ') FROM mobilebert.tokens(body, $m, pair => other,
		 max_length => 40, stride => 5, truncation => 'longest_first') AS t)),
		 digest((SELECT string_agg(t::text, ' ') FROM mobilebert.chunk(body, $m, max_tokens => 12, overlap => 3 :by_words) AS t)),
		 digest(mobilebert.decode(mobilebert.encode(body, $m), $m, true)) FROM few ORDER BY id")
	  if $precision eq 'fp32';
	return @lines;
}

# Runs expressions over one text in so many with each of the models (a list with
# commas) that does a task; MODEL in them is its name.
sub with_models
{
	my ($names, $task, $name, $expressions, $one_in) = @_;

	return (
		"\\echo == $name, batched",
		'SET mobilebert.enable_batching = on;',
		each_model($names, $task,
			"SELECT MODEL, id, digest(ROW($expressions)::text) FROM texts WHERE id % $one_in = 1 ORDER BY id"));
}

sub each_model
{
	my ($names, $task, $query) = @_;

	return "SELECT replace(\$query\$$query\$query\$, 'MODEL', quote_literal(name))
		 FROM mobilebert.models WHERE '$task' = ANY(tasks)
			AND name = ANY('{$names}') ORDER BY name \\gexec";
}

sub head_lines
{
	my ($names) = @_;
	my $masked = "regexp_replace(body, '\\w+', '[MASK]')";

	return (
		with_models($names, 'embed', 'embed', 'mobilebert.embed(body, MODEL)', 10),
		with_models($names, 'classify', 'label and classify',
			"mobilebert.label(body, MODEL), (SELECT json_agg(c) FROM mobilebert.classify(body, MODEL, pair => other) AS c)", 5),
		with_models($names, 'classify', 'score', 'mobilebert.score(body, MODEL)', 5),
		with_models($names, 'classify', 'zero_shot',
			"mobilebert.best_label(body, '{war,peace,money}', MODEL),
			 (SELECT json_agg(z) FROM mobilebert.zero_shot(body, '{war,peace,money}', MODEL, multi_label => true) AS z)", 20),
		with_models($names, 'ner', 'entities',
			"mobilebert.entities(body, MODEL), mobilebert.entities(body, MODEL, aggregation_strategy => 'max')", 5),
		with_models($names, 'answer', 'best_answer',
			"mobilebert.best_answer('Who speaks?', body, MODEL), (SELECT json_agg(a) FROM mobilebert.answer('What?', body, MODEL, top_k => 3) AS a)", 5),
		with_models($names, 'fill_mask', 'best_token',
			"mobilebert.best_token($masked, MODEL), (SELECT json_agg(m) FROM mobilebert.fill_mask($masked, MODEL, top_k => 2) AS m)", 5),
		with_models($names, 'fill_mask', 'pseudo_perplexity',
			"mobilebert.pseudo_perplexity(left(body, 20), MODEL)", 40),
		with_models($names, 'next_sentence', 'next_sentence',
			"mobilebert.next_sentence(body, other, MODEL)", 5),
		with_models($names, 'choose', 'best_choice',
			"mobilebert.best_choice(body, ARRAY[other, 'no', left(other, 9)], MODEL),
			 (SELECT json_agg(c) FROM mobilebert.choose(body, ARRAY[other, 'no'], MODEL) AS c)", 5),
		"\\echo == best_answers",
		each_model($names, 'answer',
			"SELECT MODEL, digest(mobilebert.best_answers('What is it?', body, id::text, MODEL, 5)::text) FROM texts WHERE id % 5 = 2"));
}

# All cases of the reference: SQL by task, with a place for the model's name.
sub case_lines
{
	my ($cases, $precision) = @_;
	my $task = '';
	my @lines;

	for my $case (@$cases)
	{
		my $sql = $Reference::call{ $case->{task} }->(
			$case->{inputs}, $case->{options},
			"'" . variant($case->{model}, $precision) . "'",
			$case->{expected64} || {});

		utf8::encode($sql) if utf8::is_utf8($sql);
		push @lines, "\\echo == $precision $case->{task} $case->{id}",
		  "SELECT attempt(\$attempt\$$sql\$attempt\$);";
	}
	return @lines;
}

# The reference's cases, its checkpoints below WORK/models by the name of the
# model, and these names without those that differ in model_max_length alone.
sub reference
{
	my ($work) = @_;
	my (@cases, %path, %plain);

	for my $task (sort keys %Reference::call)
	{
		for my $case (Reference::cases($task))
		{
			my $model = $case->{model};

			$plain{$model} = 1 if $model eq $case->{checkpoint};
			$path{$model} ||= Reference::checkpoint("$work/models",
				$case->{checkpoint}, $case->{options}{model_max_length});
			if ($case->{options}{pad_to})
			{
				my $config = JSON::PP::decode_json(
					Mobilebert::file_content("$path{$model}/config.json"));
				my $pad = $config->{pad_token_id};

				$case->{options}{pad_id} = defined $pad ? $pad : 0;
			}
			push @cases, $case;
		}
	}
	return (\@cases, \%path, [ sort keys %plain ]);
}

sub make_bits
{
	my ($work) = @_;
	my @setup = setup_lines($work);
	my ($cases, $path, $plain) = ([], {}, []);

	($cases, $path, $plain) = reference($work) if $parts{heads} || $parts{cases};
	make_shape($work) if $parts{shape};
	push @setup, import_lines($work, 'minilm', "$work/models/minilm") if $parts{texts};
	push @setup, import_lines($work, 'mobilebert', "$work/models/mobilebert")
	  if $parts{shape};
	push @setup, import_lines($work, $_, $path->{$_}) for sort keys %$path;
	write_script("$work/setup.sql", @setup);
	for my $precision (@precisions)
	{
		my @lines = (
			'SET client_min_messages = warning;',
			'SET mobilebert.cache_size = 0;',
			# for a slow instruction set: shorter ones, and few of them
			'CREATE TEMP TABLE texts AS SELECT id, left(body, :most) AS body, '
			  . 'left(other, :most) AS other FROM public.texts;',
			'CREATE TEMP TABLE few AS SELECT * FROM texts WHERE id <= :few;',
			'CREATE TEMP TABLE long AS SELECT id, left(body, 1500) AS body '
			  . 'FROM public.long WHERE :few > id * 25;',
			'\echo == instruction set',
			"SELECT name, value FROM mobilebert.build_info() WHERE name ~ 'instruction|kernel';");

		push @lines, text_lines(variant('minilm', $precision), $precision) if $parts{texts};
		push @lines, output_lines(variant('mobilebert', $precision), 'id % 17 = 0')
		  if $parts{shape};
		push @lines, head_lines(join(',', map { variant($_, $precision) } @$plain))
		  if $parts{heads};
		push @lines, case_lines($cases, $precision) if $parts{cases};
		write_script("$work/$precision.sql", @lines);
	}
	return;
}

# ---------------------------------------------------------------------------
# Differences
# ---------------------------------------------------------------------------

# The lines of a file, each with the heading above it.
sub headed
{
	my ($path) = @_;
	my $heading = '';
	my @lines;

	open(my $file, '<:raw', $path) or die "could not open $path: $!";
	while (my $line = <$file>)
	{
		chomp $line;
		# where in the script a message arose
		$line =~ s/^psql:[^:]*:\d+: //;
		if ($line =~ /^== (.*)/) { $heading = $1; }
		else { push @lines, [ $heading, $line ]; }
	}
	close $file;
	return \@lines;
}

# Both lines from shortly before their first different character on.
sub excerpt
{
	my ($before, $after) = @_;
	my ($common) = ("$before" ^ "$after") =~ /^(\0*)/;
	my $from = length($common) > 40 ? length($common) - 40 : 0;

	return map {
		my $line = substr($_, $from);

		($from ? '... ' : '')
		  . (length($line) > 100 ? substr($line, 0, 100) . ' ...' : $line)
	} $before, $after;
}

# Compares two files; notes how many lines of each heading were compared, and
# the ones that differ.
sub compare_files
{
	my ($work, $name, $compared, $differ) = @_;
	my ($before, $after) = map { headed("$work/$_/$name") } qw(before after);
	my $count = @$before > @$after ? @$before : @$after;

	for my $n (0 .. $count - 1)
	{
		my ($b, $a) = map { $_ || [ '', '(nothing)' ] } $before->[$n], $after->[$n];
		my $heading = "$name: " . ($b->[0] || $a->[0]);

		$compared->{$heading}++;
		push @{ $differ->{$heading} }, [ $b->[1], $a->[1] ]
		  if $b->[0] ne $a->[0] || $b->[1] ne $a->[1];
	}
	return;
}

# Shows what differs by heading, with the first of each; FILE gets all.
sub differences
{
	my ($work, $path) = @_;
	my (%compared, %differ, @all);
	my ($lines, $bad) = (0, 0);
	my $shown = 0;

	open(my $names, '<', "$work/names") or die "could not open $work/names: $!";
	while (my $name = <$names>)
	{
		chomp $name;
		compare_files($work, $name, \%compared, \%differ);
	}
	close $names;
	$lines += $_ for values %compared;
	for my $heading (sort keys %differ)
	{
		my $found = $differ{$heading};

		$bad += @$found;
		push @all, map { "$heading\n  before: $_->[0]\n  after:  $_->[1]" } @$found;
		next if $shown++ >= 20;
		printf "%s: %d of %d lines differ\n  before: %s\n  after:  %s\n",
		  $heading, scalar @$found, $compared{$heading}, excerpt(@{ $found->[0] });
	}
	write_script($path, @all);
	printf "... and %d headings more, see %s\n", $shown - 20, $path if $shown > 20;
	printf "%d compared, %d differ\n", $lines, $bad;
	return $bad || !$lines ? 1 : 0;
}

# ---------------------------------------------------------------------------
# Speed: statements in turn on two servers
# ---------------------------------------------------------------------------

# Rows of the tables that the statements below go through
my $rows = 20000;
my $vectors = 100_000;

sub make_speed
{
	my ($work) = @_;

	make_shape($work);
	return unless $parts{server};
	write_script("$work/setup.sql",
		'SET client_min_messages = error;',
		'CREATE EXTENSION mobilebert;',
		import_lines($work, 'minilm', "$work/models/minilm"),
		import_lines($work, 'mobilebert', "$work/models/mobilebert"),
		"CREATE TABLE passage (id int PRIMARY KEY, president text, year int, passage text);
		 \\copy passage FROM '$work/passages.csv' (FORMAT csv, HEADER)",
		"CREATE TABLE short AS SELECT n AS id, left(passage, 20 + n % 50) AS body, NULL::real[] AS embedding
		 FROM generate_series(1, $rows) AS n JOIN passage p ON p.id = 1 + n % 1600;
		 ALTER TABLE short ADD PRIMARY KEY (id);",
		"CREATE TABLE mixed AS SELECT id, left(passage, 20 + id * 7 % 700) AS body FROM passage;",
		"CREATE TABLE vectors AS SELECT n AS id, numbers[1 + n * 7 % 5000 : 384 + n * 7 % 5000] AS e
		 FROM (SELECT array_agg(sin(g * g)::real) AS numbers FROM generate_series(1, 5400) AS g) AS s,
			generate_series(1, $vectors) AS n;",
		'VACUUM (ANALYZE, FREEZE);');
	return;
}

# A number of rows that takes a few tenths of a second, and never the same
# again in a round: enrich passes over what it has filled.
sub statements
{
	my ($precision) = @_;
	my ($small, $large) = map { variant($_, $precision) } qw(minilm mobilebert);
	my $part = sub { my ($n, $size) = @_; return 'id > ' . $n * $size . ' AND id <= ' . ($n + 1) * $size; };
	my $embed = sub {
		my ($model, $table, $batching, $size) = @_;

		return sub {
			return "SET mobilebert.enable_batching = $batching; "
			  . "SELECT count(mobilebert.embed(body, '$model')) FROM $table WHERE "
			  . $part->($_[0], $size);
		};
	};

	return (
		[ "row by row, minilm $precision, short", $embed->($small, 'short', 'off', 60) ],
		[ "batching, minilm $precision, short", $embed->($small, 'short', 'on', 100) ],
		[ "batching, minilm $precision, mixed", $embed->($small, 'mixed', 'on', 25) ],
		[ "batching, mobilebert $precision, short", $embed->($large, 'short', 'on', 50) ],
		[ "enrich, minilm $precision", sub {
			return "CALL mobilebert.enrich('short', 'embedding', 'mobilebert.embed(body, ''$small'')', filter => '"
			  . $part->($_[0], 100) . "')";
		} ]);
}

sub search_statements
{
	return [ 'exact search', sub {
		my ($n) = @_;

		return "SELECT id FROM vectors ORDER BY mobilebert.cosine_similarity(e, "
		  . "(SELECT e FROM vectors WHERE id = $n + 1 LIMIT 1)) DESC LIMIT 10";
	} ];
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;

	return undef unless @sorted;
	return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

# A session: psql, and the process that answers it.
sub open_session
{
	my ($host) = @_;
	my ($out, $in);

	local $ENV{PGHOST} = $host;
	my $pid = open2($out, $in, 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1');
	my $session = { pid => $pid, out => $out, in => $in };

	print $in "SELECT pg_backend_pid();\n";
	$in->flush;
	chomp($session->{backend} = <$out>);
	timed($session, 'SET client_min_messages = error; SET mobilebert.cache_size = 0');
	return $session;
}

sub close_session
{
	my ($session) = @_;

	close $session->{in};
	close $session->{out};
	waitpid $session->{pid}, 0;
	return;
}

# Milliseconds that a session's process has had the processor, as the kernel
# counts them.
sub processor_time
{
	my ($session) = @_;
	my $path = "/proc/$session->{backend}/schedstat";

	open(my $file, '<', $path) or die "could not open $path (CLOCK=wall does without): $!";
	my ($nanoseconds) = split ' ', <$file>;
	close $file;
	return $nanoseconds / 1e6;
}

# Runs statements; returns the milliseconds that they took, or with CLOCK=wall
# what the last of them did.
sub timed
{
	my ($session, $sql) = @_;
	my ($in, $out) = @$session{qw(in out)};
	my $wall = $ENV{CLOCK} eq 'wall';
	my $begin = $wall ? 0 : processor_time($session);
	my $time;

	print $in "\\timing on\n$sql \\g /dev/null\n\\timing off\n\\echo done\n";
	$in->flush;
	while (my $line = <$out>)
	{
		return $wall ? $time : processor_time($session) - $begin if $line eq "done\n";
		$time = $1 if $line =~ /^Time: ([\d.]+) ms/;
	}
	die "a server gave up: $sql\n";
}

# Pairs of times of one case: which is asked first changes.
sub pairs
{
	my ($sessions, $statement, $first_part, $seconds) = @_;
	my $end = time + $seconds;
	my @pairs;

	for (my $n = 0; $n < 5 || time < $end; $n++)
	{
		my @times;

		for my $side ($n % 2 ? (1, 0) : (0, 1))
		{
			$times[$side] = timed($sessions->[$side], $statement->($first_part + $n));
		}
		push @pairs, \@times;
	}
	return @pairs;
}

# Images are made anew in each round, so that they lie elsewhere in memory, and
# making one is a case by itself.  A session that has mapped one keeps it: each
# is made in a new session.
sub image_pairs
{
	my ($hosts, $data, $model) = @_;
	my @pairs;

	for my $n (0 .. 3)
	{
		my @times;

		for my $side ($n % 2 ? (1, 0) : (0, 1))
		{
			my $session = open_session($hosts->[$side]);

			unlink glob "$data->[$side]/pgsql_tmp_mobilebert/*";
			timed($session, "SELECT count(*) FROM mobilebert.models");
			$times[$side] = timed($session, "SELECT mobilebert.prewarm('$model')");
			close_session($session);
		}
		push @pairs, \@times;
	}
	return @pairs;
}

sub run_statements
{
	my ($host_before, $host_after, $data_before, $data_after, $path) = @_;
	my @hosts = ($host_before, $host_after);
	my @data = ($data_before, $data_after);
	my $rounds = $ENV{COPIES};
	my (%pairs, @order);
	my $note = sub {
		my ($name, @found) = @_;

		push @order, $name unless $pairs{$name};
		push @{ $pairs{$name} }, \@found;
	};

	for my $round (0 .. $rounds - 1)
	{
		for my $precision (@precisions)
		{
			for my $model (map { variant($_, $precision) } qw(mobilebert minilm))
			{
				$note->("making an image, $model", image_pairs(\@hosts, \@data, $model));
			}
			# the images of the second model are left; those of the first come
			# back with its first statement
			my @sessions = map { open_session($hosts[$_]) } 0, 1;

			timed($_, 'UPDATE short SET embedding = NULL WHERE embedding IS NOT NULL; '
				  . 'VACUUM short; CHECKPOINT') for @sessions;
			for my $case (statements($precision),
				$precision eq $precisions[0] ? search_statements() : ())
			{
				my ($name, $statement) = @$case;

				timed($_, $statement->(0)) for @sessions;
				$note->($name, pairs(\@sessions, $statement, 1, $ENV{PASSES} * 2));
			}
			close_session($_) for @sessions;
		}
	}
	open(my $file, '>', $path) or die "could not open $path: $!";
	for my $name (@order)
	{
		my @rounds = @{ $pairs{$name} };
		my @all = map { @$_ } @rounds;
		my @ratios = sort { $a <=> $b }
		  map { median(map { $_->[1] / $_->[0] } @$_) } @rounds;

		printf $file "%s\t%.3f\t%.3f\t%.4f\t%.4f\t%.4f\n", $name,
		  median(map { $_->[0] } @all), median(map { $_->[1] } @all),
		  median(@ratios), @ratios[ 0, -1 ];
	}
	close $file;
	return 0;
}

# ---------------------------------------------------------------------------
# What is shown of speed
# ---------------------------------------------------------------------------

sub ratios
{
	my ($work) = @_;
	my ($count, $slower) = (0, 0);

	printf "%-42s %10s %10s %8s %17s\n", 'after / before', 'before ms', 'after ms', 'ratio', 'of single copies';
	for my $path (grep { -e } "$work/engine", "$work/server")
	{
		open(my $file, '<', $path) or die "could not open $path: $!";
		while (my $line = <$file>)
		{
			chomp $line;
			my ($name, $before, $after, $ratio, $least, $largest) = split /\t/, $line;
			my $bad = $before eq 'bits' || $ratio > $ENV{LIMIT};

			$count++;
			$slower++ if $bad;
			if ($before eq 'bits')
			{
				printf "%-42s other bits\n", $name;
				next;
			}
			printf "%-42s %10.3f %10.3f %8.3f %8.3f %8.3f%s\n", $name, $before,
			  $after, $ratio, $least, $largest, $bad ? '  SLOWER' : '';
		}
		close $file;
	}
	printf "%d compared, %d slower than %s or of other bits\n", $count, $slower, $ENV{LIMIT};
	return $slower || !$count ? 1 : 0;
}

# ---------------------------------------------------------------------------

my ($mode, @arguments) = @ARGV;
my %modes = (
	'make-bits' => sub { make_bits(@_); return 0; },
	'make-speed' => sub { make_speed(@_); return 0; },
	differences => \&differences,
	statements => \&run_statements,
	ratios => \&ratios);

die "usage: see the head of $0\n" unless $mode && $modes{$mode};
exit $modes{$mode}->(@arguments);
