#!/usr/bin/perl

# A session is its user's: what another one sends with its cookie is refused,
# and nothing of it is stored; what proves a user is used up by one POST, all
# of whose calls to Redis are taken, also when one is repeated.  Over one node,
# and over two in turn.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Auth qw(key_file nonce);
use CWMP::Raw ':build';
use CWMP::RedisProxy;
use CWMP::Test qw(slurp wait_for);

my $REALM = 'acs.example';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");

my $t = CWMP::Test->new(nodes => 2, start => 0,
    cwmp_redis => 'unix:%%DIR%%/proxy.sock partitions=4',
    http => "cwmp_secret_key $dir/key;",
    server => qq{cwmp_auth digest $REALM;
        location = /open { cwmp_auth off; cwmp_acs; }
        location = /named { cwmp_auth off; cwmp_identity \$arg_is; cwmp_acs; }
        location = /both { cwmp_identity \$arg_is; cwmp_acs; }
        location = /basic { cwmp_auth basic $REALM behind_tls; cwmp_acs; }
        location = /metrics { cwmp_metrics; }});
$t->redis_server->start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->start($_) for 0, 1;

my $redis = $t->redis;
$redis->{partitions} = 4;
my $n = 0;
my @nodes;                              # that a device's POSTs go to, in turn


# --- a CPE that proves itself in each POST ----------------------------------

package Device;

sub new {
    my ($class, %opt) = @_;
    my $serial = $opt{serial} // 'S' . ++$n;
    my $self = bless { serial => $serial, turn => 0, id => "00D09E-Box-$serial",
                       raw => [map { $t->raw($_) } @nodes] }, $class;
    $self->{auth} = CWMP::Auth->new(user => $opt{user} // $self->{id},
                                    password => 'pw');
    $self->{auth}->store($redis, realm => $REALM,
                         $opt{device} ? (device => $opt{device}) : ());
    $self->{auth}->challenge($t->raw($nodes[0])->post(''));
    return $self;
}

sub post {
    my ($self, $body, %how) = @_;
    my $raw = $self->{raw}[$self->{turn}++ % @{ $self->{raw} }];
    my $r = $raw->post($body, cookie => $self->{cookie},
        headers => [$how{auth} // $self->{auth}->header], resend => 0, %how);
    $self->{cookie} = $r->header('Set-Cookie') =~ s/;.*//r
        if $r && $r->header('Set-Cookie');
    return $r;
}

sub inform {
    my ($self, %how) = @_;
    return $self->post(CWMP::Envelope::inform(serial => $self->{serial},
                                              %{ delete $how{inform} // {} }),
                       %how);
}

sub key {
    my ($self, $of) = @_;
    return $redis->device_key($self->{id}, $of);
}

# an Inform, and the RPC that follows
sub asked {
    my ($self, @tasks) = @_;
    $redis->push_task($self->{id}, @tasks) if @tasks;
    $self->inform;
    return $self->post('');
}

sub results {
    my ($self) = @_;
    return [map { "$_->{id} $_->{status}" } $redis->results($self->{id})];
}

package main;

sub stale {
    my ($r) = @_;
    return $r->status . (($r->header('WWW-Authenticate') // '') =~ /stale=true/
                         ? ' stale' : '');
}

sub read_all {
    return { id => 'get', method => 'GetParameterValues',
             ParameterNames => ['Device.'], @_ };
}

sub long_answer {
    my ($id, $value, $of) = @_;
    return gpv_response($id, map { ["Device.X.$_.Name", 'string', "$value $_"] }
                             1 .. $of // 1500);
}

sub stored {
    my ($d) = @_;
    my $params = $redis->params($d->{id}, 'Device.X.');
    my %values = map { ($_->{value} =~ s/ .*//r => 1) } values %$params;
    return scalar(keys %$params) . ' ' . join(' ', sort keys %values);
}

sub counted {
    my %sum;
    for my $node (0, 1) {
        my $text = $t->raw($node)->get('/metrics', new => 1)->body;
        $sum{$1} += $2 while $text =~ /^cwmp_auth_\w+\{reason="(\w+)"\} (\d+)/mg;
    }
    return \%sum;
}

# what a code has counted more
sub more {
    my ($code) = @_;
    my $before = counted();
    $code->();
    my $after = counted();
    return { map { $after->{$_} > $before->{$_}
                   ? ($_ => $after->{$_} - $before->{$_}) : () } keys %$after };
}

sub failures {
    my ($partition) = @_;
    my @found;
    for my $p ($partition // 0 .. 3) {
        push @found, map { +{ %$_, p => $p } }
            grep { $_->{type} eq 'auth failure' }
            $redis->stream("cwmp:{$p}:events");
    }
    return @found;
}

sub forget_failures {
    sleep(1.05);                        # a node tells so many in a second
    $redis->cmd('DEL', "cwmp:{$_}:events", "cwmp:{$_}:refusals") for 0 .. 3;
}


for my $which ([0], [0, 1]) {
    @nodes = @$which;
    my $over = @nodes == 1 ? 'over one node' : 'over two nodes';


subtest "SES-21 a long answer with the credentials of another, $over" => sub {
    my ($d, $thief) = (Device->new, Device->new);
    my $rpc = $d->asked(read_all());
    is $rpc->method, 'GetParameterValues', 'A is asked';

    my $r = $thief->post(long_answer($rpc->id, 'false'), cookie => $d->{cookie});
    is $r->status, 403, 'SES-21 of B with the cookie of A: refused';
    is $r->body, "refused\n", 'SES-21 which tells nothing';
    is stored($d), '0 ', 'SES-21 nothing is stored of it';
    is $redis->hash('HGETALL', $d->key('running'))->{came}, 0,
        'SES-21 nor counted';

    $r = $thief->post(substr(long_answer($rpc->id, 'false', 10), 0, -40),
                      cookie => $d->{cookie});
    is $r->status, 403, 'SES-21 one that is broken';
    is $redis->hash('HGETALL', $d->key('running'))->{broke}, '',
        'SES-21 leaves nothing at A\'s task';

    for (['', 'an empty POST'], [long_answer($rpc->id, 'false', 3), 'a short answer'],
         [fault($rpc->id, 9002), 'a fault'],
         [transfer_complete(command_key => 'x'), 'a request'])
    {
        is $thief->post($_->[0], cookie => $d->{cookie})->status, 403,
            "SES-21 $_->[1]";
    }
    $t->expect_log(qr/\[warn\].*user "$thief->{id}" goes on with a session of another user, of $d->{id}/);
    is $thief->inform->status, 200, 'B has its own session all the while';
    is $d->post(long_answer($rpc->id, 'true'))->status, 204, 'A answers';
    is stored($d), '1500 true', 'and its values are stored';
    is_deeply $d->results, ['get done'], 'its task is done';
    $t->expect_log(qr/POST refused/);
};


subtest "AUTH-05 one count, many calls, $over" => sub {
    my $d = Device->new;
    my $rpc = $d->asked(read_all(), { id => 'bad', method => 'SetParameterValues',
        ParameterList => {} }, { id => 'add', method => 'AddObject',
        ObjectName => 'Device.NAT.PortMapping.', values => { ExternalPort => 8080 } });

    my $seen = $d->{auth}->header;
    my $r = $d->post(long_answer($rpc->id, 'once'), auth => $seen);
    is $r->method, 'AddObject', 'AUTH-05 a long answer, then a task that the '
        . 'node rejects, in one POST';
    is stored($d), '1500 once', 'all of it is stored';
    is stale($d->post(long_answer($rpc->id, 'twice'), auth => $seen)), '401 stale',
        'AUTH-04 with what was used: refused';
    is stored($d), '1500 once', 'AUTH-04 and nothing of it is stored';

    $r = $d->post(add_response($r->id, 7));
    is $r->method, 'GetParameterValues', 'a task of several RPCs goes on';
    $r = $d->post(gpv_response($r->id, ['Device.NAT.PortMapping.7.ExternalPort',
                                        'unsignedInt', 1]));
    is $r->method, 'SetParameterValues', '... and on';
    is $d->post(spv_response($r->id))->status, 204, '... to its end';
    is_deeply [sort @{ $d->results }], ['add done', 'bad rejected', 'get done'],
        'AUTH-05 all tasks have ended as they must';
    cmp_ok length $redis->cmd('HGET', $d->key, 'nonces'), '<=', 64,
        'what is remembered of it is short';
};


subtest "AUTH-04 an Inform that is one too many, $over" => sub {
    my $d = Device->new;
    $d->inform;
    $redis->cmd('HSET', $d->key, burst => int(time) . ' 1000');
    my $auth = $d->{auth}->header;
    my @boot = (inform => { events => ['1 BOOT'] }, auth => $auth);
    is $d->inform(@boot)->status, 503, 'is refused';
    is stale($d->inform(@boot)), '401 stale', 'AUTH-04 what proved it is used up';
};


subtest "AUTH-04 an answer that broke off, $over" => sub {
    my $d = Device->new;
    my $rpc = $d->asked(read_all());
    my $seen = $d->{auth}->header;
    $proxy->rule(qr/ cwmp_(?:broke_2|spend_1) /, 'say +OK', 2);
    $d->post(long_answer($rpc->id, 'v'), auth => $seen, partial => 150_000);
    ok wait_for(sub { stored($d) =~ /^[1-9]\d+ v/ }), 'its beginning is stored';
    $_->disconnect for @{ $d->{raw} };
    ok wait_for(sub { $proxy->hits == 2 }), 'and nothing tells of its end';
    is stale($d->post(long_answer($rpc->id, 'x'), auth => $seen)), '401 stale',
        'AUTH-04 what proved it is used up';
    is $d->post(long_answer($rpc->id, 'v'))->status, 204, 'the CPE goes on';
    is stored($d), '1500 v', 'to its end';
};


# A worker repeats a call whose reply was lost: it is the same POST.
for my $case (['the Inform', qr/ cwmp_step_3 .* inform /],
              ['the empty POST', qr/ cwmp_step_3 .* empty /],
              ['the first chunk', qr/ cwmp_chunk_4 /],
              ['the step of a long answer', qr/ cwmp_step_3 .* response /],
              ['the verdict', qr/ cwmp_step_3 .* verdict /])
{
    for my $action (qw(lose-call lose-reply cut-reply)) {
        subtest "LOST $action, $case->[0], $over" => sub {
            my $d = Device->new;
            $redis->push_task($d->{id}, read_all(), { id => 'bad',
                method => 'SetParameterValues', ParameterList => {} });
            $proxy->rule($case->[1], $action);
            my $used = more(sub {
                is $d->inform->status, 200, 'the Inform';
                my $rpc = $d->post('');
                is $rpc->method, 'GetParameterValues', 'the empty POST';
                is $d->post(long_answer($rpc->id, 'v'))->status, 204, 'the answer';
            });
            is $proxy->hits, 1, 'something was lost';
            is_deeply $used, {}, 'AUTH-05 none is taken for a replay';
            is stored($d), '1500 v', 'each value is there';
            is_deeply $d->results, ['get done', 'bad rejected'], 'and each result';
        };
    }
}


subtest "SES-15 the cookie of a session that was replaced, $over" => sub {
    my $d = Device->new;
    my $rpc = $d->asked(read_all());
    my $old = $d->{cookie};
    is $d->inform(inform => { event => '1 BOOT' })->status, 200, 'a new Inform';
    isnt $d->{cookie}, $old, 'has another cookie';
    is $d->post(long_answer($rpc->id, 'old'), cookie => $old)->status, 400,
        'SES-15 a long answer with the old one is refused';
    is $d->post(long_answer($rpc->id, 'old', 2), cookie => $old)->status, 400,
        'SES-15 a short one';
    is $d->post('', cookie => $old)->status, 204,
        'SES-15 an empty POST gets nothing';
    is stored($d), '0 ', 'SES-15 nothing is stored';
    like $d->post('')->method, qr/^GetParameter/, 'the new session has the task';
};


subtest "SES-20 two devices in turn on one connection, $over" => sub {
    my @d = (Device->new, Device->new);
    $d[1]{raw} = $d[0]{raw};
    $_->inform for @d;
    $redis->push_task($_->{id}, read_all(note => $_->{id})) for @d;
    my @rpc = map { $_->post('') } @d;
    is_deeply [map { $_->method } @rpc], [('GetParameterValues') x 2],
        'SES-20 each has its task';
    my $refused = more(sub {
        is $d[$_]->post(long_answer($rpc[$_]->id, "of$_"))->status, 204,
            'each answers' for 0, 1;
    });
    is_deeply [map { stored($_) } @d], ['1500 of0', '1500 of1'],
        'SES-20 nothing is mixed';

    # B without a word, where A has proven itself
    $redis->push_task($d[1]{id}, { id => 'who', method => 'GetRPCMethods' });
    $d[1]->inform;
    $d[0]->inform;
    my $raw = $d[0]{raw}[($d[0]{turn} - 1) % @nodes];
    $refused = more(sub {
        my $r = $raw->post('', cookie => $d[1]{cookie});
        is $r->status, 401, 'SES-20 one that says nothing is asked who it is';
        $r = $raw->post('', cookie => $d[1]{cookie},
                        headers => [$d[1]{auth}->answer($r)]);
        is $r->method, 'GetRPCMethods', 'SES-20 and goes on with its session';
    });
    is_deeply $refused, {}, 'which is nothing bad';
};


subtest "SES-21 two users who are one device, $over" => sub {
    my $d = Device->new;
    my $new = Device->new(serial => $d->{serial}, user => "new$n",
                          device => $d->{id});
    is $d->inform->status, 200, 'the one';
    my $cookie = $d->{cookie};
    is $new->inform->status, 200, 'the other, in the same bytes';
    isnt $new->{cookie}, $cookie, 'SES-21 has a session of its own';
    is $new->post('')->status, 204, '... and goes on with it';

    my $raw = $new->{raw}[($new->{turn} - 1) % @nodes];
    $d->inform(inform => { events => ['1 BOOT'] });
    is $raw->post(request('m', 'GetRPCMethods'), cookie => $d->{cookie})->status, 401,
        'SES-21 what says nothing where the other is known is asked who it is';
};


subtest "SES-21 a user by the name of one device, who is another, $over" => sub {
    my $d = Device->new(user => "many$n", device => '00D09E-Box-*');
    my $named = CWMP::Auth->new(user => $d->{id}, password => 'pw');
    $named->store($redis, realm => $REALM, device => '00D09E-Box-Swapped');
    $named->challenge($t->raw(0)->post(''));
    is $d->asked(read_all())->method, 'GetParameterValues', 'a session';
    is $d->post('', auth => $named->header)->status, 403,
        'SES-21 does not go on with the session of the one';
};


subtest "AUTH-10 an empty POST where a user was proven, $over" => sub {
    my $d = Device->new;
    $d->inform;
    is $_->post('', cookie => undef)->status, 401, 'AUTH-10 is asked who it is'
        for @{ $d->{raw} };
    is $d->post('')->status, 204, 'as in its session, it is not';
};


subtest "AUTH-14 each POST over a connection of its own, $over" => sub {
    my $d = Device->new;
    my $rpc = $d->asked(read_all());
    my $bare = $t->raw($nodes[-1])->post(long_answer($rpc->id, 'x'),
                                         cookie => $d->{cookie});
    is $bare->status, 401, 'AUTH-14 is asked who it is';
    is stored($d), '0 ', '... and nothing is stored before it has said so';
    $d->{auth}->challenge($bare);
    is $d->post(long_answer($rpc->id, 'v'), new => 1)->status, 204,
        'AUTH-14 with the new nonce it goes on where it was';
    is stored($d), '1500 v', 'AUTH-14 nothing is lost';
    is_deeply $d->results, ['get done'], 'AUTH-14 and the task is done';
};


subtest "AUTH-08 names as TR-069 encodes them, $over" => sub {
    for (['012345', 'Set-Top-Box', '0123456789',
          '012345-Set%2DTop%2DBox-0123456789', '012345-Set%2dTop%2dBox-0123456789'],
         ['00D09E', 'Box 3000', 'AB-12/7', '00D09E-Box%203000-AB%2D12%2F7',
          '00d09e-Box%203000-AB%2d12%2f7'],
         ['00D09E', '', '0123456789', '00D09E-0123456789', '00d09e-0123456789'])
    {
        my ($oui, $class, $serial, @names) = @$_;
        my $text = inform(oui => $oui, class => $class, serial => $serial);
        for my $name (@names) {
            my $d = Device->new(user => $name);
            is $d->post($text)->status, 200, "AUTH-08 $name";
            is $d->post('')->status, 204, 'AUTH-08 ... and its session';
        }
        for my $wrong ("$names[0]0", uc($names[0]) . 'X', $names[0] =~ s/-.*//r,
                       $names[0] =~ s/%2D/-/gr . '-', $names[0] =~ s/%/%25/gr . 'x')
        {
            my $d = Device->new(user => $wrong);
            is $d->post($text)->status, 403, "AUTH-08 not $wrong";
        }
    }
};


subtest "AUTH-09 another device than the user's, $over" => sub {
    forget_failures();
    my $d = Device->new;
    my $victim = "00D09E-Box-V$n";
    my $refused = more(sub {
        my $r = $d->inform(inform => { serial => "V$n" });
        is $r->status, 403, 'AUTH-09 is refused';
        is $r->body, "refused\n", 'AUTH-09 and told nothing';
        ok !$r->header('Set-Cookie'), 'AUTH-09 no session';
    });
    is_deeply $refused, { device => 1 }, 'AUTH-09 it is counted';
    ok wait_for(sub { failures() }), 'AUTH-09 an event';
    my ($event, @more) = failures();
    is_deeply \@more, [], 'one';
    is_deeply { map { ($_ => $event->{$_}) } qw(device user reason claims address p) },
        { device => $d->{id}, user => $d->{id}, reason => 'device', claims => $victim,
          address => '127.0.0.1', p => $redis->partition($d->{id}) },
        'AUTH-09 told of the device that the user is, where that is';
    is $redis->cmd('EXISTS', map { "cwmp:{$_}:$victim" } 0 .. 3), 0,
        'AUTH-09 of the other one there is nothing';
    ok wait_for(sub { $redis->cmd('HKEYS', $d->key)->[0] }), 'the user\'s own';
    is_deeply $redis->cmd('HKEYS', $d->key), ['nonces'],
        '... has what is used up, and no more: it has not informed';
};
}


# --- what was spoilt, or was there before ------------------------------------

@nodes = (0, 1);

subtest 'a session that was opened without authentication' => sub {
    my $d = Device->new;
    $redis->push_task($d->{id}, read_all(ParameterNames => ['Device.X.1.Name']));
    my $raw = CWMP::Raw->new(url => $t->url(0, '/open'));
    my $cookie = $raw->post(inform(serial => $d->{serial}))->header('Set-Cookie')
                 =~ s/;.*//r;
    my $rpc = $raw->post('', cookie => $cookie);
    $d->{cookie} = $cookie;
    my $refused = more(sub {
        is $d->post(long_answer($rpc->id, 'v'))->status, 400,
            'is over: its answer is refused';
        is $d->post('', cookie => $cookie)->status, 204, 'or it ends with 204';
    });
    is_deeply $refused, {}, 'that is no failure';
    is stored($d), '0 ', 'nothing is stored';
    $redis->cmd('HSET', $d->key('session'), 'u', '');
    is $d->post('')->status, 204, 'so is one with an empty user';
    $t->expect_log(qr/the session was opened without authentication/);
    $rpc = $d->asked;
    is $d->post(long_answer($rpc->id, 'v', 1))->status, 204,
        'the next Inform goes on with the task';
    is_deeply $d->results, ['get done'], '... which is done';
};


subtest 'a spoilt list of nonces' => sub {
    my $zeros = '0' x 20;               # no nonce, and none is used
    for my $spoilt ('', 'x', '0', '0' x 19, '0' x 21, "$zeros ", 'x' x 20,
                    $zeros . ('x' x 22), "$zeros\0\xff" . ('0' x 20),
                    '0' x 1_000_004, 'f' x 20,
                    sprintf('%08xff%010x', time() + 3600, 0))
    {
        my ($d, $other) = (Device->new, Device->new);
        $d->inform;
        $redis->cmd('HSET', $d->key, 'nonces', $spoilt);
        is $other->inform->status, 200, 'another device';
        my $r = $d->inform;
        is stale($r), '401 stale', sprintf '"%.20s" proves nothing', $spoilt;
        is $d->inform(auth => $d->{auth}->answer($r))->status, 200,
            '... and mends itself';
        is $d->post('')->status, 204, '... for good';
    }
    $t->expect_log(qr/field nonces of cwmp:\{\d\}:00D09E-Box-S\d+ was spoilt/);

    my $d = Device->new;
    $d->inform;
    my $nonce = substr $d->{auth}{nonce}, 0, 14;
    $redis->cmd('HSET', $d->key, 'nonces', "$zeros${nonce}ffffffff");
    my $r = $d->inform;
    is stale($r), '401 stale', 'a count above all that a CPE can have';
    is $d->inform(auth => $d->{auth}->answer($r))->status, 200, 'costs a nonce';

    $d = Device->new;
    is $d->inform(auth => $d->{auth}->header(count => 0xffffffff))->status, 200,
        'the last count that there is';
    is stale($d->inform(auth => $d->{auth}->header(count => 0xffffffff))),
        '401 stale', '... once';
    my $header = $d->{auth}->header;
    $header->[1] =~ s/nc=\w+/nc=100000001/;
    is $d->inform(auth => $header)->status, 401, 'one of nine digits is none';
};


subtest 'more nonces than are remembered' => sub {
    my $d = Device->new;
    my $now = int time;
    for my $ago (reverse 1 .. 45) {
        $d->{auth}{nonce} = nonce($key, $REALM, $now - $ago);
        is $d->inform(auth => $d->{auth}->header(count => 1))->status, 200,
            "one of $ago seconds ago" if $ago % 9 == 0;
        $d->inform(auth => $d->{auth}->header(count => 2));
    }
    for my $ago (1, 8, 31, 32, 33, 34, 45) {
        $d->{auth}{nonce} = nonce($key, $REALM, $now - $ago);
        is stale($d->inform(auth => $d->{auth}->header(count => 2))), '401 stale',
            "AUTH-04 again of $ago seconds ago";
    }
    cmp_ok length $redis->cmd('HGET', $d->key, 'nonces'), '<=', 724,
        'of many it remembers few';
};


subtest 'names with anything in them' => sub {
    for my $user ('a b', ' ', '%', '%41-', "J\xc3\xb6rg \xff", '{x}', '}{', "a\tb",
                  '- 1 2 x', 'x' x 256)
    {
        my $serial = 'U' . ++$n;
        my $d = Device->new(serial => $serial, user => $user,
                            device => "00D09E-Box-$serial");
        my $thief = Device->new;
        my $rpc = $d->asked(read_all());
        is $rpc->method, 'GetParameterValues', qq{"$user" opens a session};
        is $thief->post('', cookie => $d->{cookie})->status, 403, '... of its own';
        is $d->post(long_answer($rpc->id, 'v'))->status, 204, '... to its end';
        is stored($d), '1500 v', '... with all that is in it';
    }
};


# --- events -------------------------------------------------------------------

subtest 'AUTH-03 events of wrong passwords' => sub {
    forget_failures();
    my $d = Device->new(user => 'joe', serial => 'J1', device => '00d09e-Box-J1');
    $d->inform(auth => $d->{auth}->header(password => 'px'));
    ok wait_for(sub { failures() == 1 }), 'AUTH-03 one';
    my ($event) = failures();
    is_deeply { map { ($_ => $event->{$_}) } qw(device user reason p) },
        { device => '00D09E-Box-J1', user => 'joe', reason => 'password',
          p => $redis->partition('00D09E-Box-J1') },
        'AUTH-03 of the device that the record names';
    is $event->{claims}, undef, '... and what it claims is not known';

    forget_failures();
    my $basic = Device->new;
    $redis->cmd('HSET', "cwmp:user:{$basic->{id}}", basic => 'ab' x 32);
    $redis->cmd('HDEL', "cwmp:user:{$basic->{id}}", 'md5', 'sha256');
    is $basic->inform->status, 401, 'AUTH-03 a record for another scheme';
    ok wait_for(sub { failures() == 1 }), '... is told';
    is +(failures())[0]{reason}, 'record', '... as such';
    $t->expect_log(qr/record has nothing that this location's "cwmp_auth" can use.*: "\Q$basic->{id}"/, 1);

    forget_failures();
    my $empty = Device->new;
    $redis->cmd('HDEL', "cwmp:user:{$empty->{id}}", qw(md5 sha256 basic));
    $redis->cmd('HSET', "cwmp:user:{$empty->{id}}", device => $empty->{id});
    is $empty->inform->status, 401, 'AUTH-03 a record that has nothing of the kind';
    ok wait_for(sub { failures() == 1 }), '... is told';
    is +(failures())[0]{reason}, 'record', '... likewise';
    $t->expect_log(qr/record has nothing .*: "\Q$empty->{id}"/, 1);

    forget_failures();
    $t->raw(0)->post(inform(), url => $t->url(0, '/basic'), headers =>
        [CWMP::Auth->new(user => "00D09E-Box-\e[2Jx\xff\n")->basic('px')]);
    ok wait_for(sub { failures() == 1 }), 'AUTH-03 of an unknown user';
    ($event) = failures();
    is_deeply { map { ($_ => $event->{$_}) } qw(device user reason) },
        { device => '', user => '00D09E-Box-?[2Jx??', reason => 'user' },
        'AUTH-03 no device, and nothing that a terminal obeys';
    $t->expect_log(qr/is wrong: "00D09E-Box-\?\[2Jx\?\?"/, 1);

    forget_failures();
    my ($a, $b) = (Device->new, Device->new);
    $a->inform;
    $b->post('', cookie => $a->{cookie});
    ok wait_for(sub { failures() == 1 }), 'SES-21 another user\'s session';
    ($event) = failures();
    is_deeply { map { ($_ => $event->{$_}) } qw(device reason claims p) },
        { device => $b->{id}, reason => 'session', claims => $a->{id},
          p => $redis->partition($b->{id}) }, 'SES-21 told of who did it';
    $t->expect_log(qr/\[warn\]/);
};


subtest 'what cwmp_identity says' => sub {
    forget_failures();
    my $url = sub { $t->url(0, "/named?is=$_[0]") };
    my $raw = $t->raw(0);
    my $text = inform(serial => 'I1');
    is $raw->post($text, url => $url->('00d09e-Box-I1'))->status, 200,
        'this device';
    is $raw->post($text, url => $url->('00D09E-Box-*'))->status, 200,
        'any of a model';
    is $raw->post($text, url => $url->(''))->status, 403, 'nothing: refused';
    forget_failures();
    my $refused = more(sub {
        is $raw->post($text, url => $url->('00d09e-Box-I2'))->status, 403,
            'another one: refused';
    });
    is_deeply $refused, { identity => 1 }, 'counted';
    ok wait_for(sub { failures() == 1 }), 'an event';
    my ($event) = failures();
    is_deeply { map { ($_ => $event->{$_}) } qw(device user reason claims p) },
        { device => '00D09E-Box-I2', user => '00d09e-Box-I2', reason => 'identity',
          claims => '00D09E-Box-I1', p => $redis->partition('00D09E-Box-I2') },
        'told of the device that it says';

    my $cookie = $raw->post($text, url => $url->('00D09E-Box-I1'))
                     ->header('Set-Cookie') =~ s/;.*//r;
    forget_failures();
    $refused = more(sub {
        is $t->raw(0)->post('', url => $url->('00D09E-Box-I2'),
                            cookie => $cookie)->status, 403,
            'SES-21 with the cookie of another device: refused';
    });
    is_deeply $refused, { identity => 1 }, 'SES-21 counted';
    ok wait_for(sub { failures() == 1 }), 'SES-21 an event';
    is_deeply [map { $_->{device}, $_->{claims} } failures()],
        ['00D09E-Box-I2', '00D09E-Box-I1'], 'SES-21 told of who did it';

    my $d = Device->new;
    $d->{auth}{uri} = "/both?is=00D09E-Box-I3";
    my $both = $t->url(0, $d->{auth}{uri});
    is $d->inform(url => $both)->status, 403, 'with a user: both must agree';
    $d->{auth}{uri} = "/both?is=$d->{id}";
    is $d->inform(url => $t->url(0, $d->{auth}{uri}))->status, 200, '... as here';
};


# What is told at once of a partition, and then one in a minute: a record of how
# much was told is put where the flood would have brought it.
subtest 'a flood of failures' => sub {
    forget_failures();
    my $d = Device->new;
    my ($user) = grep { $redis->partition($_) == 2 } map { "nobody$_" } 1 .. 50;
    my $raw = $t->raw(0);
    my $fail = sub {
        $raw->post('', headers => [$d->{auth}->header(user => $_[0])]);
    };
    my $left = sub { $redis->cmd('HGET', 'cwmp:{2}:refusals', 'omitted') // 0 };

    $fail->($user);                     # what was not told before is told now
    ok wait_for(sub { failures(2) == 1 }), 'one is told';
    forget_failures();

    my $begin = time();
    my $refused = more(sub { $fail->("x$_") for 1 .. 40 });
    is $refused->{password}, 40, 'of 40 at once all are counted';
    my $seen = 0;                       # until no more of them come
    wait_for(sub {
        sleep(0.2);
        my $before = $seen;
        return ($seen = () = failures()) >= 8 && $seen == $before;
    });
    my @told = failures();
    cmp_ok scalar(@told), '<=', 8 * (time() - $begin + 1),
        'but a node tells eight in a second';

    forget_failures();
    $redis->cmd('HSET', 'cwmp:{2}:refusals', 'full', int(time) + 1200);
    $fail->($user);
    ok wait_for(sub { $left->() > 0 }), 'after twenty of a partition';
    is scalar(failures(2)), 0, '... none is told';
    my $omitted = $left->();
    my $sum = $omitted - 1;
    $sum += 1 + ($_->{omitted} // 0) for @told;
    is $sum, 40, '... but counted, as are those that the node did not tell';

    $redis->cmd('HSET', 'cwmp:{2}:refusals', 'full', int(time) + 1130);
    sleep(1.05);
    $fail->($user);
    ok wait_for(sub { failures(2) == 1 }), 'a minute later one is told';
    is +(failures(2))[0]{omitted}, $omitted, '... with how many were not';
    is $left->(), 0, '... and no more than once';

    $redis->cmd('HSET', 'cwmp:{2}:refusals', 'full', 'x', 'omitted', 'y');
    $fail->($user);
    ok wait_for(sub { failures(2) == 2 }), 'a spoilt record mends itself';
};


SKIP: {
    skip 'no curl', 4 unless `curl --version 2>/dev/null`;

    # what a curl of its own says of each POST, to the nodes in turn: the status
    my $turn;
    my $curl = sub {
        my ($who, $how, $path, $text, @more) = @_;
        open my $file, '>', "$dir/body" or die $!;
        print $file $text;
        close $file;
        my $url = $t->url($nodes[$turn++ % @nodes], $path);
        return qx{curl -s -o $dir/out -w '%{http_code}' $how -u '$who->{auth}{user}:pw' -c $dir/jar @more -H 'Content-Type: text/xml' --data-binary \@$dir/body $url};
    };

    for my $which ([0], [0, 1]) {
        @nodes = @$which;
        my $over = @nodes == 1 ? 'over one node' : 'over two nodes';

        subtest "curl, $over" => sub {
            my ($d, $thief) = (Device->new, Device->new);
            $redis->cmd('HSET', "cwmp:user:{$_->{id}}", 'basic', $_->{auth}->keyed($key))
                for $d, $thief;
            my $own = inform(serial => $d->{serial});
            $turn = 0;
            for (['--digest', '/cwmp'], ['--basic', '/basic'], ['--anyauth', '/cwmp']) {
                my ($how, $path) = @$_;
                is $curl->($d, $how, $path, inform(serial => 'Other')), 403,
                    "AUTH-09 $how, another device";
                is $curl->($d, $how, $path, $own), 200, "AUTH-08 $how, its own";
                is $curl->($thief, $how, $path, '', "-b $dir/jar"), 403,
                    "SES-21 $how, A's cookie with the credentials of B";
                is $curl->($d, $how, $path, '', "-b $dir/jar"), 204,
                    "AUTH-14 $how, over another connection";
                rename "$dir/jar", "$dir/old";
                is $curl->($d, $how, $path, inform(serial => $d->{serial},
                                                   event => '1 BOOT')), 200, 'anew';
                is $curl->($d, $how, $path, fault('x', 9002), "-b $dir/old"), 400,
                    "SES-15 $how, the cookie of the session before";
                is $curl->($d, $how, $path, '', "-b $dir/jar"), 204,
                    '... and not that of this one';
            }

            for (['012345', 'Set-Top-Box', '0123456789', '012345-Set%2DTop%2DBox-0123456789'],
                 ['00D09E', 'Box 3000', 'AB-12/7', '00d09e-Box%203000-AB%2d12%2F7'],
                 ['00D09E', '', '0123456789', '00D09E-0123456789'])
            {
                my ($oui, $class, $serial, $name) = @$_;
                my $named = Device->new(user => $name);
                is $curl->($named, '--digest', '/cwmp', inform(oui => $oui, class => $class,
                           serial => $serial)), 200, "AUTH-08 $name";
                is $curl->($named, '--digest', '/cwmp', '', "-b $dir/jar"), 204,
                    'AUTH-08 ... and its session';
            }
        };

        subtest "SES-20 two devices in turn on one connection of curl, $over" => sub {
            my @d = (Device->new, Device->new);
            $redis->push_task($_->{id}, { method => 'GetRPCMethods', id => "of-$_->{id}" })
                for @d;
            my @cookie;
            for my $round (0, 1) {
                my @says = map {
                    open my $body, '>', "$dir/body$_" or die $!;
                    print $body $round ? '' : inform(serial => $d[$_]{serial});
                    close $body;
                    "-s -o $dir/out$_ -D $dir/head$_ --digest -u '$d[$_]{id}:pw' "
                    . ($round ? "-H 'Cookie: $cookie[$_]' " : '')
                    . "-H 'Content-Type: text/xml' -w '%{http_code}/%{num_connects} ' "
                    . "--data-binary \@$dir/body$_ " . $t->url($nodes[$round % @nodes])
                } 0, 1;
                is qx{curl @{[join ' --next ', @says]}}, '200/1 200/0 ',
                    'SES-20 one connection, two devices';
                @cookie = map { slurp("$dir/head$_") =~ /^Set-Cookie: ([^;]+)/m } 0, 1
                    if !$round;
            }
            for my $i (0, 1) {
                my ($id) = slurp("$dir/out$i") =~ m{<\w+:ID[^>]*>([^<]+)};
                is $curl->($d[$i], '--digest', '/cwmp', rpc_methods_response($id, 'Reboot'),
                           "-H 'Cookie: $cookie[$i]'"), 204, 'SES-20 each answers its own';
                is_deeply $d[$i]->results, ["of-$d[$i]{id} done"],
                    'SES-20 each has done its own';
            }
        };
    }
}

$t->expect_log(qr/\[warn\]/);
done_testing;
