#-------------------------------------------------------------------------
#
# families.pl
#		reference.pl with the other families of encoders: BERT, DistilBERT,
#		ELECTRA, MPNet.
#
# The cases are those of test/golden/families; with REFERENCE those of the
# folder families in it, where there is one.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use Test::More;

$ENV{REFERENCE} =
  ($ENV{REFERENCE} || "$FindBin::RealBin/../golden") . '/families';
plan skip_all => "there is no folder $ENV{REFERENCE}" unless -d $ENV{REFERENCE};
exec $^X, (map { "-I$_" } @INC), "$FindBin::RealBin/reference.pl";
