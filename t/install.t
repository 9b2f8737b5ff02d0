#!/usr/bin/perl

# What an admin has after `make install`, and what `make run` starts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp 'tempdir';
use Test::More;

use CWMP::Daemon qw(free_port patience project_root slurp wait_for);
use CWMP::Redis;
use CWMP::Test;

my $ROOT = project_root();


sub files_below {
    my ($dir) = @_;
    chomp(my @files = `cd '$dir' && find . ! -type d | sort`);
    return join("\n", @files);
}


subtest 'make install' => sub {
    my $dest = tempdir(CLEANUP => 1);
    my $said = do {
        local %ENV = %ENV;
        delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
        `make -s -C '$ROOT' install DESTDIR='$dest' 2>&1`;
    };
    is $?, 0, 'works' or diag $said;
    like files_below($dest), qr{^\./usr/lib/nginx/modules/\w+\.so$}m,
        'the module';

    my $t = CWMP::Test->new(nodes => 0);
    my $redis = $t->redis_server;
    $redis->stop;
    $redis->{args} = ['--include', "$dest/usr/share/cwmp/redis.conf"];
    $redis->start;
    is $t->redis->cmd('CONFIG', 'GET', 'stream-node-max-bytes')->[1], 512,
        'redis.conf, as Redis takes it';
    like $t->redis->cmd('FUNCTION', 'LOAD',
                        slurp("$dest/usr/share/cwmp/cwmp.lua")),
        qr/^cwmp$/, 'the function library';

    for my $tool (glob("$ROOT/redis/cwmp-*")) {
        my ($name) = $tool =~ m{([^/]+)$};
        next if $name =~ /\.sh$/;
        like `cd / && '$dest/usr/bin/$name' --help 2>&1`,
            qr/^usage: $name .*-s SOCKET/s, "$name --help";
    }
    for my $tool (qw(cwmp-user cwmp-seal cwmp-tickets cwmp-staple)) {
        like `'$dest/usr/bin/$tool' --help 2>&1`, qr/^ *(?:usage: )?$tool .*\n\z/ms,
            "$tool --help";
    }
    ok -s "$dest/usr/share/cwmp/examples/tls-modern.conf", 'the examples';
    my $socket = $redis->socket;
    my $push = "$dest/usr/bin/cwmp-push -s $socket --new";
    is `$push A-1 '{"method":"Reboot","id":"r1"}' 2>&1`, "r1\n",
        'cwmp-push pushes';
    like `$dest/usr/bin/cwmp-reconcile -s $socket 2>&1`,
        qr/^\d devices in 1 partitions, 0 found$/, 'cwmp-reconcile looks';
    $t->finish;
};


subtest 'make run' => sub {
    my $dir = tempdir(CLEANUP => 1);
    my $port = free_port();
    my $run = CWMP::Daemon->new(name => 'make run');
    $run->spawn([$^X, "$ROOT/t/run"], output => "$dir/out",
                env => { RUN_DIR => "$dir/run", PORT => $port });
    ok wait_for(sub { slurp("$dir/out") =~ /<- 204 end/ }, patience(20)),
        'a CPE has its session' or diag slurp("$dir/out");

    my $redis = CWMP::Redis->new(path => "$dir/run/redis.sock");
    my %conf = map { @{ $redis->cmd('CONFIG', 'GET', $_) } }
               qw(appendonly maxmemory-policy stream-node-max-bytes);
    is_deeply \%conf, { appendonly => 'yes', 'maxmemory-policy' =>
        'noeviction', 'stream-node-max-bytes' => 512 },
        'Redis has the settings of redis.conf';
    my ($id) = @{ $redis->cmd('ZRANGE', 'cwmp:{0}:index:seen', 0, -1) };
    ok $id, 'and the device';

    $redis->cmd('RPUSH', "cwmp:{0}:$id:tasks", map { CWMP::Redis::task_json($_) }
        { method => 'ScheduleInform', id => 'later', DelaySeconds => 300 },
        { method => 'Reboot', id => 'boot' });
    ok wait_for(sub { slurp("$dir/out") =~ /reboots.*Inform 1 BOOT/s },
                patience(30)),
        'what is scheduled for later holds up no Inform'
        or diag slurp("$dir/out");

    $run->signal('INT');
    ok $run->wait_exit(patience(10)), 'Ctrl-C ends it';
    is $run->exit_text, 'exit code 0', '... all of it';
    like slurp("$dir/out"), qr/^stopped$/m, '... which it says';
    unlike slurp("$dir/run/logs/error.log"), qr/\[(?:warn|error|crit|alert)\]/,
        'nothing to complain of in the log';
};

done_testing;
