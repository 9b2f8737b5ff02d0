#!/usr/bin/perl

# A Cluster, and a master that Sentinels watch, of which nothing but TLS is
# spoken, and at addresses of IPv6: sessions run, and a failover is followed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::IP;
use Test::More;

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(wait_for slurp);

my $dir = File::Temp->newdir('cwmp-wire-XXXXXX', TMPDIR => 1);


sub openssl {
    my (@args) = @_;
    system("openssl @args 2>>$dir/openssl.log") == 0
        or die "openssl @args failed\n" . slurp("$dir/openssl.log");
}


sub certificate {
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca",
            "-keyout $dir/ca.key -out $dir/ca.pem");
    openssl("req -newkey rsa:2048 -nodes -subj /CN=redis",
            "-keyout $dir/redis.key -out $dir/redis.csr");
    open(my $fh, '>', "$dir/ext") or die "$dir/ext: $!\n";
    print $fh "subjectAltName=IP:127.0.0.1,IP:::1\n";
    close($fh);
    openssl("x509 -req -in $dir/redis.csr -CA $dir/ca.pem -CAkey $dir/ca.key",
            "-CAcreateserial -days 2 -extfile $dir/ext -out $dir/redis.pem");
}


sub session {
    my ($t, $serial) = @_;
    my $raw = $t->raw;
    my $answer = $raw->post(inform(serial => $serial));
    return $answer->status != 200 ? $answer->status : $raw->post('')->status;
}


# the same in both of them
sub story {
    my ($set, $doomed) = @_;
    my @serials = map { "S$_" } 1 .. 20;
    my $t = CWMP::Test->new(redis => 0, cwmp_redis => $set->address
        . " timeout=1500ms tls tls_ca=$dir/ca.pem");

    is_deeply { map { (session($t, $_) => 1) } @serials }, { 204 => 1 },
        'sessions of many devices';
    ok wait_for(sub { !grep { $_->client->cmd('INFO', 'replication') !~
                      /role:slave|state=online/ } $set->servers }, 10),
        'replicas follow';
    $doomed->()->kill9;
    ok wait_for(sub { !grep { session($t, $_) != 204 } @serials }, 40),
        'and again, after one was killed and its replica has its place';
    $t->finish;
    $set->stop;
}


certificate();
my @tls = map { "$dir/$_" } qw(ca.pem redis.pem redis.key);
my $ipv6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
my @wire = (tls => \@tls, $ipv6 ? (host => '::1') : ());
my $name = $ipv6 ? 'TLS and IPv6' : 'TLS (there is no IPv6 here)';

subtest "a Cluster, $name" => sub {
    my $set = CWMP::RedisCluster->new(dir => "$dir/cluster", replicas => 1,
                                      @wire)->start;
    story($set, sub { ($set->servers)[1] });
};

subtest "Sentinels, $name" => sub {
    my $set = CWMP::RedisCluster->new(dir => "$dir/sentinel", replicas => 1,
                                      sentinels => 3, @wire)->start;
    story($set, sub { $set->master });
};

done_testing;
