#!/usr/bin/perl

# Behind a balancer: docs/examples/behind-balancer.conf as it is but for paths,
# ports and addresses.  What the balancer says is believed, and what others say
# is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Certificates qw(shipped);
use CWMP::Daemon qw(free_port slurp);
use CWMP::Raw ':build';
use CWMP::Test;

my $dir = tempdir(CLEANUP => 1);
my $ca = CWMP::Certificates->new(dir => $dir);
my $vendor = CWMP::Certificates->new(dir => $dir, name => 'vendor-ca');
my $key = key_file("$dir/secret.key");

$ca->make('acs', alt => 'DNS:acs.example');
$vendor->make('c1', subject => '/O=Vendor/CN=00D09E-Box-C1');
$vendor->make('odd', subject => '/O=Vendor/CN=x,CN=00D09E-Box-C1');

my %port = map { ($_ => free_port()) } qw(tcp http tls);
my $example = shipped('behind-balancer.conf',
    [qr{/etc/nginx/tls/}, "$dir/"], [qr/192\.0\.2\.20:7547/, "127.0.0.1:$port{http}"],
    [qr/192\.0\.2\.10/, '127.0.0.1'], [qr/listen 7548/, "listen $port{tcp}"],
    [qr/listen 7547/, "listen $port{http}"], [qr/listen 443/, "listen $port{tls}"]);

my $t = CWMP::Test->new(access => 'logs/access.log', acs => 'cwmp_auth off;',
    http => "cwmp_secret_key $dir/secret.key; $example");
my $redis = $t->redis;

my $auth = CWMP::Auth->new(user => '00D09E-Box-C1', password => 'pw');
$auth->store($redis, realm => 'acs.example', basic => $auth->keyed($key));


# what a curl with this URL and these options gets for an Inform
sub curl {
    my ($url, @more) = @_;
    open my $file, '>', "$dir/inform" or die $!;
    print $file inform(serial => 'C1');
    close $file;
    return scalar qx{curl -s -o $dir/answer -w '%{http_code}' --cacert $dir/ca.pem -H 'Content-Type: text/xml' --data-binary \@$dir/inform @more $url};
}

sub balanced { my ($path, @more) = @_;
               return curl("https://acs.example/$path",
                           "--connect-to ::127.0.0.1:$port{tls}", @more) }

sub direct { my ($path, @more) = @_;
             return curl("http://127.0.0.1:$port{http}/$path", @more) }

my $c1 = "--cert $dir/c1.pem --key $dir/c1.key";
my @claim = map { "-H 'X-Client-$_'" } 'Verify: SUCCESS', 'DN: CN=00D09E-Box-C1';


subtest 'TLS ends at the balancer: certificates' => sub {
    is balanced('cwmp/certificate', $c1), 200, 'a certificate';
    is balanced('cwmp/certificate'), 403, 'none';
    is balanced('cwmp/certificate', @claim), 403, 'none, but a header';
    is balanced('cwmp/certificate', "--cert $dir/odd.pem --key $dir/odd.key"), 403,
        'one whose CN has another CN in it';
    is balanced('cwmp/certificate', "--cert $dir/odd.pem --key $dir/odd.key",
                @claim), 403, '... and a header';
    is balanced('cwmp/certificate', "-H 'X_Client_DN: CN=00D09E-Box-C1'",
                "-H 'X_Client_Verify: SUCCESS'"), 403, 'a header with underscores';

    is direct('cwmp/certificate', @claim), 200, 'what the balancer\'s address says';
    is direct('cwmp/certificate', $claim[1]), 403, '... but not the name alone';
    is direct('cwmp/certificate', $claim[1], "-H 'X-Client-Verify: FAILED:x'"), 403,
        '... nor of a certificate that is not good';
    is direct('cwmp/certificate', '--interface 127.0.0.2', @claim), 403,
        'what another address says';
    is direct('cwmp/certificate', '--interface 127.0.0.2', @claim,
              "-H 'X-Forwarded-For: 127.0.0.1'"), 403,
        '... also when it says that it is the balancer';
    $t->expect_log(qr/"cwmp_identity" is "": it informs as another device/);
};


subtest 'TLS ends at the balancer: passwords' => sub {
    is balanced('cwmp', '--basic -u 00D09E-Box-C1:pw'), 200, 'Basic';
    is balanced('cwmp', '--interface 127.0.0.3 --basic -u 00D09E-Box-C1:px'), 401,
        'a wrong password';
    $t->expect_log(qr/password is wrong.*client: 127\.0\.0\.3/);
    is balanced('cwmp'), 401, 'none';
    is direct('cwmp', '--interface 127.0.0.2 --basic -u 00D09E-Box-C1:pw'), 403,
        'past the balancer not even the right one';
};


# The balancer: says whose connection it is, then passes bytes on
sub balancer {
    my ($says) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
    my $pid = fork() // die;
    return ($listen->sockport, $pid) if $pid;

    alarm 20;
    my $from = $listen->accept;
    my $to = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port{tcp}") or die;
    syswrite $to, $says;
    my $both = IO::Select->new($from, $to);
    while (my @ready = $both->can_read) {
        for my $s (@ready) {
            sysread($s, my $bytes, 65536) or POSIX::_exit(0);
            syswrite $s == $from ? $to : $from, $bytes;
        }
    }
}


subtest 'the PROXY protocol' => sub {
    my $through = sub {
        my ($says, @more) = @_;
        my ($at, $pid) = balancer($says);
        my $got = curl('https://acs.example/cwmp', "--connect-to ::127.0.0.1:$at",
                       @more);
        waitpid $pid, 0;
        return $got;
    };
    my $digest = '--digest -u 00D09E-Box-C1:pw';
    my $line = "PROXY TCP4 203.0.113.7 192.0.2.10 40000 7548\r\n";
    is $through->($line, $digest), 200, 'a CPE is let in';
    like slurp($t->prefix . '/logs/access.log'), qr/^203\.0\.113\.7 .* 200 /m,
        'with its own address';
    is $through->($line, '--digest -u 00D09E-Box-C1:px'), 401, 'a wrong password';
    $t->expect_log(qr/password is wrong.*client: 203\.0\.113\.7/);
    is $through->('', $digest), '000', 'without the line there is nothing';
    $t->expect_log(qr/broken header/);
};

done_testing;
