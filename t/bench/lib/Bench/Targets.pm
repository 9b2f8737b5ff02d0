package Bench::Targets;

# What is demanded, each a row: a figure or a ratio of figures, and its bound.
# A row whose figures were not measured is left out.

use strict;
use warnings;

use JSON::PP ();

use Bench::Report qw(median table spelled);

# of: the value, of a function that tells a median, and one that tells all
# figures of which it is
my @TARGETS = (
    { text => 'worker, bare session of 8, plain, kept', unit => 'us',
      most => 60, of => sub { $_[0]->('bare8 kept', 'worker_us') } },
    # its connection is always full; in a closed loop nginx has half of its time
    { text => 'Redis at saturation, both calls of the same', unit => 'us',
      most => 45, of => sub { $_[0]->('redis pairs', 'us') } },
    { text => 'worker, beside nginx alone with the same POSTs', unit => 'times',
      most => 5, of => sub { $_[0]->('bare8 kept', 'worker_us')
                             / $_[0]->('nginx bare8 kept', 'worker_us') } },
    { text => 'worker, session with a GetParameterValues of 10', unit => 'us',
      most => 100, of => sub { $_[0]->('get10 kept', 'worker_us') } },
    # the challenged POST is a part of it, and so is the look at the user
    { text => 'worker, what digest adds, for each of the two POSTs',
      unit => 'us', most => 15,
      of => sub { ($_[0]->('digest8 plain', 'worker_us')
                   - $_[0]->('bare8 plain', 'worker_us')) / 2 } },
    { text => 'GetParameterValuesResponse of 1,000, beside libxml2 + hiredis',
      unit => 'times', most => 1.5, of => \&answer },
    { text => 'p99 of a POST at half of capacity, kept', unit => 'ms',
      most => 5, of => sub { $_[0]->('half bare8 kept', 'p99_ms') } },
    { text => 'p99 of a POST at half of capacity, a connection a session',
      unit => 'ms', most => 5,
      of => sub { $_[0]->('half bare8 plain', 'p99_ms') } },
    map({ my $side = $_;
          map({ my $row = $_;
                { text => "flat: $row->[2], $side", unit => '%', most => 10,
                  of => sub { growth($_[1], "${side}_us", @$row) } } }
              ['stored 10', 'stored 1000', '1,000 parameters beside 10'],
              ['stored 10', 'stored 10000', '10,000 parameters beside 10'],
              ['devices 1000', 'devices MANY', 'MANY devices beside 1,000']) }
        qw(worker redis)),
);


sub print_all {
    my ($b, $once) = @_;
    my (@rows, @told);
    my $many = $b->{devices};
    my $step = sub { $b->measured($_[0] =~ s/MANY/$many/r)
                     // die "not measured\n" };
    my $median = sub { $step->($_[0])->{median}{ $_[1] } };
    my $all = sub { map { $_->{ $_[1] } } @{ $step->($_[0])->{all} } };

    for my $target (@TARGETS) {
        my $text = $target->{text} =~ s/MANY/spelled($many, 0)/er;
        my $value = eval { $target->{of}->($median, $all) } // next;
        push @rows, { text => $text, value => $value, most => $target->{most},
                      unit => $target->{unit} };
    }
    push @rows, idle_rows($once->{idle});
    for my $row (@rows) {
        $row->{met} = $row->{value} <= $row->{most} ? JSON::PP::true
                                                    : JSON::PP::false;
        push @told, [$row->{text}, spelled($row->{value}, 2),
                     spelled($row->{most}, 1), $row->{unit},
                     $row->{met} ? 'met' : 'MISSED'];
    }
    table('Targets', ['', 'is', 'at most', '', ''], @told) if @told;
    print "\nOne round of few sessions: figures mean little.\n" if $b->{quick};
    return @rows;
}


# What the answer adds to a bare session: its POST, and the request before it.
sub answer {
    my ($figure) = @_;
    my $ours = $figure->('get1000 kept', 'worker_us')
               - $figure->('bare8 kept', 'worker_us');
    return $ours / ($figure->('sax answer1000', 'us')
                    + $figure->('format answer1000', 'us'));
}


# In percent: the median of what each time was measured one after the other,
# since from minute to minute a machine is not the same.
sub growth {
    my ($all, $figure, $few, $many) = @_;
    my @few = $all->($few, $figure);
    return median(map { 100 * ($_ / shift(@few) - 1) } $all->($many, $figure));
}


# Some bytes are buffers of the worker, over all connections.
sub idle_rows {
    my ($idle) = @_;
    return map { { text => "idle: what the module adds, $_->{over}",
                   value => $_->{heap}, most => 8, unit => 'bytes' } }
           grep { $_->{of} eq 'difference' } @{ $idle->{rows} || [] };
}

1;
