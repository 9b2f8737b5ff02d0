#!/usr/bin/perl

# More than a node can take: more connections than it has, more POSTs than
# Redis answers, and the bound that an operator sets.  Nobody hangs, nobody is
# dropped without an answer: 503 with Retry-After, and service when it is over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope qw(inform);
use CWMP::Test qw(patience wait_for);

my $n = 0;


# Informs of so many CPEs at once, each on a connection of its own, before any
# answer is read; returns the CPEs.
sub flood {
    my ($t, $count) = @_;
    my @raw = map { $t->raw(0, timeout => patience(20)) } 1 .. $count;
    $_->post(inform(serial => 'F' . ++$n), no_read => 1) for @raw;
    return @raw;
}


# nginx counts a connection as idle until it has read something of it, so that
# on a busy machine a new one may give way, too: its CPE connects again.
sub answer_of {
    my ($raw) = @_;
    my $answer = eval { $raw->read_response({}) };
    for (1 .. 9) {
        last if $answer || $@ !~ /^nothing came before the connection was closed/;
        $answer = eval { $raw->repeat };
    }
    return $answer // die $@;
}


# How many there are of each status, seconds until the last, and how many of
# the 503s say when to come again.
sub answers {
    my (@raw) = @_;
    my $began = time();
    my (%count, $later);
    for my $r (map { answer_of($_) } @raw) {
        $count{ $r->status }++;
        $later++ if $r->status == 503
                    && join(',', $r->header_all('Retry-After')) eq '30';
    }
    return (\%count, time() - $began, $later // 0);
}


subtest 'HTTP-18 more connections than a worker has' => sub {
    my $t = CWMP::Test->new(connections => 128);
    my @raw = flood($t, 400);
    my ($count, $took) = answers(@raw);
    is_deeply $count, { 200 => 400 },
        'HTTP-18 idle connections give way: all 400 are served';
    cmp_ok $took, '<', patience(5), 'HTTP-18 soon';
    is $raw[0]->post('', new => 1)->status, 204,
        'a session whose connection gave way goes on over another';
    # where all of them wait for Redis none can give way, and the next is
    # accepted later
    $t->expect_log(qr/128 worker_connections are not enough/, [0, 400]);
    $_->disconnect for @raw;
    $t->finish;
};


subtest 'HTTP-18 more than Redis answers' => sub {
    my $t = CWMP::Test->new(redis_options => 'timeout=2s max_pending=20');
    is $t->raw->post(inform(serial => 'first'))->status, 200, 'it works';
    $t->redis_sigstop;
    my @raw = flood($t, 200);

    my ($count, $took, $later) = answers(@raw[100 .. 199]);
    is_deeply $count, { 503 => 100 },
        'HTTP-18 what is above max_pending gets 503';
    cmp_ok $took, '<', patience(1.5), 'HTTP-18 at once';
    is $later, 100, 'HTTP-18 with Retry-After';
    ($count, $took, $later) = answers(@raw[0 .. 99]);
    is_deeply $count, { 503 => 100 }, 'HTTP-18 what waits, too';
    cmp_ok $took, '<', patience(5), 'HTTP-18 HTTP-17 within timeout=';

    $t->redis_cont;
    ok wait_for(sub { $raw[0]->post(inform(serial => 'again'))->status == 200 },
                10), 'HTTP-18 it is over by itself';
    $_->post(inform(serial => 'F' . ++$n), no_read => 1) for @raw[0 .. 9];
    ($count) = answers(@raw[0 .. 9]);
    is_deeply $count, { 200 => 10 },
        'HTTP-18 on the same connections they are served when it is over';
    $_->disconnect for @raw;
    $t->finish;
};


# As docs/directives.md has it.
subtest 'HTTP-18 the bound that an operator sets' => sub {
    my $t = CWMP::Test->new(redis_options => 'timeout=2s', http => <<'HTTP',
    client_header_buffer_size 4k;
    map $http_cookie $cwmp_begins { "" $server_port; }
    limit_conn_zone $cwmp_begins zone=cwmp:64k;
    map $limit_conn_status $cwmp_retry_after { REJECTED 30; }
HTTP
        acs => <<'ACS');
        limit_conn cwmp 50;
        limit_conn_status 503;
        limit_conn_log_level info;
        add_header Retry-After $cwmp_retry_after always;
ACS
    my $begun = $t->raw(0, timeout => patience(20));
    is $begun->post(inform(serial => 'first'))->status, 200, 'it works';
    $t->redis_sigstop;
    my @raw = flood($t, 120);
    my ($count, $took, $later) = answers(@raw[50 .. 119]);
    is_deeply $count, { 503 => 70 }, 'HTTP-18 what is above it gets 503';
    cmp_ok $took, '<', patience(1.5), 'HTTP-18 at once';
    is $later, 70, 'HTTP-18 with Retry-After';
    $begun->post('', no_read => 1);

    $t->redis_cont;
    is answer_of($begun)->status, 204, 'HTTP-18 a session that has begun goes '
        . 'on';
    ($count) = answers(@raw[0 .. 49]);
    is_deeply $count, { 200 => 50 }, 'HTTP-18 the others are served';
    $_->disconnect for @raw;
    $t->finish;
};

done_testing;
