#-------------------------------------------------------------------------
#
# upgrade.pl
#		pg_upgrade takes models, vectors, generated columns and expression
#		indexes along; the image is made anew.
#
# Both servers are of the same version here, which pg_upgrade allows: what it
# does to the catalogs and files is the same.
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

my $tiny = golden('one-layer-one-head');
my $old = new_server('old');
my $new = PostgreSQL::Test::Cluster->new('new');
my $bin = $old->config_data('--bindir');

$new->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
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
command_ok(
	[
		"$bin/pg_upgrade", '--no-sync', '-b', $bin, '-B', $bin,
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
is_deeply([ glob($new->data_dir . '/pgsql_tmp_mobilebert/*') ],
	[], 'images stay behind');
$new->start;
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
