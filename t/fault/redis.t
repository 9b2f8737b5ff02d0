#!/usr/bin/perl

# What happens to Redis: frozen, restarted, killed.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Fault qw(experiment);

experiment('frozen', what => 'Redis SIGSTOP for 5 s', workers => 2,
    harm => sub {
        my ($x) = @_;
        $x->t->redis_sigstop;
        $x->pause(5);
        $x->t->redis_cont;
        $x->recover;
    });

experiment('restart', what => 'Redis restarted, with AOF', workers => 2,
    harm => sub {
        my ($x) = @_;
        $x->t->redis_restart;
        $x->recover;
    });

experiment('kill', what => 'Redis `kill -9`, AOF everysec', workers => 2,
    harm => sub {
        my ($x) = @_;
        $x->t->redis_kill9;
        $x->t->redis_start;
        $x->recover;
    });

done_testing;
