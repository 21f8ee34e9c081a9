#-------------------------------------------------------------------------
#
# upgrade.pl
#		pg_upgrade takes models, vectors, generated columns and expression
#		indexes along; the image is made anew.
#
# OLD_PG_CONFIG is the pg_config of an older server that has the extension
# (test/run/run.sh sees to that).  Without it both servers are of the same
# version, which pg_upgrade allows.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tiny = golden('one-layer-one-head');
my $new_config = $ENV{PG_CONFIG} || 'pg_config';
my $old_config = $ENV{OLD_PG_CONFIG} || $new_config;
my ($old_bin, $new_bin) =
  map { chomp(my $bin = qx{$_ --bindir}); $bin } $old_config, $new_config;
my ($from, $to) =
  map { qx{$_ --version} =~ /^PostgreSQL (\d+)/; $1 } $old_config, $new_config;
my $old = new_server('old',
	$ENV{OLD_PG_CONFIG} ? (install_path => dirname($old_bin)) : ());
my $new = PostgreSQL::Test::Cluster->new('new');

# Pages have checksums by default from PostgreSQL 18 on.
$new->init(
	extra => [
		'--locale=C', '--encoding=UTF8',
		$from < 18 && $to >= 18 ? '--no-data-checksums' : ()
	]);
is(value($old, 'SHOW server_version_num') =~ /^(\d\d)/ && $1,
	$from, "the old server is of version $from");
value(
	$old, qq{
	SELECT mobilebert.import_model('tiny', '$tiny');
	SELECT mobilebert.create_variant('eighth', 'tiny', 'int8');
	SELECT mobilebert.set_default_model('embed', 'tiny');
	CREATE TABLE note (id int, body text, d double precision[], v real[]
		GENERATED ALWAYS AS (mobilebert.embed(body, 'tiny')) STORED);
	INSERT INTO note VALUES (1, 'before', '{1,2}');
	CREATE INDEX note_d ON note (mobilebert.inner_product(d, ARRAY[0.5, 3]));
	CREATE VIEW near AS SELECT id, mobilebert.l2_distance(d, '{1,1}') AS l2 FROM note});

my @questions = (
	'SELECT id, body, md5(v::text) FROM note WHERE id = 1',
	'SELECT name, owner, sha256, "precision" FROM mobilebert.models ORDER BY name',
	q{SELECT md5(mobilebert.embed('text')::text), md5(mobilebert.embed('text', 'eighth')::text)},
	'SELECT * FROM near',
	q{SELECT pg_get_indexdef('note_d'::regclass)});
my @before = map { value($old, $_) } @questions;

$old->stop;
chdir PostgreSQL::Test::Utils::tempdir() or die;
my $said = join(
	' ',
	"$new_bin/pg_upgrade", $to >= 15 ? '--no-sync' : (), '-b', $old_bin, '-B', $new_bin,
	'-d', $old->data_dir, '-D', $new->data_dir,
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
$said = qx{$said 2>&1};
is($?, 0, "pg_upgrade from $from to $to")
  or diag($said, map { "$_:\n" . substr(file_content($_), -2000) }
	  $said =~ m{"(/\S+\.log)"});
is_deeply([ glob($new->data_dir . '/pgsql_tmp_mobilebert/*') ],
	[], 'images stay behind');
$new->start;
is(value($new, 'SHOW server_version_num') =~ /^(\d\d)/ && $1,
	$to, "the new server is of version $to");
is(value($new, $questions[$_]), $before[$_], $questions[$_]) for 0 .. $#questions;
value($new, q{INSERT INTO note VALUES (2, 'after', '{3,4}')});
is(value($new, q{SELECT v = mobilebert.embed(body, 'tiny') FROM note WHERE id = 2}),
	't', 'a generated column goes on');
is( value(
		$new, q{SET enable_seqscan = off;
		SELECT id FROM note WHERE mobilebert.inner_product(d, ARRAY[0.5, 3]) = 13.5}),
	'2',
	'and an index');

# One image of a model for each database.
value($new, 'CREATE DATABASE second');
value(
	$new, qq{
	CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('tiny', '$tiny')}, 'second');
my $vector = q{SELECT md5(mobilebert.embed('text', 'tiny')::text)};
is(value($new, $vector, 'second'), value($new, $vector), 'another database');
my %contents;
push @{ $contents{$_} }, 1
  for map { m{/\d+\.(\w+)\.\w+\.fp32\.image$} ? $1 : () }
  glob($new->data_dir . '/pgsql_tmp_mobilebert/*');
is(join(' ', map { scalar @$_ } values %contents), '2',
	'has an image of its own of the same content');
unharmed($new);

done_testing();
