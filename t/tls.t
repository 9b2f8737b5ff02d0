#!/usr/bin/perl

# TLS as shipped: the configurations and tools of docs/examples as they are but
# for paths and ports, and what openssl's client is offered, refused and given.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file nonce);
use CWMP::Certificates qw(tls shipped openssl);
use CWMP::Daemon qw(free_port project_root slurp);
use CWMP::Raw ':build';
use CWMP::Test;

my $EXAMPLES = project_root() . '/docs/examples';
my $dir = tempdir(CLEANUP => 1);
my $ocsp = free_port();
my $ca = CWMP::Certificates->new(dir => $dir);
my $old = CWMP::Certificates->new(dir => $dir, name => 'old', hash => 'sha1');

my $key = key_file("$dir/secret.key");
$ca->make('acs-ecdsa', alt => 'DNS:acs.example',
          ocsp => "http://127.0.0.1:$ocsp/");
$ca->make('acs-rsa', alt => 'DNS:acs.example', rsa => 1);
$old->make('acs-legacy', alt => 'DNS:acs.example', rsa => 1);


# --- what a node runs with ----------------------------------------------------

# the clock of the tools, in days
sub day {
    my ($day) = @_;
    make_path("$dir/bin");
    open my $date, '>', "$dir/bin/date" or die $!;
    print $date "#!/bin/sh\necho ", 86400 * $day + 4000, "\n";
    close $date;
    chmod 0755, "$dir/bin/date";
}


sub tool {
    my ($command) = @_;
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    my $said = `'$EXAMPLES/'$command 2>&1`;
    return ($? >> 8) . " $said";
}


my $staple = "cwmp-staple $dir/ocsp.der $dir/ca.pem"
             . " $dir/acs-ecdsa.pem $dir/acs-rsa.pem";

subtest 'the tools' => sub {
    my $responder = $ca->responder($ocsp);
    is tool($staple), '0 ', 'cwmp-staple';

    day(100);
    is tool("cwmp-tickets --new $dir/tickets0"), '0 ', 'cwmp-tickets --new';
    make_path("$dir/tickets1");
    system("cp $dir/tickets0/seed $dir/tickets1");
    is tool("cwmp-tickets $dir/tickets0"), '1 ', 'the same day: the same keys';
    day(103);
    is tool("cwmp-tickets $dir/tickets$_"), '0 ', "node $_ has others 3 days later"
        for 0, 1;
    is same_keys(), 'same', 'both have the same ones';
    my @keys = map { slurp("$dir/tickets0/$_") } qw(before now next);
    is_deeply [map { length } @keys], [80, 80, 80], 'of 80 bytes';
    isnt $keys[0], $keys[1], '... each its own';
    is sprintf('%o', (stat "$dir/tickets0/$_")[2] & 0777), '600', "$_ is not for all"
        for qw(seed now);

    day(104);
    tool("cwmp-tickets $dir/tickets$_") for 0, 1;
    is slurp("$dir/tickets0/before"), $keys[1], 'a day later "now" is "before"';
    is slurp("$dir/tickets0/now"), $keys[2], '... and "next" is "now"';
    isnt slurp("$dir/tickets0/next"), $keys[0], '... and none comes again';

    unlink "$dir/tickets0/next";
    is tool("cwmp-tickets $dir/tickets0"), '0 ', 'one that was interrupted';
    is same_keys(), 'same', '... is made whole';
    day(103);
    is tool("cwmp-tickets $dir/tickets0"), '1 ', 'a clock that goes back';
    like tool("cwmp-tickets --new $dir/tickets0"), qr/^2 .*is there/,
        'a seed is not overwritten';
    like tool("cwmp-tickets $dir"), qr/^2 cwmp-tickets: no \S+seed: make it with --new/, 'no seed';
    make_path("$dir/cut");
    system("cut -c 1-20 $dir/tickets0/seed > $dir/cut/seed");
    like tool("cwmp-tickets $dir/cut"), qr/^2 .*seed is none/, 'a seed that was cut';
    ok !-e "$dir/cut/now", '... no keys that could be guessed';
    day(104);

    unlink "$dir/tickets0/seed";
    is tool("cwmp-tickets --new $dir/tickets0"), '0 ', 'a new seed';
    system("cp $dir/tickets0/seed $dir/tickets1");
    is tool("cwmp-tickets $dir/tickets1"), '0 ', '... copied: other keys at once';
    is same_keys(), 'same', '... on both';
    isnt slurp("$dir/tickets0/before"), $keys[1], '... that are none of the old ones';

    $ca->revoke('acs-rsa');
    $responder->end_with(2, 'TERM');
    $responder = $ca->responder($ocsp);
    my $before = slurp("$dir/ocsp.der");
    like tool($staple), qr/^1 .*acs-rsa\.pem: revoked/s, 'one that is revoked';
    is slurp("$dir/ocsp.der"), $before, '... changes nothing';
    $responder->end_with(2, 'TERM');
    local $ENV{OCSP_TIMEOUT} = 1;
    like tool($staple . ' none.pem'), qr/^1 cwmp-staple: none\.pem cannot be read, or is no certificate$/,
        'nor does a file that is not there';
    like tool($staple), qr/^1 cwmp-staple: http/, 'nor does a CA that is away';
    ok !-e "$dir/ocsp.der.part", 'nothing is left';
    delete $ca->{revoked};
};


sub same_keys {
    return join(',', map { slurp("$dir/tickets0/$_") eq slurp("$dir/tickets1/$_")
                           ? () : $_ } qw(before now next)) || 'same';
}


sub shipped_as {
    my ($file, $port, $node) = @_;
    return shipped($file, [qr/^load_module .*;/m, "%%LOAD%%\n%%USER%%\n"
                           . 'daemon off; pid nginx.pid;'],
        [qr/worker_processes auto/, 'worker_processes 1'],
        [qr{/var/log/nginx/}, 'logs/'], [qr/cwmp_redis .*;/, '%%CWMP_REDIS%%'],
        [qr/listen $port /, 'listen 127.0.0.1:%%PORT%% '],
        [qr{/etc/nginx/(?:tls|cwmp)/}, "$dir/"],
        [qr{/etc/nginx/tickets/}, "$dir/tickets$node/"]);
}


my $t = CWMP::Test->new(nodes => 2, start => 0);
$t->node($_)->{conf} = shipped_as('tls-modern.conf', 7548, $_) for 0, 1;
$t->start_all;
my @port = map { $t->port($_) } 0, 1;

my $l = CWMP::Test->new(start => 0);
$l->node->{conf} = shipped_as('tls-legacy.conf', 7549, 0);
$l->start_all;
my $legacy = $l->port;

# A client as old as can be, for its security level is no matter here
my $ANY = "-cipher 'ALL:\@SECLEVEL=0'";


# --- versions -------------------------------------------------------------------

sub version {
    my ($port, @args) = @_;
    my $said = tls($port, @args);
    my ($version, $cipher) =
        $said =~ /^(?:New|Reused), (\S+), Cipher is (\S+)/m;
    return ($version // '') =~ /^TLS/ && $said =~ /^\S+ 200 OK|^HTTP.* 200/m
           ? ($said =~ /Protocol *: (\S+)/)[0] // $version : 'none';
}

my @version = (['-tls1_2', 'TLSv1.2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3', 'TLSv1.3'],
               ['-tls1_1', 'none', 'TLSv1.1'], ['-tls1', 'none', 'TLSv1']);

subtest 'AUTH-12 versions' => sub {
    for (@version) {
        my ($how, $modern, $old) = @$_;
        for my $node (0, 1) {
            is version($port[$node], $how, $ANY), $modern,
                "AUTH-12 $how: tls-modern.conf, node $node";
        }
        is version($legacy, $how, $ANY), $old, "AUTH-12 $how: tls-legacy.conf";
    }
};


subtest 'AUTH-12 ciphers' => sub {
    my $cipher = sub { (tls(@_) =~ /Cipher is (\S+)/)[0] };
    is $cipher->($legacy, '-tls1_2', "-cipher 'AES128-SHA:\@SECLEVEL=0'"),
        'AES128-SHA', 'AUTH-12 legacy: RSA key exchange';
    is $cipher->($legacy, '-tls1', "-cipher 'AES128-SHA:\@SECLEVEL=0'"),
        'AES128-SHA', 'AUTH-12 ... with TLS 1.0';
    is $cipher->($port[0], '-tls1_2', "-cipher AES128-SHA"), '(NONE)',
        'modern: none of it';
    is $cipher->($port[0], '-tls1_2',
                 '-cipher ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256'),
        'ECDHE-ECDSA-AES128-GCM-SHA256', 'a client with both: ECDSA';
    is $cipher->($port[0], '-tls1_2', '-cipher ECDHE-ECDSA-CHACHA20-POLY1305:'
                 . 'ECDHE-ECDSA-AES128-GCM-SHA256'),
        'ECDHE-ECDSA-CHACHA20-POLY1305', 'a client that prefers ChaCha20';
};


subtest 'certificates' => sub {
    my %key = ('-tls1_2 -cipher aECDSA' => 'ECDSA', '-tls1_2 -cipher aRSA' => 'RSA',
               '-tls1_3 -sigalgs ECDSA+SHA256' => 'ECDSA',
               '-tls1_3 -sigalgs RSA-PSS+SHA256:RSA+SHA256' => 'RSA',
               '-tls1_3' => 'ECDSA', '-tls1_2' => 'ECDSA');
    for my $client (sort keys %key) {
        my $said = tls($port[0], $client, "-CAfile $dir/ca.pem",
                       '-verify_hostname acs.example -servername acs.example');
        my ($name) = $said =~ /^subject=.*acs-(\w+)/m;
        is uc($name // ''), $key{$client}, "$client gets $key{$client}";
        like $said, qr/Verify return code: 0 \(ok\)/, '... and trusts it';
    }
    my $said = tls($legacy, '-tls1_2', "-cipher 'ALL:\@SECLEVEL=0'",
                   "-CAfile $dir/old.pem");
    like $said, qr/^subject=.*acs-legacy/m, 'legacy: a chain with SHA-1';
    like $said, qr/Verify return code: 0 \(ok\)/, '... and old clients trust it';
};


# --- tickets ----------------------------------------------------------------------

sub resumes {
    my ($port, @args) = @_;
    return (tls($port, @args, "-sess_in $dir/session") =~ /^(New|Reused), /m)[0];
}


sub rotate {
    my ($day) = @_;
    day($day);
    for my $node (0, 1) {
        is tool("cwmp-tickets $dir/tickets$node"), '0 ', "day $day, node $node";
        $t->reload($node);
    }
}


subtest 'tickets' => sub {
    my $day = 104;
    for my $version ('-tls1_2', '-tls1_3') {
        my $new = sub { tls($port[0], $version, "-sess_out $dir/session") };
        like $new->(), qr/^New, /m, "$version: a first connection to node 0";
        is resumes($port[0], $version), 'Reused', 'a second one resumes';
        is resumes($port[1], $version), 'Reused', 'at node 1, too';
        rotate(++$day);
        is resumes($port[$_], $version), 'Reused', "after a rotation, node $_" for 0, 1;
        rotate(++$day);
        is resumes($port[$_], $version), 'New', "after all keys were changed, node $_" for 0, 1;

        # crons are not at the same minute
        day(++$day);
        is tool("cwmp-tickets $dir/tickets0"), '0 ', 'node 0 has rotated';
        $t->reload(0);
        $new->();
        is resumes($port[1], $version), 'Reused', 'node 1, which has not, takes its ticket';
        tool("cwmp-tickets $dir/tickets1");
        $t->reload(1);
    }
};


subtest 'without tickets' => sub {
    tls($port[0], "-tls1_2 -no_ticket -sess_out $dir/session");
    is resumes($port[0], '-tls1_2 -no_ticket'), 'Reused', 'at the same node';
    is resumes($port[1], '-tls1_2 -no_ticket'), 'New', 'not at another one';
    tls($legacy, "-tls1 $ANY -no_ticket -sess_out $dir/session");
    is resumes($legacy, "-tls1 $ANY -no_ticket"), 'Reused', 'legacy';
    tls($legacy, "-tls1 $ANY -sess_out $dir/session");
    is resumes($legacy, "-tls1 $ANY"), 'Reused', 'legacy, with tickets';
};


# --- OCSP ------------------------------------------------------------------------

subtest 'OCSP' => sub {
    for my $client ('-tls1_2 -cipher aECDSA', '-tls1_2 -cipher aRSA', '-tls1_3') {
        my $said = tls($port[1], $client, "-status -CAfile $dir/ca.pem");
        like $said, qr/OCSP Response Status: successful/, "$client is given a word";
        my ($name) = $said =~ /^subject=.*acs-(\w+)/m;
        my ($serial) = `openssl x509 -in $dir/acs-$name.pem -noout -serial`
                       =~ /=(\w+)/;
        like $said, qr/Serial Number: $serial\s+Cert Status: good/,
            '... of the certificate it got';
    }
};


# --- a CPE -------------------------------------------------------------------------

# Basic is for TLS only: a listener without it is refused, t/credentials.t
subtest 'AUTH-07 Basic' => sub {
    my $b = CWMP::Test->new(start => 0);
    $b->node->{conf} = shipped_as('tls-modern.conf', 7548, 0)
                       =~ s/cwmp_auth digest/cwmp_auth basic/r;
    $b->start_all;
    my $auth = CWMP::Auth->new(user => '00D09E-Box-S1', password => 'pw');
    $auth->store($b->redis, realm => 'acs.example', basic => $auth->keyed($key));
    open my $file, '>', "$dir/inform" or die $!;
    print $file inform(serial => 'S1');
    close $file;
    my $curl = sub { scalar qx{curl -s -o /dev/null -w '%{http_code}' --cacert $dir/ca.pem --connect-to ::127.0.0.1:${\ $b->port} -H 'Content-Type: text/xml' --data-binary \@$dir/inform @_ https://acs.example/cwmp} };
    is $curl->('--basic -u 00D09E-Box-S1:pw', $_), 200, "AUTH-07 with TLS, $_"
        for '--tls-max 1.2', '--tlsv1.3';
    is $curl->('--basic -u 00D09E-Box-S1:px'), 401, 'AUTH-07 a wrong password';
    is $curl->(), 401, 'AUTH-07 none';
    $b->expect_log(qr/the user name or the password is wrong/, 1);
};


subtest 'a session' => sub {
    for my $on ([$t, '0 modern'], [$t, '1 modern'], [$l, '0 legacy']) {
        my ($its, $what) = @$on;
        my ($node) = $what =~ /(\d)/;
        my $auth = CWMP::Auth->new(user => '00D09E-Box-S1', password => 'pw');
        $auth->store($its->redis, realm => 'acs.example');
        open my $file, '>', "$dir/inform" or die $!;
        print $file inform(serial => 'S1');
        close $file;
        my $curl = sub { scalar qx{curl -s -o /dev/null -w '%{http_code}' --cacert $dir/@{[$node || $its == $t ? 'ca' : 'old']}.pem --ciphers 'DEFAULT:\@SECLEVEL=0' --connect-to ::127.0.0.1:${\ $its->port($node)} -H 'Content-Type: text/xml' @_ https://acs.example/cwmp} };
        my $how = "--digest -u 00D09E-Box-S1:pw -c $dir/jar";
        is $curl->("$how --data-binary \@$dir/inform"), 200, "$what: its Inform";
        is $curl->("$how -b $dir/jar --data-binary ''"), 204, '... and its end';
        is $curl->("--data-binary \@$dir/inform"), 401, '... but not without a password';
        for ([250 - 9 * $node, 200], [310, 401]) {
            my ($ago, $status) = @$_;
            my ($name, $value) = @{ $auth->header(realm => 'acs.example', count => 1,
                nonce => nonce($key, 'acs.example', time() - $ago)) };
            is $curl->("-H '$name: $value' --data-binary \@$dir/inform"), $status,
                "AUTH-06 $what: a nonce of $ago seconds ago";
        }
    }
};

done_testing;
