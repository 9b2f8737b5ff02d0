#!/usr/bin/perl

# Housekeeping where Redis is a Cluster: the tools find a device's partition and
# its primary, a replacement may be in another one, a pass goes over all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use CWMP::RedisCluster;
use CWMP::Test qw(wait_for);
use CWMP::Raw ':build';

plan skip_all => 'no redis-cli' if !grep { -x "$_/redis-cli" }
                                    split(/:/, $ENV{PATH});

my $TOOLS = "$FindBin::Bin/../redis";
my $GET = '{"method":"GetParameterValues","ParameterNames":["Device.X"],"id":"g"}';
my $dir = File::Temp->newdir('cwmp-cluster-XXXXXX', TMPDIR => 1);
my $set = CWMP::RedisCluster->new(dir => $dir);
my $t = CWMP::Test->new(redis => 0, redis_server => $set,
                        redis_options => 'partitions=16', server => <<'CONF');
    location /quarantine { cwmp_unknown quarantine; cwmp_acs; }
    location /few { cwmp_unknown quarantine total=16/m; cwmp_acs; }
CONF
my $redis = $t->redis;
my ($server) = $set->servers;

my @serials = map { "S$_" } 1 .. 12;
my %id = map { ($_ => "00D09E-Box-$_") } @serials;


# What it printed, and how it ended; by way of any server.
sub tool {
    my ($name, @args) = @_;
    my $text = join(' ', map { s/'/'\\''/gr =~ s/(.*)/'$1'/sr }
                    "$TOOLS/$name", '-p', $server->port, @args);
    my $out = `$text 2>&1`;
    chomp $out;
    return $? ? "$out; exit code " . ($? >> 8) : $out;
}


sub session {
    my ($serial) = @_;
    my $raw = $t->raw;
    $raw->post(inform(serial => $serial));
    my $r = $raw->empty;
    my @said;
    while ($r->status == 200) {
        push @said, $r->method;
        $r = $raw->post(gpv_response($r->id, ['Device.X', 'string', '1']));
    }
    return "@said";
}


sub keys_of { return grep { /:$_[0](?::|$)/ } $redis->list('KEYS', 'cwmp:*') }
sub port_of { return $set->owner($redis->device_key($_[0]))->port }


# Another one, whose primary is another one's.
sub elsewhere {
    my ($id) = @_;
    return (grep { port_of($_) != port_of($id) } map { $id{$_} } reverse @serials)[0];
}


session($_) for @serials;

subtest 'push and tags' => sub {
    for my $id (map { $id{$_} } @serials) {
        is tool('cwmp-push', '-c', $id, $GET), 'g', "a task for $id";
        is tool('cwmp-device', '-c', 'tags', $id, '+vip'), 'vip', 'and a tag';
    }
    is session('S1'), 'GetParameterValues', 'it gets its task';
    is $redis->result($id{S1}, 'g')->{status}, 'done', 'which is done';
};


subtest 'find: of each partition' => sub {
    my @found;
    for my $p (0 .. 15) {
        my ($cursor, @ids) = $redis->list('FCALL_RO', 'cwmp_find', 1,
            "cwmp:{$p}:index:seen", '{"tag":"vip"}');
        push @found, @ids;
    }
    is_deeply [sort @found], [sort values %id], 'all of them';
};


subtest 'replace, by one of another primary' => sub {
    my $new = elsewhere($id{S2});
    is tool('cwmp-device', '-c', 'tags', $id{S2}, '+old'), "old\nvip", 'a tag';
    is tool('cwmp-device', '-c', 'delete', $new), '', 'the new one is unknown';
    is tool('cwmp-device', '-c', 'replace', $id{S2}, $new), '1 tasks moved',
        'the task moves';
    is session($new =~ s/.*-//r), 'GetParameterValues',
        'and is sent to the new one';
    is tool('cwmp-device', '-c', 'tags', $new), "old\nvip", 'the tags moved';
};


subtest 'delete' => sub {
    is tool('cwmp-device', '-c', 'delete', $id{S3}), '', 'delete';
    is_deeply [keys_of($id{S3})], [], 'no key is left';
    like tool('cwmp-device', '-c', 'delete', $id{S3}),
        qr/no device $id{S3} is known; exit code 1$/, 'again';
};


subtest 'reconcile' => sub {
    my $key = $redis->device_key($id{S4});
    my ($base) = $key =~ /^(.*:)/;
    $redis->cmd('ZREM', "${base}index:first", $id{S4});
    $redis->cmd('ZREM', "$key:queue", 'g');
    my $found = tool('cwmp-reconcile', '-c', '--dry-run');
    like $found, qr/^11 devices in 16 partitions, 2 found, nothing changed$/m,
        'a look at all partitions';
    like $found, qr/^is missing in index:first, device: $id{S4}$/m,
        'what an index has not';
    like $found, qr/^task g is neither in queue, running nor waiting, device: $id{S4}$/m,
        'what a queue has not';
    like tool('cwmp-reconcile', '-c'),
        qr/^11 devices in 16 partitions, 2 found$/m, 'they are mended';
    is tool('cwmp-reconcile', '-c'),
        '11 devices in 16 partitions, 0 found', 'and there is no more';
    is session('S4'), 'GetParameterValues', 'the task is sent';
    is tool('cwmp-reconcile', '-c', '--forget', 30), '', 'a setting';
    is_deeply [grep { ($redis->cmd('HGET', "cwmp:{$_}:settings", 'silence')
                       // '') ne 30 * 86400 } 0 .. 15], [],
        'is in all partitions';
};


subtest 'a pass by itself' => sub {
    my $key = $redis->device_key($id{S5});
    my ($base) = $key =~ /^(.*:)/;
    $redis->cmd('ZREM', "${base}index:first", $id{S5});
    $redis->cmd('HSET', "${base}reconcile", 'next', 1);
    ok wait_for(sub { defined $redis->cmd('ZSCORE', "${base}index:first",
                                          $id{S5}) }, 15), 'mends it';
};


sub informs {
    my ($where, $id) = @_;
    return $t->raw(0, url => $t->url(0, $where))
             ->post(inform(serial => $id =~ s/.*-//r))->status;
}


subtest 'devices that nobody announced' => sub {
    my @new = map { "00D09E-Box-N$_" } 1 .. 8;
    is_deeply [map { informs('/quarantine', $_) } @new], [(200) x 8], 'come into quarantine';
    is_deeply [map { join ' ', keys_of($_) } @new],
        [map { $redis->device_key($_) } @new], '... of which nothing else is kept';
    is_deeply [sort map { /^(\S+)\t/ } split /\n/, tool('cwmp-device', '-c', 'list', 'quarantine')],
        \@new, 'they are listed, of all partitions';
    is tool('cwmp-device', '-c', 'deny', $new[0]), "$new[0]: quarantine", 'one is denied';
    is tool('cwmp-device', '-c', 'approve', @new[1, 2]), "$new[1]: quarantine\n$new[2]: quarantine",
        'two are approved';
    is_deeply [sort split /\n/, tool('cwmp-device', '-c', 'approve', '--all')],
        [map { "$_: quarantine" } @new[3 .. 7]], '... and all others';
    is_deeply [map { informs('/quarantine', $_) } @new], [403, (200) x 7], 'so they come';
    like tool('cwmp-reconcile', '-c'), qr/^\d+ devices in 16 partitions, 0 found$/m, 'all is in order';

    # each partition has its share of total=
    my $in = $redis->partition($new[0]);
    my @same = grep { $redis->partition($_) == $in } map { "00D09E-Box-P$_" } 1 .. 100;
    my ($other) = grep { $redis->partition($_) != $in } map { "00D09E-Box-P$_" } 1 .. 100;
    wait_for(sub { ${ $set->client->cmd('TIME') }[0] % 60 < 50 }, 60);
    $redis->cmd('DEL', "cwmp:{$_}:unknown") for 0 .. 15;
    is_deeply [map { informs('/few', $_) } @same[0, 1], $other], [200, 503, 200],
        'one in a minute, of 16 for all 16 of them';
    $t->expect_log(qr/is the last one that nobody announced to come in this minute/, 2);
};


subtest 'partitions' => sub {
    like tool('cwmp-partitions', 16, 32),
        qr/Redis must be no Cluster; see --help; exit code 1$/,
        'their number stays';
    is $redis->cmd('HGET', 'cwmp:meta', 'partitions'), 16, 'as it is';
};

done_testing;
