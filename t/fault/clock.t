#!/usr/bin/perl

# Clocks that are an hour wrong: of nodes, which must not matter, and of Redis,
# by which all deadlines are.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Clock;
use CWMP::Fault qw(experiment);
use CWMP::Script;
use CWMP::Steps qw($IN_TIME);
use CWMP::Test qw(wait_for);

my $HOUR = 3600;
my @clocks;


# --- nodes -----------------------------------------------------------------

sub wrong_nodes {
    my ($x) = @_;
    my $t = $x->t;

    for my $n (0 .. 2) {
        $clocks[$n] = CWMP::Clock->new($t->dir . "/clock$n");
        $t->node($n)->{env} = $clocks[$n]->env;
    }
    $clocks[0]->set($HOUR);
    $clocks[1]->set(-$HOUR);
    $t->start_all;
}


# How far its clock is ahead, by the Date of a reply.
sub ahead {
    my ($t, $n) = @_;
    my $date = $t->raw($n)->get('/cwmp')->header('Date');
    my ($h, $m) = $date =~ / (\d\d):(\d\d):/;
    my @now = gmtime();
    my $minutes = ($h * 60 + $m) - ($now[2] * 60 + $now[1]);
    $minutes += $minutes < -720 ? 1440 : $minutes > 720 ? -1440 : 0;
    return sprintf('%.0f', $minutes / 60);
}


# What has a deadline, on the node that is ahead and on the one that is behind.
sub deadlines {
    my ($t) = @_;
    my ($soon, $late) = (int(time()) + 2, int(time()) + 1800);
    my @read = (method => 'GetParameterValues', ParameterNames => ['Device.A']);
    my $early = CWMP::Script->new($t, 'ahead');
    my $behind = CWMP::Script->new($t, 'behind', url => $t->url(1));
    my $both = CWMP::Script->new($t, 'both');

    $behind->give({ id => 'gone', expires => $soon, @read });
    $early->give({ id => 'now', expires => $late, @read },
                 { id => 'later', notBefore => $late, @read });
    $both->give({ id => 'one', @read });
    my $r = $both->begin;
    is join(' ', $early->session), 'GetParameterValues', 'an hour ahead: '
        . 'nothing is late, nothing is sent too early';
    is $early->status('now'), 'done', 'nothing has expired';

    sleep(1) while time() < $soon + 1;
    is join(' ', $behind->session), '', 'an hour behind: nothing is sent';
    is $behind->status('gone'), 'expired', 'that has expired';

    my $lease = $both->lease;
    cmp_ok $lease, '>', 200_000, 'a session lives as long as it was given';
    cmp_ok $lease, '<', 300_000, 'and no longer';
    $r = $both->respond($r, undef, url => $t->url(1));
    is $r->status, 204, 'and goes on two hours before';
    is $both->status('one'), 'done', 'where its task is done';
    $t->redis->cmd('FCALL', 'cwmp_cancel', 1, $early->key('tasks'), 'later');
}


experiment('clock', what => 'clocks of nodes an hour ahead, an hour behind, '
    . 'jumping', nodes => 3, start => 0, before => \&wrong_nodes, lost => 0,
    soak => 1, failed => 0, http => $IN_TIME,
    harm => sub {
        my ($x) = @_;
        my $t = $x->t;
        is join(' ', ahead($t, 0), ahead($t, 1)), '1 -1', 'their clocks are wrong';
        for (1 .. 5) {
            $clocks[2]->set($_) for $HOUR, -$HOUR;
            $x->pause(0.2);
            $clocks[2]->set($HOUR);
            $x->pause(0.2);
        }
        is ahead($t, 2), 1, 'and one jumped';
        deadlines($t);
        $x->recover(2);
    });


# --- Redis -----------------------------------------------------------------

# A session that is open, a Reboot that waits, and a task for later, when Redis'
# clock jumps.
sub under_way {
    my ($t) = @_;
    my %d = map { ($_ => CWMP::Script->new($t, $_)) } qw(open boots later);
    my @read = (method => 'GetParameterValues', ParameterNames => ['Device.A']);

    $d{open}->give({ id => 'read', @read });
    $d{boots}->give({ id => 'boot', method => 'Reboot' });
    $d{later}->give({ id => 'late', notBefore => int(time()) + 1800, @read });
    $_->inform for values %d;
    my $r = $d{boots}->empty;
    is $d{boots}->respond($r)->status, 204, 'a Reboot waits for its event';
    $d{rpc} = $d{open}->empty;
    is $d{rpc}->method, 'GetParameterValues', 'a session is open';
    return \%d;
}


sub after_jump_ahead {
    my ($t, $d) = @_;
    is $d->{open}->respond($d->{rpc})->status, 400, 'the session is over';
    is join(' ', $d->{open}->session), 'GetParameterValues', 'what it read '
        . 'is read again';
    is $d->{open}->status('read'), 'done', 'and done';
    ok wait_for(sub { $d->{boots}->status('boot') eq 'lost' }, 20),
        'the Reboot did not come in time';
    is join(' ', $d->{later}->session), 'GetParameterValues', 'it is later';
}


sub after_jump_behind {
    my ($t, $d) = @_;
    is $d->{open}->respond($d->{rpc})->status, 204, 'the session goes on';
    is $d->{open}->status('read'), 'done', 'with what it read';
    $d->{boots}->session('1 BOOT', ['M Reboot', 'boot']);
    is $d->{boots}->status('boot'), 'done', 'the Reboot comes';
    is join(' ', $d->{later}->session), '', 'it is not later';
    $t->redis->cmd('FCALL', 'cwmp_cancel', 1, $d->{later}->key('tasks'), 'late');
}


sub jump {
    my ($x, $seconds, $then) = @_;
    my $under_way = under_way($x->t);
    my ($before) = $x->t->redis->list('TIME');

    $clocks[3]->set($seconds);
    my ($after) = $x->t->redis->list('TIME');
    cmp_ok abs($after - $before - $seconds), '<', 5, 'Redis has another time';
    $x->recover;
    $then->($x->t, $under_way);
}


sub wrong_redis {
    my ($x) = @_;
    $clocks[3] = CWMP::Clock->new($x->t->dir . '/clock3');
    $x->t->redis_server->{env} = $clocks[3]->env;
    $x->t->start_all;
}


experiment('clock_ahead', what => "Redis' clock jumps an hour ahead",
    workers => 2, start => 0, before => \&wrong_redis, http => $IN_TIME,
    harm => sub { jump($_[0], $HOUR, \&after_jump_ahead) });

experiment('clock_behind', what => "Redis' clock jumps an hour back",
    soak => 1, workers => 2, start => 0, before => \&wrong_redis,
    http => $IN_TIME,
    harm => sub { jump($_[0], -$HOUR, \&after_jump_behind) });

done_testing;
