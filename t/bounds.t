#!/usr/bin/perl

# Bounds that only show from outside when one counts: what a step takes from
# the inbox, how many chunks of a long answer wait for Redis, how many
# parameters and events are kept, and who may look for deadlines.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Envelope ':all';
use CWMP::RedisProxy;
use CWMP::Script;
use CWMP::Test qw(wait_for patience);

# A busy machine is not what is tested: Redis may take its time.
my $t = CWMP::Test->new(start => 0,
                        cwmp_redis => 'unix:%%DIR%%/proxy.sock timeout=20s '
                                      . 'connect_timeout=20s');
$t->redis_server->start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->start;

my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'B' . ++$n, @_) }
sub now { my ($s, $us) = $redis->list('TIME'); return $s + $us / 1e6 }


sub read_task {
    my ($id, %more) = @_;
    return { method => 'GetParameterValues', id => $id,
             ParameterNames => ["Device.$id"], %more };
}


subtest 'what a step takes from the inbox' => sub {
    my $d = device();
    my $inbox = sub { $redis->cmd('LLEN', $d->key('tasks')) };
    $d->give(map { read_task("r$_") } 1 .. 150);
    $d->inform;
    is $inbox->(), 22, 'RULE-4 an Inform takes 128 tasks from the inbox';
    my $r = $d->empty;
    is +($r->names)[0], 'Device.r1', 'the first task is sent';
    is $inbox->(), 6, 'RULE-4 any other step takes sixteen';
    my @methods = $d->obey($r);
    is scalar(@methods), 150, 'all of them run';
    is $d->leftovers, '', 'nothing is left of the tasks';
};


subtest 'what a step takes from the inbox, by size' => sub {
    my $d = device();
    my $inbox = sub { $redis->cmd('LLEN', $d->key('tasks')) };
    my $names = [map { sprintf('Device.%0240d', $_) } 1 .. 1000];
    $d->inform;
    $d->give(map { { method => 'GetParameterValues', id => "r$_",
                     ParameterNames => $names } } 1 .. 16);
    $d->inform;
    is $inbox->(), 14, 'RULE-4 two of 250 KB fill an Inform';
    my $r = $d->empty;
    is $inbox->(), 12, 'RULE-4 and any other step';
    my $said = sub { '' . $redis->try('FCALL', $_[0], 1, $d->key('tasks'), $_[1]) };
    like $said->('cwmp_push', '{"method":"GetRPCMethods"}'),
        qr/^ERR the inbox of .* is long: 10 tasks; try again/,
        'RULE-4 and cwmp_push, which says what is left';
    like $said->('cwmp_cancel', 'r16'), qr/is long: 8 tasks; try again/,
        'RULE-4 as cwmp_cancel does';
    for (1 .. 4) {
        like $said->('cwmp_cancel', 'r16'), $_ < 4 ? qr/try again/ : qr/^queued$/,
            '... until it has found the task';
    }
    is $inbox->(), 0, 'nothing is left';
};


subtest 'what an Inform may bring' => sub {
    my $d = device();
    my @params = (@{ CWMP::Envelope::default_params() },
                  map { ["Device.P.$_", 'string', 'v' x 1000] } 1 .. 300);
    push @params, ['Device.DeviceInfo.SoftwareVersion', 'string', '9.9'];
    is $d->post($d->inform_text(params => \@params))->method, 'InformResponse',
        'a large one is answered';
    my $stored = scalar(keys %{ $redis->params($d->id, 'Device.P.') });
    cmp_ok $stored, '>', 240, 'RULE-4 its parameters are stored up to 256 KB';
    cmp_ok $stored, '<', 260, 'RULE-4 and no more, since it is one call of Redis';
    is $redis->device($d->id)->{version}, '9.9',
        'what is said of the device itself counts wherever it stands';
    my $unkept = 300 - $stored;
    ok $t->wait_log(qr/\[notice\].*$unkept parameters of an Inform are not stored/),
        '... and the log says so';
    is $d->empty->status, 204, 'the session goes on';

    $d = device();
    $d->post($d->inform_text(params => [map { ["Device.Q.$_", 'int', $_] }
                                            1 .. 5000]));
    is scalar(keys %{ $redis->params($d->id, 'Device.Q.') }), 4000,
        'RULE-4 four thousand of them, however small';
};


subtest 'chunks of a long answer, while Redis does not answer' => sub {
    my $d = device();
    $d->give(read_task('long'));
    my $r = $d->begin;
    my $text = gpv_response($r->id, map { ["Device.P.$_", 'int', $_] }
                                    1 .. 2500);
    my $chunks = sub { scalar grep { / cwmp_chunk_3 / } $proxy->commands };

    $t->redis_sigstop;
    $d->raw->post($text, no_read => 1);
    ok wait_for(sub { $chunks->() == 2 }), 'two are sent';
    sleep(0.5);
    is $chunks->(), 2, 'RULE-4 and no third one before the first is confirmed';
    $t->redis_cont;
    is $d->raw->read_response({})->status, 204, 'then the rest';
    cmp_ok $chunks->(), '>=', 4, '... in more of them';
    is scalar(keys %{ $redis->params($d->id, 'Device.P.') }), 2500,
        'all of it is stored';
};


# The bound is on parameters, here of a few bytes each.
subtest 'parameters of a device' => sub {
    my $d = device();
    my $fill = 'for i = 1, ARGV[1] do redis.call("HSET", KEYS[1], "D." .. i, '
               . '"0i1") end';

    $d->inform;
    $redis->cmd('EVAL', $fill, 1, $d->key('params'),
                200_000 - $redis->cmd('HLEN', $d->key('params'))
                - $redis->cmd('HGET', $d->key, 'packed'));
    $d->give(read_task('a'), read_task('b'));
    my $r = $d->empty;
    $r = $d->post(gpv_response($r->id, ['Device.A', 'int', 1]));
    is $d->value('Device.A'), 1,
        'two hundred thousand are not too many';
    $d->post(gpv_response($r->id, ['Device.B', 'int', 1]));
    is $d->value('Device.B'), undef,
        'RULE-4 then no more';
    ok $t->wait_log(qr/more than 200000 parameters/), '... and the log says so';

    $d->give(read_task('c'));
    $r = $d->begin;
    my $lines = () = $t->error_log =~ /more than 200000 parameters/g;
    $d->post(gpv_response($r->id, map { ["Device.Q.$_", 'int', 1] } 1 .. 2500));
    is scalar(() = $t->error_log =~ /more than 200000 parameters/g), $lines + 1,
        'once for a long answer';
};


subtest 'events' => sub {
    my $d = device();
    $redis->cmd('EVAL', 'for i = 1, 101000 do redis.call("XADD", KEYS[1], "*", '
                        . '"type", "x") end', 1, 'cwmp:{0}:events');
    is $d->begin->status, 204, 'a session';
    cmp_ok $redis->cmd('XLEN', 'cwmp:{0}:events'), '<=', 100_200,
        'RULE-4 a hundred thousand are kept';
    $redis->cmd('DEL', 'cwmp:{0}:events');
};


subtest 'what a CPE may say in an event' => sub {
    my $d = device();
    $d->inform(map { ["X 00D09E " . 'x' x 50 . $_, ''] } 1 .. 64);
    my $kick = sub { $d->post(request('k', 'Kicked', "<Command>c</Command>"
        . '<Referer>r</Referer><Arg>a</Arg><Next>' . 'n' x $_[0] . '</Next>')) };
    $kick->(1024);
    $kick->(5000);
    my @mine = grep { $_->{device} eq $d->id } $redis->events;
    my ($inform) = grep { $_->{type} eq 'inform' } @mine;
    is length($inform->{events}), 2048, 'RULE-4 2 KB of event codes';
    my @kicked = grep { $_->{type} eq 'kicked' } @mine;
    is length($kicked[0]{request}{Next}), 1024, 'a Next of 1024 characters';
    is_deeply $kicked[1]{request}, { truncated => JSON::PP::true() },
        'RULE-4 no more than 2 KB of a request';
};


# As two nodes ask; the partition is one that no node looks after.
subtest 'who may look for deadlines' => sub {
    my ($due, $lock) = ('cwmp:{7}:due', 'cwmp:{7}:due:lock');
    my $ask = sub { my ($who, $most) = @_;
                    return join(' ', $redis->list('FCALL', 'cwmp_due_1', 2, $due,
                                                  $lock, $who, 500, $most)) };

    $redis->cmd('ZADD', $due, 1, 'one', 2, 'two', 9e15, 'later');
    is $ask->('first', 64), 'one two', 'one node gets what is due';
    is $ask->('second', 64), '', 'RULE-3 another one gets nothing';
    is $ask->('first', 1), 'one', 'the first one again, as many as it wants';
    ok wait_for(sub { $ask->('second', 64) eq 'one two' }, 4),
        'when it asks no more another one takes its place';
    is $ask->('first', 64), '', '... and keeps it';
    $redis->cmd('DEL', $due, $lock);
};


subtest 'priority of a task whose time has come' => sub {
    my $d = device();
    my $when = int(now()) + 2;
    $d->inform;
    $d->give(read_task('late', notBefore => $when),
             read_task('urgent', notBefore => $when, priority => \1),
             read_task('now'));
    $d->session;
    is_deeply $d->ended, ['now done'], 'not before';
    ok wait_for(sub { now() > $when }, 5), '(their time has come)';
    $d->give(read_task('new'));
    $d->session;
    my @ended = @{ $d->ended };
    is $ended[1], 'urgent done', 'SES-05 the urgent one is the first then';
    is join(' ', sort @ended[2, 3]), 'late done new done', 'then the others';
    is $d->leftovers, '', 'nothing is left of the tasks';
};

done_testing;
