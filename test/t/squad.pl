#-------------------------------------------------------------------------
#
# squad.pl
#		200 questions of SQuAD: answers and their scores, exact match and F1, as
#		Hugging Face has them; all in one statement, alike in any form, with
#		memory that does not grow.
#
# test/bench/squad.pl does the same with all 10,570 questions.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use File::Temp ();
use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $lines = `gzip -dc '$FindBin::RealBin/../golden/squad/sample.jsonl.gz'`;
is($? >> 8, 0, 'expected values are there');

my $work = File::Temp->newdir('mobilebert.XXXXXX', TMPDIR => 1);
my $node = new_server('squad');
my $path = golden('tok-no-cjk');
my $options = q{doc_stride => 20, max_seq_len => 128};

value($node, "SELECT mobilebert.import_model('qa', '$path')");
write_file("$work/lines", $lines);
write_file("$work/script", <<"END");
\\set ON_ERROR_STOP 1
SET client_min_messages = error;
\\i $FindBin::RealBin/../golden/squad/metrics.sql
CREATE TEMP TABLE line (c jsonb);
\\copy line FROM '$work/lines' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
CREATE TEMP TABLE answered AS
SELECT c, a.*, ARRAY(SELECT jsonb_array_elements_text(c -> 'answers')) AS gold
FROM line LEFT JOIN LATERAL mobilebert.answer(c ->> 'question', c ->> 'context', 'qa', $options) AS a ON true;
SELECT count(*) FROM answered;
SELECT count(*) FROM answered
WHERE (answer, start_offset, end_offset) = (c ->> 'answer', (c ->> 'start')::int, (c ->> 'end')::int);
SELECT max(abs(score - (c ->> 'score')::float8)) FROM answered;
SELECT count(*) FROM answered
WHERE answer = mobilebert.best_answer(c ->> 'question', c ->> 'context', 'qa', $options);
SELECT count(*) FROM answered
WHERE pg_temp.squad_exact(answer, gold) = (c ->> 'exact')::int
	AND pg_temp.squad_exact(c ->> 'other', gold) = (c ->> 'other_exact')::int;
SELECT max(greatest(abs(pg_temp.squad_f1(answer, gold) - (c ->> 'f1')::float8),
	abs(pg_temp.squad_f1(c ->> 'other', gold) - (c ->> 'other_f1')::float8))) FROM answered;
SELECT round(sum(pg_temp.squad_f1(answer, gold) + pg_temp.squad_f1(c ->> 'other', gold))) FROM answered;
END
SKIP:
{
	skip 'this server has no ICU, by which metrics.sql lower-cases', 8
	  if value($node, q{SELECT count(*) FROM pg_collation
			WHERE collname = 'und-x-icu'}) == 0;
	my @values = split /\n/,
	  `psql -X -q -A -t -d '${\$node->connstr('postgres')}' -f '$work/script'`;
	is($? >> 8, 0, 'the statements run');

	is($values[0], 200, '200 questions');
	is($values[1], 200, 'answers and offsets as Hugging Face has them');
	cmp_ok($values[2], '<', 2e-6, 'and scores');
	is($values[3], 200, 'best_answer is the first of answer');
	is($values[4], 200, 'exact match as Hugging Face has it');
	cmp_ok($values[5], '<', 1e-9, 'and F1');
	cmp_ok($values[6], '>', 50, 'which is not always 0');
	diag("largest difference of a score to Hugging Face's float32: $values[2]");
}

# One question to all contexts, 20 times over: memory is that of one time.
sub status
{
	my ($pid, $line) = @_;

	return file_content("/proc/$pid/status") =~ /^$line:\s+(\d+) kB/m
	  ? $1 / 1024 : 0;
}

SKIP:
{
	skip 'this system has no /proc/PID/status', 3
	  unless -r '/proc/self/status';
	my $session = session($node);
	my $pid = ask($session, 'SELECT pg_backend_pid()');
	my $best = q{SELECT count(*) FROM unnest((
		SELECT mobilebert.best_answers('who won the game ?', c ->> 'context',
			n || ' ' || (c ->> 'id'), 'qa', 5)
		FROM line, generate_series(1, %d) AS n))};

	value($node, 'CREATE TABLE line (c jsonb)');
	system('psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c',
		"\\copy line FROM '$work/lines' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')");
	is(ask($session, sprintf($best, 1)), 5, 'the best of 200 contexts');
	my ($peak, $after) = map { status($pid, $_) } qw(VmHWM RssAnon);
	ask($session, sprintf($best, 10));
	my ($peak_more, $after_more) = map { status($pid, $_) } qw(VmHWM RssAnon);

	cmp_ok($after_more - $after, '<', 2, 'ten times the rows leave no more memory in use');
	cmp_ok($peak_more - $peak, '<', 2, 'nor do they need more');
	diag(sprintf '200 rows: %.1f MB at most, %.1f MB of its own afterwards; 2,000 rows: %.1f and %.1f MB',
		$peak, $after, $peak_more, $after_more);
}
unharmed($node);
done_testing();
