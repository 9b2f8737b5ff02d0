#!/usr/bin/perl

# Names of parameters and objects: aliases, gaps between instances, wildcards,
# the root and what it tells of the data model, case and length.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $MAPPING = 'Device.NAT.PortMapping.';
my $n = 0;

sub device { return CWMP::Script->new($t, 'N' . ++$n, @_) }
sub gpv { return { method => 'GetParameterValues', id => shift,
                   ParameterNames => [@_] } }
sub spv { my ($id, %list) = @_;
          return { method => 'SetParameterValues', id => $id,
                   ParameterList => \%list } }
sub add { my ($id, $object, %values) = @_;
          return { method => 'AddObject', id => $id, ObjectName => $object,
                   values => \%values } }
sub set_of { return { map { ($_->[0] => $_->[2]) } $_[0]->params } }


# What there is below $prefix after a read of it was answered by these rows.
sub after_read {
    my ($d, $prefix, @rows) = @_;
    $d->give(gpv('read-' . ++$d->{reads}, $prefix));
    my $r = $d->begin;
    is join(' ', $r->names), $prefix, "(a read of $prefix)";
    is $d->post(gpv_response($r->id, @rows))->status, 204, '(is answered)';
    return below($d, $prefix);
}


sub below {
    my ($d, $prefix) = @_;
    my $params = $redis->params($d->id, $prefix);
    return { map { ($_ => $params->{$_}{value}) } keys %$params };
}


# --- aliases ---------------------------------------------------------------

subtest 'PAR-02 aliases in what a device is asked, and in what it says' => sub {
    my $d = device();
    my $lan = 'Device.IP.Interface.[cpe-lan].';
    is_deeply after_read($d, $lan, ["${lan}Enable", 'boolean', '1'],
                         ["${lan}IPv4Address.[home 1].SubnetMask", 'string',
                          '255.255.255.0']),
        { "${lan}Enable" => 1,
          "${lan}IPv4Address.[home 1].SubnetMask" => '255.255.255.0' },
        'PAR-02 aliases are asked for, and stored as they are reported';

    $d->give(spv('set', "${lan}Enable" => 0));
    my $r = $d->begin;
    is_deeply [$r->params], [["${lan}Enable", 'xsd:boolean', '0']],
        'PAR-02 set by its alias, of the type that was reported';
    $d->refuse($r, 9003, ["${lan}Enable", 9007, 'no']);
    is $d->result('set')->{fault}{SetParameterValuesFault}[0]{ParameterName},
        "${lan}Enable", 'PAR-02 a fault has it, too';

    is_deeply after_read($d, $lan, ["${lan}Enable", 'boolean', '1']),
        { "${lan}Enable" => 1 }, 'PAR-02 what is gone below an alias goes';
    is_deeply below($d, 'Device.IP.Interface.['), { "${lan}Enable" => 1 },
        '... and no more';
};


subtest 'PAR-02 an object is added by its alias' => sub {
    for my $type (undef, 'unsignedInt') {
        my $d = device();
        my $value = $type ? { value => 8080, type => $type } : 8080;
        $d->give(add('map', "${MAPPING}[web].", ExternalPort => $value));
        my $r = $d->begin;
        is $r->arg('ObjectName'), "${MAPPING}[web].", 'PAR-02 AddObject';
        $r = $d->post(add_response($r->id, 7, 0));
        if (!$type) {
            is_deeply [$r->names], ["${MAPPING}7.ExternalPort"],
                'PAR-02 types of its values are read by its instance';
            $r = $d->post(gpv_response($r->id, ["${MAPPING}7.ExternalPort",
                                                'unsignedInt', '0']));
        }
        is_deeply [$r->params], [["${MAPPING}7.ExternalPort",
            'xsd:unsignedInt', '8080']], 'PAR-02 its values are set there';
        $d->respond($r);
        is_deeply $d->result('map')->{response}, { InstanceNumber => 7,
            Status => 0 }, 'PAR-02 done, with the instance';
    }

    my $d = device();
    my @rows = map { ["${MAPPING}[$_].Enable", 'boolean', 1] } 'web', 'ssh';
    after_read($d, $MAPPING, @rows);
    $d->give({ method => 'DeleteObject', id => 'not',
               ObjectName => "${MAPPING}[web]." });
    my $r = $d->begin;
    is $r->arg('ObjectName'), "${MAPPING}[web].", 'PAR-02 DeleteObject';
    $d->respond($r);
    is_deeply below($d, $MAPPING), { "${MAPPING}[ssh].Enable" => 1 },
        'PAR-02 what it had is gone, its neighbour is not';
};


# --- instances -------------------------------------------------------------

subtest 'PAR-03 gaps between instances' => sub {
    my $d = device();
    my @instances = (1, 7, 4294967295);
    my %want = map { ("${MAPPING}$_.Description" => "no $_") } @instances;
    is_deeply after_read($d, $MAPPING, map { [$_, 'string', $want{$_}] }
        sort keys %want), \%want, 'PAR-03 each is stored, and nothing between';

    $d->give({ method => 'GetParameterNames', id => 'names',
               ParameterPath => $MAPPING });
    my $r = $d->begin;
    $d->post(gpn_response($r->id, map { ["${MAPPING}$_.", 1] } @instances));
    is_deeply [map { $_->{Name} }
               @{ $d->result('names')->{response}{ParameterList} }],
        [map { "${MAPPING}$_." } @instances], 'PAR-03 names as they are';

    $d->give(add('last', $MAPPING, Description => { value => 'x',
                                                    type => 'string' }));
    $r = $d->post(add_response($d->begin->id, 4294967295, 0));
    is_deeply set_of($r), { "${MAPPING}4294967295.Description" => 'x' },
        'PAR-03 the last instance there can be is set';
    $d->respond($r);
    is $d->result('last')->{response}{InstanceNumber}, 4294967295,
        'PAR-03 ... and in the result';

    $d->give({ method => 'DeleteObject', id => 'seven',
               ObjectName => "${MAPPING}7." });
    $d->respond($d->begin);
    delete $want{"${MAPPING}7.Description"};
    is_deeply below($d, $MAPPING), \%want,
        'PAR-03 of those, instance 7 is deleted alone';
};


# --- wildcards -------------------------------------------------------------

my $SUPPORTED = 'Device.ManagementServer.InstanceWildcardsSupported';
my $WILD = 'Device.IP.Interface.*.';

# "id status" of reads with wildcards, and what was sent of them.
sub wild {
    my ($d) = @_;
    my @tasks = (gpv('values', 'Device.Time.', "${WILD}Enable"),
        { method => 'GetParameterNames', id => 'names',
          ParameterPath => $WILD },
        { method => 'GetParameterAttributes', id => 'attributes',
          ParameterNames => ["${WILD}Enable"] });
    $d->give(@tasks);
    my @sent;
    for (my $r = $d->begin; $r->status == 200; $r = $d->respond($r)) {
        push @sent, $r->method;
    }
    return @sent;
}


subtest 'PAR-04 wildcards, where the device takes them' => sub {
    my %says = ('nothing' => [], 'false' => [[$SUPPORTED, 'boolean', '0']],
                'an empty value' => [[$SUPPORTED, 'boolean', '']],
                'something else' => [[$SUPPORTED, 'string', 't' x 2000]]);
    for my $what (sort keys %says) {
        my $d = device(params => [['Device.RootDataModelVersion', 'string',
                                   '2.13'], @{ $says{$what} }]);
        is_deeply [wild($d)], [],
            "PAR-04 a device that reported $what is sent none";
        is join(' ', map { "$_->{status} $_->{fault}{field}" } $d->results),
            'rejected ParameterNames[1] rejected ParameterPath '
            . 'rejected ParameterNames[0]', 'PAR-04 they are rejected';
        like $d->reason('values'), qr/^has a wildcard, and the device did not /,
            'PAR-04 ... with why';
    }

    for my $true ('1', 'true', 'True') {
        my $d = device(params => [[$SUPPORTED, 'boolean', $true]]);
        is_deeply [wild($d)], [map { "GetParameter$_" }
            qw(Values Names Attributes)],
            "PAR-04 one that reported $true is sent all";
        $d->{params} = [[$SUPPORTED, 'boolean', '0']];
        is_deeply [wild($d)], [], 'PAR-04 ... until it reports another value';
    }

    my $d = device(params => []);
    $d->give(gpv('last', 'Device.IP.Interface.*'));
    is $d->begin->status, 204, 'PAR-04 an asterisk at the end is one, too';
    like $d->reason('last'), qr/^has a wildcard, and the device did not /,
        'PAR-04 ... and rejected';

    $d = device(params => [[$SUPPORTED, 'boolean', '1']]);
    $d->give(gpv('last', 'Device.IP.Interface.*'));
    is_deeply [$d->begin->names], ['Device.IP.Interface.*'],
        'PAR-04 ... but sent to a device that takes wildcards';

    $d = device(params => []);
    $d->give(gpv('star', 'Device.X_ACME_*.Y', 'Device.Users*.'));
    is $d->begin->method, 'GetParameterValues',
        'an asterisk in a name is no wildcard';
};


subtest 'PAR-04 wildcards are for reads only' => sub {
    my %task = (
        'ParameterList.Device.A.*.B' => spv('t', 'Device.A.*.B' => 1),
        'ParameterList[0].Name' => { method => 'SetParameterAttributes',
            ParameterList => [{ Name => 'Device.*.A', Notification => 1 }] },
        'ObjectName' => { method => 'AddObject', ObjectName => 'Device.A.*.' },
        'values.*.X' => add('t', 'Device.A.', '*.X' => 1),
    );
    for my $field (sort keys %task) {
        my $d = device(params => [[$SUPPORTED, 'boolean', '1']]);
        $d->give({ %{ $task{$field} }, id => 't' });
        is $d->begin->status, 204, "PAR-04 $field: nothing is sent, no read "
            . 'of types either';
        is $d->result('t')->{fault}{field}, $field, 'PAR-04 it is named';
        like $d->reason('t'), qr/^has a wildcard, which only /,
            'PAR-04 ... with why';
    }

    my $d = device(params => [[$SUPPORTED, 'boolean', '1']]);
    $d->give({ method => 'DeleteObject', id => 't',
               ObjectName => 'Device.A.*.' });
    is $d->begin->status, 204, 'PAR-04 nor are all instances deleted';
    like $d->reason('t'), qr/^does not end with an instance/,
        'PAR-04 ... since one is needed';
};


# --- roots -----------------------------------------------------------------

my @ROOTS = (
    ['Device:2.11', 'Device', 'Device.RootDataModelVersion' => '2.11'],
    ['Device:2', 'Device', 'Device.RootDataModelVersion' => ''],
    ['Device:1.0', 'Device', 'Device.DeviceSummary' =>
        'Device:1.0[](Baseline:1), STBService:1.0[1](Baseline:1)'],
    ['Device:1', 'Device', 'Device.DeviceSummary' => ''],
    ['InternetGatewayDevice:1.4', 'InternetGatewayDevice',
     'InternetGatewayDevice.DeviceSummary' =>
        'InternetGatewayDevice:1.4[](Baseline:1, EthernetLAN:1)'],
    ['InternetGatewayDevice:1', 'InternetGatewayDevice',
     'InternetGatewayDevice.DeviceSummary' => ''],
    ['InternetGatewayDevice:1', 'InternetGatewayDevice',
     'InternetGateWayDevice.DeviceInfo.HardwareVersion' => '1'],
    [undef, 'Device', 'Device.DeviceInfo.HardwareVersion' => '1'],
    [undef, undef],
);

subtest 'PAR-05 the root, and the data model' => sub {
    for my $case (@ROOTS) {
        my ($model, $root, $name, $value) = @$case;
        my $d = device(params => [$name ? [$name, 'string', $value] : (),
            $root ? ["$root.DeviceInfo.SoftwareVersion", 'string', '9'] : ()]);
        is $d->begin('0 BOOTSTRAP')->status, 204, 'PAR-05 an Inform with '
            . ($name ? "$name '$value'" : 'no parameter at all');
        my $record = $redis->device($d->id);
        is $record->{root}, $root, 'PAR-05 ... tells the root '
            . ($root // 'of nothing');
        is $record->{datamodel}, $model, 'PAR-05 ... and '
            . ($model // 'no data model');
        is $record->{version}, $root && '9',
            'PAR-05 forced parameters may lack';
    }

    my $d = device(params => [['Device.DeviceSummary', 'string',
                               'Device:1.' . '9' x 2000]]);
    $d->inform;
    is $redis->device($d->id)->{datamodel}, 'Device:1.999999',
        'a version without an end is cut';
    $d->{params} = [['Device.DeviceInfo.X', 'string', '']];
    $d->inform('2 PERIODIC');
    is $redis->device($d->id)->{datamodel}, 'Device:1.999999',
        'an Inform that does not tell it changes nothing';
    $d->{params} = [['Device.RootDataModelVersion', 'string', '2.16']];
    $d->inform('1 BOOT');
    is $redis->device($d->id)->{datamodel}, 'Device:2.16',
        'another firmware, another model';
};


# --- case and length -------------------------------------------------------

subtest 'PAR-06 the case of names counts' => sub {
    my $d = device();
    my %want = ('Device.X.Name' => 'a', 'Device.X.name' => 'b',
                'Device.x.Name' => 'c');
    is_deeply after_read($d, 'Device.', map { [$_, 'string', $want{$_}] }
        sort keys %want), \%want, 'PAR-06 three parameters';
    is_deeply after_read($d, 'Device.x.'), {}, 'PAR-06 of which one goes';
    is scalar(keys %{ below($d, 'Device.X.') }), 2, 'PAR-06 ... alone';

    $d->give(spv('set', 'Device.X.Name' => 1, 'Device.X.NAME' => 2));
    my $r = $d->begin;
    is_deeply [$r->names], ['Device.X.NAME'],
        'PAR-06 of another case is another, whose type is unknown';
};


subtest 'PAR-06 no name over 256 characters is sent' => sub {
    my $long = 'Device.' . "\x{e9}" x 249;
    my $dot = 'Device.' . 'x' x 248 . '.';
    my $instance = 'Device.' . 'x' x 246 . '.1.';
    my %task = (
        values => sub { gpv('t', $_[0]) },
        attributes => sub { { method => 'GetParameterAttributes', id => 't',
                              ParameterNames => [$_[0]] } },
        notify => sub { { method => 'SetParameterAttributes', id => 't',
            ParameterList => [{ Name => $_[0], Notification => 1 }] } },
        names => sub { { method => 'GetParameterNames', id => 't',
                         ParameterPath => $_[0] } },
        set => sub { spv('t', $_[0] => { value => 1, type => 'int' }) },
    );
    for my $kind (sort keys %task) {
        my $d = device();
        $d->give($task{$kind}->("${long}x"));
        is $d->begin->status, 204, "PAR-06 $kind: 257 characters are not sent";
        like $d->reason('t'), qr/^is longer than 256 characters$/,
            'PAR-06 ... with why';
        $d->give($task{$kind}->($long));
        isnt index($d->begin->body, '.' . "\xc3\xa9" x 249 . '<'), -1,
            "PAR-06 $kind: 256 are";
    }
    for (['AddObject', $dot], ['DeleteObject', $instance]) {
        my ($method, $object) = @$_;
        my $d = device();
        $d->give({ method => $method, id => 't', ObjectName => "x$object" });
        is $d->begin->status, 204, "PAR-06 $method: 257 are not";
        is $d->status('t'), 'rejected', '... but rejected';
        $d->give({ method => $method, ObjectName => $object });
        is $d->begin->arg('ObjectName'), $object, "PAR-06 $method: 256 are";
    }
};

done_testing;
