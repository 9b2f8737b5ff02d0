#!/usr/bin/perl

# The session's state table, row by row, as a CPE sees it: who has the turn,
# what a POST that comes twice, too early, too late or not at all does, and how
# a session is carried from POST to POST.  What becomes of a task whose session
# died is in t/lost.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(server => <<'CONF');
    location /few { cwmp_acs; cwmp_max_rpcs 2; }
    location /direct { cwmp_acs; cwmp_session_fallback connection; }
    location /brief { cwmp_acs; cwmp_session_timeout 1s outstanding=1s; }
    location /patient { cwmp_acs; cwmp_session_timeout 7s outstanding=40s; }
CONF

my $n = 0;

sub device { return CWMP::Script->new($t, 'S' . ++$n, @_) }
sub ids { return join(' ', map { $_->id // '-' } @_) }
sub methods { return join(' ', map { $_->method // $_->status } @_) }


# --- S0: no session --------------------------------------------------------

subtest 'SES-01 a session begins with an Inform, nothing else' => sub {
    my $d = device();
    $d->give_reads('a');
    my %wrong = (response => gpv_response('x', ['Device.a', 'string', '1']),
                 fault => fault('x', 9001, 'no'),
                 request => transfer_complete(key => 'k'));

    for my $kind (sort keys %wrong) {
        my $r = $d->post($wrong{$kind});
        is $r->status, 400, "SES-01 a $kind without a session is refused";
        is $r->header('Connection'), 'close', '... and the connection closed';
        like $r->body, qr/begin with an Inform/, '... with the reason';
    }
    my $r = $d->empty;
    is $r->status, 204, 'an empty POST without a session: 204';
    is $r->header('Set-Cookie'), undef, '... and no session';
    ok !$d->has('session') && !$d->has(), 'SES-01 nothing is written';
    is_deeply $d->ended, [], 'no task was touched';
};


subtest 'SES-02 the Inform is answered by one InformResponse' => sub {
    my $r = device()->inform;
    is $r->method, 'InformResponse', 'SES-02 InformResponse';
    is $r->arg('MaxEnvelopes'), 1, 'SES-02 MaxEnvelopes 1';
    is scalar(() = $r->body =~ /<[\w-]*:?Envelope\b/g), 1,
        'SES-02 one envelope';
    is $r->id, 'i-1', 'with its ID';
    is scalar($r->header_all('Set-Cookie')), 1, 'and one cookie';
};


# --- S1: the CPE's turn ----------------------------------------------------

subtest "SES-03 SES-04 the CPE's requests come first" => sub {
    my $d = device();
    $d->give_reads('a');

    my @got = ($d->inform,
        $d->post(transfer_complete(key => 'k1', id => 'tc1')),
        $d->post(request('rm', 'GetRPCMethods')),
        $d->post(transfer_complete(key => 'k2', id => 'tc2')));
    is methods(@got), 'InformResponse TransferCompleteResponse '
        . 'GetRPCMethodsResponse TransferCompleteResponse',
        'SES-03 no RPC before the empty POST, though a task waits';
    is ids(@got), 'i-1 tc1 rm tc2', 'SES-04 each request gets its own response';

    my $r = $d->post(request('b', 'X_ACME_Bogus'));
    is $r->fault_code, 8000, 'an unknown request: a fault';
    is $d->empty->method, 'GetParameterValues', 'SES-03 then it is our turn';
};


subtest 'S1: a response to nothing counts as an empty POST' => sub {
    my $d = device();
    $d->give_reads('a');
    $d->inform;
    my $r = $d->post(gpv_response('x', ['Device.a', 'string', '1']));
    is $r->method, 'GetParameterValues', 'a response: the task begins';
    is $d->status('a'), 'none', '... and is not answered by it';

    $d->inform;
    is $d->post(fault('x', 9002, 'no'))->method, 'GetParameterValues',
        'a fault likewise';
    ok $t->wait_log(qr/Fault with nothing outstanding/, 2), 'it is logged';
};


# --- S2: the ACS's turn ----------------------------------------------------

subtest 'SES-05 SES-06 tasks one by one, then 204' => sub {
    my $d = device();
    $d->give_reads(qw(a b c));

    my @rpc = ($d->begin);
    push @rpc, $d->respond($rpc[-1]) for 1 .. 3;
    is join(' ', map { ($_->names)[0] } @rpc[0 .. 2]),
        'Device.a Device.b Device.c', 'SES-05 in their order, one each';
    my %id = map { ($_->id => 1) } @rpc[0 .. 2];
    is keys %id, 3, 'each with an ID of its own';
    is_deeply $d->ended, ['a done', 'b done', 'c done'], 'all are done';

    my $end = $rpc[3];
    is $end->status, 204, 'SES-06 then 204';
    is $end->body, '', '... without a body';
    is $end->header('Content-Type'), undef, '... and without a type';
    is device()->begin->status, 204, 'SES-06 204 at once without tasks';
};


subtest 'SES-07 a fault ends its task, not the session' => sub {
    my $d = device();
    $d->give_reads(qw(a b));
    my $r = $d->refuse($d->begin, 9005);
    is +($r->names)[0], 'Device.b', 'SES-07 the next RPC is sent';
    is $d->respond($r)->status, 204, 'the session ends as usual';
    is_deeply $d->ended, ['a fault', 'b done'], 'SES-07 one failed, one done';
};


subtest 'SES-10 empty POSTs while a response is due' => sub {
    my $d = device();
    $d->give_reads(qw(a b c));

    my $first = $d->begin;
    my $again = $d->empty;
    is $again->body, $first->body, 'SES-10 one: the same RPC, the same ID';
    my $second = $d->respond($first);
    is +($second->names)[0], 'Device.b', 'SES-10 the response is taken';
    is $d->status('a'), 'done', 'SES-10 nothing is lost';

    is $d->empty->id, $second->id, 'one for the next RPC';
    is $d->post(request('q', 'GetRPCMethods'))->method,
        'GetRPCMethodsResponse', '... a request in between';
    is $d->empty->id, $second->id, '... ends the row: the same RPC again';
    my $third = $d->empty;
    is +($third->names)[0], 'Device.c', 'SES-10 two in a row: the next task';
    is $d->status('b'), 'lost', 'SES-10 ... and this one is lost';
    like $d->reason('b'), qr/did not answer/, '... with the reason';
    is $d->respond($third)->status, 204, 'SES-10 the session goes on';
    is_deeply $d->ended, ['a done', 'b lost', 'c done'], 'one result each';
};


subtest 'SES-11 a response of another method' => sub {
    my $d = device();
    $d->give_reads(qw(a b));
    my $r = $d->begin;
    $r = $d->post(spv_response($r->id, 0));
    is +($r->names)[0], 'Device.b', 'SES-11 the session goes on';
    is $d->status('a'), 'lost', 'SES-11 the task failed';
    like $d->reason('a'),
        qr/invalid response: SetParameterValuesResponse to GetParameterValues/,
        '... and the result says why';
    is $d->respond($r)->status, 204, 'the end as usual';
    is $d->status('b'), 'done', 'the next task is not harmed';
};


subtest 'SES-12 the ID of a response is not insisted on' => sub {
    my $d = device();
    $d->give_reads(qw(a b));
    my @value = (['Device.a', 'string', '1']);
    $d->begin;
    my $r = $d->post(gpv_response('something else', @value));
    is $d->status('a'), 'done', 'SES-12 a wrong ID is accepted';
    $r = $d->post(gpv_response(undef, @value));
    is $d->status('b'), 'done', 'SES-12 a missing one too';
    is $r->status, 204, 'the session ends as usual';
};


subtest 'SES-12 TOL-08 an ID that looks like another RPC of ours' => sub {
    my $d = device();
    my $add = { method => 'AddObject', ObjectName => 'Device.T.' };
    $d->give({ %$add, id => 'one' }, { %$add, id => 'two' });
    my $r = $d->begin;
    my $id = $r->id;
    $r = $d->post(add_response($id, 7));
    is $r->method, 'AddObject', 'the second one';
    is $d->post(add_response($id, 8))->status, 204,
        'SES-12 its answer with the ID of the first: it is not sent again';
    is $d->result('two')->{response}{InstanceNumber}, 8, '... but done';

    $d->give({ method => 'Reboot', id => 'rb' });
    $d->begin;
    is $d->post(fault('abc.1', 9001))->status, 204, 'SES-12 a fault likewise';
    is $d->status('rb'), 'fault', '... ends its task';

    $d->give_reads(qw(a b c));
    $id = $d->begin->id;
    my $posts = 0;
    while (++$posts < 20) {
        last if $d->post(gpv_response($id, ['Device.a', 'int', $posts]))->status
                == 204;
    }
    is_deeply [@{ $d->ended }[-3 .. -1]], ['a done', 'b done', 'c done'],
        'TOL-08 reads with one ID for all answers';
    cmp_ok $posts, '<=', 5, 'SES-12 each is sent once more at most';
    $t->expect_log(qr/the answer to another RPC, ID \S+, is ignored/, [1, 3]);
};


subtest 'SES-13 a request of the CPE while our RPC is outstanding' => sub {
    my $d = device();
    $d->give_reads('a');
    my $rpc = $d->begin;

    is $d->post(request('q', 'GetRPCMethods'))->method,
        'GetRPCMethodsResponse', 'SES-13 is answered';
    is $d->post(transfer_complete(key => 'z'))->method,
        'TransferCompleteResponse', 'SES-13 another one too';
    is $d->post(request('q', 'X_ACME_Bogus'))->fault_code, 8000,
        'an unknown one with a fault';
    is $d->status('a'), 'none', 'the task is still running';
    is $d->respond($rpc)->status, 204, 'then comes the response';
    is $d->status('a'), 'done', 'SES-13 the RPC completes';
};


# --- the same bytes twice --------------------------------------------------

subtest 'a POST that is sent again gets the same answer once' => sub {
    my $d = device();
    my $inform = $d->inform_text;
    my $r = $d->post($inform);
    my $first = $d->cookie;
    $d->raw->forget_cookies;
    $d->redis->cmd('PEXPIRE', $d->key('session'), 3000);
    is $d->post($inform, new => 1)->body, $r->body, 'Inform: the same response';
    cmp_ok $d->lease, '>', 20_000, '... which lives on as if it was the first';
    is $d->cookie, $first, '... and the same session';
    is $d->post($inform)->status, 200, 'a third time';
    isnt $d->cookie, $first, '... it is a new session';

    $d->give_reads(qw(a b c));
    my $rpc = $d->empty;
    my $text = CWMP::Script::answer_to($rpc);
    my $second = $d->post($text);
    is +($second->names)[0], 'Device.b', 'response: the next RPC';
    is $d->post($text, new => 1)->body, $second->body,
        '... and the same one again, on another connection';
    is_deeply $d->ended, ['a done'], '... which took nothing from the queue';
    is +($d->post($text)->names)[0], 'Device.c',
        'a third time: taken as new, and answers the RPC outstanding';
    is_deeply $d->ended, ['a done', 'b done'], '... one result each';

    my $complete = transfer_complete(key => 'unknown', id => 'tc');
    my @got = map { $d->post($complete) } 1 .. 2;
    is $got[1]->body, $got[0]->body, 'request: the same response';
    my $said = grep { $_->{type} eq 'transfer' && $_->{device} eq $d->id }
               $d->redis->events;
    is $said, 1, '... and it happened once';

    my $refusal = fault('x', 9002, 'Internal error');
    is $d->post($refusal)->status, 204, 'fault: the end';
    is $d->post($refusal)->status, 204, '... the end again';
    is_deeply $d->ended, ['a done', 'b done', 'c fault'], '... one result';
};


subtest 'a CPE that echoes no ID' => sub {
    my $d = device();
    $d->give_reads(qw(a b c));
    my $text = gpv_response(undef, ['Device.a', 'string', '1']);
    $d->begin;
    is +($d->post($text)->names)[0], 'Device.b', 'its first response';
    my $third = $d->post($text);
    is +($third->names)[0], 'Device.c',
        'the same bytes on the same connection: its second one';
    is $d->post($text, new => 1)->id, $third->id,
        'on another connection: sent again, the same RPC';
    is_deeply $d->ended, ['a done', 'b done'], 'one result each';
    is $d->post($text)->status, 204, 'its third one';
    is_deeply $d->ended, ['a done', 'b done', 'c done'], 'all are done';
};


subtest 'the same bytes after 204 are no repetition' => sub {
    my $d = device();
    my $ask = request('x', 'GetRPCMethods');
    $d->inform;
    is $d->post($ask)->method, 'GetRPCMethodsResponse', 'a request';
    is $d->empty->status, 204, 'the end';
    is $d->post($ask, new => 1)->method, 'GetRPCMethodsResponse',
        'the request on another connection: its response';
};


subtest 'tasks that come in the middle of a session keep their order' => sub {
    my $d = device();
    $d->inform;
    $d->give_reads(qw(a b));
    is +($d->empty->names)[0], 'Device.a', 'the first one first';
};


# --- S3: after 204 ---------------------------------------------------------

subtest 'SES-08 SES-09 after 204' => sub {
    my $d = device();
    is $d->begin->status, 204, 'the end';
    is $d->empty->status, 204, 'SES-09 an extra empty POST: 204';
    is $d->empty->status, 204, 'SES-09 and another one';

    my $cookie = $d->cookie;
    my $r = $d->post(transfer_complete(key => 'k', id => 'late'));
    is $r->method, 'TransferCompleteResponse', 'SES-08 a request is served';
    is $r->id, 'late', '... with its ID';
    is $d->cookie, $cookie, 'SES-08 in the same session';
    $d->give_reads('a');
    is $d->empty->method, 'GetParameterValues',
        'its empty POST gives us the turn again';
};


# --- a second Inform, old and unknown cookies ------------------------------

subtest 'SES-14 SES-15 a second Inform replaces the first session' => sub {
    my $d = device();
    $d->give_reads(qw(a b));
    my $rpc = $d->begin;
    my $old = $d->cookie;
    my $began = time();

    my $again = CWMP::Script->new($t, $d->{serial});
    my $r = $again->begin;
    cmp_ok time() - $began, '<', 5, 'SES-14 at once: no lock-out';
    isnt $again->cookie, $old, 'SES-14 a session of its own';
    is +($r->names)[0], 'Device.a', 'the read of the old one is sent again';
    isnt $r->id, $rpc->id, '... as a new RPC';

    my @many = map { ["Device.Old.$_", 'string', 'x' x 90] } 1 .. 2500;
    my %old = (response => CWMP::Script::answer_to($rpc),
               'long response' => gpv_response($rpc->id, @many),
               request => transfer_complete(key => 'k'));
    for my $kind (sort keys %old) {
        my $no = $d->post($old{$kind}, cookie => $old, new => 1);
        is $no->status, 400, "SES-15 a $kind with the old cookie is refused";
        is $no->header('Connection'), 'close', '... and the connection closed';
    }
    is $d->empty(cookie => $old)->status, 204,
        'SES-15 an empty POST with it gets no RPC';
    is $d->value('Device.Old.1'), undef, 'SES-15 nothing of it is stored';
    is_deeply $d->ended, [], 'no task was touched';
    is join(' ', $again->obey($r)), 'GetParameterValues GetParameterValues',
        'the new session is not disturbed';
    is_deeply $d->ended, ['a done', 'b done'], 'one result each';

    $r = $d->inform;
    isnt $d->cookie, $old, 'an Inform with the old cookie: a new session';
    is $d->empty->status, 204, '... that works';
};


subtest 'SES-16 a cookie that nobody gave out' => sub {
    my $d = device();
    $d->inform;
    my ($name, $value) = split(/=/, $d->cookie, 2);
    (my $forged = $value) =~ tr/0-8a-y/1-9b-z/;
    my $other = device();
    $other->inform;
    my (undef, $hers) = split(/=/, $other->cookie, 2);
    my $mixed = $hers;
    substr($mixed, 0, 20) = substr($value, 0, 20);

    my %bad = (forged => $forged, mixed => $mixed, empty => '', short => 'a',
               long => 'a' x 3000, odd => '%%%;=".');
    for my $kind (sort keys %bad) {
        my $r = $d->post(gpv_response('1', ['Device.x', 'string', 'x']),
                         cookie => "$name=$bad{$kind}");
        is $r->status, 400, "SES-16 $kind cookie and a response: 400";
        is $r->header('Connection'), 'close', '... and the connection closed';
        $r = $d->post($d->inform_text, cookie => "$name=$bad{$kind}");
        is $r->method, 'InformResponse', "SES-16 $kind cookie and an Inform";
    }
    is $d->empty->status, 204, 'a new session, and it works';
};


# --- how long, how much ----------------------------------------------------

sub between {
    my ($got, $low, $high, $name) = @_;
    ok $got > $low * 1000 && $got <= $high * 1000, $name
        or diag "$got ms is not in $low s to $high s";
}


subtest 'SessionTimeout, and the time-outs of the configuration' => sub {
    my $d = device(url => $t->url(0, '/patient'));
    $d->inform;
    between($d->lease, 3, 7, 'cwmp_session_timeout');
    $d->give_reads('a');
    my $rpc = $d->empty;
    between($d->lease, 20, 40, 'outstanding= while an RPC is');
    $d->respond($rpc);
    between($d->lease, 3, 7, 'and back after its response');

    my %asked = (60 => [40, 60], 2 => [3, 7], 100_000_000 => [1800, 3600]);
    for my $seconds (sort { $a <=> $b } keys %asked) {
        $d->{timeout} = $seconds;
        $d->inform;
        my $name = "SessionTimeout $seconds";
        between($d->lease, @{ $asked{$seconds} }, $name);
        $d->empty;
        between($d->lease, @{ $asked{$seconds} }, "$name for later POSTs too");
    }

    my $brief = device(url => $t->url(0, '/brief'), timeout => 30);
    $brief->give_reads('a');
    my $first = $brief->begin;
    select(undef, undef, undef, 2.5);       # more than both time-outs
    is $brief->respond($first)->status, 204, 'SessionTimeout is lived by';
    is $brief->status('a'), 'done', '... also while an RPC is outstanding';
};


subtest 'SES-17 an idle session ends, and its RPC is not forgotten' => sub {
    my $d = device(url => $t->url(0, '/brief'));
    $d->give_reads('a');
    my $rpc = $d->begin;
    ok wait_for(sub { !$d->has('session') && !$d->has('running') }, 6),
        'SES-17 session and running task are given up';
    is $d->post(CWMP::Script::answer_to($rpc))->status, 400,
        'a response that comes too late is refused';
    my ($lost) = grep { $_->{type} eq 'session' && $_->{device} eq $d->id }
                 $d->redis->events;
    is $lost && "$lost->{state} $lost->{task}", 'lost a',
        'SES-17 an event says it';
    ok $t->wait_log(qr/no POST within the session time-out.*task a/, 2),
        'SES-17 so does the log';
};


subtest 'cwmp_max_rpcs' => sub {
    my $d = device(url => $t->url(0, '/few'));
    $d->give_reads(qw(a b c));
    is join(' ', $d->session), 'GetParameterValues GetParameterValues',
        'two RPCs, then 204';
    is_deeply $d->ended, ['a done', 'b done'], 'done';
    ok $t->wait_log(qr/more tasks than cwmp_max_rpcs/, 2), 'it is logged';
    is join(' ', $d->session), 'GetParameterValues',
        'the rest in the next session';
    is $d->status('c'), 'done', 'nothing is lost';
};


# --- what carries a session ------------------------------------------------

subtest 'TOL-32 a session may last, and bring, only so much' => sub {
    my $redis = $t->redis;
    my $ask = request('x', 'GetRPCMethods');
    my ($now) = $redis->list('TIME');
    my %end = (o => ($now - 4 * 3600 + 5) . '000', b => 256 * 1024 * 1024 - 100_000);

    for my $field ('o', 'b') {
        my $over = sub {
            my ($d) = @_;
            return $redis->cmd('HINCRBY', $d->key('session'), $field,
                               $field eq 'o' ? -6000 : 100_001);
        };
        my $d = device();
        $d->give_reads('a', 'b');
        $d->inform;
        cmp_ok $redis->cmd('HGET', $d->key('session'), 'b'), '>', 1000,
            'bytes are counted';
        $redis->cmd('HSET', $d->key('session'), $field, $end{$field});
        is $d->post($ask)->method, 'GetRPCMethodsResponse',
            "$field: up to the bound requests are answered";
        my $r = $d->empty;
        is $r->method, 'GetParameterValues', '... and tasks sent';
        $over->($d);
        is $d->respond($r)->status, 204, 'TOL-32 beyond it no RPC follows';
        is_deeply $d->ended, ['a done'], '... but its answer counts';
        is $d->post($ask)->status, 400, 'TOL-32 a further request: 400';
        ok !$d->has('session'), '... the session is over';
        is $d->begin->method, 'GetParameterValues', 'the rest in the next one';

        # a request while an RPC is outstanding: it is lost with the session
        $redis->cmd('HSET', $d->key('session'), $field, $end{$field});
        $over->($d);
        my $refused = $d->post($ask);
        is $refused->status, 400, 'TOL-32 so at once';
        like $refused->body, qr/the session is over/, '... with the reason';
        ok !$d->has('running'), '... and its RPC is not forgotten';
        is $d->begin->method, 'GetParameterValues', '... but sent again';
        $redis->cmd('HSET', $d->key('session'), $field, $end{$field});
        $over->($d);
        $d->empty for 1 .. 3;
        is $d->status('b'), 'lost', 'empty POSTs: as ever';
        is $d->empty->status, 204, '... in the end';
        ok !$d->has('session'), 'TOL-32 of what follows the 204 no session lives';
    }
    my $d = device();
    $d->inform;
    $redis->cmd('HDEL', $d->key('session'), 'o', 'b');
    is $d->post($ask)->method, 'GetRPCMethodsResponse',
        'a session of an older version goes on';
    ok $t->wait_log(qr/the session lasts longer than 4 hours: it is ended/, 2)
       && $t->wait_log(qr/the session brings more than 256 MB: it is ended/, 2),
        'the log says so';
};


subtest 'cwmp_session_fallback connection' => sub {
    my @none = (cookie => undef);
    my $d = device(url => $t->url(0, '/direct'));
    $d->give_reads(qw(a b));
    $d->post($d->inform_text, @none);
    my $r = $d->empty(@none);
    $r = $d->respond($r, undef, @none) for 1 .. 2;
    is $r->status, 204, 'a session without a cookie, on one connection';
    is_deeply $d->ended, ['a done', 'b done'], 'its tasks are done';
    is $d->raw->{connections}, 1, '(one connection)';

    $d->give_reads('c');
    $d->post($d->inform_text, @none);
    $r = $d->empty(@none);
    is $r->method, 'GetParameterValues', 'another session on it';
    is $d->respond($r, undef, @none, new => 1)->status, 400,
        'not on another connection';
    is $d->status('c'), 'none', '... where nothing is taken';

    my $x = device(url => $t->url(0, '/direct'));
    my $y = device(raw => $x->raw);
    $_->give_reads('p') for $x, $y;
    $x->post($x->inform_text, @none);
    $y->post($y->inform_text, @none);
    is $x->empty(@none)->status, 204,
        'a second identity on the connection: it carries no session';
    $x->post($x->inform_text, @none);
    is $x->empty(@none)->status, 204, '... never again, for the first one too';
    is $x->post(gpv_response('1', ['Device.p', 'string', 'x']), @none)->status,
        400, '... and no response is taken';
    is_deeply [@{ $x->ended }, @{ $y->ended }], [], 'no task was touched';
    is $x->begin->method, 'GetParameterValues',
        'cookies work there all the same';

    my $off = device();
    $off->give_reads('a');
    $off->post($off->inform_text, @none);
    is $off->empty(@none)->status, 204, 'off by default: no RPC';
    is $off->post(gpv_response('1', ['Device.a', 'string', 'x']),
                  @none)->status, 400, '... and 400';
};


# What libcurl does when it is set to "any" or "digest" and is not challenged:
# an empty POST first, whose answer it ignores, then the real one.
sub probing {
    my ($d, $body, $doubled) = @_;
    $d->empty if length $body || $doubled;
    return $d->post($body);
}


for my $doubled (0, 1) {
    subtest 'SES-10 libcurl probes with an empty POST before each '
        . ($doubled ? 'POST, empty ones too' : 'real POST') => sub
    {
        my $d = device();
        $d->give_reads(qw(a b c));
        probing($d, $d->inform_text, $doubled);
        my $r = probing($d, '', $doubled);
        my @names;
        while ($r->status == 200 && @names < 9) {
            push @names, $r->names;
            $r = probing($d, gpv_response($r->id,
                [$names[-1], 'string', "value of $names[-1]"]), $doubled);
        }
        is "@names", 'Device.a Device.b Device.c', 'each RPC once';
        # two empty POSTs in a row end the first one; the answer to it that
        # still comes must not be taken for the second one's
        is_deeply $d->ended,
            [$doubled ? 'a lost' : 'a done', 'b done', 'c done'],
            'SES-10 the session completes';
        is $d->value('Device.b'), 'value of Device.b',
            'each with its own answer';
        is $r->status, 204, 'then the end';
    };
}


for my $where ('/cwmp', '/direct') {
    subtest "two devices interleaved on one connection, $where" => sub {
        my $raw = $t->raw(0, url => $t->url(0, $where));
        my @d = map { device(raw => $raw) } 1 .. 2;
        my @jar;
        my $turn = sub {
            my ($i, $body) = @_;
            $raw->{jar} = $jar[$i] || {};
            my $r = $raw->post($body);
            $jar[$i] = $raw->{jar};
            return $r;
        };

        $_->give_reads(qw(a b)) for @d;
        $turn->($_, $d[$_]->inform_text) for 0, 1;
        my @r = map { $turn->($_, '') } 0, 1;
        for my $leaf (qw(a b)) {
            @r = map { $turn->($_, gpv_response($r[$_]->id,
                ["Device.$leaf", 'string', "of $d[$_]{serial}"])) } 1, 0;
            @r = reverse @r;
        }
        is methods(@r), '204 204', 'both sessions end';
        is $raw->{connections}, 1, '(one connection)';
        for my $d (@d) {
            is_deeply $d->ended, ['a done', 'b done'], 'each has its results';
            is $d->value("Device.$_"), "of $d->{serial}", 'and its own values'
                for qw(a b);
        }
    };
}

done_testing;
