#-------------------------------------------------------------------------
#
# package.pl
#		META.json is one that PGXN takes, its versions are the control file's,
#		and what is wrong in one is seen; scripts of released versions stay; for
#		another server the library is built anew.  Each model has its licence,
#		which META.json names, and all of them are not too large; README
#		has the figures that were measured.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use Digest::SHA ();
use File::Basename qw(basename dirname);
use File::Find qw(find);
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Mobilebert;
use Test::More;

chdir "$FindBin::RealBin/../.." or die "chdir: $!";
my $directory = tempdir(CLEANUP => 1);

# what check_meta.pl says of a text: exit status, messages
sub check
{
	my ($text, @version) = @_;
	open(my $handle, '>', "$directory/META.json") or die $!;
	print $handle $text;
	close($handle);
	my $said = qx{$^X test/package/check_meta.pl $directory/META.json @version 2>&1};
	return ($? >> 8, $said);
}

my ($version) = file_content('mobilebert.control') =~ /^default_version = '(.*)'/m;
my $meta = file_content('META.json');
my ($status, $said) = check($meta, "$version.0");
is("$status$said", '0', 'META.json is as PGXN wants it, and has the version of the control file');

foreach my $case (
	[ 's/"abstract": .*//', qr/no "abstract"/, 'a key that must be there' ],
	[ 's/"tags"/"tegs"/', qr/unknown key "tegs"/, 'a misspelt key' ],
	[ 's/14\.0\.0/14/', qr/PostgreSQL is not as it should be/, 'a version of two numbers' ],
	[ "s/\"\Q$version\E\\.0\"/\"$version.1\"/", qr/is \Q$version\E\.1, not/, 'another version' ],
	[ 's/mobilebert--/mobile-/', qr/does not exist/, 'a file that is not there' ],
	[ 's/"semantic search"/"embeddings"/', qr/different texts/, 'a tag twice' ],
	[ 's/}\s*$//', qr/not JSON/, 'what is no JSON' ])
{
	my ($change, $message, $what) = @$case;
	my $text = $meta;
	eval "\$text =~ $change; 1" or die $@;
	($status, $said) = check($text, "$version.0");
	ok($status != 0, "$what is refused");
	like($said, $message, 'and named');
}

# What was released is in databases: from there an update script goes on.
my %released = (
	'1.0' => '63684c206ef94ddbf82f33aa49eed93fd38b26abf070dfab53516747512ea7ca');
foreach my $release (sort keys %released)
{
	my $script = "sql/mobilebert--$release.sql";
	is(Digest::SHA->new(256)->addfile($script)->hexdigest,
		$released{$release}, "$script is as it was released");
}

# A pg_config that gives the same answers, for a server of another version:
# nothing is built here, make only says what it would do.
my $make = $ENV{MAKE} || 'make';
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my $other = "$directory/pg_config";
write_file($other, <<"END");
#!/bin/sh
test "\$*" != --version || { echo 'PostgreSQL 1.0'; exit; }
exec $pg_config "\$@"
END
chmod 0755, $other or die $!;
unlike(qx{$make -n PG_CONFIG=$pg_config}, qr/ -c /,
	'what is built is not built again');
like(qx{$make -n PG_CONFIG=$other}, qr{ -c .*src/pg/server/},
	'but for a server of another version');

# The models: at most 110 MB, each with a licence that META.json names
my %licences = (
	'Apache License' => 'Apache-2.0',
	'Attribution-ShareAlike 4.0' => 'CC-BY-SA-4.0',
	'Attribution 4.0' => 'CC-BY-4.0');
my @named = keys %{ JSON::PP->new->decode($meta)->{license} };
my $readme = file_content('README.md');
my $bytes = 0;

foreach my $model (sort map { dirname($_) } glob('weights/*/config.json'))
{
	my $name = basename($model);
	my ($heading) = -e "$model/LICENSE"
	  ? file_content("$model/LICENSE") =~ /\A\s*(Apache License|Attribution\S* 4\.0)/
	  : ();
	my $licence = $licences{ $heading // '' } // 'none';

	is_deeply(
		[ map { s/ \(.*//r } grep { /[ \/,]\Q$name\E[),]/ } @named ],
		[$licence], "META.json has $name\'s licence, $licence");
	ok(-s "$model/$_", "$name has $_") for qw(NOTICE SOURCE.md);
	if (-e "$model/figures.tsv")
	{
		my %measured = map { sprintf('%.1f', (split /\t/)[2]) => 1 }
		  split /\n/, file_content("$model/figures.tsv");
		my ($quality) = $readme =~ /^\| `\Q$name\E` \| [^|]* \| ([^|]*) \|/m;
		my @said = ($quality // '') =~ /\b(\d+\.\d)\b(?!\.\d)/g;

		ok(@said > 0 && !(grep { !$measured{$_} } @said),
			"README has $name\'s figures")
		  or diag("not in figures.tsv: @{[grep { !$measured{$_} } @said]}");
	}
	find(sub { $bytes += -s if -f }, $model);
}
cmp_ok($bytes, '<=', 110e6, 'the models are not too large');

done_testing();
