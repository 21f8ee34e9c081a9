#-------------------------------------------------------------------------
#
# shards.pl
#		Two servers: postgres_fdw ships calls to the one that holds the rows, as
#		foreign partitions at the same time; logical replication carries what
#		was computed once; a hot standby answers searches.
#
# That the remote side computed is read from EXPLAIN VERBOSE's Remote SQL and
# from the counters of both servers.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Cluster;
use Test::More;

my $tiny = golden('one-layer-one-head');
my $conf = "shared_preload_libraries = 'mobilebert'\n";
my $front = new_server('front', streaming => 'logical', conf => $conf);
my $store = new_server('store', streaming => 'logical', conf => $conf);

plan skip_all => 'postgres_fdw is not installed'
  unless value($front,
	"SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'");

my $host = $store->host;
my $port = $store->port;

# The store: two databases with a part of the passages each.
value($store, 'CREATE DATABASE second');
for my $database ('postgres', 'second')
{
	my $from = $database eq 'second' ? 1001 : 1;

	value(
		$store, qq{
		CREATE EXTENSION IF NOT EXISTS mobilebert;
		SELECT mobilebert.import_model('tiny', '$tiny');
		CREATE TABLE passage (id int PRIMARY KEY, body text, v real[]);
		INSERT INTO passage SELECT g, 'passage ' || g
			FROM generate_series($from, $from + 299) g;
		ANALYZE passage}, $database);
}

# The front: a partitioned table over them, and a part of its own.
value(
	$front, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER store_1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (
		host '$host', port '$port', dbname 'postgres',
		extensions 'mobilebert', async_capable 'true');
	CREATE SERVER store_2 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (
		host '$host', port '$port', dbname 'second',
		extensions 'mobilebert', async_capable 'true');
	CREATE USER MAPPING FOR CURRENT_USER SERVER store_1;
	CREATE USER MAPPING FOR CURRENT_USER SERVER store_2;
	CREATE TABLE passage (id int, body text, v real[])
		PARTITION BY RANGE (id);
	CREATE FOREIGN TABLE passage_1 PARTITION OF passage
		FOR VALUES FROM (1) TO (1001) SERVER store_1
		OPTIONS (table_name 'passage');
	CREATE FOREIGN TABLE passage_2 PARTITION OF passage
		FOR VALUES FROM (1001) TO (2001) SERVER store_2
		OPTIONS (table_name 'passage')});

# Counters of all databases, as "front:store:second".
sub calls
{
	my $sql = 'SELECT coalesce(sum(calls), 0) FROM mobilebert.stat_models';

	return join(':',
		value($front, $sql),
		value($store, $sql),
		value($store, $sql, 'second'));
}

sub reset_calls
{
	value($_, 'SELECT mobilebert.stat_reset()') for $front, $store;
	return;
}

# An UPDATE is carried out where the rows are.
my $update = q{UPDATE passage SET v = mobilebert.embed(body, 'tiny')};
my $plan = value($front, "EXPLAIN (VERBOSE, COSTS OFF) $update");
like($plan, qr/Foreign Update.*Remote SQL: UPDATE public\.passage SET v = mobilebert\.embed\(body, 'tiny'::text/s,
	'an UPDATE is shipped');
reset_calls();
value($front, $update);
is(calls(), '0:300:300', 'and computed by the servers of the rows');
is( value(
		$front, q{
		SELECT count(*), bool_and(v = mobilebert.embed(body, 'tiny'))
		FROM passage}),
	'600|t',
	'the same vectors as computed here');

# So are conditions, on both at the same time.
my $count = q{SELECT count(*) FROM passage WHERE mobilebert.cosine_similarity(
	mobilebert.embed(body || '!', 'tiny'), mobilebert.embed('passage 7', 'tiny')) > 0};
$plan = value($front, "EXPLAIN (VERBOSE, COSTS OFF) $count");
is(scalar(() = $plan =~ /Async Foreign Scan/g), 2, 'conditions run at the same time');

is( scalar(() = $plan =~ /Remote SQL: .*mobilebert\.cosine_similarity\(mobilebert\.embed\(\(body \|\| '!'(?:::text)?\), 'tiny'::text/g),
	2, 'over there');
reset_calls();
my $remote = value($front, $count);
is(calls(), '1:300:300', 'only the text that is looked for is computed here');
is( value($store, $count) + value($store, $count, 'second'),
	$remote, 'with the same result');

# Exact search: sorted there, merged here.
my $search = q{SELECT id FROM passage ORDER BY mobilebert.cosine_similarity(v,
	mobilebert.embed('passage 1042', 'tiny')) DESC LIMIT 3};
$plan = value($front, "EXPLAIN (VERBOSE, COSTS OFF) $search");
is( scalar(() = $plan =~ /Remote SQL: .*ORDER BY mobilebert\.cosine_similarity\(v/g),
	2, 'a search is sorted over there');
like($plan, qr/Merge Append/, 'and merged here');
like(value($front, $search), qr/^1042\n/, 'it finds the passage itself');

# A default model may differ from server to server: that form stays here.
value($front, q{SELECT mobilebert.set_default_model('embed', 'tiny')});
$plan = value($front,
	q{EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM passage WHERE mobilebert.embed(body) IS NULL});
unlike($plan, qr/Remote SQL: .*embed/, 'embed(input) is not shipped');

# enrich() on the server that has the rows; what others see of it is the same.
value($store, 'UPDATE passage SET v = NULL', $_) for 'postgres', 'second';
value($store, q{CALL mobilebert.enrich('passage', 'v', $$mobilebert.embed(body, 'tiny')$$)}, $_)
  for 'postgres', 'second';
is(value($front, 'SELECT count(*), count(v) FROM passage'),
	'600|600', 'enriched where it lies');
# through the partitioned table it works, too
value($store, 'UPDATE passage SET v = NULL', $_) for 'postgres', 'second';
reset_calls();
value($front,
	q{CALL mobilebert.enrich('passage', 'v', $$mobilebert.embed(body, 'tiny')$$, batch_rows => 128)});
is(value($front, 'SELECT count(*), count(v) FROM passage'),
	'600|600', 'enriched from the front');
is(value($front, 'SELECT bool_and(v = mobilebert.embed(body, $$tiny$$)) FROM passage'),
	't', 'rightly');

# Logical replication carries vectors, and models as well.
value($store, q{CREATE PUBLICATION all_of_it FOR TABLE passage});
value(
	$front, qq{
	CREATE DATABASE reader});
value(
	$front, qq{
	CREATE EXTENSION mobilebert;
	CREATE TABLE passage (id int PRIMARY KEY, body text, v real[]);
	CREATE SUBSCRIPTION mine CONNECTION 'host=$host port=$port dbname=postgres'
		PUBLICATION all_of_it}, 'reader');
$front->poll_query_until('reader', 'SELECT count(v) = 300 FROM passage')
  or die 'nothing arrives';
reset_calls();
value($store, q{UPDATE passage SET body = 'changed', v = mobilebert.embed('changed', 'tiny') WHERE id = 5});
$front->poll_query_until('reader', q{SELECT count(*) = 1 FROM passage WHERE body = 'changed'})
  or die 'the change does not arrive';
is( value(
		$front, q{SELECT bool_and(v IS NOT NULL) FROM passage}, 'reader'),
	't',
	'a subscriber gets vectors');
is(calls() =~ /^0:/ ? 'none' : calls(), 'none', 'without computing any');
value($front, 'DROP SUBSCRIPTION mine', 'reader');

# A hot standby answers searches, with weights of its own, and writes nothing.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$store->backup('copy');
$standby->init_from_backup($store, 'copy', has_streaming => 1);
$standby->start;
reset_calls();
like(value($standby, $search =~ s/1042/142/r), qr/^142\n/, 'a standby searches');
is(value($standby, q{SELECT count(mobilebert.embed(body, 'tiny')) FROM passage}),
	'300', 'and computes');
is(calls(), '0:0:0', 'without help');
fails_like($standby,
	q{CALL mobilebert.enrich('passage', 'v', '$$$$::text::real[]')},
	'25006', 'read-only transaction', 'but cannot enrich');

unharmed($_) for $front, $store, $standby;
done_testing();
