package CWMP::Test;

# The harness of the end-to-end tests: a private Redis and one or several
# nginx nodes in a temporary directory, ready when new() returns, gone when
# the test ends in whatever way.
#
#   my $t = CWMP::Test->new(nodes => 2, workers => 2,
#       acs => 'cwmp_session_timeout 2s;', redis => { appendonly => 1 });
#   my $cpe = $t->cpe(serial => 'A1');
#   $t->redis->push_task($cpe->id, { method => 'Reboot', id => 'r1' });
#   ok $cpe->run_session('2 PERIODIC')->{ok};
#   done_testing;
#
# Options: nodes, workers; acs (in the location), server, http, main, events,
# conf (a whole nginx.conf), module => '' (load none), expand (see
# CWMP::Nginx); redis => { port, appendonly, password, args } or 0 for none;
# redis_options => 'timeout=1s' (added to cwmp_redis), cwmp_redis (replaces its
# arguments; '' for no such line); start => 0; ready => '/uri' (waits for its
# 200).
#
# done_testing (or finish(), called earlier) stops all and adds test lines:
# every node quits in time, no line of [crit] or worse, no sanitizer report;
# all but what was declared by expect_log(qr/.../, count), and that must be
# there: count is a number, [min, max], or left out for at least one.
#
# Environment: TEST_NGINX_BINARY, TEST_NGINX_MODULE (empty: nginx has it
# inside), TEST_SANITIZED=1, TEST_LSAN_SUPPRESSIONS, TEST_LOG_LEVEL=debug,
# TEST_LEAVE=1 (keep the directory), TEST_CATLOG=1 (print the logs).

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path);
use File::Temp ();
use Scalar::Util qw(weaken);
use Test2::API qw(test2_stack);
use Test::More ();

use CWMP::CPE;
use CWMP::Daemon qw(wait_for free_port patience slurp);
use CWMP::Envelope;
use CWMP::Nginx;
use CWMP::Raw;
use CWMP::RedisServer;

our @EXPORT_OK = qw(wait_for free_port patience slurp);

my $SERIOUS = qr/\[(?:crit|alert|emerg)\]/;
my $SANITIZER = qr/AddressSanitizer|UndefinedBehavior|LeakSanitizer
                   |ThreadSanitizer|MemorySanitizer|runtime\ error:
                   |REDIS\ BUG\ REPORT/x;
my @live;


sub new {
    my ($class, %opt) = @_;
    my $dir = File::Temp->newdir('cwmp-test-XXXXXX', TMPDIR => 1,
                                 CLEANUP => !$ENV{TEST_LEAVE});
    my $self = bless { nodes => 1, workers => 1, redis => {}, start => 1,
                       %opt, dir => $dir, pid => $$, expected => [],
                       problems => [] }, $class;

    Test::More::diag("kept: $dir") if $ENV{TEST_LEAVE};
    CWMP::Daemon::guard_tell("d$dir") unless $ENV{TEST_LEAVE};
    push @live, $self;
    weaken($live[-1]);
    hook_done_testing();

    $self->make_redis if $self->{redis};
    $self->make_nodes;
    $self->start_all if $self->{start};
    return $self;
}


sub make_redis {
    my ($self) = @_;
    my %opt = %{ $self->{redis} };
    my $dir = "$self->{dir}/redis";

    make_path($dir);
    $opt{port} = free_port() if ($opt{port} // '') eq 'auto';
    $self->{redis_server} = CWMP::RedisServer->new(dir => $dir, %opt);
}


sub make_nodes {
    my ($self) = @_;
    my $address = $self->{cwmp_redis}
        // ($self->{redis_server} ? join(' ', $self->{redis_server}->address,
                                   $self->{redis_options} // ()) : '');

    my @ports = map { free_port() } 1 .. $self->{nodes};
    my %port_of = map { ("PORT_$_" => $ports[$_]) } 0 .. $#ports;

    $self->{node} = [map {
        CWMP::Nginx->new(
            prefix => "$self->{dir}/node$_", port => $ports[$_],
            redis => $address, workers => $self->{workers},
            expand => { %port_of, DIR => "$self->{dir}",
                        NODE => $_, %{ $self->{expand} || {} } },
            map { exists $self->{$_} ? ($_ => $self->{$_}) : () }
                qw(acs server http main events conf module level access daemon
                   connections))
    } 0 .. $#ports];
}


sub start_all {
    my ($self) = @_;
    $self->{redis_server}->start if $self->{redis_server};
    $self->start($_) for 0 .. $#{ $self->{node} };
    return $self;
}


# --- nodes -----------------------------------------------------------------

sub node { return $_[0]{node}[ $_[1] // 0 ] }
sub node_count { return scalar @{ $_[0]{node} } }
sub dir { return "$_[0]{dir}" }
sub prefix { return $_[0]->node($_[1])->prefix }
sub port { return $_[0]->node($_[1])->port }
sub url { return $_[0]->node($_[1])->url($_[2]) }
sub urls { my ($self) = @_; return map { $_->url } @{ $self->{node} } }


sub start {
    my ($self, $n) = @_;
    my $node = $self->node($n);
    $node->start;
    return $self unless $self->{ready};

    my $raw = CWMP::Raw->new(url => $node->url, timeout => 2);
    wait_for(sub {
        (eval { $raw->get($self->{ready}, new => 1)->status } // 0) == 200
    }, 10) or die "$self->{ready} does not say 200\n";
    return $self;
}


sub stop { return $_[0]->node($_[1])->stop }
sub restart { return $_[0]->node($_[1])->restart }
sub reload { return $_[0]->node($_[1])->reload }
sub workers { return $_[0]->node($_[1])->workers }
sub check_conf { return $_[0]->node($_[1])->check_conf }
sub signal { return $_[0]->node($_[1])->signal($_[2]) }


# Gracefully; that it does not leave in time is a failure of the test.
sub quit {
    my ($self, $n, $seconds) = @_;
    my $node = $self->node($n);
    my $how = $node->quit($seconds);

    push @{ $self->{problems} }, 'node ' . ($n // 0) . " did not quit in time"
        . " ($how was needed)" if $how ne 'QUIT' && $how ne 'none';
    return $how;
}


# Kills one worker outright, and expects the master's word about it.
sub kill9_worker {
    my ($self, $n, $pid) = @_;
    my $killed = $self->node($n)->kill9_worker($pid);
    $self->expect_log(qr/worker process $killed exited on signal 9/, 1);
    return $killed;
}


# Kills master and workers at once, as a power cut does.
sub kill9 {
    my ($self, $n) = @_;
    return $self->node($n)->end_with(5);
}


sub change_conf {
    my ($self, $n, %change) = @_;
    my $node = $self->node($n);
    $node->{$_} = $change{$_} for keys %change;
    return $self;
}


sub worker_rss { return CWMP::Nginx::rss($_[1]) }
sub worker_cpu { return CWMP::Nginx::cpu($_[1]) }


# --- Redis -----------------------------------------------------------------

sub redis_server { return $_[0]{redis_server} }
sub redis_start { return $_[0]{redis_server}->start }
sub redis_stop { return $_[0]{redis_server}->stop }
sub redis_kill9 { return $_[0]{redis_server}->kill9 }
sub redis_sigstop { return $_[0]{redis_server}->sigstop }
sub redis_cont { return $_[0]{redis_server}->cont }
sub redis_restart { $_[0]->redis_stop; return $_[0]->redis_start }


sub redis {
    my ($self) = @_;
    return $self->{client} //= $self->{redis_server}->client;
}


# --- CPEs ------------------------------------------------------------------

# Goes to every node in turn when there are several.
sub cpe {
    my ($self, %opt) = @_;
    $opt{urls} ||= [$opt{url} // $self->urls];
    return CWMP::CPE->new(timeout => patience(10), %opt);
}


sub raw {
    my ($self, $n, %opt) = @_;
    return CWMP::Raw->new(url => $self->url($n), timeout => patience(10),
                          %opt);
}


# An Inform and an empty POST, on a connection of their own: how that ends.
sub bare_session {
    my ($self, $serial) = @_;
    my $raw = $self->raw;
    my $answer = $raw->post(CWMP::Envelope::inform(serial => $serial));

    return $answer->status if $answer->status != 200;
    return $raw->post('')->status;
}


# --- logs ------------------------------------------------------------------

sub error_log { return slurp($_[0]->node($_[1])->error_log) }


sub expect_log {
    my ($self, $pattern, $count) = @_;
    my ($min, $max) = ref $count ? @$count : ($count // 1, $count);
    push @{ $self->{expected} }, { pattern => $pattern, min => $min,
                                   max => $max, seen => 0 };
    return $self;
}


# Waits until a line is in the node's error log.
sub wait_log {
    my ($self, $pattern, $seconds, $n) = @_;
    return wait_for(sub { $self->error_log($n) =~ $pattern }, $seconds);
}


# Of one node: its log, what went to stderr and not to the log, and what a
# sanitizer wrote.
sub node_lines {
    my ($node) = @_;
    my @log = split(/\n/, slurp($node->error_log));
    my $all = join("\n", @log);

    my @stderr = grep {
        my ($said) = /^nginx: \[\w+\] (.*)$/;
        !defined $said || index($all, $said) < 0;
    } split(/\n/, slurp($node->stderr_log));

    my @reports = map { split(/\n/, slurp($_)) }
                  glob($node->prefix . '/logs/sanitizer.*');
    return (@log, @stderr, @reports);
}


sub all_lines {
    my ($self) = @_;
    my @redis = map { split(/\n/, slurp($_)) }
                map { $_->log_files } grep { $_ } $self->{redis_server};
    return ((map { node_lines($_) } @{ $self->{node} }), @redis);
}


sub judge_logs {
    my ($self) = @_;
    my (@serious, @reports);

    for my $line ($self->all_lines) {
        my @known = grep { $line =~ $_->{pattern} } @{ $self->{expected} };
        $_->{seen}++ for @known;
        next if @known;
        push @reports, $line if $line =~ $SANITIZER;
        push @serious, $line if $line =~ $SERIOUS;
    }
    return (\@serious, \@reports);
}


# --- the end ---------------------------------------------------------------

# Stops everything and adds the test lines.
sub finish {
    my ($self) = @_;
    return if $self->{finished}++ || $self->{pid} != $$;

    $self->stop_everything;
    my ($serious, $reports) = $self->judge_logs;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->check('every node quits in time', @{ $self->{problems} });
    $self->check('nothing critical in the logs', @$serious);
    $self->check('no sanitizer report', @$reports);
    for my $e (@{ $self->{expected} }) {
        my $range = !defined $e->{max} ? "$e->{min} or more"
                    : $e->{min} == $e->{max} ? $e->{min}
                    : "$e->{min} to $e->{max}";
        my $fits = $e->{seen} >= $e->{min}
                   && (!defined $e->{max} || $e->{seen} <= $e->{max});
        $self->check("log has $e->{pattern}",
                     $fits ? () : "seen $e->{seen} times, expected $range");
    }

    $self->show_logs if $ENV{TEST_CATLOG};
    return !@$serious && !@$reports;
}


sub check {
    my ($self, $name, @bad) = @_;
    Test::More::ok(!@bad, $name) and return;
    splice(@bad, 40) if @bad > 40;
    Test::More::diag(join("\n", @bad));
}


# Nodes first: each has to leave by itself, with a Redis that answers.
sub stop_everything {
    my ($self) = @_;
    $self->{redis_server}->cont if $self->{redis_server};
    $self->quit($_) for grep { $self->{node}[$_]->alive }
                        0 .. $#{ $self->{node} };
    undef $self->{client};
    $self->{redis_server}->stop if $self->{redis_server};
}


sub show_logs {
    my ($self) = @_;
    Test::More::diag(join("\n", "--- logs", $self->all_lines, '---'));
}


my $hooked;

# done_testing finishes what is still open, before it counts.
sub hook_done_testing {
    return if $hooked++;
    my $root = (test2_stack()->all)[0] // test2_stack()->top;
    $root->follow_up(sub { finish_all() });
}


sub finish_all {
    for my $t (grep { defined } @live) {
        $t->finish;
    }
}


# A test that died: say what the logs have, stop all.
sub DESTROY {
    my ($self) = @_;
    return if $self->{finished} || $self->{pid} != $$
              || ${^GLOBAL_PHASE} eq 'DESTRUCT';
    local ($?, $@, $!);
    $self->abandon;
}


sub abandon {
    my ($self) = @_;
    $self->{finished} = 1;

    eval { $self->stop_everything; 1 };
    my ($serious, $reports) = $self->judge_logs;
    Test::More::diag(join("\n", 'the logs have:', @$serious, @$reports))
        if @$serious || @$reports;
    return @$serious + @$reports;
}


END {
    for my $t (grep { defined && $_->{pid} == $$ && !$_->{finished} } @live) {
        my $status = $?;
        my $bad = $t->abandon;
        $? = $status || ($bad ? 1 : 0);
    }
}

1;
