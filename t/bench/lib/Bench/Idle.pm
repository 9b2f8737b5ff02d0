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
use CWMP::Daemon qw(wait_for);

my $SPARE = 400;                        # files that are no connections

my @ROWS = (
    { name => 'plain', url => 'plain' },
    { name => 'TLS', url => 'tls' },
);
my @PATHS = (['/constant', 'nginx alone'], ['/cwmp', 'the ACS']);


sub run {
    my ($b) = @_;
    return if !$b->wants('idle');

    my $n = min($b->{idle}, open_files() - $SPARE);
    print "\nidle connections: $n only, since no more than ", open_files(),
          " files may be open\n" if $n < $b->{idle};
    my $stand = $b->stand('idle', connections => $n + 200);
    my @rows;

    for my $row (@ROWS) {
        my %of;
        for my $path (@PATHS) {
            $of{ $path->[0] } = one($b, $stand, $row, $n, $path->[0]);
            push @rows, { %{ $of{ $path->[0] } }, of => $path->[1],
                          over => $row->{name} };
        }
        push @rows, { over => $row->{name}, of => 'difference', map {
            ($_ => $of{'/cwmp'}{$_} - $of{'/constant'}{$_}) }
            qw(rss pss kernel) };
    }
    print_rows($n, @rows);
    $stand->stop;
    return { connections => $n, rows => \@rows };
}


# A new worker, which has served a session, and then so many more, each on a
# connection that stays.
sub one {
    my ($b, $stand, $row, $n, $path) = @_;
    my $url = $stand->url($row->{url}, $path);

    $stand->renew;
    swarm($b->{dir}, 30, qw(--sessions 100 --class Idle), spread(), $url);
    settled($stand);
    my $files = files($stand);
    my ($before, $kernel) = ($stand->worker_memory, socket_memory());
    my $run = start_swarm($b->{dir}, '--idle', $n, '--class', 'Idle',
                          spread(), $url);
    wait_for(sub { !$run->alive || files($stand) - $files >= $n }, 180)
        && $run->alive
        or die 'only ', files($stand) - $files, " connections were made\n";
    settled($stand);
    my ($after, $used) = ($stand->worker_memory, socket_memory());

    $run->signal('INT');
    my $r = swarm_result($run, 60);
    $r->{connections_open} == $n
        or die "$r->{connections_open} connections were open at the end\n";
    return { rss => ($after->{rss} - $before->{rss}) / $n,
             pss => ($after->{pss} - $before->{pss}) / $n,
             kernel => ($used - $kernel) / $n };
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
          ['', 'how', 'worker RSS', 'worker PSS', 'kernel TCP'],
          map { my $r = $_; [$r->{of}, $r->{over}, map { spelled($r->{$_}, 0) }
                             qw(rss pss kernel)] } @rows);
}

1;
