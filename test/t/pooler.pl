#-------------------------------------------------------------------------
#
# pooler.pl
#		Through pgbouncer in transaction mode: many clients share two sessions
#		of the server, roles change from one transaction to the next, and enrich
#		makes its own.  Skipped where there is no pgbouncer.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# Debian keeps it where a user's PATH may not lead
$ENV{PATH} .= ':/usr/sbin';
plan skip_all => 'pgbouncer is missing'
  if system('pgbouncer --version >/dev/null 2>&1') != 0;

my $node = new_server('pooler');
my $place = PostgreSQL::Test::Utils::tempdir_short();
my $tiny = golden('one-layer-one-head');

value(
	$node, qq{
	CREATE ROLE allowed LOGIN;
	CREATE ROLE other LOGIN;
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.revoke_model('tiny', 'public');
	SELECT mobilebert.grant_model('tiny', 'allowed');
	SELECT mobilebert.set_default_model('embed', 'tiny');
	CREATE TABLE line AS SELECT n AS id, 'line ' || n AS body,
		NULL::real[] AS vector FROM generate_series(1, 500) n;
	ALTER TABLE line ADD PRIMARY KEY (id);
	CREATE TABLE known AS SELECT id, mobilebert.embed(body, 'tiny') AS vector FROM line;
	GRANT SELECT ON line, known TO PUBLIC});

write_file("$place/users", qq{"postgres" ""\n"} . getpwuid($>) . qq{" ""\n});
write_file("$place/pgbouncer.ini", <<"INI");
[databases]
* = host=${\$node->host} port=${\$node->port}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $place
auth_type = trust
auth_file = $place/users
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
logfile = $place/log
pidfile = $place/pid
server_tls_sslmode = disable
INI
system('pgbouncer', '-q', '-d', "$place/pgbouncer.ini") == 0
  or die 'pgbouncer does not start';

END
{
	if (defined $place && open(my $file, '<', "$place/pid"))
	{
		my $exit = $?;

		kill('TERM', <$file> + 0);
		$? = $exit;
	}
}

my $user = getpwuid($>);
my $pooled = "host=$place port=6432 user=$user dbname=postgres";

# What psql prints when it goes through the pooler.
sub through
{
	my ($sql) = @_;
	my ($out, $error);

	IPC::Run::run([ 'psql', '-XAtq', '-d', $pooled ],
		'<', \$sql, '>', \$out, '2>', \$error);
	chomp($out);
	return $error =~ /(ERROR:.*)/ ? "$out$1" : $out;
}

for (1 .. 100)
{
	last if through('SELECT 1') eq '1';
	sleep(0.1);
}
is(through(q{SELECT count(*) FROM line JOIN known USING (id)
		WHERE mobilebert.embed(body) = known.vector}),
	500, 'a query through the pooler');

# Twenty clients, two server sessions; each transaction is of another role, and
# a result that one role computed is in the session's cache when the next asks.
write_file("$place/allowed", <<'SQL');
\set id random(1, 40)
BEGIN;
SET LOCAL ROLE allowed;
SELECT 1 / (mobilebert.embed('line ' || :id, 'tiny') = (SELECT vector FROM known WHERE id = :id))::int;
COMMIT;
SQL
write_file("$place/other", <<'SQL');
\set id random(1, 40)
BEGIN;
SET LOCAL ROLE other;
DO $$ BEGIN
	PERFORM mobilebert.embed('line 7', 'tiny');
	RAISE EXCEPTION SQLSTATE 'MB001';
EXCEPTION WHEN insufficient_privilege THEN
END $$;
COMMIT;
SQL
for my $protocol ('simple', 'extended')
{
	$node->command_ok(
		[
			'pgbench', '-n', '-M', $protocol, '-c', 20, '-j', 2, '-t', 40,
			'-f', "$place/allowed", '-f', "$place/other", $pooled
		],
		"$protocol protocol: who may gets his vector, who may not an error");
}
cmp_ok(
	value(
		$node, q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}),
	'<=', 4, 'all of them shared a few sessions');

# a transaction that failed leaves the session fit for the next client
like(through(q{SELECT mobilebert.embed(repeat('word ', 1000), 'tiny', overflow => 'error')}),
	qr/too long/, 'an error');
is(through(q{SELECT mobilebert.embed('line 1', 'tiny') = vector FROM known WHERE id = 1}),
	't', 'and the next client');
like(through(q{SET statement_timeout = 1; SELECT count(mobilebert.embed(a.body || b.body, 'tiny')) FROM line a, line b}),
	qr/statement timeout/, 'a time limit');
through('RESET statement_timeout') for 1 .. 4;

# enrich is one statement of many transactions
is( through(q{CALL mobilebert.enrich('line', 'vector', 'mobilebert.embed(body)', batch_rows => 50)})
	  =~ /^500\|0\|0\|0\|/,
	1,
	'enrich');
is( value($node,
		q{SELECT count(*) FROM line JOIN known USING (id, vector)}),
	500,
	'fills the column');

# a model that is replaced is another one for the sessions of the pool
value($node, q{SELECT mobilebert.drop_model('tiny')});
like(through(q{SELECT mobilebert.embed('line 1', 'tiny')}),
	qr/does not exist/, 'a dropped model');
unharmed($node);

done_testing();
