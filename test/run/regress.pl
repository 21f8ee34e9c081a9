#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# regress.pl
#		Runs pg_regress and prints TAP: a line for each of its tests.
#
#	perl test/run/regress.pl
#	SQL="embed ner" perl test/run/regress.pl		these files alone
#
# From the top directory, with PG_CONFIG, PGHOST, PGPORT and PGUSER of a server
# that has the extension's files.  "make installcheck" knows which tests there
# are and how they run; this reads what it says, in the forms of PostgreSQL 14
# and 15 and of 16 and later, and shows the differences of what fails.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use Test::More;

my $make = $ENV{MAKE} || 'make';
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my $only = $ENV{SQL} ? "REGRESS='$ENV{SQL}'" : '';
my $output =
  `$make installcheck PG_CONFIG='$pg_config' TAP_TESTS= $only 2>&1`;
my $status = $?;

foreach my $line (split /\n/, $output)
{
	if ($line =~ /^(?:test)?\s+(\S+)\s+\.\.\. (ok|FAILED|failed)\b/)
	{
		ok($2 eq 'ok', $1);
	}
	elsif ($line =~ /^(not )?ok \d+\s+[-+] (\S+)/)
	{
		ok(!$1, $2);
	}
}

is($status, 0, 'pg_regress ends well') or diag($output);
cmp_ok(Test::More->builder->current_test, '>', 1, 'there are tests');
if ($status != 0 && open my $diffs, '<', 'regression.diffs')
{
	diag($_) while <$diffs>;
}
done_testing();
