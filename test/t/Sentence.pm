#-------------------------------------------------------------------------
#
# Sentence.pm
#		Directories that sentence-transformers saved, and comparing what SQL
#		gives with what the library gave: for sentence.pl and modules.pl.
#
# A case is a line of expected.jsonl: a call, and what the library gave in
# float32 and float64.  Numbers may differ from the float64 ones by 2e-6 of the
# largest number of the case, or by as much as the library's own float32 does
# where that is more (5e-6 of logits that are small beside what they are the sum
# of).
#
#-------------------------------------------------------------------------
package Sentence;

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP;
use List::Util qw(max);
use Mobilebert;
use Test::More;

our @EXPORT = qw(cases directory overlaid quoted compared embedded);

my $bound = 2e-6;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# The cases of a file, compressed or not, by directory
sub cases
{
	my ($file) = @_;
	my %cases;
	my $lines;

	if (-e $file)
	{
		$lines = file_content($file);
	}
	else
	{
		gunzip("$file.gz" => \$lines) or die;
	}
	for my $line (split /\n/, $lines)
	{
		my $case = $json->decode($line);

		push @{ $cases{ $case->{directory} } }, $case;
	}
	return %cases;
}

# A directory, uncompressed into place if need be
sub directory
{
	my ($from, $name, $place) = @_;

	return "$from/$name" if -e "$from/$name/config.json";
	return "$place/$name" if -e "$place/$name/config.json";
	mkdir "$place/$name" or die;
	for my $packed (glob("$from/$name/*.gz $from/$name/*/*.gz"))
	{
		my ($file) = $packed =~ m{^\Q$from\E/(.*)\.gz$};
		my ($inside) = $file =~ m{(.*)/};
		my $content;

		mkdir "$place/$inside";
		gunzip($packed => \$content) or die;
		write_file("$place/$file", $content);
	}
	return "$place/$name";
}

# A copy of a directory with the files of another one over it
sub overlaid
{
	my ($below, $above, $to) = @_;

	for my $from ($below, $above)
	{
		for my $file (map { substr $_, length($from) + 1 } grep { -f } glob("$from/* $from/*/*"))
		{
			make_path("$to/" . ($file =~ m{(.*)/} ? $1 : ''));
			write_file("$to/$file", file_content("$from/$file"));
		}
	}
	return $to;
}

# A string of Perl's characters in SQL, as psql reads it
sub quoted
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	$value =~ s/(['\\])/$1$1/g;
	utf8::encode($value);
	return "E'$value'";
}

sub listed { my ($value) = @_; return ref $value eq 'ARRAY' ? $value : [$value]; }

# Numbers of one answer: the largest difference, relative to the largest number
sub distance
{
	my ($got, $expected, $what) = @_;

	($got, $expected) = map { listed($_->{$what}) } $got, $expected;
	return 9e9 unless @$got == @$expected;
	return max(map { abs($got->[$_] - $expected->[$_]) } 0 .. $#$got) /
	  max(map { abs } @$expected);
}

# What a statement gives for each case: JSON, a row each
sub answers
{
	my ($node, $place, $cases, $call) = @_;
	my $script = "$place/script.sql";

	write_file($script,
		"SET client_min_messages = error;\n" . join('', map { 'SELECT ' . $call->($_) . ";\n" } @$cases));
	return map { $json->decode($_) }
	  split /\n/, `psql -X -q -A -t -v ON_ERROR_STOP=1 -d '${\$node->connstr('postgres')}' -f '$script'`;
}

# All cases of a directory: $call->(case) against field of what is expected
sub compared
{
	my ($node, $place, $name, $cases, $what, $call) = @_;
	my @got = answers($node, $place, $cases, $call);
	my $worst = 0;
	my $own = max(map { distance(@{$_}{qw(expected expected64)}, $what) } @$cases);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @got, scalar @$cases, "$name, $what: all answered");
	for my $n (0 .. $#got)
	{
		$worst = max($worst,
			distance({ $what => $got[$n] }, $cases->[$n]{expected64}, $what));
	}
	cmp_ok($worst, '<=', max($bound, $own), "$name: $what");
	return diag("$name: largest difference of $what: $worst, torch's own $own");
}

# The cases of a model that makes vectors, and its dimension
sub embedded
{
	my ($node, $place, $name, $cases) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	compared(
		$node, $place, $name, $cases,
		'embedding',
		sub {
			my ($case) = @_;

			return sprintf 'to_json(mobilebert.embed(%s, %s%s%s))',
			  quoted($case->{text}), quoted($name),
			  defined $case->{prompt_name}
			  ? ', prompt => ' . quoted($case->{prompt_name})
			  : '',
			  defined $case->{prompt}
			  ? ', prompt_text => ' . quoted($case->{prompt})
			  : '';
		});
	my $dimension = @{ $cases->[0]{expected}{embedding} };
	return is(
		value($node, "SELECT dimension FROM mobilebert.models WHERE name = '$name'"),
		$dimension, "$name: dimension");
}

1;
