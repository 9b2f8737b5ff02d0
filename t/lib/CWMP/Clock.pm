package CWMP::Clock;

# A wrong clock for one program, which may jump while it runs, as when somebody
# sets the date (t/fault/clock.c).
#
#   my $clock = CWMP::Clock->new("$dir/clock");
#   $t->node(1)->{env} = $clock->env;               # before it is started
#   $clock->set(3600);                              # an hour ahead, from now on
#   $clock->set(60, 60);                            # as if a minute had passed

use strict;
use warnings;

use CWMP::Daemon qw(project_root);


sub library {
    return $ENV{TEST_CLOCK} || project_root() . '/build/bench/clock.so';
}


sub new {
    my ($class, $file) = @_;
    my $self = bless { file => $file }, $class;

    die 'no ' . library() . ": make swarm\n" if !-f library();
    $self->set(0);
    return $self;
}


# Written in place: the program has the file in its memory.
sub set {
    my ($self, $seconds, $passed) = @_;
    open(my $fh, -e $self->{file} ? '+<:raw' : '>:raw', $self->{file})
        or die "$self->{file}: $!\n";
    syswrite($fh, pack('qq', $seconds, $passed // 0)) == 16 or die "$self->{file}: $!\n";
    close($fh);
}


sub env {
    my ($self) = @_;
    return { LD_PRELOAD => library(), CLOCK_FILE => $self->{file} };
}

1;
