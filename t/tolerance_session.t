#!/usr/bin/perl

# What real CPEs get wrong in a session: identities, events, IDs and
# namespaces that are odd, answers that lack something, Informs that come
# again, sessions that just stop.  Each is replayed, and what Redis then holds
# is what the CPE meant.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Model;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(workers => 2, server => <<'CONF');
    location /brief { cwmp_acs; cwmp_session_timeout 1s outstanding=1s; }
CONF

my $n = 0;

sub device { return CWMP::Script->new($t, 'S' . ++$n, @_) }


# A device that was given tasks, and what came for the first of them.
sub asked {
    my (@tasks) = @_;
    my $d = device();
    $d->give(@tasks);
    return ($d, $d->begin);
}


sub sessions {
    my ($d) = @_;
    return grep { $_->{type} eq 'inform' && $_->{device} eq $d->id }
           $d->redis->events;
}


# --- D3: bodies of nothing -------------------------------------------------

subtest 'TOL-03 a body of nothing is an empty POST' => sub {
    my %nothing = (
        blanks => " \r\n\t\r\n", NULs => "\0\0\0", 'a line break' => "\r\n",
        'a BOM' => "\xef\xbb\xbf", 'an empty Body' => envelope(''),
        'a Body of blanks' => envelope("\n  \n"),
        'a comment in the Body' => envelope('<!-- nothing -->'),
        'an ID and an empty Body' => envelope('', id => 'x'),
        'a Body that closes itself' => envelope('')
            =~ s{<soap-env:Body></soap-env:Body>}{<soap-env:Body/>}r,
    );

    for my $what (sort keys %nothing) {
        my $d = device();
        $d->give_reads('a');
        $d->inform;
        my $r = $d->post($nothing{$what});
        is $r->method, 'GetParameterValues', "TOL-03 $what: it is our turn";
        is $d->respond($r)->status, 204, '... and the session goes on';
    }
    is device()->post("\r\n")->status, 204, 'TOL-03 without a session: 204';
};


# --- D8: IDs ---------------------------------------------------------------

subtest 'TOL-08 the ID header is missing, empty, or always the same' => sub {
    my $d = device();
    is $d->post($d->inform_text(id => undef))->id, undef,
        'TOL-08 an Inform without: none is made up';
    is $d->post($d->inform_text(id => ''))->id // '', '',
        'TOL-08 an empty one: nothing, or the empty one';

    for my $id (undef, '', 'inform', '1') {
        my $d = device();
        $d->give_reads('a', 'b');
        my $r = $d->post($d->inform_text(id => 'inform'));
        is $r->id, 'inform', 'TOL-08 the Inform';
        $r = $d->empty;
        for my $task ('a', 'b') {
            $r = $d->post(gpv_response($id, ["Device.$task", 'string', $task]));
        }
        is $r->status, 204, 'TOL-08 responses of ID ' . ($id // 'none');
        is_deeply $d->ended, ['a done', 'b done'], '... in their order';
        is $d->value('Device.b'), 'b', '... each with its own values';
    }
};


# --- D20: who it is --------------------------------------------------------

subtest 'TOL-20 identities' => sub {
    my @devices = (
        ['00d09e', 'Box', 'a1', '00D09E-Box-a1', 'an OUI in lower case'],
        ['D09E', 'Box', 'a2', 'D09E-Box-a2', 'a short OUI'],
        ['00:d0:9e', 'Box', 'b1', '00D09E-Box-b1', 'an OUI with colons'],
        ['00-D0-9E-11-22-33', 'Box', 'b2', '00D09E-Box-b2', 'a MAC as OUI'],
        ['00d09e112233', 'Box', 'b3', '00D09E-Box-b3', '... of digits only'],
        [' 00D09E ', "\n Box ", ' a3', '00D09E-Box-a3', 'blanks around it'],
        ['00D09E', '', 'a4', '00D09E-a4', 'no ProductClass'],
        ['00D09E', 'HG 1/x-2', 'a5', '00D09E-HG%201%2Fx%2D2-a5',
         'a ProductClass of anything'],
        ['00D09E', 'Box', '100%-A/6', '00D09E-Box-100%25%2DA%2F6',
         'a SerialNumber of anything'],
        ['00D09E', 'Box', '0A:1b', '00D09E-Box-0A%3A1b', 'a MAC address'],
        ['00D09E', "\x{e4}", "\x{e9}", '00D09E-%C3%A4-%C3%A9', 'no ASCII'],
    );

    for (@devices) {
        my ($oui, $class, $serial, $id, $what) = @$_;
        my $raw = $t->raw;
        $t->redis->push_task($id, { method => 'GetRPCMethods', id => 'm' });
        my $r = $raw->post(inform(oui => $oui, class => $class,
                                  serial => $serial));
        is $r->method, 'InformResponse', "TOL-20 $what";
        is $raw->empty->method, 'GetRPCMethods', "... its ID is $id";
        my $d = $t->redis->device($id);
        is CWMP::Redis::characters($d->{serial}), $serial =~ s/^\s+|\s+$//gr,
            '... and what it said is kept';
    }
    isnt $t->redis->device('00D09E-Box-a1')->{first},
        $t->redis->device('00D09E-Box-A1')->{first} // 0,
        'TOL-20 a serial number in upper case is another one';
};


# --- D22: instances --------------------------------------------------------

subtest 'TOL-22 instance numbers are names' => sub {
    my ($d, $r) = asked({ method => 'GetParameterValues', id => 'r',
                          ParameterNames => ['Device.T.'] });
    my %row = map { ("Device.T.$_.A" => "of $_") } 0, 1, 7, 4294967295;
    $d->post(gpv_response($r->id, map { [$_, 'string', $row{$_}] } keys %row));
    my $got = $d->redis->params($d->id, 'Device.T.');
    is_deeply { map { $_ => $got->{$_}{value} } keys %$got }, \%row,
        'TOL-22 0, 1, 7 and the highest, as they are';

    for my $instance (0, 7, 4294967295) {
        my ($d, $r) = asked({ method => 'AddObject', id => 'add',
            ObjectName => 'Device.T.',
            values => { A => { value => 'x', type => 'string' } } });
        $r = $d->post(add_response($r->id, $instance));
        is_deeply [$r->params], [["Device.T.$instance.A", 'xsd:string', 'x']],
            "TOL-22 values of the new instance $instance";
    }

    # 7 was deleted, and is there again as another object
    $d->give({ method => 'DeleteObject', id => 'del',
               ObjectName => 'Device.T.7.' },
             { method => 'AddObject', id => 'new', ObjectName => 'Device.T.' },
             { method => 'GetParameterValues', id => 'again',
               ParameterNames => ['Device.T.7.B'] });
    $r = $d->post(delete_response($d->begin->id));
    is $d->value('Device.T.7.A'), undef, 'TOL-22 what was deleted is gone';
    $r = $d->post(add_response($r->id, 7));
    $d->post(gpv_response($r->id, ['Device.T.7.B', 'string', 'new']));
    is $d->value('Device.T.7.A'), undef, 'TOL-22 an instance that is reused';
    is $d->value('Device.T.7.B'), 'new', 'TOL-22 has its own values only';
};


# --- D25, D26: what is sent ------------------------------------------------

subtest 'TOL-25 a parameter that GetParameterNames called read-only' => sub {
    my ($d, $r) = asked(
        { method => 'GetParameterNames', id => 'n',
          ParameterPath => 'Device.' },
        { method => 'SetParameterValues', id => 's', ParameterList => {
            'Device.A' => { value => 'x', type => 'string' } } },
        { method => 'GetParameterValues', id => 'v',
          ParameterNames => ['Device.B'] });

    $r = $d->post(gpn_response($r->id, ['Device.A', 0], ['Device.B', 1]));
    is $r->method, 'SetParameterValues', 'TOL-25 is set all the same';
    $r = $d->post(spv_response($r->id));
    is_deeply [$r->names], ['Device.B'], 'TOL-25 what was listed is read';
    $d->refuse($r, 9005);
    is_deeply $d->ended, ['n done', 's done', 'v fault'],
        'TOL-25 the device has the last word';
};


subtest 'TOL-26 booleans are 0 or 1, times have no empty fraction' => sub {
    my %list = map { ("Device.$_->[0]" => { type => $_->[1],
                                            value => $_->[2] }) } (
        ['B1', 'boolean', 'true'], ['B0', 'boolean', 'FALSE'],
        ['Btrue', 'boolean', \1], ['T', 'dateTime', '2026-01-02T03:04:05.000Z'],
        ['TZ', 'dateTime', '2026-01-02T03:04:05+02:00']);
    my ($d, $r) = asked(
        (map { { method => 'GetParameterNames', id => 'n' . ($$_ ? 1 : 0),
                 ParameterPath => 'Device.', NextLevel => $_ } } \1, \0),
        { method => 'SetParameterValues', id => 's', ParameterList => \%list });

    is $r->arg('NextLevel'), '1', 'TOL-26 NextLevel true';
    $r = $d->post(gpn_response($r->id, ['Device.A', 0]));
    is $r->arg('NextLevel'), '0', 'TOL-26 NextLevel false';
    $r = $d->post(gpn_response($r->id, ['Device.A', 0]));
    is_deeply $r->values, {
        'Device.B1' => 1, 'Device.B0' => 0, 'Device.Btrue' => 1,
        'Device.T' => '2026-01-02T03:04:05Z',
        'Device.TZ' => '2026-01-02T01:04:05Z' }, 'TOL-26 values';
};


# --- D28, D29: faults ------------------------------------------------------

subtest 'TOL-28 faults of SetParameterValues that lack something' => sub {
    my %task = (method => 'SetParameterValues', ParameterList => {
                'Device.A' => { value => 'x', type => 'string' } });
    my @faults = (
        [[9003], { FaultCode => 9003 }, 'no SetParameterValuesFault'],
        [[9007], { FaultCode => 9007 }, '9007 on top'],
        [[9007, ['Device.A', 9007, 'bad']], { FaultCode => 9007,
            SetParameterValuesFault => [{ ParameterName => 'Device.A',
                FaultCode => 9007, FaultString => 'bad' }] }, 'and one inside'],
        [[9003, ['', '', '']], { FaultCode => 9003,
            SetParameterValuesFault => [{ ParameterName => '',
                FaultCode => '', FaultString => '' }] }, 'an empty one'],
    );

    for (@faults) {
        my ($fault, $want, $what) = @$_;
        my ($d, $r) = asked({ %task, id => 's' });
        my ($code, @more) = @$fault;
        is $d->post(fault($r->id, $code, 'no', @more))->status, 204,
            "TOL-28 $what";
        my $got = $d->result('s');
        is $got->{status}, 'fault', '... is a fault';
        is_deeply $got->{fault}, { FaultString => 'no', %$want },
            '... and kept as it came';
    }
};


subtest 'TOL-29 faults without CWMP in them' => sub {
    my $soap = sub { envelope("<soap-env:Fault>$_[0]</soap-env:Fault>") };
    my @faults = (
        ['no detail', '<faultcode>Client</faultcode>'
         . '<faultstring>CWMP fault</faultstring>', 9002, 'CWMP fault'],
        ['a number as faultcode', '<faultcode>500</faultcode>'
         . '<faultstring>Internal Server Error</faultstring>', 9002,
         'Internal Server Error'],
        ['an empty detail', '<faultcode>soap-env:Server</faultcode>'
         . '<faultstring>x</faultstring><detail/>', 9002, 'x'],
        ['nothing at all', '', 9002, ''],
        ['a code that is no number', '<detail><cwmp:Fault><FaultCode>nine'
         . '</FaultCode><FaultString>x</FaultString></cwmp:Fault></detail>',
         9002, 'x'],
        ['the detail inside of the faultstring', "<faultstring>\n<detail>"
         . '<cwmp:Fault><FaultCode>9003</FaultCode><FaultString>no'
         . '</FaultString></cwmp:Fault></detail></faultstring>', 9003, 'no'],
        ['no cwmp:Fault around it', '<detail><FaultCode>9005</FaultCode>'
         . '<FaultString>no</FaultString></detail>', 9005, 'no'],
    );

    for (@faults) {
        my ($what, $inner, $code, $text) = @$_;
        my ($d, $r) = asked({ method => 'GetParameterNames', id => 'a' },
                            { method => 'GetRPCMethods', id => 'b' });
        is $d->post($soap->($inner))->method, 'GetRPCMethods',
            "TOL-29 $what: the next task";
        is_deeply $d->result('a')->{fault},
            { FaultCode => $code, FaultString => $text }, "... $code";
    }
};


subtest 'RPC-30 Results that are an array, with structs by their types' => sub {
    my $d = device();
    $d->give({ method => 'ChangeDUState', id => 'du', Operations => [
        { Operation => 'Install', URL => 'http://fs.example/a.pkg' },
        { Operation => 'Install', URL => 'http://fs.example/b.pkg' }] });
    $d->obey($d->begin);

    my $struct = sub { '<OpResultStruct><UUID>' . $_[0] . '</UUID><Fault>'
        . "<FaultStruct><FaultCode>$_[1]</FaultCode><FaultString>t"
        . '</FaultString></FaultStruct></Fault><Version>1</Version>'
        . '</OpResultStruct>' };
    my $r = $d->post(request('du-1', 'DUStateChangeComplete',
        '<Results soap-enc:arrayType="cwmp:OpResultStruct[2]">'
        . $struct->('u-1', 0) . $struct->('u-2', 9018)
        . '</Results><CommandKey>du</CommandKey>'));
    is $r->method, 'DUStateChangeCompleteResponse', 'RPC-30 it is answered';

    my $result = $d->result('du');
    is $result->{status}, 'fault', 'RPC-30 one operation failed';
    is_deeply [map { "$_->{UUID} $_->{Fault}{FaultCode} $_->{Version}" }
               @{ $result->{fault}{Results} }], ['u-1 0 1', 'u-2 9018 1'],
        'RPC-30 each of them with its fault';
};


# --- D30, D31, D45, D46: sessions ------------------------------------------

subtest 'TOL-30 sessions that end in their own way' => sub {
    my ($d, $r) = asked({ method => 'GetRPCMethods', id => 'a' });
    is $d->respond($r, string_list('MethodList', 'X'))->status, 204,
        'TOL-30 the usual end';
    is $d->empty->status, 204, 'TOL-30 one more empty POST: 204' for 1 .. 3;
    is scalar(sessions($d)), 1, 'TOL-30 that is no session';

    # never an empty POST: just gone after the InformResponse
    $d->give_reads('b');
    $d->inform;
    $d->raw->disconnect;
    is $d->status('b'), 'none', 'TOL-30 the task waits for the next one';
    is $d->begin->method, 'GetParameterValues', 'TOL-30 at once';
};


subtest 'TOL-31 a new Inform in the middle of a session' => sub {
    my ($d, $r) = asked({ method => 'GetRPCMethods', id => 'a' });
    my $old = $d->cookie;
    $d->raw->reset;                             # it crashed
    $d->raw->forget_cookies;

    is $d->begin->method, 'GetRPCMethods',
        'TOL-31 the task is sent again at once';
    is $d->empty(cookie => $old, new => 1)->status, 204,
        'TOL-31 the old session gets nothing any more';
    is $d->post(rpc_methods_response($r->id, 'X'), cookie => $old)->status,
        400, 'TOL-31 and is not listened to';
    is $d->status('a'), 'none', 'TOL-31 its answer is nobody\'s';
};


subtest 'TOL-45 the whole Inform twice' => sub {
    my $d = device();
    $d->give_reads('a');
    my $text = $d->inform_text(events => ['1 BOOT']);
    my $r = $d->post($text);
    my $cookie = $d->cookie;

    is $d->post($text, new => 1, cookie => undef)->method, 'InformResponse',
        'TOL-45 is answered twice';
    is $d->cookie, $cookie, 'TOL-45 by one session';
    is scalar(sessions($d)), 1, 'TOL-45 which was begun once';
    is $d->empty->method, 'GetParameterValues', 'TOL-45 and goes on';

    # Basic that nobody asked for
    $d = device();
    is $d->post($d->inform_text, headers => [
        ['Authorization', 'Basic Y3BlOnNlY3JldA==']])->method,
        'InformResponse', 'TOL-45 credentials that nobody asked for';
};


subtest 'TOL-46 a new Inform with the old cookie, on that connection' => sub {
    my ($d, $r) = asked({ method => 'GetRPCMethods', id => 'a' });
    my $old = $d->cookie;
    is $d->post($d->inform_text(events => ['6 CONNECTION REQUEST']))->method,
        'InformResponse', 'TOL-46 is a session';
    isnt $d->cookie, $old, 'TOL-46 of its own';
    is_deeply [map { $_->{events} } sessions($d)],
        ['2 PERIODIC', '6 CONNECTION REQUEST'], 'TOL-46 with its events';
    $r = $d->empty;
    is $r->method, 'GetRPCMethods', 'TOL-46 the task comes again';
    $d->post(rpc_methods_response($r->id, 'X'));
    is_deeply $d->ended, ['a done'], 'TOL-46 and is done once';
    is $d->empty(cookie => $old)->status, 204, 'TOL-46 the old one is over';
};


# --- D32: long answers -----------------------------------------------------

subtest 'TOL-32 an answer that takes longer than a session' => sub {
    my $d = device(url => $t->url(0, '/brief'));
    $d->give({ method => 'GetParameterValues', id => 'big',
               ParameterNames => ['Device.'] });
    my $r = $d->begin;
    my $answer = gpv_response($r->id, map {
        ["Device.X.$_.Name", 'string', 'x' x 100] } 1 .. 12_000);

    # 2.5 MB in ten pieces: 4 s, of which the session alone would live 1 s
    is $d->post($answer, split => int(length($answer) / 10) + 1,
                delay => 0.4)->status, 204, 'TOL-32 is taken';
    is $d->status('big'), 'done', 'TOL-32 and its task is done';
    is $d->result('big')->{response}{count}, 12_000, 'TOL-32 all of it';
    is scalar(keys %{ $d->redis->params($d->id, 'Device.X.') }), 12_000,
        'TOL-32 is in Redis';
};


# --- D34: namespaces -------------------------------------------------------

subtest 'TOL-34 namespaces of CWMP' => sub {
    my $urn = 'urn:dslforum-org:cwmp-1-';
    my %ns = ("${urn}3" => "${urn}3", "${urn}4" => "${urn}4",
              "${urn}0 " => "${urn}0", " ${urn}1" => "${urn}1",
              "${urn}9" => "${urn}4", 'urn:dslforum-org:CWMP-1-2' => "${urn}2",
              'http://acme.example/cwmp' => "${urn}0", '' => "${urn}0");

    for my $said (sort keys %ns) {
        my $d = device();
        $d->give_reads('a');
        my $r = $d->post($d->inform_text(ns => $said));
        is $r->method, 'InformResponse', "TOL-34 '$said' is taken";
        is $r->ns, $ns{$said}, "... as $ns{$said}";
        is $d->empty->ns, $ns{$said}, '... in our RPC, too';
    }

    # none at all: no prefix, no declaration
    my $d = device();
    my $text = $d->inform_text =~ s/ xmlns:cwmp="[^"]*"//r
               =~ s/cwmp:Inform>/Inform>/gr =~ s/cwmp:ID/ID/gr;
    is $d->post($text)->ns, "${urn}0", 'TOL-34 none at all is 1.0';
};


# --- D36: a URL that leads nowhere -----------------------------------------

subtest 'TOL-36 a ConnectionRequestURL that cannot be one' => sub {
    my $path = 'Device.ManagementServer.ConnectionRequestURL';
    my $good = 'http://192.0.2.7:7547/cr';
    my %why = (
        'http://(null)' => 'no host', 'http://(null):7547/' => 'no host',
        'http://10.0.0.1:0/x' => 'port 0', 'http://10.0.0.1:65536/' => 'port 65536',
        'http://10.0.0.1:999999999999/' => 'port 99999999',
        'http:///x' => 'no host', 'http://:7547/' => 'no host',
        'http://0.0.0.0:7547/' => 'a loopback address',
        'http://127.0.0.1:22/' => 'a loopback address',
        'http://127.255.0.9/' => 'a loopback address',
        'http://LocalHost.:80/' => 'a loopback address',
        'http://a.localhost/' => 'a loopback address',
        'http://[::1]/' => 'a loopback address',
        'http://[0:0:0:0:0:0:0:1]:7547/' => 'a loopback address',
        'http://[::]/' => 'a loopback address',
        'http://[::ffff:127.0.0.1]/' => 'a loopback address',
        'http://[::ffff:7f00:1]/' => 'a loopback address',
        'http://169.254.169.254/latest' => 'a link-local address',
        'http://[fe80::1]/' => 'a link-local address',
        'http://[::ffff:169.254.0.1]/' => 'a link-local address',
        'http://255.255.255.255/' => 'the address of no single host',
        'http://[ff02::1]/' => 'the address of no single host',
        'http://2130706433/' => 'its host is no address',
        'http://0x7f000001/' => 'its host is no address',
        'http://127.1/' => 'its host is no address',
        'http://0177.0.0.1/' => 'its host is no address',
        'http://10.0.0.256/' => 'its host is no address',
        'http://[fe80::1%25eth0]/' => 'its host is no name',
        'http://[1:2:3]/' => 'its host is no address',
        'http://[1::2::3]/' => 'its host is no address',
        'http://a@127.0.0.1/' => 'more than a host and a port',
        'http://127.0.0.1\@h.example/' => 'more than a host and a port',
        'http://h.example:80x/' => 'its host is no name',
        'http://h..example/' => 'its host is no name',
        '-' => 'neither http nor https', '192.0.2.7:7547' => 'neither http nor https',
        'file:///etc/passwd' => 'neither http nor https',
        'http://a b.example/' => 'blanks or control characters in it',
        'http://' . 'a' x 2000 => 'its host is no name');

    for my $url (sort keys %why) {
        my $d = device(params => [[$path, 'string', $good]]);
        $d->inform;
        is $d->redis->device($d->id)->{url}, $good, '(one that can)';
        $d->{params} = [[$path, 'string', $url]];
        $d->give_reads('a');
        is $d->begin->method, 'GetParameterValues',
            'TOL-36 ' . substr($url, 0, 40) . ': the session';
        my $device = $d->redis->device($d->id);
        is $device->{url}, undef, 'TOL-36 no URL is known of the device';
        is $device->{badurl}, substr($url, 0, 1024) =~ s{://.*@}{://(hidden)@}r,
            '... which was told this one, but for a user';
        my $said = qr/ConnectionRequestURL "[^"]*" cannot be used: \Q$why{$url}\E.*device: \Q@{[$d->id]}\E/;
        ok $t->wait_log($said, 2), "... and the log says why: $why{$url}";
        $d->inform for 1 .. 2;
        is scalar(() = $t->error_log =~ /$said/g), 1, '... once';
    }

    for my $url ('http://10.0.0.1:7547/x', 'http://192.168.1.1/', 'HTTPS://h.example',
                 'http://[2001:db8::7]:7547/cr', 'http://cpe-1_a.isp.example.:80/?a#b',
                 'http://[fd00::1]/', 'http://[2001:db8:1:2:3:4:5:6]/',
                 'http://100.64.0.1:65535/', 'http://3com.example/', 'http://h:/')
    {
        my $d = device(params => [[$path, 'string', 'http://(null)']]);
        $d->inform;
        $d->{params} = [[$path, 'string', $url]];
        $d->inform;
        my $device = $d->redis->device($d->id);
        is $device->{url}, $url, "$url is one";
        is $device->{badurl}, undef, '... instead of what was told before';
    }

    my $d = device(params => [[$path, 'string', '']]);
    $d->inform;
    is_deeply [@{ $d->redis->device($d->id) }{qw(url badurl)}], [undef, undef],
        'TOL-36 an empty one is as good as none';
};


# --- D39: events -----------------------------------------------------------

subtest 'TOL-39 events as they come' => sub {
    my %list = (
        'a typo' => ['<EventStruct><EventCode>4 VALUECHANGE</EventCode>'
            . '<CommandKey/></EventStruct>', '4 VALUE CHANGE'],
        'no CommandKey' => ['<EventStruct><EventCode>1 BOOT</EventCode>'
            . '</EventStruct>', '1 BOOT'],
        'none' => ['', ''],
        'an empty one' => ['<EventStruct><EventCode/><CommandKey/>'
            . '</EventStruct>', ''],
        'a number only' => ['<EventStruct><EventCode>1</EventCode>'
            . '</EventStruct>', '1 BOOT'],
        'in lines of their own' => ["<EventStruct>\n<EventCode>\n 1 BOOT\n"
            . '</EventCode></EventStruct>', '1 BOOT'],
        'one of a vendor' => ['<EventStruct><EventCode>X CT-COM BIND'
            . '</EventCode></EventStruct>', 'X CT-COM BIND'],
    );

    for my $what (sort keys %list) {
        my ($inner, $events) = @{ $list{$what} };
        my $d = device();
        $d->give_reads('a');
        my $text = $d->inform_text =~ s{(<Event\b[^>]*>).*(</Event>)}
                                       {$1$inner$2}sr;
        is $d->post($text)->method, 'InformResponse', "TOL-39 $what";
        is $d->redis->device($d->id)->{events}, $events, "... is '$events'";
        is $d->empty->method, 'GetParameterValues', '... its session goes on';
    }

    my $d = device();
    my $text = $d->inform_text =~ s{<Event\b.*</Event>}{}sr;
    is $d->post($text)->method, 'InformResponse', 'TOL-39 no Event element';
};

done_testing;
