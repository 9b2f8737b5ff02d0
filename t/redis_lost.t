#!/usr/bin/perl

# A connection to Redis that dies at the worst moment: before Redis has the
# call, after it carried it out and before nginx has the reply, or in the
# middle of the reply.  A process between the two does that on purpose, once
# for each POST of a session.  The worker repeats the call, Redis knows it, and
# the CPE gets its answer: nothing happens twice, nobody notices.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Raw ':build';
use CWMP::RedisProxy;
use CWMP::Test qw(wait_for);

my $RULES = 'Device.NAT.PortMapping.';
my $STEP = qr/ cwmp_step_\d /;


sub tasks {
    return (
        { id => 'add', method => 'AddObject', ObjectName => $RULES,
          values => { ExternalPort => 8080 } },
        { id => 'bad', method => 'SetParameterValues', ParameterList => {} },
        { id => 'set', method => 'SetParameterValues', ParameterList => {
          'Device.Time.NTPServer1' => 'ntp.test' } },
        { id => 'delete', method => 'DeleteObject',
          ObjectName => "${RULES}1." },
    );
}

my $RPCS = 'AddObject GetParameterValues SetParameterValues '
           . 'GetParameterValues SetParameterValues DeleteObject';
my $POSTS = 8;


my $t = CWMP::Test->new(start => 0, cwmp_redis => 'unix:%%DIR%%/proxy.sock');
$t->redis_server->start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->start;
my $r = $t->redis;


# A session in which trouble begins with POST k; $after undoes it.
sub session_with {
    my ($serial, $k, $trouble) = @_;
    my $cpe = $t->cpe(serial => $serial, before_post => sub {
        my ($cpe, $post) = @_;
        $trouble->() if $post->{n} == $k;
        return;
    });
    $r->push_task($cpe->id, tasks());
    return ($cpe, $cpe->run_session('2 PERIODIC'));
}


sub undisturbed {
    my ($cpe, $trace) = @_;
    ok $trace->{ok}, 'the session ends well' or diag $trace->{error};
    is scalar(@{ $trace->{steps} }), $POSTS, 'with no POST more than usual';
    is join(' ', map { $_->{method} } $cpe->done), $RPCS,
        'each RPC was carried out once';
    is_deeply [map { "$_->{id} $_->{status}" } $r->results($cpe->id)],
        ['add done', 'bad rejected', 'set done', 'delete done'],
        'each task has its one result';
}


subtest 'LOST nothing: what the others are measured by' => sub {
    undisturbed(session_with('L0', 0, sub { }));
};


# --- each call of a session ------------------------------------------------

my %WHEN = ('lose-call' => 'before Redis has the call',
            'lose-reply' => 'before nginx has the reply',
            'cut-reply' => 'in the middle of the reply');

for my $action (sort keys %WHEN) {
    for my $k (0 .. $POSTS - 1) {
        subtest "LOST connection $WHEN{$action}, POST " . ($k + 1) => sub {
            undisturbed(session_with("L$action$k", $k, sub {
                $proxy->rule($STEP, $action);
            }));
            is $proxy->hits, 1, 'the connection was lost';
        };
    }
}


subtest 'LOST reply to a verdict of a task that cannot be sent' => sub {
    $proxy->rule(qr/$STEP.* verdict /, 'lose-reply');
    undisturbed(session_with('LV', 0, sub { }));
    is $proxy->hits, 1, 'the connection was lost';
};


subtest 'LOST replies: a device is sent the form that its model wants' => sub {
    my $lost = 0;
    my $cpe = $t->cpe(serial => 'LQ', class => 'Odd', before_post => sub {
        $lost += $proxy->hits if $_[1]{n};
        $proxy->rule($STEP, 'lose-reply');
        return;
    }, after_post => sub {
        my ($cpe, $post, $answer) = @_;
        like $answer->body, qr/<s:Envelope/, "after $post->{what}"
            if $answer->status == 200;
    });
    $r->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '00D09E/Odd/*',
            '{"prefix":"s"}');
    $r->push_task($cpe->id, { id => 'm', method => 'GetRPCMethods' });
    ok $cpe->run_session('2 PERIODIC')->{ok}, 'the session ends well';
    is $cpe->count('GetRPCMethods'), 1, 'with its RPC';
    is $lost + $proxy->hits, 3, 'each reply was lost once';
};


# --- the CPE's own requests ------------------------------------------------

sub transfers {
    my ($id) = @_;
    return scalar grep { $_->{type} eq 'transfer' && $_->{device} eq $id }
           $r->events;
}


subtest 'LOST reply to a TransferComplete: it counts once' => sub {
    my $cpe = $t->cpe(serial => 'TC');
    $r->push_task($cpe->id, { id => 'fw', method => 'Download',
        FileType => '1 Firmware Upgrade Image', URL => 'http://a.test/f' });
    ok $cpe->run_session->{ok}, 'Download was accepted';

    $proxy->rule(qr/$STEP.* request .*TransferComplete/, 'lose-reply');
    my $trace = $cpe->run_session;
    ok $trace->{ok}, 'the CPE gets its TransferCompleteResponse'
        or diag $trace->{error};
    is $proxy->hits, 1, 'the connection was lost';
    is scalar(grep { $_->{sent} =~ /^TransferComplete/ } @{ $trace->{steps} }),
        1, 'the CPE sent it once';
    is scalar(my @sent = grep { /$STEP.* request .*TransferComplete/ }
              $proxy->commands), 2, 'the worker called twice';
    is transfers($cpe->id), 1, 'LOST one transfer is in the events';
    is_deeply [map { "$_->{id} $_->{status}" } $r->results($cpe->id)],
        ['fw done'], 'LOST the Download has its one result';
};


# --- a long response -------------------------------------------------------

for my $action (sort keys %WHEN) {
    subtest "LOST connection $WHEN{$action}, a chunk of a long response"
        => sub
    {
        my $raw = $t->raw;
        my $id = CWMP::Redis::device_id('00D09E', 'Box', "C$action");
        $r->push_task($id, { id => 'get', method => 'GetParameterValues',
                             ParameterNames => ['Device.'] });
        $raw->post(inform(serial => "C$action"));
        my $rpc = $raw->empty;
        is $rpc->method, 'GetParameterValues', 'all parameters are asked for';

        $proxy->rule(qr/ cwmp_chunk_3 /, $action);
        my $answer = $raw->post(gpv_response($rpc->id, map {
            ["Device.X.$_.Name", 'string', "value $_"] } 1 .. 3000));
        is $answer->status, 204, 'the session goes on';
        is $proxy->hits, 1, 'the connection was lost';
        my $params = $r->params($id, 'Device.X.');
        is scalar(keys %$params), 3000, 'LOST no parameter is missing';
        is $params->{'Device.X.3000.Name'}{value}, 'value 3000', 'the last';
        is_deeply [map { $_->{status} } $r->results($id)], ['done'],
            'the task is done';
    };
}


# --- more than once --------------------------------------------------------

# A call is repeated once; then the CPE hears 503, and repeats its POST.
subtest 'LOST again and again' => sub {
    my $raw = $t->raw;
    my $id = '00D09E-Box-A1';
    $r->push_task($id, { id => 'add', method => 'AddObject',
                         ObjectName => $RULES }, { id => 'get',
        method => 'GetParameterValues', ParameterNames => ['Device.Time.'] });
    $raw->post(inform(serial => 'A1'));
    my $rpc = $raw->empty;

    $proxy->rule($STEP, 'lose-reply', 2);
    my $answer = $raw->post(add_response($rpc->id, 7));
    is $answer->status, 503, 'LOST twice: 503';
    ok length($answer->header('Retry-After') // ''), 'with a Retry-After';
    is $proxy->hits, 2, 'the call was repeated once, not for ever';

    wait_for(sub {
        $t->raw->post(inform(serial => 'probe'))->status == 200
    }, 8) or diag 'Redis does not come back';
    my $next = $raw->repeat;
    is $next->method, 'GetParameterValues',
        'LOST the POST sent again gets the answer';
    is $raw->post(gpv_response($next->id, ['Device.Time.Enable', 'boolean',
                                           '1']))->status, 204, 'to the end';
    is_deeply [map { "$_->{id} $_->{status}" } $r->results($id)],
        ['add done', 'get done'], 'LOST each task has its one result';
    is $r->result($id, 'add')->{response}{InstanceNumber}, 7,
        'of the answer that the CPE gave';
};


# --- what Redis should not say ---------------------------------------------

subtest 'LOADING and other answers that end a connection' => sub {
    for my $said ('-LOADING Redis is loading the dataset in memory',
                  '-MASTERDOWN Link with MASTER is down',
                  '-CLUSTERDOWN The cluster is down',
                  '-MOVED 1 127.0.0.1:1')
    {
        my ($word) = $said =~ /(\w+)/;
        $proxy->rule($STEP, "say $said");
        my $answer = $t->raw->post(inform(serial => "S$word"));
        is $answer->status, 503, "RULE-11 $word: 503";
        ok wait_for(sub {
            $t->raw->post(inform(serial => 'probe'))->status == 200
        }, 8), "RULE-11 $word: connected again without a restart";
        ok $t->wait_log(qr/it says "$word/), "$word is in the log";
        next unless $word =~ /MOVED|CLUSTER/;
        ok $t->wait_log(qr/it says "$word.*add "cluster" to cwmp_redis/),
            'with what to do';
    }
};


subtest 'an error of the function, and nonsense' => sub {
    my $connections = $proxy->connections;
    $proxy->rule($STEP, 'say -ERR boo in function');
    my $answer = $t->raw->post(inform(serial => 'E1'));
    is $answer->status, 503, 'an error reply: 503';
    ok $t->wait_log(qr/\[error\].*Redis answered: ERR boo.*device: \S+-E1/),
        'the log has it, with the device';
    is $proxy->connections, $connections, 'the connection stays';

    $proxy->rule($STEP, "say -ERR unknown command 'FCALL', with args "
                        . "beginning with: 'cwmp_step_2' 'a token'");
    is $t->raw->post(inform(serial => 'E1'))->status, 503, 'FCALL is refused';
    ok $t->wait_log(qr/answered: ERR unknown command 'FCALL' while/),
        'what an error quotes of the call is not in the log';

    $proxy->rule($STEP, 'say :1');
    is $t->raw->post(inform(serial => 'E2'))->status, 503, 'no verb: 503';
    $proxy->rule($STEP, 'say ?what');
    is $t->raw->post(inform(serial => 'E3'))->status, 503,
        'RULE-08 bytes that are no RESP: 503';
    ok wait_for(sub {
        $t->raw->post(inform(serial => 'probe'))->status == 200
    }, 8), 'RULE-08 on a new connection all is well';
    cmp_ok $proxy->connections, '>', $connections, 'the old one was closed';
};

$t->finish;
$proxy->stop;
done_testing;
