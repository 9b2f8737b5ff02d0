#!/usr/bin/perl

# Lists above 32 KB: what is set or read in parts, each a message of its own,
# in order, each once; what is wrong is found before the first is sent; a lost
# session, the bound of RPCs, a fault or an expiry between two parts loses
# nothing and does nothing twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Model;
use CWMP::Script;
use CWMP::Test;

my $N = 2000;
my $LIMIT = 32768;

my $t = CWMP::Test->new(nodes => 2, workers => 2, server => <<'CONF');
    location /two { cwmp_acs; cwmp_max_rpcs 2; }
CONF
my $redis = $t->redis;
my $serial = 0;


sub path { return sprintf('Device.X_Big.Table.%04d.Value', $_[0]) }


# A device with so many parameters, and what it was sent: bytes and names.
sub big {
    my (%opt) = @_;
    my $model = CWMP::Model->tr181;
    $model->add_param(path($_), $_ % 2 ? 'string' : 'unsignedInt', 0, 1)
        for 1 .. $opt{n} // $N;
    my $cpe = $t->cpe(serial => 'P' . ++$serial, model => $model, %opt);
    my $after = delete $cpe->{after_post};
    $cpe->{after_post} = sub {
        my ($self, $post, $answer) = @_;
        push @{ $self->{bytes} }, length $answer->body;
        $after->(@_) if $after;
    };
    return $cpe;
}


# [method, how many names, the first of them, key] of each RPC carried out.
sub rpcs {
    my ($cpe, $method) = @_;
    return map {
        my $list = $_->{args}{ParameterList} || $_->{args}{ParameterNames} || [];
        [$_->{method}, scalar @$list,
         ref $list->[0] ? $list->[0][0] : $list->[0], $_->{key} // '']
    } $cpe->done($method);
}


sub set_all {
    my ($cpe, $id, %more) = @_;
    my ($from, $to) = (delete $more{from} // 1, delete $more{to} // $N);
    # the order of a Perl hash would be any: JSON as an admin writes it
    my $list = join(',', map { sprintf('"%s":"%d"', path($_), $_) } $from .. $to);
    my $extra = join('', map { qq(,"$_":$more{$_}) } sort keys %more);
    $redis->cmd('RPUSH', $redis->device_key($cpe->id, 'tasks'),
        qq({"method":"SetParameterValues","id":"$id","ParameterList":{$list}$extra}));
}


sub result { my ($cpe, $id) = @_; return $redis->result($cpe->id, $id) // {} }
sub applied { my ($cpe) = @_;
              return scalar grep { $cpe->value(path($_)) == $_ } 1 .. $N }


# Nothing of a task is left in Redis.
sub nothing_left {
    my ($cpe, $name) = @_;
    is_deeply [map { $redis->cmd('EXISTS', $redis->device_key($cpe->id, $_)) }
               qw(tasks queue live running waiting)], [0, 0, 0, 0, 0], $name;
}


# --- SetParameterValues ----------------------------------------------------

subtest 'RPC-03 2000 parameters are set in parts below 32 KiB' => sub {
    my $cpe = big();
    set_all($cpe, 'big');
    my $trace = $cpe->run_session('2 PERIODIC');
    ok $trace->{ok}, 'the session ends well' or diag $trace->{error};

    my ($most) = sort { $b <=> $a } @{ $cpe->{bytes} };
    cmp_ok $most, '<', $LIMIT, "RPC-03 the longest message has $most bytes";
    cmp_ok $most, '>', 20000, 'RPC-03 the messages are filled';

    my @rpcs = rpcs($cpe);
    my @reads = grep { $_->[0] eq 'GetParameterValues' } @rpcs;
    my @sets = grep { $_->[0] eq 'SetParameterValues' } @rpcs;
    cmp_ok scalar @sets, '>', 5, 'RPC-03 several SetParameterValues';
    is_deeply [map { $_->[0] } @rpcs], [map { $_->[0] } @reads, @sets],
        'RPC-03 all types are read before the first part is set';

    my $sum = 0;
    is_deeply [map { $_->[2] } @sets],
        [map { my $first = path($sum + 1); $sum += $_->[1]; $first } @sets],
        'RPC-03 in the order of the task';
    is $sum, $N, 'RPC-03 each parameter once';
    is applied($cpe), $N, 'RPC-03 the device has all values';

    my %keys = map { ($_->[3] => 1) } @sets;
    is scalar keys %keys, scalar @sets, 'each part has a ParameterKey of its own';
    is $sets[-1][3], 'big', '... the last one the task\'s';
    ok !(grep { length > 32 } keys %keys), '... none above 32 characters';

    is result($cpe, 'big')->{status}, 'done', 'done';
    is_deeply result($cpe, 'big')->{response}, { Status => 0 }, 'Status';
    is_deeply $cpe->complaints, [], 'a strict CPE has no complaint';
    nothing_left($cpe, 'nothing is left of it');
};


subtest 'RPC-03 a name twice is no list' => sub {
    my $cpe = big(n => 2);
    my $p = path(1);
    $redis->cmd('RPUSH', $redis->device_key($cpe->id, 'tasks'),
        qq({"method":"SetParameterValues","id":"twice","ParameterList":)
        . qq({"$p":"1","$p":"2"}}));
    $cpe->run_session('2 PERIODIC');
    is result($cpe, 'twice')->{status}, 'rejected', 'RPC-03 it is rejected';
    like result($cpe, 'twice')->{fault}{reason}, qr/duplicate object key/,
        'RPC-03 ... with the reason';
    is_deeply [rpcs($cpe)], [], 'RPC-03 nothing is sent: no CPE gets a name twice';
};


subtest 'RPC-03 a wrong value in the last part: nothing is sent' => sub {
    my $cpe = big();
    $cpe->model->{param}{ path($N) }{type} = 'boolean';
    set_all($cpe, 'bad');
    $cpe->run_session('2 PERIODIC');
    is result($cpe, 'bad')->{status}, 'rejected', 'rejected';
    is result($cpe, 'bad')->{fault}{field}, 'ParameterList.' . path($N), 'the name';
    is $cpe->count('SetParameterValues'), 0, 'no SetParameterValues was sent';
};


subtest 'RPC-03 the whole has the largest Status' => sub {
    my $cpe = big(on_rpc => { SetParameterValues => sub {
        $_[0]{set_status} = $_[0]->count('SetParameterValues') == 1 ? 1 : 0;
        return undef;
    } });
    set_all($cpe, 'later');
    $cpe->run_session('2 PERIODIC');
    is_deeply result($cpe, 'later')->{response}, { Status => 1 },
        'one part is applied after a reboot: so is the whole';
};


subtest 'RPC-03 a fault of a later part says what was applied before' => sub {
    my $cpe = big();
    $cpe->model->{param}{ path(1500) }{writable} = 0;
    set_all($cpe, 'half');
    $cpe->run_session('2 PERIODIC');
    my $result = result($cpe, 'half');
    is $result->{status}, 'fault', 'fault';
    is $result->{fault}{FaultCode}, 9003, 'the CPE\'s fault, verbatim';
    is $result->{fault}{SetParameterValuesFault}[0]{ParameterName}, path(1500),
        '... with the parameter';
    my $n = applied($cpe);
    cmp_ok $n, '>', 0, "$n are applied";
    is_deeply $result->{response}, { applied => $n, of => $N }, 'and it says so';
    is applied($cpe), scalar(grep { $cpe->value(path($_)) == $_ } 1 .. $n),
        '... they are the first ones of the list';
    nothing_left($cpe, 'nothing is left of it');
};


# --- what happens between two parts ----------------------------------------

# The session is lost with the k-th SetParameterValues: before or after the CPE
# carried it out.
for my $case (map { my $k = $_; map { [$k, $_] } qw(before after) } 1, 3) {
    my ($k, $when) = @$case;

    subtest "RPC-03 SES-18 the session is lost $when part $k" => sub {
        my ($seen, $cpe) = (0);
        $cpe = big(
            after_post => sub {
                my ($self, $post, $answer) = @_;
                die "dropped\n" if $when eq 'before'
                    && ($answer->method // '') eq 'SetParameterValues'
                    && ++$seen == $k;
            },
            before_post => sub {
                my ($self, $post) = @_;
                return '' if $when eq 'before'
                    || $post->{what} !~ /^SetParameterValues/;
                return ++$seen == $k ? 'drop' : '';
            });
        set_all($cpe, 'lost');
        ok !$cpe->run_session('2 PERIODIC')->{ok}, '(lost)';
        is result($cpe, 'lost')->{status}, undef, 'it has no result yet';
        $cpe->run_session('1 BOOT');

        is result($cpe, 'lost')->{status}, 'done', 'then it is done';
        is applied($cpe), $N, 'all values are set';
        my @sets = rpcs($cpe, 'SetParameterValues');
        my %first;
        $first{ $_->[2] }++ for @sets;
        is_deeply [grep { $_ > 1 } values %first], [],
            'RPC-03 no part was carried out twice';
        my $sum = 0;
        $sum += $_->[1] for @sets;
        is $sum, $N, 'RPC-03 each parameter was set once';
    };
}


subtest 'RPC-03 a CPE that forgets the ParameterKey is read' => sub {
    my $seen = 0;
    my $cpe = big(before_post => sub {
        my ($self, $post) = @_;
        $self->model->put('Device.ManagementServer.ParameterKey', '');
        return $post->{what} =~ /^SetParameterValues/ && ++$seen == 2 ? 'drop'
                                                                      : '';
    });
    set_all($cpe, 'read');
    $cpe->run_session('2 PERIODIC');
    my $reads = $cpe->count('GetParameterValues');
    $cpe->run_session('1 BOOT');
    is result($cpe, 'read')->{status}, 'done', 'done';
    is $cpe->count('GetParameterValues'), $reads + 1,
        'only the part that was under way is read back';
    my $sum = 0;
    $sum += $_->[1] for rpcs($cpe, 'SetParameterValues');
    is $sum, $N, 'each parameter was set once';
    is_deeply result($cpe, 'read')->{response},
        { Status => 0, verified => 'read' }, 'and the result says how it is known';
};


subtest 'RPC-03 cwmp_max_rpcs: the rest goes on in the next session' => sub {
    my $cpe = big(urls => [$t->url(0, '/two')]);
    set_all($cpe, 'slow');
    my ($sessions, @counts) = (0);
    while (!result($cpe, 'slow')->{status} && $sessions++ < 20) {
        my $before = () = $cpe->done;
        ok $cpe->run_session('2 PERIODIC')->{ok}, "session $sessions ends well";
        push @counts, $cpe->done - $before;
    }
    is result($cpe, 'slow')->{status}, 'done', "done after $sessions sessions";
    is_deeply [grep { $_ > 3 } @counts], [],
        'two RPCs a session, and one that belongs to a read of types';
    is applied($cpe), $N, 'all values are set';
    my $sum = 0;
    $sum += $_->[1] for rpcs($cpe, 'SetParameterValues');
    is $sum, $N, 'each once';
};


subtest 'RPC-03 cancelled between two parts' => sub {
    my $cpe = big(urls => [$t->url(0, '/two')]);
    set_all($cpe, 'off');
    $cpe->run_session('2 PERIODIC') while !$cpe->count('SetParameterValues');
    my $n = applied($cpe);
    is $redis->cmd('FCALL', 'cwmp_cancel', 1,
                   $redis->device_key($cpe->id, 'tasks'), 'off'), 'queued',
        'it can be cancelled';
    my $result = result($cpe, 'off');
    is $result->{status}, 'lost', 'lost, since some of it was done';
    like $result->{fault}{reason}, qr/cancelled, but the first parts/, 'it says so';
    is_deeply $result->{response}, { applied => $n, of => $N }, '... and how much';
    nothing_left($cpe, 'nothing is left of it');
};


subtest 'RPC-03 the device is reset between two parts' => sub {
    my $cpe = big(urls => [$t->url(0, '/two')]);
    set_all($cpe, 'set');
    $cpe->run_session('2 PERIODIC') while !$cpe->count('SetParameterValues');
    my $n = $cpe->count('SetParameterValues');
    $cpe->run_session('0 BOOTSTRAP');
    is result($cpe, 'set')->{status}, 'lost', 'a set is lost: it has forgotten some';
    like result($cpe, 'set')->{fault}{reason}, qr/has been reset since/, '... and why';
    is $cpe->count('SetParameterValues'), $n, 'the rest is not sent';

    $redis->push_task($cpe->id, { method => 'GetParameterValues', id => 'get',
                                  ParameterNames => [map { path($_) } 1 .. $N] });
    $cpe->run_session('2 PERIODIC');
    is result($cpe, 'get')->{status}, undef, '(a part of a read)';
    $cpe->run_session('0 BOOTSTRAP');
    $cpe->run_session('2 PERIODIC') for 1 .. 3;
    is result($cpe, 'get')->{status}, 'done', 'a read is done';
    is scalar(grep { /X_Big/ } keys %{ $redis->params($cpe->id) }), $N,
        '... of all: it began anew';
};


subtest 'RPC-03 what cannot be cut' => sub {
    my $d = CWMP::Script->new($t, 'P' . ++$serial);
    $d->give({ method => 'AddObject', id => 'add', ObjectName => 'Device.T.',
        values => { map { ("P$_" => { value => 'x' x 100,
                                      type => 'xsd:string' }) } 1 .. 200 } });
    is $d->begin->status, 204, 'an object of 200 values is not made';
    is $d->status('add'), 'rejected', '... it is rejected';
    like $d->reason('add'), qr/more than a message of 32 KB/, '... with the reason';

    $d->give({ method => 'SetParameterValues', id => 'long', ParameterList => {
        'Device.A' => { value => 'x' x 40000, type => 'xsd:string' } } });
    my $r = $d->begin;
    is $r->method, 'SetParameterValues', 'a value of 40,000 characters is sent';
    is length(($r->params)[0][2]), 40000, '... all of it';
    $d->respond($r);
    is $d->status('long'), 'done', '... and done';
};


# A model that is read name by name: the session is lost while types are read,
# and when the (only) SetParameterValues was sent.
for my $case (['GetParameterValues', 2], ['SetParameterValues', 1]) {
    my ($method, $k) = @$case;

    subtest "RPC-03 SES-18 types are read in parts, and $method is lost" => sub {
        my $seen = 0;
        $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '*/One/*',
                    '{"namesAtMost":1}');
        my $cpe = big(n => 3, class => 'One', before_post => sub {
            my ($self, $post) = @_;
            return $post->{what} =~ /^$method/ && ++$seen == $k ? 'drop' : '';
        });
        set_all($cpe, 'one', to => 3);
        ok !$cpe->run_session('2 PERIODIC')->{ok}, '(lost)';
        ok $cpe->run_session('1 BOOT')->{ok}, 'the next session goes well';
        is result($cpe, 'one')->{status}, 'done', 'done';
        is $cpe->count('SetParameterValues'), 1, '... once';
        is scalar(grep { $cpe->value(path($_)) == $_ } 1 .. 3), 3, 'all are set';
        is_deeply [grep { $_->[1] > 1 } rpcs($cpe, 'GetParameterValues')], [],
            'name by name';
    };
}


# --- GetParameterValues ----------------------------------------------------

subtest 'RPC-03 2000 names are read in parts' => sub {
    my $cpe = big();
    $redis->push_task($cpe->id, { method => 'GetParameterValues', id => 'names',
                                  ParameterNames => [map { path($_) } 1 .. $N] });
    $cpe->run_session('2 PERIODIC');
    my ($most) = sort { $b <=> $a } @{ $cpe->{bytes} };
    cmp_ok $most, '<', $LIMIT, "RPC-03 the longest message has $most bytes";
    my $sum = 0;
    $sum += $_->[1] for rpcs($cpe, 'GetParameterValues');
    is $sum, $N, 'each name is read once';
    my $result = result($cpe, 'names');
    is $result->{status}, 'done', 'done';
    is $result->{response}{count}, $N, 'the response counts all';
    ok $result->{response}{truncated}, '... and says that it is a beginning';
    cmp_ok length $result->{raw}{response}, '<=', 66000, '... of at most 64 KB';
    my $known = $redis->params($cpe->id);
    is scalar(grep { $known->{ path($_) } } 1 .. $N), $N, 'all are known';
    nothing_left($cpe, 'nothing is left of it');
};


subtest 'a wrong name in a long list: nothing is sent' => sub {
    my $cpe = big(n => 1);
    $redis->push_task($cpe->id, { method => 'GetParameterValues', id => 'no',
        ParameterNames => [(map { path($_) } 1 .. $N), 'x' x 300] });
    $cpe->run_session('2 PERIODIC');
    is result($cpe, 'no')->{status}, 'rejected', 'rejected';
    is result($cpe, 'no')->{fault}{field}, "ParameterNames[$N]", 'which one';
    is_deeply [rpcs($cpe)], [], 'nothing was sent';
};


# --- nodes of an older version ---------------------------------------------

subtest 'RULE-1 what is begun in parts waits for a node that knows of them' => sub {
    my $d = CWMP::Script->new($t, 'P' . ++$serial, url => $t->url(0, '/two'));
    $d->give({ method => 'GetParameterValues', id => 'r',
               ParameterNames => [map { path($_) } 1 .. $N] });
    is join(' ', $d->session), 'GetParameterValues GetParameterValues',
        '(two parts were read)';
    $d->inform;
    my @keys = ($d->key, (map { $d->key($_) } qw(params tasks queue live running
                waiting session results)), map { "cwmp:{0}:$_" } qw(due events
                index:seen index:model index:version));
    my $reply = $redis->cmd('FCALL', 'cwmp_step_1', scalar @keys, @keys, $d->id,
        $redis->cmd('HGET', $d->key('session'), 't'), '1.1.1', '', 'empty', 30000,
        30000, 100);
    is $reply->[0], 'end', 'an older node, which gives no key of the model, ends';
    like $reply->[1][0], qr/task r goes on at a node of a newer version/, '... and why';
    $d->session while $d->status('r') eq 'none' && ++$d->{tries} < 20;
    is $d->status('r'), 'done', 'it goes on later, and is done';
};


# --- what Redis holds of it is damaged -------------------------------------

for my $damage ('{', '{"left":7}', '{"left":[{"x":1}]}', '{"left":[]}', '[]') {
    subtest "RULE-4 progress is damaged: $damage" => sub {
        my $cpe = big(urls => [$t->url(0, '/two')]);
        set_all($cpe, 'hurt');
        $cpe->run_session('2 PERIODIC');
        $redis->cmd('HSET', $redis->device_key($cpe->id, 'live'), '=l hurt',
                    $damage);
        ok $cpe->run_session('2 PERIODIC')->{ok}, 'the device is served';
        is result($cpe, 'hurt')->{status}, 'lost', 'the task is lost';
        like result($cpe, 'hurt')->{fault}{reason}, qr/damaged/, '... and why';
        nothing_left($cpe, 'nothing is left of it');
    };
}

done_testing;
