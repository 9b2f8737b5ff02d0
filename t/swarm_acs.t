#!/usr/bin/perl

# The load test t/bench/swarm against small ACSs that want what ours does not,
# and that do what it must notice or put up with.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 'md5_hex';
use Digest::SHA 'sha256_hex';
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(time sleep);

use CWMP::Daemon qw(patience);
use CWMP::Swarm;

my $swarm = swarm_binary();
my $ENV = '<?xml version="1.0" encoding="UTF-8"?><s:Envelope '
    . 'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    . 'xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" '
    . 'xmlns:x="http://www.w3.org/2001/XMLSchema" '
    . 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
    . 'xmlns:c="urn:dslforum-org:cwmp-1-2">';
my @servers;


# --- when ------------------------------------------------------------------

subtest 'no more at a time than files may be open' => sub {
    my $acs = acs(sub { sleep(0.01); return answer(@_) });      # one at a time
    my @storm = qw(--quiet --json - --storm 0 --cpes 40 --verify);
    my ($status, $said) = run('bash', '-c', "ulimit -n 74; exec $swarm "
                              . "@storm $acs");
    my $r = eval { JSON::PP::decode_json($said) } or diag $said;
    is "$status $r->{storm}{served} $r->{failed}{total}", '0 40 0',
        'all come, and none is refused' or note explain $r;
    is $r->{full}, 1, '... but later';
    cmp_ok $r->{held}, '>', 5, '... which is counted';
    cmp_ok $r->{behind_seconds}, '>', 0.2, '... and how late';
    (undef, $said) = run('bash', '-c', "ulimit -n 74; exec $swarm --quiet "
                         . "--storm 0 --cpes 40 $acs");
    like $said, qr/^held back +\d+ sessions .*: 10 connections are as many/m,
        '... and said';
    my $own = swarm($acs, qw(--sessions 1 --cpes 1 --source 192.0.2.1));
    is "$own->{failed}{own} $own->{failed}{connect}", '1 0',
        'an address that is not here is not the ACS\'s';
};


# --- credentials -----------------------------------------------------------

for my $algorithm ('MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', undef) {
    my $name = $algorithm // 'MD5 without qop';

    subtest "digest: $name" => sub {
        my $acs = acs(digest_acs($algorithm));
        my @opt = qw(--cpes 1 --sessions 3 --closed 1 --user {id}
                     --password pw-{serial});
        my $r = swarm($acs, @opt);
        is "$r->{exit} $r->{challenges}", '0 3', 'right, and once a session'
            or note explain $r;
        $r = swarm($acs, @opt, qw(--password no));
        is "$r->{exit} $r->{statuses}{401}", '1 3', 'wrong';
    };
}


# An ACS that wants credentials: of RFC 7616, computed here.
sub digest_acs {
    my ($algorithm) = @_;
    my $hash = ($algorithm // '') =~ /SHA/ ? \&sha256_hex : \&md5_hex;
    my $qop = defined $algorithm ? qq(, qop="auth-int, auth", )
                                   . "algorithm=$algorithm" : '';

    return sub {
        my ($head, $body) = @_;
        my ($h) = $head =~ /^Authorization: Digest (.*?)\r?$/m;
        my %p = ($h // '') =~ /(\w+)="?([^",]*)"?/g;
        my $one = $hash->("00D09E-Swarm-00000001:a, \"b\":pw-00000001"
                          =~ s/"b"/b/r);
        $one = $hash->(join ':', $one, 'n0', $p{cnonce} // '')
            if ($algorithm // '') =~ /sess/;
        my $two = $hash->('POST:/cwmp');
        my $want = $hash->(join ':', $one, 'n0',
            defined $algorithm ? ($p{nc} // '', $p{cnonce} // '', 'auth') : (),
            $two);

        return [401, qq(WWW-Authenticate: Digest realm="a, b", nonce="n0"$qop)]
            unless ($p{response} // '') eq $want;
        return answer($head, $body);
    };
}


# --- ACSs that are not as they should be -----------------------------------

sub envelope {
    my ($id, $inner) = @_;
    return "$ENV<s:Header><c:ID s:mustUnderstand=\"1\">$id</c:ID></s:Header>"
        . "<s:Body>$inner</s:Body></s:Envelope>";
}


sub answer {
    my ($head, $body) = @_;
    my ($id) = $body =~ /<cwmp:ID[^>]*>(.*?)</;

    return [204] if $body !~ /<cwmp:Inform>/;
    return [200, 'Content-Type: text/xml', 'Set-Cookie: s=1; Path=/',
            envelope($id, '<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes>'
                          . '</c:InformResponse>')];
}


# What becomes of one session whose replies a function has changed.
sub session_with {
    my ($change, @opt) = @_;
    my $n = 0;
    my $acs = acs(sub {
        my $answer = answer(@_);
        return $change->($answer, ++$n, @_) || $answer;
    });
    return swarm($acs, qw(--sessions 1 --cpes 1 --timeout 1
                 --delay 0.1), @opt);
}


subtest 'what is tolerated' => sub {
    my $r = session_with(sub { undef }, '--verify');
    is $r->{exit}, 0, 'a small ACS' or note explain $r;

    $r = session_with(sub { $_[0][0] == 200 ? { chunked => $_[0] } : undef });
    is $r->{exit}, 0, 'chunks';
    $r = session_with(sub { { before => "HTTP/1.1 100 Continue\r\n\r\n",
                              as => $_[0] } });
    is $r->{exit}, 0, '100 before the answer';
    $r = session_with(sub { { close => $_[0] } });
    is $r->{exit}, 0, 'no length, but an end';
    $r = session_with(sub { $_[1] == 2 ? [200] : undef });
    is $r->{exit}, 0, 'an empty 200';
    $r = session_with(sub { $_[1] == 2 ? { drop => 1 } : undef });
    is "$r->{exit} $r->{resent}", '0 1', 'a connection that ends too early';
    $r = session_with(sub {
        my ($id) = $_[3] =~ /<cwmp:ID[^>]*>(.*?)</;
        $_[1] < 3 ? [200, 'Content-Type: text/xml', envelope($id,
            '<s:Fault><faultcode>Server</faultcode><faultstring>CWMP fault'
            . '</faultstring><detail><c:Fault><FaultCode>8005</FaultCode>'
            . '<FaultString>Retry request</FaultString></c:Fault></detail>'
            . '</s:Fault>')] : undef;
    });
    is "$r->{exit} $r->{posts}", '0 4', 'fault 8005: the same again';
};


subtest 'what fails' => sub {
    my @cases = (
        [fault => 'a fault 8003', sub {
            $_[0][-1] =~ s/<c:InformR.*InformResponse>/<s:Fault><faultcode>Client<\/faultcode><faultstring>CWMP fault<\/faultstring><detail><c:Fault><FaultCode>8003<\/FaultCode><FaultString>x<\/FaultString><\/c:Fault><\/detail><\/s:Fault>/; $_[0] }],
        [xml => 'broken XML', sub { $_[0][-1] =~ s/<\/s:Body>//; $_[0] }],
        [protocol => '204 to an Inform', sub { [204] }],
        [protocol => 'a request to an Inform', sub {
            $_[0][-1] =~ s/<c:InformR.*Response>/<c:FactoryReset\/>/; $_[0] }],
        [http => 'what is not HTTP', sub { { raw => "hello\r\n\r\n" } }],
        [status => '500', sub { [500] }],
        [timeout => 'silence', sub { { silence => 1 } }],
        [closed => 'a connection that is closed', sub { { drop => 1 } }],
    );

    for my $case (@cases) {
        my ($why, $name, $change) = @$case;
        my $r = session_with($change);
        is "$r->{exit} $r->{failed}{total} $r->{failed}{$why}", '1 1 1',
            "$name: $why" or note explain $r;
    }
    my $r = session_with(sub { [500] }, qw(--tolerate 1 --sessions 2));
    is $r->{exit}, 1, 'nothing but failures is never well';
};


subtest 'what --verify finds' => sub {
    my $request = sub {
        my ($inner, $attr) = @_;
        return sub { $_[1] == 2 ? [200, 'Content-Type: text/xml',
                                   envelope('r1', $inner)] : undef };
    };
    my $edit = sub {
        my ($change) = @_;
        return sub {
            $change->() for @{ $_[0] }[1 .. $#{ $_[0] }];
            return $_[0];
        };
    };
    my @cases = (
        ['without Path=/', $edit->(sub { s{Path=/}{Path=/cwmp} })],
        ['cookie with max-age', $edit->(sub { s/$/; Max-Age=5/
            if /Path/ })],
        ['not text/xml', $edit->(sub { s/xml$/html/ })],
        ['ID of a response', $edit->(sub { s/(<c:ID.*?>)/$1x/ })],
        ['InformResponse is not in', $edit->(sub { s/cwmp-1-2/cwmp-1-0/
        })],
        ['MaxEnvelopes', $edit->(sub { s{>1</Max}{>2</Max} })],
        ['XML declaration', $edit->(sub { s/<\?xml.*?\?>// })],
        ['is in a namespace', $edit->(sub {
            s{<(MaxEnvelopes.*)/Max}{<c:$1/c:Max} })],
        ['no ParameterKey', $request->('<c:SetParameterValues><ParameterList '
            . 'e:arrayType="c:ParameterValueStruct[1]"><ParameterValueStruct>'
            . '<Name>Device.Time.NTPServer1</Name><Value i:type="x:string">'
            . '</Value></ParameterValueStruct></ParameterList>'
            . '</c:SetParameterValues>')],
        ['arrayType string\[2\]', $request->('<c:GetParameterValues>'
            . '<ParameterNames e:arrayType="x:string[2]"><string>Device.'
            . '</string></ParameterNames></c:GetParameterValues>')],
        ['no ParameterPath where', $request->('<c:GetParameterNames>'
            . '<NextLevel>1</NextLevel><ParameterPath>Device.</ParameterPath>'
            . '</c:GetParameterNames>')],
        ['more than 32 characters', $request->('<c:CancelTransfer><CommandKey>'
            . 'k' x 33 . '</CommandKey></c:CancelTransfer>')],
        ['neither 0 nor 1', $request->('<c:GetParameterNames><ParameterPath>'
            . 'Device.</ParameterPath><NextLevel>true</NextLevel>'
            . '</c:GetParameterNames>')],
        ['chunk|Content-Length', sub { $_[0][0] == 200 ? { chunked => $_[0] }
                                                       : undef }],
        ['does not belong', $request->('<c:FactoryReset><x/>'
            . '</c:FactoryReset>')],
        ['of UTF-8', $edit->(sub { s/xml$/xml; charset=latin1/ })],
        ['one Header', $edit->(sub { s{</s:Header>}{$&<s:Header/>} })],
        ['one Header', $edit->(sub { s{<s:Body>(.*)</s:Body>}{<Body>$1</Body>}
            })],
        ['a header Hello', $edit->(sub { s{</s:Header>}{<c:Hello/>$&} })],
        ['ID twice', $edit->(sub { s{<c:ID.*</c:ID>}{$&$&} })],
        ['HoldRequests', $edit->(sub {
            s{</s:Header>}{<c:HoldRequests>yes</c:HoldRequests>$&} })],
        ['without mustUnderstand', $edit->(sub { s/s:must/must/ })],
        ['text beside', $edit->(sub { s/<s:Body>/$&hello/ })],
        ['text beside', $edit->(sub { s/<\/s:Envelope>/$&hello/ })],
        ['without a namespace', $edit->(sub { s/<MaxE.*Envelopes>/<z:a\/>/
            })],
        ['or no UTF-8', $edit->(sub { s{<MaxEnvelopes>}{$&\xc0\xb1} })],
        ['or no UTF-8', $edit->(sub { s{<MaxEnvelopes>}{$&\xed\xa0\x80} })],
        ['no unsignedInt', $edit->(sub { s{>1</Max}{>4294967296</Max} })],
        ['with elements|elements in', $edit->(sub {
            s{>1</Max}{><x>1</x></Max} })],
        (map { ['not in its namespace|no Value|that is no|does not have',
                $request->(values_of(@$_))] }
            ['n:string', '', ''], ['x:string', 'n:', ''],
            ['x:int', '', '1.5'], ['x:mood', '', 'good'],
            ['c:string', '', 'x']),
        ['Notification is no', $request->('<c:SetParameterAttributes>'
            . '<ParameterList e:arrayType="c:SetParameterAttributesStruct[1]">'
            . '<SetParameterAttributesStruct><Name>Device.</Name>'
            . '<NotificationChange>1</NotificationChange><Notification>on'
            . '</Notification><AccessListChange>0</AccessListChange>'
            . '<AccessList e:arrayType="x:string[0]"/>'
            . '</SetParameterAttributesStruct></ParameterList>'
            . '</c:SetParameterAttributes>')],
        ['none of CWMP', $request->('<c:ChangeDUState><Operations/>'
            . '<CommandKey/></c:ChangeDUState>')],
        ['UninstallOpStruct has no UUID', $request->('<c:ChangeDUState>'
            . '<Operations i:type="c:UninstallOpStruct"><Version>1</Version>'
            . '</Operations><CommandKey/></c:ChangeDUState>')],
        ['UseCWMPVersion that was not offered', $edit->(sub {
            s{(?=</s:Header>)}{<c:UseCWMPVersion s:mustUnderstand="1">} &&
            s{(?=</s:Header>)}{1</c:UseCWMPVersion>} }),
            '--versions', '1.0,1.4'],
    );

    for my $case (@cases) {
        my ($finds, $change, @opt) = @$case;
        my $r = session_with($change, '--verify', @opt);
        my @notes = grep { /^verify: .*(?:$finds)/ } keys %{ $r->{notes} };
        is "$r->{failed}{verify} " . !!@notes, '1 1', $finds
            or note explain $r->{notes};
    }
    my $r = session_with(sub { $_[1] == 2 ? [200, 'Content-Type: text/xml',
        envelope('r1', '<c:X_ACME_Dance/>')] : undef }, '--verify');
    is $r->{exit}, 0, 'what it does not know is answered with 9000';
    is $r->{faults_sent}, 1, '... once';
};


# SetParameterValues of one, with this type, prefix in arrayType, and value.
sub values_of {
    my ($type, $prefix, $value) = @_;
    $prefix ||= 'c:';
    return "<c:SetParameterValues><ParameterList e:arrayType=\""
        . "${prefix}ParameterValueStruct[1]\"><ParameterValueStruct><Name>"
        . "Device.Time.NTPServer1</Name><Value i:type=\"$type\">$value</Value>"
        . '</ParameterValueStruct></ParameterList><ParameterKey/>'
        . '</c:SetParameterValues>';
}


# --- ACSs that would keep it from its end ----------------------------------

subtest 'an ACS without end' => sub {
    my @end = (qw(--duration 0.3 --sessions 1 --timeout 0.7));
    my $methods = '<c:GetRPCMethods/>';
    my $r = session_with(sub { $_[1] > 1 ? [200, 'Content-Type: text/xml',
        envelope('r', $methods)] : undef }, @end);
    is $r->{failed}{timeout}, 1, 'always one more request: given up'
        or note explain $r;

    my @user = qw(--user u --password p);
    $r = session_with(sub { [401, 'WWW-Authenticate: Digest realm="r", '
        . "nonce=\"$_[1]\", qop=\"auth\", stale=true"] }, @user);
    is "$r->{statuses}{401} $r->{challenges}", '1 3',
        'always one more nonce: given up';
    $r = session_with(sub { [401, 'WWW-Authenticate: Digest realm="r", '
        . 'nonce="n", qop="auth-int"'] }, @user);
    is "$r->{statuses}{401} $r->{challenges}", '1 0', 'auth-int is not auth';

    $r = session_with(sub { { raw => "HTTP/1.1 200 OK\r\nContent-Length: "
        . (80 << 20) . "\r\n\r\n" . 'x' x (70 << 20) } });
    is $r->{failed}{http}, 1, 'an answer of 70 MB: given up'
        or note explain $r;
    $r = session_with(sub { $_[0][-1] =~ s{>1</Max}{>&#$_;</Max}; $_[0] })
        and is $r->{failed}{xml}, 1, "no character: $_"
        for qw(x 0 -5 xd800 x110000 65536x);
    $r = session_with(sub {
        my $text = join "\r\n", 'HTTP/1.1 200 OK', 'Content-Type: text/xml',
            'Transfer-Encoding: chunked', '', sprintf '%x', length $_[0][-1];
        { raw => "$text\r\n" . substr $_[0][-1], 0, 100 } });
    is $r->{failed}{closed}, 1, 'a chunk that is cut short' or note explain $r;
};

kill 'KILL', @servers;
waitpid $_, 0 for @servers;
done_testing;


# --- helpers ---------------------------------------------------------------

# A server for one connection at a time; a function answers head and body with
# [status, headers..., body if any], or says what is to go wrong.
sub acs {
    my ($serve) = @_;
    my $listen = IO::Socket::INET->new(Listen => 16, Proto => 'tcp',
                                       LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1) or die "listen: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        while (my $c = $listen->accept) {
            setsockopt($c, IPPROTO_TCP, TCP_NODELAY, 1);
            while (one_request($c, $serve)) { }
        }
        POSIX::_exit(0);
    }
    push @servers, $pid;
    return 'http://127.0.0.1:' . $listen->sockport . '/cwmp';
}


sub one_request {
    my ($c, $serve) = @_;
    my ($head, $body) = ('', '');

    while ($head !~ /\r\n\r\n/) {
        sysread($c, $head, 4096, length $head) or return 0;
    }
    ($head, $body) = split /(?<=\r\n\r\n)/, $head, 2;
    $body //= '';
    my ($n) = $head =~ /^Content-Length: (\d+)/m;
    while (length $body < $n) {
        sysread($c, $body, 65536, length $body) or return 0;
    }
    return say_it($c, $serve->($head, $body));
}


sub say_it {
    my ($c, $a) = @_;
    my $how = ref $a eq 'HASH' ? $a : {};

    return 0 if $how->{drop};
    return sleep(3) && 0 if $how->{silence};
    return syswrite($c, $how->{raw}) && 0 if $how->{raw};

    my ($status, @headers) = @{ $how->{chunked} || $how->{close}
                                || $how->{as} || $a };
    my $body = @headers && $headers[-1] =~ /^\s*</ ? pop @headers : '';

    if ($how->{chunked}) {
        push @headers, 'Transfer-Encoding: chunked';
        $body = join '', (map { sprintf "%x\r\n%s\r\n", length, $_ }
                          $body =~ /(.{1,50})/gs), "0\r\n\r\n";
    } elsif ($status != 204 && !$how->{close}) {
        push @headers, 'Content-Length: ' . length $body;
    }
    my $text = ($how->{before} // '') . join("\r\n", "HTTP/1.1 $status X",
        @headers, '', '') . $body;
    syswrite($c, substr($text, 0, 12, ''));     # in two pieces
    sleep(0.002);
    syswrite($c, $text);
    return !$how->{close};
}
