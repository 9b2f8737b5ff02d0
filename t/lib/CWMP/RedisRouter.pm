package CWMP::RedisRouter;

# A CWMP::Redis of several servers: each command goes to the primary of its
# key, as it is now.  It follows MOVED and ASK, and tries again after TRYAGAIN
# and while nobody is there, as an admin's program does; a command whose
# outcome is not known fails.  KEYS asks all primaries.
#
#   my $r = CWMP::RedisRouter->new(set => $cluster, timeout => 2);

use strict;
use warnings;

use Time::HiRes qw(time sleep);

use CWMP::Redis;

use parent -norequire, 'CWMP::Redis';

# Redis has not done it
my $LATER = qr/^(?:MOVED|TRYAGAIN|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN)\b
               |^cannot\ connect\ /x;


sub try {
    my ($self, @words) = @_;
    return [map { @{ $_->client(timeout => $self->{timeout})->cmd(@words) } }
            $self->{set}->primaries] if $words[0] eq 'KEYS';
    my $until = time() + $self->{timeout};

    while (1) {
        my $reply;
        eval { $reply = $self->ask(slot_of(@words), @words); 1 }
            or $reply = $@;
        my $not_yet = defined $reply && $reply =~ $LATER;
        if (!$not_yet || time() > $until) {
            die $reply if !CWMP::Redis::is_error($reply) && $@;
            return $reply;
        }
        $self->{owner} = undef;
        sleep(0.02);
    }
}


sub slot_of {
    my (@words) = @_;
    my $key = $words[0] =~ /^(?:FCALL|FCALL_RO|EVAL)$/ ? $words[3] : $words[1];
    my ($tag) = ($key // '') =~ /\{([^}]+)\}/;
    return CWMP::Redis::crc16($tag // $key // '') % 16384;
}


sub ask {
    my ($self, $slot, @words) = @_;
    my $reply = $self->at($self->owner($slot))->try(@words);
    return $reply if !CWMP::Redis::is_error($reply)
                     || $reply !~ /^ASK \d+ \S*?:(\d+)$/;
    return ($self->at($1)->pipeline(['ASKING'], \@words))[1];
}


# One connection to each port.
sub at {
    my ($self, $port) = @_;
    return $self->{of}{$port}
        //= CWMP::Redis->new(port => $port, map { ($_ => $self->{$_}) }
                             qw(timeout prefix password));
}


# Port of the primary of this slot.
sub owner {
    my ($self, $slot) = @_;
    my $set = $self->{set};
    return $set->master->port if $set->{sentinels};

    $self->{owner} //= $set->alive_one->client(timeout => 2)
                           ->cmd('CLUSTER', 'SLOTS');
    my ($range) = grep { $_->[0] <= $slot && $slot <= $_->[1] }
                  @{ $self->{owner} };
    return $range ? $range->[2][1] : die "CLUSTERDOWN nobody has slot $slot\n";
}

1;
