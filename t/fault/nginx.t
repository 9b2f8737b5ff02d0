#!/usr/bin/perl

# What happens to nginx: workers that are killed, reloads, a new binary, a node
# that is gone, sessions that alternate between nodes.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Fault qw(experiment);

experiment('worker', what => '`kill -9` of a worker, 20 times', workers => 2,
    lost => 0,
    harm => sub {
        my ($x) = @_;
        for (1 .. 20) {
            $x->t->node->kill9_worker;
            $x->pause(0.2);
        }
        $x->t->expect_log(qr/worker process \d+ exited on signal 9/, 20);
        $x->recover;
    });

experiment('reload', what => '`nginx -s reload`, 50 times', workers => 2,
    lost => 0,
    harm => sub {
        my ($x) = @_;
        for (1 .. 50) {
            $x->t->reload;
            $x->pause(0.05);
        }
        $x->recover;
    });

experiment('nodes', what => 'three nodes, each POST to another one',
    nodes => 3, lost => 0, failed => 0, harm => sub { $_[0]->pause(4) });

done_testing;
