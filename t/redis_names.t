#!/usr/bin/perl

# Redis has moved: nginx' resolver is asked for its name again, and nobody
# waits for that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use IO::Socket::INET;
use Socket qw(inet_aton);
use Test::More;

use CWMP::Raw ':build';
use CWMP::RedisServer;
use CWMP::Test qw(wait_for free_port);


# Answers each question for an address with 127.0.0.2.
sub dns {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Proto => 'udp') or die;
    my $pid = fork() // die;
    return ($pid, $socket->sockport) if $pid;

    while (defined $socket->recv(my $question, 512)) {
        my ($name) = substr($question, 12) =~ /^((?:[^\0].*?)?\0)/s;
        $socket->send(substr($question, 0, 2) . "\x81\x80\0\1\0\1\0\0\0\0"
                      . "$name\0\1\0\1" . "\xc0\x0c\0\1\0\1\0\0\0\5\0\4"
                      . inet_aton('127.0.0.2'));
    }
    exit(0);
}


for my $with_resolver (1, 0) {
    my ($pid, $dns) = dns();
    my $t = CWMP::Test->new(start => 0, redis => { port => 'auto' },
        $with_resolver
            ? (http => "resolver 127.0.0.1:$dns ipv6=off;") : ());
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
    kill('KILL', $pid);
    waitpid($pid, 0);
    $t->finish;
}

done_testing;
