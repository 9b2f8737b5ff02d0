#!/usr/bin/perl

# A Redis that would throw data away is not used; one that would lose them is
# warned of, and one that takes none for now.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Raw ':build';
use CWMP::RedisProxy;
use CWMP::Test qw(wait_for);


my $user = ['ACL', 'SETUSER', 'acs', 'on', '>pw', '~*', '+@all'];


subtest 'a policy that evicts' => sub {
    my $t = CWMP::Test->new(redis => { args => ['--maxmemory-policy',
                                                'volatile-lru'] });
    is $t->raw->post(inform())->status, 503, 'is not served with';
    like $t->error_log, qr/maxmemory-policy is "volatile-lru".*noeviction/,
        'the log says what to set';
    is_deeply $t->redis->cmd('KEYS', 'cwmp*'), [], 'nothing was written';

    $t->redis->cmd('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    ok wait_for(sub { $t->raw->post(inform())->status == 200 }, 10),
        'when it is set, it is served';
    $t->finish;
};


subtest 'without the right to ask' => sub {
    my $t = CWMP::Test->new(start => 0, redis_options => 'user=acs password=pw',
        redis => { args => ['--maxmemory-policy', 'allkeys-lru'] });
    $t->redis_server->start;
    $t->redis->cmd(@$user, '-info', '-config');
    $t->start;
    is $t->raw->post(inform())->status, 200, 'it is served';
    like $t->error_log, qr/its maxmemory-policy is not known.*\+info/,
        'and the log says that it is not known';
    $t->quit;

    $t->redis->cmd(@$user, '+info', '-config');
    $t->start;
    is $t->raw->post(inform())->status, 503, 'CONFIG is not needed';
    $t->finish;
};


subtest 'one that is busy when it is asked' => sub {
    my $t = CWMP::Test->new(start => 0, workers => 1,
                            cwmp_redis => 'unix:%%DIR%%/proxy.sock');
    $t->redis_server->start;
    my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                      redis => $t->redis_server->socket);
    $proxy->rule(qr/^INFO/, 'say -BUSY told by the test', 1);
    $t->start;
    is $t->raw->post(inform())->status, 503, 'it is not served unasked';
    like $t->error_log, qr/it refused INFO: "BUSY told by the test"/,
        'the log says why';
    ok wait_for(sub { $t->raw->post(inform())->status == 200 }, 10),
        'it is asked again';
    $t->finish;
    $proxy->stop;
};


subtest 'one that refuses what writes' => sub {
    my $t = CWMP::Test->new(workers => 1);
    is $t->raw->post(inform())->status, 200, 'a device is served';
    for (['min-replicas-to-write', 1, 0, qr/too few replicas follow it: start/],
         ['maxmemory', 1, 0, qr/its maxmemory is reached: raise it/]) {
        my ($name, $bad, $good, $what) = @$_;
        $t->redis->cmd('CONFIG', 'SET', $name, $bad);
        is $t->raw->post(inform())->status, 503, "$name: 503" for 1 .. 2;
        my @told = $t->error_log =~ /\[error\].*refuses what writes.*$what/g;
        is scalar @told, 1, 'the log says once what to do';
        $t->redis->cmd('CONFIG', 'SET', $name, $good);
        is $t->raw->post(inform())->status, 200, 'and it goes on by itself';
    }
    $t->finish;
};


subtest 'deadlines of many partitions' => sub {
    my $t = CWMP::Test->new(workers => 1, redis_options => 'partitions=64');
    is $t->raw->post(inform())->status, 200, 'a device is served';
    $t->redis->cmd('CONFIG', 'SET', 'maxmemory', 1);
    ok $t->wait_log(qr/deadlines cannot be kept, .*\(cwmp_redis unix:\S+\) answered: OOM/),
        'are not kept while Redis writes nothing, and it is named';
    sleep(2);
    is scalar(my @told = $t->error_log =~ /deadlines? cannot/g), 1,
        'one line for all of them';
    $t->redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
    $t->finish;
};


subtest 'persistence' => sub {
    my $t = CWMP::Test->new(workers => 2);
    $t->raw->post(inform(serial => $_)) for 1 .. 20;
    my @warned = $t->error_log =~ /\[warn\].*append-only file is off/g;
    is scalar @warned, 1, 'its append-only file is off: warned of once';
    $t->finish;

    $t = CWMP::Test->new(redis => { appendonly => 1 });
    $t->raw->post(inform());
    unlike $t->error_log, qr/append-only/, 'on: no warning';
    $t->finish;
};


done_testing;
