#!/usr/bin/perl

# Each RPC from the task in Redis to the bytes on the wire and back to the
# result: argument order, types, names, what the CPE's answer becomes, and what
# is remembered of the device.  What an event ends (Reboot, FactoryReset,
# Download) is in t/transfer.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $n = 0;

sub device { return CWMP::Script->new($t, 'R' . ++$n, @_) }
sub gpv { return { method => 'GetParameterValues', id => shift,
                   ParameterNames => [@_] } }
sub spv { my ($id, $list, %more) = @_;
          return { method => 'SetParameterValues', id => $id,
                   ParameterList => $list, %more } }
sub children { return join(' ', map { $_->{local} } $_[0]->node->kids) }


# Reads these parameters, so that the ACS knows them.
sub known {
    my ($d, @params) = @_;
    $d->give(gpv('known-' . ++$d->{reads}, map { $_->[0] } @params));
    my $r = $d->begin;
    is $d->post(gpv_response($r->id, @params))->status, 204, '(types are known)';
}


# name => [type, value] of an SPV on the wire.
sub set_of { return { map { ($_->[0] => [@$_[1, 2]]) } $_[0]->params } }


# --- the ACS as a server ---------------------------------------------------

subtest 'RPC-01 GetRPCMethodsResponse lists what is served' => sub {
    my $d = device();
    $d->inform;
    my $r = $d->post(request('q', 'GetRPCMethods'));
    my %listed = map { ($_ => 1) } $r->names;
    ok $listed{$_}, "RPC-01 $_" for qw(Inform GetRPCMethods TransferComplete);
    for my $method (grep { $_ ne 'Inform' } sort keys %listed) {
        is $d->post(request('q', $method))->method, "${method}Response",
            "$method is served";
    }
};


subtest 'FLT-01 the shape of our faults' => sub {
    my $d = device();
    $d->inform;
    my $r = $d->post(request('id-1', 'X_00D09E_Dance', '<A>1</A>'));
    is $r->status, 200, 'FLT-01 HTTP 200';
    is $r->id, 'id-1', 'the ID';

    my $fault = $r->node;
    is $fault->{ns}, 'http://schemas.xmlsoap.org/soap/envelope/', 'soap:Fault';
    is join(' ', map { $_->{name} } $fault->kids),
        'faultcode faultstring detail', 'FLT-01 its children, unqualified';
    is_deeply $r->fault, { faultcode => 'Server', code => 8000, spv => [],
        faultstring => 'CWMP fault', string => 'Method not supported' },
        'FLT-01 codes and texts';
    my $detail = $fault->at('detail', 'Fault');
    is $detail->{ns}, 'urn:dslforum-org:cwmp-1-2', 'cwmp:Fault';
    is join(' ', map { $_->{name} } $detail->kids), 'FaultCode FaultString',
        'FLT-01 FaultCode, FaultString';
};


# --- reading ---------------------------------------------------------------

subtest 'RPC-06 GetParameterValues' => sub {
    my $d = device();
    $d->give(gpv('g', 'Device.Time.', 'Device.DeviceInfo.UpTime'));
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', 'is sent';
    is children($r), 'ParameterNames', 'its argument';
    is_deeply [$r->names], ['Device.Time.', 'Device.DeviceInfo.UpTime'],
        'RPC-06 the names, a partial path with its dot';
    like $r->body, qr/arrayType="xsd:string\[2\]"/, 'counted';

    my @sent = (['Device.Time.NTPServer1', 'string', "Caf\x{e9} & <x>"],
                ['Device.Time.Enable', 'boolean', 'true'],
                ['Device.DeviceInfo.UpTime', 'unsignedInt', '86400'],
                ['Device.Time.Far', 'unsignedLong', '18446744073709551615']);
    is $d->post(gpv_response($r->id, @sent))->status, 204, 'the response';
    my $result = $d->result('g');
    is $result->{status}, 'done', 'done';
    is $result->{method}, 'GetParameterValues', 'its method';
    is_deeply $result->{response}, { ParameterList => [map {
        { Name => $_->[0], Value => $_->[2], Type => "xsd:$_->[1]" } } @sent] },
        'the response as JSON';
    is $result->{fault}, '', 'no fault';
    like $result->{$_}, qr/^\d{10}\.\d{3}$/, "$_ is a time"
        for qw(queued sent ended);
    cmp_ok $result->{queued}, '<=', $result->{sent}, 'in order';
    cmp_ok $result->{sent}, '<=', $result->{ended}, 'in order';

    my $params = $d->redis->params($d->id);
    is_deeply $params->{$_->[0]}, { type => "xsd:$_->[1]", value => $_->[2] },
        "$_->[0] is remembered" for @sent;

    $d->give(gpv('none'));
    is $d->begin->status, 204, 'an empty list is not sent';
    is $d->status('none'), 'rejected', 'RPC-06 ... but rejected';
};


subtest 'RPC-08 an empty list' => sub {
    my $d = device();
    $d->give(gpv('g', 'Device.Hosts.Host.'));
    my $r = $d->begin;
    is $d->post(gpv_response($r->id))->status, 204, 'RPC-08 is accepted';
    is $d->status('g'), 'done', 'RPC-08 done';
    is_deeply $d->result('g')->{response}, { ParameterList => [] },
        'RPC-08 with no parameter';
};


subtest 'RPC-09 GetParameterNames' => sub {
    my $d = device();
    my $m = 'GetParameterNames';
    $d->give({ method => $m, id => 'a', ParameterPath => 'Device.IP.',
               NextLevel => \1 },
             { method => $m, id => 'b', ParameterPath => 'Device.IP.' },
             { method => $m, id => 'c' });
    my $r = $d->begin;
    is children($r), 'ParameterPath NextLevel', 'arguments in order';
    is $r->arg('ParameterPath'), 'Device.IP.', 'the path';
    is $r->arg('NextLevel'), 1, 'RPC-09 NextLevel true is 1';
    $r = $d->post(gpn_response($r->id, ['Device.IP.IPv4Enable', 1],
                               ['Device.IP.Interface.', 0]));
    is_deeply $d->result('a')->{response}, { ParameterList => [
        { Name => 'Device.IP.IPv4Enable', Writable => JSON::PP::true() },
        { Name => 'Device.IP.Interface.', Writable => JSON::PP::false() }] },
        'RPC-09 rows of objects and parameters';
    is $r->arg('NextLevel'), 0, 'RPC-09 NextLevel is 0 when left out';
    $r = $d->post(gpn_response($r->id));
    is_deeply $d->result('b')->{response}, { ParameterList => [] }, 'no rows';
    is $r->arg('ParameterPath'), '', 'the path is the root when left out';
    $d->refuse($r, 9005);
    is $d->status('c'), 'fault', 'refused';
};


subtest 'a response over 64 KB, in many pieces' => sub {
    my $d = device();
    $d->give(gpv('big', 'Device.'), gpv('next', 'Device.Time.'));
    my @many = map { ["Device.Big.$_.Value", 'string',
                      sprintf('%05d', $_) . 'v' x 60] } 1 .. 3000;
    my $r = $d->begin;
    $r = $d->post(gpv_response($r->id, @many), chunk => 5000);
    is +($r->names)[0], 'Device.Time.', 'the session goes on';
    my $result = $d->result('big');
    is $result->{status}, 'done', 'done';
    cmp_ok length $result->{raw}{response}, '<', 70_000, 'the result is short';
    my $response = $result->{response};
    is $response->{count}, 3000, '... says how many there were';
    ok $response->{truncated}, '... and that it is cut';
    is $response->{ParameterList}[0]{Name}, 'Device.Big.1.Value',
        '... and has the beginning';
    my $params = $d->redis->params($d->id, 'Device.Big.');
    is scalar(keys %$params), 3000, 'all parameters are there';
    is $params->{"Device.Big.$_.Value"}{value}, $many[$_ - 1][2], "number $_"
        for 1, 499, 500, 501, 1000, 2999, 3000;

    $d->obey($r);
    $d->give({ method => 'GetParameterNames', id => 'names' });
    $r = $d->begin;
    $d->post(gpn_response($r->id, map { [$_->[0], 1] } @many));
    $response = $d->result('names')->{response};
    is $response->{count}, 3000, 'names: how many there were';
    ok $response->{truncated}, '... cut';
};


subtest 'what is gone from the device disappears' => sub {
    my $d = device();
    my $read = sub {
        my ($path, @leaves) = @_;
        $d->give(gpv('read' . ++$d->{reads}, $path));
        my $r = $d->begin;
        $d->post(gpv_response($r->id, map { [$_, 'int', $d->{reads}] }
                              @leaves));
    };
    my $there = sub { join(' ', map { s/^Device\.//r }
                      sort keys %{ $d->redis->params($d->id, 'Device.T') }) };

    $read->('Device.', map { "Device.$_" }
            qw(T.1.A T.1.B T.11.A T.2.A T.2.S.1.X Ta.1 T2.1));
    is $there->(), 'T.1.A T.1.B T.11.A T.2.A T.2.S.1.X T2.1 Ta.1', 'as read';
    is $d->redis->params($d->id)->{'Device.ManagementServer.ParameterKey'},
        undef, 'a read of everything makes the rest go';

    $read->('Device.T.1.A', 'Device.T.1.A');
    is $there->(), 'T.1.A T.1.B T.11.A T.2.A T.2.S.1.X T2.1 Ta.1',
        'a read of one parameter: all others stay';
    $read->('Device.T.1.', 'Device.T.1.B');
    is $there->(), 'T.1.B T.11.A T.2.A T.2.S.1.X T2.1 Ta.1',
        'a read of T.1. without A';
    $read->('Device.T.', 'Device.T.11.A', 'Device.T.2.S.1.X');
    is $there->(), 'T.11.A T.2.S.1.X T2.1 Ta.1', 'a read of T.';

    $d->give(gpv('no', 'Device.T.'), { method => 'DeleteObject', id => 'del',
                                       ObjectName => 'Device.T.2.' });
    my $r = $d->refuse($d->begin, 9001);
    is $there->(), 'T.11.A T.2.S.1.X T2.1 Ta.1', 'a read that failed: nothing';
    $d->respond($r);
    is $there->(), 'T.11.A T2.1 Ta.1', 'DeleteObject T.2.: all below it';
    $read->('Device.T.2.', 'Device.T.2.A');
    is $there->(), 'T.11.A T.2.A T2.1 Ta.1', 'it is there again when read';
    $read->('', 'Device.Ta.1');
    is $there->(), 'Ta.1', 'a read of the empty path is of everything';
};


# --- writing ---------------------------------------------------------------

subtest 'RPC-02 SetParameterValues: types, values, key' => sub {
    my $d = device();
    known($d, ['Device.S', 'string', ''], ['Device.B', 'boolean', '0'],
          ['Device.U', 'unsignedInt', '1'], ['Device.D', 'dateTime',
          '2025-01-01T00:00:00Z'], ['Device.L', 'unsignedLong', '1'],
          ['Device.I', 'int', '1'], ['Device.H', 'hexBinary', '']);

    $d->give(spv('s', { 'Device.S' => "a&<b>\"\x{e9}", 'Device.B' => \1,
        'Device.U' => 3600, 'Device.D' => '2026-01-31T12:00:00+01:30',
        'Device.L' => '18446744073709551615', 'Device.I' => '-007',
        'Device.H' => 'aBcd',
        'Device.New' => { value => 'x', type => 'xsd:string' },
        'Device.NewB' => { value => 'FALSE', type => 'boolean' } }));
    my $r = $d->begin;
    is $r->method, 'SetParameterValues', 'all types are known: no read';
    is children($r), 'ParameterList ParameterKey', 'RPC-02 arguments in order';
    is_deeply set_of($r), {
        'Device.S' => ['xsd:string', "a&<b>\"\x{e9}"],
        'Device.B' => ['xsd:boolean', '1'],
        'Device.U' => ['xsd:unsignedInt', '3600'],
        'Device.D' => ['xsd:dateTime', '2026-01-31T10:30:00Z'],
        'Device.L' => ['xsd:unsignedLong', '18446744073709551615'],
        'Device.I' => ['xsd:int', '-7'], 'Device.H' => ['xsd:hexBinary', 'ABCD'],
        'Device.New' => ['xsd:string', 'x'],
        'Device.NewB' => ['xsd:boolean', '0'] },
        'RPC-02 each with its xsi:type, in its one form';
    is $r->arg('ParameterKey'), 's', 'RPC-02 the key is the id';
    $d->respond($r);
    is_deeply $d->result('s')->{response}, { Status => 0 }, 'done, Status 0';

    my $long = 'long-' . 'x' x 59;
    my $typed = { 'Device.S' => 'x' };
    $d->give(spv($long, $typed), spv('k', $typed, ParameterKey => 'my key'));
    $r = $d->begin;
    is length $r->arg('ParameterKey'), 32, 'RPC-02 32 of a longer id';
    $r = $d->respond($r);
    is $r->arg('ParameterKey'), 'my key', 'or what the task says';
    $d->respond($r);
    is $d->status($long), 'done', 'done';
};


subtest 'RPC-02 a type that nobody knows is read first' => sub {
    my $d = device();
    known($d, ['Device.K', 'string', '']);
    $d->give(spv('s', { 'Device.K' => 'k', 'Device.X' => 5, 'Device.Y' => \0,
                        'Device.T' => { value => 1, type => 'xsd:int' } }));
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', 'a read first';
    is_deeply [sort($r->names)], ['Device.X', 'Device.Y'], 'of these only';
    $r = $d->post(gpv_response($r->id, ['Device.X', 'unsignedInt', '1'],
                               ['Device.Y', 'boolean', '1']));
    is $r->method, 'SetParameterValues', 'then it is set';
    is_deeply set_of($r), { 'Device.K' => ['xsd:string', 'k'],
        'Device.X' => ['xsd:unsignedInt', '5'], 'Device.Y' => ['xsd:boolean',
        '0'], 'Device.T' => ['xsd:int', '1'] }, 'RPC-02 with the types read';
    is $d->respond($r)->status, 204, 'the end';
    is_deeply [map { $_->{id} } $d->results], ['known-1', 's'], 'one result';
    is $d->result('s')->{response}{Status}, 0, 'that of the setting';

    $d->give(spv('no', { 'Device.Z' => 5 }), gpv('next', 'Device.K'));
    $r = $d->begin;
    $r = $d->post(gpv_response($r->id));
    is +($r->names)[0], 'Device.K', 'not reported: the next task';
    is $d->status('no'), 'rejected', '... it is never guessed';
    is $d->result('no')->{fault}{field}, 'ParameterList.Device.Z', '... which';
    like $d->reason('no'), qr/unknown type/, '... and why';
    $d->respond($r);

    $d->give(spv('refused', { 'Device.Z' => 5 }));
    $d->refuse($d->begin, 9005);
    is $d->status('refused'), 'fault', 'the read is refused: so is the task';
    is $d->result('refused')->{fault}{FaultCode}, 9005, '... with its code';
};


subtest 'RPC-04 RPC-05 what comes of a SetParameterValues' => sub {
    my $d = device();
    my $x = { 'Device.X' => { value => 1, type => 'xsd:int' } };
    $d->give(spv('later', $x), spv('bad', $x), spv('plain', $x));

    my $r = $d->begin;
    $r = $d->post(spv_response($r->id, 1));
    is $d->status('later'), 'done', 'RPC-04 Status 1: done';
    is_deeply $d->result('later')->{response}, { Status => 1 },
        'RPC-04 the result has it: active after a reboot';

    my @each = (['Device.Time.NTPServer1', 9007, "Wert \x{fc}ber <10>"],
                ['Device.Foo', 9005, 'Invalid parameter name']);
    $r = $d->post(fault($r->id, 9003, 'Invalid arguments', @each));
    is $d->status('bad'), 'fault', 'RPC-05 a fault';
    is_deeply $d->result('bad')->{fault}, { FaultCode => 9003,
        FaultString => 'Invalid arguments', SetParameterValuesFault => [map {
            { ParameterName => $_->[0], FaultCode => $_->[1],
              FaultString => $_->[2] } } @each] },
        'RPC-05 each parameter with its fault, verbatim';

    $d->post(fault($r->id, 9001, 'Request denied'));
    is_deeply $d->result('plain')->{fault},
        { FaultCode => 9001, FaultString => 'Request denied' },
        'a fault without details';
};


# --- objects ---------------------------------------------------------------

my $TABLE = 'Device.NAT.PortMapping.';


subtest 'RPC-13 AddObject and DeleteObject' => sub {
    my $d = device();
    $d->give({ method => 'AddObject', id => 'a', ObjectName => $TABLE },
             { method => 'DeleteObject', id => 'd', ObjectName => "${TABLE}3.",
               ParameterKey => 'pk' });
    my $r = $d->begin;
    is children($r), 'ObjectName ParameterKey', 'arguments in order';
    is $r->arg('ObjectName'), $TABLE, 'RPC-13 AddObject: with its dot';
    is $r->arg('ParameterKey'), 'a', 'the key';
    $r = $d->post(add_response($r->id, 4294967295, 1));
    is_deeply $d->result('a')->{response},
        { InstanceNumber => 4294967295, Status => 1 }, 'the result';
    is $r->arg('ObjectName'), "${TABLE}3.", 'RPC-13 DeleteObject: with its dot';
    is $r->arg('ParameterKey'), 'pk', 'its key';
    $d->respond($r);
    is_deeply $d->result('d')->{response}, { Status => 0 }, 'the result';

    $d->give({ method => 'AddObject', id => 'na', ObjectName => 'Device.A' },
             { method => 'DeleteObject', id => 'nd',
               ObjectName => 'Device.A.1' });
    is $d->begin->status, 204, 'without a dot it is not sent';
    for my $id (qw(na nd)) {
        is $d->status($id), 'rejected', "RPC-13 $id is rejected";
        is_deeply $d->result($id)->{fault}, { field => 'ObjectName',
            reason => 'does not end with a dot' }, '... and why';
    }
};


sub add {
    my ($id, %values) = @_;
    return { method => 'AddObject', id => $id, ObjectName => $TABLE,
             values => \%values };
}


subtest 'RPC-12 AddObject with values' => sub {
    my $d = device();
    $d->give(add('a', ExternalPort => { value => 8080,
        type => 'xsd:unsignedInt' }, 'Sub.Name' => 'x', Enable => \1));
    my $r = $d->begin;
    is $r->method, 'AddObject', 'the object first';
    my $key = $r->arg('ParameterKey');
    $r = $d->post(add_response($r->id, 17, 0));
    is $r->method, 'GetParameterValues', 'then the types that nobody knows';
    is_deeply [sort($r->names)], ["${TABLE}17.Enable", "${TABLE}17.Sub.Name"],
        'RPC-12 of the instance that was returned';
    $r = $d->post(gpv_response($r->id, ["${TABLE}17.Enable", 'boolean', '0'],
                               ["${TABLE}17.Sub.Name", 'string', '']));
    is $r->method, 'SetParameterValues', 'then the values';
    is_deeply set_of($r), {
        "${TABLE}17.ExternalPort" => ['xsd:unsignedInt', '8080'],
        "${TABLE}17.Sub.Name" => ['xsd:string', 'x'],
        "${TABLE}17.Enable" => ['xsd:boolean', '1'] },
        'RPC-12 SetParameterValues on instance 17';
    isnt $r->arg('ParameterKey'), $key, 'each step has its own ParameterKey';
    is $d->status('a'), 'none', 'not done before the last step';
    is $d->respond($r)->status, 204, 'the end';
    is_deeply $d->ended, ['a done'], 'RPC-12 one result';
    is_deeply $d->result('a')->{response}, { InstanceNumber => 17,
        Status => 0 }, 'RPC-12 with the instance';

    my %typed = (ExternalPort => { value => 1, type => 'xsd:unsignedInt' });
    $d->give(add('b', %typed), add('c', %typed), add('d', %typed));
    $r = $d->respond($d->begin);
    is $r->method, 'SetParameterValues', 'all types given: no read';
    $r = $d->refuse($r, 9003, ["${TABLE}17.ExternalPort", 9007, 'no']);
    is $d->status('b'), 'fault', 'refused';
    is $d->result('b')->{fault}{SetParameterValuesFault}[0]{FaultCode}, 9007,
        '... with the reason';
    is $d->result('b')->{response}{InstanceNumber}, 17,
        '... and the instance that is there all the same';

    my $later = CWMP::Script->new($t, 'AddLater');
    $later->give({ method => 'AddObject', id => 'l', ObjectName => 'Device.T.',
                   values => { A => { value => 1, type => 'int' } } });
    $later->respond($later->post(add_response($later->begin->id, 17, 1)));
    is_deeply $later->result('l')->{response},
        { InstanceNumber => 17, Status => 1 },
        'RPC-04 an object that is active after a reboot only';

    $r = $d->refuse($r, 9005);
    is $d->status('c'), 'fault', 'AddObject refused: nothing is set';
    is $r->method, 'AddObject', '... the next task';
    $d->post(response($r->id, 'AddObject', '<Status>0</Status>'));
    is $d->status('d'), 'lost', 'no InstanceNumber: lost';
    like $d->reason('d'), qr/has no InstanceNumber/, '... and why';
    for my $answer ('<Status>0</Status>', '<InstanceNumber>x</InstanceNumber>') {
        $d->give({ method => 'AddObject', id => "e$answer" =~ s/\W//gr,
                   ObjectName => 'Device.NAT.' });
        $d->respond($d->begin, $answer);
        my ($last) = ($d->results)[-1];
        is $last->{status}, 'lost', "$answer, without values: lost";
        like $last->{fault}{reason}, qr/has no InstanceNumber/, '... and why';
    }
};


# --- GetRPCMethods, faults of any code -------------------------------------

subtest 'GetRPCMethods of the CPE' => sub {
    my $d = device();
    $d->give({ method => 'GetRPCMethods', id => 'm' });
    my $r = $d->begin;
    is children($r), '', 'no arguments';
    $d->post(rpc_methods_response($r->id, 'Reboot', 'X_ACME_Dance'));
    is_deeply $d->result('m')->{response},
        { MethodList => ['Reboot', 'X_ACME_Dance'] }, 'the list';
};


subtest 'FLT-02 any fault code is kept verbatim' => sub {
    my $d = device();
    my %fault = (9000 => 'Method not supported', 9033 => 'from the future',
                 9799 => '', 9800 => "hersteller \x{4e2d}",
                 9899 => '"quoted" \\ <x>');
    my @codes = sort keys %fault;
    $d->give_reads(@codes);
    my $r = $d->begin;
    $r = $d->post(fault($r->id, $_, $fault{$_})) for @codes;
    is $r->status, 204, 'the session ends as usual';
    for my $code (@codes) {
        is_deeply $d->result($code)->{fault}, { FaultCode => $code,
            FaultString => $fault{$code} }, "FLT-02 $code";
    }
};


# --- all of it with a device that behaves ----------------------------------

subtest 'a device that behaves has nothing to object to' => sub {
    my $cpe = $t->cpe(serial => 'behaves');
    my $redis = $t->redis;
    my @task = ({ method => 'GetRPCMethods', id => 't1' },
        { method => 'GetParameterNames', id => 't2', ParameterPath => 'Device.',
          NextLevel => \1 }, gpv('t3', 'Device.'),
        spv('t4', { 'Device.WiFi.SSID.1.SSID' => "caf\x{e9} & co",
                    'Device.WiFi.Radio.1.Channel' => 11,
                    'Device.Time.Enable' => \0,
                    'Device.WiFi.Radio.1.TransmitPower' => -5 }),
        add('t5', ExternalPort => 8080, Protocol => 'UDP', Enable => \1),
        { method => 'DeleteObject', id => 't6', ObjectName => "${TABLE}1." },
        spv('t7', { 'Device.DeviceInfo.UpTime' => 1 }));
    $redis->push_task($cpe->id, @task);
    my $trace = $cpe->run_session('0 BOOTSTRAP', '1 BOOT');
    ok $trace->{ok}, 'the session ends well' or diag $trace->{error};
    is_deeply $cpe->complaints, [], 'nothing to object to';
    is join(' ', map { "$_->{id} $_->{status}" } $redis->results($cpe->id)),
        't1 done t2 done t3 done t4 done t5 done t6 done t7 fault', 'results';
    is $cpe->value('Device.WiFi.SSID.1.SSID'), "caf\x{e9} & co", 'set';
    is $cpe->value('Device.Time.Enable'), 0, 'set';
    is $cpe->value("${TABLE}2.ExternalPort"), 8080, 'the new row';
    is $cpe->value("${TABLE}2.Protocol"), 'UDP', '... with its values';
    my $params = $redis->params($cpe->id);
    ok !(grep { /^\Q${TABLE}\E1\./ } keys %$params), 'the old row is forgotten';
    is $params->{'Device.WiFi.SSID.1.SSID'}{type}, 'xsd:string', 'a type';
    is $redis->result($cpe->id, 't7')->{fault}{SetParameterValuesFault}[0]
        {FaultCode}, 9008, 'why the last one failed';
};

done_testing;
