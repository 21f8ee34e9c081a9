#-------------------------------------------------------------------------
#
# sentences.pl
#		Directories of sentence-transformers: embeddings equal the library's.
#
# The directories and cases are those of test/golden/sentence-transformers.
# An error may be 2e-6 of the largest number of the vector.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = "$FindBin::RealBin/../golden/sentence-transformers";
my $node = new_server('sentences');

# The largest difference in the measure of the largest number.
sub relative_error
{
	my ($found, $expected) = @_;
	my ($error, $largest) = (0, 0);

	return 1 if @$found != @$expected;
	for my $i (0 .. $#$expected)
	{
		my $difference = abs($found->[$i] - $expected->[$i]);

		$error = $difference if $difference > $error;
		$largest = abs($expected->[$i]) if abs($expected->[$i]) > $largest;
	}
	return $error / $largest;
}

my (%cases, %worst);
for my $line (split /\n/, `gzip -dc '$golden/expected.jsonl.gz'`)
{
	my $case = decode_json($line);
	my $name = $case->{directory};
	my $text = $case->{text};

	next unless $name =~ /^st-/;
	value($node, "SELECT mobilebert.import_model('$name', '$golden/$name')")
	  unless $cases{$name}++;
	utf8::encode($text);
	$text =~ s/'/''/g;
	my $vector = value($node, "SELECT mobilebert.embed('$text', '$name')");
	my $error = relative_error([ split /,/, $vector =~ tr/{}//dr ],
		$case->{expected}{embedding});
	$worst{$name} = $error if $error > ($worst{$name} || 0);
}
ok($worst{$_} < 2e-6, "$_: $cases{$_} texts, largest error $worst{$_}")
  for sort keys %cases;
is(scalar(keys %cases), 2, 'directories');
done_testing();
