#-------------------------------------------------------------------------
#
# subscriber.pl
#		The registry on a logical subscriber: what is dropped, revoked, granted
#		or renamed on the publisher counts there from the next statement on,
#		whatever became of the registry's triggers.
#
# A subscriber's apply process fires a trigger only when it is enabled ALWAYS.
# pg_restore --disable-triggers leaves them enabled the ordinary way; others
# disable or drop them.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $publisher = new_server('publisher', streaming => 'logical');
my $subscriber = new_server('subscriber', streaming => 'logical');
my $tiny = golden('one-layer-one-head');
my @tables = map { "mobilebert.$_" }
  qw(model model_file model_grant model_tensor task_default tensor tensor_chunk);
my @watched = map { "mobilebert.$_" } qw(model model_grant task_default);

value($_, 'CREATE ROLE guest') for $publisher, $subscriber;
value(
	$publisher, qq{
	SELECT mobilebert.import_model('base', '$tiny');
	CREATE PUBLICATION registry FOR TABLE @{[ join(', ', @tables) ]}});
my $base = q{SELECT md5(mobilebert.embed('words', 'base')::text)};
my $right = value($publisher, $base);

my $there = session($subscriber);
like(ask($there, $base), qr/"base" does not exist/, 'before');
value(
	$subscriber, q{CREATE SUBSCRIPTION registry CONNECTION '}
	  . $publisher->connstr
	  . q{ dbname=postgres' PUBLICATION registry});
# in words that all versions' modules know
$subscriber->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')})
  or die 'the first copy was not made';
is(ask($there, $base), $right, 'the first copy brings a model');
is(registry_counts($subscriber), registry_counts($publisher),
	'with all its rows');

# A change on the publisher, waited for.
sub publish
{
	value($publisher, $_[0]);
	$publisher->wait_for_catchup('registry');
	return;
}

sub triggers
{
	my ($what) = @_;

	value($subscriber, join('; ', map { "ALTER TABLE $_ $what" } @watched));
	return;
}

# A classifier comes as any model does, and rights to its base are its own.
my $sort = q{SELECT md5(string_agg(c::text, ' ')) FROM mobilebert.classify('words', 'sorter') c};
publish(q{SELECT mobilebert.create_classifier('sorter', (SELECT mobilebert.fit(
		'text ' || g, CASE g % 3 WHEN 0 THEN 'third' ELSE 'other' END, 'base')
		FROM generate_series(1, 30) g));
	SELECT mobilebert.grant_model('sorter', 'guest')});
my $sorted = value($publisher, $sort);
is(ask($there, $sort), $sorted, 'a classifier has the same bits');
is(ask($there, "SET ROLE guest; $sort; RESET ROLE"), $sorted, 'for its guests');
publish(q{SELECT mobilebert.revoke_model('base', 'public')});
like(ask($there, "SET ROLE guest; $sort"), qr/permission denied for model "sorter"/,
	'a revoke of its base reaches it');
ask($there, 'RESET ROLE');
publish(q{SELECT mobilebert.grant_model('base', 'public')});
is(ask($there, "SET ROLE guest; $sort; RESET ROLE"), $sorted, 'and a grant');
publish(q{SELECT mobilebert.drop_model('sorter')});
like(ask($there, $sort), qr/"sorter" does not exist/, 'and its drop');

# One session sees every kind of change, in a transaction that stays open and
# outside of one.
sub follows
{
	my ($state) = @_;
	my $use = q{SELECT md5(mobilebert.embed('words', 'm')::text)};
	my $short = q{SELECT md5(mobilebert.embed('words')::text)};
	my $guest = 'SET ROLE guest';

	for my $begin ('BEGIN', 'SELECT 1')
	{
		my $session = session($subscriber);
		my $name = "$state, "
		  . ($begin eq 'BEGIN' ? 'in a transaction' : 'each by itself') . ':';

		publish("SELECT mobilebert.import_model('m', '$tiny');
			SELECT mobilebert.set_default_model('embed', 'm')");
		ask($session, $begin);
		is(ask($session, $use), $right, "$name an import");
		is(ask($session, $short), $right, "$name a default");
		is(ask($session, "$guest; $use; RESET ROLE"), $right, "$name for all");
		publish(q{SELECT mobilebert.revoke_model('m', 'public')});
		ask($session, 'SAVEPOINT s') if $begin eq 'BEGIN';
		like(ask($session, "$guest; $use"), qr/permission denied for model/,
			"$name a revoke");
		ask($session, 'ROLLBACK TO s') if $begin eq 'BEGIN';
		ask($session, 'RESET ROLE');
		publish(q{SELECT mobilebert.grant_model('m', 'guest')});
		is(ask($session, "$guest; $use; RESET ROLE"), $right, "$name a grant");
		publish(q{SELECT mobilebert.set_default_model('embed', NULL)});
		like(ask($session, q{SELECT coalesce(mobilebert.default_model('embed'), 'none')}),
			qr/^none$/, "$name no default");
		publish(q{SELECT mobilebert.rename_model('m', 'n')});
		is(ask($session, $use =~ s/'m'/'n'/r), $right, "$name a rename");
		publish(q{SELECT mobilebert.drop_model('n')});
		like(ask($session, $use =~ s/'m'/'n'/r), qr/"n" does not exist/,
			"$name a drop");
		$session->quit;
	}
	return;
}

follows('triggers as installed');
triggers('DISABLE TRIGGER ALL');
triggers('ENABLE TRIGGER ALL');
is( value(
		$subscriber, q{SELECT DISTINCT tgenabled FROM pg_trigger
			WHERE tgname ~ '^registry'}),
	'O',
	'as pg_restore --disable-triggers leaves them');
follows('triggers enabled as pg_restore leaves them');
is(ask($there, $base), $right, 'a model that did not change');
triggers('DISABLE TRIGGER ALL');
follows('triggers disabled');
triggers("ENABLE ALWAYS TRIGGER $_") for qw(registry_changed registry_truncated);
value($subscriber, 'DROP TRIGGER registry_changed ON mobilebert.model_grant');
follows('triggers of one table dropped');

# Nor do the triggers matter to a session that changes rows as a replica.
triggers('ENABLE TRIGGER ALL');
value($subscriber, "SELECT mobilebert.import_model('local', '$tiny')");
my $local = q{SET ROLE guest; SELECT md5(mobilebert.embed('words', 'local')::text)};
is(ask($there, $local), $right, 'a model of the subscriber alone');
value(
	$subscriber, q{SET session_replication_role = replica;
	DELETE FROM mobilebert.model_grant WHERE model_id =
		(SELECT id FROM mobilebert.model WHERE name = 'local')});
like(ask($there, $local), qr/permission denied for model/,
	'session_replication_role');
$there->quit;
unharmed($_) for $publisher, $subscriber;

done_testing();
