#!/usr/bin/perl

# What must not mix, wait or happen twice: requests that come at once on one
# connection, devices behind a proxy that share a connection, many CPEs at the
# same moment, and a request whose answer Redis could not give.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisProxy;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(start => 0, cwmp_redis => 'unix:%%DIR%%/proxy.sock');
$t->redis_server->start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->start;

my $n = 0;

sub device { return CWMP::Script->new($t, 'P' . ++$n, @_) }
sub methods { return join(' ', map { $_->method // $_->status } @_) }


# Requests sent in one write, and their answers.
sub at_once {
    my ($raw, @bodies) = @_;
    my $cookie = $raw->cookie;
    $raw->send_raw(join('', map {
        "POST /cwmp HTTP/1.1\r\nHost: acs\r\n"
        . (length $cookie ? "Cookie: $cookie\r\n" : '')
        . 'Content-Length: ' . length($_) . "\r\n\r\n$_"
    } @bodies));
    return map { $raw->read_response({}) } @bodies;
}


subtest 'HTTP-21 requests that do not wait for an answer' => sub {
    my $d = device();
    $d->give_reads('a', 'b');
    is methods(at_once($d->raw, $d->inform_text, '')), 'InformResponse 204',
        'HTTP-21 Inform and an empty POST, without the cookie that it lacks';
    my @got = at_once($d->raw, '', transfer_complete(key => 'k'));
    is methods(@got), 'GetParameterValues TransferCompleteResponse',
        'HTTP-21 an empty POST and a request: each its answer, in order';
    my $rpc = $got[0];
    @got = at_once($d->raw, gpv_response($rpc->id, ['Device.a', 'string', '1']),
                   request('q', 'GetRPCMethods'));
    is methods(@got), 'GetParameterValues GetRPCMethodsResponse',
        'HTTP-21 a response and a request';
    isnt $got[0]->id, $rpc->id, 'HTTP-21 the next task came';
    is $d->post(gpv_response($got[0]->id, ['Device.b', 'string', '2']))->status,
        204, 'HTTP-21 and ends';
    is_deeply [map { "$_->{id} $_->{status}" } $d->results],
        ['a done', 'b done'], 'HTTP-21 each task once';
    is $d->value('Device.a') . $d->value('Device.b'), '12',
        'HTTP-21 with its own value';
    is $d->raw->{connections}, 1, 'HTTP-21 all on one connection';
};


subtest 'SES-20 two devices on one connection' => sub {
    my $shared = $t->raw;
    my @d = map { device(raw => $shared) } 1, 2;
    my (@cookie, @r);

    $d[$_]->give_reads("a$_", "b$_") for 0, 1;
    for my $k (0, 1) {
        $shared->forget_cookies;
        $r[$k] = $d[$k]->inform;
        $cookie[$k] = $shared->cookie;
    }
    isnt $cookie[0], $cookie[1], 'SES-20 a cookie each';

    $r[$_] = $shared->post('', cookie => $cookie[$_]) for 0, 1;
    for my $task ('a', 'b') {
        for my $k (0, 1) {
            is join(' ', $r[$k]->names), "Device.$task$k",
                "SES-20 device $k gets its own task $task";
            $r[$k] = $shared->post(gpv_response($r[$k]->id,
                ["Device.$task$k", 'string', "v$k"]), cookie => $cookie[$k]);
        }
    }
    is methods(@r), '204 204', 'SES-20 both end';
    for my $k (0, 1) {
        is_deeply [map { "$_->{id} $_->{status}" } $d[$k]->results],
            ["a$k done", "b$k done"], "SES-20 results of device $k";
        is_deeply [grep { /^Device\.[ab]\d/ }
                   sort keys %{ $t->redis->params($d[$k]->id) }],
            ["Device.a$k", "Device.b$k"], 'SES-20 its parameters, no others';
    }
    is $shared->{connections}, 1, 'SES-20 on one connection';
};


my $TELLS = transfer_complete(key => 'fw', id => 'tc',
    map { ($_ => '2026-01-31T12:00:00Z') } 'start', 'complete');

# A device that tells of its Download while Redis, or the way to it, fails: what
# it gets each time that it sends the same bytes, and how long the worst took.
sub telling {
    my ($action, $times, @ways) = @_;
    my $d = device();
    my (@got, $worst);

    $d->give({ method => 'Download', id => 'fw', URL => 'http://fs/f',
               FileType => '1 Firmware Upgrade Image' });
    $d->respond($d->begin);
    $d->give_reads('next');
    $d->inform('7 TRANSFER COMPLETE');
    $proxy->rule(qr/ cwmp_step_2 .*TransferComplete/, $action, $times);
    for my $way (@ways) {
        sleep($way->{after} // 0);
        my $begin = time();
        my $r = $d->post($TELLS, %$way);
        $worst = time() - $begin if time() - $begin > ($worst // 0);
        push @got, $r->status == 200 ? $r->fault_code // $r->method
                                     : $r->status;
        is $r->id, 'tc', 'SES-24 with its ID' if $r->status == 200;
        ok $r->header('Retry-After'), 'SES-24 with Retry-After'
            if $r->status == 503;
    }
    $proxy->rule(qr/ none /, 'lose-call');
    return ($d, $worst, @got);
}


sub told_once {
    my ($d) = @_;
    is_deeply [map { "$_->{id} $_->{status}" } $d->results], ['fw done'],
        'SES-24 its task is done, once';
    is scalar(grep { $_->{type} eq 'transfer' && $_->{device} eq $d->id }
              $t->redis->events), 1, 'SES-24 one transfer';
    is $d->empty->method, 'GetParameterValues', 'SES-24 the session goes on';
}


subtest 'SES-24 a request that Redis failed is sent again' => sub {
    # once, Redis not having had it, or having carried it out
    for my $action ('say -ERR out of luck', 'lose-reply') {
        # a call whose answer is lost is made once more; then nginx pauses
        my ($d, $worst, @got) = telling($action, $action =~ /^say/ ? 1 : 2,
                                        {}, { after => 1 });
        is "@got", '8005 TransferCompleteResponse',
            "SES-24 $action: 8005, then the response";
        cmp_ok $worst, '<', 5, 'HTTP-17 within 5 s';
        told_once($d);
    }

    # again and again
    for my $action ('say -ERR out of luck', 'lose-reply') {
        my ($d, undef, @got) = telling($action, 100, map { {} } 1 .. 5);
        is "@got", '8005 8005 8005 503 503',
            "SES-24 $action: three times, then 503";
        my $r;
        ok wait_for(sub { $r = $d->post($TELLS); $r->status == 200 }),
            'SES-24 sent again later';
        is $r->method, 'TransferCompleteResponse', 'SES-24 ... its response';
        told_once($d);
    }

    # what is no request, and who does not keep the connection
    my ($d, undef, @got) = telling('say -ERR out of luck', 1,
                                   { close => 1 });
    is "@got", '503', 'SES-24 a CPE that closes its connection: 503';
    for my $text ($d->inform_text, gpv_response('1', ['Device.a', 'int', 1]),
                  '') {
        $proxy->rule(qr/ cwmp_step_\d /, 'say -ERR out of luck', 1);
        my ($what) = $text =~ /<cwmp:(?!ID)(\w+)/;
        is $d->post($text)->status, 503,
            'SES-24 ' . ($what // 'an empty POST') . ': 503';
    }
};
$t->expect_log(qr/session cannot go on/);


subtest 'HTTP-17 many at once' => sub {
    my @d = map { device() } 1 .. 200;
    my $worst = 0;

    $_->give_reads('a') for @d;
    my $begin = time();
    $_->raw->post($_->inform_text, no_read => 1) for @d;
    for my $step (1 .. 3) {
        for my $d (@d) {
            my $r = $d->raw->read_response({});
            my $took = time() - $begin;
            $worst = $took if $took > $worst;
            $d->{last} = $r;
        }
        last if $step == 3;
        $begin = time();
        $_->raw->post($step == 1 ? '' : gpv_response($_->{last}->id,
            ['Device.a', 'string', 'x']), no_read => 1) for @d;
    }
    is scalar(grep { $_->{last}->status != 204 } @d), 0,
        'HTTP-17 200 sessions end well';
    cmp_ok $worst, '<', 5, 'HTTP-17 each answer came within 5 s';
    note("the longest took $worst s");
};

done_testing;
