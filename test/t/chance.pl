#-------------------------------------------------------------------------
#
# chance.pl
#		Statements by chance in many sessions, each with a time limit by chance,
#		while others change what they stand on: tables, indexes, views, the
#		registry's own tables by VACUUM FULL and REINDEX, the extension itself.
#		Every statement gives the right result or a clean error, and no process
#		ends badly.
#
# SEED, CLIENTS and STATEMENTS in the environment make another or a longer run.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{SEED} || 16;
my $clients = $ENV{CLIENTS} || 10;
my $statements = $ENV{STATEMENTS} || 60;
my $place = PostgreSQL::Test::Utils::tempdir();
my $tiny = golden('one-layer-one-head');
my $ner = golden('tok-only-vocab');

my $node = new_server('chance',
	conf => "max_parallel_workers_per_gather = 2\nmin_parallel_table_scan_size = 0\n"
	  . "parallel_setup_cost = 0\ndeadlock_timeout = 100ms\n");

value(
	$node, qq{
	CREATE DATABASE other;
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.import_model('ner', '$ner');
	CREATE TABLE line AS SELECT n AS id, 'line ' || n || ' of the text' AS body,
		NULL::real[] AS vector FROM generate_series(1, 400) n;
	ALTER TABLE line ADD PRIMARY KEY (id);
	CREATE TABLE known AS SELECT id,
		md5(mobilebert.embed(body, 'tiny')::text) AS vector,
		mobilebert.entities(body, 'ner', 'none')::text AS entities FROM line});
value($node, 'CREATE EXTENSION mobilebert', 'other');
value($node, "SELECT mobilebert.import_model('tiny', '$tiny');
	CREATE TABLE line AS SELECT n AS id, 'line ' || n || ' of the text' AS body
	FROM generate_series(1, 100) n", 'other');

# What reads: each answers with "wrong" where a result is not what it was.
my @reads = (
	q{SELECT count(*), 'wrong' FROM line JOIN known USING (id)
		WHERE md5(mobilebert.embed(body, 'tiny')::text) <> known.vector
		HAVING count(*) > 0},
	q{SELECT id, 'wrong' FROM line JOIN known USING (id)
		WHERE mobilebert.entities(body, 'ner', 'none')::text <> known.entities},
	q{SELECT id, 'wrong' FROM (SELECT * FROM line WHERE id > 100 ORDER BY id DESC LIMIT 50) l
		JOIN known USING (id)
		WHERE md5(mobilebert.embed(body, 'tiny')::text) <> known.vector},
	q{SELECT 'wrong' FROM line JOIN known USING (id) WHERE line.vector IS NOT NULL
		AND md5(line.vector::text) <> known.vector},
	q{SELECT count(*) > 0 FROM line, mobilebert.tokens(body, 'tiny')},
	q{DO $$ DECLARE r record; BEGIN
		FOR r IN SELECT md5(mobilebert.embed(body, 'tiny')::text) = known.vector AS same
			FROM line JOIN known USING (id) LOOP
			IF NOT r.same THEN RAISE NOTICE 'wrong'; END IF;
		END LOOP; END $$},
	q{SELECT mobilebert.similarity(a.body, b.body, 'tiny') FROM line a, line b LIMIT 60},
	q{SELECT count(*) FROM mobilebert.models});
my @writes = (
	q{UPDATE line SET vector = mobilebert.embed(body, 'tiny') WHERE id % 7 = 3},
	q{UPDATE line SET vector = NULL WHERE id % 5 = 2},
	q{CALL mobilebert.enrich('line', 'vector', $$mobilebert.embed(body, 'tiny')$$, batch_rows => 50)},
	q{INSERT INTO line SELECT id + 400, body FROM line WHERE id <= 20 ON CONFLICT DO NOTHING},
	q{DELETE FROM line WHERE id > 400});
my @changes = (
	q{ALTER TABLE line ADD COLUMN kept real[] GENERATED ALWAYS AS (mobilebert.embed(body, 'tiny')) STORED},
	q{ALTER TABLE line DROP COLUMN IF EXISTS kept},
	q{CREATE INDEX IF NOT EXISTS line_first ON line (((mobilebert.embed(body, 'tiny'))[1]))},
	q{DROP INDEX IF EXISTS line_first},
	q{CREATE OR REPLACE VIEW seen AS SELECT id, mobilebert.embed(body, 'tiny') AS v FROM line},
	q{DROP VIEW IF EXISTS seen},
	q{CREATE INDEX CONCURRENTLY IF NOT EXISTS line_tokens ON line (mobilebert.count_tokens(body, 'tiny'))},
	q{DROP INDEX CONCURRENTLY IF EXISTS line_tokens},
	q{ANALYZE line},
	q{VACUUM FULL line},
	q{VACUUM FULL mobilebert.tensor_chunk},
	q{VACUUM FULL mobilebert.model},
	q{REINDEX TABLE mobilebert.model},
	q{REINDEX TABLE mobilebert.tensor},
	q{ANALYZE mobilebert.model},
	qq{SELECT mobilebert.import_model('more', '$tiny')},
	q{SELECT mobilebert.drop_model('more')},
	q{SELECT mobilebert.create_variant('less', 'tiny', 'int8')},
	q{SELECT mobilebert.drop_model('less')},
	q{SELECT mobilebert.grant_model('ner', 'pg_monitor')},
	q{SELECT mobilebert.revoke_model('ner', 'pg_monitor')});
# In the other database the extension itself comes and goes.
my @others = (
	q{SELECT count(mobilebert.embed(body, 'tiny')) FROM line},
	q{SELECT count(mobilebert.embed(body, 'tiny')) FROM line},
	qq{BEGIN; DROP EXTENSION mobilebert CASCADE; CREATE EXTENSION mobilebert;
		SELECT count(mobilebert.import_model('tiny', '$tiny')); COMMIT});

# What may happen to a statement whose ground is being changed, or whose time is
# over.  XX000 is the server's own, for what is dropped or altered at the moment
# it is looked up: "cache lookup failed", "could not open relation", "tuple
# concurrently updated"; any other text of it is a finding.
my %clean = map { $_ => 1 } (
	'57014',              # statement timeout
	'40P01', '40001',     # deadlock, serialization
	'42704', '42710',     # no such model or index; there is one already
	'42701', '42703',     # the column is there, is not
	'42P01', '42P07', '42P16',    # so is the table or view
	'23505',              # two make the same object at once
	'55000', '55006',     # an object is in use
	'3F000', '42883',     # the extension is not there
	'25P02',              # what follows an error in a transaction
	'0A000',              # a cached plan must not change its result
	'2BP01');             # something depends on it
my $moving =
  qr/cache lookup failed|could not (open|find)|concurrently (updated|deleted)|relation .* does not exist|invalid .* oid/i;

srand($seed);
my @children;
for my $client (1 .. $clients)
{
	my $database = $client % 5 == 0 ? 'other' : 'postgres';
	my $script = "\\set VERBOSITY verbose\n\\set ON_ERROR_STOP off\n";

	for (1 .. $statements)
	{
		my $from =
			$database eq 'other' ? \@others
		  : $client % 5 == 1 ? \@changes
		  : $client % 5 == 2 ? \@writes
		  : \@reads;

		$script .= 'SET statement_timeout = '
		  . (rand() < 0.5 ? 0 : 1 + int(rand(60))) . ";\n";
		$script .= "ROLLBACK;\n" if $database eq 'other';
		$script .= $from->[ rand @$from ] . ";\n";
	}
	write_file("$place/script.$client", $script);

	my $child = fork();
	if ($child == 0)
	{
		open(STDOUT, '>', "$place/log.$client");
		open(STDERR, '>&', \*STDOUT);
		exec('psql', '-X', '-q', '-A', '-t', '-f', "$place/script.$client",
			'-d', $node->connstr($database));
	}
	push @children, $child;
}
my $ended = 0;
for my $child (@children)
{
	waitpid($child, 0);
	$ended++ if $? == 0;
}
is($ended, $clients, "$clients sessions came to their end");

my (%errors, @findings);
my $wrong = 0;
for my $client (1 .. $clients)
{
	my $log = file_content("$place/log.$client");

	$wrong++ while $log =~ /wrong/g;
	while ($log =~ /(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)/g)
	{
		$errors{$1}++;
		push @findings, "$1 $2"
		  unless $clean{$1} || ($1 eq 'XX000' && $2 =~ $moving);
	}
	push @findings, $1 while $log =~ /(server closed the connection.*)/g;
}
is($wrong, 0, 'no result but the right one');
is("@findings[0 .. ($#findings < 4 ? $#findings : 4)]", '', 'and no error but clean ones');
cmp_ok($errors{'57014'} || 0, '>', 10, 'many ran out of time');
diag(join(', ', map { "$_ $errors{$_}" } sort keys %errors));

# what is left fits together, and works
value($node, q{SELECT mobilebert.drop_model(name) FROM mobilebert.models
	WHERE name IN ('more', 'less')});
is( value(
		$node, q{SELECT count(*) FROM line JOIN known USING (id)
		WHERE md5(mobilebert.embed(body, 'tiny')::text) <> known.vector
			OR mobilebert.entities(body, 'ner', 'none')::text <> known.entities}),
	0,
	'the models give what they gave');
value($node, q{DROP TABLE line CASCADE;
	SELECT mobilebert.drop_model(name) FROM mobilebert.models});
is(registry_counts($node), '0|0|0|0|0|0|0', 'all of it can be dropped');
is(value($node, q{SELECT count(*) FROM pg_locks WHERE NOT granted}),
	0, 'nobody waits');
unharmed($node);

done_testing();
