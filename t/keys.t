#!/usr/bin/perl

# Nodes that have not the same keys: one has the key, one has none (and asks as
# one of library 7 does, which knows of none), one has another.  What needs the
# key waits for a node that has it.  And how a key is changed, node by node.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(project_root slurp);
use CWMP::Envelope ':all';
use CWMP::Keyring;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my ($HAS, $NONE, $OTHER) = (0, 1, 2);
my $ROOT = project_root();
my $SECRET = 'hunter2-clear';
my $PATH = 'Device.WiFi.AccessPoint.1.Security.KeyPassphrase';

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/$_") for qw(a b);
my $t = CWMP::Test->new(nodes => 3, start => 0, level => 'info');
$t->node($HAS)->{http} = "cwmp_secret_key $dir/a;";
$t->node($OTHER)->{http} = "cwmp_secret_key $dir/b;";
$t->redis_start;
$t->start($_) for 0 .. 2;
my $redis = $t->redis;
my $n = 0;
$t->raw(0)->post("");
wait_for(sub { eval { $redis->cmd(qw(FCALL_RO cwmp_version 0)) } }) or die "no library\n";

sub device { return CWMP::Script->new($t, 'K' . ++$n) }
sub at { my ($d, $node) = @_; $d->{raw}{url} = $t->url($node); $d->{raw}->reset; return $d }
sub asks_for { my ($r) = @_; return $r->status == 200 ? $r->method : $r->status }

sub task {
    my ($id, %more) = @_;
    return { method => 'SetParameterValues', id => $id, ParameterList =>
             { $PATH => { value => $SECRET, type => 'xsd:string' } }, %more };
}

# is pushed sealed, with this key
sub push_sealed {
    my ($d, $task, $key) = @_;
    open my $tool, '|-', "$ROOT/redis/cwmp-push -s " . $t->redis_server->socket
        . " --new --key $dir/$key " . $d->id . " - >$dir/out 2>&1" or die;
    print $tool JSON::PP::encode_json($task);
    close $tool or die slurp("$dir/out");
}


my %KINDS = (
    'SetParameterValues' => task('w'),
    'AddObject' => { method => 'AddObject', id => 'w', ObjectName => 'Device.Users.User.',
                     values => { Password => { value => $SECRET, type => 'xsd:string' } } },
    'Download' => { method => 'Download', id => 'w', FileType => '1 Firmware Upgrade Image',
                    URL => 'http://fs.example/x', Username => 'me', Password => $SECRET },
);

for my $kind (sort keys %KINDS) {
    subtest "$kind, sealed" => sub {
        my $d = device();
        push_sealed($d, $KINDS{$kind}, 'a');
        for ([$NONE, qr/task w waits for another node: it needs the key of cwmp_secret_key/],
             [$OTHER, qr/task w waits for another node: \S+ is sealed with a key that the key/]) {
            my ($node, $says) = @$_;
            $d->give({ method => 'Reboot', id => "next$node" });
            is asks_for(at($d, $node)->begin), 'Reboot', "node $node: the next one is sent";
            is $d->status('w'), 'none', '... and it waits';
            ok $t->wait_log($says, undef, $node), '... which the log says';
            $d->inform;
            is asks_for($d->empty), 204, '... in the next session, too';
        }
        my $r = at($d, $HAS)->begin;
        is asks_for($r), $kind, 'a node that has the key sends it';
        $r = $d->respond($r) if $kind eq 'AddObject';
        like $r->body, qr/>$SECRET</, '... as it was meant';
    };
}

subtest 'a task of which one RPC is over' => sub {
    my $d = device();
    my $untyped = task('w', ParameterList => { $PATH => $SECRET });
    push_sealed($d, $untyped, 'a');
    my $r = at($d, $HAS)->begin;
    is asks_for($r), 'GetParameterValues', 'its type is read';
    is asks_for(at($d, $NONE)->post(gpv_response($r->id, [$PATH, 'string', '']))), 204,
        'the answer comes to a node without the key';
    is $d->status('w'), 'none', 'it waits';
    $r = at($d, $HAS)->begin;
    like $r->body, qr/>$SECRET</, 'and is sent';

    is asks_for(at($d, $NONE)->empty), 204, 'the POST that it answered once more: the session ends';
    $r = at($d, $HAS)->begin;
    is asks_for($r), 'GetParameterValues', 'was it set?';
    at($d, $NONE)->post(gpv_response($r->id, [$PATH, 'string', '']));
    is $d->status('w'), 'none', 'that cannot be seen without the key';
    $r = at($d, $HAS)->begin;
    $r = $d->post(gpv_response($r->id, [$PATH, 'string', '']));
    like $r->body, qr/>$SECRET</, 'it is set once more';
    is asks_for(at($d, $NONE)->respond($r)), 204, 'whoever has the answer';
    is $d->status('w'), 'done', 'the task';
};

subtest 'values of an object that was added' => sub {
    my $d = device();
    push_sealed($d, $KINDS{AddObject}, 'a');
    my $r = at($d, $HAS)->begin;
    is asks_for(at($d, $NONE)->respond($r)), 204, 'they are not sent';
    my $result = $d->result('w');
    is $result->{status}, 'lost', 'the task';
    is $result->{response}{InstanceNumber}, 17, 'which object';
    like $result->{fault}{reason}, qr/its values are sealed, and this node has not the key/,
        'and why it has no values';
};

subtest 'RotateCredentials' => sub {
    my $rotate = { method => 'RotateCredentials', id => 'w' };
    my $d = device();
    $d->give($rotate);
    is asks_for(at($d, $NONE)->begin), 204, 'no key: it waits';
    my $r = at($d, $HAS)->begin;
    is asks_for($r), 'SetParameterValues', 'a node with a key sends it';
    my $password = $r->values->{'Device.ManagementServer.Password'};
    is asks_for(at($d, $OTHER)->begin), 204, 'one of another key cannot send the same ones';
    ok $t->wait_log(qr/task w waits for another node: next_password is sealed with a key/, undef, $OTHER),
        '... and says so';
    is asks_for(at($d, $NONE)->begin), 204, 'nor can one of none';
    is $d->status('w'), 'none', 'it waits';
    $r = at($d, $HAS)->begin;
    is $r->values->{'Device.ManagementServer.Password'}, $password, 'then they are';
    is asks_for(at($d, $NONE)->respond($r)), 204, 'it is answered';
    is $d->status('w'), 'done', '... which is its end';

    $d = device();
    $d->give($rotate);
    $r = at($d, $HAS)->begin;
    $password = $r->values->{'Device.ManagementServer.Password'};
    at($d, $NONE)->refuse($r, 9001, [$password, 9007, 'x']);
    my $result = $d->result('w');
    is "$result->{status} $result->{fault}{FaultCode}", 'fault 9001', 'a fault is its fault';
    unlike join(' ', map { @{ $_->[1] } } $redis->list('XRANGE', $d->key('results'), '-', '+')),
        qr/$password/, '... without the password';
};

subtest 'many that wait' => sub {
    for ([99, 1], [100, 0]) {
        my ($many, $then) = @$_;
        my $d = device();
        $d->give(map({ { method => 'RotateCredentials', id => "w$_" } } 1 .. $many),
                 { method => 'Reboot', id => 'next' });
        at($d, $NONE);
        my @sent = grep { asks_for($d->begin) eq 'Reboot' } 1 .. 9;     # sixteen are taken at once
        is @sent, $then, "the one behind $many of them";
    }
};

# A POST has eight calls: of tasks with the same key only the first one costs one.
subtest 'many that are sealed with a key that the node has not' => sub {
    for ([20, 1], [99, 1], [120, 0]) {
        my ($many, $then) = @$_;
        my $d = device();
        push_sealed($d, task("w$_"), 'a') for 1 .. $many;
        $d->give({ method => 'Reboot', id => 'next' });
        at($d, $OTHER);
        my $said = length $t->error_log($OTHER);
        is_deeply [map { asks_for($d->begin) } 1], [$then ? 'Reboot' : 204],
            "the one behind $many of them";
        ok $t->wait_log(qr/task w1 waits for another node: .*$d->{serial}/, undef, $OTHER),
            'the first one is told';
        my $new = substr $t->error_log($OTHER), $said;
        is scalar(() = $new =~ /waits for another node/g), 1, '... once for all of them';
        is scalar(() = $new =~ /100 tasks wait for a key: those behind them wait, too/g),
            1 - $then, '... and that others wait behind them' ;
        is $redis->cmd('ZCARD', $d->key('queue')), $many + !$then, 'all of them wait';
    }
};

subtest 'many new credentials that were sealed with a key that the node has not' => sub {
    my $d = device();
    $d->give(map({ { method => 'RotateCredentials', id => "w$_" } } 1 .. 20),
             { method => 'Reboot', id => 'next' });
    is asks_for(at($d, $HAS)->begin), 'SetParameterValues', 'they are made';
    is asks_for(at($d, $OTHER)->begin), 'Reboot', 'the task behind all that wait';
    is $redis->cmd('ZCARD', $d->key('queue')), 20, 'they wait';
};

subtest 'a task that does not show its key' => sub {
    my $d = device();
    push_sealed($d, task('w'), 'a');
    my $queued = $redis->cmd('HGET', $d->key('live'), 'w');
    $redis->cmd('HSET', $d->key('live'), 'w', $queued =~ s/"s1/"\\u00731/r);
    $d->give({ method => 'Reboot', id => 'next' });
    is asks_for(at($d, $OTHER)->begin), 'Reboot', 'the next one is sent';
    is $d->status('w'), 'none', 'it waits';
    like at($d, $HAS)->begin->body, qr/>$SECRET</, 'a node that has the key sends it';
};

subtest 'what only looks sealed' => sub {
    for my $value ('s1.zzzzzzzz.' . 'ab' x 40, 's1.00000000.' . 'xy' x 40, 's1.00000000.' . 'a' x 81) {
        my $d = device();
        my $task = task('w', ParameterList => { $PATH => { value => $value, type => 'xsd:string' } });
        $d->give($task, { method => 'Reboot', id => 'next' });
        is asks_for(at($d, $OTHER)->begin), 'Reboot', 'the next one is sent';
        is $d->status('w'), 'rejected', 'it waits for no key';
    }
};

# What a node of library 7 calls: it says nothing of a key, and would send as text
# whatever it is given.
sub of_seven {
    my ($d, $function, @post) = @_;
    my $kind = shift @post;
    my $said = $redis->cmd('FCALL', $function, 1, $d->key, $d->id,
        $redis->cmd('HGET', $d->key('session'), 't'), 'seven.' . ++$n, "digest$n",
        $kind, 30_000, 300_000, '256 100', @post);
    return ref $said ? $said->[0] : $said;
}

for my $step (qw(cwmp_step_1 cwmp_step_2)) {
    subtest "a node of library 7, $step" => sub {
        my $d = device();
        push_sealed($d, task('w', ParameterList => { $PATH => $SECRET }), 'a');
        $d->give({ method => 'RotateCredentials', id => 'rotate' });
        at($d, $HAS)->inform;
        is of_seven($d, $step, 'empty'), 'end', 'is given neither';
        my $r = $d->begin;
        is asks_for($r), 'GetParameterValues', 'its type is read by another one';
        is of_seven($d, $step, 'response', 'GetParameterValues', '{"ParameterList":[]}', '', '',
                    $r->id, $PATH, 's'), 'end', 'the answer: it is not given the next RPC';
        $r = $d->begin;
        like $r->body, qr/>$SECRET</, 'which the other one sends';
        is of_seven($d, $step, 'empty'), 'end', 'no answer: it is not given the same once more';
        $r = $d->begin;
        is asks_for($r), 'GetParameterValues', 'was it set?';
        is of_seven($d, $step, 'response', 'GetParameterValues', '{"ParameterList":[]}', '', '',
                    $r->id, $PATH, 's'), 'end', '... it does not compare';
        is_deeply [map { $d->status($_) } qw(w rotate)], ['none', 'none'], 'both wait';

        $d = device();
        push_sealed($d, $KINDS{AddObject}, 'a');
        $r = at($d, $HAS)->begin;
        is of_seven($d, $step, 'response', 'AddObject', '{"InstanceNumber":17,"Status":0}', '0',
                    '17', $r->id), 'end', 'nor the values of an object';
        is $d->status('w'), 'lost', 'which are not set';
    };
}


# --- a new key ------------------------------------------------------------------

sub keys_of {
    my ($node, @keys) = @_;
    open my $file, '>', "$dir/node$node" or die;
    print $file map { slurp("$dir/$_") } @keys;
    close $file or die;
}

subtest 'a new key, node by node' => sub {
    my @nodes = ($HAS, $OTHER);
    for my $node (@nodes) {
        keys_of($node, 'a');
        $t->node($node)->{http} = "cwmp_secret_key $dir/node$node;";
        $t->restart($node);
    }
    my @live;
    my $step = sub {
        my ($node, @keys) = @_;
        my $what = "node $node has @keys";
        # in each order: pushed in clear, sealed where it comes first, and sent by
        # the other one; what was pushed before comes now
        my @d = map { [device(), @$_] } [$HAS, $OTHER], [$OTHER, $HAS];
        for (@d) {
            my ($d, $first) = @$_;
            $d->give(task('w', after => 'M Reboot'));
            $d->{params} = [[$PATH, 'string', $SECRET]];
            is_deeply [at($d, $first)->session], [], "$what: it waits";
            like $redis->cmd('HGET', $d->key('live'), 'w'), qr/"s1\./, '... sealed';
        }
        keys_of($node, @keys);
        $t->restart($node);
        for (@d, splice @live) {
            my ($d, undef, $then) = @$_;
            my $r = at($d, $then)->begin('M Reboot');
            like $r->body, qr/>$SECRET</, "$what: it is sent by node $then";
            $d->respond($r);
            is $d->status('w'), 'done', '... and done';
        }
    };
    $step->(@$_) for [$HAS, 'a', 'b'], [$OTHER, 'a', 'b'],
                     [$HAS, 'b', 'a'], [$OTHER, 'b', 'a'];
    $step->($HAS, 'b');
    $step->($OTHER, 'b');
};

$t->expect_log(qr/cwmp_acs.*takes whoever reaches it/, [0, 99]);
$t->finish;
done_testing;
