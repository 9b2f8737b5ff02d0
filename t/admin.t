#!/usr/bin/perl

# What an admin was promised: the permissions that docs/redis.md gives are
# enough for what it says, a task that was sent without an answer never ends
# as if it had not been, and a changed function library has a new version.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use Test::More;

use CWMP::Daemon qw(slurp library_text);
use CWMP::Redis;
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

# a user of the docs, and what Redis says to it
sub user {
    my ($name, $password) = @_;
    $redis->cmd(acl_of('redis.md', $name));
    my $r = CWMP::Redis->new(path => $redis->{path});
    $r->cmd('AUTH', $name, $password);
    return sub { return scalar $r->try(@_) };
}

my $DENIED = qr/NOPERM|permission/;

# all commands that it may run, but those that begin a connection
sub may_run {
    my ($user) = @_;
    my @may;
    my @all = map { @{ $_->[9] // [] } ? @{ $_->[9] } : $_ } @{ $redis->cmd('COMMAND') };
    for (@all) {
        my ($name, $arity) = @$_;
        my @words = split /\|/, $name;
        my $said = $redis->try('ACL', 'DRYRUN', $user, @words,
                               ('x') x (abs($arity) - @words));
        $said = $said->{message} if ref $said;
        push @may, $name unless $said =~ /permissions to run/;
    }
    return join ' ', sort grep { !/^(?:auth|hello|quit|reset)$/ } @may;
}

sub device { my $d = CWMP::Script->new($t, 'A' . ++$n, @_); $d->begin; return $d }
sub cancel { return $redis->try('FCALL', 'cwmp_cancel', 1, $_[0]->key('tasks'), $_[1]) }

# The RPC goes out and is not answered; another session finds that.
sub unanswered {
    my ($task) = @_;
    my $d = device();
    $d->give({ id => 't', %$task });
    is $d->begin->method, $task->{method}, "$task->{method} is sent";
    $d->inform;
    return $d;
}


# What a page of the docs lets this user do, as the words that a shell makes of
# it.
sub acl_of {
    my ($page, $user) = @_;
    my ($text) = slurp("$FindBin::Bin/../docs/$page")
        =~ /^\$ redis-cli (ACL SETUSER $user .*?)^OK$/ms;
    $text =~ s/\\\n//g;
    return map { s/^'(.*)'$/$1/r } $text =~ /('[^']*'|\S+)/g;
}


subtest 'the permissions of the docs' => sub {
    $redis->cmd(acl_of('redis.md', 'desk'));
    $redis->cmd('ACL', 'LOG', 'RESET');

    my $d = device();
    my $key = $d->key('tasks');
    my $desk = sub {
        my @cmd = @_;
        my $r = CWMP::Redis->new(path => $redis->{path});
        $r->cmd('AUTH', 'desk', 'd1');
        return $r->try(@cmd);
    };
    is $desk->('FCALL', 'cwmp_push', 1, $key,
        '{"method":"Reboot","id":"r","expires":9999999999,"wake":true}'), 'r',
        'a task can be pushed';
    is $desk->('FCALL', 'cwmp_cancel', 1, $key, 'r'), 'queued', '... cancelled';
    ok ref $desk->('FCALL_RO', 'cwmp_params', 1, $d->key('params')) eq 'ARRAY',
        '... parameters read';
    is_deeply [$redis->list('ACL', 'LOG')], [], '... and Redis notes nothing';
    like $desk->('FCALL', 'cwmp_step_1', 1, 'x'), qr/NOPERM|permission/,
        'a session cannot be played';

    like $desk->('HGETALL', 'cwmp:user:{me}'), qr/NOPERM|permission/, 'credentials are not read';
    like $desk->('HSET', 'cwmp:user:{me}', 'first', 1), qr/NOPERM|permission/, '... nor written';

    $redis->cmd(acl_of('redis.md', 'help'));
    my $help = CWMP::Redis->new(path => $redis->{path});
    $help->cmd('AUTH', 'help', 'h1');
    $d->inform;
    my @keys = (map({ $d->key($_) } qw(params results live queue running waiting)),
                $d->key, 'cwmp:{0}:index:seen', 'cwmp:{0}:events',
                map { "cwmp:{0}:00D09E-Box-$_" } qw(n on ion session xsession));
    unlike $help->try('EXISTS', $_), qr/NOPERM|permission/, "a help desk reads $_" for @keys;
    like $help->try('HGET', $d->key('session'), 't'), qr/NOPERM|permission/, '... but no cookie';
    is_deeply [($help->list('FCALL_RO', 'cwmp_find', 1, 'cwmp:{0}:index:seen', '{}', 9))[1]],
        [$d->id], '... and finds devices';
};


subtest 'the permissions of the docs: who pushes, and reads nothing' => sub {
    my $orders = user('orders', 'o1');
    my $d = device();
    is $orders->('RPUSH', $d->key('tasks'), '{"method":"Reboot","id":"r9"}'), 1,
        'a task can be pushed';
    is $orders->('RPUSH', $d->key('tasks'), '{"method":"GetRPCMethods","id":"g"}'), 2,
        '... and another';
    is $d->begin->method, 'Reboot', '... and is sent';
    is may_run('orders'), 'rpush', 'it may do nothing else';

    $redis->cmd('RPUSH', $d->key('tasks'), '{"method":"Reboot","id":"x"}');
    for (['LRANGE', $d->key('tasks'), 0, -1], ['LPOP', $d->key('tasks')],
         ['HGETALL', $d->key], ['HGETALL', 'cwmp:user:{me}'],
         ['HGET', $d->key('live'), 'x'], ['XRANGE', $d->key('results'), '-', '+'],
         ['FCALL_RO', 'cwmp_params', 1, $d->key('params')],
         ['FCALL', 'cwmp_push', 1, $d->key('tasks'), '{"method":"Reboot"}'],
         ['EVAL', 'return redis.call("LRANGE", KEYS[1], 0, -1)', 1, $d->key('tasks')],
         ['SORT', $d->key('tasks'), 'BY', 'nosort'], ['COPY', $d->key('tasks'), $d->key('x')],
         ['DUMP', $d->key('tasks')], ['KEYS', '*'], ['SCAN', 0], ['MONITOR'],
         ['SUBSCRIBE', 'x'], ['CONFIG', 'GET', '*'])
    {
        like $orders->(@$_), $DENIED, "not $_->[0] " . ($_->[1] // "");
    }
    like $orders->('RPUSH', $_, 'x'), $DENIED, "not into $_"
        for map({ $d->key($_) } qw(live results moving queue params)), $d->key, 'x',
            'cwmp:user:{me}', 'cwmp:meta', 'cwmp:{0}:events', 'cwmp:{0}:due';
};


subtest 'the permissions of the docs: who reads, and changes nothing' => sub {
    my $help = user('help', 'h1');
    my $d = device();
    $d->give({ id => 'g', method => 'GetParameterValues', ParameterNames => ['Device.A'] });
    $d->obey($d->begin);
    $d->inform;
    is scalar(@{ $help->('FCALL_RO', 'cwmp_params', 1, $d->key('params'), 'Device.A') }), 3,
        'a parameter';
    is scalar(grep { $_ eq $d->id } @{ $help->('FCALL_RO', 'cwmp_find', 1,
        'cwmp:{0}:index:seen', '{"class":"Box"}', 100) }), 1, 'a device is found';
    is $help->('HGET', $d->key, 'serial'), $d->{serial}, '... its record';
    like $help->('XREVRANGE', $d->key('results'), '+', '-')->[0][1][1], qr/^g$/,
        '... its results';
    ok @{ $help->('XRANGE', 'cwmp:{0}:events', '-', '+') }, '... events';
    ok @{ $help->('ZRANGE', 'cwmp:{0}:index:seen', 0, -1) }, '... an index';

    my %write = map { ($_->[0] => 1) } grep { grep { /^write$/ } @{ $_->[2] } }
                @{ $redis->cmd('COMMAND') };
    my @may = split / /, may_run('help');
    cmp_ok scalar(@may), '>', 10, 'some commands';
    is_deeply [grep { $write{$_} } @may], [], 'none of which writes';
    is_deeply [grep { /^(?:f?call|eval|evalsha|script|function|scan|keys|dump|monitor|acl|config|debug)/ }
               @may], [], '... or looks for keys, or dumps them';
    like $help->(@$_), $DENIED, "not $_->[0] $_->[1]" for
        ['RPUSH', $d->key('tasks'), 'x'], ['HSET', $d->key, 'x', 1], ['DEL', $d->key],
        ['HGETALL', $d->key('session')], ['HGETALL', 'cwmp:user:{me}'], ['HGETALL', 'cwmp:meta'],
        ['FCALL_RO', 'cwmp_version', 0], ['FCALL', 'cwmp_params', 1, $d->key('params')],
        ['FCALL', 'cwmp_step_3', 1, 'x'], ['FCALL_RO', 'cwmp_user_1', 1, 'cwmp:user:{me}'],
        ['FCALL_RO', 'cwmp_params', 1, $d->key('session')],
        ['EVAL_RO', 'return redis.call("HGETALL", KEYS[1])', 1, $d->key('session')];
};


subtest 'the permissions of the docs: who pushes, and reads results' => sub {
    my $bss = user('bss', 'b1');
    my $d = device();
    is $bss->('RPUSH', $d->key('tasks'), '{"method":"GetRPCMethods","id":"g"}'), 1,
        'a task can be pushed';
    $d->obey($d->begin);
    is $bss->('XRANGE', $d->key('results'), '-', '+')->[0][1][1], 'g', '... its result read';
    is $bss->('XREVRANGE', $d->key('results'), '+', '-', 'COUNT', 1)->[0][1][1], 'g',
        '... the last one';
    is $bss->('XREAD', 'STREAMS', $d->key('results'), 0)->[0][1][0][1][1], 'g', '... or all';
    is may_run('bss'), 'rpush xrange xread xrevrange', 'it may do nothing else';
    like $bss->(@$_), $DENIED, "not $_->[0] $_->[1]" for
        ['LRANGE', $d->key('tasks'), 0, -1], ['RPUSH', $d->key('results'), 'x'],
        ['RPUSH', $d->key('live'), 'x'], ['XRANGE', 'cwmp:{0}:events', '-', '+'],
        ['XRANGE', 'cwmp:{0}:wake', '-', '+'], ['HGETALL', $d->key], ['DEL', $d->key('results')],
        ['XADD', $d->key('results'), '*', 'x', 'x'], ['HGETALL', 'cwmp:user:{me}'];
};


subtest 'the permissions of the docs: housekeeping, quirks' => sub {
    my $d = device();
    my $key = $d->key('tasks');
    $redis->cmd(acl_of('redis.md', 'house'));
    $redis->cmd('ACL', 'LOG', 'RESET');
    my $house = sub {
        my ($tool, @args) = @_;
        local $ENV{REDISCLI_AUTH} = 'h1';
        my $out = qx{$FindBin::Bin/../redis/$tool --user house -s $redis->{path} @args 2>&1};
        return $out =~ s/\n\z//r;
    };
    my $new = device();
    $_->session for $d, $new;
    is $house->('cwmp-device', 'tags', $d->id, '+vip'), 'vip', 'tags';
    $redis->cmd('HSET', $d->key, tags => "\e[31m");
    unlike $house->('cwmp-device', 'tags', $d->id), qr/\e/, '... of which none speaks to the terminal';
    $redis->cmd('HSET', $d->key, tags => 'vip');
    $d->give({ method => 'Reboot' });
    is $house->('cwmp-device', 'replace', $d->id, $new->id), '1 tasks moved',
        'replace';
    $redis->cmd('ZREM', 'cwmp:{0}:index:seen', $new->id);
    like $house->('cwmp-reconcile'), qr/, 1 found$/, 'a pass';
    is $house->('cwmp-reconcile', '--forget', 'off'), '', 'settings';
    is $house->('cwmp-device', 'announce', '00D09E-Box-H'), '00D09E-Box-H: announced', 'announce';
    like $house->('cwmp-device', 'list', 'announced'), qr/^00D09E-Box-H\t/, 'a list';
    is $house->('cwmp-device', 'approve', '--all'), '', 'approve';
    is $house->('cwmp-device', 'deny', '00D09E-Box-H'), '00D09E-Box-H: announced', 'deny';
    is $house->('cwmp-device', 'delete', $d->id), '', 'delete';
    is_deeply [$redis->list('ACL', 'LOG')], [], 'Redis notes nothing';

    $redis->cmd(acl_of('quirks.md', 'tech'));
    my $tech = CWMP::Redis->new(path => $redis->{path});
    $tech->cmd('AUTH', 'tech', 't1');
    my @fcall = ('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', 'a/b/c');
    is $tech->cmd(@fcall, '{"prefix":"s"}'), 'stored', 'quirks can be set';
    is $tech->cmd(@fcall, '{}'), 'removed', '... removed';
    ok scalar($tech->list('FCALL_RO', 'cwmp_quirks', 1, $fcall[3])),
        '... and listed';
    like $tech->try('FCALL', 'cwmp_push', 1, $key, '{}'),
        qr/NOPERM|permission/, 'and no more';
};


subtest 'cancelled, but it had been sent' => sub {
    my %set = (method => 'SetParameterValues', ParameterList =>
        { 'Device.A' => { value => 1, type => 'xsd:int' } });
    my $d = unanswered({ method => 'Reboot' });
    is cancel($d, 't'), 'waiting', 'a Reboot without an answer waits';
    is $d->status('t'), 'lost', 'RULE-3 nobody knows what it did';

    $d = unanswered({ method => 'AddObject', retry => \1,
                      ObjectName => 'Device.NAT.PortMapping.' });
    is cancel($d, 't'), 'queued', 'an AddObject that may be sent again';
    is $d->status('t'), 'lost', 'RULE-3 ... may have been done all the same';

    $d = unanswered(\%set);
    cancel($d, 't');
    is $d->status('t'), 'lost', 'RULE-3 values likewise';

    $d = device();
    $d->give({ id => 't', method => 'Reboot' });
    $d->respond($d->begin);
    is cancel($d, 't'), 'waiting', 'a Reboot that was answered';
    is $d->status('t'), 'cancelled', '... the ACS just waits no longer';

    $d = unanswered({ method => 'GetParameterNames', ParameterPath => 'Device.' });
    is cancel($d, 't'), 'queued', 'a read';
    is $d->status('t'), 'cancelled', '... did nothing';
};


subtest 'the version of the function library' => sub {
    my $text = library_text();
    my ($version) = $text =~ /^local VERSION = (\d+)$/m;
    my @known = map { [split] } split(/\n/, slurp("$FindBin::Bin/cwmp.lua.sum"));
    my ($last, $sum) = @{ $known[-1] };
    is sha1_hex($text), $sum, 'LIBRARY it is the one that is recorded last'
        or diag "the library was changed: raise VERSION once for what is new in ",
                "it, then\nappend its line to t/cwmp.lua.sum: $version ",
                sha1_hex($text);
    is $version, $last, '... with its version';
    is_deeply [grep { $known[$_][0] <= $known[$_ - 1][0] } 1 .. $#known], [],
        'LIBRARY a version is never used again, nor a lower one';
    my %sum = map { @$_ } @known;
    is_deeply [@sum{3, 4}], ['0d94674524d2dda3584c01c86150ebfad8faede7',
        '0dcb33a420ced6da7aced51a6a7a115838bad969'],
        'LIBRARY what was recorded once stays so';
    is $redis->cmd('FCALL_RO', 'cwmp_version', 0), $version,
        '... and Redis has it';
};

done_testing;
