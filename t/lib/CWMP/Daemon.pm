package CWMP::Daemon;

# One child process that this program started and answers for: started with
# its output in a file, waited for, signalled, and never left behind.  The
# base of CWMP::RedisServer and CWMP::Nginx, and the home of the few helpers
# that everything here needs (wait_for, free_port, find_binary).
#
# Three nets keep processes from outliving us: END stops what is left; INT,
# TERM and HUP are turned into an exit, so that END runs; and a guard process,
# told of every start and stop through a pipe, ends what is left when we were
# killed outright.

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Path qw(remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SO_REUSEADDR);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(wait_for free_port find_binary patience project_root
                    children_of slurp library_text pid_runs);

my %running;            # pid => object
my $owner = $$;
my @ports;              # sockets
my ($guard, $guard_pid);


# --- helpers ---------------------------------------------------------------

# Sanitized programs are several times slower; every wait is stretched alike.
sub patience {
    my ($seconds) = @_;
    return $seconds * ($ENV{TEST_SANITIZED} ? 4 : 1);
}


sub wait_for {
    my ($check, $seconds) = @_;
    my $until = time() + patience($seconds // 5);
    my $pause = 0.002;

    while (1) {
        my $seen = $check->();
        return $seen if $seen;
        return $seen if time() >= $until;
        sleep($pause);
        $pause = $pause * 1.5 if $pause < 0.05;
    }
}


# Below the range that the kernel gives to outgoing connections.
# It stays bound here, so that no other test gets it; who sets SO_REUSEADDR, as
# servers do, can listen on it.
sub free_port {
    for (1 .. 200) {
        my $port = 10_000 + int(rand(22_000));
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $port, Proto => 'tcp');
        next unless $s;
        $s->sockopt(SO_REUSEADDR, 1);
        push @ports, $s;
        return $port;
    }
    die "no free port found between 10000 and 32000\n";
}


sub find_binary {
    my ($name, $env) = @_;

    if ($env && defined $ENV{$env} && length $ENV{$env}) {
        return $ENV{$env} if -x $ENV{$env};
        die "$env=$ENV{$env} is not an executable file\n";
    }

    for my $dir (split(/:/, $ENV{PATH} // ''), qw(/usr/sbin /usr/local/sbin
                 /usr/local/nginx/sbin /usr/local/bin /sbin))
    {
        return "$dir/$name" if -f "$dir/$name" && -x _;
    }
    die "$name was not found in PATH nor in /usr/sbin: install it\n";
}


# The directory that holds t/, from wherever this file was loaded.
sub project_root {
    my $here = Cwd::abs_path(__FILE__);
    $here =~ s{/t/lib/CWMP/Daemon\.pm$}{};
    return $here;
}


sub slurp {
    my ($file) = @_;
    open(my $fh, '<:raw', $file) or return '';
    local $/;
    return scalar(<$fh>) // '';
}


# the function library, as the module has it
sub library_text {
    return join('', map { slurp($_) }
                    sort glob(project_root() . '/redis/lua/*.lua'));
}


sub children_of {
    my ($parent) = @_;
    my @pids;

    for my $stat (glob('/proc/[0-9]*/stat')) {
        my ($pid, $ppid) = slurp($stat) =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @pids, $pid if $ppid == $parent;
    }
    return sort { $a <=> $b } @pids;
}


# --- the guard -------------------------------------------------------------

sub guard_tell {
    my ($word) = @_;

    guard_start() unless $guard;
    local $SIG{PIPE} = 'IGNORE';
    syswrite($guard, "$word\n");
}


sub guard_start {
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close($write);
        guard_loop($read);
        POSIX::_exit(0);
    }

    close($read);
    ($guard, $guard_pid) = ($write, $pid);
}


sub guard_loop {
    my ($read) = @_;
    my (%left, @dirs);

    POSIX::setsid();                    # a Ctrl-C is not for us
    $0 = "cwmp test guard of $owner";
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
    open(STDIN, '<', '/dev/null');
    open($_->[0], '>', '/dev/null') for [\*STDOUT], [\*STDERR];

    my $buffer = '';
    my $select = IO::Select->new($read);
    while (getppid() == $owner) {       # its other children may hold the pipe
        $select->can_read(0.5) or next;
        sysread($read, $buffer, 4096, length $buffer) or last;
        while ($buffer =~ s/^(.*)\n//) {
            my $word = $1;
            $word =~ /^\+(\d+)/ and $left{$1} = 1;
            $word =~ /^-(\d+)/ and delete $left{$1};
            $word =~ /^d(\/.+)/ and push @dirs, $1;
            $word eq 'end' and return;
        }
    }

    kill_hard(keys %left);
    remove_tree(@dirs);
}


# A zombie has ended too: not every container has a first process that reaps.
sub pid_runs {
    my ($pid) = @_;
    return slurp("/proc/$pid/stat") =~ /\) [^ZX] /;
}


sub kill_hard {
    my (@pids) = @_;

    @pids = grep { pid_runs($_) } @pids or return;
    kill('CONT', @pids);
    kill('TERM', @pids);
    for (1 .. 30) {
        sleep(0.1);
        return unless grep { pid_runs($_) } @pids;
    }
    kill('KILL', map { ($_, children_of($_)) } grep { pid_runs($_) } @pids);
}


# --- a process -------------------------------------------------------------

sub new {
    my ($class, %opt) = @_;
    return bless { %opt }, $class;
}


sub guard_pid { return $guard_pid }


sub name { return $_[0]{name} // 'process' }
sub pid { return $_[0]{pid} }


# Runs @$argv in $dir with stdout and stderr appended to a file.
sub spawn {
    my ($self, $argv, %opt) = @_;

    die $self->name . " is already running\n" if $self->alive;
    install_signals();
    guard_start() unless $guard;
    local $| = 1;

    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        $self->become($argv, %opt);
    }

    @$self{qw(status adopted)} = ();
    $self->own($pid);
    return $pid;
}


sub own {
    my ($self, $pid) = @_;
    $self->{pid} = $pid;
    $running{$pid} = $self;
    guard_tell("+$pid");
}


# It goes on as another process, which is no child of ours: a daemon.
sub adopt {
    my ($self, $pid) = @_;
    delete $running{ $self->{pid} // 0 };
    $self->{adopted} = 1;
    $self->own($pid);
}


sub become {
    my ($self, $argv, %opt) = @_;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    POSIX::setpgid(0, 0) if $opt{own_group};
    $ENV{$_} = $opt{env}{$_} for keys %{ $opt{env} || {} };

    my $ok = (!$opt{dir} || chdir($opt{dir}))
             && open(STDIN, '<', '/dev/null')
             && open(STDOUT, '>>', $opt{output} // '/dev/null')
             && open(STDERR, '>&', \*STDOUT);

    if ($ok) {
        no warnings 'exec';
        exec { $argv->[0] } @$argv;
    }
    print STDERR "cannot run $argv->[0]: $!\n";
    POSIX::_exit(127);
}


# True while it runs; takes note of its exit status when it does not.
sub alive {
    my ($self) = @_;
    my $pid = $self->{pid} or return 0;

    return kill(0, $pid) ? 1 : 0 if $$ != $owner;

    my $got = $self->{adopted} ? (pid_runs($pid) ? 0 : -1)
                               : waitpid($pid, POSIX::WNOHANG());
    return 1 if $got == 0;

    $self->{status} = $? if $got == $pid;
    $self->{pid} = undef;
    delete $running{$pid};
    guard_tell("-$pid");
    return 0;
}


sub exit_text {
    my ($self) = @_;
    my $status = $self->{status} // return 'still running';
    return "killed by signal " . ($status & 127) if $status & 127;
    return "exit code " . ($status >> 8);
}


sub signal {
    my ($self, $name) = @_;
    return $self->alive ? kill($name, $self->{pid}) : 0;
}


sub wait_exit {
    my ($self, $seconds) = @_;
    return wait_for(sub { !$self->alive }, $seconds);
}


# Each signal in turn until it is gone; returns the one that did it.
sub end_with {
    my ($self, $seconds, @signals) = @_;

    return 'none' unless $self->alive;
    for my $name (@signals, 'KILL') {
        my @family = $name eq 'KILL' ? children_of($self->{pid}) : ();
        kill($name, $self->{pid}, @family);
        kill('CONT', $self->{pid});
        return $name if $self->wait_exit($seconds);
    }
    die $self->name . " pid $self->{pid} survives SIGKILL\n";
}


my $signals_installed;

sub install_signals {
    return if $signals_installed++;

    for my $name (qw(INT TERM HUP)) {
        next if defined $SIG{$name} && $SIG{$name} !~ /^(DEFAULT)?$/;
        my $number = { INT => 2, TERM => 15, HUP => 1 }->{$name};
        my $mine = $$;
        $SIG{$name} = sub {
            POSIX::_exit(128 + $number) if $$ != $mine;
            exit(128 + $number);
        };
    }
}


sub stop_all {
    return if $$ != $owner;
    local $?;
    for my $daemon (values %running) {
        next unless $daemon && $daemon->alive;
        $daemon->end_with(3, 'TERM');
    }
    return unless $guard;
    guard_tell('end');
    close($guard);
    undef $guard;
    waitpid($guard_pid, 0);
}


sub DESTROY {
    my ($self) = @_;
    return if $$ != $owner || ${^GLOBAL_PHASE} eq 'DESTRUCT';
    local ($?, $@, $!);
    eval { $self->end_with(3, 'TERM'); 1 } if $self->{pid};
}


END { stop_all() }

1;
