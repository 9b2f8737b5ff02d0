#!/usr/bin/perl

# Redis has moved: nginx' resolver is asked for its name again, and nobody
# waits for that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use File::Temp ();
use Test::More;

use CWMP::DNS;
use CWMP::Raw ':build';
use CWMP::RedisServer;
use CWMP::Test qw(wait_for);


my $dir = File::Temp->newdir('cwmp-names-XXXXXX', TMPDIR => 1);
my $dns = CWMP::DNS->new(dir => $dir, names => { '*' => '127.0.0.2' });


for my $with_resolver (1, 0) {
    my $t = CWMP::Test->new(start => 0, redis => { port => 'auto' },
        $with_resolver ? (http => $dns->resolver) : ());
    my $port = $t->redis_server->port;

    $t->node->{redis} = "localhost:$port";
    $t->start_all;
    is $t->raw->post(inform(serial => 'S1'))->status, 200,
        'a name is resolved at the start';
    $t->redis_stop;

    make_path($t->dir . '/moved');
    my $moved = CWMP::RedisServer->new(dir => $t->dir . '/moved',
        port => $port, args => ['--bind', '127.0.0.2'])->start;
    my $there = wait_for(sub {
        $t->raw->post(inform(serial => 'S2'))->status == 200
    }, $with_resolver ? 15 : 2);

    if ($with_resolver) {
        ok $there, 'it is somewhere else: found by the resolver';
    } else {
        ok !$there, 'without a resolver its address stays';
    }
    $t->quit;
    $moved->stop;
    $t->finish;
}

done_testing;
