#!/usr/bin/perl

# Client certificates: docs/examples/certificates.conf as it is but for paths
# and ports, over one node and two in turn.  Who is which device, and who is none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Certificates qw(shipped tls);
use CWMP::Daemon qw(free_port);
use CWMP::Raw ':build';
use CWMP::Test;

my $dir = tempdir(CLEANUP => 1);
my $ca = CWMP::Certificates->new(dir => $dir);
my $vendor = CWMP::Certificates->new(dir => $dir, name => 'vendor-ca');
my $other = CWMP::Certificates->new(dir => $dir, name => 'other-ca');
my $n = 0;
my (%port, %fingerprint);

key_file("$dir/secret.key");
$ca->make('acs', alt => 'DNS:acs.example');

sub put {
    my ($name, $text) = @_;
    open my $file, '>', "$dir/$name" or die $!;
    print $file $text;
    close $file;
    return "$dir/$name";
}


# a certificate of this subject: its name
sub certificate {
    my ($subject, %opt) = @_;
    my $name = 'client' . ++$n;
    ($opt{ca} // $vendor)->make($name, subject => $subject, %opt);
    return $name;
}


# the example, with ports of its own for each node; and what the maps say
sub conf {
    my ($node, @changes) = @_;
    my $text = shipped('certificates.conf', @changes,
        [qr{/etc/nginx/(?:tls|cwmp)/}, "$dir/"],
        [qr/listen (\d+) ssl;/,
         sub { 'listen 127.0.0.1:' . ($port{$1}[$node] //= free_port())
               . ' ssl;' }]);
    $port{maps}[$node] //= free_port();
    my $maps = join '|', map { "\$device_by_$_" }
               qw(name serial attribute mac model fingerprint);
    return <<"CONF";
%%LOAD%%
%%USER%%
daemon off;
pid nginx.pid;
worker_processes 1;
error_log logs/error.log info;
events { }
http {
    access_log off;
    %%CWMP_REDIS%%
    cwmp_secret_key $dir/secret.key;
    server { listen 127.0.0.1:%%PORT%%; }
    $text
    server {
        listen 127.0.0.1:$port{maps}[$node] ssl;
        ssl_certificate $dir/acs.pem;
        ssl_certificate_key $dir/acs.key;
        ssl_client_certificate $dir/vendor-ca.pem;
        ssl_verify_client on;
        location = /maps { return 200 "$maps\\n"; }
        location = /vendor { cwmp_acs; cwmp_identity \$device_by_vendor; }
    }
}
CONF
}


# the status that curl gets; body is an Inform of this serial number, or text
sub curl {
    my ($server, $node, $certificate, $body, @more) = @_;
    my $file = put('body', ref $body ? inform(%$body) : $body);
    my $path = $server eq 'maps' ? 'vendor' : 'cwmp';
    my $who = $certificate
        ? "--cert $dir/$certificate.pem --key $dir/$certificate.key" : '';
    return scalar qx{curl -s -o $dir/answer -w '%{http_code}' --cacert $dir/ca.pem --connect-to ::127.0.0.1:$port{$server}[$node] $who -H 'Content-Type: text/xml' @more --data-binary \@$file https://acs.example/$path};
}


sub maps {
    my ($certificate) = @_;
    chomp(my $said = qx{curl -s --cacert $dir/ca.pem --connect-to ::127.0.0.1:$port{maps}[0] --cert $dir/$certificate.pem --key $dir/$certificate.key https://acs.example/maps});
    return $said;
}


# an Inform, and the empty POST to the same node, or to the other one
my $SESSIONS = '200 204 200 204 200 204';

sub session {
    my ($server, $certificate, $serial, @more) = @_;
    my @got;
    for ([0, 0], [0, 1], [1, 0]) {
        my ($node, $next) = @$_;
        unlink "$dir/jar";
        push @got, curl($server, $node, $certificate, { serial => $serial }, @more,
                        "-c $dir/jar"),
            curl($server, $next, $certificate, '', @more, "-b $dir/jar");
    }
    return "@got";
}


sub fingerprint {
    my ($certificate) = @_;
    my ($hex) = `openssl x509 -in $dir/$certificate.pem -noout -fingerprint -sha1`
                =~ /=([0-9A-F:]+)/;
    return lc($hex =~ s/://gr);
}


my $one = certificate('/O=Vendor/CN=00D09E-Box-C1');
my $two = certificate('/O=Vendor/CN=00D09E-Box-C2');
my $gone = certificate('/O=Vendor/CN=00D09E-Box-Gone');
my $old = certificate('/O=Vendor/CN=00D09E-Box-Old', expired => 1);
my $box = certificate('/O=Vendor/CN=Box');
my $cube = certificate('/O=Vendor/CN=Cube');
my $forged = certificate('/O=Vendor/CN=00D09E-Box-C1', ca => $other);
$vendor->revoke($gone)->crl;
put('fingerprints', fingerprint($forged) . " 00D09E-Box-Known;\n");

my $t = CWMP::Test->new(nodes => 2, start => 0);
$t->node($_)->{conf} = conf($_) for 0, 1;
$t->start_all;
my $redis = $t->redis;

sub known { return $redis->cmd('EXISTS', "cwmp:{0}:00D09E-Box-$_[0]") }

my %password;
sub password {
    my ($serial) = @_;
    CWMP::Auth->new(user => "00D09E-Box-$serial", password => 'pw')
        ->store($redis, realm => 'acs.example') unless $password{$serial}++;
    return "--digest -u 00D09E-Box-$serial:pw";
}


# B, by its password, goes on with the session of A
sub another_session {
    my ($server, $certificate) = @_;
    my ($c1, $c3) = map { password($_) } qw(C1 C3);
    is curl($server, 0, $certificate, { serial => 'C1' }, $c1, "-c $dir/jar"), 200,
        'A informs';
    is curl($server, 1, $certificate, '', $c3, "-b $dir/jar"), 403,
        'SES-21 B does not go on with it';
    is curl($server, 1, $certificate, '', $c1, "-b $dir/jar"), 204, 'but A does';
}


subtest 'AUTH-11 a certificate for each device' => sub {
    is session(7551, $one, 'C1'), $SESSIONS,
        'AUTH-11 its device has its session, over one node and over two';
    for my $node (0, 1) {
        is curl(7551, $node, $one, { serial => 'Victim' }), 403,
            "AUTH-11 it is no other, node $node";
        is curl(7551, $node, '', { serial => 'Victim' }), 400,
            'AUTH-11 none is nobody';
        is curl(7551, $node, $forged, { serial => 'C1' }), 400,
            'AUTH-11 nor is one of another CA';
        is curl(7551, $node, $gone, { serial => 'Gone' }), 400,
            'AUTH-11 nor one that was revoked';
        is curl(7551, $node, $old, { serial => 'Old' }), 400,
            'AUTH-11 nor one that has expired';
        is curl(7551, $node, $box, { serial => 'C1' }), 403,
            'AUTH-11 nor one of a model';
    }
    is known('Victim') + known('Gone'), 0, 'nothing of them is stored';
    $t->expect_log(qr/"cwmp_identity" is "00D09E-Box-C1": it informs as another/);
    $t->expect_log(qr/"cwmp_identity" is "": it informs as another/);
    $t->expect_log(qr/certificate revoked/, [0, undef]);
};


subtest 'SES-21 a session of A with the certificate of B' => sub {
    $redis->push_task('00D09E-Box-C1', { id => 'read',
        method => 'GetParameterValues', ParameterNames => ['Device.X'] });
    is curl(7551, 0, $one, { serial => 'C1' }, "-c $dir/jar"), 200, 'A informs';
    is curl(7551, 1, $one, '', "-b $dir/jar"), 200, 'and gets its task';
    my ($id) = CWMP::Daemon::slurp("$dir/answer") =~ m{<\w+:ID[^>]*>([^<]+)};
    my $answer = gpv_response($id, map { ["Device.X$_", 'string', 'stolen' x 50] }
                                   1 .. 1000);
    for my $node (0, 1) {
        is curl(7551, $node, $two, '', "-b $dir/jar"), 403,
            "SES-21 B goes on with it, node $node";
        is curl(7551, $node, $two, $answer, "-b $dir/jar"), 403,
            'SES-21 ... and answers for A';
    }
    is $redis->cmd('HGET', 'cwmp:{0}:00D09E-Box-C1:params', 'Device.X1'), undef,
        'of which nothing is stored';
    is curl(7551, 0, $one, gpv_response($id, ['Device.X', 'string', 'its own']),
            "-b $dir/jar"), 204, 'SES-21 A goes on';
    is $redis->result('00D09E-Box-C1', 'read')->{status}, 'done', '... to the end';
    is curl(7551, 0, $two, { serial => 'C2' }, "-b $dir/jar"), 200,
        'an Inform of B with a cookie of A is B\'s';
    $t->expect_log(qr/session of 00D09E-Box-C1, which "cwmp_identity" does not mean/, 4);
};


subtest 'AUTH-11 a certificate for each model' => sub {
    my $c1 = password('C1');
    is session(7552, $box, 'C1', $c1), $SESSIONS,
        'AUTH-11 with a password';
    for my $node (0, 1) {
        is curl(7552, $node, $box, { serial => 'C1' }), 401,
            "AUTH-11 not without, node $node";
        is curl(7552, $node, $box, { serial => 'C1' },
                $c1 =~ s/pw$/px/r), 401, 'AUTH-11 nor with another';
        is curl(7552, $node, '', { serial => 'C1' }, $c1), 400,
            'AUTH-11 nor with the password alone';
        is curl(7552, $node, $cube, { serial => 'C1' }, $c1), 403,
            'AUTH-11 nor with another model\'s';
        is curl(7552, $node, $box, { serial => 'C2' }, $c1), 403,
            'AUTH-11 nor as another device of the model';
    }
    another_session(7552, $box);
    $t->expect_log(qr/user "00D09E-Box-C1" informs as another device/, 3);
    $t->expect_log(qr/"cwmp_identity" is "00D09E-Cube-\*": it informs/, 2);
};


subtest 'no certificate' => sub {
    my $c3 = password('C3');
    is session(7553, '', 'C3', $c3), $SESSIONS, 'a password';
    is curl(7553, 1, '', { serial => 'C3' }), 401, 'none';
    is curl(7553, 1, $one, { serial => 'C1' }), 401,
        'a certificate that nobody asked for';
    is curl(7553, 0, '', { serial => 'C2' }, password('C1')), 403,
        'the password of A and an Inform of B';
    another_session(7553, '');
};


subtest 'with and without' => sub {
    my $c3 = password('C3');
    is session(7554, $one, 'C1'), $SESSIONS, 'a certificate of its own';
    is session(7554, '', 'C3', $c3), $SESSIONS, 'a password';
    is session(7554, $box, 'C3', $c3), $SESSIONS, '... and a model\'s';
    for my $node (0, 1) {
        is curl(7554, $node, '', { serial => 'C1' }), 401, "neither, node $node";
        is curl(7554, $node, $box, { serial => 'C1' }), 401, 'a model\'s alone';
        is curl(7554, $node, $_, { serial => 'C1' }, $c3), 400, 'another CA\'s, or '
            . 'one that was revoked, even with a password' for $forged, $gone;
        is curl(7554, $node, $one, { serial => 'C3' }, $c3), 403,
            'a certificate of A and the password of B';
    }
    $redis->push_task('00D09E-Box-C1', { id => 'boot', method => 'Reboot' });
    is curl(7554, 0, $one, { serial => 'C1' }, "-c $dir/jar"), 200, 'A informs';
    isnt curl(7554, 1, '', '', $c3, "-b $dir/jar"), 200,
        'B, by its password, does not go on with it';
    is curl(7554, 1, '', '', "-b $dir/jar"), 401, 'nor does nobody';
    is curl(7554, 1, $one, '', "-b $dir/jar"), 200, 'but A does';
};


subtest 'certificates that are known one by one' => sub {
    is session(7555, $forged, 'Known'), $SESSIONS, 'of any CA';
    is curl(7555, 0, $forged, { serial => 'C1' }), 403, 'it is no other device';
    is curl(7555, 0, $one, { serial => 'C1' }), 403, 'a good one that is not known';
    is curl(7555, 0, '', { serial => 'Known' }), 403, 'none';
};


# subject, and what the maps make of it: name, serial, attribute, MAC, model
my @SUBJECT = (
    '/O=Vendor/CN=00D09E-Box-S1' => '00D09E-Box-S1||||',
    '/CN=00D09E-S1' => '00D09E-S1||||',
    '/O=Vendor/CN=00d09e-Set%2dTop-S1' => '00d09e-Set%2dTop-S1||||',
    '/O=Vendor/OU=Box/CN=S1' => '|00D09E-Box-S1|||',
    '/O=Vendor/CN=00D09E-Box/serialNumber=S1' => '||00D09E-Box-S1||',
    '/O=Vendor/serialNumber=S1/CN=00D09E-Box' => '00D09E-Box||00D09E-Box-S1||',
    '/O=Vendor/CN=00D09E-Box+serialNumber=S1' => '||00D09E-Box-S1||',
    '/O=Vendor/CN=00:D0:9E:11:22:33' => '|||00D09E-Box-00D09E112233|',
    '/O=Vendor/CN=Box' => '||||00D09E-Box-*',
    # ... that would be somebody else
    '/O=Vendor/CN=*' => '||||',
    '/O=Vendor/CN=00D09E-*' => '||||',
    '/O=Vendor/CN=00D09E-Box-*' => '||||',
    '/O=Vendor/CN=00D09E-Box-Victim,O=x' => '||||',
    '/CN=x,CN=00D09E-Box-Victim' => '||||',
    '/CN=Own/O=x,CN=00D09E-Box-Victim' => '||||',
    '/CN=00D09E-Box-Own/CN=00D09E-Box-Victim' => '||||',
    '/CN=00D09E-Box-Victim/O=Own' => '||||',
    '/CN=00D09E-Box-Victim/OU=x/O=Vendor' => '||||',
    '/O=Other/CN=Box' => '||||',
    '/O=Vendor/CN=Box,O=Vendor' => '||||',
    '/O=Vendor/CN=' . '00D09E-' . 'x' x 57 => '00D09E-' . 'x' x 57 . '||||',
    '/O=Vendor/CN=00D09E-Böx-S1' => '||||',
    '/O=Vendor/CN=00D09E-Box-S1 ' => '||||',
    '/O=Vendor/serialNumber=S1/CN=00D09E-Box/serialNumber=S2' => '||||',
    '/O=Vendor/CN=00D09E-Box-Victim/CN=Box' => '||||',
    '/O=Vendor' => '||||',
);

subtest 'what maps make of subjects' => sub {
    while (my ($subject, $means) = splice @SUBJECT, 0, 2) {
        is maps(certificate($subject)), "$means|", $subject;
    }
    my $generic = certificate('/O=Vendor/CN=CPE');
    is session('maps', $generic, 'V1'), $SESSIONS, 'a vendor\'s, one OUI';
    is curl('maps', 0, $generic, { oui => '00D09F', serial => 'V2' }), 200,
        'and another';
    is curl('maps', 0, $generic, { oui => '00D09D', serial => 'V2' }), 403,
        'but not any';
    is curl('maps', 0, $one, { serial => 'C1' }), 403,
        'nor for another certificate of the CA';
};


subtest 'what cannot be meant' => sub {
    my $c = CWMP::Test->new(start => 0, redis => 0, cwmp_redis => '127.0.0.1:1');
    $c->expect_log(qr/\[emerg\]/);
    my %wrong = (
        'cwmp_identity $nobody;' => qr/unknown "nobody" variable/,
        'cwmp_identity;' => qr/invalid number of arguments in "cwmp_identity"/,
        'cwmp_identity $remote_user; cwmp_identity x;' => qr/is duplicate/,
        (map { ("cwmp_identity $_;" => qr/in "cwmp_identity": use a variable, or a device's ID/) }
            q{''}, '00D09E', '00D09E*', '*', 'device_by_name', 'x' x 300),
    );
    for my $words (sort keys %wrong) {
        $c->node->{acs} = $words;
        like +($c->check_conf)[1], $wrong{$words}, $words;
    }
    $c->finish;
};


# what was revoked after nginx began; "resumes" is what it gets with a ticket
sub resumes {
    my ($certificate, $how) = @_;
    my $said = tls($port{7551}[0], '-tls1_2', "-cert $dir/$certificate.pem",
                   "-key $dir/$certificate.key", "$how $dir/session");
    return join ' ', ($said =~ /^(New|Reused), /m)[0], $said =~ m{^HTTP/1\.1 (\d+)}m;
}

subtest 'revoked later' => sub {
    my $late = certificate('/O=Vendor/CN=00D09E-Box-Late');
    is curl(7551, 0, $late, { serial => 'Late' }), 200, 'it is good';
    is resumes($late, '-sess_out'), 'New 404', 'it is given a ticket';
    is resumes($late, '-sess_in'), 'Reused 404', 'with which it resumes';
    $vendor->revoke($late)->crl;
    $t->reload(0);
    is resumes($late, '-sess_in'), 'New 400', 'it does not resume any more';
    is curl(7551, 0, $late, { serial => 'Late' }), 400, 'and is not any more';
    is curl(7551, 0, $one, { serial => 'C1' }), 200, 'the others are';
    $vendor->crl(1);
    $t->reload(0);
    sleep 2;
    is curl(7551, 0, $one, { serial => 'C1' }), 400, 'a CRL that is too old: none is';
    $vendor->crl;
    $t->reload(0);

    my $ocsp = free_port();
    $t->node(1)->{conf} = conf(1, [qr/ssl_crl [^;]*;.*/, ''], [qr/# (ssl_ocsp on;)/,
        "ssl_ocsp on; ssl_ocsp_responder http://127.0.0.1:$ocsp/;"]);
    my $responder = $vendor->responder($ocsp);
    $t->reload(1);
    is curl(7551, 1, $one, { serial => 'C1' }), 200, 'OCSP: good';
    is curl(7551, 1, $late, { serial => 'Late' }), 400, 'OCSP: revoked';
    $responder->end_with(2, 'TERM');
    is curl(7551, 1, $two, { serial => 'C2' }), 400, 'OCSP: the CA is away';
};


# why the example has no keys of tickets, and what to do where there are some
subtest 'revoked, with keys of tickets' => sub {
    my $late = certificate('/O=Vendor/CN=00D09E-Box-Later');
    my $keys = sub { system("openssl rand 80 > $dir/ticket") };
    $keys->();
    $t->node(0)->{conf} = conf(0, [qr/(ssl_verify_depth 2;)/,
                                   "ssl_session_ticket_key $dir/ticket;"]);
    $t->reload(0);
    is resumes($late, '-sess_out'), 'New 404', 'it is given a ticket';
    $vendor->revoke($late)->crl;
    $t->reload(0);
    is curl(7551, 0, $late, { serial => 'Later' }), 400, 'it is revoked';
    is resumes($late, '-sess_in'), 'Reused 404', 'and resumes all the same';
    $keys->();
    $t->reload(0);
    is resumes($late, '-sess_in'), 'New 400', '... until the keys are others';
};

$t->expect_log(qr/the user name or the password is wrong/);
done_testing;
