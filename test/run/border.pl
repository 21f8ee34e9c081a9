#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# border.pl
#		Checks the border between the engine and the server, and the layout
#		of the house; prints TAP.
#
#	perl test/run/border.pl [--tracked LIST] [MODULE.so]
#
# The folders of src/engine and of src/pg are layers: what a file includes lies
# in its own layer or in one below (%below), and includes make no circle.  Each
# header compiles by itself, and what follows "Depends on" in a file's first
# comment are the headers of ours that it includes.  The files that the two maps,
# src/README.md and test/README.md, name are there.
#
# The engine knows the C library, processor intrinsics and itself; OpenBLAS
# in gemm_openblas.c and utf8proc in text.c only.  The adapter knows the server,
# and of the engine engine.h alone.  Each side includes its own headers by their path
# inside it, and none of them has the path of a header of the server.  With
# a built module its exported symbols are looked at as well.  LIST names the
# files under version control, for a copy of the tree; without it git is asked.
#
#-------------------------------------------------------------------------
use strict;
use warnings;
use File::Basename;
use File::Temp qw(tempdir);
use Test::More;

my $list;
if (@ARGV && $ARGV[0] eq '--tracked')
{
	shift;
	$list = shift;
}

chdir dirname(__FILE__) . '/../..' or die "cannot enter the top directory: $!";

my @engine = glob 'src/engine/*.[ch] src/engine/*/*.[ch] src/engine/*/*/*.[ch]';
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
	# and, on aarch64, for what the processor has
	return $file eq 'src/engine/base/cpu.c' if $header eq 'sys/auxv.h';
	# and for memory in large pages
	return $file eq 'src/engine/base/pages.c' if $header eq 'sys/mman.h';
	return $file eq 'src/engine/tokenizer/text.c' if $header eq 'utf8proc.h';
	return $library{$header} || $own{$header} ||
	  $header =~ /^(?:\w*intrin|arm_neon)\.h$/;
}

sub adapter_may
{
	my ($file, $header) = @_;

	return 1 if $header eq 'engine/engine.h';
	return 0 if $header =~ m{^\.|engine/} || $bare{$header};
	return 0 if $header =~ /^(?:cblas|utf8proc)\.h$/;
	return $adapters{$header} || !$own{$header};
}

# The layers that a layer may include, beside itself.
my %below = (
	'engine/base' => [],
	'engine/kernels' => [qw(engine/base)],
	'engine/kernels/x86' => [qw(engine/base engine/kernels)],
	'engine/kernels/arm' => [qw(engine/base engine/kernels)],
	'engine/tokenizer' => [qw(engine/base)],
	'engine/model' => [qw(engine/base engine/kernels engine/tokenizer)],
	'engine/encoder' => [
		qw(engine/base engine/kernels engine/tokenizer engine/model)
	],
	'engine/tasks/patterns' => [qw(engine/base engine/tokenizer)],
	'engine/tasks' => [
		qw(engine/base engine/kernels engine/tokenizer engine/model
		  engine/encoder engine/tasks/patterns)
	],
	'engine/learning' => [qw(engine/base engine/kernels)],
	'engine' => [
		qw(engine/base engine/kernels engine/tokenizer engine/model
		  engine/encoder engine/tasks engine/tasks/patterns
		  engine/learning)
	],
	'pg/server' => [qw(engine)],
	'pg/models' => [qw(engine pg/server)],
	'pg/import' => [qw(engine pg/server pg/models)],
	'pg/pass' => [qw(engine pg/server pg/models)],
	'pg/functions' => [qw(engine pg/server pg/models pg/pass)],
	'pg/compare' => [qw(engine pg/server pg/models pg/pass pg/functions)],
	'pg/learn' => [
		qw(engine pg/server pg/models pg/pass pg/functions)
	],
	'pg/planner' => [qw(engine pg/server pg/models pg/pass pg/functions)],
	'pg/enrich' => [qw(engine pg/server)],
	'pg/help' => [qw(engine pg/server)],
	'pg' => [
		qw(engine pg/server pg/models pg/import pg/pass pg/functions
		  pg/compare pg/learn pg/planner pg/enrich pg/help)
	]);

# The file that an include directive of ours names, "" for all others.
sub included_file
{
	my ($file, $header) = @_;
	my @sides = $file =~ m{^src/engine/} ? ('src/engine') : ('src/pg', 'src');

	foreach my $side (@sides)
	{
		return "$side/$header" if -e "$side/$header";
	}
	return '';
}

# Files of ours that a file includes
sub own_includes
{
	my ($file) = @_;
	my @headers = contents($file) =~ /^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm;

	return grep { $_ ne '' } map { included_file($file, $_) } @headers;
}

# src/engine/encoder/forward.c is in engine/encoder, a part of module forward
sub layer_of { return dirname($_[0]) =~ s{^src/}{}r; }
sub module_of { return $_[0] =~ s{\.[ch]$}{}r; }

# Includes of another layer than those below
sub climbing
{
	my (%includes) = @_;
	my @found;

	foreach my $file (sort keys %includes)
	{
		my $layer = layer_of($file);
		my %may = map { $_ => 1 } $layer, @{ $below{$layer} || [] };

		push @found, map { "$file includes $_" }
		  grep { !$may{ layer_of($_) } } @{ $includes{$file} };
	}
	return @found;
}

# Modules, a .c file and its header, that include each other in a circle: what
# remains when those that include nothing of what remains are taken away, and
# those that nothing of what remains includes.
sub circles
{
	my (%includes) = @_;
	my %uses;
	my $before;

	foreach my $file (keys %includes)
	{
		my $module = module_of($file);

		$uses{$module} ||= {};
		$uses{$module}{$_} = 1
		  foreach grep { $_ ne $module } map { module_of($_) }
		  @{ $includes{$file} };
	}
	do
	{
		my %used;

		$before = keys %uses;
		delete @uses{ grep { !grep { $uses{$_} } keys %{ $uses{$_} } }
			  keys %uses };
		$used{$_} = 1 foreach map { keys %$_ } values %uses;
		delete @uses{ grep { !$used{$_} } keys %uses };
	} while (keys %uses < $before);
	return map { my $m = $_; "$m includes " .
		  join(' ', sort grep { $uses{$_} } keys %{ $uses{$m} }) }
	  sort keys %uses;
}

# The headers after "Depends on" in a file's first comment, up to the end of
# the sentence or of the paragraph
sub stated_headers
{
	my ($text) = @_;
	my ($comment) = $text =~ m{\A/\*(.*?)\*/}s;
	my ($sentence) = ($comment || '') =~
	  m{\bDepends\s(?:\s*\*\s)*on\b(.*?)(?:\.(?=\s)|\n \*\n|\z)}s;

	return ($sentence || '') =~ m{([\w/]+\.h)\b}g;
}

# Files whose "Depends on" is not what they include; their own header apart
sub wrong_dependencies
{
	my (%includes) = @_;
	my @found;

	# engine.h is a list of headers, no more.
	foreach my $file (grep { !/engine\/engine\.h$/ } sort keys %includes)
	{
		my $own = module_of($file) . '.h';
		my %real = map { $_ => 1 } grep { $_ ne $own } @{ $includes{$file} };
		my %said = map { $_ => 1 } grep { $_ ne $own }
		  map { included_file($file, $_) || $_ } stated_headers(contents($file));
		my @missing = grep { !$said{$_} } sort keys %real;
		my @false = grep { !$real{$_} } sort keys %said;

		push @found, "$file does not name @missing" if @missing;
		push @found, "$file names @false, but does not include it" if @false;
	}
	return @found;
}

# Headers that the compiler refuses when they come first; the server's own rule
# is that postgres.h comes before.  What is included as a template needs more.
sub dependent_headers
{
	my ($cc, $flags, $first, @headers) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my @found;

	foreach my $header (grep { !/_template\.h$/ } @headers)
	{
		my $name = $header =~ s{^src/(?:engine|pg)/}{}r;
		my $file = "$dir/" . ($name =~ tr{/}{_}r) . '.c';

		open my $fh, '>', $file or die "cannot write $file: $!";
		print $fh $first, qq{#include "$name"\n};
		close $fh;
		push @found, $header . "\n" . `$cc $flags -fsyntax-only $file 2>&1`
		  if system("$cc $flags -fsyntax-only $file >/dev/null 2>&1") != 0;
	}
	return @found;
}

# Files that a map names in backquotes, by whatever part of their path, and
# that are nowhere; NAME and SET stand for names.
sub missing_files
{
	my ($map) = @_;
	my @found;

	foreach my $name (contents($map) =~ m{`([\w./*\[\]-]+\.(?:c|h|\[ch\]|mk|pl|sh|sql|py))`}g)
	{
		my $path = $name =~ s{^(?:\.\./)+}{}r =~ s{\[ch\]}{\{c,h\}}r;

		next if $name =~ /NAME|SET/;
		push @found, "$map: $name"
		  unless grep { -e $_ } map { glob "$_$path" } '', 'sql/', 'src/', 'src/*/',
		  'src/*/*/', 'src/*/*/*/', 'test/', 'test/*/', 'test/*/*/';
	}
	return @found;
}

ok(@engine > 0 && @adapter > 0, 'there are sources to look at');
none('the maps name files that are there',
	map { missing_files($_) } 'src/README.md', 'test/README.md');
{
	my %includes = map { $_ => [ own_includes($_) ] } @engine, @adapter;
	my $count = 0;
	my %files;

	$count += @{$_} foreach values %includes;
	none("none of $count includes goes up a layer", climbing(%includes));
	none("no circle among $count includes", circles(%includes));
	none('"Depends on" names what a file includes',
		wrong_dependencies(%includes));
	none('no file is longer than 900 lines, generated ones apart',
		grep { contents($_) =~ tr/\n// > 900 && !/unicode_tables\.c$/ }
		  @engine, @adapter);
	$files{ layer_of($_) }++ foreach @engine, @adapter;
	none('no folder has more than 25 files',
		grep { $files{$_} > 25 }
		  sort keys %files);
}
SKIP:
{
	my $cc = $ENV{CC} || 'cc';
	my $machine = `$cc -dumpmachine 2>/dev/null`;
	my $config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $server = `$config --includedir-server 2>/dev/null` // '');

	skip 'no compiler', 2 unless $machine;
	none('each header of the engine compiles by itself',
		dependent_headers($cc, '-std=gnu99 -Isrc/engine' .
			($machine =~ /^x86_64/ ? ' -march=sapphirerapids' : ''), '',
			grep { /\.h$/ } @engine));
	skip 'no headers of the server', 1 unless $server && -d $server;
	none('each header of the adapter compiles behind postgres.h',
		dependent_headers($cc, "-Isrc/pg -Isrc -Isrc/engine -isystem $server",
			qq{#include "postgres.h"\n}, grep { /\.h$/ } @adapter));
}
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
	none("$module looks for libraries in folders named in full",
		grep { !m{^/} } map { split /:/ }
		  `readelf -d '$module'` =~ /\((?:RPATH|RUNPATH)\).*\[(.*)\]/);
	none("$module has no tiles but the processor's (test/unit/software_tiles.h)",
		grep { /soft_tiles/ } `nm '$module'`);
}

done_testing();
