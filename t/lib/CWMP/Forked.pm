package CWMP::Forked;

# A helper of the tests that is a process of its own, gone with its object:
#
#   use parent 'CWMP::Forked';
#   ... in new(), of the blessed hash: return $self->begin(sub { $self->serve });

use strict;
use warnings;

use POSIX ();


sub begin {
    my ($self, $serve) = @_;

    $self->{parent} = $$;
    $self->{pid} = fork() // die "fork: $!\n";

    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        eval { $serve->(); 1 } or print STDERR ref $self, ": $@";
        POSIX::_exit(0);
    }

    return $self;
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill('KILL', $pid);
    waitpid($pid, 0);
}


sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    $self->stop if ($self->{parent} // 0) == $$;
}


1;
