#!/usr/bin/perl

# The types of values, from a task to the wire and from an answer to Redis and
# back: each to its bounds, in the one form that is sent; times that are none;
# types that a CPE leaves out or spells in its own way; blanks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'T' . ++$n, @_) }


sub set_task {
    my ($id, %list) = @_;
    return { method => 'SetParameterValues', id => $id,
             ParameterList => \%list };
}


# The types and values of a SetParameterValues on the wire, by name.
sub on_wire {
    my ($r) = @_;
    return { map { ($_->[0] => "$_->[1] $_->[2]") } $r->params };
}


# What Redis holds after a read was answered by these: name, type, value.
sub read_back {
    my ($d, @rows) = @_;
    $d->give({ method => 'GetParameterValues', id => 'r' . ++$d->{reads},
               ParameterNames => ['Device.'] });
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', '(a read)';
    is $d->post(gpv_response($r->id, @rows))->status, 204, '(is answered)';
    return $redis->params($d->id);
}


# Each type: the values to its bounds, and those beyond.
my %BOUNDS = (
    boolean => [['0', '1'], ['2', '']],
    int => [['-2147483648', '0', '2147483647'],
            ['-2147483649', '2147483648', '1.5', '']],
    unsignedInt => [['0', '4294967295'], ['-1', '4294967296']],
    long => [['-9223372036854775808', '9223372036854775807'],
             ['-9223372036854775809', '9223372036854775808']],
    unsignedLong => [['0', '18446744073709551615'],
                     ['-1', '18446744073709551616']],
    decimal => [['-0.5', '123456789012345678901234567890.125'], ['1e5']],
    dateTime => [['2024-02-29T23:59:59Z', '2026-01-02T03:04:05.123456789Z'],
                 ['2023-02-29T00:00:00Z', '2026-01-02', '']],
    base64Binary => [['', 'AAEC/w==', '/+8='], ['AAE', '====']],
    hexBinary => [['', '00FF'], ['0', 'xy']],
    string => [['', "caf\x{e9} \x{1F600} <&>\"' ]]>", 'x' x 20_000],
               ["\x{1}"]],
);

subtest 'TYP-01 each type to its bounds' => sub {
    for my $type (sort keys %BOUNDS) {
        my ($good, $bad) = @{ $BOUNDS{$type} };
        my $d = device();
        my %list = map { ("Device.V$_" => $good->[$_]) } 0 .. $#$good;
        $d->give(set_task('set', map { ($_ => { value => $list{$_},
            type => "xsd:$type" }) } keys %list));
        my $r = $d->begin;
        is_deeply on_wire($r), { map { ($_ => "xsd:$type $list{$_}") }
            keys %list }, "TYP-01 $type is sent as it was given";
        is $d->respond($r)->status, 204, '(done)';

        my $params = read_back($d, map { [$_, $type, $list{$_}] } keys %list);
        is_deeply { map { ($_ => $params->{$_}) } keys %list },
            { map { ($_ => { type => "xsd:$type", value => $list{$_} }) }
              keys %list }, "TYP-01 $type is stored as it was reported";

        $d->give(set_task('again', %list));
        $r = $d->begin;
        is_deeply on_wire($r), { map { ($_ => "xsd:$type $list{$_}") }
            keys %list }, "TYP-01 $type is sent once more, of the known type";
        $d->respond($r);

        $d->give(map { set_task("bad$_", 'Device.V0' => $bad->[$_]) }
                 0 .. $#$bad);
        is $d->begin->status, 204, "TYP-01 $type: what is beyond is not sent";
        is $d->status("bad$_"), 'rejected', "TYP-01 $type: not '$bad->[$_]'"
            for 0 .. $#$bad;
        is $d->result('bad0')->{fault}{field}, 'ParameterList.Device.V0',
            '... and its field is named';
    }
};


subtest 'TYP-02 times that are no times of day' => sub {
    my %time = (Unknown => '0001-01-01T00:00:00Z',
                Infinite => '9999-12-31T23:59:59Z',
                Relative => '0001-01-03T03:04:05');
    my $d = device();
    my $params = read_back($d, map { ["Device.$_", 'dateTime', $time{$_}] }
                           sort keys %time);
    is $params->{"Device.$_"}{value}, $time{$_}, "TYP-02 $_ Time is kept"
        for sort keys %time;
    $d->give(set_task('set', map { ("Device.$_" => $time{$_}) } keys %time));
    my $r = $d->begin;
    is on_wire($r)->{"Device.$_"}, "xsd:dateTime $time{$_}",
        "TYP-02 $_ Time is sent" for sort keys %time;
    $d->respond($r);

    $d->give(map { set_task($_, 'Device.Unknown' => $_) }
             '0001-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00');
    is $d->begin->status, 204, 'TYP-02 a time before the first is not sent';
    is_deeply [map { $_->{status} } ($d->results)[-2, -1]],
        ['rejected', 'rejected'], 'TYP-02 ... nor one after the last';
};


# The device's clock, as its Inform has it.
sub clock_of {
    my ($time) = @_;
    my $d = device();
    my $text = $d->inform_text;
    $text =~ s{<CurrentTime>[^<]*}{<CurrentTime>$time};
    is $d->post($text)->method, 'InformResponse', "(an Inform at '$time')";
    return $redis->device($d->id)->{clock};
}


subtest 'TYP-03 times are in UTC' => sub {
    my %utc = ('2026-01-02T05:04:05+05:30' => '2026-01-01T23:34:05Z',
        '2026-01-02T03:04:05Z' => '2026-01-02T03:04:05Z',
        '2025-12-31T23:00:00-03:00' => '2026-01-01T02:00:00Z',
        '2026-01-02T03:04:05.250' => '2026-01-02T03:04:05.25Z',
        '0001-01-01T00:00:00Z' => '0001-01-01T00:00:00Z');
    is clock_of($_), $utc{$_}, "TYP-03 CurrentTime $_" for sort keys %utc;
    is clock_of('half past ten'), 'half past ten',
        'TYP-03 one that is none is kept as it is';
    is length(clock_of('9' x 300)), 64, '... up to 64 bytes';
    is clock_of(''), undef, '... and none is none';

    my $d = device();
    $d->give(set_task('set', 'Device.At' => { type => 'dateTime',
        value => '2026-01-02T05:04:05+05:30' }));
    is on_wire($d->begin)->{'Device.At'}, 'xsd:dateTime 2026-01-01T23:34:05Z',
        "TYP-03 a task's time, too";
};


subtest 'TYP-04 booleans are sent as 0 and 1' => sub {
    my %word = ('Device.T' => JSON::PP::true, 'Device.F' => JSON::PP::false,
                'Device.Yes' => 'Yes', 'Device.Off' => 'off',
                'Device.One' => 1, 'Device.Text' => 'TRUE');
    my $d = device();
    $d->give(set_task('set', map { ($_ => { value => $word{$_},
                                            type => 'boolean' }) } keys %word));
    my $r = $d->begin;
    is_deeply on_wire($r), { (map { ("Device.$_" => 'xsd:boolean 1') }
        qw(T Yes One Text)), map { ("Device.$_" => 'xsd:boolean 0') }
        qw(F Off) }, 'TYP-04 whatever word a task has';
    $d->respond($r);
    $d->give({ method => 'GetParameterNames', NextLevel => JSON::PP::true });
    is $d->begin->arg('NextLevel'), '1', 'TYP-04 an argument, too';
};


subtest 'TYP-05 types that are left out or spelled otherwise' => sub {
    my %spelled = ('' => 'string', 'xsd:unsignedint' => 'unsignedInt',
        'xsd:uint' => 'unsignedInt', 'xsd:integer' => 'int',
        'xsd:Int' => 'int', 'xsd:Boolean' => 'boolean',
        'xsd:datetime' => 'dateTime', 'xsd:base64' => 'base64Binary',
        'soap-enc:string' => 'string', 'unsignedLong' => 'unsignedLong',
        'xsd:token' => 'string', 'xsd:string(256)' => 'string');
    my @types = sort keys %spelled;
    my $d = device();
    my @rows = map { ["Device.P$_", $types[$_], '1'] } 0 .. $#types;
    my $params = read_back($d, @rows);

    is $params->{"Device.P$_"}{type}, "xsd:$spelled{ $types[$_] }",
        "TYP-05 '$types[$_]' is $spelled{ $types[$_] }" for 0 .. $#types;
    $d->give(set_task('set', 'Device.P0' => 'x'));
    is on_wire($d->begin)->{'Device.P0'}, 'xsd:string x',
        'TYP-05 what was reported without a type is set as a string';
};


subtest 'TYP-05 a type that is none is not guessed' => sub {
    my @types = ('xsd:float', 'xsd:short', 'xsd:unsignedByte', 'foo:bar',
                 'xsd:anySimpleType', 'xsd:enumeration');
    my @rows = map { ["Device.P$_", $types[$_], '1'] } 0 .. $#types;
    my $d = device();
    my $params = read_back($d, @rows);
    is_deeply $params->{"Device.P$_"}, { type => 'xsd:anySimpleType',
        value => '1' }, "TYP-05 $types[$_] is stored as one that is unknown"
        for 0 .. $#types;

    for my $i (0 .. $#types) {
        my $name = "Device.P$i";
        $d->give(set_task("$i", $name => 2));
        is $d->begin->status, 204, "TYP-05 $types[$i]: nothing is sent";
        is $d->status("$i"), 'rejected', 'TYP-05 ... but rejected';
        is $d->result("$i")->{fault}{field}, "ParameterList.$name",
            'TYP-05 ... with its name';
        like $d->reason("$i"), qr/^is of unknown type.*give its type/,
            'TYP-05 ... and what to do';

        $d->give(set_task("typed$i", $name => { value => 2, type => 'int' }));
        my $r = $d->begin;
        is on_wire($r)->{$name}, 'xsd:int 2',
            'TYP-05 the type that the task gives is sent';
        $d->respond($r);
    }

    # one that is read for this task
    $d = device();
    $d->give(set_task('set', 'Device.P' => 2, 'Device.Q' => 'x'));
    my $r = $d->begin;
    is_deeply [sort($r->names)], ['Device.P', 'Device.Q'], '(types are read)';
    $r = $d->post(gpv_response($r->id, ['Device.P', 'xsd:float', '1.5'],
                               ['Device.Q', 'xsd:string', 'y']));
    is $r->status, 204, 'TYP-05 after the read of types, too';
    is $d->result('set')->{fault}{field}, 'ParameterList.Device.P',
        'TYP-05 ... is it refused by its name';
    like $d->reason('set'), qr/give its type/, 'TYP-05 ... and with why';

    $d->give(set_task('any', 'Device.P' => { value => 2,
                                             type => 'xsd:anySimpleType' }));
    is $d->begin->status, 204, 'TYP-05 no task can give such a type either';
    like $d->reason('any'), qr/^has a type that is none/,
        'TYP-05 ... as a type';
};


subtest 'TYP-06 blanks of a string belong to it' => sub {
    my %value = ('Device.A' => ' a ', 'Device.B' => "\ta  b\t",
                 'Device.C' => "two\nlines", 'Device.D' => '   ',
                 'Device.E' => "a line\n", 'Device.F' => "\xa0x");
    my $d = device();
    my $params = read_back($d, map { [$_, 'string', $value{$_}] } keys %value);
    is $params->{$_}{value}, $value{$_}, "TYP-06 $_ is stored as reported"
        for sort keys %value;

    $d->give(set_task('set', %value));
    my $r = $d->begin;
    is_deeply on_wire($r), { map { ($_ => "xsd:string $value{$_}") }
        keys %value }, 'TYP-06 and set as it was given';
};

done_testing;
