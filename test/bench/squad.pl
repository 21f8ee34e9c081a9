#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# squad.pl
#		All questions of SQuAD v1.1's development set in one SQL statement.
#
#	perl test/bench/squad.pl DATA MODEL [OPTION => VALUE, ...]
#	perl test/bench/squad.pl --decode DATA
#
# DATA is a folder with MLPerf Mobile's squad_eval.tfrecord (token windows) and
# squad_groundtruth.tfrecord (contexts and gold answers).  MODEL is a registered
# model with a question-answering head; further arguments are options of
# mobilebert.best_answer as they stand in SQL, such as "doc_stride => 32".  The
# connection is taken from PGHOST and the like; the server has to run on this
# machine, since the memory of its process is read from /proc.
#
# Prints how long the statement took, the backend's memory while it ran (its
# own: what is mapped is shared), and exact match and F1 (test/golden/squad/metrics.sql).
#
# --decode prints the questions instead, a JSON object a line: id, question,
# context, answers.  The original text of the questions is not in the data, so
# they are the lower-case word pieces joined.
#
# A file is one zlib stream of records: length (8 bytes, little end first), a
# checksum of it (4), a tf.train.Example (protocol buffers), a checksum (4).
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use Compress::Zlib qw(uncompress);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP;
use List::Util qw(max);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->canonical;
my $usage = "usage: squad.pl [--decode] DATA [MODEL [OPTION ...]]\n";

# ---------------------------------------------------------------------------
# The data
# ---------------------------------------------------------------------------

# A number of the protocol at *$at.
sub varint
{
	my ($bytes, $at) = @_;
	my ($value, $shift) = (0, 0);

	while (1)
	{
		my $byte = ord substr($$bytes, $$at++, 1);

		$value |= ($byte & 127) << $shift;
		return $value if $byte < 128;
		$shift += 7;
	}
}

# The fields of a message that have a length, as [number, bytes].
sub fields
{
	my ($bytes) = @_;
	my $at = 0;
	my @fields;

	while ($at < length $bytes)
	{
		my $key = varint(\$bytes, \$at);
		my $length = varint(\$bytes, \$at);

		die "field of type ${\($key & 7)} in a record\n" if ($key & 7) != 2;
		push @fields, [ $key >> 3, substr($bytes, $at, $length) ];
		$at += $length;
	}
	return @fields;
}

# The lists of bytes of an Example, by name: Example.features.feature is a map
# of name to Feature, whose field 1 is a bytes_list.
sub strings
{
	my ($record) = @_;
	my %strings;

	foreach my $entry (map { fields($_->[1]) } fields($record))
	{
		my %pair = map { @$_ } fields($entry->[1]);

		foreach my $list (grep { $_->[0] == 1 } fields($pair{2}))
		{
			$strings{ $pair{1} } = [ map { utf8::decode($_->[1]); $_->[1] }
				  fields($list->[1]) ];
		}
	}
	return \%strings;
}

sub records
{
	my ($path) = @_;

	open my $fh, '<:raw', $path or die "could not open $path: $!\n";
	local $/;
	my $bytes = uncompress(scalar <$fh>) // die "$path is not a zlib stream\n";
	my @records;

	for (my $at = 0; $at < length $bytes;)
	{
		my $length = unpack 'Q<', substr($bytes, $at, 8);

		push @records, strings(substr($bytes, $at + 12, $length));
		$at += $length + 16;
	}
	return @records;
}

# The pieces between [CLS] and the first [SEP].
sub question_of
{
	my @pieces = @_;
	my $question = '';

	shift @pieces;
	foreach my $piece (@pieces)
	{
		last if $piece eq '[SEP]';
		$question .= $piece =~ /^##(.+)/ ? $1
		  : $question eq '' ? $piece : " $piece";
	}
	return $question;
}

sub questions
{
	my ($data) = @_;
	my (%question, @questions);

	foreach my $window (records("$data/squad_eval.tfrecord"))
	{
		$question{ $window->{qas_id}[0] } //= question_of(@{ $window->{tokens} });
	}
	foreach my $truth (records("$data/squad_groundtruth.tfrecord"))
	{
		my $id = $truth->{qas_id}[0];

		push @questions,
		  { id => $id, question => $question{$id} // die("no question $id\n"),
			context => join(' ', @{ $truth->{words} }),
			answers => $truth->{answers} };
	}
	return @questions;
}

# ---------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------

# Private memory of a process in MB; undef when it is gone.
sub memory
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/status" or return undef;
	return join('', <$fh>) =~ /^RssAnon:\s+(\d+) kB/m ? $1 / 1024 : undef;
}

# Run a psql script; returns the memory of its backend, about ten times a second
# while the statement ran: from when it wrote its process id until "done".
sub watch
{
	my ($script, $place) = @_;
	my $child = fork // die "could not fork: $!\n";
	my @memory;

	if ($child == 0)
	{
		exec 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $script;
		die "could not run psql: $!\n";
	}
	while (waitpid($child, WNOHANG) == 0)
	{
		sleep 0.1;
		next if -e "$place/done" || !-s "$place/pid";
		open my $fh, '<', "$place/pid" or next;
		my ($pid) = join('', <$fh>) =~ /(\d+)/;
		my $now = memory($pid // 0);

		push @memory, $now if $now;
	}
	die "psql failed\n" if $? != 0;
	return @memory;
}

my $decode = @ARGV && $ARGV[0] eq '--decode' && shift;
my $data = shift // die $usage;
binmode STDOUT, ':utf8';
if ($decode)
{
	print map { $json->encode($_) . "\n" } questions($data);
	exit 0;
}

my $model = shift // die $usage;
my $options = join '', map { ", $_" } @ARGV;
my $functions = dirname(__FILE__) . '/../golden/squad/metrics.sql';
my $place = tempdir(CLEANUP => 1);

open my $lines, '>:utf8', "$place/questions" or die "could not write: $!\n";
print $lines map { $json->encode($_) . "\n" } questions($data);
close $lines;
open my $script, '>:utf8', "$place/script" or die "could not write: $!\n";
print $script <<"END";
\\i $functions
\\pset footer off
CREATE TEMP TABLE line (content jsonb);
\\copy line FROM '$place/questions' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
CREATE TEMP TABLE question AS
SELECT content ->> 'id' AS id, content ->> 'question' AS question, content ->> 'context' AS context,
	ARRAY(SELECT jsonb_array_elements_text(content -> 'answers')) AS gold
FROM line;
SELECT mobilebert.prewarm('$model') > 0 AS ready;
SELECT clock_timestamp() AS began \\gset
\\o $place/pid
SELECT pg_backend_pid();
\\o
CREATE TEMP TABLE prediction AS
SELECT id, gold, mobilebert.best_answer(question, context, '$model'$options) AS answer
FROM question;
\\! touch $place/done
SELECT count(*) AS questions, count(answer) AS answers,
	round(extract(epoch FROM clock_timestamp() - :'began'::timestamptz), 1) AS seconds
FROM prediction;
SELECT round(100 * avg(pg_temp.squad_exact(answer, gold)), 3) AS exact_match,
	round(100 * avg(pg_temp.squad_f1(answer, gold))::numeric, 3) AS f1
FROM prediction;
END
close $script;

my @memory = watch("$place/script", $place);
my $part = int(@memory / 4) || 1;

printf "memory of the backend, MB: at most %.1f in the first quarter of the time, %.1f in the last, %.1f ever\n",
  max(@memory[0 .. $part - 1]), max(@memory[-$part .. -1]), max(@memory)
  if @memory;
