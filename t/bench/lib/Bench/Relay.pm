package Bench::Relay;

# Stands between a client and a server, and keeps what the client said: the
# bytes of one session for the programs in t/bench/limit.  Knows neither HTTP
# nor Redis, except in how requests() and commands() cut what was kept.
#
#   my $relay = Bench::Relay->new(file => $file, to => $port_or_path);
#   ... $relay->port, or $relay->path when a path is relayed ...
#   my @posts = $relay->requests; my @commands = $relay->commands;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();

use CWMP::Daemon qw(slurp);


sub new {
    my ($class, %opt) = @_;
    my $self = bless { %opt, parent => $$ }, $class;
    my $unix = $opt{to} =~ m{/};
    my $listen = $unix
        ? IO::Socket::UNIX->new(Local => "$opt{file}.sock", Listen => 8)
        : IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8);
    $listen or die "relay: $!\n";

    $self->{path} = "$opt{file}.sock" if $unix;
    $self->{port} = $listen->sockport if !$unix;
    $self->{pid} = fork() // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { $self->serve($listen) };
        POSIX::_exit(0);
    }
    return $self;
}


sub port { return $_[0]{port} }
sub path { return $_[0]{path} }


sub stop {
    my ($self) = @_;
    return if $$ != $self->{parent} || !$self->{pid};
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}

sub DESTROY { $_[0]->stop }


sub serve {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);
    my (%peer, %file, $n);

    while (getppid() == $self->{parent}) {
        for my $s ($select->can_read(0.5)) {
            if ($s == $listen) {
                my $client = $listen->accept;
                my $server = $self->open_server;
                @peer{$client, $server} = ($server, $client);
                $file{$client} = "$self->{file}." . ++$n;
                $select->add($client, $server);
                next;
            }
            next if !defined fileno $s;         # its peer was closed
            my $got = sysread $s, my $bytes, 65536;
            if (!$got) {
                $select->remove($s, $peer{$s});
                close $peer{$s};
                close $s;
                next;
            }
            keep($file{$s}, $bytes) if $file{$s};
            send_all($peer{$s}, $bytes);
        }
    }
}


sub open_server {
    my ($self) = @_;
    return ($self->{to} =~ m{/} ? IO::Socket::UNIX->new(Peer => $self->{to})
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                PeerPort => $self->{to}))
        || die "relay: $self->{to}: $!\n";
}


sub send_all {
    my ($to, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite $to, $bytes or return;
        substr $bytes, 0, $n, '';
    }
}


sub keep {
    my ($file, $bytes) = @_;
    open my $fh, '>>:raw', $file or die "$file: $!\n";
    print $fh $bytes;
    close $fh;
}


# --- what was kept ---------------------------------------------------------

sub kept {
    my ($self) = @_;
    return map { slurp($_) } sort glob "$self->{file}.[0-9]*";
}


# Bodies of POSTs with a Content-Length, in their order.
sub requests {
    my ($self) = @_;
    my @bodies;

    for my $bytes ($self->kept) {
        while ($bytes =~ s/^(POST .*?\r\n\r\n)//s) {
            my ($n) = $1 =~ /^Content-Length: (\d+)/mi;
            push @bodies, substr $bytes, 0, $n // 0, '';
        }
    }
    return @bodies;
}


# Commands as they were sent, each as { words => [...], bytes => '...' }.
sub commands {
    my ($self) = @_;
    my @commands;

    for my $bytes ($self->kept) {
        while ($bytes =~ /\G\*(\d+)\r\n/gc) {
            my ($begin, @words) = ($-[0]);
            for (1 .. $1) {
                $bytes =~ /\G\$(\d+)\r\n/gc or return @commands;
                push @words, substr $bytes, pos $bytes, $1;
                pos($bytes) += $1 + 2;
            }
            push @commands, { words => \@words, bytes => substr($bytes,
                              $begin, pos($bytes) - $begin) };
        }
    }
    return @commands;
}

1;
