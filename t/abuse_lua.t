#!/usr/bin/perl

# The fine points of a task's life: what two workers do with one POST, what
# became of a task when its answer was lost, junk in the keys of a device, and
# work that would stop Redis for all others.  A task is in one place, ends in
# one result that is true, and one device's work costs Redis little.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for patience);

# A busy machine is not what is tested: Redis may take its time.
my $t = CWMP::Test->new(redis_options => 'timeout=20s', server => <<'CONF');
    location /three {
        cwmp_acs;
        cwmp_session_timeout 1s outstanding=3s;
    }
CONF
my $redis = $t->redis;
my $n = 0;

my $X = 'Device.Time.NTPServer1';
my $SET = { method => 'SetParameterValues', id => 'set', ParameterList =>
            { $X => { value => 'new', type => 'xsd:string' } } };
my $UNTYPED = { method => 'SetParameterValues', id => 'set',
                ParameterList => { $X => 5 } };
my $ADD = { method => 'AddObject', id => 'add', ObjectName => 'Device.T.',
            values => { A => { value => 1, type => 'xsd:int' } } };
my $LOAD = { method => 'Download', id => 'load', URL => 'http://fs.example/f',
             FileType => '1 Firmware Upgrade Image' };


sub device { return CWMP::Script->new($t, 'Q' . ++$n, @_) }
sub now { my ($s) = $redis->list('TIME'); return $s }
sub hlen { my ($d, $what) = @_; return $redis->cmd('HLEN', $d->key($what)) }


sub read_task {
    my ($id, %more) = @_;
    return { method => 'GetParameterValues', id => $id,
             ParameterNames => ['Device.A'], %more };
}


sub fcall {
    my ($function, $d, $arg) = @_;
    return '' . $redis->try('FCALL', $function, 1, $d->key('tasks'),
                            CWMP::Redis::task_json($arg));
}


# The RPC of this task was sent, and no answer comes.
sub lose {
    my ($d, $task, @more) = @_;
    $d->give($task, @more);
    my $r = $d->begin;
    is $r->method, $task->{method}, "$task->{method} is sent";
    $d->raw->reset;
    return $r;
}


# A SetParameterValues was sent and may have been applied: nobody knows.
sub unknown {
    my (%more) = @_;
    my $d = device(key => 'of somebody else');
    lose($d, { %$SET, %more });
    $d->inform;
    return $d;
}


sub nothing_left {
    my ($d) = @_;
    my @left = grep { $d->has($_) } qw(tasks queue live running waiting);
    push @left, grep { / \Q@{[$d->id]}\E(?: |$)/ }
                $redis->list('ZRANGE', 'cwmp:{0}:due', 0, -1);
    is "@left", '', 'nothing is left of the tasks';
}


# What the functions have cost Redis so far, in ms.
sub redis_ms {
    my ($usec) = $redis->cmd('INFO', 'commandstats')
                 =~ /cmdstat_fcall:calls=\d+,usec=(\d+)/;
    return ($usec // 0) / 1000;
}


# The deadline passes while the RPC is outstanding; looked at in the end.
my $silent = device(url => $t->url(0, '/three'));
$silent->give(read_task('late', expires => now() + 2));
is $silent->begin->method, 'GetParameterValues', '(a device falls silent)';
$silent->raw->reset;


# --- two workers, one task -------------------------------------------------

# A step as a worker calls it, with the session that the device has.
my $calls = 0;

sub step {
    my ($d, $kind, @args) = @_;
    my @keys = ((map { $d->key($_) } undef, qw(params tasks queue live running
                 waiting session results)), map { "cwmp:{0}:$_" }
                qw(due events index:seen index:model index:version));
    return $redis->cmd('FCALL', 'cwmp_step_1', scalar(@keys), @keys, $d->id,
        $redis->cmd('HGET', $d->key('session'), 't'), 'test.1.' . ++$calls, '',
        $kind, 30_000, 300_000, 256, @args);
}


subtest 'two workers with one POST' => sub {
    my $d = device();
    $d->give_reads(qw(a b c d));
    $d->inform;
    is step($d, 'empty')->[6], 'a', 'the first task';
    my @verdict = ('verdict', 'a', 'rejected', 'field', 'why', '');
    is step($d, @verdict)->[6], 'b', 'one worker cannot send it: the next one';
    is step($d, @verdict)->[6], 'b', 'RULE-3 another worker that finds the '
        . 'same gets the same next one';
    is_deeply [$d->empty->names], ['Device.b'], 'so does a POST';
    my $r = $d->empty;
    is join(' ', $d->obey($r)), 'GetParameterValues GetParameterValues',
        'the rest';
    is_deeply [map { $_->{id} } $d->results], [qw(a b c d)],
        'RULE-3 two workers with one POST lose no task';
    nothing_left($d);
};


subtest 'ids that are made up' => sub {
    my $d = device();
    $d->inform;
    my $task = CWMP::Redis::task_json({ method => 'GetRPCMethods' });
    my %got = map { ("$_" => 1) } $redis->pipeline(map { ['FCALL', 'cwmp_push',
              1, $d->key('tasks'), $task] } 1 .. 50);
    is scalar(grep { !/^ERR/ } keys %got), 50,
        'RULE-3 fifty pushes within a millisecond get fifty ids';

    $d = device();
    $d->give(map { { method => 'GetRPCMethods', notBefore => 9999999999 } }
             1 .. 16);
    $d->give(map { { method => 'GetRPCMethods' } } 1 .. 16);
    $d->session;
    is scalar(grep { $_->{status} eq 'done' } $d->results), 16,
        'RULE-3 tasks taken from the inbox by two looks in one step all live';
    is $redis->cmd('ZCARD', $d->key('queue')), 16, '... those of later, too';
};


# --- a result that is true -------------------------------------------------

subtest 'what was sent does not end as if it had not been' => sub {
    my $d = unknown(expires => now() + 3);
    my $cancelled = unknown();
    is fcall('cwmp_cancel', $cancelled, 'set'), 'queued', 'it is cancelled';
    is $cancelled->status('set'), 'lost',
        'RULE-3 cancelled after it was sent: lost, since it may be applied';
    like $cancelled->reason('set'), qr/cancelled, but it had been sent/,
        '... why';
    ok $redis->wait_result($d->id, 'set', patience(8)), 'it expires';
    is $d->status('set'), 'lost',
        'RULE-3 expired after it was sent: lost, since it may be applied';
    like $d->reason('set'), qr/expired, but it had been sent/, '... why';
    isnt $d->result('set')->{sent}, '', '... and when it was sent';
    nothing_left($_) for $d, $cancelled;
};


subtest 'retry does not do twice what is known to be done' => sub {
    my $d = device();
    lose($d, { method => 'Reboot', id => 'b', retry => \1 });
    is join(' ', $d->session('1 BOOT', ['M Reboot', 'b'])), '',
        'RULE-3 M Reboot says that it was done: retry sends it no more';
    is_deeply $d->ended, ['b done'], 'done';

    $d = device(key => 'k0');
    my $r = lose($d, { method => 'AddObject', id => 'a', retry => \1,
                       ObjectName => 'Device.T.' });
    $d->{key} = $r->arg('ParameterKey');
    is join(' ', $d->session), '',
        'RULE-3 the ParameterKey says that it was added: no second object';
    like $d->reason('a'), qr/the object was added/, '... as the result says';
};


subtest 'an object that was made' => sub {
    my @ends = (['no answer', sub { my ($d) = @_; $d->empty for 1 .. 3 }],
                ["another method's response",
                 sub { $_[0]->post(gpv_response($_[1]->id)) }]);
    for my $end (@ends) {
        my ($what, $do) = @$end;
        my $d = device();
        $d->give($ADD);
        my $r = $d->respond($d->begin);
        is $r->method, 'SetParameterValues', 'AddObject is answered';
        $do->($d, $r);
        is $d->status('add'), 'lost', "$what to the setting of its values";
        is_deeply $d->result('add')->{response}, { InstanceNumber => 17 },
            'RULE-3 the result names the instance that is there';
    }
};


subtest 'the last attempt is compared, too' => sub {
    for my $case (['new', 'done'], ['old', 'lost']) {
        my ($value, $status) = @$case;
        my $d = device(key => 'of somebody else');
        lose($d, { %$SET, attempts => 1 });
        my $r = $d->begin;
        is $r->method, 'GetParameterValues', 'the values are read';
        $r = $d->post(gpv_response($r->id, [$X, 'string', $value]));
        is $r->status, 204, 'it is not sent again';
        is_deeply $d->ended, ["set $status"],
            "RULE-3 attempts used up, the value is $value: $status";
    }
};


subtest 'a task of which nothing was sent is not lost' => sub {
    my $d = device();
    $d->give($UNTYPED);
    for (1 .. 3) {
        is $d->begin->method, 'GetParameterValues', 'the types are read';
        $d->raw->reset;
    }
    is $d->begin->status, 204, 'that is enough';
    is_deeply $d->ended, ['set rejected'],
        'RULE-3 only a read of types went out: rejected, not lost';
    is $d->result('set')->{sent}, '', '... never sent';
    like $d->reason('set'), qr/types.* was not answered/, '... and why';

    $d = device();
    $d->give($UNTYPED);
    $d->begin;
    $d->empty for 1 .. 3;
    is_deeply $d->ended, ['set rejected'], 'so by empty POSTs';
};


subtest 'what was sent and is refused when it is compared' => sub {
    my $d = device(key => 'of somebody else');
    $d->give($UNTYPED);
    my $r = $d->begin;
    $r = $d->post(gpv_response($r->id, [$X, 'int', 1]));
    is $r->method, 'SetParameterValues', 'it is sent';
    $d->raw->reset;
    $r = $d->begin;
    is $r->method, 'GetParameterValues', 'the values are read back';
    is $d->post(gpv_response($r->id, [$X, 'dateTime', '2026-01-01T00:00:00Z']))
        ->status, 204, 'the type is another one now: not sent again';
    is_deeply $d->ended, ['set lost'],
        'RULE-3 it was sent before: lost, not rejected';
};


subtest 'what was sent and is refused when it is sent again' => sub {
    my $d = device();
    $d->give({ method => 'ChangeDUState', id => 'du', retry => \1, Operations =>
               [{ Operation => 'Uninstall', UUID => '12345678-1234-4123-8123-123456789012' }] });
    is $d->begin->method, 'ChangeDUState', 'it is sent';
    $d->raw->reset;
    my $old = $d->inform_text(ns => 'urn:dslforum-org:cwmp-1-0');
    $d->post($old);
    is $d->empty->status, 204, 'a CWMP that does not know it';
    is_deeply $d->ended, ['du lost'], 'RULE-3 nobody knows what it did';
};


subtest "another RPC's answer" => sub {
    my $d = device();
    $d->give({ %$SET, id => 's1' }, { %$SET, id => 's2' });
    my $first = $d->begin;
    my $second = $first;
    for (1 .. 3) {
        $second = $d->empty;
        last if $second->id ne $first->id;
    }
    is_deeply $d->ended, ['s1 lost'], 'the first one is given up';
    is $d->post(spv_response($first->id, 0))->id, $second->id,
        'RULE-3 its late response does not answer the second one';
    is $d->refuse($first, 9002)->id, $second->id,
        'RULE-3 nor does a late fault';
    is $d->respond($second)->status, 204, "the second one's own";
    is_deeply $d->ended, ['s1 lost', 's2 done'], '... ends it';

    $d = device();
    $d->give(map { { %$SET, id => "s$_" } } 1 .. 3);
    $first = my $rpc = $d->begin;
    for (1 .. 2) {
        my $id = $rpc->id;
        ($rpc = $d->empty)->id ne $id and last for 1 .. 3;
    }
    is_deeply $d->ended, ['s1 lost', 's2 lost'], 'two are given up';
    is $d->post(spv_response($first->id, 0))->id, $rpc->id,
        'RULE-3 a response to the first of them answers no other';
    is_deeply $d->ended, ['s1 lost', 's2 lost'], '... and ends none';
    $t->expect_log(qr/task s\d: the answer to another RPC, ID \S+, is ignored/,
                   3);
};


subtest 'the ParameterKey that the device had' => sub {
    my $set = sub {
        my $d = device();
        $d->give({ %$SET, id => 'first', ParameterKey => 'same' });
        $d->session;
        return $d;
    };
    my $d = $set->();
    $d->{key} = '';
    $d->inform('0 BOOTSTRAP');
    lose($d, { %$SET, ParameterKey => 'same' });
    $d->{key} = 'same';
    is join(' ', $d->session), '', 'applied after a reset: not sent again';
    is $d->status('set'), 'done',
        'RULE-3 a ParameterKey that a factory reset emptied speaks again';

    $d = $set->();
    my $params = $d->{params};
    $d->{params} = [['Device.DeviceInfo.HardwareVersion', 'string', 'A1']];
    $d->inform;
    lose($d, { %$SET, ParameterKey => 'same' });
    ($d->{params}, $d->{key}) = ($params, 'same');
    is $d->begin->method // 'none', 'GetParameterValues',
        'RULE-3 one that an Inform did not mention is not taken for empty';
};


subtest 'RPC-20 TransferComplete without a FaultCode' => sub {
    my $tell = sub { request('tc', 'TransferComplete',
                             "<CommandKey>load</CommandKey>$_[0]") };
    for my $case (['no FaultStruct', ''],
                  ['an empty code', '<FaultStruct><FaultCode/><FaultString>'
                   . 'failed</FaultString></FaultStruct>'],
                  ['Fault, not FaultStruct',
                   '<Fault><FaultCode>9010</FaultCode></Fault>'],
                  ['no number', '<FaultStruct><FaultCode>none</FaultCode>'
                   . '</FaultStruct>'])
    {
        my ($what, $fault) = @$case;
        my $d = device();
        $d->give($LOAD);
        $d->session;
        $d->inform('7 TRANSFER COMPLETE', ['M Download', 'load']);
        is $d->post($tell->($fault))->method, 'TransferCompleteResponse',
            'answered';
        is_deeply $d->ended, ['load fault'],
            "RPC-20 RULE-3 $what: nothing says that it went well";
        is $d->reason('load'), 'FaultStruct has no FaultCode: taken as 9002',
            '... the result says why';
        my ($event) = grep { $_->{device} eq $d->id
                             && $_->{type} eq 'transfer' } $redis->events;
        is $event->{fault}, 9002, '... and the event has a code';
    }
};


# --- junk in the keys of a device ------------------------------------------

subtest 'the task was deleted while its RPC was outstanding' => sub {
    for my $task ($UNTYPED, read_task('r'), $ADD) {
        my $d = device();
        $d->give($task);
        my $r = $d->begin;
        $redis->cmd('DEL', $d->key('live'));
        is $d->respond($r)->status, 204,
            "RULE-4 $task->{id}: its session goes on and ends";
        ok !$d->has('running'), '... nothing is running';
        $d->give(read_task('next'));
        is join(' ', $d->session), 'GetParameterValues', 'and the next one';
    }
};


subtest 'a delay that no worker has checked' => sub {
    for my $delay ('inf', 'nan', '-1', 1e306, [1]) {
        for my $task ({ %$LOAD, DelaySeconds => $delay },
                      { %$LOAD, method => 'ScheduleDownload', TimeWindowList =>
                        [5, { WindowEnd => $delay }] })
        {
            my $d = device();
            $d->give($task);
            $d->inform;
            is step($d, 'empty')->[6], 'load', "$task->{method}, $delay: its "
                . 'worker dies before it can refuse it';
            is $d->post($d->inform_text)->status, 200, 'an Inform is answered';
            is hlen($d, 'waiting'), 1, 'RULE-3 the task is not lost half-way';
        }
    }
};


subtest 'a damaged entry in waiting' => sub {
    my $less = sub { '{"id":"load","method":"Download","sent":"1","attempts":'
        . '"1","score":"1","deadline":9e12,' . $_[0] . '}' };
    for my $entry ('garbage', '{}', '5', '{"method":"SetParameterValues"}',
                   $less->('"before":"","instance":""'),
                   $less->('"key":5,"before":"","instance":""'),
                   $less->('"key":"load","instance":""'),
                   $less->('"key":"load","before":"","instance":[]'))
    {
        my $d = device();
        $d->give($LOAD);
        $d->session;
        $redis->cmd('HSET', $d->key('waiting'), 'load', $entry);
        is $d->post($d->inform_text)->status, 200,
            "$entry: an Inform is answered";
        is_deeply $d->ended, ['load lost'], 'RULE-3 its task ends as lost';
        like $d->reason('load'), qr/damaged/, '... and says why';
        nothing_left($d);
    }
};


subtest 'a damaged entry in running' => sub {
    my @damages = (['HSET', 'method', 'Foo'], ['HSET', 'attempts', 'x'],
                   map { ['HDEL', $_] } qw(method attempts sent phase instance
                                           score key));
    for my $damage (@damages) {
        my ($cmd, @what) = @$damage;
        for my $way ('Inform', 'response', 'empty') {
            my $d = device();
            $d->give(read_task('r'), read_task('next'));
            my $r = $d->begin;
            $redis->cmd($cmd, $d->key('running'), @what);
            my $got = $way eq 'Inform' ? $d->post($d->inform_text)
                      : $way eq 'empty' ? $d->empty : $d->respond($r);
            is $got->status, 200, "@what, $way: is answered";
            is_deeply $d->ended, ['r lost'], 'RULE-3 its task ends as lost';
            is $d->reason('r'), 'its entry in running was damaged', '... why';
            is join(' ', $way eq 'Inform' ? $d->obey($d->empty) : $d->obey($got)),
                'GetParameterValues', 'and the next one';
            nothing_left($d);
        }
    }
};


subtest 'a task leaves its place when it has another' => sub {
    my @damages = ('{"left":[{"n":["x"]},{"n":["y"]}],"applied":0,"size":2}',
                   '{"left":[],"applied":1,"size":2}', '{"left":[5]}', '[]',
                   '{"left":[[0,1],[1,2]],"applied":"x"}', '{"reads":[{}]}');
    for my $work (@damages) {
        my $d = device();
        $d->give({ %$SET, expires => now() + 600 });
        $d->post(request('x', 'GetRPCMethods')) for $d->inform;
        $redis->cmd('HSET', $d->key('live'), '=l set', $work);
        is $d->empty->status, 204, "$work: the session goes on";
        is_deeply $d->ended, ['set lost'], 'RULE-3 its task ends as lost';
        like $d->reason('set'), qr/its progress in live was damaged/, '... why';
        nothing_left($d);
    }

    # one that is lost, and of which nobody can say how far it was
    my $d = device();
    my $r = lose($d, read_task('r', ParameterNames => ['Device.', 'Other.']));
    $redis->cmd('HSET', $d->key('running'), 'parts', '1');
    $redis->cmd('HSET', $d->key('live'), '=l r', '{"left":[{"n":[5]}],"bad":{}}');
    is $d->post($d->inform_text)->status, 200, 'an Inform is answered';
    is_deeply $d->ended, ['r lost'], 'RULE-3 its task ends as lost';
    nothing_left($d);

    # the state table breaks on it before it is sent: the task is still queued
    $d = device();
    $d->give(read_task('r'));
    $d->inform;
    $redis->cmd('HSET', $d->key(), 'gen', 'x');
    is $d->empty->status, 503, 'what cannot be is an error';
    $redis->cmd('HSET', $d->key(), 'gen', '1');
    is $d->empty->method, 'GetParameterValues', 'RULE-3 its task is still there';
    $t->expect_log(qr/session cannot go on, Redis answered: ERR \S+: field gen is no number: delete it/, 1);
};


subtest 'a damaged entry in live, and a reset' => sub {
    for my $entry ('garbage', '1 {}', '1 5', '') {
        my $d = device();
        $d->give($LOAD);
        $d->session;
        $redis->cmd('HSET', $d->key('live'), 'load', $entry);
        my $text = $d->inform_text(events => ['0 BOOTSTRAP'], params => [
            ['Device.DeviceInfo.SoftwareVersion', 'string', 'new']]);
        is $d->post($text)->status, 200, "'$entry': an Inform is answered";
        is scalar(@{ $d->ended }), 1, 'RULE-3 its task ends';
        nothing_left($d);
    }
};


subtest "another version's session" => sub {
    for my $field (qw(to l m e c r)) {
        my $d = device();
        $d->give(read_task('r'));
        $d->inform;
        $redis->cmd('HDEL', $d->key('session'), $field);
        is join(' ', $d->obey($d->empty)), 'GetParameterValues',
            "RULE-1 a session without the field $field goes on";
    }
};


subtest 'a shared key of another type' => sub {
    for my $what (qw(index:seen index:first index:model index:version
                     events)) {
        my $key = "cwmp:{0}:$what";
        for my $tasks (0, 1) {
            my $d = device(class => 'K');
            if ($tasks) {
                $d->give(read_task('r'), read_task('s'));
                is $d->begin->method, 'GetParameterValues', '(one is running)';
            } else {
                $d->inform;
            }
            $d->{class} = 'K';
            my $params = CWMP::Envelope::default_params();
            $params->[2][2] = 'new';
            $redis->cmd('RENAME', $key, 'away');
            $redis->cmd('SET', $key, 'x');
            my $new = CWMP::Script->new($t, 'Q' . ++$n, class => 'K');
            # a device whose model stays the same does not come near it, nor
            # one that was seen a minute ago
            for my $is ($what =~ /model|seen|first/ ? () : $d, $new) {
                is $is->post($is->inform_text(params => $params))->status, 503,
                    "$what is a string: 503";
            }
            ok $t->wait_log(qr/answered: (?:ERR )?\Q$key\E is a string, but must be a/, 2),
                '... and it is said by name';
            $redis->cmd('RENAME', 'away', $key);
            is $_->post($_->inform_text(params => $params))->status, 200,
                'mended: 200' for $d, $new;
            for my $is ($d, $new) {
                is $is->value($params->[2][0]), 'new', '... what it tells is known';
                ok defined $redis->cmd('ZSCORE', "cwmp:{0}:index:$_->[0]",
                    "$_->[1]\t" . $is->id), "... and in index:$_->[0]"
                    for ['model', '00D09E K'], ['version', 'new'];
            }
            next if !$tasks;
            is join(' ', $d->obey($d->empty)),
                'GetParameterValues GetParameterValues', 'RULE-3 no task is lost';
            nothing_left($d);
        }
    }
    $t->expect_log(qr/session cannot go on, Redis answered: .* is a string, but/, 14);
};


# --- the cost of it --------------------------------------------------------

subtest 'a read of ten thousand paths' => sub {
    my $d = device();
    $d->give(read_task('r', ParameterNames => [map { "Device.$_." }
                                               1 .. 10000]));
    my ($before, $names, $parts) = (redis_ms(), 0, 0);
    for (my $r = $d->begin; $r->status == 200; $r = $d->respond($r)) {
        $names += $r->names;
        $parts++;
    }
    is $names, 10000, "is sent, in $parts parts";
    my $ms = redis_ms() - $before;
    cmp_ok $ms, '<', 700, "RULE-4 costs Redis little ($ms ms)";
    is $d->status('r'), 'done', 'done';
};


subtest 'a long inbox' => sub {
    my $d = device();
    $d->inform;
    $d->give(('junk') x 5000);
    my ($tries, $said, $before) = (0, '', redis_ms());
    $said = fcall('cwmp_push', $d, read_task('mine'));
    like $said, qr/the inbox of \S+ is long: 4\d\d\d tasks/,
        'RULE-4 cwmp_push takes a bounded part of it';
    cmp_ok redis_ms() - $before, '<', 500, '... which costs Redis little';
    while ($tries++ < 20 && $said =~ /inbox/) {
        $said = fcall('cwmp_push', $d, read_task('mine'));
    }
    is $said, 'mine', "tried again, it is taken in the end ($tries times more)";
};


subtest 'tasks that wait for events are counted' => sub {
    my $d = device();
    $d->give($LOAD);
    my $r = $d->begin;
    $d->respond($r);
    my $entry = $redis->cmd('HGET', $d->key('waiting'), 'load');
    $redis->cmd('HSET', $d->key('waiting'), map { ("w$_" => $entry) } 1 .. 999);
    my $said = fcall('cwmp_push', $d, read_task('one'));
    like $said, qr/^ERR .*(?:full|1000 tasks)/,
        'RULE-4 a thousand that wait: cwmp_push refuses one more';
    $d->give(read_task('more'));
    $d->post(request('x', 'GetRPCMethods'));
    is $d->empty->status, 204, 'RULE-4 ... nor is one taken from the inbox';
    $redis->cmd('HDEL', $d->key('waiting'), map { "w$_" } 1 .. 999);
    is join(' ', $d->session), 'GetParameterValues', 'room again: it runs';
};


# Nothing in the device's hash says how many fields :params may keep; what no
# reader sees any more is taken out by the deadlines.
subtest 'what is gone from the device is swept' => sub {
    my $d = device();
    $d->give(map { read_task("r$_", ParameterNames => ['Device.']) } 1 .. 40);
    my $r = $d->begin;
    for my $i (1 .. 40) {
        $r = $d->post(gpv_response($r->id, map { ["Device.Host.$i.$_", 'int',
                                                  $i] } 1 .. 20));
    }
    is $r->status, 204, 'one path is read forty times';
    is scalar(keys %{ $redis->params($d->id, 'Device.Host.') }), 20,
        'the last read is what is there';
    ok wait_for(sub { hlen($d, 'params') < 20 * 20 }, 6),
        'RULE-4 older reads are swept, though one path only was read';

    $d = device();
    $redis->cmd('HSET', $d->key(undef), 'first', time);
    $redis->cmd('EVAL', 'for i = 1, 3 do redis.call("HSET", KEYS[1],'
        . '"Device.Old." .. i, "0s" .. string.rep("x", 24000000)) end', 1,
        $d->key('params'));
    $d->give(read_task('r', ParameterNames => ['Device.']), read_task('again'));
    $r = $d->begin;
    $r = $d->post(gpv_response($r->id, ['Device.A', 'int', 1]));
    is $d->value('Device.A'), undef,
        'RULE-4 a device with too many bytes of parameters gets no more';
    ok $t->wait_log(qr/bytes of them: not stored/), '... and the log says so';
    ok wait_for(sub { hlen($d, 'params') < 3 }, 6), '... until it is swept';
    $d->post(gpv_response($r->id, ['Device.A', 'int', 1]));
    is $d->value('Device.A'), 1, 'then it has room';
};


# us of Redis that a POST costs: of so many alike.
sub us_of {
    my ($post) = @_;
    $redis->cmd('CONFIG', 'RESETSTAT');
    $post->($_) for 1 .. 20;
    my ($us) = $redis->cmd('INFO', 'commandstats')
               =~ /cmdstat_fcall:.*usec_per_call=([\d.]+)/;
    return $us;
}


subtest 'texts that are made to be slow' => sub {
    my $d = device();
    my %us;
    for my $blanks (0, 1000) {
        $d->inform;
        $us{$blanks} = us_of(sub { $d->post(transfer_complete(
            key => ' ' x $blanks, id => "tc$blanks-$_[0]")) });
    }
    cmp_ok $us{1000}, '<', 20 * $us{0} + 1000,
        "RULE-4 a CommandKey of a thousand blanks: $us{1000} us, $us{0} without";
    for my $digits (1, 990) {
        my $p = default_params();
        my ($url) = grep { $_->[0] =~ /ConnectionRequestURL/ } @$p;
        $us{$digits} = us_of(sub {
            $url->[2] = 'http://[' . '1' x $digits . "$_[0]]/";
            $d->post($d->inform_text(params => $p));
        });
    }
    cmp_ok $us{990}, '<', 10 * $us{1} + 1000,
        "RULE-4 an address of a thousand digits: $us{990} us, $us{1} with one";
};


subtest 'large tasks that wait' => sub {
    my $d = device();
    my $url = 'http://fs.example/' . 'x' x 200;
    for my $i (1 .. 40) {
        $d->give({ method => 'ChangeDUState', id => "du$i",
                   Operations => [map { { Operation => 'Install', URL => "$url$_" } }
                                  1 .. 900] });
    }
    $d->session;
    is hlen($d, 'waiting'), 40, 'forty of 200 KB';
    my $us = us_of(sub { $d->inform });
    cmp_ok $us, '<', 20_000, "RULE-4 an Inform costs little ($us us)";
    $redis->cmd('FCALL', 'cwmp_delete', 1, $d->key);
};


subtest 'names of dots' => sub {
    my $d = device();
    $d->give(read_task('r', ParameterNames => ['b.']));
    $d->session;
    $redis->cmd('HSET', $d->key('params'), 'a.' x 50_000 . 'x', '0s1');
    my $began = time();
    is scalar(keys %{ $redis->params($d->id, 'a.') }), 1, 'is read';
    my $took = time() - $began;
    cmp_ok $took, '<', 1, "RULE-4 a stored name of dots costs little ($took s)";
};


# --- the one that fell silent ----------------------------------------------

subtest 'a deadline that passed while the RPC was outstanding' => sub {
    # in a minute, if it came up while a shared key was of another type
    ok $redis->wait_result($silent->id, 'late', 80),
        'the session is over, and the device does not come back';
    is_deeply $silent->ended, ['late expired'], 'RULE-3 the task expires';
    nothing_left($silent);
};

done_testing;
