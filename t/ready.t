#!/usr/bin/perl

# What a balancer sees of a node: ready, draining, without Redis; and that a
# node that was drained is stopped without a loss.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time sleep);

use CWMP::Raw ':build';
use CWMP::RedisProxy;
use CWMP::Test qw(patience wait_for);

my $READY = "location = /ready { cwmp_ready drain=%%DIR%%/drain; }\n"
            . 'location = /plain { cwmp_ready; }';


sub ready {
    my ($t, $uri, $node) = @_;
    my $r = $t->raw($node // 0)->get($uri // '/ready', new => 1);
    return $r->status . ' ' . $r->body =~ s/\n\z//r;
}


sub touch { open(my $fh, '>', $_[0]) or die "$_[0]: $!\n"; close($fh) }


subtest 'READY what nginx -t refuses' => sub {
    for (['location /r { cwmp_ready on; }',
          qr/invalid value "on" in "cwmp_ready": use e.g. drain=/],
         ['location /r { cwmp_ready drain=; }', qr/invalid value "drain="/],
         ['location /r { cwmp_ready; cwmp_ready; }', qr/is duplicate/],
         ['location /r { cwmp_ready; cwmp_acs; }', qr/in one location: use two/],
         ['location /r { cwmp_acs; cwmp_ready; }', qr/in one location: use two/],
         ['cwmp_ready;', qr/"cwmp_ready" directive is not allowed here/])
    {
        my $t = CWMP::Test->new(start => 0, server => $_->[0]);
        like $t->check_conf, $_->[1], $_->[0];
        $t->expect_log(qr/\[emerg\]/, [0, 1]);
        $t->finish;
    }
    my $t = CWMP::Test->new(start => 0, redis => 0, acs => undef,
                            server => 'location /r { cwmp_ready; }');
    like $t->check_conf, qr/"cwmp_ready" needs "cwmp_redis": say where/,
        'no cwmp_redis';
    $t->expect_log(qr/\[emerg\]/, [0, 1]);
    $t->finish;
};


subtest 'READY draining by a file' => sub {
    my $t = CWMP::Test->new(server => $READY);
    is ready($t), '200 ready', 'a node that has just started, before any CPE';
    my $r = $t->raw->get('/ready', new => 1);
    is $r->header('Cache-Control'), 'no-store', 'nobody may keep the answer';
    is $r->header('Content-Type'), 'text/plain', 'a short text';
    is $t->raw->post('', url => $t->url(0, '/ready'))->status, 405,
        'GET and HEAD only';

    touch($t->dir . '/drain');
    is ready($t), '503 draining: there is ' . $t->dir . '/drain',
        'the file is there: draining';
    is ready($t, '/plain'), '200 ready', 'a location without drain= goes on';
    is $t->raw->post(inform(serial => 'D1'))->status, 200,
        'a CPE that comes all the same is served';
    unlink $t->dir . '/drain';
    is ready($t), '200 ready', 'the file is gone: ready at once';
    $t->finish;
};


subtest 'READY a file that cannot be looked for' => sub {
    my $t = CWMP::Test->new(server => 'location /ready { cwmp_ready '
                                      . 'drain=%%DIR%%/file/drain; }');
    touch($t->dir . '/file');           # where a folder should be
    is ready($t), '503 not ready: a worker cannot look for '
        . $t->dir . '/file/drain', 'seen before the day on which it is needed';
    ok $t->wait_log(qr/\[error\].*drain= of cwmp_ready must name a file/),
        'the log says what to do';
    $t->finish;
};


subtest 'READY Redis goes and comes back' => sub {
    my $t = CWMP::Test->new(server => $READY, redis_options => 'timeout=500ms');
    is ready($t), '200 ready', 'Redis is there';

    $t->redis_stop;
    sleep(1.1);                         # it was heard of until then
    like ready($t), qr/^503 not ready: Redis at unix:\S+/, 'Redis is away';
    my $began = time();
    like ready($t), qr/^503 not ready: Redis at .* down: /, 'and why';
    cmp_ok time() - $began, '<', patience(0.4), 'at once';
    $t->redis_start;
    ok wait_for(sub { ready($t) eq '200 ready' }, 10),
        'it is back: ready, without a CPE that asked for it';

    sleep(1.1);
    $t->redis_sigstop;
    $began = time();
    like ready($t), qr/^503 not ready: .*no answer within 500 ms/,
        'Redis hangs: said when its time is over';
    cmp_ok time() - $began, '<', patience(1.5), 'in time';
    my @raw = map { $t->raw } 1 .. 5;
    $t->redis_cont;
    ok wait_for(sub { ready($t) eq '200 ready' }, 10), 'ready again';
    $t->finish;
};


subtest 'READY Redis answers, and takes no write' => sub {
    my $t = CWMP::Test->new(server => $READY);
    is ready($t), '200 ready', 'Redis is there';

    $t->redis->cmd('CONFIG', 'SET', 'min-replicas-to-write', 1);
    is $t->raw->post(inform(serial => 'W1'))->status, 503, 'a CPE hears 503';
    like ready($t), qr/^503 not ready: Redis says NOREPLICAS/,
        'and so does the balancer, at once';
    sleep(1.1);
    like ready($t), qr/^503 not ready: Redis says NOREPLICAS/,
        'also when no CPE comes';

    $t->redis->cmd('CONFIG', 'SET', 'min-replicas-to-write', 0);
    is ready($t), '200 ready', 'it takes them again';
    $t->finish;
};


subtest 'READY what it costs Redis' => sub {
    my $t = CWMP::Test->new(start => 0, server => $READY,
                            cwmp_redis => 'unix:%%DIR%%/proxy.sock');
    $t->redis_server->start;
    my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                      redis => $t->redis_server->socket);
    $t->start;
    my $asked = sub { scalar grep { /^FCALL cwmp_ready_1/ } $proxy->commands };
    my $raw = $t->raw;
    my ($began, $before) = (time(), $asked->());

    $raw->get('/ready') for 1 .. 200;
    cmp_ok $asked->() - $before, '<=', 1 + int(time() - $began),
        '200 probes: one question a second at most';

    $proxy->rule(qr/^FCALL cwmp_ready_1/, 'delay 0.5');
    sleep(1.1);
    $_->get('/ready', no_read => 1), $_->disconnect
        for map { $t->raw } 1 .. 5;
    is ready($t), '200 ready', 'probes that hung up harm nobody';
    $t->finish;
    $proxy->stop;
};


# A CPE with a session open and a task outstanding, an idle connection, and
# the node's end: it goes on at the other node.
subtest 'READY drain, quit, nothing lost' => sub {
    my $t = CWMP::Test->new(nodes => 2, server =>
        'location = /ready { cwmp_ready drain=%%PREFIX%%/drain; }');
    my $raw = $t->raw(0);
    my $id = CWMP::Redis::device_id('00D09E', 'Box', 'Q1');
    $t->redis->push_task($id, { id => 'a', method => 'GetParameterValues',
                                ParameterNames => ['Device.X'] });
    $raw->post(inform(serial => 'Q1'));
    my $rpc = $raw->empty;
    is $rpc->method, 'GetParameterValues', 'an RPC is outstanding';
    touch($t->prefix(0) . '/drain');
    like ready($t, '/ready', 0), qr/^503 draining/, 'the balancer sees it';
    is ready($t, '/ready', 1), '200 ready', 'of the other node it does not';

    ok $t->quit(0), 'nginx -s quit ends it';
    my $other = $t->raw(1);
    $other->{jar} = { %{ $raw->{jar} } };
    is $other->post(gpv_response($rpc->id, ['Device.X', 'string', '1']))
        ->status, 204, 'the CPE goes on at the other node';
    is $t->redis->result($id, 'a')->{status}, 'done', 'the task is done';
    unlink $t->prefix(0) . '/drain';
    $t->finish;
};


subtest 'READY a worker that is exiting' => sub {
    my $t = CWMP::Test->new(server => $READY, redis_options => 'timeout=5s');
    my ($cpe, $probe) = ($t->raw, $t->raw);
    is $cpe->post(inform(serial => 'X1'))->status, 200, 'a session';
    $t->redis_sigstop;
    $cpe->post('', no_read => 1);       # keeps the old worker
    my ($old) = $t->workers;
    my $begun = "GET /ready HTTP/1.1\r\n";
    $probe->send_raw($begun);
    sleep(0.3);
    kill 'QUIT', $old;
    sleep(0.5);
    $probe->send_raw("Host: x\r\n\r\n");
    my $r = eval { $probe->read_response({}) };
    is $r ? $r->status . ' ' . $r->body : $@,
        "503 draining: nginx is exiting\n", 'a probe that it has begun to read';
    $t->redis_cont;
    is $cpe->read_response({})->status, 204, 'what it serves it ends';
    $t->finish;
};

done_testing;
