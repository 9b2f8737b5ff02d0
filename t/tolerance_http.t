#!/usr/bin/perl

# What real CPEs get wrong around their bodies: headers, cookies, connections,
# lengths.  Each is sent as it is met; what counts is that the device's task
# comes through, or that nothing is stored of what cannot be used.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use IO::Socket::INET;
use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new(workers => 2, server => <<'CONF');
    location /direct { cwmp_acs; cwmp_session_fallback connection; }
CONF

my $n = 0;


# A device with a task, and its session's Inform behind it.
sub informed {
    my (%o) = @_;
    my $d = CWMP::Script->new($t, 'H' . ++$n, %o);
    $d->give_reads('a');
    $d->inform;
    return $d;
}


sub answered {
    my ($d, $r, %how) = @_;
    return $d->post(gpv_response($r->id, ['Device.a', 'string', 'x']), %how);
}


# What is sent to the end of a session, each POST with %how.
sub carried {
    my ($name, $d, %how) = @_;
    my $r = $d->empty(%how);
    is $r->method, 'GetParameterValues', "$name: the RPC comes" or return;
    is answered($d, $r, %how)->status, 204, "$name: the answer is taken";
    is $d->value('Device.a'), 'x', "$name: and stored";
}


# Bytes on a connection of their own: all that came until it was closed.
sub wire {
    my ($length, $body) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $t->port) or die "$!\n";
    print $s join("\r\n", 'POST /cwmp HTTP/1.1', 'Host: acs',
                  "Content-Length: $length", '', $body);
    $s->flush;
    local $/;
    return scalar(<$s>);
}


# --- D1, D2: types ---------------------------------------------------------

subtest 'TOL-01 the Content-Type does not matter' => sub {
    for my $type (undef, '', 'application/soap+xml', 'text/xml;charset=utf8',
                  'text/xml; charset="utf-8"', "text/xml; charset='UTF-8'",
                  'text/plain', 'application/x-www-form-urlencoded',
                  'text/xml; charset=', 'text/xml; charset=KOI9-Q')
    {
        my $d = CWMP::Script->new($t, 'Typ' . ++$n,
                                  manufacturer => "Caf\x{e9}");
        my $r = $d->post($d->inform_text, content_type => $type);
        is $r->method, 'InformResponse', 'TOL-01 ' . ($type // 'no type');
        is CWMP::Redis::characters($d->redis->device($d->id)->{manufacturer}),
            "Caf\x{e9}", '... its body is read as what it is';
    }
};


subtest 'TOL-02 an empty POST with Content-Type and SOAPAction' => sub {
    for my $more ([], [['SOAPAction', '']], [['SOAPAction', '"cwmp:x"']]) {
        my $d = informed();
        is $d->empty(content_type => 'text/xml; charset="utf-8"',
                     headers => $more)->method, 'GetParameterValues',
            'TOL-02 is an empty POST, header ' . ($more->[0] ? $more->[0][1]
                                                             : 'none');
    }
};


# --- D4: the first POST is empty -------------------------------------------

subtest 'TOL-04 the first POST is empty' => sub {
    my $d = CWMP::Script->new($t, 'Probe');
    $d->give_reads('a');
    my @before = sort $d->redis->list('KEYS', '*Probe*');

    my $r = $d->empty;
    is $r->status, 204, 'TOL-04 no authentication is asked for: 204';
    is $r->header('Set-Cookie'), undef, 'TOL-04 no session';
    is_deeply [sort $d->redis->list('KEYS', '*Probe*')], \@before,
        'TOL-04 nothing is stored';

    $d->inform;
    carried('TOL-04 the Inform follows on that connection', $d);
};


# --- D5, D43: cookies ------------------------------------------------------

subtest 'TOL-05 TOL-43 how a cookie comes back' => sub {
    my @ways = (
        ['comma after a foreign one' => sub { "lang=en, $_[0]" }],
        ['comma before a foreign one' => sub { "$_[0],lang=en" }],
        ['quoted' => sub { $_[0] =~ s/=(.*)/="$1"/r }],
        ['as RFC 2109 has it' => sub {
            '$Version="1"; ' . $_[0] =~ s/=(.*)/="$1"/r . '; $Path="/"' }],
        ['blanks around it' => sub { '  ' . $_[0] =~ s/=/ = /r . '  ' }],
        ['with its attributes' => sub { "$_[0]; Path=/" }],
        ['its attributes first' => sub { "Path=/; HttpOnly; $_[0]" }],
        ['all in one with a comma' => sub { "$_[0]; Path=/, a=b; Path=/x" }],
    );

    for (@ways) {
        my ($name, $way) = @$_;
        my $d = informed();
        my $cookie = $way->($d->cookie);

        # on connections of their own: only the cookie can tell
        carried("TOL-43 $name", $d, cookie => $cookie, new => 1);
    }

    my $d = informed();
    my $cookie = $d->cookie;
    carried('TOL-05 two headers', $d, cookie => undef, new => 1,
            headers => [['Cookie', 'a=b'], ['Cookie', $cookie]]);
};


subtest 'TOL-05 TOL-43 no cookie comes back' => sub {
    my $d = informed(url => $t->url(0, '/direct'));
    carried('TOL-05 the connection carries the session', $d,
            cookie => undef);

    $d = informed(url => $t->url(0, '/direct'));
    is $d->empty(cookie => undef, new => 1)->status, 204,
        'TOL-43 on another connection nothing is known of it';
    is $d->status('a'), 'none', 'TOL-43 and the task is untouched';

    $d = informed();
    is $d->empty(cookie => undef)->status, 204,
        'TOL-05 the connection does not count where nobody said so';

    $d = informed(url => $t->url(0, '/direct'));
    is $d->empty(cookie => undef, url => $t->url)->status, 204,
        'TOL-05 nor where it was said elsewhere';
};


subtest 'TOL-07 TOL-43 an old cookie with the next Inform' => sub {
    my $d = informed();
    my $old = $d->cookie;
    $d->empty;

    my $r = $d->post($d->inform_text, cookie => $old, new => 1);
    is $r->method, 'InformResponse', 'TOL-07 the cookie is ignored';
    isnt $d->cookie, $old, 'TOL-43 and another one is given';
    carried('TOL-07 its session', $d, new => 1);

    # of a session that Redis has forgotten, and of another ACS
    for my $stale ($old, 'cwmp=0123456789', 'session=0a1b; Path=/') {
        my $d = CWMP::Script->new($t, 'Old' . ++$n);
        is $d->post($d->inform_text, cookie => $stale)->method,
            'InformResponse', "TOL-07 $stale";
    }
};


# --- D6, D37: connections --------------------------------------------------

subtest 'TOL-06 a connection for each POST' => sub {
    carried('TOL-06 HTTP/1.1', informed(), new => 1);
    carried('TOL-06 Connection: close', informed(), new => 1, close => 1);

    my $d = informed();
    my %old = (new => 1, version => '1.0');
    my $r = $d->empty(%old);
    is $r->method, 'GetParameterValues', 'TOL-06 HTTP/1.0: the RPC comes';
    is $r->header('Transfer-Encoding'), undef, 'TOL-06 not in chunks';
    is $r->header('Content-Length'), length $r->body, 'TOL-06 with its length';
    ok $r->closes, 'TOL-06 the connection ends';
    is answered($d, $r, %old)->status, 204, 'TOL-06 the answer is taken';
};


subtest 'TOL-37 the CPE closes in the middle, and goes on anew' => sub {
    my $d = informed();
    $d->raw->disconnect;
    my $r = $d->empty;
    is $r->method, 'GetParameterValues', 'TOL-37 after the InformResponse';

    $d->raw->reset;
    is answered($d, $r)->status, 204, 'TOL-37 after the RPC';
    is $d->status('a'), 'done', 'TOL-37 the task is done';

    # in the middle of its own POST: as if it had not been sent
    $d = informed();
    $r = $d->empty;
    my $answer = gpv_response($r->id, ['Device.a', 'string', 'x']);
    $d->post($answer, partial => 400);
    $d->raw->disconnect;
    is $d->status('a'), 'none', 'TOL-37 a half answer is none';
    is $d->post($answer)->status, 204, 'TOL-37 the whole one is taken';
    is_deeply $d->ended, ['a done'], 'TOL-37 once';
};


# --- D33, D41 --------------------------------------------------------------

subtest 'TOL-33 Expect: 100-continue, and gzip that nobody asked for' => sub {
    my $d = informed();
    my $r = $d->empty;
    my $answer = gpv_response($r->id, ['Device.a', 'string', 'x']);
    $r = $d->post(Compress::Zlib::memGzip($answer), expect => 1,
                  headers => [['Content-Encoding', 'gzip']]);
    ok $r->continued, 'TOL-33 100 comes before the body is sent';
    is $r->status, 204, 'TOL-33 the answer is taken';
    is $r->header('Content-Encoding'), undef, 'TOL-33 ours is plain';
    is $d->value('Device.a'), 'x', 'TOL-33 and was inflated';
};


subtest 'TOL-41 an empty POST before every real one' => sub {
    my $d = CWMP::Script->new($t, 'Any');
    $d->give_reads('a', 'b');
    is $d->empty->status, 204, 'TOL-41 before the Inform: 204';
    $d->inform;

    # its answers are thrown away: what follows is what counts
    my $r = $d->empty;
    for my $task ('a', 'b') {
        my $again = $d->empty;
        is $again->id, $r->id, "TOL-41 $task: the probe gets the same RPC";
        $r = $d->post(gpv_response($r->id, ["Device.$task", 'string', 'x']));
    }
    is $r->status, 204, 'TOL-41 the session ends as usual';
    is_deeply $d->ended, ['a done', 'b done'], 'TOL-41 no task suffered';

    is $d->empty->status, 204, 'TOL-41 before a request of its own';
    is $d->post(transfer_complete(key => 'x'))->method,
        'TransferCompleteResponse', 'TOL-41 which is served';
};


# --- D49: lengths ----------------------------------------------------------

subtest 'TOL-49 connections without a byte' => sub {
    my $before = length $t->error_log;
    for (1 .. 50) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $t->port) or die "$!\n";
        close($s);
    }
    my $d = informed();
    carried('TOL-49 others are served', $d);

    is_deeply [grep { !/\[(?:info|debug)\]/ }
               split(/\n/, substr($t->error_log, $before))], [],
        'TOL-49 the log says nothing of them above info';
};


subtest 'TOL-49 a Content-Length of characters, not of bytes' => sub {
    my $d = CWMP::Script->new($t, 'Len', manufacturer => "\x{e9}" x 20);
    my $inform = $d->inform_text;
    my $characters = length(Encode::decode('UTF-8', $inform));

    my $got = wire($characters, $inform);
    like $got, qr{^HTTP/1.1 400 }, 'TOL-49 the body is cut: refused';
    like $got, qr/^Connection: close\r$/m, 'TOL-49 the connection ends';
    like $got, qr/\r\n\r\nenvelope ends early.*\n\z/,
        'TOL-49 told why, and the rest of it is no request';
    ok !$d->has, 'TOL-49 nothing is stored';

    # and one that is too high: the CPE gives up waiting
    my $raw = $t->raw;
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: acs\r\nContent-Length: "
                   . (length($inform) + 20) . "\r\n\r\n$inform");
    ok !$raw->closed_by_peer(0.3), 'TOL-49 too high: the rest is awaited';
    $raw->disconnect;
    ok $t->wait_log(qr/prematurely closed connection/, 5),
        'TOL-49 until the CPE is gone';
    ok !$d->has, 'TOL-49 nothing is stored then';

    # NULs fill it up
    is $d->post($inform . "\0" x 20)->method, 'InformResponse',
        'TOL-49 filled up with NULs it is whole';
};

done_testing;
