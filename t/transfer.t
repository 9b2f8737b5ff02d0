#!/usr/bin/perl

# Tasks that an event ends: Download by TransferComplete (or by its response),
# Reboot by M Reboot, FactoryReset by BOOTSTRAP.  Until then they wait, however
# many sessions there are in between, and each ends in one result.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope qw(transfer_complete download_response request fault
                      iso_time $UNKNOWN_TIME);
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new;
my $n = 0;
my $URL = 'https://fs.example/fw/7.57.bin?sig=a&b=c';

sub device { return CWMP::Script->new($t, 'T' . ++$n, @_) }


sub download {
    my ($id, %more) = @_;
    return { method => 'Download', id => $id, URL => $URL,
             FileType => '1 Firmware Upgrade Image', %more };
}


# A device that accepted these downloads, in a session that has ended.
sub loading {
    my (@ids) = @_;
    my $d = device();
    $d->give(map { download($_) } @ids);
    is join(' ', $d->session), join(' ', map { 'Download' } @ids), '(accepted)';
    is_deeply $d->ended, [], '(no result yet)';
    return $d;
}


sub told {
    my ($d, $key, %how) = @_;
    my $r = $d->post(transfer_complete(key => $key, id => "tc $key", %how));
    is $r->method, 'TransferCompleteResponse', "$key: the response";
    is $r->id, "tc $key", '... with its ID';
    return $r;
}


# --- Download --------------------------------------------------------------

subtest 'RPC-15 Download: arguments on the wire' => sub {
    my $d = device();
    my @order = qw(CommandKey FileType URL Username Password FileSize
                   TargetFileName DelaySeconds SuccessURL FailureURL);
    my %full = (CommandKey => 'job 21', FileType => '3 Vendor Configuration '
        . 'File', URL => $URL, Username => 'u<', Password => "p\x{e4}ss",
        FileSize => 8388608, TargetFileName => 'a.cfg', DelaySeconds => 30,
        SuccessURL => 'http://a/', FailureURL => 'http://b/');
    my $long = 'http://fs.example/' . 'x' x 238;

    $d->give(download('d1'), { method => 'Download', id => 'd2', %full },
             download('d3', URL => $long));
    my @rpc = ($d->begin);
    push @rpc, $d->respond($rpc[-1]) for 1, 2;
    for my $r (@rpc) {
        is join(' ', map { $_->{local} } $r->node->kids), "@order",
            'RPC-15 all ten, in order';
    }
    is_deeply { map { ($_ => $rpc[0]->arg($_)) } @order }, { CommandKey => 'd1',
        FileType => '1 Firmware Upgrade Image', URL => $URL, Username => '',
        Password => '', FileSize => 0, TargetFileName => '', DelaySeconds => 0,
        SuccessURL => '', FailureURL => '' }, 'RPC-15 what is left out';
    is_deeply { map { ($_ => $rpc[1]->arg($_)) } @order }, \%full,
        'RPC-15 what is given';
    is $rpc[2]->arg('URL'), $long, 'RPC-15 a URL of 256 characters';
    $d->respond($rpc[2]);

    my %bad = (long => "${long}x", user => 'https://u:p@fs.example/f',
               path => '/fw/1.bin', empty => '');
    my @names = sort keys %bad;
    $d->give(map { download("bad-$_", URL => $bad{$_}) } @names);
    is $d->begin->status, 204, 'a URL that cannot be is not sent';
    for my $name (@names) {
        is $d->status("bad-$name"), 'rejected', "RPC-15 URL ($name)";
        is $d->result("bad-$name")->{fault}{field}, 'URL', '... and which field';
    }
};


subtest 'RPC-16 Download: Status 0' => sub {
    my $d = device();
    $d->give(download('fw'));
    my $r = $d->begin;
    my @time = ('2026-01-31T12:00:00Z', '2026-01-31T12:00:09Z');
    is $d->post(download_response($r->id, 0, start => $time[0],
        complete => $time[1]))->status, 204, 'RPC-16 done by the response';
    is_deeply $d->ended, ['fw done'], 'RPC-16 without a TransferComplete';
    is_deeply $d->result('fw')->{response}, { Status => 0, StartTime =>
        $time[0], CompleteTime => $time[1] }, 'the result';
    ok !$d->has('waiting'), 'nothing waits';
};


subtest 'RPC-17 RPC-21 Download: Status 1, then TransferComplete' => sub {
    my $d = device();
    $d->give(download('same'), download('other'));
    my $r = $d->begin;
    $r = $d->respond($r);
    is $r->method, 'Download', 'another one meanwhile';
    told($d, 'same');
    is_deeply $d->ended, ['same done'], 'RPC-17 done in the same session';
    is $d->respond($r)->status, 204, 'the end';
    told($d, 'other');
    is_deeply $d->ended, ['same done', 'other done'], 'RPC-17 after the 204, too';

    $d = loading('fw');
    is join(' ', $d->session('2 PERIODIC')), '', 'a session in between';
    is_deeply $d->ended, [], 'it waits';
    $d->inform('1 BOOT', '7 TRANSFER COMPLETE', ['M Download', 'fw']);
    is_deeply $d->ended, [], 'the event alone does not end it';
    my @time = ('2026-01-31T12:00:00Z', '2026-01-31T12:00:09Z');
    told($d, 'fw', start => $time[0], complete => $time[1]);
    is $d->status('fw'), 'done', 'RPC-17 done in a later session';
    is_deeply $d->result('fw')->{response}, { CommandKey => 'fw', FaultStruct =>
        { FaultCode => 0, FaultString => '' }, StartTime => $time[0],
        CompleteTime => $time[1] }, 'the result is the TransferComplete';
    ok !$d->has('waiting'), 'nothing waits';

    $d = loading('fw');
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'fw']);
    told($d, 'fw', start => $UNKNOWN_TIME, complete => $UNKNOWN_TIME);
    is $d->status('fw'), 'done', 'RPC-21 Unknown Time in both';
    is $d->result('fw')->{response}{StartTime}, $UNKNOWN_TIME, '... is kept';

    $d = loading('fw');
    $d->inform('7 TRANSFER COMPLETE');
    is $d->post(request('x', 'TransferComplete', '<CommandKey>fw</CommandKey>'
        . '<FaultStruct><FaultCode>0</FaultCode><FaultString/></FaultStruct>'))
        ->method, 'TransferCompleteResponse', 'RPC-21 no times at all';
    is $d->status('fw'), 'done', '... done';
};


subtest 'RPC-17 a deadline that comes up early' => sub {
    my $d = loading('fw');
    my ($due, $member) = ('cwmp:{0}:due', 'w ' . $d->id . ' fw');
    my $at = $d->redis->cmd('ZSCORE', $due, $member);
    $d->redis->cmd('ZADD', $due, 0, $member);
    ok wait_for(sub { ($d->redis->cmd('ZSCORE', $due, $member) // 0) == $at },
                10), 'RPC-17 it is set again';
    is $d->status('fw'), 'none', '... and the task waits on';
};


subtest 'TOL-27 a TransferComplete before the DownloadResponse' => sub {
    my $sent = sub {
        my $d = device();
        $d->give(download('fw', @_));
        my $r = $d->begin;
        is $r->method, 'Download', '(outstanding)';
        return ($d, $r);
    };

    for my $case ([0, 'done', 'response'], [9010, 'fault', 'fault']) {
        my ($code, $status, $field) = @$case;
        my ($d, $r) = $sent->();
        told($d, 'fw', code => $code);
        is_deeply $d->ended, [], 'TOL-27 the RPC is outstanding still';
        is $d->respond($r)->status, 204, 'TOL-27 its response, Status 1';
        is_deeply $d->ended, ["fw $status"], "TOL-27 $code ends it: $status";
        is $d->result('fw')->{$field}{CommandKey}, 'fw', '... as it was told';
        is $d->leftovers, '', 'nothing waits';
    }

    my ($d) = $sent->();
    told($d, 'fw');
    $d->inform('2 PERIODIC');
    is_deeply $d->ended, ['fw done'], 'TOL-27 the answer never came: done, too';
    is $d->empty->status, 204, '... and not sent again';

    ($d) = $sent->();
    told($d, 'fw');
    $d->empty for 1, 2;
    is_deeply $d->ended, ['fw done'], 'TOL-27 empty POSTs instead of it: done';

    ($d, my $r) = $sent->();
    told($d, 'other');
    $d->respond($r);
    is_deeply $d->ended, [], "TOL-27 another's CommandKey says nothing of it";
    told($d, 'fw');
    is_deeply $d->ended, ['fw done'], '... its own does';
};


subtest 'RPC-17 blanks around the CommandKey' => sub {
    my $d = device();
    $d->give(download('a', CommandKey => 'job 1'),
             download('b', CommandKey => ' job 1'),
             { method => 'ScheduleInform', id => 'c', DelaySeconds => 9 });
    $d->session;
    $d->inform('7 TRANSFER COMPLETE', ['M ScheduleInform', ' c  ']);
    is $d->status('c'), 'done', 'are not the key: of an event';
    told($d, ' job 1');
    is_deeply $d->ended, ['c done', 'b done'], '... unless a task has them';
    told($d, "  job 1\t");
    is_deeply $d->ended, ['c done', 'b done', 'a done'],
        '... of a TransferComplete';
};


subtest 'RPC-18 a TransferComplete that is told again' => sub {
    my $d = loading('fw');
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'fw']);
    my $first = told($d, 'fw');
    is told($d, 'fw', string => 'x')->body, $first->body,
        'RPC-18 the same response';
    $d->empty;
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'fw']);
    told($d, 'fw');
    told($d, 'fw', code => 9010);
    is_deeply $d->ended, ['fw done'], 'RPC-18 one result';
};


subtest 'RPC-19 a TransferComplete of nobody' => sub {
    my $d = loading('fw');
    my $other = loading('hers');
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'hers']);
    told($d, $_) for 'nobody', 'hers', '', 'FW';
    is_deeply [@{ $d->ended }, @{ $other->ended }], [], 'RPC-19 ends no task';
    ok $t->wait_log(qr/for no task that waits, CommandKey "nobody".*device: 00/,
                    2),
        'RPC-19 it is logged';
    my @events = grep { $_->{type} eq 'transfer' && $_->{device} eq $d->id }
                 $d->redis->events;
    is_deeply [map { $_->{commandkey} } @events], ['nobody', 'hers', '', 'FW'],
        'and is an event';
    is $d->empty->status, 204, 'the session goes on';
};


subtest 'EVT-06 what is told twice is counted once' => sub {
    my $events = sub {
        my ($d, $type) = @_;
        return scalar grep { $_->{type} eq $type && $_->{device} eq $d->id }
                      $d->redis->events;
    };
    my $d = loading('fw');
    my $text = sub { transfer_complete(key => $_[0], id => $_[1]) };
    for (1 .. 3) {
        $d->inform('7 TRANSFER COMPLETE', ['M Download', 'fw']);
        is $d->post($text->('fw', "tc-$_"))->method, 'TransferCompleteResponse',
            "told a time no. $_: answered";
    }
    is_deeply $d->ended, ['fw done'], 'EVT-06 one result';
    is $events->($d, 'transfer'), 1, 'EVT-06 one event';
    ok $t->wait_log(qr/TransferComplete told again, CommandKey "fw"/, 2),
        '... and the log says so';

    $d->post($text->('nobody', $_)) for 'a', 'b';
    is $events->($d, 'transfer'), 2, 'RPC-19 of no task: one more, once';
    $d->give(download('fw'));
    $d->obey($d->begin);
    $d->post($text->('fw', 'again'));
    is_deeply $d->ended, ['fw done', 'fw done'], 'another Download of that key';
    is $events->($d, 'transfer'), 3, '... ends in the same words: an event';

    # before the DownloadResponse
    $d = device();
    $d->give(download('early'));
    my $r = $d->begin;
    $d->post($text->('early', "e$_")) for 1 .. 2;
    $d->respond($r);
    is_deeply $d->ended, ['early done'], 'told twice, before its response';
    is $events->($d, 'transfer'), 1, 'EVT-06 one event';

    $d = device();
    for my $i (1 .. 20, 1 .. 2) {
        $d->inform if $i == 1;
        $d->post($text->("k$i", "u$i"));
    }
    cmp_ok length($d->redis->device($d->id)->{told}), '<', 300,
        'RULE-4 few of them are remembered';

    $d = device();
    $d->give({ method => 'ChangeDUState', id => 'du', Operations => [
        { Operation => 'Install', URL => 'http://fs.example/a.pkg' }] });
    $d->obey($d->begin);
    $d->post(request("du-$_", 'DUStateChangeComplete',
                     '<Results></Results><CommandKey>du</CommandKey>')) for 1, 2;
    is $events->($d, 'dustate'), 1, 'EVT-06 a DUStateChangeComplete, too';
};


subtest 'RPC-20 a Download that failed' => sub {
    my $d = loading('late');
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'late']);
    told($d, 'late', code => 9017, string => "abgebrochen \x{fc}ber <x>");
    is $d->status('late'), 'fault', 'RPC-20 TransferComplete with 9017: a fault';
    is_deeply $d->result('late')->{fault}{FaultStruct}, { FaultCode => 9017,
        FaultString => "abgebrochen \x{fc}ber <x>" }, 'RPC-20 verbatim';
    my ($event) = grep { $_->{type} eq 'transfer' && $_->{device} eq $d->id }
                  $d->redis->events;
    is $event->{fault}, 9017, 'and an event';
    ok !$d->has('waiting'), 'nothing waits';

    $d->give(download('now'));
    is $d->refuse($d->begin, 9013)->status, 204, 'a fault at once';
    is $d->status('now'), 'fault', '... ends it';
    is $d->result('now')->{fault}{FaultCode}, 9013, '... with its code';
};


# --- Reboot ----------------------------------------------------------------

subtest 'RPC-14 Reboot is the last RPC of a session' => sub {
    my $d = device();
    $d->give({ method => 'Reboot', id => 'boot' });
    $d->give_reads('next');
    my $r = $d->begin;
    is join(' ', map { $_->{local} } $r->node->kids), 'CommandKey', 'argument';
    is $r->arg('CommandKey'), 'boot', 'RPC-14 CommandKey is the id';
    is $d->respond($r)->status, 204, 'RPC-14 then 204, though a task waits';
    is $d->empty->status, 204, '... again';
    $d->post(request('x', 'GetRPCMethods'));
    is $d->empty->status, 204, 'RPC-14 also after a further request';
    is_deeply $d->ended, [], 'no result: the response says nothing yet';

    $d->inform('1 BOOT', ['M Reboot', 'boot']);
    is $d->status('boot'), 'done', 'RPC-14 M Reboot ends it';
    is_deeply $d->result('boot')->{response}, { event => 'M Reboot' },
        '... and the result says so';
    is +($d->empty->names)[0], 'Device.next', 'the next task is sent';
};


subtest 'RPC-14 what ends a Reboot' => sub {
    my $rebooting = sub {
        my $d = device();
        $d->give({ method => 'Reboot', id => 'b', CommandKey => 'my key' });
        is $d->respond($d->begin)->status, 204, '(accepted)';
        return $d;
    };

    my $d = $rebooting->();
    $d->inform('2 PERIODIC');
    $d->inform('4 VALUE CHANGE', ['M Reboot', 'another']);
    $d->inform('4 VALUE CHANGE', ['M Reboot', 'b']);
    is $d->status('b'), 'none', 'no other event, no other key';
    $d->inform('1 BOOT', ['M Reboot', 'my key']);
    is $d->status('b'), 'done', 'RPC-14 M Reboot with its CommandKey';

    $d = $rebooting->();
    $d->inform('1 BOOT');
    is $d->status('b'), 'done', 'RPC-14 a device that lost the key: 1 BOOT';
    is_deeply $d->result('b')->{response}, { event => '1 BOOT' }, '... as it is';
    $d->inform('1 BOOT', ['M Reboot', 'my key']);
    is_deeply $d->ended, ['b done'], 'one result';

    $d = device();
    $d->give({ method => 'Reboot', id => 'no' });
    is $d->refuse($d->begin, 9001)->status, 204, 'a fault';
    is $d->status('no'), 'fault', '... ends it';
    $d->inform('1 BOOT', ['M Reboot', 'no']);
    is_deeply $d->ended, ['no fault'], 'one result';
};


# --- FactoryReset ----------------------------------------------------------

subtest 'FactoryReset ends with 0 BOOTSTRAP' => sub {
    my $d = device();
    $d->give({ method => 'FactoryReset', id => 'fr' });
    $d->give_reads('next');
    my $r = $d->begin;
    is $r->method, 'FactoryReset', 'is sent';
    is scalar($r->node->kids), 0, 'without arguments';
    is $d->respond($r)->status, 204, 'and is the last RPC';
    $d->inform('1 BOOT');
    is $d->status('fr'), 'none', 'a boot is not it';
    $d->inform('0 BOOTSTRAP', '1 BOOT');
    is $d->status('fr'), 'done', '0 BOOTSTRAP ends it';
    is_deeply $d->result('fr')->{response}, { event => '0 BOOTSTRAP' },
        '... and the result says so';
    is +($d->empty->names)[0], 'Device.next', 'the next task is sent';
};


# --- with a device that behaves --------------------------------------------

subtest 'RPC-14 RPC-17 a device that behaves' => sub {
    my $redis = $t->redis;
    my $cpe = $t->cpe(serial => 'behaves');
    my $id = $cpe->id;
    $redis->push_task($id, download('fw', URL => 'http://fs.example/7.57.bin'),
                      { method => 'Reboot', id => 'boot' });
    ok $cpe->run_session('1 BOOT')->{ok}, 'told';
    ok $cpe->run_session->{ok}, 'boots, tells of both';
    is join(' ', sort map { "$_->{id} $_->{status}" } $redis->results($id)),
        'boot done fw done', 'both done';
    is $redis->device($id)->{version}, '7.57', 'the new version is known';

    $redis->push_task($id, { method => 'FactoryReset', id => 'fr' });
    ok $cpe->run_session->{ok}, 'reset';
    ok $cpe->run_session->{ok}, 'bootstrap';
    is $redis->result($id, 'fr')->{status}, 'done', 'done';
    is $cpe->count($_), 1, "$_ happened once"
        for qw(Download Reboot FactoryReset);
    is_deeply $cpe->complaints, [], 'nothing to object to';

    $cpe = $t->cpe(serial => 'behaves2', download => { when => 'same',
                                                       fault => 9010 });
    $redis->push_task($cpe->id, download('fw'));
    ok $cpe->run_session->{ok}, 'fails in the same session';
    is $redis->result($cpe->id, 'fw')->{fault}{FaultStruct}{FaultCode}, 9010,
        'and says why';
};

done_testing;
