#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# fuzz.pl
#		Runs a fuzz target for a short while and prints TAP.
#
#	perl test/run/fuzz.pl PROGRAM
#
# PROGRAM is a target linked with test/fuzz/driver.c, built with sanitizers: it
# ends with a failure at the first finding.  It gets the seeds that are kept
# for it, test/fuzz/corpus/TARGET/*, as arguments.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use File::Basename;
use Test::More tests => 1;

my $program = shift @ARGV or die "usage: fuzz.pl PROGRAM\n";
my $name = basename($program);
my $target = $name =~ s/^fuzz_//r;
my @seeds = sort glob "test/fuzz/corpus/$target/*";

# Targets that take bytes as choices have random ones, for so many seconds.
my %options = (
	forward => [qw(-random=16 -runs=1000000 -max_total_time=30)],
	image_write => [qw(-random=48 -runs=1000000 -max_total_time=15)],
	markup => [qw(-random=64 -runs=200000 -max_total_time=15)]);
my $quoted = join ' ', map { "'$_'" } $program, @{ $options{$target} || [] },
  @seeds;
my $output = `$quoted 2>&1`;
my $status = $?;

ok($status == 0, "$name finds nothing")
  or diag("status $status\n" . substr($output, -4000));
note((split /\n/, $output)[-1]) if $output =~ /\S/;
