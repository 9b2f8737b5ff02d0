package CWMP::RedisCluster;

# Several private Redis servers that are one: a Cluster of primaries with a
# replica each or none, or a master with replicas and Sentinels.  To be given
# to CWMP::Test as redis_server => $cluster.
#
#   my $cluster = CWMP::RedisCluster->new(dir => $dir, primaries => 3,
#       replicas => 1);
#   $cluster->start; $cluster->address;
#   $cluster->owner('cwmp:{0}:due');    # the CWMP::RedisServer
#   $cluster->move_slot($slot, $to);
#   my $set = CWMP::RedisCluster->new(dir => $dir, sentinels => 3,
#       replicas => 1);
#   $cluster->client;   # a CWMP::Redis that finds the primary of each key
#
# More options: host (127.0.0.1; or ::1), tls => [names of the files of the
# CA, the certificate, its key]: then nothing else is spoken at the ports,
# names => [host name of each server]: these are announced, not addresses.

use strict;
use warnings;

use File::Path qw(make_path);
use Time::HiRes qw(sleep);

use CWMP::Daemon qw(wait_for free_port find_binary slurp);
use CWMP::RedisRouter;
use CWMP::RedisServer;


sub new {
    my ($class, %opt) = @_;
    my $self = bless { primaries => 3, replicas => 0, sentinels => 0,
                       timeout => 1000, host => '127.0.0.1', %opt }, $class;

    $self->{primaries} = 1 if $self->{sentinels};
    my $n = $self->{primaries} * (1 + $self->{replicas});
    my $names = $self->{names} || [];
    $self->{servers} = [map { $self->server("redis$_", 0, $names->[$_]) }
                        0 .. $n - 1];
    $self->{sentinel} = [map { $self->server("sentinel$_", 1) }
                         1 .. $self->{sentinels}];
    return $self;
}


sub server {
    my ($self, $name, $sentinel, $announced) = @_;
    my $dir = "$self->{dir}/$name";     # the object removes it
    my $port = free_port();
    my @args = ('--bind', $self->{host}, $self->tls_args($port),
                @{ $self->{args} || [] });

    make_path($dir);
    push @args, '--cluster-enabled', 'yes', '--cluster-port', free_port(),
        '--cluster-node-timeout', $self->{timeout} unless $self->{sentinels};
    push @args, '--repl-diskless-sync-delay', 0;
    push @args, $self->{sentinels}
        ? ('--replica-announce-ip', $announced)
        : ('--cluster-announce-hostname', $announced,
           '--cluster-preferred-endpoint-type', 'hostname') if $announced;
    @args = () if $sentinel;
    return CWMP::RedisServer->new(dir => $dir, port => $port,
        args => \@args, map { $_ => $self->{$_} } grep { $self->{$_} }
        qw(password appendonly));
}


sub tls_args {
    my ($self, $port) = @_;
    my ($ca, $certificate, $key) = @{ $self->{tls} || return };
    return ('--port', 0, '--tls-port', $port, '--tls-ca-cert-file', $ca,
            '--tls-cert-file', $certificate, '--tls-key-file', $key,
            '--tls-auth-clients', 'no', '--tls-replication', 'yes',
            $self->{sentinels} ? () : ('--tls-cluster', 'yes'));
}


sub servers { return @{ $_[0]{servers} } }
sub sentinels { return @{ $_[0]{sentinel} } }
sub alive { return $_[0]{servers}[0]->alive }
sub client { my ($self, %o) = @_;
             return CWMP::RedisRouter->new(set => $self,
                 password => $self->{password}, %o) }
sub stop { $_->stop for @{ $_[0]{servers} }, @{ $_[0]{sentinel} } }
sub cont { $_->cont for @{ $_[0]{servers} } }
sub log_files { return map { $_->log_file } @{ $_[0]{servers} } }


# As `cwmp_redis` takes it.
sub address {
    my ($self) = @_;
    my @seeds = $self->{sentinels} ? $self->sentinels : $self->servers;
    my $host = $self->{host} =~ /:/ ? "[$self->{host}]" : $self->{host};
    return join(' ', (map { "$host:" . $_->port } @seeds),
                $self->{sentinels} ? 'sentinel=acs' : 'cluster',
                $self->{password} ? "password=$self->{password}" : ());
}


sub start {
    my ($self) = @_;
    $_->start for $self->servers;
    return $self->{sentinels} ? $self->watch : $self->join;
}


# --- Cluster ---------------------------------------------------------------

sub join {
    my ($self) = @_;
    my @s = $self->servers;
    my @primary = @s[0 .. $self->{primaries} - 1];
    my $n = @primary;

    for my $i (0 .. $#s) {
        $s[$i]->client->cmd('CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
        $s[0]->client->cmd('CLUSTER', 'MEET', $self->{host}, $s[$i]->port,
                           bus($s[$i])) if $i;
    }
    for my $i (0 .. $#primary) {
        $primary[$i]->client->cmd('CLUSTER', 'ADDSLOTSRANGE',
            int($i * 16384 / $n), int(($i + 1) * 16384 / $n) - 1);
    }
    wait_for(sub { !grep { known($_) < @s } @s }, 15)
        or die "the nodes of the Cluster do not meet\n";
    for my $i ($n .. $#s) {
        $s[$i]->client->cmd('CLUSTER', 'REPLICATE', id($primary[$i % $n]));
    }
    $self->wait_ok;
    wait_for(sub { !grep { has_nameless($_) } @s }, 15)
        or die "the nodes of the Cluster do not tell their names\n";
    return $self;
}


# It was not told yet which host name another announces.
sub has_nameless {
    my $ranges = $_[0]->client->cmd('CLUSTER', 'SLOTS');
    return grep { $_->[0] eq '?' } map { @$_[2 .. $#$_] } @$ranges;
}


sub wait_ok {
    my ($self, $seconds) = @_;
    my @s = grep { $_->alive } $self->servers;
    return wait_for(sub { !grep { !is_ok($_) } @s }, $seconds // 20)
        || die "the Cluster is not ok\n";
}


sub is_ok {
    my ($server) = @_;
    my $r = eval { $server->client(timeout => 1) } or return;
    my $info = eval { $r->cmd('INFO', 'replication') } // '';
    return (eval { $r->cmd('CLUSTER', 'INFO') } // '') =~ /cluster_state:ok/
        && ($info =~ /role:master/ || $info =~ /master_link_status:up/);
}


sub bus {
    my ($server) = @_;
    my %args = @{ $server->{args} };
    return $args{'--cluster-port'};
}


sub id { return $_[0]->client->cmd('CLUSTER', 'MYID') }
sub known { my @l = split(/\n/, $_[0]->client->cmd('CLUSTER', 'NODES'));
            return scalar grep { !/handshake/ } @l }


sub slot { return $_[0]->client->cmd('CLUSTER', 'KEYSLOT', $_[1]) }


# The server whose slot this key is in, by what the servers say.
sub owner {
    my ($self, $key) = @_;
    my $slot = $key =~ /\D/ ? $self->slot_of($key) : $key;

    for my $range (@{ $self->alive_one->client->cmd('CLUSTER', 'SLOTS') }) {
        next unless $slot >= $range->[0] && $slot <= $range->[1];
        my ($server) = grep { $_->port == $range->[2][1] } $self->servers;
        return $server;
    }
    return;
}


# The primaries: the slots' owners, or the master.
sub primaries {
    my ($self) = @_;
    return $self->master if $self->{sentinels};
    my %port = map { ($_->[2][1] => 1) }
               @{ $self->alive_one->client->cmd('CLUSTER', 'SLOTS') };
    return grep { $port{ $_->port } } $self->servers;
}


# Those that follow this primary and have what it has.
sub replicas_of {
    my ($self, $primary) = @_;
    my $port = $primary->port;
    return grep {
        $_->alive && $_->client->cmd('INFO', 'replication') =~
            /role:slave\r\n.*master_port:$port\r\nmaster_link_status:up\r\n/s
    } $self->servers;
}


sub alive_one { return (grep { $_->alive } $_[0]->servers)[0] }
sub slot_of { return $_[0]->alive_one->client->cmd('CLUSTER', 'KEYSLOT',
                                                   $_[1]) }


sub begin_move {
    my ($self, $slot, $to) = @_;
    my $from = $self->owner($slot);
    $to->client->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', id($from));
    $from->client->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', id($to));
    return $from;
}


sub move_keys {
    my ($self, $slot, $from, $to, $most) = @_;
    my $r = $from->client;
    my $keys = $r->cmd('CLUSTER', 'GETKEYSINSLOT', $slot, $most // 1000);
    $r->cmd('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000, 'KEYS', @$keys)
        if @$keys;
    return scalar @$keys;
}


sub end_move {
    my ($self, $slot, $from, $to) = @_;
    $_->client->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', id($to))
        for $to, $from;
    wait_for(sub { $self->owner($slot) == $to }, 5);    # all are told
}


sub move_slot {
    my ($self, $slot, $to) = @_;
    my $from = $self->begin_move($slot, $to);
    while ($self->move_keys($slot, $from, $to)) { }
    $self->end_move($slot, $from, $to);
    return $from;
}


# --- Sentinel --------------------------------------------------------------

sub watch {
    my ($self) = @_;
    my ($master, @replicas) = $self->servers;
    my $n = $self->{sentinels};
    my $host = $self->{names} ? $self->{names}[0] : $self->{host};

    $_->client->cmd('REPLICAOF', $host, $master->port) for @replicas;

    for my $s ($self->sentinels) {
        my $file = "$s->{dir}/sentinel.conf";
        open(my $fh, '>', $file) or die "$file: $!\n";
        my @tls = $self->tls_args($s->{port});
        print $fh $self->{tls} ? '' : "port $s->{port}\n",
            (map { substr($tls[2 * $_], 2) . " $tls[2 * $_ + 1]\n" }
             0 .. @tls / 2 - 1),
            "bind $self->{host}\ndir $s->{dir}\n",
            "unixsocket $s->{socket}\n",
            $self->{names} ? "sentinel resolve-hostnames yes\n"
                . "sentinel announce-hostnames yes\n" : '',
            "sentinel monitor acs $host ", $master->port, ' ',
            int($n / 2) + 1, "\n",
            "sentinel down-after-milliseconds acs $self->{timeout}\n",
            "sentinel failover-timeout acs 5000\n",
            $self->{sentinel_password}
                ? "requirepass $self->{sentinel_password}\n" : '';
        close($fh);
        $s->spawn([find_binary('redis-server', 'TEST_REDIS_BINARY'), $file,
                   '--sentinel'], dir => $s->{dir}, output => $s->log_file,
                  own_group => 1);
    }
    wait_for(sub { !grep { $self->sees($_) < $n - 1 + @replicas }
                   $self->sentinels }, 60)
        or die "the Sentinels do not see each other\n";
    wait_for(sub { $self->replicas_of($master) == @replicas }, 20)
        or die "the replicas are not in step\n";
    return $self;
}


sub sees {
    my ($self, $sentinel) = @_;
    my $state = eval {
        my %s = @{ $self->sentinel_client($sentinel)
                   ->cmd('SENTINEL', 'MASTER', 'acs') };
        $s{'num-other-sentinels'} + $s{'num-slaves'};
    };
    return $state // 0;
}


sub sentinel_client {
    my ($self, $sentinel) = @_;
    return CWMP::Redis->new(path => $sentinel->socket, timeout => 2,
                            password => $self->{sentinel_password});
}


# as this Sentinel names it; a failover is known to others after a while
sub master {
    my ($self, $s) = @_;
    ($s) = grep { $_->alive } $self->sentinels unless $s;
    my $port = $self->sentinel_client($s)
        ->cmd('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'acs')->[1];
    return (grep { $_->port == $port } $self->servers)[0];
}

1;
