#!/usr/bin/perl

# The events of an Inform: how they may be spelled, and what each of them asks
# of an ACS.  A bootstrap forgets what was known of the device and what it was
# to do, changes of values are told with their time, a heartbeat is no more
# than a sign of life, and what a CPE tells twice happens once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

my $X = 'Device.Time.NTPServer1';
my $VERSION = 'Device.DeviceInfo.SoftwareVersion';
my $SET = { method => 'SetParameterValues', id => 'set', ParameterList =>
            { $X => { value => 'new', type => 'xsd:string' } } };
my $LOAD = { method => 'Download', id => 'load', URL => 'http://fs.example/f',
             FileType => '1 Firmware Upgrade Image' };
my $DU = { method => 'ChangeDUState', id => 'du', Operations => [
           { Operation => 'Install', URL => 'http://fs.example/du' }] };
my $LATER = { method => 'ScheduleInform', id => 'later', DelaySeconds => 60 };
my $BOOT = { method => 'Reboot', id => 'boot' };

sub device { return CWMP::Script->new($t, 'E' . ++$n, @_) }
sub record { return $redis->device($_[0]->id) }
sub ns { return "urn:dslforum-org:cwmp-1-$_[0]" }


# What the stream of events says of this device, of one type.
sub told {
    my ($d, $type) = @_;
    return grep { $_->{type} eq $type && $_->{device} eq $d->id }
           $redis->events;
}


# An Inform with more than events: params, retry, key...
sub informs {
    my ($d, $events, %more) = @_;
    my $r = $d->post($d->inform_text(events => $events, %more));
    is $r->method, 'InformResponse', "(Inform @$events)";
    return $r;
}


# A device that has accepted these tasks, in a session that has ended.
sub busy {
    my ($d, @tasks) = @_;
    $d->give(@tasks);
    my @sent = $d->session;
    is scalar(@sent), scalar(@tasks), '(' . join(', ', @sent) . ' accepted)';
    return $d;
}


# The RPC of this task is sent, and no answer comes.
sub lose {
    my ($d, $task) = @_;
    $d->give($task);
    is $d->begin->method, $task->{method}, "($task->{method}, no answer)";
    $d->raw->reset;
    return $d;
}


# Its software is of this version now.
sub upgraded {
    my ($d, $version) = @_;
    my $params = CWMP::Envelope::default_params();
    $_->[0] eq $VERSION and $_->[2] = $version for @$params;
    $d->{params} = $params;
    return $d;
}


# --- how events are spelled ------------------------------------------------

my @NAMES = ('BOOTSTRAP', 'BOOT', 'PERIODIC', 'SCHEDULED', 'VALUE CHANGE',
    'KICKED', 'CONNECTION REQUEST', 'TRANSFER COMPLETE',
    'DIAGNOSTICS COMPLETE', 'REQUEST DOWNLOAD', 'AUTONOMOUS TRANSFER COMPLETE',
    'DU STATE CHANGE COMPLETE', 'AUTONOMOUS DU STATE CHANGE COMPLETE',
    'WAKEUP', 'HEARTBEAT');

my %VARIANT = ('0 BOOTSTAP' => '0 BOOTSTRAP', '1 boot' => '1 BOOT',
    '  2   PERIODIC ' => '2 PERIODIC', '4 VALUECHANGE' => '4 VALUE CHANGE',
    '8' => '8 DIAGNOSTICS COMPLETE', '6CONNECTION_REQUEST' =>
    '6 CONNECTION REQUEST', '07 Transfer  Complete' => '7 TRANSFER COMPLETE',
    'BOOT' => '1 BOOT', 'value change' => '4 VALUE CHANGE',
    'm reboot' => 'M Reboot', 'M  SCHEDULEINFORM' => 'M ScheduleInform',
    'M Download' => 'M Download', 'M X_00D09E_Do' => 'M X_00D09E_Do',
    'X CT-COM  BIND' => 'X CT-COM BIND', 'x 00D09E Text' => 'X 00D09E Text',
    '15 NEW THING' => '15 NEW THING', '101' => '101',
    '99999999999999999999999 BIG' => '99999999999999999999999 BIG',
    'WHAT EVER' => 'WHAT EVER', 'X 00D09E a,b' => 'X 00D09E a;b', '' => '', ' ' => '');

subtest 'EVT-02 every event, however it is spelled' => sub {
    my %is = (%VARIANT, map { ("$_ $NAMES[$_]" => "$_ $NAMES[$_]",
                               $_ => "$_ $NAMES[$_]") } 0 .. $#NAMES);
    for my $text (sort keys %is) {
        my $d = device();
        informs($d, ['2 PERIODIC', $text]);
        my $events = join(',', '2 PERIODIC', grep { length } $is{$text});
        is record($d)->{events}, $events, "EVT-02 '$text' is '$is{$text}'";
        is +(told($d, 'inform'))[0]{events}, $events,
            'EVT-02 in the events, too';
        is $d->empty->status, 204, 'EVT-02 and the session goes on';
    }
};


subtest 'EVT-02 a misspelt event does its duty' => sub {
    my $d = device(params => [['Device.Old', 'string', 'x']]);
    $d->inform;
    informs($d, ['0 BOOTSTAP'], params => []);
    is $d->value('Device.Old'), undef, 'EVT-02 0 BOOTSTAP is a bootstrap';

    for my $event (['m reboot', 'boot'], [' M  REBOOT ', 'boot'], ['1Boot', '']) {
        $d = device();
        $d->give($BOOT);
        $d->respond($d->begin);
        $d->inform($event);
        is $d->status('boot'), 'done', "EVT-02 '$event->[0]' ends a Reboot";
    }
};


subtest 'EVT-03 64 events' => sub {
    my $d = busy(device(), $LATER);
    my @many = map { ["X 00D09E $_", "key $_"] } 1 .. 63;
    $d->inform(@many, ['M ScheduleInform', 'later']);
    my @stored = split(/,/, record($d)->{events});
    is scalar(@stored), 64, 'EVT-03 64 are accepted';
    is $stored[62], 'X 00D09E 63', 'EVT-03 as they were sent';
    is $d->status('later'), 'done', 'EVT-03 the last one counts';

    my $r = $d->post($d->inform_text(events => [@many, 'X a', '0 BOOTSTRAP']));
    is $r->status, 400, 'EVT-03 65 are refused';
    like $r->body, qr/more than 64 events/, 'EVT-03 told why';
    is scalar(split(/,/, record($d)->{events})), 64, 'EVT-03 none is stored';
    is record($d)->{bootstrap}, undef, 'EVT-03 nor does one act';
};


# --- BOOTSTRAP -------------------------------------------------------------

# Reads, writes and lists its methods; the ACS knows all about it.
sub known {
    my $d = device(ns => ns(0), key => '', @_);
    $d->give({ %$SET, id => 'k0' }, { method => 'GetParameterValues', id => 'g',
               ParameterNames => ['Device.'] },
             { method => 'GetRPCMethods', id => 'm' });
    my $r = $d->respond($d->begin);
    $r = $d->post(gpv_response($r->id, ['Device.Old', 'string', 'x']));
    $d->respond($r, string_list('MethodList', 'Reboot', 'ChangeDUState'));
    $d->{key} = 'k0';
    $d->inform;
    is $d->value('Device.Old'), 'x', '(a value is known)';
    is record($d)->{parameterkey}, 'k0', '(and its ParameterKey)';
    return $d;
}


subtest 'EVT-01 BOOTSTRAP resets what is known' => sub {
    my $d = known();
    like record($d)->{methods}, qr/ChangeDUState/, '(and its methods)';
    $d->{key} = 'elsewhere';
    my ($now) = $redis->list('TIME');
    informs($d, ['0 BOOTSTRAP', '1 BOOT'], params => [[$X, 'string', 'x']]);
    my $r = record($d);
    is $d->value('Device.Old'), undef, 'EVT-01 values';
    is $d->value($X), 'x', 'EVT-01 but for what it brings';
    is $r->{$_}, undef, "EVT-01 $_" for qw(parameterkey url methods);
    cmp_ok abs($r->{bootstrap} - $now), '<', 30, 'EVT-01 when it was';
    is $r->{version}, '4.0.2', 'EVT-01 what it did not say stays: its version';
    $d->give($DU);
    is $d->empty->status, 204, 'EVT-01 what it could do is forgotten';
    is $d->result('du')->{fault}{reason},
        'needs CWMP 1.2, the device speaks 1.0', 'EVT-01 ... and asked anew';

    # one that keeps its ParameterKey is sent again what it did not get
    my @sent;
    for my $event ('1 BOOT', '0 BOOTSTRAP') {
        $d = known();
        $d->inform($event) if $event =~ /^0/;
        lose($d, $SET);
        $d->{key} = 'other';
        push @sent, $d->begin->method;
    }
    is "@sent", 'SetParameterValues GetParameterValues',
        'EVT-01 it has to show again that it keeps its ParameterKey';
};


subtest 'EVT-01 what waits is lost' => sub {
    my @tasks = ({ %$LOAD, id => 'conf', FileType => '3 Vendor Configuration '
                   . 'File' }, { method => 'Upload', id => 'up',
                   FileType => '2 Vendor Log File', URL => 'http://fs/u' },
                 $LATER, $DU, $LOAD);
    my $d = busy(device(), @tasks);
    $d->give_reads('queued');
    my $read = $d->begin('0 BOOTSTRAP');
    for my $id (qw(conf up later du load)) {
        is $d->status($id), 'lost', "EVT-01 $id is lost";
        like $d->reason($id), qr/0 BOOTSTRAP/, 'EVT-01 and why';
    }
    is_deeply [$read->names], ['Device.queued'], 'EVT-01 the queue stays';
    $d->respond($read);
    is $d->leftovers, '', 'EVT-01 nothing waits any more';

    for my $task ($SET, { method => 'DeleteObject', id => 'set',
                          ObjectName => 'Device.T.3.' }, $BOOT) {
        $d = lose(device(key => 'old'), $task);
        $d->{key} = '';
        is $d->begin('0 BOOTSTRAP')->status, 204,
            "EVT-01 $task->{method}: not sent again";
        is $d->status($task->{id}), 'lost', 'EVT-01 lost';
        like $d->reason($task->{id}), qr/reset/, 'EVT-01 and why';
    }

    # it was to be read back in a session that died, too
    $d = lose(device(key => 'old'), $SET);
    $d->inform('1 BOOT');
    $d->{key} = '';
    is $d->begin('0 BOOTSTRAP')->status, 204, 'EVT-01 nor is it read back';
    is $d->status('set'), 'lost', 'EVT-01 lost';

    $d = lose(device(), { %$LOAD, retry => \1 });
    is $d->begin('0 BOOTSTRAP')->method, 'Download',
        'EVT-01 one that may happen twice is sent again';
};


subtest 'EVT-01 a firmware shows itself' => sub {
    my %case = (new => ['5.0', {}, 'done'], same => ['4.0.2', {}, 'lost'],
        config => ['5.0', { FileType => '3 Vendor Configuration File' },
                   'lost'], other => ['5.0', { FileType => 'X 1 Other' },
                                      'lost']);

    for my $name (sort keys %case) {
        my ($version, $more, $status) = @{ $case{$name} };
        my $d = busy(device(), { %$LOAD, %$more });
        upgraded($d, $version)->inform('0 BOOTSTRAP', '1 BOOT');
        is $d->status('load'), $status, "EVT-01 $name: $status";
        is_deeply $d->result('load')->{response},
            { verified => 'SoftwareVersion' }, 'EVT-01 how that is known'
            if $status eq 'done';
        $d->post(transfer_complete(key => 'load'));
        is_deeply $d->ended, ["load $status"], 'EVT-01 one result';
    }

    my $d = busy(device(), $LOAD, { %$LOAD, id => 'other' });
    upgraded($d, '5.0')->inform('0 BOOTSTRAP');
    is_deeply $d->ended, ['load done', 'other lost'],
        'EVT-01 of two it can only be said of the first';

    $d = lose(device(), $LOAD);
    $d->inform('2 PERIODIC');
    upgraded($d, '5.0')->inform('2 PERIODIC');
    is $d->status('load'), 'none', 'EVT-01 without a bootstrap it still waits';
    $d->inform('0 BOOTSTRAP');
    is $d->status('load'), 'done', 'EVT-01 compared is with when it was sent';
};


subtest 'EVT-01 the event that ends a task counts first' => sub {
    my $d = busy(device(), $LATER);
    $d->inform('0 BOOTSTRAP', '3 SCHEDULED', ['M ScheduleInform', 'later']);
    is $d->status('later'), 'done', 'EVT-01 M ScheduleInform';

    $d = busy(device(), $BOOT);
    $d->inform('0 BOOTSTRAP', '1 BOOT');
    is $d->status('boot'), 'done', 'EVT-01 1 BOOT';

    for my $event ('7 TRANSFER COMPLETE', '7') {
        $d = busy(device(), $LOAD);
        $d->inform('0 BOOTSTRAP', $event);
        $d->post(transfer_complete(key => 'load', code => 9018));
        is $d->status('load'), 'fault', "EVT-01 $event: TransferComplete tells";
    }
    $d = busy(device(), $DU, $LOAD);
    $d->inform('0 BOOTSTRAP', '11 DU STATE CHANGE COMPLETE');
    is "@{ $d->ended }", 'load lost', 'EVT-01 11: of units, not of transfers';

    $d = lose(device(key => 'old'), $SET);
    $d->{key} = 'set';
    $d->inform('0 BOOTSTRAP');
    is $d->status('set'), 'done', 'EVT-01 the ParameterKey of what was set';
};


subtest 'EVT-01 EVT-06 a BOOTSTRAP that is told again' => sub {
    my $begun = sub {
        my $d = device(key => '');
        $d->give({ %$SET, id => 'k' }, $LATER, { method => 'GetParameterValues',
                   id => 'g', ParameterNames => ['Device.'] });
        my $r = $d->respond($d->begin('0 BOOTSTRAP'));
        $r = $d->respond($r);
        $d->post(gpv_response($r->id, ['Device.New', 'string', 'x']));
        $d->{key} = 'k';
        return $d;
    };

    my $d = $begun->();
    my $before = record($d)->{bootstrap};
    informs($d, ['0 BOOTSTRAP', '1 BOOT'], retry => 1);
    is $d->value('Device.New'), 'x', 'EVT-01 what was read since stays';
    is $d->status('later'), 'none', 'EVT-01 what was accepted since waits';
    is record($d)->{bootstrap}, $before, 'EVT-01 its time is the first one';
    informs($d, ['0 BOOTSTRAP', '1 BOOT'], retry => 2);
    is $d->value('Device.New'), 'x', 'EVT-01 however often';

    my %another = ('no retry' => {}, 'the ParameterKey is gone' =>
                   { retry => 1, key => '' });
    for my $name (sort keys %another) {
        $d = $begun->();
        informs($d, ['0 BOOTSTRAP', '1 BOOT'], %{ $another{$name} });
        is $d->value('Device.New'), undef, "EVT-01 $name: another reset";
        is $d->status('later'), 'lost', 'EVT-01 ... which ends what waits';
    }
    $d = $begun->();
    $d->inform('2 PERIODIC');
    informs($d, ['0 BOOTSTRAP'], retry => 1);
    is $d->value('Device.New'), undef, 'EVT-01 an Inform in between';
};


subtest 'RPC-28 FactoryReset' => sub {
    for my $answered (1, 0) {
        my $d = device();
        my $task = { method => 'FactoryReset', id => 'fr' };
        $d->give({ method => 'GetParameterValues', id => 'g',
                   ParameterNames => ['Device.'] }, $task);
        my $r = $d->begin('0 BOOTSTRAP');
        $r = $d->post(gpv_response($r->id, ['Device.Old', 'string', 'x']));
        is $r->method, 'FactoryReset', '(is sent)';
        $d->respond($r) if $answered;
        is $d->value('Device.Old'), 'x', 'RPC-28 not by its response';

        # the first one after it may be lost on its way
        informs($d, ['0 BOOTSTRAP', '1 BOOT'], retry => 1);
        is $d->status('fr'), 'done', 'RPC-28 done by the next BOOTSTRAP';
        is $d->value('Device.Old'), undef, 'RPC-28 which makes values invalid';
        is $d->empty->status, 204, 'RPC-28 it is not sent again';
    }
};


# --- VALUE CHANGE, RetryCount ----------------------------------------------

subtest 'EVT-04 VALUE CHANGE' => sub {
    my $d = device(params => [@{ CWMP::Envelope::default_params() },
                              ['Device.A', 'string', '1']]);
    $d->inform('1 BOOT');
    is scalar(told($d, 'value change')), 0, '(none yet)';
    push @{ $d->{params} }, ['Device.B', 'int', '-2'];
    $d->{params}[-2][2] = "a \"q\"\n\x{fc}";
    my $began = time();
    informs($d, ['4 VALUE CHANGE']);

    my @told = told($d, 'value change');
    is scalar(@told), 1, 'EVT-04 it is told';
    is_deeply $told[0]{parameters}, { 'Device.A' => "a \"q\"\n\x{fc}",
        'Device.B' => '-2' }, 'EVT-04 what changed, and nothing else';
    my ($ms) = $told[0]{stream_id} =~ /^(\d+)/;
    cmp_ok abs($ms / 1000 - $began), '<', 10, 'EVT-04 and when';
    is $d->value('Device.B'), '-2', 'EVT-04 values are stored';

    informs($d, ['4 VALUE CHANGE'], retry => 1);
    is scalar(told($d, 'value change')), 1, 'EVT-04 EVT-06 told again: once';
    $d->{params}[-1][2] = '3';
    informs($d, ['2 PERIODIC']);
    is scalar(told($d, 'value change')), 1, 'EVT-04 only by its event';

    # the ACS has read it before the Inform came
    $d->give_reads('B');
    my $r = $d->begin;
    $d->post(gpv_response($r->id, ['Device.B', 'int', '3']));
    informs($d, ['4 VALUE CHANGE']);
    @told = told($d, 'value change');
    is $told[1]{parameters}{'Device.B'}, '3', 'EVT-04 one that was read before';

    my @up = ('Device.DeviceInfo.UpTime', 'unsignedInt');
    my @known = (@{ CWMP::Envelope::default_params() }, ['Device.B', 'int', 3]);
    informs($d, ['4 VALUE CHANGE'], params => [@known, [@up, 20]]);
    @told = told($d, 'value change');
    is_deeply $told[2]{parameters}, { 'Device.B' => 3, $up[0] => 20 },
        'EVT-04 beside one that is always another';
    informs($d, ['4 VALUE CHANGE'], params => [@known, [@up, 40]], retry => 1);
    is_deeply +(told($d, 'value change'))[3]{parameters}, { $up[0] => 40 },
        'EVT-06 told again: only what is new';
    informs($d, ['4 VALUE CHANGE'], params => [[@up, 40], @known], retry => 2);
    is scalar(told($d, 'value change')), 4, 'EVT-06 ... if anything is';

    my @many = map { ["Device.T.$_", 'string', 'v' x 40] } 1 .. 3000;
    informs($d, ['4 VALUE CHANGE'], params => \@many);
    @told = told($d, 'value change');
    is_deeply $told[4]{parameters}, { truncated => JSON::PP::true },
        'EVT-04 a long list says that it is one';
    is scalar(keys %{ $redis->params($d->id, 'Device.T.') }), 3000,
        'EVT-04 ... and is stored';
};


subtest 'EVT-05 RetryCount' => sub {
    my $d = device();
    $d->inform;
    is record($d)->{retries}, undef, 'EVT-05 none';
    for my $count (7, 12, 0) {
        informs($d, ['2 PERIODIC'], retry => $count);
        is record($d)->{retries}, $count, "EVT-05 $count";
    }
    for my $odd ('many', '-3', '9' x 40) {
        informs($d, ['2 PERIODIC'], retry => $odd);
        is record($d)->{retries}, 0, "EVT-05 '$odd' is none";
    }
};


# --- what is told twice ----------------------------------------------------

subtest 'EVT-06 what is told again happens once' => sub {
    my @tasks = ($LATER, $BOOT);
    my @events = ('1 BOOT', ['M ScheduleInform', 'later'], ['M Reboot', 'boot']);
    my $d = busy(device(), @tasks);
    informs($d, \@events, retry => $_) for 0 .. 2;
    is_deeply [sort @{ $d->ended }], ['boot done', 'later done'],
        'EVT-06 one result each';
    is $d->begin(@events)->status, 204, 'EVT-06 nothing is sent again';
    $d->give({ %$BOOT, CommandKey => 'another' });
    $d->respond($d->begin);
    informs($d, [['M Reboot', 'boot']], retry => 3);
    is scalar(@{ $d->ended }), 2, 'EVT-06 an old key ends no new task';
};


# --- HEARTBEAT, WAKEUP -----------------------------------------------------

subtest 'EVT-07 HEARTBEAT' => sub {
    my $d = device();
    $d->inform('1 BOOT');
    $redis->cmd('HSET', $d->key, 'indexed', 1);
    my %before = %{ record($d) };
    $d->give_reads('a');
    push @{ $d->{params} = CWMP::Envelope::default_params() },
        ['Device.A', 'string', 'a'];
    sleep(0.01);
    $redis->cmd('CONFIG', 'RESETSTAT');
    is $d->begin('14 HEARTBEAT')->status, 204, 'EVT-07 204 at once';
    my %calls = $redis->cmd('INFO', 'commandstats')
                =~ /^cmdstat_(\w+):calls=(\d+)/mg;
    is $calls{xadd} // 0, 0, 'EVT-07 no event';
    is $calls{zadd}, 2, 'EVT-07 last contact, and the task that was pushed';
    my %after = %{ record($d) };
    cmp_ok $after{seen}, '>', $before{seen}, 'EVT-07 last contact moves on';
    my $score = $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $d->id);
    cmp_ok abs($score - $after{seen}), '<', 0.002, 'EVT-07 in the index, too';
    is $after{events}, '14 HEARTBEAT', 'EVT-07 it is the last event';
    delete @$_{qw(seen order events indexed free burst)} for \(%before, %after);
    is_deeply \%after, \%before, 'EVT-07 all else stays';
    is $d->value('Device.A'), undef, 'EVT-07 no parameter is written';
    is $d->status('a'), 'none', 'EVT-07 no task is taken';
    is $d->post(transfer_complete(key => 'k'))->method,
        'TransferCompleteResponse', 'EVT-07 its requests are answered';
    is $d->empty->status, 204, 'EVT-07 still no task';
    is join(' ', $d->session), 'GetParameterValues', 'EVT-07 the next time';

    my $new = device();
    $new->inform('14 HEARTBEAT');
    is record($new)->{events}, '14 HEARTBEAT', 'EVT-07 an unknown device is new';
    is scalar(told($new, 'new')), 1, 'EVT-07 ... and told';
    $new->give_reads('a');
    is $new->begin('14 HEARTBEAT', '2 PERIODIC')->method, 'GetParameterValues',
        'EVT-07 with another event it is an Inform as any other';

    $new->inform('0 BOOTSTRAP');
    $new->inform('14 HEARTBEAT');
    $new->give_reads('old');
    $new->respond($new->begin('2 PERIODIC')) for 1 .. 2;
    $new->inform('0 BOOTSTRAP');
    $new->inform('14 HEARTBEAT');
    informs($new, ['0 BOOTSTRAP'], retry => 1,
            params => CWMP::Envelope::default_params());
    is $new->value('Device.old'), undef,
        'EVT-01 a BOOTSTRAP behind a heartbeat is another one';

    lose($d, $BOOT);
    is $d->begin('14 HEARTBEAT')->status, 204, 'EVT-07 it ends a lost session';
    is $redis->cmd('EXISTS', $d->key('running')), 0, 'EVT-07 none is running';
    $d->inform(['M Reboot', 'boot']);
    is $d->status('boot'), 'done', 'EVT-07 and other events are still to come';
};


subtest 'EVT-08 WAKEUP' => sub {
    my $d = device();
    $d->give_reads('a');
    is $d->begin('13 WAKEUP')->method, 'GetParameterValues',
        'EVT-08 its tasks run';
    is record($d)->{events}, '13 WAKEUP', 'EVT-08 the device has it';
    is +(told($d, 'inform'))[0]{events}, '13 WAKEUP', 'EVT-08 and the events';
};

done_testing;
