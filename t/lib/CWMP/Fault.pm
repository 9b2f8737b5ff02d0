package CWMP::Fault;

# A fault experiment: the swarm's CPEs have their sessions, an admin pushes
# tasks all the while, something breaks, and in the end one oracle judges, the
# same for each experiment:
#
#   - every task that was accepted has exactly one result: done, or lost, which
#     is to say that nobody can know; none is anywhere else in Redis
#   - what may not happen twice did not: counted by the CPEs themselves
#   - what is told as done was done, by the device that it was for
#   - every device ends with what the last task wanted, read back from it
#   - no device is sent, or told of, anything of another
#   - no alert in any log (CWMP::Test)
#
#   experiment('reload', what => '`nginx -s reload`, 50 times', workers => 2,
#              harm => sub { my ($x) = @_; $x->t->reload for 1 .. 50; });
#
# harm gets the experiment: t (CWMP::Test), recover (call it when the fault is
# over: it waits until a session is served again and takes the time), pause
# (seconds, in which the load goes on). Options: devices (60), rate (40 sessions
# a second), rounds (15 rounds of tasks a second, of five each), lost => 0
# (no outcome may be unknown), failed => 0 (no session may fail), answered => 4
# (seconds: each POST is answered within them), swarm => [] (more options),
# settle (seconds); soak => 1 (with TEST_SOAK only: it takes long); set => {
# what goes to CWMP::RedisCluster } (x->set is it); undone =>
# 'vanished|repeated' (Redis may lose what it confirmed, as a failover does: what
# was lost, or done twice by that, is counted, not judged); waits => 1 (what waits
# until its deadline for an event, since it may have been sent, is an outcome that
# is unknown; with undone always); before => sub, and what else goes to
# CWMP::Test. The figures are printed, and appended to build/fault.jsonl, of
# which t/fault/table makes the table of docs/reliability.md.

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(basename);
use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use CWMP::Daemon qw(project_root slurp wait_for);
use CWMP::Envelope qw(inform);
use CWMP::Redis;
use CWMP::RedisCluster;
use CWMP::Test;

our @EXPORT_OK = qw(experiment);

my $JSON = JSON::PP->new->canonical->utf8;
my $CLASS = 'Swarm';
my $VALUE = 'Device.DeviceInfo.ProvisioningCode';
my $SERIAL = 'Device.DeviceInfo.SerialNumber';
my %ONCE = map { ($_ => 1) } qw(AddObject Reboot Download);
my %METHOD = (set => 'SetParameterValues', add => 'AddObject', boot => 'Reboot',
              dl => 'Download');


sub experiment {
    my ($name, %opt) = @_;
    my $self = bless { name => $name, devices => 60, rate => 40, rounds => 15,
                       settle => 60, swarm => [], failed => undef,
                       waits => $opt{undone}, %opt },
                     __PACKAGE__;

    my $wanted = $ENV{TEST_EXPERIMENT} // ($opt{soak} && !$ENV{TEST_SOAK} ? ''
                                                                   : $name);
    return note("$name: not now") if $wanted ne $name;
    subtest $opt{what} => sub {
        plan skip_all => "no $self->{swarm_binary}: make swarm"
            unless $self->find_swarm;
        $self->run;
    };
}


sub t { return $_[0]{t} }
sub set { return $_[0]{set} }


sub find_swarm {
    my ($self) = @_;
    $self->{swarm_binary} = $ENV{TEST_SWARM}
                            || project_root() . '/build/bench/swarm';
    return -x $self->{swarm_binary};
}


sub run {
    my ($self) = @_;
    my %not_ours = map { ($_ => 1) } qw(name what harm before devices rate
        rounds settle swarm swarm_binary failed lost answered soak undone set
        dir_of_set waits);

    $self->{t} = CWMP::Test->new($self->redis_options,
        map { $not_ours{$_} ? () : ($_ => $self->{$_}) } keys %$self);
    $self->{dir} = $self->t->dir;
    $self->{before}->($self) if $self->{before};

    # all of them have been here before the fault
    $self->swarm_start('--sessions', $self->{devices}, '--closed', 4);
    $self->swarm_wait;
    $self->swarm_start('--rate', $self->{rate}, '--duration', 600,
                       '--journal', "$self->{dir}/journal",
                       '--json', "$self->{dir}/swarm.json");
    $self->feeder_start;
    $self->pause(1);
    $self->{harm}->($self);
    $self->pause(1);
    $self->feeder_stop;
    $self->settle;
    $self->swarm_stop;
    $self->judge;
    $self->t->finish;
}


# One Redis, or the set.
sub redis_options {
    my ($self) = @_;
    return (redis => { appendonly => 1 }) if !$self->{set};

    my $dir = $self->{dir_of_set} = File::Temp->newdir('cwmp-set-XXXXXX',
                                                    TMPDIR => 1);
    $self->{set} = CWMP::RedisCluster->new(dir => $dir, appendonly => 1,
                                           %{ $self->{set} });
    return (redis => 0, redis_server => $self->{set});
}


# --- the load --------------------------------------------------------------

sub pause { sleep($_[1]) }


sub swarm_start {
    my ($self, @more) = @_;
    my $swarm = $self->{swarm_process} = CWMP::Daemon->new(name => 'swarm');

    $swarm->spawn([$self->{swarm_binary}, '--cpes', $self->{devices},
        qw(--quiet --verify --retry --retry-min 0.2 --retry-multiplier 1200
           --delay 0.3 --tolerate 1000000), '--class', $CLASS,
        '--timeout', $self->{answered} // 20,
        @more, @{ $self->{swarm} }, $self->t->urls],
        output => "$self->{dir}/swarm.log", own_group => 1);
}


sub swarm_wait {
    my ($self) = @_;
    wait_for(sub { !$self->{swarm_process}->alive }, 40)
        or die "the swarm does not end\n";
}


sub swarm_stop {
    my ($self) = @_;
    $self->{swarm_process}->signal('INT');
    $self->swarm_wait;
    my $text = slurp("$self->{dir}/swarm.json");
    $self->{load} = length $text ? $JSON->decode($text)
        : die "no result of the swarm:\n" . slurp("$self->{dir}/swarm.log");
}


sub device { return CWMP::Redis::device_id('00D09E', $CLASS, sprintf('%08d', $_[0])) }


# A round of tasks for device n; their ids are the keys that the CPE sees.
sub tasks {
    my ($n, $r) = @_;
    my $id = sub { "d$n-r$r-$_[0]" };
    return (
        { id => $id->('set'), method => 'SetParameterValues',
          ParameterList => { $VALUE => { value => "d$n-r$r",
                                         type => 'xsd:string' } } },
        { id => $id->('add'), method => 'AddObject',
          ObjectName => 'Device.NAT.PortMapping.' },
        { id => $id->('get'), method => 'GetParameterValues',
          ParameterNames => ['Device.DeviceInfo.'] },
        { id => $id->('dl'), method => 'Download', URL => 'http://a.test/f',
          FileType => '3 Vendor Configuration File' },
        { id => $id->('boot'), method => 'Reboot' },
    );
}


# The admin: what he was told is written down. A push without an answer may
# have been taken or not.
sub feeder_start {
    my ($self) = @_;
    $self->{pushed} = "$self->{dir}/pushed";
    $self->{feeder} = fork() // die "fork: $!\n";
    return if $self->{feeder};

    my $on = 1;
    $SIG{TERM} = sub { $on = 0 };
    eval { $self->feed(\$on); 1 } or print STDERR "feeder: $@";
    POSIX::_exit(0);
}


sub feed {
    my ($self, $on) = @_;
    open(my $out, '>', $self->{pushed}) or die "$self->{pushed}: $!\n";
    my ($redis, $k, $begun) = (undef, 0, time());

    for (; $$on; $k++) {
        my ($n, $r) = ($k % $self->{devices} + 1,
                       int($k / $self->{devices}) + 1);
        for my $task (tasks($n, $r)) {
            my $said = eval {
                $redis ||= $self->t->redis_server->client(timeout => 2);
                $redis->fcall_push(device($n), $task);
            };
            my $how = defined $said && "$said" eq $task->{id} ? 'taken'
                      : $@ . ($said // '') =~ /ERR|OOM|MISCONF|refused|LOADING/ ? 'refused' : 'unknown';
            undef $redis if $how eq 'unknown';
            print $out "$n $r $task->{id} $how\n";
        }
        my $wait = $begun + ($k + 1) / $self->{rounds} - time();
        sleep($wait) if $wait > 0;
    }
    close($out) or die "$self->{pushed}: $!\n";
}


sub feeder_stop {
    my ($self) = @_;
    kill('TERM', $self->{feeder});
    waitpid($self->{feeder}, 0);
}


# --- the fault -------------------------------------------------------------

# The fault is over: how long until a session is served from begin to end.
sub recover {
    my ($self, $node) = @_;
    my $begun = time();
    my $served = wait_for(sub { $self->probe($node) }, 60);

    $self->{recovered} = time() - $begun;
    ok $served, 'a session is served again';
    return $self->{recovered};
}


sub probes_device { return CWMP::Redis::device_id('00D09E', 'Box', 'probe') }


sub probe {
    my ($self, $node) = @_;
    return eval {
        my $raw = $self->t->raw($node, timeout => 3);
        $raw->post(inform(serial => 'probe', id => ++$self->{probes}))
            ->status == 200 && $raw->empty->status == 204;
    };
}


# --- the end ---------------------------------------------------------------

sub alive_keys {
    my ($self) = @_;
    return grep { !/:probe:/ } map { $self->t->redis->list('KEYS', "cwmp:{*}:*:$_") }
           qw(tasks queue running), $self->{waits} ? () : qw(live waiting);
}


sub settle {
    my ($self) = @_;
    undef $self->t->{client};           # its connection may be dead
    wait_for(sub { !$self->alive_keys }, $self->{settle});
    $self->check;
    is_deeply [sort $self->alive_keys], [], 'no task is queued, running or waiting';
}


# What each device has in the end. On a busy machine there may be another
# failover, which undoes this, too.
sub check {
    my ($self) = @_;
    my $redis = $self->t->redis;
    my @left = 1 .. $self->{devices};

    for (1 .. ($self->{undone} ? 3 : 1)) {
        $redis->push_task(device($_), { id => "d$_-check",
            method => 'GetParameterValues',
            ParameterNames => [$VALUE, $SERIAL] }) for @left;
        wait_for(sub { !$self->alive_keys }, 30);
        @left = grep { !$redis->result(device($_), "d$_-check") } @left or last;
    }
}


sub read_pushed {
    my ($self) = @_;
    my %pushed;
    for (split(/\n/, slurp($self->{pushed}))) {
        my ($n, $r, $id, $how) = split(/ /);
        push @{ $pushed{$n} }, { r => $r, id => $id, how => $how };
    }
    return \%pushed;
}


# What CPEs carried out: how often, and for which key that is not theirs.
sub read_journal {
    my ($self) = @_;
    my (%times, @foreign);
    for (split(/\n/, slurp("$self->{dir}/journal"))) {
        my ($n, $method, $key, $fault) = split(/\t/, $_, -1);
        push @foreign, "$method $key at $n" if length $key && $key !~ /^d$n-/;
        $times{"$method $key"}++ if $fault eq '0' && length $key;
    }
    return (\%times, \@foreign);
}


sub judge {
    my ($self) = @_;
    $self->look;
    $self->verdict;
    $self->tell;
}


sub look {
    my ($self) = @_;
    my $pushed = $self->read_pushed;
    my ($times, $foreign) = $self->read_journal;
    my $sum = $self->{sum} = { tasks => 0, refused => 0, done => 0,
                               unknown => 0, map { ($_ => []) } qw(vanished
                               twice repeated phantom odd state) };

    $sum->{foreign} = $foreign;
    for (keys %$times) {
        my ($method) = split(/ /);
        push @{ $sum->{repeated} }, "$_ $times->{$_} times"
            if $ONCE{$method} && $times->{$_} > 1;
    }
    $self->judge_device($_, $pushed->{$_} || [], $times) for 1 .. $self->{devices};
}


sub judge_device {
    my ($self, $n, $pushed, $times) = @_;
    my $sum = $self->{sum};
    my %result;

    for my $result ($self->t->redis->results(device($n))) {
        push @{ $result{ $result->{id} } }, $result;
        push @{ $sum->{foreign} }, "result $result->{id} of $n"
            if $result->{id} !~ /^d$n-/;
        $self->judge_serial($n, "$result->{id} of $n", serial_in($result));
    }
    my $stored = $self->t->redis->params(device($n))->{$SERIAL};
    $self->judge_serial($n, "what is stored of $n", $stored && $stored->{value});
    for my $id ($self->{waits} ? $self->waiting($n) : ()) {
        $result{$id} ||= [{ id => $id, status => 'lost' }];
    }
    for my $task (@$pushed) {
        $self->judge_task($task, $result{ $task->{id} } || [], $times);
    }
    my ($check) = @{ $result{"d$n-check"} || [] };
    $self->judge_state($n, $check, grep { $_->{id} =~ /-set$/ } @$pushed);
}


sub waiting {
    my ($self, $n) = @_;
    my $redis = $self->t->redis;
    return $redis->list('HKEYS', $redis->device_key(device($n), 'waiting'));
}


sub judge_task {
    my ($self, $task, $results, $times) = @_;
    my $sum = $self->{sum};
    my ($id, $status) = ($task->{id}, $results->[0] && $results->[0]{status});

    $sum->{refused}++ if $task->{how} ne 'taken';
    $sum->{tasks}++ if $task->{how} eq 'taken' || @$results;
    push @{ $sum->{vanished} }, $id if !@$results && $task->{how} eq 'taken';
    push @{ $sum->{twice} }, $id if @$results > 1;
    $task->{status} = $status // return;

    my ($kind) = $id =~ /-(\w+)$/;
    my $did = $METHOD{$kind} && ($times->{"$METHOD{$kind} $id"} // 0);
    push @{ $sum->{phantom} }, $id if $status eq 'done' && defined $did && !$did;
    $sum->{done}++ if $status eq 'done';
    $sum->{unknown}++ if $status eq 'lost';
    push @{ $sum->{odd} }, "$id $status " . $JSON->encode([$results->[0]{fault}])
        if $status !~ /^(?:done|lost)$/;
}


# Whom a read says that it is about; undef when it does not.
sub serial_in {
    my ($result) = @_;
    my $list = ref $result->{response} && $result->{response}{ParameterList};
    return ref $list eq 'ARRAY' ? map { $_->{Value} }
           grep { $_->{Name} eq $SERIAL } @$list : ();
}


sub judge_serial {
    my ($self, $n, $what, $serial) = @_;
    push @{ $self->{sum}{foreign} }, "$what is about $serial"
        if defined $serial && $serial ne sprintf('%08d', $n);
}


# The last value that was set for certain; or of one whose outcome is unknown.
sub judge_state {
    my ($self, $n, $check, @sets) = @_;
    my %want;

    for my $set (reverse @sets) {
        $want{ "d$n-r$set->{r}" } = 1 if $set->{status} || $self->{undone};
        last if ($set->{status} // '') eq 'done';
    }
    $want{''} = 1 if $self->{undone}
                     && !grep { ($_->{status} // '') eq 'done' } @sets;
    my %has = map { ($_->{Name} => $_->{Value}) }
              @{ $check->{response}{ParameterList} || [] };
    my $value = $has{$VALUE} // 'nothing, the check is '
                                . ($check->{status} // 'gone');
    push @{ $self->{sum}{state} }, "$n has $value"
        if @sets && %want && !$want{$value};
}


my @VERDICTS = (
    [vanished => 'every task that was taken has a result'],
    [twice => 'and only one'],
    [repeated => 'nothing that may not repeat happened twice'],
    [phantom => 'what is done was done'],
    [odd => 'no task ended in another way than done or lost'],
    [state => 'every device ends in its desired state'],
    [foreign => 'nothing of one device is seen in another'],
);


sub verdict {
    my ($self) = @_;
    my ($sum, $load) = @$self{qw(sum load)};

    for (@VERDICTS) {
        my ($what, $name) = @$_;
        next if $self->{undone} && $what =~ /^(?:$self->{undone})$/;
        my @bad = sort @{ $sum->{$what} };
        splice(@bad, 20) if @bad > 20;
        is_deeply \@bad, [], $name;
    }
    cmp_ok $sum->{done}, '>', $sum->{tasks} / 2, 'most tasks are done';
    cmp_ok $sum->{unknown}, '<=', $self->{lost}, "at most $self->{lost} outcomes are unknown"
        if defined $self->{lost};
    cmp_ok $load->{failed}{total}, '<=', $self->{failed},
        "at most $self->{failed} sessions failed" if defined $self->{failed};
    is $load->{failed}{timeout} // 0, 0, "each POST is answered within $self->{answered} s"
        if $self->{answered};
    is $load->{failed}{verify} // 0, 0, 'a strict CPE has nothing to object to'
        or diag explain $load->{notes};
}


sub tell {
    my ($self) = @_;
    my ($sum, $load) = @$self{qw(sum load)};
    my %line = (
        experiment => $self->{name}, what => $self->{what},
        sessions => $load->{sessions}, broken => $load->{failed}{total},
        resent => $load->{resent}, tasks => $sum->{tasks},
        refused => $sum->{refused}, done => $sum->{done},
        unknown => $sum->{unknown}, lost => scalar @{ $sum->{vanished} },
        repeated => @{ $sum->{repeated} } + @{ $sum->{twice} },
        recover => defined $self->{recovered}
                   ? 0 + sprintf('%.2f', $self->{recovered}) : undef,
        file => 't/fault/' . basename($0), time => int(time()),
        soak => $self->{soak} ? 1 : 0,
    );
    diag "$self->{name}: " . join(', ', map { "$_ " . ($line{$_} // '-') }
        qw(sessions broken resent tasks refused done unknown lost repeated recover));

    my $file = $ENV{TEST_FAULT_FILE} || project_root() . '/build/fault.jsonl';
    open(my $out, '>>', $file) or return;
    print $out $JSON->encode(\%line), "\n";
}

1;
