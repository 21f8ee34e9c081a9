#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# border.pl
#		Checks the border between the engine and the server, and the layout
#		of the house; prints TAP.
#
#	perl test/run/border.pl [--tracked LIST] [MODULE.so]
#
# The engine knows the C library, processor intrinsics and itself; OpenBLAS
# in gemm_openblas.c and utf8proc in text.c only.  The adapter knows the server, and of
# the engine engine.h alone.  Each side includes its own headers by their path
# inside it, and none of them has the path of a header of the server.  With
# a built module its exported symbols are looked at as well.  LIST names the
# files under version control, for a copy of the tree; without it git is asked.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use File::Basename;
use Test::More;

my $list;
if (@ARGV && $ARGV[0] eq '--tracked')
{
	shift;
	$list = shift;
}

chdir dirname(__FILE__) . '/../..' or die "cannot enter the top directory: $!";

my @engine = glob 'src/engine/*.[ch] src/engine/*/*.[ch]';
my @adapter = glob 'src/pg/*.[ch] src/pg/*/*.[ch]';
# Names as in an include directive, and names that lack the path.
my %own = map { m{^src/engine/(.*)} => 1 } @engine;
my %adapters = map { m{^src/pg/(.*)} => 1 } @adapter;
my %bare = map { basename($_) => 1 } @engine, @adapter;
my %library = map { ("$_.h" => 1) } qw(assert ctype errno float inttypes limits
  math stdarg stdbool stddef stdint stdio stdlib string cpuid);

# none(TEXT, FINDINGS): passes when there are no findings, else shows them.
sub none
{
	my ($text, @found) = @_;

	ok(!@found, $text) or diag(join "\n", @found);
}

sub contents
{
	my ($file) = @_;

	open my $fh, '<', $file or die "cannot read $file: $!";
	local $/;
	return scalar <$fh>;
}

# The lines of a file without comments and string literals, as [number, text].
sub code
{
	my ($text) = @_;
	my $number = 0;

	$text =~ s{("(?:[^"\\\n]|\\.)*")|('(?:[^'\\\n]|\\.)*')|/\*(.*?)\*/}
			  {defined $1 ? '""' : defined $2 ? "''" :
			   ("\n" x ($3 =~ tr/\n//))}gsex;
	return map { [ ++$number, $_ ] } split /\n/, $text;
}

# Places in the files where the pattern matches code.
sub places
{
	my ($pattern, @files) = @_;
	my @found;

	foreach my $file (@files)
	{
		push @found, map { "$file:$_->[0]: $_->[1]" }
		  grep { $_->[1] =~ $pattern } code(contents($file));
	}
	return @found;
}

# Include directives the given function does not allow, as "file: header".
sub includes_except
{
	my ($allowed, @files) = @_;
	my @found;

	foreach my $file (@files)
	{
		my $text = contents($file);

		while ($text =~ /^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)/gm)
		{
			push @found, "$file: $1" unless $allowed->($file, $1);
		}
	}
	return @found;
}

sub engine_may
{
	my ($file, $header) = @_;

	return $file eq 'src/engine/kernels/gemm_openblas.c'
	  if $header eq 'cblas.h';
	# Linux is asked for the right to use AMX tiles
	return $file eq 'src/engine/base/cpu.c'
	  if $header =~ m{^(?:sys/syscall|unistd)\.h$};
	# and for memory in large pages
	return $file eq 'src/engine/base/pages.c' if $header eq 'sys/mman.h';
	return $file eq 'src/engine/tokenizer/text.c' if $header eq 'utf8proc.h';
	return $library{$header} || $own{$header} || $header =~ /^\w*intrin\.h$/;
}

sub adapter_may
{
	my ($file, $header) = @_;

	return 1 if $header eq 'engine/engine.h';
	return 0 if $header =~ m{^\.|engine/} || $bare{$header};
	return 0 if $header =~ /^(?:cblas|utf8proc)\.h$/;
	return $adapters{$header} || !$own{$header};
}

ok(@engine > 0 && @adapter > 0, 'there are sources to look at');
none('the engine includes no header of the server or of another library',
	includes_except(\&engine_may, @engine));
none('of the engine, the adapter includes engine.h alone',
	includes_except(\&adapter_may, @adapter));
SKIP:
{
	my $config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $server = `$config --includedir-server 2>/dev/null` // '');

	skip 'no headers of the server', 1 unless $server && -d $server;
	none('no header of ours has the path of one of the server',
		grep { -e "$server/$_" } sort(keys %own, keys %adapters),
		map { s{^src/}{}r } @engine, @adapter);
}
none('the engine neither ends the process nor writes messages',
	places(qr/\b(?:exit|_exit|abort|raise|v?f?printf|puts|putchar|fputs
				 |perror|setjmp|longjmp)\s*\(|\b(?:stdout|stderr)\b/x,
		@engine));
none('the engine calls nothing of the server',
	places(qr/\b(?:elog|ereport|palloc\w*|pfree|CHECK_FOR_INTERRUPTS)\b/,
		@engine));
none('comments are /* */', places(qr{//}, @engine, @adapter));

SKIP:
{
	my @tracked = split /\n/,
	  defined $list ? contents($list) : `git ls-files 2>/dev/null`;
	my %top = map { m{^([^/]+)} => 1 } @tracked;
	my @agreed = qw(src sql expected test weights Makefile mobilebert.control
	  README.md LICENSE CHANGELOG.md META.json .gitignore .editorconfig .ci);
	my @sources = grep { m{^(?:src|sql|test|weights)/.*\.(?:c|h|sql|pl|sh|py|mk)$}
		  || /^Makefile$/ } @tracked;
	my $promise = join '|', 'TO' . 'DO', 'FIX' . 'ME', 'not implement' . 'ed';

	skip 'not a git checkout', 2 unless @tracked;
	delete @top{@agreed};
	none('the top level is the agreed one', sort keys %top);
	none('no promise is left in the sources',
		grep { -e $_ && contents($_) =~ /$promise/ } @sources);
}

foreach my $module (@ARGV)
{
	my @symbols = map { (split)[-1] } `nm -D --defined-only '$module'`;

	ok(scalar(grep { $_ eq 'Pg_magic_func' } @symbols),
		"$module is a module of PostgreSQL");
	none("$module shows SQL entry points only",
		grep { !/^(?:pg_finfo_)?mobilebert_|^Pg_magic_func$|^_PG_(?:init|fini)$/ }
		  @symbols);
	none("$module has no tiles but the processor's (test/unit/software_tiles.h)",
		grep { /soft_tiles/ } `nm '$module'`);
}

done_testing();
