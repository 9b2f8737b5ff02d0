#!/usr/bin/perl

# Versions of CWMP and SOAP headers, as a CPE sees them: which version a
# session has and how it is told, what a device is too old for, which headers
# are understood, and what becomes of those that are not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(server => <<'CONF');
    location /brief { cwmp_acs; cwmp_session_timeout 1s outstanding=1s; }
CONF
my $redis = $t->redis;
my $SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
my $n = 0;

sub device { return CWMP::Script->new($t, 'V' . ++$n, @_) }
sub ns { return "urn:dslforum-org:cwmp-1-$_[0]" }
sub informed { my $d = shift; return $d->post($d->inform_text(@_)) }
sub fact { return $redis->cmd('HGET', $_[0]->key, $_[1]) }


# The header element of a reply, undef when there is none.
sub header_of {
    my ($r, $name) = @_;
    my $header = $r->envelope->child('Header') or return undef;
    return $header->child($name);
}


# --- versions --------------------------------------------------------------

# what the CPE offers, its namespace; the version it is told, the namespace of
# the session
my @OFFERS = (
    ['1.0,1.4', 2, '1.4', 2],
    ['1.0,1.1,1.2,1.3,1.4', 2, '1.4', 2],
    [' 1.2 , 1.3 ', 2, '1.3', 2],
    ['1.4,9.9,1.5,2.0', 2, '1.4', 2],
    ['1.0,1.1', 2, '1.1', 1],
    ['1.0', 2, '1.0', 0],
    ['1.4', 0, '1.4', 0],
    ['1.4', 4, '1.4', 4],
    ['1.0,1.1', 4, '1.1', 1],
);

subtest 'VER-02 the highest common version is used' => sub {
    for my $offer (@OFFERS) {
        my ($list, $sent, $version, $ns) = @$offer;
        my $d = device(versions => $list, ns => ns($sent));
        $d->give_reads('a');
        my $r = $d->inform;
        is $r->method, 'InformResponse', "VER-02 $list, cwmp-1-$sent";
        my $use = header_of($r, 'UseCWMPVersion');
        is $use && $use->value, $version, "VER-02 UseCWMPVersion $version";
        is $use->attribute('mustUnderstand'), 1,
            'VER-02 which must be understood';
        is $use->{ns}, ns($ns), 'VER-02 in the CWMP namespace';
        is $r->ns, ns($ns), "VER-02 the reply is in cwmp-1-$ns";
        is fact($d, 'cwmp'), $version, 'VER-02 the device has it';
        $r = $d->empty;
        is $r->ns, ns($ns), 'VER-02 our RPCs are in the same namespace';
        is header_of($r, 'UseCWMPVersion'), undef,
            'VER-02 InformResponse only has the header';
    }
};


# namespace, SessionTimeout, the version inferred
my @OLDER = ([0, undef, '1.0'], [1, undef, '1.1'], [2, undef, '1.2'],
             [2, 60, '1.3'], [2, 0, '1.3'], [0, 60, '1.0'], [3, undef, '1.3'],
             [4, undef, '1.4']);

subtest 'VER-03 a CPE that offers none is told none' => sub {
    for my $case (@OLDER) {
        my ($ns, $timeout, $version) = @$case;
        my $d = device(ns => ns($ns), timeout => $timeout);
        my $r = $d->inform;
        is $r->method, 'InformResponse', "VER-03 cwmp-1-$ns";
        is header_of($r, 'UseCWMPVersion'), undef, 'VER-03 no UseCWMPVersion';
        is fact($d, 'cwmp'), $version, "VER-03 taken for CWMP $version";
        is fact($d, 'ns'), $ns, 'VER-03 and its namespace';
    }
    my $d = device(versions => '  ');
    is header_of($d->inform, 'UseCWMPVersion'), undef,
        'VER-03 an empty list is none';
    is fact($d, 'cwmp'), '1.2', 'VER-03 the namespace tells';
};


subtest 'VER-04 no common version' => sub {
    for my $list ('9.9', '2.0, 2.1', '1.5', '11.4', '1.10', 'x') {
        my $d = device(versions => $list);
        my $r = $d->inform;
        is $r->status, 200, "VER-04 $list: HTTP 200";
        is $r->fault->{code}, 8006, 'VER-04 with fault 8006';
        is $r->header('Set-Cookie'), undef, 'VER-04 no cookie';
        ok !$d->has('session') && !$d->has(), 'VER-04 and no session';
    }
    my $d = device(versions => '9.9');
    ok informed($d, versions => '1.4')->method eq 'InformResponse'
        && $d->has('session'), 'VER-04 a session is opened';
    my $before = $redis->cmd('HGET', $d->key('session'), 't');
    $d->inform;
    is $redis->cmd('HGET', $d->key('session'), 't'), $before,
        'VER-04 which a refused Inform does not end';
    ok $t->wait_log(qr/Inform refused: none of the versions/),
        'VER-04 the log says why';
};


subtest 'VER-08 the namespaces cwmp-1-3 and cwmp-1-4' => sub {
    for my $v (3, 4) {
        my $d = device(ns => ns($v));
        $d->give_reads('a');
        is $d->inform->ns, ns($v), "VER-08 cwmp-1-$v is mirrored";
        is $d->post(request('q', 'GetRPCMethods', '', ns => ns($v)))->ns,
            ns($v), 'VER-08 in a response';
        is $d->post(request('q', 'Bogus', '', ns => ns($v)))->ns, ns($v),
            'VER-08 in a fault';
        my $r = $d->empty;
        is $r->ns, ns($v), 'VER-08 in a request';
        is $d->post(gpv_response($r->id, ['Device.a', 'string', 'x'],
                                 ns => ns($v)))->status, 204,
            'VER-08 and its response is taken';
    }
};


# --- SessionTimeout --------------------------------------------------------

subtest 'VER-05 SessionTimeout' => sub {
    my $d = device(url => $t->url(0, '/brief'), timeout => 3);
    $d->give_reads('a');
    is $d->inform->method, 'InformResponse', 'VER-05 an Inform';
    cmp_ok $d->lease, '>', 2000, 'VER-05 has what it asks for';
    sleep(1.7);             # beyond the time-out that is configured
    is $d->empty->method, 'GetParameterValues', 'VER-05 the session lives';
    cmp_ok $d->lease, '>', 2000, 'VER-05 still';

    $d = device(timeout => 120);
    $d->inform;
    cmp_ok $d->lease, '>', 115_000, 'VER-05 120 s';
    for my $timeout (4_000_000, 2_000_000_000, 4_294_967_295, '9' x 30) {
        $d = device(timeout => $timeout);
        $d->inform;
        my $lease = $d->lease;
        ok $lease > 3_590_000 && $lease <= 3_600_000,
            "VER-05 an hour at most, of $timeout s" or diag $lease;
    }
};


subtest 'VER-06 without it' => sub {
    for my $timeout (undef, 0, 5) {
        my $d = device(timeout => $timeout);
        $d->inform;
        my $lease = $d->lease;
        ok $lease > 28_000 && $lease <= 30_000,
            'VER-06 30 s, SessionTimeout ' . ($timeout // 'absent');
    }
};


# --- what a device is too old for ------------------------------------------

my %LATER = (
    ScheduleDownload => ['1.2', 1, {
        FileType => '1 Firmware Upgrade Image', URL => 'http://fs.example/x',
        TimeWindowList => [{ WindowStart => 1, WindowEnd => 60,
                             WindowMode => '1 At Any Time' }] }],
    CancelTransfer => ['1.2', 1, { CommandKey => 'k' }],
    ChangeDUState => ['1.2', 1, { Operations => [{ Operation => 'Uninstall',
        UUID => '2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87' }] }],
    GetAllQueuedTransfers => ['1.1', 0, {}],
);

# Is this task sent to the device, or rejected, and why?
sub said {
    my ($d, $task) = @_;
    $d->give({ %$task, id => 'new' . ++$n });
    my $r = $d->begin;
    if ($r->status == 200) {
        $d->refuse($r, 9001);
        return $r->method;
    }
    my $fault = $d->result("new$n")->{fault};
    return "$fault->{field}: $fault->{reason}";
}


# This device lists these methods.
sub lists {
    my ($d, @methods) = @_;
    $d->give({ method => 'GetRPCMethods', id => 'm' . ++$n });
    $d->post(rpc_methods_response($d->begin->id, @methods));
    return $d;
}


subtest 'VER-07 RPCs that came later' => sub {
    for my $method (sort keys %LATER) {
        my ($since, $old, $args) = @{ $LATER{$method} };
        my $task = { %$args, method => $method };
        is said(device(ns => ns($old)), $task),
            "method: needs CWMP $since, the device speaks 1.$old",
            "VER-07 $method is rejected for CWMP 1.$old";
        is said(device(ns => ns($old + 1)), $task), $method,
            'VER-07 and sent to the next one';
        is said(lists(device(ns => ns($old)), 'Reboot', $method), $task),
            $method, 'VER-07 to an old one as well that lists it';
        like said(lists(device(ns => ns($old)), 'Reboot', "${method}X",
                        "X_$method"), $task),
            qr/^method: needs/, 'VER-07 but not to one that lists others';
    }
};


subtest 'VER-07 what a device lists' => sub {
    my $task = { %{ $LATER{ChangeDUState}[2] }, method => 'ChangeDUState' };
    my $d = lists(device(ns => ns(0)), 'Reboot', 'ChangeDUState');
    is fact($d, 'methods'), 'Reboot,ChangeDUState', 'VER-07 is kept';
    is said($d, $task), 'ChangeDUState', '(and used)';
    $d->{params} = [['Device.DeviceInfo.SoftwareVersion', 'string', '5']];
    like said($d, $task), qr/needs CWMP 1.2/,
        'VER-07 until it has another SoftwareVersion';
    is fact($d, 'methods'), undef, 'VER-07 then it is forgotten';

    lists($d, 'ChangeDUState');
    $d->give({ method => 'GetRPCMethods', id => 'fails' });
    $d->refuse($d->begin, 9002);
    is fact($d, 'methods'), 'ChangeDUState', 'VER-07 a fault changes nothing';
    lists($d, 'a,ChangeDUState', 'n' x 65, '', "b\tc",
          map { "X_$_" } 1 .. 300);
    is fact($d, 'methods'), join(',', map { "X_$_" } 1 .. 100),
        'VER-07 no more than a hundred, and only what may be one';
};


subtest 'VER-07 lightweight notifications' => sub {
    my $row = sub { return { method => 'SetParameterAttributes',
        ParameterList => [map { { Name => "Device.$_", Notification => $_ } }
                          @_] } };

    for my $old ({ ns => ns(0) }, { ns => ns(2) }, { timeout => 60 },
                 { versions => '1.3' }) {
        my $d = lists(device(%$old), 'SetParameterAttributes');
        my $version = fact($d, 'cwmp');
        is said($d, $row->(0, 1, 2)), 'SetParameterAttributes',
            "VER-07 0 to 2 are sent to CWMP $version";
        is said($d, $row->(2, $_)), 'ParameterList[1].Notification: '
            . "needs CWMP 1.4, the device speaks $version",
            "VER-07 $_ is rejected" for 3 .. 6;
    }
    is said(device(versions => '1.4'), $row->(0 .. 6)),
        'SetParameterAttributes', 'VER-07 all are sent to CWMP 1.4';
};


# --- headers ---------------------------------------------------------------

my $MUST = '<x:Extra xmlns:x="urn:x" %s="%s">y</x:Extra>';

subtest 'SOAP-09 an unknown header that must be understood' => sub {
    for my $attribute (['soap-env:mustUnderstand', 1],
                       ['soap-env:mustUnderstand', 'true'],
                       ['soap-env:mustUnderstand', ' 1 '],
                       ['S:mustUnderstand', 1]) {
        my ($name, $value) = @$attribute;
        my $extra = sprintf($MUST, $name eq 'S:mustUnderstand'
            ? qq(xmlns:S="$SOAP" $name) : $name, $value);
        my $d = device();
        my $r = informed($d, header => $extra);
        is $r->status, 200, "SOAP-09 $name=$value: HTTP 200";
        my $fault = $r->node;
        is $fault->{local}, 'Fault', 'SOAP-09 a fault';
        is $fault->{ns}, $SOAP, "SOAP-09 SOAP's own";
        is $fault->child('faultcode')->value, 'soap-env:MustUnderstand',
            'SOAP-09 its code';
        like $fault->child('faultstring')->value, qr/: Extra$/,
            'SOAP-09 which header';
        is $fault->child('detail'), undef, 'SOAP-09 without a detail';
        is $r->id, 'i-1', "SOAP-09 with the request's ID";
        ok !$d->has('session'), 'SOAP-09 and no session';
    }
};


subtest 'SOAP-09 one that may be ignored' => sub {
    my @harmless = (sprintf($MUST, 'soap-env:mustUnderstand', 0),
        sprintf($MUST, 'soap-env:mustUnderstand', 'false'),
        sprintf($MUST, 'soap-env:encodingStyle', 'a'),
        sprintf($MUST, 'soap-env:actor="urn:other" soap-env:mustUnderstand', 1),
        '<soap-env:deep soap-env:mustUnderstand="0"><x '
        . 'soap-env:mustUnderstand="1"/></soap-env:deep>');

    for my $header (@harmless) {
        is informed(device(), header => $header)->method, 'InformResponse',
            "SOAP-09 $header";
    }
};


subtest 'SOAP-09 inside a session' => sub {
    my $d = device();
    my $must = sprintf($MUST, 'soap-env:mustUnderstand', 1);
    $d->give_reads('a');
    $d->inform;
    my $r = $d->post(transfer_complete(key => 'k', header => $must));
    like $r->body, qr/MustUnderstand</, 'SOAP-09 a request is refused';
    unlike $r->body, qr/TransferCompleteResponse/, 'SOAP-09 not served';
    $r = $d->empty;
    is $r->method, 'GetParameterValues', 'SOAP-09 the session goes on';
    $r = $d->post(gpv_response($r->id, ['Device.a', 'string', 'x'],
                               header => $must));
    is $r->status, 204, 'SOAP-09 a response can get no fault: it is taken';
    ok $t->wait_log(qr/header "Extra" must be understood and is not: ignored/),
        'SOAP-09 and logged';
};


subtest 'SES-22 SES-23 headers of other days and directions' => sub {
    my $d = device();
    my $no_more = '<cwmp:NoMoreRequests soap-env:mustUnderstand="%d">1'
                  . '</cwmp:NoMoreRequests>';
    $d->give_reads('a', 'b');
    my @got = informed($d, header => sprintf($no_more, 0));
    push @got, $d->post(transfer_complete(key => 'k',
                                          header => sprintf($no_more, 1)));
    is $got[-1]->method, 'TransferCompleteResponse',
        'SES-23 NoMoreRequests does not end the session';
    push @got, $d->empty;
    push @got, $d->post(gpv_response($got[-1]->id, ['Device.a', 'string', 1],
                                     header => sprintf($no_more, 0)));
    is $got[-1]->method, 'GetParameterValues', 'SES-23 nor a later one';
    push @got, $d->post(request('q', 'GetRPCMethods', '',
                                header => sprintf($no_more, 0)));
    is $got[-1]->method, 'GetRPCMethodsResponse',
        'SES-23 and requests that follow it are served';
    is scalar(grep { /HoldRequests|NoMoreRequests/ } map { $_->body } @got), 0,
        'SES-22 the ACS sends neither HoldRequests nor NoMoreRequests';

    for my $name ('HoldRequests', 'HoldRequest', 'UseCWMPVersion') {
        my $r = informed(device(), header =>
            qq(<cwmp:$name soap-env:mustUnderstand="1">1</cwmp:$name>));
        is $r->method, 'InformResponse', "SES-22 $name of a CPE is ignored";
        ok $t->wait_log(qr/header $name is for an ACS to send: ignored/),
            'SES-22 and logged';
    }
};

done_testing;
