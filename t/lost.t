#!/usr/bin/perl

# What becomes of a task when the session ends after its RPC was sent and
# before its answer came: what only reads is sent again, a
# SetParameterValues after ParameterKey or a read has shown that it was not
# applied, and what must not happen twice is never sent again unless the task
# says retry.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(server => <<'CONF');
    location /brief { cwmp_acs; cwmp_session_timeout 1s outstanding=1s; }
CONF

my $X = 'Device.Time.NTPServer1';
my $SET = { method => 'SetParameterValues', id => 'set', ParameterList =>
            { $X => { value => 'new', type => 'xsd:string' } } };
my $ADD = { method => 'AddObject', id => 'add', ObjectName => 'Device.T.' };
my $DELETE = { method => 'DeleteObject', id => 'del',
               ObjectName => 'Device.T.3.' };
my $LOAD = { method => 'Download', id => 'load', URL => 'http://fs.example/f',
             FileType => '1 Firmware Upgrade Image' };
my $n = 0;


sub device { return CWMP::Script->new($t, 'L' . ++$n, @_) }


# One that has shown that it keeps the ParameterKey that it was given.
sub keeper {
    my $d = device(@_);
    $d->give({ %$SET, id => 'k0' });
    $d->session;
    $d->{key} = 'k0';
    $d->inform;
    return $d;
}


# The RPC of this task was sent, and no answer comes; returns its text.
sub lose {
    my ($d, $task) = @_;
    $d->give($task);
    my $r = $d->begin;
    is $r->method, $task->{method}, "$task->{method} is sent";
    $d->raw->reset;
    return $r;
}


# as a node does it
sub deadline {
    my ($d, $member) = @_;
    $t->redis->cmd('FCALL', 'cwmp_deadline_1', 1, $d->key(undef), $d->id, $member);
}


# --- an event without a key ------------------------------------------------

subtest 'SES-18 1 BOOT ends a Reboot that was accepted, no other' => sub {
    my $d = device();
    lose($d, { method => 'Reboot', id => 'b' });
    is join(' ', $d->session('1 BOOT')), '', 'SES-18 it is not sent again';
    is $d->status('b'), 'none', 'SES-18 the CPE may have booted by itself: '
        . '1 BOOT does not tell that it did so for the task';
    $d->session('1 BOOT', ['M Reboot', 'other']);
    is $d->status('b'), 'none', 'SES-18 nor M Reboot of another key';
    $d->session('1 BOOT', ['M Reboot', 'b']);
    is $d->status('b'), 'done', 'SES-18 M Reboot with its key does';

    $d = device();
    $d->give({ method => 'Reboot', id => 'b' });
    is join(' ', $d->session), 'Reboot', 'one that was accepted';
    $d->session('2 PERIODIC');
    is $d->status('b'), 'none', 'SES-18 does not end without 1 BOOT';
    $d->session('1 BOOT');
    is $d->status('b'), 'done', 'SES-18 it is done when the CPE has booted';
};


# --- found by the deadlines, not by the next Inform ------------------------

subtest 'SES-17 SES-18 after the session time-out' => sub {
    my @url = (url => $t->url(0, '/brief'));
    my ($read, $boot) = map { device(@url) } 1 .. 2;
    my ($done, $undone) = map { keeper(@url) } 1 .. 2;
    my @all = ($read, $boot, $done, $undone);

    $read->give_reads('r');
    $read->begin;
    lose($boot, { method => 'Reboot', id => 'b' });
    lose($_, $SET) for $done, $undone;
    ok wait_for(sub { !grep { $_->has('running') } @all }, 8),
        'SES-17 none is running any more';
    is_deeply $read->ended, [], 'a read has no result yet';

    is join(' ', $read->session('1 BOOT')), 'GetParameterValues',
        'SES-18 a read is sent again in the next session';
    is_deeply $read->ended, ['r done'], '... and is done, once';

    is join(' ', $boot->session('2 PERIODIC')), '',
        'SES-18 a Reboot is not sent again';
    is $boot->status('b'), 'none', '... and waits for what tells';
    is join(' ', $boot->session('1 BOOT', ['M Reboot', 'b'])), '', 'nor then';
    is $boot->status('b'), 'done', '... M Reboot: it was done';

    $done->{key} = 'set';
    is join(' ', $done->session), '', 'SES-18 the ParameterKey says that a '
        . 'SetParameterValues was applied: not sent again';
    is $done->status('set'), 'done', '... it is done';
    is_deeply $done->result('set')->{response}, { verified => 'ParameterKey' },
        '... and how that is known';

    is join(' ', $undone->session), 'SetParameterValues',
        'SES-18 the ParameterKey says that it was not: sent again';
    is $undone->status('set'), 'done', '... and done';
    is_deeply [map { $_->{id} } $undone->results], ['k0', 'set'],
        'one result each';
};


# What it has set can be read back whenever the device comes.
subtest 'a device that is silent for more than a day' => sub {
    my ($set, $add) = (device(), device());
    lose($set, $SET);
    lose($add, $ADD);
    for my $d ($set, $add) {
        my $key = $d->key('waiting');
        $t->redis->cmd('DEL', $d->key('session'));
        deadline($d, 's ' . $d->id);
        my ($task, $entry) = $t->redis->list('HGETALL', $key);
        $t->redis->cmd('HSET', $key, $task, $entry =~ s/("deadline":)\d+/${1}1/r);
        deadline($d, 'w ' . $d->id . " $task");
    }
    is $add->status('add'), 'lost', 'AddObject is lost';
    is $set->status('set'), 'none', 'SetParameterValues is not';
    my $r = $set->begin;
    is $r->method, 'GetParameterValues', 'it is read back';
    $set->post(gpv_response($r->id, [$X, 'string', 'new']));
    is_deeply $set->ended, ['set done'], 'and done';
};


# --- what is gone from Redis ------------------------------------------------

subtest 'the entry of a task in live is gone' => sub {
    my $gone = sub { $t->redis->cmd('HDEL', $_[0]->key('live'), $_[1]) };
    my %how = (
        'a new Inform' => sub { $_[0]->inform },
        'its response' => sub { $_[0]->respond($_[1]) },
        'a fault' => sub { $_[0]->refuse($_[1], 9002) },
        'an empty POST' => sub { $_[0]->empty },
        'the deadline' => sub { $t->redis->cmd('DEL', $_[0]->key('session'));
                                deadline($_[0], 's ' . $_[0]->id) },
    );
    for my $what (sort keys %how) {
        my $d = device();
        $d->give_reads('r');
        my $r = $d->begin;
        $gone->($d, 'r');
        $how{$what}->($d, $r);
        is_deeply $d->ended, ['r lost'], "it runs, $what: one result";
        like $d->reason('r'), qr/its entry in live was gone/, '... and why';
        is $d->has('running'), 0, '... it runs no more';
        $d->session;
        is_deeply $d->ended, ['r lost'], '... and no other';
        is $d->leftovers, '', '... nothing is left';
    }
    my $d = device();
    $d->give({ method => 'Reboot', id => 'b' });
    $d->session;
    $gone->($d, 'b');
    $d->session('1 BOOT');
    is_deeply $d->ended, ['b lost'], 'it waits: one result';
    is $d->leftovers, '', '... nothing is left';
};


subtest 'a stream of events that takes no more' => sub {
    my $d = device();
    $d->give_reads('r');
    my $r = $d->begin;
    $t->redis->cmd('XADD', 'cwmp:{0}:events',
                   '18446744073709551615-18446744073709551615', 'a', 'b');
    is $d->respond($r)->status, 204, 'a session goes on';
    is_deeply $d->ended, ['r done'], 'one result';
    ok $t->wait_log(qr/event "task" is not in cwmp:\{0\}:events: .*device: ${\$d->id}/),
        'the log tells it';
    $t->redis->cmd('DEL', 'cwmp:{0}:events');
};


# --- SetParameterValues where ParameterKey cannot tell ---------------------

for my $case (['new', 'done', ''], ['old', 'done', 'SetParameterValues']) {
    my ($value, $status, $then) = @$case;

    subtest "SES-18 SetParameterValues is read back: $value" => sub {
        my $d = device(key => 'of somebody else');
        lose($d, $SET);
        my $r = $d->begin('1 BOOT');
        is $r->method, 'GetParameterValues', 'the values are read first';
        is_deeply [$r->names], [$X], '... those of the task';
        $r = $d->post(gpv_response($r->id, [$X, 'string', $value]));
        is $r->method // '', $then, $then ? 'not applied: it is sent again'
                                          : 'applied: it is not sent again';
        $d->obey($r);
        is_deeply $d->ended, ["set $status"], "$status, once";
        is_deeply $d->result('set')->{response},
            $then ? { Status => 0 } : { verified => 'read' }, 'the result';
    };
}


subtest 'a ParameterKey that the device had before says nothing' => sub {
    my $d = device();
    $d->give({ %$SET, id => 'first', ParameterKey => 'same' });
    $d->session;
    $d->{key} = 'same';
    $d->inform;
    lose($d, { %$SET, ParameterKey => 'same' });
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', 'the values are read';
    $d->post(gpv_response($r->id, [$X, 'string', 'old']));
    is $d->status('set'), 'none', 'not applied: it is not done yet';
};


subtest 'SetParameterValues: reading back fails' => sub {
    my $d = device(key => 'of somebody else');
    lose($d, $SET);
    my $r = $d->begin('1 BOOT');
    is $d->refuse($r, 9005)->status, 204, 'a fault: nothing is sent again';
    is $d->status('set'), 'lost', 'lost';
    like $d->reason('set'), qr/9005/, '... with the reason';

    $d = device(key => 'of somebody else');
    lose($d, $SET);
    my $reads = 0;
    while ($reads < 9 && $d->status('set') eq 'none') {
        my $r = $d->begin('1 BOOT');
        last if $r->status != 200;
        is $r->method, 'GetParameterValues', 'the read is lost, too';
        $reads++;
    }
    is $reads, 3, 'it is tried three times';
    is $d->status('set'), 'lost', 'then it is lost';
    like $d->reason('set'), qr/reading back failed 3 times/, '... and why';
};


# --- AddObject, DeleteObject -----------------------------------------------

subtest 'SES-18 AddObject is not done twice' => sub {
    my $d = device(key => 'of somebody else');
    lose($d, $ADD);
    is join(' ', $d->session), '', 'SES-18 not sent again when nobody knows';
    is $d->status('add'), 'lost', 'lost';
    like $d->reason('add'), qr/ParameterKey cannot tell/, '... and why';

    $d = keeper();
    lose($d, $ADD);
    $d->{key} = 'add';
    is join(' ', $d->session), '', 'SES-18 not when the ParameterKey shows it';
    is $d->status('add'), 'lost', 'lost: the instance is not known';
    like $d->reason('add'), qr/the object was added/, '... and that it is there';

    $d = keeper();
    lose($d, $ADD);
    is join(' ', $d->session), 'AddObject',
        'sent again when the ParameterKey shows that it was not done';
    is $d->status('add'), 'done', '... done';
    is $d->result('add')->{response}{InstanceNumber}, 17, '... the instance';
};


subtest 'RPC-12 AddObject is lost while its values are set' => sub {
    my $task = { %$ADD, values => { A => { value => 1, type => 'xsd:int' } } };
    my $begun = sub {
        my $d = keeper();
        $d->give($task);
        my $r = $d->respond($d->begin);
        is $r->method, 'SetParameterValues', 'the values are sent';
        $d->raw->reset;
        return ($d, $r->arg('ParameterKey'));
    };

    my ($d, $key) = $begun->();
    isnt $key, 'k0', 'with a key of their own';
    $d->{key} = $key;
    is join(' ', $d->session), '', 'the ParameterKey shows that they are set';
    is $d->status('add'), 'done', 'RPC-12 done';
    is $d->result('add')->{response}{InstanceNumber}, 17,
        'RPC-12 ... with the instance';

    ($d) = $begun->();
    $d->{key} = 'of somebody else';
    my @sent = $d->session;
    is scalar(grep { $_ eq 'AddObject' } @sent), 0, 'no second object is made';
    my $result = $d->result('add');
    is $result->{status}, 'lost', 'lost';
    like $result->{raw}{fault} . $result->{raw}{response}, qr/\b17\b/,
        '... and the result names the instance that is there';
};


subtest 'SES-18 DeleteObject' => sub {
    my $d = keeper();
    lose($d, $DELETE);
    $d->{key} = 'del';
    is join(' ', $d->session), '', 'not sent again: the ParameterKey shows it';
    is $d->status('del'), 'done', 'done';

    $d = device(key => 'of somebody else');
    lose($d, $DELETE);
    is join(' ', $d->session), '', 'not sent again when nobody knows';
    is $d->status('del'), 'lost', 'lost';
};


# --- what an event ends ----------------------------------------------------

subtest 'SES-18 Download is not sent twice' => sub {
    my $d = device();
    lose($d, $LOAD);
    is join(' ', $d->session), '', 'SES-18 not sent again';
    is $d->status('load'), 'none', 'it waits';
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'load']);
    is $d->post(transfer_complete(key => 'load'))->method,
        'TransferCompleteResponse', 'TransferComplete';
    is $d->status('load'), 'done', 'it was done all the same';
};


subtest 'SES-18 FactoryReset' => sub {
    my $d = device();
    lose($d, { method => 'FactoryReset', id => 'fr' });
    is join(' ', $d->session('1 BOOT')), '', 'not sent again';
    is $d->status('fr'), 'none', '... and a mere boot does not end it';
    $d->session('0 BOOTSTRAP', '1 BOOT');
    is $d->status('fr'), 'done', '0 BOOTSTRAP: it was done';
};


# --- retry, attempts -------------------------------------------------------

subtest 'retry waits for what the next session is to tell' => sub {
    my $d = device();
    lose($d, { %$LOAD, retry => \1 });
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'load']);
    $d->post(transfer_complete(key => 'load'));
    is $d->status('load'), 'done', 'SES-18 RPC-17 it was done';
    is $d->empty->status, 204, '... and is not sent again';

    $d = device();
    lose($d, { %$LOAD, retry => \1 });
    is $d->begin('7 TRANSFER COMPLETE', ['M Upload', 'x'])->status, 204,
        'another one was told of';
    is $d->begin->method, 'Download', '... then it is sent again';
};


subtest 'retry says that twice does not matter' => sub {
    for my $task ({ method => 'Reboot', id => 'b' }, $ADD, $LOAD) {
        my $d = device(key => 'of somebody else');
        lose($d, { %$task, retry => \1 });
        is $d->begin->method, $task->{method}, "$task->{method} is sent again";
    }
    my $d = device(key => 'of somebody else');
    lose($d, { %$ADD, retry => \0 });
    is $d->begin->status, 204, 'retry false does not';
};


subtest 'attempts: a task that kills a CPE ends' => sub {
    my %task = (method => 'GetParameterValues', ParameterNames => ['Device.']);
    for my $case ([undef, 3], [1, 1], [5, 5]) {
        my ($attempts, $expected) = @$case;
        my $d = device();
        $d->give({ %task, id => 'r', $attempts ? (attempts => $attempts) : () },
                 { %task, id => 'next', ParameterNames => ['Device.A'] });
        my $sent = 0;
        while ($sent < 10 && $d->status('r') eq 'none') {
            $d->begin('1 BOOT');
            $sent++ if ($d->redis->cmd('HGET', $d->key('running'), 'id') // '')
                       eq 'r';
        }
        is $sent, $expected, "sent $expected times";
        is $d->status('r'), 'lost', 'then lost';
        like $d->reason('r'), qr/sent $expected times without an answer/,
            '... and why';
        is_deeply [$d->session], ['GetParameterValues'], 'the next one runs';
        is $d->status('next'), 'done', '... and is done';
    }
};

# --- a read of ours is not the task ----------------------------------------

subtest 'only the types of what a task sets were read' => sub {
    my $task = { method => 'SetParameterValues', id => 'set',
                 ParameterList => { $X => 'new' } };
    my $d = device();
    $d->give($task);
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', '(its type is read)';
    is $d->post(response($r->id, 'GetRPCMethods'))->status, 204,
        "another method's response";
    is_deeply $d->ended, ['set rejected'],
        'SES-10 it was not sent, so it is rejected and not lost';
    like $d->reason('set'), qr/types .* was not answered: invalid response: Get/,
        '... for that reason';
    is $d->result('set')->{sent}, '', '... and was sent at no time';

    $d = device();
    $d->give($task);
    $d->refuse($d->begin, 9005);
    is_deeply $d->ended, ['set fault'], 'the read gets a fault';
    is $d->result('set')->{sent}, '', 'SES-10 the time of the read is not its';

    my ($now) = $t->redis->list('TIME');
    $d = device();
    $d->give({ %$task, expires => $now + 2 });
    $d->begin;
    $d->inform;
    ok wait_for(sub { $d->status('set') eq 'expired' }, 6), 'it expires';
    is $d->result('set')->{sent}, '', 'SES-10 ... and was not sent, either';
};

done_testing;
