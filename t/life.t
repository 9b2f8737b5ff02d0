#!/usr/bin/perl

# When a task runs, and how it ends without running: order, priority,
# notBefore, expires, cancel, giving up what an event was to end, and the bounds
# of queue and results.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for patience);

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'N' . ++$n, @_) }
sub read_task { my ($id, %more) = @_;
                return { method => 'GetParameterValues', id => $id,
                         ParameterNames => ["Device.$id"], %more } }
sub fcall { my ($d, $task) = @_;
            return '' . $redis->try('FCALL', 'cwmp_push', 1, $d->key('tasks'),
                                    CWMP::Redis::task_json($task)) }
sub cancel { my ($d, $task) = @_;
             return '' . $redis->try('FCALL', 'cwmp_cancel', 1,
                                     $d->key('tasks'), $task) }


# Redis' clock, which is the one that counts.
sub now { my ($s, $us) = $redis->list('TIME'); return $s + $us / 1e6 }


sub seen {
    my $d = device(@_);
    is $d->begin->status, 204, '(seen)';
    return $d;
}


# --- order -----------------------------------------------------------------

subtest 'first come, first served, priority before' => sub {
    my $d = seen();
    $d->give(read_task('a'), read_task('b'));
    fcall($d, read_task('u', priority => \1));
    $d->give(read_task('c'), read_task('v', priority => \1),
             read_task('d', priority => \0));
    $d->session;
    is_deeply $d->ended, [map { "$_ done" } qw(u v a b c d)], 'in this order';

    $d->give(read_task('x'), read_task('y'));
    my $r = $d->begin;
    fcall($d, read_task('late', priority => \1));
    $d->obey($r);
    is join(' ', map { $_->{id} } ($d->results)[6 .. 8]), 'x late y',
        'what is pushed during the session joins in its place';
    is $d->leftovers, '', 'nothing is left of the tasks';
};


subtest 'notBefore' => sub {
    my $d = seen();
    my $when = int(now()) + 2;
    $d->give(read_task('later', notBefore => $when),
             read_task('far', notBefore => $when + 3600),
             read_task('past', notBefore => 1), read_task('now'));
    $d->session;
    is_deeply $d->ended, ['past done', 'now done'], 'not before its time';

    wait_for(sub { now() >= $when }, 5);
    $d->give(read_task('new'));
    $d->session;
    is join(' ', sort @{ $d->ended }), 'later done new done now done past done',
        'then it runs';
    is scalar($d->results), 4, 'the one that is far waits on';
    is cancel($d, 'far'), 'queued', '(cancelled)';
    is $d->leftovers, '', 'nothing is left of the tasks';

    $when = int(now()) + 2;
    my @ids = ('z', 'y', map { "r$_" } 1 .. 12);
    $d->give(map { read_task($_, notBefore => $when) } @ids);
    $d->session;
    wait_for(sub { now() >= $when }, 5);
    $d->session;
    is join(' ', map { $_->{id} } ($d->results)[5 .. 18]), join(' ', @ids),
        'those of one time as they came';
};


# --- expires ---------------------------------------------------------------

subtest 'expires' => sub {
    my $d = seen();
    my $began = time();
    fcall($d, read_task('soon', expires => int(now()) + 1));
    fcall($d, read_task('far', expires => int(now()) + 3600));
    fcall($d, read_task('both', expires => int(now()) + 1,
                        notBefore => int(now()) + 600));
    is $d->status('soon'), 'none', 'it lives until then';
    ok $redis->wait_result($d->id, 'soon', patience(4)),
        'expires without the device coming';
    is $d->status('soon'), 'expired', '... with this status';
    is $d->result('soon')->{sent}, '', '... never sent';
    ok $redis->wait_result($d->id, 'both', patience(4)),
        'also while it waits for its time';
    cmp_ok time() - $began, '<', patience(5), 'in time';

    $d->give(read_task('old', expires => int(now()) - 1), read_task('good'));
    is join(' ', $d->session), 'GetParameterValues GetParameterValues',
        'what is too late when the device comes is not sent';
    is $d->status('old'), 'expired', '... and has expired';
    is join(' ', sort @{ $d->ended }),
        'both expired far done good done old expired soon expired',
        'one result each';
    is $d->leftovers, '', 'nothing is left of the tasks';

    my $running = seen();
    fcall($running, read_task('run', expires => int(now()) + 1));
    my $r = $running->begin;
    is $r->method, 'GetParameterValues', 'sent in time';
    ok wait_for(sub { !defined $redis->cmd('ZSCORE', 'cwmp:{0}:due',
        "x @{[$running->id]} run") }, 5), '(its deadline has passed)';
    is $running->status('run'), 'none', 'it does not expire while it runs';
    $running->respond($r);
    is_deeply $running->ended, ['run done'], '... and is done';
};


# --- cancel ----------------------------------------------------------------

subtest 'cwmp_cancel' => sub {
    my $d = seen();
    $d->give(read_task('inbox'));
    is cancel($d, 'inbox'), 'queued', 'one in the inbox';
    fcall($d, read_task('queued'));
    is cancel($d, 'queued'), 'queued', 'one in the queue';
    is_deeply $d->ended, ['inbox cancelled', 'queued cancelled'], 'cancelled';
    is $d->begin->status, 204, 'none of them is sent';

    fcall($d, read_task('running'));
    my $r = $d->begin;
    like cancel($d, 'running'), qr/^ERR task running was sent/,
        'one that is running: refused';
    $d->respond($r);
    is $d->status('running'), 'done', '... it goes on';
    like cancel($d, $_), qr/^ERR no task $_ of /, "$_: no such task lives"
        for qw(running unknown);

    $d->give({ method => 'Reboot', id => 'boot' });
    $d->session;
    is cancel($d, 'boot'), 'waiting', 'one that waits for an event';
    is $d->status('boot'), 'cancelled', '... is cancelled';
    like $d->reason('boot'), qr/had accepted it/, '... and says what that means';
    $d->inform('1 BOOT', ['M Reboot', 'boot']);
    is scalar($d->results), 4, 'the event makes no second result';
    is $d->leftovers, '', 'nothing is left of the tasks';
};


# --- giving up -------------------------------------------------------------

# The deadline of a waiting task is now.
sub hurry {
    my ($d, $task) = @_;
    my $entry = $redis->cmd('HGET', $d->key('waiting'), $task);
    my $changed = $entry =~ s/"deadline":[\d.e+]+/"deadline":1/;
    ok $changed, '(its deadline is now)';
    $redis->cmd('HSET', $d->key('waiting'), $task, $entry);
    my $member = "w @{[$d->id]} $task";
    is $redis->cmd('ZADD', 'cwmp:{0}:due', 'XX', 'CH', 1, $member), 1,
        '(it has one)';
}


subtest 'an event that does not come' => sub {
    my $d = seen();
    $d->give({ method => 'Reboot', id => 'boot' });
    $d->session;
    my $score = $redis->cmd('ZSCORE', 'cwmp:{0}:due', "w @{[$d->id]} boot");
    cmp_ok abs($score / 1000 - now() - 1800), '<', 60, 'half an hour for Reboot';
    hurry($d, 'boot');
    ok $redis->wait_result($d->id, 'boot', patience(5)), 'then it ends';
    is $d->status('boot'), 'lost', 'lost';
    like $d->reason('boot'), qr/the event that ends it did not come/, '... why';
    is $d->begin('1 BOOT', ['M Reboot', 'boot'])->status, 204, 'too late';
    is_deeply $d->ended, ['boot lost'], 'one result';
    is $d->leftovers, '', 'nothing is left of the tasks';

    $d = seen();
    $d->give({ method => 'Download', id => 'fw', URL => 'http://fs.example/f',
               FileType => '1 Firmware Upgrade Image', DelaySeconds => 7200 });
    $d->session;
    $score = $redis->cmd('ZSCORE', 'cwmp:{0}:due', "w @{[$d->id]} fw");
    cmp_ok abs($score / 1000 - now() - 86400 - 7200), '<', 60,
        'a day and its delay for Download';
    hurry($d, 'fw');
    $redis->wait_result($d->id, 'fw', patience(5));
    is_deeply $d->ended, ['fw lost'], 'lost';
};


# --- bounds ----------------------------------------------------------------

subtest 'a queue of a thousand' => sub {
    my $d = seen();
    my %later = (notBefore => int(now()) + 3600);
    $d->give(map { read_task("q$_", %later) } 1 .. 1005);
    my $said = '';
    for (1 .. 3) {              # a call takes a part of a long inbox
        $said = fcall($d, read_task('more'));
        last unless $said =~ /^ERR the inbox of .* try again/;
    }
    like $said, qr/^ERR the queue of .* is full: 1000 tasks/,
        'cwmp_push says that it is full';
    is $redis->cmd('ZCARD', $d->key('queue')), 1000, 'the queue is bounded';
    is $redis->cmd('LLEN', $d->key('tasks')), 5, 'the rest stays in the inbox';
    is $d->begin->status, 204, 'the device is served';
    $d->give(read_task('q1006', %later));
    is $redis->cmd('LLEN', $d->key('tasks')), 6, 'RPUSH loses nothing';

    is cancel($d, "q$_"), 'queued', "q$_ makes room" for 1 .. 6;
    is fcall($d, read_task('q7')) =~ /^ERR/ ? 'ERR' : '', 'ERR',
        'those of the inbox come first';
    is $redis->cmd('LLEN', $d->key('tasks')), 0, '... all of them';
    is $redis->cmd('ZCARD', $d->key('queue')), 1000, '... full again';
    is cancel($d, 'q1006'), 'queued', 'the last one has arrived';
    is fcall($d, read_task('more', %later)), 'more', 'room for one more';
};


subtest 'results are bounded' => sub {
    my $d = seen();
    $d->give(map { "bad $_" } 1 .. 700);
    fcall($d, read_task('last'));
    $d->session;
    my @results = $d->results;
    cmp_ok scalar(@results), '>=', 200, 'the last 200 are kept';
    cmp_ok scalar(@results), '<=', 400, '... and not all';
    is $results[-1]{id}, 'last', 'the newest one is there';
    like $results[-2]{response}, qr/bad 700/, '... the one before, too';
    like $results[0]{response}, qr/bad [3-5]\d\d/, 'the oldest ones are gone';
    is $d->leftovers, '', 'nothing is left of the tasks';
};

done_testing;
