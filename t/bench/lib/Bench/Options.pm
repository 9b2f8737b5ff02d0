package Bench::Options;

# The command line of t/bench/bench: one table for reading it and for --help.

use strict;
use warnings;

use Exporter 'import';
use Getopt::Long ();

use Bench::Sessions qw(case_names way_names);
use CWMP::Daemon qw(project_root);

our @EXPORT_OK = qw(options);

my @PARTS = qw(half limits flat idle storm);

# as Getopt::Long has it, how --help has it, usual value, what it does
my @OPTIONS = (
    ['only=s', '--only NAME,...', undef, 'these cases and parts: '
        . join(', ', case_names(), @PARTS)],
    ['over=s', '--over NAME,...', undef, 'cases over these only: '
        . join(', ', way_names())],
    ['rounds=i', '--rounds N', undef, 'medians of so many rounds (5)'],
    ['quick', '--quick', 0, 'one round of few sessions: to see that all of it '
        . 'runs; such figures mean little'],
    ['idle=i', '--idle N', undef, 'idle connections (15,000, or what the limit '
        . 'of open files allows)'],
    ['devices=i', '--devices N', undef, 'devices in Redis, where there are '
        . 'many (1,000,000)'],
    ['storm=f', '--storm S', undef, 'seconds in which the CPEs of a storm '
        . 'come (60)'],
    ['json=s', '--json FILE', project_root() . '/build/bench/result.json',
        'where the result is written as JSON (build/bench/result.json)'],
    ['help', '--help', 0, 'this'],
);


# The settings that the command line asks for.
sub options {
    local @ARGV = @_;
    my %given = map { my ($name) = $_->[0] =~ /^(\w+)/; ($name => $_->[2]) }
                @OPTIONS;

    Getopt::Long::GetOptions(\%given, map { $_->[0] } @OPTIONS)
        && !@ARGV or fail(@ARGV ? "unknown: @ARGV" : 'see --help');
    help() if $given{help};

    my $quick = $given{quick};
    $given{rounds} //= $quick ? 1 : 5;
    $given{idle} //= $quick ? 200 : 15_000;
    $given{devices} //= $quick ? 5000 : 1_000_000;
    $given{storm} //= $quick ? 1 : 60;
    $_->[1] > 0 or fail("$_->[0] must be above 0")
        for map { ["--$_", $given{$_}] } qw(rounds idle devices storm);
    $given{only} = names('--only', $given{only}, case_names(), @PARTS);
    $given{over} = names('--over', $given{over}, way_names());
    return %given;
}


# "a,b" as a set, or nothing for all.
sub names {
    my ($option, $list, @known) = @_;
    return undef if !defined $list;
    my %known = map { ($_ => 1) } @known;

    for my $name (split /,/, $list) {
        $known{$name} or fail("$option $name: it can be @known");
    }
    return { map { ($_ => 1) } split /,/, $list };
}


sub fail {
    print STDERR "bench: $_[0]\n";
    exit 2;
}


sub help {
    print "usage: t/bench/bench [options]        (or: make bench "
        . "BENCH='options')\n\n"
        . "What a session costs nginx and Redis, beside what cannot be had "
        . "for less.\nServers run on the first core, load on the second; "
        . "docs/bench.md tells what\nis measured. All of it takes some 20 "
        . "minutes.\n\n";
    for my $o (@OPTIONS) {
        my ($first, @more) = wrapped($o->[3], 56);
        printf "  %-18s %s\n", $o->[1], $first;
        printf "  %-18s %s\n", '', $_ for @more;
    }
    exit 0;
}


sub wrapped {
    my ($text, $width) = @_;
    my @lines = ('');

    for my $word (split / /, $text) {
        push @lines, '' if length("$lines[-1] $word") > $width;
        $lines[-1] .= (length $lines[-1] ? ' ' : '') . $word;
    }
    return @lines;
}

1;
