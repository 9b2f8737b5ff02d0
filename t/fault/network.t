#!/usr/bin/perl

# The network between nginx and Redis: cut without a word, both ways or one, and
# slow.  See CWMP::Fault, CWMP::Wire.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Fault qw(experiment);
use CWMP::Wire;


sub over_wire {
    my ($name, %opt) = @_;
    my $wire;
    my $options = delete $opt{redis_options} // '';
    my $harm = delete $opt{harm};

    experiment($name, workers => 2, start => 0,
        cwmp_redis => "unix:%%DIR%%/wire.sock $options", %opt,
        before => sub {
            my ($x) = @_;
            $x->t->redis_server->start;
            $wire = CWMP::Wire->new(dir => $x->t->dir,
                                    redis => $x->t->redis_server->socket);
            $x->t->start;
        },
        harm => sub { $harm->($_[0], $wire) });
    $wire->stop if $wire;
}


# Nobody is told. What was held in between comes late, or never; a call that comes
# late may take a task for a session that is over, and what must not repeat waits
# then for the event that would tell of it.
sub cut {
    my ($name, $what, $ways, %after) = @_;
    my %open = map { ($_ => 1) } keys %$ways;

    over_wire($name, what => $what, redis_options => 'timeout=1s', answered => 4,
        waits => 1, soak => $name ne 'cut', harm => sub {
            my ($x, $wire) = @_;
            $wire->set(%$ways);
            $x->pause(4);
            $wire->set(%after, %open);
            $x->recover;
        });
}

cut('cut', 'nothing passes between nginx and Redis, 4 s',
    { there => 0, back => 0 });
cut('cut-there', 'nothing passes to Redis, 4 s', { there => 0 });
cut('cut-back', 'nothing passes from Redis, 4 s', { back => 0 });
cut('cut-lost', 'the same both ways, and what was under way is lost',
    { there => 0, back => 0 }, forget => 1);


over_wire('late', what => 'Redis +50 ms', soak => 1, lost => 0, failed => 0,
    harm => sub {
        my ($x, $wire) = @_;
        $wire->set(delay => 0.025);
        $x->pause(6);
        $wire->set(delay => 0);
        $x->recover;
        ok $x->t->error_log !~ /is slow/, 'no work is put off';
    });

over_wire('slow', what => 'Redis +500 ms', soak => 1, lost => 0, failed => 0,
    http => 'cwmp_overload latency=400ms;', harm => sub {
        my ($x, $wire) = @_;
        $wire->set(delay => 0.25);
        $x->pause(8);
        $wire->set(delay => 0);
        ok $x->t->wait_log(qr/is slow no more/, 60), 'it is over by itself';
        $x->recover;
        ok $x->t->error_log =~ /sessions end after the Inform, and tasks wait/,
            'work was put off';
    });

done_testing;
