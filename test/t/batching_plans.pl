#-------------------------------------------------------------------------
#
# batching_plans.pl
#		Random queries, run without and with batching, at once and through a
#		cursor: the results must be the same, text for text.
#
# The seed is printed; MOBILEBERT_SEED=n repeats a run.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $queries = 200;
my $seed = $ENV{MOBILEBERT_SEED} || int(rand(1_000_000)) + 1;
my $node = new_server('batching_plans');
my $tiny = golden('one-layer-one-head');

srand($seed);
diag("seed $seed");

# T stands for a table.
my @expressions = (
	q{mobilebert.embed(T.body, 'tiny')},
	q{(mobilebert.embed(T.body || T.id, 'tiny'))[1]},
	q{mobilebert.similarity(T.body, T.other, 'tiny')},
	q{mobilebert.similarity(T.other, 'x', 'tiny') + T.id},
	q{CASE WHEN T.id > 5 THEN mobilebert.similarity(T.body, 'y', 'tiny') END},
	q{coalesce(mobilebert.similarity(T.body, 'z', 'tiny'), -1)},
	q{greatest(mobilebert.similarity(T.body, T.other, 'tiny'), 0.1)},
	q{row(T.id, mobilebert.similarity(T.body, 'q', 'tiny'))},
	q{mobilebert.embed(mobilebert.similarity(T.body, T.other, 'tiny')::text, 'tiny')},
	q{T.id}, q{T.other}, q{length(T.body)});
my @conditions = (
	q{mobilebert.similarity(T.body, T.other, 'tiny') > 0.3},
	q{NOT mobilebert.similarity(T.body, 'no', 'tiny') > 0.6},
	q{(mobilebert.similarity(T.other, 'w', 'tiny') > 0.7 OR T.id < 7)},
	q{mobilebert.embed(T.body, 'tiny') IS NOT NULL},
	q{EXISTS (SELECT FROM u AS s WHERE s.id > T.id
		AND mobilebert.similarity(s.body, T.other, 'tiny') > 0.5)},
	q{T.id % 3 = 1}, q{T.body IS NOT NULL});
my @joins = ('t JOIN u ON u.id = t.id + 1', 't LEFT JOIN u ON u.id = t.id * 2',
	't JOIN u ON u.id < t.id AND u.id < 4', 't JOIN p AS u USING (id)');
my @settings = ('', 'SET enable_hashjoin = off',
	'SET enable_hashjoin = off; SET enable_nestloop = off',
	'SET enable_hashagg = off', q{SET work_mem = '64kB'},
	'SET mobilebert.batch_tokens = 30',
	'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0');

sub pick
{
	return $_[ int(rand(@_)) ];
}

# Some of a list of patterns, for some of the tables.
sub some
{
	my ($most, $separator, $patterns, @tables) = @_;

	return join(
		$separator,
		map {
			my ($text, $table) = (pick(@$patterns), pick(@tables));
			$text =~ s/\bT\b/$table/g;
			$text
		} 1 .. 1 + int(rand($most)));
}

sub query
{
	my @tables = rand() < 0.5 ? ('t') : ('t', 'u');
	my $from = @tables == 1 ? pick('t', 'p AS t') : pick(@joins);
	my $where = rand() < 0.6 ? 'WHERE ' . some(3, ' AND ', \@conditions, @tables) : '';

	# sums of floats would depend on the order of rows
	return "SELECT t.id % 4 AS k, count(*), count(mobilebert.embed(t.body, 'tiny')),
		max(mobilebert.similarity(t.other, 'a', 'tiny')) FILTER (WHERE t.id > 3)
		FROM $from $where GROUP BY 1 ORDER BY 1"
	  if rand() < 0.2;
	my $order = pick('t.id', 't.id DESC',
		q{mobilebert.similarity(t.other, t.other, 'tiny'), t.id});
	my $limit = (rand() < 0.4 ? ' LIMIT ' . int(rand(30)) : '')
	  . (rand() < 0.3 ? ' OFFSET ' . int(rand(10)) : '');
	my $list = some(3, ', ', \@expressions, @tables);
	my $query = "SELECT $list FROM $from $where ORDER BY $order"
	  . (@tables == 2 ? ', u.id' : '') . $limit;

	return rand() < 0.3 ? "SELECT * FROM ($query) AS s" . pick('', ' LIMIT 7', ' OFFSET 0') : $query;
}

value(
	$node, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	ALTER DATABASE postgres SET mobilebert.cache_size = 0;
	CREATE TABLE t AS SELECT g AS id,
		CASE WHEN g % 7 > 0 THEN 'text ' || g % 20 || repeat(' more', g % 5) END AS body,
		'other ' || g % 6 AS other FROM generate_series(1, 60) g;
	CREATE TABLE u AS SELECT * FROM t WHERE id % 2 = 0;
	CREATE TABLE p (id int, body text, other text) PARTITION BY RANGE (id);
	CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (30);
	CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (30) TO (1000);
	INSERT INTO p SELECT * FROM t;
	ANALYZE} . q{;
	CREATE FUNCTION result(batching text, query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		c refcursor;
		row record;
		rows text := '';
		at_once text;
	BEGIN
		PERFORM set_config('mobilebert.enable_batching', batching, true);
		EXECUTE 'SELECT string_agg(q::text, E''\n'') FROM (' || query || ') AS q' INTO at_once;
		OPEN c FOR EXECUTE query;
		LOOP
			FETCH c INTO row;
			EXIT WHEN NOT FOUND;
			rows := rows || row::text || E'\n';
		END LOOP;
		CLOSE c;
		RETURN coalesce(at_once, 'none') || E'\n--\n' || rows;
	END $$});

my $session = session($node);
my $batched = 0;
my $different = 0;
for my $n (1 .. $queries)
{
	my $query = query();

	ask($session, 'DISCARD PLANS; RESET ALL; ' . pick(@settings)) if $n % 10 == 1;
	my $same = ask($session,
		"SELECT result('off', \$q\$$query\$q\$) = result('on', \$q\$$query\$q\$)");
	$batched++ if ask($session, "EXPLAIN $query") =~ /MobilebertBatch/;
	next if $same eq 't';
	$different++;
	diag("$same\n$query");
}
is($different, 0, "$queries queries give the same with and without batching");
cmp_ok($batched, '>', $queries / 2, 'most of them are batched');
$session->quit;
unharmed($node);

done_testing();
