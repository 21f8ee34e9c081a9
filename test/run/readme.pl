#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# readme.pl
#		Runs the SQL examples of a Markdown file and compares their output.
#
#	perl test/run/readme.pl README.md
#	UPDATE=1 perl test/run/readme.pl README.md		writes other output into it
#
# Prints TAP.  Examples are the code blocks fenced with ```sql, run in the
# order of the file, in one session and a database of their own.  A block that
# directly follows, fenced with ``` or ```text, is the output that psql has to
# give (without command tags); without one the example has to run without an error.  Numbers with a
# fraction may differ by a thousandth of their size, since kernels for
# different processors round differently; blanks at the ends of lines and the
# length of rules do not count.  A line
#
#	<!-- not run: REASON -->
#
# above an example leaves it out.  With UPDATE set, an output that differs is
# replaced in the file by what psql gave, to be read before it is kept; an
# error is not, where there was none.  Links within the file have to lead to a
# heading, and its contents, if it has any, to each part and to each long part
# of a part.  The variable checkpoints of psql is the path
# of test/golden/checkpoint.  The connection is taken from PGHOST and its kin.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $database = 'readme';
my $mark = '-- end of example';
my $checkpoints = abs_path(dirname(__FILE__) . '/../golden/checkpoint');

# The examples of a text as hashes: line, sql, output (undef), the line that it
# begins in, skip (undef).
sub examples
{
	my ($text) = @_;
	my (@found, $reason, $block, $language);
	my ($number, $adjacent) = (0, 0);

	foreach my $line (split /\n/, $text)
	{
		$number++;
		if (defined $block)
		{
			if ($line !~ /^```\s*$/)
			{
				$block .= "$line\n";
				next;
			}
			if ($language eq 'sql')
			{
				push @found,
				  { line => $number, sql => $block, skip => $reason };
				$adjacent = 1;
				$reason = undef;
			}
			elsif ($adjacent && $language =~ /^(?:text)?$/)
			{
				$found[-1]{output} = $block;
				$found[-1]{begins} = $number - ($block =~ tr/\n//);
				$adjacent = 0;
			}
			$block = undef;
		}
		elsif ($line =~ /^```\s*(\w*)/)
		{
			$language = $1;
			$block = '';
		}
		elsif ($line =~ /^<!-- not run: (.*?) -->/)
		{
			$reason = $1;
		}
		elsif ($line =~ /\S/)
		{
			$adjacent = 0;
		}
	}
	return @found;
}

# Output in a form that can be compared: a list of words and numbers.
sub parts
{
	my ($text) = @_;

	$text =~ s/-{3,}/---/g;
	return grep { length } split /\s+|(?<=[{(,|])|(?=[})|,])/, $text;
}

sub same_part
{
	my ($a, $b) = @_;
	my $number = qr/^-?\d+\.\d+(?:e[-+]?\d+)?$/;

	return 1 if $a eq $b;
	return 0 unless $a =~ $number && $b =~ $number;
	return abs($a - $b) <= 1e-3 * (abs($b) > 1e-3 ? abs($b) : 1e-3);
}

sub same_output
{
	my ($got, $expected) = @_;
	my @got = parts($got);
	my @expected = parts($expected);

	return 0 unless @got == @expected;
	return !grep { !same_part($got[$_], $expected[$_]) } 0 .. $#got;
}

# The text with other outputs: pairs of an example and what psql gave.
sub with_outputs
{
	my ($text, @others) = @_;
	my @lines = split /^/, $text;

	# from the last on, so that lines before keep their numbers
	foreach my $other (reverse @others)
	{
		my ($example, $got) = @$other;
		my $count = $example->{output} =~ tr/\n//;

		$got =~ s/[ \t]+$//gm;
		$got =~ s/\A\n+|\n+\z//g;
		splice @lines, $example->{begins} - 1, $count, "$got\n";
	}
	return join '', @lines;
}

# The parts of a text as hashes: level, anchor, lines.
sub headings
{
	my ($text) = @_;
	my ($code, @found) = (0);

	foreach my $line (split /\n/, $text)
	{
		$code = !$code if $line =~ /^```/;
		if (!$code && $line =~ /^(##+) (.*)/)
		{
			my ($level, $anchor) = (length $1, lc $2);

			$anchor =~ s/[^\w\- ]//g;
			$anchor =~ tr/ /-/;
			push @found, { level => $level, anchor => $anchor, lines => 0 };
		}
		$found[-1]{lines}++ if @found;
	}
	return @found;
}

sub dangling_links
{
	my ($text) = @_;
	my %is_heading = map { $_->{anchor} => 1 } headings($text);

	return grep { !$is_heading{$_} } $text =~ /\]\(#([^)]+)\)/g;
}

# Parts that the line of contents, where there is one, leaves out.
sub parts_not_listed
{
	my ($text) = @_;
	my ($contents) = $text =~ /^(\*\*Contents\*\*.*)/m or return ();
	my %listed = map { $_ => 1 } $contents =~ /\(#([^)]+)\)/g;

	return grep { !$listed{$_} } map { $_->{anchor} }
	  grep { $_->{level} == 2 || $_->{lines} > 60 } headings($text);
}

sub run
{
	my (@command) = @_;
	my $quoted = join ' ', map { "'" . s/'/'\\''/gr . "'" } @command;

	return scalar `$quoted 2>&1`;
}

my $file = shift @ARGV or die "usage: readme.pl FILE\n";
open my $fh, '<', $file or die "cannot read $file: $!\n";
my $text = do { local $/; <$fh> };
my @examples = examples($text);

is_deeply([ dangling_links($text) ], [], 'all links lead to a heading');
is_deeply([ parts_not_listed($text) ], [], 'the contents list all long parts');
ok(@examples > 0, "$file has examples");

# One session for all: each example is followed by a line that marks its end.
my $directory = tempdir(CLEANUP => 1);
open my $script, '>', "$directory/script.sql" or die "cannot write: $!\n";
foreach my $example (@examples)
{
	print $script $example->{sql} unless defined $example->{skip};
	print $script "\n\\echo $mark\n";
}
close $script;

run('psql', '-X', '-q', '-d', 'postgres', '-c', "CREATE DATABASE $database");
my $all = run('psql', '-X', '-q', '-v', "checkpoints=$checkpoints", '-d',
	$database, '-f', "$directory/script.sql");
$all =~ s/^psql:\S+: //gm;
my @outputs = split /^\Q$mark\E\n/m, $all, -1;
my @others;

foreach my $example (@examples)
{
	my $got = shift @outputs // '';
	my $name = "example that ends at line $example->{line}";

  SKIP:
	{
		skip "$name: $example->{skip}", 1 if defined $example->{skip};
		my $fails = $got =~ /\bERROR:|\bFATAL:/;

		if (defined $example->{output})
		{
			if (   $ENV{UPDATE}
				&& !same_output($got, $example->{output})
				&& (!$fails || $example->{output} =~ /\bERROR:/))
			{
				push @others, [ $example, $got ];
				pass("$name: written anew");
				next;
			}
			ok(same_output($got, $example->{output}), $name)
			  or diag("expected:\n$example->{output}got:\n$got");
		}
		else
		{
			ok(!$fails, $name) or diag($got);
		}
	}
}
run('psql', '-X', '-q', '-d', 'postgres', '-c', "DROP DATABASE $database");
if (@others)
{
	open my $target, '>', $file or die "cannot write $file: $!\n";
	print $target with_outputs($text, @others);
	close $target or die "cannot write $file: $!\n";
}
done_testing();
