#!/usr/bin/perl

# What happens to nginx: workers that are killed, reloads, a new binary, a node
# that is gone, sessions that alternate between nodes.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Daemon qw(children_of);
use CWMP::Fault qw(experiment);
use CWMP::Test qw(slurp wait_for);

experiment('worker', what => '`kill -9` of a worker, 20 times', workers => 2,
    soak => 1, lost => 0,
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
    lost => 0, failed => 0,
    harm => sub {
        my ($x) = @_;
        for (1 .. 50) {
            $x->t->reload;
            $x->pause(0.05);
        }
        $x->recover;
    });

# Who served, by the log: workers of both masters while there are two.
sub serve_both {
    my ($t, @masters) = @_;
    my $log = $t->prefix . '/logs/served.log';
    my $from = -s $log;

    return wait_for(sub {
        my %served = map { ($_ => 1) } split(/\n/, substr(slurp($log), $from));
        return @masters == grep {
            grep { $served{$_} } children_of($_)
        } @masters;
    });
}


experiment('upgrade', what => 'a new binary (USR2, WINCH, QUIT), 5 times',
    workers => 2, daemon => 'on', lost => 0, failed => 0,
    http => 'log_format served "$pid";',
    server => 'access_log logs/served.log served;',
    harm => sub {
        my ($x) = @_;
        my $both = 0;
        for (1 .. 5) {
            my @masters = $x->t->node->upgrade_begin;
            $both++ if serve_both($x->t, @masters);
            $x->t->node->upgrade_end;
            $x->pause(0.2);
        }
        is $both, 5, 'the workers of both masters serve while there are two';
        $x->recover;
    });

for my $nodes (2, 3) {
    experiment("nodes-$nodes", nodes => $nodes, soak => 1, lost => 0,
        failed => 0,
        what => (qw(- - two three))[$nodes] . ' nodes, each POST to another one',
        harm => sub { $_[0]->pause(4) });
}

done_testing;
