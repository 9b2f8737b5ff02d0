#!/usr/bin/perl

# Sentinels that announce host names: nginx' resolver finds the master, and a
# failover is followed to another name.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::DNS;
use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(patience wait_for);


# Sentinels look their names up themselves.  getaddrinfo() takes these for
# 127.0.0.1, nginx for names.
my @NAMES = qw(127.1 127.0.1 0x7f.1);
my $dir = File::Temp->newdir('cwmp-names-XXXXXX', TMPDIR => 1);
my $dns = CWMP::DNS->new(dir => $dir, ttl => 0,
                         names => { map { $_ => '127.0.0.1' } @NAMES });
my $set = CWMP::RedisCluster->new(dir => $dir, sentinels => 3, replicas => 2,
                                  names => \@NAMES,
                                  args => ['--bind', '0.0.0.0'])->start;
my $t = CWMP::Test->new(redis => 0, workers => 1, http => $dns->resolver,
                        cwmp_redis => $set->address . ' timeout=1500ms');


sub has {
    my ($server, $serial) = @_;
    return $server->client->cmd('EXISTS', "cwmp:{0}:00D09E-Box-$serial");
}


subtest 'the master is a name' => sub {
    is $t->bare_session('S1'), 204, 'a session';
    ok has($set->master, 'S1'), 'the device is in the master';
    like $t->error_log, qr/the master is 127\.1:\d+/, 'the log says who';
    like $t->error_log, qr/Redis at 127\.1:\d+: connected/, 'by its name';
};


subtest 'its address changes' => sub {
    my ($master) = $set->servers;
    $dns->name('127.1', '127.0.0.2');
    sleep(1.1);                         # what is remembered for a second
    $master->client->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    is $t->bare_session('S1'), 204, 'a session';
    like $master->client->cmd('CLIENT', 'LIST'),
        qr/laddr=127\.0\.0\.2:.*name=cwmp:/, 'at the new one';

    $dns->name('127.1', undef);
    sleep(1.1);
    $master->client->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    is $t->bare_session('S1'), 503, 'there is none';
    like $t->error_log, qr/Redis at 127\.1:\d+: lost: its name could not be resolved \(3: Host not found\)/,
        'the log says so';
    $dns->name('127.1', '127.0.0.1');
    ok wait_for(sub { $t->bare_session('S1') == 204 }, 20), 'it is back';
};


subtest 'a failover' => sub {
    my $old = $set->master;
    $old->client->cmd('WAIT', 2, 1000);
    $old->kill9;
    ok wait_for(sub { $t->bare_session('S2') == 204 }, 30), 'another serves';
    ok wait_for(sub { $set->master != $old }, 20), 'which is the master now';
    ok has($set->master, 'S2'), 'and has the device';
    ok has($set->master, 'S1'), 'with all others';
    my $name = $set->sentinel_client(($set->sentinels)[0])
        ->cmd('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'acs')->[0];
    ok scalar(grep { $_ eq $name } @NAMES[1, 2]), 'it has a name';
    like $t->error_log, qr/Redis at \Q$name\E:\d+: connected/,
        'and is known by it';
};


subtest 'without a resolver' => sub {
    my $c = CWMP::Test->new(redis => 0, cwmp_redis => $set->address
                            . ' timeout=500ms');
    is $c->raw->post(inform(serial => 'S3'))->status, 503, 'no service';
    like $c->error_log, qr/the master "[^"]+" is no address: set a resolver in nginx, or announce-hostnames no in the Sentinels/,
        'the log says what to do';
    $c->finish;
};

$t->finish;
done_testing;
