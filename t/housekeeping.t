#!/usr/bin/perl

# What an admin does with a device: delete it, replace it by another, tag it; and
# with all: move them to another number of partitions, have those forgotten that
# were silent for long.  By the tools, as the docs have it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ();
use CWMP::House;
use CWMP::Redis;
use CWMP::Test qw(patience wait_for);

my $t = house('H');
my $redis = $t->redis;

sub keys_of { my ($d) = @_; return grep { /:\Q${\$d->id}\E(?::|$)/ }
                                   $redis->list('KEYS', '*') }

# entries of indexes and deadlines
sub entries {
    my ($d, $p) = @_;
    return join ' ', map {
        my $key = $_;
        map { "$key" } grep { /(?:^|[\t ])\Q${\$d->id}\E(?: |$)/ }
                       $redis->list('ZRANGE', 'cwmp:{' . ($p // 0) . "}:$key",
                                    0, -1)
    } qw(due index:first index:model index:seen index:tag index:version);
}


subtest 'delete' => sub {
    my $d = known();
    $d->give($GET, { %$LOAD, id => 'w' }, { %$GET, id => 'x', after => 8,
                                            expires => time + 1000 });
    $d->session;
    is scalar(keys_of($d)), 7, 'it has much';
    tool('cwmp-device', 'tags', $d->id, '+vip');
    is entries($d), 'due due index:first index:model index:seen index:tag '
                    . 'index:version', 'it is in all indexes';
    is tool('cwmp-device', 'delete', $d->id), '', 'delete';
    is_deeply [keys_of($d)], [], 'no key is left';
    is entries($d), '', 'no entry is left';
    my ($e) = grep { $_->{type} eq 'deleted' } $redis->events;
    is "$e->{device} $e->{tasks}", $d->id . ' 2', 'an event tells it';
    is_deeply [tool('cwmp-device', 'delete', $d->id)],
        ['cwmp-device: ERR no device ' . $d->id . ' is known', 1], 'again';
    $d->session;
    is entries($d), 'index:first index:model index:seen index:version',
        'it comes back with its next Inform';
};


subtest 'delete in the middle of a session' => sub {
    my $d = known();
    $d->give({ %$GET, id => 'a' });
    my $r = $d->begin;
    tool('cwmp-device', 'delete', $d->id);
    is $d->respond($r)->status, 400, 'its session is over';
    is_deeply [keys_of($d)], [], 'nothing was written';
    is_deeply [$d->session], [], 'it begins anew';
};


subtest 'replace' => sub {
    my ($old, $new) = (known(), known());
    tool('cwmp-device', 'tags', $old->id, '+vip', '+a');
    tool('cwmp-device', 'tags', $new->id, '+b');
    $old->give({ %$LOAD, id => 'w' });
    $old->session;
    $old->give({ %$GET, id => 'first' }, { %$GET, id => 'urgent',
               priority => JSON::PP::true, note => "line\n\x{e9}'\"" },
               { %$GET, id => 'later', after => 8, expires => time + 1000 });
    $redis->fcall_push($old->id, { %$GET });
    is tool('cwmp-device', 'replace', $old->id, $new->id), '4 tasks moved',
        'replace';
    is $old->status('w'), 'lost', 'what was sent is lost';
    is $old->leftovers, '', 'nothing lives with the old one';
    is tool('cwmp-device', 'tags', $new->id), "a\nb\nvip", 'the tags moved';
    my @methods = $new->session;
    is_deeply [map { $_->{id} =~ s/^t\w+-/made-/r } $new->results],
        ['urgent', 'first', 'made-' . ($new->results)[2]{id} =~ s/.*-//r],
        'the tasks are carried out, in order';
    $new->session('8 DIAGNOSTICS COMPLETE');
    is $new->status('later'), 'done', 'what waits for an event waited';
    is tool('cwmp-device', 'replace', $old->id, $new->id), '0 tasks moved',
        'again: nothing';
    is_deeply [map { "$_->{device} $_->{type}" }
               grep { $_->{type} =~ /^replace/ } $redis->events],
        [$old->id . ' replaced', $new->id . ' replaces'], 'events tell it';
    is_deeply [tool('cwmp-reconcile', '--dry-run') =~ /(\d+) found/], [0],
        'nothing disagrees';
};


sub leave { my ($old, $new) = @_;
            return $redis->cmd('FCALL', 'cwmp_leave', 1, $old->key(undef),
                               $new->id) }
sub join_it { my ($old, $new, $part) = @_;
              return $redis->cmd('FCALL', 'cwmp_join', 1, $new->key(undef),
                                 $old->id, $part) }
sub left { my ($old, $part) = @_;
           return $redis->cmd('FCALL', 'cwmp_left', 1, $old->key(undef),
                              $part =~ /^(\d+)/) }
sub replace { my ($old, $new) = @_;
              return tool('cwmp-device', 'replace', $old->id, $new->id) }


subtest 'replaced, and replaced again' => sub {
    my ($old, $new) = (known(), known());
    $old->give_reads(qw(a b c));
    is replace($old, $new), '3 tasks moved', 'three tasks';
    tool('cwmp-device', 'delete', $old->id);
    $old->session;
    tool('cwmp-device', 'tags', $old->id, '+again');
    $old->give_reads('d');
    is replace($old, $new), '1 tasks moved', 'it was deleted, and came back';
    $old->give_reads('e');
    is replace($old, $new), '1 tasks moved', 'pushed to the old one since';
    is_deeply [map { scalar tool('cwmp-device', 'tags', $_->id) } $old, $new],
        ['', 'again'], 'the tags moved, too';
    is replace($new, $old), '5 tasks moved', 'back';
    is replace($old, $new), '5 tasks moved', 'and forth';
    $new->session;
    is_deeply $new->ended, [map { "$_ done" } 'a' .. 'e'], 'each task once';
};


# Its mark must not give way to that of another device.
subtest 'replaced by one that replaces a second device meanwhile' => sub {
    my ($old, $other, $new) = (known(), known(), known());
    $redis->fcall_push($old->id, { method => 'AddObject', id => 'add',
                                   ObjectName => 'Device.NAT.PortMapping.' });
    left($old, leave($old, $new));                  # its tags
    my $part = leave($old, $new);
    join_it($old, $new, $part);                     # and a crash
    $new->session;
    replace($other, $new);
    is replace($old, $new), '1 tasks moved', 'the same again';
    is_deeply [$new->session], [], 'it is not done a second time';
    is_deeply $new->ended, ['add done'], 'one result';
};


subtest 'replace: no room' => sub {
    my ($old, $new) = (known(), known());
    $redis->push_task($old->id, $GET) for 1 .. 1003;
    $redis->try('FCALL', 'cwmp_push', 1, $old->key('tasks'),
                '{"method":"Reboot"}') for 1 .. 2;
    is $redis->cmd('ZCARD', $old->key('queue')), 1000, 'a queue that is full';
    ok $redis->cmd('LLEN', $old->key('tasks')), 'and an inbox that is not empty';
    like replace($old, $new), qr/^(?:\S+ task \S+ was rejected: task: there is no room in the queue\n){3}1000 tasks moved$/,
        'what has room there is moved, what has not is told';
};


subtest 'replace: broken off, and meanwhile the new one of another' => sub {
    my ($a, $b, $c) = map { known() } 1 .. 3;
    $_->give({ %$GET, id => 'of' . $_->id }) for $a, $b;
    $redis->cmd('FCALL', 'cwmp_leave', 1, $b->key(undef), $c->id);
    is replace($a, $b), '1 tasks moved', 'another is replaced by it';
    like replace($b, known()), qr/is being replaced by \Q${\$c->id}\E: end/,
        'its own replacement is by none but the one that was begun';
    is replace($b, $c), '2 tasks moved',
        'its own replacement goes on, and what came to it follows';
    is_deeply [sort map { $_->{id} } map { $c->session; $c->results } 1],
        [sort map { 'of' . $_->id } $a, $b], 'none is lost';
    $b->give({ %$GET, id => 'r' });
    $redis->cmd('FCALL', 'cwmp_leave', 1, $b->key(undef), $c->id);
    $redis->cmd('DEL', $b->key(undef));
    is replace($b, $c), '1 tasks moved', 'nor where its record is lost';
};


subtest 'replace: a queue that is gone' => sub {
    my ($old, $new) = (known(), known());
    $redis->fcall_push($old->id, { %$GET, id => 'q' });
    $redis->cmd('DEL', $old->key('queue'));
    is replace($old, $new), '1 tasks moved', 'what it had goes, too';
};


subtest 'tools that would not do what was meant' => sub {
    my ($one, $two) = (known(), known());
    is_deeply [tool('cwmp-device', 'delete', $one->id, $two->id)],
        ['cwmp-device: delete ID: one id; nothing was deleted', 1], 'delete A B';
    ok $one->has(undef), 'nothing was deleted';
    like +(tool('cwmp-reconcile', '--forget', 5, '--dry-run'))[0],
        qr/leave out --dry-run/, '--forget --dry-run';
    is $redis->cmd('HGET', 'cwmp:{0}:settings', 'silence'), undef,
        'nothing is set';
    my $list = join ',', map { sprintf '"Device.%s.%d"', 'x' x 100, $_ } 1 .. 1900;
    my $json = qq(\n{"id":"long","method":"GetParameterValues","ParameterNames":[$list]});
    open my $fh, '>', $t->dir . '/long' or die;
    print $fh $json;
    close $fh;
    my $tool = "$FindBin::Bin/../redis/cwmp-push -s " . $t->redis_server->socket;
    my $id = $one->id;
    is `$tool --wake $id - < @{[ $t->dir ]}/long`, "long\n",
        'a task of 200 KB that begins with an empty line';
    is $redis->cmd('FCALL', 'cwmp_cancel', 1, $one->key('tasks'), 'long'),
        'queued', 'is there';
};


subtest 'replace: more tags than one may have' => sub {
    my ($one, $two, $new) = (known(), known(), known());
    tool('cwmp-device', 'tags', $one->id, map { "+a$_" } 1 .. 30);
    tool('cwmp-device', 'tags', $two->id, '+b1', '+b2', '+b3');
    replace($one, $new);
    is replace($two, $new), 'cwmp-device: more than 32 tags: b3 were left out'
        . "\n0 tasks moved", 'what there is no room for is told';
    is scalar(split /\n/, tool('cwmp-device', 'tags', $new->id)), 32, 'the rest';
    $redis->cmd('HSET', $new->key(undef), 'tags', join ',', map { "t$_" } 1 .. 40);
    is scalar(split /\n/, tool('cwmp-device', 'tags', $new->id)), 40,
        'more than that by an older version: shown';
    is scalar(split /\n/, tool('cwmp-device', 'tags', $new->id, '-t1')), 39,
        'and taken away';
    like tool('cwmp-device', 'tags', $new->id, '+t1', '+t0'),
        qr/at most 32 tags/, 'but no more come';
    tool('cwmp-reconcile');
};


subtest 'replace: the new one is not known yet' => sub {
    my ($old, $new) = (known(), device());
    tool('cwmp-device', 'tags', $old->id, '+soon');
    replace($old, $new);
    is_deeply [tool('cwmp-reconcile') =~ /(\d+) found/], [0], 'all is well';
    $new->session;
    is entries($new), 'index:first index:model index:seen index:tag '
        . 'index:version', 'with its first Inform it is found by its tags';
    is_deeply $redis->cmd('FCALL_RO', 'cwmp_find', 1, 'cwmp:{0}:index:seen',
                          '{"tag":"soon"}'), ['', $new->id], 'at once';
};


subtest 'replace: what the old one told of already' => sub {
    my ($old, $new) = (known(), known());
    $old->give({ %$LOAD, id => 'w' });
    my $r = $old->begin;
    $old->post(CWMP::Envelope::transfer_complete(key => 'w', code => 0));
    $old->give({ %$LOAD, id => 'x' });
    replace($old, $new);
    is $old->status('w'), 'done', 'an outcome that is known is the result';
    ok $old->result('w')->{sent}, 'with the time when it was sent';
    $new->begin;
    replace($new, $old);
    is $new->status('x'), 'lost', 'what is not known is lost';
    ok $new->result('x')->{sent}, 'with that time, too';
};


subtest 'a replacement that did not end' => sub {
    my ($old, $new) = (known(), known());
    $old->give_reads('m');
    leave($old, $new);
    like tool('cwmp-device', 'delete', $old->id),
        qr/is being replaced by ${\$new->id}: end that first/, 'no delete';
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'silence',
                86400);
    $redis->cmd('HSET', $old->key(undef), 'seen', time - 9 * 86400);
    tool('cwmp-reconcile');
    tool('cwmp-reconcile', '--forget', 'off');
    is replace($old, $new), '1 tasks moved', 'nor is it forgotten';
    $new->session;
    is $new->status('m'), 'done', 'the task is done';
};


subtest 'no key of a device' => sub {
    $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '*/X/*',
                '{"namesAtMost":5}');
    for my $key (qw(quirks settings due wake events)) {
        my $r = $redis->try('FCALL', 'cwmp_delete', 1, "cwmp:{0}:$key");
        like "$r", qr/is no device's key/, "delete $key";
    }
    ok $redis->cmd('HEXISTS', 'cwmp:{0}:quirks', '*/X/*'), 'quirks are there';
    $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '*/X/*', '{}');
    for my $id ('a b-c', "lower-\n%zz", '-x', 'A-') {
        like '' . $redis->try('FCALL', $_->[0], 1, "cwmp:{0}:$id", @$_[1 .. $#$_]),
            qr/is no device's key/, "$_->[0] '$id'"
            for ['cwmp_cancel', 'x'], ['cwmp_join', 'A-B', '1 00'];
    }
    is_deeply [grep { /a b|lower/ } $redis->list('KEYS', '*')], [],
        'nothing is written';
};


# The tool is killed after each of its calls, and run again.
subtest 'replace, with a crash at each step' => sub {
    for my $crash (1 .. 6) {
        my ($old, $new) = (known(), known());
        $redis->fcall_push($old->id, { %$GET, id => $_ }) for qw(a b);
        my ($calls, $part) = (0, undef);
        CALLS: for (1 .. 2) {
            for my $step (sub { $part = $redis->cmd('FCALL', 'cwmp_leave', 1,
                                    $old->key(undef), $new->id) },
                          sub { $redis->cmd('FCALL', 'cwmp_join', 1,
                                    $new->key(undef), $old->id, $part) },
                          # whose reply is lost is called again
                          sub { $redis->cmd('FCALL', 'cwmp_left', 1,
                                    $old->key(undef), $part =~ /^(\d+)/)
                                for 1 .. 2 }) {
                last CALLS if ++$calls > $crash;
                $step->();
            }
        }
        is_deeply [$old->session], [], 'the old one gets nothing meanwhile';
        like tool('cwmp-reconcile'), qr/its replacement was begun.*${\$old->id}/,
            "crash after call $crash: a pass tells it";
        like tool('cwmp-device', 'replace', $old->id, 'X-Y'),
            qr/is being replaced by ${\$new->id}/, 'by another: not now';
        tool('cwmp-device', 'replace', $old->id, $new->id);
        $new->session;
        is_deeply $new->ended, ['a done', 'b done'], 'each task once';
    }
};


subtest 'other partitions' => sub {
    my @d = map { known(class => "P$_") } 1 .. 8;
    tool('cwmp-device', 'tags', $d[0]->id, '+moved');
    $d[0]->give({ %$LOAD, id => 'w' }, { %$GET, id => 'x', after => 8,
                                         expires => time + 1000 });
    $d[0]->session;
    $d[0]->give(map { { %$GET, after => 13 } } 1 .. 70);
    $redis->fcall_push($d[0]->id, { %$GET, id => 'x2', after => 13,
                                    expires => time + 2000 });
    my $many = 'x ' . $d[0]->id . ' x2';
    my $at = $redis->cmd('ZSCORE', 'cwmp:{0}:due', $many);
    ok $at, 'a deadline among many';
    $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '00D09E/P1/*',
                '{"prefix":"soap"}');
    like tool('cwmp-partitions', 1, 4), qr/a node is at work: stop nginx/,
        'not while nginx works';
    $t->quit;
    wait_for(sub { !$redis->cmd('EXISTS', 'cwmp:{0}:due:lock') }, 10);
    my $idle = CWMP::Redis->new(path => $t->redis_server->socket);
    $idle->cmd('CLIENT', 'SETNAME', 'cwmp:node:1');
    like tool('cwmp-partitions', 1, 4), qr/a node is at work: stop nginx/,
        'nor while one is connected, and holds no lock';
    $idle->close;
    $redis->cmd('SET', 'cwmp:{0}:due:lock', 'x');
    like tool('cwmp-partitions', 1, 4), qr/a node is at work: stop nginx/,
        'nor while one holds the lock';
    $redis->cmd('DEL', 'cwmp:{0}:due:lock');
    like tool('cwmp-partitions', 1, '04'), qr/from 1 to 1024/, 'what is no number';
    my ($two) = grep { CWMP::Redis::crc16($_->id) % 4 == 2 } @d;
    my $there = 'cwmp:{2}:' . $two->id . ':tasks';
    $redis->cmd('RPUSH', $there, '{}');
    $two->give($GET);
    like tool('cwmp-partitions', 1, 4), qr/\Q$there\E is there, too/,
        'an inbox is in both places';
    is entries($two), 'index:first index:model index:seen index:version',
        'nothing of this device was moved';
    $redis->cmd('DEL', $there);
    like tool('cwmp-partitions', 1, 4), qr/^\d+ devices moved$/, '1 to 4';
    $redis->cmd('RPUSH', $two->key('tasks') =~ s/\{\d\}/{0}/r, JSON::PP::encode_json(
                { %$GET, id => 'late' }));
    like tool('cwmp-partitions', 4, 4), qr/^1 devices moved/,
        'what was pushed to the old place is fetched';
    is $redis->cmd('HGET', 'cwmp:meta', 'partitions'), 4, 'cwmp:meta says so';
    for my $d (@d) {
        my $p = CWMP::Redis::crc16($d->id) % 4;
        is scalar(grep { !/\{$p\}/ } keys_of($d)), 0, "all keys are in {$p}";
        like entries($d, $p), qr/index:first index:model index:seen/, 'indexes';
    }
    my $p = CWMP::Redis::crc16($d[0]->id) % 4;
    is $redis->cmd('ZSCORE', "cwmp:{$p}:due", $many), $at,
        'a deadline is as it was, of many tasks, too';
    is entries($d[0], $p), 'due due due index:first index:model index:seen '
        . 'index:tag index:version', 'deadlines, tags';
    is $redis->cmd('HLEN', 'cwmp:{3}:quirks'), 2, 'quirks are everywhere';
    is_deeply [tool('cwmp-reconcile') =~ /in 4 partitions, (\d+) found/], [0],
        'nothing disagrees';
    my ($left) = grep { CWMP::Redis::crc16($_->id) % 4 } @d[1 .. 7];
    my ($other) = grep { CWMP::Redis::crc16($_->id) % 4
                         != CWMP::Redis::crc16($left->id) % 4 } @d[1 .. 7];
    like tool('cwmp-device', 'replace', $left->id, $other->id),
        qr/tasks moved/, 'a device is replaced by one of another partition';
    like tool('cwmp-partitions', 4, 1), qr/devices moved$/, '4 to 1';
    is_deeply [grep { /\{[123]\}/ && !/:events$/ } $redis->list('KEYS', '*')],
        [], 'all are back, but for events';
    is_deeply [tool('cwmp-reconcile') =~ /in 1 partitions, (\d+) found/], [0],
        'nothing disagrees';
    $redis->cmd('HSET', 'cwmp:meta', 'partitions', '1>4');
    like tool('cwmp-device', 'tags', $d[0]->id), qr/run cwmp-partitions to its end/,
        'in the middle of it tools refuse to work';
    tool('cwmp-partitions', 1, 4);
    tool('cwmp-partitions', 4, 1);
    $t->start;
    $d[0]->session('8 DIAGNOSTICS COMPLETE');
    is $d[0]->status('x'), 'done', 'nginx works with it again';
};


# Of devices that do not exist, so that each is taken out at once.
subtest 'much is due in one partition of several' => sub {
    my $t = CWMP::Test->new(redis_options => 'partitions=4');
    is $t->raw->post(CWMP::Envelope::inform(serial => 'S1'))->status, 200,
        'it works';
    $t->redis->cmd('ZADD', 'cwmp:{0}:due',
                   map { (1000, "s 00D09E-Box-N$_") } 1 .. 4000);
    my $begin = time();
    ok wait_for(sub { $t->redis->cmd('ZCARD', 'cwmp:{0}:due') < 2 }, 30),
        'it is worked off';
    cmp_ok time() - $begin, '<', patience(6), 'without a pause';
    $t->finish;
};


subtest 'settings' => sub {
    is tool('cwmp-reconcile', '--forget', 365), '', 'forget';
    is $redis->cmd('HGET', 'cwmp:{0}:settings', 'silence'), 365 * 86400, 'is set';
    tool('cwmp-reconcile', '--forget', 'off');
    is $redis->cmd('EXISTS', 'cwmp:{0}:settings'), 0, 'is off';
    like tool('cwmp-reconcile', '--forget', 'x'), qr/number of days, at most 3650, or off/,
        'what is none';
    for my $bad (['x', 1], ['silence', 5], ['sessions', 'x'], ['reconcile', 0]) {
        ok ref $redis->try('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings',
                           @$bad), "refused: @$bad";
    }
};


subtest 'a CPE that informs without end' => sub {
    my ($d, $other) = (device(), device());
    $d->session;
    $redis->cmd('HSET', $d->key(undef), 'burst', time . ' 990');
    my @got = map { $d->post($d->inform_text)->status } 1 .. 40;
    is_deeply [@got[0 .. 9]], [(200) x 10], 'the first ones are answered';
    is_deeply [@got[10 .. 39]], [(503) x 30], 'the others are refused';
    is scalar(grep { $_->{type} eq 'session' && $_->{device} eq $d->id }
              $redis->events), 1, 'one event';
    is scalar(grep { $_->{type} eq 'inform' && $_->{device} eq $d->id }
              $redis->events), 11, 'of the others nothing is written';
    my @lines = grep { /informs without end/ } split /\n/, $t->error_log;
    is scalar(@lines), 1, 'one line in the log';
    is $other->inform->status, 200, 'another device is served';
    $redis->cmd('HSET', $d->key(undef), 'seen', time - 6);
    is $d->inform->status, 200, 'so is this one, if it waits as CWMP says';
    is $d->post($d->inform_text)->status, 503, 'but not at once again';
    $redis->cmd('HSET', $d->key(undef), 'burst', (time - 901) . ' 1001');
    is $d->inform->status, 200, 'and after a quarter of an hour';
    my $refused = 1;
    for my $break (sub { $redis->cmd('HSET', $_[0], 'sessions', 'abc') },
                   sub { $redis->cmd('SET', $_[0], 'x') }) {
        $redis->cmd('DEL', 'cwmp:{0}:settings');
        $break->('cwmp:{0}:settings');
        $redis->cmd('HSET', $d->key(undef), 'burst', time . ' 1000');
        is $d->post($d->inform_text)->status, 503, 'settings that are none';
        is scalar(grep { $_->{type} eq 'session' && $_->{device} eq $d->id }
                  $redis->events), ++$refused, 'are as if there were none';
    }
    $redis->cmd('DEL', 'cwmp:{0}:settings');
    $redis->cmd('HSET', $d->key(undef), 'burst', time . ' 1001');
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'sessions', 1e6);
    is $d->inform->status, 200, 'nor when more are allowed';
    $redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'sessions', '');
};

$t->finish;
done_testing;
