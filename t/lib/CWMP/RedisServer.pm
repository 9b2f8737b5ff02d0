package CWMP::RedisServer;

# A private redis-server in a directory of its own: unix socket always, a TCP
# port when asked for.  It is started, stopped, frozen and killed as a test
# likes; with appendonly => 1 its data survive that.
#
#   my $server = CWMP::RedisServer->new(dir => $dir, appendonly => 1,
#       port => 0, password => undef, args => ['--maxmemory', '64mb']);
#   $server->start; $server->socket; $server->sigstop; $server->cont;
#   $server->kill9; $server->stop;

use strict;
use warnings;

use CWMP::Daemon qw(wait_for find_binary slurp);
use CWMP::Redis;

use parent -norequire, 'CWMP::Daemon';


sub new {
    my ($class, %opt) = @_;
    my $self = $class->SUPER::new(name => 'redis-server', port => 0, %opt);

    $self->{socket} = "$self->{dir}/redis.sock";
    if (length($self->{socket}) > 107) {
        die "$self->{socket} is too long for a unix socket (107 bytes): "
            . "use a shorter directory\n";
    }
    return $self;
}


sub socket { return $_[0]{socket} }
sub port { return $_[0]{port} }
sub log_file { return "$_[0]{dir}/redis.log" }
sub log_files { return $_[0]->log_file }


# The address as `cwmp_redis` takes it.
sub address {
    my ($self) = @_;
    return "unix:$self->{socket}" . ($self->{password}
        ? " password=$self->{password}" : '');
}


sub arguments {
    my ($self) = @_;
    my @argv = ('--port', $self->{port}, '--bind', '127.0.0.1',
                '--unixsocket', $self->{socket}, '--unixsocketperm', '700',
                '--dir', $self->{dir}, '--save', '', '--daemonize', 'no',
                '--pidfile', "$self->{dir}/redis.pid",
                '--appendonly', $self->{appendonly} ? 'yes' : 'no',
                '--appendfsync', $self->{appendfsync} // 'everysec');

    push @argv, '--requirepass', $self->{password} if $self->{password};
    return (@argv, @{ $self->{args} || [] });
}


sub start {
    my ($self) = @_;

    unlink($self->{socket});
    $self->spawn([find_binary('redis-server', 'TEST_REDIS_BINARY'),
                  $self->arguments], dir => $self->{dir},
                 output => $self->log_file, own_group => 1, env => $self->{env});

    return $self if wait_for(sub { !$self->alive || $self->ready }, 10)
                    && $self->alive;
    die "redis-server did not start (" . $self->exit_text . "):\n"
        . tail($self->log_file);
}


# A server that still reads its file answers -LOADING.
sub ready {
    my ($self) = @_;
    return unless -S $self->{socket};
    return eval { $self->client(timeout => 1)->cmd('PING') eq 'PONG' };
}


sub client {
    my ($self, %opt) = @_;
    return CWMP::Redis->new(path => $self->{socket},
                            password => $self->{password}, %opt);
}


sub stop { return $_[0]->end_with(5, 'TERM') }
sub kill9 { return $_[0]->end_with(5) }
sub cont { return $_[0]->signal('CONT') }


sub sigstop {
    my ($self) = @_;
    $self->signal('STOP') or return 0;
    return wait_for(sub { slurp("/proc/$self->{pid}/stat") =~ /\) [Tt] / }, 2);
}


sub tail {
    my ($file) = @_;
    my @lines = split(/^/, slurp($file));
    splice(@lines, 0, -15) if @lines > 15;
    return join('', @lines);
}

1;
