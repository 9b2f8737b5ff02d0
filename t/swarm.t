#!/usr/bin/perl

# The load test t/bench/swarm, as an ISP uses it: against this ACS, and against
# small ones that do what it must notice or put up with.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 'md5_hex';
use Digest::SHA 'sha256_hex';
use File::Temp 'tempdir';
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use CWMP::Test qw(free_port patience slurp wait_for);

my $swarm = $ENV{TEST_SWARM} || "$FindBin::Bin/../build/bench/swarm";
plan skip_all => "no $swarm: make swarm" unless -x $swarm;

my $ENV = '<?xml version="1.0" encoding="UTF-8"?><s:Envelope '
    . 'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    . 'xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" '
    . 'xmlns:x="http://www.w3.org/2001/XMLSchema" '
    . 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
    . 'xmlns:c="urn:dslforum-org:cwmp-1-2">';

my $dir = tempdir(CLEANUP => 1);
my $tls = free_port();
my @servers;

certificate('cert', 'localhost');
certificate('other', 'other');
open my $passwords, '>', "$dir/passwords" or die "$dir/passwords: $!\n";
print $passwords "S1:{PLAIN}pw-1\nS2:{PLAIN}pw-2\n";
close $passwords;
chmod 0755, $dir;
chmod 0644, "$dir/passwords";

my $t = CWMP::Test->new(
    http => 'limit_req_zone $server_port zone=few:1m rate=400r/s;',
    server => <<"CONF");
    listen 127.0.0.1:$tls ssl;
    ssl_certificate $dir/cert.pem;
    ssl_certificate_key $dir/cert.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    location /busy { limit_req zone=few burst=5 nodelay; cwmp_acs; }
    location /moved { return 307 \$scheme://\$http_host/cwmp; }
    location /lost { return 302 \$scheme://\$http_host/lost; }
    location /secret {
        auth_basic here; auth_basic_user_file $dir/passwords; cwmp_acs;
    }
CONF

my $url = $t->url;


# --- bare sessions ---------------------------------------------------------

subtest 'bare sessions' => sub {
    my $r = swarm($url, qw(--sessions 300 --cpes 50 --verify));
    is $r->{exit}, 0, 'all went well';
    is_deeply $r->{notes}, {}, 'nothing to remark';
    is $r->{sessions}, 300, '300 sessions';
    is $r->{posts}, 600, 'of two POSTs';
    is $r->{connections}, 300, 'a connection each';
    is $r->{latency_us}{Inform}{count}, 300, 'latency of Informs';
    ok $r->{latency_us}{empty}{p50} > 0, '... and of empty POSTs';
    my @ids = ids(qw(--cpes 50));
    is scalar(grep { $t->redis->device($_)->{url} } @ids), 50, '50 devices are known';
};


subtest 'connections' => sub {
    my @do = qw(--sessions 60 --cpes 20 --closed 4 --verify);
    my $r = swarm($url, @do, qw(--connection keep));
    is $r->{exit}, 0, 'kept' or note explain $r;
    is $r->{connections}, 4, 'one for each of four at a time';
    $r = swarm($url, @do, qw(--connection post));
    is $r->{exit}, 0, 'a connection a POST' or note explain $r;
    is $r->{connections}, 120, 'as many as POSTs';
};


subtest 'TLS' => sub {
    my $https = "https://localhost:$tls/cwmp";
    my @do = (qw(--sessions 20 --closed 1 --verify --tls-ca),
              "$dir/cert.pem");
    my $r = swarm($https, @do);
    is $r->{exit}, 0, 'full handshakes' or note explain $r;
    is "$r->{tls_full} $r->{tls_resumed}", '20 0', 'none is resumed';

    for my $version (qw(1.2 1.3)) {
        $r = swarm($https, @do, '--tls-resume', '--tls-max', $version);
        is "$r->{exit} $r->{tls_full} $r->{tls_resumed}", '0 1 19',
            "with TLS $version all but the first are resumed";
    }

    $r = swarm($https, @do, qw(--tls-resume --connection post));
    is "$r->{exit} $r->{tls_full} $r->{tls_resumed}", '0 1 39',
        'also where the ACS ends each connection';

    $r = swarm("https://127.0.0.2:$tls/cwmp", qw(--sessions 1));
    is $r->{failed}{connect}, 1, 'no such server';
    $r = swarm("https://127.0.0.1:" . $t->port . '/cwmp', qw(--sessions 1));
    is $r->{failed}{tls}, 1, 'a server that knows no TLS';
    $r = swarm($https, qw(--sessions 1 --tls-ca), "$dir/other.pem");
    is $r->{failed}{tls}, 1, 'a certificate of nobody we trust';
};


subtest 'redirects' => sub {
    my $r = swarm($t->url(0, '/moved'), qw(--sessions 5 --verify));
    is "$r->{exit} $r->{redirects} $r->{sessions}", '0 5 5',
        'the session goes on where it was sent to';
    $r = swarm($t->url(0, '/lost'), qw(--sessions 1));
    is "$r->{exit} $r->{redirects} $r->{failed}{status}", '1 5 1',
        'five times in a row, not more';
};


# --- every RPC -------------------------------------------------------------

my $MODEL_RPCS = [
    { method => 'GetRPCMethods', id => 'methods' },
    { method => 'GetParameterValues', id => 'all',
      ParameterNames => ['Device.'] },
    { method => 'SetParameterValues', id => 'set', ParameterList => {
        'Device.Time.NTPServer1' => 'a & <b>',
        'Device.WiFi.Radio.1.Channel' => 6 } },
    { method => 'GetParameterValues', id => 'get', ParameterNames =>
        ['Device.Time.NTPServer1', 'Device.WiFi.Radio.1.Channel'] },
    { method => 'SetParameterValues', id => 'bad', ParameterList => {
        'Device.Time.Nothing' => { value => 1, type => 'xsd:int' },
        'Device.DeviceInfo.UpTime' => { value => 1,
                                        type => 'xsd:unsignedInt' },
        'Device.Time.Enable' => { value => 'yes', type => 'xsd:string' },
        'Device.Time.NTPServer1' => { value => 'c', type => 'xsd:string' } } },
    { method => 'GetParameterNames', id => 'names',
      ParameterPath => 'Device.WiFi.', NextLevel => JSON::PP::true },
    { method => 'SetParameterAttributes', id => 'notify', ParameterList => [
        { Name => 'Device.DeviceInfo.ProvisioningCode', Notification => 2 }] },
    { method => 'GetParameterAttributes', id => 'attributes',
      ParameterNames => ['Device.DeviceInfo.ProvisioningCode'] },
    { method => 'AddObject', id => 'add',
      ObjectName => 'Device.NAT.PortMapping.' },
    { method => 'GetParameterValues', id => 'added',
      ParameterNames => ['Device.NAT.PortMapping.2.'] },
    { method => 'DeleteObject', id => 'delete',
      ObjectName => 'Device.NAT.PortMapping.1.' },
    { method => 'GetParameterValues', id => 'left',
      ParameterNames => ['Device.NAT.'] },
    { method => 'GetOptions', id => 'options' },
    { method => 'SetVouchers', id => 'vouchers',
      VoucherList => ['PHNpZ25lZC8+'] },
    { method => 'GetQueuedTransfers', id => 'queued' },
];

my $LATER_RPCS = [
    { method => 'Download', id => 'fw', URL => 'http://fs.example/a.bin',
      FileType => '1 Firmware Upgrade Image' },
    { method => 'GetAllQueuedTransfers', id => 'all-queued' },
    { method => 'Upload', id => 'up', URL => 'http://fs.example/b',
      FileType => '3 Vendor Configuration File 1' },
    { method => 'ScheduleDownload', id => 'night',
      URL => 'http://fs.example/c', FileType => '2 Web Content',
      TimeWindowList => [{ WindowStart => 1, WindowEnd => 3600,
                           WindowMode => '1 At Any Time' }] },
    { method => 'ScheduleInform', id => 'later', DelaySeconds => 1 },
    { method => 'ChangeDUState', id => 'units', Operations => [
        { Operation => 'Install', URL => 'http://fs.example/d' }] },
    { method => 'CancelTransfer', CommandKey => 'none', id => 'cancel' },
    { method => 'Reboot', id => 'boot' },
];


subtest 'every RPC, and what is told of it later' => sub {
    my @opt = qw(--cpes 3 --first 701 --delay 0.3 --verify --class RPC-s);
    my @id = ids(@opt);
    is $id[0], '00D09E-RPC%2Ds-00000701', 'the ID is escaped';

    swarm($url, @opt, qw(--sessions 3), '--first-events',
          '0 BOOTSTRAP,1 BOOT');
    $t->redis->push_task($id[0], @$MODEL_RPCS);
    $t->redis->push_task($id[1], @$LATER_RPCS);
    $t->redis->push_task($id[2], { method => 'FactoryReset', id => 'reset' });

    my $r = swarm($url, @opt, qw(--sessions 3));
    is $r->{exit}, 0, 'no session failed' or note explain $r;
    is_deeply [grep { /verify|protocol/ } keys %{ $r->{notes} }], [],
        'and there is nothing to object to';
    my @kinds = grep { $_ eq 'TransferComplete' || /Response$/ }
                keys %{ $r->{latency_us} };
    cmp_ok scalar(@kinds), '>=', 21, 'each kind of message has its latency';

    my %done = map { ($_->{id} => $_) } map { $t->redis->results($_) } @id;
    for my $task (@$MODEL_RPCS, @$LATER_RPCS, { id => 'reset' }) {
        is $done{ $task->{id} }{status}, $task->{id} eq 'bad' ? 'fault'
                                                               : 'done',
            "$task->{id} has its result" or note explain $done{ $task->{id} };
    }
    check_values(\%done);
};


sub check_values {
    my ($done) = @_;
    my $value = sub {
        return { map { ($_->{Name} => $_->{Value}) }
                 @{ $done->{ $_[0] }{response}{ParameterList} || [] } };
    };

    is scalar(@{ $done->{methods}{response}{MethodList} }), 20, '20 methods';
    is scalar(keys %{ $value->('all') }), 100, '100 parameters';
    is_deeply $value->('get'), { 'Device.Time.NTPServer1' => 'a & <b>',
        'Device.WiFi.Radio.1.Channel' => '6' }, 'what was set is read';
    is scalar(keys %{ $value->('added') }), 6, 'a new object has parameters';
    my $left = $value->('left');
    is $left->{'Device.NAT.PortMappingNumberOfEntries'}, 1, 'they are counted';
    ok !exists $left->{'Device.NAT.PortMapping.1.Enable'}, 'one is gone';
    my $row = $done->{attributes}{response}{ParameterList}[0];
    is $row->{Notification}, 2, 'attributes are kept';

    my %fault = map { ($_->{ParameterName} => $_->{FaultCode}) }
        @{ ($done->{bad}{fault} || {})->{SetParameterValuesFault} || [] };
    is_deeply \%fault, { 'Device.Time.Nothing' => 9005,
        'Device.DeviceInfo.UpTime' => 9008, 'Device.Time.Enable' => 9006 },
        'each parameter has its fault' or note explain $done->{bad};
}


subtest 'TR-098' => sub {
    my @opt = qw(--cpes 1 --class IGD --model tr098 --parameters 300
                 --inform 80 --verify);
    my ($id) = ids(@opt);
    my $ip = 'InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.'
             . 'WANIPConnection.1.';
    swarm($url, @opt, qw(--sessions 1));
    is scalar(keys %{ $t->redis->params($id) }), 80, '80 in an Inform';
    $t->redis->push_task($id,
        { method => 'GetParameterNames', id => 'names',
          ParameterPath => 'InternetGatewayDevice.',
          NextLevel => JSON::PP::false },
        { method => 'AddObject', id => 'add',
          ObjectName => $ip . 'PortMapping.' },
        { method => 'GetParameterValues', id => 'get',
          ParameterNames => [$ip] });
    my $r = swarm($url, @opt, qw(--sessions 1));
    is $r->{exit}, 0, 'its tasks are done';
    my @names = @{ $t->redis->result($id, 'names')
                   ->{response}{ParameterList} };
    is scalar(grep { $_->{Name} !~ /\.$/ } @names), 300, '300 parameters';
    my %value = map { ($_->{Name} => $_->{Value}) }
        @{ $t->redis->result($id, 'get')->{response}{ParameterList} };
    is $value{ $ip . 'PortMappingNumberOfEntries' }, 2, 'two rows';
    is $value{ $ip . 'PortMapping.2.ExternalPort' }, 0, 'the new one';
};


subtest 'versions' => sub {
    my $r = swarm($url, qw(--sessions 2 --verify --versions), '1.0,1.4');
    is $r->{exit}, 0, 'the newest' or note explain $r;
    $r = swarm($url, qw(--sessions 2 --verify --versions 1.0));
    is $r->{exit}, 0, 'an older one' or note explain $r;
    $r = swarm($url, qw(--sessions 2 --verify --session-timeout 60 --ns),
               'urn:dslforum-org:cwmp-1-0');
    is $r->{exit}, 0, 'a namespace' or note explain $r;
    $r = swarm($url, qw(--sessions 1 --versions 9.9));
    is $r->{failed}{fault}, 1, 'fault 8006 is a failure';
};


subtest 'a real device' => sub {
    my $file = "$FindBin::Bin/devices/gateway.csv";
    my @opt = ('--model-file', $file, qw(--cpes 1 --first 900));
    my ($id) = ids(@opt);
    swarm($url, @opt, qw(--sessions 1));
    $t->redis->push_task($id, { method => 'GetParameterValues', id => 'all',
                                ParameterNames => ['Device.'] });
    my $r = swarm($url, @opt, qw(--sessions 1 --verify));
    is $r->{exit}, 0, 'it is read';
    my %value = map { ($_->{Name} => $_->{Value}) }
        @{ $t->redis->result($id, 'all')->{response}{ParameterList} };
    is $value{'Device.Hosts.Host.4294967295.HostName'}, 'last', 'all of it';
    is $value{'Device.Values.Name'}, 'a "b"', 'quotes are quotes';
    like $value{'Device.DeviceInfo.X_ACME_Log'}, qr/& power\n<4>/,
        'and lines are lines';
};


# --- when ------------------------------------------------------------------

subtest 'by the clock' => sub {
    my $r = swarm($url, qw(--rate 100 --sessions 100));
    is $r->{sessions}, 100, '100 sessions';
    cmp_ok $r->{seconds}, '>=', 0.99, '... take a second';
    cmp_ok $r->{seconds}, '<', patience(2), '... and no longer';
    $r = swarm($url, qw(--poisson 200 --sessions 60 --verify));
    is $r->{sessions}, 60, 'at random';
};


subtest 'storm' => sub {
    my $r = swarm($t->url(0, '/busy'), qw(--storm 0.1 --cpes 80 --retry-min
        0.05 --duration 10 --verify));
    is $r->{storm}{served}, 80, 'all are served in the end'
        or note explain $r;
    ok $r->{storm}{refusals} > 0, '... after refusals';
    is $r->{failed}{status}, $r->{statuses}{503}, '... of 503';
    ok $r->{storm}{s50} <= $r->{storm}{s99}
        && $r->{storm}{s99} <= $r->{storm}{s100}, 'it is said when';
    cmp_ok $r->{retries}, '==', $r->{storm}{refusals}, 'each is tried again';

    my $port = free_port();
    $r = swarm("http://127.0.0.1:$port/", qw(--storm 0.1 --cpes 3 --retry-min
        0.1 --duration 0.5));
    ok $r->{failed}{connect} > 3, 'a refused connection counts, too';
    is $r->{exit}, 1, 'and nobody was served';
};


subtest 'no more at a time than files may be open' => sub {
    my $acs = acs(sub { sleep(0.01); return answer(@_) });      # one at a time
    my @storm = qw(--quiet --json - --storm 0 --cpes 40 --verify);
    my ($status, $said) = run('bash', '-c', "ulimit -n 74; exec $swarm "
                              . "@storm $acs");
    my $r = eval { JSON::PP::decode_json($said) } or diag $said;
    is "$status $r->{storm}{served} $r->{failed}{total}", '0 40 0',
        'all come, and none is refused' or note explain $r;
    is $r->{full}, 1, '... but later';
    cmp_ok $r->{held}, '>', 5, '... which is counted';
    cmp_ok $r->{behind_seconds}, '>', 0.2, '... and how late';
    (undef, $said) = run('bash', '-c', "ulimit -n 74; exec $swarm --quiet "
                         . "--storm 0 --cpes 40 $acs");
    like $said, qr/^held back +\d+ sessions .*: 10 connections are as many/m,
        '... and said';
    my $own = swarm($acs, qw(--sessions 1 --cpes 1 --source 192.0.2.1));
    is "$own->{failed}{own} $own->{failed}{connect}", '1 0',
        'an address that is not here is not the ACS\'s';
};


subtest 'idle connections' => sub {
    my $r = swarm($url, qw(--idle 40 --duration 1));
    is $r->{sessions}, 40, 'a session each';
    is $r->{connections_open}, 40, 'and they stay';
    my ($status, $said) = run('bash', '-c', "ulimit -n 100; exec $swarm "
                              . "--idle 90 $url");
    is $status, 2, 'more than may be open';
    like $said, qr/154 open files are needed/, '... is said beforehand';
};


subtest 'connection requests' => sub {
    my $port = free_port();
    my $where = "http://127.0.0.1:$port/cr";
    # one of loopback is not kept as a device's
    my $told = "http://192.0.2.7:$port/cr";
    my @opt = (qw(--cpes 2 --first 3001 --listen), "127.0.0.1:$port",
               '--listen-url', $told, qw(--listen-user cr-{n} --listen-password pw-{n}));
    my ($id) = ids(@opt);
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$dir/cr.json" or die $!;
        open STDERR, '>', "$dir/cr.err" or die $!;
        exec $swarm, @opt, qw(--rate 1 --sessions 2 --json - --duration 20
                              --verify), $url;
    }
    wait_for(sub { $t->redis->device($id)->{url} }, patience(5));
    is $t->redis->device($id)->{url}, "$told/3001", 'the URL is told';
    my @curl = qw(curl -s -o /dev/null -w %{http_code});
    is `@curl $where/3001`, '401', 'credentials are needed';
    is `@curl --digest -u cr-3001:no $where/3001`, '401', 'the right ones';
    is `@curl --digest -u cr-3001:pw-3001 $where/9`, '404', 'of nobody';
    my $called = "@curl --digest -u cr-3001:pw-3001 $where/3001";
    ok wait_for(sub { `$called` eq '200' }, 2), 'then, after its session, 200';
    waitpid $pid, 0;
    is $?, 0, 'all sessions went well';
    my $r = JSON::PP::decode_json(slurp("$dir/cr.json"));
    is "$r->{sessions} $r->{connection_requests}", '3 1', 'one more for it';
    ok scalar(grep { join(' ', values %{ $_->{raw} }) =~ /6 CONNECTION/ }
              $t->redis->events), 'with its event';
};


# --- credentials -----------------------------------------------------------

subtest 'basic' => sub {
    my @opt = (qw(--sessions 4 --cpes 2 --user S{n} --password pw-{n}));
    my $r = swarm($t->url(0, '/secret'), @opt, '--verify');
    is "$r->{exit} $r->{challenges}", '0 4', 'on a challenge, once a session'
        or note explain $r;
    $r = swarm($t->url(0, '/secret'), @opt, '--basic');
    is "$r->{exit} $r->{challenges}", '0 0', 'or unasked' or note explain $r;
    $r = swarm($t->url(0, '/secret'), @opt, qw(--password no));
    is $r->{statuses}{401}, 4, 'wrong ones are 401';

    open my $file, '>', "$dir/credentials" or die $!;
    print $file "S1:pw-1\nS2 pw-2\n";
    close $file;
    $r = swarm($t->url(0, '/secret'), qw(--sessions 4 --cpes 2 --credentials),
               "$dir/credentials");
    is $r->{exit}, 0, 'from a file';
};


for my $algorithm ('MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', undef) {
    my $name = $algorithm // 'MD5 without qop';

    subtest "digest: $name" => sub {
        my $acs = acs(digest_acs($algorithm));
        my @opt = qw(--cpes 1 --sessions 3 --closed 1 --user {id}
                     --password pw-{serial});
        my $r = swarm($acs, @opt);
        is "$r->{exit} $r->{challenges}", '0 3', 'right, and once a session'
            or note explain $r;
        $r = swarm($acs, @opt, qw(--password no));
        is "$r->{exit} $r->{statuses}{401}", '1 3', 'wrong';
    };
}


# An ACS that wants credentials: of RFC 7616, computed here.
sub digest_acs {
    my ($algorithm) = @_;
    my $hash = ($algorithm // '') =~ /SHA/ ? \&sha256_hex : \&md5_hex;
    my $qop = defined $algorithm ? qq(, qop="auth-int, auth", )
                                   . "algorithm=$algorithm" : '';

    return sub {
        my ($head, $body) = @_;
        my ($h) = $head =~ /^Authorization: Digest (.*?)\r?$/m;
        my %p = ($h // '') =~ /(\w+)="?([^",]*)"?/g;
        my $one = $hash->("00D09E-Swarm-00000001:a, \"b\":pw-00000001"
                          =~ s/"b"/b/r);
        $one = $hash->(join ':', $one, 'n0', $p{cnonce} // '')
            if ($algorithm // '') =~ /sess/;
        my $two = $hash->('POST:/cwmp');
        my $want = $hash->(join ':', $one, 'n0',
            defined $algorithm ? ($p{nc} // '', $p{cnonce} // '', 'auth') : (),
            $two);

        return [401, qq(WWW-Authenticate: Digest realm="a, b", nonce="n0"$qop)]
            unless ($p{response} // '') eq $want;
        return answer($head, $body);
    };
}


# --- ACSs that are not as they should be -----------------------------------

sub envelope {
    my ($id, $inner) = @_;
    return "$ENV<s:Header><c:ID s:mustUnderstand=\"1\">$id</c:ID></s:Header>"
        . "<s:Body>$inner</s:Body></s:Envelope>";
}


sub answer {
    my ($head, $body) = @_;
    my ($id) = $body =~ /<cwmp:ID[^>]*>(.*?)</;

    return [204] if $body !~ /<cwmp:Inform>/;
    return [200, 'Content-Type: text/xml', 'Set-Cookie: s=1; Path=/',
            envelope($id, '<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes>'
                          . '</c:InformResponse>')];
}


# What becomes of one session whose replies a function has changed.
sub session_with {
    my ($change, @opt) = @_;
    my $n = 0;
    my $acs = acs(sub {
        my $answer = answer(@_);
        return $change->($answer, ++$n, @_) || $answer;
    });
    return swarm($acs, qw(--sessions 1 --cpes 1 --timeout 1
                 --delay 0.1), @opt);
}


subtest 'what is tolerated' => sub {
    my $r = session_with(sub { undef }, '--verify');
    is $r->{exit}, 0, 'a small ACS' or note explain $r;

    $r = session_with(sub { $_[0][0] == 200 ? { chunked => $_[0] } : undef });
    is $r->{exit}, 0, 'chunks';
    $r = session_with(sub { { before => "HTTP/1.1 100 Continue\r\n\r\n",
                              as => $_[0] } });
    is $r->{exit}, 0, '100 before the answer';
    $r = session_with(sub { { close => $_[0] } });
    is $r->{exit}, 0, 'no length, but an end';
    $r = session_with(sub { $_[1] == 2 ? [200] : undef });
    is $r->{exit}, 0, 'an empty 200';
    $r = session_with(sub { $_[1] == 2 ? { drop => 1 } : undef });
    is "$r->{exit} $r->{resent}", '0 1', 'a connection that ends too early';
    $r = session_with(sub {
        my ($id) = $_[3] =~ /<cwmp:ID[^>]*>(.*?)</;
        $_[1] < 3 ? [200, 'Content-Type: text/xml', envelope($id,
            '<s:Fault><faultcode>Server</faultcode><faultstring>CWMP fault'
            . '</faultstring><detail><c:Fault><FaultCode>8005</FaultCode>'
            . '<FaultString>Retry request</FaultString></c:Fault></detail>'
            . '</s:Fault>')] : undef;
    });
    is "$r->{exit} $r->{posts}", '0 4', 'fault 8005: the same again';
};


subtest 'what fails' => sub {
    my @cases = (
        [fault => 'a fault 8003', sub {
            $_[0][-1] =~ s/<c:InformR.*InformResponse>/<s:Fault><faultcode>Client<\/faultcode><faultstring>CWMP fault<\/faultstring><detail><c:Fault><FaultCode>8003<\/FaultCode><FaultString>x<\/FaultString><\/c:Fault><\/detail><\/s:Fault>/; $_[0] }],
        [xml => 'broken XML', sub { $_[0][-1] =~ s/<\/s:Body>//; $_[0] }],
        [protocol => '204 to an Inform', sub { [204] }],
        [protocol => 'a request to an Inform', sub {
            $_[0][-1] =~ s/<c:InformR.*Response>/<c:FactoryReset\/>/; $_[0] }],
        [http => 'what is not HTTP', sub { { raw => "hello\r\n\r\n" } }],
        [status => '500', sub { [500] }],
        [timeout => 'silence', sub { { silence => 1 } }],
        [closed => 'a connection that is closed', sub { { drop => 1 } }],
    );

    for my $case (@cases) {
        my ($why, $name, $change) = @$case;
        my $r = session_with($change);
        is "$r->{exit} $r->{failed}{total} $r->{failed}{$why}", '1 1 1',
            "$name: $why" or note explain $r;
    }
    my $r = session_with(sub { [500] }, qw(--tolerate 1 --sessions 2));
    is $r->{exit}, 1, 'nothing but failures is never well';
};


subtest 'what --verify finds' => sub {
    my $request = sub {
        my ($inner, $attr) = @_;
        return sub { $_[1] == 2 ? [200, 'Content-Type: text/xml',
                                   envelope('r1', $inner)] : undef };
    };
    my $edit = sub {
        my ($change) = @_;
        return sub {
            $change->() for @{ $_[0] }[1 .. $#{ $_[0] }];
            return $_[0];
        };
    };
    my @cases = (
        ['without Path=/', $edit->(sub { s{Path=/}{Path=/cwmp} })],
        ['cookie with max-age', $edit->(sub { s/$/; Max-Age=5/
            if /Path/ })],
        ['not text/xml', $edit->(sub { s/xml$/html/ })],
        ['ID of a response', $edit->(sub { s/(<c:ID.*?>)/$1x/ })],
        ['InformResponse is not in', $edit->(sub { s/cwmp-1-2/cwmp-1-0/
        })],
        ['MaxEnvelopes', $edit->(sub { s{>1</Max}{>2</Max} })],
        ['XML declaration', $edit->(sub { s/<\?xml.*?\?>// })],
        ['is in a namespace', $edit->(sub {
            s{<(MaxEnvelopes.*)/Max}{<c:$1/c:Max} })],
        ['no ParameterKey', $request->('<c:SetParameterValues><ParameterList '
            . 'e:arrayType="c:ParameterValueStruct[1]"><ParameterValueStruct>'
            . '<Name>Device.Time.NTPServer1</Name><Value i:type="x:string">'
            . '</Value></ParameterValueStruct></ParameterList>'
            . '</c:SetParameterValues>')],
        ['arrayType string\[2\]', $request->('<c:GetParameterValues>'
            . '<ParameterNames e:arrayType="x:string[2]"><string>Device.'
            . '</string></ParameterNames></c:GetParameterValues>')],
        ['no ParameterPath where', $request->('<c:GetParameterNames>'
            . '<NextLevel>1</NextLevel><ParameterPath>Device.</ParameterPath>'
            . '</c:GetParameterNames>')],
        ['more than 32 characters', $request->('<c:CancelTransfer><CommandKey>'
            . 'k' x 33 . '</CommandKey></c:CancelTransfer>')],
        ['neither 0 nor 1', $request->('<c:GetParameterNames><ParameterPath>'
            . 'Device.</ParameterPath><NextLevel>true</NextLevel>'
            . '</c:GetParameterNames>')],
        ['chunk|Content-Length', sub { $_[0][0] == 200 ? { chunked => $_[0] }
                                                       : undef }],
        ['does not belong', $request->('<c:FactoryReset><x/>'
            . '</c:FactoryReset>')],
        ['of UTF-8', $edit->(sub { s/xml$/xml; charset=latin1/ })],
        ['one Header', $edit->(sub { s{</s:Header>}{$&<s:Header/>} })],
        ['one Header', $edit->(sub { s{<s:Body>(.*)</s:Body>}{<Body>$1</Body>}
            })],
        ['a header Hello', $edit->(sub { s{</s:Header>}{<c:Hello/>$&} })],
        ['ID twice', $edit->(sub { s{<c:ID.*</c:ID>}{$&$&} })],
        ['HoldRequests', $edit->(sub {
            s{</s:Header>}{<c:HoldRequests>yes</c:HoldRequests>$&} })],
        ['without mustUnderstand', $edit->(sub { s/s:must/must/ })],
        ['text beside', $edit->(sub { s/<s:Body>/$&hello/ })],
        ['text beside', $edit->(sub { s/<\/s:Envelope>/$&hello/ })],
        ['without a namespace', $edit->(sub { s/<MaxE.*Envelopes>/<z:a\/>/
            })],
        ['or no UTF-8', $edit->(sub { s{<MaxEnvelopes>}{$&\xc0\xb1} })],
        ['or no UTF-8', $edit->(sub { s{<MaxEnvelopes>}{$&\xed\xa0\x80} })],
        ['no unsignedInt', $edit->(sub { s{>1</Max}{>4294967296</Max} })],
        ['with elements|elements in', $edit->(sub {
            s{>1</Max}{><x>1</x></Max} })],
        (map { ['not in its namespace|no Value|that is no|does not have',
                $request->(values_of(@$_))] }
            ['n:string', '', ''], ['x:string', 'n:', ''],
            ['x:int', '', '1.5'], ['x:mood', '', 'good'],
            ['c:string', '', 'x']),
        ['Notification is no', $request->('<c:SetParameterAttributes>'
            . '<ParameterList e:arrayType="c:SetParameterAttributesStruct[1]">'
            . '<SetParameterAttributesStruct><Name>Device.</Name>'
            . '<NotificationChange>1</NotificationChange><Notification>on'
            . '</Notification><AccessListChange>0</AccessListChange>'
            . '<AccessList e:arrayType="x:string[0]"/>'
            . '</SetParameterAttributesStruct></ParameterList>'
            . '</c:SetParameterAttributes>')],
        ['none of CWMP', $request->('<c:ChangeDUState><Operations/>'
            . '<CommandKey/></c:ChangeDUState>')],
        ['UninstallOpStruct has no UUID', $request->('<c:ChangeDUState>'
            . '<Operations i:type="c:UninstallOpStruct"><Version>1</Version>'
            . '</Operations><CommandKey/></c:ChangeDUState>')],
        ['UseCWMPVersion that was not offered', $edit->(sub {
            s{(?=</s:Header>)}{<c:UseCWMPVersion s:mustUnderstand="1">} &&
            s{(?=</s:Header>)}{1</c:UseCWMPVersion>} }),
            '--versions', '1.0,1.4'],
    );

    for my $case (@cases) {
        my ($finds, $change, @opt) = @$case;
        my $r = session_with($change, '--verify', @opt);
        my @notes = grep { /^verify: .*(?:$finds)/ } keys %{ $r->{notes} };
        is "$r->{failed}{verify} " . !!@notes, '1 1', $finds
            or note explain $r->{notes};
    }
    my $r = session_with(sub { $_[1] == 2 ? [200, 'Content-Type: text/xml',
        envelope('r1', '<c:X_ACME_Dance/>')] : undef }, '--verify');
    is $r->{exit}, 0, 'what it does not know is answered with 9000';
    is $r->{faults_sent}, 1, '... once';
};


# SetParameterValues of one, with this type, prefix in arrayType, and value.
sub values_of {
    my ($type, $prefix, $value) = @_;
    $prefix ||= 'c:';
    return "<c:SetParameterValues><ParameterList e:arrayType=\""
        . "${prefix}ParameterValueStruct[1]\"><ParameterValueStruct><Name>"
        . "Device.Time.NTPServer1</Name><Value i:type=\"$type\">$value</Value>"
        . '</ParameterValueStruct></ParameterList><ParameterKey/>'
        . '</c:SetParameterValues>';
}


# --- ACSs that would keep it from its end ----------------------------------

subtest 'an ACS without end' => sub {
    my @end = (qw(--duration 0.3 --sessions 1 --timeout 0.7));
    my $methods = '<c:GetRPCMethods/>';
    my $r = session_with(sub { $_[1] > 1 ? [200, 'Content-Type: text/xml',
        envelope('r', $methods)] : undef }, @end);
    is $r->{failed}{timeout}, 1, 'always one more request: given up'
        or note explain $r;

    my @user = qw(--user u --password p);
    $r = session_with(sub { [401, 'WWW-Authenticate: Digest realm="r", '
        . "nonce=\"$_[1]\", qop=\"auth\", stale=true"] }, @user);
    is "$r->{statuses}{401} $r->{challenges}", '1 3',
        'always one more nonce: given up';
    $r = session_with(sub { [401, 'WWW-Authenticate: Digest realm="r", '
        . 'nonce="n", qop="auth-int"'] }, @user);
    is "$r->{statuses}{401} $r->{challenges}", '1 0', 'auth-int is not auth';

    $r = session_with(sub { { raw => "HTTP/1.1 200 OK\r\nContent-Length: "
        . (80 << 20) . "\r\n\r\n" . 'x' x (70 << 20) } });
    is $r->{failed}{http}, 1, 'an answer of 70 MB: given up'
        or note explain $r;
    $r = session_with(sub { $_[0][-1] =~ s{>1</Max}{>&#$_;</Max}; $_[0] })
        and is $r->{failed}{xml}, 1, "no character: $_"
        for qw(x 0 -5 xd800 x110000 65536x);
    $r = session_with(sub {
        my $text = join "\r\n", 'HTTP/1.1 200 OK', 'Content-Type: text/xml',
            'Transfer-Encoding: chunked', '', sprintf '%x', length $_[0][-1];
        { raw => "$text\r\n" . substr $_[0][-1], 0, 100 } });
    is $r->{failed}{closed}, 1, 'a chunk that is cut short' or note explain $r;
};


# --- the command line ------------------------------------------------------

subtest 'the command line' => sub {
    my ($status, $said) = run($swarm, '--help');
    is $status, 0, 'help';
    like $said, qr/--$_\b/, "... tells of --$_"
        for qw(cpes storm tls-resume verify listen json);
    is scalar(grep { length > 79 } split /\n/, $said), 0, 'in 79 columns';

    for my $wrong (['--nothing'], ['--cpes', 'x', 'http://h/'], [],
                   ['ftp://h/'], ['--connection', 'x', 'http://h/'],
                   ['--model', 'x', $url], ['--cpes'], ['--rate', 0, $url],
                   ['--model-file', '/nowhere', $url]) {
        ($status, $said) = run($swarm, @$wrong);
        is $status, 2, "an error: @$wrong";
        like $said, qr/^swarm: ./m, '... that is explained';
    }
    ($status, $said) = run($swarm, qw(--sessions 30 --quiet), $url);
    like $said, qr/^sessions   30 done, 0 failed/m, 'the text says it';
    like $said, qr/^Inform +30 +\d/m, '... with times';
};

SKIP: {
    skip 'sanitizers warn in their own way', 2 if $ENV{TEST_SANITIZED};
    delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

    for my $cc (qw(gcc clang)) {
        my $said = `make -s CC=$cc swarm 2>&1`;
        is $?, 0, "$cc has nothing to warn about" or diag $said;
    }
}

kill 'KILL', @servers;
waitpid $_, 0 for @servers;
done_testing;


# --- helpers ---------------------------------------------------------------

sub run {
    my @command = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT or die $!;
        exec 'timeout', patience(30), @command or die "$command[0]: $!\n";
    }
    local $/;
    my $said = <$out> // '';
    close $out;
    return ($? >> 8, $said);
}


# Its JSON, with its exit status.
sub swarm {
    my ($where, @opt) = @_;
    my ($status, $said) = run($swarm, '--quiet', '--json', '-', @opt, $where);
    my $r = eval { JSON::PP::decode_json($said) };

    diag("swarm @opt $where: $said") unless $r;
    return { %{ $r || {} }, exit => $status };
}


sub ids {
    my ($status, $said) = run($swarm, @_, '--print-ids');
    return split /\n/, $said;
}


sub certificate {
    my ($file, $name) = @_;

    open my $f, '>', "$dir/openssl.cnf" or die "$dir/openssl.cnf: $!\n";
    print $f <<"CONF";
[req]
distinguished_name = dn
x509_extensions = more
prompt = no
[dn]
CN = $name
[more]
subjectAltName = DNS:$name,IP:127.0.0.1
CONF
    close $f;

    system("openssl req -x509 -newkey ec -pkeyopt "
           . "ec_paramgen_curve:prime256v1 -nodes -days 2 -config "
           . "$dir/openssl.cnf -keyout $dir/$file.key -out $dir/$file.pem "
           . "2> $dir/openssl.log") == 0
        or die "openssl: ", slurp("$dir/openssl.log");
}


# A server for one connection at a time; a function answers head and body with
# [status, headers..., body if any], or says what is to go wrong.
sub acs {
    my ($serve) = @_;
    my $listen = IO::Socket::INET->new(Listen => 16, Proto => 'tcp',
                                       LocalAddr => '127.0.0.1',
                                       ReuseAddr => 1) or die "listen: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        while (my $c = $listen->accept) {
            setsockopt($c, IPPROTO_TCP, TCP_NODELAY, 1);
            while (one_request($c, $serve)) { }
        }
        POSIX::_exit(0);
    }
    push @servers, $pid;
    return 'http://127.0.0.1:' . $listen->sockport . '/cwmp';
}


sub one_request {
    my ($c, $serve) = @_;
    my ($head, $body) = ('', '');

    while ($head !~ /\r\n\r\n/) {
        sysread($c, $head, 4096, length $head) or return 0;
    }
    ($head, $body) = split /(?<=\r\n\r\n)/, $head, 2;
    $body //= '';
    my ($n) = $head =~ /^Content-Length: (\d+)/m;
    while (length $body < $n) {
        sysread($c, $body, 65536, length $body) or return 0;
    }
    return say_it($c, $serve->($head, $body));
}


sub say_it {
    my ($c, $a) = @_;
    my $how = ref $a eq 'HASH' ? $a : {};

    return 0 if $how->{drop};
    return sleep(3) && 0 if $how->{silence};
    return syswrite($c, $how->{raw}) && 0 if $how->{raw};

    my ($status, @headers) = @{ $how->{chunked} || $how->{close}
                                || $how->{as} || $a };
    my $body = @headers && $headers[-1] =~ /^\s*</ ? pop @headers : '';

    if ($how->{chunked}) {
        push @headers, 'Transfer-Encoding: chunked';
        $body = join '', (map { sprintf "%x\r\n%s\r\n", length, $_ }
                          $body =~ /(.{1,50})/gs), "0\r\n\r\n";
    } elsif ($status != 204 && !$how->{close}) {
        push @headers, 'Content-Length: ' . length $body;
    }
    my $text = ($how->{before} // '') . join("\r\n", "HTTP/1.1 $status X",
        @headers, '', '') . $body;
    syswrite($c, substr($text, 0, 12, ''));     # in two pieces
    sleep(0.002);
    syswrite($c, $text);
    return !$how->{close};
}
