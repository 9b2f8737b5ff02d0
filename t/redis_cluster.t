#!/usr/bin/perl

# Redis as a Cluster: sessions of devices of all partitions run, and go on
# while slots move, primaries fail and others take their place.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Auth;
use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(wait_for free_port);


# $cluster: the servers, gone with it
sub with_cluster {
    my (%opt) = @_;
    my $dir = File::Temp->newdir('cwmp-cluster-XXXXXX', TMPDIR => 1);
    my $cluster = CWMP::RedisCluster->new(dir => $dir,
                                          %{ delete $opt{cluster} || {} });

    $cluster->start;
    my $timeout = delete $opt{timeout} // '1500ms';
    my $t = CWMP::Test->new(redis => 0, cwmp_redis => $cluster->address
                            . " timeout=$timeout", %opt);
    return ($t, $cluster);
}


sub id_of { my ($serial) = @_; return "00D09E-Box-$serial" }


sub partition_of {
    my ($cluster, $serial) = @_;
    return $cluster->slot_of(id_of($serial)) % 64;
}


sub primary_of {
    my ($cluster, $serial) = @_;
    return $cluster->owner('{' . partition_of($cluster, $serial) . '}');
}


# One device for each primary.
sub spread {
    my ($cluster) = @_;
    my %device;
    for my $i (1 .. 100) {
        $device{primary_of($cluster, "S$i")->port} //= "S$i";
    }
    return sort values %device;
}


subtest 'sessions of many devices' => sub {
    my ($t, $cluster) = with_cluster();

    is_deeply [grep { $t->bare_session("S$_") != 204 } 1 .. 30], [],
        'sessions of 30 devices';
    for my $s ($cluster->servers) {
        cmp_ok scalar(grep { /\}:index:seen/ }
                      @{ $s->client->cmd('KEYS', 'cwmp:*') }), '>', 0,
            'each primary has some of them';
    }
    is $cluster->owner('cwmp:meta')->client->cmd('HGET', 'cwmp:meta',
                                                 'partitions'), 64,
        'there are 64 partitions when nothing else is said';
    $t->finish;
};


# A user's record and its device are in slots of their own.
subtest 'authentication' => sub {
    my $dir = File::Temp->newdir('cwmp-key-XXXXXX', TMPDIR => 1);
    CWMP::Auth::key_file("$dir/key");
    my ($t, $cluster) = with_cluster(nodes => 2,
        http => "cwmp_secret_key $dir/key;", server => 'cwmp_auth digest x;');
    my $redis = $cluster->client;
    my %auth = map { ($_ => CWMP::Auth->new(user => id_of($_), password => 'pw')
                            ->store($redis, realm => 'x')) }
               my @serial = spread($cluster);

    for my $s (@serial) {
        my $raw = $t->raw;
        $auth{$s}->challenge($raw->post(''));
        is $raw->post(inform(serial => $s), headers => [$auth{$s}->header])
               ->status, 200, "AUTH-02 $s";
        is $t->raw(1)->post('', cookie => $raw->cookie,
                            headers => [$auth{$s}->header])->status, 204, '... goes on';
        is $raw->post(inform(serial => 'Other'), headers => [$auth{$s}->header])
               ->status, 403, 'AUTH-09 not as another device';
        my $events = 'cwmp:{' . partition_of($cluster, $s) . '}:events';
        ok wait_for(sub { grep { "@{ $_->[1] }" =~ /^type auth failure device 00D09E-Box-$s / }
            primary_of($cluster, $s)->client->list('XRANGE', $events, '-', '+') }),
            '... which is told where the user is';
    }
    $t->expect_log(qr/informs as another device/);
    $t->finish;
};


# What an admin's client does where a slot moves to, while the device is still
# where it comes from: nothing, or there would be two of one.
sub asked_elsewhere {
    my ($cluster, $to, $serial) = @_;
    my $base = 'cwmp:{' . partition_of($cluster, $serial) . '}:';
    my $id = id_of($serial);
    my $client = $to->client;
    for my $call (['cwmp_push', "$base$id:tasks", '{"method":"Reboot","new":true}'],
                  ['cwmp_cancel', "$base$id:tasks", 'x'],
                  ['cwmp_join', "$base$id", 'A-B', '1 ' . unpack('H*', 'tags a')],
                  ['cwmp_setting', "${base}settings", 'silence', 86400],
                  ['cwmp_quirk', "${base}quirks", '*/X/*', '{"prefix":"s"}']) {
        my ($name, @args) = @$call;
        $client->cmd('ASKING');
        like $client->try('FCALL', $name, 1, @args), qr/^TRYAGAIN/,
            "$name: try again";
    }
    is_deeply [grep { /^\Q$base/ } $client->list('KEYS', '*')], [],
        'and nothing is written';
}


subtest 'a slot moves' => sub {
    my ($t, $cluster) = with_cluster(workers => 1);
    my $slot = $cluster->slot_of('{' . partition_of($cluster, 'S1') . '}');
    my $from = primary_of($cluster, 'S1');
    my ($to) = grep { $_ != $from } $cluster->servers;
    my ($other) = grep { primary_of($cluster, $_) != $from } 'S1' .. 'S99';

    is $t->bare_session('S1'), 204, 'a device is known';
    $cluster->begin_move($slot, $to);
    asked_elsewhere($cluster, $to, 'S1');
    my $raw = $t->raw;
    $raw->post(inform(serial => 'S1'), no_read => 1);
    sleep(0.2);
    is $t->bare_session($other), 204, 'devices of other slots do not wait';
    while ($cluster->move_keys($slot, $from, $to)) { }
    ok wait_for(sub { $to->client->cmd('INFO', 'commandstats')
                      =~ /cmdstat_asking:/ }, 2), 'ASK is followed';
    $cluster->end_move($slot, $from, $to);
    is $raw->read_response({})->status, 200,
        'its session begins when the slot has moved';
    is $raw->post('')->status, 204, 'and goes on in the other primary';
    is primary_of($cluster, 'S1'), $to, 'which has it now';

    $cluster->begin_move($slot, $from);
    my $begin = time();
    is $t->bare_session('S1'), 503, 'a move that lasts: 503, come back';
    cmp_ok time() - $begin, '>', 1, 'after its time-out';
    like $t->error_log, qr/session cannot go on:.*TRYAGAIN/, 'and why';
    while ($cluster->move_keys($slot, $to, $from)) { }
    $cluster->end_move($slot, $to, $from);
    is $t->bare_session('S1'), 204, 'it came back';
    $t->finish;
};


subtest 'slots move while sessions run' => sub {
    my ($t, $cluster) = with_cluster(workers => 2);
    my ($from, $to) = $cluster->servers;
    my (%in, %status);

    $in{partition_of($cluster, $_)} = $_
        for grep { primary_of($cluster, $_) == $from } 'S1' .. 'S60';

    for my $partition (keys %in) {
        my $raw = $t->raw;
        my $id = id_of($in{$partition});
        $to->client->cmd('PING');
        $from->client->cmd('RPUSH', "cwmp:{$partition}:$id:tasks",
                           '{"method":"GetRPCMethods","id":"g"}');
        $status{$raw->post(inform(serial => $in{$partition}))->status}++;
        $cluster->move_slot($cluster->slot_of("{$partition}"), $to);
        my $rpc = $raw->post('');
        $status{$rpc->body =~ /GetRPCMethods/ ? 'rpc' : 'none'}++;
    }
    my $n = keys %in;
    is_deeply \%status, { 200 => $n, rpc => $n },
        "$n sessions, each with a move in its midst, each got its task";
    $t->finish;
};


# Half of it is here and half there: a function that saw one half would take
# what is in the other for gone.
subtest 'what admins call, while a slot moves' => sub {
    my ($t, $cluster) = with_cluster(workers => 1);
    my $r = $cluster->client(timeout => 0.5);
    my $id = id_of('S1');
    my $base = 'cwmp:{' . partition_of($cluster, 'S1') . '}:';
    my $slot = $cluster->slot_of($base);
    my $push = sub { $r->fcall_push($id, { method => 'GetRPCMethods', id => $_[0] }) };

    is $t->bare_session($_), 204, "$_ is known" for 'S1', spread($cluster);
    $push->('a');
    my $from = $cluster->owner($slot);
    my ($to) = grep { $_ != $from } $cluster->servers;
    $cluster->begin_move($slot, $to);
    $from->client->cmd('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000, 'KEYS',
                       "$base$id", "${base}due", "${base}due:lock");

    my @call = ([FCALL => 'cwmp_push', "$base$id:tasks",
                 '{"method":"GetRPCMethods","id":"b"}'],
        [FCALL => 'cwmp_cancel', "$base$id:tasks", 'a'],
        [FCALL => 'cwmp_tag', "$base$id", '+x'],
        [FCALL => 'cwmp_delete', "$base$id"],
        [FCALL => 'cwmp_leave', "$base$id", '00D09E-Box-S2'],
        [FCALL => 'cwmp_left', "$base$id", 1],
        [FCALL => 'cwmp_join', "$base$id", '00D09E-Box-S2', '1 746167732078'],
        [FCALL => 'cwmp_reconcile', "${base}due", 0],
        [FCALL_RO => 'cwmp_find', "${base}index:seen", '{}']);
    for (@call) {
        my ($how, $name, @words) = @$_;
        like $r->try($how, $name, 1, @words), qr/^TRYAGAIN /,
            "$name says: try again";
    }

    while ($cluster->move_keys($slot, $from, $to)) { }
    $cluster->end_move($slot, $from, $to);
    is $from->client->cmd('CLUSTER', 'COUNTKEYSINSLOT', $slot), 0,
        'all of it moves';
    is $push->('b'), 'b', 'and then a task is taken';
    is_deeply [$r->list('ZRANGE', "$base$id:queue", 0, -1)], ['a', 'b'],
        'after the one that was there';
    $t->finish;
};


subtest 'a primary is killed' => sub {
    my ($t, $cluster) = with_cluster(workers => 1,
                                     cluster => { replicas => 1 });
    my @device = spread($cluster);
    my $dead = primary_of($cluster, $device[0]);

    is $t->bare_session($_), 204, "$_ is known" for @device;
    $dead->client->cmd('WAIT', 1, 1000);
    $dead->kill9;
    isnt $t->bare_session($device[0]), 204, 'its devices get no service';
    is $t->bare_session($device[1]), 204, 'others do';
    my $begin = time();
    ok wait_for(sub { $t->bare_session($device[0]) == 204 }, 20),
        'until its replica has taken over';
    diag(sprintf('after %.1f s', time() - $begin));
    is $t->bare_session($_), 204, "$_ is served" for @device;
    isnt primary_of($cluster, $device[0]), $dead, 'by another server';
    $t->finish;
};


subtest 'a primary gives its place to its replica' => sub {
    my ($t, $cluster) = with_cluster(workers => 1,
        cluster => { replicas => 1 },
        timeout => '10s connect_timeout=10s');      # a busy machine's
    my ($device) = spread($cluster);
    my $old = primary_of($cluster, $device);
    my ($replica) = grep {
        $_->client->cmd('INFO', 'replication') =~ /role:slave/
            && $_->client->cmd('INFO', 'replication')
               =~ /master_port:@{[ $old->port ]}\b/
    } $cluster->servers;
    my %status;

    is $t->bare_session($device), 204, 'a device is known';
    $replica->client->cmd('CLUSTER', 'FAILOVER');
    my $until = time() + 3;
    while (time() < $until) {
        $status{$t->bare_session($device)}++;
        sleep(0.005);           # or it is taken for one without end
    }
    is_deeply [keys %status], [204], 'no session noticed';
    is primary_of($cluster, $device), $replica, 'the replica has its place';
    $t->finish;
};


subtest 'the start' => sub {
    my ($t, $cluster) = with_cluster(start => 0);
    my ($seed, @others) = map { '127.0.0.1:' . $_->port } $cluster->servers;

    my $silent = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    $t->node->{redis} = join(' ', '127.0.0.1:1',
        '127.0.0.1:' . $silent->sockport, $others[0],
        'cluster timeout=3s connect_timeout=300ms');
    $t->start_all;
    my $first = $t->raw;
    $first->post(inform(serial => 'S1'), no_read => 1);
    sleep(0.1);
    is $t->bare_session('S2'), 204, 'one address is nobody, one silent: the next';
    is $first->read_response({})->status, 200, 'for all who wait';
    $t->quit;

    $t->node->{redis} = "$seed cluster partitions=32";
    $t->start;
    is $t->bare_session('S1'), 503, 'another number of partitions';
    like $t->error_log, qr/says 64 partitions/, 'is refused';
    $t->quit;

    my $alone = CWMP::RedisServer->new(dir => $t->dir, port => free_port());
    $alone->start;
    $t->node->{redis} = '127.0.0.1:' . $alone->port . ' cluster';
    $t->start;
    is $t->bare_session('S1'), 503, 'a Redis that is no Cluster';
    like $t->error_log, qr/leave out "cluster"/, 'is said to be none';
    $t->finish;
};


subtest 'what cannot be meant' => sub {
    my $t = CWMP::Test->new(redis => 0, start => 0, cwmp_redis => '');
    $t->expect_log(qr/\[emerg\]/);
    my %wrong = (
        '127.0.0.1:1 127.0.0.1:2' => qr/several addresses.*add "cluster"/,
        '127.0.0.1:1 cluster db=2' => qr/"db=" with "cluster"/,
        '127.0.0.1:1 cluster partitions=1' => qr/use partitions=64/,
        '127.0.0.1:1 cluster sentinel=acs' => qr/use one of them/,
        '127.0.0.1:1 sentinel_password=x' => qr/without "sentinel="/,
        '127.0.0.1:1 cluster cluster' => qr/"cluster".*is duplicate/,
    );
    for my $words (sort keys %wrong) {
        $t->node->{redis} = $words;
        like +($t->check_conf)[1], $wrong{$words}, $words;
    }
    $t->finish;
};


done_testing;
