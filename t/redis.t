#!/usr/bin/perl

# Redis as an operator meets it: it is stopped, frozen, started again, loses
# its functions, wants a password, is a replica, is shared by tenants.  While
# it is away every POST gets 503 within three seconds, a request after a few
# faults 8005; when it is back nothing has to be done, and every task is still
# there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Daemon qw(library_text);
use CWMP::Raw ':build';
use CWMP::RedisServer;
use CWMP::Test qw(wait_for slurp free_port patience);

my %GET = (method => 'GetParameterValues', ParameterNames => ['Device.Time.']);


sub lib_version {
    my ($version) = library_text()
        =~ /^local VERSION = (\d+)/m;
    return $version;
}


# The answer to a POST, and how long it took.
sub timed {
    my ($raw, @post) = @_;
    my $begin = time();
    my $answer = $raw->post(@post);
    return ($answer, time() - $begin);
}


sub is_503 {
    my ($raw, $name, @post) = @_;
    my ($answer, $took) = timed($raw, @post);
    my $fine = is $answer->status, 503, $name;

    $fine &&= like $answer->header('Retry-After') // '', qr/^[1-9]\d*$/,
        "$name: Retry-After";
    cmp_ok $took, '<', patience(3), sprintf('%s: after %.2f s', $name, $took);
    return $fine;
}


# Informs until one is answered with 200: Redis is used again.
sub back {
    my ($t, $n) = @_;
    my $raw = $t->raw($n);
    return wait_for(sub {
        $raw->post(inform(serial => 'probe'))->status == 200
    }, 8);
}


sub gets_through {
    my ($t, $serial, $name, %opt) = @_;
    my $cpe = $t->cpe(serial => $serial, %opt);
    my $trace = $cpe->run_session('2 PERIODIC');
    ok $trace->{ok}, $name or diag $trace->{error};
    return $cpe;
}


# An open session with a GetParameterValues outstanding.
sub outstanding {
    my ($t, $serial) = @_;
    my $raw = $t->raw;
    my $id = "00D09E-Box-$serial";

    $t->redis->push_task($id, { %GET, id => 'get' },
                         { %GET, id => 'next' });
    $raw->post(inform(serial => $serial));
    my $rpc = $raw->empty;
    is $rpc->method, 'GetParameterValues', 'an RPC is outstanding';
    return ($raw, $id, gpv_response($rpc->id, ['Device.Time.Enable',
                                               'boolean', '1']));
}


sub finish_session {
    my ($t, $raw, $id, $response, $name) = @_;
    my $next = $raw->post($response);
    is $next->method, 'GetParameterValues', "$name: the session goes on";
    is $raw->post(gpv_response($next->id, ['Device.Time.Enable', 'boolean',
                                           '1']))->status, 204, 'to its end';
    is_deeply [map { "$_->{id} $_->{status}" } $t->redis->results($id)],
        ['get done', 'next done'], "$name: each task has its one result";
}


# --- away and back ---------------------------------------------------------

subtest 'SES-19 Redis stopped, and started again' => sub {
    my $t = CWMP::Test->new(redis => { appendonly => 1,
                                       appendfsync => 'always' });
    my ($raw, $id, $response) = outstanding($t, 'O1');
    my $empty = $t->raw;
    $empty->post(inform(serial => 'O2'));
    my @tasks = map { { %GET, id => "t$_" } } 1 .. 20;
    $t->redis->push_task('00D09E-HG1-O3', @tasks);

    $t->redis_stop;
    is_503($t->raw, 'REDIS-DOWN Inform', inform(serial => 'O3'));
    is_503($raw, 'REDIS-DOWN a response', $response);
    is_503($empty, 'REDIS-DOWN an empty POST', '');
    my $tells = transfer_complete(key => 'x');
    is $empty->post($tells)->fault_code, 8005, "REDIS-DOWN a request, time $_"
        for 1 .. 3;
    is_503($empty, 'REDIS-DOWN a request, time 4', $tells);
    is_503($t->raw, "REDIS-DOWN Inform number $_", inform(serial => "O4$_"))
        for 1 .. 3;
    is $t->raw->get('/cwmp')->status, 405, 'what needs no Redis is answered';

    $t->redis_start;
    ok back($t), 'REDIS-DOWN back without a restart';
    finish_session($t, $raw, $id, $response, 'REDIS-DOWN');
    is $empty->empty->status, 204, 'a session without an RPC goes on, too';

    my $cpe = gets_through($t, 'O3', 'a new session');
    is_deeply [map { $_->{id} } $t->redis->results($cpe->id)],
        [map { "t$_" } 1 .. 20], 'REDIS-DOWN pending tasks were all there';

    my @lines = grep { /Redis at .*lost|Redis at .*connected/ }
                split(/\n/, $t->error_log);
    cmp_ok scalar(@lines), '<=', 6, 'a line for each change, not for each try'
        or diag join("\n", @lines);
    $t->finish;
};


subtest 'SES-19 Redis frozen' => sub {
    my $t = CWMP::Test->new(redis => { port => 'auto' });
    my ($raw, $id, $response) = outstanding($t, 'F1');

    $t->redis_sigstop;
    is_503($raw, 'REDIS-FROZEN a response', $response);
    is_503($t->raw, 'REDIS-FROZEN an Inform', inform(serial => 'F2'));
    is_503($t->raw, 'REDIS-FROZEN an Inform while it is known to be down',
           inform(serial => 'F3'));
    $t->redis_server->cont;
    ok back($t), 'REDIS-FROZEN back without a restart';

    # what was asked for before 503 may have been carried out: no matter
    finish_session($t, $raw, $id, $response, 'REDIS-FROZEN');
    $t->finish;
};


subtest 'REDIS-KILLED kill -9 and restart from the append-only file' => sub {
    my $t = CWMP::Test->new(redis => { appendonly => 1,
                                       appendfsync => 'always' });
    my ($raw, $id, $response) = outstanding($t, 'K1');
    $t->redis->push_task('00D09E-HG1-K2', map { { %GET, id => "k$_" } } 1 .. 9);

    $t->redis_kill9;
    is_503($raw, 'a response', $response);
    $t->redis_start;
    ok back($t), 'back without a restart';
    finish_session($t, $raw, $id, $response, 'REDIS-KILLED');
    my $cpe = gets_through($t, 'K2', 'another session');
    is scalar($t->redis->results($cpe->id)), 9, 'every task is there';
    $t->finish;
};


# --- connections killed ----------------------------------------------------

# A device with a task that must not happen twice; a session that failed is
# tried again, as CPEs do.
sub play {
    my ($t, $out, $serial) = @_;
    my $cpe = $t->cpe(serial => $serial);
    my ($sessions, $ok) = (0, 0);

    # a CPE that was refused waits: Redis' client backs off meanwhile
    until ($ok || $sessions++ > 99) {
        $ok = $cpe->run_session('2 PERIODIC')->{ok};
        sleep(0.1) unless $ok;
    }
    print $out join(' ', $serial, $ok, $sessions, $cpe->count('AddObject'),
                    $cpe->count('GetParameterValues')), "\n";
}


# how each of its tasks ended
sub ended {
    my ($t, $serial) = @_;
    my $id = CWMP::Redis::device_id('00D09E', 'HG1', $serial);
    return join(' ', sort map { "$_->{id} $_->{status}" } $t->redis->results($id));
}


subtest 'REDIS-CLIENT-KILL connections are killed under load' => sub {
    my $t = CWMP::Test->new(workers => 2, http => 'cwmp_overload off;');
    my ($each, %child, $kills) = (80);

    for my $k (1 .. 3) {
        $t->redis->push_task("00D09E-HG1-$k%2D$_",
            { method => 'AddObject', id => 'add',
              ObjectName => 'Device.NAT.PortMapping.' }, { %GET, id => 'get' })
            for 1 .. $each;
        my $pid = fork() // die "fork: $!\n";
        if ($pid == 0) {
            open(my $out, '>', $t->dir . "/cpes.$k") or POSIX::_exit(2);
            eval { play($t, $out, "$k-$_") for 1 .. $each; 1 }
                or print STDERR $@;
            close($out);
            POSIX::_exit(0);
        }
        $child{$pid} = 1;
    }

    my $until = time() + patience(20);
    while (%child && time() < $until) {
        $kills += $t->redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME',
                                 'yes');
        sleep(0.03);
        waitpid($_, 1) == $_ and delete $child{$_} for keys %child;
    }
    kill('KILL', keys %child);
    my @told = map { [split(/ /)] }
               map { split(/\n/, slurp($t->dir . "/cpes.$_")) } 1 .. 3;

    cmp_ok $kills, '>', 10, "$kills connections were killed";
    is scalar(grep { $_->[1] } @told), 3 * $each, 'every device was served';
    is_deeply [grep { $_->[3] != 1 } @told], [],
        'REDIS-CLIENT-KILL no object was added twice';
    my $again = grep { $_->[2] > 1 } @told;
    cmp_ok $again, '<=', $kills / 2,
        "REDIS-CLIENT-KILL most of it nobody noticed ($again sessions did)";
    is_deeply [grep { ended($t, @$_) !~ /^add (?:done|lost) get done$/ } @told],
        [], 'REDIS-CLIENT-KILL each task has its one result';
    is_deeply [grep { $_->[2] == 1 && ended($t, @$_) =~ /lost/ } @told], [],
        'and its outcome is lost only where the CPE was refused an answer';
    $t->finish;
};


# --- the function library --------------------------------------------------

sub library_version {
    my ($t) = @_;
    my $reply = $t->redis->try(qw(FCALL_RO cwmp_version 0));
    return ref $reply ? "$reply" : $reply;
}


# A library of our name: nothing but a version, or ours with another version.
sub load_library {
    my ($t, $version, $whole) = @_;
    my $text = "#!lua name=cwmp\nredis.register_function{ function_name = "
        . "'cwmp_version', callback = function() return $version end, "
        . "flags = { 'no-writes' } }";
    if ($whole) {
        $text = library_text();
        $text =~ s/^local VERSION = \d+/local VERSION = $version/m or die;
    }
    $t->redis->cmd('FUNCTION', 'LOAD', 'REPLACE', $text);
}


sub library_code {
    my ($t) = @_;
    my %library = @{ $t->redis->cmd(qw(FUNCTION LIST LIBRARYNAME cwmp
                                       WITHCODE))->[0] };
    return $library{library_code};
}


subtest 'LIBRARY missing, lost, older, newer' => sub {
    my $t = CWMP::Test->new(start => 0);
    my $ours = library_text();
    $t->redis_server->start;
    like library_version($t), qr/not found/, 'an empty Redis has none';

    $t->start;
    gets_through($t, 'L1', 'LIBRARY missing: it is loaded');
    is library_version($t), lib_version(), 'and is this one';
    is library_code($t), $ours, 'byte for byte';

    $t->redis->cmd(qw(FUNCTION FLUSH));
    gets_through($t, 'L2', 'LIBRARY flushed at run time: it is loaded again');
    is library_code($t), $ours, 'from the module';

    my $raw = $t->raw;
    $t->redis->push_task('00D09E-Box-L3', { %GET, id => 'get' });
    $raw->post(inform(serial => 'L3'));
    $t->redis->cmd(qw(FUNCTION FLUSH));
    is $raw->empty->method, 'GetParameterValues',
        'LIBRARY flushed within a session: the session goes on';

    load_library($t, 0);
    $t->restart;
    gets_through($t, 'L4', 'LIBRARY older: it is replaced');
    is library_version($t), lib_version(), 'by this one';
    like $t->error_log, qr/library is older, loading version/, 'and says so';

    load_library($t, 999, 1);
    $t->restart;
    gets_through($t, 'L5', 'LIBRARY newer: it is used');
    is library_version($t), 999, 'LIBRARY newer: it is left alone';
    $t->reload;
    gets_through($t, 'L6', 'after a reload, too');
    is library_version($t), 999, 'and left alone again';
    $t->finish;
};


subtest 'LIBRARY many workers load it at once' => sub {
    my $t = CWMP::Test->new(nodes => 2, workers => 3,
                            http => 'cwmp_overload off;');     # to load takes long
    for (1 .. 5) {
        $t->redis->cmd(qw(FUNCTION FLUSH));
        my @raws = map { $t->raw($_ % 2, new_connection => 1) } 1 .. 12;
        $raws[$_]->post(inform(serial => "M$_"), no_read => 1) for 0 .. $#raws;
        is join(' ', map { $_->read_response({})->status } @raws),
            join(' ', (200) x @raws), 'LIBRARY all are served';
    }
    $t->finish;
};


# --- who may, which database, whose keys -----------------------------------

sub redis_at { return 'unix:' . $_[0]->redis_server->socket }


subtest 'PASSWORD' => sub {
    my $t = CWMP::Test->new(redis => { password => 'geheim' },
                            server => 'cwmp_auth off;');
    gets_through($t, 'P1', 'PASSWORD right');

    $t->redis->cmd(qw(ACL SETUSER acs on >wort ~* &* +@all));
    $t->change_conf(0, redis => redis_at($t) . ' user=acs password=wort');
    $t->restart;
    gets_through($t, 'P2', 'PASSWORD of a user in the ACL');

    $t->redis->cmd(qw(ACL SETUSER few on >wort ~cwmp:* resetchannels +@all
                      -client -acl -config));
    $t->change_conf(0, redis => redis_at($t) . ' user=few password=wort');
    $t->restart;
    gets_through($t, 'P7', 'PASSWORD of a user who may do less');
    unlike $t->error_log, qr/\[error\]|\[warn\](?!.*append-only)/,
        'and nothing is wrong';

    open(my $fh, '>', $t->prefix . '/secret') or die;
    print $fh "geheim\nmore\n";
    close($fh);
    $t->change_conf(0, redis => redis_at($t) . ' password_file=secret');
    $t->restart;
    gets_through($t, 'P3', 'PASSWORD in a file');

    $t->change_conf(0, redis => redis_at($t) . ' password=falsch');
    $t->restart;
    is_503($t->raw, 'PASSWORD wrong', inform(serial => 'P4'));
    ok $t->wait_log(qr/WRONGPASS.*check user= and password=/),
        'PASSWORD wrong: the log says what to do';

    $t->change_conf(0, redis => redis_at($t));
    $t->restart;
    is_503($t->raw, 'PASSWORD missing', inform(serial => 'P5'));
    ok $t->wait_log(qr/NOAUTH.*set password= or password_file=/),
        'PASSWORD missing: the log says what to do';
    unlike $t->error_log, qr/geheim|wort\b|falsch/, 'no password is logged';
    $t->finish;
};


subtest 'DB another database' => sub {
    my $t = CWMP::Test->new(redis_options => 'db=5');
    gets_through($t, 'D1', 'DB a session');
    is $t->redis->cmd('DBSIZE'), 0, 'DB nothing is in database 0';
    my $five = $t->redis_server->client(db => 5);
    ok $five->cmd('EXISTS', 'cwmp:{0}:00D09E-HG1-D1'), 'DB all is in 5';

    $t->change_conf(0, redis => redis_at($t) . ' db=99');
    $t->restart;
    is_503($t->raw, 'DB that Redis does not have', inform(serial => 'D2'));
    ok $t->wait_log(qr/SELECT.*check db=/), 'DB: the log says what to do';
    $t->finish;
};


subtest 'PREFIX two tenants on one Redis' => sub {
    my $t = CWMP::Test->new(cwmp_redis => '', acs => undef, server =>
        "location /a { cwmp_redis unix:%%DIR%%/redis/redis.sock prefix=a; "
        . "cwmp_acs; }\nlocation /b { cwmp_redis "
        . "unix:%%DIR%%/redis/redis.sock prefix=b.2; cwmp_acs; }");
    my %of = (a => 'a', b => 'b.2');

    for my $path (qw(a b)) {
        my $r = $t->redis_server->client(prefix => $of{$path});
        my $cpe = $t->cpe(url => $t->url(0, "/$path"), serial => 'T1');
        $r->push_task($cpe->id, { %GET, id => "of-$path" });
        ok $cpe->run_session('2 PERIODIC')->{ok}, "PREFIX session of /$path";
        is_deeply [map { $_->{id} } $r->results($cpe->id)], ["of-$path"],
            "PREFIX /$path has its own task";
    }
    is_deeply [grep { !/^(?:a|b\.2):/ } $t->redis->list('KEYS', '*')], [],
        'PREFIX every key belongs to one of them';

    my $raw = $t->raw(0, url => $t->url(0, '/a'));
    $raw->post(inform(serial => 'T2'));
    is $raw->post(transfer_complete(key => 'x'), url => $t->url(0, '/b'))
        ->status, 400, "PREFIX a's session is none of b's";
    $t->finish;
};


subtest 'PARTITIONS' => sub {
    my $t = CWMP::Test->new;
    gets_through($t, 'Q1', 'the first node fixes their number');
    $t->change_conf(0, redis => redis_at($t) . ' partitions=64');
    $t->restart;
    is_503($t->raw, 'PARTITIONS that differ', inform(serial => 'Q2'));
    ok $t->wait_log(qr/says 1 partitions.*partitions=1 .*cwmp_redis/s),
        'PARTITIONS: the log says what to write';

    $t->change_conf(0, redis => redis_at($t) . ' partitions=64 prefix=p64');
    $t->restart;
    my $r = $t->redis_server->client(prefix => 'p64');
    my $cpe = $t->cpe(serial => 'Q3');
    is $r->cmd('HGET', 'p64:meta', 'partitions') // 64, 64, 'sixty-four';
    $r->{partitions} = 64;
    $r->push_task($cpe->id, { %GET, id => 'q' });
    ok $cpe->run_session->{ok}, 'PARTITIONS of another prefix';
    is $r->result($cpe->id, 'q')->{status}, 'done', 'a task in its partition';
    $t->finish;
};


subtest 'TCP and a late Redis' => sub {
    my $port = free_port();
    my $t = CWMP::Test->new(redis => { port => $port }, start => 0,
                            cwmp_redis => "127.0.0.1:$port db=2");
    $t->start;
    is_503($t->raw, 'TCP nginx starts before Redis', inform(serial => 'X1'));
    $t->redis_server->start;
    ok back($t), 'TCP and finds it when it is there';
    gets_through($t, 'X2', 'TCP a session');
    $t->finish;
};


# --- replicas --------------------------------------------------------------

subtest 'READONLY Redis has become a replica' => sub {
    my $t = CWMP::Test->new;
    my $cpe = gets_through($t, 'R1', 'while it is the master');
    $t->redis->push_task($cpe->id, { %GET, id => 'kept' });

    $t->redis->cmd('REPLICAOF', '127.0.0.1', free_port());
    is_503($t->raw, 'READONLY an Inform', inform(serial => 'R2'));
    is_503($t->raw, 'READONLY the next', inform(serial => 'R3'));
    ok $t->wait_log(qr/READONLY.*name the master in cwmp_redis/),
        'READONLY: the log says what to do';

    $t->redis->cmd(qw(CONFIG SET replica-serve-stale-data no));
    is_503($t->raw, 'MASTERDOWN', inform(serial => 'R4'));

    $t->redis->cmd(qw(REPLICAOF NO ONE));
    ok back($t), 'READONLY master again: back without a restart';
    ok $cpe->run_session->{ok}, 'a session';
    is $t->redis->result($cpe->id, 'kept')->{status}, 'done', 'and its task';
    $t->finish;
};

done_testing;
