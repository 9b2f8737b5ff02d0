#!/usr/bin/perl

# What happens to Redis: frozen, restarted, killed, out of memory.  See CWMP::Fault.

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

# What writes is refused whole, before it begins.
experiment('full', what => '`maxmemory` reached for 4 s', workers => 2, lost => 0,
    harm => sub {
        my ($x) = @_;
        my $redis = $x->t->redis;
        ok $x->probe, 'a session is served';
        $redis->cmd('CONFIG', 'SET', 'maxmemory', 1);
        $x->pause(2);
        $x->t->reload;                  # workers come while it lasts
        $x->pause(2);
        ok !$x->probe, 'no session is served any more';
        is $redis->cmd('FCALL', 'cwmp_delete', 1,
                       $redis->device_key($x->probes_device)), 'OK',
            'a device can be deleted';
        $redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
        $x->recover;
        my $log = $x->t->error_log;
        my $told = () = $log =~ /\[error\].*refuses what writes.*maxmemory is reached: raise it/g;
        ok $told >= 1 && $told <= 4, 'each worker says what to do, once'
            or diag "$told lines";
        ok $log !~ /Redis at \S+: lost/, 'no connection is lost';
    });

done_testing;
