#-------------------------------------------------------------------------
#
# enrich.pl
#		CALL mobilebert.enrich() in several sessions, under concurrent changes,
#		ended by cancel, SIGKILL and an immediate stop, and over foreign tables.
#
# How often a row was really computed, also in batches that were rolled back,
# is counted by a sequence in the expression, since nextval() is never undone.
# After a crash a sequence may be up to 32 ahead.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rows = 3000;
my $batch = 100;
my $node = new_server('enrich', conf => "restart_after_crash = on\n"
	  . "default_transaction_isolation = 'repeatable read'");
my $tiny = golden('one-layer-one-head');

value(
	$node, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	CREATE TABLE note (id int PRIMARY KEY, body text, v real[], n int,
		updates int NOT NULL DEFAULT 0);
	CREATE TABLE computed (id int);
	CREATE SEQUENCE calls;
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN NEW.updates := OLD.updates + 1; RETURN NEW; END';
	CREATE TRIGGER touch BEFORE UPDATE OF v ON note
		FOR EACH ROW EXECUTE FUNCTION touch();
	-- slow enough to be interrupted
	CREATE FUNCTION work(body text) RETURNS real[] LANGUAGE plpgsql AS
		\$\$ BEGIN PERFORM nextval('calls'), pg_sleep(0.0005);
		RETURN mobilebert.embed(body, 'tiny'); END \$\$});

sub fill
{
	value(
		$node, qq{
		TRUNCATE note;
		INSERT INTO note (id, body)
			SELECT g, 'text ' || g FROM generate_series(1, $rows) g;
		ALTER SEQUENCE calls RESTART});
	return;
}

my $call = "CALL mobilebert.enrich('note', 'v', 'work(body)', batch_rows => $batch)";

# Every row has its vector, was updated once, and the calls beyond one a row
# are at most so many.
sub complete
{
	my ($name, $beyond) = @_;

	is( value(
			$node, q{
		SELECT count(*), count(v), count(*) FILTER (WHERE updates <> 1),
			bool_and(v = mobilebert.embed(body, 'tiny')) FROM note}),
		"$rows|$rows|0|t",
		"$name: every row exactly once");
	my $calls = value($node, 'SELECT last_value FROM calls');
	cmp_ok($calls, '>=', $rows, 'each was computed');
	cmp_ok($calls, '<=', $rows + $beyond, 'hardly any twice');
	note("$name: $calls calls for $rows rows");
	return;
}

# Starts a statement without waiting for its end.
sub start
{
	my ($session, $sql) = @_;

	$session->{stdin} .= "$sql;\n\\echo finished\n";
	$session->{run}->pump_nb;
	return;
}

sub finish
{
	my ($session) = @_;

	$session->{run}->pump until $session->{stdout} =~ /finished\n/;
	$session->{stdout} = '';
	return;
}

# Rows done, as soon as there are so many.
sub wait_for
{
	my ($count) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(v) >= $count FROM note")
	  or die 'enrich does not go on';
	return;
}

# ---------------------------------------------------------------------------
# Several sessions, and what others see of them
# ---------------------------------------------------------------------------

my @sessions = map { session($node) } 1 .. 3;

fill();
start($_, $call) for @sessions;
wait_for($rows / 5);
my $seen = value(
	$node, q{
	SELECT count(*), bool_and(rows_total <= } . $rows . q{ AND rows_done <= rows_total),
		bool_and(relation = 'note'::regclass AND target = 'v'),
		bool_and(started_at <= now() AND database = current_database()
			AND role = current_user AND pid <> pg_backend_pid())
	FROM mobilebert.enrichment_progress});
is($seen, '3|t|t|t', 'three calls are seen');
value($node, 'CREATE ROLE stranger');
is( value(
		$node,
		'SET ROLE stranger; SELECT count(*) FROM mobilebert.enrichment_progress'
	),
	'0',
	'but not by a stranger');
finish($_) for @sessions;
complete('three sessions', 0);
is(value($node, 'SELECT count(*) FROM mobilebert.enrichment_progress'),
	'0', 'nothing is under way');
is(value($node, 'SELECT count(DISTINCT xmin::text) > 20 FROM note'),
	't', 'in many transactions');

# ---------------------------------------------------------------------------
# What ends a call
# ---------------------------------------------------------------------------

my $pid = ask($sessions[0], 'SELECT pg_backend_pid()');

fill();
for my $n (1 .. 3)
{
	start($sessions[0], $call);
	wait_for($rows * $n / 5);
	value($node, "SELECT pg_cancel_backend($pid)");
	finish($sessions[0]);
}
is(value($node, 'SELECT count(*) FROM mobilebert.enrichment_progress'),
	'0', 'a cancelled call is not under way');
$node->safe_psql('postgres', $call);
complete('cancelled three times', 3 * $batch);

fill();
start($sessions[0], $call);
start($sessions[1], $call);
wait_for($rows / 5);
value($node, "SELECT pg_terminate_backend($pid, 10000)");
finish($sessions[1]);
$node->safe_psql('postgres', $call);
complete('one of two terminated', $batch);

fill();
start($sessions[1], $call);
start($sessions[2], $call);
wait_for($rows / 4);
$pid = value($node, 'SELECT min(pid) FROM mobilebert.enrichment_progress');
kill 'KILL', $pid;
ok( $node->poll_query_until('postgres',
		'SELECT NOT EXISTS (SELECT FROM mobilebert.enrichment_progress)'),
	'the server comes back after a SIGKILL');
$node->safe_psql('postgres', $call);
complete('SIGKILL to one of two', 2 * $batch + 32);

fill();
@sessions = map { session($node) } 1 .. 3;
start($_, $call) for @sessions;
wait_for($rows / 4);
$node->stop('immediate');
$node->start;
is(value($node, 'SELECT count(v) < count(*) AND count(v) > 0 FROM note'),
	't', 'an immediate stop in the middle');
$node->safe_psql('postgres', $call);
complete('immediate stop', 3 * $batch + 32);

# ---------------------------------------------------------------------------
# Concurrent changes of the table
# ---------------------------------------------------------------------------

@sessions = map { session($node) } 1 .. 4;
fill();
value($node, 'UPDATE note SET n = 0');
start($sessions[0], $call);
start($sessions[1], $call);
# updates that move rows, deletes, inserts, and rows held for a while
start(
	$sessions[2], q{
	DO $$ BEGIN FOR i IN 1 .. 400 LOOP
		UPDATE note SET n = n + 1 WHERE id % 100 = i % 100;
		COMMIT;
	END LOOP; END $$});
start(
	$sessions[3], qq{
	DO \$\$ BEGIN FOR i IN 1 .. 100 LOOP
		DELETE FROM note WHERE id = i * 10;
		INSERT INTO note (id, body, n) VALUES ($rows + i, 'new ' || i, 0);
		PERFORM FROM note WHERE id BETWEEN i * 20 AND i * 20 + 10 FOR UPDATE;
		PERFORM pg_sleep(0.01);
		COMMIT;
	END LOOP; END \$\$});
finish($_) for @sessions;
# what was inserted or held in the last moment is left to the next call
$node->safe_psql('postgres', $call);
is( value(
		$node, q{
	SELECT count(*), count(v), count(*) FILTER (WHERE updates <> 1),
		bool_and(v = mobilebert.embed(body, 'tiny')) FROM note}),
	"$rows|$rows|0|t",
	'concurrent updates, deletes, inserts and locks');

# rows held all the time are skipped, and others are not
fill();
ask($sessions[0], 'BEGIN; SELECT count(*) FROM (SELECT FROM note WHERE id % 10 = 0 FOR UPDATE) t');
my ($status, $out, $error) = $node->psql('postgres', $call);
like($error, qr/0 failed, 300 left to other sessions/, 'held rows are counted');
like($out, qr/^\d+\|0\|0\|300\|[\d.]+\|[\d.]+$/, 'and come back in the row');
is(value($node, 'SELECT count(*), min(id % 10) FROM note WHERE v IS NULL'),
	'300|0', 'and skipped');
ask($sessions[0], 'COMMIT');
# a foreign key check does not count as holding
value($node, 'CREATE TABLE remark (note_id int REFERENCES note)');
ask($sessions[0], 'BEGIN; INSERT INTO remark SELECT id FROM note WHERE v IS NULL');
$node->safe_psql('postgres', $call);
ask($sessions[0], 'ROLLBACK');
complete('held rows', 0);
value($node, 'DROP TABLE remark');

# a deadlock with a trigger's update is tried again
fill();
value(
	$node, q{
	CREATE TABLE counter (k int PRIMARY KEY, c int);
	INSERT INTO counter VALUES (1, 0), (2, 0);
	CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE counter SET c = c + 1 WHERE k = 1 + NEW.id / 50 % 2;
		RETURN NULL;
	END $$;
	CREATE TRIGGER count_up AFTER UPDATE OF v ON note
		FOR EACH ROW EXECUTE FUNCTION count_up();
	ALTER SYSTEM SET deadlock_timeout = '10ms';
	SELECT pg_reload_conf()});
start($_, $call) for @sessions;
finish($_) for @sessions;
$node->safe_psql('postgres', $call);
is( value($node, 'SELECT count(v), max(updates), (SELECT sum(c) FROM counter) FROM note'),
	"$rows|1|$rows", 'sessions that fight for other rows');
value($node, 'DROP TRIGGER count_up ON note');

# the pace
fill();
my $begin = time;
($status, $out, $error) = $node->psql('postgres',
	"CALL mobilebert.enrich('note', 'n', 'id', max_rows => 100, rows_per_second => 9)");
cmp_ok(time - $begin, '>=', 10.5, 'rows_per_second');
is(value($node, 'SELECT count(n) FROM note'), '100', 'max_rows');
like($error, qr/enriched \d+ of 100 rows of "note", \d+ rows a second, \d+ s left/,
	'a NOTICE on the way');
like($error, qr/enriched 100 rows of "note" in 1\d s, 9 rows a second; 0 stay NULL/,
	'and one at the end');

# ---------------------------------------------------------------------------
# Foreign tables, and partitions that are foreign tables
# ---------------------------------------------------------------------------

SKIP:
{
	skip 'postgres_fdw is not installed', 3
	  unless value($node,
		"SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'");
	my $host = $node->host;
	my $port = $node->port;

	fill();
	value(
		$node, qq{
		CREATE EXTENSION postgres_fdw;
		CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '$host', port '$port', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER there;
		CREATE FOREIGN TABLE far (id int, body text, v real[])
			SERVER there OPTIONS (table_name 'note');
		CREATE TABLE mixed (id int, body text, v real[], n int,
			updates int NOT NULL DEFAULT 0) PARTITION BY RANGE (id);
		CREATE TABLE mixed_here PARTITION OF mixed
			FOR VALUES FROM ($rows + 1) TO (2 * $rows);
		CREATE FOREIGN TABLE mixed_there PARTITION OF mixed
			FOR VALUES FROM (0) TO ($rows + 1)
			SERVER there OPTIONS (table_name 'note');
		INSERT INTO mixed (id, body) SELECT $rows + g, 'more ' || g
			FROM generate_series(1, 200) g});
	value($node, "CALL mobilebert.enrich('far', 'v', 'public.work(body)', 'id <= 1000')");
	is( value($node, 'SELECT count(v), max(id) FROM note WHERE v IS NOT NULL'),
		'1000|1000', 'a foreign table');
	value($node, "CALL mobilebert.enrich('mixed', 'v', 'public.work(body)')");
	complete('a foreign partition', 200);
	is( value($node, 'SELECT count(*), count(v) FROM mixed_here'),
		'200|200', 'and one beside it');
}

unharmed_but_killed();
done_testing();

# The log tells of the one process that was killed, and of no other.
sub unharmed_but_killed
{
	my @ended = file_content($node->logfile) =~
	  /(.*\(PID \d+\) was terminated.*|.*PANIC:.*)/g;

	is(scalar(@ended), 1, 'no other process ended badly');
	return;
}
