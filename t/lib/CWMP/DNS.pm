package CWMP::DNS;

# A DNS server for nginx' resolver, at a UDP port of its own:
#
#   my $dns = CWMP::DNS->new(dir => $dir, ttl => 1,
#       names => { 'redis0.example' => '127.0.0.1', '*' => '127.0.0.2' });
#   ... http => $dns->resolver ...
#   $dns->name('redis0.example', '127.0.0.3');
#   $dns->name('redis0.example', undef);        # NXDOMAIN, as all others
#   $dns->name('redis0.example', 'silence');    # no answer
#   my @names = $dns->asked;
#
# Nobody has an IPv6 address.

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(inet_aton);

use CWMP::Daemon qw(slurp);

use parent 'CWMP::Forked';


sub new {
    my ($class, %opt) = @_;
    my $self = bless { ttl => 5, names => {}, %opt }, $class;

    $self->{socket} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                            Proto => 'udp') or die "UDP: $!\n";
    $self->{file} = "$self->{dir}/dns.names";
    $self->{log} = "$self->{dir}/dns.asked";
    $self->name('*', $self->{names}{'*'});
    return $self->begin(sub { $self->serve });
}


sub resolver {
    my ($self) = @_;
    return 'resolver 127.0.0.1:' . $self->{socket}->sockport . ';';
}


sub name {
    my ($self, $name, $address) = @_;
    my $names = $self->{names};

    $names->{$name} = $address;
    open(my $fh, '>', "$self->{file}.new") or die "$self->{file}: $!\n";
    print $fh map { "$_ $names->{$_}\n" } grep { $names->{$_} } keys %$names;
    close($fh) or die "$self->{file}: $!\n";
    rename("$self->{file}.new", $self->{file}) or die "$self->{file}: $!\n";
}


# The names of the questions for an IPv4 address.
sub asked { return -e $_[0]{log} ? split(/\n/, slurp($_[0]{log})) : () }


# --- in the child ----------------------------------------------------------

sub serve {
    my ($self) = @_;

    open(my $log, '>>', $self->{log}) or die "$self->{log}: $!\n";
    $log->autoflush(1);

    while (defined $self->{socket}->recv(my $question, 512)) {
        my ($encoded, $type) = substr($question, 12) =~ /^(.*?\0)\0(.)/s;
        my $name = join('.', unpack('(C/a)*', substr($encoded, 0, -1)));
        my %names = split(/\s+/, slurp($self->{file}));
        my $address = $names{$name} // $names{'*'} // '';

        print $log "$name\n" if $type eq "\1";
        next if $address eq 'silence';
        $self->{socket}->send(substr($question, 0, 2)
            . $self->answer($encoded, $type, $address));
    }
}


sub answer {
    my ($self, $encoded, $type, $address) = @_;
    my $n = $address && $type eq "\1" ? 1 : 0;

    return pack('nnnnn', $address ? 0x8180 : 0x8183, 1, $n, 0, 0)
        . "$encoded\0$type\0\1"
        . ($n ? pack('nnnNna4', 0xc00c, 1, 1, $self->{ttl}, 4,
                     inet_aton($address)) : '');
}

1;
