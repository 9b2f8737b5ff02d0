#!/usr/bin/perl

# The load test t/bench/swarm, as an ISP uses it, against this ACS (against
# others: t/swarm_acs.t).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp 'tempdir';
use JSON::PP ();
use Test::More;

use CWMP::Swarm;
use CWMP::Test qw(free_port patience slurp wait_for);

my $swarm = swarm_binary();
my $dir = tempdir(CLEANUP => 1);
my $tls = free_port();

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

done_testing;


# --- helpers ---------------------------------------------------------------

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
