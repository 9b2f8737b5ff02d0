#!/usr/bin/perl

# A Cluster: slots that move, key by key, while sessions run; a primary that is
# killed, and one that gives its place away.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Daemon qw(wait_for);
use CWMP::Fault qw(experiment);
use CWMP::Redis;

my %CLUSTER = (workers => 2, redis_options => 'timeout=1s');


# The slot of the partition where this device is.
sub slot_of {
    my ($x, $device) = @_;
    my $redis = $x->t->redis;
    return $x->set->slot_of('{' . $redis->partition($device) . '}');
}


# To another primary, a key at a time, with pauses.
sub move {
    my ($x, $slot) = @_;
    my $from = $x->set->owner($slot);
    my ($to) = grep { $_ != $from } $x->set->primaries;

    $x->set->begin_move($slot, $to);
    while ($x->set->move_keys($slot, $from, $to, 1)) {
        $x->pause(0.01);
    }
    $x->set->end_move($slot, $from, $to);
}


experiment('slots', what => 'Cluster: slots move, key by key, there and back',
    %CLUSTER, redis_options => 'timeout=1s partitions=4',
    set => { primaries => 3 }, harm => sub {
        my ($x) = @_;
        my $slot = slot_of($x, $x->probes_device);
        move($x, $slot) for 1 .. 4;
        $x->recover;
    });

experiment('cluster-kill', soak => 1, undone => 'vanished|repeated', %CLUSTER,
    what => 'Cluster: `kill -9` of one primary of three',
    set => { primaries => 3, replicas => 1, timeout => 2000 }, harm => sub {
        my ($x) = @_;
        my $slot = slot_of($x, $x->probes_device);
        my $old = $x->set->owner($slot);
        $old->kill9;
        ok wait_for(sub { $x->set->owner($slot) != $old }, 20),
            'its replica has its place';
        $x->recover;
    });

experiment('cluster-failover', soak => 1, %CLUSTER,
    what => 'Cluster: `CLUSTER FAILOVER`',
    set => { primaries => 3, replicas => 1, timeout => 2000 }, harm => sub {
        my ($x) = @_;
        my $slot = slot_of($x, $x->probes_device);
        my $old = $x->set->owner($slot);
        my ($replica) = $x->set->replicas_of($old);
        $replica->client->cmd('CLUSTER', 'FAILOVER');
        ok wait_for(sub { $x->set->owner($slot) == $replica }, 20),
            'the replica has its place';
        $x->recover;
    });

done_testing;
