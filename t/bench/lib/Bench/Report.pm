package Bench::Report;

# Tables of figures: medians over the rounds, as text and as JSON.  Which
# columns a part has is in %COLUMNS; what the figures mean is the parts'
# business.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(median medians table print_part write_json spelled);

# of each part: figure, heading, decimals
my @CPU = (['worker_us', 'nginx us', 1], ['least worker_us', 'least', 1],
           ['redis_us', 'Redis us', 1], ['least redis_us', 'least', 1]);
my @RATE = (['rate', 'sessions/s', 0]);
my @TIMES = (['p50_ms', 'p50 ms', 2], ['p99_ms', 'p99 ms', 2]);
my %COLUMNS = (
    sessions => [@CPU, @RATE, ['busy', 'core %', 0], @TIMES,
                 ['rss_mb', 'worker MB', 1]],
    half => [['asked', 'sessions/s', 0], @CPU, @TIMES,
             ['least p99_ms', 'least', 2], ['worker_waited', 'nginx waits %',
              1], ['redis_waited', 'Redis waits %', 1],
             ['swarm_waited', 'swarm waits %', 1]],
    limits => [@CPU, @RATE, ['us', 'us of CPU', 1], ['least us', 'least', 1],
               ['bytes', 'bytes', 0]],
    flat => [@CPU, @RATE],
);
my %TITLES = (
    sessions => 'Sessions: CPU of each, closed loop of 16',
    half => 'Latency at half of capacity',
    limits => 'Limits: CPU of a session, of a body, of a pair of calls',
    flat => 'Flatness: bare sessions, 8 in the Inform, plain, kept',
);


sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $half = int(@sorted / 2);
    return @sorted % 2 ? $sorted[$half]
                       : ($sorted[$half - 1] + $sorted[$half]) / 2;
}


# [{figure => value}, ...] of the rounds to one, with the lowest and the highest
# beside each.
sub medians {
    my (@rounds) = @_;
    my %all;

    for my $round (@rounds) {
        push @{ $all{$_} }, $round->{$_} for keys %$round;
    }
    return { (map { ($_ => median(@{ $all{$_} })) } keys %all),
             range => { map { my @s = sort { $a <=> $b } @{ $all{$_} };
                              ($_ => [@s[0, -1]]) } keys %all } };
}


# "rate" is the median, "least rate" the lowest.
sub of_step {
    my ($step, $name) = @_;
    my ($least, $figure) = $name =~ /^(least )?(.*)/;
    my $m = $step->{median};
    return $least && $m->{range}{$figure} ? $m->{range}{$figure}[0]
                                          : $m->{$figure};
}


# 12345.678 with 1 decimal: 12,345.7
sub spelled {
    my ($n, $decimals) = @_;
    return '' if !defined $n;
    my $text = sprintf "%.${decimals}f", $n;
    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $text;
}


# Rows of texts under a heading; columns from the second on stand right when
# they are numbers.
sub table {
    my ($title, @rows) = @_;
    my $headed = grep { length } @{ $rows[0] };
    my @width;

    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $n = length($row->[$i] // '');
            $width[$i] = $n if $n > ($width[$i] // 0);
        }
    }
    print "\n$title\n\n";
    shift @rows if !$headed;
    for my $r (0 .. $#rows) {
        my $line = join '  ', map {
            my $text = $rows[$r][$_] // '';
            my $number = ($rows[-1][$_] // '') =~ /^-?[\d,.]*$/ && $_;
            sprintf $number ? "%$width[$_]s" : "%-$width[$_]s", $text;
        } 0 .. $#width;
        print $line =~ s/\s+$//r, "\n";
        print '-' x length($line), "\n" if $headed && $r == 0;
    }
}


# The steps of one part with their medians.
sub print_part {
    my ($part, @steps) = @_;
    my @columns = @{ $COLUMNS{$part} };

    @columns = grep { my $c = $_;
                      grep { defined of_step($_, $c->[0]) } @steps }
               @columns;
    table($TITLES{$part}, ['', 'how', map { $_->[1] } @columns],
          map { my $s = $_; [$s->{what}, $s->{how} // '',
                map { spelled(of_step($s, $_->[0]), $_->[2]) } @columns] }
          @steps);
}


sub write_json {
    my ($file, $result) = @_;
    my $json = JSON::PP->new->canonical->pretty->utf8->encode($result);

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $json;
    close $fh or die "$file: $!\n";
}

1;
