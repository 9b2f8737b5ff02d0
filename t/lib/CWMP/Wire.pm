package CWMP::Wire;

# The network between nginx and Redis, as a process of its own: it passes bytes
# on, both ways, and lets them be late, or lost without a word.
#
#   my $wire = CWMP::Wire->new(dir => $dir, redis => $server->socket);
#   ... cwmp_redis => $wire->address ...
#   $wire->set(delay => 0.05);              # seconds, each way
#   $wire->set(there => 0);                 # nothing comes to Redis,
#   $wire->set(back => 0);                  # or to nginx, and nobody is told
#   $wire->set(there => 1, back => 1);      # as before
#
# What was held is passed on when the way is open again, also of a connection
# that its sender has closed meanwhile, as TCP does, which sends again for
# minutes.  With forget => 1 it is lost, with its connections, as when a host
# was gone.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use IO::Handle;
use parent 'CWMP::Forked';
use Time::HiRes qw(time);


sub new {
    my ($class, %opt) = @_;
    my $path = "$opt{dir}/wire.sock";
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        or die "$path: $!\n";
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $self = bless { %opt, path => $path, delay => 0,
                       there => 1, back => 1, forget => 0 }, $class;

    $write->autoflush(1);
    $self->{control} = $write;
    return $self->begin(sub { close($write); $self->serve($listen, $read) });
}


sub address { return "unix:$_[0]{path}" }


sub set {
    my ($self, %what) = @_;
    print { $self->{control} } join(' ', %what), "\n";
}


# --- in the child ----------------------------------------------------------

sub serve {
    my ($self, $listen, $control) = @_;
    $self->{select} = IO::Select->new($listen, $control);

    while (1) {
        for my $ready ($self->{select}->can_read($self->pass_due)) {
            if ($ready == $listen) {
                $self->connection($listen->accept);
            } elsif ($ready == $control) {
                sysread($control, my $lines, 4096) or return;
                $self->change($_) for split(/\n/, $lines);
            } else {
                $self->take($self->{from}{ fileno($ready) // -1 } // next);
            }
        }
    }
}


sub change {
    my ($self, $line) = @_;
    my %what = split(' ', $line);
    @$self{ keys %what } = values %what;
    return if !$self->{forget};

    for my $way (values %{ $self->{from} }) {
        close($_) for @$way{qw(in out)};
    }
    $self->{from} = {};
    $self->{forget} = 0;
    $self->{select} = IO::Select->new(grep { defined fileno($_) }
                                      $self->{select}->handles);
}


# Two ways, each of them: where from, where to, what is under way.
sub connection {
    my ($self, $nginx) = @_;
    my $redis = IO::Socket::UNIX->new(Peer => $self->{redis}) or return;

    $self->{from}{ fileno($nginx) } = { in => $nginx, out => $redis,
                                        name => 'there', late => [] };
    $self->{from}{ fileno($redis) } = { in => $redis, out => $nginx,
                                        name => 'back', late => [] };
    $self->{select}->add($nginx, $redis);
}


sub take {
    my ($self, $way) = @_;
    my $n = sysread($way->{in}, my $bytes, 65536);

    $self->{select}->remove($way->{in}) if !$n;     # the end comes through, too
    push @{ $way->{late} }, [time() + $self->{delay}, $n ? $bytes : undef];
}


# Passes on what has been under way for long enough; how long until there is
# more.
sub pass_due {
    my ($self) = @_;
    my $wait = 0.5;

    for my $way (values %{ $self->{from} }) {
        next if !$self->{ $way->{name} };
        my $late = $way->{late};
        while (@$late && $late->[0][0] <= time()) {
            pass($way->{out}, shift(@$late)->[1]);
        }
        next if !@$late;
        my $left = $late->[0][0] - time();
        $wait = $left < 0 ? 0 : $left if $left < $wait;
    }
    return $wait;
}


sub pass {
    my ($to, $bytes) = @_;
    return shutdown($to, 1) if !defined $bytes;

    while (length $bytes) {
        my $n = syswrite($to, $bytes) // return;
        substr($bytes, 0, $n, '');
    }
}

1;
