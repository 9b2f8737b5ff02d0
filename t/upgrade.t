#!/usr/bin/perl

# A rolling upgrade: nodes of two versions on one Redis, whose POSTs alternate
# within each session, while the library is replaced under them: by the first
# new node, by hand back to the older one, and by the next new node.  What an
# older node calls is answered as it always was, in the same session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Daemon qw(library_text);
use CWMP::Envelope qw(gpv_response);
use CWMP::Script;
use CWMP::Test qw(slurp wait_for);

my $t = CWMP::Test->new(nodes => 2, start => 0);
$t->redis_server->start;
my $redis = $t->redis;
my ($ours) = library_text()
             =~ /^local VERSION = (\d+)$/m;
my $READ = { method => 'GetParameterValues', ParameterNames => ['Device.'] };

sub version { return $redis->cmd(qw(FCALL_RO cwmp_version 0)) }


# The library as it is, but told to be an older one.
sub load_older {
    my $text = library_text();
    $text =~ s/^local VERSION = \d+$/'local VERSION = ' . ($ours - 1)/me or die;
    $redis->cmd('FUNCTION', 'LOAD', 'REPLACE', $text);
}


# The same session at each node in turn.
sub device_of_both {
    my ($serial) = @_;
    my $raw = $t->raw(0);
    my @urls = map { $t->url($_) } 0, 1;
    return (CWMP::Script->new($t, $serial, raw => $raw),
            sub { $raw->{url} = $urls[$_[0]]; $raw->reset; });
}


subtest 'the library is replaced in the middle of sessions' => sub {
    $t->node(0)->start;
    $t->raw(0)->post('');
    ok wait_for(sub { eval { version() } }), 'a node has loaded it';
    load_older();
    my @d = map { [device_of_both("U$_")] } 1 .. 8;
    for (@d) {
        my ($d, $at) = @$_;
        $at->(0);
        $d->give(map { { %$READ, id => $_ } } qw(a b c d e));
        push @$_, $d->begin;
    }
    is version(), $ours - 1, 'sessions have begun with the older one';
    $t->node(1)->start;
    for my $round (0 .. 4) {
        load_older() if $round == 2;
        $t->node(1)->restart if $round == 3;
        my $node = ($round + 1) % 2;
        for (@d) {
            my ($d, $at, $r) = @$_;
            $at->($node);
            $_->[2] = $d->respond($r);
        }
        my $want = $round == 2 ? $ours - 1 : $ours;
        ok wait_for(sub { version() == $want }), "step $round at node $node";
    }
    for (@d) {
        my ($d, undef, $last) = @$_;
        is $last->status, 204, $d->id . ': its session has ended';
        is_deeply [map { "$_->{id} $_->{status}" } $d->results],
            [map { "$_ done" } qw(a b c d e)], '... each task once, in order';
    }
};


subtest 'an older node stores what a newer one goes on with' => sub {
    my ($d, $at) = device_of_both('P1');
    for my $function (qw(cwmp_chunk_1 cwmp_chunk_2)) {
        $d->give({ %$READ, id => $function });
        my $r = $d->begin;
        my @rpc = $function eq 'cwmp_chunk_2' ? $r->id : ();
        my $said = $redis->cmd('FCALL', $function, 1, $d->key, $d->id,
            $redis->cmd('HGET', $d->key('session'), 't'), 300_000, @rpc,
            map { ("Device.Old.P$_", "i$_") } 1 .. 500);
        is $said->[0], 'more', "$function: taken";
        $at->(1);
        $r = $d->post(gpv_response($r->id, map { ["Device.New.P$_", 'int', $_] }
                                           1 .. 900));
        is $r->status, 204, '... and the rest at the other node';
        is $d->status($function), 'done', '... the task is done';
        my $params = $redis->params($d->id);
        is scalar(grep { $params->{"Device.Old.P$_"}{value} == $_ } 1 .. 500), 500,
            '... what the older one stored is there';
        is scalar(keys %$params), 1400, '... and what the newer one did';
        $at->(0);
    }
};


subtest 'an older node asks for what is due' => sub {
    my @lock = ('cwmp:{7}:due', 'cwmp:{7}:due:lock');
    $redis->cmd('ZADD', $lock[0], 1, 'x 00D09E-Box-X t');
    is_deeply $redis->cmd('FCALL', 'cwmp_due_1', 2, @lock, 'old', 5000, 64),
        ['x 00D09E-Box-X t'], 'it has the answer, and the lock';
    is_deeply $redis->cmd('FCALL', 'cwmp_due_2', 2, @lock, 'new', 5000, 64),
        ['', [], 0, []], 'a newer one has not';
    my $said = $redis->cmd('FCALL', 'cwmp_deadline_1', 1, 'cwmp:{7}:00D09E-Box-X',
                           '00D09E-Box-X', 'x 00D09E-Box-X t');
    is $said->[0], 'ok', 'it works it off';
    is $redis->cmd('ZCARD', $lock[0]), 0, '... and it is gone';
};

$t->finish;
done_testing;
