#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# check_meta.pl
#		Is META.json one that PGXN takes?
#
#	perl test/package/check_meta.pl META.json [VERSION]
#
# The rules are those of the PGXN Meta Spec 1.0 (pgxn.org/meta/spec.txt) for
# the keys that we have; a key that it does not know is refused, so that a
# misspelt one is seen.  Files that "provides" names must exist.  With VERSION,
# ours and the extension's must be it.  Uses nothing but Perl's own modules.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use JSON::PP ();

my ($file, $wanted) = @ARGV;
die "usage: check_meta.pl META.json [VERSION]\n" unless defined $file;
open(my $handle, '<:raw', $file) or die "$file: $!\n";
my $meta = eval { JSON::PP->new->utf8->decode(do { local $/; <$handle> }) }
  or die "$file is not JSON: $@";
my @wrong;

my $number = qr/(?:0|[1-9]\d*)/;
my $version = qr/$number\.$number\.$number(?:-[0-9A-Za-z.-]+)?/;
my $range = qr/(?:(?:[=!]=|[<>]=?)\s*)?(?:$version|0)/;
my $term = qr{[^/\\\s[:cntrl:]]{2,}};
my $text = qr/.+/s;
my $uri = qr{[a-z]+://\S+};

# hash WHERE, VALUE, RULES: every key has a rule, a pattern or a sub; those with ! must be there
sub hash
{
	my ($where, $value, %rules) = @_;
	if (ref $value ne 'HASH' || !%$value)
	{
		push @wrong, "$where is not an object with keys";
		return;
	}
	my %known = map { (s/!$//r => $rules{$_}) } keys %rules;
	for my $key (grep { s/!$// } keys %rules)
	{
		push @wrong, "$where has no \"$key\"" unless exists $value->{$key};
	}
	for my $key (sort keys %$value)
	{
		next if $key =~ /^x_./i;
		my $rule = $known{$key} // $known{'*'};
		if (!defined $rule)
		{
			push @wrong, "$where has an unknown key \"$key\"";
		}
		elsif (ref $rule eq 'CODE')
		{
			$rule->("$where/$key", $value->{$key});
		}
		elsif (ref $value->{$key} || $value->{$key} !~ /\A$rule\z/)
		{
			push @wrong, "$where/$key is not as it should be";
		}
	}
}

# list PATTERN: a list of different strings
sub list
{
	my ($pattern) = @_;
	return sub {
		my ($where, $value) = @_;
		my %seen;
		my $good = ref $value eq 'ARRAY' && @$value;
		$good &&= !grep { ref || !/\A$pattern\z/ || $seen{$_}++ } @$value;
		push @wrong, "$where is not a list of different texts" unless $good;
	};
}

# phase: requires, recommends, suggests or conflicts, each of names and ranges
sub phase
{
	my ($where, $value) = @_;
	my $names = sub { hash(@_, '*' => qr/$range(?:,\s*$range)*/) };
	hash($where, $value, map { $_ => $names } qw(requires recommends suggests conflicts));
}

hash('META.json', $meta,
	'name!' => $term,
	'version!' => $version,
	'abstract!' => $text,
	description => $text,
	'maintainer!' => list($text),
	'license!' => sub { hash(@_, '*' => $uri) },
	prereqs => sub {
		hash(@_, map { $_ => \&phase } qw(configure build test runtime develop));
	},
	'provides!' => sub {
		my ($where, $value) = @_;
		hash($where, $value, '*' => sub {
			hash(@_, 'file!' => $text, 'version!' => $version, abstract => $text,
				docfile => $text, docpath => $text);
		});
	},
	generated_by => $text,
	release_status => qr/stable|testing|unstable/,
	'meta-spec!' => sub {
		hash(@_, 'version!' => qr/1\.0\.\d+/, url => qr{https?://pgxn\.org/meta/spec\.txt});
	},
	resources => sub {
		my ($where, $value) = @_;
		hash($where, $value, homepage => $uri,
			bugtracker => sub { hash(@_, web => $uri, mailto => $text) },
			repository => sub { hash(@_, url => $uri, web => $uri, type => qr/[a-z]+/) });
	},
	tags => list(qr{[^/\\[:cntrl:]]{2,255}}));

if (!@wrong)
{
	for my $name (sort keys %{ $meta->{provides} })
	{
		my $provided = $meta->{provides}{$name};
		for my $key (grep { exists $provided->{$_} } qw(file docfile))
		{
			push @wrong, "provides/$name/$key: $provided->{$key} does not exist"
			  unless -f $provided->{$key};
		}
		push @wrong, "provides/$name has version $provided->{version}, not $wanted"
		  if defined $wanted && $provided->{version} ne $wanted;
	}
	push @wrong, "the version is $meta->{version}, not $wanted"
	  if defined $wanted && $meta->{version} ne $wanted;
}
print STDERR map { "$file: $_\n" } @wrong;
exit(@wrong ? 1 : 0);
