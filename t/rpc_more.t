#!/usr/bin/perl

# The RPCs beside parameters, Reboot and Download: attributes, Upload, what is
# scheduled and cancelled, options, deployment units; and the requests of a CPE
# beside Inform and TransferComplete.  From the task to the bytes, from the
# answer (and the event or request that ends it) to the result.

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
my $n = 0;
my $UUID = '2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87';
my $FW = '1 Firmware Upgrade Image';

sub device { return CWMP::Script->new($t, 'M' . ++$n, @_) }
sub children { return join(' ', map { $_->{local} } $_[0]->kids) }
sub task { my ($method, $id, %o) = @_;
           return { method => $method, id => $id, %o } }
sub tag { return map { "<$_->[0]>" . xml_escape($_->[1]) . "</$_->[0]>" } @_ }


# These tasks end as rejected, for this field, and nothing is sent.
sub refused {
    my ($id, @cases) = @_;
    my $d = device();
    my $i = 0;
    $d->give(map { { %{ $_->[0] }, id => 'b' . ++$i } } @cases);
    is $d->begin->status, 204, "$id nothing of it is sent";
    $i = 0;
    for my $case (@cases) {
        is $d->result('b' . ++$i)->{fault}{field}, $case->[1],
            "$id $case->[2]: refused";
    }
}


# What became of a device's requests, as events.
sub told {
    my ($d, $type) = @_;
    return grep { $_->{type} eq $type && $_->{device} eq $d->id }
           $d->redis->events;
}


# --- attributes ------------------------------------------------------------

subtest 'RPC-10 SetParameterAttributes' => sub {
    my $d = device();
    $d->give(task('SetParameterAttributes', 's', ParameterList => [
        { Name => 'Device.A', Notification => 2 },
        { Name => 'Device.B.', AccessList => ['Subscriber', 'X_1'] },
        { Name => 'Device.C', Notification => 0, AccessList => [] }]));
    my $r = $d->begin;
    my @rows = $r->node->child('ParameterList')->kids;
    is children($_), 'Name NotificationChange Notification AccessListChange '
        . 'AccessList', 'RPC-10 all of it, in order' for @rows;
    is_deeply [map { my $row = $_;
        [(map { $row->value($_) } qw(Name NotificationChange Notification
                                     AccessListChange)),
         map { $_->{text} } $row->child('AccessList')->kids] } @rows],
        [['Device.A', 1, 2, 0], ['Device.B.', 0, 0, 1, 'Subscriber', 'X_1'],
         ['Device.C', 1, 0, 1]], 'RPC-10 what is left out is not changed, and '
        . 'has a valid value';
    is $rows[0]->child('AccessList')->attribute('arrayType'), 'xsd:string[0]',
        'RPC-10 the array is there';
    is $d->respond($r)->status, 204, 'the response';
    is_deeply $d->ended, ['s done'], 'done';

    refused('RPC-10', map { [task('SetParameterAttributes', 0,
        ParameterList => [$_->[0]]), "ParameterList[0].$_->[1]", $_->[2]] }
        [{ Name => 'A', Notification => 7 }, 'Notification', 'above 6'],
        [{ Name => 'n' x 257, Notification => 1 }, 'Name', '257 characters'],
        [{ Name => 'A', AccessList => 'x' }, 'AccessList', 'no list'],
        [{ Name => 'A', Notify => 1 }, 'Notify', 'a misspelt name']);
};


subtest 'RPC-11 a notification that is rejected' => sub {
    my $d = device();
    $d->give(task('SetParameterAttributes', 's', ParameterList => [
        { Name => 'Device.A', Notification => 2 }]));
    is $d->refuse($d->begin, 9009)->status, 204, 'RPC-11 9009';
    is $d->result('s')->{fault}{FaultCode}, 9009, 'RPC-11 is recorded';
    is_deeply [$d->session], [], 'RPC-11 and it is not sent again';
    is_deeply $d->ended, ['s fault'], 'RPC-11 one result';

    # no answer at all: what is to be is said again, it does no harm
    $d->give(task('SetParameterAttributes', 'again', ParameterList => [
        { Name => 'Device.A', Notification => 1 }]));
    is $d->begin->method, 'SetParameterAttributes', 'lost';
    is $d->begin->method, 'SetParameterAttributes', 'sent again';
};


subtest 'GetParameterAttributes' => sub {
    my $d = device();
    $d->give(task('GetParameterAttributes', 'g',
                  ParameterNames => ['Device.', '']));
    my $r = $d->begin;
    is_deeply [$r->names], ['Device.', ''], 'its names';
    $d->post(gpa_response($r->id, ['Device.A', 2, 'Subscriber', 'X "1"'],
                          ['Device.B', 0]));
    is_deeply $d->result('g')->{response}, { ParameterList => [
        { Name => 'Device.A', Notification => 2,
          AccessList => ['Subscriber', 'X "1"'] },
        { Name => 'Device.B', Notification => 0, AccessList => [] }] },
        'its result has the lists';
};


# --- transfers -------------------------------------------------------------

my @UP = (FileType => '3 Vendor Configuration File 1',
          URL => 'https://fs.example/up?a=1&b=2');

subtest 'RPC-23 Upload' => sub {
    my $d = device();
    $d->give(task('Upload', 'u', @UP), task('Upload', 'now', @UP));
    my $r = $d->begin;
    is children($r->node), 'CommandKey FileType URL Username Password '
        . 'DelaySeconds', 'RPC-23 arguments in order';
    is $r->arg('FileType'), $UP[1], 'RPC-23 the instance in FileType';
    is $r->arg('CommandKey'), 'u', 'a key is made';
    $r = $d->post(download_response($r->id, 1, method => 'Upload'));
    $d->post(download_response($r->id, 0, method => 'Upload'));
    is_deeply $d->ended, ['now done'], 'Status 0 ends it, Status 1 does not';
    $d->inform('7 TRANSFER COMPLETE', ['M Upload', 'u']);
    $d->post(transfer_complete(key => 'u', code => 9011, string => 'x'));
    is $d->status('u'), 'fault', 'RPC-23 TransferComplete ends it';
    is $d->result('u')->{fault}{FaultStruct}{FaultCode}, 9011, '... by its code';

    $d->give(task('Upload', 'lost', @UP));
    is $d->begin->method, 'Upload', '(no answer)';
    is $d->begin->status, 204, 'not sent twice';
    $d->post(transfer_complete(key => 'lost'));
    is $d->status('lost'), 'done', 'TransferComplete says that it was done';
};


sub windows { return [map { { WindowStart => $_->[0], WindowEnd => $_->[1],
                              WindowMode => '3 When Idle' } } @_] }

sub scheduled { my ($id, @windows) = @_;
    return task('ScheduleDownload', $id, FileType => $FW,
                URL => 'https://fs.example/1.bin', TimeWindowList =>
                windows(@windows)) }


subtest 'RPC-24 ScheduleDownload' => sub {
    my $d = device();
    my $task = scheduled('d', [3600, 7200], [90000, 100000]);
    @{ $task->{TimeWindowList}[1] }{qw(WindowMode UserMessage MaxRetries)}
        = ('4 Confirmation Needed', 'now?', -1);
    $d->give($task);
    my $r = $d->begin;
    is children($r->node), 'CommandKey FileType URL Username Password '
        . 'FileSize TargetFileName TimeWindowList', 'RPC-24 arguments';
    my @w = $r->node->child('TimeWindowList')->kids;
    is join(',', map { $_->{text} } map { $_->kids } @w),
        '3600,7200,3 When Idle,,0,90000,100000,4 Confirmation Needed,now?,-1',
        'RPC-24 two windows';
    is children($w[0]), 'WindowStart WindowEnd WindowMode UserMessage '
        . 'MaxRetries', 'RPC-24 ... in order';
    is $d->respond($r)->status, 204, 'RPC-24 an empty response';
    is_deeply $d->ended, [], 'RPC-24 does not end it';
    my $w = JSON::PP::decode_json($d->redis->cmd('HGET', $d->key('waiting'), 'd'));
    cmp_ok $w->{deadline} / 1000 - time(), '>', 86400 + 99000,
        'RPC-24 it is awaited for a day after the last window';
    $d->inform('7 TRANSFER COMPLETE', ['M ScheduleDownload', 'd']);
    $d->post(transfer_complete(key => 'd', code => 9020, string => 'late'));
    is $d->status('d'), 'fault', 'RPC-24 TransferComplete ends it';

    refused('RPC-24',
        [scheduled(0, [5, 5]), 'TimeWindowList[0]', 'a window of no length'],
        [scheduled(0, [1, 9], [8, 20]), 'TimeWindowList[1]', 'overlap'],
        [scheduled(0, [50, 60], [1, 9]), 'TimeWindowList[1]', 'wrong order'],
        [scheduled(0, [1, 2], [3, 4], [5, 6]), 'TimeWindowList', 'three'],
        [scheduled(0), 'TimeWindowList', 'none']);
};


subtest 'RPC-25 ScheduleInform' => sub {
    my $d = device();
    $d->give(task('ScheduleInform', 'a', DelaySeconds => 300),
             task('ScheduleInform', 'b', DelaySeconds => 1, CommandKey => 'B'));
    my $r = $d->begin;
    is join(',', map { "$_->{local}=$_->{text}" } $r->node->kids),
        'DelaySeconds=300,CommandKey=a', 'RPC-25 DelaySeconds, then CommandKey';
    is $d->respond($d->respond($r))->status, 204, 'the responses';
    is_deeply $d->ended, [], 'they do not end it';
    $d->inform('3 SCHEDULED', ['M ScheduleInform', 'B'],
               ['M ScheduleInform', 'x']);
    is_deeply $d->ended, ['b done'], 'RPC-25 the event of its key does';
    my $w = JSON::PP::decode_json($d->redis->cmd('HGET', $d->key('waiting'), 'a'));
    my $left = $w->{deadline} / 1000 - time();
    ok $left > 3700 && $left <= 3901, 'awaited for the delay and an hour';

    refused('RPC-25',
        [task('ScheduleInform', 0, DelaySeconds => 0), 'DelaySeconds', '0'],
        [task('ScheduleInform', 0, DelaySeconds => -1), 'DelaySeconds', '-1'],
        [task('ScheduleInform', 0), 'DelaySeconds', 'none']);
};


# How long what was accepted is awaited, in seconds: what the task says, and
# what the deadlines know.
my $WINDOW = { FileType => $FW, URL => 'https://h/f', TimeWindowList => [
    { WindowStart => 10, WindowEnd => 500, WindowMode => '3 When Idle' }] };
my %AWAITED = (
    Reboot => [1800], FactoryReset => [3600],
    Download => [86400, FileType => $FW, URL => 'https://h/f'],
    'Download later' => [86400 + 700, FileType => $FW, URL => 'https://h/f',
                         DelaySeconds => 700],
    Upload => [86400, @UP], 'Upload later' => [86400 + 50, @UP,
                                               DelaySeconds => 50],
    ScheduleDownload => [86400 + 500, %$WINDOW],
    ScheduleInform => [3600 + 300, DelaySeconds => 300],
    ChangeDUState => [90000, Operations => [{ Operation => 'Update' }]],
);

subtest 'how long an event is awaited' => sub {
    for my $what (sort keys %AWAITED) {
        my ($wait, @args) = @{ $AWAITED{$what} };
        my ($method) = $what =~ /^(\w+)/;
        my $d = device();
        $d->give(task($method, 'w', @args));
        my $r = $d->begin;
        is $r->method, $method, "$what is sent";
        $r = $d->respond($r);
        my $now = time();
        is $r->status, 204, '... accepted';
        is_deeply $d->ended, [], '... and not over yet';

        my $w = JSON::PP::decode_json($d->redis->cmd('HGET',
                                                     $d->key('waiting'), 'w'));
        my $due = $d->redis->cmd('ZSCORE', 'cwmp:{0}:due',
                                 "w @{[$d->id]} w");
        for (['the task', $w->{deadline}], ['the deadlines', $due]) {
            my ($who, $at) = @$_;
            cmp_ok abs(($at // 0) / 1000 - $now - $wait), '<', 15,
                "$what is awaited for $wait s, say $who";
        }
    }
};


subtest 'RPC-26 CancelTransfer' => sub {
    my $d = device();
    $d->give(scheduled('fw', [1, 9]), task('CancelTransfer', 'c1',
             CommandKey => 'fw'));
    my $r = $d->respond($d->begin);
    is_deeply [$r->method, $r->arg('CommandKey')], ['CancelTransfer', 'fw'],
        "RPC-26 the key is the transfer's";
    $r = $d->refuse($r, 9021);
    is $d->result('c1')->{fault}{FaultCode}, 9021, 'RPC-26 9021 is recorded';
    is_deeply $d->ended, ['c1 fault'], 'RPC-26 the transfer is awaited still';

    $d->give(task('CancelTransfer', 'c2', CommandKey => 'fw'));
    is $d->respond($d->begin)->status, 204, 'accepted';
    is_deeply [sort @{ $d->ended }], ['c1 fault', 'c2 done', 'fw cancelled'],
        'RPC-26 the transfer ends as cancelled';
    ok !$d->has('waiting'), '... and is awaited no longer';

    refused('RPC-26', [task('CancelTransfer', 0), 'CommandKey', 'no key'],
        [task('CancelTransfer', 0, CommandKey => ''), 'CommandKey', 'empty']);
};


subtest 'RPC-27 queued transfers' => sub {
    for my $count (0, 16) {
        my $d = device();
        my @rows = map { { CommandKey => "k$_", State => 1 + $_ % 3 } }
                   1 .. $count;
        my %more = (IsDownload => 1, FileType => $FW, FileSize => 5,
                    TargetFileName => '');
        $d->give(task('GetQueuedTransfers', 'q'),
                 task('GetAllQueuedTransfers', 'all'));
        my $r = $d->begin;
        is scalar($r->node->kids), 0, 'no arguments';
        my $list = sub {
            my ($type, @fields) = @_;
            return qq(<TransferList soap-enc:arrayType="cwmp:${type}[$count]">)
                . join('', map { my $row = $_; "<$type>" . join('', tag(map {
                [$_, $row->{$_} // $more{$_}] } @fields)) . "</$type>" } @rows)
                . '</TransferList>';
        };
        $r = $d->respond($r, $list->('QueuedTransferStruct',
                                     qw(CommandKey State)));
        is $r->method, 'GetAllQueuedTransfers', 'the next';
        $d->respond($r, $list->('AllQueuedTransferStruct', qw(CommandKey State
            IsDownload FileType FileSize TargetFileName)));
        is_deeply $d->result('q')->{response}, { TransferList => \@rows },
            "RPC-27 $count entries";
        is_deeply $d->result('all')->{response}, { TransferList => [
            map { { %$_, %more, IsDownload => JSON::PP::true } } @rows] },
            "RPC-27 $count entries of all";
    }
};


subtest 'SetVouchers, GetOptions' => sub {
    my $d = device();
    $d->give(task('SetVouchers', 'v', VoucherList => ['PHg+', 'AAEC']),
             task('GetOptions', 'o'));
    my $r = $d->begin;
    is join(',', map { "$_->{local} $_->{text}" }
            $r->node->child('VoucherList')->kids), 'base64 PHg+,base64 AAEC',
        'the vouchers';
    $r = $d->respond($r);
    is $r->arg('OptionName'), '', 'all options';
    my @row = (['OptionName', 'A'], ['VoucherSN', 7], ['State', 3],
               ['Mode', 2], ['StartDate', $UNKNOWN_TIME]);
    $d->respond($r, '<OptionList><OptionStruct>' . join('', tag(@row,
        ['IsTransferable', 0])) . '</OptionStruct></OptionList>');
    is_deeply $d->result('o')->{response}, { OptionList => [{
        (map { @$_ } @row), IsTransferable => JSON::PP::false }] }, 'a result';
    is $d->status('v'), 'done', 'both done';
    refused('vouchers', [task('SetVouchers', 0, VoucherList => ['?']),
                         'VoucherList[0]', 'no base64']);
};


# --- deployment units ------------------------------------------------------

sub result_of {
    my ($uuid, $code, @more) = @_;
    return '<Results>' . join('', tag(['UUID', $uuid],
        ['DeploymentUnitRef', 'D.1'], ['Version', '1.0'],
        ['CurrentState', $code ? 'Failed' : 'Installed'], ['Resolved', 1],
        ['ExecutionUnitRefList', ''], ['StartTime', $UNKNOWN_TIME],
        ['CompleteTime', $UNKNOWN_TIME])) . '<Fault>' . join('',
        tag(['FaultCode', $code], ['FaultString', "f$code"])) . '</Fault>'
        . join('', tag(@more)) . '</Results>';
}


# The same as JSON.
sub json_of {
    my ($uuid, $code, @more) = @_;
    return { UUID => $uuid, DeploymentUnitRef => 'D.1', Version => '1.0',
        CurrentState => $code ? 'Failed' : 'Installed', ExecutionUnitRefList
        => '', Resolved => JSON::PP::true, StartTime => $UNKNOWN_TIME,
        CompleteTime => $UNKNOWN_TIME, map({ @$_ } @more),
        Fault => { FaultCode => $code, FaultString => "f$code" } };
}


sub change { return task('ChangeDUState', $_[0], Operations => $_[1] || [
    { Operation => 'Install', URL => 'https://fs.example/a', UUID => $UUID,
      ExecutionEnvRef => 'D.E.1' },
    { Operation => 'Update', Version => '2' },
    { Operation => 'Uninstall', UUID => $UUID }]) }


subtest 'RPC-29 ChangeDUState' => sub {
    my $d = device();
    $d->give(change('du'));
    my $r = $d->begin;
    my @ops = $r->node->kids('Operations');
    is children($r->node), 'Operations Operations Operations CommandKey',
        'RPC-29 repeated, then the key';
    is_deeply [map { $_->attribute('type') } @ops], [map { "cwmp:${_}OpStruct" }
        qw(Install Update Uninstall)], 'RPC-29 each with its type';
    is_deeply [map { children($_) } @ops], ['URL UUID ExecutionEnvRef',
        'Version', 'UUID'], 'RPC-29 in order, what is not given is left out';
    is $ops[0]->value('UUID'), $UUID, 'RPC-29 an explicit UUID';
    is $d->respond($r)->status, 204, 'an empty response';
    is_deeply $d->ended, [], 'does not end it';

    refused('RPC-29', map { [change(0, [$_->[0]]), "Operations[0].$_->[1]",
                             $_->[2]] }
        [{ Operation => 'Remove' }, 'Operation', 'an unknown operation'],
        [{ UUID => $UUID }, 'Operation', 'no operation'],
        [{ Operation => 'Install' }, 'URL', 'Install without a URL'],
        [{ Operation => 'Uninstall' }, 'UUID', 'Uninstall without a UUID'],
        [{ Operation => 'Update', UUID => 'x' }, 'UUID', 'no UUID']);
};


subtest 'RPC-30 DUStateChangeComplete' => sub {
    my $changing = sub {
        my $d = device();
        $d->give(change('du'));
        $d->respond($d->begin);
        $d->inform('11 DU STATE CHANGE COMPLETE', ['M ChangeDUState', 'du']);
        return $d;
    };
    my $complete = sub { my ($d, $key, @results) = @_;
        my $r = $d->post(request('c', 'DUStateChangeComplete',
            join('', map { result_of(@$_) } @results)
            . join('', tag(['CommandKey', $key]))));
        is $r->method, 'DUStateChangeCompleteResponse', "$key: the response";
    };

    my $d = $changing->();
    my @all = ([$UUID, 0], ['b', 0], ['c', 0]);
    $complete->($d, 'another', ['x', 0]);
    is_deeply $d->ended, [], 'RPC-30 another key';
    $complete->($d, 'du', @all);
    is_deeply $d->ended, ['du done'], 'RPC-30 done';
    is_deeply $d->result('du')->{response}, { CommandKey => 'du', Results =>
        [map { json_of(@$_) } @all] }, 'RPC-30 with three results';
    $complete->($d, 'du', @all, ['d', 9022]);
    is_deeply $d->ended, ['du done'], 'RPC-30 told again: one result';

    $d = $changing->();
    $complete->($d, 'du', [$UUID, 0], ['b', 9026]);
    is $d->status('du'), 'fault', 'RPC-30 one of them failed';
    is_deeply $d->result('du')->{fault}{Results}, [json_of($UUID, 0),
        json_of('b', 9026)], 'RPC-30 both are told';
    is +(told($d, 'dustate'))[0]{fault}, 9026, 'an event, with the code';

    $d = $changing->();
    $complete->($d, 'du', (['b', 0]) x 500, ['c', 9026], ['c', 9027]);
    is $d->status('du'), 'fault', 'RPC-30 one of 500 failed';
    ok $d->result('du')->{fault}{truncated}, '... of which not all are kept';

    $complete->($d, 'no code', ['b', 'x' x 5000]);
    is join(',', map { $_->{fault} } told($d, 'dustate')), '9026,9002',
        'events have a code, whatever the CPE says';

    my $no_code = qr/a result without success has no FaultCode/;
    for my $case (['', 'fault', qr/it has no Results/],
                  [[CurrentState => 'Failed'], 'fault', $no_code],
                  [[CurrentState => 'Failed'], 'fault', $no_code, 0],
                  [[UUID => 'u'], 'fault', $no_code],
                  [[CurrentState => 'Installed'], 'fault', $no_code, 'odd'],
                  [[CurrentState => 'Uninstalled'], 'done', qr/^$/]) {
        my ($inner, $status, $why, $code) = @$case;
        my $text = $inner && '<Results>' . join('', tag($inner)) . (defined
            $code ? "<Fault><FaultCode>$code</FaultCode></Fault>" : '')
            . '</Results>';
        $d = $changing->();
        $d->post(request('c', 'DUStateChangeComplete',
                         "$text<CommandKey>du</CommandKey>"));
        is $d->status('du'), $status, "RPC-30 $status of: $text";
        like $d->reason('du') // '', $why, '... the reason';
    }

    my @auto = map { [$_, 0, ['OperationPerformed', 'Install']] } 1 .. 3;
    is $d->post(request('a', 'AutonomousDUStateChangeComplete',
        join('', map { result_of(@$_) } @auto)))->method,
        'AutonomousDUStateChangeCompleteResponse', 'RPC-30 autonomous';
    my ($event) = told($d, 'autonomous dustate');
    is_deeply $event->{request},
        { Results => [map { json_of(@$_) } @auto] },
        'RPC-30 its three results are an event';
};


# --- what the CPE asks -----------------------------------------------------

subtest 'RPC-31 RequestDownload' => sub {
    my $d = device();
    $d->inform('9 REQUEST DOWNLOAD');
    my $r = $d->post(request('r', 'RequestDownload', '<FileType>2 Web Content'
        . '</FileType><FileTypeArg soap-enc:arrayType="cwmp:ArgStruct[2]">'
        . join('', map { '<ArgStruct>' . join('', tag(['Name', $_],
          ['Value', '1'])) . '</ArgStruct>' } 'Version', 'B') .'</FileTypeArg>'));
    is $r->method, 'RequestDownloadResponse', 'RPC-31 is answered';
    is scalar($r->node->kids), 0, 'RPC-31 by an empty response';
    my ($event) = told($d, 'request download');
    is_deeply $event->{request}, { FileType =>
        '2 Web Content', FileTypeArg => [{ Name => 'Version', Value => '1' },
        { Name => 'B', Value => '1' }] }, 'RPC-31 an event has all of it';
    $d->give(task('Download', 'fw', FileType => '2 Web Content',
                  URL => 'https://fs.example/web'));
    is $d->empty->method, 'Download', 'RPC-31 a Download may follow at once';
};


subtest 'RPC-32 Kicked' => sub {
    my $d = device();
    $d->inform('5 KICKED');
    my $r = $d->post(request('k', 'Kicked', join('', tag(['Command', 'c'],
        ['Referer', 'http://evil.example/'], ['Arg', 'a'],
        ['Next', 'http://evil.example/next']))));
    is $r->method, 'KickedResponse', 'RPC-32 is answered';
    is $r->arg('NextURL'), '', 'RPC-32 NextURL is not what the CPE says';
    unlike $r->body, qr/evil/, 'RPC-32 nothing of it comes back';
    like +(told($d, 'kicked'))[0]{request}{Next}, qr/evil/,
        'but it is an event';
};


subtest 'RPC-33 AutonomousTransferComplete' => sub {
    my $d = device();
    $d->give(task('Download', 'fw', FileType => $FW, URL => 'https://h/f'));
    $d->respond($d->begin);
    $d->inform('10 AUTONOMOUS TRANSFER COMPLETE');
    my $r = $d->post(autonomous_transfer_complete(code => 9018, id => 'atc',
        url => 'https://fs.example/x'));
    is $r->method, 'AutonomousTransferCompleteResponse', 'RPC-33 is answered';
    is $r->id, 'atc', 'RPC-33 with its ID';
    is_deeply $d->ended, [], 'RPC-33 and ends no task';
    my ($event) = told($d, 'autonomous transfer');
    is $event->{fault}, 9018, 'RPC-33 it is an event';
    is $event->{request}->{TransferURL},
        'https://fs.example/x', '... with all that it says';

    $d->post(autonomous_transfer_complete(url => 'x' x 8000, announce =>
        'y' x 4000));
    ok +(told($d, 'autonomous transfer'))[1]{request}{truncated},
        'what is too long for an event is left out';
};


subtest 'RPC-34 methods of a vendor' => sub {
    my $d = device();
    $d->inform;
    is $d->post(request('v', $_, '<Results><A/></Results>'))->fault_code, 8000,
        "RPC-34 $_ is not served"
        for qw(X_00D09E_Dance X_EXAMPLE-COM_Kicked ChangeDUState Upload);
    ok $t->wait_log(qr/\[info\].* X_EXAMPLE-COM_Kicked is not served: /, 2),
        'RPC-34 ... and logged';
    is $d->empty->status, 204, 'RPC-34 the session goes on';

    $d->give(task('X_00D09E_Dance', 'x'));
    is $d->begin->status, 204, 'nor is one sent';
    is $d->status('x'), 'rejected', 'its task is rejected';
};


done_testing;
