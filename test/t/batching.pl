#-------------------------------------------------------------------------
#
# batching.pl
#		Batching over rows where it takes several sessions or processes, much
#		memory, or time: first statements, workers, limits, errors, concurrent
#		updates, cancels, long texts.  sql/batching.sql has the rest.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = new_server('batching', conf => <<'EOF');
max_worker_processes = 8
max_parallel_workers = 8
max_prepared_transactions = 5
EOF
my $tiny = golden('one-layer-one-head');

value(
	$node, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.set_default_model('embed', 'tiny');
	ALTER DATABASE postgres SET mobilebert.cache_size = 0;
	ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
	CREATE TABLE texts (id int PRIMARY KEY, body text, v real[]);
	INSERT INTO texts SELECT g, 'text number ' || g || repeat(' and more', g % 7)
	FROM generate_series(1, 2000) g;
	CREATE TABLE alone (id int, v real[]);
	VACUUM ANALYZE texts;
	SET mobilebert.enable_batching = off;
	INSERT INTO alone SELECT id, mobilebert.embed(body) FROM texts});

# The md5 of all vectors that a query gives as (id, v).
sub digest
{
	my ($query) = @_;

	return "SELECT md5(string_agg(id || v::text, ' ' ORDER BY id)) FROM ($query) AS q";
}

# A figure of the batch node, from the lines of EXPLAIN ANALYZE.
sub figure
{
	my ($lines, $name) = @_;
	my ($value) = $lines =~ /^\s*$name: ([\d.]+)/m;

	return $value;
}

my $analyze = 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)';
my $all = 'SELECT id, mobilebert.embed(body) AS v FROM texts';
my $expected = value($node, digest('TABLE alone'));

# --------------------------------------------------------------------------
# The first statement of a session, with nothing loaded
# --------------------------------------------------------------------------

for my $statement (
	$all,
	"SELECT count(mobilebert.embed(body)) FROM texts",
	"UPDATE texts SET v = mobilebert.embed(body)",
	"INSERT INTO alone $all",
	"CREATE TABLE made AS $all",
	value($node, 'SHOW server_version_num') < 150000 ? ()
	: "MERGE INTO alone USING texts ON texts.id = alone.id WHEN MATCHED THEN UPDATE SET v = mobilebert.embed(body)",
	"SELECT id FROM texts WHERE mobilebert.similarity(body, 'text') > 0.5")
{
	like(value($node, "EXPLAIN $statement"),
		qr/MobilebertBatch/, "first of a session: $statement");
}
is(value($node, digest($all)), $expected, 'its result');

my $session = session($node);
ask($session, "PREPARE p AS $all");
my $first = ask($session, 'EXPLAIN EXECUTE p');
my $second = ask($session, 'EXPLAIN EXECUTE p');
like($first, qr/MobilebertBatch/, 'prepared before the library was loaded');
like($second, qr/MobilebertBatch/, 'and again');
$session->quit;

# a plan that a function's cursor reads is batched from the second time on
$session = session($node);
ask($session, q{CREATE FUNCTION passes() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r record;
		n int := 0;
	BEGIN
		FOR r IN SELECT mobilebert.embed(body) AS v FROM texts LOOP
			n := n + 1;
		END LOOP;
		RETURN n;
	END $$});
is(ask($session, 'SELECT passes()'), 2000, 'a loop in the first statement');
is(ask($session, 'SELECT passes()'), 2000, 'and in the second');
$session->quit;

# --------------------------------------------------------------------------
# Workers
# --------------------------------------------------------------------------

my $tokens = figure(value($node, "$analyze $all"), 'Tokens');
for my $processes ([ 0, 'on' ], [ 1, 'on' ], [ 2, 'on' ], [ 2, 'off' ])
{
	my ($workers, $leader) = @$processes;
	my $settings = qq{
		SET max_parallel_workers_per_gather = $workers;
		SET parallel_setup_cost = 0;
		SET parallel_tuple_cost = 0;
		SET parallel_leader_participation = $leader;};
	my $lines = value($node, "$settings $analyze $all");

	is(value($node, $settings . digest($all)),
		$expected, "$workers workers, leader $leader: the same bits");
	is(figure($lines, 'Tokens'), $tokens, 'all tokens are accounted for');
	is(figure($lines, 'Workers Launched') // 0, $workers, 'the workers ran');
	is(value($node, "$settings SELECT count(mobilebert.embed(body)) FROM texts"),
		2000, 'an aggregate over the calls');
}

# costs choose workers for a small table, unless the table says otherwise
my $choose = 'SET max_parallel_workers_per_gather = 2; EXPLAIN';
value($node, q{SELECT mobilebert.import_model('minilm')});
my $work = q{SELECT id, mobilebert.embed(body, 'minilm') FROM texts};
like(value($node, "$choose $work"), qr/Workers Planned: 2/, 'workers by cost');
unlike(value($node, "$choose $work WHERE id < 5"),
	qr/Workers/, 'none for a few rows');
unlike(value($node, "$choose SELECT id, body FROM texts"),
	qr/Workers/, 'none without calls');
value($node, 'ALTER TABLE texts SET (parallel_workers = 0)');
unlike(value($node, "$choose $work"), qr/Workers/, 'none where the table says so');
value($node, 'ALTER TABLE texts RESET (parallel_workers)');

# an error in a worker
my ($status, $out, $error) = $node->psql('postgres', q{
	SET max_parallel_workers_per_gather = 2;
	SET parallel_setup_cost = 0;
	SELECT mobilebert.embed(repeat(body, id), 'tiny', overflow => 'error') FROM texts});
like($error, qr/text is too long for model "tiny"/, 'an error in a worker');

# --------------------------------------------------------------------------
# A limit over a million rows
# --------------------------------------------------------------------------

value($node, q{
	CREATE TABLE million AS SELECT g AS id, 'row ' || g AS body
	FROM generate_series(1, 1000000) g;
	ANALYZE million});
for my $query (
	'SELECT mobilebert.embed(body) FROM million LIMIT 10',
	"SELECT id FROM million WHERE mobilebert.similarity(body, 'x') > -2 LIMIT 10",
	"SELECT * FROM (SELECT id, mobilebert.embed(body) FROM million OFFSET 0) AS s WHERE id > 0 LIMIT 10",
	'SELECT mobilebert.embed(body) FROM (SELECT * FROM million UNION ALL SELECT * FROM million) AS s LIMIT 10')
{
	for my $workers (0, 2)
	{
		my $lines = value($node,
			"SET max_parallel_workers_per_gather = $workers; $analyze $query");
		# each text has at least 4 tokens and at most 10
		my $sum = 0;

		$sum += $1 while $lines =~ /Tokens: (\d+)/g;
		cmp_ok($sum, '>=', 40, "$workers workers: $query");
		cmp_ok($sum, '<=', 20 * 10, 'at most 20 rows computed') or diag($lines);
	}
}
$session = session($node);
ask($session, 'BEGIN');
ask($session, 'DECLARE c NO SCROLL CURSOR FOR SELECT mobilebert.embed(body) FROM million');
my $start = time;
ask($session, 'FETCH 10 FROM c');
cmp_ok(time - $start, '<', 5, 'a cursor does not read all');
$session->quit;

# --------------------------------------------------------------------------
# Errors
# --------------------------------------------------------------------------

value($node, q{
	CREATE TABLE ten AS SELECT g AS id,
		CASE WHEN g IN (7001, 9000) THEN repeat('word ', g / 10) ELSE 'text ' || g END AS body
	FROM generate_series(1, 10000) g});
my %results;
for my $batching ('on', 'off')
{
	my ($status, $out, $error) = $node->psql('postgres', qq{
		\\set VERBOSITY verbose
		SET mobilebert.enable_batching = $batching;
		COPY (SELECT id, cardinality(mobilebert.embed(body, 'tiny', overflow => 'error'))
			FROM ten) TO STDOUT});

	$error =~ s/^psql:[^ ]* //mg;
	$results{$batching} = $error;
	is(scalar(split /\n/, $out), 7000, "batching $batching: 7000 rows, then the error");
}
like($results{on}, qr/ERROR:  54000: text is too long.*has 2802 tokens/s, 'its own error');
is($results{on}, $results{off}, 'the same message');
for my $batching ('on', 'off')
{
	is( value(
			$node, qq{
		SET mobilebert.enable_batching = $batching;
		CREATE TEMP TABLE said (batching text);
		DO \$\$BEGIN
			FOR i IN 1 .. 3 LOOP
				BEGIN
					PERFORM mobilebert.embed(body, 'tiny', overflow => 'error') FROM ten WHERE id > 6990;
				EXCEPTION WHEN program_limit_exceeded THEN
					INSERT INTO said VALUES (SQLERRM);
				END;
			END LOOP;
		END\$\$;
		SELECT count(*) FROM said}), 3, "batching $batching: caught, and on it goes");
}
is( value(
		$node, q{
	BEGIN;
	DECLARE c CURSOR FOR SELECT id, mobilebert.embed(body, 'tiny', overflow => 'error') FROM ten WHERE id > 6990;
	SAVEPOINT s;
	MOVE 5 FROM c;
	ROLLBACK TO s;
	MOVE 5 FROM c;
	CLOSE c;
	INSERT INTO texts VALUES (0, 'in the same transaction');
	DELETE FROM texts WHERE id = 0;
	COMMIT;
	SELECT count(*) FROM texts}),
	2000, 'an error that nobody asks for is not raised');
value($node, q{BEGIN; UPDATE texts SET v = mobilebert.embed(body) WHERE id < 100; PREPARE TRANSACTION 'x'});
value($node, q{COMMIT PREPARED 'x'});
is(value($node, 'SELECT count(v) FROM texts'), 99, 'a prepared transaction');

# --------------------------------------------------------------------------
# Concurrent updates
# --------------------------------------------------------------------------

my $other = session($node);
my $waiter = session($node);
for my $statement (
	'UPDATE texts SET v = mobilebert.embed(body) WHERE id <= 50',
	'UPDATE texts SET v = mobilebert.embed(t.body) FROM texts t WHERE t.id = texts.id AND texts.id <= 50')
{
	value($node, 'UPDATE texts SET v = NULL WHERE id <= 50');
	ask($other, 'BEGIN');
	ask($other, "UPDATE texts SET body = 'changed meanwhile ' || id || clock_timestamp() WHERE id IN (5, 20)");
	$waiter->{stdin} .= "$statement;\n\\echo done\n";
	$waiter->{run}->pump_nb;
	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
	ask($other, 'COMMIT');
	$waiter->{run}->pump until $waiter->{stdout} =~ /done\n/;
	$waiter->{stdout} = '';
	# in the second form the other side of the join keeps its version
	my $changed = $statement =~ /FROM/ ? 48 : 50;
	is( value(
			$node, q{SELECT count(*) FROM texts
		WHERE id <= 50 AND v = mobilebert.embed(body)}),
		$changed, "of rows changed meanwhile the new version: $statement");
}
ask($other, 'BEGIN');
ask($other, "UPDATE texts SET body = 'for the second time' WHERE id = 7");
$waiter->{stdin} .= q{SELECT count(*) FROM (SELECT body, mobilebert.embed(body) AS v
	FROM texts WHERE id BETWEEN 1 AND 30 FOR UPDATE) AS s WHERE v = mobilebert.embed(body)
	AND 1 = (SELECT count(*) FROM texts WHERE id = 1);} . "\n\\echo done\n";
$waiter->{run}->pump_nb;
$node->poll_query_until('postgres',
	"SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
ask($other, 'COMMIT');
$waiter->{run}->pump until $waiter->{stdout} =~ /done\n/;
like($waiter->{stdout}, qr/^30$/m, 'row locks: text and vector of one version');
$_->quit for $other, $waiter;

# --------------------------------------------------------------------------
# Memory
# --------------------------------------------------------------------------

SKIP:
{
	skip 'this system has no /proc/PID/status', 2 unless -r '/proc/self/status';
	value($node, q{
		CREATE TABLE long AS SELECT g AS id, repeat(g || ' short words in a very long text ', 30000) AS body
		FROM generate_series(1, 40) g});
	my $reader = session($node);
	my $pid = ask($reader, 'SELECT pg_backend_pid()');
	my $peak = sub {
		my ($kilobytes) = file_content("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;
		return $kilobytes / 1024;
	};

	ask($reader, 'SET client_min_messages = error');
	ask($reader, 'SET mobilebert.enable_batching = off');
	ask($reader, 'SELECT count(mobilebert.embed(body)) FROM long WHERE id <= 20');
	my $before = $peak->();
	ask($reader, 'SET mobilebert.enable_batching = on');
	is(ask($reader, 'SELECT count(mobilebert.embed(body)) FROM long'),
		40, 'texts of a megabyte');
	my $more = $peak->() - $before;
	# work_mem is 4 MB; a text, in the forms it takes on its way, some 20 MB
	cmp_ok($more, '<', 40, 'they do not pile up');
	diag(sprintf('40 texts of 1 MB, batched: %.1f MB more than one by one', $more));
	$reader->quit;
}

# --------------------------------------------------------------------------
# A hidden column by which an index sorts
# --------------------------------------------------------------------------

my $near = q{mobilebert.similarity(body, 'number', 'tiny')};
my $by_index = 'SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off';
value($node, "
	CREATE TABLE ranked AS SELECT id, body FROM texts WHERE id <= 60
		UNION ALL SELECT id + 100, body FROM texts WHERE id <= 20;
	CREATE INDEX ranked_near ON ranked ($near); ANALYZE ranked");

for my $case (
	[ 'LIMIT', "SELECT id FROM ranked ORDER BY $near LIMIT 5", 0 ],
	[ 'OFFSET', "SELECT id FROM ranked ORDER BY $near OFFSET 3", 0 ],
	[ 'no LIMIT', "SELECT body FROM ranked ORDER BY $near DESC", 0 ],
	[ 'a condition', "SELECT id FROM ranked WHERE $near > 0.1 ORDER BY $near LIMIT 5", 0 ],
	[ 'ties', "SELECT count(*) FROM (SELECT id FROM ranked ORDER BY $near FETCH FIRST 3 ROWS WITH TIES) q", 1 ],
	[ 'ties at the top', "SELECT body FROM ranked ORDER BY $near FETCH FIRST 3 ROWS WITH TIES", 1 ],
	[ 'a column that is shown', "SELECT id, $near FROM ranked ORDER BY $near, id LIMIT 5", 1 ],
	[ 'a second key', "SELECT id FROM ranked ORDER BY $near, id LIMIT 5", 1 ],
	[ 'row locks', "SELECT body FROM ranked ORDER BY $near LIMIT 4 FOR UPDATE", 1 ],
	[ 'DISTINCT ON', "SELECT DISTINCT ON ($near) body FROM ranked ORDER BY $near LIMIT 5", 1 ])
{
	my ($name, $query, $computed) = @$case;
	my $plan = value($node, "$by_index; LOAD 'mobilebert';
		EXPLAIN (VERBOSE, COSTS OFF) $query");

	like($plan, qr/Index Scan (Backward )?using ranked_near/, "hidden column, $name: by the index");
	is($plan =~ /Output: .*similarity/ ? 1 : 0, $computed,
		$computed ? 'it is computed' : 'it is not computed');
	is( value($node, "$by_index; $query"),
		value($node, "$by_index; SET mobilebert.enable_batching = off; $query"),
		'same rows');
}
is( value($node, "$by_index; PREPARE p(int) AS SELECT id FROM ranked ORDER BY $near LIMIT \$1;
	BEGIN; DECLARE c CURSOR FOR SELECT id FROM ranked ORDER BY $near; FETCH 3 FROM c;
	EXECUTE p(3); CREATE TABLE taken AS SELECT id FROM ranked ORDER BY $near LIMIT 3; TABLE taken"),
	value($node, "SELECT id FROM generate_series(1, 3),
		LATERAL (SELECT id FROM ranked ORDER BY $near, ctid LIMIT 3) q"),
	'a cursor, a prepared statement, and a table of it');

# --------------------------------------------------------------------------
# Cancel
# --------------------------------------------------------------------------

my $place = PostgreSQL::Test::Utils::tempdir();
my $deep = build_model("$place/deep", vocabulary => words(4000));
value($node, qq{
	SELECT mobilebert.import_model('deep', '$deep');
	SELECT mobilebert.prewarm('deep')});
my $boss = session($node);
my $worker = session($node);
my $pid = ask($worker, 'SELECT pg_backend_pid()');
my @took;
for my $after (0.3, 0.35, 0.4, 0.45, 0.5, 0.55)
{
	$worker->{stdin} .=
	  "SELECT count(mobilebert.embed(body, 'deep')) FROM texts;\n\\echo answer\n";
	$worker->{run}->pump_nb;
	sleep($after);
	my $start = time;
	ask($boss, "SELECT pg_cancel_backend($pid)");
	$worker->{run}->pump until $worker->{stdout} =~ /answer\n/;
	push @took, time - $start;
	ask($worker, '\warn');
	$worker->{stdout} = '';
}
my $hits = () = file_content($node->logfile) =~ /canceling statement due to user request/g;
is($hits, 6, 'batches are cancelled');
cmp_ok((sort { $b <=> $a } @took)[0], '<', 1, 'at once');
diag(sprintf('6 cancels, median %.0f ms', 1000 * median(@took)));
is(ask($worker, digest($all)), value($node, 'SET mobilebert.enable_batching = off; ' . digest($all)),
	'the session goes on');
$_->quit for $boss, $worker;
unharmed($node);

done_testing();
