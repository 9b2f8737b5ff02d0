#!/usr/bin/perl

# The life of a task: how it gets in, what is refused and why, in which order
# and when tasks run, how they are cancelled, expire and are given up, and what
# bounds them.  Every task ends in exactly one result.

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

sub device { return CWMP::Script->new($t, 'K' . ++$n, @_) }
sub read_task { return { method => 'GetParameterValues', ParameterNames =>
                         ['Device.A'], @_ } }


# One that has been seen, so that cwmp_push takes tasks for it.
sub seen {
    my $d = device(@_);
    is $d->begin->status, 204, '(seen)';
    return $d;
}


# What cwmp_push answers, also when it refuses.
sub fcall {
    my ($d, $task) = @_;
    my $reply = $redis->try('FCALL', 'cwmp_push', 1, $d->key('tasks'),
                            CWMP::Redis::task_json($task));
    return "$reply";
}


# --- in --------------------------------------------------------------------

subtest 'three ways to push a task' => sub {
    my $d = seen();
    my $push = CWMP::Daemon::project_root() . '/redis/cwmp-push';
    my @command = ($push, '-s', $t->redis_server->socket);
    my $run = sub {
        open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', '-', @command, @_)
            or die "$push: $!\n";
        my $text = do { local $/; readline($out) };
        close($out);
        chomp($text);
        return $text;
    };

    $d->give(read_task(id => 'plain'));
    is fcall($d, read_task(id => 'call')), 'call', 'cwmp_push returns the id';
    is $run->($d->id, CWMP::Redis::task_json(read_task(id => 'command'))),
        'command', 'so does redis/cwmp-push';
    $d->give(read_task());
    my $made = fcall($d, read_task());
    like $made, qr/^[\w.:-]{3,64}$/, 'an id is made up';
    is join(' ', $d->session), join(' ', ('GetParameterValues') x 5), 'all run';

    my @ids = map { $_->{id} } $d->results;
    is_deeply [@ids[0 .. 2]], ['plain', 'call', 'command'], 'in their order';
    is $ids[4], $made, 'the made up id is that of the result';
    isnt $ids[3], $made, 'each gets another one';
    is scalar(grep { $_->{status} eq 'done' } $d->results), 5, 'all are done';
    is $d->leftovers, '', 'nothing is left of the tasks';

    like $run->($d->id, '{"method":"Dance"}'), qr/unknown method.*Dance/,
        'redis/cwmp-push says what is wrong';
    isnt $?, 0, '... by its exit code, too';
};


subtest 'a device that nobody has seen' => sub {
    my $d = device();
    like fcall($d, read_task(id => 'a')), qr/^ERR no device \Q@{[$d->id]}\E/,
        'cwmp_push refuses it';
    like fcall($d, read_task(id => 'a')), qr/"new":true/, '... and says what to do';
    is_deeply [map { $d->has($_) } undef, 'tasks', 'queue', 'live'], [0, 0, 0, 0],
        'nothing is written';
    is fcall($d, read_task(id => 'a', new => \1)), 'a', 'unless new';
    $d->give(read_task(id => 'b'));
    $d->session;
    is_deeply $d->ended, ['a done', 'b done'], 'both run when it comes';

    like '' . $redis->try('FCALL', 'cwmp_push', 1, 'tasks', '{}'),
        qr/^ERR tasks is no device's key/, 'a wrong key is refused';
};


subtest 'wake' => sub {
    my $d = seen();
    my $wake = sub { scalar grep { $_->{device} eq $d->id }
                     $redis->stream('cwmp:{0}:wake') };
    fcall($d, read_task());
    fcall($d, read_task(wake => \0));
    is $wake->(), 0, 'nobody is woken unasked';
    fcall($d, read_task(wake => \1));
    is $wake->(), 1, 'wake: an entry in the wake stream';

    $redis->cmd('RENAME', 'cwmp:{0}:wake', 'away');
    $redis->cmd('SET', 'cwmp:{0}:wake', 'x');
    my $queued = $redis->cmd('ZCARD', $d->key('queue'));
    like $redis->try('FCALL', 'cwmp_push', 1, $d->key('tasks'),
                     '{"method":"Reboot","wake":true}'),
        qr/cwmp:\{0\}:wake is a string, but must be a stream/, 'no stream: said';
    is $redis->cmd('ZCARD', $d->key('queue')), $queued, '... nothing is queued';
    $redis->cmd('RENAME', 'away', 'cwmp:{0}:wake');
};


subtest 'an id lives once' => sub {
    my $d = seen();
    fcall($d, read_task(id => 'a'));
    like fcall($d, read_task(id => 'a')), qr/^ERR task refused: id: /,
        'cwmp_push refuses a second one';
    $d->give(read_task(id => 'a', note => 'the second'), read_task(id => 'b'));
    my $r = $d->begin;
    my ($second) = $d->results;
    is $second->{status}, 'rejected', 'a pushed one is rejected';
    is_deeply $second->{fault}, { field => 'id', reason =>
        'a task of the id a lives' }, '... for its id';
    like $second->{response}, qr/the second/, '... that one';
    is $d->status('a'), 'none', 'who waits for the first one is not misled';
    like fcall($d, read_task(id => 'a')), qr/^ERR task refused: id: /,
        'also while the first one is running';
    $d->obey($r);
    is_deeply $d->ended, ["$second->{id} rejected", 'a done', 'b done'],
        'the first one runs';
    is fcall($d, read_task(id => 'a')), 'a', 'free again after its result';

    fcall($d, { method => 'Reboot', id => 'r1', CommandKey => 'k' });
    like fcall($d, { method => 'Reboot', id => 'r2', CommandKey => 'k' }),
        qr/^ERR task refused: CommandKey: /, 'so is a CommandKey';
    like fcall($d, read_task(id => 'k')), qr/CommandKey/,
        'also one made from an id';
};


subtest 'what is rejected has no living task\'s id' => sub {
    my $d = seen();
    my $long = 'x' x 64;
    fcall($d, read_task(id => $_, notBefore => 4102444800)) for 'a', $long;
    $d->give({ method => 'Dance', id => 'a' }, { method => 'Dance', id => 'b' },
             read_task(id => "${long}y"), read_task(id => "a\n"),
             read_task(id => 7));
    is $d->begin->status, 204, 'all of them are bad';
    my @results = $d->results;
    is_deeply [map { $_->{status} } @results], [('rejected') x 5], 'rejected';
    is $results[1]{id}, 'b', 'an id that is free is used';
    like $results[$_]{id}, qr/^t[0-9a-f]+-\d+$/, 'one is made up'
        for 0, 2, 3, 4;
    like $results[0]{fault}{reason}, qr/unknown method.*; a task of the id a /,
        'the reason names the id that lives';
    like $results[2]{fault}{reason}, qr/: "${long}y"$/, 'and the one that is none';
    like $results[3]{fault}{reason}, qr/: "a\?"$/, '... for people';
    is $d->status($_), 'none', 'the living ones have no result' for 'a', $long;
};


# --- what is refused -------------------------------------------------------

my $typed = sub { { method => 'SetParameterValues', ParameterList =>
    { 'Device.X' => { value => $_[0], type => "xsd:$_[1]" } } } };
my $spv = sub { { method => 'SetParameterValues', ParameterList => $_[0] } };
my $load = sub { { method => 'Download', FileType => '1 Firmware Upgrade Image',
                   URL => 'http://fs.example/f', @_ } };
my $X = qr/^ParameterList\.Device\.X$/;

# what, the task, the field, the reason
my @bad = (
    ['no JSON', '{"method":"Reboot"', 'task', qr/JSON/],
    ['nothing', '', 'task', qr/JSON/],
    ['a number', '5', 'task', qr/not a JSON object/],
    ['null', 'null', 'task', qr/not a JSON object/],
    ['a text', '"Reboot"', 'task', qr/not a JSON object/],
    ['an array', '[{"method":"Reboot"}]', 'task', qr/not a JSON object/],
    ['two objects', '{"method":"Reboot"} {}', 'task', qr/JSON/],
    ['too deep', '[' x 5000, 'task', qr/JSON/],
    ['not UTF-8', qq({"method":"Reboot","note":"\xff\xfe"}), 'task', qr/decode|UTF-8/],
    ['a NUL', '{"method":"Reboot","note":"a\u0000"}', 'task',
        qr/^has \\u0000, which no message/],
    ['a field twice', '{"method":"Reboot","method":"Reboot"}', 'task', qr/./],
    ['too long', { method => 'Reboot', note => 'x' x 262_144 }, 'task',
        qr/longer than 262144 bytes/],
    ['an empty object', {}, 'method', qr/missing/],
    ['method is a number', { method => 5 }, 'method', qr/not a text/],
    ['unknown method', { method => 'Dance' }, 'method', qr/unknown.*Dance/],
    ['method in lower case', { method => 'reboot' }, 'method', qr/unknown/],
    ["a CPE's method", { method => 'Inform' }, 'method', qr/unknown/],
    (map { ["id $_->[0]", { method => 'Reboot', id => $_->[1] }, 'id', qr/./] }
        ['a number', 5], ['with a blank', 'a b'], ['empty', ''],
        ['of 65 characters', 'x' x 65], ['with a line feed', "a\n"]),
    (map { ["$_->[0] " . CWMP::Redis::task_json($_->[1]),
            { method => 'Reboot', @$_ }, $_->[0], qr/./] }
        ['expires', 'soon'], ['expires', -1], ['expires', 1.5],
        ['expires', 1e300], ['notBefore', {}], ['attempts', 0],
        ['attempts', 101], ['attempts', '3'], ['priority', 1],
        ['retry', 'yes'], ['wake', 1], ['new', []], ['CommandKey', 5],
        ['note', 5]),
    ['long note', { method => 'Reboot', note => 'x' x 257 }, 'note', qr/256/],
    ['long CommandKey', { method => 'Reboot', CommandKey => 'x' x 33 },
        'CommandKey', qr/32|long/],
    ['unknown field', { method => 'Reboot', when => 'now' }, 'when',
        qr/is no field/],
    ['typo in an argument', { method => 'SetParameterValues', Parameterlist =>
        { 'Device.X' => 1 } }, 'Parameterlist', qr/is no field/],
    ['CommandKey of an RPC that has none', { method => 'GetRPCMethods',
        CommandKey => 'k' }, 'CommandKey', qr/is no field of this task/],
    ["another method's argument", { method => 'Reboot', URL => 'x' }, 'URL',
        qr/is no field/],
    ['no ParameterNames', { method => 'GetParameterValues' },
        'ParameterNames', qr/missing/],
    (map { [$_->[0], { method => 'GetParameterValues', ParameterNames =>
                       $_->[1] }, $_->[2], $_->[3]] }
        ['names no list', 'Device.', 'ParameterNames', qr/list/],
        ['names empty', [], 'ParameterNames', qr/empty/],
        ['name a number', ['a', 5], 'ParameterNames[1]', qr/not a text/],
        ['name null', [undef], 'ParameterNames[0]', qr/not a text/],
        ['name too long', ['x' x 257], 'ParameterNames[0]', qr/long/]),
    (map { ["ParameterList $_->[0]", $spv->($_->[1]), $_->[2], $_->[3]] }
        ['a list', [1], 'ParameterList', qr/not an object/],
        ['empty', {}, 'ParameterList', qr/./],
        ['null value', { 'Device.X' => undef }, $X, qr/no value/],
        ['list value', { 'Device.X' => [1] }, $X, qr/no value/],
        ['no value', { 'Device.X' => { type => 'xsd:int' } }, $X, qr/no value/],
        ['odd type', { 'Device.X' => { value => 1, type => 'xsd:thing' } }, $X,
            qr/type/],
        ['an object', { 'Device.X.' => 1 }, 'ParameterList.Device.X.',
            qr/no parameter's name/],
        ['long name', { 'D' x 257 => { value => 1, type => 'xsd:int' } },
            qr/^ParameterList\.D+$/, qr/256/]),
    (map { ["$_->[1] " . JSON::PP->new->ascii->allow_nonref->encode($_->[0]),
            $typed->(@$_[0, 1]), $X, $_->[2]] }
        ['maybe', 'boolean', qr/boolean/], [1.5, 'int', qr/whole/],
        ['', 'int', qr/whole/], [-1, 'unsignedInt', qr/below 0/],
        ['4294967296', 'unsignedInt', qr/above 4294967295/],
        ['-2147483649', 'int', qr/below/],
        ['18446744073709551616', 'unsignedLong', qr/above/],
        ['now', 'dateTime', qr/dateTime/],
        ['2026-02-30T00:00:00Z', 'dateTime', qr/exist/],
        ['***', 'base64', qr/base64/], ['abc', 'hexBinary', qr/hex/],
        ["a\x01b", 'string', qr/control character/],
        ["a\x{fffe}", 'string', qr/UTF-8|character/]),
    ['an integer beyond 64 bits', '{"method":"SetParameterValues",'
        . '"ParameterList":{"Device.X":{"value":18446744073709551615,'
        . '"type":"xsd:unsignedLong"}}}', 'ParameterList.Device.X.value',
        qr/write it as a text/],
    ['long ParameterKey', { %{ $typed->(1, 'int') }, ParameterKey => 'x' x 33 },
        'ParameterKey', qr/long/],
    ['no ObjectName', { method => 'AddObject' }, 'ObjectName', qr/missing/],
    ['values a list', { method => 'AddObject', ObjectName => 'D.', values =>
        [1] }, 'values', qr/not an object/],
    ['values null', { method => 'AddObject', ObjectName => 'D.', values =>
        { A => undef } }, 'values.A', qr/no value/],
    ['NextLevel 5', { method => 'GetParameterNames', NextLevel => 5 },
        'NextLevel', qr/boolean|true/],
    ['no URL', { method => 'Download', FileType => 'X Y Z' }, 'URL', qr/missing/],
    ['no FileType', $load->(FileType => ''), 'FileType', qr/empty/],
    ['a FileType that is none', $load->(FileType => 'foo'), 'FileType',
        qr/^is none of 1 Firmware Upgrade Image, .*, X <VENDOR> <id>$/],
    ['long FileType', $load->(FileType => 'x' x 65), 'FileType', qr/long/],
    ['FileSize negative', $load->(FileSize => -1), 'FileSize', qr/below/],
    ['FileSize a text', $load->(FileSize => '1 MB'), 'FileSize', qr/whole/],
    ['DelaySeconds too big', $load->(DelaySeconds => '4294967296'),
        'DelaySeconds', qr/above/],
    ['control character in an argument', $load->(Username => "a\x01"),
        'Username', qr/control character/],
);

subtest 'what cannot be used is rejected, and the next task goes on' => sub {
    for my $case (@bad) {
        my ($what, $task, $field, $reason) = @$case;
        my $d = device();
        $d->give($task, read_task(id => 'good'));
        my $r = $d->begin;
        my ($bad) = $d->results;
        my $fault = ref $bad && ref $bad->{fault} ? $bad->{fault} : {};

        my $fits = ($bad->{status} // '') eq 'rejected'
                   && (ref $field ? ($fault->{field} // '') =~ $field
                                  : ($fault->{field} // '') eq $field)
                   && ($fault->{reason} // '') =~ $reason;
        ok $fits, "$what: rejected, with field and reason"
            or diag explain $bad->{raw};
        is join(' ', $d->obey($r)), 'GetParameterValues', '... the next one is sent';
        my @ended = $d->results;
        is scalar(@ended), 2, '... one result each';
        is $ended[1]{status}, 'done', '... it is done';
    }
};


subtest 'cwmp_push says at once what the state table can see' => sub {
    my $d = seen();
    my @said = ([5, 'task: '], ['{', 'task: '], [{ method => 'Dance' },
        'method: unknown method "Dance"'], [{ method => 'Reboot', id => 'a b' },
        'id: '], [{ method => 'Reboot', expires => 'soon' }, 'expires: '],
        [{ method => 'Reboot', attempts => 0 }, 'attempts: ']);
    for my $case (@said) {
        like fcall($d, $case->[0]), qr/^ERR task refused: \Q$case->[1]\E/,
            "refused: $case->[1]";
    }
    is_deeply $d->ended, [], 'no result: it never was a task';
    is $d->leftovers, '', 'nothing is left of the tasks';
};


subtest 'null is as if left out' => sub {
    for my $field (qw(expires notBefore attempts priority wake retry new note)) {
        my $d = device();
        $d->give({ method => 'Reboot', id => 'r', $field => undef });
        my $r = $d->begin;
        is $r->method // $r->status, 'Reboot', "$field: the task runs";
        is $d->begin->status, 204, '... sent once: it is not retry'
            if $r->status == 200;
    }
    my $d = device();
    $d->give(read_task(id => 'first'),
             read_task(id => 'second', priority => undef));
    $d->session;
    is_deeply $d->ended, ['first done', 'second done'], 'not priority either';
    for my $arg (qw(URL FileType)) {
        my $d = device();
        $d->give($load->($arg => undef, id => 'x'));
        is $d->begin->status, 204, "$arg null: not sent";
        is $d->reason('x'), 'is missing', '... since it is missing';
    }
    $d = device();
    $d->give($load->(FileSize => undef, Username => undef, id => 'x'));
    my $r = $d->begin;
    is $r->arg('FileSize'), 0, 'null of an argument: its default';
    $d = device();
    $d->give($spv->({ 'Device.X' => { value => 1, type => undef } }));
    $r = $d->begin;
    is $r->method, 'GetParameterValues', 'null for a type: it is read';
    $r = $d->post(gpv_response($r->id, ['Device.X', 'unsignedInt', 7]));
    is $r->method, 'SetParameterValues', '... and the value is set';
};


subtest 'many bad tasks in a row' => sub {
    my $d = device();
    my @unsent = map { { method => 'AddObject', id => "c$_", ObjectName =>
                         'Device.NoDot' } } 1 .. 20;
    my @broken = map { { method => 'Dance', id => "l$_" } } 1 .. 40;
    $d->give(@broken, @unsent, read_task(id => 'good'));

    my $sessions = 0;
    while ($d->status('good') eq 'none' && $sessions < 5) {
        $d->session;
        $sessions++;
    }
    is $d->status('good'), 'done', "the good one is done, in $sessions sessions";
    my @results = $d->results;
    is scalar(@results), 61, 'one result each';
    is scalar(grep { $_->{status} eq 'rejected' } @results), 60, 'rejected';
    my %id = map { ($_->{id} => 1) } @results;
    is scalar(keys %id), 61, 'each with its own id';
    is $d->leftovers, '', 'nothing is left of the tasks';
};


subtest 'an inbox that is no list' => sub {
    my $d = seen();
    fcall($d, read_task(id => 'queued'));
    $redis->cmd('SET', $d->key('tasks'), 'x');
    is join(' ', $d->session), 'GetParameterValues', 'sessions go on';
    is_deeply $d->ended, ['queued done'], 'the queue is worked off';
    is fcall($d, read_task(id => 'more')), 'more', 'cwmp_push works';
    is join(' ', $d->session), 'GetParameterValues', '... and it runs';
    ok $t->wait_log(qr/\Q@{[$d->key('tasks')]}\E is not a list: delete it/, 2),
        'the log says what to do';
    $redis->cmd('DEL', $d->key('tasks'));
    $d->give(read_task(id => 'again'));
    $d->session;
    is $d->status('again'), 'done', 'deleted: all is well';
};

done_testing;
