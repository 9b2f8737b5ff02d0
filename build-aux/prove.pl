#!/usr/bin/perl
#
# prove.pl [prove's options] t/*.t
#
# prove, except that with CI set a skipped test must be one that t/skips.txt
# expects: a machine that lacks something shall not look like one where all
# is well.

use strict;
use warnings;

package Harness;

use parent 'TAP::Harness';

our @skipped;

sub new {
    my $self = shift->SUPER::new(@_);

    $self->callback(made_parser => sub {
        my ($parser, $job) = @_;
        my $file = $job->[0];

        $parser->callback(ALL => sub {
            my $result = shift;

            # whole files, single tests, and those of subtests (indented)
            my $why = $result->is_plan && $result->has_skip
                      || $result->is_test && $result->has_skip
                          ? $result->explanation || 'no reason given'
                    : $result->is_unknown && $result->raw
                          =~ /^\s+(?:ok\b.*|1\.\.0\s*)# skip\S*\s*(.*)/i ? $1
                    : return;

            push @skipped, [$file, $why];
        });
    });

    return $self;
}

package main;

use App::Prove;

$INC{'Harness.pm'} = __FILE__;

my $prove = App::Prove->new;
$prove->process_args('--harness', 'Harness', @ARGV);

my $good = $prove->run;

if ($ENV{CI}) {
    my @expected;

    if (open my $list, '<', 't/skips.txt') {
        @expected = map { [split ' ', $_, 2] } grep { !/^\s*(?:#|$)/ } <$list>;
        chomp $_->[1] for @expected;
    }

    my %seen;

    for my $skip (@Harness::skipped) {
        my ($file, $why) = @$skip;

        next if $seen{"$file $why"}++;
        next if grep { $_->[0] eq $file && $why =~ /$_->[1]/ } @expected;

        warn "$file: skipped, and not on t/skips.txt: $why\n";
        $good = 0;
    }
}

exit($good ? 0 : 1);
