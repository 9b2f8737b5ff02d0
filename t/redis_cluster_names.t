#!/usr/bin/perl

# A Cluster whose nodes announce host names: nginx' resolver finds them, for
# each connection, and nobody waits for it but whose node it is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::DNS;
use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::RedisProxy;
use CWMP::Test qw(patience wait_for);


my $dir = File::Temp->newdir('cwmp-names-XXXXXX', TMPDIR => 1);
my @NAMES = map { "redis$_.cluster.example" } 0 .. 5;


# Its servers listen at all of 127.0.0.0/8.
sub cluster {
    my (%opt) = @_;
    return CWMP::RedisCluster->new(dir => File::Temp::tempdir(DIR => $dir),
        names => \@NAMES, args => ['--bind', '0.0.0.0'], %opt)->start;
}


my $shared = cluster();

sub with_names {
    my (%opt) = @_;
    my $dns = CWMP::DNS->new(dir => $dir, ttl => 0,
                             names => { map { $_ => '127.0.0.1' } @NAMES });
    my $cluster = delete $opt{cluster} // $shared;
    my $words = delete $opt{words} // '';
    my $t = CWMP::Test->new(redis => 0, workers => 1, http => $dns->resolver,
        cwmp_redis => $cluster->address . " timeout=1500ms $words", %opt);

    return ($t, $cluster, $dns);
}


sub partition_of {
    my ($cluster, $serial) = @_;
    return $cluster->slot_of("00D09E-Box-$serial") % 64;
}


# A device of each of the first three servers, which share the slots.
sub spread {
    my ($cluster) = @_;
    my @device;
    for my $serial (map { "S$_" } 1 .. 100) {
        my $partition = partition_of($cluster, $serial);
        $device[$cluster->slot_of("{$partition}") * 3 / 16384] //= $serial;
    }
    return @device;
}


# nginx' connections to this server, by the address at which they came.
sub connections {
    my ($server) = @_;
    return map { /\bladdr=([\d.]+):\d+ .*\bname=cwmp:/ ? $1 : () }
           split(/\n/, $server->client->cmd('CLIENT', 'LIST'));
}


sub cut {
    my ($server) = @_;
    $server->client->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}


subtest 'sessions, and slots that move' => sub {
    my ($t, $cluster, $dns) = with_names();
    my @device = spread($cluster);
    my ($from, $to) = $cluster->servers;

    is_deeply [grep { $t->bare_session("S$_") != 204 } 1 .. 30], [],
        'sessions of 30 devices';
    is_deeply [grep { my $n = $_; !grep { $_ eq $n } $dns->asked }
               @NAMES[0 .. 2]], [], 'each name was asked for';
    my $log = $t->error_log;
    like $log, qr/Redis at \Q$NAMES[$_]\E:\d+: connected/,
        "$NAMES[$_] is known by it" for 0 .. 2;

    my $partition = partition_of($cluster, $device[0]);
    $cluster->move_slot($cluster->slot_of("{$partition}"), $to);
    like $from->client->try('GET', "{$partition}"),
        qr/^MOVED \d+ \Q$NAMES[1]\E:/, 'MOVED has a name';
    is $t->bare_session($device[0]), 204, 'and is followed';

    my $slot = $cluster->slot_of("{$partition}");
    my $raw = $t->raw;
    $cluster->begin_move($slot, $from);
    while ($cluster->move_keys($slot, $to, $from)) { }
    $raw->post(inform(serial => $device[0]), no_read => 1);
    ok wait_for(sub { $from->client->cmd('INFO', 'commandstats')
                      =~ /cmdstat_asking:/ }, 2), 'ASK is, too';
    $cluster->end_move($slot, $to, $from);
    is $raw->read_response({})->status, 200, 'a session begins';
    is $raw->post('')->status, 204, 'and goes on';
    $t->finish;
};


subtest 'a primary is killed' => sub {
    my $name = 'all.cluster.example';   # their ports tell them apart
    my ($t, $cluster, $dns) = with_names(
        cluster => cluster(replicas => 1, names => [($name) x 6]));
    $dns->name($name, '127.0.0.1');
    my @device = spread($cluster);
    my ($dead) = $cluster->servers;

    is $t->bare_session($_), 204, "$_ is known" for @device;
    $dead->client->cmd('WAIT', 1, 1000);
    $dead->kill9;
    ok wait_for(sub { $t->bare_session($device[0]) == 204 }, 20),
        'its replica has taken over';
    my $port = ($cluster->servers)[3]->port;
    like $t->error_log, qr/Redis at $name:$port: connected/,
        'known by its name';
    is $t->quit, 'QUIT', 'nginx quits';
    $t->finish;
};


subtest 'an address changes' => sub {
    my ($t, $cluster, $dns) = with_names();
    my @device = spread($cluster);
    my ($server) = $cluster->servers;

    is $t->bare_session($device[0]), 204, 'a session';
    $dns->name($NAMES[0], '127.0.0.2');
    sleep(1.1);                         # what is remembered for a second
    is $t->bare_session($device[0]), 204, 'another name in DNS, the same connection';
    ok !grep({ $_ eq '127.0.0.2' } connections($server)), 'stays';
    cut($server);
    is $t->bare_session($device[0]), 204, 'the next one';
    ok scalar(grep { $_ eq '127.0.0.2' } connections($server)),
        'goes to the new address';
    $t->finish;
};


subtest 'DNS does not answer' => sub {
    my ($t, $cluster, $dns) = with_names();
    my @device = spread($cluster);
    my (undef, $server) = $cluster->servers;

    is $t->bare_session($_), 204, "$_ is known" for @device;
    $dns->name($NAMES[1], 'silence');
    sleep(1.1);
    cut($server);
    my ($raw, $begin) = ($t->raw, time());
    $raw->post(inform(serial => $device[1]), no_read => 1);
    is $t->bare_session($device[0]), 204, 'a device of another node';
    cmp_ok time() - $begin, '<', patience(0.5), 'does not wait';
    is $raw->read_response({})->status, 503, 'one of this node is told so';
    cmp_ok time() - $begin, '<', patience(2), 'in time';
    like $t->error_log,
        qr/Redis at \Q$NAMES[1]\E:\d+: lost: its name could not be resolved within 1000 ms/,
        'and the log, why';

    $raw->post(inform(serial => $device[1]), no_read => 1);
    sleep(0.2);
    ok $t->reload, 'a worker ends meanwhile';
    $dns->name($NAMES[1], '127.0.0.1');
    ok wait_for(sub { $t->bare_session($device[1]) == 204 }, 20), 'it is back';
    $dns->name($NAMES[1], 'silence');
    sleep(1.1);
    cut($server);
    $t->raw->post(inform(serial => $device[1]), no_read => 1);
    sleep(0.1);
    $begin = time();
    is $t->quit, 'QUIT', 'nginx quits while it asks';
    cmp_ok time() - $begin, '<', patience(4), 'in time';
    $t->finish;
};


subtest 'DNS knows no such name' => sub {
    my ($t, $cluster, $dns) = with_names();
    my @device = spread($cluster);
    my ($server) = $cluster->servers;

    is $t->bare_session($_), 204, "$_ is known" for @device;
    $dns->name($NAMES[0], undef);
    sleep(1.1);
    cut($server);
    my $until = time() + 3;
    my %status;
    while (time() < $until) {
        $status{$t->bare_session($device[0])}++;
        sleep(0.05);
    }
    is_deeply [keys %status], [503], 'no service';
    is $t->bare_session($device[1]), 204, 'but for devices of others';
    my @lines = $t->error_log =~
        /Redis at \Q$NAMES[0]\E:\d+: lost: its name could not be resolved \(3: Host not found\)/g;
    is scalar @lines, 1, 'the log says it once';
    cmp_ok scalar(grep { $_ eq $NAMES[0] } $dns->asked), '<', 30,
        'and DNS is asked ever less';
    $dns->name($NAMES[0], '127.0.0.1');
    ok wait_for(sub { $t->bare_session($device[0]) == 204 }, 20), 'it is back';
    $t->finish;
};


subtest 'a name changes' => sub {
    my ($t, $cluster, $dns) = with_names();
    my @device = spread($cluster);
    my ($server, @others) = $cluster->servers;

    my $old = $NAMES[0];
    for my $i (1 .. 5) {
        $dns->name("new$i.example", '127.0.0.1');
        $server->client->cmd('CONFIG', 'SET', 'cluster-announce-hostname',
                             "New$i.example.");
        wait_for(sub { !grep { $_->client->cmd('CLUSTER', 'NODES')
                               !~ /,New$i\.example/ } @others }, 10)
            or die 'the others are not told';
        $dns->name($old, undef);
        $old = "new$i.example";
        sleep(1.1);
        cut($server);
        ok wait_for(sub { $t->bare_session($device[0]) == 204 }, 5), "served by $old";
        like $t->error_log, qr/Redis at $old:\d+: connected/,
            'which is how DNS spells it';
    }
    ok wait_for(sub { connections($server) <= 2 }, 5),
        'of the others no connection is left';
    $server->client->cmd('CONFIG', 'SET', 'cluster-announce-hostname',
                         $NAMES[0]);
    $t->finish;
};


subtest 'what is no name' => sub {
    my ($t, $cluster, $dns) = with_names(start => 0);
    my ($server) = $cluster->servers;
    my $port = CWMP::Test::free_port();
    my $proxy = CWMP::RedisProxy->new(dir => $dir, redis => $server->socket,
                                      port => $port);
    my %bad = map { ($_ => 1) } '?', 'a/b', "a\nb", 'a%sb', "\xff", '.',
                                'x' x 256, 'x' x 5000, 'a@b.example';

    $t->node->{redis} = "127.0.0.1:$port cluster timeout=300ms";
    $t->start_all;
    for my $host (sort keys %bad) {
        my $n = length($host);
        my $shown = substr($host, 0, 9) =~ s/[^ -~]/ /gr;
        $proxy->rule(qr/^CLUSTER SLOTS/, "say *1\r\n*3\r\n:0\r\n:16383\r\n"
                     . "*2\r\n\$$n\r\n$host\r\n:" . $server->port, 1000);
        $t->reload;
        is $t->bare_session('S1'), 503, qq{nobody is served by "$shown"};
        ok $proxy->hits, 'that was told';
    }
    my @lines = $t->error_log =~ /a node of the Cluster is "[^"]+", which is neither an address nor a host's name: set cluster-preferred-endpoint-type ip in Redis/g;
    cmp_ok scalar @lines, '>=', scalar keys %bad, 'the log says why, of each';
    is_deeply [grep { $bad{$_} } $dns->asked], [], 'and DNS is not asked';
    $t->finish;
};


subtest 'without a resolver' => sub {
    my ($t, $cluster, $dns) = with_names(http => '');

    is $t->bare_session('S1'), 503, 'no service';
    like $t->error_log, qr/a node of the Cluster is "redis\d\.cluster\.example", which is no address: set a resolver in nginx, or cluster-preferred-endpoint-type ip in Redis/,
        'the log says what to do';
    $t->finish;
};


sub openssl {
    my (@args) = @_;
    system("openssl @args 2>>$dir/openssl.log") == 0
        or die "openssl @args failed\n" . CWMP::Test::slurp("$dir/openssl.log");
}


# Files of a CA, and of a certificate of its for these names.
sub certificate {
    my (@alt) = @_;
    my $alt = join(',', @alt);
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca",
            "-keyout $dir/ca.key -out $dir/ca.pem") if !-e "$dir/ca.pem";
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=redis",
            "-CA $dir/ca.pem -CAkey $dir/ca.key -addext subjectAltName=$alt",
            "-keyout $dir/redis.key -out $dir/redis.pem");
    return ["$dir/ca.pem", "$dir/redis.pem", "$dir/redis.key"];
}


subtest 'TLS: a certificate for the names' => sub {
    my $files = certificate('IP:127.0.0.1', map { "DNS:$_" } @NAMES[0, 1]);
    my ($t, $cluster, $dns) = with_names(cluster => cluster(tls => $files),
                                         words => "tls tls_ca=$dir/ca.pem");
    my @device = spread($cluster);

    is $t->bare_session($_), 204, 'a name that is in it' for @device[0, 1];
    is $t->bare_session($device[2]), 503, 'one that is not';
    like $t->error_log, qr/Redis at \Q$NAMES[2]\E:\d+: lost: its certificate is not accepted: hostname mismatch/i,
        'is refused, though its address is';
    $t->quit;

    $t->node->{redis} .= " tls_name=$NAMES[0]";
    $t->start;
    is $t->bare_session($_), 204, 'tls_name= is for all of them' for @device;
    $t->finish;
};


done_testing;
