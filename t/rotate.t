#!/usr/bin/perl

# RotateCredentials: new passwords for a device, whatever fails in between.  The
# CPE holds what it was told last, and must always be able to log in with that;
# in the end that is all that is good.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(project_root);
use CWMP::Keyring;
use CWMP::RedisCluster;
use CWMP::RedisProxy;
use CWMP::Test qw(patience wait_for);

my $REALM = 'acs.example';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
my $t = CWMP::Test->new(nodes => 2, start => 0, redis => { appendonly => 1 },
    http => "cwmp_secret_key $dir/key;", server => qq{
        cwmp_auth digest $REALM;
        location = /basic { cwmp_auth basic $REALM behind_tls; cwmp_acs; }
        location = /first { cwmp_first_contact rotate; cwmp_acs; }
        location = /off { cwmp_auth off $REALM; cwmp_acs; }});
$t->redis_start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->node($_)->{redis} = $proxy->address . ' timeout=1s' for 0, 1;
$t->start($_) for 0, 1;

my $redis = $t->redis;
my $n = 0;
my $PLAIN = qr/^[a-km-np-z2-9]{20}$/;


# a device, its credentials stored as the tool does, and the task
sub box {
    my (%opt) = @_;
    my $record = delete $opt{record};
    my $cpe = CWMP::Keyring->new($t, 'S' . ++$n, %opt);
    $record //= $opt{basic} ? { basic => $cpe->{auth}->keyed($key) } : undef;
    if ($record) {
        $redis->cmd('HSET', user_key($cpe->{user}), %$record) if %$record;
    } else {
        $cpe->{auth}->store($redis, realm => $REALM);
    }
    return $cpe;
}

sub user_key { return "cwmp:user:{$_[0]}" }
sub record { return $redis->hash('HGETALL', user_key($_[0]{user})) }
sub give { return $redis->push_task($_[0]->id, { method => 'RotateCredentials', id => $_[1] }) }
sub status {
    my ($cpe, $task) = @_;
    my $result = $redis->result($cpe->id, $task) or return 'none';
    return $result->{status};
}

# what its record has is what it holds, and nothing else is good
sub settled {
    my ($cpe, $what, $old) = @_;
    is sure_session($cpe), 204, "$what: it logs in";
    my %is = %{ record($cpe) };
    my $auth = $cpe->auth->{auth};

    is_deeply [grep { /^next/ } keys %is], [], "$what: there is one set";
    if ($cpe->{basic}) {
        is $is{basic}, $auth->keyed($key), "$what: what it holds, for Basic";
        ok !exists $is{md5}, "$what: ... and for that alone";
    } else {
        my %other;
        CWMP::Auth->new(%$auth)->store(bless(\%other, 'Pretend'), realm => $REALM);
        is $is{md5}, $other{md5}, "$what: what it holds";
        is $is{sha256}, $other{sha256}, "$what: ... and SHA-256 of it";
    }
    for my $password (@$old) {
        ok !$cpe->good($cpe->{user}, $password), "$what: $password is good no longer"
            if $password ne $cpe->{password};
    }
}

sub Pretend::cmd { my ($self, undef, undef, %o) = @_; %$self = %o }


for my $how ([algorithm => 'MD5'], [algorithm => 'SHA-256'],
             [basic => 1, uri => '/basic'])
{
    subtest "the plain way, @$how" => sub {
        my $cpe = box(@$how);
        give($cpe, 'r1');
        $cpe->{on_rpc} = sub {
            my ($cpe, $r) = @_;
            is exists record($cpe)->{next_md5}, !$cpe->{basic},
                'nothing is stored that can be used instead, for Basic alone';
            return $cpe->comply($r);
        };
        is $cpe->session, 204, 'a session';
        is status($cpe, 'r1'), 'done', 'the task';

        my ($given, $more) = @{ $cpe->{given} };
        ok !$more, 'one RPC';
        my $object = 'Device.ManagementServer.';
        is $given->{"${object}Username"}, $cpe->id, 'Username';
        is $given->{"${object}ConnectionRequestUsername"}, $cpe->id,
            'ConnectionRequestUsername';
        my @passwords = map { $given->{"$object$_"} }
            qw(Password ConnectionRequestPassword);
        like $_, $PLAIN, '20 characters' for @passwords;
        isnt $passwords[0], $passwords[1], 'which are two';
        settled($cpe, 'in the end', ['pw']);

        my $all = join '', $t->error_log(0), $t->error_log(1),
            map { my $k = $_; my $type = $redis->cmd('TYPE', $k);
                  map { ref ? map { ref ? @$_ : $_ } @$_ : $_ }
                  $type eq 'hash' ? $redis->list('HGETALL', $k)
                  : $type eq 'stream' ? $redis->list('XRANGE', $k, '-', '+')
                  : $type eq 'list' ? $redis->list('LRANGE', $k, 0, -1) : () }
            $redis->list('KEYS', '*');
        unlike $all, qr/\Q$_\E/, 'no password is in a log, or in Redis'
            for @passwords;
        like record($cpe)->{connection_request}, qr/^s1\.[0-9a-f]{8}\.[0-9a-f]+$/,
            'that for connection requests is kept sealed';
        is record($cpe)->{password}, undef, 'the other is not';
    };
}


# --- what fails in between ---------------------------------------------------

# a CPE comes again, and again, while Redis is away
sub sure_session {
    my ($cpe) = @_;
    my $how;
    wait_for(sub {
        $how = eval { $cpe->begin_anew->session } // $@;
        $how eq '204' || $how =~ /locked out/;
    }, 10);
    return $how;
}

# Sessions until the task has ended; it is done, and only one password was told.
sub goes_on {
    my ($cpe, $what, $expect) = @_;
    delete $cpe->{on_rpc};
    for (1 .. 5) {
        last if status($cpe, 'r1') ne 'none';
        is sure_session($cpe), 204, "$what: a session";
    }
    is status($cpe, 'r1'), $expect // 'done', "$what: the task";
    my %told = map { ($_->{'Device.ManagementServer.Password'} => 1) }
        @{ $cpe->{given} };
    cmp_ok keys %told, '<=', 1, "$what: never a third password";
    settled($cpe, $what, ['pw']);
}

# while Redis has the command, or before: all workers are killed
sub kill_when {
    my ($hits) = @_;
    my @workers = map { $t->workers($_) } 0, 1;
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;
    wait_for(sub { $proxy->hits > $hits }, 10) && kill 9, @workers;
    POSIX::_exit(0);
}

sub killed {
    my ($pid) = @_;
    waitpid $pid, 0;
    wait_for(sub { 2 == map { $t->workers($_) } 0, 1 }) or die "no workers\n";
    $t->expect_log(qr/worker process \d+ exited on signal 9/);
}

my @STEPS = (
    ['the look-up of the user', qr/cwmp_user_1/],
    ['the step of the Inform', qr/cwmp_step_3 .* inform /],
    ['the step that orders it', qr/cwmp_step_3 .* empty /],
    ['the record gets the new ones', qr/cwmp_rotate_1/],
    ['the look-up after it', qr/cwmp_user_1/, 'after'],
    ['the record learns that they are used', qr/cwmp_proven_1/],
    ['the step of the response', qr/cwmp_step_3 .* response /],
);

for my $step (@STEPS) {
    my ($name, $pattern, $after) = @$step;
    for my $action (qw(lose-call lose-reply swallow hold-reply)) {
        my $kills = $action !~ /lose/;
        my $what = "$name, " . ($kills ? 'kill -9 ' : '') . {
            'lose-call' => 'lost', 'lose-reply' => 'its reply lost',
            'swallow' => 'before it', 'hold-reply' => 'after it' }->{$action};
        subtest $what => sub {
            my $cpe = box();
            my $killer;
            sure_session($cpe);
            my $begin = sub {
                $proxy->rule($pattern, $action, $kills ? 1 : 2);
                $killer = kill_when($proxy->hits) if $kills;
            };
            give($cpe, 'r1');
            $begin->() if !$after;
            $cpe->{on_rpc} = sub {
                my ($cpe, $r) = @_;
                $begin->() if $after;
                return $cpe->comply($r);
            };
            eval { $cpe->begin_anew->session };
            ok $proxy->hits, 'it was disturbed';
            killed($killer) if $kills;
            $proxy->rules();
            goes_on($cpe, 'then');
        };
    }
}

# --- what CPEs do -------------------------------------------------------------

my %CPES = (
    'is gone before it took them' => sub { 'over' },
    'takes them, and is gone before it answers' => sub { $_[0]->take($_[1]); 'over' },
    'is told twice, and takes them the second time' => sub {
        my ($cpe) = @_;
        my $again = $cpe->post('');
        return $cpe->comply($again);
    },
    'uses them after the session only' => sub {
        my ($cpe, $r) = @_;
        $r = $cpe->post(CWMP::Envelope::spv_response($r->id, 1));
        $cpe->take($_[1]);
        return $r;
    },
);

for my $what (sort keys %CPES) {
    for my $how ([], [basic => 1, uri => '/basic']) {
        subtest "a CPE that $what @$how" => sub {
            my $cpe = box(@$how);
            give($cpe, 'r1');
            $cpe->{on_rpc} = $CPES{$what};
            $cpe->session;
            goes_on($cpe, 'then');
        };
    }
}

subtest 'a CPE that refuses' => sub {
    my $cpe = box();
    my $before = record($cpe);
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { $_[0]->refuse($_[1], 9001) };
    is $cpe->session, 204, 'a session';
    my $result = $redis->result($cpe->id, 'r1');
    is $result->{status}, 'fault', 'the task';
    is $result->{fault}{FaultCode}, 9001, 'its fault';
    is sure_session($cpe), 204, 'it comes again, as before';
    is record($cpe)->{md5}, $before->{md5}, '... with those that it had';

    $redis->push_task($cpe->id, { method => 'RotateCredentials', id => 'r2' });
    $cpe->{on_rpc} = undef;
    is sure_session($cpe), 204, 'another rotation';
    is status($cpe, 'r2'), 'done', '... is done';
    is $cpe->{given}[0]{'Device.ManagementServer.Password'},
        $cpe->{given}[1]{'Device.ManagementServer.Password'},
        '... by the same ones, which it may have taken after all';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a CPE that quotes what it refuses' => sub {
    my $cpe = box();
    give($cpe, 'r1');
    my $password;
    $cpe->{on_rpc} = sub {
        my ($cpe, $r) = @_;
        my $name = 'Device.ManagementServer.Password';
        $password = $r->values->{$name};
        return $cpe->post(CWMP::Envelope::fault($r->id, 9003, "bad '$password'",
                          [$name, 9007, "no $password"]));
    };
    is $cpe->session, 204, 'a session';
    my $entry = join ' ', map { @{ $_->[1] } }
        $redis->list('XRANGE', $redis->device_key($cpe->id, 'results'), '-', '+');
    unlike $entry, qr/$password/, 'it is not in the result';
    like $entry, qr/"FaultCode":9003.*"ParameterName":"Device\.ManagementServer\.Password"/,
        '... but what it refuses is';

    give($cpe, 'r2');
    $cpe->{on_rpc} = sub {
        my ($cpe, $r) = @_;
        return $cpe->post(CWMP::Envelope::fault($r->id, 9003,
                          'cut to ' . substr($password, 0, 16),
                          ['Device.ManagementServer.Password', 9007, uc $password]));
    };
    is $cpe->session, 204, 'one more';
    $entry = join ' ', map { @{ $_->[1] } }
        $redis->list('XRANGE', $redis->device_key($cpe->id, 'results'), '-', '+');
    unlike $entry, qr/@{[substr $password, 0, 12]}/i, 'nor is a part of it, or its like';
};

subtest 'a CPE that says that it refuses, and has them all the same' => sub {
    my $cpe = box();
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { my $r = $_[0]->refuse($_[1]); $_[0]->take($_[1]); $r };
    $cpe->session;
    is status($cpe, 'r1'), 'fault', 'the task';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a CPE that says so, and has them from its next boot on' => sub {
    my $cpe = box();
    my $told;
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { $told = $_[1]; $_[0]->refuse($_[1]) };
    $cpe->session;
    is status($cpe, 'r1'), 'fault', 'the task';
    is sure_session($cpe), 204, 'it comes again, as before';
    $cpe->take($told);
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a CPE that refuses what it may have taken before' => sub {
    my $cpe = box();
    my $told;
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { $told = $_[1]; 'over' };
    $cpe->session;
    $cpe->{on_rpc} = sub { $_[0]->refuse($_[1]) };
    is sure_session($cpe), 204, 'a session';
    is status($cpe, 'r1'), 'fault', 'the task';
    is sure_session($cpe), 204, 'it comes again, as before';
    ok record($cpe)->{next}, 'both stay good';
    $cpe->take($told);
    settled($cpe, 'it has them after all', ['pw']);
};

subtest 'a CPE that never answers' => sub {
    my $cpe = box();
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { 'over' };
    sure_session($cpe), $cpe->begin_anew for 1 .. 2;
    for (1 .. 5) { eval { $cpe->begin_anew->session } }
    is status($cpe, 'r1'), 'lost', 'the task';
    ok $cpe->good($cpe->{user}, 'pw'), 'it logs in';

    $redis->push_task($cpe->id, { method => 'RotateCredentials', id => 'r2' });
    $cpe->{on_rpc} = undef;
    is sure_session($cpe), 204, 'another rotation';
    is status($cpe, 'r2'), 'done', '... is done';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a task that is cancelled when nobody knows' => sub {
    my $cpe = box();
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { $_[0]->take($_[1]); 'over' };
    $cpe->session;
    $cpe->begin_anew->post($cpe->inform_text);
    is $redis->cmd('FCALL', 'cwmp_cancel', 1, $redis->device_key($cpe->id, 'tasks'),
                   'r1'), 'queued', 'an admin';
    is status($cpe, 'r1'), 'lost', 'is told that it may have been done';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'two rotations in a row' => sub {
    my $cpe = box();
    give($cpe, $_) for 'r1', 'r2';
    is $cpe->session, 204, 'a session';
    is_deeply [map { status($cpe, $_) } 'r1', 'r2'], ['done', 'done'], 'the tasks';
    my @told = map { $_->{'Device.ManagementServer.Password'} } @{ $cpe->{given} };
    is @told, 2, 'two RPCs';
    isnt $told[0], $told[1], 'by the second one it had proven the first';
    settled($cpe, 'in the end', ['pw', $told[0]]);
};


# --- whose they are -------------------------------------------------------------

subtest 'a user that many devices share' => sub {
    my $cpe = box(user => 'fleet', password => 'from the factory');
    $redis->cmd('HSET', user_key('fleet'), device => '00D09E-Box-*');
    my $shared = $redis->hash('HGETALL', user_key('fleet'));
    give($cpe, 'r1');
    is $cpe->session, 204, 'a session, in which its user changes';
    is status($cpe, 'r1'), 'done', 'the task';
    is $cpe->{user}, $cpe->id, 'it has one of its own';
    is record($cpe)->{device}, $cpe->id, '... that is this device';
    is_deeply $redis->hash('HGETALL', user_key('fleet')), $shared,
        'nothing else has changed for the others';
    settled($cpe, 'in the end');
    my $other = CWMP::Keyring->new($t, 'S' . ++$n, user => 'fleet',
                                   password => 'from the factory');
    is $other->session, 204, 'another device';
};

subtest 'a user that many share, and a CPE that takes half of it' => sub {
    my $cpe = box(user => 'half', password => 'from the factory');
    $redis->cmd('HSET', user_key('half'), device => '00D09E-Box-*');
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub {
        my ($cpe, $r) = @_;
        $cpe->{user} = $r->values->{'Device.ManagementServer.Username'};
        $cpe->post(CWMP::Envelope::fault($r->id, 9003, 'Invalid arguments',
                   ['Device.ManagementServer.Password', 9007, 'Invalid parameter value']));
        return 'over';
    };
    $cpe->session;
    is status($cpe, 'r1'), 'fault', 'the task';
    is eval { $cpe->begin_anew->session }, undef, 'it is locked out';
    my $tool = $ENV{TEST_USER_TOOL} || project_root() . '/build/cwmp-user';
    my $line = join "\t", $cpe->id, $cpe->{password};
    my $socket = $t->redis_server->socket;
    like `echo '$line' | '$tool' -f -r $REALM | redis-cli -s $socket --pipe`, qr/errors: 0/,
        'an admin writes what it has';
    is $cpe->begin_anew->session, 204, '... and it is in';
};

subtest 'credentials of first contact' => sub {
    my $cpe = box(user => 'factory', record => { md5 => 'x' });
    $cpe->{auth}->store($redis, realm => $REALM, device => '*', first => 1);
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { 'over' };
    $cpe->session;
    is record({ user => $cpe->id })->{next} =~ /^[0-9a-f]+\.\d+$/, 1,
        'there are new ones';
    $cpe->{on_rpc} = undef;
    is sure_session($cpe), 204, 'it comes with those of first contact still';
    is status($cpe, 'r1'), 'done', 'the task';
    settled($cpe, 'in the end');
    is $redis->device($cpe->id)->{own}, $cpe->id, 'the device has its name';
    my $old = CWMP::Keyring->new($t, $cpe->{serial}, user => 'factory');
    is $old->session, 403, 'those of first contact open no session of it now';
};
$t->expect_log(qr/user "factory" is for first contact, and the device has/);

subtest 'a user of first contact by the name of its device' => sub {
    my $cpe = box(record => { md5 => 'x' });
    $cpe->{auth}->store($redis, realm => $REALM, first => 1);
    give($cpe, 'r1');
    is $cpe->session, 204, 'a session';
    settled($cpe, 'in the end', ['pw']);
    is record($cpe)->{first}, undef, 'is for first contact no more';
};

subtest 'who knows the credentials of first contact is not told what a device has' => sub {
    my $cpe = box(user => 'factory', record => { md5 => 'x' });
    $cpe->{auth}->store($redis, realm => $REALM, device => '*', first => 1);
    give($cpe, 'r1');
    my $told;
    $cpe->{on_rpc} = sub {
        my ($cpe, $r) = @_;
        $told = $r;
        return $cpe->post(CWMP::Envelope::spv_response($r->id, 1));
    };
    is $cpe->session, 204, 'the device has taken them, and uses them later';
    is status($cpe, 'r1'), 'done', 'the task';
    is record({ user => $cpe->id })->{next}, 'taken', 'its record knows it';

    give($cpe, 'r2');
    my $thief = CWMP::Keyring->new($t, $cpe->{serial}, user => 'factory');
    is $thief->session, 204, 'another one comes as it';
    is_deeply $thief->{given} // [], [], '... and is told nothing';
    is status($cpe, 'r2'), 'rejected', 'that task';
    like $redis->result($cpe->id, 'r2')->{fault}{reason},
        qr/has taken credentials of its own, .* cwmp-user -d/, 'why';

    $cpe->take($told);
    settled($cpe, 'the device has them');
};

subtest 'a user of another name that is this device' => sub {
    my $cpe = box(user => 'alice');
    $redis->cmd('HSET', user_key('alice'), device => lc(substr($cpe->id, 0, 6))
                                                     . substr($cpe->id, 6));
    give($cpe, 'r1');
    is $cpe->session, 204, 'a session';
    is $cpe->{user}, 'alice', 'keeps its name';
    is $redis->device($cpe->id)->{own}, 'alice', '... which the device has';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a user of another name, where nobody logs in' => sub {
    my $cpe = box(user => 'bob');
    $redis->cmd('HSET', user_key('bob'), device => $cpe->id);
    is $cpe->session, 204, 'a session as bob';
    give($cpe, 'r1');
    $cpe->{uri} = '/off';
    $cpe->begin_anew;
    is $cpe->session, 204, 'one of nobody';
    is status($cpe, 'r1'), 'done', 'the task';
    is $redis->cmd('EXISTS', user_key($cpe->id)), 0, 'makes no second user';
    $cpe->{uri} = '/cwmp';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a name that is another device' => sub {
    my $cpe = box(user => 'fleet2');
    $redis->cmd('HSET', user_key('fleet2'), device => '00D09E-Box-*');
    $redis->cmd('HSET', user_key($cpe->id), md5 => 'x', device => '00D09E-Box-Other');
    give($cpe, 'r1');
    is $cpe->session, 204, 'a session';
    is status($cpe, 'r1'), 'rejected', 'the task';
    like $redis->result($cpe->id, 'r1')->{fault}{reason},
        qr/would change the credentials of another device/, 'why';
    is $redis->hash('HGETALL', user_key($cpe->id))->{next}, undef,
        'nothing has changed';
};

subtest 'before there is authentication' => sub {
    my $cpe = box(uri => '/off', record => {});
    give($cpe, 'r1');
    is $cpe->session, 204, 'a session';
    is status($cpe, 'r1'), 'done', 'the task';
    $cpe->{uri} = '/cwmp';
    settled($cpe, 'then there is');
};


subtest 'where something else asks for the password' => sub {
    my $cpe = box(uri => '/off', record => {});
    give($cpe, 'r1');
    my @basic = (headers => [$cpe->{auth}->basic]);
    my $raw = $t->raw(0, url => $t->url(0, '/off'));
    my $r = $raw->post($cpe->inform_text, @basic);
    is $raw->post('', cookie => $r->header('Set-Cookie') =~ s/;.*//r, @basic)->status,
        204, 'the device is sent none';
    is status($cpe, 'r1'), 'rejected', 'the task';
    like $redis->result($cpe->id, 'r1')->{fault}{reason}, qr/would be locked out/,
        '... says why';
    is $redis->cmd('EXISTS', user_key($cpe->{user})), 0, 'nothing is stored';
};


subtest 'a dozen of them over two connections' => sub {
    my $cpe = box();
    give($cpe, "r$_") for 1 .. 12;
    is $cpe->session, 204, 'a session';
    is_deeply [map { status($cpe, "r$_") } 1 .. 12], [('done') x 12], 'the tasks';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a Redis that asks who it is where nobody has to say' => sub {
    my $cpe = box(uri => '/off', record => {});
    my @workers = map { $t->workers($_) } 0, 1;
    give($cpe, 'r1');
    $proxy->rule(qr/cwmp_rotate_1/, "say *1\r\n\$7\r\nchanged", 1);
    is $cpe->session, 503, 'a session';
    $proxy->rules();
    is_deeply [map { $t->workers($_) } 0, 1], \@workers, 'the workers live';
    is $cpe->session, 204, 'another';
    is status($cpe, 'r1'), 'done', 'the task';
};


# --- a user that was taken away ---------------------------------------------------

# The connections of its device remember it, and it comes over them once more.
sub gone {
    my ($cpe, $task, $status, @events) = @_;
    $redis->cmd('DEL', user_key($cpe->{user}));
    is $cpe->session(@events), 204, 'it was taken away: a session';
    is_deeply $cpe->{given} // [], [], '... in which it is given nothing';
    is_deeply [grep { $redis->cmd('EXISTS', user_key($_)) } $cpe->{user}, $cpe->id],
        [], '... and no user comes back';
    my ($result) = reverse grep { $_->{id} eq $task } $redis->results($cpe->id);
    is $result->{status}, $status, 'the task';
    like $result->{fault}{reason},
        qr/the user .* was taken away: it gets no credentials.* cwmp-user$/, '... why';
    $cpe->{posts}--;
    ok !eval { $cpe->post(''); 1 }, 'the next POST over that connection';
    is $@, "locked out\n", '... is refused';
}

my %GONE = (
    'is its own' => {},
    'is its own, for Basic' => { basic => 1, uri => '/basic' },
    'has another name' => { user => 'carol', device => '00D09E-Box-S%d' },
    'many share' => { user => 'fleet3', device => '00D09E-Box-*' },
    'is for first contact' => { user => 'factory3', device => '*', first => 1 },
);

for my $what (sort keys %GONE) {
    subtest "a user that $what is taken away" => sub {
        my %opt = %{ $GONE{$what} };
        my %more = map { ($_ => delete $opt{$_}) } grep { $opt{$_} } qw(device first);
        my $cpe = box(%opt);
        $more{device} =~ s/%d/$n/ if $more{device};
        $redis->cmd('HSET', user_key($cpe->{user}), %more) if %more;
        is $cpe->session, 204, 'a session';
        give($cpe, $_) for 'r1', 'r2';
        gone($cpe, 'r1', 'rejected');
        is status($cpe, 'r2'), 'rejected', 'the task behind it';
    };
}

subtest 'a user is taken away, and its device says that it was reset' => sub {
    my $cpe = box(uri => '/first');
    is $cpe->session, 204, 'a session' for 1, 2;
    $cpe->{given} = undef;
    gone($cpe, 'first-credentials', 'rejected', '0 BOOTSTRAP');
};

subtest 'a user is taken away, and its device may have new ones' => sub {
    my $cpe = box();
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { 'over' };
    is $cpe->session, 'over', 'it is told them';
    gone($cpe, 'r1', 'lost');
};

subtest 'a user is given another password, and its device has the old one' => sub {
    my $cpe = box();
    is $cpe->session, 204, 'a session';
    give($cpe, 'r1');
    my $new = CWMP::Auth->new(user => $cpe->id, password => 'other');
    $redis->cmd('DEL', user_key($cpe->id));
    $new->store($redis, realm => $REALM);
    ok !eval { $cpe->session; 1 }, 'it comes over a connection that remembers it';
    is $@, "locked out\n", '... which remembers it no longer';
    is_deeply $cpe->{given} // [], [], '... and is given nothing';
    is record($cpe)->{next}, undef, 'the record is as it was';
    $cpe->{password} = 'other';
    is sure_session($cpe), 204, 'with the new one';
    is status($cpe, 'r1'), 'done', '... it has its own';
    settled($cpe, 'in the end', ['pw', 'other']);
};

subtest 'that the new ones are used is not heard, and others are to be made' => sub {
    my $cpe = box();
    is $cpe->session, 204, 'a session';
    give($cpe, $_) for 'r1', 'r2';
    $proxy->rule(qr/cwmp_proven_1/, 'lose-call', 1);
    is $cpe->session, 204, 'another';
    ok $proxy->hits, 'it was disturbed';
    $proxy->rules();
    is_deeply [map { status($cpe, $_) } 'r1', 'r2'], ['done', 'done'], 'the tasks';
    settled($cpe, 'in the end', ['pw']);
};

subtest 'a user is taken away, and nobody logs in' => sub {
    my $cpe = box();
    is $cpe->session, 204, 'a session';
    $redis->cmd('DEL', user_key($cpe->{user}));
    $cpe->{uri} = '/off';
    give($cpe, 'r1');
    is $cpe->begin_anew->session, 204, 'one of nobody';
    is status($cpe, 'r1'), 'done', 'the task';
    $cpe->{uri} = '/cwmp';
    settled($cpe, 'it has one again', ['pw']);
};


# --- what goes wrong ------------------------------------------------------------

subtest 'what cannot be' => sub {
    my $cpe = box();
    $redis->push_task($cpe->id, { method => 'RotateCredentials', id => 'r1',
                                  Password => 'mine' });
    is $cpe->session, 204, 'a session';
    my $result = $redis->result($cpe->id, 'r1');
    is "$result->{status} $result->{fault}{field}", 'rejected Password',
        'a password of one\'s own';

    $redis->cmd('HSET', user_key($cpe->id), next => 'x', next_password => 's1.00000000.'
                . '00' x 48, next_connection_request => 's1.00000000.' . '00' x 48);
    give($cpe, 'r2');
    is sure_session($cpe), 204, 'a session';
    is status($cpe, 'r2'), 'none', 'one sealed with a key that is gone waits';
    ok wait_for(sub { join('', map { $t->error_log($_) } 0, 1)
                      =~ /r2 waits for another node: next_password is sealed with/ }),
        '... which the log says';
};

subtest 'what was sent, and cannot be sent again' => sub {
    my $cpe = box();
    my $told;
    give($cpe, 'r1');
    $cpe->{on_rpc} = sub { $told = $_[1]; 'over' };
    $cpe->session;
    my $key = user_key($cpe->id);
    my $sealed = record($cpe)->{next_password};
    $redis->cmd('HSET', $key, next_password => $sealed =~ s/.\z/x/r);
    $cpe->{on_rpc} = undef;
    is sure_session($cpe), 204, 'its record was spoilt: a session';
    my $result = $redis->result($cpe->id, 'r1');
    is $result->{status}, 'lost', 'the device may have them, which the task says';
    like $result->{fault}{reason}, qr/is not sealed/, '... and why it is over';
    $cpe->take($told);
    settled($cpe, 'in the end', ['pw']);
};

# "waits" is for what another node could open
subtest 'what is no sealed text at all' => sub {
    for my $spoilt ('', 'x', 's1.zz', 's1.00000000.00', "\0a", 's1.00000000.' . 'xy' x 48) {
        for my $field (qw(next_password next_connection_request)) {
            my $cpe = box();
            give($cpe, 'r1');
            $cpe->{on_rpc} = sub { 'over' };
            $cpe->session;
            $redis->cmd('HSET', user_key($cpe->id), $field, $spoilt);
            $cpe->{on_rpc} = undef;
            is sure_session($cpe), 204, "$field: a session";
            my $result = $redis->result($cpe->id, 'r1');
            is "$result->{status} $result->{fault}{field} $result->{fault}{reason}",
                "lost $field is not sealed", 'the task';
            $redis->cmd('HDEL', user_key($cpe->id), $field);
            give($cpe, 'r2');
            is sure_session($cpe), 204, 'the field was taken away: a session';
            is status($cpe, 'r2'), 'done', 'others are made';
        }
    }
};

subtest 'an "own" that no user can be' => sub {
    for my $own ('[' x 257, '[' x 100_000, 'a}b') {
        my $cpe = box(uri => '/off', record => {});
        is $cpe->session, 204, 'a session';
        $redis->cmd('HSET', $redis->device_key($cpe->id), own => $own);
        give($cpe, 'r1');
        is $cpe->session, 204, 'another one';
        is status($cpe, 'r1'), 'done', 'the task';
        is record($cpe)->{device}, $cpe->id, 'the user is the one of its ID';
    }
};

subtest 'wrong passwords on one connection' => sub {
    my $cpe = box();
    my $looks = sub { grep { /cwmp_user_1/ } $proxy->commands };
    my ($raw, $auth) = ($t->raw(0), $cpe->{auth});
    $auth->challenge($raw->post(''));
    is $raw->post('', headers => [$auth->header])->status, 204, 'the right one';
    my $before = $looks->();
    for my $i (1 .. 6) {
        $auth->challenge($raw->post('', headers => [$auth->header(password => $i)]));
    }
    is $looks->() - $before, 3, 'are looked up a few times only';
    $auth->challenge($raw->post('', headers => [$auth->header(password => 7)]));
    is $raw->post('', headers => [$auth->header])->status, 204, 'the right one is good';

    my $other = box()->{auth};
    $other->challenge($raw->post(''));
    is $raw->post('', headers => [$other->header])->status, 204, 'another user';
    $other->{password} = 'changed';
    $other->store($redis, realm => $REALM);
    is $raw->post('', headers => [$other->header])->status, 204,
        '... whose new password is looked up, whatever the first one did';
};

subtest 'no replica has it' => sub {
    my $cpe = box();
    $t->change_conf(0, redis => $proxy->address . ' timeout=1s wait=1');
    $t->reload(0);
    my $alone = $t->raw(0);
    my $post = sub {
        my $r = $alone->post($_[0], headers => $cpe->headers);
        $r = $alone->post($_[0], headers => $cpe->headers($r)) if $r->status == 401;
        return $r;
    };
    give($cpe, 'r1');
    $post->($cpe->inform_text);
    is $post->('')->status, 204, 'then it is not sent';
    is status($cpe, 'r1'), 'none', 'and not over';
    $t->change_conf(0, redis => $proxy->address . ' timeout=1s');
    $t->reload(0);
    goes_on($cpe, 'then');
};
$t->expect_log(qr/task r1 is not sent: /);

# A Cluster, in which a user lives elsewhere than its device, and a failover when
# the device has taken what the ACS heard no answer to.
subtest 'a primary is killed' => sub {
    my $servers = tempdir(CLEANUP => 1);
    my $cluster = CWMP::RedisCluster->new(dir => $servers, replicas => 1);
    $cluster->start;
    my $own = CWMP::Test->new(redis => 0, cwmp_redis => $cluster->address
                              . ' timeout=1500ms wait=1',
                              http => "cwmp_secret_key $dir/key;",
                              server => "cwmp_auth digest $REALM;");
    my $r = $cluster->client;
    my $cpe = CWMP::Keyring->new($own, 'K2');
    $cpe->{auth}->store($r, realm => $REALM);
    is sure_session($cpe), 204, 'it logs in';
    isnt $cluster->owner(user_key($cpe->id)),
        $cluster->owner($r->device_key($cpe->id)), 'its user is elsewhere';

    $r->push_task($cpe->id, { method => 'RotateCredentials', id => 'r1' });
    $cpe->{on_rpc} = sub { $_[0]->take($_[1]); 'over' };
    is $cpe->begin_anew->session, 'over', 'it takes the new ones, and is gone';
    my $dead = $cluster->owner(user_key($cpe->id));
    $dead->kill9;
    $cpe->{on_rpc} = undef;
    ok wait_for(sub { (eval { $cpe->begin_anew->session } // '') eq '204' }, 30),
        'it logs in with them, once a replica has taken over';
    ok wait_for(sub { ($cluster->owner(user_key($cpe->id)) // $dead) != $dead }),
        '... which is another server, as all know after a while';
    is_deeply [sort grep { /^next/ } keys %{ $cluster->client->hash('HGETALL',
               user_key($cpe->id)) }], [], 'there is one set';
    $own->expect_log(qr/\[error\]/, [0, 1000]);
    $own->finish;
};

$t->expect_log(qr/cannot be authenticated: Redis at/);
$t->expect_log(qr/session cannot go on: Redis at/);
$t->expect_log(qr/credentials of user ".*" cannot be changed: Redis at/);

$t->expect_log(qr/the user name or the password is wrong/);
done_testing;
