#!/usr/bin/perl

# How parameters are kept: by object, small enough (docs/redis.md has the same
# figures), with nothing mixed up however they come, and as they were kept by
# older versions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Model;
use CWMP::Script;
use CWMP::Test qw(wait_for patience);

my $REAL = "$FindBin::Bin/../../shared/devices";
my $CONF = "$FindBin::Bin/../redis/redis.conf";

my $t = CWMP::Test->new(start => 0);
$t->redis_server->{args} = ['--include', $CONF];
$t->redis_server->start;
$t->start;
my $redis = $t->redis;
my $n = 0;

sub device { return CWMP::Script->new($t, 'P' . ++$n, @_) }
sub field { my ($d, $name) = @_; return $redis->cmd('HGET', $d->key('params'), $name) }


# A read of this path, answered so.
sub answers {
    my ($d, $path, @rows) = @_;
    my $id = 'r' . ++$n;
    $d->give({ method => 'GetParameterValues', id => $id,
               ParameterNames => [$path] });
    $d->post(gpv_response($d->begin->id, @rows), timeout => patience(20));
    is $d->status($id), 'done', "$path was read";
}


sub values_of {
    my ($d, $prefix) = @_;
    my $params = $redis->params($d->id, $prefix);
    return { map { ($_ => $params->{$_}{value}) } keys %$params };
}


subtest 'what comes in one read after another' => sub {
    my $d = device();
    answers($d, 'Device.A.', map { ["Device.A.P$_", 'int', $_] } 1 .. 5);
    answers($d, 'Device.A.P2', ['Device.A.P2', 'string', 'two']);
    is_deeply values_of($d, 'Device.A.'), { 'Device.A.P1' => 1,
        'Device.A.P2' => 'two', map { ("Device.A.P$_" => $_) } 3 .. 5 },
        'one of an object is read again: the others stay';
    is $redis->params($d->id)->{'Device.A.P2'}{type}, 'xsd:string', 'its type';

    my $long = 'x' x 300;
    answers($d, 'Device.A.P3', ['Device.A.P3', 'string', $long]);
    is values_of($d, '')->{'Device.A.P3'}, $long, 'a value that became long';
    ok defined field($d, 'Device.A.P3'), '... is a field of its own';
    answers($d, 'Device.A.P3', ['Device.A.P3', 'string', 'short']);
    is values_of($d, '')->{'Device.A.P3'}, 'short', 'and short again';
    ok !defined field($d, 'Device.A.P3'), '... is none';

    answers($d, 'Device.', ['Device.A.P1', 'int', 9], ['Device.B', 'int', 1],
            ['Device.A.P9', 'int', 9], ['Device.A.C.P1', 'int', 3]);
    is_deeply values_of($d, 'Device.'), { 'Device.A.P1' => 9, 'Device.B' => 1,
        'Device.A.P9' => 9, 'Device.A.C.P1' => 3 },
        'what a read of all does not list is gone';
    $redis->cmd('ZADD', 'cwmp:{0}:due', 0, 'g ' . $d->id);
    ok wait_for(sub { !defined $redis->cmd('ZSCORE', 'cwmp:{0}:due',
                                           'g ' . $d->id) }, patience(10)),
        '(swept)';
    is scalar(keys %{ values_of($d, '') }), 4, '... and what it lists is there';
    is $redis->cmd('HGET', $d->key, 'packed'), 4, '... and counted';
};


subtest 'an object of very many' => sub {
    my $d = device();
    answers($d, 'Device.', map { ["Device.P$_", 'int', $_] } 1 .. 1300);
    is values_of($d, '')->{"Device.P$_"}, $_, "no. $_" for 1, 128, 129, 1300;
    is scalar(keys %{ values_of($d, '') }), 1300, 'all of them';
    cmp_ok $redis->cmd('HSTRLEN', $d->key('params'), 'Device.'), '<', 4096,
        'RULE-5 what an Inform writes as a whole is small';
};


# Handed over by object, in chunks that end wherever they do.
subtest 'a long answer in any order' => sub {
    my $d = device();
    my $long = 'y' x 300;
    my %want = ('Device.Z.Twice' => 'b', 'Device.Z.Long' => $long,
                'Device.Z.Short' => $long, Top => 1, '.Odd' => 2,
                'Device.Z.' . 'n' x 250 => 'long name', 'Device.Z.Empty' => '');
    for my $i (1 .. 800) {              # of two objects in turn, one of many
        $want{"Device.A.$i.X"} = $want{"Device.A.$i.Y"} = "v$i";
        $want{"Device.M.P$i"} = "m$i";
    }
    my @rows = map { my $i = $_; map { ["Device.$_", 'string',
                     $want{"Device.$_"}] } "A.$i.X", "M.P$i", "A.$i.Y" } 1 .. 800;
    for my $again (0, 1, 2) {
        my @odd = (['Device.Z.Twice', 'string', 'a'],
                   ['Device.Z.Long', 'string', 'told twice'],
                   map { [$_, 'string', $want{$_}] } sort grep { !/[AM]/ }
                   keys %want);
        answers($d, '', @odd, $again == 2 ? reverse @rows : @rows, @odd);
        is_deeply values_of($d, ''), \%want, "as it was told, no. $again";
        ok defined field($d, 'Device.Z.Long'), '... a long one for itself';
        unlike field($d, 'Device.Z.'), qr/Long/, '... and there alone';
        $want{'Device.Z.Short'} = 's';
    }
    ok !defined field($d, 'Device.Z.Short'), 'what became short is in the pack';
    my $packed = 0;
    for my $field ($redis->list('HKEYS', $d->key('params'))) {
        next if $field !~ /.\.$/;
        my (undef, $names) = split /\x02/, field($d, $field);
        $packed += () = split /\x01/, $names, -1;
    }
    is $redis->cmd('HGET', $d->key, 'packed'), $packed, 'packs are counted';
};


subtest 'as older versions kept it, and damaged' => sub {
    my $d = device();
    $d->session;
    $redis->cmd('HSET', $d->key('params'), 'Device.Old.A', '0sa',
                'Device.Old.B', '0ub');
    is_deeply values_of($d, 'Device.Old.'), { 'Device.Old.A' => 'a',
        'Device.Old.B' => 'b' }, 'a field for each path is read';
    answers($d, 'Device.Old.A', ['Device.Old.A', 'string', 'new']);
    is_deeply values_of($d, 'Device.Old.'), { 'Device.Old.A' => 'new',
        'Device.Old.B' => 'b' }, 'one of them is read again';
    ok !defined field($d, 'Device.Old.A'), '... and kept as it is now';
    answers($d, 'Device.', ['Device.New', 'int', 1]);
    is_deeply values_of($d, ''), { 'Device.New' => 1 }, 'they go as well';

    answers($d, 'Device.X.', ['Device.X.A', 'int', 1]);
    for my $junk ('', 'x', "1\2A\1B\2i1", "1,2\2A\2i1", "\2\2", "9\2\2",
                  "1\2A\2i1\2") {
        $redis->cmd('HSET', $d->key('params'), 'Device.X.', $junk);
        is values_of($d, '')->{'Device.New'}, 1, 'RULE-4 the rest is read';
        answers($d, 'Device.X.', ['Device.X.A', 'int', 1]);
        is_deeply values_of($d, 'Device.X.'), { 'Device.X.A' => 1 },
            '... and it is whole again with the next read';
    }
};


sub rows_of {
    my ($model) = @_;
    return map { my $p = $model->{param}{$_};
                 [$_, $p->{spelled} // $p->{type}, $p->{value} // ''] }
           $model->paths;
}


sub model_of {
    my ($file) = @_;
    my $model = CWMP::Model->load_csv("$REAL/$file");
    return rows_of($model);
}


subtest 'whole gateways' => sub {
    plan skip_all => '../shared is absent' unless -d $REAL;
    # eight more of each, DeviceID, are of who made the dump
    my %gateway = ('tplink-EX220-tr181.csv' => 4413,
                   'huawei-EG8145V5-tr098.csv' => 3147);
    for my $file (sort keys %gateway) {
        my @rows = model_of($file);
        is scalar @rows, $gateway{$file}, "$file: so many";
        my $d = device();
        answers($d, '', @rows) for 1, 2;
        is_deeply values_of($d, ''), { map { ($_->[0] => $_->[2]) } @rows },
            'all of them are there';
        my $bytes = $redis->cmd('MEMORY', 'USAGE', $d->key('params'),
                                'SAMPLES', 0);
        cmp_ok $bytes, '<', 190_000, "in $bytes bytes";
    }
};


# Fifty parameters, and two tasks done: reads of ten and of one.  Sessions and
# events are dropped: the former expire, the latter have a bound of their own.
subtest 'a device of fifty parameters' => sub {
    my @rows = (rows_of(CWMP::Model->tr181))[0 .. 49];
    my $used = sub {
        $redis->cmd('DEL', 'cwmp:{0}:events', 'cwmp:{0}:due');
        $redis->cmd('DEL', $_) for @{ $redis->cmd('KEYS', '*:session') };
        my ($bytes) = $redis->cmd('INFO', 'memory') =~ /^used_memory:(\d+)/m;
        return $bytes;
    };
    my $run = sub {
        my $d = device(params => \@rows);
        reads($d, @rows[@$_]) for [0 .. 9], [10];
        return $d;
    };
    $run->() for 1 .. 20;
    my ($before, $devices) = ($used->(), 300);
    my $last;
    $last = $run->() for 1 .. $devices;
    my $each = int(($used->() - $before) / $devices);
    is scalar(keys %{ values_of($last, '') }), 50, 'fifty are kept';
    is $redis->cmd('XLEN', $last->key('results')), 2, 'two tasks are done';
    cmp_ok $each, '<', 6000, "$each bytes in Redis, all in all";
    is $redis->cmd('OBJECT', 'ENCODING', $last->key($_)), 'listpack',
        'one block of memory: ' . ($_ // 'the device') for undef, 'params';
};


sub reads {
    my ($d, @rows) = @_;
    $d->give({ method => 'GetParameterValues', id => 'q' . ++$n,
               ParameterNames => [map { $_->[0] } @rows] });
    $d->post(gpv_response($d->begin->id, @rows));
}

done_testing;
