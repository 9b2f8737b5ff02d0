#!/usr/bin/perl

# kill -9 of a worker at each step of a session, under load: in the middle of a
# POST's body, before Redis has its call, when Redis has carried it out and
# nobody was told, after the reply.  See CWMP::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use CWMP::Fault qw(experiment);
use CWMP::RedisProxy;
use CWMP::Sockets qw(unread);
use CWMP::Steps qw(session_with undisturbed comes_back big_list $BIG
                   $IN_TIME $POSTS $WORKER);
use CWMP::Test qw(wait_for);

my $proxy;


# All calls of this node go through a proxy that can keep one of them.
sub with_proxy {
    my ($x) = @_;
    my $t = $x->t;
    $t->redis_server->start;
    $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                   redis => $t->redis_server->socket);
    $t->start;
}


# The worker has read all that this CPE sent.
sub has_read {
    my ($t, $cpe) = @_;
    my $peer = $cpe->raw->{sock}->sockport;
    return wait_for(sub { unread($t->port, '01', $peer) == 0 }, 20);
}


# The POST is sent, as far as it gets, and does not come to its end.
my %STEPS = (
    'in the middle of the body of' => sub {
        my ($t, $cpe, $post) = @_;
        return if !length $post->{body};
        $cpe->raw->post($post->{body},
                        partial => 300 + length($post->{body}) / 2);
        return has_read($t, $cpe);
    },
    'before Redis has the call of' => sub {
        my ($t, $cpe, $post) = @_;
        $proxy->rule(qr/cwmp_step_\d .*-$cpe->{serial}\b/, 'delay 60');
        $cpe->raw->post($post->{body}, no_read => 1);
        return wait_for(sub { $proxy->hits }, 20);
    },
    'when Redis has carried out' => sub {
        my ($t, $cpe, $post) = @_;
        my $before = $proxy->held;
        $proxy->rule(qr/cwmp_step_\d .*-$cpe->{serial}\b/, 'hold-reply');
        $cpe->raw->post($post->{body}, no_read => 1);
        return wait_for(sub { $proxy->held > $before }, 20);
    },
    'after the reply, before' => sub { return $_[2]{n} },
);


# The worker that this connection has.
sub worker_of {
    my ($cpe) = @_;
    return $cpe->raw->get('/cwmp')->header('X-Worker');
}


# The CPE sends its POST again, or begins anew.
sub kill_at {
    my ($x, $way, $k, $anew) = @_;
    my ($t, $killed) = ($x->t);
    my $serial = 'K' . ++$x->{killed_cpes};

    my ($cpe, $trace) = session_with($t, $serial, $k, sub {
        my ($cpe, $post, $worker) = @_;
        $worker //= worker_of($cpe);
        $STEPS{$way}->($t, $cpe, $post) or return;
        $killed = $t->node->kill9_worker($worker);
        return $anew ? 'drop' : undef;
    });
    my $name = "KILL $way POST " . ($k + 1);
    $trace->{dropped} ? comes_back($t, $cpe, $name)
                      : undisturbed($t, $cpe, $trace, $name);
    return defined $killed;
}


sub kill_at_each {
    my ($x, $anew) = @_;
    my $killed = 0;
    for my $way (sort keys %STEPS) {
        $killed += kill_at($x, $way, $_, $anew) for 0 .. $POSTS - 1;
    }
    is $killed, 4 * $POSTS - 2, 'a worker was killed at each of them';
    $x->t->expect_log(qr/worker process \d+ exited on signal 9/, $killed);
    $x->recover;
}


# On a busy machine the proxy needs its time, which is not what this is about.
my @PROXY = (start => 0, before => \&with_proxy, server => $WORKER,
             http => $IN_TIME, cwmp_redis => 'unix:%%DIR%%/proxy.sock '
                                             . 'timeout=20s connect_timeout=20s');


experiment('steps', what => '`kill -9` of a worker at each step of a session',
    workers => 2, lost => 0, @PROXY, harm => sub { kill_at_each($_[0], 0) });

experiment('anew', what => '`kill -9` of a worker at each step, and the CPE '
    . 'begins anew', workers => 2, soak => 1, lost => 0, @PROXY,
    harm => sub { kill_at_each($_[0], 1) });


# --- 2 MB ------------------------------------------------------------------

# The worker dies when it has read half of the answer; the CPE sends it again,
# or comes with another session, in which it is asked again, for less at once.
sub kill_in_body {
    my ($x, $n) = @_;
    my ($t, $asked, $size) = ($x->t, 0);
    my $cpe = $t->cpe(serial => "M$n",
        on_rpc => { GetParameterValues => sub { $asked++; return big_list() } },
        before_post => sub {
            my ($cpe, $post) = @_;
            my $worker = $cpe->{worker};
            $size = length $post->{body};
            return if $size < 1e6 || $cpe->{killed}++;
            $cpe->raw->post($post->{body}, partial => $size / 2);
            has_read($t, $cpe) or die "not read\n";
            $t->node->kill9_worker($worker);
            return $n % 2 ? 'drop' : undef;
        },
        after_post => sub { $_[0]{worker} = $_[2]->header('X-Worker') });

    $t->redis->push_task($cpe->id, { id => 'all', method => 'GetParameterValues',
                                     ParameterNames => ['Device.'] });
    my $trace = $cpe->run_session('2 PERIODIC');
    $trace = $cpe->run_session('2 PERIODIC') if $trace->{dropped};

    my $params = $t->redis->params($cpe->id);
    is_deeply [$trace->{ok}, $asked > 1 ? 'again' : 'once',
               map { $_->{status} } $t->redis->results($cpe->id)],
        [1, $n % 2 ? 'again' : 'once', 'done'],
        'KILL in the middle of 2 MB' . ($n % 2 ? ': asked again' : '');
    is scalar(keys %$params), $BIG, 'all of it is there' or diag $trace->{error};
}


experiment('body', what => '`kill -9` of a worker in the middle of 2 MB, '
    . '10 times', workers => 2, soak => 1, lost => 0, server => $WORKER,
    http => $IN_TIME,
    harm => sub {
        my ($x) = @_;
        kill_in_body($x, $_) for 1 .. 10;
        $x->t->expect_log(qr/worker process \d+ exited on signal 9/, 10);
        $x->recover;
    });

done_testing;
