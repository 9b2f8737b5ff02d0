#!/usr/bin/perl

# What is no CWMP, or too much of it: each is refused with a reason that says
# what is wrong, leaves exactly one line in the log that names the client,
# costs little CPU and no memory, and the same worker goes on serving others.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;

use CWMP::Daemon ();
use CWMP::Raw ':build';
use CWMP::Test qw(wait_for slurp);

my $MB = 1024 * 1024;
my $MS_PER_MB = $ENV{TEST_SANITIZED} ? 300 : 50;
my $MAX = 12 * $MB;

# where an external entity would be fetched from
my $trap = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "listen: $!\n";
my $TRAP = 'http://127.0.0.1:' . $trap->sockport;

my $t = CWMP::Test->new(acs => "cwmp_max_envelope $MAX;",
                        server => 'client_body_timeout 1s;');
my ($worker) = $t->workers;
my $good = 0;


# --- cases -----------------------------------------------------------------

my $INFORM = inform(serial => 'Bad');
my $RESPONSE = gpv_response('x', ['Device.A', 'string', 'b']);

# An Inform with something in place of, or put into, a part of it.
sub with {
    my ($pattern, $instead) = @_;
    (my $text = $INFORM) =~ s/$pattern/$instead/
        or die "nothing matches $pattern\n";
    return $text;
}


sub value { return with(qr{(?<=<Value xsi:type="xsd:string">)4\.0\.2}, $_[0]) }
sub in_body { return with(qr{(?<=<soap-env:Body>)}, $_[0]) }
sub in_header { return with(qr{(?=</soap-env:Header>)}, $_[0]) }
sub doctype { return with(qr{(?=<soap-env:Envelope)}, $_[0]) }


my $LAUGHS = '<!DOCTYPE x [<!ENTITY a "' . 'ha' x 10 . '">' . join('', map {
    my $last = chr(ord($_) - 1);
    "<!ENTITY $_ \"" . "&$last;" x 10 . '">'
} 'b' .. 'i') . ']>';

# what is no GBK is mended before libxml2 converts it
sub gbk {
    my ($bytes) = @_;
    (my $text = $INFORM) =~ s/^<\?xml.*?\?>//s;
    $text =~ s/(?=<\/SerialNumber>)/$bytes/;
    return qq{<?xml version="1.0" encoding="GBK"?>$text};
}

my $UTF16 = Encode::encode('UTF-16LE', Encode::decode('UTF-8', $INFORM));

# a body, and how the plain reason reads
my @BAD = (
    # no envelope
    ['10 MB of A', 'A' x (10 * $MB), qr/not XML: starts with 'AAAA/],
    ['JSON', '{"Inform":1}', qr/not XML: starts with '\{/],
    ['form data', 'a=b&c=d', qr/not XML/],
    ['binary', join('', map { chr($_ * 7 % 256) } 1 .. 4096), qr/not XML/],
    ['HTML', '<html><body>x</body></html>', qr/'html', not Envelope/],
    ['an empty root', '<x/>', qr/'x', not Envelope/],
    ['<', '<', qr/ends early/],
    ['no Body', with(qr{<soap-env:Body>.*</soap-env:Body>}, ''), qr/no Body/],
    ['half an envelope', substr($INFORM, 0, length($INFORM) / 2),
     qr/ends early, inside Body > Inform/],
    ['all but its last byte', substr($INFORM, 0, -1), qr/ends early/],
    ['all but its last tag', with(qr{</soap-env:Envelope>}, ''),
     qr/ends early/],

    # DTDs and entities
    ['DOCTYPE', doctype('<!DOCTYPE x>'), qr/DOCTYPE is not allowed/],
    ['DOCTYPE of 5 MB', doctype('<!DOCTYPE x [' . '<!ENTITY a "b">' x 350_000
     . ']>'), qr/DOCTYPE is not allowed/],
    ['XXE, file', doctype('<!DOCTYPE x [<!ENTITY a SYSTEM '
     . '"file:///etc/passwd">]>') =~ s/4\.0\.2/&a;/r,
     qr/DOCTYPE is not allowed/],
    ['XXE, http', doctype(qq(<!DOCTYPE x [<!ENTITY a SYSTEM "$TRAP/a">]>))
     =~ s/4\.0\.2/&a;/r, qr/DOCTYPE is not allowed/],
    ['external DTD', doctype(qq(<!DOCTYPE x SYSTEM "$TRAP/b.dtd">)),
     qr/DOCTYPE is not allowed/],
    ['parameter entity', doctype(qq(<!DOCTYPE x [<!ENTITY % p SYSTEM )
     . qq("$TRAP/c">%p;]>)), qr/DOCTYPE is not allowed/],
    ['billion laughs', doctype($LAUGHS) =~ s/4\.0\.2/&i;/r,
     qr/DOCTYPE is not allowed/],
    ['DOCTYPE inside', in_body('<!DOCTYPE x>'), qr/DOCTYPE is not allowed/],
    ['doctype', doctype('<!doctype x>'), qr/'<!' begins no comment/],

    # not well-formed
    ['a tag in a value', value('a <b> c'), qr/not well-formed/],
    ['crossed tags', value('</Value></Name>'), qr/not well-formed/],
    ['UTF-16', "\xff\xfe$UTF16", qr/8-bit encoding/],
    ['UTF-16 without BOM', $UTF16, qr/8-bit encoding/],
    ['EBCDIC', Encode::encode('cp37', $INFORM), qr/not XML: starts with 'Lo/],

    # too much
    ['nested 100 deep', in_body('<a>' x 100 . '</a>' x 100), qr/deeper than/],
    ['nested 3 MB deep', in_body('<a>' x $MB), qr/deeper than/],
    ['nested roots', '<a>' x $MB, qr/'a', not Envelope/],
    ['100 attributes', in_body('<a ' . join(' ', map { "b$_='c'" } 1 .. 100)
     . '/>'), qr/over 32 attributes/],
    ['100000 attributes', in_body('<a ' . join(' ', map { "b$_='c'" }
     1 .. 100_000) . '/>'), qr/over 32 attributes|tag over/],
    ['100000 namespaces', with(qr/(?<=<soap-env:Envelope)/, join('', map {
     " xmlns:n$_='urn:$_'" } 1 .. 100_000)), qr/over 32 attributes|tag over/],
    ["an element's name of 1 MB", in_body('<' . 'a' x $MB . '/>'), qr/tag over/],
    ["an attribute's name of 1 MB", in_body('<a ' . 'b' x $MB . '="c"/>'),
     qr/tag over/],
    ["an attribute's value of 1 MB", in_body('<a b="' . 'c' x $MB . '"/>'),
     qr/tag over/],
    ['an end tag of 1 MB', in_header('<a></a' . ' ' x $MB . '>'), qr/tag over/],
    ['a comment of 1 MB', in_body('<!--' . 'c' x $MB . '-->'), qr/comment or instruction over/],
    ['a PI of 1 MB', in_body('<?a ' . 'c' x $MB . '?>'), qr/over 65536/],
    ['a declaration of 1 MB', with(qr/(?<=version="1.0")/, ' ' x $MB),
     qr/declaration over|over 65536/],
    ['a value of 1 MB', value('v' x $MB), qr/text over.*Value/],
    ['a value of 1 MB in CDATA', value('<![CDATA[' . 'v' x $MB . ']]>'),
     qr/over/],
    ["a parameter's name of 1 MB", with(qr/(?<=<Name>)/, 'n' x $MB),
     qr/text over.*Name|one row over/],
    ["a method's name of 8 KB", in_body('<cwmp:' . 'M' x 8000 . '/>'),
     qr/method's name over/],
    ['an ID of 1 MB', with(qr/(?<=inform-1)/, 'i' x $MB), qr/text over.*ID/],
    ['a serial number of 1 MB', with(qr/(?<=<SerialNumber>)/, 's' x $MB),
     qr/text over.*SerialNumber/],
    # libxml2 would keep them all; what it does not see is kept by nobody
    ['200000 names', in_header('<!---->' . join('', map { "<n$_/>" }
     1 .. 200_000)), qr/too many different/],
    ['65 events', inform(serial => 'Bad', events => [map { ["X $_"] } 1 .. 65]),
     qr/more than 64 events/],
    ['30000 events', inform(serial => 'Bad', events => [map { ["X $_"] }
     1 .. 30_000]), qr/more than 64 events/],
    ['100000 parameters', inform(serial => 'Bad', params => [map {
     ["Device.P.$_", 'string', 'v'] } 1 .. 100_000]),
     qr/more than 10000 parameters/],
);

# Requests that are more than a body: [name, sub ($raw) -> answer, check of
# the answer, of the log line].
my @CASES = map {
    my ($name, $body, $reason) = @$_;
    [$name, sub { $_[0]->post($body) }, $reason],
    length $body < 20_000 ? () : [$name . ', chunked', sub {
        $_[0]->post($body, chunk => 65536) }, $reason];
} @BAD;


sub no_session {
    my ($r) = @_;
    return ($r->status == 400 ? () : $r->status,
            lc($r->header('Connection') // '') eq 'close' ? () : 'no close',
            plain_reason($r, qr/no session|session is over/));
}


sub plain_reason {
    my ($r, $reason) = @_;
    return (($r->header('Content-Type') // '') =~ m{^text/plain\b} ? ()
                : 'not text/plain',
            $r->body =~ /\A[\x20-\x7e]+\n\z/ && $r->body =~ $reason ? ()
                : 'body: ' . substr($r->body, 0, 200));
}


sub status { my ($n) = @_; return sub { $_[0]->status == $n ? () : $_[0]->status } }


sub cookie { my ($c) = @_; return sub { $_[0]->post($RESPONSE, cookie => $c) } }


# Bytes as they are, and the end of our side.
sub bytes {
    my ($bytes, $shut) = @_;
    return sub {
        my ($raw) = @_;
        $raw->send_raw($bytes);
        shutdown($raw->{sock}, 1) if $shut;
        return eval { $raw->read_response({}) } || $@;
    };
}


sub head { return "POST /cwmp HTTP/1.1\r\nHost: a\r\n$_[0]\r\n\r\n" }


sub dropped { return ref $_[0] ? 'answered ' . $_[0]->status
                     : $_[0] =~ /^nothing came before/ ? () : $_[0] }


my $HELLO = pack('H*', '16030100c8010000c40303' . 'ab' x 190);
my $TOKEN = 'a' x 22;
my $LONG = 'L' x 65;

push @CASES,
    ['a GET', sub { $_[0]->get('/cwmp') }, sub {
        my ($r) = @_;
        return ($r->status == 405 ? () : $r->status,
                ($r->header('Allow') // '') eq 'POST' ? () : 'no Allow');
     }, qr/POST only.*GET/],
    ['TLS on the plain port', bytes($HELLO, 1), status(400),
     qr/client sent invalid/],

    # nobody's
    ['an empty POST', sub { $_[0]->post('') }, status(204), qr/empty POST/],
    (map {
        my $body = gbk($_);
        ['GBK with the bytes ' . unpack('H*', $_), sub { $_[0]->post($body) },
         sub { ($_[0]->method // '') eq 'InformResponse' ? ()
               : substr($_[0]->body, 0, 300) }, qr/1 values were repaired/]
    } "\xff\xff", "\x81\x20", "\xfe\xff<", "\x81"),
    ['blanks', sub { $_[0]->post(" \t\r\n" x 25) }, status(204), qr/empty POST/],
    ['2 MB of blanks', sub { $_[0]->post(" \n" x $MB) }, status(204),
     qr/empty POST/],
    ['2 MB of NULs', sub { $_[0]->post("\0" x (2 * $MB)) }, status(204),
     qr/empty POST/],
    ['an empty Body', sub { $_[0]->post(envelope('')) }, status(204),
     qr/empty POST/],
    ['a response', sub { $_[0]->post($RESPONSE) }, \&no_session],
    ['a response of 8 MB', sub { $_[0]->post(gpv_response('x', map {
        ["Device.Some.Name.$_", 'string', 'some value'] } 1 .. 60_000)) },
     \&no_session],
    ['a fault', sub { $_[0]->post(fault('x', 9002, 'no')) }, \&no_session],
    ['GetRPCMethods', sub { $_[0]->post(request('x', 'GetRPCMethods')) },
     \&no_session],
    ['TransferComplete', sub { $_[0]->post(transfer_complete(key => 'k')) },
     \&no_session],
    ['a method of nobody', sub { $_[0]->post(request('x', 'Bogus')) },
     \&no_session],

    # cookies
    (map { ["cookie $_->[0]", cookie($_->[1]), \&no_session] }
        ['unknown', "cwmp=$TOKEN.00D09E-Box-Nobody"],
        ['empty', 'cwmp='], ['without a value', 'cwmp'],
        ['without a device', "cwmp=$TOKEN."],
        ['without a dot', "cwmp=$TOKEN"],
        ['of a short token', 'cwmp=abc.00D09E-Box-1'],
        ['of a bad token', 'cwmp=' . '!' x 22 . '.00D09E-Box-1'],
        ['of no OUI', "cwmp=$TOKEN.-Box-1"],
        ['of a long OUI', "cwmp=$TOKEN.00D09E0-Box-1"],
        ['of no serial number', "cwmp=$TOKEN.00D09E-Box-"],
        ['of four parts', "cwmp=$TOKEN.00D09E-Box-1-2"],
        ['with a path', "cwmp=$TOKEN.00D09E-Box-../../x"],
        ['with another key', "cwmp=$TOKEN.00D09E-Box-1}:x{"],
        ['with blanks', "cwmp=$TOKEN.00D09E-Box-a b"],
        ['with bad escapes', "cwmp=$TOKEN.00D09E-Box-%zz%1"],
        ['with a needless escape', "cwmp=$TOKEN.00D09E-Box-%41"],
        ['with control characters', "cwmp=$TOKEN.00D09E-\x01-\x7f"],
        ['of other bytes', "cwmp=\xff\xfe$TOKEN\xff.x"],
        ['of 7 KB', "cwmp=$TOKEN.00D09E-Box-" . 'x' x 7000],
        ['of quotes', 'cwmp="'], ['of two quotes', 'cwmp=""'],
        ['of separators', ';,=;,= ;;;"";$'],
        ['1000 times', join(';', ('cwmp=x') x 1000)]),
    ['an empty POST of a session that is none', sub {
        $_[0]->post('', cookie => "cwmp=$TOKEN.00D09E-Box-Nobody") },
     status(204), qr/empty POST/],

    # lengths
    ['Content-Length too large', bytes(head('Content-Length: 5000')
     . $INFORM, 1), sub { ref $_[0] ? status(400)->(@_) : dropped(@_) },
     qr/prematurely closed/],
    ['Content-Length too large, and silence', bytes(head('Content-Length: 5000')
     . $INFORM), sub { ref $_[0] ? status(408)->(@_) : dropped(@_) },
     qr/timed out/],
    ['Content-Length too small', bytes(head('Content-Length: 900') . $INFORM),
     sub { (status(400)->(@_), plain_reason($_[0], qr/ends early/)) },
     qr/ends early/],
    ['Content-Length of letters', bytes(head('Content-Length: abc')),
     status(400), qr/invalid "Content-Length"/],
    ['Content-Length of 30 digits', bytes(head('Content-Length: ' . '9' x 30)),
     status(400), qr/invalid "Content-Length"/],
    ['a chunk of no size', bytes(head('Transfer-Encoding: chunked')
     . "xyz\r\n$INFORM\r\n0\r\n\r\n"), status(400), qr/invalid chunked body/],
    ['above cwmp_max_envelope', sub { $_[0]->post('<' x ($MAX + 1)) },
     status(413), qr/too large body/],
    ['above cwmp_max_envelope, chunked', sub { $_[0]->post(envelope(
        '<!-- -->' x ($MAX / 8)), chunk => 65536) }, status(413),
     qr/too large|over \d+ bytes/],

    # devices: what they are told is a SOAP fault, the reason is in the log
    (map {
        my ($name, $reason, @device) = @$_;
        my $body = ref $device[0] ? $device[0]->() : inform(@device);
        ["DeviceId $name", sub { $_[0]->post($body) }, sub {
            (status(200)->(@_), ($_[0]->fault_code // 0) == 8003 ? ()
                : substr($_[0]->body, 0, 300))
        }, qr/Inform refused: $reason/];
    } (['missing', 'DeviceId.OUI is empty',
        sub { with(qr{<DeviceId>.*</DeviceId>}, '') }],
       ['without OUI', 'DeviceId.OUI is empty', oui => ''],
       ['of a blank OUI', 'DeviceId.OUI is empty', oui => " \n "],
       ['without SerialNumber', 'DeviceId.SerialNumber is empty', serial => ''],
       ['of a long OUI', 'DeviceId.OUI is longer', oui => '00D09E7'],
       ['of a long ProductClass', 'DeviceId.ProductClass is longer',
        class => $LONG],
       ['of a long SerialNumber', 'DeviceId.SerialNumber is longer',
        serial => $LONG],
       ['of 8000 bytes', 'DeviceId.SerialNumber is longer',
        serial => 's' x 8000],
       ['too long as an ID', 'DeviceId makes an ID over 256',
        class => '-' x 64, serial => '-' x 64]));


# --- one case --------------------------------------------------------------

sub log_size { return -s $t->node->error_log }


# Lines about requests that came since: at info or above, naming the client.
sub log_since {
    my ($from) = @_;
    my $new = substr(slurp($t->node->error_log), $from);
    return grep { /\[(?:info|notice|warn|error|crit|alert|emerg)\]/
                  && /client: 127\.0\.0\.1/ } split(/\n/, $new);
}


sub cpu {
    my ($ns) = slurp("/proc/$worker/schedstat") =~ /^(\d+) /;
    return $ns ? $ns / 1e6 : 1000 * $t->worker_cpu($worker);
}


# A session by another connection; when it is over, the worker has also seen
# that the one before was closed.
sub good_session {
    my $raw = $t->raw;
    my $r = $raw->post(inform(serial => 'Good', id => 'g-' . ++$good));
    return 'a good session: ' . $r->status . ' ' . $r->body
        if ($r->method // '') ne 'InformResponse';
    $r = $raw->empty(close => 1);
    return $r->status == 204 ? () : 'a good session: ' . $r->status;
}


# What is wrong, as a list.
sub try_case {
    my ($case) = @_;
    my ($name, $send, $check, $log) = @$case;
    my $raw = $t->raw(0, counts => 1);
    my $from = log_size();
    my $before = cpu();

    my $r = eval { $send->($raw) };
    return "no answer: $@" unless $r;
    my $ms = cpu() - $before;
    my $size = length($raw->{last_body} // '') / $MB;

    my @bad = ref $check eq 'CODE' ? $check->($r)
              : (status(400)->($r), plain_reason($r, $check));
    $log //= ref $r && $r->header('Content-Type') =~ /plain/
             && $r->body =~ /^(.*)\n/ ? qr/: \Q$1\E while / : qr/./;

    $raw->disconnect;
    push @bad, good_session();
    my @lines = log_since($from);
    push @bad, @lines == 1 ? () : join("\n    ", scalar(@lines) . ' log lines:',
                                       @lines),
         map { /$log/ ? () : "log line: $_" } @lines;

    note(sprintf('%.1f ms of CPU for %.3f MB: %s', $ms, $size, $name));
    my $most = $MS_PER_MB * ($size < 1 ? 1 : $size);
    push @bad, sprintf('%.1f ms of CPU for %.3f MB', $ms, $size)
        if $ms > $most;
    return @bad;
}


# --- rounds ----------------------------------------------------------------

for my $case (@CASES) {
    my @bad = try_case($case);
    ok !@bad, "SOAP-12 $case->[0]" or diag(join("\n", @bad));
}

ok !IO::Select->new($trap)->can_read(0),
    'SOAP-11 nothing was fetched from outside';
is_deeply [$t->workers], [$worker], 'SOAP-12 the worker is the same process';

SKIP: {
    skip 'memory of a sanitized worker', 1 if $ENV{TEST_SANITIZED};
    my $round = sub {
        eval { $_->[1]->($t->raw) } for grep { $_->[0] !~ /silence/ } @CASES;
    };
    $round->() for 1 .. 2;              # the allocator settles
    my $rss = $t->worker_rss($worker);
    $round->();
    is_deeply [good_session()], [], 'SOAP-12 all once more';
    my $more = $t->worker_rss($worker) - $rss;
    cmp_ok $more, '<', $MB, sprintf('SOAP-12 memory is back (%+d kB)',
                                    $more / 1024);
}


# --- in the middle of a session --------------------------------------------

subtest 'in a session' => sub {
    my $raw = $t->raw;
    my $redis = $t->redis;
    my $id = '00D09E-Box-Mid';

    $raw->post(inform(serial => 'Mid'));
    $redis->push_task($id, { method => 'GetParameterValues', id => 'g',
                             ParameterNames => ['Device.A'] });
    my $rpc = $raw->empty;
    my @bad = grep { $_->[0] !~ /events|parameters|\bID\b
                                                    |serial/x } @BAD;
    for my $case (@bad) {
        my $r = $raw->post($case->[1]);
        is $r->status, 400, "SOAP-12 $case->[0], in a session"
            or diag($r->body);
    }

    # half of the right answer
    my $answer = gpv_response($rpc->id, ['Device.A', 'string', 'b']);
    is $raw->post(substr($answer, 0, -30))->status, 400,
        'SOAP-12 half an answer';
    is $redis->result($id, 'g'), undef, 'SOAP-12 which ends nothing';

    is $raw->post($answer)->status, 204, 'SOAP-12 the session goes on';
    is $redis->result($id, 'g')->{status}, 'done', 'SOAP-12 with its task';
    is $redis->params($id)->{'Device.A'}{value}, 'b', 'SOAP-12 and its data';
};


# --- bounds are bounds -----------------------------------------------------

subtest 'what is still good' => sub {
    my @good = (
        ['64 events', inform(serial => 'Edge', events => [map { ["X $_"] }
         1 .. 64])],
        ['10000 parameters', inform(serial => 'Edge', params => [map {
         ["Device.P.$_", 'string', 'v'] } 1 .. 10_000])],
        ['0x02 in a tag', in_body("<a\x02/>")],
        ['NUL after <', in_body("<\0a/>")],
        ['32 attributes', in_header('<a ' . join(' ', map { "b$_='c'" } 1 .. 32)
         . '/>')],
        ['nested 20 deep', in_header('<a>' x 20 . '</a>' x 20)],
        ['a value of 64 KB', value('v' x 65536)],
        ['a header of 5 MB', in_header('<x>' . 'h' x (5 * $MB) . '</x>')],
        ['comments and PIs', in_body('<!-- <!DOCTYPE x> --><?a <b?>')],
        ['CDATA', value('<![CDATA[<!DOCTYPE & ]]>')],
        ['something after the end', "$INFORM\0\0\n$INFORM"],
        ['blanks and a BOM before', "\r\n \0\xef\xbb\xbf$INFORM"],
        ['names of 64 characters', inform(class => 'c' x 64,
                                          serial => 's' x 64)],
    );
    for my $case (@good) {
        my $r = $t->raw->post($case->[1]);
        is $r->method // $r->body, 'InformResponse',
            "SOAP-12 not refused: $case->[0]";
    }
};


# Skipped, but read to its end: nothing of it may cost more than its share.
subtest 'what has to be read' => sub {
    my %part = (
        text => 'some text ', 'line ends' => "\r\n", references => '&amp;',
        'character references' => '&#x41;', elements => '<a/>',
        'elements with text' => '<a>b</a>', comments => '<!---->',
        'CDATA sections' => '<![CDATA[x]]>', PIs => '<?a b?>',
        'long comments' => '<!--' . '-' . 'x' x 60_000 . '-->',
        attributes => '<a ' . join(' ', map { "b$_='c'" } 1 .. 30) . '/>',
        'long values' => '<a b="' . 'c' x 16_000 . '"/>',
        'references in values' => '<a b="' . '&lt;' x 4000 . '"/>',
        'UTF-8' => "\xe2\x82\xac" x 100, 'nested 20 deep' =>
            '<a>' x 20 . '</a>' x 20,
    );

    for my $what (sort keys %part) {
        my $n = int(4 * $MB / length $part{$what});
        my $body = in_header('<x>' . $part{$what} x $n . '</x>');
        my $before = cpu();
        my $r = $t->raw->post($body);
        my $ms = (cpu() - $before) / (length($body) / $MB);
        is $r->method // $r->body, 'InformResponse', "SOAP-12 4 MB of $what";
        cmp_ok $ms, '<', $MS_PER_MB, sprintf(
            "SOAP-12 $what: %.1f ms of CPU per MB", $ms);
    }

    # pieces of a byte, each with its own chunk
    my $body = in_header('<x>' . 'text &amp; ' x 20_000 . '</x>');
    my $before = cpu();
    my $r = $t->raw->post($body, chunk => 1);
    my $ms = (cpu() - $before) / (6 * length($body) / $MB);
    is $r->method // $r->body, 'InformResponse', 'SOAP-12 chunks of a byte';
    cmp_ok $ms, '<', $MS_PER_MB, sprintf(
        'SOAP-12 chunks of a byte: %.1f ms of CPU per MB sent', $ms);
};


# libcurl sends an empty POST first when it is to use digest, and the body
# only if the answer is good.
subtest 'the probe of libcurl' => sub {
    plan skip_all => 'no curl'
        unless eval { CWMP::Daemon::find_binary('curl') };
    my $file = $t->dir . '/inform.xml';
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh inform(serial => 'Probe');
    close($fh);

    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        exec('curl', '-v', '-sS', '-m', '20', '--digest', '-u', 'a:b',
             '--data-binary', "\@$file", $t->url) or die "curl: $!\n";
    }
    my $said = do { local $/; readline($out) };
    close($out);

    like $said, qr/<cwmp:InformResponse>/,
        'HTTP-02 curl --digest gets its InformResponse';
    is $t->redis->device('00D09E-Box-Probe')->{serial}, 'Probe',
        'HTTP-02 and is known';
};

is_deeply [$t->workers], [$worker], 'SOAP-12 still the same worker';

done_testing;
