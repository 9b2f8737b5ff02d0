#!/usr/bin/perl

# What Redis has of a device is not trusted: each field and key of a device that
# has everything is spoilt, and then that device and another one go on.  The
# other one notices nothing; the device goes on, or is refused by a line that
# names its key, and goes on once that is mended; so it is when nginx, and Redis,
# have begun anew before they read it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(patience wait_for);

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");

my $t = CWMP::Test->new(http => "cwmp_secret_key $dir/key; cwmp_overload off;",
    redis_options => 'timeout=20s',
    server => 'location = /auth { cwmp_auth digest acs.example; cwmp_acs; }');
my $redis = $t->redis;
my $n = 0;

my %GARBAGE = (
    'nothing' => '', 'a text' => 'x', 'a number below 0' => -1,
    'a number too big' => '1e308', 'a long number' => '9' x 400,
    'no number' => 'nan',
    'all bytes' => join('', map { chr } 0 .. 255), 'a NUL' => "a\0b 1 2",
    'an escape' => "\e[31m", 'lines' => "\r\nHTTP/1.1 200 OK\r\n\r\n",
    'markup' => '<script>alert(1)</script>', 'a format' => '%n%s%s%n%V',
    'JSON' => '{"a":{"b":[1,2,{}]},"left":[],"reads":{},"n":null}',
    'deep JSON' => '[' x 5000, 'an object that is deep' => '{"a":' x 5000,
    'a list' => '[[],{},-1,null]', 'what looks sealed' => 's1.00000000.' . '0' x 64,
    'ten megabytes' => 'A' x 10_000_000,
);


# --- a device that has everything -------------------------------------------

my $d = CWMP::Script->new($t, 'Poisoned');
my $other;
my $auth = CWMP::Auth->new(user => $d->id, password => 'pw');
$auth->store($redis, realm => 'acs.example', sealed => 's1.x');

sub read_task {
    my ($id, @more) = @_;
    return { method => 'GetParameterValues', id => $id,
             ParameterNames => ["Device.X.$id", @more] };
}

sub fill {
    $d->give(read_task('first', 'Device.'),
             { method => 'Download', id => 'dl', Password => 'pw',
               FileType => '1 Firmware Upgrade Image', URL => 'http://x/y' },
             { method => 'SetParameterValues', id => 'later', notBefore => 9e9,
               expires => 9e9, ParameterList => { 'Device.X.Password' => 'pw' } },
             { method => 'Reboot', id => 'after', after => 8 });
    $d->post(gpv_response($d->begin->id, ['Device.X.A', 'string', 'a'],
                          ['Device.X.Password', 'string', 'pw'],
                          ['Device.X.Long', 'string', 'l' x 400]));
    my $r = $d->empty;
    $d->obey($r);
    $d->give({ method => 'GetRPCMethods', id => 'methods' });
    $d->post(rpc_methods_response($d->begin->id, 'GetParameterValues', 'Reboot'));
    $redis->cmd('FCALL', 'cwmp_tag', 1, $d->key, '+lab');
    $d->give(read_task('out', 'Device.'), read_task('next'),
             { method => 'RotateCredentials', id => 'rotate' });
    my $out = $d->begin;
    is $out->method, 'GetParameterValues', 'an RPC is outstanding';
    $redis->cmd('HSET', $d->key, 'sweep', '0 1', 'badurl', 'http://127.0.0.1/',
                'burst', '1 1', 'own', $d->id, 'reads', 1, 'bytes', 1000, 'nonces', '0',
                'learned', '{"version":"1","until":9e9,"level":["Device."]}');
    $redis->cmd('HSET', $d->key('live'), '=l next', '{"left":[[0,1]],"rpcs":0,'
                . '"bad":[],"gen":1,"most":200}', '=r next', '{}');
    return $out;
}

my $out = fill();
my $cookie = $d->cookie;
my @keys = sort grep { !/:moving$/ } $redis->list('KEYS', 'cwmp:{0}:' . $d->id . '*'),
           'cwmp:user:{' . $d->id . '}';
my %dump = map { ($_ => $redis->cmd('DUMP', $_)) } @keys;
my %fields = map { ($_ => [sort { $a cmp $b } $redis->list('HKEYS', $_)]) }
             grep { $redis->cmd('TYPE', $_) eq 'hash' } @keys;
is scalar(grep { /:(?:params|queue|live|running|waiting|session|results)$/ } @keys),
    7, 'it has all of its keys';

sub restore {
    $redis->cmd('DEL', $d->key('tasks'), @keys);
    $redis->cmd('RESTORE', $_, 0, $dump{$_}, 'REPLACE') for @keys;
    $redis->cmd('ZADD', 'cwmp:{0}:due', 9e15, 's ' . $d->id, 9e15, 'w ' . $d->id . ' dl');
}


# --- who notices ------------------------------------------------------------

my $seen = 0;                           # of the log

# waits for longer than nginx does for Redis, also where others need the CPU
sub patient { return $t->raw(0, timeout => patience(60), @_) }

sub another { return CWMP::Script->new($t, "Other$n", raw => patient()) }

# seconds that nginx and Redis have had
my @pids;

sub cpu {
    my $sum = 0;
    $sum += $t->worker_cpu($_) for @pids;
    return $sum;
}

sub begun {
    @pids = ($t->workers, $t->redis_server->{pid});
    $redis = $t->redis;
    said();
}

sub said {
    open my $log, '<', $t->node->error_log or die;
    seek $log, $seen, 0;
    my $new = do { local $/; <$log> } // '';
    $seen = tell $log;
    return $new;
}

# the POSTs of a session of this device: their statuses
sub goes_on {
    my $raw = patient();
    my @post = eval {
        my $r = $raw->post(gpv_response($out->id, ['Device.X.A', 'string', 'b']),
                           cookie => $cookie =~ s/Poisoned/$d->{serial}/r);
        my @got = $r->status;
        $d->{raw} = patient();
        push @got, $d->post($d->inform_text(events => ['8 DIAGNOSTICS COMPLETE']))->status;
        $r = $d->empty;
        push @got, $r->status;
        for (1 .. 8) {
            last if $r->status != 200;
            $r = $d->respond($r);
            push @got, $r->status;
        }
        @got;
    };
    return $@ ? "died: $@" : @post;
}

sub authenticates {
    my $raw = patient(url => $t->url(0, '/auth'));
    return eval {
        my $text = $d->inform_text;
        $auth->challenge($raw->post($text));
        $raw->post($text, headers => [$auth->header])->status;
    } // "died: $@";
}

sub why { return join(' | ', $_[0] =~ /answered: (.*?) while/g) || $_[0] }

# both after this: a list of what is wrong
sub wrong {
    my ($key, $user) = @_;              # and its user, too
    my @wrong;
    my $id = 'o' . ++$n;
    $other = another() if $n % 100 == 1;        # it informs often
    $other->give(read_task($id));
    my $begin = cpu();
    my @got = eval { $other->session };
    push @wrong, "the other one: @got $@ " . substr(said(), 0, 900) if $other->status($id) ne 'done';

    @got = goes_on();
    push @got, authenticates() if $key =~ /user:/ && $user;
    my $said = said();
    my ($odd) = grep { !/^(?:200|204|400|401|403|503)$/ } @got;
    push @wrong, "it got @got" if $odd;
    push @wrong, "it got @got, and $key is not named: " . why($said)
        if grep({ $_ eq '503' } @got) && $said !~ /ERR \Q$key\E/;
    push @wrong, 'raw in the log: ' . ($said =~ s/[^ -~\n]/?/gr)
        if $said =~ /[^ -~\n]/;
    my $cpu = cpu() - $begin;
    push @wrong, "it takes $cpu s" if $cpu > patience(5);
    push @wrong, 'the log: ' . substr($said, 0, 300) . ' ...' if length $said > 200_000;
    return @wrong;
}

sub judge {
    my ($what, @wrong) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok !@wrong, $what or diag join "\n", map { substr($_, 0, 400) } @wrong;
}


begun();
is_deeply [wrong($d->key)], [], 'as it is, it goes on';

for my $key (sort keys %fields) {
    subtest "fields of $key" => sub {
        for my $field (@{ $fields{$key} }) {
            my @wrong;
            for my $how ($key =~ /user:/ ? 'ten megabytes' : sort keys %GARBAGE) {
                restore();
                $redis->cmd('HSET', $key, $field, $GARBAGE{$how});
                push @wrong, map { "$how: $_" } wrong($key, $field eq 'md5');
                restore();
                $redis->cmd('HDEL', $key, $field);
                push @wrong, map { "gone: $_" } wrong($key) if $how eq 'ten megabytes';
            }
            judge "$field is spoilt", @wrong;
        }
        restore();
        $redis->cmd('HSET', $key, map { ($_, $_) } grep { length $_ < 1e5 } values %GARBAGE);
        judge 'fields that are none of ours', wrong($key);
    };
}

my @WRONG = (['SET', 'x'], ['RPUSH', 'x'], ['SADD', 'x'], ['HSET', 'x', 'x'],
             ['ZADD', 1, 'x'], ['XADD', '*', 'x', 'x']);

subtest 'keys of another type' => sub {
    for my $key (@keys, $d->key('tasks')) {
        my @wrong;
        for my $set (@WRONG) {
            restore();
            my ($command, @more) = @$set;
            $redis->cmd('DEL', $key);
            $redis->cmd($command, $key, @more);
            push @wrong, map { "$command: $_" } wrong($key, $command eq 'SET');
        }
        restore();
        $redis->cmd('DEL', $key);
        push @wrong, map { "gone: $_" } wrong($key);
        judge $key, @wrong;
    }
};

subtest 'entries that are none' => sub {
    for my $how (sort keys %GARBAGE) {
        restore();
        my $garbage = $GARBAGE{$how};
        $redis->cmd('ZADD', $d->key('queue'), -1, $garbage, 'inf', "$garbage.", 1, 'x y');
        $redis->cmd('HSET', $d->key('live'), $garbage, $garbage, "=k $garbage", $garbage);
        $redis->cmd('HSET', $d->key('waiting'), $garbage, $garbage, 'w', $garbage);
        $redis->cmd('RPUSH', $d->key('tasks'), $garbage);
        $redis->cmd('ZADD', 'cwmp:{0}:due', 1, "x $garbage", 2, $garbage, 3,
                    's ' . $d->id . " $garbage") if length $garbage < 1e5;
        judge "$how in a queue, a list, a set", wrong($d->key);
    }
};


# --- written, then read by others --------------------------------------------

# another device that is as this one, but for one field
sub twin {
    my ($serial, $key, $field, $garbage) = @_;
    my $twin = sub { $_[0] =~ s/Poisoned/$serial/r };
    $redis->cmd('RESTORE', $twin->($_), 0, $dump{$_}, 'REPLACE')
        for grep { !/user:/ } @keys;
    $redis->cmd('HSET', $twin->($key), $field, $garbage);
    return [$serial, $twin->($key), $field];
}

# two kinds of garbage for each field, all before the restart
sub twins {
    my ($round) = @_;
    my @kinds = grep { length $GARBAGE{$_} < 1e5 } sort keys %GARBAGE;
    my ($i, @twins) = ($round);
    restore();
    for my $key (grep { !/user:/ } sort keys %fields) {
        for my $field (@{ $fields{$key} }) {
            push @twins, twin("T${round}n" . ++$i, $key, $field,
                              $GARBAGE{ $kinds[(7 * $i + $i / @kinds) % @kinds] })
                for 1 .. 2;
        }
    }
    $redis->cmd('ZADD', 'cwmp:{0}:due', 1 + $_, 'x ' . $GARBAGE{ $kinds[$_] })
        for 0 .. $#kinds;
    return @twins;
}

# of all that was written
sub append_only {
    $redis->cmd('CONFIG', 'SET', 'appendonly', 'yes');
    $t->redis_server->{appendonly} = 1;
    return wait_for(sub { 2 == (() = $redis->cmd('INFO', 'persistence') =~
                          /^aof_rewrite_(?:in_progress|scheduled):0\r$/mg) }, 30);
}

my $round = 0;

for my $case (['nginx', sub { $t->restart }],
              ['Redis and nginx', sub { append_only(); $t->stop;
                                        $t->redis_restart; $t->start }])
{
    my ($what, $restart) = @$case;
    subtest "spoilt, then a restart of $what, then read" => sub {
        my @twins = twins(++$round);
        my $fields = $redis->cmd('HGETALL', $twins[-1][1]);
        twin("T$round", $d->key, 'x', 'x');
        $restart->();
        begun();
        is_deeply $redis->cmd('HGETALL', $twins[-1][1]), $fields, 'it is still there';
        $other = another();
        local $d->{serial} = "T$round";
        is join(' ', goes_on()), '200 200 200 200 200 204', 'one that is not spoilt';
        my %wrong;
        for my $twin (@twins) {
            $d->{serial} = $twin->[0];
            push @{ $wrong{ $twin->[1] =~ s/.*-T\d+n\d+//r . " $twin->[2]" } },
                wrong($twin->[1]);
        }
        judge $_, @{ $wrong{$_} } for sort keys %wrong;
        unlike $t->error_log, qr/exited on signal/, 'no worker has died';
    };
}

done_testing;
