package Bench::Idle;

# What an idle keep-alive connection costs: memory of the worker and of the
# kernel, plain and over TLS, of the ACS and of the same nginx answering with a
# constant.  The difference is what the module keeps of a connection that does
# nothing.

use strict;
use warnings;

use List::Util qw(min);
use Time::HiRes qw(sleep);

use Bench::Machine qw(socket_memory open_files);
use Bench::Report qw(table spelled);
use Bench::Swarm qw(start_swarm swarm swarm_result spread);
use CWMP::Daemon qw(slurp wait_for);

my $SPARE = 400;                        # files that are no connections

my @ROWS = (
    { name => 'plain', url => 'plain' },
    { name => 'TLS', url => 'tls' },
);
my @FIGURES = qw(heap rss pss kernel);
my @PATHS = (['/constant', 'nginx alone'], ['/cwmp', 'the ACS']);


sub run {
    my ($b) = @_;
    return if !$b->wants('idle');

    my $n = min($b->{idle}, open_files() - $SPARE);
    print "\nidle connections: $n only, since no more than ", open_files(),
          " files may be open\n" if $n < $b->{idle};

    # from 15/16 of its connections on nginx closes idle ones
    my $stand = $b->stand('idle', heap => 1,
                          connections => int($n * 1.1) + 200);
    my @rows;

    for my $row (@ROWS) {
        my %of;
        for my $path (@PATHS) {
            $of{ $path->[0] } = one($b, $stand, $row, $n, $path->[0]);
            push @rows, { %{ $of{ $path->[0] } }, of => $path->[1],
                          over => $row->{name} };
        }
        push @rows, { over => $row->{name}, of => 'difference', map {
            ($_ => $of{'/cwmp'}{$_} - $of{'/constant'}{$_}) } @FIGURES };
    }
    print_rows($n, @rows);
    $stand->stop;
    return { connections => $n, rows => \@rows };
}


# A new worker, and what it needs with a third of the connections and with all:
# the difference is theirs.  What is allocated can be told to the byte; what is
# resident depends on how many POSTs there were at the same time, since holes
# remain of them.
sub one {
    my ($b, $stand, $row, $n, $path) = @_;
    my $url = $stand->url($row->{url}, $path);
    my $third = int($n / 3);

    $stand->renew;
    swarm($b->{dir}, 30, qw(--sessions 200 --class Idle), spread(), $url);
    my @runs = (hold($b, $stand, 1, $third, $url));
    my $before = used($stand);
    push @runs, hold($b, $stand, $third + 1, $n - $third, $url);
    my $after = used($stand);

    $_->signal('INT') for @runs;
    my $open = 0;
    $open += swarm_result($_, 60)->{connections_open} for @runs;
    $open == $n or die "$open connections of $n were open at the end\n";

    my $more = $n - $third;
    return { worker_mb => $after->{rss} / 1048576,
             map { ($_ => ($after->{$_} - $before->{$_}) / $more) } @FIGURES };
}


sub used {
    my ($stand) = @_;
    return { %{ $stand->worker_memory }, heap => $stand->heap,
             kernel => socket_memory() };
}


# A session on each of so many connections, which stay.
sub hold {
    my ($b, $stand, $first, $n, $url) = @_;

    settled($stand);
    my $files = files($stand);
    my $run = start_swarm($b->{dir}, '--idle', $n, '--cpes', $n, '--first',
                          $first, '--class', 'Idle', spread(), $url);
    wait_for(sub { !$run->alive || files($stand) - $files >= $n }, 180)
        && $run->alive
        or die 'only ', files($stand) - $files, " connections were made: ",
               slurp("$run->{result}.log"), "\n";
    settled($stand);
    return $run;
}


sub files {
    my ($stand) = @_;
    opendir my $d, '/proc/' . $stand->worker . '/fd' or return 0;
    my $n = grep { /^\d/ } readdir $d;
    return $n;
}


# Until the worker has nothing left to do: less than a percent of its core.
sub settled {
    my ($stand) = @_;
    my $used = $stand->usage->{worker};

    for (1 .. 120) {
        sleep(0.5);
        my $now = $stand->usage->{worker};
        return if $now - $used < 5000;
        $used = $now;
    }
    die "the worker does not come to rest\n";
}


sub print_rows {
    my ($n, @rows) = @_;
    table(spelled($n, 0) . ' idle connections: bytes of each',
          ['', 'how', 'allocated', 'RSS', 'PSS', 'kernel TCP', 'worker MB'],
          map { my $r = $_; [$r->{of}, $r->{over}, map({ spelled($r->{$_}, 0) }
                             @FIGURES), spelled($r->{worker_mb}, 1)] } @rows);
}

1;
