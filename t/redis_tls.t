#!/usr/bin/perl

# TLS to Redis: its certificate is verified, by chain and name, before it is
# told anything; ours is shown where it wants one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(patience wait_for free_port);


my $dir = File::Temp->newdir('cwmp-tls-XXXXXX', TMPDIR => 1);
my $tls = free_port();
my $t;


sub openssl {
    my (@args) = @_;
    system("openssl @args 2>>$dir/openssl.log") == 0
        or die "openssl @args failed\n" . CWMP::Test::slurp("$dir/openssl.log");
}


sub make_ca {
    my ($name) = @_;
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name",
            "-keyout $dir/$name.key -out $dir/$name.pem");
}


sub make_certificate {
    my ($name, $ca, $alt) = @_;
    open(my $fh, '>', "$dir/$name.ext") or die;
    print $fh "subjectAltName=$alt\n";
    close($fh);
    openssl("req -newkey rsa:2048 -nodes -subj /CN=$name",
            "-keyout $dir/$name.key -out $dir/$name.csr");
    openssl("x509 -req -in $dir/$name.csr -CA $dir/$ca.pem -CAkey $dir/$ca.key",
            "-CAcreateserial -days 2 -extfile $dir/$name.ext",
            "-out $dir/$name.pem");
}


make_ca($_) for qw(ca other);
make_certificate('redis', 'ca', 'DNS:redis.example,IP:127.0.0.1');
make_certificate('named', 'ca', 'DNS:redis.example');
make_certificate('client', 'ca', 'DNS:acs.example');


sub status_with {
    my ($words, %opt) = @_;
    my $name = $opt{certificate} // 'redis';

    $t = CWMP::Test->new(start => 0, redis => { password => 'secret',
        args => ['--tls-port', $tls, '--tls-ca-cert-file', "$dir/ca.pem",
                 '--tls-cert-file', "$dir/$name.pem",
                 '--tls-key-file', "$dir/$name.key",
                 '--tls-auth-clients', $opt{clients} // 'no'] });
    $t->node->{redis} = '127.0.0.1:' . ($opt{port} // $tls)
                        . " password=secret $words";
    $t->start_all;
    return $t->raw->post(inform(serial => 'S1'))->status;
}


sub told_to_redis {
    my %stat = map { /^cmdstat_(\w+)/ ? ($1 => 1) : () }
        split(/\r\n/, $t->redis->cmd('INFO', 'commandstats'));
    return $stat{fcall} ? 'all' : 'nothing';
}


subtest 'a certificate of our CA' => sub {
    is status_with("tls tls_ca=$dir/ca.pem"), 200, 'is good for its address';
    for my $i (1 .. 5) {
        my @rows = map { ["Device.X.$_", 'string', 'x' x 1000] } 1 .. 60;
        is $t->raw->post(inform(serial => "L$i", params => \@rows))->status,
            200, 'a long call';
    }
    $t->redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    is $t->raw->post(inform(serial => 'S2'))->status, 200,
        'after a lost connection, too';
    is $t->quit, 'QUIT', 'nginx quits';
    $t->finish;
};


subtest 'another name' => sub {
    is status_with("tls tls_ca=$dir/ca.pem", certificate => 'named'), 503,
        'a certificate without the address';
    like $t->error_log, qr/not accepted: IP address mismatch/, 'is refused';
    is told_to_redis(), 'nothing', 'and nothing was said to it';
    $t->finish;

    is status_with("tls tls_ca=$dir/ca.pem tls_name=redis.example",
                   certificate => 'named'), 200, 'tls_name= says its name';
    $t->finish;

    is status_with("tls tls_ca=$dir/ca.pem tls_name=other.example",
                   certificate => 'named'), 503, 'or another one';
    like $t->error_log, qr/not accepted: hostname mismatch/i, 'is refused';
    $t->finish;
};


subtest 'a certificate of somebody' => sub {
    is status_with("tls tls_ca=$dir/other.pem"), 503, 'not of this CA';
    like $t->error_log, qr/not accepted: (?:self-signed|unable to get local issuer)/, 'is refused';
    is told_to_redis(), 'nothing', 'and nothing was said to it';
    $t->finish;

    is status_with('tls'), 503, 'nor does the system know its CA';
    $t->finish;
};


subtest 'a Redis that wants a certificate' => sub {
    is status_with("tls tls_ca=$dir/ca.pem tls_cert=$dir/client.pem"
                   . " tls_key=$dir/client.key", clients => 'yes'), 200,
        'is shown ours';
    $t->finish;

    is status_with("tls tls_ca=$dir/ca.pem", clients => 'yes'), 503,
        'without one there is no service';
    like $t->error_log, qr/Redis at \S+: lost: .*certificate.*tls_cert=/,
        '... and the log says so';
    # its alert may come too late to be read: the connection has ended
    $t->expect_log(qr/\[crit\].*alert certificate required/, [0, undef]);
    $t->finish;
};


subtest 'one of them speaks no TLS' => sub {
    is status_with(''), 503, 'nginx does not';
    $t->finish;
};


# Of a Cluster: that it is there is said by one node, which is served.
subtest 'a node that says nothing, and nginx quits' => sub {
    my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9)
        or die;
    my $set = CWMP::RedisCluster->new(dir => $dir, primaries => 1, args => [
        '--tls-port', $tls, '--tls-ca-cert-file', "$dir/ca.pem",
        '--tls-cert-file', "$dir/redis.pem",
        '--tls-key-file', "$dir/redis.key", '--tls-auth-clients', 'no',
        '--cluster-announce-ip', '127.0.0.1',
        # which of the two TLS clients are told depends on Redis' version
        '--cluster-announce-port', $silent->sockport,
        '--cluster-announce-tls-port', $silent->sockport])->start;
    my $c = CWMP::Test->new(redis => 0, workers => 1,
        main => 'worker_shutdown_timeout 500ms;',
        cwmp_redis => "127.0.0.1:$tls cluster tls tls_ca=$dir/ca.pem"
                      . ' timeout=30s connect_timeout=30s');

    my $raw = $c->raw;
    $raw->post(inform(serial => 'S1'), no_read => 1);
    wait_for(sub { IO::Select->new($silent)->can_read(0) }, 10) or die;
    my $its = $silent->accept;
    sleep(0.3);
    my $begin = time();
    is $c->quit, 'QUIT', 'nginx quits';
    cmp_ok time() - $begin, '<', patience(5), 'in time';
    $c->finish;
};


subtest 'what cannot be meant' => sub {
    my $c = CWMP::Test->new(redis => 0, start => 0, cwmp_redis => '');
    $c->expect_log(qr/\[emerg\]/);
    my %wrong = (
        'unix:/tmp/r.sock tls' => qr/"tls" with "unix:"/,
        '127.0.0.1:1 unix:/tmp/r.sock cluster tls' => qr/"tls" with "unix:"/,
        '127.0.0.1:1 tls_ca=/x' => qr/add "tls"/,
        '127.0.0.1:1 tls tls_cert=/x' => qr/use both/,
        '127.0.0.1:1 tls tls_name=' . 'a' x 300 => qr/longer than 255 bytes/,
        '127.0.0.1:1 tls tls_ca=/none' => qr/"\/none"/,
    );
    for my $words (sort keys %wrong) {
        $c->node->{redis} = $words;
        like +($c->check_conf)[1], $wrong{$words}, $words;
    }
    $c->finish;
};


done_testing;
