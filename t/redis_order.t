#!/usr/bin/perl

# An answer in chunks, of which Redis carries out a later one before an earlier
# one, which it asked to be sent again: all of it is stored before the step
# ends the task, and the replies are told apart.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::RedisProxy;
use CWMP::Test qw(free_port);

my $TRYAGAIN = 'say -TRYAGAIN Multiple keys request during rehashing of slot';
my $FIRST = qr/^FCALL cwmp_chunk_\d .* Device\.X\.1\./;

my $dir = File::Temp->newdir('cwmp-order-XXXXXX', TMPDIR => 1);
my $port = free_port();
my $cluster = CWMP::RedisCluster->new(dir => $dir, primaries => 1,
    args => ['--cluster-announce-ip', '127.0.0.1',
             '--cluster-announce-port', $port])->start;
my ($server) = $cluster->servers;
my $proxy = CWMP::RedisProxy->new(dir => $dir, port => $port,
                                  redis => $server->socket, latency => 0.01);
my $t = CWMP::Test->new(redis => 0, workers => 1,
                        cwmp_redis => $proxy->address . ' cluster');
my ($worker) = $t->workers;


# The status that an answer of so many parameters has, how many are stored, and
# the states of its task.
sub read_of {
    my ($serial, $n, @rules) = @_;
    my $id = "00D09E-Box-$serial";
    my $key = 'cwmp:{' . $cluster->slot_of($id) % 64 . "}:$id";
    my $raw = $t->raw;

    $raw->post(inform(serial => $serial));
    $server->client->cmd('RPUSH', "$key:tasks", '{"method":'
        . '"GetParameterValues","id":"g","ParameterNames":["Device.X."]}');
    my ($rpc) = $raw->post('')->body =~ /<\w+:ID[^>]*>([^<]*)</;
    $proxy->rules(@rules);
    my $status = $raw->post(gpv_response($rpc,
        map { ["Device.X.$_.Name", 'string', "v$_"] } 1 .. $n))->status;
    my $params = $server->client->cmd('FCALL_RO', 'cwmp_params', 1,
                                      "$key:params", 'Device.X.');
    my @ended = map { my %r = @{ $_->[1] }; $r{status} // $_->[1][1] }
                @{ $server->client->cmd('XRANGE', "$key:results", '-', '+') };
    return ($status, @$params / 3, "@ended");
}


subtest 'the second chunk is answered before the first' => sub {
    my ($status, $n) = read_of('S1', 1400, [$FIRST, $TRYAGAIN, 3],
        [qr/^FCALL cwmp_chunk_\d/, 'say -ERR told by the test']);

    is $status, 503, 'it failed: the CPE comes again';
    is $t->raw->post(inform(serial => 'S2'))->status, 200, 'others are served';
    is_deeply [$t->workers], [$worker], 'by the same worker';
};


subtest 'the step comes before the chunk' => sub {
    my ($status, $n, $ended) = read_of('S3', 600, [$FIRST, $TRYAGAIN, 3]);

    is $status, 204, 'it is answered';
    is $proxy->hits, 3, 'after the chunk was sent again';
    is $n, 600, 'and all of it is stored';
    is $ended, 'done', 'its task is done';
};


$t->finish;
done_testing;
