#!/usr/bin/perl

# The Redis client under too much: the bytes that wait are bounded as the
# commands are, and workers that lost Redis do not all come back at one moment.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use List::Util qw(max min);
use Test::More;
use Time::HiRes qw(time);

use CWMP::Raw ':build';
use CWMP::Test qw(patience);


subtest 'RULE-10 the bytes that wait are bounded' => sub {
    my $t = CWMP::Test->new(redis_options => 'timeout=20s');
    $t->raw->post(inform(serial => 'S0'));
    $t->redis_server->sigstop;

    # each some 260 KB: 250 are just below 64 MB, ten more are above it
    my $params = [map { ["Device.P$_", 'string', 'v' x 65_000] } 1 .. 4];
    my @raws = map { $t->raw } 1 .. 280;
    $raws[$_]->post(inform(serial => "S$_", params => $params), no_read => 1)
        for 0 .. $#raws;

    # who has an answer although Redis is frozen; the last ones take a moment
    my $select = IO::Select->new(map { $_->{sock} } @raws);
    my %refused;
    while (my @ready = $select->can_read(patience(2))) {
        $refused{$_} = 1 for @ready;
        $select->remove(@ready);
    }
    ok scalar(keys %refused), 'RULE-10 some are refused';
    my @refused = grep { $refused{$_->{sock}} } @raws;
    cmp_ok scalar(@refused), '<=', 40, 'RULE-10 those above the bound only';
    is_deeply [grep { $_ != 503 } map { $_->read_response({})->status } @refused],
        [], 'RULE-10 with 503';
    like $t->error_log, qr/bytes|too slow/, 'RULE-10 the log says why';

    $t->redis_server->cont;
    is_deeply [grep { $_ != 200 } map { $_->read_response({})->status }
               grep { !$refused{$_->{sock}} } @raws], [],
        'RULE-10 the others are served';
    $t->finish;
};


# When a worker tries to connect to a Redis that closes at once.
sub tries {
    my ($most) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20,
                                       ReuseAddr => 1) or die "listen: $!\n";
    my $t = CWMP::Test->new(redis => 0,
                            cwmp_redis => '127.0.0.1:' . $listen->sockport);
    my (@at, $until);
    $until = time() + 10;
    while (@at < $most && time() < $until) {
        IO::Select->new($listen)->can_read(1) or next;
        close($listen->accept);
        push @at, time();
    }
    $t->finish;
    return @at;
}


subtest 'RULE-11 the back-off has jitter' => sub {
    my @waits;
    for (1 .. 4) {
        my @at = tries(5);
        is scalar(@at), 5, 'RULE-11 it tries again';
        push @waits, $at[4] - $at[3];
    }
    cmp_ok max(@waits) - min(@waits), '>', 0.01,
        'RULE-11 no two wait for the same time: '
        . join(' ', map { sprintf('%.3f', $_) } @waits);
};

done_testing;
