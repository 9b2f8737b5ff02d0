#!/usr/bin/perl

# What is known of a device after its Inform: its record, the parameters, the
# index entries and the events; what a bootstrap forgets, and that an Inform
# that brings nothing new writes next to nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use CWMP::Envelope qw(gpv_response transfer_complete request);
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'D' . ++$n, @_) }
sub record { return $redis->device($_[0]->id) }


# The members of a sorted set that are this device's.
sub index_of {
    my ($d, $name) = @_;
    my $id = $d->id;
    return join('|', sort grep { /(?:^|\t)\Q$id\E$/ }
                $redis->list('ZRANGE', "cwmp:{0}:index:$name", 0, -1));
}


sub params_of {
    my (%value) = @_;
    return [map { ["Device.$_", 'string', $value{$_}] } sort keys %value];
}


my %FORCED = ('RootDataModelVersion' => '2.11',
    'DeviceInfo.HardwareVersion' => 'A1', 'DeviceInfo.SoftwareVersion' => '4.0',
    'ManagementServer.ParameterKey' => 'pk',
    'ManagementServer.ConnectionRequestURL' => 'http://192.0.2.7:7547/cr');


subtest 'the device record' => sub {
    my $d = device(class => 'Box 3000', manufacturer => "Acm\x{e9} & Co",
                   params => params_of(%FORCED), key => 'pk');
    my $key = $redis->device_key('00D09E-Box%203000-D1');
    is $d->key, $key, '(the ID is that of TR-069)';
    $d->inform('0 BOOTSTRAP', '1 BOOT');
    my $r = record($d);
    my %expected = (oui => '00D09E', class => 'Box 3000', serial => 'D1',
        manufacturer => "Acm\xc3\xa9 & Co", version => '4.0', hardware => 'A1',
        url => 'http://192.0.2.7:7547/cr', parameterkey => 'pk',
        root => 'Device', address => '127.0.0.1',
        events => '0 BOOTSTRAP,1 BOOT');
    is $r->{$_}, $expected{$_}, "$_" for sort keys %expected;
    my ($now) = $redis->list('TIME');
    cmp_ok abs($r->{$_} - $now), '<', 30, "$_ is now" for qw(seen first);

    sleep(0.01);
    $d->{params} = params_of(%FORCED, 'DeviceInfo.SoftwareVersion' => '4.1',
        'ManagementServer.ConnectionRequestURL' => 'http://192.0.2.8/cr');
    $d->inform('4 VALUE CHANGE');
    my $later = record($d);
    is $later->{version}, '4.1', 'a new version';
    is $later->{url}, 'http://192.0.2.8/cr', 'a new URL';
    is $later->{events}, '4 VALUE CHANGE', 'the last events';
    is $later->{first}, $r->{first}, 'first contact stays';
    cmp_ok $later->{seen}, '>', $r->{seen}, 'last contact moves on';
    is $later->{hardware}, 'A1', 'what is not new stays';

    my $bare = device(class => '', params => []);
    $bare->inform;
    is $bare->id, '00D09E-D2', '(no class)';
    is record($bare)->{serial}, 'D2', 'an Inform without any parameter';
};


subtest 'parameters of the Inform' => sub {
    my $d = device(params => [@{ params_of(%FORCED) },
        ['Device.Port', 'unsignedInt', '80'], ['Device.On', 'boolean', 'true'],
        ['Device.Name', 'string', "  caf\x{e9} <&> "]]);
    $d->inform;
    my $params = $redis->params($d->id);
    is_deeply $params->{'Device.Port'}, { type => 'xsd:unsignedInt',
        value => '80' }, 'type and value';
    is $params->{'Device.Name'}{value}, "  caf\x{e9} <&> ", 'as it was sent';
    is scalar(keys %$params), 8, 'all of them';

    $d->{params} = [['Device.Port', 'unsignedInt', '81']];
    $d->inform;
    $params = $redis->params($d->id);
    is $params->{'Device.Port'}{value}, '81', 'a new value';
    is scalar(keys %$params), 8, 'an Inform makes nothing go';
    is_deeply [keys %{ $redis->params($d->id, 'Device.Po') }], ['Device.Port'],
        'cwmp_params takes a prefix';
};


subtest 'index entries' => sub {
    my $d = device(params => params_of(%FORCED));
    $d->inform;
    my $id = $d->id;
    is index_of($d, 'model'), "00D09E Box\t$id", 'model';
    is index_of($d, 'version'), "4.0\t$id", 'version';
    is index_of($d, 'seen'), $id, 'last contact';
    my $score = $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $id);
    cmp_ok abs($score - record($d)->{seen}), '<', 0.002, '... its time';

    $d->{params} = params_of(%FORCED, 'DeviceInfo.SoftwareVersion' => '5.0');
    sleep(0.01);
    $d->inform;
    is index_of($d, 'version'), "5.0\t$id", 'a new version takes its place';
    is index_of($d, 'model'), "00D09E Box\t$id", 'the model stays';
    is $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $id), $score,
        'the time stays for a quarter of an hour';
    for my $case ([-899 => $score], [-901 => undef], [+60 => undef]) {
        my ($off, $stays) = @$case;
        my ($now) = $redis->list('TIME');
        $redis->cmd('ZADD', 'cwmp:{0}:index:seen', $score, $id);
        $redis->cmd('HSET', $d->key, 'indexed', $now + $off);
        $d->inform('2 PERIODIC');
        my $got = $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $id);
        cmp_ok abs($got - ($stays // record($d)->{seen})), '<', 0.002, $stays ? '... that long'
            : $off < 0 ? '... then it moves on'
            : '... or until the clock is set back';
    }

    my $other = device(params => params_of(%FORCED));
    $other->inform;
    is_deeply [$redis->list('ZRANGEBYLEX', 'cwmp:{0}:index:version', "[5.0\t",
        "(5.0\n")], ["5.0\t$id"], 'devices of one version are found';
};


subtest 'events' => sub {
    my $d = device();
    my $mine = sub { grep { ($_->{device} // '') eq $d->id } $redis->events };
    $d->give({ method => 'GetParameterValues', id => 'a',
               ParameterNames => ['Device.A'] },
             { method => 'GetParameterValues', id => 'b',
               ParameterNames => ['Device.B'] });
    $d->inform('1 BOOT', '2 PERIODIC');
    $d->post(transfer_complete(key => 'k', code => 9010));
    my $r = $d->refuse($d->empty, 9005);
    $d->respond($r);

    my @events = $mine->();
    is join(' ', map { $_->{type} } @events),
        'new inform transfer fault task task', 'one entry each, in order';
    my %of = map { ($_->{type} => $_) } @events;
    is $of{inform}{events}, '1 BOOT,2 PERIODIC', 'inform: its events';
    is $of{inform}{address}, '127.0.0.1', '... and from where';
    is "$of{transfer}{commandkey} $of{transfer}{fault}", 'k 9010', 'transfer';
    is "$of{fault}{id} $of{fault}{code}", 'a 9005', 'fault';
    is "$of{task}{id} $of{task}{method} $of{task}{status}",
        'b GetParameterValues done', 'task';

    $d->inform;
    is join(' ', map { $_->{type} } ($mine->())[6 .. 6]), 'inform',
        'new comes once';
};


subtest 'a bootstrap forgets what was read' => sub {
    my $d = device(params => params_of(%FORCED));
    $d->give({ method => 'GetParameterValues', id => 'a',
               ParameterNames => ['Device.'] });
    my $r = $d->begin;
    $d->post(gpv_response($r->id, ['Device.Old', 'int', '1'],
                          ['Device.DeviceInfo.SoftwareVersion', 'string', '4']));
    is $d->value('Device.Old'), 1, 'read';
    $d->inform('1 BOOT');
    is $d->value('Device.Old'), 1, 'a boot forgets nothing';
    is $d->value('Device.DeviceInfo.SoftwareVersion'), '4.0',
        'and an Inform that came before tells the news all the same';

    $d->give({ method => 'GetParameterValues', id => 'later', notBefore =>
               4102444800, ParameterNames => ['Device.'] });
    $d->session('0 BOOTSTRAP', '1 BOOT');
    is $d->value('Device.Old'), undef, 'a bootstrap does';
    is $d->value('Device.DeviceInfo.SoftwareVersion'), '4.0',
        'what it brings is there';
    is_deeply $d->ended, ['a done'], 'tasks and results stay';
    is $redis->cmd('ZCARD', $d->key('queue')), 1, '... pending ones, too';

    # types are read again, too: it may be another firmware
    $d->give({ method => 'SetParameterValues', id => 's',
               ParameterList => { 'Device.Old' => 2 } });
    is $d->begin->method, 'GetParameterValues', 'a type from before is not used';
};


subtest 'an Inform that brings nothing new' => sub {
    my $d = device(params => params_of(%FORCED));
    $d->session('2 PERIODIC');
    # one that comes within 5 seconds is counted
    $redis->cmd('HINCRBYFLOAT', $d->key(undef), 'seen', -10);
    my $before = record($d);
    my $param = 'Device.DeviceInfo.SoftwareVersion';
    my ($object) = $param =~ /^(.+\.)/;
    my $stored = $redis->cmd('HGET', $d->key('params'), $object);
    $stored =~ s/s4\.0/s4.0-marked/ or die 'how is it stored?';
    $redis->cmd('HSET', $d->key('params'), $object, $stored);

    sleep(0.01);
    $redis->cmd('CONFIG', 'RESETSTAT');
    $d->inform('2 PERIODIC');
    my %calls = $redis->cmd('INFO', 'commandstats')
                =~ /^cmdstat_(\w+):calls=(\d+)/mg;
    my $after = record($d);
    delete @$_{'clock'} for $before, $after;    # its own
    my @changed = grep { ($before->{$_} // '') ne ($after->{$_} // '') }
                  keys %{{ %$before, %$after }};
    is "@changed", 'seen', 'only the time of last contact changes';
    is $d->value($param), '4.0-marked', 'parameters are not written again';
    is $calls{fcall}, 1, 'one call';
    is $calls{$_} // 0, 0, "no $_" for qw(hdel zrem hincrby);
    is $calls{zadd} // 0, 0, 'nor an index entry';

    $d->{params} = params_of(%FORCED, Other => 'x');
    $d->inform('2 PERIODIC');
    is $d->value($param), '4.0', 'a new parameter: they are';
};

done_testing;
