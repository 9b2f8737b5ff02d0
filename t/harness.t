#!/usr/bin/perl

# The harness itself, without an ACS: Redis and nginx are started and hurt, and
# the two CPEs, the one that behaves and the scripted one, meet a fake ACS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::CPE;
use CWMP::FakeACS;
use CWMP::Model;
use CWMP::Raw ':build';
use CWMP::Redis;
use CWMP::Test qw(wait_for slurp);
use CWMP::XML;

my $NS = 'urn:dslforum-org:cwmp-1-2';
my $WORDS = 'xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/"';


sub names_request {
    my (@names) = @_;
    return ['GetParameterValues', string_list('ParameterNames', @names)];
}


sub set_request {
    my ($key, @params) = @_;
    return ['SetParameterValues', parameter_list(@params)
            . "<ParameterKey>$key</ParameterKey>"];
}


sub download_request {
    my ($key, $url) = @_;
    return ['Download', "<CommandKey>$key</CommandKey>"
        . "<FileType>1 Firmware Upgrade Image</FileType><URL>$url</URL>"
        . '<Username></Username><Password></Password><FileSize>0</FileSize>'
        . '<TargetFileName></TargetFileName><DelaySeconds>0</DelaySeconds>'
        . '<SuccessURL></SuccessURL><FailureURL></FailureURL>'];
}


# A CPE's session with a fake ACS that asks for these things.
sub meet {
    my ($requests, %opt) = @_;
    my $acs = CWMP::FakeACS->new(requests => $requests,
                                 ns => $opt{ns} // $NS);
    my $cpe = CWMP::CPE->new(url => $acs->url, timeout => 3, %opt);
    my $trace = $cpe->run_session('2 PERIODIC');
    return ($cpe, $trace, $acs);
}


sub bodies { return map { $_->[2] } $_[0]->seen }


# --- small parts -----------------------------------------------------------

subtest 'XML' => sub {
    my $node = CWMP::XML::parse(qq(<?xml version="1.0"?><!-- c --><a:x )
        . qq(xmlns:a="u"><y a:t='1&amp;"'>&lt;&#x41;<![CDATA[<&]]></y>)
        . "<z>caf\xc3\xa9</z></a:x>\n");

    is $node->{ns}, 'u', 'namespace of the root';
    is $node->child('y')->{ns}, '', 'a child without prefix has none';
    is $node->value('y'), '<A<&', 'entities, references and CDATA';
    is $node->child('y')->attribute('t'), '1&"', 'attribute';
    is $node->value('z'), "caf\x{e9}", 'UTF-8';
    is xml_unescape(xml_escape(qq(a&<b>"\r\n\t))), qq(a&<b>"\r\n\t),
        'escaping there and back';

    for my $bad ('<a>', '<a></b>', '<a:x/>', '<a b="1" b="2"/>', '<a>&x;</a>',
                 '<a/><b/>', "<a>\x01</a>", '<a>&</a>', '', "<a>\xff</a>")
    {
        ok !eval { CWMP::XML::parse($bad); 1 }, "refused: $bad";
    }
};


subtest 'identity and partition' => sub {
    my @vectors = (
        ['012345', 'Set-Top-Box', '0123456789',
         '012345-Set%2DTop%2DBox-0123456789'],
        ['00D09E', 'Box 3000', 'AB-12/7', '00D09E-Box%203000-AB%2D12%2F7'],
        ['00D09E', '', '0123456789', '00D09E-0123456789'],
    );
    is CWMP::Redis::device_id(@$_[0 .. 2]), $_->[3], $_->[3] for @vectors;
    is CWMP::Redis::crc16('123456789'), 0x31C3, 'CRC16 as Redis has it';
};


subtest 'data model' => sub {
    my $m = CWMP::Model->tr181;
    my $code = sub { my ($do) = @_; eval { $do->(); 1 } ? 0 : $@->{code} };
    my $port = 'Device.NAT.PortMapping.1.ExternalPort';

    cmp_ok $m->count, '>', 55, 'about 60 parameters';
    is_deeply [$m->below('Device.Time.')], [grep { /^Device\.Time\./ } $m->paths],
        'partial path';
    is $code->(sub { $m->below('Device.Nope.') }), 9005, 'unknown object';
    is $code->(sub { $m->below('Device.Time') }), 9005,
        'an object without its dot';

    is_deeply [$m->names('Device.NAT.', 1)], [['Device.NAT.PortMapping.', 1],
        ['Device.NAT.PortMappingNumberOfEntries', 0]], 'next level';
    is scalar($m->names('Device.NAT.', 0)), 11, 'whole subtree';
    is $code->(sub { $m->names($port, 1) }), 9003,
        'next level of a parameter';

    is $code->(sub { $m->set([$port, 'unsignedInt', 1],
        ['Device.Nope', 'string', ''], ['Device.DeviceInfo.UpTime',
        'unsignedInt', 1], ['Device.Time.Enable', 'string', '1'],
        ['Device.WiFi.Radio.1.Channel', 'unsignedInt', '-1']) }), 9003,
        'bad values';
    is_deeply [map { $_->[1] } @{ $@->{spv} }], [9005, 9008, 9006, 9007],
        'each with its own reason';
    is $m->get($port), 8022, 'nothing of it was set';
    is $code->(sub { $m->set([$port, 'unsignedInt', 1],
                             [$port, 'unsignedInt', 1]) }), 9003, 'duplicate';

    my $n = $m->add_row('Device.NAT.PortMapping.');
    is $n, 2, 'a row';
    is $m->get("Device.NAT.PortMapping.$n.ExternalPort"), 0, 'has defaults';
    is $m->get('Device.NAT.PortMappingNumberOfEntries'), 2, 'is counted';
    $m->delete_row("Device.NAT.PortMapping.$n.");
    is $m->add_row('Device.NAT.PortMapping.'), 3, 'numbers are not used again';
    is $code->(sub { $m->add_row('Device.Time.') }), 9005, 'not a table';
    is $code->(sub { $m->delete_row('Device.NAT.PortMapping.9.') }), 9005,
        'no such row';

    my @edges = (
        ['int', '-2147483648', 1], ['int', '2147483648', ''],
        ['unsignedInt', '4294967295', 1], ['unsignedInt', '4294967296', ''],
        ['unsignedLong', '18446744073709551615', 1],
        ['unsignedLong', '18446744073709551616', ''],
        ['long', '-9223372036854775809', ''], ['boolean', 'yes', ''],
        ['dateTime', '2025-01-01T00:00:00Z', 1], ['dateTime', 'now', ''],
    );
    for my $e (@edges) {
        is !!CWMP::Model::valid_value(@$e[0, 1]), !!$e->[2], "@$e[0, 1]";
    }
};


subtest 'CSV of a real device' => sub {
    my $file = File::Temp->new;
    print $file "path,object,writable,type,value\nDeviceID.ID,false,false,"
        . "xsd:string,x\nDevice.,true,false,,\nDevice.A.T.,true,true,,\n"
        . "Device.A.T.3.,true,true,,\nDevice.A.T.3.V,false,true,"
        . "xsd:unsignedint,7\nDevice.A.Log,false,false,xsd:string,\"one, two\n"
        . "\"\"three\"\"\"\n";
    close($file);

    my $m = CWMP::Model->load_csv($file->filename);
    is_deeply [$m->paths], ['Device.A.Log', 'Device.A.T.3.V'], 'parameters';
    is $m->get('Device.A.Log'), qq(one, two\n"three"), 'quotes and lines';
    is $m->add_row('Device.A.T.'), 4, 'a new row after those it has';
    is $m->{param}{'Device.A.T.4.V'}{type}, 'unsignedInt', 'with their types';
};


# --- the CPE that behaves --------------------------------------------------

subtest 'a session: read, write, names' => sub {
    my ($cpe, $trace, $acs) = meet([
        ['GetRPCMethods', ''],
        names_request('Device.WiFi.SSID.', 'Device.ManagementServer.Password'),
        set_request('k1', ['Device.WiFi.SSID.1.SSID', 'string', "x & <\x{e9}>"],
                    ['Device.WiFi.Radio.1.Channel', 'unsignedInt', 11]),
        set_request('k2', ['Device.Time.Enable', 'boolean', 0],
                    ['Device.Nope', 'string', '']),
        ['GetParameterNames', '<ParameterPath>Device.</ParameterPath>'
                              . '<NextLevel>1</NextLevel>'],
        ['X_ACME_Dance', ''],
        names_request('Device.Nope.'),
    ]);

    ok $trace->{ok}, 'ended well' or diag $trace->{error};
    is_deeply [map { $_->{got} } @{ $trace->{steps} }],
        [qw(InformResponse GetRPCMethods GetParameterValues
            SetParameterValues SetParameterValues GetParameterNames
            X_ACME_Dance GetParameterValues 204)], 'what the ACS said';
    is_deeply $cpe->complaints, [], 'nothing to object to';
    is $cpe->value('Device.WiFi.SSID.1.SSID'), "x & <\x{e9}>", 'set';
    is $cpe->value('Device.ManagementServer.ParameterKey'), 'k1',
        'ParameterKey of the one that worked';
    is $cpe->value('Device.Time.Enable'), 1, 'the other did nothing at all';
    is_deeply [map { $_->{fault} } $cpe->done], [undef, undef, undef, 9003,
        undef, 9000, 9005], 'and all of it is remembered';

    my @bodies = bodies($acs);
    like $bodies[3], qr{<Value xsi:type="xsd:string">Caf\xc3\xa9 &amp; &lt;},
        'values escaped';
    like $bodies[3], qr/arrayType="cwmp:ParameterValueStruct\[4\]"/, 'counted';
    like $bodies[5], qr{<FaultCode>9003<.*<ParameterName>Device.Nope<.*9005}s,
        'fault of each parameter';
    like $bodies[6], qr{<Name>Device.NAT.</Name><Writable>0<}, 'names';
    my @cookies = map { $_->[1]{cookie} // '' } $acs->seen;
    is_deeply \@cookies, ['', ('s=1') x 8], 'the cookie of the session';
    is $cpe->raw->{connections}, 1, 'one connection';
};


subtest 'rows, reboot, factory reset' => sub {
    my $key = '<ParameterKey>k</ParameterKey>';
    my ($cpe, $trace, $acs) = meet([
        ['AddObject', "<ObjectName>Device.NAT.PortMapping.</ObjectName>$key"],
        ['DeleteObject',
         "<ObjectName>Device.NAT.PortMapping.1.</ObjectName>$key"],
        ['Reboot', '<CommandKey>r1</CommandKey>'],
    ], new_connection => 1, session_timeout => 60);

    ok $trace->{ok}, 'ended well' or diag $trace->{error};
    is $cpe->count('AddObject'), 1, 'added';
    ok $cpe->model->has('Device.NAT.PortMapping.2.ExternalPort'), 'is there';
    ok !$cpe->model->has('Device.NAT.PortMapping.1.ExternalPort'), 'is gone';
    is $cpe->raw->{connections}, 5, 'a connection for each POST';
    is_deeply $cpe->{events}, [['1 BOOT', ''], ['M Reboot', 'r1']],
        'what the next Inform has to tell';
    $acs->stop;

    my $second = CWMP::FakeACS->new(requests => [['FactoryReset', '']]);
    $cpe->{urls} = [$second->url];
    ok $cpe->run_session->{ok}, 'told';
    like +(bodies($second))[0], qr{1 BOOT.*M Reboot</EventCode><CommandKey>r1<}s,
        'in the Inform';
    ok $cpe->model->has('Device.NAT.PortMapping.1.ExternalPort'),
        'as from the factory';
    is_deeply $cpe->{events}, [['0 BOOTSTRAP', ''], ['1 BOOT', '']],
        'bootstrap is next';
};


subtest 'download' => sub {
    my @ask = (download_request('fw-1', 'http://fs.example/5.0.bin'));
    my ($cpe, $trace, $acs) = meet(\@ask);

    is_deeply $cpe->{events}, [['7 TRANSFER COMPLETE', ''],
        ['M Download', 'fw-1'], ['1 BOOT', ''], ['4 VALUE CHANGE', '']],
        'to be told in the next session';
    $acs->stop;

    # the reply to TransferComplete is lost: it must be told again
    my $second = CWMP::FakeACS->new;
    my $drop = 1;
    $cpe->{urls} = [$second->url];
    $cpe->{before_post} = sub {
        my (undef, $post) = @_;
        return 'drop' if $post->{what} =~ /^TransferComplete/ && $drop-- > 0;
    };
    ok $cpe->run_session->{dropped}, 'cut off before TransferComplete';
    is_deeply $cpe->{events}, [['7 TRANSFER COMPLETE', ''],
        ['M Download', 'fw-1']], 'only these are still to be told';
    ok $cpe->run_session->{ok}, 'again';
    is_deeply $cpe->{events}, [], 'delivered';
    my ($inform, undef, $complete) = bodies($second);
    like $inform, qr{SoftwareVersion</Name><Value xsi:type="xsd:string">5.0<},
        'the new version';
    like $complete, qr{<CommandKey>fw-1</CommandKey><FaultStruct><FaultCode>0<},
        'TransferComplete';
    $second->stop;

    ($cpe, $trace, $acs) = meet(\@ask, download => { when => 'same',
                                                     fault => 9010 });
    is_deeply [map { $_->{sent} } @{ $trace->{steps} }], ['Inform 2 PERIODIC',
        'empty', 'DownloadResponse status 1', 'TransferComplete fw-1', 'empty'],
        'in the same session';
    like +(bodies($acs))[3], qr{<FaultCode>9010<}, 'that it failed';
    $acs->stop;

    ($cpe) = meet(\@ask, download => { status => 0 });
    is $cpe->value('Device.DeviceInfo.SoftwareVersion'), '5.0', 'at once';
    is_deeply $cpe->{transfers}, [], 'nothing to tell';
    ($cpe) = meet(\@ask, download => { refuse => 9013 });
    is +($cpe->done)[0]{fault}, 9013, 'refused';
};


subtest 'what a strict CPE objects to' => sub {
    my ($cpe) = meet([['Reboot', '<CommandKey>' . 'k' x 33 . '</CommandKey>'],
        ['AddObject', '<ParameterKey/><ObjectName>Device.X.</ObjectName>'],
        ['GetParameterValues', "<ParameterNames $WORDS soap-enc:arrayType="
         . '"xsd:string[3]"><string>Device.Time.</string></ParameterNames>']]);
    is_deeply $cpe->complaints, ['Reboot: CommandKey is over 32 characters',
        "AddObject has arguments 'ParameterKey ObjectName'",
        'ParameterNames holds 1, not xsd:string[3]'], 'is told';

    my ($old) = meet([['Reboot', '<CommandKey/>']],
                     ns => 'urn:dslforum-org:cwmp-1-0');
    is_deeply $old->complaints, [], 'an old namespace is mirrored';
};


subtest 'hooks' => sub {
    my @sent;
    my ($cpe, $trace) = meet([['Reboot', '<CommandKey/>'], ['Reboot', '<CommandKey/>']],
        on_rpc => { Reboot => sub { CWMP::Model::throw(9001) } },
        after_post => sub { push @sent, $_[1]{what} });
    is_deeply [map { $_->{fault} } $cpe->done('Reboot')], [9001, 9001],
        'on_rpc replaces';
    is $cpe->count('Reboot'), 0, 'a refused one does not count';
    is scalar(@sent), 4, 'after_post saw every POST';

    ($cpe, $trace) = meet([], before_post => sub {
        $_[1]{how}{headers} = [['X-Fake', 'status 503']] });
    is $trace->{error}, 'Inform 2 PERIODIC got HTTP 503', 'a failed session';
    is $cpe->{retry}, 1, 'RetryCount';
    is_deeply $cpe->{events}, [['2 PERIODIC', '']], 'the event stays';
};


# --- the scripted CPE ------------------------------------------------------

subtest 'raw client' => sub {
    my $acs = CWMP::FakeACS->new(requests => [['Reboot', '<CommandKey>a&amp;b'
        . '</CommandKey>'], set_request('k', ['Device.A', 'int', 5])]);
    my $raw = CWMP::Raw->new(url => $acs->url, timeout => 3);

    my $r = $raw->post(inform(id => 'i&1', chunk => 1), chunk => 7);
    is $r->status, 200, 'chunked request';
    is $r->method, 'InformResponse', 'method';
    is $r->id, 'i&1', 'ID';
    is $r->ns, $NS, 'namespace';
    is $raw->cookie, 's=1', 'cookie kept';
    ok !$r->continued, 'nobody asked for 100';

    $r = $raw->post('', headers => [['X-Fake', 'chunked']]);
    is $r->arg('CommandKey'), 'a&b', 'chunked answer';
    $r = $raw->post(response($r->id, 'Reboot'), expect => 1, split => 50);
    ok $r->continued, '100 Continue';
    is_deeply [$r->params], [['Device.A', 'xsd:int', '5']], 'parameters';
    is_deeply $r->values, { 'Device.A' => 5 }, 'values';
    $r = $raw->post(fault($r->id, 9003, 'no', ['Device.A', 9007, 'bad']));
    is $r->status, 204, 'no more';

    $raw->post(inform(), headers => [['X-Fake', 'close']]);
    is $raw->post('')->method, 'Reboot', 'sent again on a new connection';
    is $raw->{resent}, 1, 'once';
    $raw->post(inform(), headers => [['X-Fake', 'close']]);
    ok !eval { $raw->post('', resend => 0); 1 }, 'or not at all';
    like $@, qr/nothing came before the connection was closed/, 'says so';
    ok !eval { $raw->post('', headers => [['X-Fake', 'drop']]); 1 }, 'dropped';

    $raw->post('', cookie => 'x=1', extra_cookie => 'y=2', close => 1);
    ok !$raw->connected || $raw->closed_by_peer(1), 'connection closed';
    my ($last) = (reverse $acs->seen)[0];
    is $last->[1]{cookie}, 'x=1; y=2', 'cookies as told';

    ok !defined $raw->post(inform(), partial => 60), 'part of a request';
    $raw->reset;
    is $raw->post('')->status, 200, 'goes on elsewhere';
};


subtest 'faults are read' => sub {
    my $r = CWMP::RawResponse->from_head("HTTP/1.1 200 OK\r\nA: 1\r\na: 2");
    $r->{body} = fault('x', 9003, 'Invalid', ['Device.A', 9007, 'bad']);
    is $r->method, 'Fault', 'method';
    is_deeply $r->fault, { faultcode => 'Client', code => 9003, string =>
        'Invalid', faultstring => 'CWMP fault', spv => [['Device.A', 9007, 'bad']] },
        'all of it';
    is $r->ns, $NS, 'namespace of its detail';
    is_deeply [$r->header_all('a')], [1, 2], 'headers of one name';
};


# --- Redis and nginx -------------------------------------------------------

sub have {
    my ($name, $env) = @_;
    return eval { CWMP::Daemon::find_binary($name, $env); 1 };
}


subtest 'Redis' => sub {
    plan skip_all => 'no redis-server' unless have('redis-server');
    my $t = CWMP::Test->new(nodes => 0, redis => { appendonly => 1,
        port => 'auto', password => 'secret', appendfsync => 'always' });
    my $r = $t->redis;

    is $r->cmd('SET', 'k', "\x{20ac}"), 'OK', 'SET';
    is $r->cmd('GET', 'k'), "\xe2\x82\xac", 'bytes come back';
    is $r->cmd('GET', 'nope'), undef, 'nil';
    ok !eval { $r->cmd('LPUSH', 'k', 1); 1 }, 'an error dies';
    is $@->code, 'WRONGTYPE', 'with its code';
    ok CWMP::Redis::is_error($r->try('NOPE')), 'or is returned';
    is_deeply [$r->pipeline(['PING'], ['INCR', 'n'])], ['PONG', 1], 'pipeline';

    my $tcp = CWMP::Redis->new(port => $t->redis_server->port,
                               password => 'secret');
    is $tcp->cmd('PING'), 'PONG', 'by TCP';

    is $r->push_task('A-B-1', { method => 'Reboot', id => 7 }, 'not json'), 2,
        'tasks pushed';
    is_deeply [$r->list('LRANGE', 'cwmp:{0}:A-B-1:tasks', 0, -1)],
        ['{"id":7,"method":"Reboot"}', 'not json'], 'as they are';
    $r->cmd('XADD', 'cwmp:{0}:A-B-1:results', '*', 'id', 'fw-1', 'status',
            'fault', 'fault', '{"code":9001}', 'ended', 12);
    my $result = $r->wait_result('A-B-1', 'fw-1', 1);
    is $result->{fault}{code}, 9001, 'a result, decoded';
    is $result->{raw}{fault}, '{"code":9001}', 'and raw';

    $t->redis_kill9;
    ok !eval { $r->cmd('PING'); 1 }, 'killed';
    $t->redis_start;
    is $r->cmd('GET', 'k'), "\xe2\x82\xac", 'back with its data';

    $t->redis_sigstop;
    my $slow = $t->redis_server->client(timeout => 0.2);
    ok !eval { $slow->cmd('PING'); 1 }, 'frozen';
    $t->redis_cont;
    is $r->cmd('PING'), 'PONG', 'thawed';

    $r->cmd('HSET', 'cwmp:meta', 'partitions', 64);
    delete $r->{partitions};
    is $r->device_key('123456789', 'tasks'), 'cwmp:{3}:123456789:tasks', 'P';
    $t->finish;
};


sub function_library {
    return "#!lua name=t\nredis.register_function('cwmp_push', "
        . "function(k, a) redis.call('RPUSH', k[1], a[1]); return 'id-1' end)"
        . "redis.register_function{function_name='cwmp_params', "
        . "callback=function(k, a) return {'Device.A', 'xsd:int', '5'} end, "
        . "flags={'no-writes'}}";
}


subtest 'cwmp-push' => sub {
    plan skip_all => 'no redis-server or redis-cli'
        unless have('redis-server') && have('redis-cli');
    my $t = CWMP::Test->new(nodes => 0);
    my ($r, $id) = ($t->redis, '00D09E-Box%203000-AB%2D12%2F7');
    my $push = sub {
        my (@words) = @_;
        local $ENV{REDIS_SOCKET} = $t->redis_server->socket;
        my $pid = open(my $out, '-|') // die "fork: $!\n";
        if (!$pid) {
            open(STDERR, '>&', \*STDOUT);
            exec("$FindBin::Bin/../redis/cwmp-push", @words);
        }
        my $said = do { local $/; readline($out) };
        close($out);
        return ($? >> 8, $said);
    };

    is_deeply [$push->($id, '{}')], [1, 'cwmp-push: Redis has no function '
        . "cwmp_push: start nginx with cwmp_redis, which loads it\n"],
        'no library';
    $r->cmd('FUNCTION', 'LOAD', function_library());
    $r->cmd('HSET', 'cwmp:meta', 'partitions', 64);

    my $task = q({"method":"Reboot","note":"it's \$HOME `x`"});
    is_deeply [$push->($id, $task)], [0, "id-1\n"], 'the id';
    is_deeply [$push->($id, $task, '--wake', '--new')], [0, "id-1\n"], 'flags';
    is_deeply [$r->list('LRANGE', $r->device_key($id, 'tasks'), 0, -1)],
        [$task, q({"wake":true,"new":true,) . substr($task, 1)],
        'the task, in the right partition';
    is +($push->('a b', '{}'))[0], 1, 'a bad id';
    is +($push->($id, '{', '}'))[0], 1, 'too many words';
    is_deeply [$push->($id, '{}', '--dry-run')], [1, 'cwmp-push: unknown '
        . "option --dry-run; see --help\n"], 'an option of another tool';
    $r->cmd('HSET', 'cwmp:meta', 'partitions', '64>256');
    like +($push->($id, '{}'))[1], qr/being moved.*run cwmp-partitions/,
        'not while devices are moved';
    like +($push->($id, '{}', '-a', 'x'))[1], qr/^cwmp-push: AUTH failed: /,
        'a password that Redis does not have';
    $r->cmd('HSET', 'cwmp:meta', 'partitions', 64);

    is $r->fcall_push($id, { method => 'Reboot' }), 'id-1', 'fcall_push';
    is_deeply $r->params($id), { 'Device.A' => { type => 'xsd:int',
        value => 5 } }, 'params';
    $t->finish;
};


my %PLAIN = (module => '', acs => undef, cwmp_redis => '', server =>
             'location = /node { return 200 "%%NODE%% %%PORT_1%%"; }');

subtest 'nginx' => sub {
    plan skip_all => 'no nginx' unless have('nginx', 'TEST_NGINX_BINARY');
    my $t = CWMP::Test->new(nodes => 2, workers => 2, redis => 0, %PLAIN);

    is $t->raw(1)->get('/node')->body, '1 ' . $t->port(1), 'the second node';
    is scalar($t->workers(0)), 2, 'two workers';
    my ($pid) = $t->workers;
    cmp_ok $t->worker_rss($pid), '>', 500_000, 'RSS in bytes';
    like $t->worker_cpu($pid), qr/^[\d.]+$/, 'CPU seconds';

    my %old = map { ($_ => 1) } $t->workers;
    $t->kill9_worker(0, $pid);
    ok wait_for(sub { $t->workers == 2 }, 5), 'a killed worker is replaced';
    $t->reload;
    is scalar(grep { $old{$_} } $t->workers), 0, 'all new after a reload';

    is $t->quit(1), 'QUIT', 'quits';
    ok !eval { $t->raw(1)->get('/node'); 1 }, 'gone';
    $t->start(1);
    is $t->raw(1)->get('/node')->status, 200, 'back';
    $t->kill9(1);
    is_deeply [CWMP::Daemon::children_of($$)], [sort { $a <=> $b }
        $t->node(0)->pid, CWMP::Daemon::guard_pid()], 'killed with its workers';

    $t->change_conf(1, server => 'listen nonsense here;');
    my ($ok, $said) = $t->check_conf(1);
    ok !$ok, 'nginx -t says no';
    like $said, qr/nonsense|invalid parameter/, 'and why';
    ok !eval { $t->start(1); 1 }, 'nor does it start';
    like $@, qr/did not start \(exit code 1\):.*\[emerg\]/s, 'with the reason';
    $t->expect_log(qr/\[emerg\].*(?:nonsense|invalid parameter)/, [1, 2]);
    $t->finish;
};


# Runs a test program of its own; what it printed, and its exit code.
sub run_test {
    my ($text) = @_;
    my $file = File::Temp->new(SUFFIX => '.t');
    print $file "use strict; use warnings; use lib '$FindBin::Bin/lib';\n"
        . "use Test::More; use CWMP::Test;\n$text";
    close($file);
    my $output = qx($^X $file 2>&1);
    return ($output, $? >> 8);
}


subtest 'what the harness adds to a test' => sub {
    plan skip_all => 'no nginx' unless have('nginx', 'TEST_NGINX_BINARY');
    my $new = q{my $t = CWMP::Test->new(redis => 0, module => '', acs => undef,
        cwmp_redis => '');};
    my $alert = q{open my $l, '>>', $t->node->error_log;
        print $l "x [alert] 1#1: boo\n"; close $l;};

    my ($said, $code) = run_test("$new pass('mine'); done_testing;");
    is $code, 0, 'all is well' or diag $said;
    like $said, qr/^1\.\.4$/m, 'done_testing adds its lines';

    ($said, $code) = run_test("$new $alert done_testing;");
    isnt $code, 0, 'an alert fails the test';
    like $said, qr/not ok \d - nothing critical.*boo/s, 'and is shown';

    ($said, $code) = run_test("$new $alert "
        . '$t->expect_log(qr/boo/, 1); done_testing;');
    is $code, 0, 'unless it was declared';
    ($said, $code) = run_test("$new $alert "
        . '$t->expect_log(qr/boo/, 2); done_testing;');
    like $said, qr/seen 1 times, expected 2/, 'with its count';

    ($said, $code) = run_test("$new open my \$l, '>', "
        . q{$t->prefix . '/logs/sanitizer.7'; print $l}
        . q{ "==7==ERROR: AddressSanitizer: oops\n"; close $l; done_testing;});
    like $said, qr/not ok \d - no sanitizer report/, 'so does a sanitizer';
};


subtest 'nothing outlives a test' => sub {
    plan skip_all => 'no nginx or redis-server'
        unless have('nginx', 'TEST_NGINX_BINARY') && have('redis-server');
    my $new = q{$| = 1; my $t = CWMP::Test->new(module => '', acs => undef,
        cwmp_redis => ''); print "P=$_\n" for $t->node->pid, $t->workers,
        $t->redis_server->pid;};
    my %ways = ('die' => 'die "oops"', 'exit' => 'exit 3',
                'TERM' => 'kill "TERM", $$; sleep 5',
                'KILL' => 'kill "KILL", $$; sleep 5');

    for my $way (sort keys %ways) {
        my ($said) = run_test("$new $ways{$way};");
        my @pids = $said =~ /^P=(\d+)/mg;
        is scalar(@pids), 3, "$way: three processes were there" or diag $said;
        ok wait_for(sub { !grep { CWMP::Daemon::pid_runs($_) } @pids }, 8),
            "$way: and are gone";
    }
};

done_testing;
