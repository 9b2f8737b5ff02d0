#!/usr/bin/perl

# "after": a task that waits until an Inform brings an event, then runs in
# that session.  It was never sent until then, so it can be cancelled, expires,
# and is not lost by anything.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Redis;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(workers => 2, http => 'cwmp_overload off;');
my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'A' . ++$n, @_) }


sub waits {
    my ($event, %more) = @_;
    return { method => 'GetParameterValues', id => 'r', after => $event,
             ParameterNames => ['Device.R'], %more };
}


# The task is not sent before this Inform, is in this session, and never again.
sub comes_with {
    my ($task, $before, @events) = @_;
    my $d = device();
    $d->give($task);
    my $name = "after $task->{after}";
    is join(' ', $d->session($_)), '', "$name: not by $_" for @$before;
    is join(' ', $d->session(@events)), 'GetParameterValues',
        "$name: sent in the session of its event";
    is_deeply $d->ended, ['r done'], '... and done';
    is join(' ', $d->session(@events)), '', '... once';
    is $d->leftovers, '', '... and nothing of it is left';
}


subtest 'EVT-02 any event can be waited for' => sub {
    my %text = (0 => 'BOOTSTRAP', 1 => 'BOOT', 2 => 'PERIODIC',
        3 => 'SCHEDULED', 4 => 'VALUE CHANGE', 5 => 'KICKED',
        6 => 'CONNECTION REQUEST', 7 => 'TRANSFER COMPLETE',
        8 => 'DIAGNOSTICS COMPLETE', 9 => 'REQUEST DOWNLOAD',
        10 => 'AUTONOMOUS TRANSFER COMPLETE', 11 => 'DU STATE CHANGE COMPLETE',
        12 => 'AUTONOMOUS DU STATE CHANGE COMPLETE', 13 => 'WAKEUP',
        14 => 'HEARTBEAT', 15 => 'OF TOMORROW');

    for my $code (sort { $a <=> $b } keys %text) {
        my @others = map { "$_ $text{$_}" } grep { $_ != $code } 1, 2, 13, 14;
        comes_with(waits($code), \@others, "$code $text{$code}");
    }
    comes_with(waits('8'), ['2 PERIODIC'], '8 DIAGNOSTICS COMPLETE');
    comes_with(waits('8 DIAGNOSTICS COMPLETE'), [], '2 PERIODIC', '8 DIAG');
    comes_with(waits('diagnostics complete'), [], '8 DIAGNOSTICS COMPLETE');
    comes_with(waits('M Reboot'), ['1 BOOT', 'M Download'],
               '1 BOOT', ['m reboot', 'any']);
    comes_with(waits('X 00D09E Bind'), ['X 00D09E bind', '1 BOOT'],
               'X 00D09E  Bind');
};


subtest 'what is no event' => sub {
    my $d = device();
    $d->inform;
    for my $bad ('', 'DIAGNOSIS', 'MONDAY', 'x' x 65, -1, 1.5, 100_000, \1, [8]) {
        my $said = eval { $redis->fcall_push($d->id, waits($bad)) } // $@;
        like $said, qr/^ERR task refused: after: is not an event such as 8/,
            CWMP::Redis::task_json({ after => $bad }) . ' is refused';
    }
};


subtest 'a diagnosis: to be set, and read when it is complete' => sub {
    my $d = device();
    my $state = 'Device.IP.Diagnostics.IPPing.DiagnosticsState';
    $d->give({ method => 'SetParameterValues', id => 'ping', ParameterList => {
               $state => { value => 'Requested', type => 'xsd:string' } } },
             waits(8, priority => \1));
    is join(' ', $d->session), 'SetParameterValues', 'it is started';
    is join(' ', $d->session('2 PERIODIC')), '', 'nothing is read yet';
    $d->give_reads('x');
    my $r = $d->begin('8 DIAGNOSTICS COMPLETE');
    is +($r->names)[0], 'Device.R', 'read when it is complete, first of all';
    is +($d->respond($r)->names)[0], 'Device.x', 'and the queue goes on';
};


subtest 'an event counts that comes after its task' => sub {
    my $d = device();
    $d->inform('8 DIAGNOSTICS COMPLETE');
    $redis->fcall_push($d->id, waits(8));
    is $d->empty->status, 204, 'not one that came before it';
    is $d->begin('2 PERIODIC')->status, 204, 'nor is it remembered';
    is $d->begin('8 DIAGNOSTICS COMPLETE')->method, 'GetParameterValues',
        'but the next';

    # in a deep inbox
    $d = device();
    $d->give_reads(map { "a$_" } 1 .. 100);
    $d->give(waits('0 BOOTSTRAP', priority => \1));
    is +($d->begin('0 BOOTSTRAP')->names)[0], 'Device.R',
        'a hundred tasks were pushed before it';

    # its session dies before its turn
    $d = device();
    $d->give(waits(8));
    $d->inform('8 DIAGNOSTICS COMPLETE');
    is $d->begin('2 PERIODIC')->method, 'GetParameterValues',
        'the session died before its turn: it comes in the next one';
};


subtest 'with the other fields' => sub {
    my $d = device();
    $d->give(waits(8, notBefore => 4102444800));
    is $d->begin('8 DIAGNOSTICS COMPLETE')->status, 204, 'notBefore holds';

    $d = device();
    $d->inform;
    my ($now) = $redis->list('TIME');
    $redis->fcall_push($d->id, waits(8, expires => $now + 1));
    ok $redis->wait_result($d->id, 'r', 8), 'it expires';
    is_deeply $d->ended, ['r expired'], '... as what was not sent';
    is $d->begin('8 DIAGNOSTICS COMPLETE')->status, 204, '... nor is it now';
    is $d->leftovers, '', '... and nothing is left';

    $d = device();
    $d->inform;
    $redis->fcall_push($d->id, waits(8));
    is $redis->cmd('FCALL', 'cwmp_cancel', 1, $d->key('tasks'), 'r'), 'queued',
        'it can be cancelled';
    is_deeply $d->ended, ['r cancelled'], '... as what was not sent';
    is $d->begin('8 DIAGNOSTICS COMPLETE')->status, 204, '... and is not';

    $d = device();
    $d->give({ method => 'Download', id => 'load', URL => 'http://fs/f',
               FileType => '1 Firmware Upgrade Image' }, waits('1 BOOT'));
    $d->session;
    $d->session('0 BOOTSTRAP');
    is_deeply $d->ended, ['load lost'],
        'a reset ends what was sent, not what was not';
    $d->session('1 BOOT');
    is $d->status('r'), 'done', '... that comes with its event';
};


subtest 'EVT-07 a heartbeat that is waited for' => sub {
    my $d = device();
    $d->inform;
    $d->give_reads('a');
    is $d->begin('14 HEARTBEAT')->status, 204, 'EVT-07 not, it is passed over';
    $d->give(waits(14, priority => \1));
    my $r = $d->begin('14 HEARTBEAT');
    is +($r->names)[0], 'Device.R', 'EVT-07 its task runs';
    is $redis->device($d->id)->{events}, '14 HEARTBEAT',
        'EVT-07 in a session as any other';
};


# 261 KB of JSON that is slow to decode, of each: 10 ms for Redis.
subtest 'RULE-4 large tasks that are due at once' => sub {
    my $large = sub { '{"method":"SetParameterAttributes","ParameterList":['
                      . join(',', ('{}') x 87000) . "],$_[0]}" };
    my $took = sub {                        # microseconds, the most of them first
        my ($do) = @_;
        $redis->cmd('SLOWLOG', 'RESET');
        $do->();
        return sort { $b <=> $a } map { $_->[2] }
               $redis->list('SLOWLOG', 'GET', -1);
    };
    $redis->cmd('CONFIG', 'SET', 'slowlog-log-slower-than', 1000);
    for my $case (['"after":8', '8 DIAGNOSTICS COMPLETE'],
                  ['"expires":' . (time + 3), '2 PERIODIC']) {
        my ($field, $event) = @$case;
        my $d = device();
        $d->inform;
        my @pushes = $took->(sub { $redis->cmd('FCALL', 'cwmp_push', 1,
            $d->key('tasks'), $large->($field)) for 1 .. 60 });
        $redis->cmd('FCALL', 'cwmp_push', 1, $d->key('tasks'),
                    '{"method":"GetParameterValues","ParameterNames":["Device.A"]'
                    . ',"priority":true,"id":"p",' . $field . '}')
            if $event =~ /^8/;
        $redis->cmd('DEL', 'cwmp:{0}:due');
        sleep 4 if $event =~ /^2/;
        my ($most) = $took->(sub { $d->inform($event); $d->empty });
        my $times = sprintf '%.1f', $most / $pushes[@pushes / 2];
        cmp_ok $times, '<', 20, "$field: no call takes more than some pushes";
        $d->raw->reset;
        if ($event =~ /^8/) {
            my $n = 0;
            $d->session while ++$n < 15 && $d->status('p') eq 'none';
            is $d->status('p'), 'done', '... the last of them has its turn';
        }
        $redis->cmd('UNLINK', map { $d->key($_) } qw(queue live running));
    }
};


subtest 'RULE-4 they are counted' => sub {
    my $d = device();
    $d->inform;
    $redis->fcall_push($d->id, waits(8, id => "r$_")) for 1 .. 1000;
    my $said = eval { $redis->fcall_push($d->id, waits(8)) } // $@;
    like $said, qr/^ERR the queue of .* is full: 1000 tasks/,
        'RULE-4 a thousand at most';
    $d->give_reads('more');
    is $d->begin('2 PERIODIC')->status, 204, 'RULE-4 none is sent';
    my $r = $d->begin('8 DIAGNOSTICS COMPLETE');
    is +($r->id ? $r->method : ''), 'GetParameterValues',
        'RULE-4 then all of them are';
    is $redis->cmd('ZCOUNT', $d->key('queue'), '2e15', '+inf'), 0,
        'RULE-4 none waits any more';
};

done_testing;
