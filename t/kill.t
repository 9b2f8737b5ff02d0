#!/usr/bin/perl

# kill -9 of a worker, at every point of a session: between any two POSTs, in
# the middle of a POST's body, and while Redis holds the call that a POST made.
# The CPE only sends its POST again, as HTTP clients do on a connection that
# died; the session goes on where it was, and nothing happens twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;

use CWMP::Raw ':build';
use CWMP::Sockets qw(unread);
use CWMP::Steps qw(session_with undisturbed $POSTS $WORKER);
use CWMP::Test qw(wait_for);


# --- between two POSTs -----------------------------------------------------

{
    my $t = CWMP::Test->new(workers => 2, server => $WORKER);

    for my $k (1 .. $POSTS - 1) {
        my $killed;
        my ($cpe, $trace) = session_with($t, "B$k", $k, sub {
            my ($cpe, $post, $worker) = @_;
            $killed = $t->kill9_worker(0, $worker);
        });
        ok $killed, "worker killed before POST $k";
        undisturbed($t, $cpe, $trace, "KILL between POST $k and POST "
                    . ($k + 1) . ': the session goes on in another worker');
    }

    my ($cpe, $trace) = session_with($t, 'Ball', 3, sub {
        $t->kill9_worker(0, $_) for $t->workers;
    });
    undisturbed($t, $cpe, $trace, 'KILL all workers at once');
    ok wait_for(sub { $t->workers == 2 }), 'two workers are back';
    $t->finish;
}


# --- a whole node ----------------------------------------------------------

subtest 'KILL a whole node: the session goes on on the other' => sub {
    my $t = CWMP::Test->new(nodes => 2);
    my ($cpe, $trace) = session_with($t, 'N1', 3, sub {
        my ($cpe) = @_;
        $t->kill9(0);
        $cpe->{urls} = [$t->url(1)];
    });
    undisturbed($t, $cpe, $trace, 'the other node knows all of it');
    $t->finish;
};


# --- and the gentle ways ----------------------------------------------------

{
    my $t = CWMP::Test->new(workers => 2);

    for my $k (1 .. $POSTS - 1) {
        my ($cpe, $trace) = session_with($t, "G$k", $k, sub {
            $k % 2 ? $t->reload : $t->restart;
        });
        undisturbed($t, $cpe, $trace, ($k % 2 ? 'RELOAD' : 'RESTART')
                    . " of nginx between POST $k and POST " . ($k + 1));
    }
    $t->finish;
}


# --- in the middle of a body -----------------------------------------------

{
    my $t = CWMP::Test->new(server => $WORKER);
    my $half = sub {
        my ($cpe, $post) = @_;
        my ($worker) = $t->workers;
        $cpe->raw->post($post->{body},
                        partial => 300 + length($post->{body}) / 2);
        wait_for(sub { unread($t->port) == 0 })
            or die "the worker does not read the POST\n";
        $t->kill9_worker(0, $worker);
    };

    for my $k (0, 2 .. $POSTS - 1) {
        my ($cpe, $trace) = session_with($t, "H$k", $k, $half);
        undisturbed($t, $cpe, $trace, 'KILL in the middle of the body of POST '
                    . ($k + 1));
    }
    $t->finish;
}


# --- while Redis holds the call --------------------------------------------

# Redis is frozen, the POST's call lies in its socket, the worker dies.
sub held_call {
    my ($t, $cpe, $post) = @_;
    my ($worker) = $t->workers;

    $t->raw->post(inform(serial => 'other'));       # it is connected to Redis
    $t->redis_sigstop;
    $cpe->raw->post($post->{body}, no_read => 1);
    wait_for(sub { unread($t->redis_server->port) > 250 })
        or die "the call does not reach Redis\n";
    $t->kill9_worker(0, $worker);
}


# Redis goes on only when the next worker has asked it something as well.
sub cont_later {
    my ($t) = @_;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;
    wait_for(sub { unread($t->redis_server->port, '01') > 0 });
    $t->redis_server->cont;
    POSIX::_exit(0);
}


{
    my $t = CWMP::Test->new(redis => { port => 'auto' }, start => 0,
                            server => $WORKER);
    $t->node->{redis} = '127.0.0.1:' . $t->redis_server->port
                        . ' timeout=20s connect_timeout=20s';
    $t->start_all;

    for my $k (0 .. $POSTS - 1) {
        my ($cpe, $trace) = session_with($t, "R$k", $k, sub {
            my ($cpe, $post) = @_;
            held_call($t, $cpe, $post);
            $t->redis_server->cont;
        });
        undisturbed($t, $cpe, $trace, 'KILL while Redis holds the call of POST '
                    . ($k + 1) . ', sent again afterwards');
    }

    for my $k (0 .. $POSTS - 1) {
        my $helper;
        my ($cpe, $trace) = session_with($t, "S$k", $k, sub {
            my ($cpe, $post) = @_;
            held_call($t, $cpe, $post);
            $helper = cont_later($t);
        });
        waitpid($helper, 0);
        undisturbed($t, $cpe, $trace, 'KILL while Redis holds the call of POST '
                    . ($k + 1) . ', sent again before Redis goes on');
    }
    $t->finish;
}

done_testing;
