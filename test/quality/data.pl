#!/usr/bin/perl
#-------------------------------------------------------------------------
#
# data.pl
#		The held-out texts of all tasks, as files of JSON lines.
#
#	perl test/quality/data.pl DATA TARGET [EVERY]
#
# DATA holds the data sets as weights/train/README.md names them.  TARGET gets
# one file a set, which test/quality/*.sql and weights/train/figures.py read.
# With EVERY, one text in so many is taken, for a quick look.
#
#	squad1, squad2			question, context, answers (none: [])
#	uner, wikigold, wnut	words, spans: begin, end, type (characters of the
#							words joined with blanks)
#	sst2, amazon, imdb		text, label
#	mnli					premise, hypothesis, label
#	dbpedia, snips			text, label
#	masked					text with [MASK], word
#	next					first, second, follows
#	natural, cranfield		query, relevant: numbers of passages
#	natural-passages, cranfield-passages	number, passage
#	codah					prompt, choices, right (from 1)
#
# What is held out of a set that is trained on as well is told by the hash of a
# text, as in weights/train/readers.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha1_hex);
use Encode qw(encode_utf8);
use File::Basename qw(dirname);
use IO::Uncompress::Gunzip qw($GunzipError);
use JSON::PP;

my ($data, $target, $every) = @ARGV;
die "usage: data.pl DATA TARGET [EVERY]\n" unless defined $target;
$every ||= 1;
my $top = abs_path(dirname(__FILE__) . '/../..');
my $json = JSON::PP->new->canonical;

# ---------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------

sub opened
{
	my ($path) = @_;
	my $file;

	if ($path =~ /\.gz$/)
	{
		$file = IO::Uncompress::Gunzip->new("$data/$path", MultiStream => 1)
		  or die "could not open $data/$path: $GunzipError\n";
	}
	else
	{
		open $file, '<:raw', "$data/$path"
		  or die "could not open $data/$path: $!\n";
	}
	return $file;
}

# The lines of a file as characters, without their ends.
sub text_lines
{
	my ($path) = @_;
	my $file = opened($path);
	my @lines = <$file>;

	for (@lines)
	{
		utf8::decode($_) or die "$path is not valid UTF-8\n";
		s/^\x{FEFF}//;
		s/[\r\n]+$//;
	}
	return @lines;
}

sub objects { return map { $json->decode($_) } text_lines(@_); }

sub columns
{
	my ($path, $header) = @_;
	my @rows = map { [ split /\t/, $_, -1 ] } text_lines($path);

	shift @rows if $header;
	return @rows;
}

# A number from 0 to 99 that is always the same for a text.
sub part
{
	my ($key) = @_;

	return number($key, 100);
}

sub number
{
	my ($key, $below) = @_;
	my $number = 0;

	$number = ($number * 16 + hex) % $below
	  for split //, sha1_hex(encode_utf8($key));
	return $number;
}

sub blanks_joined
{
	my ($text) = @_;

	$text =~ s/^\s+|\s+$//g;
	return $text =~ s/\s+/ /gr;
}

sub write_all
{
	my ($name, @rows) = @_;

	open my $file, '>:utf8', "$target/$name.jsonl"
	  or die "could not write $target/$name.jsonl: $!\n";
	print $file map { $json->encode($_) . "\n" } @rows;
	close $file or die "could not write $target/$name.jsonl: $!\n";
	return;
}

# Writes a set, thinned.
sub write_set
{
	my ($name, @rows) = @_;

	write_all($name, @rows[ grep { $_ % $every == 0 } 0 .. $#rows ]);
	return;
}

# ---------------------------------------------------------------------------
# Questions
# ---------------------------------------------------------------------------

sub squad1
{
	open my $file, '-|', $^X, "$top/test/bench/squad.pl", '--decode',
	  "$data/squad-mobilebert-tfrecord"
	  or die "could not run squad.pl: $!\n";
	my @rows = map { utf8::decode($_); $json->decode($_) } <$file>;

	close $file or die "squad.pl failed\n";
	return map {
		{ question => $_->{question}, context => $_->{context},
			answers => $_->{answers} }
	} @rows;
}

sub squad2
{
	my @rows;

	for my $paragraph (objects('squad2-dev/dev-v2.0.jsonl.gz'))
	{
		push @rows,
		  map {
			{ question => $_->{q}, context => $paragraph->{context},
				answers => $_->{answers} }
		  } @{ $paragraph->{qas} };
	}
	return @rows;
}

# ---------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------

# Sentences of a file with a word a line, as lists of [word, tag].
sub tagged
{
	my ($path, $word, $tag) = @_;
	my (@sentences, $open);

	for my $line (text_lines($path))
	{
		next if $line =~ /^# / && $line !~ /\t/;
		if ($line !~ /\S/)
		{
			$open = undef;
			next;
		}
		my @columns =
		  $line =~ /\t/ ? split(/\t/, $line) : $line =~ /^(.*) (.*)$/;

		push @sentences, $open = [] unless $open;
		push @$open, [ $columns[$word], $columns[$tag] =~ s/\s//gr ];
	}
	return @sentences;
}

# A sentence and its spans; 'types' has our name of a type by theirs.
sub with_spans
{
	my ($sentence, $types) = @_;
	my ($at, $open, @spans) = (0);

	for my $row (@$sentence)
	{
		my ($word, $tag) = @$row;
		my ($place, $theirs) = $tag =~ /^([BI])-(.*)/;
		my $type = $place ? $types->{$theirs} : undef;

		if (!$type)
		{
			$open = undef;
		}
		elsif ($place eq 'I' && $open && $open->{type} eq $type)
		{
			$open->{end} = $at + length $word;
		}
		else
		{
			push @spans, $open =
			  { begin => $at, end => $at + length $word, type => $type };
		}
		$at += 1 + length $word;
	}
	return { words => [ map { $_->[0] } @$sentence ], spans => \@spans };
}

sub wikigold
{
	my ($article, @rows) = (-1);

	for my $sentence (tagged('wikigold/wikigold.conll.txt', 0, 1))
	{
		if ($sentence->[0][0] eq '-DOCSTART-')
		{
			$article++;
			next;
		}
		next if part("wikigold $article") >= 25;
		push @rows, with_spans($sentence,
			{ map { ($_ => $_) } qw(PER LOC ORG MISC) });
	}
	return @rows;
}

my %wnut = (
	person => 'PER',
	location => 'LOC',
	corporation => 'ORG',
	group => 'ORG',
	'creative-work' => 'MISC',
	product => 'MISC');

sub wnut
{
	my @sentences = tagged('wnut17/emerging.test.annotated', 0, 1);

	# where annotators gave several tags, the first
	$_->[1] =~ s/,.*// for map { @$_ } @sentences;
	return map { with_spans($_, \%wnut) } @sentences;
}

sub uner
{
	return map { with_spans($_, { PER => 'PER', LOC => 'LOC', ORG => 'ORG' }) }
	  tagged('ner-uner-ewt/en_ewt-ud-test.iob2.gz', 1, 2);
}

# ---------------------------------------------------------------------------
# Labels
# ---------------------------------------------------------------------------

sub opinions
{
	my ($path, $header) = @_;

	return map {
		{ text => blanks_joined($_->[0]),
			label => $_->[1] eq '1' ? 'positive' : 'negative' }
	} grep { @$_ == 2 } columns($path, $header);
}

sub mnli
{
	return map {
		{ premise => $_->{premise} =~ s/^\s+|\s+$//gr,
			hypothesis => $_->{hypothesis} =~ s/^\s+|\s+$//gr,
			label => $_->{label} }
	  }
	  grep { part('mnli ' . $_->{premise} =~ s/^\s+|\s+$//gr) < 20 }
	  objects('nli-mnli/mnli-dev-matched.jsonl.gz');
}

my @dbpedia = (
	'company', 'educational institution', 'artist', 'athlete',
	'office holder', 'mean of transportation', 'building', 'natural place',
	'village', 'animal', 'plant', 'album', 'film', 'written work');

sub dbpedia
{
	return map { { text => $_->[0], label => $dbpedia[ $_->[1] - 1 ] } }
	  columns('dbpedia-topics/test.tsv', 1);
}

sub snips
{
	return map {
		{ text => $_->[0],
			label => lc($_->[1] =~ s/(?<=[a-z])(?=[A-Z])/ /gr) }
	} columns('snips/test.tsv', 1);
}

# ---------------------------------------------------------------------------
# Plain text: articles of Wikipedia
# ---------------------------------------------------------------------------

# Paragraphs of some sentences that fit in a window, by article.
sub articles
{
	my (@articles, $title);

	for my $paragraph (objects('squad2-dev/dev-v2.0.jsonl.gz'))
	{
		my $text = blanks_joined($paragraph->{context});
		my @sentences = split /(?<=[.!?])["')\]]*\s+(?=[A-Z"'(\[])/, $text;

		push @articles, []
		  if !defined $title || $title ne $paragraph->{title};
		$title = $paragraph->{title};
		push @{ $articles[-1] }, \@sentences
		  if @sentences > 1 && (() = $text =~ /\S+/g) <= 200;
	}
	return @articles;
}

# Three words of each paragraph, each masked by itself: such as are one token.
sub masked
{
	my (%token, @rows);

	open my $file, '<:utf8', "$top/weights/minilm/vocab.txt"
	  or die "could not open the vocabulary: $!\n";
	chomp, $token{$_} = 1 while <$file>;
	for my $paragraph (map { @$_ } articles())
	{
		my $text = join ' ', @$paragraph;
		my @places;

		while ($text =~ /(?<![A-Za-z])([A-Za-z]+)(?![A-Za-z\x{80}-\x{FFFF}])/g)
		{
			push @places, [ $-[1], lc $1 ] if $token{ lc $1 };
		}
		for my $k (@places > 20 ? (0 .. 2) : ())
		{
			my ($at, $word) = @{ $places[ number("$k $text", scalar @places) ] };

			push @rows,
			  { text => substr($text, 0, $at) . '[MASK]'
				  . substr($text, $at + length $word),
				word => $word };
		}
	}
	return @rows;
}

# The second half of a paragraph, or that of another one of the same article.
sub next_sentences
{
	my @rows;

	for my $article (articles())
	{
		my @halves = map {
			my $half = int(@$_ / 2) || 1;
			[ join(' ', @$_[ 0 .. $half - 1 ]),
				join(' ', @$_[ $half .. $#$_ ]) ]
		} @$article;

		for my $i (@halves > 1 ? (0 .. $#halves) : ())
		{
			my $follows = part("next $halves[$i][0]") < 50;
			my $other = ($i + 1 + number($halves[$i][0], $#halves)) % @halves;

			push @rows,
			  { first => $halves[$i][0],
				second => $halves[ $follows ? $i : $other ][1],
				follows => $follows ? JSON::PP::true : JSON::PP::false };
		}
	}
	return @rows;
}

# ---------------------------------------------------------------------------
# Retrieval and choices
# ---------------------------------------------------------------------------

# Undoes the treebank's marks; characters keep their places.
sub undo_tokens
{
	my ($text) = @_;

	$text =~ s/``/" /g;
	$text =~ s/''/" /g;
	$text =~ s/-LRB-/(    /g;
	$text =~ s/-RRB-/)    /g;
	$text =~ s/ n't/n't /g;
	return $text;
}

sub write_retrieval
{
	my ($name, $passages, $queries) = @_;
	my $number = 0;

	write_set($name, @$queries);
	write_all("$name-passages",
		map { { number => $number++, passage => $_ } } @$passages);
	return;
}

sub natural
{
	my (@asked, %seen);

	for my $line (objects('qed-nq/qed-dev.jsonlines.gz'))
	{
		next unless grep { @$_ == 1 } @{ $line->{original_nq_answers} };
		push @asked,
		  [ $line->{question_text}, undo_tokens($line->{paragraph_text}) ];
	}
	$seen{ $_->[1] } = 1 for @asked;
	my @passages = sort keys %seen;

	@seen{@passages} = 0 .. $#passages;
	return (\@passages,
		[ map { { query => $_->[0], relevant => [ $seen{ $_->[1] } ] } } @asked ]);
}

sub cranfield
{
	my $text = join "\n", text_lines('cranfield/cran.all.1400.xml');
	my $queries = join "\n", text_lines('cranfield/cran.qry.xml');
	my (%place, @passages, @rows);

	while ($text =~ m{<docno>\s*(\d+)\s*</docno>.*?<text>(.*?)</text>}gs)
	{
		$place{$1} = @passages;
		push @passages, blanks_joined($2);
	}
	push @rows, { query => blanks_joined($1), relevant => [] }
	  while $queries =~ m{<title>(.*?)</title>}gs;
	for my $line (text_lines('cranfield/cranqrel.trec.txt'))
	{
		my ($query, undef, $document, $grade) = split ' ', $line;

		# queries are counted by their position
		push @{ $rows[ $query - 1 ]{relevant} }, $place{$document}
		  if $grade > 0;
	}
	s/&lt;/</g, s/&gt;/>/g, s/&amp;/&/g for @passages, map { $_->{query} } @rows;
	return (\@passages, [ grep { @{ $_->{relevant} } } @rows ]);
}

sub codah
{
	return map {
		{ prompt => $_->[1], choices => [ @$_[ 2 .. 5 ] ],
			right => 1 + $_->[6] }
	} grep { part("codah $_->[1]") < 20 } columns('codah/full_data.tsv');
}

write_set('squad1', squad1());
write_set('squad2', squad2());
write_set('uner', uner());
write_set('wikigold', wikigold());
write_set('wnut', wnut());
write_set('sst2', opinions('sst2/dev.tsv', 1));
write_set('amazon', opinions('sentiment-uci/amazon_labelled.txt'));
write_set('imdb', opinions('sentiment-uci/imdb_labelled.txt'));
write_set('mnli', mnli());
write_set('dbpedia', dbpedia());
write_set('snips', snips());
write_set('masked', masked());
write_set('next', next_sentences());
write_retrieval('natural', natural());
write_retrieval('cranfield', cranfield());
write_set('codah', codah());
