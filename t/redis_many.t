#!/usr/bin/perl

# Thousands of commands that come back from a Cluster that is down: a worker
# that puts them back in order has nothing else to do for that.

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
use CWMP::Test qw(wait_for patience);

my $MANY = 8000;

my $dir = File::Temp->newdir('cwmp-many-XXXXXX', TMPDIR => 1);
my $cluster = CWMP::RedisCluster->new(dir => $dir, primaries => 1)->start;
my ($server) = $cluster->servers;
my $t = CWMP::Test->new(redis => 0, workers => 1, connections => 2 * $MANY,
    cwmp_redis => $cluster->address . ' timeout=60s partitions=4');
my ($worker) = $t->workers;

is $t->raw->post(inform(serial => 'first'))->status, 200, 'it works';


sub refused {
    my $text = $server->client->cmd('INFO', 'commandstats');
    return ($text =~ /cmdstat_fcall:.*rejected_calls=(\d+)/)[0] // 0;
}


$server->client->cmd('CLUSTER', 'DELSLOTS', 16383);
ok wait_for(sub { $server->client->cmd('CLUSTER', 'INFO')
                      =~ /cluster_state:fail/ }, 10), 'a slot is nobody\'s';
$server->sigstop;

my $path = ($t->url =~ m{(/[^/]*)$})[0];
my $cpu = $t->worker_cpu($worker);
my @cpe;

for my $i (1 .. $MANY) {
    my $body = inform(serial => "M$i");
    push @cpe, IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $t->port) || die $!;
    $cpe[-1]->syswrite("POST $path HTTP/1.1\r\nHost: acs\r\n"
        . "Content-Type: text/xml\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body");
}
sleep(0.5);
my $first = $t->worker_cpu($worker) - $cpu;

my $before = do { $server->cont; refused() };
ok wait_for(sub { refused() - $before > 3 * $MANY }, patience(30)),
    'they come back, and are sent again';
my $again = $t->worker_cpu($worker) - $cpu - $first;

diag(sprintf '%.2f s of CPU to read them, %.2f s to send them again', $first,
     $again);
cmp_ok $again, '<', 1.2 * $first, 'three times, for what it took to read them';

$server->client->cmd('CLUSTER', 'ADDSLOTS', 16383);
ok wait_for(sub { $t->raw->post(inform(serial => 'last'))->status == 200 }, 20),
    'it works again';
$_->close for @cpe;
$t->finish;

done_testing;
