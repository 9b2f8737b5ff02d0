#!/usr/bin/perl

# Sentinels or nodes of a Cluster that know no better: no command of ours goes
# to a Sentinel, and one that is wrong is not believed for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::RedisProxy;
use CWMP::Test qw(free_port wait_for);

my @DIRS;


sub folder {
    push @DIRS, File::Temp->newdir('cwmp-set-XXXXXX', TMPDIR => 1);
    return $DIRS[-1];
}


# A Cluster of one node, which sends clients to a proxy.
sub behind_proxy {
    my (@opt) = @_;
    my $port = free_port();
    my $dir = folder();
    my ($server) = CWMP::RedisCluster->new(dir => $dir, primaries => 1,
        args => ['--cluster-announce-ip', '127.0.0.1',
                 '--cluster-announce-port', $port])->start->servers;
    return ($server, CWMP::RedisProxy->new(dir => $dir, port => $port,
                                           redis => $server->socket, @opt));
}


subtest 'what waits is not for the Sentinel' => sub {
    my $set = CWMP::RedisCluster->new(dir => folder(), sentinels => 1)->start;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => $set->address . ' timeout=800ms');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    $set->master->kill9;
    my $begin = time();
    my @raw = map { my $raw = $t->raw;
                    $raw->post(inform(serial => "S$_"), no_read => 1);
                    sleep(0.05);
                    $raw } 1 .. 6;
    my %status = map { $_->read_response({})->status => 1 } @raw;

    is_deeply [keys %status], [503], 'the master is gone: 503';
    cmp_ok time() - $begin, '>', 0.7, 'once the time is up';
    unlike $t->error_log, qr/unknown command/, 'the Sentinel got nothing';
    $t->finish;
};


subtest 'a Sentinel that names one who is gone' => sub {
    my @set = map { CWMP::RedisCluster->new(dir => folder(), sentinels => 1)
                    ->start } 1, 2;
    my ($stale, $other) = map { '127.0.0.1:' . ($_->sentinels)[0]->port } @set;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
        cwmp_redis => "$stale $other sentinel=acs timeout=500ms");
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    $set[0]->master->kill9;
    ok wait_for(sub { sleep(0.1);
                      $t->raw->post(inform(serial => 'S1'))->status == 200 },
                10), 'the other one is asked after a while';
    like $t->error_log, qr/Redis at $stale: lost: it names \S+, which is down/,
        'the log says why';
    $t->finish;
};


subtest 'a node of a Cluster with an old map' => sub {
    my ($server, $proxy) = behind_proxy();
    my $seeds = $proxy->address . ' 127.0.0.1:' . $server->port;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => "$seeds cluster timeout=5s");
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    my $map = join("\r\n", '*1', '*3', ':0', ':16383', '*2', '$9',
                   '127.0.0.1', ':' . free_port());
    $proxy->rules([qr/^CLUSTER SLOTS/, "say $map", 1000],
        [qr/^FCALL cwmp_step_\d/, 'say -CLUSTERDOWN told by the test']);
    is $t->raw->post(inform(serial => 'S1'))->status, 200,
        'another one is asked, in time';
    is $proxy->hits, 1, 'after the map was told';
    $t->finish;
};


# Its time is up while a node has it once more: that node is well.
subtest 'a command that comes too late for another try' => sub {
    my ($server, $proxy) = behind_proxy(latency => 0.03);
    my $t = CWMP::Test->new(redis => 0, workers => 1,
        cwmp_redis => $proxy->address . ' cluster timeout=1395ms');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    my $connections = $proxy->connections;
    $proxy->rule(qr/^FCALL cwmp_step_\d .*-Box-SLOW/,
        'say -TRYAGAIN Multiple keys request during rehashing of slot', 1000);
    my @slow = map { my $raw = $t->raw;
                     $raw->post(inform(serial => "SLOW$_"), no_read => 1);
                     sleep(0.02);
                     $raw } 1 .. 30;
    my %status = map { $_->read_response({})->status => 1 } @slow;
    is_deeply [keys %status], [503], 'theirs never comes through: 503';
    is $proxy->connections, $connections, 'no connection was given up';
    unlike $t->error_log, qr/lost: /, 'and none was lost';
    like $t->error_log, qr/says "TRYAGAIN/, 'the log says why';
    $t->finish;
};


subtest 'a slot is down, and who asked has gone' => sub {
    my ($server, $proxy) = behind_proxy(latency => 0.1);
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => $proxy->address . ' cluster timeout=5s');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    $proxy->rule(qr/^FCALL cwmp_step_\d .*-Box-GONE/,
                 'say -CLUSTERDOWN Hash slot not served');
    my $raw = $t->raw;
    $raw->post(inform(serial => 'GONE'), no_read => 1);
    sleep(0.05);
    $raw->disconnect;
    wait_for(sub { $proxy->hits });
    is $t->raw->post(inform(serial => 'S2'))->status, 200,
        'other slots are served';
    unlike $t->error_log, qr/lost: /, 'by the same connection';
    $t->finish;
};


# One refuses, one says nothing: who did what?
subtest 'two addresses that are down' => sub {
    my ($refuses, $silent) = (free_port(), free_port());
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9,
        LocalPort => $silent, ReuseAddr => 1) or die;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
        cwmp_redis => "127.0.0.1:$refuses 127.0.0.1:$silent cluster "
                      . 'timeout=1s connect_timeout=100ms');

    is $t->raw->post(inform(serial => "S$_"))->status, 503, "no service, $_"
        for 1 .. 5;
    my @said = $t->error_log =~ /session cannot go on: Redis at (.*?), client/g;
    is_deeply [grep { !/^\S+:$refuses\b.* connect\(\) failed/
                      && !/^\S+:$silent\b.* no handshake/ } @said], [],
        'each is named with what it did' or diag "@said";
    $t->finish;
};


# One waits for the node that may take its place, others are not kept.
subtest 'who is there is known, and all of them are down' => sub {
    my $cluster = CWMP::RedisCluster->new(dir => folder(),
                                          primaries => 1)->start;
    my ($server) = $cluster->servers;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => $cluster->address . ' timeout=9s');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    $server->sigstop;
    my $raw = $t->raw;
    $raw->post(inform(serial => 'S2'), no_read => 1);
    sleep(0.3);
    $server->kill9;
    ok wait_for(sub { $t->error_log =~ /: lost: / }, 5), 'it is gone';
    sleep(0.3);

    my $begin = time();
    is $t->raw->post(inform(serial => 'S2'))->status, 503,
        'one that comes now gets 503';
    cmp_ok time() - $begin, '<', 4, 'at once';
    $server->start;
    is $raw->read_response({})->status, 200, 'who waits is served after all';
    $t->finish;
};


subtest 'no address is there' => sub {
    my $dir = folder();
    my $t = CWMP::Test->new(redis => 0, workers => 1,
        cwmp_redis => "unix:$dir/1 unix:$dir/2 cluster timeout=9s");
    my $begin = time();
    is $t->raw->post(inform(serial => 'S1'))->status, 503, 'the first Inform';
    cmp_ok time() - $begin, '<', 4, 'does not wait for more than them';
    $t->finish;
};


subtest 'a worker that is exiting asks the next one' => sub {
    my $set = CWMP::RedisCluster->new(dir => folder(), sentinels => 1)->start;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9)
        or die;
    my $t = CWMP::Test->new(redis => 0, workers => 1, cwmp_redis =>
        '127.0.0.1:' . $listen->sockport . ' ' . $set->address
        . ' timeout=10s connect_timeout=1s');
    my $raw = $t->raw;
    $raw->post(inform(serial => 'S1'), no_read => 1);
    my $its = $listen->accept;
    kill('QUIT', $t->workers);
    is $raw->read_response({})->status, 200, 'a CPE that it serves is served';
    $t->finish;
};


# Its own question, of what is due, waits for a primary that is gone.
subtest 'a worker that nobody needs' => sub {
    my $set = CWMP::RedisCluster->new(dir => folder(), sentinels => 1)->start;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => $set->address . ' timeout=30s');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'it works';
    $set->master->sigstop;
    sleep(1.5);
    $set->master->kill9;
    sleep(0.5);
    my $begin = time();
    is $t->quit(undef, 20), 'QUIT', 'it quits';
    cmp_ok time() - $begin, '<', 10, 'and does not wait for that';
    $t->finish;
};


subtest 'a map that cannot be' => sub {
    my ($server, $proxy) = behind_proxy();
    my $t = CWMP::Test->new(redis => 0, workers => 1, start => 0,
        cwmp_redis => $proxy->address . ' cluster timeout=500ms');
    my $range = "\r\n*3\r\n:0\r\n:16383\r\n*2\r\n\$9\r\n127.0.0.1\r\n:1";

    $proxy->rule(qr/^CLUSTER SLOTS/, 'say *2' . $range x 2);
    $t->start_all;          # a worker asks by itself, too
    ok wait_for(sub { $t->raw->post(inform(serial => 'S1'))->status == 200 },
                10), 'is asked for again';
    ok $t->wait_log(qr/lost: its slots are not as CLUSTER SLOTS tells/),
        'and not taken';

    my $bad = '*2' . ($range =~ s/16383/0/r . $range =~ s/:0/:1/r)
                     =~ s/\$9\r\n127.0.0.1/\$8\r\na.b\ncrit/gr;
    $proxy->rules([qr/^CLUSTER SLOTS/, "say $bad", 100],
        [qr/^FCALL cwmp_step_\d/, 'say -CLUSTERDOWN told by the test']);
    $t->raw->post(inform(serial => 'S1'));
    ok $t->wait_log(qr/a node of the Cluster is "a\.b crit", which is nei/),
        'a name where an address should be';
    $t->raw->post(inform(serial => 'S1')), sleep(0.2) for 1 .. 3;
    is scalar(my @lines = $t->error_log =~ /neither an address/g), 1,
        'one line, whatever maps say it again';

    $proxy->rules([qr/^CLUSTER SLOTS/, 'say -LOADING told by the test']);
    $t->restart;
    $t->raw->post(inform(serial => 'S1'));
    ok $t->wait_log(qr/refused CLUSTER SLOTS: "LOADING told by the test"$/m),
        'one that is loading is a Cluster';
    $t->finish;
};


subtest 'a node of nginx is ready while a primary is there' => sub {
    my $cluster = CWMP::RedisCluster->new(dir => folder(), primaries => 3,
        args => ['--cluster-require-full-coverage', 'no'])->start;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
        cwmp_redis => $cluster->address . ' timeout=500ms',
        server => 'location = /ready { cwmp_ready; }');
    my @s = $cluster->servers;
    my ($there) = grep { $cluster->owner('{' . $cluster->slot_of(
                             "00D09E-Box-S$_") % 64 . '}') == $s[1] } 1 .. 100;
    is $t->raw->get('/ready')->status, 200, 'ready';
    is $t->raw->post(inform(serial => "S$there"))->status, 200, 'a session';

    $s[0]->kill9;                       # of slot 0
    sleep(1.1);
    is $t->raw->get('/ready')->status, 200, 'ready, of two thirds of the devices';
    ok wait_for(sub {
        $t->raw->post(inform(serial => "S$there"))->status == 200
    }, 10), 'which are served';
    $t->finish;
};


done_testing;
