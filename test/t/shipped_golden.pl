#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# shipped_golden.pl
#		The shipped models against Hugging Face: logits of each head.
#
#	prove test/t/shipped_golden.pl
#	GOLDEN=../other prove -v test/t/shipped_golden.pl
#
# A line of NAME.jsonl is a text or pair and the logits of one head, as
# weights/train/golden.py wrote them with the complete model: a row for each
# token, or one; for a mask those of some tokens.  A model that is not installed
# (MODELS) is skipped.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use File::Basename qw(basename);
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use List::Util qw(max);
use Mobilebert;
use Test::More;

my $bound = 1e-5;				# of the largest number of a text
my $folder = $ENV{GOLDEN} || "$FindBin::RealBin/../golden/shipped";
my @files = glob("$folder/*.jsonl");
plan skip_all => "there are no files in $folder" unless @files;

my $node = new_server('shipped_golden');
my $json = JSON::PP->new->utf8;
value($node, 'SELECT mobilebert.import_defaults()');

sub quoted
{
	my ($value) = @_;

	return "'" . $value =~ s/'/''/gr . "'";
}

# The rows of logits that the extension gives for a line of a file.
sub logits
{
	my ($model, $line) = @_;
	my $pair = exists $line->{pair} ? ', pair => ' . quoted($line->{pair}) : '';
	my $where = exists $line->{token_no} ? "WHERE token_no = $line->{token_no}" : '';
	my $logits = exists $line->{ids}
	  ? 'ARRAY(SELECT logits[i + 1] FROM unnest('
	  . "'{" . join(',', @{ $line->{ids} }) . "}'::int[]"
	  . ') WITH ORDINALITY AS u (i, n) ORDER BY n)'
	  : 'logits';

	return $json->decode(value(
			$node, qq{SELECT json_agg(l ORDER BY token_no) FROM (SELECT token_no, $logits AS l
			FROM mobilebert.logits(${\ quoted($line->{text})}, '$model'$pair,
				head => '$line->{head}') $where) AS z}));
}

# The largest difference of two lists of lists; undef where their shapes differ.
sub difference
{
	my ($found, $expected) = @_;
	my $worst = 0;

	return undef if @$found != @$expected;
	for my $row (0 .. $#$found)
	{
		return undef if @{ $found->[$row] } != @{ $expected->[$row] };
		$worst = max($worst, map { abs($found->[$row][$_] - $expected->[$row][$_]) }
			  0 .. $#{ $expected->[$row] });
	}
	return $worst;
}

for my $file (@files)
{
	my $model = basename($file, '.jsonl');

  SKIP:
	{
		skip "model $model is not installed", 1
		  unless value($node,
			"SELECT count(*) FROM mobilebert.models WHERE name = '$model'");
		my @worst;

		for my $line (map { $json->decode($_) } split /\n/, file_content($file))
		{
			my $largest = max(map { map { abs } @$_ } @{ $line->{logits} });
			my $apart = difference(logits($model, $line), $line->{logits});

			push @worst, defined $apart ? $apart / $largest : 9e9;
		}
		cmp_ok(max(@worst), '<=', $bound, "$model: " . @worst . ' texts');
		diag(sprintf '%s: %.1e of the largest number at most', $model, max(@worst));
	}
}
unharmed($node);
done_testing();
