#!/usr/bin/perl

# Redis that is far away, or slow, or gone without a word.  A process between
# nginx and Redis makes it so.  CPEs are answered, work waits while Redis is
# slow, and is done when it is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(time sleep);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::RedisProxy;
use CWMP::Test qw(free_port patience wait_for slurp);

my $FOREVER = 1e9;
my $GET = { method => 'GetParameterValues', ParameterNames => ['Device.X'] };


sub behind_proxy {
    my (%opt) = @_;
    my $t = CWMP::Test->new(start => 0, server => 'access_log logs/cwmp.log cwmp;',
        cwmp_redis => 'unix:%%DIR%%/proxy.sock ' . ($opt{options} // ''),
        http => "log_format cwmp '\$cwmp_device \$cwmp_deferred';"
                . ($opt{http} // ''));
    $t->redis_server->start;
    my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                      redis => $t->redis_server->socket);
    $t->start;
    return ($t, $proxy);
}


sub give {
    my ($t, $serial, @id) = @_;
    my $device = CWMP::Redis::device_id('00D09E', 'Box', $serial);
    $t->redis->push_task($device, map { { %$GET, id => $_ } } @id);
    return $device;
}


# One session of a CPE: what came after the Inform, and after each answer.
sub session {
    my ($t, $serial) = @_;
    my $raw = $t->raw;
    my @said = ($raw->post(inform(serial => $serial))->status);
    my $r = $raw->empty;
    while ($r->status == 200) {
        push @said, $r->method;
        $r = $raw->post(gpv_response($r->id, ['Device.X', 'string', '1']));
    }
    return join(' ', @said, $r->status);
}


# Informs for so many seconds; the statuses.
sub informs {
    my ($t, $seconds) = @_;
    my ($raw, $end, %status) = ($t->raw, time() + $seconds);
    while (time() < $end) {
        $status{ $raw->post(inform(serial => 'load'))->status }++;
        sleep(0.05);
    }
    return join(' ', sort keys %status);
}


subtest 'SLOW what nginx -t refuses' => sub {
    my $redis = 'cwmp_redis 127.0.0.1:6379;';
    for (['cwmp_overload latency=fast;',
          qr/invalid value "latency=fast" in "cwmp_overload": use off or e\.g\. latency=500ms/],
         ['cwmp_overload latency=0;', qr/use off or e\.g\./],
         ['cwmp_overload latency=19ms;', qr/"latency=19ms".*20ms at least/],
         ['cwmp_overload 500ms;', qr/use off or e\.g\./],
         ['cwmp_overload off; cwmp_overload off;', qr/is duplicate/],
         ['server { location / { cwmp_overload off; } }', qr/not allowed here/])
    {
        my $t = CWMP::Test->new(start => 0, http => $_->[0]);
        like $t->check_conf, $_->[1], $_->[0];
        $t->expect_log(qr/\[emerg\]/, [0, 1]);
        $t->finish;
    }
};


subtest 'SLOW 50 ms: nothing is put off' => sub {
    my ($t, $proxy) = behind_proxy(http => 'cwmp_overload latency=250ms;');
    my $device = give($t, 'A1', 'a', 'b');
    $proxy->rule(qr/cwmp_step/, 'delay 0.05', $FOREVER);
    is informs($t, 4.5), '200', 'four seconds of Informs';
    is session($t, 'A1'), '200 GetParameterValues GetParameterValues 204',
        'tasks are sent';
    unlike $t->error_log, qr/is slow/, 'nothing in the log';
    $t->finish;
    $proxy->stop;
};


subtest 'SLOW 500 ms: sessions end after the Inform, work waits' => sub {
    my ($t, $proxy) = behind_proxy(http => 'cwmp_overload latency=250ms;');
    give($t, 'B1', 'a', 'b');
    give($t, 'B2', 'a', 'b');
    my $begun = $t->raw;
    $begun->post(inform(serial => 'B2'));
    my $rpc = $begun->empty;
    is $rpc->method, 'GetParameterValues', 'a session with an RPC outstanding';

    $proxy->rule(qr/cwmp_step/, 'delay 0.5', $FOREVER);
    is informs($t, 5), '200', 'Informs are taken';
    ok $t->wait_log(qr/\[warn\].*Redis at \S+ is slow: \d+ of \d+ answers in a second took 250 ms or more, the longest \d+ ms: sessions end after the Inform, and tasks wait/),
        'the log says so, with figures';
    is session($t, 'B1'), '200 204', 'a session ends after its Inform';
    is_deeply [$t->redis->results('00D09E-Box-B1')], [],
        'its tasks have no result';
    is $begun->post(gpv_response($rpc->id, ['Device.X', 'string', '1']))
        ->status, 204, 'an answer is taken, and ends its session';
    is_deeply [map { "$_->{id} $_->{status}" }
               $t->redis->results('00D09E-Box-B2')], ['a done'],
        'its task is done, the next one waits';
    like slurp($t->prefix . '/logs/cwmp.log'), qr/^00D09E-Box-B1 1$/m,
        '$cwmp_deferred names the device';

    $proxy->rule(qr/cwmp_step/, 'delay 0', $FOREVER);
    ok wait_for(sub { informs($t, 1);
                      $t->error_log =~ /is slow no more/ }, 15),
        'it is over by itself';
    like $t->error_log, qr/\[warn\].*Redis at \S+ is slow no more, after \d+ s: tasks are sent again; 2 sessions ended without a look at theirs/,
        'and how many sessions it was of';
    is session($t, 'B1'), '200 GetParameterValues GetParameterValues 204',
        'the tasks are sent';
    is session($t, 'B2'), '200 GetParameterValues 204', 'the other one, too';
    is scalar(() = $t->error_log =~ /is slow/g), 2, 'two lines, no more';
    $t->finish;
    $proxy->stop;
};


subtest 'SLOW off, and one second alone' => sub {
    my ($t, $proxy) = behind_proxy(http => 'cwmp_overload off;');
    give($t, 'C1', 'a');
    $proxy->rule(qr/cwmp_step/, 'delay 0.6', $FOREVER);
    informs($t, 5);
    is session($t, 'C1'), '200 GetParameterValues 204', 'off: tasks are sent';
    $t->finish;
    $proxy->stop;

    $t = CWMP::Test->new(http => 'cwmp_overload latency=250ms;');
    give($t, 'C2', 'a');
    informs($t, 1);
    my @raw = map { $t->raw } 1 .. 50;
    $t->redis_sigstop;
    $_->post(inform(serial => 'many'), no_read => 1) for @raw;
    sleep(1.2);
    $t->redis_cont;
    $_->read_response({}) for @raw;
    informs($t, 1.2);
    is session($t, 'C2'), '200 GetParameterValues 204',
        'Redis paused for a second, as when it forks: tasks are sent';
    unlike $t->error_log, qr/is slow/, 'nothing in the log';
    $t->finish;
};


# Commands that wait at a primary that is gone are late, and it is not slow.
subtest 'SLOW in a Cluster: which one, and none that is not there' => sub {
    my $dir = File::Temp->newdir('cwmp-slow-XXXXXX', TMPDIR => 1);
    my $port = free_port();
    my ($server) = CWMP::RedisCluster->new(dir => $dir, primaries => 1,
        args => ['--cluster-announce-ip', '127.0.0.1',
                 '--cluster-announce-port', $port])->start->servers;
    my $proxy = CWMP::RedisProxy->new(dir => $dir, port => $port,
                                      redis => $server->socket);
    my $seed = '127.0.0.1:' . $server->port;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => "$seed cluster timeout=4s",
                            http => 'cwmp_overload latency=250ms;');
    is session($t, 'B1'), '200 204', 'it works';

    $proxy->rule(qr/cwmp_step/, 'swallow', $FOREVER);
    my @raw;
    for my $i (1 .. 4) {
        push @raw, $t->raw;
        $raw[-1]->post(inform(serial => "B$i"), no_read => 1);
        sleep(0.8);
    }
    $proxy->stop;
    is $_->read_response({})->status, 503, 'it is gone: 503' for @raw;
    $proxy = CWMP::RedisProxy->new(dir => $dir, port => $port,
                                   redis => $server->socket);
    $proxy->rule(qr/cwmp_step/, 'delay 0', $FOREVER);
    ok wait_for(sub { session($t, 'B1') eq '200 204' }, 10), 'it is back';
    sleep(1.1);
    is session($t, 'B1'), '200 204', 'and in service';
    unlike $t->error_log, qr/is slow/, 'it was not slow, but gone';

    $proxy->rule(qr/cwmp_step/, 'delay 0.3', $FOREVER);
    ok wait_for(sub { informs($t, 1); $t->error_log =~ /is slow/ }, 15),
        'now it is slow';
    like $t->error_log, qr/Redis at 127\.0\.0\.1:$port is slow:/,
        'the log names it, not who was asked for it';
    $t->finish;
    $proxy->stop;
};


# --- gone without a word ---------------------------------------------------

subtest 'GONE a connection that swallows, in the middle of a session' => sub {
    my ($t, $proxy) = behind_proxy(options => 'timeout=500ms');
    my $device = give($t, 'D1', 'a');
    my $raw = $t->raw;
    $raw->post(inform(serial => 'D1'));
    my $rpc = $raw->empty;

    my $before = $proxy->connections;
    $proxy->rule(qr/cwmp_step/, 'swallow');
    my $began = time();
    my $answer = gpv_response($rpc->id, ['Device.X', 'string', '1']);
    is $raw->post($answer)->status, 503, 'the CPE hears 503';
    my $took = time() - $began;
    cmp_ok $took, '>=', 0.4, 'not before timeout=';
    cmp_ok $took, '<', patience(1.2), 'but soon after';

    my $status;
    ok wait_for(sub { ($status = $raw->post($answer)->status) == 204 }, 5),
        'the same POST again is served over a new connection';
    my $back = time() - $began;
    cmp_ok $back, '<', patience(2), 'soon: timeout= and a short pause';
    note sprintf 'served again after %.2f s', $back;
    cmp_ok $proxy->connections, '>', $before, 'which there was';
    is_deeply [map { "$_->{id} $_->{status}" } $t->redis->results($device)],
        ['a done'], 'the task has its one result';
    ok $t->wait_log(qr/\[error\].*Redis at \S+: lost: no answer within 500 ms/),
        'the log says what happened';
    $t->finish;
    $proxy->stop;
};


# In /proc/net/tcp: 02 is the keepalive timer, then hundredths of seconds.
subtest 'GONE an idle connection is asked after half a minute' => sub {
    my $t = CWMP::Test->new(redis => { port => 'auto' }, start => 0);
    $t->node->{redis} = '127.0.0.1:' . $t->redis_server->port;
    $t->start_all;
    plan skip_all => 'no /proc/net/tcp' if !-r '/proc/net/tcp';
    $t->raw->post(inform(serial => 'E1'));
    my $port = sprintf '%04X', $t->redis_server->port;
    my ($left) = slurp('/proc/net/tcp')
        =~ /^\s*\d+: \S+ \w+:$port 01 \S+ 02:(\w+)/m;
    ok defined $left && hex($left) <= 3000,
        'the timer is below 30 s, not two hours' or diag $left // 'none';
    $t->finish;
};

done_testing;
