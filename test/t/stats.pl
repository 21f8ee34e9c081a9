#-------------------------------------------------------------------------
#
# stats.pl
#		mobilebert.stat_models: what is counted when the library is preloaded,
#		also by several sessions and parallel workers at once, and what the view
#		says when it is not.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $tiny = golden('one-layer-one-head');
my $half = golden('store-f16');
my $node = new_server('stats');

fails_like($node, 'SELECT * FROM mobilebert.stat_models', '55000',
	'mobilebert is not preloaded.*HINT:  Add mobilebert to shared_preload_libraries',
	'without preloading');
fails_like($node, 'SELECT mobilebert.stat_reset()', '55000',
	'mobilebert is not preloaded', 'nor is there anything to reset');

$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'mobilebert'");
$node->restart;
is(value($node, 'SELECT count(*) FROM mobilebert.stat_models'), '0',
	'no model, no rows');
value(
	$node, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.import_model('half', '$half');
	CREATE TABLE texts AS SELECT g AS id, 'text ' || g AS body
		FROM generate_series(1, 500) g;
	ALTER TABLE texts SET (parallel_workers = 2)});

my $counters = q{SELECT calls, rows, tokens, passes > 0 AND passes <= rows,
	total_time > 0, cache_hits, truncations, errors
	FROM mobilebert.stat_models WHERE name = 'tiny'};
my $tokens = value($node, q{SELECT sum(mobilebert.count_tokens(body, 'tiny')) FROM texts});

value($node, q{SELECT count(mobilebert.embed(body, 'tiny')) FROM texts});
is(value($node, $counters), "500|500|$tokens|t|t|0|0|0", 'calls, rows, tokens');
is( value(
		$node,
		'SELECT count(*) FROM mobilebert.stat_models WHERE since <= now()'),
	'1', 'the other model was not used yet');

value($node, 'SELECT mobilebert.stat_reset()');
is(value($node, $counters), '0|0|0|f|f|0|0|0', 'reset');
value(
	$node, q{
	SET client_min_messages = error;
	SELECT count(mobilebert.embed(body || 'x', 'tiny')) FROM texts WHERE id <= 3;
	SELECT count(mobilebert.embed(body || 'x', 'tiny')) FROM texts WHERE id <= 5;
	SELECT count(mobilebert.embed(repeat(body || ' ', 100), 'tiny')) FROM texts WHERE id <= 2});
is( value($node, q{SELECT calls, rows, cache_hits, truncations, errors
		FROM mobilebert.stat_models WHERE name = 'tiny'}),
	'10|7|3|2|0', 'cache hits and truncations');
$node->psql('postgres',
	q{SELECT mobilebert.embed(repeat('x ', 1000), 'tiny', overflow => 'error')});
$node->psql('postgres',
	q{SET mobilebert.memory_limit = '64kB'; SELECT mobilebert.embed(repeat('x ', 100), 'tiny')});
is( value($node, q{SELECT errors FROM mobilebert.stat_models WHERE name = 'tiny'}),
	'2', 'texts that are refused');

# texts that come again run once, and have one vector
value($node, 'SELECT mobilebert.stat_reset()');
is( value(
		$node, q{
		SET mobilebert.cache_size = 0;
		SELECT count(*), count(DISTINCT v), count(DISTINCT (n % 700, v))
		FROM mobilebert.embed(ARRAY(SELECT 'again ' || g % 700
				FROM generate_series(0, 2099) g), 'tiny')
			WITH ORDINALITY AS u(v, n)}),
	'2100|700|700',
	'an array with each text three times');
is( value($node, q{SELECT calls, rows FROM mobilebert.stat_models WHERE name = 'tiny'}),
	'700|700', 'runs each of them once');

# labels of one's own run once a statement
value($node, 'SELECT mobilebert.stat_reset()');
value(
	$node, q{
	SET mobilebert.cache_size = 0; SET max_parallel_workers_per_gather = 0;
	SELECT count(mobilebert.best_label(body, '{some,few,labels}', 'tiny')) FROM texts WHERE id <= 100});
is( value($node, q{SELECT calls, rows FROM mobilebert.stat_models WHERE name = 'tiny'}),
	'103|103', 'labels of one\'s own run once for all rows');

# many at once, workers included: nothing is lost
value($node, 'SELECT mobilebert.stat_reset()');
my $script = $node->basedir . '/count.sql';
write_file($script, q{
	SELECT count(mobilebert.embed(body || random(), 'tiny')) FROM texts WHERE id <= 20;
	SELECT count(mobilebert.embed(body || random(), 'half')) FROM texts WHERE id <= 10;
});
$node->command_ok(
	[ 'pgbench', '-n', '-c', '4', '-t', '10', '-f', $script, 'postgres' ],
	'four clients');
is( value(
		$node,
		'SELECT name, calls, rows FROM mobilebert.stat_models ORDER BY name'),
	"half|400|400\ntiny|800|800",
	'are counted');
value($node, 'SELECT mobilebert.stat_reset()');
like(
	value(
		$node, q{
		SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
		SET min_parallel_table_scan_size = 0;
		EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF)
			SELECT count(mobilebert.embed(body || '!', 'tiny')) FROM texts}),
	qr/Workers Launched: [12]/, 'parallel workers');
is( value($node, q{SELECT calls, rows FROM mobilebert.stat_models WHERE name = 'tiny'}),
	'500|500', 'are counted');

# names and rights
value($node, q{SELECT mobilebert.rename_model('tiny', 'small');
	SELECT mobilebert.revoke_model('half', 'public'); CREATE ROLE stranger});
is(value($node, 'SELECT string_agg(name, $$,$$) FROM mobilebert.stat_models WHERE calls > 0'),
	'small', 'a renamed model keeps its counters');
is( value(
		$node,
		'SET ROLE stranger; SELECT string_agg(name, $$,$$) FROM mobilebert.stat_models'
	),
	'small', 'what one may not use is not shown');
fails_like($node, 'SET ROLE stranger; SELECT mobilebert.stat_reset()',
	'42501', 'permission denied', 'a reset needs a right');
value($node, q{SELECT mobilebert.drop_model('small')});
is(value($node, 'SELECT count(*) FROM mobilebert.stat_models WHERE name <> $$half$$'),
	'0', 'nor what was dropped');

# --------------------------------------------------------------------------
# 512 slots
# --------------------------------------------------------------------------

# Models that come, are used and go: the same name again and again.
my $turn = q{DO $$BEGIN FOR i IN 1 .. %d LOOP
	PERFORM mobilebert.create_variant('turn' || i, 'half', 'int8');
	PERFORM mobilebert.count_tokens('x', 'turn' || i);
	PERFORM mobilebert.drop_model('turn' || i);
	%s END LOOP; END$$};
my $last = q{SELECT name, calls FROM mobilebert.stat_models WHERE name = 'last'};
my $warned = qr/all 512 slots of mobilebert.stat_models are taken/;

# What psql says on both channels.
sub said
{
	my ($sql) = @_;
	my ($status, $out, $error) = $node->psql('postgres', $sql);

	return "$out$error";
}

value($node, sprintf($turn, 600, 'COMMIT;'));
value($node, q{SELECT mobilebert.create_variant('last', 'half', 'int8');
	SELECT length(mobilebert.embed('x', 'last')::text)});
is(said($last), 'last|1', 'after 600 models that went, a new one is counted');
value($node, sprintf($turn, 600, ''));
is(said($last), 'last|1', 'after 600 in one transaction the counts are there');
value($node, q{SELECT mobilebert.drop_model('last');
	SELECT mobilebert.create_variant('last', 'half', 'int8');
	SELECT length(mobilebert.embed('xx', 'last')::text)});
is(said($last), 'last|1', 'and a new model is counted');

# of a database that goes
value($node, 'CREATE DATABASE doomed');
value($node, "CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('half', '$half');
	SELECT mobilebert.create_variant('m' || i, 'half', 'int8'),
		mobilebert.count_tokens('x', 'm' || i) FROM generate_series(1, 1) i;
	DO 'BEGIN FOR i IN 2 .. 505 LOOP
		PERFORM mobilebert.create_variant(''m'' || i, ''half'', ''int8'');
		PERFORM mobilebert.count_tokens(''x'', ''m'' || i); END LOOP; END'", 'doomed');
unlike(said($last), $warned, 'nearly full');
my $more = q{DO $$BEGIN FOR i IN %d .. %d LOOP
	PERFORM mobilebert.create_variant('more' || i, 'half', 'int8');
	PERFORM mobilebert.count_tokens('x', 'more' || i); END LOOP; END$$};
value($node, sprintf($more, 1, 20));
like(said($last), qr/last\|1.*$warned/s, 'a full table says so');
like(file_content($node->logfile), qr/LOG:  $warned/, 'in the log, too');
value($node, 'DROP DATABASE doomed');
value($node, sprintf($more, 21, 22) .
	q{; SELECT length(mobilebert.embed('x', 'more22')::text)});
unlike(said($last), $warned, 'a dropped database gives its slots back');
is( value($node, q{SELECT calls FROM mobilebert.stat_models WHERE name = 'more22'}),
	1, 'and models are counted');

# a session that knew the slot as another's
my $old = session($node);
ask($old, q{SELECT length(mobilebert.embed('x', 'more22')::text)});
ask($old, q{BEGIN; DECLARE c CURSOR FOR SELECT mobilebert.embed('y' || g, 'more22')
	FROM generate_series(1, 1000) g; FETCH 10 FROM c});
value($node, q{SELECT mobilebert.drop_model('more22')});
value($node, q{SELECT mobilebert.count_tokens('x', 'half')});
value($node, sprintf($more, 30, 30));
ask($old, 'FETCH ALL FROM c');
is( value($node, q{SELECT calls FROM mobilebert.stat_models WHERE name = 'more30'}),
	0, 'what it does is not counted for the new model');
ask($old, 'ROLLBACK');

# a drop that is taken back
ask($old, q{BEGIN; SELECT mobilebert.drop_model('last');
	SELECT mobilebert.count_tokens('x', 'half'); ROLLBACK});
is(said($last), 'last|1', 'a drop that is rolled back loses no counts');
$old->quit;
unharmed($node);

done_testing();
