#-------------------------------------------------------------------------
#
# rights.pl
#		Who may use which model, by which way: every role with every kind of
#		model, called directly, by a prepared plan, in a generated column,
#		through a view and through functions with SECURITY DEFINER, while
#		rights are given and taken back under sessions that stay open.
#
# What is expected follows from the rules in may_use() and allowed().  What
# happens to roles and names is in owners.pl.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('rights',
	conf => "shared_preload_libraries = 'mobilebert'\n");
my $place = PostgreSQL::Test::Utils::tempdir();

# --------------------------------------------------------------------------
# The models: one, and three that stand on it
# --------------------------------------------------------------------------

my $whole = golden('store-bf16');
my $weights = read_weights($whole);
my ($classifier) = grep { /^classifier\.weight$/ } keys %$weights;

# Directories with nothing of their own but a base, and with heads alone (and the
# pooler, by which the others' names are known).
for my $part (qw(directory heads))
{
	copy_model($whole, "$place/$part");
	unlink "$place/$part/model.safetensors";
	my %own = map { $_ => $weights->{$_} }
	  grep { $part eq 'heads' && /^(mobilebert\.pooler|classifier)\./ }
	  keys %$weights;
	write_weights("$place/$part/model.safetensors", \%own);
	edit_json("$place/$part/config.json", sub { $_[0]{base} = 'model' });
}
ok($classifier, 'the checkpoint has a classifier');

my @models = qw(model variant directory heads classifier);
my %base =
  (variant => 'model', directory => 'model', heads => 'model',
	classifier => 'model');
my @roles = qw(owner grantee revoked stranger superuser);

value(
	$node, q{
	CREATE ROLE owner LOGIN;
	CREATE ROLE grantee LOGIN;
	CREATE ROLE revoked LOGIN;
	CREATE ROLE stranger LOGIN;
	CREATE ROLE superuser LOGIN SUPERUSER;
	GRANT pg_read_server_files TO owner, grantee, stranger;
	GRANT EXECUTE ON FUNCTION mobilebert.create_variant(text, text, text),
		mobilebert.create_classifier(text, mobilebert.classifier)
		TO owner, grantee, stranger;
	GRANT CREATE ON SCHEMA public TO PUBLIC;
	SET ROLE owner;
	SELECT mobilebert.import_model('model', '} . $whole . q{');
	SELECT mobilebert.create_variant('variant', 'model', 'int8');
	SELECT mobilebert.import_model('directory', '} . "$place/directory" . q{');
	SELECT mobilebert.import_model('heads', '} . "$place/heads" . q{');
	SELECT mobilebert.create_classifier('classifier', (SELECT mobilebert.fit(
		'text ' || g, CASE g % 3 WHEN 0 THEN 'third' ELSE 'other' END, 'model')
		FROM generate_series(1, 20) g))});
is( value($node, q{SELECT name, base FROM mobilebert.models ORDER BY name COLLATE "C"}),
	"classifier|model\ndirectory|model\nheads|model\nmodel|\nvariant|model",
	'the view shows what stands on what');
is( value($node, q{SELECT count(*) FROM mobilebert.model_grant}),
	1, 'a model that stands on another starts without grants');

# The call of each model: heads and classifiers are for classifying.
sub call
{
	my ($model, $text, $name) = @_;

	$name = "'$model'" unless defined $name;
	return $model =~ /heads|classifier/ ? "mobilebert.label($text, $name)"
	  : "mobilebert.embed($text, $name)";
}

# --------------------------------------------------------------------------
# The ways
# --------------------------------------------------------------------------

my @ways = qw(function prepared column view definer by_stranger);
my %sql;

value($node, 'CREATE TABLE texts AS SELECT $$some words$$ AS body; GRANT SELECT ON texts TO PUBLIC');
for my $model (@models)
{
	my $type = $model =~ /heads|classifier/ ? 'text' : 'real[]';

	value(
		$node,
		"CREATE TABLE column_$model (body text, v $type
			GENERATED ALWAYS AS (" . call($model, 'body') . ") STORED);
		GRANT SELECT, INSERT ON column_$model TO PUBLIC;
		CREATE VIEW view_$model AS SELECT " . call($model, 'body') . " AS v FROM texts;
		GRANT SELECT ON view_$model TO PUBLIC;
		CREATE FUNCTION definer_$model(body text) RETURNS $type SECURITY DEFINER
		LANGUAGE sql AS \$\$SELECT " . call($model, 'body') . "\$\$;
		CREATE FUNCTION by_stranger_$model(body text) RETURNS $type SECURITY DEFINER
		LANGUAGE sql AS \$\$SELECT " . call($model, 'body') . "\$\$;
		ALTER FUNCTION definer_$model(text) OWNER TO owner;
		ALTER FUNCTION by_stranger_$model(text) OWNER TO stranger");
	$sql{$model} = {
		function => 'SELECT ' . call($model, 'body') . ' IS NOT NULL FROM texts',
		prepared => "EXECUTE prepared_$model('some words', '$model')",
		column => "INSERT INTO column_$model VALUES ('some words') RETURNING v IS NOT NULL",
		view => "SELECT v IS NOT NULL FROM view_$model",
		definer => "SELECT definer_$model('some words') IS NOT NULL",
		by_stranger => "SELECT by_stranger_$model('some words') IS NOT NULL"
	};
}

# A session for each role, with its prepared plans.
my %sessions;
for my $role (@roles)
{
	$sessions{$role} = session($node);
	ask($sessions{$role}, "SET SESSION AUTHORIZATION $role;
		SET plan_cache_mode = force_generic_plan;");
	ask($sessions{$role}, "PREPARE prepared_$_(text, text) AS SELECT "
		  . call($_, '$1', '$2') . ' IS NOT NULL')
	  for @models;
}

# --------------------------------------------------------------------------
# The rules
# --------------------------------------------------------------------------

my %granted;					# model => { role or public => 1 }

# By the model's own owner and grants.
sub own_right
{
	my ($role, $model) = @_;

	return
	     $role eq 'superuser'
	  || $role eq 'owner'
	  || $granted{$model}{$role}
	  || $granted{$model}{public};
}

# To use a model takes the right to it and to what it stands on.
sub may_use
{
	my ($role, $model) = @_;

	return own_right($role, $model)
	  && (!$base{$model} || may_use($role, $base{$model}));
}

# The right that counts is the caller's, or that of a function's owner.
sub allowed
{
	my ($role, $model, $way) = @_;

	return may_use(
		$way eq 'definer' ? 'owner'
		: $way eq 'by_stranger' ? 'stranger'
		: $role,
		$model);
}

# --------------------------------------------------------------------------
# The matrix: all cells after each change
# --------------------------------------------------------------------------

my $cells = 0;
my %answers;

sub matrix
{
	my ($after) = @_;

	for my $role (@roles)
	{
		my (@got, @expected);

		for my $model (@models)
		{
			for my $way (@ways)
			{
				my $answer = ask($sessions{$role}, $sql{$model}{$way});
				my $outcome = allowed($role, $model, $way) ? 'yes' : 'no';

				$outcome eq 'yes' ? $answers{yes}++ : $answers{no}++;
				$cells++;
				push @got, "$model by $way: "
				  . ($answer eq 't' ? 'yes'
					: $answer =~ /permission denied for model "$model"/ ? 'no'
					: $answer);
				push @expected, "$model by $way: $outcome";
			}
		}
		is(join("\n", @got), join("\n", @expected), "$role: $after");
		is( ask( $sessions{$role},
				q{SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM mobilebert.models}),
			join(' ', sort grep { may_use($role, $_) } @models),
			"$role sees them: $after");
	}
	return;
}

sub change
{
	my ($what, $model, $role) = @_;

	value($node,
		"SET client_min_messages = warning; SET ROLE owner;
		SELECT mobilebert.${what}_model('$model', '$role')");
	$granted{$model}{$role} = $what eq 'grant';
	return;
}

$granted{model}{public} = 1;
matrix('as registered');

change('revoke', 'model', 'public');
change('grant', $_, 'grantee') for @models;
change('grant', $_, 'revoked') for @models;
matrix('granted to two');

change('revoke', $_, 'revoked') for @models;
matrix('taken back from one');

change('grant', $_, 'public') for keys %base;
matrix('what stands on the model opened to all');

change('grant', 'model', 'revoked');
matrix('the model granted as well');

change('revoke', 'model', $_) for qw(grantee revoked);
matrix('the model taken back from all');

change('revoke', $_, 'public') for keys %base;
change('grant', 'model', 'public');
matrix('the model alone opened to all');

change('revoke', 'model', 'public');
change('grant', $_, 'stranger') for @models;
matrix('granted to another');
change('revoke', $_, 'stranger') for @models;
matrix('and taken back');
cmp_ok($answers{yes}, '>', 200, "$cells cells, $answers{yes} of them allowed");
cmp_ok($answers{no}, '>', 200, "$answers{no} of them refused");
$_->quit for values %sessions;

# --------------------------------------------------------------------------
# What was tried: passing on what was only granted
# --------------------------------------------------------------------------

# Answers of a role in a session of its own.
sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $error) =
	  $node->psql('postgres', "SET SESSION AUTHORIZATION $role; $sql");

	return $error =~ /(ERROR: .*)/ ? $1 : $out;
}

my $denied = qr/^ERROR: .*permission denied for model/;
my $uses = 'SELECT mobilebert.embed($$words$$, $$%s$$) IS NOT NULL';

change('grant', 'model', 'grantee');
is( as('grantee', q{SELECT (mobilebert.create_variant('copy', 'model', 'bf16')).name;
		SELECT (mobilebert.create_variant('copy2', 'copy', 'int8')).name;
		SELECT (mobilebert.import_model('copy3', '} . "$place/directory" . q{')).name}),
	"copy\ncopy2\ncopy3", 'a grantee makes models of it');
edit_json("$place/directory/config.json", sub { $_[0]{base} = 'copy3' });
is( as('grantee',
		"SELECT (mobilebert.import_model('copy4', '$place/directory')).name"),
	'copy4', 'and one of one of them');
my @copies = qw(copy copy2 copy3 copy4);

like(as('stranger', sprintf($uses, $_)), $denied, "PUBLIC cannot use $_")
  for @copies;
as('grantee', "SELECT mobilebert.grant_model('$_', 'public')") for @copies;
like(as('stranger', sprintf($uses, $_)), $denied, "nor once $_ is granted")
  for @copies;
is(as('grantee', sprintf($uses, $_)), 't', "the grantee uses $_") for @copies;
like(
	as('stranger', "SELECT mobilebert.create_variant('mine', 'copy', 'int8')"),
	$denied, 'nor make a model of it');
edit_json("$place/directory/config.json", sub { $_[0]{base} = 'copy' });
like(
	as('stranger', "SELECT mobilebert.import_model('mine', '$place/directory')"),
	qr/base model "copy" does not exist/, 'nor name it as a base');

my ($status, $out, $notice) = $node->psql('postgres',
	q{SET SESSION AUTHORIZATION grantee; SELECT mobilebert.grant_model('copy2', 'stranger')});
like($notice,
	qr/NOTICE:  the right to model "copy2" is not enough.*model "model", which role "stranger" may not use/s,
	'granting says so');

# what stands on a copy stands on the model when the copy goes
($status, $out, $notice) = $node->psql('postgres',
	q{SET SESSION AUTHORIZATION grantee; SELECT mobilebert.drop_model('copy')});
like($notice, qr/NOTICE:  models stand on model "copy": "copy2"/,
	'a drop says what stands on it');
is( value($node, q{SELECT base FROM mobilebert.models WHERE name = 'copy2'}),
	'model', 'which stands on what that stood on');
like(as('stranger', sprintf($uses, 'copy2')), $denied, 'with the same rights');

my $there = session($node);
ask($there, 'SET SESSION AUTHORIZATION grantee');
is(ask($there, sprintf($uses, 'copy2')), 't', 'a session of the grantee');
change('revoke', 'model', 'grantee');
like(ask($there, sprintf($uses, $_)), $denied, "a revoke reaches $_")
  for qw(copy2 copy3 copy4);
like(
	ask($there, "SELECT mobilebert.create_variant('more', 'copy3', 'bf16')"),
	$denied, 'and ends the making of more');
is( ask($there,
		q{SELECT string_agg(name || coalesce(base, '?'), ' ' ORDER BY name) FROM mobilebert.models}),
	'copy2? copy3? copy4copy3', 'its owner still sees them');
is(value($node, sprintf($uses, 'copy4')), 't', 'a superuser uses them');
change('grant', 'model', 'grantee');
is(ask($there, sprintf($uses, 'copy4')), 't', 'granted again');

# the model is dropped: what its owner made goes on, what others made does not
value($node, q{SET ROLE owner;
	SELECT mobilebert.grant_model('variant', 'grantee')});
($status, $out, $notice) = $node->psql('postgres',
	q{SET SESSION AUTHORIZATION owner; SELECT mobilebert.drop_model('model')});
like($notice, qr/NOTICE:  models stand on model "model": .*variant/,
	'a drop says what of the same owner stands on the model');
like($notice, qr/NOTICE:  models of other owners stand on model "model": .*copy2.*superusers/s,
	'and what of others');
is(as('owner', sprintf($uses, 'variant')), 't', 'of the same owner: goes on');
is(ask($there, sprintf($uses, 'variant')), 't', 'as does the right to it');
like(ask($there, sprintf($uses, $_)), qr/$denied/, "of another owner: $_")
  for qw(copy2 copy3 copy4);
fails_like(
	$node, 'SET ROLE grantee; ' . sprintf($uses, 'copy4'),
	'42501', 'It stands on a model that was dropped', 'the error says why');
is(value($node, sprintf($uses, 'copy4')), 't', 'a superuser may use it');
value($node, q{UPDATE mobilebert.model SET base_id = NULL WHERE name = 'copy3'});
is(ask($there, sprintf($uses, 'copy4')), 't', 'and let it go on');

# a circle, which only a superuser can make, ends
value($node, q{UPDATE mobilebert.model SET base_id =
	(SELECT id FROM mobilebert.model WHERE name = 'copy4') WHERE name = 'copy3'});
like(ask($there, sprintf($uses, 'copy4')), $denied, 'a circle of models');
is(value($node, sprintf($uses, 'copy4')), 't', 'is no obstacle to superusers');
value($node, q{UPDATE mobilebert.model SET base_id = NULL WHERE name = 'copy3'});

# no more models one on the other than are looked through
my $last = 'copy3';
for my $n (1 .. 32)
{
	value($node, "SET ROLE grantee;
		SELECT mobilebert.create_variant('pile$n', '$last', 'bf16')");
	$last = "pile$n";
}
is(ask($there, sprintf($uses, 'pile32')), 't', 'a pile of models');
fails_like($node,
	"SET ROLE grantee; SELECT mobilebert.create_variant('more', 'pile32', 'bf16')",
	'54000', 'more than 32 models', 'has an end');
$there->quit;

# a restore that brings what stands on a model before the model
value($node, "SET ROLE owner;
	SELECT mobilebert.import_model('model', '$whole');
	SELECT mobilebert.create_variant('above', 'model', 'bf16');
	SELECT mobilebert.grant_model('above', 'public')");
is(as('stranger', sprintf($uses, 'above')), 't', 'a model on a public one');
value($node, q{CREATE TABLE kept AS SELECT * FROM mobilebert.model WHERE name = 'model';
	DELETE FROM mobilebert.model WHERE name = 'model'});
like(as('stranger', sprintf($uses, 'above')), $denied, 'before it has come');
value($node, q{INSERT INTO mobilebert.model SELECT * FROM kept});
is(as('stranger', sprintf($uses, 'above')), 't', 'when it has');

# two imports of the same bytes have no more to do with each other
edit_json("$place/heads/config.json", sub { delete $_[0]{base} });
copy_model($whole, "$place/named");
edit_json("$place/named/config.json", sub { $_[0]{base} = 'model' });
value($node, "SET ROLE owner; SELECT mobilebert.revoke_model('model', 'public')");
is( as('stranger', "SELECT (mobilebert.import_model('own', '$whole')).base IS NULL"),
	't', 'the same bytes of another role');
is(as('revoked', sprintf($uses, 'own')), 't', 'are public');
is( as('owner', "SELECT (mobilebert.import_model('named', '$place/named')).base IS NULL"),
	't', 'a base of which nothing is taken is none');

# --------------------------------------------------------------------------
# What the time of a call tells of others' texts: whether it was kept is
# counted, and a call that was not kept runs a pass
# --------------------------------------------------------------------------

value($node, q{
	CREATE FUNCTION hidden(model text) RETURNS bool SECURITY DEFINER
	LANGUAGE sql VOLATILE AS $$SELECT mobilebert.embed('a secret', model) IS NOT NULL$$;
	ALTER FUNCTION hidden(text) OWNER TO owner});
my %kept_in = map { $_ => session($node) } qw(owner revoked);
ask($kept_in{$_}, "SET SESSION AUTHORIZATION $_") for keys %kept_in;

# What a call in a session did: passes and results from the cache.
sub effect
{
	my ($where, $sql) = @_;
	my $counters =
	  q{SELECT passes, cache_hits FROM mobilebert.stat_models WHERE name = 'own'};
	my @before = split /\|/, value($node, $counters) || '0|0';
	my $answer = ask($where, $sql);
	my @after = split /\|/, value($node, $counters) || '0|0';

	return $answer if $answer ne 't';
	return sprintf('%d passes, %d kept', $after[0] - $before[0], $after[1] - $before[1]);
}

my $secret = q{SELECT mobilebert.embed('a secret', 'own') IS NOT NULL};
my $computed = '1 passes, 0 kept';
my $kept = '0 passes, 1 kept';

is(effect($kept_in{owner}, $secret), $computed, 'the first call of a text');
is(effect($kept_in{owner}, $secret), $kept, 'the second one in the session');
is(effect($kept_in{revoked}, $secret), $computed, 'in another session the first');
is(effect($kept_in{revoked}, $secret), $kept, 'and there the second');

# several roles in one session
my $one = session($node);
ask($one, 'SET ROLE owner');
is(effect($one, $secret), $computed, 'a session of a superuser, as owner');
ask($one, 'SET ROLE revoked');
is(effect($one, $secret), $computed, 'another role of it does not meet what is kept');
ask($one, 'SET ROLE owner');
is(effect($one, $secret), $kept, 'which is there');

# a function that runs as its owner
ask($one, 'DISCARD ALL');
$_->quit for values %kept_in, $one;
$one = session($node);
ask($one, 'SET SESSION AUTHORIZATION revoked');
is(effect($one, q{SELECT hidden('own')}), $computed, 'a function of the owner');
is(effect($one, $secret), $computed, 'the caller does not find out its text');
is(effect($one, q{SELECT hidden('own')}), $kept, 'the function finds its own');

# and what is kept is nothing to those who may not use the model
value($node, q{SET ROLE stranger; SELECT mobilebert.revoke_model('own', 'public')});
like(effect($one, $secret), $denied, 'kept, and the right taken back');
like(effect($one, q{SELECT hidden('own')}), $denied, 'from the function too');
value($node, q{SET ROLE stranger; SELECT mobilebert.grant_model('own', 'owner')});
is(effect($one, q{SELECT hidden('own')}), $kept, 'the owner of the function has it');
like(effect($one, $secret), $denied, 'its caller has not');
$one->quit;

unharmed($node);
done_testing();
