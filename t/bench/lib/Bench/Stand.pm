package Bench::Stand;

# One ACS to measure: Redis and an nginx of one worker, both on the first core,
# with a port for plain HTTP and one for TLS.  Besides the ACS (/cwmp, and /digest
# where CPEs prove who they are) the nginx answers at /constant as an ACS that does nothing: the same InformResponse to
# whatever has a body, 204 to what has none.
#
#   my $stand = Bench::Stand->new(dir => $dir, name => 'main');
#   $stand->url('tls', '/cwmp'); $stand->redis; $stand->usage;
#
# heap => 1: nginx can be asked for what it has allocated, with heap().
# redis => 'unix:...' lets this nginx use another Redis, and starts none.

use strict;
use warnings;

use File::Path qw(make_path);
use POSIX ();
use Time::HiRes qw(sleep);

use Bench::Machine qw(on_core cpu_us waited_us memory open_files limit_file);
use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(free_port slurp wait_for);
use CWMP::Nginx;
use CWMP::RedisServer;

# its ID is of no use to the swarm; the text has the length of a real answer
my $ANSWER = '<?xml version="1.0" encoding="UTF-8"?>'
    . '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
    . 'xmlns:cwmp="urn:dslforum-org:cwmp-1-2"><soap:Header>'
    . '<cwmp:ID soap:mustUnderstand="1">1</cwmp:ID></soap:Header><soap:Body>'
    . '<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes>'
    . '</cwmp:InformResponse></soap:Body></soap:Envelope>';


sub new {
    my ($class, %opt) = @_;
    my $self = bless { connections => 4096, location => '', http => '',
                       events => '', %opt },
                     $class;

    $self->{home} = "$opt{dir}/$opt{name}";
    make_path($self->{home});
    $self->{port} = { plain => free_port(), tls => free_port() };
    certificate($self->{home});
    key_file("$self->{home}/key");
    on_core(0, sub { $self->start });
    return $self;
}


sub start {
    my ($self) = @_;

    if (!$self->{redis}) {
        $self->{server} = CWMP::RedisServer->new(dir => $self->{home})->start;
        $self->{redis} = $self->{server}->address;
        # few CPEs inform without end here, and no pass shall be measured
        $self->redis->cmd('HSET', 'cwmp:{0}:settings', 'sessions', 1_000_000_000,
                          'reconcile', 1e16);
        $self->redis->cmd('HSET', 'cwmp:{0}:reconcile', 'next', 1e15);
    }
    local @ENV{qw(LD_PRELOAD BENCH_HEAP)} = @ENV{qw(LD_PRELOAD BENCH_HEAP)};
    $self->preload_heap if $self->{heap};
    $self->{node} = CWMP::Nginx->new(
        prefix => "$self->{home}/nginx", port => free_port(), workers => 1,
        level => 'error', redis => $self->{redis},
        http => "cwmp_secret_key $self->{home}/key; $self->{http}"
                . 'cwmp_unknown accept rate=off total=off;',
        connections => $self->{connections}, server => $self->server_conf,
        events => $self->{events},
        main => 'worker_rlimit_nofile ' . open_files() . ';')->start;
}


sub server_conf {
    my ($self) = @_;
    return <<"CONF";
        listen 127.0.0.1:$self->{port}{plain} backlog=4096;
        listen 127.0.0.1:$self->{port}{tls} ssl backlog=4096;
        ssl_certificate $self->{home}/cert.pem;
        ssl_certificate_key $self->{home}/cert.key;
        ssl_session_cache shared:tls:32m;
        keepalive_requests 100000000;
        keepalive_timeout 600s;
        location /constant {
            default_type "text/xml; charset=utf-8";
            if (\$content_length = 0) { return 204; }
            return 200 '$ANSWER';
        }
        location /digest { cwmp_auth digest; cwmp_acs; }
        $self->{location}
CONF
}


sub certificate {
    my ($dir) = @_;
    system('openssl req -x509 -newkey ec -pkeyopt '
           . 'ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost '
           . "-keyout $dir/cert.key -out $dir/cert.pem 2> $dir/openssl.log")
        == 0 or die 'openssl: ', slurp("$dir/openssl.log");
}


sub url {
    my ($self, $kind, $path) = @_;
    return ($kind eq 'tls' ? 'https' : 'http') . '://127.0.0.1:'
        . $self->{port}{$kind} . ($path // '/cwmp');
}


sub worker {
    my ($self) = @_;
    my ($pid) = $self->{node}->workers
        or die "nginx has no worker: see ", $self->{node}->error_log, "\n";
    return $pid;
}


sub redis {
    my ($self) = @_;
    return $self->{client} //= $self->{server}->client(timeout => 120);
}


# CPU in us of the worker and of Redis until now, and how long they waited for
# it.
sub usage {
    my ($self) = @_;
    my ($worker, $redis) = ($self->worker,
                            $self->{server} ? $self->{server}->pid : undef);
    return { worker => cpu_us($worker), worker_waited => waited_us($worker),
             redis => $redis ? cpu_us($redis) : 0,
             redis_waited => $redis ? waited_us($redis) : 0 };
}


sub worker_memory { return memory($_[0]->worker) }


# Bytes in use, without the stream of events, which has a bound of its own,
# without sessions, which are gone half a minute later, and without buffers of
# connections: that of nginx has had the function library in it.  Redis counts
# these ten times a second.
sub redis_bytes {
    my ($self) = @_;
    $self->drop_sessions;
    $self->redis->cmd('XTRIM', 'cwmp:{0}:events', 'MAXLEN', 0);
    sleep(0.5);
    my %info = $self->redis->cmd('INFO', 'memory') =~ /^(\w+):(\d+)\r?$/mg;
    return $info{used_memory} - $info{mem_clients_normal};
}


# A CPE's last session is long gone when it comes again; here it would not be.
sub drop_sessions {
    my ($self) = @_;
    my $cursor = 0;

    do {
        ($cursor, my $keys) = @{ $self->redis->cmd('SCAN', $cursor, 'MATCH',
            'cwmp:{0}:*:session', 'COUNT', 10_000) };
        $self->redis->cmd('DEL', @$keys) if @$keys;
    } while ($cursor);
}


# A fresh worker, as after a start.
sub renew {
    my ($self) = @_;
    local @ENV{qw(LD_PRELOAD BENCH_HEAP)} = @ENV{qw(LD_PRELOAD BENCH_HEAP)};
    $self->preload_heap if $self->{heap};
    on_core(0, sub { $self->{node}->restart });
}


sub preload_heap {
    my ($self) = @_;
    $ENV{LD_PRELOAD} = limit_file('heap.so');
    $ENV{BENCH_HEAP} = $self->{told} = "$self->{home}/heap";
}


# Bytes that the worker has allocated; it has to be at rest.
sub heap {
    my ($self) = @_;
    unlink $self->{told};
    kill POSIX::SIGRTMIN() + 9, $self->worker;
    wait_for(sub { slurp($self->{told}) =~ /\n/ }, 5)
        or die "nginx does not tell what it has allocated\n";
    return slurp($self->{told}) + 0;
}


sub stop {
    my ($self) = @_;
    $self->{node}->stop;
    $self->{server}->stop if $self->{server};
}

1;
