#!/usr/bin/perl

# A master that Sentinels watch: killed, frozen until another has its place,
# and one that gives its place away.  Redis replicates after it has answered, so
# what no replica had is undone: it is counted here.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Daemon qw(wait_for);
use CWMP::Fault qw(experiment);

my %SENTINEL = (workers => 2, redis_options => 'timeout=1s',
                set => { sentinels => 3, replicas => 2, timeout => 2000 });


# Until another one is the master.
sub replaced {
    my ($x, $old) = @_;
    ok wait_for(sub { $x->set->master != $old }, 20), 'another is the master';
}


# Orders it; the master that was.
sub failover {
    my ($x) = @_;
    my $old = $x->set->master;
    my ($s) = $x->set->sentinels;
    $x->set->sentinel_client($s)->cmd('SENTINEL', 'FAILOVER', 'acs');
    return $old;
}


experiment('sentinel-kill', what => 'Sentinel: `kill -9` of the master',
    %SENTINEL, undone => 'vanished|repeated', harm => sub {
        my ($x) = @_;
        my $old = $x->set->master;
        $old->kill9;
        replaced($x, $old);
        $x->recover;
    });

# It comes back as a master, as it was, until the Sentinels tell it.
experiment('sentinel-stop', soak => 1, undone => 'vanished|repeated', %SENTINEL,
    what => 'Sentinel: SIGSTOP of the master until another has its place',
    harm => sub {
        my ($x) = @_;
        my $old = $x->set->master;
        $old->sigstop;
        replaced($x, $old);
        $x->recover;
        $old->cont;
        $x->pause(4);
    });

# The old one takes commands until the workers ask for the master again.  With
# wait=2 nothing that must not repeat is sent meanwhile: it has one replica.
sub ordered {
    my ($x) = @_;
    my $old = failover($x);
    replaced($x, $old);
    $x->recover;
    $x->pause(2);
}

experiment('sentinel-failover', soak => 1, %SENTINEL,
    undone => 'vanished|repeated', what => 'Sentinel: `SENTINEL FAILOVER`',
    harm => \&ordered);

experiment('sentinel-wait', soak => 1, %SENTINEL, undone => 'vanished',
    redis_options => 'timeout=1s wait=2',
    what => 'Sentinel: `SENTINEL FAILOVER`, `wait=2`', harm => \&ordered);

experiment('sentinel-orderly', soak => 1, %SENTINEL,
    what => 'Sentinel: `CLIENT PAUSE 20000 WRITE`, then `SENTINEL FAILOVER`',
    harm => sub {
        my ($x) = @_;
        $x->set->master->client->cmd('CLIENT', 'PAUSE', 20000, 'WRITE');
        my $old = failover($x);
        replaced($x, $old);
        $x->recover;
        $x->pause(2);
    });

done_testing;
