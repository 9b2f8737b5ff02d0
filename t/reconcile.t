#!/usr/bin/perl

# A partition in which things disagree, after a crash or somebody's hand, is in
# order after one pass: each thing is broken here by hand, a pass that only
# looks tells it and changes nothing, one that mends mends it, and the next finds
# nothing.  The pass is made by the nodes, too.  And who works off the
# deadlines: one, and not one that was stopped meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use CWMP::House;
use CWMP::Test qw(wait_for);

my $t = house('C');
my $redis = $t->redis;
my $DUE = 'cwmp:{0}:due';


# All slices of a pass: what was found, and of how many devices.
sub run_pass {
    my (@how) = @_;
    my ($at, @found) = ('0');
    my $devices = 0;
    for (1 .. 1000) {
        my $r = $redis->cmd('FCALL', 'cwmp_reconcile', 1, $DUE, $at, @how);
        $at = shift @$r;
        $devices += shift @$r;
        push @found, @$r;
        last if $at eq '0';
    }
    return ($devices, @found);
}

sub found { my (undef, @found) = run_pass(@_); return @found }


# Broken by hand: told, mended, and found no more.
sub broken {
    my ($d, $like, $name) = @_;
    my $id = $d->id;
    my @told = found('dry');
    is scalar(grep { /$like/ && /device: \Q$id\E$/ } @told), 1,
        "$name: told" or diag explain \@told;
    is_deeply [sort(found('dry'))], [sort @told],
        "$name: looking changes nothing";
    found();
    is_deeply [found()], [], "$name: a second pass finds nothing";
}


subtest 'nothing is wrong' => sub {
    my $d = known();
    $d->give({ %$GET, id => 'a', expires => time + 1000 },
             { %$GET, id => 'b', after => 8 });
    $d->inform;
    my ($devices, @found) = run_pass();
    is_deeply \@found, [], 'nothing is found';
    is $devices, devices(), 'all devices were looked at';
    $d->raw->reset;
};


subtest 'indexes' => sub {
    for my $index (qw(seen first model version)) {
        my $d = known();
        my $key = "cwmp:{0}:index:$index";
        my ($member) = grep { /(?:^|\t)\Q${\$d->id}\E$/ }
                       $redis->list('ZRANGE', $key, 0, -1);
        my $score = $redis->cmd('ZSCORE', $key, $member);
        $redis->cmd('ZREM', $key, $member);
        broken($d, qr/is missing in index:$index/, "no entry in $index");
        is $redis->cmd('ZSCORE', $key, $member) + 0, $score + 0,
            'it is there as it was' if $index ne 'seen';

        my $other = device();
        $redis->cmd('ZADD', $key, 7, ($index =~ /model|version/ ? "x y\t" : '')
                    . $other->id);
        broken($other, qr/index:$index has .*which the device has not/,
               "an entry in $index without a device");
    }
    my $d = known();
    $redis->cmd('ZADD', 'cwmp:{0}:index:version', 0, "0.1\t" . $d->id);
    broken($d, qr/index:version has "0.1/, 'an entry of an old version');
};


subtest 'a task runs, and its session is over' => sub {
    my $d = known();
    $d->give({ %$GET, id => 'r' });
    $d->begin;
    $redis->cmd('DEL', $d->key('session'));
    $redis->cmd('ZREM', $DUE, 's ' . $d->id);
    broken($d, qr/task r runs, and its session is over/, 'no session');
    is $d->has('running'), 0, 'it runs no longer';
    $d->session;
    is $d->status('r'), 'done', 'it was sent again, and has one result';
    is scalar($d->results), 1, 'and no other';
};


subtest 'a deadline is missing' => sub {
    my $d = known();
    $d->give({ %$LOAD, id => 'w' });
    $d->session;
    $redis->cmd('ZREM', $DUE, 'w ' . $d->id . ' w');
    broken($d, qr/task w waits without a deadline/, 'of what waits');
    ok $redis->cmd('ZSCORE', $DUE, 'w ' . $d->id . ' w'), 'it has one again';

    my $waits = $redis->cmd('HGET', $d->key('waiting'), 'w');
    (my $past = $waits) =~ s/("deadline":)\d+/${1}1000/;
    $redis->cmd('HSET', $d->key('waiting'), 'w', $past);
    $redis->cmd('ZREM', $DUE, 'w ' . $d->id . ' w');
    broken($d, qr/task w waits without a deadline/, 'that is over');
    is $d->status('w'), 'lost', 'the task has ended';

    $d = known();
    $d->give({ %$GET, id => 'x', expires => time + 1000, after => 8 });
    $d->session;
    $redis->cmd('ZREM', $DUE, 'x ' . $d->id . ' x');
    broken($d, qr/task x expires without a deadline/, 'of what expires');
};


subtest 'queue, live, running and waiting disagree' => sub {
    my $d = known();
    $redis->fcall_push($d->id, { %$GET, id => 'q' });
    $redis->cmd('ZREM', $d->key('queue'), 'q');
    broken($d, qr/task q is neither in queue, running nor waiting/, 'nowhere');
    $d->session;
    is $d->status('q'), 'done', 'it was carried out';

    $d = known();
    $d->give({ %$LOAD, id => 'sent' });
    $d->begin;
    $redis->cmd('DEL', $d->key('running'));
    broken($d, qr/task sent is neither/, 'nowhere, and sent');
    is $d->status('sent'), 'lost', 'what may not happen twice is lost';

    for my $place (qw(queue running waiting)) {
        $d = known();
        if ($place eq 'queue') {
            $redis->fcall_push($d->id, { %$GET, id => 'gone' });
        } elsif ($place eq 'running') {
            $d->give({ %$GET, id => 'gone' });
            $d->begin;
        } else {
            $d->give({ %$LOAD, id => 'gone' });
            $d->session;
        }
        $redis->cmd('HDEL', $d->key('live'), 'gone');
        broken($d, qr/task gone .*not in live/, "$place, and not in live");
        is $d->status('gone'), 'lost', 'it has ended';
        is $d->leftovers, '', 'nothing is left of it';
    }

    $d = known();
    $d->give({ %$LOAD, id => 'both' });
    $d->session;
    $redis->cmd('ZADD', $d->key('queue'), 1, 'both');
    broken($d, qr/task both is in the queue and waiting/, 'in two places');
    is $redis->cmd('HEXISTS', $d->key('waiting'), 'both'), 1, 'it waits';

    $d = known();
    $redis->cmd('HSET', $d->key('live'), '=k old', 'gone', '=a gone', 1);
    broken($d, qr/field "=a gone" of live is of no task/, 'what is left over');
};


subtest 'what was pushed plainly expires while the device is away' => sub {
    my $d = known();
    $d->give({ %$GET, id => 'e', expires => time - 5 }, { %$GET, id => 'f' });
    is_deeply [found('dry')], [], 'looking changes nothing';
    is $redis->cmd('LLEN', $d->key('tasks')), 2, 'they are in the inbox';
    found();
    ok wait_for(sub { $d->status('e') eq 'expired' }), 'a pass: it expires';
    $d->session;
    is $d->status('f'), 'done', 'the other one is done';
};


# More of them than a slice looks at, of which each tenth lacks its deadline.
subtest 'deadlines of a long queue' => sub {
    my $d = known();
    $redis->fcall_push($d->id, { %$GET, id => "x$_", after => 8,
                                 expires => time + 1000,
                                 note => 'n' x 200 }) for 1 .. 900;
    my @missing = map { 'x ' . $d->id . " x${_}0" } 1 .. 90;
    $redis->cmd('ZREM', $DUE, @missing);
    my ($at, $slices, @found) = ('0', 0);
    while ($at =~ /^(0$|1 )/) {
        my $r = $redis->cmd('FCALL', 'cwmp_reconcile', 1, $DUE, $at);
        ($at, undef, my @some) = @$r;
        push @found, @some;
        last if ++$slices > 100 || $at eq '0';
    }
    is scalar(@found), 90, 'all of them are found';
    cmp_ok $slices, '>', 1, "... in $slices slices";
    is scalar(grep { defined $redis->cmd('ZSCORE', $DUE, $_) } @missing), 90,
        'they have one again';
    is_deeply [found()], [], 'and no more is found';
    $redis->cmd('FCALL', 'cwmp_delete', 1, $d->key(undef));
};


subtest 'a record is deleted by hand' => sub {
    my $d = known();
    $d->give({ %$GET, id => 'a' });
    $d->session;
    my $gone = sub { $redis->cmd('DEL', $d->key(undef));
                     $redis->cmd('ZREM', "cwmp:{0}:index:$_->[0]", $_->[1])
                         for ['seen', $d->id], ['first', $d->id],
                             ['model', "00D09E Box\t" . $d->id],
                             map { ['version', $_] } grep { /\t\Q${\$d->id}\E$/ }
                             $redis->list('ZRANGE', 'cwmp:{0}:index:version', 0, -1) };
    $gone->();
    my @told = found('dry');
    is_deeply [sort @told], [map { "$_ of no device: deleted, device: "
                                   . $d->id } qw(params results)],
        'parameters and results: told';
    is_deeply [sort(found())], [sort @told], 'deleted';
    is_deeply [grep { /\Q${\$d->id}\E/ && !/:session$/ }
               $redis->list('KEYS', '*')], [], 'nothing is left';
    is_deeply [found()], [], 'a second pass finds nothing';

    $d = known();
    $redis->fcall_push($d->id, { %$GET, id => "p$_" }) for 1 .. 5;
    $gone->();
    broken($d, qr/has tasks, and no record/, 'its tasks');
    $redis->fcall_push($d->id, { %$GET, id => 'new', new => JSON::PP::true });
    $d->session;
    is_deeply [map { $_->{id} } $d->results], [qw(p1 p2 p3 p4 p5 new)],
        'they are carried out when it comes, in order';
};


subtest '"free" is wrong' => sub {
    my $d = known();
    $d->session;
    $redis->fcall_push($d->id, { %$GET, id => 'f' });
    $redis->cmd('HSET', $d->key(undef), 'free', 1);
    broken($d, qr/tasks live, and "free" says none does/, 'free');
    is_deeply [$d->session], ['GetParameterValues'], 'the task is found';
};


subtest 'what is well is not told of' => sub {
    my $d = known();
    $d->session;
    $d->give({ %$GET, id => 'f' });
    is_deeply [found()], [], 'a task in the inbox of a device that has none';
    $d->session;
};


subtest 'the order of tasks whose queue was lost' => sub {
    my $d = known();
    my @ids = ('z', 'y', map { "o$_" } 1 .. 9);
    $redis->fcall_push($d->id, { %$GET, id => $_ }), select(undef, undef, undef, 0.002)
        for @ids;
    my @made = map { $redis->fcall_push($d->id, $GET) } 1 .. 3;
    $redis->cmd('DEL', $d->key('queue'));
    is scalar(grep { /neither in queue/ } found()), 14, 'all of them are found';
    $d->session;
    is_deeply [map { $_->{id} } $d->results], [@ids, @made], 'and run as they came';
};


subtest 'the order of tasks whose record was lost' => sub {
    my $d = known();
    $redis->fcall_push($d->id, { %$GET, id => "old$_" }) for 1 .. 3;
    $redis->cmd('DEL', $d->key(undef));
    $redis->fcall_push($d->id, { %$GET, id => 'new', new => JSON::PP::true });
    $d->session;
    is join(' ', map { $_->{id} } $d->results), 'old1 old2 old3 new',
        'a new one does not overtake them';
};


subtest 'a device that has never come, and its inbox' => sub {
    my $d = CWMP::Script->new($t, 'NEVER1');
    $d->give({ %$GET, id => 'x', expires => time - 5 }, { %$GET, id => 'y' });
    found();
    ok $redis->wait_result($d->id, 'x', 10), 'what has expired there ends';
    is_deeply $d->ended, ['x expired'], 'by a pass and its deadline';
    is $redis->cmd('ZCARD', $d->key('queue')), 1, 'the other waits';
    $redis->cmd('FCALL', 'cwmp_cancel', 1, $d->key('tasks'), 'y');
};


subtest 'an index of a wrong type' => sub {
    my ($d, $other) = (known(), known());
    $redis->cmd('RENAME', 'cwmp:{0}:index:version', 'away');
    $redis->cmd('SET', 'cwmp:{0}:index:version', 'x');
    is_deeply [grep { /wrong|must be|cannot be mended/ } found()],
        ['cwmp:{0}:index:version is a string, but must be a zset: rename or '
         . 'delete it'], 'is told once, by name';
    like $redis->try('FCALL', 'cwmp_delete', 1, $d->key(undef)),
        qr/cwmp:\{0\}:index:version is a string/, 'also by who deletes';
    $redis->cmd('RENAME', 'away', 'cwmp:{0}:index:version');
    found();
};


subtest 'words that are none' => sub {
    like $redis->try('FCALL', 'cwmp_reconcile', 1, $DUE, 0, 'DRY'),
        qr/"DRY": use dry, or nothing/, 'another word for dry';
    like $redis->try('FCALL', 'cwmp_reconcile', 0), qr/needs a key/, 'no key';
    my $begin = time;
    $redis->cmd('HSET', 'cwmp:{0}:reconcile', 'at', '1 zzz', 'devices', 'abc',
                'ended', 1);
    ok wait_for(sub { $redis->cmd('HGET', 'cwmp:{0}:reconcile', 'ended')
                      >= $begin }, 10), 'a spoilt place: a pass begins anew';
};


subtest 'a device that is no hash, and settings that are none' => sub {
    my ($d, $other) = (known(), known());
    $redis->cmd('RENAME', $d->key(undef), 'away');
    $redis->cmd('SET', $d->key(undef), 'x');
    $redis->cmd('ZREM', 'cwmp:{0}:index:first', $other->id);
    $redis->cmd('HSET', 'cwmp:{0}:settings', 'silence', 'abc', 'reconcile', 'x');
    my @found = found();
    my $id = $d->id;
    is scalar(grep { /cannot be mended: \S+:$id is a string, but must be a hash/ }
              @found), 1, 'it is told';
    ok $redis->cmd('ZSCORE', 'cwmp:{0}:index:first', $other->id),
        'the others are mended';
    my $pass = sub {
        my $begin = time;
        $redis->cmd('HSET', 'cwmp:{0}:reconcile', 'next', 1, 'ended', 1);
        return wait_for(sub { $redis->cmd('HGET', 'cwmp:{0}:reconcile', 'ended')
                              >= $begin }, 10);
    };
    ok $pass->(), 'a pass of a node comes to its end';
    $redis->cmd('DEL', 'cwmp:{0}:settings');
    $redis->cmd('SET', 'cwmp:{0}:settings', 'x');
    ok $pass->(), 'nor do settings of a wrong type stop it';
    $redis->cmd('DEL', $d->key(undef), 'cwmp:{0}:settings');
    $redis->cmd('RENAME', 'away', $d->key(undef));
    found();
};


subtest 'more is wrong than can be told' => sub {
    my $d = known();
    $redis->cmd('HSET', $d->key('live'), map { ("=a gone$_", 1) } 1 .. 9000);
    my @found = found();
    is $found[-1], 'and 8000 more', 'how many more there were';
    is scalar(@found), 1001, 'a thousand lines of a slice';
    is_deeply [found()], [], 'all of it is mended';
};


subtest 'what cannot be mended is told' => sub {
    my $d = known();
    $redis->cmd('SET', $d->key('queue'), 'x');
    my ($told) = grep { /cannot be mended/ } found();
    like $told, qr/:queue is a string, but must be a zset/, 'which key';
    $redis->cmd('DEL', $d->key('queue'));
};


# Nodes have been at work here for so many days.
sub watched_for {
    my ($days) = @_;
    $redis->cmd('HSET', 'cwmp:{0}:reconcile', 'last', time, 'watching',
                time - $days * 86400);
}


subtest 'results are kept for 90 days' => sub {
    my $d = known();
    $redis->cmd('XADD', $d->key('results'), (time - 91 * 86400) . '000-0',
                'id', 'old');
    watched_for(0.5);
    found();
    is_deeply [map { $_->{id} } $d->results], ['old'],
        'whatever the clock says, while nodes have been at work for half a day';
    $redis->cmd('DEL', $d->key('results'));
    watched_for(2);
    $redis->cmd('XADD', $d->key('results'), (time - 91 * 86400) . '000-0',
                'id', 'old');
    $redis->cmd('XADD', $d->key('results'), (time - 89 * 86400) . '000-0',
                'id', 'kept');
    found();
    is_deeply [map { $_->{id} } $d->results], ['kept'], 'by a pass';
    $redis->cmd('DEL', $d->key('results'));
    $redis->cmd('XADD', $d->key('results'), (time - 91 * 86400) . '000-0',
                'id', 'old');
    $d->give({ %$GET, id => 'new' });
    $d->session;
    is_deeply [map { $_->{id} } $d->results], ['old', 'new'],
        'not by a new one, whose clock may be wrong';
};


subtest 'a device that was silent for long is forgotten' => sub {
    my $d = known();
    my $kept = known();
    $redis->cmd('HSET', $_->key(undef), 'seen', time - 40 * 86400)
        for $d, $kept;
    $redis->cmd('HSET', $kept->key(undef), 'seen', time - 29 * 86400);
    $redis->fcall_push($d->id, { %$GET, id => 'p' });
    is scalar(grep { /forgotten/ } found('dry')), 0, 'not unless it is set';
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'silence',
                30 * 86400);
    watched_for(29);
    is scalar(grep { /forgotten/ } found()), 0,
        'not before nodes have been at work for so long';
    watched_for(31);
    $redis->cmd('HSET', 'cwmp:{0}:reconcile', 'last', time - 86400);
    is scalar(grep { /forgotten/ } found()), 0,
        'nor after an outage, before a node is at work again';
    ok wait_for(sub { $redis->cmd('HGET', 'cwmp:{0}:reconcile', 'last')
                      > time - 60 }), 'one is';
    is scalar(grep { /forgotten/ } found()), 0, '... nor then';
    cmp_ok $redis->cmd('HGET', 'cwmp:{0}:reconcile', 'watching'), '>',
        time - 60, '... from when on it counts';
    watched_for(31);
    broken($d, qr/is forgotten: silent for 40 days/, '30 days');
    is $redis->cmd('KEYS', '*' . $d->id . '*')->[0], undef, 'nothing is left';
    ok $kept->has(undef), 'the other one is there';
    my ($e) = grep { $_->{type} eq 'deleted' && $_->{device} eq $d->id }
              $redis->events;
    is "$e->{device} $e->{reason} $e->{tasks}", $d->id . ' silent 1',
        'an event tells it';
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'silence', '');
};


subtest 'the tool' => sub {
    my @d = map { known() } 1 .. 150;
    $redis->cmd('ZREM', 'cwmp:{0}:index:first', $_->id) for @d;
    my ($devices) = run_pass('dry');
    my $told = tool('cwmp-reconcile', '--dry-run');
    is scalar(() = $told =~ /is missing in index:first/g), 150, 'tells it';
    like $told, qr/^$devices devices in 1 partitions, 150 found, nothing changed$/m,
        'and how much that was';
    like tool('cwmp-reconcile'), qr/ 150 found$/, 'mends it';
    like tool('cwmp-reconcile'), qr/^$devices devices in 1 partitions, 0 found$/,
        'which is all';
    my ($out, $code) = tool('cwmp-reconcile', '--prefix', "x'y");
    is_deeply [$out, $code], ["0 devices in 1 partitions, 0 found", 0],
        'another prefix';
    ($out, $code) = tool('cwmp-reconcile', '-n', 99);
    like $out, qr/DB index is out of range/, 'what Redis refuses is said';
    is $code, 1, '... and the tool fails';
};


subtest 'nodes do it by themselves' => sub {
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'reconcile', 1);
    $redis->cmd('HSET', 'cwmp:{0}:reconcile', 'next', 0);
    my $d = known();
    $redis->cmd('ZREM', 'cwmp:{0}:index:first', $d->id);
    ok $t->wait_log(qr/is missing in index:first, device: \Q${\$d->id}\E/),
        'the log tells what was mended';
    ok wait_for(sub { $redis->cmd('ZSCORE', 'cwmp:{0}:index:first', $d->id) }),
        'the entry is there';
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'reconcile', '');
};


# The calls of a worker, made by hand in a partition that no node asks.
subtest 'who works off the deadlines' => sub {
    my @lock = ('cwmp:{9}:due', 'cwmp:{9}:due:lock');
    my $ask = sub { $redis->cmd('FCALL', 'cwmp_due_2', 2, @lock, @_, 64) };
    my $do = sub { $redis->cmd('FCALL', 'cwmp_deadline_2', 2,
                               'cwmp:{9}:00D09E-Box-1', $lock[1],
                               '00D09E-Box-1', 'w 00D09E-Box-1 x', @_)->[0] };
    $redis->cmd('ZADD', $lock[0], 5, 'w 00D09E-Box-1 x');
    my $r = $ask->('aa', 200);
    is_deeply $r->[1], ['w 00D09E-Box-1 x'], 'one worker is told';
    my $token = $r->[0];
    is_deeply $ask->('bb', 200), ['', [], 0, []], 'another one is not';
    is_deeply $redis->cmd('FCALL', 'cwmp_due_1', 2, @lock, 'cc', 200, 64), [],
        'nor one of an older version';
    is $ask->('aa', 200)->[0], $token, 'the first one holds it by asking';
    select undef, undef, undef, 0.3;            # it is stopped for so long
    is $do->($token, 200), 'fenced', 'it goes on: too late';
    my $new = $ask->('bb', 5000)->[0];
    is $do->($token, 200), 'fenced', 'and another one has the lock';
    is $redis->cmd('ZCARD', $lock[0]), 1, 'nothing was done';
    is $do->($new, 5000), 'ok', 'who has it works';
    is $redis->cmd('ZCARD', $lock[0]), 0, 'it is done';
    $redis->cmd('SET', $lock[1], 'bb 1', 'PX', 3600000);
    is $redis->cmd('FCALL', 'cwmp_due_1', 2, @lock, 'cc', 300, 64)->[0] // 'ok',
        'ok', 'of before the clock was set back: nobody has the lock';
    cmp_ok $redis->cmd('PTTL', $lock[1]), '<=', 300, 'the next one takes it';
    $redis->cmd('SET', $lock[1], 'bb 1', 'PX', 3600000);
    like $ask->('aa', 5000)->[0], qr/^aa \d+$/, 'so it is with this function';
    $redis->cmd('DEL', @lock);
};

$t->finish;
done_testing;
