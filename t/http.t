#!/usr/bin/perl

# HTTP as CPEs speak it, seen on the wire: status codes, body framing in both
# directions, connections (kept, closed, of HTTP/1.0, spread over workers) and
# the session's cookie, what is in it and what CPEs make of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope qw(xml_unescape);
use CWMP::Raw ':build';
use CWMP::Redis;
use CWMP::Test qw(wait_for free_port slurp);

my $SHARED = "$FindBin::Bin/../../shared";
my $t = CWMP::Test->new;
my $redis = $t->redis;
my $serial = 0;


# A CPE of its own, and its ID.
sub device {
    my $sn = 'S' . ++$serial;
    return ($t->raw, "00D09E-Box-$sn", sub { inform(serial => $sn) });
}


# The same with its Inform sent and answered.
sub opened {
    my (%how) = @_;
    my ($raw, $id, $inform) = device();
    my $r = $raw->post($inform->(), %how);
    BAIL_OUT('an Inform gets no InformResponse: ' . $r->status . ' '
             . $r->body) if ($r->method // '') ne 'InformResponse';
    return ($raw, $id, $r);
}


sub task {
    my ($id, $n) = @_;
    $redis->push_task($id, { method => 'GetParameterValues', id => "g$n",
                             ParameterNames => ["Device.N$n"] });
}


sub answer {
    my ($r) = @_;
    my ($name) = $r->names;
    return gpv_response($r->id, [$name, 'string', 'v']);
}


# --- status and headers ----------------------------------------------------

subtest 'an Inform' => sub {
    my ($raw, $id, $r) = opened();
    is $r->status, 200, 'HTTP-01 an Inform gets 200';
    like $r->header('Content-Type'), qr{^text/xml;\s*charset="?utf-8"?$}i,
        'HTTP-01 its Content-Type starts with text/xml';
    is scalar($r->header_all('Content-Type')), 1, 'HTTP-01 given once';
};


subtest 'no work' => sub {
    my ($raw) = opened();
    my $r = $raw->empty;
    is $r->status, 204, 'HTTP-02 an empty POST gets 204 when there is no work';
    is $r->header('Content-Type'), undef, 'HTTP-02 without a Content-Type';
    is $r->header('Transfer-Encoding'), undef, 'HTTP-02 not chunked';
    like $r->header('Content-Length') // 0, qr/^0$/, 'HTTP-02 no length but 0';
    ok $raw->connected, 'HTTP-02 the connection stays open';
    ok !IO::Select->new($raw->{sock})->can_read(0.2) && $raw->{buffer} eq '',
        'HTTP-02 not one byte follows the head';

    # clients that always say text/xml (D2)
    ($raw) = opened();
    is $raw->empty(content_type => 'text/xml', headers => [['SOAPAction', '']])
        ->status, 204, 'HTTP-02 also when it has a Content-Type';
    ($raw) = opened();
    is $raw->post('', chunk => 1)->status, 204, 'HTTP-02 also when chunked';
    ($raw) = opened();
    is $raw->post("\r\n \0\r\n")->status, 204, 'HTTP-02 also when only blanks';
};


subtest 'faults' => sub {
    my ($raw) = opened();
    my $r = $raw->post(request('b-1', 'Bogus'));
    is $r->method, 'Fault', 'HTTP-03 an unknown request gets a SOAP Fault';
    is $r->status, 200, 'HTTP-03 with HTTP 200';
    like $r->header('Content-Type'), qr{^text/xml\b}, 'HTTP-03 as text/xml';
};


subtest 'other methods' => sub {
    for my $verb (qw(GET HEAD PUT DELETE OPTIONS PATCH FOO)) {
        my $raw = $t->raw;
        my $r = $raw->post($verb eq 'PUT' ? inform() : '', verb => $verb);
        is $r->status, 405, "HTTP-04 $verb gets 405";
        is $r->header('Allow'), 'POST', "HTTP-04 $verb is told what is allowed";
    }
    is $redis->cmd('EXISTS', $redis->device_key('00D09E-Box-0001')), 0,
        'HTTP-04 an Inform that was PUT leaves nothing';
};


# --- framing ---------------------------------------------------------------

subtest 'chunks' => sub {
    for my $size (1, 7, 4096) {
        my ($raw, $id, $inform) = device();
        is $raw->post($inform->(), chunk => $size)->method, 'InformResponse',
            "HTTP-05 an Inform in chunks of $size";
        task($id, 1);
        my $r = $raw->post('', chunk => $size);
        is $r->method, 'GetParameterValues', 'HTTP-05 then an empty one';
        is $raw->post(answer($r), chunk => $size)->status, 204,
            'HTTP-05 then a response';
        is $redis->result($id, 'g1')->{status}, 'done', 'HTTP-05 is understood';
    }

    # written byte by byte as well: each may be a read of its own
    my ($raw, undef, $inform) = device();
    is $raw->post($inform->(), chunk => 1, split => 3)->method,
        'InformResponse', 'HTTP-05 chunks cut anywhere';
    ($raw, undef, $inform) = device();
    is $raw->post($inform->(), split => 1)->method, 'InformResponse',
        'HTTP-05 Content-Length, byte by byte';

    # extensions and a trailer
    ($raw, undef, $inform) = device();
    my $body = $inform->();
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: acs\r\nTransfer-Encoding: "
        . "Chunked\r\n\r\n" . sprintf("%X;a=b\r\n", length $body)
        . "$body\r\n0\r\nX-More: 1\r\n\r\n");
    is $raw->read_response({})->method, 'InformResponse',
        'HTTP-05 chunk extensions and a trailer';
    is $raw->empty->status, 204, 'HTTP-05 and the connection is good for more';
};


subtest 'Expect: 100-continue' => sub {
    my ($raw, $id, $inform) = device();
    my $r = $raw->post($inform->(), expect => 1);
    ok $r->continued, 'HTTP-06 100 comes within a second';
    is $r->method, 'InformResponse', 'HTTP-06 then the answer';
    task($id, 1);
    $r = $raw->empty;
    $r = $raw->post(answer($r), expect => 1, chunk => 100);
    ok $r->continued, 'HTTP-06 also with chunks';
    is $r->status, 204, 'HTTP-06 and its answer';

    # one that does not wait
    ($raw, $id, $inform) = device();
    is $raw->post($inform->(), headers => [['Expect', '100-continue']])
        ->method, 'InformResponse', 'HTTP-06 a CPE that does not wait for it';
};


subtest 'curl' => sub {
    plan skip_all => 'no curl'
        unless eval { CWMP::Daemon::find_binary('curl') };

    my $file = $t->dir . '/inform.xml';
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh inform(serial => 'curl');
    close($fh);

    my ($said) = run_curl('-v', '-H', 'Expect: 100-continue',
                          '--expect100-timeout', '5', '--data-binary', "\@$file");
    like $said, qr{^< HTTP/1\.1 100 }m, 'HTTP-06 curl is told to continue';
    like $said, qr/<cwmp:InformResponse>/, 'HTTP-06 and gets its answer';

    ($said) = run_curl('-H', 'Transfer-Encoding: chunked', '-T', $file, '-X',
                       'POST');
    like $said, qr/<cwmp:InformResponse>/, 'HTTP-05 curl, chunked';

    # its own cookie engine, from one run to the next
    my $jar = $t->dir . '/jar';
    run_curl('-c', $jar, '--data-binary', "\@$file");
    task('00D09E-Box-curl', 1);
    ($said) = run_curl('-b', $jar, '-d', '');
    like $said, qr/<string>Device\.N1</, 'HTTP-13 curl returns the cookie';
};


sub run_curl {
    my (@words) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        exec('curl', '-sS', '-m', '20', @words, $t->url) or die "curl: $!\n";
    }
    my $said = do { local $/; readline($out) };
    close($out);
    return $said;
}


subtest 'length of what we send' => sub {
    my ($raw, $id, $r) = opened();
    my %seen = (InformResponse => $r);
    $seen{Fault} = $raw->post(request('b-1', 'Bogus'));
    $seen{GetRPCMethodsResponse} = $raw->post(request('r-1', 'GetRPCMethods'));

    # one that fills several of nginx's buffers
    $redis->push_task($id, { method => 'GetParameterValues', id => 'long',
        ParameterNames => [map { "Device.Long.Name.Of.Many.$_" } 1 .. 500] });
    $seen{GetParameterValues} = $raw->empty;
    is scalar($seen{GetParameterValues}->names), 500, 'HTTP-09 a long RPC';
    cmp_ok length $seen{GetParameterValues}->body, '>', 16384, 'HTTP-09 of 16k';

    $seen{400} = $t->raw->post(response('x', 'Reboot'));
    $seen{405} = $t->raw->get('/cwmp');

    for my $name (sort keys %seen) {
        is $seen{$name}->header('Content-Length'), length $seen{$name}->body,
            "HTTP-09 $name has its Content-Length";
        is $seen{$name}->header('Transfer-Encoding'), undef,
            "HTTP-09 $name is not chunked";
    }
};


# --- connections -----------------------------------------------------------

# Inform, three tasks, 204; each POST as %how says.
sub whole_session {
    my ($what, $device, %how) = @_;
    my ($raw, $id, $inform) = @$device;

    task($id, $_) for 1 .. 3;
    my $r = $raw->post($inform->(), %how);
    is $r->method, 'InformResponse', "$what: InformResponse";
    $r = $raw->empty(%how);
    for my $n (1 .. 3) {
        is_deeply [$r->names], ["Device.N$n"], "$what: task $n";
        $r = $raw->post(answer($r), %how);
    }
    is $r->status, 204, "$what: 204";
    is_deeply [map { "$_->{id} $_->{status}" } $redis->results($id)],
        [map { "g$_ done" } 1 .. 3], "$what: results";
    return $r;
}


subtest 'a new connection for each POST' => sub {
    my @device = device();
    whole_session('HTTP-10 closed by the CPE', \@device, new => 1);
    is $device[0]{connections}, 5, 'HTTP-10 five connections';

    @device = device();
    my $r = whole_session('HTTP-10 Connection: close', \@device, close => 1);
    is lc($r->header('Connection')), 'close', 'HTTP-10 is confirmed';
    is $device[0]{connections}, 5, 'HTTP-10 five connections';
};


subtest 'HTTP/1.0' => sub {
    my @device = device();
    my $r = whole_session('HTTP-09 HTTP/1.0', \@device, version => '1.0');
    is $device[0]{connections}, 5, 'HTTP-09 a connection each';
    is $r->header('Transfer-Encoding'), undef, 'HTTP-09 never chunked';

    @device = device();
    $r = whole_session('HTTP-09 HTTP/1.0, kept', \@device, version => '1.0',
                       headers => [['Connection', 'keep-alive']]);
    is lc($r->header('Connection')), 'keep-alive', 'HTTP-09 as it asked';
    is $device[0]{connections}, 1, 'HTTP-09 one connection';
};


subtest 'a long session on one connection' => sub {
    my ($raw, $id) = opened();
    my @bad;

    for my $n (1 .. 40) {
        my $r = $raw->post(request("r-$n", 'GetRPCMethods'), resend => 0);
        push @bad, "request $n" if $r->method ne 'GetRPCMethodsResponse'
                                   || $r->id ne "r-$n";
    }

    task($id, $_) for 1 .. 80;
    my $r = $raw->empty(resend => 0);
    for my $n (1 .. 80) {
        push @bad, "task $n"
            if join(' ', $r->status == 200 ? $r->names : ()) ne "Device.N$n";
        last if @bad;
        $r = $raw->post(answer($r), resend => 0);
    }

    is_deeply \@bad, [], 'HTTP-12 122 requests of one session are all answered';
    is $r->status, 204, 'HTTP-12 to its end';
    is $raw->{connections}, 1, 'HTTP-12 on one connection';
    is scalar(grep { $_->{status} eq 'done' } $redis->results($id)), 80,
        'HTTP-12 all tasks are done';
};


subtest 'any worker' => sub {
    my $port = free_port();
    my $many = CWMP::Test->new(workers => 3,
        http => 'log_format pids "$pid $cwmp_device $request_method";',
        server => "listen 127.0.0.1:$port reuseport; "
                  . 'access_log logs/pids.log pids;');
    my (%raw, %reply, @bad);

    # in step with each other, each POST by a connection of its own
    for my $n (1 .. 24) {
        $raw{$n} = $many->raw(0, url => "http://127.0.0.1:$port/cwmp",
                              new_connection => 1);
        $many->redis->push_task("00D09E-Box-$n", map {
            { method => 'GetParameterValues', id => "g$_",
              ParameterNames => ["Device.N$n.$_"] }
        } 1 .. 4);
        $reply{$n} = $raw{$n}->post(inform(serial => $n));
    }
    $reply{$_} = $raw{$_}->empty for 1 .. 24;
    for my $task (1 .. 4) {
        for my $n (1 .. 24) {
            my $r = $reply{$n};
            push @bad, "session $n, task $task: " . $r->status
                if join(' ', $r->status == 200 ? $r->names : '')
                   ne "Device.N$n.$task";
            $reply{$n} = $raw{$n}->post(
                gpv_response($r->id, ["Device.N$n.$task", 'string', "v$n"]));
        }
    }
    push @bad, grep { $reply{$_}->status != 204 } 1 .. 24;
    is_deeply \@bad, [], 'HTTP-11 24 sessions, a connection for each POST';

    my (%pids, %all);
    for my $line (split(/\n/, slurp($many->prefix . '/logs/pids.log'))) {
        my ($pid, $id) = split(' ', $line);
        $pids{$id}{$pid} = $all{$pid} = 1;
    }
    is_deeply [sort { $a <=> $b } keys %all],
        [sort { $a <=> $b } $many->workers], 'HTTP-11 by all three workers';
    cmp_ok scalar(grep { keys %$_ > 1 } values %pids), '>=', 20,
        'HTTP-11 nearly all sessions wandered';

    my $done = grep { $_->{status} eq 'done' } map {
        $many->redis->results("00D09E-Box-$_") } 1 .. 24;
    is $done, 96, 'HTTP-11 all tasks are done';
    is $many->redis->params('00D09E-Box-7')->{'Device.N7.3'}{value}, 'v7',
        'HTTP-11 each with its own data';
    $many->finish;
};


# --- the cookie ------------------------------------------------------------

sub check_cookie {
    my ($what, $r, $most) = @_;
    my @cookies = $r->header_all('Set-Cookie');
    is scalar(@cookies), 1, "$what: one cookie" or return;

    my ($pair, @attributes) = split(/;\s*/, $cookies[0]);
    is_deeply \@attributes, ['Path=/'], "$what: Path=/ and no other attribute";
    like $pair, qr/^[A-Za-z0-9_]+=[!#-+\x2d-:<-[\]-~]+$/,
        "$what: characters that need no quotes";
    cmp_ok length "Set-Cookie: $cookies[0]", '<=', $most, "$what: $most bytes";
}


subtest 'Set-Cookie' => sub {
    my ($raw, $id, $r) = opened();
    check_cookie('HTTP-13 a usual device', $r, 100);

    my ($other, undef, $second) = opened();
    isnt $other->cookie, $raw->cookie, 'HTTP-13 each session has its own';

    # the longest IDs there are
    for my $class ('c' x 64, '-' x 34) {
        my $long = $t->raw;
        $r = $long->post(inform(class => $class, serial => 's' x 64));
        check_cookie('HTTP-13 the longest names', $r, 512);
        is $long->empty->status, 204, 'HTTP-13 and it works';
    }

    # whatever bytes are in a name
    my $odd = $t->raw;
    my ($class, $sn) = ('a;b,c="d" \\', "\x{e9}\x{20ac}-%2D/../");
    $r = $odd->post(inform(class => $class, serial => $sn));
    check_cookie('HTTP-13 odd names', $r, 200);
    $id = CWMP::Redis::device_id('00D09E', $class, $sn);
    task($id, 1);
    is_deeply [$odd->empty->names], ['Device.N1'], 'HTTP-13 and it works';
};


subtest 'Set-Cookie of real devices' => sub {
    plan skip_all => '../shared is absent' unless -d "$SHARED/corpus";
    my (%who, @over);

    for my $file (glob("$SHARED/corpus/*_Inform*.xml")) {
        my $text = slurp($file);
        my @part = map {
            $text =~ m{<(?:\w+:)?$_\b[^>]*>\s*([^<]*?)\s*</}
                ? xml_unescape($1) : ''
        } qw(OUI ProductClass SerialNumber);
        $who{ join("\0", @part) } = \@part if length $part[0] && length $part[2];
    }
    cmp_ok scalar(keys %who), '>', 40, 'HTTP-13 identities in the corpus';

    my $raw = $t->raw;
    for my $who (values %who) {
        my ($oui, $class, $sn) = @$who;
        $raw->forget_cookies;
        my $r = $raw->post(inform(oui => $oui, class => $class, serial => $sn));
        my $cookie = $r->header('Set-Cookie') // '';
        push @over, "$oui $class $sn: " . $r->status . " $cookie"
            if length $cookie > 100 || length $cookie < 30;
    }
    is_deeply \@over, [], 'HTTP-13 Set-Cookie is at most 100 bytes for each';
};


# A cookie of ours as CPEs send it back; %s stands for it.
my @AS_SENT = (
    ['an application cookie before', 'a=b; %s'],
    ['one after', '%s; a=b'],
    ['several around', 'JSESSIONID=0123456789abcdef; %s; lang=de; x=; y'],
    ['a name that ends like ours', 'xcwmp=1; %s; cwmpx=2'],
    ['a name in other case', 'CWMP=1; %s'],
    ['no blank between', 'a=b;%s;c=d'],
    ['commas', 'a=b, %s, c=d'],
    ['with its attributes', '%s; Path=/'],
    ['attributes in front', 'Path=/; %s'],
    ['attributes of RFC 2109', '$Version="1"; %s; $Path="/"; $Domain="acs"'],
    ['attributes, commas', '$Version=1, %s, $Path=/'],
    ['quotes', '%q'],
    ['quotes, attributes', '$Version="1"; %q; $Path="/"'],
    ['another one quoted', 'a="b c"; %s'],
    ['blanks around', '  %s  '],
    ['trailing semicolon', '%s;'],
    ['leading semicolons', ';; %s'],
    ['a broken one of ours before', 'cwmp=nonsense; %s'],
    ['a broken one of ours after', '%s; cwmp=nonsense'],
    ['an empty one of ours after', '%s; cwmp='],
    ['twice', '%s; %s'],
);


sub as_sent {
    my ($raw, $format) = @_;
    my $own = $raw->cookie;
    my ($name, $value) = split(/=/, $own, 2);
    $format =~ s/%s/$own/g;
    $format =~ s/%q/$name="$value"/g;
    return $format;
}


subtest 'cookies as CPEs send them' => sub {
    for my $case (@AS_SENT) {
        my ($what, $format) = @$case;
        my ($raw, $id) = opened();
        task($id, 1);
        my $cookie = as_sent($raw, $format);
        my $r = $raw->empty(cookie => $cookie);
        is $r->status == 200 ? join(' ', $r->names) : $r->status, 'Device.N1',
            "HTTP-14 $what";
    }

    my ($raw, $id) = opened();
    task($id, 1);
    my $r = $raw->empty(cookie => undef, headers => [['Cookie', 'a=b'],
        ['Cookie', $raw->cookie], ['Cookie', 'c=d']]);
    is $r->status == 200 ? join(' ', $r->names) : $r->status, 'Device.N1',
        'HTTP-14 a Cookie header for each';

    ($raw, $id) = opened();
    task($id, 1);
    $r = $raw->empty(extra_cookie => join('; ', map { "k$_=" . 'v' x 90 }
                                          1 .. 40));
    is $r->status == 200 ? join(' ', $r->names) : $r->status, 'Device.N1',
        'HTTP-14 4 KB of foreign cookies';
};


# A stale cookie with an Inform, our own or another device's, is no matter.
subtest 'cookies with an Inform' => sub {
    my ($raw, $id) = opened();
    my ($sn) = $id =~ /-(\w+)$/;
    my $old = $raw->cookie;
    my ($other, $other_id) = opened();
    my $n = 0;

    for my $cookie ($old, $other->cookie, 'cwmp=nonsense', 'a=b') {
        task($id, ++$n);
        my $r = $raw->post(inform(serial => $sn, id => "i-$n"),
                           cookie => $cookie);
        is $r->method, 'InformResponse', 'HTTP-14 a cookie with an Inform';
        isnt $raw->cookie, $cookie, 'HTTP-14 the session has a new one';
        $r = $raw->empty;
        is_deeply [$r->names], ["Device.N$n"], 'HTTP-14 and works';
        is $raw->post(answer($r))->status, 204, 'HTTP-14 to its end';
    }

    task($other_id, 9);
    is_deeply [$other->empty->names], ['Device.N9'],
        'HTTP-14 the other device is undisturbed in its session';
};

done_testing;
