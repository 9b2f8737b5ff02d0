#!/usr/bin/perl

# A read that fails is asked for again with less, until the names stand alone
# that the device refuses: by halves, or by the level below a path.  What a
# model cannot do is known for its next device.  Whatever a CPE answers, it
# ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Model;
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new(server => <<'CONF');
    location /two { cwmp_acs; cwmp_max_rpcs 2; }
    location /all { cwmp_acs; cwmp_max_rpcs 10000; }
CONF
my $redis = $t->redis;
my $serial = 0;

my @NAMES = map { "Device.DeviceInfo.$_" } qw(Manufacturer ModelName
    HardwareVersion SoftwareVersion ProvisioningCode UpTime SerialNumber
    ProductClass MemoryStatus.Total);


# What an RPC asks for.
sub asked { return map { $_->{text} } map { $_->kids }
                   $_[0]->kids('ParameterNames') }


# A device whose GetParameterValues ends as this says: a fault's code, or
# nothing.  Each has a class of its own, unless one is given.
sub device {
    my ($judge, %opt) = @_;
    my $class = $opt{class} // 'B' . ($serial + 1);
    return $t->cpe(serial => 'B' . ++$serial, urls => [$t->url(0, '/all')],
        %opt, class => $class,
        on_rpc => { %{ $opt{on_rpc} || {} }, GetParameterValues => sub {
            my ($cpe, $node) = @_;
            my $code = $judge->($cpe, asked($node));
            CWMP::Model::throw($code) if $code;
            return undef;
        } });
}


# One that does not know these names, whether asked for or below a path.
sub without {
    my ($bad, %opt) = @_;
    my %bad = map { ($_ => 1) } @$bad;
    return device(sub {
        my ($cpe, @names) = @_;
        for my $name (@names) {
            return $opt{code} // 9005 if $bad{$name};
            return $opt{code} // 9005
                if $name =~ /(?:^|\.)$/ && grep { /^\Q$name\E/ } @$bad;
        }
        return 0;
    }, %opt);
}


sub read_of {
    my ($cpe, $id, @names) = @_;
    $redis->push_task($cpe->id, { method => 'GetParameterValues', id => $id,
                                  ParameterNames => \@names });
    return $cpe;
}


sub result { my ($cpe, $id) = @_; return $redis->result($cpe->id, $id) // {} }
sub names_of { return [map { $_->{Name} } @{ $_[0] || [] }] }
sub values_of { my ($cpe, $id) = @_;
                return names_of(result($cpe, $id)->{response}{ParameterList}) }
sub blamed { my ($cpe, $id) = @_;
             return names_of(result($cpe, $id)->{fault}{ParameterNames}) }
sub known { my ($cpe) = @_; return $redis->params($cpe->id) }
sub failed { return scalar grep { $_->{fault} } $_[0]->done }
sub rpcs { return scalar(() = $_[0]->done) }
sub model_key { my ($cpe) = @_; return 'cwmp:{0}:model:' . ($cpe->id =~ s/-[^-]*$//r) }

sub nothing_left {
    my ($cpe) = @_;
    is_deeply [map { $redis->cmd('EXISTS', $redis->device_key($cpe->id, $_)) }
               qw(tasks queue live running waiting)], [0, 0, 0, 0, 0],
        'nothing is left of the task';
}


# --- names -----------------------------------------------------------------

for my $at (0 .. $#NAMES) {
    subtest "RPC-07 TOL-24 the culprit is name $at" => sub {
        my @good = grep { $_ ne $NAMES[$at] } @NAMES;
        my $cpe = read_of(without([$NAMES[$at]]), 'r', @NAMES);
        ok $cpe->run_session('2 PERIODIC')->{ok}, 'the session ends well';
        my $result = result($cpe, 'r');
        is $result->{status}, 'fault', 'fault';
        is $result->{fault}{FaultCode}, 9005, 'the CPE\'s code';
        is $result->{fault}{FaultString}, 'Invalid parameter name', '... and text';
        is_deeply $result->{fault}{ParameterNames},
            [{ Name => $NAMES[$at], FaultCode => 9005 }],
            'RPC-07 TOL-24 the name that is to blame';
        is_deeply values_of($cpe, 'r'), \@good, 'and all others were read, in order';
        cmp_ok rpcs($cpe), '<=', 9, 'by ' . rpcs($cpe) . ' RPCs';
        is_deeply [grep { !known($cpe)->{$_} } @good], [], 'their values are known';
        nothing_left($cpe);
    };
}


subtest 'RPC-07 several culprits' => sub {
    my @bad = @NAMES[1, 2, 7];
    my $cpe = read_of(without(\@bad), 'r', @NAMES);
    $cpe->run_session('2 PERIODIC');
    is_deeply blamed($cpe, 'r'), \@bad, 'RPC-07 each is found';
    is_deeply values_of($cpe, 'r'), [@NAMES[0, 3 .. 6, 8]], 'the others were read';

    $cpe = read_of(without([@NAMES[0, 1]]), 'r', @NAMES[0, 1]);
    $cpe->run_session('2 PERIODIC');
    is_deeply blamed($cpe, 'r'), [@NAMES[0, 1]], 'RPC-07 all of them';
    is result($cpe, 'r')->{raw}{response}, '', '... and nothing was read';
};


for my $code (9002, 9003) {
    subtest "TOL-23 $code instead of 9005" => sub {
        my $cpe = read_of(without([$NAMES[4]], code => $code), 'r', @NAMES);
        $cpe->run_session('2 PERIODIC');
        is_deeply result($cpe, 'r')->{fault}{ParameterNames},
            [{ Name => $NAMES[4], FaultCode => $code }], "TOL-23 $code: found";
        is scalar @{ values_of($cpe, 'r') }, 8, 'the others were read';
    };
}


subtest 'RPC-07 one name: one RPC, the fault as it came' => sub {
    my $cpe = read_of(without([$NAMES[0]]), 'r', $NAMES[0]);
    $cpe->run_session('2 PERIODIC');
    is rpcs($cpe), 1, 'one RPC';
    is_deeply result($cpe, 'r')->{fault},
        { FaultCode => 9005, FaultString => 'Invalid parameter name' }, 'verbatim';

    for my $code (9001, 9000, 9800) {
        $cpe = read_of(device(sub { $code }), 'r', @NAMES);
        $cpe->run_session('2 PERIODIC');
        is rpcs($cpe), 1, "$code: less would not help, one RPC";
        is result($cpe, 'r')->{fault}{FaultCode}, $code, '... verbatim';
    }
};


subtest 'a part is refused for another reason' => sub {
    my $cpe = read_of(device(sub { my ($cpe, @names) = @_;
        return @names > 5 ? 9004 : (grep { $_ eq $NAMES[0] } @names) ? 9001 : 0;
    }), 'r', @NAMES);
    $cpe->run_session('2 PERIODIC');
    is_deeply blamed($cpe, 'r'), [@NAMES[0 .. 3]], 'its names are to blame';
    is_deeply values_of($cpe, 'r'), [@NAMES[4 .. 8]], 'the rest was read';
};


# --- paths -----------------------------------------------------------------

subtest 'RPC-07 TOL-23 a path with something bad below it' => sub {
    my @bad = ('Device.WiFi.Radio.1.Channel', 'Device.NAT.PortMapping.1.Protocol');
    my $cpe = read_of(without(\@bad), 'all', 'Device.');
    ok $cpe->run_session('2 PERIODIC')->{ok}, 'the session ends well';
    my %bad = map { ($_ => 1) } @bad;
    my @good = grep { !$bad{$_} } $cpe->model->paths;
    is_deeply [sort @{ blamed($cpe, 'all') }], [sort @bad],
        'RPC-07 the parameters that are to blame';
    is_deeply [sort @{ values_of($cpe, 'all') }], \@good, 'all others were read';
    is_deeply [grep { !known($cpe)->{$_} } @good], [], '... and are known';
    cmp_ok rpcs($cpe), '<', 80, 'by ' . rpcs($cpe) . ' RPCs';
    nothing_left($cpe);
};


subtest 'TOL-23 the empty path and the root path are refused' => sub {
    my $judge = sub { return (grep { $_ eq '' || $_ eq 'Device.' } @_) ? 9005 : 0 };
    for my $name ('', 'Device.') {
        my $cpe = read_of(device($judge), 'all', $name);
        $cpe->run_session('2 PERIODIC');
        is result($cpe, 'all')->{status}, 'done', "\"$name\": done";
        is_deeply [sort @{ values_of($cpe, 'all') }], [$cpe->model->paths],
            'TOL-23 all of it was read';
    }
    my $cpe = device($judge, on_rpc => { GetParameterNames => sub {
        return $_[1]->value('ParameterPath') eq '' ? CWMP::Model::throw(9005)
                                                   : undef } });
    read_of($cpe, 'all', '')->run_session('2 PERIODIC');
    is result($cpe, 'all')->{status}, 'done',
        'TOL-23 also when GetParameterNames of it is: its root is read';
};


subtest 'TOL-23 an empty table' => sub {
    my $cpe = device(sub { return (grep { $_ eq 'Device.NAT.PortMapping.' } @_)
                                  ? 9005 : 0 });
    $cpe->model->delete_row('Device.NAT.PortMapping.1.');
    read_of($cpe, 'r', 'Device.NAT.PortMapping.')->run_session('2 PERIODIC');
    is result($cpe, 'r')->{status}, 'done', 'TOL-23 done: there is nothing';
    is_deeply values_of($cpe, 'r'), [], '... and none was read';

    $cpe = read_of(device(sub { 9005 }), 'r', 'Device.Nope.');
    $cpe->run_session('2 PERIODIC');
    is rpcs($cpe), 2, 'a path that the device does not know: two RPCs';
    is_deeply result($cpe, 'r')->{fault},
        { FaultCode => 9005, FaultString => 'Invalid parameter name' },
        '... and its fault';
};


subtest 'what is gone, and what is not known to be' => sub {
    my $cpe = read_of(without([]), 'a', 'Device.');
    $cpe->run_session('2 PERIODIC');
    my $bad = 'Device.WiFi.Radio.1.Channel';
    delete $cpe->model->{param}{'Device.WiFi.Radio.1.TransmitPower'};
    $cpe->model->delete_row('Device.NAT.PortMapping.1.');
    $cpe->{on_rpc}{GetParameterValues} = sub {
        CWMP::Model::throw(9005) if grep { $bad =~ /^\Q$_\E/ } asked($_[1]);
        return undef;
    };
    read_of($cpe, 'b', 'Device.')->run_session('2 PERIODIC');
    is_deeply blamed($cpe, 'b'), [$bad], '(one cannot be read)';
    my $known = known($cpe);
    ok $known->{$bad}, 'what could not be read stays as it was';
    ok $known->{'Device.WiFi.Radio.1.TransmitPower'},
        '... and what else is below paths that were not read wholly';
    ok !$known->{'Device.NAT.PortMapping.1.Protocol'},
        'below a path that was read wholly it is gone';

    # a whole object goes: only a mark of what is above it can tell
    for my $set (@{ $cpe->model }{qw(param object)}) {
        delete @$set{ grep { /^Device\.DHCPv4\./ } keys %$set };
    }
    $redis->cmd('DEL', model_key($cpe));
    $cpe->{on_rpc}{GetParameterValues} = sub {
        CWMP::Model::throw(9004) if grep { $_ eq 'Device.' } asked($_[1]);
        return undef;
    };
    read_of($cpe, 'c', 'Device.')->run_session('2 PERIODIC');
    is result($cpe, 'c')->{status}, 'done', '(all can be read, by level)';
    is_deeply [sort keys %{ known($cpe) }], [$cpe->model->paths],
        'after all parts of it were read, what is gone is gone';
};


# --- 9004, and what a model cannot do --------------------------------------

sub at_most { my ($n) = @_; return sub { my ($cpe, @names) = @_;
    my %seen = map { ($_ => 1) } map { $cpe->model->below($_) } @names;
    return keys %seen > $n ? 9004 : 0 } }

subtest 'TOL-23 9004: by level, and known for the model' => sub {
    my $first = read_of(device(at_most(12), class => 'Small'), 'r', 'Device.');
    $first->run_session('2 PERIODIC');
    is result($first, 'r')->{status}, 'done', 'TOL-23 done';
    is_deeply [sort @{ values_of($first, 'r') }], [$first->model->paths],
        'TOL-23 all of it was read';
    cmp_ok failed($first), '>', 0, 'the first device refused some';
    is_deeply [grep { /^Device\.$|IP/ } map { (split /\t/)[2] // () }
               sort keys %{ $redis->hash('HGETALL', model_key($first)) }],
        ['Device.', 'Device.IP.', 'Device.IP.Interface.'], 'what it could not do is kept';
    cmp_ok $redis->cmd('TTL', model_key($first)), '>', 86400 * 29, 'for 30 days';
    ok !(grep { !/^level\t4\.0\.2\t/ }
         keys %{ $redis->hash('HGETALL', model_key($first)) }),
        '... for this software version';

    my $before = failed($first);
    read_of($first, 'again', 'Device.')->run_session('2 PERIODIC');
    is failed($first), $before, 'TOL-23 the device itself is not asked again';
    is result($first, 'again')->{status}, 'done', '... but read';

    my $able = read_of(device(at_most(1000), class => 'Small'), 'r', 'Device.');
    $able->run_session('2 PERIODIC');
    is rpcs($able), 1, 'RULE-4 what one device refuses slows no other one';

    my $second = read_of(device(at_most(12), class => 'Small'), 'r', 'Device.');
    $second->run_session('2 PERIODIC');
    is result($second, 'r')->{status}, 'done', 'the second device: done';
    is failed($second), $before, 'it refuses the same';
    ok $t->wait_log(qr/model learned: "level.4\.0\.2.Device\." \d+/, 2),
        'now it is known of the model, and the log says so';

    my $third = read_of(device(at_most(12), class => 'Small'), 'r', 'Device.');
    $third->run_session('2 PERIODIC');
    is result($third, 'r')->{status}, 'done', 'the third device: done';
    is failed($third), 0, 'TOL-23 it refused nothing: it was not asked';
    is_deeply [sort @{ values_of($third, 'r') }], [$third->model->paths],
        'all of it was read';

    my $new = device(at_most(1000), class => 'Small');
    $new->model->put('Device.DeviceInfo.SoftwareVersion', '5.0');
    read_of($new, 'r', 'Device.')->run_session('2 PERIODIC');
    is rpcs($new), 1, 'a new firmware is tried afresh';

    my $other = read_of(device(at_most(1000), class => 'Big'), 'r', 'Device.');
    $other->run_session('2 PERIODIC');
    is rpcs($other), 1, 'another model is another model';

    $redis->cmd('DEL', model_key($first));
    read_of($third, 'again', 'Device.')->run_session('2 PERIODIC');
    cmp_ok failed($third), '>', 0, 'after a DEL all is forgotten';
    read_of($second, 'again', 'Device.')->run_session('2 PERIODIC');
    is failed($second), $before, '... but what a device itself has refused';
    $redis->cmd('HDEL', $redis->device_key($second->id), 'learned');
    read_of($second, 'forgotten', 'Device.')->run_session('2 PERIODIC');
    cmp_ok failed($second), '>', $before, '... and that by an HDEL';
};


subtest 'TOL-23 a path of instances is known for all instances' => sub {
    my $judge = sub { my ($cpe, @names) = @_;
        return (grep { /^Device\.IP\.Interface\.\d\.$/ } @names) ? 9004 : 0 };
    my $cpe = read_of(device($judge, class => 'Inst'), 'r', 'Device.IP.Interface.1.');
    $cpe->run_session('2 PERIODIC');
    read_of($cpe, 's', 'Device.IP.Interface.2.')->run_session('2 PERIODIC');
    is failed($cpe), 1, 'the second instance is read by level at once';
    is_deeply [sort @{ values_of($cpe, 's') }], [sort grep { /^Device\.IP\.Interface\.2\./ }
                                     $cpe->model->paths], '... and wholly';
};


subtest 'TOL-23 9004: too many names' => sub {
    my $many = sub { my ($cpe, @names) = @_; return @names > 20 ? 9004 : 0 };
    my $model = sub {
        my $m = CWMP::Model->tr181;
        $m->add_param("Device.X.P$_", 'string', $_, 0) for 1 .. 100;
        return $m;
    };
    my @names = map { "Device.X.P$_" } 1 .. 100;
    my $first = read_of(device($many, class => 'Few', model => $model->()), 'r', @names);
    $first->run_session('2 PERIODIC');
    is result($first, 'r')->{status}, 'done', 'done';
    is_deeply values_of($first, 'r'), \@names, 'TOL-23 all were read, in order';
    cmp_ok failed($first), '>=', 2, 'it refused 100, and 50';

    my $able = read_of(device(at_most(1000), class => 'Few', model => $model->()), 'r', @names);
    $able->run_session('2 PERIODIC');
    is rpcs($able), 1, 'RULE-4 what one device refuses slows no other one';
    my $second = read_of(device($many, class => 'Few', model => $model->()), 'r', @names);
    $second->run_session('2 PERIODIC');
    is result($second, 'r')->{status}, 'done', 'the second device: done';
    is failed($second), failed($first), 'it refused as much';

    my $next = read_of(device($many, class => 'Few', model => $model->()), 'r', @names);
    $next->run_session('2 PERIODIC');
    is result($next, 'r')->{status}, 'done', 'the next device: done';
    is failed($next), 0, 'it refused nothing';

    # types of what is set are read as well
    my $third = device($many, class => 'Few', model => $model->());
    $third->model->{param}{$_}{writable} = 1 for @names;
    $redis->push_task($third->id, { method => 'SetParameterValues', id => 's',
        ParameterList => { map { ($_ => 'x') } @names } });
    $third->run_session('2 PERIODIC');
    is result($third, 's')->{status}, 'done', 'types are read in parts, too';
    is failed($third), 0, '... none of which was refused';
};


subtest 'TOL-23 9004: reading types' => sub {
    my $cpe = device(sub { my ($cpe, @names) = @_; return @names > 2 ? 9004 : 0 });
    my @set = grep { $cpe->model->{param}{$_}{writable}
                     && $cpe->model->{param}{$_}{type} eq 'string' }
              $cpe->model->paths;
    $redis->push_task($cpe->id, { method => 'SetParameterValues', id => 's',
        ParameterList => { map { ($_ => 'new') } @set } });
    $cpe->run_session('2 PERIODIC');
    is result($cpe, 's')->{status}, 'done', scalar(@set) . ' are set';
    is scalar(grep { $cpe->value($_) eq 'new' } @set), scalar @set, '... all of them';
    is $cpe->count('SetParameterValues'), 1, '... in one message';

    my $always = device(sub { 9004 });
    $redis->push_task($always->id, { method => 'SetParameterValues', id => 's',
        ParameterList => { map { ($_ => 'new') } @set } });
    $always->run_session('2 PERIODIC');
    is result($always, 's')->{status}, 'fault', 'one that always says 9004: fault';
    cmp_ok rpcs($always), '<', 10, '... soon';
};


# --- sessions --------------------------------------------------------------

subtest 'TOL-23 a path that makes a device hang up' => sub {
    my $cpe = device(sub { 0 });
    $cpe->{before_post} = sub {
        my ($self, $post) = @_;
        my ($n) = $post->{what} =~ /^GetParameterValuesResponse (\d+)/ or return '';
        return $n > 30 ? 'drop' : '';
    };
    read_of($cpe, 'r', 'Device.');
    ok !$cpe->run_session('2 PERIODIC')->{ok}, '(lost)';
    is $cpe->run_session('1 BOOT')->{ok}, 1, 'the next session goes well';
    is result($cpe, 'r')->{status}, 'done', 'TOL-23 it is read by level';
    is_deeply [sort @{ values_of($cpe, 'r') }], [$cpe->model->paths], 'all of it';
    is $redis->cmd('EXISTS', model_key($cpe)), 0,
        'a lost session alone is not held against the model';
};


subtest 'RPC-07 a session is lost in the middle' => sub {
    my $cpe = without([$NAMES[8]]);
    my $n = 0;
    $cpe->{before_post} = sub { return ++$n == 6 ? 'drop' : '' };
    read_of($cpe, 'r', @NAMES);
    ok !$cpe->run_session('2 PERIODIC')->{ok}, '(lost)';
    $cpe->run_session('1 BOOT');
    is_deeply blamed($cpe, 'r'), [$NAMES[8]], 'the culprit is found';
    is_deeply values_of($cpe, 'r'), [@NAMES[0 .. 7]], 'the others were read, once';
};


subtest 'RPC-07 cwmp_max_rpcs' => sub {
    my $cpe = without([$NAMES[8]], urls => [$t->url(0, '/two')]);
    read_of($cpe, 'r', @NAMES);
    my ($sessions, @counts) = (0);
    while (!result($cpe, 'r')->{status} && $sessions++ < 20) {
        my $before = rpcs($cpe);
        $cpe->run_session('2 PERIODIC');
        push @counts, rpcs($cpe) - $before;
    }
    is_deeply [grep { $_ > 2 } @counts], [], 'at most two RPCs a session';
    is_deeply blamed($cpe, 'r'), [$NAMES[8]], "found after $sessions sessions";
};


subtest 'what was read is in the result of a task that is cancelled' => sub {
    my $cpe = without([$NAMES[8]], urls => [$t->url(0, '/two')]);
    read_of($cpe, 'r', @NAMES)->run_session('2 PERIODIC');
    $redis->cmd('FCALL', 'cwmp_cancel', 1, $redis->device_key($cpe->id, 'tasks'), 'r');
    is result($cpe, 'r')->{status}, 'cancelled', 'cancelled';
    is_deeply values_of($cpe, 'r'), [@NAMES[0 .. 3]], 'the first half was read';
    nothing_left($cpe);
};

done_testing;
