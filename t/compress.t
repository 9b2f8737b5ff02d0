#!/usr/bin/perl

# Compressed bodies, in both directions: what CPEs send with Content-Encoding
# is inflated while it arrives, whatever pieces it comes in; what is cut,
# damaged, of another coding or a bomb is refused with the reason, for little
# CPU and memory.  Replies are compressed by nginx's own gzip filter, where it
# is switched on and the CPE offered it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep);

use CWMP::Raw ':build';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(server => <<'CONF');
    location /small { cwmp_acs; cwmp_max_envelope 64k; }
    location /gzip {
        cwmp_acs;
        gzip on;
        gzip_types text/xml;
        gzip_min_length 256;
    }
CONF

my $n = 0;

sub device { return CWMP::Script->new($t, 'Z' . ++$n, @_) }
sub coded { return headers => [map { ['Content-Encoding', $_] } @_] }
sub gzip { return Compress::Zlib::memGzip($_[0]) }


# zlib's format, or with bits < 0 bare deflate.
sub deflate {
    my ($text, $bits) = @_;
    my $d = Compress::Zlib::deflateInit(-Level => 9, -WindowBits => $bits // 15);
    my ($out) = $d->deflate($text);
    my ($rest) = $d->flush;
    return $out . $rest;
}


# 1 GB of a text, gzipped, after a beginning: many members of 32 MB each.
sub bomb {
    my ($text, $before) = @_;
    my $d = Compress::Zlib::deflateInit(-Level => 1, -WindowBits => 31);
    my $block = $text x ((1 << 20) / length $text);
    my $out = '';
    for (1 .. 32) {
        my ($more) = $d->deflate($block);
        $out .= $more;
    }
    my ($rest) = $d->flush;
    return gzip($before // '') . "$out$rest" x 32;
}


# --- what is inflated ------------------------------------------------------

my %CODINGS = (
    gzip => [gzip => \&gzip],
    'x-gzip' => ['x-gzip' => \&gzip],
    'GZIP in capitals' => [' GZip ' => \&gzip],
    'deflate with a zlib header' => [deflate => \&deflate],
    'deflate without one' => [deflate => sub { deflate($_[0], -15) }],
    'gzip in two members' => [gzip => sub {
        gzip(substr($_[0], 0, 100)) . gzip(substr($_[0], 100)) }],
    'gzip, padded' => [gzip => sub { gzip($_[0]) . "\0" x 50 }],
    identity => [identity => sub { $_[0] }],
);

for my $name (sort keys %CODINGS) {
    my ($header, $code) = @{ $CODINGS{$name} };

    subtest "HTTP-19 $name" => sub {
        for my $how ([], [chunk => 1], [split => 1], [chunk => 700]) {
            my $d = device();
            $d->give_reads('a');
            my @how = (@$how, coded($header));
            my $r = $d->post($code->($d->inform_text), @how);
            is $r->method, 'InformResponse', "HTTP-19 $name: an Inform, @$how";
            is $r->header('Content-Encoding'), undef,
                'HTTP-19 the reply is plain';
            $r = $d->empty(coded($header));
            is $r->method, 'GetParameterValues', 'HTTP-19 an empty POST is one';
            $r = $d->post($code->(gpv_response($r->id,
                ['Device.a', 'string', "v @$how"])), @how);
            is $r->status, 204, 'HTTP-19 a response';
            is $d->value('Device.a'), "v @$how", 'HTTP-19 its value is stored';
            is_deeply [map { $_->{status} } $d->results], ['done'],
                'HTTP-19 the task is done';
        }
    };
}


subtest 'HTTP-19 the same POST compressed a second time' => sub {
    my $d = device();
    $d->give_reads('a', 'b');
    my $r = $d->begin;
    my $text = gpv_response($r->id, ['Device.a', 'string', 'x']);
    my $next = $d->post(gzip($text), coded('gzip'));
    is $d->post(deflate($text), coded('deflate'))->id, $next->id,
        'HTTP-19 is known by what is in it: the same answer';
};


subtest 'HTTP-19 a long response, much shorter when compressed' => sub {
    my $d = device();
    $d->give({ id => 'big', method => 'GetParameterValues',
               ParameterNames => ['Device.Big.'] });
    my $r = $d->begin;
    my $most = 30000;
    my $body = gzip(gpv_response($r->id, map {
        ["Device.Big.$_.Name", 'string', "value of $_"] } 1 .. $most));
    note('compressed: ', length $body);

    my ($pid) = $t->workers;
    my $before = $t->worker_rss($pid);
    is $d->post($body, coded('gzip'))->status, 204, 'HTTP-19 is taken';
    my $grown = $t->worker_rss($pid) - $before;
    is $d->value("Device.Big.$most.Name"), "value of $most",
        'HTTP-19 to its last value';
    is scalar(grep { /^Device\.Big\./ } keys %{ $d->redis->params($d->id) }),
        $most, 'HTTP-19 nothing is missing';
    is $d->status('big'), 'done', 'HTTP-19 the task is done';
    SKIP: {
        skip('memory of a sanitized worker', 1) if $ENV{TEST_SANITIZED};
        cmp_ok $grown, '<', 8 << 20, 'HTTP-19 memory stays below 8 MB';
    }
};


# --- what is not -----------------------------------------------------------

subtest 'HTTP-20 other codings' => sub {
    my @no = (['br'], ['zstd'], ['compress'], ['gzip, deflate'],
              ['gzip', 'deflate'], ['gzip', 'gzip'], ['gzipp'], ['gzip;q=1']);

    for my $no (@no) {
        my $d = device();
        my $r = $d->post($d->inform_text, coded(@$no));
        is $r->status, 415, "HTTP-20 @$no gets 415";
        like $r->body, qr/gzip or deflate/, 'HTTP-20 and is told what to use';
        is $r->header('Accept-Encoding'), 'gzip, deflate',
            'HTTP-20 in a header as well';
        ok !$d->has('session'), 'HTTP-20 no session comes of it';
        is $d->inform->method, 'InformResponse',
            'HTTP-20 sent again without it: welcome, on the same connection';
        is $d->raw->{connections}, 1, 'HTTP-20 which was kept';
    }

    my $d = device();
    $d->give_reads('a');
    $d->inform;
    is $d->empty(coded('br'))->method, 'GetParameterValues',
        'HTTP-19 nothing at all in another coding is an empty POST';

    $d = device();
    my $r = $d->post($d->inform_text, coded('br'), expect => 1);
    is $r->status, 415, 'HTTP-20 a CPE that waits for 100 gets 415 at once';
    ok !$r->continued, 'HTTP-20 and no 100';
    ok $r->closes, 'HTTP-20 which closes: was the body sent all the same?';
};


sub refused {
    my ($name, $coding, $body, $reason, $status) = @_;
    my $d = device();
    my $r = $d->post(ref $body ? $body->($d->inform_text) : $body,
                     coded($coding));
    is $r->status, $status // 400, "HTTP-20 $name: refused";
    like $r->body, $reason, "HTTP-20 $name: why";
    ok $r->closes, 'HTTP-20 the connection closes';
    ok !$d->has('session'), 'HTTP-20 no session';
}


subtest 'HTTP-20 cut or damaged' => sub {
    for my $cut (1, 2, 9, 10, 11, 300) {
        refused("gzip cut after $cut bytes", gzip => sub {
            substr(gzip($_[0]), 0, $cut) }, qr/^gzip body ends early$/);
    }
    refused('gzip without its last byte', gzip => sub {
        substr(gzip($_[0]), 0, -1) }, qr/^gzip body ends early$/);
    refused('deflate cut', deflate => sub {
        substr(deflate($_[0]), 0, -5) }, qr/^deflate body ends early$/);
    refused('bare deflate cut', deflate => sub {
        substr(deflate($_[0], -15), 0, -3) }, qr/^deflate body ends early$/);
    refused('plain XML', gzip => sub { $_[0] },
            qr/^gzip body has no gzip header$/);
    refused('zlib as gzip', gzip => \&deflate,
            qr/^gzip body has no gzip header$/);
    refused('a wrong checksum', gzip => sub {
        my $z = gzip($_[0]); substr($z, -8, 1) ^= "\1"; $z },
        qr/^gzip body is corrupt: incorrect data check$/);
    refused('a wrong length', gzip => sub {
        my $z = gzip($_[0]); substr($z, -4, 1) ^= "\1"; $z },
        qr/^gzip body is corrupt: incorrect length check$/);
    refused('a dictionary', deflate => "\x78\xbb\0\0\0\1xxxx",
            qr/^deflate body is corrupt: needs a dictionary$/);
    refused('garbage', deflate => "\xff" x 100, qr/^deflate body is corrupt: /);
    refused('a second member that is cut', gzip => sub {
        gzip($_[0]) . substr(gzip('x'), 0, 12) }, qr/^gzip body ends early$/);
    refused('gzip in gzip', gzip => sub { gzip(gzip($_[0])) },
            qr/^body is not XML: starts with '\\x1f\\x8b/);
    like $t->error_log, qr/POST refused: gzip body ends early/,
        'HTTP-20 the log has the reason';
};


subtest 'HTTP-20 cwmp_max_envelope holds for what was inflated' => sub {
    my $d = device(url => $t->url(0, '/small'));
    my $wide = sub { $d->inform_text(params => [['Device.X', 'string',
                                                  'x' x $_[0]]]) };
    is $d->post(gzip($wide->(60000)), coded('gzip'))->method, 'InformResponse',
        'HTTP-20 just below it';
    my $r = $d->post(gzip($wide->(70000)), coded('gzip'));
    is $r->status, 413, 'HTTP-20 above it: 413';
    is $r->body, "envelope over 65536 bytes after inflating\n", 'HTTP-20 why';
};


# CPU and memory of the worker for one POST, and what came.
sub cost {
    my ($body) = @_;
    my ($pid) = $t->workers;
    my ($cpu, $rss) = ($t->worker_cpu($pid), $t->worker_rss($pid));
    my $r = device()->post($body, coded('gzip'));
    return ($r, $t->worker_cpu($pid) - $cpu, $t->worker_rss($pid) - $rss, $pid);
}


subtest 'HTTP-20 bombs' => sub {
    my $open = '<?xml version="1.0"?><Envelope><Body><Inform>';
    my %bombs = (
        '1 GB of NULs' => bomb("\0"),
        '1 GB of blanks inside an envelope' => bomb(' ', $open),
        '1 GB of text' => bomb('x', "$open<CurrentTime>"),
        '1 GB of elements' => bomb('<a></a> ', $open),
        '50,000 empty members' => gzip('') x 50000,
    );

    for my $name (sort keys %bombs) {
        my $size = length $bombs{$name};
        my ($r, $cpu, $rss, $pid) = cost($bombs{$name});
        my $mb = $size / (1 << 20);
        ok $r->status == 413 || $r->status == 400 || $r->status == 204,
            "HTTP-20 $name: answered with " . $r->status;
        note(sprintf('%s: %.2f MB in, %.0f ms, %d KB: %s', $name, $mb,
                     1000 * $cpu, $rss / 1024, $r->body));
        is_deeply [$t->workers], [$pid], 'HTTP-20 the worker lives';
        SKIP: {
            skip('memory of a sanitized worker', 2) if $ENV{TEST_SANITIZED};
            cmp_ok $cpu, '<=', 0.05 * ($mb < 1 ? 1 : $mb) + 0.02,
                'HTTP-20 at most 50 ms of CPU for each MB sent';
            cmp_ok $rss, '<', 8 << 20, 'HTTP-20 below 8 MB of memory';
        }
    }
    my ($r) = cost($bombs{'1 GB of NULs'});
    is $r->status, 413, 'HTTP-20 a bomb gets 413';
    is $r->body, "body inflates to more than 150 times its size\n",
        'HTTP-20 and is told why';
};


# --- who else is there -----------------------------------------------------

# 12 MB of elements that mean nothing, in 120 KB of gzip: no bomb.
sub much_ado {
    my ($id) = @_;
    my ($open, $close) = split /<ParameterValueStruct>.*<\/ParameterValueStruct>/s,
        gpv_response($id, ['a', 'string', 'a']);
    my $noise = join '', map { '<!--' . pack('u', join ',', map {
        int(rand(1 << 30)) } 1 .. 6) =~ tr/-\n//dr . '-->' . '<a/>' x 1500 }
        1 .. 2000;
    return "$open$noise$close";
}


# How many sessions others have, one after the other, until this is answered.
sub sessions_beside {
    my ($d, $body, @how) = @_;
    my $other = device();
    my $n = 0;

    $d->post($body, @how, no_read => 1);
    my $wait = IO::Select->new($d->raw->{sock});
    until ($wait->can_read(0)) {
        $other->begin->status == 204 or last;
        $n++;
    }
    return ($n, $d->raw->read_response({}));
}


subtest 'RULE-4 a body that takes long to parse keeps nobody waiting' => sub {
    my $d = device();
    $d->give_reads('a');
    my $text = much_ado($d->begin->id);
    my $body = gzip($text);
    my ($n, $r) = sessions_beside($d, $body, coded('gzip'));
    note(length($text), ' bytes in ', length $body,
         ": $n sessions of others meanwhile");
    is $r->status, 204, 'RULE-4 it is taken';
    is $d->status('a'), 'done', 'RULE-4 and its task done';
    cmp_ok $n, '>=', 8, 'RULE-4 meanwhile others had their sessions';
};


subtest 'RULE-4 the CPE is gone before its turn' => sub {
    my $d = device();
    $d->give_reads('a');
    my $body = gzip(much_ado($d->begin->id));
    my ($pid) = $t->workers;
    for (1 .. 5) {
        $d->post($body, coded('gzip'), no_read => 1);
        sleep 0.02 * $_;
        $d->raw->disconnect;
    }
    is device()->begin->status, 204, 'RULE-4 others have their sessions';
    is_deeply [$t->workers], [$pid], 'RULE-4 the worker lives';
};


# --- replies ---------------------------------------------------------------

subtest 'HTTP-19 replies are compressed where it was offered' => sub {
    my $d = device(url => $t->url(0, '/gzip'));
    my $offer = [['Accept-Encoding', 'gzip, deflate']];

    for my $plain (undef, [['Accept-Encoding', 'deflate']],
                   [['Accept-Encoding', 'gzip;q=0']]) {
        my $r = $d->post($d->inform_text, $plain ? (headers => $plain) : ());
        is $r->header('Content-Encoding'), undef,
            'HTTP-19 not offered: ' . ($plain ? $plain->[0][1] : 'nothing');
        is $r->method, 'InformResponse', 'HTTP-19 plain';
    }

    my $r = $d->post($d->inform_text, headers => $offer);
    is $r->header('Content-Encoding'), 'gzip', 'HTTP-19 offered: gzip';
    like $r->header('Content-Type'), qr{^text/xml; charset="utf-8"$},
        'HTTP-19 still text/xml';
    like Compress::Zlib::memGunzip($r->body), qr/<cwmp:InformResponse>/,
        'HTTP-19 which is our answer';
    $r = $d->empty(headers => $offer);
    is $r->status, 204, 'HTTP-19 no work: 204';
    is $r->header('Content-Encoding'), undef, 'HTTP-19 of nothing';

    $d = device();
    is $d->post($d->inform_text, headers => $offer)
        ->header('Content-Encoding'), undef, 'HTTP-19 plain by default';
};

done_testing;
