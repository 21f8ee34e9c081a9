#-------------------------------------------------------------------------
#
# locks.pl
#		A transaction that changed a model and stays open keeps nobody waiting
#		but those who change the same model; these then act on what became of
#		it.  Tensors that models share are neither lost nor left over.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $node = new_server('locks', conf => "max_prepared_transactions = 5\n");
my $tiny = golden('one-layer-one-head');
my $other = golden('store-f16');

# Whoever waits for a lock fails, after a time that shows only in a failure.
my $no_waiting = q{SET lock_timeout = '20s'; SET client_min_messages = warning};

value(
	$node, q{
	CREATE ROLE alice;
	CREATE ROLE bob;
	GRANT pg_read_server_files TO alice, bob;
	GRANT EXECUTE ON FUNCTION mobilebert.create_variant(text, text, text) TO alice, bob});

# --------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------

# The vectors that models of the two checkpoints give.
my %right;

sub vector
{
	my ($name) = @_;

	return value($node, qq{SELECT md5(mobilebert.embed('words', '$name')::text)});
}

sub start_over
{
	value(
		$node, qq{
		SELECT mobilebert.drop_model(name) FROM mobilebert.model;
		SELECT mobilebert.import_model('root', '$tiny');
		SELECT mobilebert.set_default_model('embed', 'root');
		SET ROLE alice;
		SELECT mobilebert.import_model('alices', '$tiny');
		SELECT mobilebert.import_model('alices2', '$other');
		SET ROLE bob;
		SELECT mobilebert.import_model('bobs', '$tiny');
		SELECT mobilebert.import_model('bobs2', '$other')});
	return;
}

# Tensors that no model uses, pieces without tensor, tensors without all of
# their bytes.
sub loose
{
	return value(
		$node, q{
		SELECT count(*) FROM mobilebert.tensor t WHERE NOT EXISTS
			(SELECT FROM mobilebert.model_tensor p WHERE p.tensor_id = t.id)
		UNION ALL
		SELECT count(*) FROM mobilebert.tensor_chunk c WHERE NOT EXISTS
			(SELECT FROM mobilebert.tensor t WHERE t.id = c.tensor_id)
		UNION ALL
		SELECT count(*) FROM mobilebert.tensor t WHERE bytes IS DISTINCT FROM
			(SELECT sum(length(data)) FROM mobilebert.tensor_chunk c
				WHERE c.tensor_id = t.id)}) =~ s/\n/ /gr;
}

# All models work, and nothing is left over once a drop has looked for it.
sub sound
{
	my ($name) = @_;
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $line (split /\n/,
		value($node, 'SELECT name, encode(sha256, \'hex\') FROM mobilebert.model'))
	{
		my ($model, $sha256) = split /\|/, $line;
		my $vector = vector($model);

		push @wrong, $model if ($right{$sha256} //= $vector) ne $vector;
	}
	is("@wrong", '', "$name: models have their bits");
	value($node, "SELECT mobilebert.import_model('last', '$other');
		SELECT mobilebert.drop_model('last')");
	is(loose(), '0 0 0', "$name: nothing lost or left over");
	return;
}

my @open;

# A session as a role, in a transaction.
sub opened
{
	my ($role, $sql, $begin) = @_;
	my $session = session($node);

	push @open, $session;
	$session->query_safe("SET ROLE $role; " . ($begin // 'BEGIN'));
	my $answer = ask($session, $sql);
	unlike($answer, qr/ERROR/, "$role: $sql") if $answer =~ /ERROR/;
	return $session;
}

sub all_quit
{
	$_->quit for @open;
	@open = ();
	return;
}

# What others do meanwhile must end.
sub passes
{
	my ($role, $sql, $name) = @_;
	my ($status, $out, $error) =
	  $node->psql('postgres', "$no_waiting; SET ROLE $role; $sql",
		on_error_stop => 1);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "$name: $role: $sql") or diag($error);
	return;
}

# A statement that has to wait until the session it waits for ends with $end;
# gives what came of it.
sub waits
{
	my ($role, $sql, $holder, $end, $begin) = @_;
	my $session = session($node);

	push @open, $session;
	$session->query_safe("SET ROLE $role; SET application_name = 'waiter';"
		. ($begin // ''));
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	my $waited = $node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE
			application_name = 'waiter' AND wait_event_type = 'Lock'});
	ok($waited, "waits: $sql");
	$holder->query_safe($end);
	my $answer = ask($session, $begin ? 'COMMIT' : q{SELECT 'done'});
	all_quit();
	return $answer;
}

# --------------------------------------------------------------------------
# An idle transaction and all others
# --------------------------------------------------------------------------

start_over();

my @idle = (
	qq{SELECT mobilebert.import_model('new', '$tiny')},
	qq{SELECT mobilebert.import_model('new', '@{[ golden('tok-only-vocab') ]}')},
	q{SELECT mobilebert.create_variant('new', 'root', 'bf16')},
	q{SELECT mobilebert.grant_model('alices', 'bob')},
	q{SELECT mobilebert.revoke_model('alices', 'public')},
	q{SELECT mobilebert.rename_model('alices', 'new')},
	q{SELECT mobilebert.drop_model('alices')},
	q{SELECT mobilebert.drop_model('alices'), mobilebert.drop_model('alices2')});
my @others = (
	[ 'bob', qq{SELECT mobilebert.import_model('bobs3', '$tiny')} ],
	[
		'bob',
		qq{SELECT mobilebert.import_model('bobs4', '@{[ golden('tok-only-vocab') ]}')}
	],
	[ 'bob', q{SELECT mobilebert.create_variant('bobs5', 'root', 'int8')} ],
	[ 'bob', q{SELECT mobilebert.create_variant('bobs6', 'bobs2', 'int8')} ],
	[ 'bob', q{SELECT mobilebert.revoke_model('bobs', 'public')} ],
	[ 'bob', q{SELECT mobilebert.grant_model('bobs', 'alice')} ],
	[ 'bob', q{SELECT mobilebert.rename_model('bobs', 'bobs9')} ],
	[ 'bob', q{SELECT mobilebert.drop_model('bobs9')} ],
	[ 'bob', q{SELECT mobilebert.drop_model('bobs2')} ],
	[ 'postgres', q{SELECT mobilebert.set_default_model('embed', 'bobs3')} ],
	[ 'postgres', q{SELECT mobilebert.set_default_model('ner', NULL)} ],
	[ 'postgres', q{SELECT mobilebert.revoke_model('root', 'public')} ],
	[ 'postgres', q{SELECT mobilebert.drop_model('root')} ],
	[ 'postgres', qq{SELECT mobilebert.import_model('root', '$tiny')} ],
	[ 'bob', q{SELECT mobilebert.drop_model('bobs3')} ],
	[ 'bob', q{SELECT mobilebert.drop_model('bobs4')} ]);
$node->psql('postgres', 'SELECT rolname FROM pg_roles WHERE rolsuper',
	stdout => \my $super);
$_->[0] =~ s/^postgres$/"$super"/ for @others;

my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');

for my $i (0 .. $#idle)
{
	my $level = $levels[ $i % 2 ];
	my $end = $i % 4 < 2 ? 'COMMIT' : 'ROLLBACK';
	my $session = opened('alice', $idle[$i],
		"BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM pg_class");

	passes(@$_, "meanwhile, $level") for @others;
	$session->query_safe($end);
	all_quit();
	sound("$idle[$i], $level, $end");
	start_over();
}

# The others in transactions that stay open as well, all at once, and in all
# isolation levels; a serializable one may be told to try again.
for my $level (@levels)
{
	my @sessions;

	push @sessions, opened(
		'alice',
		qq{$no_waiting; SELECT mobilebert.import_model('many$_', '$tiny');
			SELECT mobilebert.create_variant('v$_', 'root', 'int8')},
		"BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM pg_class")
	  for 1 .. 3;
	push @sessions, opened('bob',
		"$no_waiting; SELECT mobilebert.drop_model('bobs')",
		"BEGIN ISOLATION LEVEL $level");
	push @sessions, opened('alice',
		"$no_waiting; SELECT mobilebert.drop_model('alices')",
		"BEGIN ISOLATION LEVEL $level");
	my @ends = map { ask($_, 'COMMIT') } @sessions;
	my @bad = grep { /ERROR/
		  && !($level eq 'SERIALIZABLE' && /could not serialize/) } @ends;
	is("@bad", '', "several open transactions, $level");
	all_quit();
	sound("several open transactions, $level");
	start_over();
}

# --------------------------------------------------------------------------
# The same model: wait, then act on the truth
# --------------------------------------------------------------------------

sub after
{
	my ($first, $end, $second, $answer, $first_role, $second_role) = @_;
	my $holder = opened($first_role // 'alice', $first);
	my $came = waits($second_role // 'alice', $second, $holder, $end);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($came, $answer, "$first; $end: $second");
	start_over();
	return;
}

my $drop = q{SELECT mobilebert.drop_model('alices')};
my $import = qq{SELECT mobilebert.import_model('new', '$tiny')};
my $rename = q{SELECT mobilebert.rename_model('alices', 'new')};
my $revoke = q{SELECT mobilebert.revoke_model('alices', 'public')};
my $grant = q{SELECT mobilebert.grant_model('alices', 'bob')};
my $default = q{SELECT mobilebert.set_default_model('embed', 'alices')};
my $gone = qr/^ERROR: .*"alices" does not exist/;
my $done = qr/done$/;

after($drop, 'COMMIT', $_, $gone) for $drop, $rename, $revoke, $grant;
after($drop, 'ROLLBACK', $_, $done) for $drop, $rename, $revoke;
after($drop, 'COMMIT', $default, $gone, 'alice', qq{"$super"});
after($drop, 'ROLLBACK', $default, $done, 'alice', qq{"$super"});
after($default, 'COMMIT', $drop, $done, qq{"$super"});
after($rename, 'COMMIT', $_, $gone) for $drop, $grant;
after($rename, 'ROLLBACK', $drop, $done);
after($rename, 'COMMIT', $import, qr/^ERROR: .*"new" already exists/,
	'alice', 'bob');
after($rename, 'ROLLBACK', $import, $done, 'alice', 'bob');
after($import, 'COMMIT', $import, qr/^ERROR: .*"new" already exists/,
	'alice', 'bob');
after($import, 'ROLLBACK', $import, $done, 'alice', 'bob');
after($import, 'COMMIT', $rename, qr/^ERROR: .*"new" already exists/,
	'bob', 'alice');
after($revoke, 'COMMIT', $_, $done) for $revoke, $grant, $drop;
after(
	"SELECT mobilebert.drop_model('alices'); SELECT mobilebert.import_model('alices', '$tiny')",
	'COMMIT', $drop, qr/^ERROR: .*must be owner of model "alices"/,
	qq{"$super"}, 'alice');
after(
	q{SELECT mobilebert.drop_model('root')}, 'COMMIT',
	q{SELECT mobilebert.set_default_model('embed', 'root')},
	qr/^ERROR: .*"root" does not exist/, (qq{"$super"}) x 2);

# A base: whoever makes a model of it waits for those who change it, and keeps
# none of them waiting.
my $variant_of = q{SELECT mobilebert.create_variant('new', 'alices', 'int8')};
my $no_base = qr/^ERROR: .*base model "alices" does not exist/;
after($drop, 'ROLLBACK', $variant_of, $done, 'alice', 'bob');
after($drop, 'COMMIT', $variant_of, $no_base, 'alice', 'bob');
after($revoke, 'COMMIT', $variant_of, $no_base, 'alice', 'bob');
after($revoke, 'COMMIT', $variant_of, $done);
after($rename, 'COMMIT', $variant_of =~ s/'new'/'v'/r, $done, 'alice', 'bob');
for my $sql ($revoke, $grant, $rename =~ s/'new'/'newer'/r)
{
	opened('bob', $variant_of);
	passes('alice', $sql, 'beside an open variant');
	all_quit();
	start_over();
}

# A transaction's snapshot is older than what it changes.
my $session = opened('alice', 'SELECT count(*) FROM pg_class',
	'BEGIN ISOLATION LEVEL REPEATABLE READ');
value($node, "SET ROLE alice; SELECT mobilebert.import_model('later', '$tiny');
	SELECT mobilebert.drop_model('alices2');
	SELECT mobilebert.import_model('alices2', '$tiny')");
for my $sql (
	q{SELECT mobilebert.grant_model('later', 'bob')},
	q{SELECT mobilebert.rename_model('later', 'latest')},
	q{SELECT mobilebert.drop_model('latest')},
	q{SELECT mobilebert.drop_model('alices2')},
	qq{SELECT mobilebert.import_model('alices2', '$other')})
{
	unlike(ask($session, $sql), qr/ERROR/, "in an old snapshot: $sql");
}
$session->query_safe('COMMIT');
all_quit();
is(value($node, q{SELECT string_agg(name, ' ' ORDER BY name) FROM mobilebert.models}),
	'alices alices2 bobs bobs2 root', 'and it counts');
sound('an old snapshot');

# --------------------------------------------------------------------------
# Shared tensors
# --------------------------------------------------------------------------

# Models whose tensors no others share: those two alone have them.
sub pair
{
	value($node, qq{
		SELECT mobilebert.drop_model(name) FROM mobilebert.model;
		SET ROLE alice; SELECT mobilebert.import_model('alices', '$tiny');
		SET ROLE bob; SELECT mobilebert.import_model('bobs', '$tiny')});
	return;
}

my @ways = (
	[ 'COMMIT', 'COMMIT' ],
	[ 'COMMIT', 'ROLLBACK' ],
	[ 'ROLLBACK', 'COMMIT' ]);
my $drop_bobs = q{SELECT mobilebert.drop_model('bobs')};
my $tensors = 'SELECT count(*) FROM mobilebert.tensor';

for my $way (@ways)
{
	pair();
	my $all = value($node, $tensors);
	my $a = opened('alice', $drop);
	my $b = opened('bob', $drop_bobs);

	$a->query_safe($way->[0]);
	$b->query_safe($way->[1]);
	all_quit();
	is(value($node, $tensors), "@$way" eq 'COMMIT COMMIT' ? 0 : $all,
		"two drop what they share: @$way: tensors");
	is(loose(), '0 0 0', "two drop what they share: @$way");
	sound("two drop what they share: @$way");

	# one comes to share what the other drops, first and second
	for my $first (0, 1)
	{
		for my $new (qq{SELECT mobilebert.import_model('new', '$tiny')},
			q{SELECT mobilebert.create_variant('new', 'alices', 'int8')})
		{
			pair();
			value($node, $drop_bobs);
			my ($sharing, $dropping);
			my $waits = $new =~ /variant/ && !$first;

			$sharing = opened('bob', $new) if $first;
			$dropping = opened('alice', $drop);
			$sharing = opened('bob', $new) if !$first && !$waits;
			if ($waits)
			{
				# its base must not go meanwhile
				like(
					waits('bob', $new, $dropping, $way->[0]),
					$way->[0] eq 'COMMIT'
					? qr/base model "alices" does not exist/
					: $done,
					"$new; drop: $way->[0]");
			}
			else
			{
				$dropping->query_safe($way->[0]);
				$sharing->query_safe($way->[1]);
				all_quit();
				is( value($node, 'SELECT count(*) FROM mobilebert.models'),
					($way->[0] eq 'ROLLBACK') + ($way->[1] eq 'COMMIT'),
					"$new; drop: @$way");
			}
			sound("$new; drop: @$way, share first: $first");
		}
	}
}

# The last moment of a transaction that dropped a model, held up by a lock on a
# table that it comes to then.
sub held_up
{
	my ($table, @sessions) = @_;
	my $lock = session($node);

	push @open, $lock;
	$lock->query_safe("BEGIN; LOCK TABLE mobilebert.$table IN EXCLUSIVE MODE");
	my $count = 0;
	while (my ($session, $sql) = splice(@sessions, 0, 2))
	{
		$session->query_safe(q{SET application_name = 'waiter'});
		$session->query_until(qr/started/, "\\echo started\n$sql;\n");
		$count++;
		ok( $node->poll_query_until('postgres',
				qq{SELECT count(*) = $count FROM pg_stat_activity WHERE
					application_name = 'waiter' AND wait_event_type = 'Lock'}),
			"held up at $table: $sql");
	}
	$lock->query_safe('COMMIT');
	return;
}

for my $round (1 .. 3)
{
	pair();
	my $a = opened('alice', $drop);
	my $b = opened('bob', $drop_bobs);

	held_up('tensor', $a, 'COMMIT', $b, 'COMMIT');
	like(ask($_, q{SELECT 'done'}), $done, 'commits') for $a, $b;
	all_quit();
	is(registry_counts($node), '0|0|0|0|0|0|0',
		'two that commit at the same time leave nothing');
}
pair();
value($node, $drop_bobs);
my $dropping = opened('alice', $drop);
my $making = opened('bob', 'SELECT 1', 'SELECT 1');
my $again = opened('bob', 'SELECT 1', 'SELECT 1');
held_up(
	'tensor_chunk', $dropping, 'COMMIT', $making,
	q{SELECT mobilebert.create_variant('v', 'alices', 'int8')}, $again,
	qq{SELECT mobilebert.import_model('again', '$tiny')});
like(ask($dropping, q{SELECT 'done'}), $done, 'a drop while others come to share');
like(ask($making, q{SELECT 'done'}), qr/base model "alices" does not exist/,
	'a variant of what is gone');
like(ask($again, q{SELECT 'done'}), $done, 'an import has a copy');
all_quit();
like(vector('again'), qr/^\w{32}$/, 'which works');
sound('others come to share while tensors are removed');

# Two imports of new weights at the same time store them twice; both can go.
value($node, 'SELECT mobilebert.drop_model(name) FROM mobilebert.model');
my $one = opened('alice', qq{SELECT mobilebert.import_model('one', '$tiny')});
my $two = opened('bob', qq{SELECT mobilebert.import_model('two', '$tiny')});
$_->query_safe('COMMIT') for $one, $two;
all_quit();
is(vector('one'), vector('two'), 'two imports of the same at the same time');
value($node, qq{SELECT mobilebert.import_model('three', '$tiny');
	SELECT mobilebert.drop_model('one')});
is(vector('two'), vector('three'), 'one of the two goes');
value($node, q{SELECT mobilebert.drop_model('two')});
like(vector('three'), qr/^\w{32}$/, 'then the other');
sound('copies');

# --------------------------------------------------------------------------
# Ends of transactions of other kinds
# --------------------------------------------------------------------------

pair();
value($node, "BEGIN; $drop; PREPARE TRANSACTION 'drop'");
passes('bob', $_, 'beside a prepared transaction')
  for $drop_bobs, qq{SELECT mobilebert.import_model('bobs', '$tiny')};
value($node, "COMMIT PREPARED 'drop'");
sound('a prepared drop');

pair();
value($node, "DO 'BEGIN PERFORM mobilebert.drop_model(''alices''); COMMIT;
	PERFORM mobilebert.drop_model(''bobs''); COMMIT; END'");
is(registry_counts($node), '0|0|0|0|0|0|0', 'a procedure that commits');

pair();
value($node, "BEGIN; $drop; $drop_bobs; SET TRANSACTION READ ONLY; COMMIT");
sound('a transaction that became read-only');

pair();
value($node, "BEGIN; SAVEPOINT s; $drop; ROLLBACK TO s; $drop_bobs; COMMIT");
is(value($node, 'SELECT name FROM mobilebert.models'), 'alices',
	'a savepoint');
sound('a savepoint');

value($node, "BEGIN; $drop; DROP EXTENSION mobilebert; COMMIT");
is(value($node, q{SELECT count(*) FROM pg_namespace WHERE nspname = 'mobilebert'
	AND EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_namespace.oid)}),
	0, 'a drop of the extension after that of a model');
unharmed($node);

done_testing();
