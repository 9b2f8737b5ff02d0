#!/usr/bin/perl

# The Redis client inside a worker: it neither holds a worker that should
# leave nor lets one leave that is needed, survives CPEs that vanish, matches
# each reply with its call, and is bounded.  RULE-nn are rules learnt from
# other clients of this kind, where each was broken once:
#
#   01 a worker that quits answers what waits for Redis, and nothing else
#      keeps it
#   02 it leaves no socket open; 03 worker_shutdown_timeout ends it
#   04 a CPE that vanished is not answered; 05 it costs nothing that stays;
#   06 it is noticed at once; 07 the next request on a connection is served
#   08 a late reply is nobody's; 09 calls of one turn are one write
#   10 what waits is bounded; 11 nothing is sent before the handshake ended
#   12 only workers connect, when they need it; 14 nginx does not close the
#      connection to make room; 16 a single process works
#   17 every key has its partition's hash tag
#
# (13 is about TLS, 15 about subscriptions, 18 about UDP: not there yet.)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::Sockets qw(unread freeze open_files write_calls);
use CWMP::Test qw(wait_for slurp patience);


# On TCP, where one can see what Redis has not read.
sub with_tcp {
    my (%opt) = @_;
    my $more = delete $opt{redis_words} // '';
    my $t = CWMP::Test->new(redis => { port => 'auto',
                                       %{ delete $opt{redis} || {} } },
                            start => 0, %opt);
    $t->node->{redis} = '127.0.0.1:' . $t->redis_server->port . " $more";
    return $t->start_all;
}


sub call_arrives {
    my ($t) = @_;
    return wait_for(sub { unread($t->redis_server->port) > 500 });
}


# A POST whose call lies in the socket of a Redis that is frozen.
sub pending_post {
    my ($t, $serial) = @_;
    my $raw = $t->raw;

    $t->raw->post(inform(serial => 'other'));       # it is connected to Redis
    $t->redis_sigstop;
    $raw->post(inform(serial => $serial), no_read => 1);
    call_arrives($t) or die "the call does not reach Redis\n";
    return $raw;
}


# The device that a session's cookie belongs to.
sub device_of {
    my ($answer) = @_;
    my ($cookie) = ($answer->header('Set-Cookie') // '') =~ /^[^=]+=([^;]*)/
        or return 'none';
    my ($serial) = $cookie =~ /(S\d+)$/;
    return $serial // $cookie;
}


sub serves {
    my ($t, $name, $n) = @_;
    my $answer = $t->raw($n)->post(inform(serial => 'S1'));
    is $answer->status, 200, $name;
}


# --- leaving ---------------------------------------------------------------

subtest 'RULE-01 a POST that waits for Redis when nginx quits' => sub {
    my $t = with_tcp();
    my $raw = pending_post($t, 'S1');
    my ($worker) = $t->workers;

    $t->signal(0, 'QUIT');
    ok wait_for(sub { !$t->workers }), 'the worker begins to leave';
    sleep(0.3);
    ok $t->node->alive, 'RULE-01 it stays as long as the call waits';
    $t->redis_server->cont;
    is $raw->read_response({})->status, 200, 'RULE-01 the POST is answered';
    ok $t->node->wait_exit(3), 'RULE-01 then nginx is gone';
    unlike $t->error_log, qr/open socket/, 'RULE-02 and left no socket open';
    $t->finish;
};


subtest 'RULE-01 a POST that waits when nginx reloads' => sub {
    my $t = with_tcp();
    my $raw = pending_post($t, 'S1');
    my ($old) = $t->workers;

    $t->reload;
    is_deeply [grep { $_ == $old } $t->node->workers(1)], [$old],
        'RULE-16 the old worker is still there';
    $t->redis_server->cont;
    is $raw->read_response({})->status, 200,
        'RULE-01 the old worker answers the POST';
    ok wait_for(sub { !grep { $_ == $old } $t->node->workers(1) }, 3),
        'RULE-01 then it is gone';
    serves($t, 'RULE-16 the new one serves');
    unlike $t->error_log, qr/open socket/, 'RULE-02 no socket was left open';
    $t->finish;
};


subtest 'RULE-01 nothing else keeps a worker' => sub {
    my $t = with_tcp();
    my $begin = time();
    my $raw = pending_post($t, 'S1');
    $t->signal(0, 'QUIT');
    is $raw->read_response({})->status, 503,
        'RULE-01 Redis does not answer: 503 while nginx quits';
    ok $t->node->wait_exit(3), 'RULE-01 and the worker leaves';
    cmp_ok time() - $begin, '<', patience(4), 'in time';

    $t->redis_server->cont;
    $t->start;
    serves($t, 'a connection that is used, then idle');
    $begin = time();
    is $t->quit, 'QUIT', 'RULE-01 an idle worker quits';
    cmp_ok time() - $begin, '<', patience(1), 'RULE-01 at once';

    $t->start;
    $t->redis_stop;
    is $t->raw->post(inform(serial => 'S1'))->status, 503, 'Redis is down';
    $begin = time();
    is $t->quit, 'QUIT', 'RULE-01 a worker that tries to reconnect quits';
    cmp_ok time() - $begin, '<', patience(1), 'RULE-01 at once';
    unlike $t->error_log, qr/open socket/, 'RULE-02 no socket was left open';
    $t->finish;
};


# A Redis that closes each connection: nginx waits longer after each of them.
subtest 'RULE-01 back-off' => sub {
    my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1');
    my $t = CWMP::Test->new(redis => 0, ready => '/x',
        cwmp_redis => '127.0.0.1:' . $listen->sockport,
        server => 'location = /x { return 200 "x"; }');
    my @at;

    $t->raw->post(inform(serial => 'S1'), no_read => 1);
    while (@at < 6 && IO::Select->new($listen)->can_read(patience(4))) {
        close($listen->accept);
        push @at, time();
    }
    is scalar(@at), 6, 'RULE-11 nginx tries again';
    cmp_ok $at[5] - $at[4], '>', 3 * ($at[1] - $at[0]),
        'RULE-11 waiting longer each time';

    my $begin = time();
    is $t->quit, 'QUIT', 'RULE-01 a worker that waits to try again quits';
    cmp_ok time() - $begin, '<', patience(0.4), 'RULE-01 at once';
    $t->finish;
};


subtest 'RULE-02 a fast shutdown with calls under way' => sub {
    my $t = with_tcp();
    my $raw = pending_post($t, 'S1');
    $t->stop;
    unlike $t->error_log, qr/open socket/, 'RULE-02 no socket was left open';
    $t->finish;
};


subtest 'RULE-03 worker_shutdown_timeout' => sub {
    my $t = with_tcp(redis_words => 'timeout=30s',
                     main => 'worker_shutdown_timeout 300ms;');
    my $raw = pending_post($t, 'S1');
    sleep(1.2);             # by then what is due was asked, each second, too
    my $begin = time();
    $t->signal(0, 'QUIT');
    ok $t->node->wait_exit(5), 'RULE-03 the worker leaves';
    cmp_ok time() - $begin, '<', patience(2),
        'RULE-03 long before the call times out';
    unlike $t->error_log, qr/open socket/, 'RULE-02 no socket was left open';
    $t->finish;
};


# --- CPEs that vanish ------------------------------------------------------

subtest 'RULE-04 CPEs that vanish while their calls wait' => sub {
    my $t = with_tcp(redis_words => 'timeout=20s');
    my ($worker) = $t->workers;
    serves($t, 'a first session');
    my $files = open_files($worker);

    for my $how (qw(disconnect reset)) {
        my $keep = pending_post($t, 'S99');
        my $gone = () = $t->error_log =~ /client prematurely closed/g;
        my @raws = map { $t->raw } 1 .. 40;
        $raws[$_]->post(inform(serial => "S$_"), no_read => 1) for 0 .. $#raws;
        my $late = $t->raw;
        $late->post(inform(serial => 'S98'), no_read => 1);
        wait_for(sub { unread($t->redis_server->port) > 41 * 500 });
        $_->$how for @raws;
        ok wait_for(sub {
            my $n = () = $t->error_log =~ /client prematurely closed/g;
            $n == $gone + 40;
        }), "RULE-06 $how is noticed while Redis is silent";
        is scalar($t->workers), 1, 'the worker lives';

        $t->redis_server->cont;
        my $answer = $keep->read_response({});
        is device_of($answer), 'S99', 'RULE-04 who stayed gets its own answer';
        $late->read_response({});
        $t->redis->push_task('00D09E-Box-S98', { method => 'GetRPCMethods' });
        is $late->empty->status, 200,
            'RULE-08 so does who came later: the session is its own';
        serves($t, 'RULE-04 and sessions go on');
        $_->disconnect for $keep, $late;
        ok wait_for(sub { open_files($worker) <= $files }),
            'RULE-05 nothing of them is left open';
    }
    is_deeply [$t->workers], [$worker], 'RULE-04 it is the same worker';
    $t->finish;
};


# With bodies of some megabytes, whose chunks are under way to Redis.
subtest 'RULE-04 a CPE that vanishes in a long response' => sub {
    my $t = with_tcp(redis_words => 'timeout=20s');
    my ($worker) = $t->workers;
    my $raw = $t->raw;
    $t->redis->push_task('00D09E-Box-S1', { id => 'get',
        method => 'GetParameterValues', ParameterNames => ['Device.'] });
    $raw->post(inform(serial => 'S1'));
    my $body = gpv_response($raw->empty->id, map {
        ["Device.X.$_.Name", 'string', 'v' x 200] } 1 .. 5000);

    $t->redis_sigstop;
    $raw->post($body, partial => 400_000);
    call_arrives($t) or diag 'no chunk arrives';
    $raw->reset;
    $t->redis_server->cont;
    serves($t, 'RULE-04 sessions go on');
    is_deeply [$t->workers], [$worker], 'RULE-04 in the same worker';
    $t->finish;
};


subtest 'RULE-07 POSTs in a row on one connection' => sub {
    my $t = with_tcp();
    my $raw = $t->raw;
    my $bytes = '';

    for my $k (1 .. 10) {
        my $body = inform(serial => "S$k", id => "id-$k");
        $bytes .= "POST /cwmp HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
                  . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    }
    $raw->send_raw($bytes);
    my @answers = map { $raw->read_response({}) } 1 .. 10;
    is join(' ', map { $_->id } @answers), join(' ', map { "id-$_" } 1 .. 10),
        'RULE-07 each is answered, in order';
    is join(' ', map { device_of($_) } @answers),
        join(' ', map { "S$_" } 1 .. 10), 'each for its own device';
    $t->finish;
};


# --- replies and calls -----------------------------------------------------

subtest 'RULE-08 replies that come too late' => sub {
    my $t = with_tcp(redis_words => 'timeout=500ms');
    my @raws = map { $t->raw } 0 .. 11;
    my $client = sub { $t->redis->cmd(qw(CLIENT LIST)) =~ /id=(\d+) .*name=cwmp/
                       ? $1 : 0 };
    serves($t, 'connected');
    my $before = $client->();

    $t->redis_sigstop;
    $raws[$_]->post(inform(serial => "S$_"), no_read => 1) for 0 .. $#raws;
    is join(' ', map { $_->read_response({})->status } @raws),
        join(' ', (503) x @raws), 'RULE-08 no reply in time: 503 for all';
    $t->redis_server->cont;
    wait_for(sub { $t->raw->post(inform(serial => 'S1'))->status == 200 }, 8);

    $raws[$_]->forget_cookies->post(inform(serial => 'S' . (20 + $_)),
                                    no_read => 1) for 0 .. $#raws;
    is join(' ', map { device_of($_->read_response({})) } @raws),
        join(' ', map { 'S' . (20 + $_) } 0 .. $#raws),
        'RULE-08 no late reply is taken for another one';
    isnt $client->(), $before, 'RULE-08 the connection is another';
    $t->finish;
};


subtest 'RULE-09 the calls of one turn of the event loop' => sub {
    my $t = with_tcp(redis_words => 'timeout=20s');
    my ($worker) = $t->workers;
    my @raws = map { $t->raw } 1 .. 30;
    $raws[$_]->post(inform(serial => "S$_")) for 0 .. $#raws;
    plan skip_all => 'the kernel does not count system calls'
        unless defined write_calls($worker);

    $t->redis_sigstop;
    freeze($worker);
    my $before = write_calls($worker);
    $_->forget_cookies->post(inform(serial => 'S1'), no_read => 1) for @raws;
    kill('CONT', $worker);
    wait_for(sub { unread($t->redis_server->port) > 30 * 500 })
        or diag 'the calls do not arrive';
    my $writes = write_calls($worker) - $before;
    cmp_ok $writes, '<=', 4, "RULE-09 thirty calls go out in $writes writes";
    $t->redis_server->cont;
    is join(' ', map { $_->read_response({})->status } @raws),
        join(' ', (200) x @raws), 'and all are answered';
    $t->finish;
};


subtest 'RULE-10 what waits is bounded' => sub {
    my $t = with_tcp(redis_words => 'timeout=20s max_pending=5');
    my @raws = map { $t->raw } 1 .. 20;
    my $keep = pending_post($t, 'S99');

    my $begin = time();
    $raws[$_]->post(inform(serial => "S$_"), no_read => 1) for 0 .. $#raws;
    my @refused = grep { IO::Select->new($_->{sock})->can_read(0.2) } @raws;
    cmp_ok scalar(@refused), '>=', 15, 'RULE-10 fifteen or sixteen are refused';
    cmp_ok scalar(@refused), '<=', 17, 'and not more';
    my @answers = map { $_->read_response({}) } @refused;
    is_deeply [grep { $_->status != 503
                      || !length($_->header('Retry-After') // '') } @answers],
        [], 'RULE-10 with 503 and Retry-After';
    cmp_ok time() - $begin, '<', patience(5), 'RULE-10 without waiting';
    like $t->error_log, qr/too slow: 5 commands are pending/,
        'RULE-10 the log says why';

    $t->redis_server->cont;
    my %refused = map { ($_ => 1) } @refused;
    is_deeply [grep { $_ != 200 } map { $_->read_response({})->status }
               $keep, grep { !$refused{$_} } @raws], [],
        'RULE-10 the others are served';
    $t->redis_stop;
    $t->raw->post(inform(serial => 'S1'));
    $begin = time();
    is $t->raw->post(inform(serial => 'S1'))->status, 503,
        'RULE-10 while Redis is down: 503';
    cmp_ok time() - $begin, '<', patience(0.5), 'RULE-10 at once';
    $t->finish;
};


subtest 'RULE-11 calls wait for the handshake' => sub {
    my $t = with_tcp(redis => { password => 'geheim' },
                     redis_words => 'password=geheim db=3');
    my $lost = 0;

    serves($t, 'connected');

    for my $turn (1 .. 5) {
        my @raws = map { $t->raw } 1 .. 20;
        $lost += $t->redis->cmd(qw(CLIENT KILL TYPE normal SKIPME yes));
        $t->redis_sigstop;              # so that the handshake takes its time
        # (a call that is under way when its connection is lost is a 503)
        wait_for(sub {
            my $n = () = $t->error_log =~ /Redis at \S+: lost/g;
            $n == $lost;
        }) or diag 'the workers do not see that';
        $raws[$_]->post(inform(serial => "S$_"), no_read => 1) for 0 .. $#raws;
        $t->redis_server->cont;
        is join(' ', map { $_->read_response({})->status } @raws),
            join(' ', (200) x @raws), 'RULE-11 all are answered';
    }
    is $t->redis->cmd('DBSIZE'), 0,
        'RULE-11 nothing was said before SELECT';
    unlike $t->error_log, qr/NOAUTH/, 'RULE-11 nor before AUTH';
    $t->finish;
};


# --- who connects, and for how long ----------------------------------------

# The processes that have a connection, by the names that they gave it.
sub connected {
    my ($t) = @_;
    my @pids = $t->redis->cmd(qw(CLIENT LIST)) =~ /name=cwmp:\S*?:(\d+)/g;
    @pids = sort { $a <=> $b } @pids;
    return @pids;
}


subtest 'RULE-12 who connects' => sub {
    my $t = with_tcp(workers => 3, http =>
                     'proxy_cache_path %%PREFIX%%/cache keys_zone=c:1m;');
    wait_for(sub { connected($t) });
    sleep(0.8);                         # in which others might, each second
    is scalar(connected($t)), 1,
        'RULE-12 without a POST only the worker that keeps deadlines';

    my %worker = map { ($_ => 1) } $t->workers;
    wait_for(sub {
        $t->raw->post(inform(serial => 'S1')) for 1 .. 20;
        freeze(connected($t)) if connected($t) < 3;
        connected($t) == 3;
    }, 5);
    kill('CONT', $t->workers);
    is_deeply [connected($t)], [sort { $a <=> $b } keys %worker],
        'RULE-12 each worker once, neither master nor cache manager';
    $t->finish;
};


subtest 'RULE-14 no room in worker_connections' => sub {
    my $t = with_tcp(connections => 16);
    $t->raw->post(inform(serial => 'S1'));
    my ($mine) = $t->redis->cmd(qw(CLIENT LIST)) =~ /^(id=\d+) .*name=cwmp/m;

    my @raws = map { $t->raw } 1 .. 40;
    is_deeply [grep { $_ != 200 }
               map { $raws[$_]->post(inform(serial => "S$_"))->status }
               0 .. $#raws], [], 'forty CPEs that keep their connections';
    ok scalar(grep { $_->closed_by_peer(0) } @raws),
        'nginx closed some of these';
    like $t->redis->cmd(qw(CLIENT LIST)), qr/^\Q$mine\E .*name=cwmp/m,
        'RULE-14 but never the one to Redis';
    $t->finish;
};


subtest 'RULE-16 master_process off' => sub {
    my $t = CWMP::Test->new(workers => 0, main => 'master_process off;');
    my $cpe = $t->cpe(serial => 'S1');
    $t->redis->push_task($cpe->id, { id => 'get',
        method => 'GetParameterValues', ParameterNames => ['Device.Time.'] });
    ok $cpe->run_session->{ok}, 'RULE-16 a single process serves';
    is $t->redis->result($cpe->id, 'get')->{status}, 'done', 'and its task';
    $t->finish;
};


subtest 'RULE-17 keys' => sub {
    my $t = with_tcp(redis_words => 'partitions=4');
    for my $n (1 .. 8) {
        my $cpe = $t->cpe(serial => "S$n");
        $t->redis->{partitions} = 4;
        $t->redis->push_task($cpe->id, { id => 'r', method => 'Reboot',
                                         expires => time() + 3600 | 0 },
            { method => 'GetParameterValues', ParameterNames => ['Device.'] },
            { id => 'later', notBefore => time() + 600 | 0,
              expires => time() + 900 | 0, method => 'GetRPCMethods' });
        ok $cpe->run_session('1 BOOT')->{ok}, "session $n";
    }
    is_deeply [grep { !/^cwmp:(?:meta$|\{[0-3]\}:)/ }
               $t->redis->list('KEYS', '*')], [],
        'RULE-17 each key has the hash tag of its partition';
    $t->finish;
};

done_testing;
