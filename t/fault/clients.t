#!/usr/bin/perl

# CPEs that are gone at any step of a session, reset or without a word, and a
# device that informs on two nodes at once, under load.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Fault qw(experiment);
use CWMP::Script;
use CWMP::Steps qw(session_with comes_back $IN_TIME $POSTS);


# --- gone ------------------------------------------------------------------

# How far its POST gets, and whether a reset follows.
my %GONE = (
    'before' => sub { },
    'in the middle of' => sub {
        my ($cpe, $post) = @_;
        $cpe->raw->post($post->{body},
                        partial => 200 + length($post->{body}) / 2);
    },
    'without the reply to' => sub {
        my ($cpe, $post) = @_;
        $cpe->raw->post($post->{body}, no_read => 1);
    },
);
my @silent;                             # connections that nobody closes


# It comes back with as many sessions as it takes.
sub gone_at {
    my ($t, $how, $silent, $k) = @_;
    my $serial = 'G' . join('', map { substr($_, 0, 1) } split(/ /, $how))
                 . ($silent ? 's' : 'r') . $k;
    my ($cpe, $trace) = session_with($t, $serial, $k, sub {
        my ($cpe, $post) = @_;
        $GONE{$how}->($cpe, $post);
        return 'drop' if $silent && push @silent, delete $cpe->raw->{sock};
        $cpe->raw->reset;
        return 'drop';
    });
    my $name = ($silent ? 'silent' : 'reset') . " $how POST " . ($k + 1);

    ok $trace->{dropped}, $name;
    return comes_back($t, $cpe, $name);
}


experiment('gone', what => 'a CPE is gone at each step, reset or silent',
    workers => 2, lost => 0, http => $IN_TIME,
    harm => sub {
        my ($x) = @_;
        my %ends;
        for my $how (sort keys %GONE) {
            for my $k (0 .. $POSTS - 1) {
                $ends{$_}++ for map { gone_at($x->t, $how, $_, $k) } 0, 1;
            }
        }
        note join(', ', map { "$_: $ends{$_}" } sort keys %ends);
        is scalar(@silent), 3 * $POSTS, 'half of them were silent';
        @silent = ();
        $x->recover;
    });


# --- two at once -----------------------------------------------------------

my %ONCE = map { ($_ => 1) } qw(AddObject DeleteObject);


# One device with two connections, one to each node.  It follows the one that
# it likes; what comes on the other one is not carried out.
sub twin {
    my ($t, $serial) = @_;
    return { t => $t, key => '', did => {},
             side => [map { CWMP::Script->new($t, $serial, url => $t->url($_)) }
                      0, 1] };
}


sub carry_out {
    my ($twin, $r) = @_;
    my ($method, $key) = ($r->method, $r->arg('ParameterKey'));
    if (defined $key) {
        $twin->{did}{"$method $key"}++;
        $twin->{key} = $key;
    }
    return CWMP::Script::answer_to($r);
}


sub inform_of {
    my ($twin, $n) = @_;
    return $twin->{side}[$n]->inform_text(key => $twin->{key});
}


# Two POSTs at the same time, and what came.
sub both {
    my ($twin, @text) = @_;
    my @raw = map { $_->raw } @{ $twin->{side} };
    my $first = rand(2) < 1 ? 0 : 1;
    $raw[$_]->post($text[$_], no_read => 1) for $first, 1 - $first;
    return map { $_->read_response({}) } @raw;
}


sub obey {
    my ($twin, $n, $r) = @_;
    $r = $twin->{side}[$n]->post(carry_out($twin, $r)) while $r->status == 200;
    return $r->status;
}


sub whole {
    my ($twin, $n) = @_;
    $twin->{side}[$n]->post(inform_of($twin, $n));
    return obey($twin, $n, $twin->{side}[$n]->empty);
}


# Two Informs, then two empty POSTs; one session goes on.
sub two_informs {
    my ($twin, $likes) = @_;
    my @r = both($twin, map { inform_of($twin, $_) } 0, 1);
    is join(' ', map { $_->status } @r), '200 200', 'two InformResponses';
    @r = both($twin, '', '');
    is scalar(grep { $_->status == 200 } @r), 1, 'one session goes on';
    is obey($twin, $likes, $r[$likes]), 204, 'or is said to be over';
}


# The response of a session, and the Inform of another one.
sub answer_and_inform {
    my ($twin, $likes) = @_;
    my $other = 1 - $likes;
    $twin->{side}[$other]->post(inform_of($twin, $other));
    my $r = $twin->{side}[$other]->empty;
    my @text;
    $text[$other] = carry_out($twin, $r);
    $text[$likes] = inform_of($twin, $likes);
    both($twin, @text);
    is obey($twin, $likes, $twin->{side}[$likes]->empty), 204,
        'the session of the Inform goes on';
}


sub twin_tasks {
    my ($n) = @_;
    my $object = 'Device.NAT.PortMapping.';
    return (
        { id => "add$n", method => 'AddObject', ObjectName => $object },
        { id => "set$n", method => 'SetParameterValues', ParameterList => {
          'Device.A' => { value => "v$n", type => 'xsd:string' } } },
        { id => "del$n", method => 'DeleteObject', ObjectName => "${object}17." },
    );
}


sub judge_twin {
    my ($twin, $rounds) = @_;
    my $d = $twin->{side}[0];
    my (%ends, %did);

    $did{ (split(/ /))[1] } = $twin->{did}{$_} for keys %{ $twin->{did} };
    is_deeply [grep { $twin->{did}{$_} > 1 && $ONCE{ (split(/ /))[0] } }
               keys %{ $twin->{did} }], [], 'nothing happened twice';
    is scalar(() = $d->results), 3 * $rounds, 'each task has one result';
    is_deeply [map { "$_->{id} $_->{status}" } grep {
                   $ends{ $_->{status} }++;
                   $_->{status} !~ /^(?:done|lost)$/
                   || $_->{status} eq 'done' && !$did{ $_->{id} }
               } $d->results], [], 'and what is done was done';
    is $d->leftovers, '', 'nothing is left over';
    return \%ends;
}


experiment('twice', what => 'two Informs of a device at once on two nodes, '
    . '200 times', nodes => 2, lost => 0, http => $IN_TIME,
    harm => sub {
        my ($x) = @_;
        for my $n (1 .. 5) {
            my $twin = twin($x->t, "W$n");
            whole($twin, 0);
            for my $round (1 .. 40) {
                $twin->{side}[0]->give(twin_tasks($round));
                my $likes = int(rand(2));
                $round % 2 ? two_informs($twin, $likes)
                           : answer_and_inform($twin, $likes);
            }
            whole($twin, 0);
            my $ends = judge_twin($twin, 40);
            note "W$n: " . join(', ', map { "$_ $ends->{$_}" } sort keys %$ends);
        }
        $x->recover;
    });

done_testing;
