#!/usr/bin/perl

# wait=N: what must not happen twice goes out to the CPE only when N replicas
# know that it may have; when they do not in time, it is not sent, and its task
# is neither lost nor doubled.  Nobody else waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::RedisServer;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(redis => { port => 'auto' }, start => 0,
                        acs => 'cwmp_session_timeout 2s outstanding=2s;',
                        redis_options => 'wait=1 timeout=2s');
my $replica = replica('replica');
my $n = 0;


sub replica {
    my ($name) = @_;
    make_path($t->dir . "/$name");
    return CWMP::RedisServer->new(dir => $t->dir . "/$name",
        args => ['--replicaof', '127.0.0.1', $t->redis_server->port]);
}


sub device { return CWMP::Script->new($t, 'W' . ++$n, @_) }
sub linked { return $t->redis->cmd('INFO', 'replication') =~ /state=online/ }


# how often this command was called
sub calls {
    my ($command) = @_;
    my ($calls) = $t->redis->cmd('INFO', 'commandstats')
                  =~ /^cmdstat_\Q$command\E:calls=(\d+)/m;
    return $calls // 0;
}


# a device with this task, of which the ACS has seen no empty POST yet
sub given {
    my ($task, @more) = @_;
    my $d = device(@more);
    $d->give($task);
    $d->inform;
    return $d;
}


my $boot = { method => 'Reboot', id => 'boot' };

subtest 'fewer replicas than that' => sub {
    $t->start_all;
    my $d = given($boot);
    my $begun = time();
    is $d->empty->status, 204, 'the RPC is not sent';
    cmp_ok time() - $begun, '<', 2, 'within half of timeout=';
    is $d->status('boot'), 'none', 'its task lives';
    like $t->error_log, qr/\[error\].* has 0 replicas, wait=1 of cwmp_redis asks for more/,
        'the log says so at once';
    like $t->error_log, qr/task boot is not sent: Redis at unix:\S+: 0 of 1 replicas confirmed it within 1000 ms: look at its replicas, or lower wait=.*device: "?00D09E-Box-W1/,
        'and whose task it is, and what to do';
    like $t->error_log, qr/task boot \(Reboot\) waits for the next session/,
        'and what becomes of it';
    $replica->start;
    ok wait_for(\&linked, 10), 'a replica';
    is join(' ', $d->session), 'Reboot', 'then it is sent';
    is $d->redis->cmd('HGET', $d->key('live'), '=a boot'), 1,
        'and that is the first time';
};


subtest 'a replica knows before the CPE does' => sub {
    my @once = ($boot, { method => 'FactoryReset' },
        { method => 'AddObject', ObjectName => 'Device.T.' },
        { method => 'DeleteObject', ObjectName => 'Device.T.3.' },
        { method => 'ScheduleInform', DelaySeconds => 1 },
        { method => 'Download', FileType => '1 Firmware Upgrade Image',
          URL => 'http://a.test/f' },
        { method => 'Upload', FileType => '1 Vendor Configuration File',
          URL => 'http://a.test/f' });

    for my $task (@once) {
        my $d = given({ %$task, id => 'x' });
        my $waits = calls('wait');
        is $d->empty->method, $task->{method}, "$task->{method} is sent";
        is $replica->client->cmd('HGET', $d->key('running'), 'id'), 'x',
            'the replica has it as running';
        is calls('wait'), $waits + 1, 'as Redis was asked, once';
    }
};


subtest 'what may be repeated does not wait' => sub {
    my $waits = calls('wait');
    my $d = device();
    $d->give({ method => 'GetParameterValues', id => 'get',
               ParameterNames => ['Device.A'] });
    $d->give({ method => 'SetParameterValues', id => 'set', ParameterList =>
               { 'Device.A' => { value => 'a', type => 'xsd:string' } } });
    is join(' ', $d->session), 'GetParameterValues SetParameterValues',
        'both are sent';
    is calls('wait'), $waits, 'without a WAIT';
};


subtest 'the replica is frozen' => sub {
    $replica->sigstop;
    my $held = given($boot);
    my $other = device();
    $held->post('', no_read => 1);

    my $begun = time();
    is_deeply [$other->session], [], 'a session of another device';
    cmp_ok time() - $begun, '<', 0.8, 'does not wait meanwhile';
    is $held->raw->read_response->status, 204, 'the RPC is not sent';
    is $held->status('boot'), 'none', 'its task lives';
    is $held->has('running'), 0, 'and is not running';
    is_deeply [$held->redis->list('ZRANGE', $held->key('queue'), 0, -1)],
        ['boot'], 'but queued';
    $replica->cont;
    is join(' ', $held->session), 'Reboot', 'the next session has it';
    is $held->status('boot'), 'none', 'it waits for its event';
    $held->session('1 BOOT', ['M Reboot', 'boot']);
    is $held->status('boot'), 'done', 'and is done';
};


subtest 'many at once' => sub {
    my @held = map { given($boot) } 1 .. 20;
    my ($waits, $holds) = (calls('wait'), calls('fcall'));
    $replica->sigstop;
    $_->post('', no_read => 1) for @held;
    sleep(0.2);
    $replica->cont;
    my %said = map { ($_->raw->read_response->method // '204' => 1) } @held;
    is_deeply \%said, { Reboot => 1 }, 'all are sent';
    cmp_ok calls('wait') - $waits, '<=', 3, 'with a few WAITs';
};


subtest 'a POST that is sent again while it is held' => sub {
    $replica->sigstop;
    my $d = given($boot);
    my $again = $t->raw(0);
    $again->{jar} = { %{ $d->raw->{jar} } };
    $d->post('', no_read => 1);
    sleep(0.1);
    $again->post('', no_read => 1);
    is $d->raw->read_response->status, 204, 'the first is not answered by it';
    is $again->read_response->status, 204, 'nor the second';
    is $d->redis->cmd('HEXISTS', $d->key('waiting'), 'boot'), 1,
        'two had it: nobody can know that none was sent';
    $replica->cont;
    is join(' ', $d->session), '', 'so it is not sent again';

    $d = given($boot);
    $replica->sigstop;
    $d->post('', no_read => 1);
    sleep(0.1);
    my $cookies = { %{ $d->raw->{jar} } };
    $d->raw->reset;
    $again = $t->raw(0);
    $again->{jar} = $cookies;
    $again->post('', no_read => 1);
    sleep(0.1);
    $replica->cont;
    is $again->read_response->method, 'Reboot',
        'a CPE whose connection died gets it by the next one';
};


subtest 'the connection that waits is lost' => sub {
    $replica->sigstop;
    my $d = given($boot);
    $d->post('', no_read => 1);
    ok wait_for(sub { $t->redis->cmd('INFO', 'clients')
                      =~ /blocked_clients:1/ }, 2), 'it waits';
    my ($id) = $t->redis->cmd('CLIENT', 'LIST') =~ /^id=(\d+).* flags=b.* cmd=wait/m;
    $t->redis->cmd('CLIENT', 'KILL', 'ID', $id);
    $replica->cont;
    is $d->raw->read_response->status, 204, 'a new one has nothing to wait for';
    like $t->error_log, qr/task boot is not sent: Redis at \S+: Redis closed/,
        'the log says why';
    is join(' ', $d->session), 'Reboot', 'the next session has it';
};


subtest 'redis/cwmp-push --wait' => sub {
    my $d = device();
    $d->session;
    my $push = sub {
        my $text = qx{redis/cwmp-push -s ${\ $t->redis_server->socket} @_ 2>&1};
        return [$? >> 8, $text];
    };
    my $json = q('{"method":"Reboot","id":"1b","note":"a \"word\", a \\\\ and é"}');
    is_deeply $push->('--wait', 1, $d->id, $json), [0, "1b\n"], 'confirmed';
    like $replica->client->cmd('HGET', $d->key('live'), '1b'),
        qr/"note":"a \\"word\\", a \\\\ and é"/, 'the replica has it, as it was written';
    my ($code, $text) = @{ $push->('--wait', 1, $d->id, $json) };
    is $code, 1, 'one that is refused';
    like $text, qr/^cwmp-push: ERR task refused: id: /, 'says why';
    $replica->sigstop;
    ($code, $text) = @{ $push->('--wait', 1, $d->id, q('{"method":"Reboot","id":"b2"}')) };
    is $code, 2, 'not confirmed has a code of its own';
    like $text, qr/^b2\ncwmp-push: b2 is queued, but 0 of 1 replicas have confirmed it within 1000 ms/,
        'and says that it is queued all the same';
    $replica->cont;
    like $push->('--wait', 'x', $d->id, '{}')->[1], qr/--wait needs a number/,
        'a number';
};

$t->finish;


subtest 'in a Cluster' => sub {
    my $dir = File::Temp->newdir('cwmp-cluster-XXXXXX', TMPDIR => 1);
    my $cluster = CWMP::RedisCluster->new(dir => $dir, replicas => 1)->start;
    my @server = $cluster->servers;
    $t = CWMP::Test->new(redis => 0,
        cwmp_redis => $cluster->address . ' timeout=1500ms wait=1',
        acs => 'cwmp_session_timeout 2s outstanding=2s;');
    my $key = sub { '{' . $cluster->slot_of($_[0]->id) % 64 . '}' };
    my @device = map { CWMP::Script->new($t, "C$_") } 1 .. 12;
    my %of;
    for my $d (@device) {
        my ($i) = grep { $server[$_] == $cluster->owner($key->($d)) } 0 .. 2;
        push @{ $of{$i} }, $d;
        $d->{inbox} = 'cwmp:' . $key->($d) . ':' . $d->id . ':tasks';
        $d->inform;
    }
    my $give = sub {
        my ($i, $id) = @_;
        $server[$i]->client->cmd('RPUSH', $_->{inbox},
            qq({"method":"Reboot","id":"$id"})) for @{ $of{$i} };
    };
    my $said = sub {
        my ($i, @events) = @_;
        $_->inform(@events) for @{ $of{$i} };
        $_->post('', no_read => 1) for @{ $of{$i} };
        my %said = map { ($_->raw->read_response->method // '204' => 1) }
                   @{ $of{$i} };
        return join(' ', sort keys %said);
    };

    is keys %of, 3, 'devices of each primary';
    $give->($_, 'a') for 0 .. 2;
    is $said->($_), 'Reboot', "RPCs of primary $_ are sent" for 0 .. 2;
    ok $server[$_]->client->cmd('INFO', 'commandstats') =~ /cmdstat_wait:/,
        "primary $_ was asked for its replica" for 0 .. 2;

    $give->($_, 'b') for 0 .. 2;
    $server[3]->sigstop;
    is $said->(0, '1 BOOT', ['M Reboot', 'a']), '204',
        'of a primary whose replica is frozen none is sent';
    is $said->($_, '1 BOOT', ['M Reboot', 'a']), 'Reboot', 'others are'
        for 1, 2;

    my $push = sub {
        my $text = qx{redis/cwmp-push -c -p ${\ $server[1]->port} @_ 2>&1};
        return [$? >> 8, $text];
    };
    my $reboot = q('{"method":"Reboot","id":"c"}');
    is $push->('--wait', 1, $of{0}[0]->id, $reboot)->[0], 2,
        'cwmp-push --wait asks the primary of the device';
    is_deeply $push->('--wait', 1, $of{2}[0]->id, $reboot), [0, "c\n"],
        'whichever that is';
    $server[3]->cont;

    # killed while RPCs are held; the replica takes over, and needs one
    $server[3]->sigstop;
    my ($d) = @{ $of{0} };
    $d->inform;
    $d->post('', no_read => 1);
    sleep(0.2);
    $server[0]->kill9;
    isnt $d->raw->read_response->status, 200, 'a primary is killed: not sent';
    $server[3]->cont;
    ok wait_for(sub { ($cluster->owner($key->($d)) // 0) == $server[3] }, 20),
        'its replica takes over';
    $server[0]->start;
    ok wait_for(sub { $server[3]->client->cmd('INFO', 'replication')
                      =~ /state=online/ }, 20), 'and has a replica again';
    ok wait_for(sub { eval { $said->(0) eq 'Reboot' } }, 20),
        'RPCs are sent again';
    $t->finish;
};

done_testing;
