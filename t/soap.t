#!/usr/bin/perl

# The envelopes that the ACS emits, in each of CWMP's three namespaces, taken
# from the wire: every RPC (asked for by real tasks), every response and every
# fault.  What is proven of all of them: prolog, namespaces, IDs, arrays,
# escaping, and, where the schema is at hand, that they validate.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use Test::More;

use CWMP::Daemon ();
use CWMP::Raw ':build';
use CWMP::Redis;
use CWMP::Script ();
use CWMP::Test qw(slurp);

binmode(Test::More->builder->$_, ':utf8')
    for qw(output failure_output todo_output);

my $SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
my $XSD = "$FindBin::Bin/../../shared/cwmp/xsd/driver.xsd";
my @VERSIONS = (0 .. 2);
my $UUID = '2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87';

my $t = CWMP::Test->new;
my $redis = $t->redis;
my %taken;              # version => [CWMP::RawResponse, ...] with a body
my %complaints;


sub ns { return "urn:dslforum-org:cwmp-1-$_[0]" }


# --- taking every message from the wire ------------------------------------

# the first one tells that the CPE knows the RPCs that came later, too
my @TASKS = (
    { method => 'GetRPCMethods' },
    { method => 'GetParameterValues', ParameterNames => ['Device.Time.',
      'Device.DeviceInfo.UpTime', 'Device.ManagementServer.URL'] },
    { method => 'GetParameterValues', ParameterNames => [''] },
    { method => 'SetParameterValues', ParameterList => {
        'Device.WiFi.SSID.1.SSID' => { value => 'x & y', type => 'xsd:string' },
        'Device.Time.Enable' => { value => JSON::PP::false, type => 'xsd:boolean' },
        'Device.WiFi.Radio.1.Channel' => { value => 11,
                                           type => 'xsd:unsignedInt' },
    } },
    { method => 'SetParameterValues', ParameterKey => 'key-1',
      ParameterList => { 'Device.ManagementServer.PeriodicInformInterval'
                         => 3600 } },
    { method => 'GetParameterNames', ParameterPath => 'Device.NAT.',
      NextLevel => JSON::PP::true },
    { method => 'GetParameterNames' },
    { method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.',
      values => { ExternalPort => 8080, Description => 'a < b' } },
    { method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.',
      ParameterKey => 'key-2' },
    { method => 'DeleteObject', ObjectName => 'Device.NAT.PortMapping.1.' },
    { method => 'Download', FileType => '1 Firmware Upgrade Image',
      URL => 'https://fs.example/fw/5.1.bin?a=1&b=2', Username => 'u',
      Password => 'p"<', FileSize => 8388608, TargetFileName => 'fw.bin',
      DelaySeconds => 5, SuccessURL => 'http://a/?x&y', FailureURL => 'http://b' },
    { method => 'Download', FileType => '3 Vendor Configuration File',
      URL => 'https://fs.example/c' },
    { method => 'Upload', FileType => '3 Vendor Configuration File 1',
      URL => 'https://fs.example/up?a&b', DelaySeconds => 5 },
    { method => 'ScheduleDownload', FileType => '3 Vendor Configuration File',
      URL => 'https://fs.example/c', id => 'later', TimeWindowList => [
        { WindowStart => 0, WindowEnd => 3600, WindowMode => '3 When Idle' },
        { WindowStart => 3600, WindowEnd => 7200, MaxRetries => -1,
          WindowMode => '4 Confirmation Needed', UserMessage => 'a < b' }] },
    { method => 'GetQueuedTransfers' },
    { method => 'GetAllQueuedTransfers' },
    { method => 'CancelTransfer', CommandKey => 'later' },
    { method => 'ScheduleInform', DelaySeconds => 300 },
    { method => 'SetParameterAttributes', ParameterList => [
        { Name => 'Device.DeviceInfo.ProvisioningCode', Notification => 2 },
        { Name => 'Device.Time.', AccessList => ['Subscriber'] },
        { Name => 'Device.Time.Enable', Notification => 0,
          AccessList => [] }] },
    { method => 'GetParameterAttributes', ParameterNames => ['Device.Time.'] },
    (map { { method => 'Download', FileType => $_, URL => 'http://h/f' } }
        '2 Web Content', '4 Tone File', '5 Ringer File',
        '6 Stored Firmware Image', 'X 00D09E Skin', 'X acme.example <a> & b'),
    (map { { method => 'Upload', FileType => $_, URL => 'http://h/f' } }
        '1 Vendor Configuration File', '2 Vendor Log File',
        '4 Vendor Log File 12', 'X ACME Dump'),
    { method => 'SetVouchers',
      VoucherList => ['PHg+', 'AAEC', 'AB==', 'AAB='] },
    { method => 'GetOptions' },
    { method => 'ChangeDUState', Operations => [
        { Operation => 'Install', URL => 'https://fs.example/a?b&c',
          UUID => $UUID, Username => 'u', Password => '<', ExecutionEnvRef =>
          'Device.SoftwareModules.ExecEnv.1' },
        { Operation => 'Install', URL => 'https://fs.example/b' },
        { Operation => 'Update' }, { Operation => 'Update', UUID => $UUID,
          Version => '1', URL => 'https://fs.example/c', Username => 'u' },
        { Operation => 'Uninstall', UUID => $UUID, Version => '2' }] },
    { method => 'Reboot', CommandKey => 'boot-1' },
);

# "$method $field" of what no message of the schema can say
my %UNSAYABLE = (
    'Download FileType' => { FileType => 'foo', URL => 'http://h/f' },
    'Upload FileType' => { FileType => '1 Firmware Upgrade Image',
        URL => 'http://h/f' },
    'ScheduleDownload FileType' => { FileType => 'foo', URL => 'http://h/f',
        TimeWindowList => [{ WindowStart => 1, WindowEnd => 2,
                             WindowMode => '3 When Idle' }] },
    'ScheduleDownload TimeWindowList[0].WindowMode' => { FileType =>
        '2 Web Content', URL => 'http://h/f', TimeWindowList => [
            { WindowStart => 1, WindowEnd => 2, WindowMode => 'nope' }] },
    'SetParameterAttributes ParameterList[0].AccessList[1]' => { ParameterList
        => [{ Name => 'A', AccessList => ['Subscriber', ''] }] },
    'SetParameterAttributes ParameterList[0].Notification' => { ParameterList
        => [{ Name => 'A', Notification => 7 }] },
    'ChangeDUState Operations[0].URL' => { Operations => [
        { Operation => 'Install', URL => 'http://h:8x/%' }] },
    'ChangeDUState Operations[0].UUID' => { Operations => [
        { Operation => 'Update', UUID => '1' }] },
    'SetVouchers VoucherList[0]' => { VoucherList => ['A==='] },
    'AddObject ObjectName' => { ObjectName => 'Device.A' },
);

# requests of a CPE that are answered whatever they say
my @SERVED = qw(AutonomousTransferComplete RequestDownload Kicked
                DUStateChangeComplete AutonomousDUStateChangeComplete);


# A CPE that behaves is given all of it; a scripted one asks and errs.
sub take_all {
    my ($v) = @_;
    my $cpe = $t->cpe(ns => ns($v), serial => "V$v", after_post => sub {
        push @{ $taken{$v} }, $_[2] if length $_[2]->body;
    });

    my $n = 0;
    $redis->push_task($cpe->id, map { { id => "t" . ++$n, %$_ } } @TASKS);
    my @trace = $cpe->run_session('0 BOOTSTRAP', '1 BOOT');
    $redis->push_task($cpe->id, { method => 'FactoryReset', id => 'reset' });
    push @trace, $cpe->run_session;

    my @bad = map { $_->{error} // () } @trace;
    push @bad, map { "task $_->{id} $_->{method}: $_->{status}" }
               grep { $_->{status} ne ($_->{id} eq 'later' ? 'cancelled'
                                                           : 'done') }
               $redis->results($cpe->id);
    is_deeply \@bad, [], "cwmp-1-$v: every task went to the CPE and was done";
    $complaints{$v} = [@{ $cpe->complaints }];

    my $raw = $t->raw;
    push @{ $taken{$v} },
        $raw->post(inform(serial => "R$v", ns => ns($v))),
        $raw->post(request('q-1', 'GetRPCMethods', '', ns => ns($v))),
        $raw->post(transfer_complete(key => 'k', ns => ns($v))),
        map({ $raw->post(request("q-$_", $_, '', ns => ns($v))) } @SERVED),
        $raw->post(request('q-2', 'Bogus', '', ns => ns($v))),
        $t->raw->post(inform(serial => '', ns => ns($v)));
}

take_all($_) for @VERSIONS;


# One test line of something that must hold for every message of a version:
# the check returns what is wrong, or nothing.
sub each_message {
    my ($name, $check) = @_;
    for my $v (@VERSIONS) {
        my @bad = map {
            my $r = $_;
            map { $r->method . ": $_" } $check->($r, $v);
        } @{ $taken{$v} };
        is_deeply \@bad, [], "$name (cwmp-1-$v)";
    }
}


sub is_fault { return $_[0]->method eq 'Fault' }


sub is_rpc { return !is_fault($_[0]) && $_[0]->method !~ /Response$/ }


# The elements below the method (a fault's: below cwmp:Fault).
sub inner {
    my ($r) = @_;
    my $top = is_fault($r) ? $r->node->at('detail', 'Fault') : $r->node;
    my @all = my @kids = $top->kids;
    while (my $node = shift @kids) {
        push @kids, $node->kids;
        push @all, $node->kids;
    }
    return @all;
}


# --- all messages ----------------------------------------------------------

for my $v (@VERSIONS) {
    is_deeply [do { my %is; grep { !$is{$_}++ } sort map { $_->method
        . ($_->fault_code // '') } @{ $taken{$v} } }],
        [sort(qw(InformResponse TransferCompleteResponse GetRPCMethodsResponse
     Fault8000 Fault8003 GetRPCMethods GetParameterValues SetParameterValues
     GetParameterNames AddObject DeleteObject Reboot FactoryReset Download
     Upload ScheduleDownload GetQueuedTransfers GetAllQueuedTransfers
     CancelTransfer ScheduleInform SetParameterAttributes SetVouchers
     GetParameterAttributes GetOptions ChangeDUState),
        map { "${_}Response" } @SERVED)],
        "SOAP-05 every kind of message was taken (cwmp-1-$v)";
}

is_deeply $complaints{$_}, [],
    "SOAP-05 a strict CPE finds order and form right (cwmp-1-$_)"
    for @VERSIONS;

each_message('VER-01 the namespace of the Inform', sub {
    my ($r, $v) = @_;
    my $body = $r->body;
    return ($r->ns eq ns($v) ? () : $r->ns,
            grep { $_ ne ns($v) } $body =~ /(urn:dslforum-org:[^"]*)/g);
});

each_message('SOAP-15 begins with the prolog, UTF-8', sub {
    my ($r) = @_;
    return $r->body =~ /\A<\?xml version="1\.0" encoding="UTF-8"\?>\s*<[^?]/
        ? () : substr($r->body, 0, 60);
});

each_message('SOAP-04 method qualified, children not', sub {
    my ($r, $v) = @_;
    my $method = $r->node;
    return ((is_fault($r) ? $method->{ns} eq $SOAP : $method->{ns} eq ns($v))
                ? () : "method in '$method->{ns}'",
            map { "$_->{name} is qualified" }
            grep { $_->{ns} ne '' || $_->{name} =~ /:/ } inner($r));
});

each_message('SOAP-06 arrayType counts the children', sub {
    my ($r) = @_;
    return map {
        my $type = $_->attribute('arrayType') // return "$_->{name}: no type";
        my ($kid) = map { $_->{local} } $_->kids, { local => 'string' };
        my %prefix = (string => 'xsd', base64 => 'soap-enc');
        my $want = ($prefix{$kid} // 'cwmp') . ":${kid}[" . $_->kids . ']';
        $type eq $want ? () : "$type, not $want";
    } grep { $_->{local} =~ /(?:List|Names)$/ } inner($r);
});

each_message('SOAP-03 an RPC has an ID that must be understood', sub {
    my ($r) = @_;
    return unless is_rpc($r);
    my $id = $r->header_node('ID') or return 'none';
    return (length $id->{text} && length $id->{text} <= 32 ? () : $id->{text},
            ($id->{attr}{'soap-env:mustUnderstand'} // '') eq '1' ? ()
                : 'mustUnderstand', $r->envelope->child('Header')->kids == 1
                ? () : 'more in its header');
});

for my $v (@VERSIONS) {
    my %count;
    $count{ $_->id }++ for grep { is_rpc($_) } @{ $taken{$v} };
    is scalar(keys %count), scalar(grep { is_rpc($_) } @{ $taken{$v} }),
        "SOAP-03 no ID is used twice (cwmp-1-$v)";
}

each_message('SES-02 one envelope in a response', sub {
    my ($r) = @_;
    my $n = () = $r->body =~ /<(?:[\w-]+:)?Envelope[\s>]/g;
    my $kids = $r->envelope->child('Body')->kids;
    return $n == 1 && $kids == 1 ? () : "$n, with $kids messages";
});

each_message('SES-02 MaxEnvelopes is 1', sub {
    my ($r) = @_;
    return $r->method ne 'InformResponse' || $r->arg('MaxEnvelopes') eq '1'
        ? () : $r->arg('MaxEnvelopes');
});


# --- the schema ------------------------------------------------------------

# It speaks of cwmp-1-2; what we emit has the same form in all three, so the
# others are validated with the URI replaced, after VER-01 has seen to that.
sub validate {
    my ($dir, %text) = @_;
    mkdir($dir) or die "$dir: $!\n";

    for my $name (keys %text) {
        open(my $fh, '>:raw', "$dir/$name.xml") or die "$dir/$name: $!\n";
        (my $bytes = $text{$name}) =~ s/(urn:dslforum-org:cwmp-1-)[01]/${1}2/g;
        print $fh $bytes;
        close($fh);
    }

    my @files = map { "$dir/$_.xml" } sort keys %text;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        exec('xmllint', '--nonet', '--noout', '--schema', $XSD, @files)
            or die "xmllint: $!\n";
    }
    my @said = map { s{\Q$dir/\E}{}r } readline($out);
    close($out);
    chomp(@said);
    my %valid = map { /^(.*)\.xml validates$/ ? ($1 => 1) : () } @said;
    return (\%valid, [grep { !/validates$/ } @said]);
}


subtest 'schema' => sub {
    plan skip_all => '../shared is absent' unless -f $XSD;
    my %text;

    for my $v (@VERSIONS) {
        my $n = 0;
        $text{"1-$v-" . ++$n . '-' . $_->method} = $_->body
            for @{ $taken{$v} };
    }
    my ($valid, $said) = validate($t->dir . '/xsd', %text);
    is_deeply $said, [], 'SOAP-05 xmllint has nothing to object to';
    is_deeply [sort keys %$valid], [sort keys %text],
        'SOAP-05 ' . keys(%text) . ' messages validate against cwmp-1-2.xsd';

    # the schema does see what is wrong
    my ($reboot) = grep { /-Reboot$/ } sort keys %text;
    my ($add) = grep { /-AddObject$/ } sort keys %text;
    my ($set) = grep { /-SetParameterValues$/ } sort keys %text;
    ($valid, $said) = validate($t->dir . '/bad',
        extra => $text{$reboot} =~ s{</CommandKey>}{</CommandKey><X/>}r,
        long => $text{$reboot} =~ s{<CommandKey>}{<CommandKey>@{['k' x 33]}}r,
        order => $text{$add} =~ s{(<ObjectName>.*)(<ParameterKey>.*</ParameterKey>)}{$2$1}r,
        qualified => $text{$add} =~ s{(</?)(ParameterKey>)}{$1cwmp:$2}gr,
        untyped => $text{$set} =~ s{ soap-enc:arrayType="[^"]*"}{}r);
    is_deeply $valid, {}, 'SOAP-05 and the schema refuses wrong ones';
};


subtest 'what no valid message says' => sub {
    my $d = CWMP::Script->new($t, 'UNSAYABLE');
    for my $case (sort keys %UNSAYABLE) {
        my ($method, $field) = split / /, $case;
        $d->give({ %{ $UNSAYABLE{$case} }, method => $method, id => $method });
        is $d->begin->status, 204, "SOAP-05 $case: is not sent";
        my $result = ($d->results)[-1];
        is "$result->{status} $result->{fault}{field}", "rejected $field",
            'SOAP-05 ... but rejected';
    }
};


# --- IDs -------------------------------------------------------------------

# What is between the tags of cwmp:ID, as bytes.
sub raw_id {
    my ($r) = @_;
    return $r->body =~ m{<cwmp:ID[^>]*>(.*?)</cwmp:ID>}s ? $1 : undef;
}


subtest 'IDs' => sub {
    my @ids = ('0', '1234567890abcdefABCDEF-_./:12345', '&amp;',
               'a&amp;b&lt;c&gt;', ' a  b ', 'dé€',
               '&amp;amp;', 'x' x 64);
    my $n = 0;

    for my $id (@ids) {
        my $text = Encode::encode_utf8($id);
        my $with = sub { $_[0] =~ s{(<cwmp:ID[^>]*>)[^<]*}{$1$text}r };
        my $raw = $t->raw;

        my $r = $raw->post($with->(inform(serial => 'ID' . ++$n)));
        is raw_id($r), $text, "SOAP-01 '$id' comes back with InformResponse";
        $r = $raw->post($with->(request('x', 'GetRPCMethods')));
        is raw_id($r), $text, "SOAP-01 '$id' with a response";
        $r = $raw->post($with->(request('x', 'Bogus')));
        is raw_id($r), $text, "SOAP-01 '$id' with a fault";
        is $r->method, 'Fault', "SOAP-01 '$id' it is one";
        $r = $t->raw->post($with->(inform(serial => '')));
        is raw_id($r), $text, "SOAP-01 '$id' with a fault to an Inform";
    }

    my $r = $t->raw->post(inform(serial => 'ID', id => q(it's "x")));
    is $r->id, q(it's "x"), 'SOAP-01 quotes come back as the same characters';
    $r = $t->raw->post(inform(serial => 'ID') =~ s{(<cwmp:ID[^>]*>)[^<]*}
                                                  {$1<![CDATA[a&b]]>}r);
    is $r->id, 'a&b', 'SOAP-01 one that came as CDATA';
};


subtest 'no ID' => sub {
    for my $case (['no header', sub { $_[0] =~ s{<soap-env:Header>.*</soap-env:Header>}{}r }],
                  ['header without ID', sub { $_[0] =~ s{<cwmp:ID.*</cwmp:ID>}{}r }],
                  ['empty ID', sub { $_[0] =~ s{(<cwmp:ID[^>]*>)[^<]*}{$1}r }],
                  ['ID without an end tag', sub { $_[0] =~ s{(<cwmp:ID[^>]*)>.*?</cwmp:ID>}{$1/>}r }],
                  ['blank ID', sub { $_[0] =~ s{(<cwmp:ID[^>]*>)[^<]*}{$1 \n }r }])
    {
        my ($what, $strip) = @$case;
        my $raw = $t->raw;
        my $r = $raw->post($strip->(inform(serial => 'NoID')));
        is $r->method, 'InformResponse', "SOAP-02 $what: accepted";
        is $r->id // '', '', "SOAP-02 $what: none is made up";
        $r = $raw->post($strip->(request('x', 'GetRPCMethods')));
        is $r->method, 'GetRPCMethodsResponse', "SOAP-02 $what: a request";

        $redis->push_task('00D09E-Box-NoID', { method => 'GetParameterNames',
            id => 'n1' });
        $r = $raw->empty;
        isnt $r->id // '', '', "SOAP-03 $what: our RPC has one anyway";
        is $raw->post($strip->(gpn_response('x', ['Device.', 0])))->status,
            204, "SOAP-02 $what: a response";
        is $redis->result('00D09E-Box-NoID', 'n1')->{status}, 'done',
            "SOAP-02 $what: is taken";
        $redis->cmd('DEL', $redis->device_key('00D09E-Box-NoID', 'results'));
    }
};


# --- unknown methods -------------------------------------------------------

subtest 'unknown methods' => sub {
    my $raw = $t->raw;
    $raw->post(inform(serial => 'Odd'));
    $redis->push_task('00D09E-Box-Odd', { method => 'GetParameterValues',
        id => 'g', ParameterNames => ['Device.Time.'] });

    for my $method (qw(Bogus X_00D09E_Dance Download Response inform)) {
        my $r = $raw->post(request("b-$method", $method,
                                   '<A><B>c</B></A><A/>'));
        is $r->fault_code, 8000, "SOAP-08 $method is answered with 8000";
        is $r->fault->{faultcode}, 'Server', "SOAP-08 $method: as Server";
        is $r->header('Set-Cookie'), undef, "SOAP-08 $method: no new session";
    }

    my $r = $raw->empty;
    is_deeply [$r->names], ['Device.Time.'], 'SOAP-08 the session goes on';
    is $raw->post(request('b', 'Bogus'))->fault_code, 8000,
        'SOAP-08 also while our RPC is outstanding';
    is $raw->post(gpv_response($r->id, ['Device.Time.Enable', 'boolean', 1]))
        ->status, 204, 'SOAP-08 which completes then';
    is $redis->result('00D09E-Box-Odd', 'g')->{status}, 'done',
        'SOAP-08 with its result';
    is $raw->post(request('b', 'Bogus2'))->fault_code, 8000,
        'SOAP-08 also after 204';
};


# --- text of tasks ---------------------------------------------------------

my $AWKWARD = qq(a&<b>"é'; ]]> &amp; <!-- %s \\ \x{20ac}\x{1F600}\ttab\n)
              . "line\r\nend ";

subtest 'escaping' => sub {
    my $cpe = $t->cpe(serial => 'Esc', class => 'A&B<"é">');
    my (@bytes, %got);
    $cpe->{after_post} = sub {
        my $r = $_[2];
        push @bytes, $r->body;
        $got{ $r->method } = $r if length $r->body;
    };

    $redis->push_task($cpe->id,
        { method => 'SetParameterValues', id => 'e1', ParameterKey => 'k&<>"é',
          ParameterList => { 'Device.WiFi.SSID.1.SSID' =>
              { value => $AWKWARD, type => 'xsd:string' } } },
        { method => 'GetParameterValues', id => 'e2',
          ParameterNames => ['Device.<a>&"é.'] },
        { method => 'Download', id => 'e3', CommandKey => '<&">é',
          FileType => 'X <A> &', URL => 'http://fs/?a=1&b=<2>' },
        { method => 'Reboot', id => 'e4', CommandKey => 'é' x 32 });
    $cpe->run_session('2 PERIODIC');

    is $cpe->value('Device.WiFi.SSID.1.SSID'), $AWKWARD,
        'SOAP-13 a value arrives as it was given';
    my ($spv) = grep { /<cwmp:SetParameterValues>/ } @bytes;
    like $spv, qr/a&amp;&lt;b&gt;&quot;\xc3\xa9/,
        'SOAP-13 a&<b>"é is a&amp;&lt;b&gt;&quot;é on the wire, in UTF-8';
    like $spv, qr/&#(?:13|xD|x0D);/i, 'SOAP-13 a carriage return is kept';
    my $arg = sub { $got{$_[0]} && $got{$_[0]}->arg($_[1]) };
    is $arg->('SetParameterValues', 'ParameterKey'), 'k&<>"é',
        'SOAP-13 ParameterKey';
    is $arg->('Reboot', 'CommandKey'), 'é' x 32,
        'SOAP-13 CommandKey of 32 characters that are no ASCII';
    is $arg->('Download', 'CommandKey'), '<&">é', 'SOAP-13 CommandKey';
    is $arg->('Download', 'FileType'), 'X <A> &', 'SOAP-13 FileType';
    is $arg->('Download', 'URL'), 'http://fs/?a=1&b=<2>', 'SOAP-13 URL';
    my $name = $got{GetParameterValues};
    is_deeply [$name ? $name->names : $redis->result($cpe->id, 'e2')->{status}],
        [$name ? 'Device.<a>&"é.' : 'rejected'],
        'SOAP-13 a name that is none is escaped, or refused';

    is_deeply $cpe->complaints, [], 'SOAP-13 all of it is well-formed';
};


# Tasks as JSON with what XML cannot carry; %s is put into a value.
my %ILLEGAL = ('0x01' => '\u0001', NUL => '\u0000', '0x1f' => '\u001f',
               'U+FFFE' => '\ufffe', 'U+FFFF' => '\uffff',
               'a lone surrogate' => '\ud800', 'backspace' => '\b',
               'bytes that are no UTF-8' => "\xff\xfe",
               'a raw 0x02' => "\x02", 'overlong UTF-8' => "\xc0\xaf");

# not characters of XML 1.0
my $FORBIDDEN = qr/[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]
                   |\xed[\xa0-\xbf]/x;

subtest 'control characters' => sub {
    my $n = 0;
    for my $what (sort keys %ILLEGAL) {
        my $raw = $t->raw;
        my $sn = 'Ctl' . ++$n;
        my $id = "00D09E-Box-$sn";
        my $text = "a$ILLEGAL{$what}b";

        $redis->push_task($id, '{"method":"SetParameterValues","id":"c1",'
            . '"ParameterList":{"Device.A":{"type":"xsd:string","value":"'
            . $text . '"}}}', '{"method":"Reboot","id":"c2","CommandKey":"'
            . $text . '"}', '{"method":"GetParameterValues","id":"c3",'
            . '"ParameterNames":["Device.' . $text . '."]}',
            { method => 'GetRPCMethods', id => 'c4' });

        $raw->post(inform(serial => $sn));
        my ($r, @bad, @sent) = $raw->empty;
        for (1 .. 4) {
            last if $r->status != 200;
            push @sent, $r->method;
            push @bad, $r->method if $r->body =~ $FORBIDDEN
                || !defined eval { Encode::decode('UTF-8', my $copy = $r->body,
                                                  Encode::FB_CROAK) };
            last if $r->method eq 'GetRPCMethods';
            $r = $raw->post($r->method eq 'GetParameterValues'
                ? gpv_response($r->id)
                : response($r->id, $r->method, $r->method eq 'Reboot' ? ''
                                               : '<Status>0</Status>'));
        }
        is_deeply \@bad, [], "SOAP-14 $what is never emitted";
        is $sent[-1], 'GetRPCMethods', "SOAP-14 $what: the next task goes on";

        # one that is no JSON at all has no id, but tells how it began
        my ($said) = grep { $_->{raw}{response} =~ /Device\.A/
                            || $_->{id} eq 'c1' } $redis->results($id);
        is $said->{status}, 'rejected', "SOAP-14 $what: its task is refused";
        like $said->{fault}{reason} // '', qr/\w{3}/,
            "SOAP-14 $what: with a reason";
    }
};

done_testing;
