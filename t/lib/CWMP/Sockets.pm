package CWMP::Sockets;

# What the kernel knows of TCP sockets and processes on this machine, for
# tests that freeze one side and must know what has reached it.

use strict;
use warnings;

use Exporter 'import';

use CWMP::Daemon qw(slurp wait_for);

our @EXPORT_OK = qw(unread freeze open_files write_calls);


# Bytes that the process behind this port has not read, of the connection that
# has most of them; by state, as /proc/net/tcp has it (01: established); of the
# connection with this port at its other end.
sub unread {
    my ($port, $state, $peer) = @_;
    my $most = 0;

    for my $line (split(/\n/, slurp('/proc/net/tcp'))) {
        my (undef, $local, $remote, $st, $queues) = split(' ', $line);
        next if ($local // '') !~ /:([0-9A-F]{4})$/ || hex($1) != $port
                || $st eq '0A' || ($state && $st ne $state)
                || $peer && $remote !~ /:\Q@{[ sprintf('%04X', $peer) ]}\E$/;
        my $n = hex((split(/:/, $queues))[1]);
        $most = $n if $n > $most;
    }
    return $most;
}


# SIGSTOP takes a moment to work.
sub freeze {
    my (@pids) = @_;
    kill('STOP', @pids);
    for my $pid (@pids) {
        wait_for(sub { slurp("/proc/$pid/stat") =~ /\) T / })
            or die "process $pid does not freeze\n";
    }
}


sub open_files { return scalar(() = glob("/proc/$_[0]/fd/*")) }


# How many times it called write() or writev(); undef when that is a secret.
sub write_calls {
    my ($calls) = slurp("/proc/$_[0]/io") =~ /^syscw: (\d+)/m;
    return $calls;
}

1;
